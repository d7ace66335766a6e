//! Where secrets come from, how they change, and that they go nowhere.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path, time::SystemTime};

use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tempfile::TempDir;

use super::{SECRET, Service, request::Request, serve, startup::complaint, wait_until};

pub(super) const ACCESS_KEY: &str = "access-key";
pub(super) const SECRET_KEY: &str = "the secret key of the tests";
pub(super) const PREVIOUS_KEY: &str = "the secret key before it";
pub(super) const PREVIOUS: &str = "the shared secret before it";
const CALLER: &str = "token-of-the-caller";

pub(super) fn token_under(secret: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_ref()).unwrap();
    mac.update(body.as_ref());
    hex::encode(mac.finalize().into_bytes())
}

pub(super) fn token(service: &Service) -> Value {
    Request::post("/token", "bytes").to(service).json()["token"].clone()
}

pub(super) fn write(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A frame that is signed now under `secret_key`.
fn sealed(secret_key: &str) -> Vec<u8> {
    let (now, head) = (SystemTime::now(), b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let credentials = Credentials::new(ACCESS_KEY, secret_key).unwrap();
    let key = SigningKey::derive(&credentials, SigningDate::of(now));
    sign_head(head, &key, PayloadHash::of(b""), now, &SigningOptions::default()).unwrap()
}

pub(super) fn is_valid(service: &Service, secret_key: &str) -> bool {
    let answer = Request::frame("/verify", sealed(secret_key)).to(service);
    answer.json()["valid"].as_bool().unwrap()
}

#[test]
fn secret_is_in_the_environment_or_in_a_file() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "secret", PREVIOUS);
    let service = Service::run(serve(&[]).env_remove("SECRET").env("SECRET_FILE", &path));
    assert_eq!(token(&service), token_under(PREVIOUS, "bytes"));
    let both = complaint(serve(&[]).env("SECRET_FILE", &path));
    assert!(both.contains("SECRET") && both.contains("SECRET_FILE"), "{both}");
    let neither = complaint(serve(&[]).env_remove("SECRET"));
    assert!(neither.contains("SECRET_FILE") && neither.contains("/token"), "{neither}");
    let missing = complaint(serve(&[]).env_remove("SECRET").env("SECRET_FILE", "/no/where"));
    // By the variable: what it holds can be the secret itself, where somebody took one for the other.
    assert!(missing.starts_with("SECRET_FILE: "), "{missing}");
    assert!(!missing.contains("/no/where"), "{missing}");
    let folder = folder.path().to_str().unwrap();
    let no_file = complaint(serve(&[]).env_remove("SECRET").env("SECRET_FILE", folder));
    assert!(no_file.starts_with("SECRET_FILE: "), "{no_file}");
}

#[test]
fn every_secret_is_long_enough() {
    let folder = TempDir::new().unwrap();
    // The line end does not count.
    let path = write(&folder, "secret", "fifteen bytes..\n");
    for name in
        ["SECRET", "SECRET_PREVIOUS", "FRAMESIGN_SECRET_KEY", "FRAMESIGN_SECRET_KEY_PREVIOUS"]
    {
        let command = || {
            let mut command = serve(&[]);
            command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
            command.env_remove(name);
            command
        };
        if !name.ends_with("_PREVIOUS") {
            let complaint = complaint(command().env(name, ""));
            assert!(complaint.starts_with(&format!("{name}: ")), "{complaint}");
        }
        for complaint in [
            complaint(command().env(name, "fifteen bytes..")),
            complaint(command().env(format!("{name}_FILE"), &path)),
        ] {
            assert!(complaint.starts_with(&format!("{name}: ")), "{complaint}");
            assert!(
                complaint.contains("16 bytes") && !complaint.contains("fifteen"),
                "{complaint}"
            );
        }
        drop(Service::run(command().env(name, "just sixteen by.")));
    }
}

#[test]
fn one_line_end_does_not_count() {
    let folder = TempDir::new().unwrap();
    for (text, secret) in [
        ("the secret of a file\n", "the secret of a file"),
        ("the secret of a file\r\n", "the secret of a file"),
        ("the secret of a file\n\n", "the secret of a file\n"),
        (" the secret of a file ", " the secret of a file "),
    ] {
        let path = write(&folder, "secret", text);
        let mut command = serve(&[]);
        let of_file = Service::run(command.env_remove("SECRET").env("SECRET_FILE", path));
        assert_eq!(token(&of_file), token_under(secret, "bytes"), "{text:?} in a file");
        let of_environment = Service::run(serve(&[]).env("SECRET", text));
        assert_eq!(token(&of_environment), token_under(secret, "bytes"), "{text:?}");
    }
}

#[test]
fn secret_is_bytes_and_need_not_be_text() {
    let secret = b"\xff\xfe no text, \x01 bytes";
    let service = Service::run(serve(&[]).env("SECRET", OsStr::from_bytes(secret)));
    assert_eq!(token(&service), token_under(secret, "bytes"));
}

#[test]
fn previous_secret_adds_its_token() {
    let service = Service::run(serve(&[]).env("SECRET_PREVIOUS", PREVIOUS));
    let answer = Request::post("/token", "bytes").to(&service).json();
    assert_eq!(answer["token"], token_under(SECRET, "bytes"));
    assert_eq!(answer["previous_token"], token_under(PREVIOUS, "bytes"));
}

#[test]
fn previous_secret_key_verifies_and_does_not_sign() {
    let mut command = serve(&[]);
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    let service = Service::run(&mut command);
    assert!(is_valid(&service, SECRET_KEY) && !is_valid(&service, PREVIOUS_KEY));
    let service = Service::run(command.env("FRAMESIGN_SECRET_KEY_PREVIOUS", PREVIOUS_KEY));
    assert!(is_valid(&service, SECRET_KEY) && is_valid(&service, PREVIOUS_KEY));
    assert!(!is_valid(&service, "the secret key of another"));
    let frame = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let answer = Request::frame("/sign", frame).to(&service).json();
    let date = answer["date"].as_str().unwrap().parse().unwrap();
    let current = SigningKey::derive(&Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap(), date);
    let string_to_sign = answer["string_to_sign"].as_str().unwrap();
    assert_eq!(answer["signature"], current.sign(&string_to_sign.parse().unwrap()).to_string());
}

#[test]
fn keys_of_frames_come_in_pairs() {
    let pair = [("FRAMESIGN_ACCESS_KEY", ACCESS_KEY), ("FRAMESIGN_SECRET_KEY", SECRET_KEY)];
    for ((given, value), (missing, _)) in [(pair[0], pair[1]), (pair[1], pair[0])] {
        let complaint = complaint(serve(&[]).env(given, value));
        assert!(complaint.contains(missing) && !complaint.contains(value), "{complaint}");
    }
    let previous = "FRAMESIGN_SECRET_KEY_PREVIOUS";
    let alone = complaint(serve(&[]).env(previous, PREVIOUS_KEY));
    assert!(alone.contains("FRAMESIGN_ACCESS_KEY"), "{alone}");
    let nothing = complaint(serve(&[]).envs(pair).env("FRAMESIGN_ACCESS_KEY", ""));
    assert!(nothing.contains("access key"), "{nothing}");
}

/// Waits until SIGHUP has been dealt with as often as said.
pub(super) fn reload(service: &Service, done: u64, failed: u64) {
    service.hangup();
    let reloads = || Request::get("/metrics").to(service).json()["reloads"].clone();
    let expected = serde_json::json!({ "done": done, "failed": failed });
    wait_until(|| reloads() == expected, || format!("{expected}, found {}", reloads()));
}

#[test]
fn secret_is_read_again_and_stays_where_that_fails() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "secret", "the first secret\n");
    let mut command = serve(&[]);
    let service = Service::run(command.env_remove("SECRET").env("SECRET_FILE", &path));
    assert_eq!(token(&service), token_under("the first secret", "bytes"));
    write(&folder, "secret", "the second secret\n");
    // Nothing is read before it is asked for.
    assert_eq!(token(&service), token_under("the first secret", "bytes"));
    reload(&service, 1, 0);
    assert_eq!(token(&service), token_under("the second secret", "bytes"));
    write(&folder, "secret", "short\n");
    reload(&service, 1, 1);
    fs::remove_file(&path).unwrap();
    reload(&service, 1, 2);
    assert_eq!(token(&service), token_under("the second secret", "bytes"));
    assert_eq!(service.log().matches("secrets could not be read again").count(), 2);
    write(&folder, "secret", "the third secret\n");
    reload(&service, 2, 2);
    assert_eq!(token(&service), token_under("the third secret", "bytes"));
    let log = service.log();
    assert!(!log.contains("the first") && !log.contains("the second"), "{log}");
}

#[test]
fn request_keeps_the_secret_that_it_began_with() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "secret", "the first secret");
    let mut command = serve(&[]);
    let service = Service::run(command.env_remove("SECRET").env("SECRET_FILE", path));
    let request = Request::post("/token", "bytes").field("Expect", "100-continue");
    let mut connection = service.connect();
    connection.send(request.head());
    assert_eq!(connection.head().status, 100);
    write(&folder, "secret", "the second secret");
    reload(&service, 1, 0);
    connection.send("bytes");
    let answer = request.answer(&mut connection);
    assert_eq!(answer.json()["token"], token_under("the first secret", "bytes"));
}

#[test]
fn keys_of_frames_are_read_again() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "key", PREVIOUS_KEY);
    let mut command = serve(&[]);
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY_FILE", path);
    let service = Service::run(&mut command);
    assert!(is_valid(&service, PREVIOUS_KEY));
    write(&folder, "key", SECRET_KEY);
    reload(&service, 1, 0);
    assert!(is_valid(&service, SECRET_KEY) && !is_valid(&service, PREVIOUS_KEY));
}

/// What must not be seen: secrets, as text and as bytes are shown, and tokens.
fn unseen() -> Vec<String> {
    let secrets = [SECRET, PREVIOUS, SECRET_KEY, PREVIOUS_KEY, CALLER];
    let mut unseen = vec![token_under(SECRET, "bytes"), token_under(PREVIOUS, "bytes")];
    for secret in secrets {
        let in_decimal = format!("{:?}", secret.as_bytes());
        unseen.extend([secret.to_owned(), hex::encode(secret), in_decimal]);
    }
    unseen
}

/// Asks for all that there is, rightly and wrongly; gives the answers that carry no token.
fn ask_for_everything(service: &Service, folder: &Path) -> Vec<String> {
    let authorization = format!("Bearer {CALLER}");
    let known = |request: Request| request.field("Authorization", &authorization);
    let answers = [
        known(Request::frame("/verify", sealed(SECRET_KEY))),
        known(Request::frame("/verify", sealed("the secret key of another"))),
        known(Request::frame("/sign", "nonsense")),
        known(Request::get("/token")),
        known(Request::get(&format!("/{CALLER}?{CALLER}"))),
        Request::post("/token", "bytes").field("Authorization", &format!("Basic {CALLER}")),
        Request::post("/token", CALLER),
        Request::get("/health"),
        Request::get("/metrics"),
        Request::get("/metrics").field("Accept", "application/openmetrics-text"),
    ];
    let answers = answers.iter().map(|request| request.to(service).text().to_owned()).collect();
    assert_eq!(known(Request::post("/token", "bytes")).to(service).status, 200);
    fs::write(folder.join("callers"), format!("caller = ['{CALLER}'")).unwrap();
    reload(service, 1, 1);
    answers
}

#[test]
fn no_secret_is_to_be_seen_anywhere() {
    for (format, level) in [
        ("text", "debug"),
        ("json", "debug"),
        ("text", "info"),
        ("json", "warn"),
        ("text", "error"),
    ] {
        let folder = TempDir::new().unwrap();
        let callers = write(&folder, "callers", format!("caller = ['{CALLER}']"));
        let options = ["--log-format", format, "--log-level", level, "--callers", &callers];
        let mut command = serve(&options);
        command.env("SECRET_PREVIOUS", PREVIOUS).env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY);
        command.env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
        let service = Service::run(command.env("FRAMESIGN_SECRET_KEY_PREVIOUS", PREVIOUS_KEY));
        let mut seen = ask_for_everything(&service, folder.path());
        seen.push(fs::read_to_string(format!("/proc/{}/cmdline", service.id())).unwrap());
        service.terminate();
        let (code, log) = service.wait();
        assert_eq!(code, 0, "{log}");
        seen.push(log);
        for secret in unseen() {
            for text in &seen {
                assert!(!text.contains(&secret), "{format} {level}: {text}");
            }
        }
    }
}

#[test]
fn previous_secret_comes_and_goes_with_its_file() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "previous", "");
    let service = Service::run(serve(&[]).env("SECRET_PREVIOUS_FILE", &path));
    let has_previous =
        || !Request::post("/token", "bytes").to(&service).json()["previous_token"].is_null();
    assert!(!has_previous());
    write(&folder, "previous", PREVIOUS);
    service.hangup();
    wait_until(has_previous, || "the previous secret".into());
    write(&folder, "previous", "");
    service.hangup();
    wait_until(|| !has_previous(), || "its end".into());
}
