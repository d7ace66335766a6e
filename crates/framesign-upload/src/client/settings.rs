//! How uploads are made.

use super::{event::Observer, retries::Retries, transport::Transport};

/// How uploads are made.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) transport: Transport,
    pub(super) part_size: u64,
    pub(super) retries: Retries,
    pub(super) observer: Observer,
}
