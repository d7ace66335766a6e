//! Servers whose answers are wrong.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use framesign::PayloadHash;
use framesign_upload::client::UploadError;
use http::{HeaderValue, Method, Response};
use http_body_util::Full;

use super::{
    Seen, Served, Told, bytes, client, file, read,
    served::{After, Before, answer},
    source,
};

type Answer = Response<Full<bytes::Bytes>>;

async fn error_of(served: &Served) -> UploadError {
    let file = file(&bytes(2500));
    client().upload(source(&file), &served.url("a")).await.unwrap_err()
}

#[tokio::test]
async fn another_hash_of_the_whole_is_an_error() {
    let other = PayloadHash::of(b"other").content_digest();
    let served = Served::scripted(After(move |request: &Seen, answer: &mut Answer| {
        if request.method == Method::PATCH && answer.status() == 201 {
            answer.headers_mut().insert("repr-digest", other.parse().unwrap());
        }
    }))
    .await;
    let error = error_of(&served).await;
    let UploadError::OtherHash { read, named } = &error else { panic!("{error}") };
    assert_eq!((*read, *named), (PayloadHash::of(&bytes(2500)), PayloadHash::of(b"other")));
    assert!(!error.can_be_resumed());
}

#[tokio::test]
async fn hash_that_the_server_does_not_name_is_not_confirmed() {
    let served = Served::scripted(After(|_: &Seen, answer: &mut Answer| {
        answer.headers_mut().remove("repr-digest");
    }))
    .await;
    let file = file(&bytes(2500));
    let uploaded = client().upload(source(&file), &served.url("a")).await.unwrap();
    assert!(!uploaded.is_confirmed);
}

#[tokio::test]
async fn creation_must_say_where_the_upload_is() {
    for (location, words) in [
        (None, "has no Location"),
        (Some("http://elsewhere.test/uploads/1"), "nothing is sent there"),
        (Some("http://"), "no URL"),
        (Some("/uploads/../1"), "dot segments"),
    ] {
        let served = Served::scripted(After(move |request: &Seen, answer: &mut Answer| {
            if request.method == Method::POST {
                answer.headers_mut().remove("location");
                if let Some(location) = location {
                    answer.headers_mut().insert("location", HeaderValue::from_static(location));
                }
            }
        }))
        .await;
        let error = error_of(&served).await;
        assert!(matches!(error, UploadError::Protocol(_)), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(served.seen("PATCH").is_empty());
    }
}

#[tokio::test]
async fn offset_must_be_one_that_was_sent() {
    for (offset, words) in
        [("1001", "another number"), ("x", "does not say"), ("-1", "does not say")]
    {
        let served = Served::scripted(Before(move |request: &Seen| match request.method {
            Method::PATCH => Some(answer(503, &[])),
            Method::HEAD => Some(answer(204, &[("upload-offset", offset)])),
            _ => None,
        }))
        .await;
        let error = error_of(&served).await;
        assert!(error.to_string().contains(words), "{offset}: {error}");
    }
}

#[tokio::test]
async fn upload_that_is_complete_early_is_an_error() {
    let served = Served::scripted(Before(|request: &Seen| match request.method {
        Method::PATCH => Some(answer(503, &[])),
        Method::HEAD => Some(answer(204, &[("upload-offset", "1000"), ("upload-complete", "?1")])),
        _ => None,
    }))
    .await;
    assert!(error_of(&served).await.to_string().contains("complete early"));
}

#[tokio::test]
async fn last_part_is_complete_with_all_of_its_bytes_and_not_before() {
    for (offset, is_whole) in [("2000", false), ("2004", false), ("2499", false), ("2500", true)] {
        let served = Served::scripted(Before(move |request: &Seen| {
            let is_last = request.field("upload-complete") == Some("?1");
            match request.method {
                Method::PATCH if is_last => Some(answer(503, &[])),
                Method::HEAD => {
                    Some(answer(204, &[("upload-offset", offset), ("upload-complete", "?1")]))
                }
                _ => None,
            }
        }))
        .await;
        let file = file(&bytes(2500));
        let result = client().upload(source(&file), &served.url("a")).await;
        if is_whole {
            let uploaded = result.unwrap();
            assert_eq!((uploaded.bytes, uploaded.is_confirmed), (2500, false));
        } else {
            let error = result.unwrap_err();
            assert!(matches!(error, UploadError::CompleteEarly), "{offset}: {error}");
            assert!(!error.can_be_resumed());
        }
    }
}

#[tokio::test]
async fn success_that_says_nothing_of_a_part_is_asked_for() {
    // Who asks for a login answers in place of the server, once.
    for offset in ["0", "1000", "2000"] {
        let answered = AtomicBool::new(false);
        let served = Served::scripted(Before(move |request: &Seen| {
            let is_it = request.method == Method::PATCH
                && request.field("upload-offset") == Some(offset)
                && !answered.swap(true, Relaxed);
            is_it.then(|| answer(200, &[("content-type", "text/html")]))
        }))
        .await;
        let file = file(&bytes(2500));
        let uploaded = client().upload(source(&file), &served.url("a")).await.unwrap();
        assert!(uploaded.is_confirmed);
        assert_eq!((served.seen("HEAD").len(), served.seen("PATCH").len()), (1, 4), "{offset}");
        assert!(read(&served.path("a")).unwrap() == bytes(2500));
    }
}

#[tokio::test]
async fn success_of_somebody_else_is_never_an_upload() {
    for from in ["0", "2000"] {
        let begun = AtomicBool::new(false);
        let served = Served::scripted(Before(move |request: &Seen| {
            let is_first = request.field("upload-offset") == Some(from);
            let is_answered = is_first || begun.load(Relaxed);
            begun.store(is_answered, Relaxed);
            is_answered.then(|| answer(200, &[("content-type", "text/html")]))
        }))
        .await;
        let error = error_of(&served).await;
        assert!(error.to_string().contains("does not say in Upload-Offset"), "{error}");
        assert!(error.can_be_resumed());
    }
}

#[tokio::test]
async fn one_field_of_the_upload_is_enough() {
    for (removed, heads) in [
        (&["upload-offset"][..], 0),
        // The last one has the right hash.
        (&["upload-complete"], 0),
        (&["upload-offset", "upload-complete"], 2),
        (&["upload-offset", "upload-complete", "repr-digest"], 3),
    ] {
        let served = Served::scripted(After(move |request: &Seen, answer: &mut Answer| {
            if request.method == Method::PATCH {
                for name in removed {
                    answer.headers_mut().remove(*name);
                }
            }
        }))
        .await;
        let file = file(&bytes(2500));
        let uploaded = client().upload(source(&file), &served.url("a")).await.unwrap();
        assert!(uploaded.is_confirmed, "{removed:?}");
        assert_eq!((served.seen("HEAD").len(), served.seen("PATCH").len()), (heads, 3));
    }
}

#[tokio::test]
async fn success_of_another_part_is_looked_at() {
    // Once it is asked for, the offset is the right one.
    let served = Served::scripted(After(|request: &Seen, answer: &mut Answer| {
        if request.field("upload-offset") == Some("1000") {
            answer.headers_mut().insert("upload-offset", HeaderValue::from_static("7"));
        }
    }))
    .await;
    let (file, told) = (file(&bytes(2500)), Told::default());
    told.observe(client()).upload(source(&file), &served.url("a")).await.unwrap();
    assert_eq!((served.seen("HEAD").len(), served.seen("PATCH").len()), (1, 3));
    assert!(read(&served.path("a")).unwrap() == bytes(2500));
    // A server that says so for ever, and takes nothing.
    let served = Served::scripted(Before(|request: &Seen| match request.method {
        Method::PATCH => Some(answer(204, &[("upload-offset", "7"), ("upload-complete", "?0")])),
        Method::HEAD => Some(answer(204, &[("upload-offset", "0")])),
        _ => None,
    }))
    .await;
    assert!(error_of(&served).await.to_string().contains("another part"));
}

#[tokio::test]
async fn last_answer_that_is_lost_is_asked_for() {
    let served = Served::scripted(After(|request: &Seen, response: &mut Answer| {
        if request.method == Method::PATCH && response.status() == 201 {
            *response = answer(502, &[]);
        }
    }))
    .await;
    let file = file(&bytes(2500));
    let uploaded = client().upload(source(&file), &served.url("a")).await.unwrap();
    assert!(uploaded.is_confirmed);
    assert_eq!(served.seen("PATCH").len(), 3);
}

#[tokio::test]
async fn redirect_is_not_followed() {
    let served = Served::scripted(Before(|request: &Seen| {
        (request.method == Method::POST).then(|| answer(307, &[("location", "/files/b")]))
    }))
    .await;
    let error = error_of(&served).await;
    assert!(matches!(&error, UploadError::Refused { status, .. } if *status == 307), "{error}");
    assert_eq!(served.seen("POST").len(), 1);
}
