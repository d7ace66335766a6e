//! The layer around the client of hyper-util.

use std::{
    error::Error,
    future::{Ready, ready},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use framesign::{
    PayloadHash, SigningError, SigningOptions,
    client::{self, NotSigned, RequestSigner, SignableBody, SignableFile, SignedBody},
    tower::{SendError, SignLayer, SignService},
    verify::{Policy, Reason},
};
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{
    Layer, Service, ServiceExt,
    retry::{self, Retry, RetryLayer},
    service_fn,
};

use super::{Receiver, TestFile, assert_all_differ, contents, is_created, signer, ticking};
use crate::{
    http::support::{body, credentials, data, now},
    support::content_digest,
};

type Sender = SignService<Client<HttpConnector, SignedBody>>;

fn sender(signer: RequestSigner) -> Sender {
    SignLayer::new(signer).layer(Client::builder(TokioExecutor::new()).build_http())
}

/// Sends again what is answered with 503, and goes on where a redirect leads to.
#[derive(Clone)]
struct Again(usize);

impl<E> retry::Policy<Request<SignableBody>, Response<Incoming>, E> for Again {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        request: &mut Request<SignableBody>,
        result: &mut Result<Response<Incoming>, E>,
    ) -> Option<Ready<()>> {
        let response = result.as_ref().ok()?;
        match response.status().as_u16() {
            503 => {}
            307 => {
                let location = response.headers()["location"].to_str().unwrap();
                *request.uri_mut() = location.parse::<Uri>().unwrap();
            }
            _ => return None,
        }
        self.0 = self.0.checked_sub(1)?;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &Request<SignableBody>) -> Option<Request<SignableBody>> {
        client::try_clone(request)
    }
}

fn retrying(signer: RequestSigner) -> Retry<Again, Sender> {
    RetryLayer::new(Again(3)).layer(sender(signer))
}

fn put(url: String, body: impl Into<SignableBody>) -> Request<SignableBody> {
    Request::put(url).body(body.into()).unwrap()
}

const ANEW: [&str; 3] = ["dynata-nonce", "timestamp", "dynata-signature"];

#[tokio::test]
async fn each_attempt_is_signed_anew() {
    let receiver = Receiver::start(&[503, 503, 201]).await;
    let response = retrying(ticking()).oneshot(put(receiver.url("/up?a=b"), "hello")).await;
    is_created(response.unwrap().status());
    assert_eq!(receiver.payloads(), [b"hello", b"hello", b"hello"]);
    assert_all_differ(&receiver, &ANEW);
}

/// Runs on one thread that blocks, whose reads are counted.
#[test]
fn a_file_is_hashed_once_for_all_attempts() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .thread_keep_alive(Duration::from_secs(600))
        .build()
        .unwrap();
    runtime.block_on(async {
        let receiver = Receiver::start(&[503, 201]).await;
        let contents = contents(3_000_000);
        let file = TestFile::new(&contents);
        let before = bytes_read().await;
        let request = put(receiver.url("/up"), SignableFile::new(&file.path));
        let response = retrying(ticking()).oneshot(request).await.unwrap();
        is_created(response.status());
        assert!(receiver.payloads() == [contents.clone(), contents.clone()]);
        assert_all_differ(&receiver, &ANEW);
        let digest = Some(content_digest(&contents));
        assert_eq!(receiver.values("content-digest"), [digest.clone(), digest]);

        // Hashed once, sent twice; the rest is the counter itself.
        if let (Some(before), Some(after)) = (before, bytes_read().await) {
            let passes = (after - before) / contents.len();
            assert_eq!(passes, 3, "{} bytes read", after - before);
        }
    });
}

/// The bytes that the thread has read so far, where the system counts them.
async fn bytes_read() -> Option<usize> {
    let read = || std::fs::read_to_string("/proc/thread-self/io").ok();
    let counters = tokio::task::spawn_blocking(read).await.unwrap()?;
    counters.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok())
}

#[tokio::test]
async fn a_redirect_is_signed_for_its_own_target() {
    let receiver = Receiver::start(&[]).await;
    receiver.redirect(307, &receiver.url("/new?x=1"));
    let request = put(receiver.url("/old"), "hello");
    let response = retrying(ticking()).oneshot(request).await.unwrap();
    is_created(response.status());
    assert_eq!(receiver.targets(), ["/old", "/new?x=1"]);
    assert_all_differ(&receiver, &ANEW);
}

#[tokio::test]
async fn no_signature_goes_to_a_host_that_is_not_named() {
    let (receiver, other) = (Receiver::start(&[]).await, Receiver::start(&[]).await);
    receiver.redirect(307, &other.url("/stolen"));
    let policy = Policy::default().host(&receiver.address.to_string());
    let signer = signer().options(SigningOptions::for_policy(&policy));
    let error = retrying(signer).oneshot(put(receiver.url("/up"), "hello")).await.unwrap_err();
    match error {
        SendError::NotSigned(NotSigned::Signing(SigningError::Refused(refusal))) => {
            assert_eq!(refusal.reason(), Reason::Host);
        }
        error => panic!("{error}"),
    }
    assert_eq!(receiver.targets(), ["/up"]);
    assert!(other.targets().is_empty() && other.failures().is_empty());
}

/// The first attempt is of yesterday, the second of today.
#[tokio::test]
async fn the_key_is_new_at_midnight() {
    let midnight = now() - Duration::from_secs(1_690_900_000 % 86_400);
    let answers = [(503, None), (201, None)].into();
    let receiver = Receiver::start_at(answers, midnight).await;
    let moments = [Duration::from_millis(1), Duration::ZERO].map(|before| midnight - before);
    let moments = std::sync::Mutex::new(moments.into_iter());
    let signer = RequestSigner::new(credentials());
    let signer = signer.clock(move || moments.lock().unwrap().next().unwrap());
    let response = retrying(signer).oneshot(put(receiver.url("/up"), "hello")).await.unwrap();
    is_created(response.status());
    assert_eq!(receiver.values("dynata-date"), [Some("20230731".into()), Some("20230801".into())]);
    assert_all_differ(&receiver, &ANEW);
}

#[tokio::test]
async fn a_stream_is_sent_once_with_a_known_hash() {
    let receiver = Receiver::start(&[201, 503]).await;
    let stream = |payload: &'static [u8]| {
        SignableBody::stream(body(data(payload.chunks(2))), PayloadHash::of(b"hello"), 5)
    };
    for status in [201, 503] {
        let request = put(receiver.url("/up"), stream(b"hello"));
        assert_eq!(retrying(signer()).oneshot(request).await.unwrap().status(), status);
    }
    assert_eq!(receiver.payloads(), [b"hello", b"hello"]);
}

#[tokio::test]
async fn a_stream_of_other_bytes_is_refused_by_the_server() {
    let receiver = Receiver::start(&[]).await;
    let stream = body(data([&b"hel"[..], b"LO"]));
    let stream = SignableBody::stream(stream, PayloadHash::of(b"hello"), 5);
    let response = sender(signer()).oneshot(put(receiver.url("/up"), stream)).await.unwrap();
    assert_eq!(response.status(), 401);
    assert!(receiver.payloads().is_empty());
    assert!(receiver.failures()[0].contains("digest"), "{:?}", receiver.failures());
}

#[tokio::test]
async fn a_stream_of_another_length_fails_and_nothing_is_accepted() {
    let receiver = Receiver::start(&[]).await;
    for (payload, found) in [(&b"hell"[..], "less"), (b"hello!", "more")] {
        let stream = body(data([payload]));
        let stream = SignableBody::stream(stream, PayloadHash::of(b"hello"), 5);
        let error = sender(signer()).oneshot(put(receiver.url("/up"), stream)).await.unwrap_err();
        let message = messages(&error);
        assert!(message.contains(&format!("that was signed, found {found}")), "{message}");
    }
    assert!(receiver.payloads().is_empty());
}

/// An error with what it was caused by.
fn messages(error: &SendError<legacy::Error>) -> String {
    let mut messages = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        messages = format!("{messages}: {error}");
        source = error.source();
    }
    messages
}

#[tokio::test]
async fn a_stream_of_unknown_hash_is_not_sent() {
    let receiver = Receiver::start(&[]).await;
    let stream = SignableBody::unhashed_stream(Full::new(Bytes::from("hello")));
    let error = sender(signer()).oneshot(put(receiver.url("/up"), stream)).await.unwrap_err();
    assert!(matches!(error, SendError::NotSigned(NotSigned::UnknownHash)), "{error}");
    assert!(receiver.payloads().is_empty() && receiver.failures().is_empty());
}

/// The file changes after its signature was made and before its bytes are read.
#[tokio::test]
async fn a_file_that_changes_before_it_is_sent_fails_and_nothing_is_accepted() {
    let receiver = Receiver::start(&[]).await;
    let file = TestFile::new(&contents(3_000_000));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (path, modified) = (file.path.clone(), file.modified());
    let changing = service_fn(move |request: Request<SignedBody>| {
        std::fs::write(&path, vec![7; 3_000_000]).unwrap();
        let changed = std::fs::File::options().append(true).open(&path).unwrap();
        changed.set_modified(modified + Duration::from_secs(1)).unwrap();
        let client = client.clone();
        async move { client.oneshot(request).await }
    });
    let client = SignLayer::new(signer()).layer(changing);
    let request = put(receiver.url("/up"), SignableFile::new(&file.path));
    let error = client.oneshot(request).await.unwrap_err();
    assert!(messages(&error).contains("found it changed"), "{}", messages(&error));
    assert!(receiver.payloads().is_empty());
}

/// A client that is ready or fails when the test says so.
#[derive(Clone)]
struct Busy(Poll<Result<(), &'static str>>);

impl Service<Request<SignedBody>> for Busy {
    type Response = Response<()>;
    type Error = &'static str;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0
    }

    fn call(&mut self, _: Request<SignedBody>) -> Self::Future {
        panic!("it was not ready");
    }
}

#[test]
fn the_layer_is_as_ready_as_the_client_behind_it() {
    for readiness in [Poll::Pending, Poll::Ready(Ok(())), Poll::Ready(Err("closed"))] {
        let mut service = SignLayer::new(signer()).layer(Busy(readiness));
        let cx = &mut Context::from_waker(Waker::noop());
        let found = Service::<Request<SignableBody>>::poll_ready(&mut service, cx);
        let found = found.map_err(|error| match error {
            SendError::Client(error) => error,
            error => panic!("{error}"),
        });
        assert_eq!(found, readiness);
    }
}

/// Whatever is a body of ours, with and without a payload.
#[tokio::test]
async fn whatever_becomes_a_body_is_sent() {
    let receiver = Receiver::start(&[]).await;
    let client = sender(signer());
    let url = || receiver.url("/up");
    let send = |request: Request<SignableBody>| client.clone().oneshot(request);
    for request in [
        put(url(), ()),
        put(url(), contents(200_000)),
        put(url(), String::from("text")),
        put(url(), Bytes::from("bytes")),
        put(url(), SignableBody::default()),
        Request::get(url()).body(SignableBody::empty()).unwrap(),
        Request::post(url()).body(SignableBody::empty()).unwrap(),
        Request::delete(url()).body("why".into()).unwrap(),
    ] {
        is_created(send(request).await.unwrap().status());
    }
    let plain = Request::put(url()).body("plain").unwrap();
    is_created(client.clone().oneshot(plain).await.unwrap().status());
    assert_eq!(receiver.payloads().len(), 9);
    assert!(receiver.failures().is_empty());
}
