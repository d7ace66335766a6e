//! Admits requests before anything of a body is read.

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use tokio::sync::OwnedSemaphorePermit;
use zeroize::Zeroizing;

use crate::serve::{
    admission::{
        caller_permits::{CallerPermit, CallerPermits},
        callers::Caller,
        permissions::{Permissions, Right},
        rates::Excess,
    },
    middleware::caller_name::CallerName,
    net::peer::Peer,
    routes::problem::Problem,
    state::service_state::ServiceState,
};

/// Admits requests, up to a limit for each caller and one for all.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    state: Arc<ServiceState>,
    caller_permits: Arc<CallerPermits>,
}

/// A request that was admitted; it counts until this is dropped.
#[derive(Debug)]
pub(crate) struct AdmissionPermit {
    /// `None` if callers are not told apart, or by their certificates alone.
    caller: Option<KnownCaller>,
    _caller_permit: Option<CallerPermit>,
    _permit: OwnedSemaphorePermit,
}

/// A caller of the file, and the token that it has shown.
#[derive(Debug)]
struct KnownCaller {
    caller: Arc<Caller>,
    token: Token,
}

/// A bearer token.
struct Token(Zeroizing<Box<[u8]>>);

/// Who calls.
enum Identity {
    /// A caller of the file.
    Caller(KnownCaller),
    /// Whoever has this certificate.
    Certificate(Arc<str>),
    Anonymous,
}

/// What somebody may do who is no caller of a file.
static UNLISTED: LazyLock<Permissions> = LazyLock::new(Permissions::default);

impl AdmissionPermit {
    /// What the caller may do.
    pub(crate) fn permissions(&self) -> &Permissions {
        permissions_of(self.caller.as_ref().map(|known| &known.caller))
    }
}

/// What a caller of the file may do, or somebody who is none.
pub(crate) fn permissions_of(caller: Option<&Arc<Caller>>) -> &Permissions {
    caller.map_or(&UNLISTED, |caller| &caller.permissions)
}

impl Admission {
    pub(crate) fn new(state: Arc<ServiceState>) -> Self {
        Self { state, caller_permits: Arc::default() }
    }

    /// Admits a request that needs `right`.
    ///
    /// # Errors
    ///
    /// 401: unknown caller; 403: the caller has not the right; 429: the caller is over its limit, or
    /// over its rate; 503: the service is over its limit, or the rate cannot be known. A service that
    /// is about to end goes on admitting requests: a reader of `/readyz` needs time to notice.
    pub(crate) fn admit<'a>(
        &'a self,
        request: &Request<Body>,
        right: Right,
    ) -> impl Future<Output = Result<AdmissionPermit, Problem>> + use<'a> {
        // At once: a request with its body cannot be lent to what waits.
        let admitted = self.admit_now(request, right);
        async move {
            let permit = admitted?;
            self.check_rate(&permit).await.map(|()| permit)
        }
    }

    fn admit_now(&self, request: &Request<Body>, right: Right) -> Result<AdmissionPermit, Problem> {
        let identity = self.identity(request)?;
        if let (Some(caller), Some(name)) =
            (identity.name(), request.extensions().get::<CallerName>())
        {
            name.set(caller);
        }
        identity.permissions().check_right(right).map_err(Problem::forbidden)?;
        let caller_permit = identity.name().map(|caller| self.caller_permit(caller)).transpose()?;
        let caller = identity.into_caller();
        Ok(AdmissionPermit {
            caller,
            _caller_permit: caller_permit,
            _permit: self.state.server.request_permit()?,
        })
    }

    /// Counts a request of a caller who has a rate.
    async fn check_rate(&self, permit: &AdmissionPermit) -> Result<(), Problem> {
        let Some(KnownCaller { caller, .. }) = &permit.caller else { return Ok(()) };
        match self.state.rates.check(caller).await {
            Ok(()) => Ok(()),
            Err(Excess::Until(pause)) => {
                let detail = "as many requests of one caller in a time as there may be";
                Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(pause))
            }
            #[cfg(feature = "replay-redis")]
            Err(Excess::Unknown) => {
                Err(Problem::unavailable("it cannot be known at the moment how many requests came"))
            }
        }
    }

    /// Looks the caller of an admitted request up again, before it is answered: bodies come as slowly as
    /// they like, and the file of callers can change meanwhile. Returns the caller as it is now.
    ///
    /// # Errors
    ///
    /// 401: nobody has its token any more; 403: whoever has it has not the right.
    pub(crate) fn recheck(
        &self,
        permit: &AdmissionPermit,
        right: Right,
    ) -> Result<Option<Arc<Caller>>, Problem> {
        let (Some(callers), Some(known)) = (&self.state.server.callers, &permit.caller) else {
            return Ok(None);
        };
        let caller = callers.current().of(&known.token.0).ok_or_else(unknown)?;
        caller.permissions.check_right(right).map_err(Problem::forbidden)?;
        Ok(Some(caller))
    }

    /// Admits a request whose caller is known by its signature.
    ///
    /// # Errors
    ///
    /// 503: the service is over its limit.
    pub(crate) fn admit_signed(&self) -> Result<AdmissionPermit, Problem> {
        Ok(AdmissionPermit {
            caller: None,
            _caller_permit: None,
            _permit: self.state.server.request_permit()?,
        })
    }

    fn identity(&self, request: &Request<Body>) -> Result<Identity, Problem> {
        let Some(callers) = &self.state.server.callers else {
            let peer = request.extensions().get::<Peer>();
            let certificate = peer.and_then(|peer| peer.certificate.clone());
            return Ok(certificate.map_or(Identity::Anonymous, Identity::Certificate));
        };
        let token = bearer_token(request.headers()).ok_or_else(unknown)?;
        let caller = callers.current().of(token).ok_or_else(unknown)?;
        let token = Token(Zeroizing::new(token.into()));
        Ok(Identity::Caller(KnownCaller { caller, token }))
    }

    fn caller_permit(&self, caller: &Arc<str>) -> Result<CallerPermit, Problem> {
        let most = self.state.settings.max_requests_per_caller;
        let permit = self.caller_permits.acquire(caller, most);
        permit.ok_or_else(|| Problem::too_many("as many requests of one caller as there may be"))
    }
}

impl Identity {
    fn name(&self) -> Option<&Arc<str>> {
        match self {
            Self::Caller(known) => Some(&known.caller.name),
            Self::Certificate(fingerprint) => Some(fingerprint),
            Self::Anonymous => None,
        }
    }

    fn permissions(&self) -> &Permissions {
        match self {
            Self::Caller(known) => &known.caller.permissions,
            Self::Certificate(_) | Self::Anonymous => &UNLISTED,
        }
    }

    fn into_caller(self) -> Option<KnownCaller> {
        match self {
            Self::Caller(known) => Some(known),
            Self::Certificate(_) | Self::Anonymous => None,
        }
    }
}

impl fmt::Debug for Token {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

fn unknown() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "expected the bearer token of a known caller")
        .with(header::WWW_AUTHENTICATE, "Bearer")
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

    use zeroize::Zeroizing;

    use super::{Token, bearer_token};

    fn token_of(values: &[&'static str]) -> Option<Vec<u8>> {
        let mut fields = HeaderMap::new();
        for value in values {
            fields.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer_token(&fields).map(<[u8]>::to_vec)
    }

    #[test]
    fn token_shows_nothing_of_itself() {
        let token = Token(Zeroizing::new((*b"secret").into()));
        assert_eq!(format!("{token:?}"), "Token { .. }");
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
