//! That the secret of tokens is never a key of frames: what HMAC takes for one key is one.

use std::process::Command;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{
    SECRET, Service,
    secrets::{
        ACCESS_KEY, PREVIOUS, PREVIOUS_KEY, SECRET_KEY, is_valid, reload, token, token_under, write,
    },
    serve,
    startup::complaint,
    wait_until,
};

/// Longer than a block, so that HMAC hashes it. Its SHA-256 is UTF-8 by good luck, which took some
/// 280 million tries: so either of the two can be the key of frames.
const LONG: &str = "a secret key that is longer than the sixty-four bytes of one blo no. 280932556";

const TOKENS: [&str; 2] = ["SECRET", "SECRET_PREVIOUS"];
const FRAMES: [&str; 2] = ["FRAMESIGN_SECRET_KEY", "FRAMESIGN_SECRET_KEY_PREVIOUS"];

fn hash_of_long() -> Vec<u8> {
    Sha256::digest(LONG).to_vec()
}

/// Pairs that are one key to HMAC, as bytes equal or not.
fn same_keys() -> [[Vec<u8>; 2]; 3] {
    let (long, hash) = (LONG.as_bytes().to_vec(), hash_of_long());
    assert!(std::str::from_utf8(&hash).is_ok() && hash.len() == 32);
    let equal = b"a secret for both of them".to_vec();
    [[equal.clone(), equal], [hash.clone(), long.clone()], [long, hash]]
}

/// Four secrets, each in a file.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        place.restore();
        place
    }

    /// Has four secrets again that all differ.
    fn restore(&self) {
        let secrets = [SECRET, PREVIOUS, SECRET_KEY, PREVIOUS_KEY];
        for (name, secret) in TOKENS.into_iter().chain(FRAMES).zip(secrets) {
            self.write(name, secret);
        }
    }

    fn write(&self, name: &str, secret: impl AsRef<[u8]>) {
        write(&self.0, name, secret);
    }

    /// A service that reads them.
    fn command(&self) -> Command {
        let mut command = serve(&[]);
        command.env_remove("SECRET").env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY);
        for name in TOKENS.into_iter().chain(FRAMES) {
            command.env(format!("{name}_FILE"), self.0.path().join(name));
        }
        command
    }
}

/// Holds that the secrets are those of [`Place::restore`].
fn assert_unchanged(service: &Service) {
    assert_eq!(token(service), token_under(SECRET, "bytes"));
    assert!(is_valid(service, SECRET_KEY) && is_valid(service, PREVIOUS_KEY));
    assert!(!is_valid(service, LONG));
}

/// The last of as many errors in the log as there must be, which is written beside the requests.
fn last_error(service: &Service, count: u64) -> String {
    let errors = || {
        let log = service.log();
        let complete = log.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let errors = complete.lines().filter(|line| line.contains("ERROR"));
        errors.map(str::to_owned).collect::<Vec<_>>()
    };
    wait_until(|| errors().len() as u64 >= count, || format!("{count} errors: {:?}", errors()));
    let errors = errors();
    assert_eq!(errors.len() as u64, count, "{errors:?}");
    errors.last().unwrap().clone()
}

fn assert_tells_what_to_do(complaint: &str, names: &str) {
    assert!(complaint.contains(&format!("expected {names} to differ")), "{complaint}");
    assert!(complaint.contains("`openssl rand -hex 32`"), "{complaint}");
    for secret in ["a secret", PREVIOUS, SECRET_KEY, PREVIOUS_KEY] {
        assert!(!complaint.contains(secret), "{complaint}");
    }
}

#[test]
fn one_key_for_both_is_refused_at_the_start() {
    for secret_name in TOKENS {
        for key_name in FRAMES {
            for [secret, key] in same_keys() {
                let place = Place::new();
                place.write(secret_name, secret);
                place.write(key_name, key);
                let complaint = complaint(&mut place.command());
                assert_tells_what_to_do(&complaint, &format!("{secret_name} and {key_name}"));
            }
        }
    }
    drop(Service::run(&mut Place::new().command()));
}

#[test]
fn one_key_for_both_is_refused_when_it_is_read_again() {
    let place = Place::new();
    let service = Service::run(&mut place.command());
    let mut failed = 0;
    for secret_name in TOKENS {
        for key_name in FRAMES {
            for [secret, key] in same_keys() {
                place.write(secret_name, secret);
                place.write(key_name, key);
                failed += 1;
                reload(&service, 0, failed);
                assert_unchanged(&service);
                let names = format!("{secret_name} and {key_name}");
                assert_tells_what_to_do(&last_error(&service, failed), &names);
                place.restore();
            }
        }
    }
    reload(&service, 1, failed);
    assert_unchanged(&service);
}

/// A request that began before the change goes on with the secret that it began with.
#[test]
fn secret_does_not_go_from_one_use_to_the_other() {
    let place = Place::new();
    place.write("FRAMESIGN_SECRET_KEY", LONG);
    let service = Service::run(&mut place.command());
    let assert_unchanged = || {
        assert_eq!(token(&service), token_under(SECRET, "bytes"));
        assert!(is_valid(&service, LONG) && !is_valid(&service, SECRET_KEY));
    };
    for (failed, (name, value, names)) in (1..).zip([
        ("SECRET", LONG.into(), "the new SECRET and the live FRAMESIGN_SECRET_KEY"),
        ("SECRET", hash_of_long(), "the new SECRET and the live FRAMESIGN_SECRET_KEY"),
        (
            "SECRET_PREVIOUS",
            PREVIOUS_KEY.into(),
            "the new SECRET_PREVIOUS and the live FRAMESIGN_SECRET_KEY_PREVIOUS",
        ),
        ("FRAMESIGN_SECRET_KEY", SECRET.into(), "the live SECRET and the new FRAMESIGN_SECRET_KEY"),
        (
            "FRAMESIGN_SECRET_KEY_PREVIOUS",
            PREVIOUS.into(),
            "the live SECRET_PREVIOUS and the new FRAMESIGN_SECRET_KEY_PREVIOUS",
        ),
    ]) {
        // No two of the new ones are one key.
        for other in TOKENS.into_iter().chain(FRAMES) {
            place.write(other, format!("a new secret for {other}"));
        }
        place.write(name, value);
        reload(&service, 0, failed);
        assert_unchanged();
        assert_tells_what_to_do(&last_error(&service, failed), names);
    }
}

#[test]
fn keys_that_merely_look_alike_are_two() {
    let longer = format!("{LONG} and more");
    let (block, _) = LONG.split_at(64);
    for (secret, key) in [(block, LONG), (&longer, LONG), (LONG, block)] {
        let place = Place::new();
        place.write("SECRET", secret);
        place.write("FRAMESIGN_SECRET_KEY", key);
        let service = Service::run(&mut place.command());
        assert_eq!(token(&service), token_under(secret, "bytes"));
        assert!(is_valid(&service, key));
    }
}

#[test]
fn secret_has_no_nul() {
    let place = Place::new();
    let service = Service::run(&mut place.command());
    let mut failed = 0;
    for name in TOKENS.into_iter().chain(FRAMES) {
        // The first is the same key to HMAC as without.
        for secret in [format!("{SECRET_KEY}\0"), format!("\0{LONG}"), LONG.replace("no.", "\0")] {
            place.write(name, secret);
            let complaint = complaint(&mut place.command());
            let expected = format!("{name}: expected a secret without NUL, found one with it");
            assert!(complaint.starts_with(&expected), "{complaint}");
            assert!(complaint.ends_with("`openssl rand -hex 32`"), "{complaint}");
            failed += 1;
            reload(&service, 0, failed);
            assert_unchanged(&service);
            assert!(last_error(&service, failed).contains(&expected));
            place.restore();
        }
    }
}
