//! Uploads that go on after the client has ended.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use framesign::PayloadHash;
use framesign_upload::client::{Retries, UploadError};
use http::{Method, Uri};

use super::{
    Seen, Served, Told, bytes, client, file, read,
    served::{Before, answer},
    source, stream,
};

/// A server that fails once, at a part.
async fn failing_at(part: usize) -> Served {
    let parts = AtomicUsize::new(0);
    Served::scripted(Before(move |request: &Seen| {
        let is_part = request.method == Method::PATCH;
        (is_part && parts.fetch_add(1, Relaxed) == part).then(|| answer(503, &[]))
    }))
    .await
}

/// Begins an upload that is broken off at a part.
async fn broken_off(served: &Served, content: &[u8]) -> Uri {
    let (told, file) = (Told::default(), file(content));
    let client = told.observe(client().retries(Retries::none()));
    let error = client.upload(source(&file), &served.url("a")).await.unwrap_err();
    assert!(error.can_be_resumed(), "{error}");
    told.created()
}

#[tokio::test]
async fn upload_goes_on_where_the_server_is() {
    let content = bytes(3500);
    for broken_at in 0..4 {
        for is_stream in [false, true] {
            let served = failing_at(broken_at).await;
            let upload = broken_off(&served, &content).await;
            served.forget();
            let (told, file) = (Told::default(), file(&content));
            let source = if is_stream { stream(&content) } else { source(&file) };
            let client = told.observe(client());
            let uploaded = client.resume(source, &served.url("a"), &upload).await.unwrap();
            assert_eq!((uploaded.bytes, uploaded.sha256), (3500, PayloadHash::of(&content)));
            assert!(uploaded.is_confirmed);
            assert_eq!(told.all()[0], format!("resumed {}", 1000 * broken_at));
            assert_eq!(served.seen("PATCH").len(), 4 - broken_at);
            assert!(served.seen("POST").is_empty());
            assert!(read(&served.path("a")).unwrap() == content);
        }
    }
}

#[tokio::test]
async fn upload_that_was_complete_is_compared() {
    let (served, told, content) = (Served::start().await, Told::default(), bytes(2500));
    let (right, url) = (file(&content), served.url("a"));
    told.observe(client()).upload(source(&right), &url).await.unwrap();
    let upload = told.created();
    let uploaded = client().resume(source(&right), &url, &upload).await.unwrap();
    assert!(uploaded.is_confirmed && uploaded.bytes == 2500);
    // Other bytes of the same length; more of them; fewer.
    let mut other = content.clone();
    other[7] ^= 1;
    let error = client().resume(source(&file(&other)), &url, &upload).await.unwrap_err();
    assert!(matches!(error, UploadError::OtherHash { .. }), "{error}");
    for length in [2499, 2501] {
        let error = client().resume(source(&file(&bytes(length))), &url, &upload).await;
        let error = error.unwrap_err();
        // More bytes than there are have been sent, or fewer.
        let is_right = match length {
            2499 => matches!(error, UploadError::Protocol(_)),
            _ => matches!(error, UploadError::CompleteEarly),
        };
        assert!(is_right, "{error:?}");
    }
}

#[tokio::test]
async fn answer_to_options_tells_nothing_of_the_upload() {
    for status in [200, 301, 401, 403, 404, 405, 410, 501] {
        let is_broken = AtomicBool::new(false);
        let served = Served::scripted(Before(move |request: &Seen| match request.method {
            Method::OPTIONS => is_broken.load(Relaxed).then(|| answer(status, &[])),
            Method::PATCH if request.field("upload-offset") == Some("1000") => {
                (!is_broken.swap(true, Relaxed)).then(|| answer(503, &[]))
            }
            _ => None,
        }))
        .await;
        let content = bytes(2500);
        let upload = broken_off(&served, &content).await;
        served.forget();
        let (file, url) = (file(&content), served.url("a"));
        let uploaded = client().resume(source(&file), &url, &upload).await;
        let uploaded = uploaded.unwrap_or_else(|error| panic!("{status}: {error}"));
        assert!(uploaded.is_confirmed && uploaded.in_parts, "{status}");
        assert_eq!((served.seen("POST").len(), served.seen("PATCH").len()), (0, 2), "{status}");
        assert!(read(&served.path("a")).unwrap() == content);
    }
}

#[tokio::test]
async fn other_bytes_than_the_server_has_never_become_visible() {
    let (served, mut content) = (failing_at(2).await, bytes(3500));
    let upload = broken_off(&served, &content).await;
    // Nothing tells them from the right ones but the hash of the whole.
    content[100] ^= 1;
    let error = client().resume(stream(&content), &served.url("a"), &upload).await.unwrap_err();
    assert!(matches!(&error, UploadError::Refused { status, .. } if *status == 400), "{error}");
    assert!(error.to_string().contains("Repr-Digest"), "{error}");
    assert!(!served.path("a").exists());
    assert_eq!(served.open_uploads(), 0);
}

#[tokio::test]
async fn nothing_to_go_on_with_is_said() {
    let (served, file) = (Served::start().await, file(&bytes(100)));
    let upload = format!("http://{}/uploads/{}", served.address, "0".repeat(32)).parse().unwrap();
    let error = client().resume(source(&file), &served.url("a"), &upload).await.unwrap_err();
    assert!(matches!(error, UploadError::Gone), "{error}");
    // Of another server, which gets no request of this key.
    let elsewhere = "http://elsewhere.test/uploads/1".parse().unwrap();
    let error = client().resume(source(&file), &served.url("a"), &elsewhere).await.unwrap_err();
    assert!(matches!(error, UploadError::Protocol(_)), "{error}");
}

#[tokio::test]
async fn source_shorter_than_what_the_server_has_is_refused() {
    let (served, content) = (failing_at(2).await, bytes(3500));
    let upload = broken_off(&served, &content).await;
    let url = served.url("a");
    let error = client().resume(source(&file(&content[..1500])), &url, &upload).await.unwrap_err();
    assert!(error.to_string().contains("another number of bytes"), "{error}");
    let error = client().resume(stream(&content[..1500]), &url, &upload).await.unwrap_err();
    assert!(matches!(error, UploadError::SourceChanged), "{error}");
}
