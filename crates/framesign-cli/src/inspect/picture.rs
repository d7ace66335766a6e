//! The answer to a question: what the page draws.

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

/// The answer.
#[derive(Default, Serialize)]
pub(crate) struct Picture {
    /// What was taken for granted.
    pub(crate) notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Refused>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frame: Option<FrameView>,
    #[serde(flatten)]
    pub(crate) stages: Option<Stages>,
}

/// Why there is no explanation.
#[derive(Serialize)]
pub(crate) struct Refused {
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    /// The byte of the frame.
    pub(crate) offset: Option<u64>,
    /// The byte of what was pasted, if that is no frame yet.
    pub(crate) input_offset: Option<usize>,
    /// The section of the protocol.
    pub(crate) section: Option<&'static str>,
}

impl Refused {
    pub(crate) fn new(kind: &'static str, message: String) -> Self {
        Self { kind, message, offset: None, input_offset: None, section: None }
    }
}

impl Picture {
    pub(crate) fn refused(error: Refused) -> Self {
        Self { error: Some(error), ..Self::default() }
    }
}

/// A frame.
#[derive(Serialize)]
pub(crate) struct FrameView {
    /// Its head, and the begin of its payload.
    pub(crate) bytes_b64: String,
    /// The number of all its bytes.
    pub(crate) len: usize,
    pub(crate) marks: Vec<MarkView>,
}

/// Bytes of the frame that mean something.
#[derive(Serialize)]
pub(crate) struct MarkView {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: &'static str,
}

/// What a readable frame becomes.
#[derive(Serialize)]
pub(crate) struct Stages {
    pub(crate) pieces: Vec<PieceView>,
    pub(crate) canonical_request_b64: String,
    pub(crate) string_to_sign: String,
    pub(crate) access_key: Option<String>,
    pub(crate) date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keys: Option<KeysView>,
    pub(crate) signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) carried: Option<Carried>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) other: Option<Other>,
    pub(crate) differences: Vec<DifferenceView>,
    pub(crate) cause: Option<CauseView>,
}

/// A piece of the canonical request, the bytes that it comes from, and the rule that changed them.
#[derive(Serialize)]
pub(crate) struct PieceView {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) frame: Vec<(usize, usize)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) section: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<&'static str>,
}

/// The keys of both steps, in hexadecimal.
#[derive(Serialize)]
pub(crate) struct KeysView {
    #[serde(serialize_with = "secret")]
    pub(crate) date_key: Zeroizing<String>,
    #[serde(serialize_with = "secret")]
    pub(crate) signing_key: Zeroizing<String>,
}

fn secret<S: Serializer>(text: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// The signature that the frame carries.
#[derive(Serialize)]
pub(crate) struct Carried {
    /// Whether it is the one that was computed, if one was.
    pub(crate) equal: Option<bool>,
}

/// What the other side has.
#[derive(Serialize)]
pub(crate) struct Other {
    pub(crate) kind: &'static str,
    /// Whether it is equal to ours, if ours is known.
    pub(crate) equal: Option<bool>,
}

/// A line in which the canonical requests differ. A line that is not there is null.
#[derive(Serialize)]
pub(crate) struct DifferenceView {
    pub(crate) line: usize,
    /// The number of bytes at the begin that are alike.
    pub(crate) byte: usize,
    pub(crate) part: &'static str,
    pub(crate) ours_b64: Option<String>,
    pub(crate) theirs_b64: Option<String>,
}

/// The one change that makes both sides equal.
#[derive(Serialize)]
pub(crate) struct CauseView {
    pub(crate) repair: String,
    pub(crate) section: Option<&'static str>,
    pub(crate) side: &'static str,
    pub(crate) message: String,
    pub(crate) also: Vec<String>,
}
