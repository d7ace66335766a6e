//! The library says of every frame what the naive implementation says of it.

use super::{rules, split_settings};
use crate::{
    naive::{self, Settings},
    stages::{ACCESS_KEY, DATE, SECRET_KEY, Stages, stages},
};

/// Holds the frame's stages, or its error's kind and offset, to those of the oracle.
pub(crate) fn check(settings: &Settings, frame: &[u8]) {
    let what = || format!("{settings:?}: {}", frame.escape_ascii());
    let expected = naive::sign(ACCESS_KEY, SECRET_KEY, DATE, settings, frame);
    match (stages(&rules(settings), [frame]), expected) {
        (Ok(found), Ok(expected)) => assert_eq!(as_text(&found), expected, "{}", what()),
        (Err(error), Err(refused)) => {
            let found = (error.kind().as_str(), error.offset());
            assert_eq!(found, (refused.kind, refused.offset as u64), "{error}, {}", what());
        }
        (Ok(_), Err(refused)) => panic!("accepted in spite of {refused:?}, {}", what()),
        (Err(error), Ok(_)) => panic!("refused: {error}, {}", what()),
    }
}

fn as_text(stages: &Stages) -> naive::Stages {
    naive::Stages {
        canonical_request: stages.canonical_request.clone(),
        string_to_sign: stages.string_to_sign.to_string(),
        signature: stages.signature.to_string(),
    }
}

/// An input is the settings and a frame.
pub(crate) fn fuzz(input: &[u8]) {
    let Some((settings, frame)) = split_settings(input) else { return };
    check(&settings, frame);
}
