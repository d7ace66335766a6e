//! Right uploads arrive byte for byte. Of one that was tampered with, at whatever place, no upstream
//! sees a whole body.

use super::{ACCESS_KEY, HOST, Setup, Signed, noise};

/// Large enough to stream in many pieces.
const LARGE: usize = 700_000;

/// Lengths around the limits of what is read before it is handed on, and of a read.
const LENGTHS: [usize; 9] = [0, 1, 1000, 8191, 32_767, 65_535, 65_536, 65_537, LARGE];

#[test]
fn right_uploads_arrive_byte_for_byte() {
    let setup = Setup::inbound(&[]);
    let mut count = 0;
    for len in LENGTHS {
        for is_claimed in [true, false] {
            if !is_claimed && len > 65_536 {
                continue;
            }
            let body = noise(len);
            let request = Signed::put("/files/a%20b?part=1&x=%C3%A9", &body);
            let request = if is_claimed { request } else { request.unclaimed() };
            let answer = setup.answer(request.bytes());
            assert_eq!((answer.status, answer.text()), (200, len.to_string().as_str()));
            count += 1;
            let received = setup.upstream.whole();
            assert_eq!(received.len(), count);
            let last = received.last().unwrap();
            assert_eq!(last.target, "/files/a%20b?part=1&x=%C3%A9");
            assert_eq!(last.method, "PUT");
            assert!(last.body == body, "{len}");
            assert_eq!(last.field("content-length"), Some(len.to_string().as_str()));
            assert_eq!(last.field("framesign-access-key"), Some(ACCESS_KEY));
            assert_eq!(last.field("host"), Some(HOST));
        }
    }
    let answer = setup.answer(Signed::get("/files/a").bytes());
    assert_eq!(answer.status, 200);
    let last = setup.upstream.whole().pop().unwrap();
    assert_eq!((last.method.as_str(), last.field("content-length")), ("GET", None));
}

/// However the request is cut on its way.
#[test]
fn right_uploads_arrive_however_they_are_cut() {
    let setup = Setup::inbound(&[]);
    let request = Signed::put("/cut", noise(300)).bytes();
    for size in [1, 2, 7, 64, 255] {
        let mut connection = setup.connect();
        for piece in request.chunks(size) {
            connection.send(piece);
        }
        assert_eq!(connection.answer().status, 200, "{size}");
    }
    for at in (0..request.len()).step_by(13) {
        let mut connection = setup.connect();
        connection.send(&request[..at]);
        connection.send(&request[at..]);
        assert_eq!(connection.answer().status, 200, "{at}");
    }
    assert!(setup.upstream.received().iter().all(|one| one.is_whole && one.body == noise(300)));
}

/// The status of what was tampered with. No upstream has heard of it.
fn refused_unheard(setup: &Setup, what: &str, request: &[u8], expected: &[u16]) {
    let before = setup.upstream.received().len();
    let mut connection = setup.connect();
    connection.send(request);
    // A head that goes on for ever is not what is tested.
    connection.finish_sending();
    let answer = connection.answer();
    assert!(expected.contains(&answer.status), "{what}: {answer:?}");
    let problem = answer.json();
    assert_eq!(problem["status"], answer.status, "{what}");
    assert_eq!(Some(problem["request_id"].as_str().unwrap()), answer.field("x-request-id"));
    assert_eq!(setup.upstream.received().len(), before, "{what}");
}

#[test]
fn head_that_was_tampered_with_is_not_heard_of() {
    let setup = Setup::inbound(&[]);
    let request = Signed::put("/files/name?q=1", "the body of the upload").field("X-Meta", "value");
    let right = request.bytes();
    assert_eq!(setup.answer(&right).status, 200);
    let head = request.head();
    for at in 0..head.len() {
        let mut tampered = [&head, request.body()].concat();
        // Another letter of the same kind, so that most heads stay readable.
        tampered[at] = match tampered[at] {
            b'a'..=b'y' | b'A'..=b'Y' | b'0'..=b'8' => tampered[at] + 1,
            b'z' | b'Z' | b'9' => tampered[at] - 1,
            _ => b'!',
        };
        let what = format!("byte {at}: {}", tampered[..head.len()].escape_ascii());
        let statuses = [400, 401, 411, 413, 417, 501, 505];
        if tampered[at].eq_ignore_ascii_case(&head[at]) {
            continue;
        }
        refused_or_same(&setup, &what, &tampered, &statuses);
    }
}

/// Some changes of a head are none: the case of a name does not count.
fn refused_or_same(setup: &Setup, what: &str, request: &[u8], expected: &[u16]) {
    let before = setup.upstream.received().len();
    let mut connection = setup.connect();
    connection.send(request);
    connection.finish_sending();
    let text = connection.rest();
    let status = text.get(9..12).map(|status| String::from_utf8_lossy(status).into_owned());
    // What cannot be read as HTTP at all may end without an answer.
    let status = status.map(|status| status.parse::<u16>().unwrap());
    assert!(status.is_none_or(|status| expected.contains(&status)), "{what}: {status:?}");
    assert_eq!(setup.upstream.received().len(), before, "{what}");
}

#[test]
fn request_that_nobody_known_has_signed_is_not_heard_of() {
    let setup = Setup::inbound(&["--max-body", "1000"]);
    let body = noise(100);
    let put = || Signed::put("/files/name", &body);
    let unsigned =
        format!("PUT /files/name HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n\r\nbody");
    let chunked = format!(
        "PUT /files/name HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    for (what, request, status) in [
        ("unsigned", unsigned.into_bytes(), 401),
        ("unsigned and empty", format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").into_bytes(), 401),
        ("chunked", chunked.into_bytes(), 411),
        ("another secret", put().key(ACCESS_KEY, "another secret key").bytes(), 401),
        ("an unknown key", put().key("somebody", "another secret key").bytes(), 401),
        ("a foreign host", put().host("other.test").bytes(), 401),
        ("too large", Signed::put("/", noise(1001)).bytes(), 413),
        ("a method that is not allowed", Signed::new("PATCH", "/").bytes(), 400),
    ] {
        refused_unheard(&setup, what, &request, &[status]);
    }
    for (name, value) in [
        ("dynata-access-key", "somebody"),
        ("timestamp", "2023-08-01T12:00:00Z"),
        ("dynata-date", "20230801"),
        ("X-Added", "by a proxy"),
    ] {
        let added = format!("{name}: {value}\r\n\r\n");
        let head = String::from_utf8(put().head()).unwrap();
        let request = [head.trim_end().as_bytes(), b"\r\n", added.as_bytes(), &body].concat();
        refused_unheard(&setup, name, &request, &[400, 401]);
    }
    assert_eq!(setup.answer(put().bytes()).status, 200);
}

#[test]
fn larger_body_without_a_digest_is_asked_for_one() {
    let setup = Setup::inbound(&[]);
    let request = Signed::put("/", noise(65_537)).unclaimed();
    let mut connection = setup.connect();
    connection.send(request.head());
    let answer = connection.answer();
    assert_eq!(answer.status, 400);
    assert_eq!(answer.field("want-content-digest"), Some("sha-256=10"));
    assert!(setup.upstream.received().is_empty());
}

/// Every request of this test has a head that is proven: its body is what was tampered with.
fn assert_cut(setup: &Setup, what: &str, head: &[u8], body: &[u8], expected: u16) {
    let mut connection = setup.connect();
    connection.send(head);
    connection.send(body);
    connection.finish_sending();
    let answer = connection.answer();
    assert_eq!(answer.status, expected, "{what}: {answer:?}");
    assert!(setup.upstream.whole().is_empty(), "{what}");
}

#[test]
fn upload_whose_body_was_tampered_with_is_cut() {
    let setup = Setup::inbound(&[]);
    for len in [1, 1000, 65_536, LARGE] {
        for is_claimed in [true, false] {
            if !is_claimed && len > 65_536 {
                continue;
            }
            let body = noise(len);
            let request = Signed::put("/files/name", &body);
            let request = if is_claimed { request } else { request.unclaimed() };
            let head = request.head();
            for at in [0, 1, len / 3, len / 2, len.saturating_sub(2), len - 1] {
                let Some(byte) = body.get(at) else { continue };
                let mut tampered = body.clone();
                tampered[at] = byte ^ 1;
                let what = format!("{len} bytes, byte {at}");
                assert_cut(&setup, &what, &head, &tampered, 401);
            }
            for cut in [0, len / 2, len - 1] {
                let what = format!("{len} bytes, cut after {cut}");
                assert_cut(&setup, &what, &head, &body[..cut], 400);
            }
        }
    }
    // Whatever the upstream was still to notice.
    let Setup { gateway, upstream, .. } = setup;
    gateway.terminate();
    gateway.wait();
    assert!(upstream.whole().is_empty());
    assert!(!upstream.received().is_empty(), "large ones stream");
}

/// What follows a body is the next request, and none of the upload.
#[test]
fn upload_that_is_too_long_has_its_length() {
    let setup = Setup::inbound(&[]);
    let request = Signed::put("/files/name", noise(1000));
    let mut connection = setup.connect();
    connection.send([request.bytes(), b"more".to_vec()].concat());
    connection.finish_sending();
    assert_eq!(connection.answer().status, 200);
    let received = setup.upstream.only();
    assert!(received.is_whole && received.body == noise(1000));
}

#[test]
fn each_refusal_has_its_line_with_the_reason() {
    let setup = Setup::inbound(&[]);
    let request = Signed::put("/", noise(LARGE));
    let mut body = noise(LARGE);
    body[LARGE - 1] ^= 1;
    setup.answer([request.head(), body].concat());
    setup.answer(Signed::get("/").key(ACCESS_KEY, "another secret key").bytes());
    setup.gateway.wait_for_log("status=401");
    setup.gateway.terminate();
    let (code, log) = {
        let Setup { gateway, .. } = setup;
        gateway.wait()
    };
    assert_eq!(code, 0, "{log}");
    let lines = |reason: &str| log.lines().filter(|line| line.contains(reason)).count();
    assert_eq!(lines("reason=\"digest\""), 1, "{log}");
    assert_eq!(lines("reason=\"signature\""), 1, "{log}");
    assert_eq!(lines("route=\"upstream\""), 2, "{log}");
    assert!(!log.contains("secret key"), "{log}");
}
