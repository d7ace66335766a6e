//! The state of the service's routes.

use std::sync::Arc;

use axum::extract::FromRef;

use crate::serve::{
    admission::admit::Admission,
    routes::app::RouteState,
    state::{server_state::ServerState, service_state::ServiceState},
};

/// The state of a route.
#[derive(Clone, Debug)]
pub(crate) struct AppState {
    pub(crate) state: Arc<ServiceState>,
    pub(crate) admission: Admission,
}

impl RouteState for AppState {
    fn server(&self) -> &Arc<ServerState> {
        &self.state.server
    }
}

impl FromRef<AppState> for Arc<ServerState> {
    fn from_ref(app: &AppState) -> Self {
        Arc::clone(&app.state.server)
    }
}
