//! The search for the single repair that makes both sides equal.

mod coding;
mod derivation;
mod form;
mod keys;
mod repair;
mod repairs;
mod request;
mod search;

use std::fmt;

pub use self::repair::{Repair, Side};
use self::{
    request::Request,
    search::{Found, Search},
};
use super::{
    case::Case,
    evidence::Evidence,
    reading::{Read, read},
};
use crate::{error::FrameError, frame::HeadReader};

/// The reason why two sides differ: a single repair that makes them equal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cause {
    /// The repair.
    pub repair: Repair,
    /// The section of the protocol that decides, as in [`Rule::section`](super::Rule::section).
    pub section: &'static str,
    /// The side that has to change.
    pub side: Side,
    /// What is wrong and what to do, in one sentence. It names fields, never their values, and holds
    /// no secret.
    pub message: String,
    /// The other repairs that make both sides equal as well, in the order of preference.
    pub also: Vec<Repair>,
}

impl fmt::Display for Cause {
    /// The sentence with its section.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (protocol {})", self.message, self.section)
    }
}

/// Tries single repairs and names the one that makes the signature of `case` that of the other side.
///
/// `None` if both sides are equal already, or if no single repair makes them so. If several do, the
/// first in the order of [`Repair`] is the cause, and [`Cause::also`] has the others.
///
/// A signature as `evidence` needs the keys of `case`. Without them only canonical requests and
/// strings to sign are compared. A canonical request tells the most: a value that nobody could guess
/// is named only with it.
///
/// At most 300 candidates, 16 more for each field, and one more for each parameter and each segment of
/// the path are tried, for the first 256 of each. Each takes time in proportion to the head; about ten
/// of them hash the payload. None is kept.
///
/// # Errors
///
/// A [`FrameError`] if the frame breaks a rule, as for [`Explanation::new`](super::Explanation::new).
pub fn find_cause(case: &Case<'_>, evidence: &Evidence) -> Result<Option<Cause>, FrameError> {
    let Read { head_len, payload } = read(case)?;
    let mut reader = HeadReader::new(case.rules.clone());
    let Some(head) = reader.read(case.frame)? else {
        return Err(reader.truncated(case.frame.len() as u64));
    };
    let request = Request::new(&head, case, payload);
    let bytes = if case.payload.is_none() { case.frame.get(head_len..) } else { None };
    let mut search = Search::new(case, evidence, request, bytes);
    if search.is_equal() {
        return Ok(None);
    }
    for family in FAMILIES {
        family(&mut search);
    }
    Ok(Cause::of(search.into_found()))
}

/// The families of repairs. What fits is sorted; the last one is for what fits none of the others.
const FAMILIES: [fn(&mut Search<'_>); 9] = [
    repairs::text::search,
    repairs::query::search_coding,
    repairs::query::search,
    repairs::path::search,
    repairs::fields::search,
    repairs::payload::search,
    repairs::given::search,
    keys::search,
    repairs::rewritten::search,
];

impl Cause {
    fn of(found: Vec<Found>) -> Option<Self> {
        let mut found = found.into_iter();
        let Found { repair, side, subject } = found.next()?;
        let text = repair.text();
        Some(Self {
            repair,
            section: repair.section(),
            side,
            message: subject.map_or(text.to_owned(), |subject| format!("{subject}: {text}")),
            also: found.map(|found| found.repair).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Case, Evidence, FAMILIES, HeadReader, Read, Request, Search, read};
    use crate::{Credentials, Rules};

    /// The number of candidates for a frame.
    fn candidates(frame: &[u8]) -> usize {
        let keys = Credentials::new("access", " secret\n").unwrap();
        let case = Case::new(frame, Rules::lenient()).keys(keys, "20240301".parse().unwrap());
        let evidence = Evidence::Digits("AA".repeat(32));
        let Read { head_len, payload } = read(&case).unwrap();
        let mut reader = HeadReader::new(case.rules.clone());
        let head = reader.read(frame).unwrap().unwrap();
        let request = Request::new(&head, &case, payload);
        let mut search = Search::new(&case, &evidence, request, frame.get(head_len..));
        for family in FAMILIES {
            family(&mut search);
        }
        search.candidates
    }

    #[test]
    fn candidates_are_bounded() {
        let start = b"GET /?a HTTP/1.1\r\nHost: h\r\n";
        let few = candidates(&[&start[..], b"\r\nbody\r\n"].concat());
        assert!((200..=300).contains(&few), "{few}");
        let fields = "Content-Type: text/plain; a=b\r\n".repeat(100);
        let many = candidates(&[&start[..], fields.as_bytes(), b"\r\nbody\r\n"].concat());
        assert!(many <= few + 16 * 100, "{many}");
        let target = format!("/{}?{}", "a/".repeat(5_000), "b&".repeat(5_000));
        let long = candidates(format!("GET {target} HTTP/1.1\r\n\r\nbody\r\n").as_bytes());
        assert!(long <= few + 2 * 256 + 16, "{long}");
    }
}
