//! What the log says of requests, and what it does not.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::Value;

use super::{Connection, Service, request::Request, serve};

/// The lines of a log in JSON.
fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Ends the service, and gives the lines about requests.
fn requests(service: Service) -> Vec<Value> {
    service.terminate();
    let (code, log) = service.wait();
    assert_eq!(code, 0, "{log}");
    lines(&log).into_iter().filter(|line| line["message"] == "request").collect()
}

#[test]
fn every_request_of_callers_is_a_line() {
    let service = Service::start(&["--log-format", "json"]);
    let id = |request: Request, id: &str| request.field("X-Request-Id", id);
    id(Request::post("/token", "bytes"), "first").to(&service);
    id(Request::get("/token"), "second").to(&service);
    id(Request::new("BREW", "/pot"), "third").to(&service);
    // Of operators there is one every few seconds.
    id(Request::get("/livez"), "fourth").to(&service);
    let requests = requests(service);
    let of = |name: &str| requests.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("request_id"), ["first", "second", "third"]);
    assert_eq!(of("method"), ["POST", "GET", "other"]);
    assert_eq!(of("route"), ["token", "token", "other"]);
    assert_eq!(of("status"), [200, 405, 404]);
    for line in &requests {
        assert_eq!(line["level"], "INFO");
        assert!(line["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{line}");
        assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    }
}

#[test]
fn line_of_a_refusal_says_why() {
    let service = super::frames::start(&["--log-format", "json"]);
    for request in [
        Request::post("/nowhere", ""),
        Request::post("/verify", "hello"),
        Request::frame("/sign", "GET / HTTP/1.1\r\n"),
        Request::new("PUT", "/token"),
        Request::post("/token", "hello"),
    ] {
        request.to(&service);
    }
    let requests = requests(service);
    let details: Vec<_> = requests.iter().map(|line| line["detail"].as_str()).collect();
    let expected = [
        Some("there is nothing at this path"),
        Some("expected a body of message/http"),
        // Its sentence can have bytes of the frame.
        Some("truncated-head"),
        None,
        None,
    ];
    assert_eq!(details, expected);
}

#[test]
fn level_says_what_is_left_out() {
    for (level, count) in [("error", 0), ("warn", 0), ("info", 1), ("debug", 2)] {
        let service = Service::start(&["--log-format", "json", "--log-level", level]);
        Request::post("/token", "bytes").to(&service);
        Request::get("/livez").to(&service);
        assert_eq!(requests(service).len(), count, "{level}");
    }
}

#[test]
fn log_shows_nothing_that_a_client_may_want_to_keep() {
    for format in ["text", "json"] {
        let service = Service::start(&["--log-format", format, "--log-level", "debug"]);
        for target in ["/token?key=hunter2", "/hunter2", "/livez?hunter2", "http://hunter2/token"] {
            Request::post(target, "").to(&service);
        }
        Request::new("HUNTER2", "/token").to(&service);
        Request::post("/token", "hunter2").field("Authorization", "hunter2").to(&service);
        Request::post("/token", "").field("X-Hunter2", "hunter2").to(&service);
        for nonsense in ["hunter2\r\n\r\n", "GET / HTTP/1.1\r\nhunter2\r\n\r\n"] {
            service.request(nonsense);
        }
        Request::get("/readyz").field("X-Request-Id", "last").to(&service);
        service.wait_for_log("last");
        let log = service.log().to_lowercase();
        assert!(!log.contains("hunter2"), "{log}");
    }
}

/// The longest line of a log, whatever a client sends.
const LONGEST: usize = 700;

#[test]
fn lines_are_short_however_long_a_request_is() {
    for format in ["text", "json"] {
        let options = ["--host", "test.com", "--log-format", format, "--log-level", "debug"];
        let service = super::frames::start(&options);
        let filler = "x".repeat(10_000);
        for request in [
            Request::get(&format!("/{filler}?{filler}")),
            Request::new(&filler.to_uppercase(), "/token"),
            Request::post("/token", "").field("X-Request-Id", &filler),
            Request::post("/token", "").field("Traceparent", &filler),
            Request::post("/token", "").field(&filler, &filler),
        ] {
            request.to(&service);
        }
        // Refused for its Host, which the line shows.
        let (date, now) = (framesign::SigningDate::today(), jiff::Timestamp::now());
        let signed = format!(
            "GET /{filler} HTTP/1.1\r\nHost: {filler}\r\ntimestamp: {now:.3}\r\ndynata-date: {date}\r\n\
             dynata-access-key: {filler}\r\ndynata-signature: {}\r\n\r\n",
            "0".repeat(64)
        );
        for frame in [&signed, &format!("{filler} / HTTP/1.1\r\n\r\n"), &filler] {
            let last = Request::frame("/verify", frame).to(&service);
            service.wait_for_log(last.field("x-request-id").unwrap());
        }
        service.terminate();
        let (_, log) = service.wait();
        assert!(log.contains("found `xxxx"), "{log}");
        let longest = log.lines().map(str::len).max();
        assert!(longest < Some(LONGEST), "{longest:?} bytes: {log}");
    }
}

#[test]
fn peer_is_the_address_that_connected_whatever_a_client_says() {
    let service = Service::start(&["--log-format", "json"]);
    let mut connection = service.connect();
    let own = connection.stream.local_addr().unwrap().to_string();
    let request = Request::post("/token", "bytes")
        .field("X-Forwarded-For", "192.0.2.7")
        .field("X-Real-IP", "192.0.2.7")
        .field("Forwarded", "for=192.0.2.7");
    assert_eq!(request.over(&mut connection).status, 200);
    // That of the PROXY protocol is no request.
    let answer = service.request("PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n\r\n");
    assert_eq!(answer.status, 400);
    service.terminate();
    let (_, log) = service.wait();
    let peers: Vec<_> =
        lines(&log).iter().filter_map(|line| line["peer"].as_str().map(str::to_owned)).collect();
    assert_eq!(peers, [own], "{log}");
    assert!(!log.contains("192.0.2."), "{log}");
}

#[test]
fn id_of_a_request_is_the_clients_own_where_it_can_be() {
    let service = Service::start(&[]);
    let longest = "x".repeat(64);
    for id in ["a", "AZaz09-_.", "00000000-0000-0000-0000-000000000000", &longest] {
        for request in [Request::post("/token", "bytes"), Request::get("/livez"), Request::get("/")]
        {
            let answer = request.field("X-Request-Id", id).to(&service);
            assert_eq!(answer.field("x-request-id"), Some(id), "{answer:?}");
        }
    }
}

#[test]
fn other_ids_are_replaced_by_ones_that_differ() {
    let service = Service::start(&["--log-format", "json"]);
    let too_long = "x".repeat(65);
    let mut ids = Vec::new();
    for id in ["", "a b", "a/b", "\u{e4}", "a\"b", "${a}", &too_long] {
        let answer = Request::post("/token", "").field("X-Request-Id", id).to(&service);
        ids.push(answer.field("x-request-id").unwrap().to_owned());
        assert_ne!(ids.last().unwrap(), id);
    }
    let twice = Request::post("/token", "").field("X-Request-Id", "a").field("X-Request-Id", "b");
    ids.push(twice.to(&service).field("x-request-id").unwrap().to_owned());
    ids.push(Request::post("/token", "").to(&service).field("x-request-id").unwrap().to_owned());
    let logged: Vec<_> = requests(service).iter().map(|line| line["request_id"].clone()).collect();
    assert_eq!(logged, ids);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), logged.len(), "{logged:?}");
}

#[test]
fn caller_is_named_however_a_request_ends() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "alice = ['0123456789abcdef']").unwrap();
    let path = file.path().to_str().unwrap();
    let service = Service::start(&["--log-format", "json", "--callers", path, "--max-body", "4"]);
    let known = |request: Request| request.field("Authorization", "Bearer 0123456789abcdef");
    for request in [
        known(Request::post("/token", "body")),
        known(Request::post("/token", "bytes")),
        known(Request::post("/token", "body").field("Accept", "text/html")),
        Request::post("/token", "body"),
    ] {
        request.to(&service);
    }
    let of = |line: &Value| (line["status"].as_u64(), line["caller"].as_str().map(str::to_owned));
    let alice = || Some("alice".to_owned());
    let ends: Vec<_> = requests(service).iter().map(of).collect();
    assert_eq!(
        ends,
        [(Some(200), alice()), (Some(413), alice()), (Some(406), alice()), (Some(401), None)]
    );
}

#[test]
fn log_that_nobody_reads_holds_nothing_up() {
    let mut command = serve(&["--threads", "1"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
    let mut connection = Connection::open(address);
    // More lines than a pipe and the service's own queue take.
    for _ in 0..3_000 {
        assert_eq!(Request::post("/token", "bytes").over(&mut connection).status, 200);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn log_has_the_trace_of_a_request() {
    let service = Service::start(&["--log-format", "json"]);
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let ask =
        |value: &str| Request::post("/token", "bytes").field("traceparent", value).to(&service);
    ask(&format!("00-{trace}-{parent}-01"));
    ask("00-nonsense-\"}{");
    let requests = requests(service);
    assert_eq!(
        (&requests[0]["trace_id"], &requests[0]["parent_id"]),
        (&trace.into(), &parent.into())
    );
    let other = &requests[1];
    assert!(other["trace_id"].is_null() && !other.to_string().contains("nonsense"), "{other}");
}
