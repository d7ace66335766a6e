//! Frames that something has gone wrong with: mutations of right ones.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{lenient, valid};

/// Bytes that have a meaning somewhere in a frame.
const INTERESTING: &[u8] = b"\r\n\r\n\0 \t:%+,0915/#?&=*[]@;aG\x01\x0b\x7f\x80\xff";

const SPECIAL_LINES: &[&str] = &[
    "Host: test.com",
    "host:",
    "HOST: a b",
    "Host: a:b:c",
    "Host: a@b",
    "Host: a%4",
    "Content-Length: 0",
    "Content-Length: 5",
    "Content-Length: 05, 5",
    "Content-Length: 5,",
    "content-length: +5",
    "Content-Length:",
    "Content-Length: 5 5",
    "Content-Length: 18446744073709551615",
    "Content-Length: 18446744073709551616",
    "Content-Length: 000000000000000000000000000",
    "Transfer-Encoding: chunked",
    "transfer-encoding:",
    "Transfer-Encoding : chunked",
    "Connection: close",
    "Upgrade: h2c",
    "garbage",
    ": 1",
    "A : 1",
    " fold",
    "\t",
    "\0",
    "A: 1\r",
];

const REQUEST_LINES: &[&str] = &[
    "GET / HTTP/1.0",
    "GET / HTTP/2.0",
    "GET / HTTP/2",
    "GET / http/1.1",
    "GET /  HTTP/1.1",
    "GET\t/ HTTP/1.1",
    "GET / HTTP/1.1 ",
    "GET / HTTP/1.1\t",
    "GET /\t HTTP/1.1",
    " GET / HTTP/1.1",
    "GET HTTP/1.1",
    "GET",
    " ",
    "get / HTTP/1.1",
    "PATCH / HTTP/1.1",
    "G(T / HTTP/1.1",
    "GET * HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "OPTIONS http://test.com HTTP/1.1",
    "OPTIONS *? HTTP/1.1",
    "GET a HTTP/1.1",
    "GET http:///p HTTP/1.1",
    "GET http://u@test.com/ HTTP/1.1",
    "GET http://test.com#x/p HTTP/1.1",
    "GET http://other.com/p HTTP/1.1",
    "GET https://test.com:443/p HTTP/1.1",
    "GET //test.com/p?[] HTTP/1.1",
    "GET /%4?%zz#\u{e9} HTTP/1.1",
    "CONNECT test.com:443 HTTP/1.1",
    "CONNECT test.com: HTTP/1.1",
    "CONNECT [::1]:443 HTTP/1.1",
    "CONNECT a%zz:443 HTTP/1.1",
    "CONNECT / HTTP/1.1",
];

#[derive(Clone, Debug)]
enum Mutation {
    Replace(Place, u8),
    Flip(Place, u8),
    Insert(Place, u8),
    Delete(Place, usize),
    Duplicate(Place, usize),
    Truncate(Place),
    Splice(Place, Place, Vec<u8>),
    SpecialLine(Index, String),
    RequestLine(String),
    Append(Vec<u8>),
    /// Repeats a field line until the limits are passed.
    Flood(usize, usize),
}

/// A place in a frame; heads are a small part of some frames and the larger part of what can go
/// wrong.
#[derive(Clone, Debug)]
struct Place {
    is_in_head: bool,
    index: Index,
}

pub(crate) fn mutated() -> impl Strategy<Value = Vec<u8>> {
    (prop_oneof![valid(), lenient()], mutations()).prop_map(apply_all)
}

/// One alone shows a reason to refuse by itself, several show how reasons meet.
fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    prop_oneof![2 => vec(mutation(), 1), 1 => vec(mutation(), 2..4)]
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let interesting = || prop_oneof![4 => select(INTERESTING), 1 => any::<u8>()];
    let known_line = select(SPECIAL_LINES).prop_map(str::to_owned);
    let special_line = prop_oneof![4 => known_line, 1 => "Content-Length: [0-9]{1,3}"];
    let end = prop_oneof![Just("\r\n"), Just("\r\n"), Just("\r\n"), Just("\n")];
    let special_line = (special_line, end).prop_map(|(line, end)| line + end);
    let other = || prop_oneof![valid(), lenient()];
    let flood = prop_oneof![(120_usize..135, Just(0)), (Just(1), 65_000_usize..66_000)];
    prop_oneof![
        6 => (place(), interesting()).prop_map(|(place, byte)| Mutation::Replace(place, byte)),
        2 => (place(), 0_u8..8).prop_map(|(place, bit)| Mutation::Flip(place, bit)),
        6 => (place(), interesting()).prop_map(|(place, byte)| Mutation::Insert(place, byte)),
        4 => (place(), 1_usize..4).prop_map(|(place, count)| Mutation::Delete(place, count)),
        4 => (place(), 1_usize..20).prop_map(|(place, count)| Mutation::Duplicate(place, count)),
        2 => place().prop_map(Mutation::Truncate),
        2 => (place(), place(), other()).prop_map(|(to, from, f)| Mutation::Splice(to, from, f)),
        8 => (any::<Index>(), special_line).prop_map(|(at, line)| Mutation::SpecialLine(at, line)),
        5 => select(REQUEST_LINES).prop_map(|line| Mutation::RequestLine(line.to_owned())),
        2 => vec(interesting(), 1..6).prop_map(Mutation::Append),
        1 => flood.prop_map(|(lines, width)| Mutation::Flood(lines, width)),
    ]
}

fn place() -> impl Strategy<Value = Place> {
    (prop_oneof![4 => Just(true), 1 => Just(false)], any::<Index>())
        .prop_map(|(is_in_head, index)| Place { is_in_head, index })
}

impl Place {
    /// From 0 to the length, both included.
    fn of(&self, frame: &[u8]) -> usize {
        self.index.index(if self.is_in_head { head_length(frame) } else { frame.len() } + 1)
    }
}

fn apply_all((frame, mutations): (Vec<u8>, Vec<Mutation>)) -> Vec<u8> {
    let mut frame = frame;
    for mutation in mutations {
        apply(&mut frame, mutation);
    }
    frame
}

fn apply(frame: &mut Vec<u8>, mutation: Mutation) {
    match mutation {
        Mutation::Replace(place, byte) => {
            if let Some(old) = at(frame, &place) {
                *old = byte;
            }
        }
        Mutation::Flip(place, bit) => {
            if let Some(old) = at(frame, &place) {
                *old ^= 1 << bit;
            }
        }
        Mutation::Insert(place, byte) => frame.insert(place.of(frame), byte),
        Mutation::Delete(place, count) => {
            let start = place.of(frame);
            frame.drain(start..frame.len().min(start + count));
        }
        Mutation::Duplicate(place, count) => {
            let start = place.of(frame);
            let copy = frame[start..frame.len().min(start + count)].to_vec();
            insert(frame, start, &copy);
        }
        Mutation::Truncate(place) => frame.truncate(place.of(frame)),
        Mutation::Splice(to, from, other) => {
            frame.truncate(to.of(frame));
            frame.extend(&other[from.of(&other)..]);
        }
        Mutation::SpecialLine(index, line) => {
            let starts = line_starts(frame);
            insert(frame, starts[index.index(starts.len())], line.as_bytes());
        }
        Mutation::RequestLine(line) => replace_request_line(frame, line.as_bytes()),
        Mutation::Append(bytes) => frame.extend(bytes),
        Mutation::Flood(lines, width) => {
            let line = format!("F:{}\r\n", "x".repeat(width));
            let start = line_starts(frame).get(1).copied().unwrap_or(0);
            insert(frame, start, line.repeat(lines).as_bytes());
        }
    }
}

fn at<'a>(frame: &'a mut [u8], place: &Place) -> Option<&'a mut u8> {
    let at = place.of(frame);
    frame.get_mut(at)
}

fn insert(frame: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    frame.splice(at..at, bytes.iter().copied());
}

fn replace_request_line(frame: &mut Vec<u8>, line: &[u8]) {
    let start = frame.iter().position(|b| !b"\r\n".contains(b)).unwrap_or(0);
    let rest = &frame[start..];
    let length = rest.iter().position(|b| b"\r\n".contains(b)).unwrap_or(rest.len());
    frame.splice(start..start + length, line.iter().copied());
}

/// About where the head ends: behind the first two line ends that stand together, leading ones left
/// out.
fn head_length(frame: &[u8]) -> usize {
    let start = frame.iter().position(|b| !b"\r\n".contains(b)).unwrap_or(0);
    let ends = (start..frame.len())
        .filter(|&at| frame[at..].starts_with(b"\n\r\n") || frame[at..].starts_with(b"\n\n"));
    ends.map(|at| at + 3).next().unwrap_or(frame.len()).min(frame.len())
}

/// The starts of the lines of the head, the first one too.
fn line_starts(frame: &[u8]) -> Vec<usize> {
    let ends = frame[..head_length(frame)].iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect()
}
