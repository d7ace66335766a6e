//! Routes that need no signature.

use super::{HOST, Setup, Signed};

fn request(method: &str, target: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
}

#[test]
fn only_the_routes_that_are_named_pass_without_a_signature() {
    let setup = Setup::inbound(&["--unsigned", "GET /health,* /public", "--unsigned", "GET /d"]);
    for (method, target, status) in [
        ("GET", "/health", 200),
        ("HEAD", "/health/x?y", 200),
        ("DELETE", "/public/x", 200),
        ("GET", "/d", 200),
        ("POST", "/health", 401),
        ("GET", "/healthy", 401),
        ("GET", "/", 401),
        ("GET", "/x/../health", 401),
        ("GET", "/health/../admin", 400),
        ("GET", "/health/%2e%2e/admin", 400),
        ("GET", "/public/..%2fadmin", 400),
        ("GET", "/public/x;y", 400),
        ("GET", "/public/%C0%AE%C0%AE/admin", 400),
        ("GET", "/public/%c3%a4", 200),
        ("GET", "//health", 401),
    ] {
        let mut connection = setup.connect();
        connection.send(request(method, target));
        assert_eq!(connection.answer_to(method).status, status, "{method} {target}");
    }
    let targets: Vec<_> =
        setup.upstream.received().into_iter().map(|received| received.target).collect();
    assert_eq!(targets, ["/health", "/health/x?y", "/public/x", "/d", "/public/%c3%a4"]);
    assert!(
        setup.upstream.received().iter().all(|one| one.field("framesign-access-key").is_none())
    );
}

#[test]
fn signed_request_to_such_a_route_is_one_of_anybody() {
    let setup = Setup::inbound(&["--unsigned", "GET /health"]);
    assert_eq!(setup.answer(Signed::get("/health").bytes()).status, 200);
    let received = setup.upstream.only();
    assert_eq!(received.field("framesign-access-key"), None);
    assert_eq!(received.field("dynata-access-key"), None);
}

#[test]
fn bodies_of_such_routes_are_handed_on() {
    let setup = Setup::inbound(&["--unsigned", "POST /open"]);
    let head = format!("POST /open HTTP/1.1\r\nHost: {HOST}\r\n");
    let length = setup.answer(format!("{head}Content-Length: 4\r\n\r\nbody"));
    assert_eq!((length.status, length.text()), (200, "4"));
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX: y\r\n\r\n");
    assert_eq!(setup.answer(chunked).text(), "4");
    assert_eq!(setup.answer(format!("{head}Content-Length: 0\r\n\r\n")).text(), "0");
    assert_eq!(setup.answer(format!("{head}\r\n")).text(), "0");
    let received = setup.upstream.whole();
    let framings: Vec<_> = received
        .iter()
        .map(|one| (one.field("content-length"), one.field("transfer-encoding")))
        .collect();
    let expected =
        [(Some("4"), None), (None, Some("chunked")), (Some("0"), None), (Some("0"), None)];
    assert_eq!(framings, expected);
}

#[test]
fn what_would_override_such_a_request_is_dropped() {
    let setup = Setup::inbound(&["--unsigned", "GET /open"]);
    let fields =
        "X-HTTP-Method-Override: DELETE\r\nX_Original_URL: /admin\r\nX-Rewrite-URL: /admin\r\n";
    let answer = setup.answer(format!("GET /open HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n"));
    assert_eq!(answer.status, 200);
    let names: Vec<_> = setup.upstream.only().fields.into_iter().map(|(name, _)| name).collect();
    let is_override = |name: &String| {
        name.replace('_', "-").starts_with("x-") && !name.starts_with("x-forwarded")
    };
    assert!(!names.iter().any(is_override), "{names:?}");
}

/// Nobody signs for the host of such a request, so it is held to the own ones here.
#[test]
fn own_hosts_hold_for_such_routes() {
    let setup = Setup::inbound(&["--unsigned", "GET /health", "--host", "other.test:8443"]);
    for (target, host, status) in [
        ("/health", HOST, 200),
        ("/health", "UPLOADS.test", 200),
        ("/health", "other.test:8443", 200),
        ("/health", "other.test", 421),
        ("/health", "uploads.test.evil", 421),
        ("http://evil.test/health", "evil.test", 421),
    ] {
        let answer = setup.answer(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(answer.status, status, "{target} {host}");
    }
    assert_eq!(setup.upstream.received().len(), 3);
}
