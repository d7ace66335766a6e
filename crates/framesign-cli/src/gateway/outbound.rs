//! Outbound: finds the hash of a request's body, signs the request, and sends it.

use axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, HeaderName, Request, Response, StatusCode, header},
};
use framesign::{
    PayloadHash,
    client::{NotSigned, RequestSigner, SignableBody},
};
use tracing::warn;

use crate::{
    exit::FatalError,
    gateway::{
        body::{
            claimed::{ClaimResult, ClaimedBody},
            client::{BodyFailure, ClientBody},
        },
        browser::BrowserCheck,
        handover::{self, Handover, failed},
        settings::SignerSource,
        spool::{self, Spool, SpoolError, Taking},
    },
    serve::{
        routes::problem::Problem,
        state::{reloadable::Reloadable, server_state::ServerState},
    },
};

/// The most bytes of a body that are taken into memory to find their hash.
const IN_MEMORY: usize = 256 * 1024;

/// Signs requests and sends them.
#[derive(Debug)]
pub(crate) struct Outbound {
    handover: Handover,
    browser: BrowserCheck,
    source: SignerSource,
    signer: Reloadable<RequestSigner>,
    spool: Option<Spool>,
    spools_claimed: bool,
}

impl Outbound {
    /// Reads the key.
    pub(crate) fn new(
        source: SignerSource,
        handover: Handover,
        browser: BrowserCheck,
        spool: Option<Spool>,
        spools_claimed: bool,
    ) -> Result<Self, FatalError> {
        let signer = Reloadable::new((source.0)()?);
        Ok(Self { handover, browser, source, signer, spool, spools_claimed })
    }

    /// Reads the key again.
    pub(crate) fn reload(&self) {
        let server: &ServerState = &self.handover.server;
        self.signer.reload("keys", &server.metrics, |_, _| (self.source.0)());
    }

    /// Answers a request.
    pub(crate) async fn answer(
        &self,
        request: Request<ClientBody>,
    ) -> Result<Response<Body>, Problem> {
        let (parts, body) = request.into_parts();
        self.browser.check(&parts)?;
        body.check_length().map_err(BodyFailure::problem)?;
        let request_id = handover::request_id(&parts);
        let Signable { body, len, claim } = self.signable(&parts.headers, body).await?;
        let mut head = self.handover.head(&parts, Some(len));
        if claim.is_none() {
            // Nobody is left to be asked for it.
            head.headers_mut().remove(header::EXPECT);
        }
        let (mut head, ()) = head.into_parts();
        let signed = self.signer.current().sign(&mut head, body).await;
        let body = signed.map_err(|error| not_signed(&error))?;
        let request = Request::from_parts(head, Body::new(body));
        let answer = self.handover.send(request, &request_id, ()).await;
        answer.map_err(|failure| match claim.and_then(|claim| claim.failure()) {
            // The request was cut here, and not by the peer.
            Some(failure) => Problem::new(StatusCode::BAD_REQUEST, failure.to_string()).closing(),
            None => failed(&failure, &parts),
        })
    }

    /// Finds the hash of `body`: claimed, or by reading all of it.
    async fn signable(&self, fields: &HeaderMap, body: ClientBody) -> Result<Signable, Problem> {
        let lines: Vec<_> = fields.get_all("content-digest").iter().collect();
        let claimed = PayloadHash::from_content_digest(&lines).filter(|_| !self.spools_claimed);
        if let (Some(hash), Some(len)) = (claimed, body.size_hint().exact()) {
            let body = ClaimedBody::new(body, hash, len);
            let claim = Some(body.result());
            return Ok(Signable { body: SignableBody::stream(body, hash, len), len, claim });
        }
        let taking = Taking { in_memory: IN_MEMORY, is_hashed: true };
        let taken = spool::take(body, self.spool.as_ref(), taking).await;
        let taken = taken.map_err(|error| not_taken(&error))?;
        let len = taken.len;
        let body = match taken.hash {
            Some(hash) => SignableBody::stream(taken.into_body(), hash, len),
            None => SignableBody::unhashed_stream(taken.into_body()),
        };
        Ok(Signable { body, len, claim: None })
    }
}

/// A body whose hash is known.
struct Signable {
    body: SignableBody,
    len: u64,
    /// Whether it is another one than was claimed; `None` if it was read.
    claim: Option<ClaimResult>,
}

/// The answer to a request whose body was not taken.
fn not_taken(error: &SpoolError<BodyFailure>) -> Problem {
    match error {
        SpoolError::Body(failure) => failure.problem(),
        SpoolError::NoDirectory => {
            let detail = format!(
                "expected Content-Digest and Content-Length, or at most {IN_MEMORY} bytes; larger \
                 bodies need --spool"
            );
            Problem::new(StatusCode::BAD_REQUEST, detail)
                .with(HeaderName::from_static("want-content-digest"), "sha-256=10")
                .closing()
        }
        SpoolError::Full | SpoolError::Io(_) => error.unavailable(),
    }
}

/// The answer to a request that is not signed.
fn not_signed(error: &NotSigned) -> Problem {
    match error {
        NotSigned::Runtime(_) | NotSigned::File { .. } => {
            warn!("a request was not signed: {error}");
            Problem::unavailable("the body cannot be read")
        }
        _ => Problem::new(StatusCode::BAD_REQUEST, error.to_string()),
    }
}
