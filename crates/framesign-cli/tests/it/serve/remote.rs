//! `framesign sign --remote`: the service signs what the command reads.

use std::{
    fs::{self, File},
    io::Write,
    process::{Command, Output, Stdio},
};

use framesign::{PayloadHash, SigningDate};
use tempfile::{NamedTempFile, TempDir};

use super::{Service, certificates::Authority, request::Request, secrets::write, serve};
use crate::stages::{ACCESS_KEY, SECRET_KEY};

const TOKEN: &str = "token-of-a-caller-0123456789";
const FRAME: &str = "PUT /up?b=1&a HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\nhello";

/// A service with one access key, and what it is asked with.
struct Place {
    service: Service,
    folder: TempDir,
}

impl Place {
    fn new(members: &str, options: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let callers = format!("[caller]\ntokens = ['{TOKEN}']\n{members}\n");
        let callers = write(&folder, "callers", callers);
        let token = write(&folder, "token", format!("{TOKEN}\n"));
        crate::support::set_mode(token.as_ref(), 0o600);
        let mut command = serve(&[&["--callers", &callers], options].concat());
        command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
        Self { service: Service::run(&mut command), folder }
    }

    fn url(&self) -> String {
        format!("http://{}", self.service.address)
    }

    /// The command, which knows no secret.
    fn sign(&self, arguments: &[&str]) -> Command {
        self.sign_at(&self.url(), arguments)
    }

    fn sign_at(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(["sign", "--remote", url, "--caller-token-file"]);
        command.arg(self.folder.path().join("token")).args(arguments);
        command
    }
}

/// The program, which knows no secret.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framesign"));
    command.current_dir(crate::support::repository()).env_clear();
    command
}

/// The program with the secret key.
fn with_key(arguments: &[&str]) -> Command {
    let mut command = program();
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    command.args(arguments);
    command
}

fn run(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have ended before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    assert!(!String::from_utf8_lossy(&said).contains(TOKEN), "the token is shown");
    output
}

fn done(command: &mut Command, input: &[u8]) -> String {
    let output = run(command, input);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The exit code and the complaint of a run without output.
fn complaint(command: &mut Command, input: &[u8]) -> (i32, String) {
    let output = run(command, input);
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Where midnight passes in between, nothing can be compared.
fn within_a_day(test: impl Fn()) {
    let before = SigningDate::today();
    test();
    if SigningDate::today() != before {
        test();
    }
}

#[test]
fn signature_of_the_service_is_that_of_the_key() {
    let place = Place::new("", &[]);
    let claimed = FRAME.replace(
        "\r\n\r\n",
        "\r\nContent-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:\r\n\r\n",
    );
    let get = "GET / HTTP/1.1\nHost: h\n\n".to_owned();
    for frame in [FRAME.to_owned(), claimed, get] {
        within_a_day(|| {
            let expected = done(&mut with_key(&["sign"]), frame.as_bytes());
            assert_eq!(done(&mut place.sign(&[]), frame.as_bytes()), expected);
            let named = &["--access-key", ACCESS_KEY, "--json"];
            let expected = done(&mut with_key(&["sign", "--json"]), frame.as_bytes());
            assert_eq!(done(&mut place.sign(named), frame.as_bytes()), expected);
        });
    }
    let hash = PayloadHash::of(b"hello").to_string();
    let head = FRAME.strip_suffix("hello").unwrap();
    within_a_day(|| {
        let expected = done(&mut with_key(&["sign"]), FRAME.as_bytes());
        let by_hash = &mut place.sign(&["--payload-hash", &hash]);
        assert_eq!(done(by_hash, head.as_bytes()), expected);
    });
}

#[test]
fn payload_stays_where_it_is() {
    let place = Place::new("", &[]);
    let file = NamedTempFile::new().unwrap();
    let head = "PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 33554432\r\n\r\n";
    fs::write(&file, [head.as_bytes(), &vec![b'x'; 32 << 20]].concat()).unwrap();
    let path = file.path().to_str().unwrap();
    within_a_day(|| {
        let expected = done(&mut with_key(&["sign", path]), b"");
        assert_eq!(done(&mut place.sign(&[path]), b""), expected);
    });
    let numbers = Request::get("/metrics").to(&place.service).json();
    assert!(numbers["hashed_bytes"].as_u64().unwrap() < 1000, "{numbers}");
}

#[test]
fn frame_that_the_service_signs_is_verified() {
    let place = Place::new("", &[]);
    let emit = |arguments: &[&str]| {
        let named = ["--emit", "--access-key", ACCESS_KEY];
        place.sign(&[&named, arguments].concat())
    };
    for arguments in [&[][..], &["--no-digest"], &["--no-nonce"]] {
        let signed = done(&mut emit(arguments), FRAME.as_bytes());
        assert_eq!(signed.contains("content-digest"), arguments != ["--no-digest"]);
        assert_eq!(done(&mut with_key(&["verify"]), signed.as_bytes()), "valid\n");
    }
    let file = NamedTempFile::new().unwrap();
    fs::write(&file, FRAME).unwrap();
    let mut from_file = emit(&[]);
    let output = from_file.stdin(File::open(&file).unwrap()).output().unwrap();
    assert_eq!(done(&mut with_key(&["verify"]), &output.stdout), "valid\n");
    // Whose frame it is must be said, since it is to be written there.
    let (code, complaint) = complaint(&mut place.sign(&["--emit"]), FRAME.as_bytes());
    assert!(code == 2 && complaint.contains("access key"), "{complaint}");
}

#[test]
fn what_the_service_refuses_is_told() {
    let place = Place::new("methods = ['GET']", &[]);
    let (code, denied) = complaint(&mut place.sign(&[]), FRAME.as_bytes());
    let expected = "framesign: -: the service answered 403: the caller may not do this\n";
    assert_eq!((code, denied.as_str()), (1, expected));
    // Nothing is asked about a frame that is refused here.
    let (code, refused) = complaint(&mut place.sign(&[]), b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(code == 1 && refused.starts_with("framesign: -: method: "), "{refused}");
    let get = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let other = &mut place.sign(&["--access-key", "another key"]);
    let (code, unknown) = complaint(other, get);
    assert!(code == 3 && unknown.contains("404"), "{unknown}");
    fs::write(place.folder.path().join("token"), "token-of-another").unwrap();
    let (code, stranger) = complaint(&mut place.sign(&[]), get);
    assert!(code == 3 && stranger.contains("401"), "{stranger}");
    let json = run(&mut place.sign(&["--json"]), get);
    let object: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(object["error"]["kind"], "remote");
}

#[test]
fn service_that_reads_in_another_way_signs_nothing() {
    let place = Place::new("", &["--strict"]);
    let frame = b"GET / HTTP/1.1\nHost: h\n\n";
    let (code, refused) = complaint(&mut place.sign(&[]), frame);
    assert!(code == 1 && refused.contains("422") && refused.contains("bare-lf"), "{refused}");
    let (code, refused) = complaint(&mut place.sign(&["--strict"]), frame);
    assert!(code == 1 && refused.starts_with("framesign: -: bare-lf"), "{refused}");
}

#[test]
fn service_that_is_not_there_is_an_input_that_fails() {
    let place = Place::new("", &[]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let (code, failed) = complaint(&mut place.sign_at(&url, &[]), FRAME.as_bytes());
    assert!(code == 3 && failed.contains("the service cannot be asked: "), "{failed}");
    // Another service than that.
    let url = format!("{}/health", place.url());
    let (code, failed) = complaint(&mut place.sign_at(&url, &[]), FRAME.as_bytes());
    assert!(code == 3 && failed.contains("the service answered 404"), "{failed}");
}

#[test]
fn usage_that_contradicts_itself_is_2() {
    let place = Place::new("", &[]);
    for arguments in [&["--date", "20230801"][..], &["--secret-key-file", "x"]] {
        assert_eq!(complaint(&mut place.sign(arguments), b"").0, 2, "{arguments:?}");
    }
    assert_eq!(complaint(program().args(["sign", "--caller-token-file", "x"]), b"").0, 2);
    let clear = &mut place.sign_at("http://sign.example.org", &[]);
    let (code, refused) = complaint(clear, b"");
    assert!(code == 2 && refused.contains("--remote: expected https://"), "{refused}");
    fs::write(place.folder.path().join("token"), "two\nlines").unwrap();
    let (code, refused) = complaint(&mut place.sign(&[]), b"");
    assert!(code == 2 && refused.contains("expected a token on one line"), "{refused}");
}

#[test]
fn service_shows_a_certificate_of_an_authority_that_is_trusted() {
    let (authority, other) = (Authority::new(), Authority::new());
    let folder = TempDir::new().unwrap();
    let identity = authority.identity();
    let certificate = write(&folder, "certificate", identity.pem());
    let key = write(&folder, "key", identity.key_pem());
    let place = Place::new("", &["--tls-certificate", &certificate, "--tls-key", &key]);
    let url = format!("https://localhost:{}", place.service.address.port());
    let trusting = |authority: &Authority| {
        let file = write(&folder, "authority", authority.pem());
        place.sign_at(&url, &["--remote-ca-file", &file])
    };
    within_a_day(|| {
        let expected = done(&mut with_key(&["sign"]), FRAME.as_bytes());
        assert_eq!(done(&mut trusting(&authority), FRAME.as_bytes()), expected);
    });
    let (code, refused) = complaint(&mut trusting(&other), FRAME.as_bytes());
    assert!(code == 3 && refused.contains("certificate"), "{refused}");
}
