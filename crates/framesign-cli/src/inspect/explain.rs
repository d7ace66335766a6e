//! Answers questions: the frame of what was pasted, its explanation, and the cause of a difference.

use base64::{Engine, engine::general_purpose::STANDARD};
use framesign::{
    ApiMisuse, CanonicalHead, CanonicalRequest, FrameError, FrameHasher, Head, PayloadHash, Rules,
    frame::HeadReader, verify::FieldNames,
};

use crate::inspect::{
    input::InputError,
    inspector::Inspector,
    keys::CarriedFields,
    picture::{Carried, FrameView, Picture, Refused, Stages},
    question::Question,
    sections,
};

/// The most bytes of a payload that are shown.
const PAYLOAD_SHOWN: usize = 4096;

impl Inspector {
    /// Explains what was pasted.
    pub(crate) fn explain(&self, question: &Question) -> Picture {
        let frame = match question.frame() {
            Ok(frame) => frame,
            Err(error) => return Picture::refused(refused_input(question, &error)),
        };
        let mut picture = Picture { notes: frame.notes, ..Picture::default() };
        let shown = match self.stages(question, &frame.bytes) {
            Ok((stages, head)) => {
                picture.stages = Some(stages);
                head + PAYLOAD_SHOWN
            }
            Err(error) => {
                // What is wrong is shown, wherever it is.
                let at = error.offset.and_then(|offset| usize::try_from(offset).ok());
                picture.error = Some(error);
                at.unwrap_or_default() + PAYLOAD_SHOWN
            }
        };
        let shown = &frame.bytes[..shown.min(frame.bytes.len())];
        let bytes_b64 = STANDARD.encode(shown);
        picture.frame = Some(FrameView { bytes_b64, len: frame.bytes.len(), marks: Vec::new() });
        picture
    }

    /// The stages of the frame, and the length of its head.
    fn stages(&self, question: &Question, frame: &[u8]) -> Result<(Stages, usize), Refused> {
        let rules = self.rules(question.reading);
        let payload = payload_hash(frame, &rules).map_err(|error| refused_frame(&error))?;
        let mut reader = HeadReader::new(rules);
        let head = reader.read(frame).map_err(|error| refused_frame(&error))?;
        #[expect(clippy::expect_used, reason = "what was read to its end has a whole head")]
        let head = head.expect("the head is whole");
        let len = head.as_bytes().len();
        let names = FieldNames::default();
        let carried = CarriedFields::of(&head, &names);
        let canonical = canonical(head, carried.is_some(), &names, payload);
        let stages = self.signed(question, &canonical, carried.as_ref());
        Ok((stages.map_err(refused_key)?, len))
    }
}

impl Inspector {
    /// The stages from the canonical request on, with the keys of the question.
    fn signed(
        &self,
        question: &Question,
        canonical: &CanonicalRequest<'_>,
        carried: Option<&CarriedFields>,
    ) -> Result<Stages, ApiMisuse> {
        let string_to_sign = canonical.string_to_sign();
        let keys = self.keys.choose(question, carried)?;
        let expected = carried.and_then(|carried| carried.signature);
        let pair = keys.pair(&string_to_sign, expected);
        let signature = pair.map(|pair| keys.sign(pair, &string_to_sign));
        let shown = pair.filter(|_| question.show_keys);
        let equal = |_: &CarriedFields| signature.map(|signature| Some(signature) == expected);
        Ok(Stages {
            pieces: Vec::new(),
            canonical_request_b64: STANDARD.encode(canonical.to_string()),
            string_to_sign: string_to_sign.to_string(),
            keys: shown.map(|pair| keys.view(pair)),
            access_key: keys.access_key,
            date: keys.date.to_string(),
            signature: signature.map(|signature| signature.to_string()),
            carried: carried.map(|carried| Carried { equal: equal(carried) }),
            other: None,
            differences: Vec::new(),
            cause: None,
        })
    }
}

/// Reads the whole frame, to its last byte.
fn payload_hash(frame: &[u8], rules: &Rules) -> Result<PayloadHash, FrameError> {
    let mut hasher = FrameHasher::new(rules.clone());
    hasher.update(frame)?;
    let payload = hasher.payload_hash();
    hasher.finish()?;
    Ok(payload.unwrap_or_else(|| PayloadHash::of(b"")))
}

/// The canonical request; that of a signed frame is without its signature.
fn canonical<'a>(
    head: Head<'a>,
    is_signed: bool,
    names: &'a FieldNames,
    payload: PayloadHash,
) -> CanonicalRequest<'a> {
    let canonical = CanonicalHead::new(head);
    let canonical = if is_signed { canonical.without_field(names.signature()) } else { canonical };
    canonical.with_payload(payload)
}

fn refused_input(question: &Question, error: &InputError) -> Refused {
    Refused { input_offset: error.offset(), ..Refused::new(question.kind(), error.to_string()) }
}

fn refused_frame(error: &FrameError) -> Refused {
    Refused {
        offset: Some(error.offset()),
        section: Some(sections::of(error.kind())),
        ..Refused::new(error.kind().as_str(), error.to_string())
    }
}

fn refused_key(error: ApiMisuse) -> Refused {
    Refused { section: Some("1"), ..Refused::new("key", error.to_string()) }
}
