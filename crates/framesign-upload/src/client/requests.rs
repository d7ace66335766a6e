//! The requests of an upload, before they are signed.

use framesign::client::SignableBody;
use http::{HeaderName, HeaderValue, Method, Request, header, request::Builder};

use super::{part::Part, url::Url};
use crate::fields::{
    INTEROP_VERSION, PARTIAL_UPLOAD, REPR_DIGEST, UPLOAD_COMPLETE, UPLOAD_DRAFT_INTEROP_VERSION,
    UPLOAD_LENGTH, UPLOAD_OFFSET, boolean_value,
};

/// A request of `method` without content.
pub(super) fn plain(method: &Method, url: &Url) -> Request<SignableBody> {
    finish(begin(method, url), SignableBody::empty())
}

/// Creates an upload, of which nothing is sent yet.
pub(super) fn create(url: &Url, length: Option<u64>) -> Request<SignableBody> {
    let request = with_complete(begin(&Method::POST, url), false);
    let request = match length {
        Some(length) => request.header(UPLOAD_LENGTH, length),
        None => request,
    };
    finish(request, SignableBody::empty())
}

/// Appends a part to an upload.
pub(super) fn append(upload: &Url, part: &Part, body: SignableBody) -> Request<SignableBody> {
    let request = with_complete(begin(&Method::PATCH, upload), part.whole.is_some())
        .header(header::CONTENT_TYPE, PARTIAL_UPLOAD)
        .header(UPLOAD_OFFSET, part.begin);
    let request = match part.whole {
        Some(whole) => request.header(REPR_DIGEST, whole.content_digest()),
        None => request,
    };
    finish(request, body)
}

/// Sends all of a source, to a server that takes no parts.
pub(super) fn put(url: &Url, body: SignableBody) -> Request<SignableBody> {
    // It does not know the fields of uploads in parts.
    finish(Request::builder().method(Method::PUT).uri(url.to_uri()), body)
}

fn begin(method: &Method, url: &Url) -> Builder {
    let version: (HeaderName, HeaderValue) = (UPLOAD_DRAFT_INTEROP_VERSION, INTEROP_VERSION.into());
    Request::builder().method(method).uri(url.to_uri()).header(version.0, version.1)
}

fn with_complete(request: Builder, is_last: bool) -> Builder {
    request.header(UPLOAD_COMPLETE, boolean_value(is_last))
}

#[expect(clippy::expect_used, reason = "method and URL are read, names and values are ASCII")]
fn finish(request: Builder, body: SignableBody) -> Request<SignableBody> {
    request.body(body).expect("a request is made of what is right")
}
