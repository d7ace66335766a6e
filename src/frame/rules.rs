//! The rules of reading a frame: the way of reading, strict or lenient, and the limits.

use super::Limits;

/// The two ways to read a frame (protocol section 7).
///
/// Strict reading refuses all that lenient reading refuses. A frame that both accept has one
/// signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Reading {
    /// RFC 9112 without any of its relaxations: for verifiers and connections.
    Strict,
    /// Repairs what has one clear meaning, such as bare LF or obs-fold: for signing one frame.
    #[default]
    Lenient,
}

/// The rules that a frame must keep to: the way of reading and the [`Limits`].
///
/// ```
/// use framesign::{Limits, Rules};
///
/// let rules = Rules::strict().limits(Limits::default().max_head(16 * 1024));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Rules {
    reading: Reading,
    pub(crate) limits: Limits,
}

impl Rules {
    /// Strict reading with the default limits.
    #[must_use]
    pub fn strict() -> Self {
        Self::new(Reading::Strict)
    }

    /// Lenient reading with the default limits. This is the default.
    #[must_use]
    pub fn lenient() -> Self {
        Self::new(Reading::Lenient)
    }

    /// The given way of reading with the default limits.
    #[must_use]
    pub fn new(reading: Reading) -> Self {
        Self { reading, limits: Limits::default() }
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The limits as they are set, for those who widen or narrow some of them.
    #[must_use]
    pub fn head_limits(&self) -> &Limits {
        &self.limits
    }

    /// The way of reading.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.reading
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.reading == Reading::Strict
    }
}
