//! Each request that the upstream reads is one of the client's, and it is signed unless its route needs
//! no signature.

use std::time::{SystemTime, UNIX_EPOCH};

use framesign::{
    Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, protocol::canonical_uri,
    sign_head,
};

use super::{
    message::{Content, Request, lenient, strict},
    sockets::{Reply, UNSIGNED, send},
};
use crate::{
    naive::{Mutated, verify::Verifier},
    properties::cuts::chunks,
    stages::{ACCESS_KEY, SECRET_KEY},
};

fn verifier(now: SystemTime) -> Verifier {
    let nanoseconds = now.duration_since(UNIX_EPOCH).unwrap().as_nanos();
    Verifier {
        mutated: Mutated::default(),
        now: i128::try_from(nanoseconds).unwrap(),
        age: Some(15 * 60 * 1_000_000_000),
        hosts: Vec::new(),
        max_payload: None,
        requires_digest: false,
        secrets: vec![(ACCESS_KEY.to_owned(), SECRET_KEY.to_owned())],
    }
}

/// The frame that a request of a client is, written as protocol section 7 has it.
fn frame(request: &Request) -> Vec<u8> {
    let mut frame = [&request.method[..], b" ", &request.target, b" HTTP/1.1\r\n"].concat();
    for (name, value) in &request.content.fields {
        frame.extend([name, &b": "[..], value, b"\r\n"].concat());
    }
    [&frame[..], b"\r\n", &request.content.body].concat()
}

/// Whether a request may go through: it is on the route that needs no signature, or signed. If the
/// upstream has not got all of it, its payload may be cut or another one, but its head is proven.
fn may_pass(verifier: &Verifier, request: &Request, is_whole: bool) -> bool {
    // As the gateway compares it: `/%6fpen` is the same path.
    let path = canonical_uri(request.path());
    let below = path.strip_prefix(UNSIGNED);
    if below.is_some_and(|below| below.is_empty() || below.starts_with('/')) {
        return true;
    }
    let verifier = Verifier { requires_digest: !is_whole, ..verifier.clone() };
    match verifier.verify(&frame(request)) {
        Ok(()) => true,
        Err(reason) => !is_whole && ["digest", "frame truncated-body"].contains(&&*reason),
    }
}

/// Whether the upstream has read the request that the client has sent; all of it, if it did so itself.
fn is_same(client: &Request, upstream: &Request) -> bool {
    let (sent, read) = (&client.content, &upstream.content);
    let host = |content: &Content| content.values("host").concat();
    let own = |content: &Content| content.values("x-own").concat();
    read.is_body_of(sent)
        && client.method == upstream.method
        && client.target == upstream.target
        && host(sent).eq_ignore_ascii_case(&host(read))
        && own(sent) == own(read)
}

/// Holds what the upstream has read to what the client has sent. If `is_plain`, each of `count`
/// requests goes through.
fn check(input: &[u8], lengths: &[usize], plain: Option<usize>) {
    let through = send(&chunks(input, lengths), |_| {
        let answer = b"HTTP/1.1 200 OK\r\nX-Upstream: 1\r\nContent-Length: 0\r\n\r\n";
        Reply { writes: vec![answer.to_vec()], closes: false }
    });
    let what = || format!("{} {through:?}", input.escape_ascii());
    let verifier = verifier(SystemTime::now());
    let mut sent = lenient::requests(input).into_iter();
    let received: Vec<Request> =
        through.upstream.iter().flat_map(|bytes| strict::requests(bytes)).collect();
    let mut whole = 0;
    for request in &received {
        let is_whole = request.content.is_whole;
        let may_pass = |one: &Request| may_pass(&verifier, one, is_whole);
        let mut allowed = sent.by_ref().filter(may_pass);
        assert!(allowed.any(|one| is_same(&one, request)), "{request:?} of {}", what());
        whole += usize::from(is_whole);
    }
    let pattern = b"x-upstream: 1\r\n";
    let answers = through.client.windows(pattern.len()).filter(|bytes| bytes == pattern).count();
    assert_eq!(answers, whole, "{}", what());
    if let Some(count) = plain {
        assert_eq!(whole, count, "{}", what());
    }
}

/// The frame, signed, if it can be one.
fn signed(frame: &[u8], is_claimed: bool) -> Option<Vec<u8>> {
    let len = frame.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let (head, payload) = frame.split_at(len);
    let now = SystemTime::now();
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap();
    let key = SigningKey::derive(&credentials, SigningDate::of(now));
    let mut options = SigningOptions::default();
    if !is_claimed {
        options = options.without_content_digest();
    }
    let head = sign_head(head, &key, PayloadHash::of(payload), now, &options).ok()?;
    Some([&head, payload].concat())
}

/// An input is a byte whose low four bits count the reads and whose high ones count the changes; a byte
/// for the length of each read; two bytes for the place of each change and one for the byte there; and
/// requests, each with its length in two bytes, of which the highest bit has it signed and the next one
/// leaves out the claim.
pub(crate) fn fuzz(input: &[u8]) {
    let _ = run(input);
}

fn run(input: &[u8]) -> Option<()> {
    let (counts, rest) = input.split_first()?;
    let (lengths, rest) = rest.split_at_checked(usize::from(counts & 0xf))?;
    let lengths: Vec<usize> = lengths.iter().copied().map(usize::from).collect();
    let (changes, mut rest) = rest.split_at_checked(3 * usize::from(counts >> 4))?;
    let (mut connection, mut count, mut is_plain) = (Vec::new(), 0, changes.is_empty());
    while let [high, low, after @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([high & 0x3f, *low])).min(after.len());
        let (request, after) = after.split_at(len);
        let made = (high & 0x80 != 0).then(|| signed(request, high & 0x40 == 0)).flatten();
        is_plain &= made.is_some() && is_plain_request(request);
        connection.extend(made.unwrap_or_else(|| request.to_vec()));
        count += 1;
        rest = after;
    }
    for change in changes.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([change[0], change[1]]));
        if let Some(at) = place.checked_rem(connection.len()) {
            connection[at] = change[2];
        }
    }
    check(&connection, &lengths, is_plain.then_some(count));
    Some(())
}

/// Whether these bytes are one request, whole, that says nothing to the gateway itself which may keep it
/// from being handed on.
fn is_plain_request(request: &[u8]) -> bool {
    const SPECIAL: [&str; 9] = [
        "connection",
        "content-digest",
        "expect",
        "max-forwards",
        "te",
        "timestamp",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];

    let Some((message, [])) = lenient::request(request) else { return false };
    let content = &message.content;
    let is_special = |name: &&str| !content.values(name).is_empty();
    let is_usual = [&b"GET"[..], b"PUT"].contains(&&message.method[..]);
    content.is_whole
        && is_usual
        && message.target.starts_with(b"/")
        && !SPECIAL.iter().any(is_special)
}
