//! Outbound: what local programs send in plain goes out signed.

use std::{fs, time::SystemTime};

use framesign::{
    Credentials, PayloadHash, SigningKey,
    verify::{Claim, Policy, Verified, Verifier},
};

use super::{ACCESS_KEY, HOST, Received, Recorder, SECRET_KEY, Setup, complaint, gateway, noise};
use crate::serve::Service;

const IN_MEMORY: usize = 256 * 1024;

/// What a verifier says to the bytes of one connection, which are one request.
fn verified(raw: &[u8]) -> Verified {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap();
    let keys = |claim: &Claim| {
        assert_eq!(claim.access_key(), ACCESS_KEY.as_bytes());
        vec![SigningKey::derive(&credentials, claim.date())]
    };
    let policy = Policy::default().require_content_digest();
    let mut verifier = Verifier::new(&policy, keys, SystemTime::now);
    verifier.update(raw).unwrap();
    verifier.finish().unwrap()
}

fn put(fields: &str, len: usize) -> Vec<u8> {
    let head = format!(
        "PUT /up?b=2&a=1 HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {len}\r\n\r\n"
    );
    [head.as_bytes(), &noise(len)].concat()
}

fn claim(body: &[u8]) -> String {
    format!("Content-Digest: {}\r\n", PayloadHash::of(body).content_digest())
}

/// Sends `request`, and returns what came out at the other end, which verifies.
fn signed(options: &[&str], request: &[u8]) -> Received {
    let setup = Setup::outbound(options);
    let answer = setup.answer(request);
    assert_eq!(answer.status, 200, "{answer:?} {}", setup.gateway.log());
    let received = setup.upstream.only();
    assert!(received.is_whole);
    verified(&setup.upstream.raw()[0]);
    assert_eq!(received.field("host"), Some(setup.upstream.address().to_string().as_str()));
    received
}

#[test]
fn bodies_of_every_kind_go_out_signed() {
    for len in [0, 1, 1000, IN_MEMORY - 1, IN_MEMORY, IN_MEMORY + 1, 3 * IN_MEMORY] {
        for fields in [String::new(), claim(&noise(len))] {
            let received = signed(&["--spool", "."], &put(&fields, len));
            assert!(received.body == noise(len), "{len} {fields}");
            assert_eq!(received.target, "/up?b=2&a=1");
            assert_eq!(received.field("content-length"), Some(len.to_string().as_str()));
        }
    }
    let received = signed(&[], b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((received.method.as_str(), received.field("content-length")), ("GET", None));
}

#[test]
fn chunks_become_a_length() {
    for (pieces, options) in [(3, &[][..]), (100, &["--spool", "."])] {
        let mut request =
            b"PUT /up HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..pieces {
            request.extend_from_slice(b"2710\r\n");
            request.extend_from_slice(&noise(10_000));
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\n\r\n");
        let received = signed(options, &request);
        assert!(received.body == noise(10_000).repeat(pieces));
        assert_eq!(received.field("transfer-encoding"), None);
        let len = (10_000 * pieces).to_string();
        assert_eq!(received.field("content-length"), Some(len.as_str()));
    }
}

#[test]
fn fields_are_changed_before_they_are_signed() {
    let fields = "Connection: X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\nFramesign-Access-Key: admin\r\n\
                  X-Forwarded-For: 1.1.1.1\r\n";
    let received = signed(&[], &put(fields, 10));
    assert_eq!((received.field("x-hop"), received.field("x-end")), (None, Some("2")));
    assert_eq!(received.field("framesign-access-key"), None);
    assert_eq!(received.field("via"), Some("1.1 framesign"));
    assert_eq!(received.field("x-forwarded-for"), Some("1.1.1.1"));
    let setup = Setup::outbound(&["--upstream-host", HOST]);
    assert_eq!(setup.answer(put("", 10)).status, 200);
    assert_eq!(setup.upstream.only().field("host"), Some(HOST));
    verified(&setup.upstream.raw()[0]);
}

#[test]
fn body_that_is_not_the_claimed_one_is_cut() {
    let setup = Setup::outbound(&[]);
    for len in [1, 1000, 3 * IN_MEMORY] {
        let request = put(&claim(&noise(len)), len);
        for at in [0, len / 2, len - 1] {
            let mut tampered = request.clone();
            let at = tampered.len() - len + at;
            tampered[at] ^= 1;
            let answer = setup.answer(tampered);
            assert_eq!(answer.status, 400, "{answer:?}");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("Content-Digest"), "{detail}");
        }
        let mut connection = setup.connect();
        connection.send(&request[..request.len() - 1]);
        connection.finish_sending();
        assert_eq!(connection.answer().status, 400);
    }
    assert!(setup.upstream.whole().is_empty());
}

#[test]
fn body_that_is_too_large_for_memory_needs_a_file_or_a_digest() {
    let setup = Setup::outbound(&[]);
    let answer = setup.answer(put("", IN_MEMORY + 1));
    assert_eq!((answer.status, answer.field("want-content-digest")), (400, Some("sha-256=10")));
    assert!(setup.upstream.received().is_empty());
    let setup = Setup::outbound(&["--spool", ".", "--spool-max", "300000"]);
    assert_eq!(setup.answer(put("", 300_001)).status, 503);
    assert_eq!(setup.answer(put("", 300_000)).status, 200);
    assert_eq!(fs::read_dir(setup.folder.path()).unwrap().count(), 0);
}

#[test]
fn request_that_cannot_be_signed_is_refused() {
    let setup = Setup::outbound(&[]);
    for request in [
        put("Dynata-Signature: x\r\n", 10),
        put("Dynata-Nonce: a\r\nDynata-Nonce: b\r\n", 10),
        b"BREW /pot HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
    ] {
        let answer = setup.answer(&request);
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    assert!(setup.upstream.received().is_empty());
}

#[test]
fn gateway_signs_for_loopback_alone_unless_it_is_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Recorder::start();
    let command = |options: &[&str]| {
        let mut command = gateway(&folder, &upstream.url(), options);
        command.args(["--sign", "--listen", "0.0.0.0:0"]);
        command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
        command
    };
    let err = complaint(command(&[]));
    assert!(err.contains("--allow-anonymous"), "{err}");
    drop(Service::run(&mut command(&["--allow-anonymous"])));
}

#[test]
fn two_gateways_are_a_tunnel_of_signatures() {
    let inbound = Setup::inbound(&[]);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", inbound.gateway.address);
    let mut command = gateway(&folder, &url, &["--sign", "--upstream-host", HOST, "--spool", "."]);
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    let outbound = Service::run(&mut command);
    for len in [0, 1000, 1_000_000] {
        let answer = outbound.request(put("", len));
        assert_eq!((answer.status, answer.text()), (200, len.to_string().as_str()));
    }
    let received = inbound.upstream.whole();
    assert!(received[2].body == noise(1_000_000));
    assert_eq!(received[2].values("via"), ["1.1 framesign", "1.1 framesign"]);
}

/// A browser reaches loopback as local programs do.
#[test]
fn web_page_has_nothing_signed() {
    let setup = Setup::outbound(&[]);
    let request = |host: &str, fields: &str| {
        setup.answer(format!("GET /a HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")).status
    };
    let (own, upstream) = (setup.gateway.address.to_string(), setup.upstream.address().to_string());
    for (host, fields) in [
        ("localhost", "Origin: https://evil.example\r\n"),
        ("localhost", "Origin: null\r\n"),
        ("localhost", "Sec-Fetch-Site: cross-site\r\n"),
        ("localhost", "Sec-Fetch-Site: same-site\r\n"),
        ("evil.example", ""),
        ("evil.example", "Sec-Fetch-Site: same-origin\r\n"),
    ] {
        assert_eq!(request(host, fields), 403, "{host} {fields}");
    }
    assert!(setup.upstream.received().is_empty());
    for (host, fields) in [
        ("localhost", ""),
        ("localhost:8081", "Sec-Fetch-Site: none\r\n"),
        (own.as_str(), "Sec-Fetch-Site: same-origin\r\n"),
        (upstream.as_str(), ""),
    ] {
        assert_eq!(request(host, fields), 200, "{host} {fields}");
    }
}

#[test]
fn host_of_the_upstream_may_be_called() {
    let setup = Setup::outbound(&["--upstream-host", "peer.example:443"]);
    let request =
        |host: &str| setup.answer(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).status;
    assert_eq!(request("Peer.example"), 200);
    assert_eq!(request("peer.example.org"), 403);
}
