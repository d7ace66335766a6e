//! What the routes share.

use std::sync::Arc;

use crate::serve::{admission::permits::Gate, state::service_state::Shared};

/// What a route works with.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) shared: Arc<Shared>,
    pub(crate) gate: Gate,
}
