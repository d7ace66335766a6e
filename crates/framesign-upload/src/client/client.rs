//! The client: its settings, and what it does.

use std::{error::Error, time::Duration};

use bytes::Buf;
use framesign::{
    Credentials, Limits, SigningOptions,
    client::{RequestSigner, SignedBody},
    http::BoxError,
};
use http::{Request, Response, Uri};
use tower_service::Service;

use super::{
    error::UploadError,
    event::{Event, Observer},
    retries::Retries,
    settings::Settings,
    source::Source,
    transport::Transport,
    upload::{self, Uploaded},
    url::Url,
};

/// Sends files and streams in signed parts, and goes on after a break.
///
/// It is made of any client of HTTP that is a tower service and adds nothing to a request, such as
/// that of hyper-util. A client that follows redirects, adds fields or changes the content makes
/// signatures wrong. Clones share the client and the key.
///
/// It runs on tokio, with its time and its threads that may block. See the [module](super) for an
/// example.
#[derive(Clone, Debug)]
pub struct Client {
    settings: Settings,
}

impl Client {
    /// The size of parts, unless another one is set: 16 MiB.
    pub const DEFAULT_PART_SIZE: u64 = 16 << 20;

    /// The longest silence, unless another one is set: 60 seconds.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

    /// Sends through `http`, and signs with the key of the day of `credentials`.
    pub fn new<C, B>(http: C, credentials: Credentials) -> Self
    where
        C: Service<Request<SignedBody>, Response = Response<B>> + Clone + Send + Sync + 'static,
        C::Future: Send,
        C::Error: Into<BoxError>,
        B: http_body::Body + Send + 'static,
        B::Data: Buf + Send,
        B::Error: Into<BoxError>,
    {
        let signer = RequestSigner::new(credentials).options(signing_options());
        Self {
            settings: Settings {
                transport: Transport::new(http, signer, Self::DEFAULT_TIMEOUT),
                part_size: Self::DEFAULT_PART_SIZE,
                retries: Retries::default(),
                is_lasting: |_| false,
                observer: Observer::default(),
            },
        }
    }

    /// Sets the size of parts, in bytes.
    ///
    /// A part is larger if the server asks for it, if the file would have more than 10,000 parts, or
    /// if a stream is longer than 2,000 parts; it is smaller if the server takes no larger ones.
    /// Of a stream two parts are held in memory, of a file none. So a server that asks for parts of
    /// more than 1 GiB, or `bytes` if that is more, gets no stream; and one that takes parts of at
    /// most some bytes, fewer than 4 KiB, gets nothing that is longer.
    #[must_use]
    pub fn part_size(mut self, bytes: u64) -> Self {
        self.settings.part_size = bytes;
        self
    }

    /// Sets what is sent again.
    #[must_use]
    pub fn retries(mut self, retries: Retries) -> Self {
        self.settings.retries = retries;
        self
    }

    /// Sets which errors of the client of HTTP another attempt would meet again, such as a certificate
    /// that is not trusted. They end the upload at once; unless this is set, all are taken for a
    /// connection that broke.
    #[must_use]
    pub fn lasting(mut self, is_lasting: fn(&(dyn Error + 'static)) -> bool) -> Self {
        self.settings.is_lasting = is_lasting;
        self
    }

    /// Sets the longest silence: while nothing of a request is taken, or no answer comes. A request
    /// that meets it has failed, as if the connection had broken.
    ///
    /// Once the last byte of a part was handed to the connection, the answer may take three times as
    /// long: on a slow line some MiB are still in buffers then.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.transport.timeout = timeout;
        self
    }

    /// Sets who is told how an upload goes. It is called often and should not block for long.
    #[must_use]
    pub fn observe(mut self, observe: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.settings.observer = Observer::new(observe);
        self
    }

    /// Uploads a source to `url`: in parts, or by one PUT if the server takes none.
    ///
    /// # Errors
    ///
    /// An [`UploadError`]. If the upload can be resumed, [`Event::Created`] has told how. If it
    /// cannot, because the source failed, it is cancelled.
    pub async fn upload(&self, source: Source, url: &Uri) -> Result<Uploaded, UploadError> {
        upload::upload(&self.settings, source, Url::new(url)?).await
    }

    /// Goes on with an upload that was broken off. `url` is the one that [`upload`](Self::upload)
    /// had, and `upload` the one that [`Event::Created`] told.
    ///
    /// The source has to be the same, at the same position. What the server has is read again, for
    /// the hash of the whole, and not sent: so a source with other bytes there is refused at the
    /// end. To see earlier that a file changed is up to the caller, who can keep its
    /// [`stamp`](Source::stamp) and compare it.
    ///
    /// # Errors
    ///
    /// An [`UploadError`]; [`UploadError::Gone`] if there is nothing to go on with.
    pub async fn resume(
        &self,
        source: Source,
        url: &Uri,
        upload: &Uri,
    ) -> Result<Uploaded, UploadError> {
        let url = Url::new(url)?;
        let upload = url.resolve(&upload.to_string())?;
        upload::resume(&self.settings, source, url, upload).await
    }

    /// Cancels an upload, at the URL that [`Event::Created`] told. The server deletes what it has of
    /// it.
    ///
    /// # Errors
    ///
    /// An [`UploadError`]; [`UploadError::Gone`] if the server does not know it.
    pub async fn cancel(&self, upload: &Uri) -> Result<(), UploadError> {
        upload::cancel(&self.settings, Url::new(upload)?).await
    }
}

/// PATCH is not among the methods that are allowed without being named.
#[expect(clippy::expect_used, reason = "PATCH is a token")]
fn signing_options() -> SigningOptions {
    let limits = Limits::default().allow_method("PATCH").expect("PATCH is a token");
    SigningOptions::default().limits(limits)
}
