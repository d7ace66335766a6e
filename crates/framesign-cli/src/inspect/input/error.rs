//! Why pasted text is no frame.

use std::{borrow::Cow, fmt};

/// The reason why a frame cannot be made of text: what was expected, what was found, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputError {
    expected: Cow<'static, str>,
    found: Cow<'static, str>,
    place: Place,
}

/// A place in what was pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The byte of the text, counted from 0.
    Byte(usize),
    /// A member of a JSON document, such as `log.entries[0].request.url`.
    Member(String),
}

impl InputError {
    pub(crate) fn at_byte(
        offset: usize,
        expected: impl Into<Cow<'static, str>>,
        found: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { expected: expected.into(), found: found.into(), place: Place::Byte(offset) }
    }

    pub(crate) fn in_member(
        member: impl Into<String>,
        expected: impl Into<Cow<'static, str>>,
        found: impl Into<Cow<'static, str>>,
    ) -> Self {
        let place = Place::Member(member.into());
        Self { expected: expected.into(), found: found.into(), place }
    }

    /// The byte of the text, if the place is one.
    pub(crate) fn offset(&self) -> Option<usize> {
        match self.place {
            Place::Byte(offset) => Some(offset),
            Place::Member(_) => None,
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, found, place } = self;
        write!(f, "expected {expected}, found {found} ")?;
        match place {
            Place::Byte(offset) => write!(f, "at byte {offset}"),
            Place::Member(member) => write!(f, "in {member}"),
        }
    }
}

impl std::error::Error for InputError {}
