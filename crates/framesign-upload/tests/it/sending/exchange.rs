//! Uploads to a server where all goes well.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use framesign::PayloadHash;
use framesign_upload::{
    client::{Client, Event, UploadError},
    server::Limits,
};
use http::{HeaderValue, Method, Response};
use http_body_util::Full;

use super::{
    PART, Seen, Served, Told, bytes, client, client_of, file, read,
    served::{After, Before},
    source, sources, stream,
};
use crate::client::ALICE;

type Answer = Response<Full<bytes::Bytes>>;

#[tokio::test]
async fn sources_of_all_lengths_arrive() {
    let served = Served::start().await;
    for (index, length) in [0, 1, 999, 1000, 1001, 3000, 3007].into_iter().enumerate() {
        let content = bytes(length);
        for (kind, (_kept, source)) in sources(&content).into_iter().enumerate() {
            served.forget();
            let (name, is_file) = (format!("{index}-{kind}"), kind == 0);
            let url = served.url(&name);
            let uploaded = client().upload(source, &url).await.unwrap();
            assert_eq!((&uploaded.url, uploaded.bytes), (&url, length as u64));
            assert_eq!(uploaded.sha256, PayloadHash::of(&content));
            assert!(uploaded.is_confirmed && uploaded.in_parts);
            assert!(read(&served.path(&name)).unwrap() == content, "{length}");

            // What was sent, and that it was sent once.
            let created = served.seen("POST");
            assert_eq!(created.len(), 1);
            assert_eq!(created[0].field("content-length"), Some("0"));
            let said = created[0].field("upload-length").map(|length| length.parse().unwrap());
            assert_eq!(said, is_file.then_some(length));
            let parts = served.seen("PATCH");
            let count = if is_file { length.div_ceil(1000).max(1) } else { length / 1000 + 1 };
            assert_eq!(parts.len(), count, "{length} {is_file}");
            for (at, part) in parts.iter().enumerate() {
                let is_last = at + 1 == count;
                assert_eq!(part.field("upload-offset"), Some(&*(1000 * at).to_string()));
                assert_eq!(part.field("upload-complete"), Some(if is_last { "?1" } else { "?0" }));
                assert_eq!(part.field("content-type"), Some("application/partial-upload"));
                assert!(part.field("content-digest").is_some());
                let whole = PayloadHash::of(&content).content_digest();
                assert_eq!(part.field("repr-digest"), is_last.then_some(&*whole));
            }
            for request in [&created[..], &parts].concat() {
                assert_eq!(request.field("upload-draft-interop-version"), Some("8"));
            }
            assert_eq!(served.open_uploads(), 0);
        }
    }
}

#[tokio::test]
async fn stream_is_read_as_it_comes() {
    /// Few bytes at a time, and interruptions.
    struct Trickle {
        left: Vec<u8>,
        calls: usize,
    }
    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.calls += 1;
            if self.calls.is_multiple_of(3) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let count = buffer.len().min(7).min(self.left.len());
            buffer[..count].copy_from_slice(&self.left[..count]);
            self.left.drain(..count);
            Ok(count)
        }
    }
    let (served, content) = (Served::start().await, bytes(2500));
    let source =
        framesign_upload::client::Source::reader(Trickle { left: content.clone(), calls: 0 });
    client().upload(source, &served.url("a")).await.unwrap();
    assert!(read(&served.path("a")).unwrap() == content);
}

#[tokio::test]
async fn at_most_two_parts_of_a_stream_are_held() {
    /// Counts what is read, and holds it against what the server has.
    struct Counted {
        left: u64,
        read: u64,
        acknowledged: Arc<AtomicU64>,
        most: Arc<AtomicU64>,
    }
    impl Read for Counted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = usize::try_from(self.left).unwrap().min(buffer.len());
            buffer[..count].fill(7);
            self.left -= count as u64;
            self.read += count as u64;
            self.most.fetch_max(self.read - self.acknowledged.load(SeqCst), SeqCst);
            Ok(count)
        }
    }
    let served = Served::start().await;
    let (acknowledged, most) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let source = framesign_upload::client::Source::reader(Counted {
        left: 20 * PART + 1,
        read: 0,
        acknowledged: Arc::clone(&acknowledged),
        most: Arc::clone(&most),
    });
    let client = client().observe(move |event| {
        if let Event::Acknowledged { offset } = event {
            acknowledged.store(offset, SeqCst);
        }
    });
    client.upload(source, &served.url("a")).await.unwrap();
    // One that is sent, and the next one.
    assert_eq!(most.load(SeqCst), 2 * PART);
}

#[tokio::test]
async fn parts_keep_to_the_limits_of_the_server() {
    let limits = |min_part, max_part| Limits { min_part, max_part, ..Limits::default() };
    for (limits, size) in
        [(limits(0, 5000), 5000), (limits(7000, 7100), 7000), (limits(0, 9999), 6000)]
    {
        let (served, content) = (Served::limited(limits).await, bytes(20_000));
        let file = file(&content);
        client().part_size(6000).upload(source(&file), &served.url("a")).await.unwrap();
        let parts = served.seen("PATCH");
        assert_eq!(parts[0].field("content-length"), Some(&*size.to_string()));
        assert_eq!(parts.len(), 20_000_usize.div_ceil(size));
        assert!(read(&served.path("a")).unwrap() == content);
    }
}

/// Tells limits of parts in the answer to one method, and does not keep to them.
fn telling(method: Method, limit: &'static str) -> After<impl Fn(&Seen, &mut Answer)> {
    After(move |request: &Seen, answer: &mut Answer| {
        answer.headers_mut().remove("upload-limit");
        if request.method == method {
            answer.headers_mut().insert("upload-limit", HeaderValue::from_static(limit));
        } else if request.method == Method::OPTIONS {
            answer.headers_mut().insert("upload-limit", HeaderValue::from_static("max-age=60"));
        }
    })
}

/// Fails if it is read.
struct Unread;

impl Read for Unread {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("it is read, though its parts cannot be held");
    }
}

#[tokio::test]
async fn parts_that_memory_cannot_hold_are_not_read() {
    for (method, posts) in [(Method::OPTIONS, 0), (Method::POST, 1)] {
        let limit = "min-append-size=999999999999999";
        let served = Served::scripted(telling(method, limit)).await;
        let source = framesign_upload::client::Source::reader(Unread);
        let error = client().upload(source, &served.url("a")).await.unwrap_err();
        assert!(matches!(error, UploadError::PartsTooLarge { .. }), "{error}");
        // Nobody can go on with a stream, so it is cancelled.
        assert_eq!((served.seen("POST").len(), served.seen("DELETE").len()), (posts, posts));
        assert_eq!(served.open_uploads(), 0);
        // A file is not held in memory: it is the last part.
        let file = file(&bytes(2500));
        client().upload(super::source(&file), &served.url("a")).await.unwrap();
        assert!(read(&served.path("a")).unwrap() == bytes(2500));
    }
}

#[tokio::test]
async fn parts_of_a_byte_are_not_sent() {
    for (method, posts) in [(Method::OPTIONS, 0), (Method::POST, 1)] {
        for limit in ["max-append-size=1", "max-append-size=0"] {
            let served = Served::scripted(telling(method.clone(), limit)).await;
            for (_kept, source) in sources(&bytes(2500)) {
                served.forget();
                let error = client().upload(source, &served.url("a")).await.unwrap_err();
                assert!(matches!(error, UploadError::PartsTooSmall { .. }), "{error}");
                assert_eq!((served.seen("POST").len(), served.seen("PATCH").len()), (posts, 0));
            }
        }
    }
    // Told when the first part comes.
    let served = Served::scripted(Before(|request: &Seen| {
        let limit = [("upload-limit", "max-append-size=1")];
        (request.method == Method::PATCH).then(|| super::served::answer(413, &limit))
    }))
    .await;
    let file = file(&bytes(2500));
    let error = client().upload(source(&file), &served.url("a")).await.unwrap_err();
    assert!(matches!(error, UploadError::PartsTooSmall { .. }), "{error}");
    assert_eq!(served.seen("PATCH").len(), 1);
}

#[tokio::test]
async fn source_that_is_too_large_is_not_begun() {
    let served = Served::limited(Limits { max_size: 2999, ..Limits::default() }).await;
    let file = file(&bytes(3000));
    let error = client().upload(source(&file), &served.url("a")).await.unwrap_err();
    assert!(matches!(error, UploadError::TooLarge { length: 3000, max_size: 2999 }), "{error}");
    assert!(served.seen("POST").is_empty());
    // Of a stream it is seen on the way.
    let error = client().upload(stream(&bytes(3000)), &served.url("a")).await.unwrap_err();
    assert!(matches!(&error, UploadError::Refused { status, .. } if *status == 413), "{error}");
    assert!(!served.path("a").exists());
}

#[tokio::test]
async fn events_tell_how_it_goes() {
    let (served, told, file) = (Served::start().await, Told::default(), file(&bytes(2500)));
    told.observe(client()).upload(source(&file), &served.url("a")).await.unwrap();
    let upload = told.created();
    assert!(upload.path().starts_with("/uploads/"));
    let created = format!("created {upload}");
    assert_eq!(
        told.all(),
        [&*created, "acknowledged 1000", "acknowledged 2000", "acknowledged 2500"]
    );
}

#[tokio::test]
async fn whole_is_put_to_a_server_without_parts() {
    // It knows no OPTIONS, or answers it without a limit.
    for status in [405, 404, 501, 204] {
        let served = Served::scripted(Before(move |request: &Seen| {
            (request.method == Method::OPTIONS).then(|| super::served::answer(status, &[]))
        }))
        .await;
        for (name, length, is_stream) in [("a", 2500, false), ("b", 999, true), ("c", 0, false)] {
            let (content, told) = (bytes(length), Told::default());
            let file = file(&content);
            let source = if is_stream { stream(&content) } else { source(&file) };
            let uploaded = told.observe(client()).upload(source, &served.url(name)).await.unwrap();
            assert!(!uploaded.in_parts && uploaded.is_confirmed);
            assert_eq!(
                (uploaded.bytes, uploaded.sha256),
                (length as u64, PayloadHash::of(&content))
            );
            assert_eq!(told.all().last().unwrap(), "without parts");
            assert!(read(&served.path(name)).unwrap() == content);
        }
        assert_eq!(served.seen("PUT").len(), 3);
        assert!(served.seen("POST").is_empty());
        // A pipe that is longer than a part: nothing knows its length.
        let error = client().upload(stream(&bytes(1000)), &served.url("d")).await.unwrap_err();
        assert!(matches!(error, UploadError::WithoutParts), "{error}");
        assert!(error.to_string().contains("send a file"), "{error}");
    }
}

#[tokio::test]
async fn cancelled_upload_is_gone() {
    let (served, told) = (Served::start().await, Told::default());
    let client = told.observe(client());
    let failing = client.clone().part_size(5000).retries(framesign_upload::client::Retries::none());
    // It fails within its first part.
    let broken = io::Cursor::new(bytes(100)).chain(Broken);
    let source = framesign_upload::client::Source::reader(broken);
    let error = failing.upload(source, &served.url("a")).await.unwrap_err();
    assert!(matches!(error, UploadError::Read(_)), "{error}");
    // Nobody could go on with it, so the client has cancelled it.
    assert_eq!((served.seen("DELETE").len(), served.open_uploads()), (1, 0));
    let error = client.cancel(&told.created()).await.unwrap_err();
    assert!(matches!(error, UploadError::Gone), "{error}");
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the pipe is broken"))
    }
}

#[tokio::test]
async fn upload_is_cancelled_on_request() {
    let served = Served::scripted(Before(|request: &Seen| {
        let is_second = request.field("upload-offset") == Some("1000");
        is_second.then(|| super::served::answer(403, &[]))
    }))
    .await;
    let (told, file) = (Told::default(), file(&bytes(2500)));
    let client = told.observe(client());
    let error = client.upload(source(&file), &served.url("a")).await.unwrap_err();
    assert!(error.can_be_resumed(), "{error}");
    assert_eq!(served.open_uploads(), 1);
    client.cancel(&told.created()).await.unwrap();
    assert_eq!(served.open_uploads(), 0);
}

#[tokio::test]
async fn wrong_key_is_refused_before_anything_is_sent() {
    let (served, file) = (Served::start().await, file(&bytes(5000)));
    for client in [client_of(ALICE, "another secret"), client_of("carol", "whatever")] {
        served.forget();
        let error = client.upload(source(&file), &served.url("a")).await.unwrap_err();
        assert!(matches!(&error, UploadError::Refused { status, .. } if *status == 401), "{error}");
        assert!(error.to_string().contains("check the keys, the clock"), "{error}");
        // Once more, since a bit may have flipped on the way.
        assert_eq!(served.seen("POST").len(), 2);
        assert!(served.seen("PATCH").is_empty());
    }
}

#[tokio::test]
async fn name_that_is_taken_is_refused() {
    let (served, file) = (Served::start().await, file(&bytes(2000)));
    client().upload(source(&file), &served.url("a")).await.unwrap();
    served.forget();
    let error = client().upload(source(&file), &served.url("a")).await.unwrap_err();
    assert!(matches!(&error, UploadError::Refused { status, .. } if *status == 409), "{error}");
    assert!(served.seen("PATCH").is_empty());
}

#[tokio::test]
async fn url_must_have_a_host() {
    for url in ["/files/a", "ftp://a/files/a", "http://user@a/files/a"] {
        let error = client().upload(stream(b""), &url.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, UploadError::Url), "{url}: {error}");
    }
}

#[test]
fn defaults_are_what_the_documents_say() {
    assert_eq!(Client::DEFAULT_PART_SIZE, 16 << 20);
    assert_eq!(PART, 1000);
}
