//! The state of the routes.

use std::sync::Arc;

use crate::serve::{admission::admit::Admission, state::service_state::ServiceState};

/// The state of a route.
#[derive(Clone, Debug)]
pub(crate) struct AppState {
    pub(crate) state: Arc<ServiceState>,
    pub(crate) admission: Admission,
}
