//! Requests and bodies to test with.

use std::{
    io,
    sync::mpsc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use framesign::{
    Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions,
    http::{VerifyingBody, sign_request},
    offload::{HashPool, OffloadedHash},
    verify::Policy,
};
use futures_util::{
    FutureExt,
    stream::{self, Stream},
};
use http::{HeaderName, HeaderValue, Method, Request, request::Parts};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};

use crate::support::Held;

/// A time to sign and to verify at.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_690_900_000)
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("access", "secret").unwrap()
}

/// The key of the day that the tests sign at.
pub(crate) fn key() -> SigningKey {
    SigningKey::derive(&credentials(), SigningDate::of(now()))
}

/// Signs `parts` with that key, at that time, without a Content-Digest: so that the signature is
/// checked at the end of the payload.
pub(crate) fn sign(parts: &mut Parts, payload: PayloadHash) {
    let options = SigningOptions::default().without_content_digest();
    sign_request(parts, &key(), payload, now(), &options).unwrap();
}

/// The head and the payload of `frame` as another implementation reads them, where it does.
pub(crate) fn read(frame: &[u8]) -> Option<(Parts, Bytes)> {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(len) = head.parse(frame).ok()? else { return None };
    let mut request = Request::builder().uri(head.path?).body(()).ok()?;
    *request.method_mut() = Method::from_bytes(head.method?.as_bytes()).ok()?;
    for field in head.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    Some((request.into_parts().0, Bytes::copy_from_slice(&frame[len..])))
}

pub(crate) type Frames = Vec<io::Result<Frame<Bytes>>>;

/// A body of these frames.
pub(crate) fn body(
    frames: Frames,
) -> StreamBody<impl Stream<Item = io::Result<Frame<Bytes>>> + Send + Sync + Unpin> {
    StreamBody::new(stream::iter(frames))
}

/// A frame for each piece.
pub(crate) fn data<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Frames {
    pieces.into_iter().map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect()
}

/// Keeps the one thread of `pool` busy until the sender goes.
pub(crate) fn busy(pool: &HashPool) -> (OffloadedHash, mpsc::Sender<()>) {
    let (end, until) = mpsc::channel();
    let mut hash = OffloadedHash::new(pool);
    hash.push(Bytes::from_owner(Held(vec![7; 64 * 1024], until)));
    (hash, end)
}

/// The bytes that `body` hands on until it waits.
pub(crate) fn handed_on<B: Body<Data = Bytes> + Unpin>(body: &mut B) -> usize {
    let mut handed_on = 0;
    while let Some(Some(Ok(frame))) = body.frame().now_or_never() {
        handed_on += frame.into_data().map_or(0, |data| data.len());
    }
    handed_on
}

/// A signed request for the payload `signed`, with its Content-Length.
pub(crate) fn upload(signed: &[u8]) -> Parts {
    let request = Request::put("http://test.com/up?part=1").header("content-length", signed.len());
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    sign(&mut parts, PayloadHash::of(signed));
    parts
}

/// The upload of `signed`, verified while `body` comes.
pub(crate) fn verifying<B>(signed: &[u8], body: B) -> VerifyingBody<B> {
    let claim = Policy::default().examine_parts(&upload(signed), now()).unwrap();
    VerifyingBody::new(body, claim.check(&[key()]).unwrap())
}

/// Chooses TLS for reqwest, which no test here uses. A feature of another package, if it is built
/// with this one, leaves the choice to the program.
#[cfg(feature = "tower")]
pub(crate) fn choose_tls() {
    // An error says that it is chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
