//! The routes of the service.

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

use crate::serve::{
    admission::admit::Admission,
    routes::{
        app::{App, for_operators, route, route_for_operators, surrounded},
        app_state::AppState,
        frames::verify,
        keys::keys,
        openapi::openapi,
        sign::sign,
        token::token,
        uploads,
    },
    state::service_state::ServiceState,
};

/// What the service answers with.
pub(crate) fn app(state: &Arc<ServiceState>) -> App {
    App { main: main(state), admin: surrounded(of_operators(Router::new()), app_state(state)) }
}

/// The routes of callers; also those of operators, unless they have a listener of their own.
fn main(state: &Arc<ServiceState>) -> Router {
    let mut router = Router::new();
    router = route(router, "/token", post(token), "POST, OPTIONS");
    router = route(router, "/sign", post(sign), "POST, OPTIONS");
    router = route(router, "/verify", post(verify), "POST, OPTIONS");
    router = route(router, "/keys/{access_key}/{date}", get(keys), "GET, HEAD, OPTIONS");
    let app = app_state(state);
    if let Some(receiver) = &state.uploads {
        router = router.merge(uploads::routes(receiver, &app));
    }
    if state.settings.server.admin_listen.is_none() {
        router = of_operators(router);
    }
    surrounded(router, app)
}

fn of_operators(router: Router<AppState>) -> Router<AppState> {
    route_for_operators(for_operators(router), "/openapi.json", get(openapi))
}

fn app_state(state: &Arc<ServiceState>) -> AppState {
    AppState { state: Arc::clone(state), admission: Admission::new(Arc::clone(state)) }
}
