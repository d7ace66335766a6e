//! Strategies for frames, right and wrong, and for the ways in which they can be cut into chunks.

mod mutate;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) use mutate::mutated;

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"];

/// Frames that strict reading accepts, so lenient reading too.
pub(crate) fn valid() -> impl Strategy<Value = Vec<u8>> {
    (leading("\r\n"), strict_start(), vec(strict_field(), 0..6), strict_payload(), any::<u64>())
        .prop_map(|(leading, start, fields, payload, order)| {
            let mut lines: Vec<Vec<u8>> = fields;
            lines.push(start.host.unwrap_or_default());
            let mut body = Vec::new();
            if start.method != "CONNECT" {
                lines.extend(payload.0);
                body = payload.1;
            }
            shuffle(&mut lines, order);
            let mut frame = leading;
            frame.extend([start.method.as_bytes(), b" ", &start.target, b" HTTP/1.1\r\n"].concat());
            for line in lines {
                frame.extend([&line[..], b"\r\n"].concat());
            }
            frame.extend([b"\r\n", &body[..]].concat());
            frame
        })
}

/// Frames that lenient reading accepts. Each repair is rare enough for strict reading to have one
/// reason to refuse.
pub(crate) fn lenient() -> impl Strategy<Value = Vec<u8>> {
    let odd_ends = prop_oneof![3 => Just("\r\n"), 1 => Just("\n")];
    let ends = prop_oneof![3 => Just(vec!["\r\n"]), 1 => vec(odd_ends, 1..9)];
    let odd_gaps = ("( [ \t]{0,2})", "([ \t]{0,2} )", "[ \t]{0,2}");
    let gaps = prop_oneof![3 => Just((" ".into(), " ".into(), String::new())), 1 => odd_gaps];
    let version = prop_oneof![5 => Just("HTTP/1.1"), 1 => Just("HTTP/1.0")];
    let start = prop_oneof![3 => strict_start(), 2 => lenient_start()];
    let fields = prop_oneof![2 => vec(strict_field(), 0..6), 1 => vec(lenient_field(), 1..6)];
    let payload = prop_oneof![2 => strict_payload(), 1 => lenient_payload()];
    (start, gaps, version, fields, payload, ends, 0_usize..6, any::<u64>()).prop_map(
        |(start, gaps, version, mut lines, (lengths, body), ends, leading, order)| {
            lines.extend(start.host);
            lines.extend(lengths);
            shuffle(&mut lines, order);
            let target = &start.target;
            let gaps = [gaps.0.as_bytes(), gaps.1.as_bytes(), gaps.2.as_bytes()];
            let request =
                [start.method.as_bytes(), gaps[0], target, gaps[1], version.as_bytes(), gaps[2]];
            lines.insert(0, request.concat());
            lines.splice(0..0, vec![Vec::new(); leading.saturating_sub(3)]);
            lines.push(Vec::new());
            let mut frame = Vec::new();
            for (line, end) in lines.iter().zip(ends.iter().cycle()) {
                frame.extend([line, end.as_bytes()].concat());
            }
            frame.extend(body);
            frame
        },
    )
}

/// Lengths of chunks, empty ones among them.
pub(crate) fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        1 => Just(vec![1]),
        1 => Just(vec![1, 0]),
        4 => vec(0_usize..6, 1..12),
        4 => vec(0_usize..80, 1..12),
        1 => vec(prop_oneof![Just(0_usize), Just(1), 1_usize..70_000], 1..4),
    ]
}

#[derive(Clone, Debug)]
struct Start {
    method: String,
    target: Vec<u8>,
    host: Option<Vec<u8>>,
}

impl Start {
    fn new(method: &str, target: impl Into<Vec<u8>>, host: Option<String>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.into(),
            host: host.map(String::into_bytes),
        }
    }
}

fn strict_start() -> impl Strategy<Value = Start> {
    let origin = (select(&METHODS[..]), strict_path(), strict_query(), host_line(host()))
        .prop_map(|(method, path, query, host)| Start::new(method, path + &query, Some(host)));
    let absolute =
        (select(&METHODS[..]), select(&["http://", "HTTPS://", "hTTp://"][..]), full_host())
            .prop_flat_map(|(method, scheme, host)| {
                let path = prop_oneof![Just(String::new()), strict_path()];
                (
                    Just(method),
                    Just(scheme),
                    odd_case(host.clone()),
                    path,
                    strict_query(),
                    host_line(Just(host)),
                )
            })
            .prop_map(|(method, scheme, authority, path, query, host)| {
                Start::new(method, [scheme, &authority, &path, &query].concat(), Some(host))
            });
    let asterisk = host_line(host()).prop_map(|host| Start::new("OPTIONS", "*", Some(host)));
    prop_oneof![6 => origin, 3 => absolute, 1 => asterisk, 1 => connect()]
}

fn connect() -> impl Strategy<Value = Start> {
    (bare_host(), "[0-9]{1,5}")
        .prop_map(|(host, port)| format!("{host}:{port}"))
        .prop_flat_map(|authority| (odd_case(authority.clone()), host_line(Just(authority))))
        .prop_map(|(target, host)| Start::new("CONNECT", target, Some(host)))
}

fn lenient_start() -> impl Strategy<Value = Start> {
    let no_host_or = |host| prop_oneof![1 => Just(None), 3 => host_line(host).prop_map(Some)];
    let origin =
        (select(&METHODS[..]), raw_target(), no_host_or("([!-~][ -~]{0,8}[!-~])?".boxed()))
            .prop_map(|(method, rest, host)| Start::new(method, [b"/", &rest[..]].concat(), host));
    let absolute = (
        "[a-z0-9#.:\\[\\] %]{1,8}".prop_map(|text| format!("h{text}x")),
        any::<bool>(),
        raw_target(),
    )
        .prop_flat_map(|(authority, has_host, rest)| {
            let host = host_line(Just(authority.clone()));
            (odd_case(authority), host.prop_map(move |host| has_host.then_some(host)), Just(rest))
        })
        .prop_map(|(authority, host, rest)| {
            Start::new("GET", [b"http://", authority.as_bytes(), b"/", &rest].concat(), host)
        });
    prop_oneof![2 => origin, 1 => absolute]
}

/// Pieces that meet each other in a target: escapes that are needed or not, plus, repeats, dots,
/// separators.
fn strict_piece() -> impl Strategy<Value = String> {
    let odd = select(
        &[
            "%2f", "%2F", "%41", "%7e", "%20", "%2B", "%25", "%252f", "%26", "%3D", "%2C", "%00",
            "%ff",
        ][..],
    );
    let plain = select(
        &["a", "b", "A", "1", "+", "++", ".", "..", "-", "_", "~", "!", "$", "'", "(", ")", "*"][..],
    );
    let marks = select(&[",", ";", ":", "@", "a=1", "==", "aa"][..]);
    prop_oneof![odd, plain, marks].prop_map(str::to_owned)
}

fn strict_path() -> impl Strategy<Value = String> {
    let separator = Just("/".to_owned()).boxed();
    vec(prop_oneof![2 => strict_piece().boxed(), 1 => separator], 0..10)
        .prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn strict_query() -> impl Strategy<Value = String> {
    let separators = select(&["&", "&", "&&", "=", "/", "?"][..]).prop_map(str::to_owned);
    let pieces = vec(prop_oneof![3 => strict_piece().boxed(), 2 => separators.boxed()], 0..16);
    let query = pieces.prop_map(|pieces| format!("?{}", pieces.concat()));
    prop_oneof![1 => Just(String::new()), 3 => query]
}

fn raw_target() -> impl Strategy<Value = Vec<u8>> {
    let broken = select(
        &[
            "%", "%2", "%zz", "%%41", " ", "  ", "\t", "#", "?", "&", "=", "+", "/", "[", "\"",
            "\u{b1}",
        ][..],
    );
    let piece = prop_oneof![
        3 => broken.prop_map(|text| text.as_bytes().to_vec()),
        3 => strict_piece().prop_map(String::into_bytes),
        1 => any::<u8>().prop_map(|byte| without_line_bytes(vec![byte])),
    ];
    vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

fn bare_host() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("test.com".to_owned()),
        "[A-Za-z0-9._~!$&'()*+,;=-]{1,10}",
        "\\[[0-9a-fA-F:.]{1,12}\\]",
        "a_b%4[0-9a-fA-F]"
    ]
}

/// A Host that can be an authority too.
fn full_host() -> impl Strategy<Value = String> {
    (bare_host(), "(:[0-9]{0,5})?").prop_map(|(host, port)| host + &port)
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just(String::new()), 9 => full_host()]
}

fn host_line(host: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (odd_case("host".to_owned()), "[ \t]{0,2}", host, "[ \t]{0,2}").prop_map(
        |(name, before, host, after)| [name, ":".to_owned(), before, host, after].concat(),
    )
}

fn odd_case(text: String) -> impl Strategy<Value = String> {
    let flip = |(at, c): (usize, char), flips: u64| {
        if flips >> (at % 64) & 1 == 1 { c.to_ascii_uppercase() } else { c }
    };
    any::<u64>()
        .prop_map(move |flips| text.chars().enumerate().map(|part| flip(part, flips)).collect())
}

/// Names that come back in another case, names that sort close to each other, and any token but the
/// special ones.
fn field_name() -> impl Strategy<Value = String> {
    let known = select(
        &[
            "a",
            "A",
            "B",
            "b!",
            "b-a",
            "B_a",
            "ba",
            "Choice",
            "choice",
            "Timestamp",
            "dynata-signature",
        ][..],
    );
    let token =
        "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}".prop_filter("a special field", |name| !is_special(name));
    prop_oneof![2 => known.prop_map(str::to_owned), 1 => token]
}

fn is_special(name: &str) -> bool {
    ["host", "content-length", "transfer-encoding"]
        .iter()
        .any(|special| name.eq_ignore_ascii_case(special))
}

fn strict_field() -> impl Strategy<Value = Vec<u8>> {
    let value = vec(
        prop_oneof![3 => b'!'..=b'~', 2 => Just(b' '), 1 => Just(b'\t'), 1 => 0x80..=0xff_u8],
        0..12,
    );
    (field_name(), value).prop_map(|(name, value)| [name.as_bytes(), b":", &value].concat())
}

fn lenient_field() -> impl Strategy<Value = Vec<u8>> {
    let value = vec(prop_oneof![2 => any::<u8>(), 1 => Just(b' '), 2 => b'a'..=b'e'], 0..10)
        .prop_map(without_line_bytes);
    let fold = (select(&["\r\n ", "\r\n\t", "\n ", "\n \t "][..]), value.clone())
        .prop_map(|(start, value)| [start.as_bytes(), &value].concat());
    let folds = prop_oneof![3 => Just(Vec::new()), 1 => vec(fold, 1..4)];
    (field_name(), value, folds)
        .prop_map(|(name, value, folds)| [name.as_bytes(), b":", &value, &folds.concat()].concat())
}

fn without_line_bytes(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.retain(|byte| !b"\0\r\n".contains(byte));
    bytes
}

/// The field lines that state the length, and the payload.
type Payload = (Vec<Vec<u8>>, Vec<u8>);

fn strict_payload() -> impl Strategy<Value = Payload> {
    let stated = (body(), odd_case("content-length".to_owned()), "[ \t]{0,2}0{0,3}", "[ \t]{0,2}")
        .prop_map(|(body, name, before, after)| {
            (vec![format!("{name}:{before}{}{after}", body.len()).into_bytes()], body)
        });
    prop_oneof![1 => Just((Vec::new(), Vec::new())), 3 => stated]
}

fn lenient_payload() -> impl Strategy<Value = Payload> {
    let member = "[ \t]{0,2}0{0,2}";
    let listed = (body(), vec((member, any::<bool>()), 1..4)).prop_map(|(body, members)| {
        let mut lines = Vec::new();
        let mut line = "Content-Length: ".to_owned();
        let count = members.len();
        for (at, (before, is_line_end)) in members.into_iter().enumerate() {
            line = format!("{line}{before}{}", body.len());
            if is_line_end || at + 1 == count {
                lines.push(line.into_bytes());
                line = String::from("content-length:\r\n ");
            } else {
                line.push_str(" ,");
            }
        }
        (lines, body)
    });
    prop_oneof![1 => body().prop_map(|body| (Vec::new(), body)), 1 => listed]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => Just(Vec::new()),
        2 => vec(any::<u8>(), 1..40),
        1 => Just(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        1 => vec(any::<u8>(), 200..600),
    ]
}

fn leading(line_end: &'static str) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => Just(0), 1 => 1_usize..4]
        .prop_map(move |count| line_end.repeat(count).into_bytes())
}

/// A fixed shuffle: the order is a value of the strategy, so that a failing frame comes back as it
/// was.
fn shuffle(lines: &mut [Vec<u8>], order: u64) {
    let mut order = order;
    for at in (1..lines.len()).rev() {
        let choices = at as u64 + 1;
        let with = usize::try_from(order % choices).expect("below the number of lines");
        order /= choices;
        lines.swap(at, with);
    }
}
