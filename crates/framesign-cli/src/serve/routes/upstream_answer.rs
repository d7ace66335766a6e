//! What tells the answers of an upstream from those of the program.

/// An extension of an answer that is handed on: its fields and its body are not the program's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfUpstream;
