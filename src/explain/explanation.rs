//! A frame with its bytes marked, and its canonical request piece by piece.

use std::fmt;

use super::{
    case::Case,
    mark::Mark,
    piece::Piece,
    reading::{Read, read},
    trace::{self, PieceWriter},
};
use crate::{
    error::FrameError,
    frame::HeadReader,
    protocol::{CanonicalHead, PayloadHash, StringToSign},
};

/// A frame, and how it became its canonical request.
///
/// ```
/// use framesign::{Rules, explain::{Case, Explanation}};
///
/// let frame = b"GET /a?q=a+b HTTP/1.1\r\nHost: test.com\r\n\r\n";
/// let explanation = Explanation::new(&Case::new(frame, Rules::strict()))?;
/// let plus = explanation.pieces().iter().find(|piece| piece.frame == [10..11]).unwrap();
/// assert_eq!(&explanation.canonical_request()[plus.canonical.clone()], b"%20");
/// assert_eq!(plus.rule.map(|rule| rule.section()), Some("5.2"));
/// # Ok::<(), framesign::FrameError>(())
/// ```
#[derive(Clone)]
pub struct Explanation {
    marks: Vec<Mark>,
    pieces: Vec<Piece>,
    canonical_request: Vec<u8>,
    string_to_sign: StringToSign,
    payload: PayloadHash,
}

impl Explanation {
    /// Reads the frame of `case`. Takes memory in proportion to its head; the payload is hashed where
    /// it lies.
    ///
    /// # Errors
    ///
    /// A [`FrameError`] if the frame breaks a rule of protocol section 7, the same that a
    /// [`FrameHasher`](crate::FrameHasher) gives: its byte, its kind with
    /// [`ErrorKind::section`](crate::ErrorKind::section), and what was expected and found there.
    pub fn new(case: &Case<'_>) -> Result<Self, FrameError> {
        let Read { head_len, payload } = read(case)?;
        let mut reader = HeadReader::new(case.rules.clone());
        let Some(head) = reader.read(case.frame)? else {
            return Err(reader.truncated(case.frame.len() as u64));
        };
        let mut canonical = CanonicalHead::new(head);
        if let Some(name) = &case.left_out {
            canonical = canonical.without_field(name);
        }
        let string_to_sign = canonical.with_payload(payload).string_to_sign();
        let mut writer = PieceWriter::default();
        trace::head(&head, case, &mut writer);
        writer.payload_hash(payload, head_len..case.frame.len());
        let (canonical_request, pieces) = writer.into_parts();
        let marks = super::mark::marks(&head, case);
        Ok(Self { marks, pieces, canonical_request, string_to_sign, payload })
    }

    /// The marks of the frame, in the order of their first bytes.
    #[must_use]
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The canonical request in pieces: in order, without gaps, from its first byte to its last.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The canonical request (protocol section 2).
    #[must_use]
    pub fn canonical_request(&self) -> &[u8] {
        &self.canonical_request
    }

    /// The next stage.
    #[must_use]
    pub fn string_to_sign(&self) -> StringToSign {
        self.string_to_sign
    }

    /// The hash of the payload.
    #[must_use]
    pub fn payload_hash(&self) -> PayloadHash {
        self.payload
    }
}

impl fmt::Debug for Explanation {
    /// Without the canonical request, which can hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explanation")
            .field("marks", &self.marks.len())
            .field("pieces", &self.pieces.len())
            .field("string_to_sign", &self.string_to_sign)
            .finish_non_exhaustive()
    }
}
