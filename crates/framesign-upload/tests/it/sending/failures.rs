//! Servers that fail, and what is sent again.

use std::{
    fs::File,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use framesign_upload::client::{Event, Failure, Retries, UploadError};
use http::Method;
use tokio::{io::AsyncReadExt, net::TcpListener};

use super::{
    Seen, Served, Told, bytes, client, file, read, retries,
    served::{Before, answer, url},
    source, sources, wait_until,
};

/// Answers the first `count` requests of a method otherwise.
fn failing(
    method: Method,
    count: usize,
    status: u16,
    fields: &'static [(&'static str, &'static str)],
) -> Before<impl Fn(&Seen) -> Option<http::Response<http_body_util::Full<bytes::Bytes>>>> {
    let failed = AtomicUsize::new(0);
    Before(move |request: &Seen| {
        let fails = request.method == method && failed.fetch_add(1, Relaxed) < count;
        fails.then(|| answer(status, fields))
    })
}

#[tokio::test]
async fn what_passes_is_sent_again_and_signed_anew() {
    for method in [Method::OPTIONS, Method::POST, Method::PATCH] {
        for status in [408, 429, 500, 502, 503, 504] {
            let served = Served::scripted(failing(method.clone(), 3, status, &[])).await;
            let content = bytes(2500);
            for (name, (_kept, source)) in ["a", "b"].iter().zip(sources(&content)) {
                let told = Told::default();
                told.observe(client()).upload(source, &served.url(name)).await.unwrap();
                assert!(read(&served.path(name)).unwrap() == content);
                assert_eq!(told.retries(), if *name == "a" { 3 } else { 0 });
            }
            let requests = served.seen(method.as_str());
            let nonces: std::collections::BTreeSet<_> =
                requests.iter().map(|seen| seen.field("dynata-nonce").unwrap()).collect();
            assert_eq!(nonces.len(), requests.len());
        }
    }
}

#[tokio::test]
async fn offset_is_asked_for_before_a_part_is_sent_again() {
    let served = Served::scripted(failing(Method::PATCH, 1, 503, &[])).await;
    let file = file(&bytes(2500));
    client().upload(source(&file), &served.url("a")).await.unwrap();
    assert_eq!((served.seen("HEAD").len(), served.seen("PATCH").len()), (1, 4));
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let served = Served::scripted(failing(Method::POST, 1, 503, &[("retry-after", "1")])).await;
    let (pauses, file) = (Arc::new(Mutex::new(Vec::new())), file(&bytes(10)));
    let seen = Arc::clone(&pauses);
    let client = client().observe(move |event| {
        if let Event::Retrying { pause, .. } = event {
            seen.lock().unwrap().push(pause);
        }
    });
    client.upload(source(&file), &served.url("a")).await.unwrap();
    assert_eq!(*pauses.lock().unwrap(), [Duration::from_secs(1)]);
    // Longer than it may take.
    let served = Served::scripted(failing(Method::POST, 1, 503, &[("retry-after", "301")])).await;
    let error = client.upload(source(&file), &served.url("a")).await.unwrap_err();
    assert!(matches!(&error, UploadError::GaveUp { failures: 1, .. }), "{error}");
}

#[tokio::test]
async fn server_that_fails_for_ever_is_given_up() {
    let served = Served::scripted(failing(Method::PATCH, usize::MAX, 503, &[])).await;
    let file = file(&bytes(2500));
    let client = client().retries(Retries { attempts: 4, ..retries() });
    let error = client.upload(source(&file), &served.url("a")).await.unwrap_err();
    assert!(matches!(&error, UploadError::GaveUp { failures: 5, .. }), "{error}");
    assert!(error.can_be_resumed());
    assert_eq!(error.to_string(), "the server answered 503; gave up after 5 failures");
    assert_eq!(served.seen("PATCH").len(), 5);
}

#[tokio::test]
async fn refusals_are_few() {
    // What a server answers to a request with a flipped bit in it, and what it has verified.
    for (status, patches) in [(400, 4), (401, 4), (404, 4), (415, 4), (403, 1), (410, 1)] {
        let served = Served::scripted(failing(Method::PATCH, usize::MAX, status, &[])).await;
        let file = file(&bytes(2500));
        let error = client().upload(source(&file), &served.url("a")).await.unwrap_err();
        let UploadError::Refused { method, status: found, .. } = &error else { panic!("{error}") };
        assert_eq!((method, found.as_u16()), (&Method::PATCH, status));
        assert_eq!(served.seen("PATCH").len(), patches, "{status}");
    }
}

#[tokio::test]
async fn refused_upload_can_be_resumed_unless_it_has_ended() {
    const ENDED: &[(&str, &str)] = &[("upload-complete", "?1")];
    const OPEN: &[(&str, &str)] = &[("upload-complete", "?0")];
    for status in [302, 400, 401, 403, 409, 413, 421, 451, 507] {
        for (fields, can) in [(&[][..], true), (OPEN, true), (ENDED, false)] {
            let served = Served::scripted(failing(Method::PATCH, usize::MAX, status, fields)).await;
            let file = file(&bytes(10));
            let error = client().upload(source(&file), &served.url("a")).await.unwrap_err();
            let UploadError::Refused { has_ended, .. } = &error else { panic!("{error}") };
            assert_eq!((error.can_be_resumed(), *has_ended), (can, !can), "{status} {fields:?}");
        }
    }
}

#[tokio::test]
async fn refusal_is_said_in_the_words_of_the_server() {
    let served = Served::start().await;
    let file = file(b"x");
    let error = client().upload(source(&file), &served.url("..%2Fa")).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("the server refused POST with 400 ("), "{text}");
    assert!(!text.contains('\n'), "{text}");
}

#[tokio::test]
async fn upload_that_the_server_has_lost_is_gone() {
    let served = Served::scripted(Before(|request: &Seen| {
        let is_lost = request.path.starts_with("/uploads/") && request.method != Method::DELETE;
        is_lost.then(|| answer(404, &[]))
    }))
    .await;
    let file = file(&bytes(2500));
    let error = client().upload(source(&file), &served.url("a")).await.unwrap_err();
    assert!(matches!(error, UploadError::Gone), "{error}");
    assert!(!error.can_be_resumed());
}

#[tokio::test]
async fn part_is_cut_if_the_server_takes_smaller_ones() {
    let served = Served::scripted(Before(|request: &Seen| {
        let length: usize = request.field("content-length").map_or(0, |text| text.parse().unwrap());
        let limit = [("upload-limit", "max-append-size=5000")];
        (length > 5000).then(|| answer(413, &limit))
    }))
    .await;
    let content = bytes(25_000);
    for (name, (_kept, source)) in ["a", "b"].iter().zip(sources(&content)) {
        client().part_size(9000).upload(source, &served.url(name)).await.unwrap();
        assert!(read(&served.path(name)).unwrap() == content);
    }
}

#[tokio::test]
async fn server_that_restarts_is_waited_for() {
    for restarts_after in ["created", "acknowledged 1000", "acknowledged 3000"] {
        let mut served = Served::start().await;
        let (told, content) = (Told::default(), bytes(3500));
        let file = file(&content);
        let client = told.observe(client().retries(Retries {
            longest_pause: Duration::from_millis(50),
            attempts: 1000,
            ..Retries::default()
        }));
        let (upload, url) = (source(&file), served.url("a"));
        let uploading = tokio::spawn(async move { client.upload(upload, &url).await });
        let is_there = || told.all().iter().any(|words| words.starts_with(restarts_after));
        wait_until(is_there).await;
        served.stop().await;
        served.restart().await;
        uploading.await.unwrap().unwrap();
        assert!(read(&served.path("a")).unwrap() == content);
        assert!(served.seen("PATCH").len() <= 5);
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (file, none) = (file(b"x"), client().retries(Retries::none()));
    let error = none.upload(source(&file), &url(address, "a")).await.unwrap_err();
    let UploadError::GaveUp { last: Failure::Connection(_), .. } = &error else {
        panic!("{error}")
    };
    let text = error.to_string();
    assert!(text.starts_with("no answer of the server: ") && text.contains("refused"), "{text}");
    // Where the caller says that it stays so.
    let (file, lasting) = (self::file(b"x"), client().lasting(|_| true));
    let error = lasting.upload(source(&file), &url(address, "a")).await.unwrap_err();
    assert!(matches!(error, UploadError::GaveUp { failures: 1, .. }), "{error}");
}

#[tokio::test]
async fn silence_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Takes everything, and answers nothing.
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move { while let Ok(1..) = socket.read(&mut [0; 4096]).await {} });
        }
    });
    let client = client().retries(Retries::none()).timeout(Duration::from_millis(300));
    let file = file(b"x");
    let error = client.upload(source(&file), &url(address, "a")).await.unwrap_err();
    assert_eq!(error.to_string(), "no answer of the server: silence for 0.3 s");
}

#[tokio::test]
async fn file_that_changes_on_the_way_is_an_error_and_cancelled() {
    for changes_at in [1000, 2000] {
        let (served, file) = (Served::start().await, file(&bytes(5000)));
        let path = file.path().to_owned();
        let client = client().observe(move |event| {
            if matches!(event, Event::Acknowledged { offset } if offset == changes_at) {
                File::options().append(true).open(&path).unwrap().set_len(5001).unwrap();
            }
        });
        let error = client.upload(source(&file), &served.url("a")).await.unwrap_err();
        assert!(matches!(error, UploadError::SourceChanged), "{error}");
        assert_eq!((served.seen("DELETE").len(), served.open_uploads()), (1, 0));
        assert!(!served.path("a").exists());
    }
}

#[tokio::test]
async fn bytes_that_change_between_hash_and_sending_are_not_taken() {
    // Once the part is hashed and before it is sent; the time of change is set back.
    let (served, file) = (Served::start().await, file(&bytes(1000)));
    let path = file.path().to_owned();
    let client = client().observe(move |event| {
        if matches!(event, Event::Created { .. }) {
            let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
            let mut changed = bytes(1000);
            changed[500] ^= 1;
            std::fs::write(&path, changed).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(modified).unwrap();
        }
    });
    // What is read after that is what is sent: there is one pass.
    let uploaded = client.upload(source(&file), &served.url("a")).await.unwrap();
    let content = read(&served.path("a")).unwrap();
    assert_eq!(uploaded.sha256, framesign::PayloadHash::of(&content));
}
