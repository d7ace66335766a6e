//! `framesign sign --payload-hash`: a head in hand, its payload elsewhere.

use framesign::PayloadHash;

use super::{Folder, Run, bare, framesign};
use crate::stages::{ACCESS_KEY, SECRET_KEY};

const HEAD: &str = "PUT /up?b=1&a HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";

fn hello() -> String {
    PayloadHash::of(b"hello").to_string()
}

fn claiming(payload: &[u8]) -> String {
    let field = format!("Content-Digest: {}\r\n\r\n", PayloadHash::of(payload).content_digest());
    HEAD.replace("\r\n\r\n", &format!("\r\n{field}"))
}

/// Signs what comes on standard input.
fn sign(arguments: &[&str], input: impl AsRef<[u8]>) -> Run {
    Run::with_stdin(framesign("sign").args(arguments), input.as_ref())
}

fn by_hash(input: impl AsRef<[u8]>) -> Run {
    sign(&["--payload-hash", &hello()], input)
}

#[test]
fn head_with_a_hash_is_signed_as_the_whole_frame() {
    for head in [HEAD.to_owned(), claiming(b"hello")] {
        let whole = sign(&[], format!("{head}hello"));
        assert_eq!(by_hash(&head).done(), whole.done());
    }
    // Lenient reading takes a payload without a length.
    let head = "PUT / HTTP/1.1\nHost: test.com\n\n";
    assert_eq!(by_hash(head).done(), sign(&[], format!("{head}hello")).done());
    // Without a payload its hash is that of nothing.
    let (head, nothing) = ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", PayloadHash::of(b"").to_string());
    assert_eq!(sign(&["--payload-hash", &nothing], head).done(), sign(&[], head).done());
}

#[test]
fn head_is_refused_where_the_hash_contradicts_it() {
    let cases = [
        (format!("{HEAD}hello"), "trailing-bytes: "),
        (format!("{HEAD}h"), "trailing-bytes: "),
        (HEAD.replace("Content-Length: 5", "Content-Length: 0"), "trailing-bytes: "),
        (HEAD.replace("\r\n\r\n", "\r\n"), "truncated-head: "),
        (claiming(b"hullo"), "expected the hash of the payload in Content-Digest"),
        (HEAD.replace("PUT", "BREW"), "method: "),
    ];
    for (input, expected) in cases {
        let run = by_hash(&input);
        assert!(run.complaint(1).starts_with(&format!("-: {expected}")), "{run:?}");
    }
    let run = sign(&["--payload-hash", &PayloadHash::of(b"").to_string()], HEAD);
    assert!(run.complaint(1).starts_with("-: truncated-body: "), "{run:?}");
}

#[test]
fn payload_behind_a_head_is_refused_before_it_is_read() {
    let folder = Folder::new("by-hash-long");
    let mut frame = HEAD.replace("Content-Length: 5", "Content-Length: 67108864").into_bytes();
    frame.resize(frame.len() + (64 << 20), b'x');
    let file = folder.file("frame", &frame);
    let run = Run::of(framesign("sign").args(["--payload-hash", &hello()]).arg(file));
    let at = format!("at byte {}", frame.len() - (64 << 20));
    assert!(run.complaint(1).ends_with(&at), "{run:?}");
}

#[test]
fn hash_is_64_lower_case_digits() {
    for hash in ["", "00", &hello().to_uppercase(), &hello().replace('2', "g")] {
        let run = sign(&["--payload-hash", hash], HEAD);
        assert!(run.complaint(2).contains("--payload-hash"), "{run:?}");
    }
}

#[test]
fn signed_head_before_its_payload_is_a_signed_frame() {
    let with_keys = |arguments: &[&str]| {
        let mut command = bare();
        command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
        command.args(arguments);
        command
    };
    for head in [HEAD.to_owned(), claiming(b"hello")] {
        let mut emit = with_keys(&["sign", "--emit", "--payload-hash", &hello()]);
        let signed = Run::with_stdin(&mut emit, head.as_bytes()).done().to_owned();
        assert!(
            signed.ends_with("\r\n\r\n")
                && signed.contains("content-digest") != head.contains("Content-Digest")
        );
        let frame = format!("{signed}hello");
        assert_eq!(
            Run::with_stdin(&mut with_keys(&["verify"]), frame.as_bytes()).done(),
            "valid\n"
        );
        let other = format!("{signed}hullo");
        assert_eq!(Run::with_stdin(&mut with_keys(&["verify"]), other.as_bytes()).code, 1);
    }
    let mut emit = with_keys(&["sign", "--emit", "--payload-hash", &hello()]);
    let refused = Run::with_stdin(&mut emit, format!("{HEAD}hello").as_bytes());
    assert!(refused.complaint(1).starts_with("-: trailing-bytes: "), "{refused:?}");
}
