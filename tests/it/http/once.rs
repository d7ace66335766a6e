//! The layer takes each request once.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use framesign::{
    http::{BodyError, NotVerified, Verification, VerifyingBody},
    replay::{Outage, ReplayGuard},
    secrets::MemoryStore,
    tower::{Cause, VerifyLayer},
    verify::Policy,
};
use http::{Request, Response, request::Parts};
use http_body_util::{BodyExt, Full};
use tokio::sync::oneshot;
use tower::{Layer, ServiceExt, service_fn};

use super::{
    layer::{head, put, put_claimed, sealed},
    server::{Server, layer, streaming},
    support::{body, data, key, now, upload},
};
use crate::{
    once::recorder::{Fate, Recorder},
    signed::Case,
};

/// A layer that takes each request once.
fn once(layer: VerifyLayer<MemoryStore>, store: &Recorder) -> VerifyLayer<MemoryStore> {
    // Its clock is that of the layer.
    layer.replay_guard(ReplayGuard::new(store.clone(), Outage::Refuse))
}

/// The ways in which a request is proven, and what a store is asked on each.
fn ways(payload: &[u8]) -> [(Vec<u8>, VerifyLayer<MemoryStore>, &'static [&'static str]); 4] {
    [
        (put_claimed(payload), layer(), &["reserve", "commit"]),
        (put(payload), layer(), &["accept"]),
        (put(payload), streaming(), &["accept"]),
        (sealed("GET /up HTTP/1.1\r\nHost: h\r\n\r\n", b""), layer(), &["accept"]),
    ]
}

/// Sends a request, and the end of the connection after it: the status.
async fn send(server: &Server, bytes: &[u8]) -> u16 {
    let mut connection = server.connect().await;
    connection.send(bytes).await;
    tokio::io::AsyncWriteExt::shutdown(&mut connection.0).await.unwrap();
    connection.answer().await.status
}

#[tokio::test]
async fn a_request_that_comes_again_is_refused_with_409() {
    for (way, (head, layer, calls)) in ways(b"hello").into_iter().enumerate() {
        let streams = way == 2;
        let store = Recorder::new();
        let mut frame = head.clone();
        if !head.starts_with(b"GET") {
            frame.extend_from_slice(b"hello");
        }
        let server = Server::start(once(layer, &store)).await;
        assert_eq!(send(&server, &frame).await, 200);
        assert_eq!(store.calls(), calls);
        let called = server.calls();

        let mut connection = server.connect().await;
        connection.send(&frame).await;
        let answer = connection.answer().await;
        assert_eq!(answer.status, 409);
        assert_eq!(answer.body, r#"{"type":"about:blank","title":"Conflict","status":409}"#);
        assert!(answer.has("connection: close") && connection.is_closed().await);
        assert_eq!((server.failures(), store.len()), (vec!["replayed".to_owned()], 1));
        assert_eq!(server.committed().len(), 1);
        // What is known at the end alone has called the service again.
        assert_eq!(server.calls() - called, usize::from(streams));
    }
}

#[tokio::test]
async fn a_request_that_is_cut_anywhere_is_released_and_can_be_sent_again() {
    for (head, layer, _) in ways(b"hello") {
        let payload: &[u8] = if head.starts_with(b"GET") { b"" } else { b"hello" };
        let frame = [&head[..], payload].concat();
        let store = Recorder::new();
        let mut server = Server::start(once(layer, &store)).await;
        // Cuts in the head reach no layer; a few of them are enough.
        let cuts = [1, head.len() - 1].into_iter().chain(head.len()..frame.len());
        for cut in cuts {
            let mut connection = server.connect().await;
            connection.send(&frame[..cut]).await;
            if cut >= head.len() {
                // The end of what is sent comes to a request that has been begun with.
                tokio::io::AsyncWriteExt::shutdown(&mut connection.0).await.unwrap();
                assert!(connection.answer().await.status >= 400, "cut at {cut}");
            }
            drop(connection);
            assert_eq!(store.len(), 0, "cut at {cut}");
        }
        while server.pieces.try_recv().is_ok() {}
        assert_eq!(send(&server, &frame).await, 200);
        assert_eq!(store.len(), 1);
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_releases() {
    let store = Recorder::new();
    let mut server = Server::start(once(layer(), &store)).await;
    let frame = [put_claimed(b"hello"), b"hell".into()].concat();
    let mut connection = server.connect().await;
    connection.send(&frame).await;
    server.pieces.recv().await.unwrap();
    assert_eq!(store.len(), 1);
    drop(connection);
    while server.pieces.recv().await.unwrap().is_some() {}
    // The service goes on to its answer, and the layer then drops what it holds.
    let released = async {
        while store.len() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), released).await.unwrap();
    assert_eq!(send(&server, &[&frame[..], b"o"].concat()).await, 200);
}

#[tokio::test]
async fn a_request_that_is_not_verified_asks_the_store_for_nothing() {
    let mut refused = 0;
    for case in Case::all().iter().filter(|case| case.result != "valid" && case.result != "digest")
    {
        for streams in [false, true] {
            let secrets = MemoryStore::new();
            for (access_key, secret) in case.secrets() {
                let secret = framesign::secrets::Secret::new(secret).unwrap();
                secrets.add(access_key, secret).unwrap();
            }
            let now = case.now;
            let mut layer =
                VerifyLayer::new(secrets).policy(case.policy.clone()).clock(move || now);
            if streams {
                layer = layer.max_buffered_payload(0).stream_unproven();
            }
            let store = Recorder::new();
            let server = Server::start(once(layer, &store)).await;
            let mut connection = server.connect().await;
            connection.send(&case.frame).await;
            tokio::io::AsyncWriteExt::shutdown(&mut connection.0).await.unwrap();
            // Some are refused by the server itself, and what follows a frame is another one to it.
            let mut answer = Vec::new();
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut connection.0, &mut answer).await;
            let calls = store.calls();
            if calls.is_empty() {
                refused += 1;
            } else {
                // With a claim, or as another implementation reads it, its head is proven.
                assert!(case.result.starts_with("frame"), "{}: {calls:?}", case.name);
            }
        }
    }
    assert!(refused > 200, "{refused}");
}

#[tokio::test]
async fn a_forged_payload_is_released() {
    let store = Recorder::new();
    let server = Server::start(once(layer(), &store)).await;
    let head = put_claimed(b"hello");
    assert_eq!(send(&server, &[&head[..], b"hellO"].concat()).await, 401);
    assert_eq!((store.calls(), store.len()), (vec!["reserve", "release"], 0));
    assert_eq!(send(&server, &[&head[..], b"hello"].concat()).await, 200);
}

#[tokio::test]
async fn a_service_that_answers_without_reading_has_acted_on_the_request() {
    let store = Recorder::new();
    let server = Server::start(once(layer(), &store)).await;
    let frame =
        [head("/unread", &super::layer::claim(b"hello"), b"hello"), b"hello".into()].concat();
    assert_eq!(send(&server, &frame).await, 200);
    assert_eq!((store.calls(), store.len()), (vec!["reserve"], 1));
    assert_eq!(send(&server, &frame).await, 409);
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn a_store_that_is_away_is_a_503_or_nothing_as_the_guard_was_told() {
    for (fates, at_the_end) in [(&[Fate::Fails][..], false), (&[Fate::Answers, Fate::Fails], true)]
    {
        for outage in [Outage::Refuse, Outage::Accept] {
            let store = Recorder::with_fates(fates.to_vec());
            let told = Arc::new(AtomicUsize::new(0));
            let heard = Arc::clone(&told);
            let guard = ReplayGuard::new(store.clone(), outage)
                .on_outage(move |_| _ = heard.fetch_add(1, SeqCst));
            let server = Server::start(layer().replay_guard(guard)).await;
            let frame = [put_claimed(b"hello"), b"hello".into()].concat();
            let status = send(&server, &frame).await;
            assert_eq!(told.load(SeqCst), 1);
            if outage == Outage::Accept {
                assert_eq!((status, server.failures()), (200, vec![]));
                continue;
            }
            assert_eq!((status, store.len()), (503, 0));
            assert_eq!(server.calls(), usize::from(at_the_end));
            assert!(server.committed().is_empty());
            let failures = server.failures();
            assert_eq!(failures.len(), 1);
            assert!(failures[0].starts_with("not verified: it cannot be known"), "{failures:?}");
            assert!(failures[0].ends_with("the store is away"), "{failures:?}");
            assert_eq!(send(&server, &frame).await, 200);
        }
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_while_the_store_is_asked_is_released() {
    let store = Recorder::with_fates([Fate::Hangs]);
    let (tell, told) = oneshot::channel();
    let tell = std::sync::Mutex::new(Some(tell));
    let layer = once(layer(), &store).on_failure(move |failure| {
        assert!(matches!(failure.cause(), Cause::Cancelled));
        tell.lock().unwrap().take().unwrap().send(()).unwrap();
    });
    let service = layer.layer(service_fn(async |_: Request<VerifyingBody<Full<Bytes>>>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let call = service.oneshot(claimed());
    {
        let mut call = std::pin::pin!(call);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(call.as_mut().poll(&mut cx).is_pending());
        assert_eq!(store.len(), 1);
    }
    assert_eq!(store.len(), 0);
    told.await.unwrap();
}

/// A request whose head claims its payload.
fn claimed() -> Request<Full<Bytes>> {
    let request = Request::put("http://h/up").header("content-length", 5);
    let (mut parts, body) = request.body(Full::from("hello")).unwrap().into_parts();
    let digest = crate::support::content_digest(b"hello");
    parts.headers.insert("content-digest", digest.parse().unwrap());
    super::support::sign(&mut parts, framesign::PayloadHash::of(b"hello"));
    Request::from_parts(parts, body)
}

#[tokio::test]
async fn an_entry_is_held_for_as_long_as_the_body_is_read_elsewhere() {
    // A service that reads in a task of its own goes on when its request is dropped.
    let store = Recorder::new();
    let (send, received) = oneshot::channel();
    let send = Arc::new(std::sync::Mutex::new(Some(send)));
    let service = once(layer(), &store).layer(service_fn(
        move |request: Request<VerifyingBody<Full<Bytes>>>| {
            send.lock().unwrap().take().unwrap().send(request).ok().unwrap();
            std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>()
        },
    ));
    {
        let mut call = std::pin::pin!(service.oneshot(claimed()));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(call.as_mut().poll(&mut cx).is_pending());
    }
    let request = received.await.unwrap();
    assert_eq!(store.len(), 1);
    let verification = request.extensions().get::<Verification>().unwrap().clone();
    request.into_body().collect().await.unwrap();
    verification.verified().unwrap();
    assert_eq!((store.calls(), store.len()), (vec!["reserve", "commit"], 1));
}

/// The head of an upload of `hello`, and a body that takes it once.
async fn guarded<B>(guard: &ReplayGuard, parts: &Parts, body: B) -> VerifyingBody<B> {
    let pending = Policy::default().examine_parts(parts, now()).unwrap().check(&[key()]).unwrap();
    let check = guard.begin(&pending).await.unwrap();
    VerifyingBody::new(body, pending).replay_check(check)
}

#[tokio::test]
async fn the_last_frame_of_a_body_waits_for_the_store() {
    for parts in [upload(b"hello"), claimed().into_parts().0] {
        let store = Recorder::with_fates([]);
        let guard = ReplayGuard::new(store.clone(), Outage::Refuse).clock(now);
        let body = body(data([&b"hel"[..], b"lo"]));
        let mut body = guarded(&guard, &parts, body).await;
        let verification = body.verification();
        let calls = store.calls();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "hel");
        assert_eq!(store.calls(), [""; 0]);
        assert_eq!(verification.verified(), Err(NotVerified::Unfinished));
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "lo");
        assert_eq!(store.calls(), if calls.is_empty() { ["accept"] } else { ["commit"] });
        verification.verified().unwrap();
        assert!(body.frame().await.is_none());

        // A further one, of which the store cannot be asked, and one that came before.
        let pending =
            Policy::default().examine_parts(&parts, now()).unwrap().check(&[key()]).unwrap();
        match guard.begin(&pending).await {
            Err(error) => assert_eq!(error.status(), 409),
            Ok(check) => {
                let again = super::support::body(data([&b"hello"[..]]));
                let mut again = VerifyingBody::new(again, pending).replay_check(check);
                let verification = again.verification();
                for _ in 0..2 {
                    let error = again.frame().await.unwrap().unwrap_err();
                    assert!(
                        matches!(error, BodyError::Refused(refusal) if refusal.status() == 409)
                    );
                }
                assert!(matches!(verification.verified(), Err(NotVerified::Refused(_))));
            }
        }
    }
}

#[tokio::test]
async fn a_body_whose_store_is_away_at_its_end_fails_for_good() {
    let parts = claimed().into_parts().0;
    let store = Recorder::with_fates([Fate::Answers, Fate::Fails]);
    let guard = ReplayGuard::new(store.clone(), Outage::Refuse).clock(now);
    let mut body = guarded(&guard, &parts, body(data([&b"hello"[..]]))).await;
    let verification = body.verification();
    for _ in 0..2 {
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(matches!(error, BodyError::Unavailable(_)), "{error:?}");
    }
    assert!(matches!(verification.verified(), Err(NotVerified::Unavailable(_))));
    assert_eq!(store.len(), 0);
}

#[test]
fn a_body_that_asks_a_store_can_be_shared() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<VerifyingBody<Full<Bytes>>>();
}

#[tokio::test]
async fn a_body_that_is_refused_releases_at_once() {
    let parts = claimed().into_parts().0;
    let broken =
        vec![data([&b"hel"[..]]).remove(0), Err(std::io::Error::other("the peer is gone"))];
    for frames in [data([&b"hellO"[..]]), data([&b"hello!"[..]]), data([&b"hel"[..]]), broken] {
        let store = Recorder::new();
        let guard = ReplayGuard::new(store.clone(), Outage::Refuse).clock(now);
        let mut body = guarded(&guard, &parts, body(frames)).await;
        assert_eq!(store.len(), 1);
        while body.frame().await.unwrap().is_ok() {}
        // The body is still there.
        assert_eq!(store.len(), 0);
        drop(body);
        assert_eq!(store.calls(), ["reserve", "release"]);
    }
}
