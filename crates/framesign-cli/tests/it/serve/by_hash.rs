//! `POST /sign` of heads alone: their payloads are elsewhere, and only their hashes are known.

use framesign::{FrameHasher, PayloadHash, Rules, StringToSign};
use serde_json::Value;

use super::{
    Answer, Service,
    frames::{check_signed, start, string_to_sign},
    request::Request,
};
use crate::published::Vector;

const BY_DIGEST: &str = "message/http; payload=digest";
const HEADS: &str = "application/http; payload=digest";

/// A head that claims the hash of `hello`.
fn head() -> String {
    claiming(b"hello")
}

fn claiming(payload: &[u8]) -> String {
    let (len, digest) = (payload.len(), PayloadHash::of(payload).content_digest());
    format!(
        "PUT /up?b=1 HTTP/1.1\r\nHost: test.com\r\nContent-Length: {len}\r\nContent-Digest: {digest}\r\n\r\n"
    )
}

fn sign(service: &Service, media_type: &str, body: impl AsRef<[u8]>) -> Answer {
    Request::post("/sign", body).field("Content-Type", media_type).to(service)
}

fn whole(rules: &Rules, payload: &[u8]) -> StringToSign {
    string_to_sign(rules, &[claiming(payload).as_bytes(), payload].concat()).unwrap()
}

#[test]
fn head_is_signed_as_the_frame_that_it_begins() {
    let service = start(&[]);
    let large = vec![b'x'; 100_000];
    for payload in [&b"hello"[..], b"", &large] {
        let answer = sign(&service, BY_DIGEST, claiming(payload));
        check_signed("head", &answer, Ok(whole(&Rules::lenient(), payload)));
    }
    // Nothing of the payload has been read.
    let hashed = Request::get("/metrics").to(&service).json()["hashed_bytes"].as_u64().unwrap();
    assert!(hashed < 1000, "{hashed}");
}

#[test]
fn head_of_any_length_of_payload_is_signed() {
    let service = start(&[]);
    let head = head().replace("Content-Length: 5", "Content-Length: 107374182400");
    let mut hasher = FrameHasher::new(Rules::strict());
    hasher.update(head.as_bytes()).unwrap();
    let expected = hasher.finish_with(PayloadHash::of(b"hello"));
    check_signed("100 GiB", &sign(&service, BY_DIGEST, &head), expected);
}

#[test]
fn hash_may_be_given_beside_the_head() {
    let service = start(&[]);
    let frame = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
    let by = |payload: &[u8]| format!("message/http; payload={}", PayloadHash::of(payload));
    let expected = string_to_sign(&Rules::lenient(), format!("{frame}hello").as_bytes());
    check_signed("given", &sign(&service, &by(b"hello"), frame), expected);
    let expected = Ok(whole(&Rules::lenient(), b"hello"));
    check_signed("both", &sign(&service, &by(b"hello"), head()), expected);
    let answer = sign(&service, &by(b"other"), head());
    assert_eq!((answer.status, &answer.json()["kind"]), (422, &Value::from("digest")));
}

/// The published frames, by the hash of their payloads, byte by byte and as a whole.
#[test]
fn vectors_are_signed_by_hash_as_whole() {
    let service = start(&[]);
    let mut signed = 0;
    for vector in Vector::all() {
        let mut hasher = FrameHasher::new(Rules::lenient());
        let Ok(update) = hasher.update(&vector.frame) else { continue };
        let Some(head) = update.head.map(|head| head.as_bytes().to_vec()) else { continue };
        let payload = hasher.payload_hash().unwrap();
        let Ok(expected) = hasher.finish() else { continue };
        let by = format!("message/http; payload={payload}");
        check_signed(&vector.name, &sign(&service, &by, &head), Ok(expected));
        let chunks = Request::post_chunks("/sign", head.chunks(1)).field("Content-Type", &by);
        check_signed(&vector.name, &chunks.to(&service), Ok(expected));
        signed += 1;
    }
    assert!(signed >= 50, "{signed} vectors");
}

#[test]
fn head_that_cannot_be_signed_by_hash_is_refused() {
    let service = start(&[]);
    let unclaimed = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
    let none = "PUT / HTTP/1.1\r\nHost: h\r\n\r\n";
    let cases = [
        (unclaimed.to_owned(), "digest-required"),
        (none.to_owned(), "digest-required"),
        (
            unclaimed.replace("\r\n\r\n", "\r\nContent-Digest: sha-256=:AAAA:\r\n\r\n"),
            "digest-required",
        ),
        (
            unclaimed.replace("\r\n\r\n", "\r\nContent-Digest: sha-512=:AAAA:\r\n\r\n"),
            "digest-required",
        ),
        (format!("{}hello", head()), "trailing-bytes"),
        (format!("{}h", head()), "trailing-bytes"),
        (head().replace("Content-Length: 5", "Content-Length: 0"), "trailing-bytes"),
        (claiming(b"").replace("Content-Length: 0", "Content-Length: 5"), "truncated-body"),
        (head().replace("Content-Length: 5", "Content-Length: 5, 6"), "content-length"),
        (head().replace("Content-Length: 5", "Transfer-Encoding: chunked"), "transfer-encoding"),
        (head().replace("\r\n\r\n", "\r\n"), "truncated-head"),
        (String::new(), "truncated-head"),
        (head().replace("PUT", "BREW"), "method"),
    ];
    for (body, kind) in cases {
        for request in [
            Request::post("/sign", &body),
            Request::post_chunks("/sign", body.as_bytes().chunks(1)),
            Request::post_chunks("/sign", body.as_bytes().chunks(7)),
        ] {
            let answer = request.field("Content-Type", BY_DIGEST).to(&service);
            assert_eq!((answer.status, &answer.json()["kind"]), (422, &kind.into()), "{body}");
            assert!(answer.json()["offset"].is_u64() != kind.starts_with("digest"), "{answer:?}");
        }
    }
}

#[test]
fn media_type_says_what_the_body_is() {
    let service = start(&[]);
    for media_type in [
        "message/http; payload=Digest",
        "message/http; payload=",
        "message/http; payload=00",
        "message/http; payload=digest; payload=digest",
        "application/http",
        &format!("application/http; payload={}", PayloadHash::of(b"hello")),
        "text/plain; payload=digest",
    ] {
        let answer = sign(&service, media_type, head());
        assert_eq!(answer.status, 415, "{media_type}");
        assert!(answer.field("accept-post").unwrap().contains(HEADS), "{answer:?}");
    }
    for media_type in
        ["message/http;payload=\"digest\"", "Message/Http; version=1.1; PAYLOAD=digest"]
    {
        assert_eq!(sign(&service, media_type, head()).status, 200, "{media_type}");
    }
}

/// Several heads, each with another payload, and what is said to each.
fn several(count: usize) -> (String, Vec<StringToSign>) {
    let payloads: Vec<_> = (0..count).map(|number| format!("payload {number}")).collect();
    let heads = payloads.iter().map(|payload| claiming(payload.as_bytes())).collect();
    let signed = payloads.iter().map(|payload| whole(&Rules::strict(), payload.as_bytes()));
    (heads, signed.collect())
}

fn check_several(answer: &Answer, expected: &[StringToSign]) {
    let members = answer.json();
    assert_eq!(answer.status, 200, "{members}");
    let signatures = members["signatures"].as_array().unwrap();
    assert_eq!(signatures.len(), expected.len());
    for (signed, expected) in signatures.iter().zip(expected) {
        let mut single = signed.clone();
        single["date"] = members["date"].clone();
        let single = Answer { body: single.to_string().into_bytes(), ..answer.clone() };
        check_signed("one of several", &single, Ok(*expected));
    }
}

#[test]
fn several_heads_are_signed_in_their_order() {
    let service = start(&[]);
    let (heads, expected) = several(3);
    check_several(&sign(&service, HEADS, &heads), &expected);
    // Empty lines between heads, and behind the last, are no heads.
    let spaced = heads.replace("PUT", "\r\n\r\nPUT") + "\r\n";
    check_several(&sign(&service, HEADS, &spaced), &expected);
    let chunks = Request::post_chunks("/sign", heads.as_bytes().chunks(1));
    check_several(&chunks.field("Content-Type", HEADS).to(&service), &expected);
    for cut in 0..heads.len() {
        let (before, after) = heads.as_bytes().split_at(cut);
        let request = Request::post_chunks("/sign", [before, after]);
        check_several(&request.field("Content-Type", HEADS).to(&service), &expected);
    }
}

#[test]
fn several_heads_are_signed_or_none() {
    let service = start(&[]);
    let (heads, _) = several(2);
    let index_of = |body: &str, kind: &str| {
        let answer = sign(&service, HEADS, body);
        assert_eq!((answer.status, &answer.json()["kind"]), (422, &kind.into()), "{body}");
        answer.json()["index"].as_u64().unwrap()
    };
    assert_eq!(index_of("", "truncated-head"), 0);
    assert_eq!(index_of("\r\n", "truncated-head"), 0);
    assert_eq!(index_of(&format!("{heads}PUT"), "truncated-head"), 2);
    assert_eq!(index_of(&format!("{heads}\r"), "truncated-head"), 2);
    assert_eq!(index_of(&format!("{heads}BREW / HTTP/1.1\r\nHost: h\r\n\r\n"), "method"), 2);
    let unclaimed = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(index_of(&format!("{unclaimed}{heads}"), "digest-required"), 0);
    // Read strictly, as the frames of a connection are.
    assert_eq!(index_of(&heads.replace("\r\n", "\n"), "bare-lf"), 0);
    // A payload is no head.
    assert_eq!(index_of(&format!("{heads}payload 1\r\n{heads}"), "request-line"), 2);
}

#[test]
fn number_of_heads_is_bounded() {
    let service = start(&[]);
    let heads = claiming(b"hello").repeat(1000);
    let answer = sign(&service, HEADS, &heads);
    check_several(&answer, &vec![whole(&Rules::strict(), b"hello"); 1000]);
    let answer = sign(&service, HEADS, heads + &claiming(b"hello"));
    assert_eq!(answer.status, 413, "{answer:?}");
    service.post("/token", b"lives");
}

/// Neither what cannot be signed nor what follows a head is waited for, however much is announced.
#[test]
fn refusal_is_told_before_the_rest_comes() {
    let service = start(&[]);
    for (target, body, expected) in [
        ("/sign?access_key=nobody", String::new(), (404, Value::Null)),
        ("/sign", format!("{}!", head()), (422, "trailing-bytes".into())),
    ] {
        let mut connection = service.connect();
        connection.send(format!(
            "POST {target} HTTP/1.1\r\nHost: h\r\nContent-Type: {BY_DIGEST}\r\n\
             Content-Length: 1000000\r\n\r\n{body}"
        ));
        let answer = connection.answer();
        assert_eq!((answer.status, answer.json()["kind"].clone()), expected);
    }
}
