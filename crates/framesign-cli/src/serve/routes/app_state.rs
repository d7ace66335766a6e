//! What the routes share.

use std::sync::Arc;

use crate::serve::{admission::permits::Admission, state::service_state::ServiceState};

/// What a route works with.
#[derive(Clone, Debug)]
pub(crate) struct AppState {
    pub(crate) state: Arc<ServiceState>,
    pub(crate) admission: Admission,
}
