//! Answers questions: the frame of what was pasted, its explanation, and the cause of a difference.

use base64::{Engine, engine::general_purpose::STANDARD};
use framesign::{
    FrameError, Signature,
    explain::{Case, Evidence, Explanation, differences, find_cause},
    frame::HeadReader,
    verify::FieldNames,
};

use crate::inspect::{
    inspector::Inspector,
    keys::{CarriedFields, FrameKeys},
    picture::{
        Carried, CauseView, DifferenceView, FrameView, MarkView, Other, Picture, PieceView,
        Refused, Stages,
    },
    question::Question,
};

/// The most bytes of a payload that are shown.
const PAYLOAD_SHOWN: usize = 4096;

impl Inspector {
    /// Explains what was pasted.
    pub(crate) fn explain(&self, question: &Question) -> Picture {
        let frame = match question.frame() {
            Ok(frame) => frame,
            Err(error) => return Picture::refused(Refused::of_input(question.kind(), &error)),
        };
        let picture = self.explain_frame(question, &frame.bytes).unwrap_or_else(|error| {
            // What is wrong is shown, wherever it is.
            let at = error.offset.and_then(|offset| usize::try_from(offset).ok());
            let frame = shown(&frame.bytes, at.unwrap_or_default(), Vec::new());
            Picture { frame: Some(frame), ..Picture::refused(error) }
        });
        Picture { notes: frame.notes, ..picture }
    }

    fn explain_frame(&self, question: &Question, frame: &[u8]) -> Result<Picture, Refused> {
        let names = FieldNames::default();
        let mut reader = HeadReader::new(self.rules(question.reading));
        let head = reader.read(frame)?;
        let head_len = head.as_ref().map_or(0, |head| head.as_bytes().len());
        let carried = head.and_then(|head| CarriedFields::of(&head, &names));
        let mut case = Case::new(frame, self.rules(question.reading));
        if carried.is_some() {
            case = case.without_field(names.signature());
        }
        let explanation = Explanation::new(&case)?;
        let keys = self.keys.choose(question, carried.as_ref())?;
        let stages = stages(question, case, &explanation, carried.as_ref(), keys)?;
        let marks = explanation.marks().iter().map(MarkView::of).collect();
        let frame = shown(frame, head_len, marks);
        Ok(Picture { frame: Some(frame), stages: Some(stages), ..Picture::default() })
    }
}

/// The frame with its first bytes: `len`, and some of a payload.
fn shown(frame: &[u8], len: usize, marks: Vec<MarkView>) -> FrameView {
    let shown = len.saturating_add(PAYLOAD_SHOWN).min(frame.len());
    FrameView { bytes_b64: STANDARD.encode(&frame[..shown]), len: frame.len(), marks }
}

/// The stages from the canonical request on, and the comparison with what the other side has, or else
/// with the signature in the frame.
fn stages(
    question: &Question,
    case: Case<'_>,
    explanation: &Explanation,
    carried: Option<&CarriedFields>,
    keys: FrameKeys,
) -> Result<Stages, FrameError> {
    let string_to_sign = explanation.string_to_sign();
    let expected = carried.and_then(|carried| carried.signature);
    let pair = keys.pair(&string_to_sign, expected);
    let signature = pair.map(|pair| keys.sign(pair, &string_to_sign));
    let is_carried = signature.map(|signature| Some(signature) == expected);
    let other = question.other().map(|other| Evidence::parse(other.as_bytes()));
    let compared = other.as_ref().map(|other| Other::of(other, explanation, signature));
    let differences = match &other {
        Some(Evidence::CanonicalRequest(theirs)) => {
            differences(explanation.canonical_request(), theirs)
        }
        _ => Vec::new(),
    };
    let differences = differences.iter().map(DifferenceView::of).collect();
    let evidence = match &compared {
        Some(compared) => other.filter(|_| compared.equal != Some(true)),
        None => signature_in_frame(expected.filter(|_| is_carried == Some(false))),
    };
    let case = match pair {
        Some(pair) => case.keys(pair.clone(), keys.date),
        None => case,
    };
    let found = evidence.map(|evidence| find_cause(&case, &evidence)).transpose()?;
    let shown = pair.filter(|_| question.show_keys);
    Ok(Stages {
        pieces: explanation.pieces().iter().map(PieceView::of).collect(),
        canonical_request_b64: STANDARD.encode(explanation.canonical_request()),
        string_to_sign: string_to_sign.to_string(),
        keys: shown.map(|pair| keys.view(pair)),
        date: keys.date.to_string(),
        access_key: keys.access_key,
        signature: signature.map(|signature| signature.to_string()),
        carried: carried.map(|_| Carried { equal: is_carried }),
        other: compared,
        differences,
        cause: found.flatten().as_ref().map(CauseView::of),
    })
}

fn signature_in_frame(signature: Option<Signature>) -> Option<Evidence> {
    signature.map(|signature| Evidence::Signature(signature.to_string()))
}
