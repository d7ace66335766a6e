//! The answer to a question: what the page draws.

use base64::{Engine, engine::general_purpose::STANDARD};
use framesign::{
    ApiMisuse, FrameError, Signature,
    explain::{Cause, Difference, Evidence, Explanation, Mark, Piece, Rule},
};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::inspect::input::InputError;

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
    /// Something that was pasted is no frame.
    pub(crate) fn of_input(kind: &'static str, error: &InputError) -> Self {
        Self { input_offset: error.offset(), ..Self::new(kind, error.to_string()) }
    }

    fn new(kind: &'static str, message: String) -> Self {
        Self { kind, message, offset: None, input_offset: None, section: None }
    }
}

/// The frame breaks a rule.
impl From<FrameError> for Refused {
    fn from(error: FrameError) -> Self {
        Self {
            offset: Some(error.offset()),
            section: Some(error.kind().section()),
            ..Self::new(error.kind().as_str(), error.to_string())
        }
    }
}

/// Nothing can be signed with a key or for a date.
impl From<ApiMisuse> for Refused {
    fn from(error: ApiMisuse) -> Self {
        Self { section: Some("1"), ..Self::new("key", error.to_string()) }
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

impl MarkView {
    pub(crate) fn of(mark: &Mark) -> Self {
        Self { start: mark.range.start, end: mark.range.end, kind: mark.kind.as_str() }
    }
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

impl PieceView {
    pub(crate) fn of(piece: &Piece) -> Self {
        Self {
            start: piece.canonical.start,
            end: piece.canonical.end,
            frame: piece.frame.iter().map(|range| (range.start, range.end)).collect(),
            section: piece.rule.map(Rule::section),
            text: piece.rule.map(Rule::text),
        }
    }
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

impl Other {
    /// Holds what the other side has to the stage that it is of.
    pub(crate) fn of(
        evidence: &Evidence,
        explanation: &Explanation,
        signature: Option<Signature>,
    ) -> Self {
        let string_to_sign = explanation.string_to_sign().to_string();
        let signature = signature.map(|signature| signature.to_string());
        let (kind, equal) = match evidence {
            Evidence::CanonicalRequest(theirs) => {
                (evidence.as_str(), Some(theirs == explanation.canonical_request()))
            }
            Evidence::Digits(digits) if *digits == string_to_sign => ("string-to-sign", Some(true)),
            Evidence::Digits(digits) => {
                ("signature", signature.map(|signature| signature == *digits))
            }
            // What was pasted is one of the others.
            _ => (evidence.as_str(), None),
        };
        Self { kind, equal }
    }
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

impl DifferenceView {
    pub(crate) fn of(difference: &Difference) -> Self {
        let line = |line: &Option<Vec<u8>>| line.as_ref().map(|line| STANDARD.encode(line));
        Self {
            line: difference.line,
            byte: difference.byte,
            part: difference.part,
            ours_b64: line(&difference.ours),
            theirs_b64: line(&difference.theirs),
        }
    }
}

/// The one change that makes both sides equal.
#[derive(Serialize)]
pub(crate) struct CauseView {
    pub(crate) repair: &'static str,
    pub(crate) section: &'static str,
    pub(crate) side: &'static str,
    pub(crate) message: String,
    /// Sentences of other repairs that would do so too.
    pub(crate) also: Vec<&'static str>,
}

impl CauseView {
    pub(crate) fn of(cause: &Cause) -> Self {
        Self {
            repair: cause.repair.as_str(),
            section: cause.section,
            side: cause.side.as_str(),
            message: cause.message.clone(),
            also: cause.also.iter().map(|repair| repair.text()).collect(),
        }
    }
}
