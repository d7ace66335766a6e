//! Who gets an answer.

use std::{fs, io::Write, net::TcpStream};

use serde_json::json;

use super::{Answer, Inspect, about};
use crate::stages::SECRET_KEY;

const FRAME: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// The fields that every answer has.
const FIELDS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

fn has_fields(answer: &Answer) {
    for (name, value) in FIELDS {
        assert_eq!(answer.field(name), Some(value), "{name}, status {}", answer.status);
    }
    assert_eq!(answer.field("access-control-allow-origin"), None);
}

#[test]
fn the_address_is_on_loopback_and_has_a_long_token() {
    let [one, other] = [Inspect::start(&[]), Inspect::start(&[])];
    for page in [&one, &other] {
        assert_eq!(page.address.ip().to_string(), "127.0.0.1");
        assert_ne!(page.address.port(), 0);
        // 48 hexadecimal digits are 192 bits.
        assert!(page.token.len() == 48 && page.token.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    assert_ne!(one.token, other.token);
}

#[test]
fn without_the_token_there_is_nothing() {
    let page = Inspect::start(&[]);
    let wrong = "0".repeat(48);
    let question = about(FRAME, "strict").to_string();
    let fields =
        format!("Content-Type: application/json\r\nContent-Length: {}\r\n", question.len());
    for path in [
        "/".to_owned(),
        "/explain".to_owned(),
        "//".to_owned(),
        format!("/{wrong}/"),
        format!("/{}/", page.token.to_uppercase().replace(char::is_numeric, "0")),
        format!("/{}/settings", page.token.get(1..).unwrap()),
        format!("/x/{}/", page.token),
        format!("/?{}", page.token),
    ] {
        let answer = page.request(&format!("GET {path}"), "", b"");
        assert_eq!(answer.status, 404, "{path}");
        has_fields(&answer);
    }
    for path in [format!("/{wrong}/explain"), "/explain".to_owned()] {
        let answer = page.request(&format!("POST {path}"), &fields, question.as_bytes());
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("signature"), "{path}");
    }
    let answer = page.post(question.as_bytes());
    assert_eq!(answer.status, 200);
    has_fields(&answer);
}

#[test]
fn only_the_files_of_the_page_are_there() {
    let page = Inspect::start(&[]);
    for path in ["nothing", "../explain", "page/index.html", "style.css/x", "%2e%2e/style.css"] {
        let answer = page.get(path);
        assert_eq!(answer.status, 404, "{path}");
        has_fields(&answer);
    }
    for line in ["DELETE", "PUT", "POST"] {
        let answer = page.request(&format!("{line} /{}/", page.token), "", b"");
        assert_eq!(answer.status, 405, "{line}");
        has_fields(&answer);
    }
    assert_eq!(page.get("explain").status, 405);
}

#[test]
fn another_host_is_refused() {
    let page = Inspect::start(&[]);
    let port = page.address.port();
    let ask = |host: &str| {
        let line = format!("GET /{}/ HTTP/1.1\r\nConnection: close\r\n{host}\r\n", page.token);
        page.send(line.as_bytes())
    };
    for host in ["127.0.0.1", "localhost", "LOCALHOST"] {
        assert_eq!(ask(&format!("Host: {host}:{port}\r\n")).status, 200, "{host}");
    }
    for host in [
        "Host: evil.example\r\n".to_owned(),
        format!("Host: evil.example:{port}\r\n"),
        format!("Host: 127.0.0.1.evil.example:{port}\r\n"),
        "Host: 127.0.0.1\r\n".to_owned(),
        "Host: localhost:1\r\n".to_owned(),
        "Host:\r\n".to_owned(),
        String::new(),
    ] {
        let answer = ask(&host);
        assert_eq!(answer.status, 403, "{host}");
        has_fields(&answer);
    }
}

#[test]
fn other_pages_are_refused() {
    let page = Inspect::start(&[]);
    let question = about(FRAME, "strict").to_string();
    let post = |fields: &str| {
        let fields = format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n{fields}",
            question.len()
        );
        page.request(&format!("POST /{}/explain", page.token), &fields, question.as_bytes())
    };
    assert_eq!(post("").status, 200);
    assert_eq!(post("Sec-Fetch-Site: same-origin\r\n").status, 200);
    for fields in [
        "Origin: https://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://127.0.0.1:1\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: none\r\n",
    ] {
        let answer = post(fields);
        assert_eq!(answer.status, 403, "{fields}");
        assert!(!answer.text().contains("signature"), "{fields}");
        has_fields(&answer);
    }
    // An address may be opened from anywhere, but not into a frame.
    let open = |fields: &str| page.request(&format!("GET /{}/", page.token), fields, b"").status;
    let navigate = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n";
    assert_eq!(open(&format!("{navigate}Sec-Fetch-Dest: document\r\n")), 200);
    assert_eq!(open(&format!("{navigate}Sec-Fetch-Dest: iframe\r\n")), 403);
    assert_eq!(open("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n"), 403);
    // A form or a script of another page can send these types without asking.
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let fields =
            format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n", question.len());
        let line = format!("POST /{}/explain", page.token);
        assert_eq!(page.request(&line, &fields, question.as_bytes()).status, 415, "{media_type}");
    }
}

#[test]
fn questions_have_a_limit() {
    let page = Inspect::start(&[]);
    let ask = |len: u64, body: &[u8]| {
        let fields = format!("Content-Type: application/json\r\nContent-Length: {len}\r\n");
        page.request(&format!("POST /{}/explain", page.token), &fields, body)
    };
    let answer = ask(32 * 1024 * 1024 + 1, b"");
    assert_eq!(answer.status, 413);
    has_fields(&answer);
    // Not told before, either.
    let mut stream = TcpStream::connect(page.address).unwrap();
    let head = format!(
        "POST /{}/explain HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        page.token, page.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = [b"100000\r\n", &vec![b' '; 0x10_0000][..], b"\r\n"].concat();
    // It may answer before it has read all of it.
    let sent = (0..40).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    assert!(sent >= 32, "{sent}");
}

#[test]
fn other_side_is_as_long_as_a_canonical_request_can_be() {
    let page = Inspect::start(&[]);
    for (length, status) in [(1024 * 1024, 200), (1024 * 1024 + 1, 413)] {
        let other = "a".repeat(length);
        let question = format!(r#"{{"input":"","kind":"frame","other":"{other}"}}"#);
        assert_eq!(page.post(question.as_bytes()).status, status, "{length}");
    }
}

#[test]
fn what_is_no_question_is_refused_without_repeating_it() {
    let page = Inspect::start(&[]);
    for question in [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        format!("{{\"kind\":\"{SECRET_KEY}\"}}"),
        format!("{{\"input\":\"\",\"kind\":\"frame\",\"show_keys\":\"{SECRET_KEY}\"}}"),
        format!("{{\"input\":\"\",\"kind\":\"frame\",\"{SECRET_KEY}\":1}}"),
    ] {
        let answer = page.post(question.as_bytes());
        assert_eq!(answer.status, 400, "{question}");
        assert!(!answer.text().contains(SECRET_KEY), "{}", answer.text());
    }
}

#[test]
fn signals_end_it_and_it_has_written_no_more_than_its_address() {
    for signal in ["-TERM", "-INT"] {
        let page = Inspect::with_keys(&[]);
        let mut question = about(FRAME, "strict");
        question["show_keys"] = json!(true);
        page.ask(&question);
        // A connection that stands idle does not keep it from ending.
        let idle = TcpStream::connect(page.address).unwrap();
        assert_eq!(page.end(signal), (Some(0), String::new(), String::new()), "{signal}");
        drop(idle);
    }
}

#[test]
fn a_port_that_is_taken_is_told() {
    let page = Inspect::start(&[]);
    let port = page.address.port().to_string();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_framesign"));
    let output = command.args(["inspect", "--port", &port]).env_clear().output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.starts_with(&format!("framesign: port {port}: ")), "{err}");
}

#[cfg(unix)]
#[test]
fn the_browser_is_started_without_keys_and_without_the_token_in_its_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let (program, seen) = (folder.path().join("xdg-open"), folder.path().join("seen"));
    let script = format!(
        "#!/bin/sh\n{{ echo \"$@\"; ls -l \"$1\"; env; cat \"$1\"; }} > {0}.part\nmv {0}.part {0}\n",
        seen.display()
    );
    fs::write(&program, script).unwrap();
    crate::support::set_mode(&program, 0o700);
    if cfg!(target_os = "macos") {
        fs::rename(&program, folder.path().join("open")).unwrap();
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_framesign"));
    command.env_clear().env("FRAMESIGN_ACCESS_KEY", "key").env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()));
    let page = Inspect::run(&mut command, &["--open"]);
    let told = loop {
        match fs::read_to_string(&seen) {
            Ok(told) => break told,
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    };
    let file = told.lines().next().unwrap();
    assert!(file.contains("framesign-inspect-") && !file.contains(&page.token), "{told}");
    assert!(told.lines().nth(1).unwrap().starts_with("-rw-------"), "{told}");
    assert!(told.contains(&format!("url=http://{}/{}/\"", page.address, page.token)), "{told}");
    assert!(!told.contains("FRAMESIGN_"), "the browser has the keys");
    let path = std::path::PathBuf::from(file);
    assert!(path.exists());
    assert_eq!(page.end("-TERM").0, Some(0));
    assert!(!path.exists(), "the file is left behind");
}
