//! A client for tests: signs requests, and sends them to a service in this process.

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use framesign::{
    Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions,
    http::sign_request,
    offload::HashPool,
    secrets::{KeyCache, MemoryStore, Secret},
    verify::Policy,
};
use framesign_upload::server::{Limits, Service, Store, Uploads};
use futures_util::stream;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use tower::ServiceExt;

/// The access keys that the service knows.
pub(crate) const ALICE: &str = "alice";
pub(crate) const BOB: &str = "bob";

/// The time of all requests, unless a test says another.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// A service, as one process has it.
#[derive(Clone)]
pub(crate) struct Server {
    service: Service<MemoryStore>,
    pub(crate) uploads: Uploads,
    pub(crate) secrets: Arc<KeyCache<MemoryStore>>,
    pub(crate) now: SystemTime,
}

impl Server {
    pub(crate) fn of(kept: &super::stores::Kept) -> Self {
        Self::limited_of(kept, Limits::default())
    }

    pub(crate) fn limited_of(kept: &super::stores::Kept, limits: Limits) -> Self {
        Self::shared(kept.open(), limits, now())
    }

    pub(crate) fn shared(store: Arc<dyn Store>, limits: Limits, now: SystemTime) -> Self {
        Self::clocked(store, limits, now, move || now)
    }

    /// A service by a clock that goes on.
    pub(crate) fn with_clocks(
        store: Arc<dyn Store>,
        limits: Limits,
        clock: fn() -> SystemTime,
    ) -> Self {
        Self::of_clocks(store, limits, clock(), clock, clock)
    }

    /// The same service with threads that hash.
    pub(crate) fn hash_on(mut self, pool: &HashPool) -> Self {
        self.uploads = self.uploads.hash_on(pool);
        let now = self.now;
        self.service = Service::with_layer(
            Arc::clone(&self.secrets),
            Policy::default(),
            self.uploads.clone(),
            |layer| layer.clock(move || now),
        );
        self
    }

    /// The same with a clock for the ages of uploads and claims.
    pub(crate) fn clocked(
        store: Arc<dyn Store>,
        limits: Limits,
        now: SystemTime,
        clock: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> Self {
        Self::of_clocks(store, limits, now, clock, move || now)
    }

    fn of_clocks(
        store: Arc<dyn Store>,
        limits: Limits,
        now: SystemTime,
        of_uploads: impl Fn() -> SystemTime + Send + Sync + 'static,
        of_signatures: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> Self {
        let secrets = MemoryStore::new();
        for access_key in [ALICE, BOB] {
            secrets.add(access_key, Secret::new(&secret(access_key)).unwrap()).unwrap();
        }
        let secrets = Arc::new(KeyCache::new(secrets));
        let uploads = Uploads::shared(store, limits).clock(of_uploads);
        let service = Service::with_layer(
            Arc::clone(&secrets),
            Policy::default(),
            uploads.clone(),
            |layer| layer.clock(of_signatures),
        );
        Self { service, uploads, secrets, now }
    }

    /// The same uploads, for the access keys that may.
    pub(crate) fn authorized(&self, may: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        let (uploads, secrets) = (self.uploads.clone().authorize(may), self.secrets.clone());
        let (policy, now) = (Policy::default(), self.now);
        let service = Service::with_layer(secrets.clone(), policy, uploads.clone(), |layer| {
            layer.clock(move || now)
        });
        Self { service, uploads, secrets, now }
    }

    pub(crate) fn service(&self) -> Service<MemoryStore> {
        self.service.clone()
    }

    pub(crate) async fn send(&self, request: Request<Content>) -> Answer {
        self.send_any(request).await
    }

    /// Gives an access key its secret back.
    pub(crate) fn restore(&self, access_key: &str) {
        self.secrets.store().add(access_key, Secret::new(&secret(access_key)).unwrap()).unwrap();
    }

    pub(crate) async fn send_any<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
    {
        self.send_body(request).await
    }

    pub(crate) async fn send_body<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<framesign::http::BoxError>,
    {
        let response = self.service.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, fields: parts.headers, body }
    }

    /// Sends a request that is signed by ALICE.
    pub(crate) async fn call(&self, call: Call) -> Answer {
        self.send(call.at(self.now).signed(ALICE)).await
    }
}

pub(crate) fn secret(access_key: &str) -> String {
    format!("the secret of {access_key}")
}

pub(crate) type Content =
    StreamBody<stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

/// A request before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    fields: Vec<(&'static str, String)>,
    content: Vec<u8>,
    now: SystemTime,
}

impl Call {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let (method, path) = (method.parse().unwrap(), path.to_owned());
        Self { method, path, fields: Vec::new(), content: Vec::new(), now: now() }
    }

    /// A creation of `name`.
    pub(crate) fn create(name: &str, content: &[u8], is_last: bool) -> Self {
        Self::new("POST", &format!("/files/{name}")).complete(is_last).content(content)
    }

    /// A part for the upload at `path`.
    pub(crate) fn part(path: &str, offset: usize, content: &[u8], is_last: bool) -> Self {
        Self::new("PATCH", path)
            .field("content-type", "application/partial-upload")
            .field("upload-offset", offset)
            .complete(is_last)
            .content(content)
    }

    pub(crate) fn field(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(field, _)| *field != name);
        self
    }

    pub(crate) fn complete(self, is_last: bool) -> Self {
        self.field("upload-complete", if is_last { "?1" } else { "?0" })
    }

    pub(crate) fn content(mut self, content: &[u8]) -> Self {
        self.content = content.to_vec();
        self
    }

    pub(crate) fn at(mut self, now: SystemTime) -> Self {
        self.now = now;
        self
    }

    pub(crate) fn head(&self, access_key: &str, options: &SigningOptions) -> http::request::Parts {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header("host", "uploads.test");
        for (name, value) in &self.fields {
            request = request.header(*name, value);
        }
        if !self.content.is_empty()
            || [Method::POST, Method::PUT, Method::PATCH].contains(&self.method)
        {
            request = request.header("content-length", self.content.len());
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let credentials = Credentials::new(access_key, &secret(access_key)).unwrap();
        let key = SigningKey::derive(&credentials, SigningDate::of(self.now));
        let hash = PayloadHash::of(&self.content);
        sign_request(&mut parts, &key, hash, self.now, options).unwrap();
        parts
    }

    pub(crate) fn options() -> SigningOptions {
        SigningOptions::default()
            .limits(framesign::Limits::default().allow_method("PATCH").unwrap())
    }

    /// Signed, with its content in one frame.
    pub(crate) fn signed(&self, access_key: &str) -> Request<Content> {
        self.in_frames(access_key, vec![self.content.clone()])
    }

    /// Signed, with other content than was signed, or in other frames.
    pub(crate) fn in_frames(&self, access_key: &str, frames: Vec<Vec<u8>>) -> Request<Content> {
        Request::from_parts(self.head(access_key, &Self::options()), content(frames))
    }
}

pub(crate) fn content(frames: Vec<Vec<u8>>) -> Content {
    let frames = frames.into_iter().filter(|frame| !frame.is_empty());
    let frames: Vec<_> = frames.map(|frame| Ok(Frame::data(Bytes::from(frame)))).collect();
    StreamBody::new(stream::iter(frames))
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    /// The path of the upload that was created.
    pub(crate) fn location(&self) -> String {
        assert_eq!(self.status, 201, "{self:?}");
        self.field("location").unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

/// Bytes that repeat nowhere soon.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

pub(crate) fn repr_digest(content: &[u8]) -> String {
    PayloadHash::of(content).content_digest()
}
