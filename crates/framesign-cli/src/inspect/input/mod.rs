//! Text that somebody pastes, made into the bytes of a frame.

mod curl;
mod error;
mod frame;
mod har;
mod url;

pub(crate) use self::{
    curl::curl,
    error::InputError,
    frame::{LineEnds, PastedFrame, decoded, raw},
    har::har,
};
