//! Whatever bit of a signed frame is flipped, it is refused.

use axum::{Router, body::Body};
use framesign::{
    Credentials, PayloadHash, SigningKey, SigningOptions, sign_head,
    verify::{Claim, Policy, Verifier},
};
use http::{HeaderValue, Request};
use proptest::prelude::*;
use tower::ServiceExt;

use super::{
    server::{app, layer},
    support::{key, now, upload},
};

fn frame(options: &SigningOptions) -> Vec<u8> {
    let head =
        b"PUT /up/%2Fa?b=1&c HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\nA: b, c\r\n\r\n";
    let head = sign_head(head, &key(), PayloadHash::of(b"hello"), now(), options).unwrap();
    [head, b"hello".into()].concat()
}

fn is_verified(frame: &[u8]) -> bool {
    // Every access key has a secret, so that a changed one is refused for the signature.
    let keys = |claim: &Claim| {
        let access_key = str::from_utf8(claim.access_key()).unwrap_or("not text");
        let credentials = Credentials::new(access_key, "secret");
        credentials.map(|pair| vec![SigningKey::derive(&pair, claim.date())]).unwrap_or_default()
    };
    let mut verifier = Verifier::new(&Policy::default(), keys, now);
    verifier.update(frame).is_ok() && verifier.finish().is_ok()
}

/// Field names and the digits of an escape mean the same in either case.
fn means_the_same(frame: &[u8], at: usize, bit: u8) -> bool {
    let line = frame[..at].rsplit(|&byte| byte == b'\n').next().unwrap();
    let is_name = frame[..at].contains(&b'\n') && !line.contains(&b':');
    let is_escape = frame[..at].ends_with(b"%2");
    bit == 5 && frame[at].is_ascii_alphabetic() && (is_name || is_escape)
}

#[test]
fn a_frame_with_any_bit_flipped_is_refused() {
    let options = SigningOptions::default();
    for frame in [frame(&options), frame(&options.without_content_digest())] {
        assert!(is_verified(&frame));
        let head = frame.len() - b"hello".len();
        for at in 0..frame.len() {
            for bit in 0..8 {
                let mut flipped = frame.clone();
                flipped[at] ^= 1 << bit;
                let means_the_same = at < head && means_the_same(&frame, at, bit);
                let shown = flipped.escape_ascii();
                assert_eq!(is_verified(&flipped), means_the_same, "byte {at} bit {bit}: {shown}");
            }
        }
    }
}

async fn status(app: &Router, request: Request<Body>) -> u16 {
    app.clone().oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_signature_with_any_bit_flipped_is_refused_by_the_layer() {
    let (app, seen, _pieces) = app(layer());
    let parts = upload(b"hello");
    let signature = parts.headers["dynata-signature"].as_bytes().to_vec();
    for at in 0..signature.len() {
        for bit in 0..8 {
            let mut flipped = signature.clone();
            flipped[at] ^= 1 << bit;
            let Ok(value) = HeaderValue::from_bytes(&flipped) else { continue };
            let mut parts = parts.clone();
            parts.headers.insert("dynata-signature", value);
            let request = Request::from_parts(parts, Body::from("hello"));
            assert_eq!(status(&app, request).await, 401, "byte {at} bit {bit}");
        }
    }
    assert!(seen.committed.lock().unwrap().is_empty());
    let request = Request::from_parts(parts, Body::from("hello"));
    assert_eq!(status(&app, request).await, 200);
}

proptest! {
    #[test]
    fn a_payload_with_any_bit_flipped_is_refused_by_the_layer(
        payload in proptest::collection::vec(any::<u8>(), 1..200),
        at: proptest::sample::Index,
        bit in 0_u8..8,
    ) {
        let (app, seen, _pieces) = app(layer());
        let mut flipped = payload.clone();
        flipped[at.index(payload.len())] ^= 1_u8 << bit;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let request = Request::from_parts(upload(&payload), Body::from(flipped));
        prop_assert_eq!(runtime.block_on(status(&app, request)), 401);
        prop_assert!(seen.committed.lock().unwrap().is_empty());
        let request = Request::from_parts(upload(&payload), Body::from(payload.clone()));
        prop_assert_eq!(runtime.block_on(status(&app, request)), 200);
    }
}
