//! What keeps the service from starting, and what nobody is told.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::{Command, Output, Stdio},
    thread,
};

use super::{SECRET, Service, serve};

/// The only line of standard error of a service that does not start, without what begins it.
pub(super) fn complaint(command: &mut Command) -> String {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut out).unwrap();
    if !out.is_empty() {
        // One that starts after all would never end.
        child.kill().unwrap();
    }
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    let err = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), &*out), (Some(2), ""), "{err}");
    assert!(!err.contains(SECRET), "the secret is shown");
    let line = err.strip_prefix("framesign: ").and_then(|err| err.strip_suffix('\n'));
    let line = line.unwrap_or_else(|| panic!("{err}"));
    assert!(!line.contains('\n'), "{err}");
    line.to_owned()
}

fn complaint_about(options: &[&str]) -> String {
    complaint(&mut serve(options))
}

#[test]
fn port_of_another_is_named() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    for option in ["--listen", "--admin-listen"] {
        let complaint = complaint_about(&[option, &address]);
        assert!(complaint.starts_with(&format!("{option} {address}: Address already in use")));
    }
}

#[test]
fn secret_must_be_there_and_be_one() {
    let missing = complaint(serve(&[]).env_remove("SECRET"));
    assert!(missing.contains("SECRET"), "{missing}");
    for secret in ["", "short"] {
        let complaint = complaint(serve(&[]).env("SECRET", secret));
        assert!(complaint.contains("SECRET") && complaint.contains("16"), "{complaint}");
    }
}

#[test]
fn network_is_not_answered_by_accident() {
    let complaint = complaint_about(&["--listen", "0.0.0.0:0"]);
    assert!(complaint.contains("--callers"), "{complaint}");
    drop(Service::start(&["--listen", "0.0.0.0:0", "--allow-anonymous"]));
}

#[test]
fn options_come_from_the_environment_too() {
    let complaint = complaint(serve(&[]).env("FRAMESIGN_HEAD_TIMEOUT", "soon"));
    assert!(complaint.contains("--head-timeout"), "{complaint}");
    let service = Service::run(serve(&[]).env("FRAMESIGN_MAX_BODY", "4"));
    assert_eq!(service.post("/token", b"bytes").status, 413);
}

#[test]
fn secret_is_nowhere_to_be_seen() {
    let service = Service::run(serve(&["--log-level", "debug"]).env("SECRET_PREVIOUS", SECRET));
    service.assert_lives();
    let seen = [
        fs::read_to_string(format!("/proc/{}/cmdline", service.id())).unwrap(),
        service.get("/metrics").text().to_owned(),
        service.get("/health").text().to_owned(),
    ];
    service.hangup();
    service.wait_for_log("secrets were read again");
    service.terminate();
    let (code, log) = service.wait();
    assert_eq!(code, 0);
    for text in seen.iter().chain([&log]) {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn log_is_json_where_that_is_asked_for() {
    let service = Service::start(&["--log-format", "json", "--log-level", "debug"]);
    service.assert_lives();
    service.terminate();
    let (_, log) = service.wait();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let time = line["timestamp"].as_str().unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z'), "{line}");
        assert!(line["level"].is_string() && line["message"].is_string(), "{line}");
    }
    assert!(log.lines().count() >= 3, "{log}");
}

#[test]
fn log_that_nobody_reads_any_more_does_no_harm() {
    let mut command = serve(&["--log-level", "debug"]);
    let (reader, writer) = std::io::pipe().unwrap();
    let service = Service::with_stderr(&mut command, writer);
    drop(reader);
    for _ in 0..10 {
        assert_eq!(service.get("/livez").status, 200);
        service.assert_lives();
    }
}

/// `framesign healthcheck`: its exit code, and what it says.
fn healthcheck(url: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framesign"));
    command.env_clear().args(["healthcheck", "--timeout", "0.3"]);
    let output = command.env("FRAMESIGN_HEALTHCHECK_URL", url).output().unwrap();
    assert_eq!(output.stdout, b"");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn healthcheck_tells_by_its_exit_code() {
    let service = Service::start(&["--shutdown-delay", "86400"]);
    let url = format!("http://{}", service.address);
    assert_eq!(healthcheck(&format!("{url}/health")), (0, String::new()));
    assert_eq!(healthcheck(&format!("{url}/nothing")).0, 1);
    service.terminate();
    service.wait_for_log("SIGTERM");
    let (code, complaint) = healthcheck(&format!("{url}/health"));
    assert_eq!(code, 1);
    assert!(complaint.ends_with("expected status 200, found 503\n"), "{complaint}");
    let address = service.address;
    drop(service);
    let (code, complaint) = healthcheck(&url);
    assert_eq!(code, 1);
    let expected = format!("framesign: {address}: cannot connect to {address}: Connection refused");
    assert!(complaint.starts_with(&expected), "{complaint}");
    assert_eq!(healthcheck("https://127.0.0.1:1/").0, 2);
}

/// What `healthcheck` says of a peer that sends `bytes`, and then ends the connection or does not.
fn complaint_about_peer(bytes: &'static [u8], ends: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(bytes).unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"\r\n\r\n") {
            let mut chunk = [0; 1024];
            let len = stream.read(&mut chunk).unwrap();
            received.extend_from_slice(&chunk[..len]);
        }
        if !ends {
            // Until the other side does.
            let _ = stream.read(&mut [0]);
        }
    });
    let (code, complaint) = healthcheck(&format!("http://{address}/health?key=hunter2"));
    peer.join().unwrap();
    assert_eq!(code, 1, "{complaint}");
    assert!(!complaint.contains("hunter2"), "{complaint}");
    let line = complaint.strip_prefix(&format!("framesign: {address}: ")).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn healthcheck_says_what_is_wrong() {
    for (bytes, ends, expected) in [
        (&b""[..], false, "no answer within 0.3 s"),
        (b"HTTP/1.1 20", false, "no answer within 0.3 s"),
        (b"", true, "the connection ended before an answer"),
        (b"HTTP/1.1 ", true, "the connection ended before an answer"),
        (b"SSH-2.0-other", true, "expected an answer of HTTP/1.1 in clear, found other bytes"),
        (b"HTTP/1.1 abc", true, "expected an answer of HTTP/1.1 in clear, found other bytes"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", true, "expected status 200, found 503"),
    ] {
        assert_eq!(complaint_about_peer(bytes, ends), expected, "{bytes:?}");
    }
    // A listener that accepts nothing takes the connection all the same.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let complaint = healthcheck(&format!("http://{address}/"));
    assert_eq!(complaint, (1, format!("framesign: {address}: no answer within 0.3 s\n")));
    // RFC 6761 section 6.4: a name that never has an address.
    let (code, complaint) = healthcheck("http://host.invalid/");
    assert_eq!(code, 1);
    assert!(
        complaint.starts_with("framesign: host.invalid: no address of the host: "),
        "{complaint}"
    );
}
