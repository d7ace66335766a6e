//! How uploads are made.

use std::error::Error;

use super::{event::Observer, retries::Retries, transport::Transport};

/// How uploads are made.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) transport: Transport,
    pub(super) part_size: u64,
    pub(super) retries: Retries,
    pub(super) is_lasting: fn(&(dyn Error + 'static)) -> bool,
    pub(super) observer: Observer,
}
