//! The search for the single repair that makes both sides equal.

mod coding;
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

/// The families of repairs. Their order does not matter: what fits is sorted.
const FAMILIES: [fn(&mut Search<'_>); 9] = [
    repairs::text::search,
    repairs::query::search_coding,
    repairs::query::search,
    repairs::path::search,
    repairs::fields::search,
    repairs::payload::search,
    repairs::given::search,
    repairs::rewritten::search,
    keys::search,
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
