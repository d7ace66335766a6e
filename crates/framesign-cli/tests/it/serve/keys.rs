//! `GET /keys/…`, and verifiers that have their keys from there and hold no secret.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    time::{Duration, SystemTime},
};

use framesign::{SigningDate, secrets::Secret};
use tempfile::TempDir;

use super::{
    Answer, Service,
    request::Request,
    rights::{OLDER, ONE, REVOKED, TWO, escaped, is_valid, sealed, secrets, token, with_callers},
    secrets::write,
    serve, wait_until,
};

const DAY: Duration = Duration::from_secs(86_400);

/// Callers of a service that tells keys.
const CALLERS: [(&str, &str); 4] = [
    ("short", ""),
    ("verifier", "rights = ['keys']"),
    ("narrow", "rights = ['keys']\naccess_keys = ['key-one']"),
    ("other", "rights = ['token', 'sign', 'verify', 'upload']"),
];

fn ask(service: &Service, caller: &str, access_key: &str, date: &str) -> Answer {
    let path = format!("/keys/{}/{date}", escaped(access_key));
    let request = Request::get(&path).field("Authorization", &format!("Bearer {}", token(caller)));
    // The document has the path with its parameters.
    service.request(request.bytes())
}

/// Today, unless midnight passes meanwhile.
fn on_one_day(test: impl Fn(SigningDate)) {
    let today = SigningDate::today();
    test(today);
    if SigningDate::today() != today {
        test(SigningDate::today());
    }
}

#[test]
fn keys_of_the_day_are_told_to_who_has_the_right_by_name() {
    let (service, _files) = with_callers(&CALLERS, &["--skew", "0"]);
    on_one_day(|today| {
        let date = today.to_string();
        for (access_key, live) in [(ONE.0, &[ONE.1][..]), (TWO.0, &[TWO.1, OLDER])] {
            let answer = ask(&service, "verifier", access_key, &date);
            let hex = |text: &&str| {
                Secret::new(text).unwrap().signing_key_hex(access_key, today).unwrap().to_string()
            };
            let keys: Vec<_> = live.iter().map(hex).collect();
            let expected =
                serde_json::json!({ "access_key": access_key, "date": date, "keys": keys });
            assert_eq!((answer.status, answer.json()), (200, expected));
            assert_eq!(answer.field("cache-control"), Some("no-store"));
        }
        for (caller, access_key, status) in [
            ("narrow", ONE.0, 200),
            // What a caller may not know is not told apart from what is not there.
            ("narrow", TWO.0, 404),
            ("narrow", "key-none", 404),
            ("verifier", "key-none", 404),
            ("verifier", REVOKED, 404),
            ("verifier", "", 404),
            ("short", ONE.0, 403),
            ("other", ONE.0, 403),
            ("stranger", ONE.0, 401),
        ] {
            let answer = ask(&service, caller, access_key, &date);
            assert_eq!(answer.status, status, "{caller} {access_key}: {answer:?}");
        }
    });
    // Neither to a service without callers.
    let file = secrets();
    let anonymous = Service::start(&["--secrets", file.path().to_str().unwrap()]);
    let path = format!("/keys/{}/{}", ONE.0, SigningDate::today());
    assert_eq!(anonymous.request(Request::get(&path).bytes()).status, 403);
}

#[test]
fn keys_are_told_for_days_that_a_verifier_accepts() {
    let days = |now: SystemTime| {
        [now - 2 * DAY, now - DAY, now, now + DAY, now + 2 * DAY].map(SigningDate::of)
    };
    for (skew, expected) in [("0", [404, 404, 200, 404, 404]), ("86400", [404, 200, 200, 200, 404])]
    {
        let (service, _files) = with_callers(&CALLERS, &["--skew", skew]);
        on_one_day(|_| {
            let days = days(SystemTime::now());
            let found = days.map(|day| ask(&service, "verifier", ONE.0, &day.to_string()).status);
            assert_eq!(found, expected, "skew of {skew} s");
        });
        for date in ["", "20230230", "today", "2023080", "20230801/", "20230801/x"] {
            assert_eq!(ask(&service, "verifier", ONE.0, date).status, 404, "{date}");
        }
    }
}

/// A service that tells keys, and a verifier without any secret.
struct Pair {
    source: Service,
    verifier: Service,
    files: [tempfile::NamedTempFile; 2],
    _folder: TempDir,
}

impl Pair {
    fn start(caller: &str) -> Self {
        // So that a test may read their memory.
        let (source, files) = with_callers(&CALLERS, &["--core-dumps"]);
        let folder = TempDir::new().unwrap();
        let token = write(&folder, "token", token(caller));
        crate::support::set_mode(token.as_ref(), 0o600);
        let url = format!("http://{}", source.address);
        let mut command = serve(&["--keys", &url, "--keys-token-file", &token, "--core-dumps"]);
        let verifier = Service::run(command.env_remove("SECRET"));
        Self { source, verifier, files, _folder: folder }
    }
}

#[test]
fn verifier_without_secrets_verifies_and_does_nothing_else() {
    let Pair { verifier, .. } = &Pair::start("verifier");
    for pair in [ONE, TWO, (TWO.0, OLDER)] {
        assert!(is_valid(verifier, pair), "{pair:?}");
    }
    for pair in [(ONE.0, TWO.1), ("key-none", ONE.1), (REVOKED, ONE.1)] {
        assert!(!is_valid(verifier, pair), "{pair:?}");
    }
    let mut tampered = sealed(ONE);
    let at = tampered.iter().position(|byte| *byte == b'a').unwrap();
    tampered[at] = b'b';
    assert_eq!(Request::frame("/verify", tampered).to(verifier).text(), r#"{"valid":false}"#);
    // However the frame comes.
    for frame in [sealed(ONE), b"nonsense\r\n\r\n".to_vec()] {
        for size in [1, 7, frame.len()] {
            let request = Request::post_chunks("/verify", frame.chunks(size));
            let answer = request.field("Content-Type", "message/http").to(verifier);
            assert_eq!(answer.json()["valid"], frame.starts_with(b"GET"), "pieces of {size}");
        }
    }
    assert_eq!(
        Request::frame("/sign", "GET / HTTP/1.1\r\nHost: h\r\n\r\n").to(verifier).status,
        404
    );
    assert_eq!(Request::post("/token", "bytes").to(verifier).status, 404);
}

#[test]
fn verifier_goes_on_while_the_source_is_away() {
    let Pair { source, verifier, files: _files, _folder } = Pair::start("verifier");
    assert!(is_valid(&verifier, ONE));
    drop(source);
    assert!(is_valid(&verifier, ONE) && !is_valid(&verifier, (ONE.0, TWO.1)));
    // What it has never asked for cannot be had, which says nothing of the frame.
    let answer = Request::frame("/verify", sealed(TWO)).to(&verifier);
    assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")));
    verifier.wait_for_log("a frame was not verified");
    assert!(!verifier.log().contains("token-of"), "{}", verifier.log());
}

#[test]
fn verifier_who_may_not_have_keys_says_that_it_cannot_tell() {
    let Pair { verifier, .. } = &Pair::start("short");
    assert_eq!(Request::frame("/verify", sealed(ONE)).to(verifier).status, 503);
    verifier.wait_for_log("the service answered 403");
}

#[test]
fn source_that_is_started_again_is_asked_again() {
    let Pair { source, verifier, files, _folder } = Pair::start("verifier");
    let listen = source.address.to_string();
    drop(source);
    assert_eq!(Request::frame("/verify", sealed(ONE)).to(&verifier).status, 503);
    let paths = files.each_ref().map(|file| file.path().to_str().unwrap());
    let options = ["--listen", &listen, "--secrets", paths[0], "--callers", paths[1]];
    let _source = Service::start(&options);
    let is_back = || Request::frame("/verify", sealed(ONE)).to(&verifier).status == 200;
    wait_until(is_back, || "an answer of the source".into());
    assert!(is_valid(&verifier, ONE));
}

/// The number of times that `bytes` are in the memory of a process that may be written.
fn count_in_memory(service: &Service, bytes: &[u8]) -> usize {
    let maps = fs::read_to_string(format!("/proc/{}/maps", service.id())).unwrap();
    let memory = File::open(format!("/proc/{}/mem", service.id())).unwrap();
    let mut count = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (range, _) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let at = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let mut region = vec![0; usize::try_from(at(end) - at(start)).unwrap()];
        // A region that was never touched, or has gone, holds nothing.
        if memory.read_exact_at(&mut region, at(start)).is_ok() {
            count += region.windows(bytes.len()).filter(|window| *window == bytes).count();
        }
    }
    count
}

#[test]
fn no_secret_is_in_the_memory_of_a_verifier_with_keys() {
    let Pair { source, verifier, .. } = &Pair::start("verifier");
    for pair in [ONE, TWO, (TWO.0, OLDER)] {
        assert!(is_valid(verifier, pair));
        // The search finds what is there: the service that has the secret holds it.
        assert!(count_in_memory(source, pair.1.as_bytes()) > 0, "{pair:?}");
        assert_eq!(count_in_memory(verifier, pair.1.as_bytes()), 0, "{pair:?}");
    }
    // The access key, which is no secret, is there.
    assert!(count_in_memory(verifier, TWO.0.as_bytes()) > 0);
}

#[test]
fn options_of_keys_that_contradict_each_other_keep_the_service_from_starting() {
    use super::startup::complaint;

    let file = secrets();
    let path = file.path().to_str().unwrap();
    let url = "http://127.0.0.1:1";
    let both = complaint(&mut serve(&["--keys", url, "--secrets", path]));
    assert!(both.contains("--keys") && both.contains("--secrets"), "{both}");
    let mut command = serve(&["--keys", url]);
    let pair =
        complaint(command.env("FRAMESIGN_ACCESS_KEY", ONE.0).env("FRAMESIGN_SECRET_KEY", ONE.1));
    assert!(pair.contains("--keys") && pair.contains("FRAMESIGN_ACCESS_KEY"), "{pair}");
    let clear = complaint(&mut serve(&["--keys", "http://keys.example.org"]));
    assert!(clear.starts_with("--keys: expected https://"), "{clear}");
    let alone = complaint(&mut serve(&["--keys-token-file", path]));
    assert!(alone.contains("--keys"), "{alone}");
    let missing = complaint(&mut serve(&["--keys", url, "--keys-token-file", "/nowhere"]));
    assert!(missing.starts_with("/nowhere: "), "{missing}");
}
