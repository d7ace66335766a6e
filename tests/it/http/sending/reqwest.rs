//! The middleware of reqwest.

use std::{error::Error as _, time::Duration};

use async_trait::async_trait;
use framesign::{
    PayloadHash,
    client::{RequestSigner, SignableFile},
    reqwest::{Redirects, SigningMiddleware},
};
use futures_util::stream;
use http::{Extensions, HeaderMap, HeaderValue};
use reqwest::{Body, Client, Request, Response, Url};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next, Result};

use super::{Receiver, TestFile, assert_all_differ, contents, is_created, signer, ticking};

fn client(signer: RequestSigner) -> ClientWithMiddleware {
    SigningMiddleware::new(signer).into_client().unwrap()
}

fn following(redirects: Redirects) -> ClientWithMiddleware {
    SigningMiddleware::new(ticking()).redirects(redirects).into_client().unwrap()
}

const ANEW: [&str; 3] = ["dynata-nonce", "timestamp", "dynata-signature"];

/// Sends again what is answered with 503, as a middleware for retries does.
struct Again;

#[async_trait]
impl Middleware for Again {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        for _ in 0..3 {
            let again = request.try_clone().unwrap();
            let response = next.clone().run(again, extensions).await?;
            if response.status() != 503 {
                return Ok(response);
            }
        }
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn nothing_is_added_after_signing() {
    let receiver = Receiver::start(&[]).await;
    let client = client(signer());
    let file = TestFile::new(&contents(700_000));
    let url = || receiver.url("/a%20b?x=1&y=a+b");
    let pieces = stream::iter(["he", "llo"].map(Ok::<_, std::io::Error>));
    for request in [
        client.get(url()),
        client.post(url()),
        client.delete(url()),
        client.put(url()).body("text"),
        client.put(url()).body(contents(100_000)),
        client.put(url()).body(""),
        client.put(url()).with_extension(SignableFile::new(&file.path)),
        client.put(url()).header("accept", "text/plain").body("text"),
        client.put(url()).basic_auth("user", Some("password")).body("text"),
        client
            .put(url())
            .header("content-length", 5)
            .body(Body::wrap_stream(pieces))
            .with_extension(PayloadHash::of(b"hello")),
    ] {
        is_created(request.send().await.unwrap().status());
    }
    assert!(receiver.failures().is_empty());
    let payloads = receiver.payloads();
    assert_eq!(
        payloads.iter().map(Vec::len).collect::<Vec<_>>(),
        [0, 0, 0, 4, 100_000, 0, 700_000, 4, 4, 5]
    );
    assert!(payloads[6] == contents(700_000));
}

#[tokio::test]
async fn each_attempt_is_signed_anew() {
    let receiver = Receiver::start(&[503, 201, 503, 201]).await;
    let client = SigningMiddleware::client_builder().build().unwrap();
    let client = ClientBuilder::new(client).with(Again);
    let client = client.with(SigningMiddleware::new(ticking())).build();
    let file = TestFile::new(&contents(700_000));
    for request in [
        client.put(receiver.url("/up")).body("hello"),
        client.put(receiver.url("/up")).with_extension(SignableFile::new(&file.path)),
    ] {
        is_created(request.send().await.unwrap().status());
    }
    assert_eq!(
        receiver.payloads().iter().map(Vec::len).collect::<Vec<_>>(),
        [5, 5, 700_000, 700_000]
    );
    assert_all_differ(&receiver, &ANEW);
}

#[tokio::test]
async fn fields_of_the_client_are_signed_if_the_signer_knows_them() {
    let receiver = Receiver::start(&[]).await;
    let client = |signer: RequestSigner| {
        let client = SigningMiddleware::client_builder().user_agent("uploader/1").build().unwrap();
        ClientBuilder::new(client).with(SigningMiddleware::new(signer)).build()
    };
    let response = client(signer()).put(receiver.url("/up")).body("a").send().await.unwrap();
    assert_eq!(response.status(), 401);

    let mut fields = HeaderMap::new();
    fields.insert("user-agent", HeaderValue::from_static("uploader/1"));
    let client = client(signer().default_headers(fields));
    is_created(client.put(receiver.url("/up")).body("b").send().await.unwrap().status());
    assert_eq!(receiver.values("user-agent"), [Some("uploader/1".into())]);
    assert_eq!(receiver.payloads(), [b"b"]);
}

#[tokio::test]
async fn redirects_to_the_same_origin_are_signed_again() {
    for status in [307, 308] {
        let receiver = Receiver::start(&[]).await;
        receiver.redirect(status, "/second?x=1");
        receiver.redirect(status, &receiver.url("/third"));
        let file = TestFile::new(&contents(700_000));
        let request = following(Redirects::same_origin()).put(receiver.url("/first"));
        let response = request.with_extension(SignableFile::new(&file.path)).send().await.unwrap();
        is_created(response.status());
        assert_eq!(response.url().as_str(), receiver.url("/third"));
        assert_eq!(receiver.targets(), ["/first", "/second?x=1", "/third"]);
        assert!(receiver.payloads().iter().all(|payload| *payload == contents(700_000)));
        assert_all_differ(&receiver, &ANEW);
    }
}

#[tokio::test]
async fn other_redirects_are_handed_on() {
    let other = Receiver::start(&[]).await;
    let stolen = other.url("/stolen");
    let allowed = Url::parse("http://127.0.0.1:1/").unwrap();
    for (status, location, redirects) in [
        (307, stolen.as_str(), Redirects::same_origin()),
        (308, stolen.as_str(), Redirects::default()),
        (307, stolen.as_str(), Redirects::same_origin().and_to(&allowed)),
        (307, "/second", Redirects::none()),
        (302, "/second", Redirects::same_origin()),
        (303, "/second", Redirects::same_origin()),
        (307, "ftp://127.0.0.1/up", Redirects::same_origin()),
        (307, "http://[", Redirects::same_origin()),
    ] {
        let receiver = Receiver::start(&[]).await;
        receiver.redirect(status, location);
        let request = following(redirects).put(receiver.url("/first")).body("hello");
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), receiver.targets().len()),
            (status, 1),
            "{location}"
        );
    }
    assert!(other.targets().is_empty() && other.failures().is_empty());
}

#[tokio::test]
async fn a_stream_does_not_follow() {
    let receiver = Receiver::start(&[]).await;
    receiver.redirect(307, "/second");
    let pieces = stream::iter(["hello"].map(Ok::<_, std::io::Error>));
    let request = following(Redirects::same_origin()).put(receiver.url("/first"));
    let request = request.header("content-length", 5).body(Body::wrap_stream(pieces));
    let response = request.with_extension(PayloadHash::of(b"hello")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), receiver.targets().len()), (307, 1));
}

#[tokio::test]
async fn another_origin_gets_a_signature_of_its_own_and_no_credentials() {
    let (receiver, other) = (Receiver::start(&[]).await, Receiver::start(&[]).await);
    receiver.redirect(307, &other.url("/up"));
    let redirects = Redirects::same_origin().and_to(&Url::parse(&other.url("/")).unwrap());
    let request = following(redirects).put(receiver.url("/up")).bearer_auth("hunter2");
    let request = request.header("cookie", "a=b").header("host", receiver.address.to_string());
    is_created(request.header("x-kept", "1").body("hello").send().await.unwrap().status());
    assert!(
        receiver.values("authorization")[0].is_some() && receiver.values("cookie")[0].is_some()
    );
    for name in ["authorization", "cookie"] {
        assert_eq!(other.values(name), [None], "{name}");
    }
    assert_eq!(other.values("host"), [Some(other.address.to_string())]);
    assert_eq!(other.values("x-kept"), [Some("1".into())]);
    assert_ne!(other.values("dynata-signature"), receiver.values("dynata-signature"));
}

#[tokio::test]
async fn another_origin_gets_no_credentials_of_the_default_fields() {
    let (receiver, other) = (Receiver::start(&[]).await, Receiver::start(&[]).await);
    receiver.redirect(307, &other.url("/up"));
    let redirects = Redirects::same_origin().and_to(&Url::parse(&other.url("/")).unwrap());
    let mut fields = HeaderMap::new();
    for name in ["authorization", "proxy-authorization", "cookie", "x-kept"] {
        fields.insert(name, HeaderValue::from_static("default"));
    }
    fields.insert("host", receiver.address.to_string().parse().unwrap());
    let middleware = SigningMiddleware::new(signer().default_headers(fields));
    let client = middleware.redirects(redirects).into_client().unwrap();
    is_created(client.put(receiver.url("/up")).body("hello").send().await.unwrap().status());
    for name in ["authorization", "proxy-authorization", "cookie"] {
        assert_eq!(receiver.values(name), [Some("default".into())], "{name}");
        assert_eq!(other.values(name), [None], "{name}");
    }
    assert_eq!(other.values("host"), [Some(other.address.to_string())]);
    assert_eq!(other.values("x-kept"), [Some("default".into())]);
}

#[tokio::test]
async fn a_circle_of_redirects_ends() {
    let receiver = Receiver::start(&[]).await;
    for _ in 0..2 * Redirects::MAX_HOPS {
        receiver.redirect(307, "/again");
    }
    let request = following(Redirects::same_origin()).put(receiver.url("/again")).body("hello");
    assert_eq!(request.send().await.unwrap().status(), 307);
    assert_eq!(receiver.targets().len(), 1 + Redirects::MAX_HOPS);
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent() {
    let receiver = Receiver::start(&[]).await;
    let client = client(signer());
    let pieces = || Body::wrap_stream(stream::iter(["hello"].map(Ok::<_, std::io::Error>)));
    let put = || client.put(receiver.url("/up"));
    for (request, message) in [
        (put().body(pieces()), "expected a body whose hash is known"),
        (
            put().body(pieces()).with_extension(PayloadHash::of(b"hello")),
            "expected a Content-Length above 0",
        ),
        (put().header("content-length", 4).body("hello"), "the length of the body"),
        (put().with_extension(SignableFile::new("no/such/file")), "no/such/file: "),
        (
            put().header("dynata-date", "20230801"),
            "expected a frame without fields of a signed one",
        ),
    ] {
        let error = request.send().await.unwrap_err();
        assert!(error.is_middleware() && error.to_string().contains(message), "{error}");
    }
    assert!(receiver.payloads().is_empty() && receiver.failures().is_empty());
}

#[tokio::test]
async fn a_stream_of_other_bytes_is_refused_by_the_server() {
    let receiver = Receiver::start(&[]).await;
    let pieces = stream::iter(["hel", "LO"].map(Ok::<_, std::io::Error>));
    let request = client(signer()).put(receiver.url("/up")).header("content-length", 5);
    let request = request.body(Body::wrap_stream(pieces)).with_extension(PayloadHash::of(b"hello"));
    assert_eq!(request.send().await.unwrap().status(), 401);
    assert!(receiver.payloads().is_empty());
}

/// The file changes while it waits for its turn to be sent.
#[tokio::test]
async fn a_file_that_changes_before_it_is_sent_fails() {
    struct Changing(TestFile);

    #[async_trait]
    impl Middleware for Changing {
        async fn handle(
            &self,
            request: Request,
            extensions: &mut Extensions,
            next: Next<'_>,
        ) -> Result<Response> {
            self.0.overwrite(&vec![7; 700_000], self.0.modified() + Duration::from_secs(1));
            next.run(request, extensions).await
        }
    }

    let receiver = Receiver::start(&[]).await;
    let file = TestFile::new(&contents(700_000));
    let path = file.path.clone();
    let client = ClientBuilder::new(SigningMiddleware::client_builder().build().unwrap());
    let client = client.with(SigningMiddleware::new(signer())).with(Changing(file)).build();
    let request = client.put(receiver.url("/up")).with_extension(SignableFile::new(path));
    let error = request.send().await.unwrap_err();
    let mut messages = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        messages = format!("{messages}: {error}");
        source = error.source();
    }
    assert!(messages.contains("found it changed"), "{messages}");
    assert!(receiver.payloads().is_empty());
}

/// A client that is not ours can add what it likes: the server notices.
#[tokio::test]
async fn a_client_that_adds_something_is_refused() {
    let receiver = Receiver::start(&[]).await;
    let mut fields = HeaderMap::new();
    fields.insert("x-added", HeaderValue::from_static("1"));
    let client = Client::builder().default_headers(fields).build().unwrap();
    let client = ClientBuilder::new(client).with(SigningMiddleware::new(signer())).build();
    let response = client.put(receiver.url("/up")).body("hello").send().await.unwrap();
    assert_eq!(response.status(), 401);
}
