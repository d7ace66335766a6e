//! What is signed of a body, and that nothing else is sent.

use std::{fs, pin::pin, sync::mpsc, time::Duration};

use bytes::Bytes;
use framesign::{
    ApiMisuse, PayloadHash, SigningError, SigningOptions,
    client::{self, NotSigned, RequestSigner, SignableBody, SignableFile, SignedBody},
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Request, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tokio::task;

use super::{TestFile, contents, signer};
use crate::{
    http::support::{body, data},
    support::content_digest,
};

fn parts(method: Method) -> Parts {
    let request = Request::builder().method(method).uri("http://test.com/up");
    request.body(()).unwrap().into_parts().0
}

/// The fields and the body that are sent.
async fn signed(
    signer: &RequestSigner,
    method: Method,
    body: impl Into<SignableBody>,
) -> Result<(HeaderMap, SignedBody), NotSigned> {
    let mut parts = parts(method);
    let body = signer.sign(&mut parts, body).await?;
    Ok((parts.headers, body))
}

/// The payload, or the message of the error that the body ends in.
async fn sent(body: SignedBody) -> Result<Vec<u8>, String> {
    body.collect().await.map(|body| body.to_bytes().to_vec()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn what_is_sent_is_what_was_hashed() {
    for len in [0, 1, 64 * 1024, 64 * 1024 + 1, 256 * 1024, 512 * 1024, 1_000_003] {
        let contents = contents(len);
        let file = TestFile::new(&contents);
        let hash = PayloadHash::of(&contents);
        let stream = body(data(contents.chunks(9973)));
        for source in [
            SignableBody::from(contents.clone()),
            SignableFile::new(&file.path).into(),
            SignableBody::stream(stream, hash, len.into()),
        ] {
            let shown = format!("{source:?}");
            let (fields, signed) = signed(&signer(), Method::PUT, source).await.unwrap();
            assert_eq!(fields["content-digest"], content_digest(&contents), "{shown}");
            assert_eq!(fields["content-length"], len.to_string(), "{shown}");
            assert_eq!(signed.size_hint().exact(), Some(len.into()), "{shown}");
            assert_eq!(signed.is_end_stream(), len == 0, "{shown}");
            assert_eq!(sent(signed).await.unwrap(), contents, "{shown}");
        }
    }
}

#[tokio::test]
async fn a_body_tells_what_is_left_of_it() {
    let contents = contents(600_000);
    let file = TestFile::new(&contents);
    let stream = body(data(contents.chunks(9973)));
    for source in [
        SignableBody::from(contents.clone()),
        SignableFile::new(&file.path).into(),
        SignableBody::stream(stream, PayloadHash::of(&contents), 600_000),
    ] {
        let shown = format!("{source:?}");
        let (_, mut signed) = signed(&signer(), Method::PUT, source).await.unwrap();
        let mut left = 600_000;
        while let Some(frame) = signed.frame().await {
            left -= frame.unwrap().into_data().unwrap().len() as u64;
            assert_eq!(signed.size_hint().exact(), Some(left), "{shown}");
            assert_eq!(format!("{signed:?}"), format!("SignedBody {{ left: {left}, .. }}"));
        }
        assert_eq!(left, 0, "{shown}");
    }
}

#[tokio::test]
async fn whatever_is_text_or_bytes_is_signed_as_its_bytes() {
    for source in [
        SignableBody::from("hello"),
        String::from("hello").into(),
        b"hello".to_vec().into(),
        Bytes::from("hello").into(),
    ] {
        let (fields, signed) = signed(&signer(), Method::PUT, source).await.unwrap();
        assert_eq!(fields["content-digest"], content_digest(b"hello"));
        assert_eq!(sent(signed).await.unwrap(), b"hello");
    }
}

/// What is hashed elsewhere waits for a thread that may block, of which there is one here.
#[test]
fn bytes_of_64_kib_at_most_are_hashed_at_once_and_more_of_them_elsewhere() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.max_blocking_threads(1).build().unwrap();
    for (len, is_at_once) in [(0, true), (64 * 1024, true), (64 * 1024 + 1, false)] {
        runtime.block_on(async {
            let (free, until) = mpsc::channel::<()>();
            let busy = task::spawn_blocking(move || until.recv());
            let (signer, mut parts) = (signer(), parts(Method::PUT));
            let mut signing = pin!(signer.sign(&mut parts, contents(len)));
            let found = signing.as_mut().now_or_never();
            assert_eq!(found.is_some(), is_at_once, "{len}");
            drop(free);
            busy.await.unwrap().unwrap_err();
            if found.is_none() {
                assert_eq!(sent(signing.await.unwrap()).await.unwrap(), contents(len));
            }
        });
    }
}

#[tokio::test]
async fn fields_are_explicit_before_they_are_signed() {
    let mut defaults = HeaderMap::new();
    defaults.append("accept", HeaderValue::from_static("*/*"));
    defaults.append("x-two", HeaderValue::from_static("a"));
    defaults.append("x-two", HeaderValue::from_static("b"));
    let signer = signer().default_headers(defaults);
    let mut parts = parts(Method::PUT);
    parts.headers.insert("accept", HeaderValue::from_static("text/plain"));
    signer.sign(&mut parts, "hello").await.unwrap();
    let fields = &parts.headers;
    assert_eq!(fields["accept"], "text/plain");
    assert!(fields.get_all("x-two").iter().eq(["a", "b"]));
    assert_eq!(
        (&fields["host"], &fields["content-length"]),
        (&"test.com".parse().unwrap(), &5.into())
    );
    assert_eq!(fields["dynata-nonce"].len(), 32);
}

#[tokio::test]
async fn only_methods_with_a_payload_say_that_there_is_none() {
    for (method, length) in [
        (Method::GET, None),
        (Method::DELETE, None),
        (Method::POST, Some("0")),
        (Method::PUT, Some("0")),
    ] {
        let (fields, _) = signed(&signer(), method.clone(), ()).await.unwrap();
        let found = fields.get("content-length").map(|length| length.to_str().unwrap());
        assert_eq!(found, length, "{method}");
    }
}

#[tokio::test]
async fn a_request_that_is_signed_again_has_another_nonce() {
    let (signer, mut parts) = (super::ticking(), parts(Method::PUT));
    signer.sign(&mut parts, "hello").await.unwrap();
    let first = parts.headers.clone();
    signer.sign(&mut parts, "hello").await.unwrap();
    assert_eq!(parts.headers.len(), first.len());
    for name in ["dynata-nonce", "timestamp", "dynata-signature"] {
        assert_ne!(parts.headers[name], first[name], "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_signed_is_an_error_and_leaves_the_fields_as_they_were() {
    let unhashed = || SignableBody::unhashed_stream(Full::new(Bytes::from("hello")));
    let mut request = parts(Method::PUT);
    request.headers.insert("content-length", 4.into());
    let before = request.headers.clone();
    let error = signer().sign(&mut request, "hello").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected 5, the length of the body, in Content-Length, found 4; remove the field, or send \
         the whole body"
    );
    let error = signer().sign(&mut request, unhashed()).await.unwrap_err();
    assert!(matches!(error, NotSigned::UnknownHash));
    assert_eq!(
        error.to_string(),
        "expected a body whose hash is known, found a stream; send bytes or a file, or give the \
         hash of the stream beforehand"
    );
    assert_eq!(request.headers, before);

    let mut request = parts(Method::PUT);
    request.headers.insert("dynata-nonce", HeaderValue::from_static("a b"));
    let before = request.headers.clone();
    let error = signer().sign(&mut request, "hello").await.unwrap_err();
    assert!(matches!(error, NotSigned::Signing(SigningError::Misuse(ApiMisuse::Nonce))));
    assert_eq!(request.headers, before);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    for path in [missing.as_path(), folder.path()] {
        let error = signed(&signer(), Method::PUT, SignableFile::new(path)).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
        assert!(matches!(error, NotSigned::File { .. }));
    }
}

/// Nobody writes to it: to open it would last for ever.
#[cfg(unix)]
#[tokio::test]
async fn a_pipe_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    framesign_test_support::make_fifo(&path);
    let error = signed(&signer(), Method::PUT, SignableFile::new(path)).await.unwrap_err();
    assert!(error.to_string().contains("expected a regular file"), "{error}");
}

#[tokio::test]
async fn a_stream_of_another_length_ends_in_an_error() {
    let stream = |pieces: &[&'static [u8]]| {
        let stream = body(data(pieces.iter().copied()));
        SignableBody::stream(stream, PayloadHash::of(b"hello"), 5)
    };
    for (pieces, found) in [
        (&[&b"hel"[..], b"l"][..], "less"),
        (&[], "less"),
        (&[b"hello!"], "more"),
        (&[b"hel", b"lo!"], "more"),
        (&[b"hello", b"!"], "more"),
    ] {
        let (_, signed) = signed(&signer(), Method::PUT, stream(pieces)).await.unwrap();
        let error = sent(signed).await.unwrap_err();
        let expected = format!("expected a stream of the length that was signed, found {found}");
        assert_eq!(error, expected);
    }
    let (_, signed) = signed(&signer(), Method::PUT, stream(&[b"hel", b"", b"lo"])).await.unwrap();
    assert_eq!(sent(signed).await.unwrap(), b"hello");
}

const SECOND: Duration = Duration::from_secs(1);

/// How a file changes after it was hashed.
type Change = fn(&TestFile);

#[tokio::test]
async fn a_file_that_changes_after_it_was_hashed_ends_the_body_in_an_error() {
    let changes: [(&str, Change); 3] = [
        ("overwritten", |file| {
            file.overwrite(&vec![0; 600_000], file.modified() + SECOND);
        }),
        ("longer", |file| {
            file.overwrite(&contents(600_001), file.modified() + SECOND);
        }),
        ("shorter, its time set back", |file| file.overwrite(&contents(599_999), file.modified())),
    ];
    for (name, change) in changes {
        let file = TestFile::new(&contents(600_000));
        let source = SignableFile::new(&file.path);
        let (_, mut signed) = signed(&signer(), Method::PUT, source).await.unwrap();
        change(&file);
        let mut pieces = Vec::new();
        let error = loop {
            match signed.frame().await.expect(name) {
                Ok(frame) => pieces.push(frame.into_data().unwrap().len()),
                Err(error) => break error.to_string(),
            }
        };
        // The last piece is kept back, and after the error nothing comes.
        assert!(pieces.iter().sum::<usize>() < 599_999, "{name}: {pieces:?}");
        assert!(error.contains("expected a file that stays as it was hashed"), "{name}: {error}");
        assert!(error.starts_with(&file.path.display().to_string()), "{name}: {error}");
        assert!(signed.frame().await.is_none(), "{name}");
    }
    // Another file at its place is none of its business: the one that was hashed is open.
    let file = TestFile::new(&contents(600_000));
    let source = SignableFile::new(&file.path);
    let (_, body) = signed(&signer(), Method::PUT, source).await.unwrap();
    let other = file.path.with_extension("new");
    fs::write(&other, b"other").unwrap();
    fs::rename(other, &file.path).unwrap();
    assert_eq!(sent(body).await.unwrap(), contents(600_000));
}

#[tokio::test]
async fn a_file_of_one_piece_that_changes_after_it_was_hashed_is_not_sent() {
    let file = TestFile::new(b"hello");
    let source = SignableFile::new(&file.path);
    let (_, body) = signed(&signer(), Method::PUT, source).await.unwrap();
    file.overwrite(b"hellO", file.modified() + SECOND);
    let error = sent(body).await.unwrap_err();
    assert!(error.contains("expected a file that stays as it was hashed"), "{error}");
}

/// The system makes such a file when it is read, and says beforehand that it is empty.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_has_more_than_it_says_is_not_signed() {
    let error = signed(&signer(), Method::PUT, SignableFile::new("/proc/version")).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("expected a file that stays as it was hashed"), "{error}");
}

/// The Content-Digest that each of two attempts has, with a change between them.
async fn digests(change: Change) -> [String; 2] {
    let file = TestFile::new(&contents(1000));
    let source = SignableBody::from(SignableFile::new(&file.path));
    let again = source.try_clone().unwrap();
    let digest = |fields: HeaderMap| fields["content-digest"].to_str().unwrap().to_owned();
    let (first, _) = signed(&signer(), Method::PUT, source).await.unwrap();
    change(&file);
    let (second, _) = signed(&signer(), Method::PUT, again).await.unwrap();
    [digest(first), digest(second)]
}

#[tokio::test]
async fn the_hash_is_kept_by_inode_size_and_time() {
    let [old, new] = [contents(1000), vec![7; 1000]].map(|bytes| content_digest(&bytes));
    assert_eq!(digests(|_| ()).await, [old.clone(), old.clone()]);
    // Nothing tells that it is another one, so it is not read again: the server refuses it.
    let unseen = digests(|file| file.overwrite(&[7; 1000], file.modified()));
    assert_eq!(unseen.await, [old.clone(), old.clone()]);
    assert_eq!(
        digests(|file| file.overwrite(&[7; 1000], file.modified() + SECOND)).await,
        [old.clone(), new.clone()]
    );
    let [_, longer] = digests(|file| file.overwrite(&[7; 1001], file.modified())).await;
    assert_eq!(longer, content_digest(&[7; 1001]));
    // Another file, of the same size and time.
    #[cfg(unix)]
    {
        let replaced = digests(|file| {
            let (other, modified) = (file.path.with_extension("new"), file.modified());
            fs::write(&other, [7; 1000]).unwrap();
            fs::File::options().append(true).open(&other).unwrap().set_modified(modified).unwrap();
            fs::rename(other, &file.path).unwrap();
        });
        assert_eq!(replaced.await, [old, new]);
    }
}

#[test]
fn a_request_is_cloned_whole_unless_its_body_is_a_stream() {
    let request = Request::put("http://test.com/up").header("a", "b").extension(7_u8);
    let request = request.body(SignableBody::from("hello")).unwrap();
    let clone = client::try_clone(&request).unwrap();
    assert_eq!((clone.method(), clone.uri()), (request.method(), request.uri()));
    assert_eq!((clone.headers(), clone.version()), (request.headers(), request.version()));
    assert_eq!(clone.extensions().get(), Some(&7_u8));
    let stream = SignableBody::stream(Full::from("hello"), PayloadHash::of(b"hello"), 5);
    assert!(client::try_clone(&request.map(|_| stream)).is_none());
}

#[tokio::test]
async fn debug_shows_no_payload_and_no_secret() {
    let options = SigningOptions::default();
    let shown = format!("{:?}", signer().options(options));
    assert!(shown.contains("access") && !shown.contains("secret"), "{shown}");
    let (_, body) = signed(&signer(), Method::PUT, "hunter2").await.unwrap();
    assert_eq!(format!("{body:?}"), "SignedBody { left: 7, .. }");
    assert_eq!(format!("{:?}", SignableBody::from("hunter2")), "Bytes(7)");
    let stream = || Full::new(Bytes::from("hunter2"));
    assert_eq!(format!("{:?}", SignableBody::unhashed_stream(stream())), "Stream(None)");
    let hash = PayloadHash::of(b"hunter2");
    let shown = format!("{:?}", SignableBody::stream(stream(), hash, 7));
    assert_eq!(shown, format!("Stream(Some(({hash:?}, 7)))"));
    let shown = format!("{:?}", SignableBody::from(SignableFile::new("upload.bin")));
    assert!(shown.starts_with("SignableFile { path: \"upload.bin\", "), "{shown}");
}
