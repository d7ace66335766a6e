//! Who may what: the rights of callers.

use std::{fs, time::SystemTime};

use framesign::{
    Credentials, FrameHasher, PayloadHash, Rules, SigningDate, SigningKey, SigningOptions,
    sign_head,
};
use serde_json::Value;
use tempfile::NamedTempFile;

use super::{Answer, Service, request::Request, serve, startup::complaint};

/// Access keys, with their secrets.
pub(super) const ONE: (&str, &str) = ("key-one", "the secret of key one");
pub(super) const TWO: (&str, &str) = ("key-two/&", "the secret of key two");
pub(super) const OLDER: &str = "the older secret of key two";
pub(super) const REVOKED: &str = "key-three";

pub(super) const GET: &str = "GET /files/a?q HTTP/1.1\r\nHost: files.test\r\n\r\n";

pub(super) fn secrets() -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let text = format!(
        "'{}' = ['{}']\n'{}' = ['{}', '{OLDER}']\n'{REVOKED}' = []\n",
        ONE.0, ONE.1, TWO.0, TWO.1
    );
    fs::write(&file, text).unwrap();
    file
}

pub(super) fn path(file: &NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

/// Every byte escaped.
pub(super) fn escaped(access_key: &str) -> String {
    let escaped: Vec<_> = access_key.bytes().map(|byte| format!("%{byte:02x}")).collect();
    escaped.concat()
}

/// The target of `/sign` for an access key.
pub(super) fn target(access_key: &str) -> String {
    format!("/sign?access_key={}", escaped(access_key))
}

fn key((access_key, secret): (&str, &str), date: SigningDate) -> SigningKey {
    SigningKey::derive(&Credentials::new(access_key, secret).unwrap(), date)
}

pub(super) fn is_signed_by(answer: &Answer, pair: (&str, &str), frame: &str) -> bool {
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut hasher = FrameHasher::new(Rules::lenient());
    hasher.update(frame.as_bytes()).unwrap();
    let date = answer.json()["date"].as_str().unwrap().parse().unwrap();
    let signature = key(pair, date).sign(&hasher.finish().unwrap());
    answer.json()["signature"] == signature.to_string()
}

/// A frame that is signed now.
pub(super) fn sealed(pair: (&str, &str)) -> Vec<u8> {
    let now = SystemTime::now();
    let (key, options) = (key(pair, SigningDate::of(now)), SigningOptions::default());
    sign_head(GET.as_bytes(), &key, PayloadHash::of(b""), now, &options).unwrap()
}

pub(super) fn is_valid(service: &Service, pair: (&str, &str)) -> bool {
    let answer = Request::frame("/verify", sealed(pair)).to(service);
    answer.json()["valid"].as_bool().unwrap()
}

/// A caller's token, which the name of the caller makes.
pub(super) fn token(caller: &str) -> String {
    format!("token-of-{caller}-0123456789")
}

/// A service with callers, whose members these are.
pub(super) fn with_callers(
    callers: &[(&str, &str)],
    options: &[&str],
) -> (Service, [NamedTempFile; 2]) {
    let (secrets, file) = (secrets(), NamedTempFile::new().unwrap());
    let table = |(name, members): &(&str, &str)| match *members {
        "" => format!("{name} = ['{}']\n", token(name)),
        members => format!("[{name}]\ntokens = ['{}']\n{members}\n", token(name)),
    };
    fs::write(&file, callers.iter().map(table).collect::<String>()).unwrap();
    let files = ["--secrets", path(&secrets), "--callers", path(&file)];
    (Service::start(&[&files, options].concat()), [secrets, file])
}

pub(super) fn ask(service: &Service, caller: &str, request: Request) -> Answer {
    request.field("Authorization", &format!("Bearer {}", token(caller))).to(service)
}

/// What a caller is denied says nothing of why.
fn is_allowed(service: &Service, caller: &str, request: Request) -> bool {
    let answer = ask(service, caller, request);
    if answer.status != 403 {
        assert_eq!(answer.status, 200, "{caller}: {answer:?}");
        return true;
    }
    let mut members = answer.json();
    members.as_object_mut().unwrap().remove("request_id");
    let expected = serde_json::json!({
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "the caller may not do this",
    });
    assert_eq!(members, expected);
    false
}

#[test]
fn table_of_rights_and_routes() {
    let callers = [
        ("short", ""),
        ("unlisted", "methods = ['GET']"),
        ("none", "rights = []"),
        ("tokens", "rights = ['token']"),
        ("signs", "rights = ['sign']"),
        ("verifies", "rights = ['verify']"),
        ("uploads", "rights = ['upload']"),
        ("two", "rights = ['verify', 'token']"),
    ];
    let (service, _files) = with_callers(&callers, &[]);
    for (caller, [may_token, may_sign, may_verify]) in [
        ("short", [true, true, true]),
        ("unlisted", [true, true, true]),
        ("none", [false, false, false]),
        ("tokens", [true, false, false]),
        ("signs", [false, true, false]),
        ("verifies", [false, false, true]),
        ("uploads", [false, false, false]),
        ("two", [true, false, true]),
    ] {
        let requests = [
            (Request::post("/token", "bytes"), may_token),
            (Request::frame(&target(ONE.0), GET), may_sign),
            (Request::frame("/verify", sealed(ONE)), may_verify),
        ];
        for (request, expected) in requests {
            assert_eq!(
                is_allowed(&service, caller, request.clone()),
                expected,
                "{caller}: {request:?}"
            );
        }
    }
    // Who is not known is not told that it may not.
    assert_eq!(ask(&service, "stranger", Request::frame(&target(ONE.0), GET)).status, 401);
}

#[test]
fn table_of_access_keys() {
    let callers = [
        ("any", ""),
        ("one", "access_keys = ['key-one']"),
        ("two", "access_keys = ['key-two/&']"),
        ("both", "access_keys = ['key-one', 'key-two/&']"),
        ("none", "access_keys = []"),
        ("other", "access_keys = ['key-none']"),
    ];
    let (service, _files) = with_callers(&callers, &[]);
    for (caller, expected) in [
        ("any", [200, 200, 404, 400]),
        ("one", [200, 403, 403, 200]),
        ("two", [403, 200, 403, 200]),
        ("both", [200, 200, 403, 400]),
        ("none", [403, 403, 403, 400]),
        // What it may not use is not told apart from what is not there.
        ("other", [403, 403, 404, 404]),
    ] {
        let targets = [target(ONE.0), target(TWO.0), target("key-none"), "/sign".to_owned()];
        let found =
            targets.map(|target| ask(&service, caller, Request::frame(&target, GET)).status);
        assert_eq!(found, expected, "{caller}");
    }
    // Every frame can be verified.
    assert!(is_allowed(&service, "two", Request::frame("/verify", sealed(ONE))));
}

#[test]
fn table_of_frames() {
    let callers = [
        ("any", ""),
        ("gets", "methods = ['GET', 'HEAD']"),
        ("puts", "methods = ['PUT']"),
        ("nothing", "methods = []"),
        ("host", "hosts = ['FILES.test', 'files.test:8443']"),
        ("path", "path_prefixes = ['/files', '/b/']"),
        ("root", "path_prefixes = ['/']"),
        ("all", "methods = ['GET']\nhosts = ['files.test']\npath_prefixes = ['/files']"),
    ];
    let (service, _files) = with_callers(&callers, &["--allow-method", "get"]);
    let frame = |line: &str, host: &str| format!("{line} HTTP/1.1\r\n{host}\r\n");
    let host = "Host: files.test\r\n";
    let every = ["any", "gets", "puts", "nothing", "host", "path", "root", "all"];
    for (frame, expected) in [
        (frame("GET /files/a", host), &["any", "gets", "host", "path", "root", "all"][..]),
        (frame("GET /files", host), &["any", "gets", "host", "path", "root", "all"]),
        (
            frame("GET http://files.test/files/a", host),
            &["any", "gets", "host", "path", "root", "all"],
        ),
        (frame("GET /%66iles/a?/../x", host), &["any", "gets", "host", "path", "root", "all"]),
        (frame("get /files/a", host), &["any", "host", "path", "root"]),
        (frame("HEAD /files/a", host), &["any", "gets", "host", "path", "root"]),
        (frame("PUT /files/a", host), &["any", "puts", "host", "path", "root"]),
        (
            frame("GET /files/a", "hOST: Files.Test\r\n"),
            &["any", "gets", "host", "path", "root", "all"],
        ),
        (
            frame("GET /files/a", "Host: files.test:8443\r\n"),
            &["any", "gets", "host", "path", "root"],
        ),
        (frame("GET /files/a", "Host: files.test:443\r\n"), &["any", "gets", "path", "root"]),
        (frame("GET /files/a", "Host: files.test.evil\r\n"), &["any", "gets", "path", "root"]),
        (frame("GET /files/a", ""), &["any", "gets", "path", "root"]),
        (frame("GET http://files.test/files/a", ""), &["any", "gets", "path", "root"]),
        (frame("GET /b/", host), &["any", "gets", "host", "path", "root"]),
        (frame("GET /b", host), &["any", "gets", "host", "root"]),
        (frame("GET /filesystem", host), &["any", "gets", "host", "root"]),
        (frame("GET //files/a", host), &["any", "gets", "host", "root"]),
        (frame("GET /", host), &["any", "gets", "host", "root"]),
        (frame("GET http://files.test", host), &["any", "gets", "host", "root"]),
        (frame("GET /files/../admin", host), &["any", "gets", "host"]),
        (frame("GET /files/%2e%2E/admin", host), &["any", "gets", "host"]),
        (frame("GET /files/..%2fadmin", host), &["any", "gets", "host"]),
        (frame("GET /files/..;/admin", host), &["any", "gets", "host"]),
        (frame("GET /files/.", host), &["any", "gets", "host"]),
        (frame("OPTIONS *", host), &["any", "host"]),
        (frame("CONNECT files.test:8443", "Host: files.test:8443\r\n"), &["any", "host"]),
    ] {
        let is_signed =
            |caller: &&str| is_allowed(&service, caller, Request::frame(&target(ONE.0), &frame));
        let found: Vec<_> = every.into_iter().filter(is_signed).collect();
        assert_eq!(found, expected, "{frame}");
    }
}

/// What may be signed is held against the head, however the frame comes.
#[test]
fn frame_that_may_not_be_signed_is_not_signed_by_hash_or_among_others() {
    let callers = [("path", "path_prefixes = ['/files']")];
    let (service, _files) = with_callers(&callers, &[]);
    let claim = format!("Content-Digest: {}\r\n\r\n", PayloadHash::of(b"").content_digest());
    let head = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: h\r\n{claim}");
    let by = |media_type: &str, body: String| {
        let request = Request::post(&target(ONE.0), body).field("Content-Type", media_type);
        is_allowed(&service, "path", request)
    };
    for (path, expected) in [("/files/a", true), ("/other", false)] {
        assert_eq!(by("message/http; payload=digest", head(path)), expected);
        assert_eq!(
            by("application/http; payload=digest", head("/files/b") + &head(path)),
            expected
        );
        let given = format!("message/http; payload={}", PayloadHash::of(b""));
        assert_eq!(by(&given, head(path)), expected);
        for cut in 0..head(path).len() {
            let bytes = head(path).into_bytes();
            let (before, after) = bytes.split_at(cut);
            let request = Request::post_chunks(&target(ONE.0), [before, after]);
            let request = request.field("Content-Type", "message/http");
            assert_eq!(is_allowed(&service, "path", request), expected, "cut at {cut}");
        }
    }
}

#[test]
fn log_says_what_a_caller_may_not_do() {
    let callers = [
        ("right", "rights = []"),
        ("key", "access_keys = []"),
        ("method", "methods = []"),
        ("host", "hosts = []"),
        ("path", "path_prefixes = []"),
    ];
    let (service, _files) = with_callers(&callers, &["--log-format", "json"]);
    for (caller, _) in callers {
        assert!(!is_allowed(&service, caller, Request::frame(&target(ONE.0), GET)), "{caller}");
    }
    service.terminate();
    let (_, log) = service.wait();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let denied = lines.filter_map(|line| {
        let member = |name: &str| line[name].as_str().map(str::to_owned);
        Some((member("caller")?, member("denied")?))
    });
    let expected = [
        ("right", "right"),
        ("key", "access-key"),
        ("method", "method"),
        ("host", "host"),
        ("path", "path"),
    ];
    let expected = expected.map(|(caller, denied)| (caller.to_owned(), denied.to_owned()));
    assert_eq!(denied.collect::<Vec<_>>(), expected, "{log}");
    assert!(!log.contains("files.test") && !log.contains("token-of"), "{log}");
}

#[test]
fn rights_are_read_again() {
    let (service, [_secrets, file]) = with_callers(&[("caller", "rights = ['sign']")], &[]);
    let signs = || is_allowed(&service, "caller", Request::frame(&target(ONE.0), GET));
    assert!(signs());
    let text = format!("[caller]\ntokens = ['{}']\nrights = ['token']\n", token("caller"));
    fs::write(&file, text).unwrap();
    service.hangup();
    service.wait_for_log("callers were read again");
    assert!(!signs());
}

#[test]
fn callers_with_unknown_members_keep_the_service_from_starting() {
    let (secrets, file) = (secrets(), NamedTempFile::new().unwrap());
    for members in [
        "right = ['sign']",
        "rights = ['signs']",
        "rights = 'sign'",
        "path_prefixes = ['files']",
        "path_prefixes = ['/files/..']",
        "path_prefixes = ['/%66iles']",
        "methods = [5]",
        "access_keys = ['']",
    ] {
        fs::write(&file, format!("[caller]\ntokens = ['{}']\n{members}", token("caller"))).unwrap();
        let options = ["--secrets", path(&secrets), "--callers", path(&file)];
        let complaint = complaint(&mut serve(&options));
        assert!(complaint.contains("line 3"), "{members}: {complaint}");
        assert!(!complaint.contains("token-of"), "{complaint}");
    }
}
