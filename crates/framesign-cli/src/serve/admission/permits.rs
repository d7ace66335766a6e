//! Who is let in, before anything of a body is read.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::serve::{
    admission::caller_permits::{InFlight, Place},
    middleware::caller_name::Caller,
    net::peer::Peer,
    routes::problem::Problem,
    state::service_state::Shared,
};

/// Lets requests in, as many as there is room for.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    of_callers: Arc<InFlight>,
}

/// A request that was let in; it takes room until this is dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    _place: Option<Place>,
    _room: OwnedSemaphorePermit,
}

impl Gate {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let room = Arc::new(Semaphore::new(shared.settings.limits.max_requests));
        Self { shared, room, of_callers: Arc::default() }
    }

    /// Lets a request in.
    ///
    /// # Errors
    ///
    /// 401 where nobody known calls, 429 where the caller has too many requests already, 503 where
    /// all have. A service that is about to end goes on until nobody calls any more: who reads
    /// `/readyz` needs time to notice.
    pub(crate) fn enter(&self, request: &Request<Body>) -> Result<Pass, Problem> {
        let caller = self.caller(request)?;
        if let (Some(caller), Some(known)) = (&caller, request.extensions().get::<Caller>()) {
            known.is(caller);
        }
        let place = caller.as_ref().map(|caller| self.place(caller)).transpose()?;
        let room = Arc::clone(&self.room).try_acquire_owned();
        let room = room.map_err(|_| Problem::unavailable("as many requests as there may be"))?;
        Ok(Pass { _place: place, _room: room })
    }

    /// Who calls; `None` is somebody where everybody may.
    fn caller(&self, request: &Request<Body>) -> Result<Option<Arc<str>>, Problem> {
        let Some(callers) = &self.shared.callers else {
            let peer = request.extensions().get::<Peer>();
            return Ok(peer.and_then(|peer| peer.certificate.as_deref()).map(Arc::from));
        };
        let caller = bearer_token(request.headers()).and_then(|token| callers.now().of(token));
        caller.map(Some).ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, "expected the bearer token of a known caller")
                .with(header::WWW_AUTHENTICATE, "Bearer")
        })
    }

    fn place(&self, caller: &Arc<str>) -> Result<Place, Problem> {
        let most = self.shared.settings.max_requests_per_caller;
        self.of_callers.enter(caller, most).ok_or_else(|| {
            let detail = "as many requests of one caller as there may be";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).with(header::RETRY_AFTER, "1")
        })
    }
}

/// RFC 6750 section 2.1; the name of the scheme in any case.
fn bearer_token(fields: &HeaderMap) -> Option<&[u8]> {
    let mut values = fields.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::bearer_token;

    fn token_of(values: &[&'static str]) -> Option<Vec<u8>> {
        let mut fields = HeaderMap::new();
        for value in values {
            fields.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer_token(&fields).map(<[u8]>::to_vec)
    }

    #[test]
    fn one_bearer_token_is_taken() {
        assert_eq!(token_of(&["Bearer token"]), Some(b"token".to_vec()));
        assert_eq!(token_of(&["bearer  token"]), Some(b"token".to_vec()));
        for values in [&[][..], &["Bearer"], &["Basic token"], &["Bearer a", "Bearer b"]] {
            assert_eq!(token_of(values), None, "{values:?}");
        }
    }
}
