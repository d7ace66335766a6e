//! Who is let in, before anything of a body is read.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode, Version, header},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    callers::{InFlight, Place},
    connection::Peer,
    observe::Caller,
    problem::Problem,
    settings::Limits,
    shared::Shared,
};

/// Lets requests in, as many as there is room for.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    of_callers: Arc<InFlight>,
}

/// A request that was let in; it takes room until this is dropped.
#[derive(Debug)]
pub(super) struct Pass {
    _place: Option<Place>,
    _room: OwnedSemaphorePermit,
}

impl Gate {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
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
    pub(super) fn enter(&self, request: &Request<Body>) -> Result<Pass, Problem> {
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

/// RFC 9112 section 3.2: a request of HTTP/1.1 names its host, and names it once. What names none or
/// two may be read in another way by the proxy that it came through.
pub(super) fn check_host(request: &Request<Body>) -> Result<(), Problem> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if request.version() != Version::HTTP_11 || hosts == 1 {
        return Ok(());
    }
    let detail = format!("expected one field Host, found {hosts}");
    Err(Problem::new(StatusCode::BAD_REQUEST, detail).closing())
}

/// Refuses a head that is larger than it may be.
pub(super) fn check_head(request: &Request<Body>, limits: &Limits) -> Result<(), Problem> {
    /// As many as hyper reads of an HTTP/1.1 head.
    const MAX_FIELDS: usize = 100;
    /// `: ` and the line end.
    const AROUND_FIELD: usize = 4;

    let fields = request.headers();
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let of_fields = fields.iter().map(|(name, value)| name.as_str().len() + value.len());
    let len = target + of_fields.map(|len| len + AROUND_FIELD).sum::<usize>();
    if len <= limits.max_request_head && fields.len() <= MAX_FIELDS {
        return Ok(());
    }
    let most = limits.max_request_head;
    let detail = format!("expected a head of at the most {most} bytes and {MAX_FIELDS} fields");
    Err(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail).closing())
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
