//! The frames, in the order of the protocol's rows.
//!
//! A `¦` in a frame marks the byte that the error must name, and is taken out before reading.

use framesign::{ErrorKind, Limits, Rules};

pub(super) struct Reject {
    /// The ways of reading that refuse the frame so.
    pub(super) rules: Vec<Rules>,
    pub(super) kind: ErrorKind,
    pub(super) frame: String,
    pub(super) offset: usize,
    pub(super) message: String,
}

impl Reject {
    fn new(rules: Vec<Rules>, kind: ErrorKind, frame: &str, expected: &str, found: &str) -> Self {
        let offset = frame.find('¦').unwrap();
        let message = format!("{kind}: expected {expected}, found {found} at byte {offset}");
        Self { rules, kind, frame: frame.replacen('¦', "", 1), offset, message }
    }
}

/// Refused alike in both ways of reading.
fn both(kind: ErrorKind, frame: &str, expected: &str, found: &str) -> Reject {
    Reject::new(vec![Rules::strict(), Rules::lenient()], kind, frame, expected, found)
}

/// Refused so in strict reading.
fn strict(kind: ErrorKind, frame: &str, expected: &str, found: &str) -> Reject {
    Reject::new(vec![Rules::strict()], kind, frame, expected, found)
}

/// Refused so in lenient reading.
fn lenient(kind: ErrorKind, frame: &str, expected: &str, found: &str) -> Reject {
    Reject::new(vec![Rules::lenient()], kind, frame, expected, found)
}

pub(super) fn all() -> Vec<Reject> {
    [
        lines(),
        request_lines(),
        methods_and_versions(),
        targets(),
        field_names(),
        field_values(),
        folds(),
        hosts(),
        lengths(),
        ends(),
        limits(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Rows 7.1 and 7.2.
fn lines() -> Vec<Reject> {
    let (lf, cr) = (ErrorKind::BareLf, ErrorKind::BareCr);
    let crlf = "CR LF at the end of a line";
    vec![
        strict(lf, "GET / HTTP/1.1¦\nHost: a\r\n\r\n", crlf, "LF alone"),
        strict(lf, "GET / HTTP/1.1\r\nHost: a¦\n\r\n", crlf, "LF alone"),
        strict(lf, "GET / HTTP/1.1\r\nHost: a\r\n¦\n", crlf, "LF alone"),
        strict(lf, "\r\n¦\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", crlf, "LF alone"),
        both(cr, "GET / HTTP/1.1\r¦ \nHost: a\r\n\r\n", "LF after CR", "a space"),
        both(cr, "GET / HTTP/1.1\r¦\r\nHost: a\r\n\r\n", "LF after CR", "CR"),
        both(cr, "GET / HTTP/1.1\r\nHost: a\r¦b\r\n\r\n", "LF after CR", "`b`"),
        both(cr, "GET / HTTP/1.1\r\nHost: a\r\n\r¦\0\n", "LF after CR", "NUL"),
        both(cr, "\r¦\x7fGET / HTTP/1.1\r\nHost: a\r\n\r\n", "LF after CR", "byte 0x7f"),
    ]
}

/// Rows 7.4, 7.5 and 7.11.
fn request_lines() -> Vec<Reject> {
    let kind = ErrorKind::RequestLine;
    let three = "a method, a target and a version, a space between each";
    let two = "a target and a version after the method";
    let (version, other) = ("a version as HTTP/1.1", "something else");
    vec![
        both(kind, "¦GET\r\nHost: a\r\n\r\n", three, "fewer parts"),
        lenient(kind, "¦ \r\n\r\n", three, "fewer parts"),
        strict(kind, "¦ \r\n\r\n", "a method", "a space"),
        both(kind, "¦ GET / HTTP/1.1\r\nHost: a\r\n\r\n", "a method", "a space"),
        both(kind, "GET¦ HTTP/1.1\r\nHost: a\r\n\r\n", two, "one of them alone"),
        both(kind, "GET ¦ HTTP/1.1\r\n\r\n", "a target after the method", "a space"),
        strict(kind, "GET /¦ a HTTP/1.1\r\n\r\n", "a target without a space", "a space"),
        both(kind, "GET /¦\0 HTTP/1.1\r\nHost: a\r\n\r\n", "a request line without NUL", "NUL"),
        both(kind, "GET / ¦http/1.1\r\n\r\n", version, other),
        both(kind, "GET / ¦HTTP/1\0\r\n\r\n", version, other),
        both(kind, "GET / ¦HTTP/11\r\n\r\n", version, other),
        both(kind, "GET / ¦HTTP/1.10\r\n\r\n", version, other),
        both(kind, "GET / ¦HTTP/\u{e9}\r\n\r\n", version, other),
        strict(kind, "GET / ¦HTTP/1.1\t\r\n\r\n", version, other),
        both(kind, "GET / ¦a-secret\r\n\r\n", version, other),
    ]
}

/// Rows 7.5 to 7.7.
fn methods_and_versions() -> Vec<Reject> {
    let (method, version) = (ErrorKind::Method, ErrorKind::Version);
    let (eleven, ten) = ("HTTP/1.1", "HTTP/1.1 or HTTP/1.0");
    let known = "GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE or a method allowed by name";
    vec![
        strict(version, "GET / ¦HTTP/1.0\r\nHost: a\r\n\r\n", eleven, "`HTTP/1.0`"),
        strict(version, "GET / ¦HTTP/2.0\r\nHost: a\r\n\r\n", eleven, "`HTTP/2.0`"),
        lenient(version, "GET / ¦HTTP/2.0\r\nHost: a\r\n\r\n", ten, "`HTTP/2.0`"),
        both(method, "¦PATCH / HTTP/1.1\r\nHost: a\r\n\r\n", known, "`PATCH`"),
        both(method, "\r\n\r\n¦get / HTTP/1.1\r\nHost: a\r\n\r\n", known, "`get`"),
        both(method, "¦G(T / HTTP/1.1\r\nHost: a\r\n\r\n", known, "no token"),
        both(
            method,
            "¦A234567890123456789012 / HTTP/1.1\r\n\r\n",
            known,
            "`A2345678901234567890…`",
        ),
    ]
}

/// Rows 7.8 and 7.9, section 4.
fn targets() -> Vec<Reject> {
    let (target, differs) = (ErrorKind::Target, ErrorKind::Authority);
    let form = "a path, or a URI of http or https";
    let byte = "a byte of RFC 3986 or a complete %XX in the target";
    let authority = "an authority after the scheme";
    let connect = "host and port as target of CONNECT";
    let same = "the authority of the target to be the value of Host";
    let end = "the end of the line";
    vec![
        both(target, "GET ¦a HTTP/1.1\r\nHost: a\r\n\r\n", form, "`a`"),
        both(target, "GET ¦* HTTP/1.1\r\nHost: a\r\n\r\n", form, "`*`"),
        both(target, "OPTIONS ¦*? HTTP/1.1\r\nHost: a\r\n\r\n", form, "`*`"),
        both(target, "GET ¦ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", form, "`f`"),
        both(target, "GET http://¦/a HTTP/1.1\r\nHost: a\r\n\r\n", authority, "`/`"),
        both(target, "GET http://¦ HTTP/1.1\r\nHost: a\r\n\r\n", authority, end),
        both(target, "CONNECT ¦/ HTTP/1.1\r\nHost: a\r\n\r\n", connect, "`/`"),
        both(target, "CONNECT ¦a: HTTP/1.1\r\nHost: a:\r\n\r\n", connect, "`a`"),
        strict(target, "CONNECT a¦%zz:1 HTTP/1.1\r\nHost: a%zz:1\r\n\r\n", byte, "`%`"),
        strict(target, "GET /a¦#b HTTP/1.1\r\nHost: a\r\n\r\n", byte, "`#`"),
        strict(target, "GET /¦[ HTTP/1.1\r\nHost: a\r\n\r\n", byte, "`[`"),
        strict(target, "GET /?a=¦\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", byte, "byte 0xc3"),
        strict(target, "GET /¦%4 HTTP/1.1\r\nHost: a\r\n\r\n", byte, "`%`"),
        strict(target, "GET /¦\t HTTP/1.1\r\nHost: a\r\n\r\n", byte, "a tab"),
        strict(target, "GET http://¦#/ HTTP/1.1\r\nHost: #\r\n\r\n", byte, "`#`"),
        both(differs, "GET http://¦a/ HTTP/1.1\r\nHost: b\r\n\r\n", same, "another one"),
        both(differs, "GET http://¦u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", same, "another one"),
        lenient(differs, "GET http://¦ab/ HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", same, "another one"),
        lenient(differs, "GET http://¦ab/ HTTP/1.1\r\nHost:\r\n cd\r\n\r\n", same, "another one"),
        lenient(differs, "GET http://¦ab/ HTTP/1.1\r\nHost: a\r\n\r\n", same, "another one"),
        both(differs, "CONNECT ¦a:80 HTTP/1.1\r\nHost: a\r\n\r\n", same, "another one"),
    ]
}

/// Rule 7.10.
fn field_names() -> Vec<Reject> {
    let kind = ErrorKind::HeaderName;
    let (name, colon) = ("a field name", "a colon after the field name");
    vec![
        both(kind, "GET / HTTP/1.1\r\nHost¦\r\n\r\n", colon, "the end of the line"),
        both(kind, "GET / HTTP/1.1\r\nHost¦ : a\r\n\r\n", colon, "a space"),
        both(kind, "GET / HTTP/1.1\r\nHost¦\t: a\r\n\r\n", colon, "a tab"),
        both(kind, "GET / HTTP/1.1\r\nHost: a\r\nb¦(c: d\r\n\r\n", colon, "`(`"),
        both(kind, "GET / HTTP/1.1\r\nHost: a\r\nb¦\0: d\r\n\r\n", colon, "NUL"),
        both(kind, "GET / HTTP/1.1\r\nHost: a\r\nb¦\u{e9}: d\r\n\r\n", colon, "byte 0xc3"),
        both(kind, "GET / HTTP/1.1\r\n¦: a\r\n\r\n", name, "`:`"),
        both(kind, "GET / HTTP/1.1\r\n¦(: a\r\n\r\n", name, "`(`"),
    ]
}

/// Rows 7.11 and 7.12.
fn field_values() -> Vec<Reject> {
    let kind = ErrorKind::HeaderValue;
    let (control, nul) = ("no control byte but tab in a field value", "no NUL in a field value");
    vec![
        strict(kind, "GET / HTTP/1.1\r\nHost: a\r\nb: c\t¦\0\r\n\r\n", control, "NUL"),
        lenient(kind, "GET / HTTP/1.1\r\nHost: a\r\nb: \x01¦\0\r\n\r\n", nul, "NUL"),
        lenient(kind, "GET / HTTP/1.1\r\nHost: a\r\n b\r\n c¦\0\r\n\r\n", nul, "NUL"),
        strict(kind, "GET / HTTP/1.1\r\nHost: a\r\nb:¦\x0b\r\n\r\n", control, "byte 0x0b"),
        strict(kind, "GET / HTTP/1.1\r\nHost: a\r\nb: \u{e9}¦\x7f\r\n\r\n", control, "byte 0x7f"),
    ]
}

/// Rule 7.14.
fn folds() -> Vec<Reject> {
    let kind = ErrorKind::ObsFold;
    let blank = "a line that starts with whitespace";
    let field = "a field before its continuation";
    vec![
        strict(kind, "GET / HTTP/1.1\r\nHost: a\r\n¦ b\r\n\r\n", "a field line", blank),
        strict(kind, "GET / HTTP/1.1\r\nHost: a\r\n¦\t\r\n\r\n", "a field line", blank),
        strict(kind, "GET / HTTP/1.1\r\n¦ Host: a\r\n\r\n", "a field line", blank),
        lenient(kind, "GET / HTTP/1.1\r\n¦ Host: a\r\n\r\n", field, blank),
    ]
}

/// Rule 7.15.
fn hosts() -> Vec<Reject> {
    let kind = ErrorKind::Host;
    let host = "a host, or nothing";
    let other = "something else";
    vec![
        strict(kind, "GET / HTTP/1.1\r\n\r\n¦", "a Host", "none"),
        both(
            kind,
            "GET / HTTP/1.1\r\nHost: a\r\nb: c\r\n¦host: a\r\n\r\n",
            "one Host",
            "a further one",
        ),
        strict(kind, "GET / HTTP/1.1\r\nHost: ¦a b\r\n\r\n", host, other),
        strict(kind, "GET / HTTP/1.1\r\nHost:¦u@a\r\n\r\n", host, other),
        strict(kind, "GET / HTTP/1.1\r\nHost: ¦a:b\r\n\r\n", host, other),
        strict(kind, "GET / HTTP/1.1\r\nHost: ¦:80\r\n\r\n", host, other),
        strict(kind, "GET / HTTP/1.1\r\nHost: ¦a%4\r\n\r\n", host, other),
        strict(kind, "GET / HTTP/1.1\r\nHost: ¦[::1\r\n\r\n", host, other),
    ]
}

/// Rows 7.16 to 7.18.
fn lengths() -> Vec<Reject> {
    let (encoding, length) = (ErrorKind::TransferEncoding, ErrorKind::ContentLength);
    let (known, chunked) = ("a payload of known length", "a Transfer-Encoding");
    let (digits, one) = ("digits alone as Content-Length", "one or more digits as Content-Length");
    let (below, same) = ("a Content-Length below 2^64", "the same Content-Length each time");
    let field = |line: &str| format!("PUT / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\nhello");
    vec![
        both(encoding, &field("¦Transfer-Encoding: chunked"), known, chunked),
        both(encoding, &field("¦transfer-encoding:"), known, chunked),
        both(encoding, &field("Content-Length: 5\r\n¦Transfer-Encoding: a"), known, chunked),
        both(encoding, &field("Content-Length: x\r\n¦Transfer-Encoding: a"), known, chunked),
        both(length, &field("Content-Length: ¦+5"), digits, "`+`"),
        both(length, &field("Content-Length: ¦-5"), digits, "`-`"),
        both(length, &field("Content-Length: ¦5 5"), digits, "a space"),
        both(length, &field("Content-Length: ¦0x5"), digits, "`x`"),
        both(length, &field("Content-Length:¦"), one, "none"),
        both(length, &field("Content-Length: ¦18446744073709551616"), below, "a larger number"),
        strict(length, &field("Content-Length: ¦5, 5"), digits, "`,`"),
        lenient(length, &field("Content-Length: 5,¦"), one, "none"),
        lenient(length, &field("Content-Length: ¦,5"), one, "none"),
        lenient(length, &field("Content-Length: 5,¦ 6"), same, "6"),
        strict(
            length,
            &field("Content-Length: 5\r\n¦content-length: 5"),
            "one Content-Length",
            "a further one",
        ),
        lenient(length, &field("Content-Length: 5\r\ncontent-length: ¦6"), same, "6"),
        lenient(length, &field("Content-Length: 5,¦\r\n 6"), same, "6"),
        lenient(length, &field("Content-Length: ¦5\r\n 5"), digits, "CR"),
        lenient(length, &field("Content-Length: ¦5\x0c"), digits, "byte 0x0c"),
        strict(
            length,
            "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n¦Content-Length: 0\r\n\r\n",
            "no Content-Length with CONNECT",
            "one",
        ),
    ]
}

/// Rows 7.19 to 7.22.
fn ends() -> Vec<Reject> {
    let (head, body) = (ErrorKind::TruncatedHead, ErrorKind::TruncatedBody);
    let trailing = ErrorKind::TrailingBytes;
    let empty = "the empty line that ends the head";
    let (end, input, further) = ("the end of the frame", "the end of the input", "a further byte");
    let payload = |length: &str, payload: &str| {
        format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{payload}")
    };
    vec![
        both(head, "¦", empty, input),
        both(head, "\r\n\r\n¦", empty, input),
        both(head, "GET / HT¦", empty, input),
        both(head, "GET / HTTP/1.1\r\nHost: a\r\n\r¦", empty, input),
        both(body, &payload("5", "¦"), "5 bytes of payload", "0"),
        both(body, &payload("05", "hell¦"), "5 bytes of payload", "4"),
        both(
            body,
            &payload("18446744073709551615", "hell¦"),
            "18446744073709551615 bytes of payload",
            "4",
        ),
        both(trailing, &payload("5", "hello¦!"), end, further),
        both(trailing, &payload("0", "¦\r\n"), end, further),
        strict(trailing, "PUT / HTTP/1.1\r\nHost: a\r\n\r\n¦hello", end, further),
    ]
}

/// Rows 7.23 and 7.24, with limits that a person can count.
fn limits() -> Vec<Reject> {
    let (head, lines) = (ErrorKind::HeadTooLarge, ErrorKind::TooManyHeaders);
    let with = |limits: Limits| {
        vec![Rules::strict().limits(limits.clone()), Rules::lenient().limits(limits)]
    };
    let bytes = || with(Limits::default().max_head(20));
    let two = || with(Limits::default().max_headers(2));
    let none = || with(Limits::default().max_headers(0));
    let folded = "GET / HTTP/1.1\r\na:\r\n b\r\n c\r\nd:\r\n e\r\n¦f:\r\n\r\n";
    vec![
        Reject::new(
            bytes(),
            head,
            "GET /aaaaaaaaaaaaaaa¦ HTTP/1.1\r\nHost: a\r\n\r\n",
            "at most 20 bytes of head",
            "more",
        ),
        Reject::new(
            bytes(),
            head,
            "GET / HTTP/1.1\r\na:\r\n¦\r\n",
            "at most 20 bytes of head",
            "more",
        ),
        Reject::new(
            bytes(),
            head,
            "\r\n\r\nGET / HTTP/1.1\r\n¦\r\n",
            "at most 20 bytes of head",
            "more",
        ),
        Reject::new(
            two(),
            lines,
            "GET / HTTP/1.1\r\nHost: a\r\nb:\r\n¦c:\r\n\r\n",
            "at most 2 field lines",
            "a further one",
        ),
        Reject::new(
            vec![Rules::lenient().limits(Limits::default().max_headers(2))],
            lines,
            folded,
            "at most 2 field lines",
            "a further one",
        ),
        Reject::new(
            none(),
            lines,
            "GET / HTTP/1.1\r\n¦Host: a\r\n\r\n",
            "at most 0 field lines",
            "a further one",
        ),
    ]
}
