//! What an upstream gets of the fields of a request, and a client of those of an answer.

use super::{ACCESS_KEY, HOST, Recorder, Setup, Signed};

/// An unsigned request to a route that needs no signature.
fn unsigned(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n")
}

#[test]
fn upstream_is_told_who_signed() {
    let setup = Setup::inbound(&[]);
    let answer = setup.answer(Signed::get("/").field("X-Request-Id", "id-of-the-client").bytes());
    assert_eq!(answer.field("x-request-id"), Some("id-of-the-client"));
    let received = setup.upstream.only();
    assert_eq!(received.field("framesign-access-key"), Some(ACCESS_KEY));
    assert_eq!(received.field("framesign-request-id"), Some("id-of-the-client"));
    let at: jiff::Timestamp = received.field("framesign-verified-at").unwrap().parse().unwrap();
    let age = jiff::Timestamp::now().duration_since(at);
    assert!((-2..600).contains(&age.as_secs()), "{age:?}");
    assert_eq!(received.field("via"), Some("1.1 framesign"));
    assert!(received.field("content-digest").is_some());
    assert!(received.field("timestamp").is_some());
    let signature = ["dynata-access-key", "dynata-date", "dynata-signature", "dynata-nonce"];
    assert!(signature.iter().all(|name| received.field(name).is_none()), "{received:?}");
}

#[test]
fn names_of_the_gateway_are_dropped_on_every_route() {
    let setup = Setup::inbound(&["--unsigned", "GET /health"]);
    let spoofed = [
        ("Framesign-Access-Key", "admin"),
        ("FRAMESIGN-VERIFIED-AT", "now"),
        ("framesign-request-id", "mine"),
        ("Framesign_Access_Key", "admin"),
        ("framesign-else", "x"),
    ];
    let fields = spoofed.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
    assert_eq!(setup.answer(unsigned("/health", &fields)).status, 200);
    let signed =
        spoofed.iter().fold(Signed::get("/"), |request, (name, value)| request.field(name, value));
    assert_eq!(setup.answer(signed.bytes()).status, 200);
    let received = setup.upstream.whole();
    let of_gateway = |number: usize| -> Vec<_> {
        let fields = received[number].fields.iter();
        let named = fields.filter(|(name, _)| name.replace('_', "-").starts_with("framesign-"));
        named.map(|(name, _)| name.as_str()).collect()
    };
    assert_eq!(of_gateway(0), ["framesign-request-id"]);
    assert_ne!(received[0].field("framesign-request-id"), Some("mine"));
    let mut signed = of_gateway(1);
    signed.sort_unstable();
    assert_eq!(signed, ["framesign-access-key", "framesign-request-id", "framesign-verified-at"]);
    assert_eq!(received[1].field("framesign-access-key"), Some(ACCESS_KEY));
}

#[test]
fn fields_of_one_connection_stay_there() {
    let upstream = Recorder::with(|exchange| {
        exchange.read_body();
        let fields = "Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-End: 2\r\n\
                      Proxy-Authenticate: Basic\r\nTrailer: X\r\nServer: theirs\r\n";
        exchange.send(format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n"))
    });
    let setup = Setup::before(upstream, &[]);
    let request = Signed::put("/", "body")
        .field("Connection", "X-One, keep-alive")
        .field("X-One", "1")
        .field("X-Two", "2")
        .field("Keep-Alive", "timeout=5")
        .field("TE", "trailers")
        .field("Proxy-Authorization", "Basic x");
    let answer = setup.answer(request.bytes());
    assert_eq!(answer.status, 200);
    let received = setup.upstream.only();
    for name in ["connection", "x-one", "keep-alive", "te", "proxy-authorization"] {
        assert_eq!(received.field(name), None, "{received:?}");
    }
    assert_eq!(received.field("x-two"), Some("2"));
    for name in ["x-hop", "keep-alive", "proxy-authenticate", "trailer"] {
        assert_eq!(answer.field(name), None, "{answer:?}");
    }
    assert_eq!((answer.field("x-end"), answer.field("server")), (Some("2"), Some("theirs")));
}

#[test]
fn connection_cannot_take_the_boundary_or_the_proof_away() {
    let setup = Setup::inbound(&[]);
    for named in ["Content-Length", "Host", "content-digest", "dynata-signature"] {
        let answer = setup.answer(Signed::put("/", "body").field("Connection", named).bytes());
        assert_eq!(answer.status, 400, "{named}");
    }
    assert!(setup.upstream.received().is_empty());
}

#[test]
fn upstream_is_told_of_the_client_and_not_by_it() {
    let spoofed = Signed::get("/")
        .field("Forwarded", "for=1.1.1.1")
        .field("X-Forwarded-For", "1.1.1.1")
        .field("X-Forwarded-Proto", "https")
        .field("X_Forwarded_Host", "evil")
        .field("X-Real-IP", "1.1.1.1")
        .field("Via", "1.0 other");
    let told = |options: &[&str]| {
        let setup = Setup::inbound(options);
        assert_eq!(setup.answer(spoofed.bytes()).status, 200);
        setup.upstream.only()
    };
    let both = told(&[]);
    let forwarded = format!("for=127.0.0.1;host=\"{HOST}\";proto=http");
    assert_eq!(both.field("forwarded"), Some(forwarded.as_str()));
    assert_eq!(both.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(both.field("x-forwarded-host"), Some(HOST));
    assert_eq!(both.field("x-forwarded-proto"), Some("http"));
    assert_eq!(both.field("x_forwarded_host"), None);
    assert_eq!(both.field("x-real-ip"), None);
    assert_eq!(both.values("via"), ["1.0 other", "1.1 framesign"]);
    let none = told(&["--forwarded", "none"]);
    let is_told = |name: &str| name == "forwarded" || name.starts_with("x-forwarded");
    assert!(!none.fields.iter().any(|(name, _)| is_told(name)), "{none:?}");
}

#[test]
fn proxy_of_programs_is_dropped_on_every_route() {
    let setup = Setup::inbound(&["--unsigned", "GET /health"]);
    assert_eq!(setup.answer(unsigned("/health", "Proxy: evil:80\r\nX-Proxy: a\r\n")).status, 200);
    let signed = Signed::get("/").field("PROXY", "evil:80").field("X-Proxy", "a");
    assert_eq!(setup.answer(signed.bytes()).status, 200);
    for received in setup.upstream.whole() {
        assert_eq!((received.field("proxy"), received.field("x-proxy")), (None, Some("a")));
    }
}

/// In HTTP/1.1 they stay as they came: only HTTP/2 splits them.
#[test]
fn lines_of_cookie_stay_as_they_came() {
    let setup = Setup::inbound(&[]);
    let request = Signed::get("/").field("Cookie", "a=1").field("Cookie", "b=2");
    assert_eq!(setup.answer(request.bytes()).status, 200);
    assert_eq!(setup.upstream.only().values("cookie"), ["a=1", "b=2"]);
}

#[test]
fn host_and_signature_are_handed_on_as_it_is_set() {
    let setup = Setup::inbound(&["--upstream-host", "app:3000", "--signature-fields", "keep"]);
    assert_eq!(setup.answer(Signed::get("/").bytes()).status, 200);
    let received = setup.upstream.only();
    assert_eq!(received.field("host"), Some("app:3000"));
    assert_eq!(received.field("x-forwarded-host"), Some(HOST));
    assert_eq!(received.field("dynata-access-key"), Some(ACCESS_KEY));
    assert_eq!(received.field("dynata-signature").map(str::len), Some(64));
}

/// The signature is checked over what arrived, and the target is handed on in origin-form.
#[test]
fn absolute_form_becomes_origin_form() {
    let setup = Setup::inbound(&[]);
    let request = Signed::get(&format!("http://{HOST}/a//b/../c?x=1&y"));
    assert_eq!(setup.answer(request.bytes()).status, 200);
    let received = setup.upstream.only();
    assert_eq!(
        (received.target.as_str(), received.field("host")),
        ("/a//b/../c?x=1&y", Some(HOST))
    );
}

#[test]
fn server_as_a_whole_is_asked_as_that() {
    let setup = Setup::inbound(&["--unsigned", "* /"]);
    assert_eq!(setup.answer(Signed::new("OPTIONS", "*").bytes()).status, 200);
    let received = setup.upstream.only();
    assert_eq!((received.method.as_str(), received.target.as_str()), ("OPTIONS", "*"));
}

#[test]
fn connection_to_the_upstream_is_used_again() {
    let setup = Setup::inbound(&[]);
    for _ in 0..5 {
        assert_eq!(setup.answer(Signed::put("/", "body").bytes()).status, 200);
    }
    assert_eq!(setup.upstream.raw().len(), 1);
}
