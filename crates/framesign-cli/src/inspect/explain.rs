//! Answers questions: the frame of what was pasted, its explanation, and the cause of a difference.

use crate::inspect::{
    inspector::Inspector,
    picture::{Picture, Refused},
    question::Question,
};

impl Inspector {
    /// Explains what was pasted.
    pub(crate) fn explain(&self, question: &Question) -> Picture {
        let frame = match question.frame() {
            Ok(frame) => frame,
            Err(error) => {
                let error = Refused {
                    kind: question.kind(),
                    message: error.to_string(),
                    offset: None,
                    section: None,
                };
                return Picture { error: Some(error), ..Picture::default() };
            }
        };
        Picture { notes: frame.notes, ..Picture::default() }
    }
}
