//! `framesign serve --uploads`: files in signed parts, over sockets, and through kills.

use std::{
    fs,
    io::Write,
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use framesign::{
    Credentials, Limits, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head,
};
use tempfile::TempDir;

use super::{Answer, Service, request::Request, schema, serve};
use crate::support::Numbers;

const ACCESS_KEY: &str = "uploader";
const SECRET_KEY: &str = "the secret key of the uploader";
const OTHER_KEY: &str = "another secret key, of nobody";

/// A service that receives uploads, and the folder where.
fn start(folder: &Path, options: &[&str]) -> Service {
    let mut command = serve(&["--uploads", folder.to_str().unwrap()]);
    command.args(options);
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    Service::run(&mut command)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The head of a request, signed now.
fn signed(method: &str, path: &str, fields: &[(&str, &str)], content: &[u8], key: &str) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: uploads.test\r\n");
    for (name, value) in fields {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.extend(["Content-Length: ", &content.len().to_string(), "\r\n\r\n"]);
    let now = SystemTime::now();
    let credentials = Credentials::new(ACCESS_KEY, key).unwrap();
    let key = SigningKey::derive(&credentials, SigningDate::of(now));
    let limits = Limits::default().allow_method("PATCH").unwrap();
    let options = SigningOptions::default().limits(limits);
    sign_head(head.as_bytes(), &key, PayloadHash::of(content), now, &options).unwrap()
}

fn frame(method: &str, path: &str, fields: &[(&str, &str)], content: &[u8]) -> Vec<u8> {
    [signed(method, path, fields, content, SECRET_KEY), content.to_vec()].concat()
}

fn part(path: &str, offset: usize, content: &[u8], is_last: bool) -> Vec<u8> {
    let offset = offset.to_string();
    let fields = [
        ("Content-Type", "application/partial-upload"),
        ("Upload-Offset", &offset),
        ("Upload-Complete", if is_last { "?1" } else { "?0" }),
    ];
    frame("PATCH", path, &fields, content)
}

/// Sends a request, and holds the answer to the document.
fn send(service: &Service, frame: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(frame);
    let mut words = text.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let mut connection = service.connect();
    connection.send(frame);
    let answer = connection.answer_to(method);
    let described = if path.starts_with("/files/") { "/files/{name}" } else { "/uploads/{id}" };
    schema::check(method, described, &answer);
    answer
}

fn create(service: &Service, name: &str) -> String {
    let path = format!("/files/{name}");
    let answer = send(service, &frame("POST", &path, &[("Upload-Complete", "?0")], b""));
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.field("location").unwrap().to_owned()
}

fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut numbers = Numbers::new(seed);
    (0..length).map(|_| u8::try_from(numbers.below(256)).unwrap()).collect()
}

fn left(folder: &Path) -> usize {
    let of = |name| fs::read_dir(folder.join(".uploads").join(name)).unwrap().count();
    of("open") + of("data") + of("tmp")
}

#[test]
fn file_in_parts() {
    let folder = folder();
    let service = start(folder.path(), &[]);
    let whole = bytes(3_000_000, 1);
    let path = create(&service, "whole.bin");
    for (index, content) in whole.chunks(1_000_000).enumerate() {
        assert!(!folder.path().join("whole.bin").exists());
        let answer = send(&service, &part(&path, index * 1_000_000, content, index == 2));
        assert_eq!(answer.status, if index == 2 { 201 } else { 204 }, "{answer:?}");
        let answer = send(&service, &frame("HEAD", &path, &[], b""));
        let offset = ((index + 1) * 1_000_000).to_string();
        assert_eq!(answer.field("upload-offset"), Some(&*offset));
    }
    assert!(fs::read(folder.path().join("whole.bin")).unwrap() == whole);
    assert_eq!(left(folder.path()), 0);
    let routes = Request::get("/metrics").to(&service).json()["requests"]["by_route"].clone();
    assert_eq!(routes["files"]["by_status"]["201"], 1, "{routes}");
    assert_eq!(routes["uploads"]["by_status"]["204"], 5, "{routes}");
}

#[test]
fn file_in_one_request_and_what_is_refused() {
    let folder = folder();
    let service = start(folder.path(), &["--max-body", "1000", "--upload-max-size", "1500"]);
    let answer = send(&service, &frame("PUT", "/files/a", &[], b"hello"));
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json()["bytes"], 5);
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"hello");
    // The name is taken; the name leads elsewhere; the content, and the whole, are too large.
    assert_eq!(send(&service, &frame("PUT", "/files/a", &[], b"other")).status, 409);
    assert_eq!(send(&service, &frame("PUT", "/files/..%2Fb", &[], b"x")).status, 400);
    assert_eq!(send(&service, &frame("PUT", "/files/b", &[], &[0; 1001])).status, 413);
    let long = [("Upload-Complete", "?0"), ("Upload-Length", "1501")];
    assert_eq!(send(&service, &frame("POST", "/files/b", &long, b"x")).status, 413);
    // The log says who sent what was taken, and why the rest was not, as the answers do.
    for line in [
        "method=\"PUT\" route=\"files\" status=201 ",
        "status=409 ",
        "detail=\"there is a file of this name; choose another name\"",
        "detail=\"expected a name of 1 to 200 ASCII letters",
        "detail=\"expected an upload of at most 1500 bytes\"",
    ] {
        service.wait_for_log(line);
    }
    let lines = service.log();
    let taken = lines.lines().find(|line| line.contains("status=201 ")).unwrap();
    assert!(taken.ends_with(&format!("access_key=\"{ACCESS_KEY}\"")), "{taken}");
    let refused = lines.lines().filter(|line| line.contains("status=4"));
    assert!(
        refused.clone().count() >= 4 && !refused.collect::<String>().contains("access_key="),
        "{lines}"
    );
    // Not signed, and signed with another key.
    let unsigned = "PUT /files/b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx";
    assert_eq!(send(&service, unsigned.as_bytes()).status, 401);
    let forged = [&*signed("PUT", "/files/b", &[], b"x", OTHER_KEY), b"x"].concat();
    let answer = send(&service, &forged);
    assert_eq!(answer.status, 401);
    let id = answer.field("x-request-id").unwrap();
    service.wait_for_log(&format!("request_id=\"{id}\" reason=\"signature\""));
    assert_eq!(send(&service, &frame("DELETE", "/files/a", &[], b"")).status, 405);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    assert_eq!(left(folder.path()), 0);
}

#[test]
fn flipped_bit_on_the_way_is_sent_again() {
    let folder = folder();
    let service = start(folder.path(), &[]);
    let (whole, path) = (bytes(100_000, 2), create(&service, "f"));
    let right = part(&path, 0, &whole, true);
    let head_len = right.len() - whole.len();
    for at in [0, 1, 50_000, 99_999] {
        let mut wrong = right.clone();
        wrong[head_len + at] ^= 4;
        assert_eq!(send(&service, &wrong).status, 401);
        let answer = send(&service, &frame("HEAD", &path, &[], b""));
        assert_eq!(answer.field("upload-offset"), Some("0"));
    }
    assert_eq!(send(&service, &right).status, 201);
    assert!(fs::read(folder.path().join("f")).unwrap() == whole);
}

/// What a client knows of an upload that is killed again and again.
struct Upload {
    path: String,
    whole: Vec<u8>,
    offset: usize,
    sent: usize,
}

impl Upload {
    const PART: usize = 100_000;

    fn next(&self) -> (Vec<u8>, bool) {
        let end = self.whole.len().min(self.offset + Self::PART);
        let is_last = end == self.whole.len();
        (part(&self.path, self.offset, &self.whole[self.offset..end], is_last), is_last)
    }

    /// Asks for the offset. Returns whether the upload is complete.
    fn ask(&mut self, service: &Service) -> bool {
        let answer = send(service, &frame("HEAD", &self.path, &[], b""));
        assert_eq!(answer.status, 204, "{answer:?}");
        let offset = answer.field("upload-offset").unwrap().parse().unwrap();
        assert!(offset >= self.offset, "{offset} after {}", self.offset);
        self.offset = offset;
        answer.field("upload-complete") == Some("?1")
    }
}

/// The number of kills: more than a few by hand, with `FRAMESIGN_TEST_KILLS`.
fn kills() -> usize {
    std::env::var("FRAMESIGN_TEST_KILLS").map_or(15, |kills| kills.parse().unwrap())
}

#[test]
fn service_that_is_killed_at_any_moment_loses_nothing() {
    let folder = folder();
    let mut numbers = Numbers::new(7);
    let (mut killed, mut names) = (0, 0_u32);
    let mut service = start(folder.path(), &[]);
    while killed < kills() {
        let name = format!("file-{names}");
        names += 1;
        let whole = bytes(4 * Upload::PART + 1, names.into());
        let path = create(&service, &name);
        let mut upload = Upload { path, whole, offset: 0, sent: 0 };
        let (killed_before, file) = (killed, folder.path().join(&name));
        loop {
            let (frame, is_last) = upload.next();
            upload.sent += 1;
            let is_visible_only_whole =
                || !file.exists() || is_last && fs::read(&file).unwrap() == upload.whole;
            if numbers.below(2) == 0 {
                let answer = send(&service, &frame);
                assert!([201, 204].contains(&answer.status), "{answer:?}");
            } else {
                // Killed with some of the request on its way, or with all of it and a while to work.
                let cut = numbers.below(2 * frame.len()).min(frame.len());
                let mut connection = service.connect();
                connection.stream.write_all(&frame[..cut]).unwrap();
                thread::sleep(Duration::from_micros(numbers.below(4000) as u64));
                drop(service);
                killed += 1;
                assert!(is_visible_only_whole());
                service = start(folder.path(), &[]);
            }
            assert!(is_visible_only_whole());
            if upload.ask(&service) {
                break;
            }
        }
        assert!(fs::read(&file).unwrap() == upload.whole, "{name}");
        // At most one part is sent again for each kill.
        assert!(upload.sent <= 5 + (killed - killed_before), "{} parts", upload.sent);
    }
    // What is left of uploads that ended while the service was killed is swept at its start.
    drop(service);
    let service = start(folder.path(), &[]);
    super::wait_until(|| left(folder.path()) == 0, || "the sweep".into());
    drop(service);
    let visible = u32::try_from(fs::read_dir(folder.path()).unwrap().count()).unwrap();
    assert_eq!(visible, names + 1);
}

#[test]
fn directory_of_another_service_is_refused() {
    let folder = folder();
    let _service = start(folder.path(), &[]);
    let mut command = serve(&["--uploads", folder.path().to_str().unwrap()]);
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("another process"), "{error}");
}

#[test]
fn uploads_need_keys() {
    let folder = folder();
    let output = serve(&["--uploads", folder.path().to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("expected FRAMESIGN_ACCESS_KEY"), "{error}");
    // Nothing was made before that was known.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn requests_are_counted_and_not_asked_for_a_token() {
    let folder = folder();
    let callers = folder.path().join("callers.toml");
    fs::write(&callers, "caller = [\"a-token-of-sixteen-bytes\"]\n").unwrap();
    let uploads = folder.path().join("uploads");
    let service = start(&uploads, &["--callers", callers.to_str().unwrap()]);
    assert_eq!(send(&service, &frame("PUT", "/files/a", &[], b"x")).status, 201);
    assert_eq!(service.post("/token", b"x").status, 401);
}
