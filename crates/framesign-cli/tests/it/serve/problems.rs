//! Requests that are not answered as they hoped for, and why.

use std::{io::Write, thread, time::Duration};

use super::{Answer, Connection, Service, request::Request, serve, token_of};

const CALLERS: [&str; 3] = ["/token", "/sign", "/verify"];

/// A service with all of its routes.
fn start(options: &[&str]) -> Service {
    let mut command = serve(options);
    command.env("FRAMESIGN_ACCESS_KEY", "key").env("FRAMESIGN_SECRET_KEY", "sixteen bytes or more");
    Service::run(&mut command)
}

/// What each of the routes of callers takes.
fn sound(target: &str) -> Request {
    Request::frame(target, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
}

/// Sends a request of which the body is yet to come, and waits until it is asked for.
fn begin(service: &Service, request: &Request) -> Connection<std::net::TcpStream> {
    let mut connection = service.connect();
    connection.send(request.clone().field("Expect", "100-continue").head());
    assert_eq!(connection.head().status, 100, "{request:?}");
    connection
}

/// The answer is the last one of its connection.
fn check_closing(answer: &Answer, connection: &mut Connection<std::net::TcpStream>) {
    assert_eq!(answer.field("connection"), Some("close"), "{answer:?}");
    assert!(connection.has_ended(), "{answer:?}");
}

#[test]
fn there_is_nothing_at_other_paths() {
    let service = start(&[]);
    for target in
        ["/", "/tokens", "/Token", "/token/", "//token", "/%74oken", "/a/../token", "/metrics.json"]
    {
        for method in ["GET", "POST", "OPTIONS", "HEAD", "BREW"] {
            let answer = Request::new(method, target).to(&service);
            assert_eq!(answer.status, 404, "{method} {target}");
        }
    }
    assert_eq!(Request::new("GET", "*").to(&service).status, 404);
    assert_eq!(Request::new("CONNECT", "h:80").to(&service).status, 404);
}

#[test]
fn server_as_a_whole_tells_its_methods() {
    let answer = Request::new("OPTIONS", "*").to(&start(&[]));
    assert_eq!(answer.status, 204);
    assert_eq!(answer.field("allow"), Some("GET, HEAD, POST, OPTIONS"));
}

#[test]
fn answer_is_of_a_media_type_that_is_taken() {
    let service = start(&[]);
    for target in CALLERS {
        for accept in ["text/html", "*/*;q=0", "application/json;q=0", "text/*, image/png"] {
            let answer = sound(target).field("Accept", accept).to(&service);
            assert_eq!(answer.status, 406, "{target} {accept}");
        }
        for accept in ["*/*", "application/*", "Application/JSON;q=0.1", "text/html, */*;q=0.01"] {
            let answer = sound(target).field("Accept", accept).to(&service);
            assert_eq!(answer.status, 200, "{target} {accept}");
        }
    }
}

#[test]
fn frames_are_of_their_media_type() {
    let service = start(&[]);
    let heads = "message/http; payload=digest, application/http; payload=digest";
    let of_sign = format!("message/http, {heads}");
    for (target, accepted) in [("/sign", &*of_sign), ("/verify", "message/http")] {
        let answer = Request::post(target, "bytes").to(&service);
        assert_eq!(answer.status, 415, "{target}");
        assert_eq!(answer.field("accept-post"), Some(accepted));
        for other in ["text/plain", "message/https", "application/json", ""] {
            let request = Request::post(target, "bytes").field("Content-Type", other);
            assert_eq!(request.to(&service).status, 415, "{target} {other}");
        }
        let answer = sound(target).field("Content-Encoding", "gzip").to(&service);
        assert_eq!((answer.status, answer.field("accept-encoding")), (415, Some("identity")));
        let answer = sound(target).field("Content-Encoding", "identity").to(&service);
        assert_eq!(answer.status, 200, "{target}");
        let request = Request::post(target, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        let with_parameters = request.field("Content-Type", "Message/HTTP ; msgtype=request");
        assert_eq!(with_parameters.to(&service).status, 200, "{target}");
    }
}

#[test]
fn body_without_a_length_is_refused() {
    let service = start(&[]);
    for target in CALLERS {
        let request = Request::new("POST", target).field("Content-Type", "message/http");
        assert_eq!(request.to(&service).status, 411, "{target}");
    }
    let answer = service.request("POST /token HTTP/1.0\r\n\r\n");
    assert_eq!(answer.status, 411);
}

#[test]
fn body_in_a_further_transfer_coding_is_refused() {
    let service = start(&[]);
    for target in CALLERS {
        for codings in [&["gzip, chunked"][..], &["gzip", "chunked"], &["gzip", "Chunked"]] {
            let request = Request::new("POST", target).field("Content-Type", "message/http");
            let request = codings
                .iter()
                .fold(request, |request, coding| request.field("Transfer-Encoding", coding));
            let mut connection = service.connect();
            connection.send(request.head());
            assert_eq!(request.answer(&mut connection).status, 501, "{target} {codings:?}");
            assert!(connection.has_ended(), "{target} {codings:?}");
        }
        let request = Request::post_chunks(target, [&b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..]]);
        let request = request.field("Content-Type", "message/http");
        assert_eq!(request.to(&service).status, 200, "{target}");
    }
}

#[test]
fn body_that_says_that_it_is_too_long_is_not_read() {
    let service = start(&["--max-body", "100"]);
    for target in CALLERS {
        let request = Request::frame(target, [b'x'; 101]).field("Expect", "100-continue");
        let mut connection = service.connect();
        connection.send(request.head());
        // No 100 comes before it.
        let head = connection.head();
        assert_eq!(head.status, 413, "{target}");
        let answer = request.to(&service);
        assert_eq!(answer.status, 413, "{target}");
        assert!(answer.detail().contains("100 bytes"), "{answer:?}");
    }
    assert_eq!(Request::post("/token", [b'x'; 100]).to(&service).status, 200);
}

#[test]
fn body_that_turns_out_to_be_too_long_is_not_read_on() {
    let service = start(&["--max-body", "100"]);
    for target in CALLERS {
        let chunks = [[b'x'; 60], [b'x'; 60]];
        let request = Request::post_chunks(target, chunks.iter().map(|chunk| &chunk[..]));
        // A frame whose head is not at its end yet.
        let request = request.field("Content-Type", "message/http");
        let mut connection = service.connect();
        let answer = request.over(&mut connection);
        assert_eq!(answer.status, 413, "{target}");
        check_closing(&answer, &mut connection);
    }
    let at_the_limit = [[b'x'; 50], [b'x'; 50]];
    let chunks = at_the_limit.iter().map(|chunk| &chunk[..]);
    assert_eq!(Request::post_chunks("/token", chunks).to(&service).status, 200);
}

#[test]
fn body_may_be_a_gibibyte_unless_any_length_is_asked_for() {
    const GIB: u64 = 1 << 30;
    let of = |len: u64| Request::new("POST", "/token").field("Content-Length", &len.to_string());
    let service = start(&[]);
    drop(begin(&service, &of(GIB)));
    assert_eq!(of(GIB + 1).to(&service).status, 413);
    let service = start(&["--max-body", "unlimited"]);
    drop(begin(&service, &of(1 << 40)));
}

#[test]
fn body_that_stands_still_is_not_waited_for() {
    let service = start(&["--idle-timeout", "0.3"]);
    for target in CALLERS {
        for sent in ["", "GET"] {
            let request = Request::frame(target, [b'x'; 100]);
            let mut connection = service.connect();
            connection.send(request.head() + sent);
            let answer = request.answer(&mut connection);
            assert_eq!(answer.status, 408, "{target} after {sent:?}");
            assert!(answer.detail().contains("0.3 s"), "{answer:?}");
            check_closing(&answer, &mut connection);
        }
    }
}

/// Sends a byte every now and then, until nobody takes it any more or there were `most`.
fn trickle(connection: &Connection<std::net::TcpStream>, pause: Duration, most: usize) {
    let mut stream = connection.stream.try_clone().unwrap();
    thread::spawn(move || {
        for _ in 0..most {
            thread::sleep(pause);
            if stream.write_all(b"x").is_err() {
                return;
            }
        }
    });
}

#[test]
fn body_that_trickles_is_not_waited_for() {
    let service = start(&["--idle-timeout", "0.3", "--min-rate", "1000000"]);
    for target in CALLERS {
        let request = Request::frame(target, [b'x'; 10_000]);
        let mut connection = service.connect();
        connection.send(request.head());
        trickle(&connection, Duration::from_millis(10), 10_000);
        let answer = request.answer(&mut connection);
        assert_eq!(answer.status, 408, "{target}");
        // Either the rate is seen to be too low, or, on a machine that stood still, no byte.
        assert!(answer.detail().contains("1000000 bytes") || answer.detail().contains("0.3 s"));
        assert_eq!(answer.field("connection"), Some("close"));
    }
}

#[test]
fn body_may_trickle_where_no_rate_is_asked_for() {
    let service = start(&["--idle-timeout", "3", "--min-rate", "0"]);
    let request = Request::post("/token", [b'x'; 15]);
    let mut connection = service.connect();
    connection.send(request.head());
    trickle(&connection, Duration::from_millis(250), 15);
    let answer = request.answer(&mut connection);
    assert_eq!(answer.json()["token"], token_of(&[b'x'; 15]));
}

#[test]
fn body_that_is_badly_framed_is_refused() {
    let service = start(&[]);
    for target in CALLERS {
        let request = Request::new("POST", target)
            .field("Content-Type", "message/http")
            .field("Transfer-Encoding", "chunked");
        let mut connection = service.connect();
        connection.send(request.head() + "3\r\nGET\r\nnonsense\r\n");
        let answer = request.answer(&mut connection);
        assert_eq!(answer.status, 400, "{target}");
        check_closing(&answer, &mut connection);
    }
}

#[test]
fn head_over_its_limit_is_refused() {
    let service = start(&["--max-request-head", "1024"]);
    let long = "x".repeat(1024);
    for (method, target) in [("POST", "/token"), ("GET", "/livez"), ("OPTIONS", "/sign")] {
        let request = Request::new(method, target).field("Content-Length", "0");
        let mut connection = service.connect();
        let answer = request.clone().field("X-Long", &long).over(&mut connection);
        assert_eq!(answer.status, 431, "{method} {target}");
        check_closing(&answer, &mut connection);
        let answer = request.field("X-Long", &"x".repeat(900)).to(&service);
        assert!([200, 204].contains(&answer.status), "{answer:?}");
    }
    let answer = Request::get(&format!("/livez?{long}")).to(&service);
    assert_eq!(answer.status, 431);
}

#[test]
fn only_so_many_requests_are_served_at_a_time() {
    let service = start(&["--max-requests", "1"]);
    let held = Request::post("/token", "hello");
    let mut connection = begin(&service, &held);
    for target in CALLERS {
        let answer = sound(target).to(&service);
        assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")), "{target}");
    }
    // Operators are not kept out.
    assert_eq!(Request::get("/readyz").to(&service).status, 200);
    connection.send("hello");
    assert_eq!(held.answer(&mut connection).status, 200);
    assert_eq!(sound("/token").to(&service).status, 200);
}

#[test]
fn room_of_a_client_that_is_gone_is_given_to_another() {
    let service = start(&["--max-requests", "1"]);
    drop(begin(&service, &Request::post("/token", "hello")));
    super::wait_until(|| sound("/token").to(&service).status == 200, || "room".into());
}

/// What is wrong with a request, the first first.
#[test]
fn first_of_several_problems_is_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "busy = ['0123456789abcdef']\nother = ['fedcba9876543210']\n").unwrap();
    let callers = file.path().to_str().unwrap();
    let service = start(&[
        "--callers",
        callers,
        "--max-requests-per-caller",
        "1",
        "--max-requests",
        "1",
        "--max-body",
        "10",
        "--max-request-head",
        "1024",
    ]);
    let (busy, other) = ("Bearer 0123456789abcdef", "Bearer fedcba9876543210");
    let held = Request::post("/token", "hello").field("Authorization", busy);
    let mut connection = begin(&service, &held);
    let long = "x".repeat(2000);
    let none = Request::new("POST", "/sign");
    let html = none.clone().field("Accept", "text/html");
    let status = |request: &Request| request.to(&service).status;
    assert_eq!(status(&html.clone().field("X-Long", &long)), 431);
    assert_eq!(status(&Request::new("GET", "/sign").field("Accept", "text/html")), 405);
    assert_eq!(status(&html), 401);
    assert_eq!(status(&html.clone().field("Authorization", busy)), 429);
    assert_eq!(status(&html.clone().field("Authorization", other)), 503);
    connection.send("hello");
    assert_eq!(held.answer(&mut connection).status, 200);
    assert_eq!(status(&html.field("Authorization", other)), 406);
    let request = none.field("Authorization", other);
    assert_eq!(status(&request), 415);
    assert_eq!(status(&request.field("Content-Type", "message/http")), 411);
    let of = |len: usize, of_type| {
        let request = Request::post("/sign", vec![b'x'; len]).field("Authorization", other);
        status(&request.field("Content-Type", of_type))
    };
    assert_eq!(of(11, "text/plain"), 415);
    assert_eq!(of(11, "message/http"), 413);
    assert_eq!(of(10, "message/http"), 422);
}

#[test]
fn what_is_no_request_is_answered_without_a_body_and_ends_the_connection() {
    let service = start(&[]);
    let long = "x".repeat(70_000);
    let get = |rest: &str| format!("GET /livez HTTP/1.1\r\nHost: h\r\n{rest}\r\n");
    let post = |framing: &str| format!("POST /token HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\nbytes");
    for (request, status) in [
        ("nonsense\r\n\r\n".into(), 400),
        ("\u{16}\u{3}\u{1}\r\n\r\n".into(), 400),
        ("GET /livez HTTP/3.0\r\n\r\n".into(), 400),
        ("GET /li vez HTTP/1.1\r\n\r\n".into(), 400),
        (get("no field\r\n"), 400),
        (get("Bad Name: x\r\n"), 400),
        (get("A: \u{1}\r\n"), 400),
        (post("Content-Length: +5"), 400),
        (post("Content-Length: 5, 6"), 400),
        (post("Content-Length: 5\r\nContent-Length: 6"), 400),
        (post("Transfer-Encoding: gzip"), 400),
        (format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n"), 414),
        (get(&"x: x\r\n".repeat(100)), 431),
        (get(&format!("X-Long: {long}{long}\r\n")), 431),
    ] {
        let shown: String = request.chars().take(80).collect();
        let mut connection = service.connect();
        connection.send(&request);
        let answer = connection.answer();
        let (ends, body) = (answer.field("connection"), answer.body.len());
        assert_eq!((answer.status, ends, body), (status, Some("close"), 0), "{shown}");
        assert!(connection.has_ended(), "{shown}");
    }
    // As many fields as there may be, with Host.
    assert_eq!(service.request(get(&"x: x\r\n".repeat(99))).status, 200);
}

#[test]
fn one_host_is_named() {
    let service = Service::start(&[]);
    let two = Request::post("/token", "bytes").field("Host", "other").to(&service);
    assert_eq!((two.status, two.field("connection")), (400, Some("close")));
    let none = service.request("GET /livez HTTP/1.1\r\n\r\n");
    assert_eq!((none.status, none.field("connection")), (400, Some("close")));
    assert_eq!(service.request("GET /livez HTTP/1.0\r\n\r\n").status, 200);
    assert_eq!(service.request("GET /livez HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n").status, 400);
}

/// A little that comes soon is waited for, so that the connection can go on.
#[test]
fn small_body_may_come_after_its_head() {
    let service = start(&[]);
    for (method, target, status) in [
        ("POST", "/nowhere", 404),
        ("POST", "/sign", 415),
        ("PUT", "/token", 405),
        ("OPTIONS", "/token", 204),
        ("GET", "/livez", 200),
    ] {
        let request = Request::new(method, target).field("Content-Length", "5");
        let mut connection = service.connect();
        connection.send(request.head());
        thread::sleep(Duration::from_millis(20));
        connection.send("hello");
        let answer = request.answer(&mut connection);
        assert_eq!((answer.status, answer.field("connection")), (status, None), "{target}");
        let next = Request::post("/token", "hello").over(&mut connection);
        assert_eq!(next.json()["token"], token_of(b"hello"), "{target}");
    }
}

#[test]
fn body_that_does_not_come_is_not_waited_for_long() {
    let service = start(&[]);
    let much = "70000";
    let some = &"x".repeat(66_000);
    for (fields, sent) in [
        (("Content-Length", "5"), ""),
        (("Content-Length", much), ""),
        (("Transfer-Encoding", "chunked"), some),
    ] {
        let request = Request::new("OPTIONS", "/token").field(fields.0, fields.1);
        let mut connection = service.connect();
        let chunk = format!("{:x}\r\n{sent}\r\n", sent.len());
        connection.send(request.head() + if sent.is_empty() { "" } else { &chunk });
        let answer = request.answer(&mut connection);
        assert_eq!((answer.status, answer.field("connection")), (204, Some("close")), "{fields:?}");
        assert!(connection.has_ended(), "{fields:?}");
    }
}

#[test]
fn connection_that_ends_after_a_problem_is_announced() {
    let service = Service::start(&[]);
    let large = vec![b'x'; 200_000];
    for (request, closes) in [
        (Request::post("/token", "small").field("Accept", "text/html"), None),
        (Request::post("/token", &large).field("Accept", "text/html"), Some("close")),
        (Request::post("/nowhere", &large), Some("close")),
    ] {
        assert_eq!(request.to(&service).field("connection"), closes);
    }
}
