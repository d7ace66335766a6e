//! Hands a request on to the upstream, and its answer back.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header,
        request::Parts,
    },
};
use tracing::warn;

use crate::{
    gateway::{
        body::client::BodyEnd,
        fields,
        upstream::{client::Upstream, failure::UpstreamFailure},
    },
    serve::{
        middleware::request_id::RequestId,
        net::held_body::HeldBody,
        routes::{problem::Problem, upstream_answer::OfUpstream},
        state::server_state::ServerState,
    },
};

/// What both directions hand requests on with.
#[derive(Clone, Debug)]
pub(crate) struct Handover {
    pub(crate) server: Arc<ServerState>,
    pub(crate) upstream: Upstream,
    /// The host that is sent instead of that of the request.
    pub(crate) host: Option<HeaderValue>,
}

impl Handover {
    /// The head of a request to the upstream, in origin-form: that of `parts` without the fields of
    /// one connection, without the names of the gateway, and through it. `len` is the length of the
    /// body, if it is known.
    pub(crate) fn head(&self, parts: &Parts, len: Option<u64>) -> Request<()> {
        let mut request = Request::new(());
        request.method_mut().clone_from(&parts.method);
        *request.uri_mut() = origin_form(&parts.uri);
        let mut fields = parts.headers.clone();
        fields::remove_hop_by_hop(&mut fields);
        fields::remove_reserved(&mut fields);
        fields::remove_proxy(&mut fields);
        if parts.version >= Version::HTTP_2 {
            fields::join_cookies(&mut fields);
        }
        set_length(&mut fields, &parts.method, len);
        fields::append_via(&mut fields, parts.version);
        if let Some(host) = self.host.clone().or_else(|| host(parts)) {
            fields.insert(header::HOST, host);
        }
        *request.headers_mut() = fields;
        if let Some(end) = parts.extensions.get::<BodyEnd>() {
            request.extensions_mut().insert(end.clone());
        }
        request
    }

    /// Sends `request` and returns the answer, with what was `held` for it until its end.
    pub(crate) async fn send<H>(
        &self,
        request: Request<Body>,
        request_id: &RequestId,
        held: H,
    ) -> Result<Response<Body>, UpstreamFailure>
    where
        H: Send + Unpin + 'static,
    {
        let response = self.upstream.send(request, request_id).await?;
        let mut response = response.map(|body| Body::new(HeldBody::new(Body::new(body), held)));
        // RFC 9110 section 2.5: the version is that of whoever sends the message.
        *response.version_mut() = Version::HTTP_11;
        let status = response.status();
        let fields = response.headers_mut();
        // RFC 9112 section 6.3: a length beside a transfer coding counts for nothing. RFC 9110 section 8.6:
        // 204 has none.
        if fields.contains_key(header::TRANSFER_ENCODING) || status == StatusCode::NO_CONTENT {
            fields.remove(header::CONTENT_LENGTH);
        }
        fields::join_lengths(fields);
        fields::remove_hop_by_hop(fields);
        response.extensions_mut().insert(OfUpstream);
        Ok(response)
    }
}

/// The host of a request: in absolute-form and in HTTP/2 the target has it.
pub(crate) fn host(parts: &Parts) -> Option<HeaderValue> {
    let authority = || HeaderValue::try_from(parts.uri.authority()?.as_str()).ok();
    parts.headers.get(header::HOST).cloned().or_else(authority)
}

/// RFC 9112 section 3.2.1: the target without scheme and authority.
fn origin_form(uri: &Uri) -> Uri {
    uri.path_and_query().cloned().map_or_else(|| uri.clone(), Uri::from)
}

/// The id of a request, which the middleware has given it.
pub(crate) fn request_id(parts: &Parts) -> RequestId {
    parts.extensions.get().cloned().unwrap_or_else(RequestId::made)
}

/// What the client is told if the upstream has not answered. That is logged, unless it was the body of
/// the client that broke off.
pub(crate) fn failed(failure: &UpstreamFailure, parts: &Parts) -> Problem {
    if let Some(failure) = parts.extensions.get().and_then(BodyEnd::failure) {
        return failure.problem();
    }
    warn!(request_id = request_id(parts).as_str(), "{failure}");
    failure.problem()
}

/// Says once how long the body is: a length, or chunks.
fn set_length(fields: &mut HeaderMap, method: &Method, len: Option<u64>) {
    let had_length = fields.remove(header::CONTENT_LENGTH).is_some();
    // RFC 9110 section 8.6: of these a length is expected.
    let expects_length = [Method::POST, Method::PUT, Method::PATCH].contains(method);
    match len {
        Some(0) if !had_length && !expects_length => {}
        Some(len) => drop(fields.insert(header::CONTENT_LENGTH, len.into())),
        None => {
            fields.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
}
