//! Engines by name.

use sha256_multi::Engine;

#[test]
fn every_engine_is_found_by_its_name() {
    for engine in Engine::available() {
        assert_eq!(Engine::by_name(engine.name()).unwrap().name(), engine.name());
        for messages in 0..=20 {
            assert_eq!(engine.kernel_name(messages), engine.name(), "forced");
        }
    }
    assert_eq!(Engine::by_name("auto").unwrap().name(), "auto");
    assert!(Engine::by_name("sha-ni-x3").is_none());
}

#[test]
fn portable_is_always_there_and_comes_first() {
    let portable = Engine::available().next().unwrap();
    assert_eq!((portable.name(), portable.lanes()), ("portable", 1));
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = Engine::available().map(|engine| engine.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Engine::available().count());
}

#[test]
fn one_message_takes_the_kernel_of_one_lane() {
    assert_eq!(Engine::detect().kernel_name(1), "portable");
}

/// What is chosen is chosen once.
#[test]
fn detect_gives_the_same_again() {
    let kernels = || (1..=16).map(|n| Engine::detect().kernel_name(n)).collect::<Vec<_>>();
    let first = kernels();
    std::thread::scope(|scope| {
        for thread in [scope.spawn(kernels), scope.spawn(kernels)] {
            assert_eq!(thread.join().unwrap(), first);
        }
    });
}

/// That the tests of every engine do test what this processor has.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[test]
fn engines_are_those_of_the_processor() {
    let has = |name| Engine::by_name(name).is_some();
    let sha = is_x86_feature_detected!("sha");
    let vl = is_x86_feature_detected!("avx512vl");
    assert_eq!(has("sha-ni-x2"), sha);
    assert_eq!(has("sha-ni-x4"), sha);
    assert_eq!(has("sha-ni-avx512vl-x2"), sha && vl);
    assert_eq!(has("sha-ni-avx512vl-x4"), sha && vl);
    assert_eq!(has("avx2-x8"), is_x86_feature_detected!("avx2"));
    assert_eq!(has("avx512vl-x8"), vl);
    assert_eq!(has("avx512-x16"), is_x86_feature_detected!("avx512bw"));
}

/// The same on Arm.
#[cfg(all(target_arch = "aarch64", not(miri)))]
#[test]
fn engines_are_those_of_the_processor() {
    let sha = std::arch::is_aarch64_feature_detected!("sha2");
    assert_eq!(Engine::by_name("armv8-x2").is_some(), sha);
    assert_eq!(Engine::by_name("armv8-x4").is_some(), sha);
}
