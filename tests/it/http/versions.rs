//! HTTP/2 through the layer.

use bytes::Bytes;
use framesign::{PayloadHash, http::refusal_response, verify::Policy};
use http::{HeaderMap, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, combinators::BoxBody};
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::{
    server::{Server, layer, streaming},
    support::{self, Frames, data, now},
};

type Sent = BoxBody<Bytes, std::io::Error>;

async fn connect(server: &Server) -> SendRequest<Sent> {
    let io = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let client = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
    let (sender, connection) = client.await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A signed request that carries no Host: `:authority` stands for it.
fn signed(server: &Server, length: Option<usize>, payload: &[u8], frames: Frames) -> Request<Sent> {
    let mut request = Request::put(server.url("/up?a=1"));
    if let Some(length) = length {
        request = request.header("content-length", length);
    }
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    support::sign(&mut parts, PayloadHash::of(payload));
    parts.headers.remove("host").unwrap();
    Request::from_parts(parts, BodyExt::boxed(support::body(frames)))
}

async fn send(
    sender: &mut SendRequest<Sent>,
    request: Request<Sent>,
) -> hyper::Result<Response<Incoming>> {
    sender.ready().await?;
    sender.send_request(request).await
}

#[tokio::test]
async fn uploads_are_verified_and_forged_ones_refused_on_one_connection() {
    for layer in [layer(), streaming()] {
        uploads_on_one_connection(Server::start(layer).await).await;
    }
}

async fn uploads_on_one_connection(server: Server) {
    let mut sender = connect(&server).await;
    let pieces = [&b"he"[..], b"llo"];
    let response =
        send(&mut sender, signed(&server, Some(5), b"hello", data(pieces))).await.unwrap();
    assert_eq!((response.version(), response.status().as_u16()), (Version::HTTP_2, 200));

    let response =
        send(&mut sender, signed(&server, Some(5), b"hellO", data(pieces))).await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], "framesign");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(!response.headers().contains_key("connection"));

    // The stream ended, the connection did not.
    let response =
        send(&mut sender, signed(&server, Some(5), b"hello", data(pieces))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(server.committed(), [b"hello", b"hello"]);
    assert_eq!(server.failures(), ["signature"]);
}

#[test]
fn an_answer_says_that_the_connection_closes_where_there_is_such_a_field() {
    let (parts, ()) = Request::get("/").body(()).unwrap().into_parts();
    let refusal = Policy::default().examine_parts(&parts, now()).unwrap_err();
    for (version, closes) in [
        (Version::HTTP_10, true),
        (Version::HTTP_11, true),
        (Version::HTTP_2, false),
        (Version::HTTP_3, false),
    ] {
        let answer = refusal_response(&refusal, version);
        assert_eq!(answer.headers().contains_key("connection"), closes, "{version:?}");
    }
}

#[tokio::test]
async fn a_request_without_payload_needs_no_content_length() {
    let server = Server::start(layer()).await;
    let mut sender = connect(&server).await;
    // The stream ends with the head, or with an empty frame after it.
    for frames in [Vec::new(), data([&b""[..]])] {
        let calls = server.calls();
        let response = send(&mut sender, signed(&server, None, b"", frames)).await.unwrap();
        assert_eq!((response.status().as_u16(), server.calls()), (200, calls + 1));
    }
}

#[tokio::test]
async fn a_payload_without_content_length_never_reaches_the_service() {
    let server = Server::start(layer()).await;
    let mut sender = connect(&server).await;
    let request = signed(&server, None, b"", data([&b"hello"[..]]));
    assert_eq!(send(&mut sender, request).await.unwrap().status(), 400);
    assert_eq!((server.calls(), server.failures()), (0, vec!["frame".to_owned()]));
}

#[tokio::test]
async fn trailers_are_refused() {
    // Buffered they are seen before the service is called, streamed by the service.
    for (layer, calls) in [(layer(), 0), (streaming(), 1)] {
        let server = Server::start(layer).await;
        let mut sender = connect(&server).await;
        for (length, payload) in [(Some(5), &b"hello"[..]), (None, b"")] {
            let mut frames = data([payload]);
            let mut trailers = HeaderMap::new();
            trailers.insert("dynata-role", "admin".parse().unwrap());
            frames.push(Ok(Frame::trailers(trailers)));
            let request = signed(&server, length, payload, frames);
            assert_eq!(send(&mut sender, request).await.unwrap().status(), 400);
            assert_eq!(server.calls(), calls);
        }
        assert_eq!(server.failures(), ["frame", "frame"]);
        assert!(server.committed().is_empty());
    }
}
