//! The requests: each of the draft in a file of its own, and what they share.

mod append;
mod cancel;
mod create;
mod retrieve;

use std::time::Duration;

use bytes::Bytes;
use framesign::{
    PayloadHash,
    http::{BoxError, Verification, VerifyingBody},
    secrets::{KeyCache, KeySource, StoreError as SecretsError},
    verify::{Claim, Verified, WWW_AUTHENTICATE},
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use serde::Serialize;

use super::{
    limits::Limits,
    names::UploadKey,
    part,
    problem::{Body, Problem, number},
    record::{Hash, Record},
    store::StoreError,
    uploads::{Ending, OpenUpload, Uploads, name_taken},
};
use crate::fields::{
    ACCEPT_PATCH, PARTIAL_UPLOAD, REPR_DIGEST, UPLOAD_COMPLETE, UPLOAD_LIMIT, UPLOAD_OFFSET,
    boolean_value, repr_digest,
};

/// What begins the path of a file.
pub const FILES: &str = "/files/";

/// What begins the path of an upload resource.
pub const UPLOADS: &str = "/uploads/";

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target<'a> {
    File { name: &'a str },
    Upload { id: &'a str },
}

impl<'a> Target<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let file = path.strip_prefix(FILES).map(|name| Self::File { name });
        file.or_else(|| path.strip_prefix(UPLOADS).map(|id| Self::Upload { id }))
    }

    const fn allow(self) -> &'static str {
        match self {
            Self::File { .. } => "POST, PUT, OPTIONS",
            Self::Upload { .. } => "GET, HEAD, PATCH, DELETE, OPTIONS",
        }
    }

    fn allows(self, method: &Method) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method.as_str())
    }
}

/// A request whose head is proven.
pub(super) struct Signed<'a, B, S> {
    uploads: &'a Uploads,
    keys: &'a KeyCache<S>,
    access_key: Box<[u8]>,
    fields: HeaderMap,
    content_length: u64,
    verification: Verification,
    body: VerifyingBody<B>,
}

/// Answers a request that a `VerifyLayer` has let through.
pub(super) async fn answer<B, S>(
    uploads: Uploads,
    keys: &KeyCache<S>,
    request: Request<VerifyingBody<B>>,
) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
    S: KeySource,
{
    let (mut parts, body) = request.into_parts();
    let claim: Option<Claim> = parts.extensions.remove();
    let (Some(claim), Some(verification)) = (claim, parts.extensions.remove()) else {
        let detail = "the service is not behind a layer that verifies";
        return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response();
    };
    let access_key = claim.access_key().into();
    let content_length = claim.content_length().unwrap_or_default();
    let (path, fields) = (parts.uri.path(), parts.headers);
    let uploads = &uploads;
    let signed = Signed { uploads, keys, access_key, fields, content_length, verification, body };
    let answered = signed.answer(&parts.method, path).await;
    answered.unwrap_or_else(|problem| {
        uploads.tell_of(&problem);
        problem.into_response()
    })
}

impl<B, S> Signed<'_, B, S>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
    S: KeySource,
{
    async fn answer(self, method: &Method, path: &str) -> Result<Response<Body>, Problem> {
        self.uploads.check_authorized(&self.access_key)?;
        let id = match Target::of(path).ok_or_else(Problem::not_found)? {
            Target::File { name } => return self.create(name).await,
            Target::Upload { id } => id,
        };
        let key = UploadKey::of_request(&self.access_key, id);
        let key = key.ok_or_else(Problem::not_found)?;
        match *method {
            Method::PATCH => self.append(&key).await,
            Method::DELETE => self.cancel(&key).await,
            // GET or HEAD: others were answered before.
            _ => self.retrieve(&key).await,
        }
    }

    /// Receives the content of the request, and counts it: it is verified, its secret is still live,
    /// and it is on stable storage. If it does not count, the upload stays as it was.
    ///
    /// With the last part the upload is whole, if its hash is the one that was claimed.
    async fn receive(self, upload: &mut OpenUpload, terms: Terms) -> Result<Received, Problem> {
        let Self { uploads, keys, access_key, content_length, verification, body, .. } = self;
        let part = part::receive(uploads, upload, body, content_length).await?;
        // A refusal is answered by the layer around all this.
        let verified = verification.verified();
        let verified = verified.map_err(|_| Problem::bad_request("expected the whole content"))?;
        check_live(keys, &verified).await?;
        uploads.check_authorized(&access_key)?;
        let before = upload.record.clone();
        let record = &mut upload.record;
        record.append(part, &verified);
        (record.length, record.claimed, record.claim) = (terms.length, terms.claimed, None);
        let result = if terms.is_last && !record.complete(uploads.now()) {
            Ok(Received::OtherHash)
        } else {
            uploads.save(upload).await.map(|()| Received::Counted)
        };
        if !matches!(result, Ok(Received::Counted)) {
            upload.record = before;
        }
        result
    }
}

/// What a request says of the upload.
#[derive(Clone, Copy, Debug)]
struct Terms {
    is_last: bool,
    /// The length of the whole, if it is known.
    length: Option<u64>,
    /// The hash of the whole, if it is claimed.
    claimed: Option<Hash>,
}

/// What became of a part that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Received {
    Counted,
    /// It was the last one, and the whole has another hash than was claimed.
    OtherHash,
}

/// A secret can be revoked while a part is on its way.
async fn check_live<S: KeySource>(keys: &KeyCache<S>, verified: &Verified) -> Result<(), Problem> {
    match keys.is_live(verified).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            let problem = Problem::new(StatusCode::UNAUTHORIZED, "the request is not verified");
            Err(problem.with(header::WWW_AUTHENTICATE, HeaderValue::from_static(WWW_AUTHENTICATE)))
        }
        Err(error) => Err(secrets_unavailable(error)),
    }
}

fn secrets_unavailable(error: SecretsError) -> Problem {
    Problem::unavailable(StoreError::new("read secrets", error))
}

/// Ends an upload that is whole, and answers with the result.
async fn end(uploads: &Uploads, upload: OpenUpload) -> Result<Response<Body>, Problem> {
    match uploads.finish(upload.turn.key(), upload.record).await? {
        Ending::Visible(record) => Ok(completed(&record)),
        Ending::NameTaken => Err(name_taken()),
        // Not of one that has just ended, unless it may have no age at all.
        Ending::Expired => Err(Problem::not_found()),
    }
}

/// The members of the answer to a creation and to the last part: what has come.
#[derive(Serialize)]
struct Description<'a> {
    name: &'a str,
    bytes: u64,
    sha256: String,
}

/// The answer to a creation and to the last part.
#[expect(clippy::expect_used, reason = "only maps with other keys than text fail")]
fn described(record: &Record, is_complete: bool) -> Response<Body> {
    let description = Description {
        name: record.name.as_str(),
        bytes: record.offset,
        sha256: record.digest().to_string(),
    };
    let text = serde_json::to_vec(&description).expect("texts and numbers are JSON");
    let mut response = progress(StatusCode::CREATED, record, is_complete);
    *response.body_mut() = Body::from(text);
    let media_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}

/// The answer to the last part.
fn completed(record: &Record) -> Response<Body> {
    let mut response = described(record, true);
    let fields = response.headers_mut();
    insert(fields, header::LOCATION, &format!("{FILES}{}", record.name.to_segment()));
    insert(fields, REPR_DIGEST, &record.digest().content_digest());
    response
}

/// An answer that says how far an upload is.
fn progress(status: StatusCode, record: &Record, is_complete: bool) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(UPLOAD_OFFSET, number(record.offset));
    fields.insert(UPLOAD_COMPLETE, HeaderValue::from_static(boolean_value(is_complete)));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer that needs no signature: to OPTIONS, what a path takes and the limits; and where there
/// is nothing, or nothing of that method.
pub(super) fn answer_unsigned(
    limits: &Limits,
    method: &Method,
    path: &str,
) -> Option<Response<Body>> {
    match Target::of(path) {
        None => Some(Problem::not_found().into_response()),
        Some(target) if !target.allows(method) => {
            Some(method_not_allowed(target.allow()).into_response())
        }
        Some(target) => (*method == Method::OPTIONS).then(|| options(limits, target)),
    }
}

fn options(limits: &Limits, target: Target<'_>) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let fields = response.headers_mut();
    fields.insert(header::ALLOW, HeaderValue::from_static(target.allow()));
    if matches!(target, Target::Upload { .. }) {
        fields.insert(ACCEPT_PATCH, HeaderValue::from_static(PARTIAL_UPLOAD));
    }
    insert(fields, UPLOAD_LIMIT, &limits.field(limits.max_age));
    response
}

/// Refuses content that is over a limit of a request, or under it.
fn check_content(limits: &Limits, length: u64, is_last: bool) -> Result<(), Problem> {
    if length > limits.max_part {
        let detail = format!("expected a part of at most {} bytes", limits.max_part);
        return Err(limited(Problem::too_large(detail), limits));
    }
    if !is_last && length < limits.min_part {
        let least = limits.min_part;
        let detail = format!("expected a part of at least {least} bytes, unless it is the last");
        return Err(limited(Problem::bad_request(detail).complete(false), limits));
    }
    Ok(())
}

/// Refuses a part that would be one of too many, or have too many pieces for the store, after those
/// that are there.
fn check_room(uploads: &Uploads, parts: u32, pieces: usize, length: u64) -> Result<(), Problem> {
    let properties = uploads.store.properties();
    let pieces = pieces as u64 + part::pieces(&properties, length);
    if pieces <= properties.max_pieces as u64 && parts < uploads.limits.max_parts {
        return Ok(());
    }
    let detail = "as many parts of the upload as there may be; send it anew in larger ones";
    Err(limited(Problem::too_large(detail), &uploads.limits))
}

fn check_size(limits: &Limits, size: u64) -> Result<(), Problem> {
    if size <= limits.max_size {
        return Ok(());
    }
    let detail = format!("expected an upload of at most {} bytes", limits.max_size);
    Err(limited(Problem::too_large(detail), limits))
}

/// Adds the limits, which a client looks for when it meets one.
fn limited(problem: Problem, limits: &Limits) -> Problem {
    match HeaderValue::try_from(limits.field(limits.max_age)) {
        Ok(value) => problem.with(UPLOAD_LIMIT, value),
        Err(_) => problem,
    }
}

fn limit_field(record: &Record, uploads: &Uploads) -> String {
    let left = record.remaining(&uploads.limits, uploads.now());
    uploads.limits.field(left.unwrap_or(Duration::ZERO))
}

/// The one length of all that are said; an error if they differ.
fn agreed(said: [Option<u64>; 3]) -> Result<Option<u64>, Problem> {
    let mut lengths = said.into_iter().flatten();
    let Some(first) = lengths.next() else { return Ok(None) };
    match lengths.find(|length| *length != first) {
        None => Ok(Some(first)),
        Some(other) => {
            let detail = format!("expected one length of the upload, found {first} and {other}");
            Err(Problem::inconsistent_length(detail))
        }
    }
}

/// The hash of the whole that a request claims.
fn claimed(fields: &HeaderMap) -> Option<Hash> {
    repr_digest(fields).map(|hash| Hash(PayloadHash::from_bytes(hash)))
}

/// The whole has another hash than was claimed. To go on does not help.
fn other_hash() -> Problem {
    Problem::bad_request("expected the bytes whose hash Repr-Digest claims, found others")
        .complete(true)
}

fn method_not_allowed(allow: &'static str) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("expected one of {allow}"))
        .with(header::ALLOW, HeaderValue::from_static(allow))
}

/// All values that are made here are visible ASCII.
fn insert(fields: &mut HeaderMap, name: http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        fields.insert(name, value);
    }
}
