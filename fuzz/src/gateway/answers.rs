//! Each answer that the client reads is that of the upstream to its request, or one of the gateway's.

use std::rc::Rc;

use super::{
    message::{Response, lenient, strict},
    sockets::{Reply, UNSIGNED, send},
};
use crate::properties::cuts::chunks;

/// A request, and what the upstream answers to it.
#[derive(Clone, Debug)]
struct Exchange {
    method: &'static str,
    answer: Vec<u8>,
    closes: bool,
}

impl Exchange {
    fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// The answer, as a lenient client has it.
    fn sent(&self) -> Option<lenient::Answer<'_>> {
        lenient::answer(&self.answer, self.is_head())
    }

    /// Whether the answer ends too early, or has chunks or trailers that may be none to a stricter reader.
    fn can_break_off(&self) -> bool {
        let Some(sent) = self.sent() else { return true };
        let content = &sent.response.content;
        !content.is_whole || !content.values("transfer-encoding").is_empty()
    }

    /// Whether the upstream closes the connection behind the answer: also if nothing more can come on it,
    /// since somebody would wait for it.
    fn closes(&self) -> bool {
        let Some(sent) = self.sent() else { return true };
        // Some readers wait for another end of line behind one that is no more than a line feed.
        let mut ends = self.answer.split(|byte| *byte == b'\n').rev().skip(1);
        let has_bare_line_feed = ends.any(|line| !line.ends_with(b"\r"));
        self.closes || sent.is_until_close || has_bare_line_feed || !sent.response.content.is_whole
    }

    /// The request of this number on its connection.
    fn request(&self, number: usize) -> Vec<u8> {
        let body = if self.method == "PUT" { "Content-Length: 3\r\n\r\nput" } else { "\r\n" };
        format!("{} {UNSIGNED}/{number} HTTP/1.1\r\nHost: h\r\n{body}", self.method).into()
    }

    /// The answer, in writes of these lengths. What is behind an answer comes with it, since nobody can
    /// tell later whether it answers the next request.
    fn reply(&self, lengths: &[usize]) -> Reply {
        let has_more = self.sent().is_some_and(|sent| !sent.after.is_empty());
        let writes = chunks(&self.answer, if has_more { &[] } else { lengths });
        Reply { writes: writes.into_iter().map(<[u8]>::to_vec).collect(), closes: self.closes() }
    }

    /// Whether it is an answer that nobody may refuse, on a connection that goes on.
    fn is_plain(&self) -> bool {
        const SPECIAL: [&str; 4] = ["connection", "trailer", "transfer-encoding", "upgrade"];

        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(_)) = head.parse(&self.answer) else { return false };
        let is_usual = head.version == Some(1)
            && head.code.is_some_and(|code| (200..=599).contains(&code) && code != 205);
        let Some(sent) = self.sent() else { return false };
        let content = &sent.response.content;
        let [length] = content.values("content-length")[..] else { return false };
        is_usual
            && !self.closes()
            && sent.after.is_empty()
            && length.iter().all(u8::is_ascii_digit)
            && SPECIAL.iter().all(|name| content.values(name).is_empty())
    }

    /// Whether `response` is what the upstream has answered.
    fn is_answered_by(&self, response: &Response) -> bool {
        const OWN: &str = "x-own";

        let Some(sent) = self.sent().map(|sent| sent.response) else { return false };
        let content = &sent.content;
        // Nobody may ask for another coding, and what it has made of the body cannot be told.
        let codings = content.values("transfer-encoding");
        let is_understood = codings.iter().all(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        // What Connection names goes no further.
        let options = content.values("connection").join(&b',');
        let mut options = options.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let own = if options.any(|option| option.eq_ignore_ascii_case(OWN.as_bytes())) {
            Vec::new()
        } else {
            content.values(OWN)
        };
        is_understood
            && codings.len() < 2
            && sent.status != 101
            && sent.status == response.status
            && response.content.is_body_of(content)
            && response.content.values(OWN) == own
    }
}

/// Whether the gateway says that it has no answer of the upstream.
fn is_failure(response: &Response) -> bool {
    response.status == 502
        && response.content.values("content-type") == [b"application/problem+json"]
}

/// Holds what the client has read to what the upstream has answered.
fn check(exchanges: &[Exchange], lengths: &[usize]) {
    let requests = exchanges.iter().enumerate();
    let requests = requests.flat_map(|(number, exchange)| exchange.request(number));
    let requests: Vec<u8> = requests.collect();
    let (answers, lengths): (Rc<[Exchange]>, _) = (exchanges.into(), lengths.to_vec());
    let through = send(&[&requests], move |request| {
        let number = request.path().rsplit(|byte| *byte == b'/').next().unwrap();
        let number: usize = str::from_utf8(number).unwrap().parse().unwrap();
        answers[number].reply(&lengths)
    });
    let what = || format!("{exchanges:?} {through:?}");
    let (mut rest, mut is_plain) = (&through.client[..], true);
    for exchange in exchanges {
        is_plain &= exchange.is_plain();
        let Some((response, after)) = strict::response(rest, exchange.is_head()) else {
            // What breaks off at once can break off before a byte of it is written.
            assert!(exchange.can_break_off(), "no answer: {}", what());
            break;
        };
        let content = &response.content;
        let is_answer = exchange.is_answered_by(&response);
        assert!(is_answer || !is_plain && is_failure(&response), "{response:?} of {}", what());
        assert!(content.is_whole || !is_plain, "cut: {response:?} of {}", what());
        rest = after;
        if !content.is_whole || content.values("connection").contains(&&b"close"[..]) {
            break;
        }
    }
    assert!(rest.is_empty(), "more than the answers: {}", what());
}

/// An input is a byte whose low four bits count the lengths, a byte for the length of each write of the
/// upstream, and answers, each behind its length in two bytes. Of these the highest bit has the upstream
/// close the connection behind it, and the next two are the method of the request.
pub(crate) fn fuzz(input: &[u8]) {
    let _ = run(input);
}

fn run(input: &[u8]) -> Option<()> {
    const METHODS: [&str; 4] = ["GET", "HEAD", "PUT", "DELETE"];
    const MAX_REQUESTS: usize = 8;

    let (count, rest) = input.split_first()?;
    let (lengths, mut rest) = rest.split_at_checked(usize::from(count & 0xf))?;
    let lengths: Vec<usize> = lengths.iter().copied().map(usize::from).collect();
    let mut exchanges = Vec::new();
    while let [high, low, after @ ..] = rest
        && exchanges.len() < MAX_REQUESTS
    {
        let len = usize::from(u16::from_be_bytes([high & 0x1f, *low])).min(after.len());
        let (answer, after) = after.split_at(len);
        let method = METHODS[usize::from(high >> 5 & 3)];
        exchanges.push(Exchange { method, answer: answer.to_vec(), closes: high & 0x80 != 0 });
        rest = after;
    }
    check(&exchanges, &lengths);
    Some(())
}
