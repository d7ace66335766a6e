//! The log is told of each request that did not get through.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use framesign::{http::VerifyingBody, secrets::MemoryStore, tower::VerifyLayer};
use http::{HeaderValue, Method, Request, Response, request::Parts};
use http_body_util::Full;
use tokio::sync::mpsc::unbounded_channel;
use tower::{Layer, ServiceExt, service_fn};

use super::{Told, around, parts};
use crate::http::{server::layer, support::now};

/// What is told of a request without a body.
async fn told_of(layer: VerifyLayer<MemoryStore>, request: Request<Full<Bytes>>) -> Told {
    let (service, mut calls, mut failures) = around(layer);
    service.oneshot(request).await.unwrap();
    assert!(calls.try_recv().is_err());
    failures.recv().await.unwrap()
}

#[tokio::test]
async fn a_failure_tells_method_access_key_and_peer_where_they_are_known() {
    let peer = SocketAddr::from(([192, 0, 2, 1], 4096));
    let request = |change: &dyn Fn(&mut Parts)| {
        let mut parts = parts(&[], b"");
        change(&mut parts);
        Request::from_parts(parts, Full::<Bytes>::default())
    };
    let told = |reason: &str, access_key: Option<&str>, peer_addr| Told {
        reason: reason.to_owned(),
        method: Method::PUT,
        access_key: access_key.map(|access_key| access_key.as_bytes().to_vec()),
        peer_addr,
        request_id: None,
    };
    let stale = layer().clock(|| now() + Duration::from_secs(3_600));
    let found = told_of(stale, request(&|_| {})).await;
    assert_eq!(found, told("stale", Some("access"), None));

    let found = told_of(
        layer(),
        request(&|parts| {
            parts.headers.remove("dynata-signature");
            parts.extensions.insert(peer);
        }),
    );
    assert_eq!(found.await, told("missing-field", Some("access"), Some(peer)));

    let found = told_of(
        layer(),
        request(&|parts| {
            parts.headers.append("dynata-access-key", HeaderValue::from_static("other"));
        }),
    );
    assert_eq!(found.await, told("repeated-field", None, None), "which of them is not known");

    let found = told_of(
        layer(),
        request(&|parts| {
            parts.headers.remove("dynata-access-key");
        }),
    );
    assert_eq!(found.await, told("missing-field", None, None));

    let found = told_of(
        layer().peer_addr(move |_| Some(peer)),
        request(&|parts| {
            parts.headers.insert("dynata-access-key", HeaderValue::from_static("other"));
        }),
    );
    assert_eq!(found.await, told("unknown-key", Some("other"), Some(peer)));
}

/// At the head, and when the body is polled, which may be in another task.
#[tokio::test]
async fn a_failure_tells_the_id_of_the_request() {
    #[derive(Clone)]
    struct RequestId(HeaderValue);

    for (payload, reason) in [(&b"hello"[..], "signature"), (b"hell", "frame")] {
        let layer = layer()
            .request_id(|extensions| Some(extensions.get::<RequestId>()?.0.clone()))
            .stream_unproven()
            .max_buffered_payload(0);
        let (service, _calls, mut failures) = around(layer);
        let mut parts = parts(&[], b"hellO");
        parts.extensions.insert(RequestId(HeaderValue::from_static("id-1")));
        let request = Request::from_parts(parts, Full::from(payload));
        service.oneshot(request).await.unwrap();
        let told = failures.recv().await.unwrap();
        assert_eq!(told.request_id, Some(HeaderValue::from_static("id-1")));
        assert_eq!(told.reason, reason);
    }
}

#[tokio::test]
async fn the_line_of_a_failure_shows_little_of_what_a_peer_sent() {
    let (sender, mut lines) = unbounded_channel();
    let layer = layer().on_failure(move |failure| sender.send(failure.to_string()).unwrap());
    let service = layer.layer(service_fn(async |_: Request<VerifyingBody<Full<Bytes>>>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    for (access_key, shown) in [
        (&b"other"[..], "other".to_owned()),
        (b"a\tb\xff", "a\\tb\\xff".to_owned()),
        (&[b'x'; 1000], format!("{}…", "x".repeat(64))),
    ] {
        let mut parts = parts(&[], b"");
        parts.headers.insert("dynata-access-key", HeaderValue::from_bytes(access_key).unwrap());
        parts.extensions.insert(SocketAddr::from(([192, 0, 2, 1], 4096)));
        let request = Request::from_parts(parts, Full::<Bytes>::default());
        service.clone().oneshot(request).await.unwrap();
        assert_eq!(
            lines.recv().await.unwrap(),
            format!(
                "refused: unknown-key: expected an access key with a live secret, found none \
                 (PUT of access key {shown} from 192.0.2.1:4096)"
            )
        );
    }
}
