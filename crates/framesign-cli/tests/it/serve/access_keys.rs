//! `--secrets`: access keys in a file.

use std::fs;

use tempfile::{NamedTempFile, TempDir};

use super::{
    SECRET, Service,
    request::Request,
    rights::{GET, OLDER, ONE, REVOKED, TWO, is_signed_by, is_valid, path, secrets, target},
    secrets::write,
    serve,
    startup::complaint,
    wait_until,
};

#[test]
fn every_access_key_of_the_file_signs_and_verifies() {
    let file = secrets();
    let service = Service::start(&["--secrets", path(&file)]);
    for pair in [ONE, TWO] {
        let answer = Request::frame(&target(pair.0), GET).to(&service);
        assert!(is_signed_by(&answer, pair, GET));
        assert!(is_valid(&service, pair));
    }
    assert!(is_valid(&service, (TWO.0, OLDER)));
    assert!(!is_valid(&service, (ONE.0, TWO.1)) && !is_valid(&service, ("key-none", ONE.1)));
    for access_key in [REVOKED, "key-none", ""] {
        assert_eq!(
            Request::frame(&target(access_key), GET).to(&service).status,
            404,
            "{access_key}"
        );
    }
    // Which one is meant is not guessed.
    let answer = Request::frame("/sign", GET).to(&service);
    assert!(answer.status == 400 && answer.detail().contains("access_key"), "{answer:?}");
    let twice = format!("{}&access_key=key-one", target(ONE.0));
    assert_eq!(Request::frame(&twice, GET).to(&service).status, 400);
}

#[test]
fn only_access_key_need_not_be_named() {
    let file = NamedTempFile::new().unwrap();
    fs::write(&file, format!("'{}' = ['{}']", ONE.0, ONE.1)).unwrap();
    let service = Service::start(&["--secrets", path(&file)]);
    assert!(is_signed_by(&Request::frame("/sign", GET).to(&service), ONE, GET));
    let mut command = serve(&[]);
    command.env("FRAMESIGN_ACCESS_KEY", ONE.0).env("FRAMESIGN_SECRET_KEY", ONE.1);
    let service = Service::run(&mut command);
    assert!(is_signed_by(&Request::frame("/sign", GET).to(&service), ONE, GET));
    assert!(is_signed_by(&Request::frame(&target(ONE.0), GET).to(&service), ONE, GET));
    assert_eq!(Request::frame(&target(TWO.0), GET).to(&service).status, 404);
}

#[test]
fn file_of_secrets_is_read_again_when_it_changes_and_when_that_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let line = |(access_key, secret): (&str, &str)| format!("'{access_key}' = ['{secret}']\n");
    let path = write(&folder, "secrets", line(ONE));
    let service = Service::start(&["--secrets", &path]);
    write(&folder, "secrets", line(TWO));
    service.hangup();
    wait_until(|| is_valid(&service, TWO), || "the other secrets".into());
    assert!(!is_valid(&service, ONE));
    // Nobody asks for it.
    let next = write(&folder, "next", line(ONE) + &line(TWO));
    fs::rename(next, &path).unwrap();
    wait_until(|| is_valid(&service, ONE), || "the new secrets".into());
    write(&folder, "secrets", "broken");
    service.wait_for_log("secrets could not be read again");
    assert!(is_valid(&service, ONE) && is_valid(&service, TWO));
    assert!(!service.log().contains(ONE.1), "{}", service.log());
}

/// As a file of the wrong mode that is mended: what can be seen of the file that is watched stays as it
/// was when it could not be read.
#[test]
fn file_of_secrets_is_read_once_what_was_in_the_way_is_gone() {
    let folder = TempDir::new().unwrap();
    let line = |(access_key, secret): (&str, &str)| format!("'{access_key}' = ['{secret}']\n");
    let path = write(&folder, "secrets", line(ONE));
    let shared = write(&folder, "shared", SECRET);
    let mut command = serve(&["--secrets", &path]);
    let service = Service::run(command.env_remove("SECRET").env("SECRET_FILE", &shared));
    fs::remove_file(shared).unwrap();
    fs::rename(write(&folder, "next", line(TWO)), &path).unwrap();
    service.wait_for_log("secrets could not be read again");
    assert!(is_valid(&service, ONE) && !is_valid(&service, TWO));
    write(&folder, "shared", SECRET);
    wait_until(|| is_valid(&service, TWO), || "the new secrets".into());
    assert!(!is_valid(&service, ONE));
    assert_eq!(service.log().matches("secrets could not be read again").count(), 1);
}

#[test]
fn secrets_that_cannot_be_used_keep_the_service_from_starting() {
    let file = NamedTempFile::new().unwrap();
    let shared = SECRET;
    for (text, expected) in [
        (String::new(), "expected an access key"),
        ("a = 'the secret of key one'".into(), "line 1"),
        ("b = ['the secret of key one']\na = ['short']".into(), "line 2"),
        ("a = [\"the secret \\u0000 of key one\"]".into(), "NUL"),
        ("'' = ['the secret of key one']".into(), "line 1"),
        ("a = ['the secret of key one'".into(), "line 1"),
        (format!("a = ['the secret of key one', '{shared}']"), "differ as keys"),
    ] {
        fs::write(&file, &text).unwrap();
        let complaint = complaint(&mut serve(&["--secrets", path(&file)]));
        assert!(complaint.contains(expected), "{text}: {complaint}");
        assert!(!complaint.contains("the secret") && !complaint.contains("short'"), "{complaint}");
    }
    let file = secrets();
    let mut command = serve(&["--secrets", path(&file)]);
    command.env("FRAMESIGN_ACCESS_KEY", ONE.0).env("FRAMESIGN_SECRET_KEY", ONE.1);
    let both = complaint(&mut command);
    assert!(both.contains("--secrets") && both.contains("FRAMESIGN_ACCESS_KEY"), "{both}");
}
