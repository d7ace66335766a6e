//! The library against the naive implementation, over generated frames.

use framesign::{ErrorKind, Rules};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{select, subsequence},
    test_runner::Config,
};

use crate::{
    frames::{cuts, lenient, mutated, valid},
    naive::Settings,
    properties::{canonical, cuts, oracle, rules, strict_httparse},
    stages::{stages, string_to_sign},
};

/// A failure is shown in full and becomes a test, so that no file has to remember it.
fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// Either way of reading, with limits and further methods that now and then matter.
fn settings() -> impl Strategy<Value = Settings> {
    let reading = select(vec![Settings::strict(), Settings::lenient()]);
    let max_head = prop_oneof![3 => Just(None), 1 => (0_usize..400).prop_map(Some)];
    let max_headers = prop_oneof![3 => Just(None), 1 => (0_usize..9).prop_map(Some)];
    let methods = subsequence(vec!["PATCH", "get", "M-SEARCH"], 0..=3);
    (reading, max_head, max_headers, methods).prop_map(
        |(reading, max_head, max_headers, methods)| Settings {
            max_head: max_head.unwrap_or(reading.max_head),
            max_headers: max_headers.unwrap_or(reading.max_headers),
            methods: methods.into_iter().map(str::to_owned).collect(),
            ..reading
        },
    )
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![1 => valid(), 1 => lenient(), 2 => mutated()]
}

/// Text that escapes and separators are frequent in, and any bytes.
fn any_target() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(&b"%%%2fF4a1&&=+/;,~ \xff"[..]);
    prop_oneof![3 => vec(piece, 0..40), 1 => vec(any::<u8>(), 0..40)]
}

fn check_both(frame: &[u8]) {
    oracle::check(&Settings::strict(), frame);
    oracle::check(&Settings::lenient(), frame);
}

proptest! {
    #![proptest_config(config(3_000))]

    #[test]
    fn valid_frames_are_signed_as_the_oracle_does(frame in valid()) {
        let strict = stages(&Rules::strict(), [&frame[..]]);
        prop_assert!(strict.is_ok(), "{:?}", strict);
        check_both(&frame);
    }

    #[test]
    fn repairable_frames_are_signed_as_the_oracle_does(frame in lenient()) {
        let lenient = stages(&Rules::lenient(), [&frame[..]]);
        prop_assert!(lenient.is_ok(), "{:?}", lenient);
        check_both(&frame);
    }

    #[test]
    fn settings_mean_what_they_mean_to_the_oracle(settings in settings(), frame in any_frame()) {
        oracle::check(&settings, &frame);
    }

    #[test]
    fn results_do_not_depend_on_cuts(
        settings in settings(),
        frame in any_frame(),
        lengths in cuts(),
    ) {
        cuts::check(&settings, &frame, &lengths);
    }

    #[test]
    fn lenient_reading_signs_alike_what_strict_reading_accepts(frame in any_frame()) {
        if let Ok(strict) = stages(&Rules::strict(), [&frame[..]]) {
            prop_assert_eq!(stages(&Rules::lenient(), [&frame[..]]), Ok(strict));
        }
    }

    #[test]
    fn httparse_reads_alike_what_strict_reading_accepts(
        settings in settings(),
        frame in any_frame(),
    ) {
        strict_httparse::check(rules(&Settings { reading: Settings::strict().reading, ..settings }), &frame);
    }

    #[test]
    fn canonical_frames_are_canonical(settings in settings(), frame in any_frame()) {
        canonical::check_frame(&settings, &frame);
    }

    #[test]
    fn canonical_paths_and_queries_are_canonical(text in any_target()) {
        canonical::check_path(&text);
        canonical::check_query(&text);
    }
}

proptest! {
    #![proptest_config(config(12_000))]

    #[test]
    fn broken_frames_are_refused_for_a_reason_that_the_oracle_knows(frame in mutated()) {
        check_both(&frame);
    }
}

proptest! {
    #![proptest_config(config(50))]

    #[test]
    fn valid_frames_that_end_too_early_are_truncated(frame in valid()) {
        for len in 0..frame.len() {
            let error = string_to_sign(&Rules::strict(), [&frame[..len]]).unwrap_err();
            let is_truncated = matches!(error.kind(), ErrorKind::TruncatedHead | ErrorKind::TruncatedBody);
            prop_assert!(is_truncated, "{}: {}", error, frame[..len].escape_ascii());
            prop_assert_eq!(error.offset(), len as u64);
        }
    }
}
