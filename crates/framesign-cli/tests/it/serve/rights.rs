//! Who may what: access keys in a file, and rights of callers.

use std::{fs, time::SystemTime};

use framesign::{
    Credentials, FrameHasher, PayloadHash, Rules, SigningDate, SigningKey, SigningOptions,
    sign_head,
};
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use super::{
    Answer, SECRET, Service, request::Request, secrets::write, serve, startup::complaint,
    wait_until,
};

/// Access keys, with their secrets.
pub(super) const ONE: (&str, &str) = ("key-one", "the secret of key one");
pub(super) const TWO: (&str, &str) = ("key-two/&", "the secret of key two");
pub(super) const OLDER: &str = "the older secret of key two";
pub(super) const REVOKED: &str = "key-three";

const GET: &str = "GET /files/a?q HTTP/1.1\r\nHost: files.test\r\n\r\n";

pub(super) fn secrets() -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let text = format!(
        "'{}' = ['{}']\n'{}' = ['{}', '{OLDER}']\n'{REVOKED}' = []\n",
        ONE.0, ONE.1, TWO.0, TWO.1
    );
    fs::write(&file, text).unwrap();
    file
}

fn path(file: &NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

/// Every byte escaped.
pub(super) fn escaped(access_key: &str) -> String {
    let escaped: Vec<_> = access_key.bytes().map(|byte| format!("%{byte:02x}")).collect();
    escaped.concat()
}

/// The target of `/sign` for an access key.
fn target(access_key: &str) -> String {
    format!("/sign?access_key={}", escaped(access_key))
}

fn key((access_key, secret): (&str, &str), date: SigningDate) -> SigningKey {
    SigningKey::derive(&Credentials::new(access_key, secret).unwrap(), date)
}

fn is_signed_by(answer: &Answer, pair: (&str, &str), frame: &str) -> bool {
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

fn ask(service: &Service, caller: &str, request: Request) -> Answer {
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

#[test]
fn names_of_callers_are_for_operators_alone() {
    let callers = [("name-of-a-caller", "")];
    let of = |options: &[&str]| {
        let (service, _files) = with_callers(&callers, options);
        assert_eq!(ask(&service, callers[0].0, Request::post("/token", "bytes")).status, 200);
        let address = service.admin.unwrap_or(service.address);
        let request = Request::get("/metrics");
        let text = request.clone().field("Accept", "application/openmetrics-text");
        [request.to_address(address), text.to_address(address)]
    };
    for answer in of(&["--admin-listen", "127.0.0.1:0"]) {
        assert!(answer.text().contains("name-of-a-caller"), "{answer:?}");
    }
    for answer in of(&[]) {
        assert_eq!(answer.status, 200);
        assert!(!answer.text().contains("caller"), "{answer:?}");
    }
}

#[test]
fn requests_are_counted_by_caller() {
    let callers = [("\"a \\\"b\\\" \\\\c\"", ""), ("signs", "rights = ['sign']"), ("idle", "")];
    let quoted = "a \"b\" \\c";
    let (secrets, file) = (secrets(), NamedTempFile::new().unwrap());
    let write = |callers: &[(&str, &str)]| {
        let table = |(number, (name, members)): (usize, &(&str, &str))| {
            format!("[{name}]\ntokens = ['{}']\n{members}\n", token(&number.to_string()))
        };
        let text: Vec<_> = callers.iter().enumerate().map(table).collect();
        fs::write(&file, text.concat()).unwrap();
    };
    write(&callers);
    let files = ["--secrets", path(&secrets), "--callers", path(&file)];
    let service = Service::start(&[&files[..], &["--admin-listen", "127.0.0.1:0"]].concat());
    let admin = service.admin.unwrap();
    for (caller, status) in [("0", 200), ("1", 403), ("0", 200), ("1", 403), ("1", 403), ("x", 401)]
    {
        assert_eq!(ask(&service, caller, Request::post("/token", "bytes")).status, status);
    }
    let numbers = || Request::get("/metrics").to_address(admin).json()["callers"].clone();
    let expected = serde_json::json!({
        quoted: { "requests": { "2xx": 2 } },
        "signs": { "requests": { "4xx": 3 } },
        "idle": { "requests": {} },
    });
    assert_eq!(numbers(), expected);
    let request = Request::get("/metrics").field("Accept", "application/openmetrics-text");
    let text = request.to_address(admin).text().to_owned();
    for line in [
        r#"framesign_caller_requests_total{caller="a \"b\" \\c",class="2xx"} 2"#,
        r#"framesign_caller_requests_total{caller="signs",class="4xx"} 3"#,
    ] {
        assert!(text.lines().any(|other| other == line), "{line} in {text}");
    }
    assert_eq!(text.matches("framesign_caller_requests_total{").count(), 2, "{text}");
    // Who stays in the file keeps the numbers; who leaves it takes them along.
    write(&callers[..1]);
    service.hangup();
    service.wait_for_log("callers were read again");
    assert_eq!(numbers(), serde_json::json!({ quoted: { "requests": { "2xx": 2 } } }));
}

#[test]
fn log_has_the_trace_of_a_request() {
    let service = Service::start(&["--log-format", "json"]);
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let ask =
        |value: &str| Request::post("/token", "bytes").field("traceparent", value).to(&service);
    ask(&format!("00-{trace}-{parent}-01"));
    ask("00-nonsense-\"}{");
    service.terminate();
    let (_, log) = service.wait();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let requests: Vec<_> = lines.filter(|line| line["message"] == "request").collect();
    assert_eq!(
        (&requests[0]["trace_id"], &requests[0]["parent_id"]),
        (&trace.into(), &parent.into())
    );
    assert!(requests[1]["trace_id"].is_null() && !log.contains("nonsense"), "{log}");
}
