//! What real clients send of a signed request.

use std::{
    collections::BTreeSet,
    io::{Seek, Write},
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use framesign::{
    PayloadHash, SigningKey, SigningOptions,
    frame::HeadReader,
    http::sign_request,
    sign_head,
    verify::{Claim, Policy, Reason, Refusal, Verified, Verifier},
};
use futures_util::stream;
use http::{Request, header::ACCEPT, request::Parts};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor, rt::TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{
    server::{Server, layer},
    support::{choose_tls, credentials, key, now},
};
use crate::support::content_digest;

/// Takes one request as raw bytes and answers it.
async fn capture() -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let (address, task) = capture_each(&["204 No Content"]).await;
    (address, tokio::spawn(async { task.await.unwrap().remove(0) }))
}

/// Takes a request for each answer, on a connection each.
async fn capture_each(answers: &'static [&'static str]) -> (SocketAddr, JoinHandle<Vec<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut frames = Vec::new();
        for answer in answers {
            let mut stream = listener.accept().await.unwrap().0;
            let mut frame = Vec::new();
            while !is_whole(&frame) {
                let len = stream.read_buf(&mut frame).await.unwrap();
                assert_ne!(len, 0, "{}", frame.escape_ascii());
            }
            let answer =
                format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            frames.push(frame);
        }
        frames
    });
    (address, task)
}

fn is_whole(frame: &[u8]) -> bool {
    let mut reader = HeadReader::new(Policy::default().rules().clone());
    reader.read(frame).unwrap().is_some_and(|head| {
        let length = usize::try_from(head.content_length().unwrap_or_default()).unwrap();
        frame.len() >= head.as_bytes().len() + length
    })
}

/// A request for `address` with whatever its sender makes explicit, signed.
fn signed(address: SocketAddr, payload: &'static str, explicit: &[(&str, &str)]) -> Request<Bytes> {
    let mut request = Request::put(format!("http://{address}/up/a%20b?x=1&y=a+b"))
        .header("content-length", payload.len());
    for (name, value) in explicit {
        request = request.header(*name, *value);
    }
    let (mut parts, body) = request.body(Bytes::from(payload)).unwrap().into_parts();
    sign(&mut parts, PayloadHash::of(&body));
    Request::from_parts(parts, body)
}

fn sign(parts: &mut Parts, payload: PayloadHash) {
    sign_request(parts, &key(), payload, now(), &SigningOptions::default()).unwrap();
}

fn names(request: &Request<Bytes>) -> BTreeSet<String> {
    request.headers().keys().map(ToString::to_string).collect()
}

fn names_of(frame: &[u8]) -> BTreeSet<String> {
    let mut reader = HeadReader::new(Policy::default().rules().clone());
    let head = reader.read(frame).unwrap().unwrap();
    head.fields().map(|field| field.name().to_ascii_lowercase()).collect()
}

fn verify(frame: &[u8]) -> Result<Verified, Refusal> {
    verify_at(frame, now())
}

fn verify_at(frame: &[u8], now: SystemTime) -> Result<Verified, Refusal> {
    let keys = |claim: &Claim| vec![SigningKey::derive(&credentials(), claim.date())];
    let mut verifier = Verifier::new(&Policy::default(), keys, || now);
    verifier.update(frame)?;
    verifier.finish()
}

/// Signs the captured frame as raw bytes, as if it had never been signed.
fn sign_again(frame: &[u8]) -> String {
    let text = str::from_utf8(frame).unwrap();
    let (head, payload) = text.split_once("\r\n\r\n").unwrap();
    let is_kept = |line: &&str| !line.starts_with("dynata-") || line.starts_with("dynata-nonce");
    let lines = head.lines().filter(is_kept);
    let head = lines.flat_map(|line| [line, "\r\n"]).chain(["\r\n"]).collect::<String>();
    let (payload, options) = (PayloadHash::of(payload.as_bytes()), SigningOptions::default());
    let head = sign_head(head.as_bytes(), &key(), payload, now(), &options).unwrap();
    let signature = str::from_utf8(&head).unwrap().trim_end().rsplit(": ").next().unwrap();
    signature.to_owned()
}

fn assert_signed_as_raw(request: &Request<Bytes>, frame: &[u8]) {
    let signature = &request.headers()["dynata-signature"];
    assert_eq!(*signature, sign_again(frame), "{}", frame.escape_ascii());
    assert_eq!(verify(frame).unwrap().access_key(), b"access");
}

fn hyper_client() -> Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

#[tokio::test]
async fn hyper_util_adds_nothing_to_what_is_explicit() {
    for payload in ["hello", ""] {
        let (address, captured) = capture().await;
        let request = signed(address, payload, &[]);
        let response = hyper_client().request(request.clone().map(Full::new)).await.unwrap();
        assert_eq!(response.status(), 204);
        let frame = captured.await.unwrap();
        assert_eq!(names_of(&frame), names(&request));
        assert_signed_as_raw(&request, &frame);
    }
}

#[tokio::test]
async fn hyper_adds_nothing_to_what_is_explicit() {
    let (address, captured) = capture().await;
    let request = signed(address, "hello", &[]);
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    // Without a pool around it hyper sends the target in absolute-form, which is not signed.
    sender.send_request(request.clone().map(Full::new)).await.unwrap();
    let frame = captured.await.unwrap();
    assert!(frame.starts_with(b"PUT http://"), "{}", frame.escape_ascii());
    assert_eq!(names_of(&frame), names(&request));
    assert_signed_as_raw(&request, &frame);
}

fn reqwest_client() -> reqwest::ClientBuilder {
    choose_tls();
    reqwest::Client::builder()
}

async fn send_by_reqwest(client: &reqwest::Client, request: Request<Bytes>) {
    let request = reqwest::Request::try_from(request).unwrap();
    assert_eq!(client.execute(request).await.unwrap().status(), 204);
}

#[tokio::test]
async fn reqwest_adds_accept_and_the_default_fields_of_the_client() {
    let client = reqwest_client().user_agent("uploader/1").build().unwrap();
    let (address, captured) = capture().await;
    let request = signed(address, "hello", &[]);
    send_by_reqwest(&client, request.clone()).await;
    let frame = captured.await.unwrap();
    let added: Vec<_> = names_of(&frame).difference(&names(&request)).cloned().collect();
    assert_eq!(added, ["accept", "user-agent"]);
    assert_eq!(verify(&frame).unwrap_err().reason(), Reason::Signature);

    // Explicit before signing, they are signed, and nothing is added.
    let (address, captured) = capture().await;
    let request = signed(address, "hello", &[("accept", "*/*"), ("user-agent", "uploader/1")]);
    send_by_reqwest(&client, request.clone()).await;
    let frame = captured.await.unwrap();
    assert_eq!(names_of(&frame), names(&request));
    assert_signed_as_raw(&request, &frame);
}

#[tokio::test]
async fn reqwest_sends_a_stream_of_known_length_unchunked() {
    let (address, captured) = capture().await;
    let request = signed(address, "hello", &[("accept", "*/*")]);
    let mut streamed = reqwest::Request::try_from(request.clone()).unwrap();
    let pieces = ["he", "llo"].map(Ok::<_, std::io::Error>);
    *streamed.body_mut() = Some(reqwest::Body::wrap_stream(stream::iter(pieces)));
    reqwest_client().build().unwrap().execute(streamed).await.unwrap();
    assert_signed_as_raw(&request, &captured.await.unwrap());
}

/// The server is overloaded, the client waits longer than a signature is fresh, and signs again: the
/// payload is hashed once.
#[tokio::test]
async fn a_request_is_signed_again_after_503() {
    let (address, captured) = capture_each(&["503 Service Unavailable", "201 Created"]).await;
    let (mut parts, body) = signed(address, "hello", &[]).into_parts();
    let payload = PayloadHash::of(&body);
    let later = now() + Duration::from_secs(3600);
    let mut answers = Vec::new();
    for now in [now(), later] {
        sign_request(&mut parts, &key(), payload, now, &SigningOptions::default()).unwrap();
        let request = Request::from_parts(parts.clone(), Full::new(body.clone()));
        answers.push(hyper_client().request(request).await.unwrap().status().as_u16());
    }
    assert_eq!(answers, [503, 201]);
    let frames = captured.await.unwrap();
    assert_eq!(verify(&frames[0]).unwrap().payload(), payload);
    assert_eq!(verify_at(&frames[0], later).unwrap_err().reason(), Reason::Stale);
    assert_eq!(verify_at(&frames[1], later).unwrap().payload(), payload);
    assert_eq!(names_of(&frames[1]), names_of(&frames[0]));
}

#[tokio::test]
async fn clients_are_verified_by_the_layer() {
    let server = Server::start(layer()).await;
    let request = signed(server.address, "by hyper", &[]);
    let response = hyper_client().request(request.map(Full::new)).await.unwrap();
    assert_eq!(response.status(), 200);

    let request = signed(server.address, "by reqwest", &[("accept", "*/*")]);
    let request = reqwest::Request::try_from(request).unwrap();
    let response = reqwest_client().build().unwrap().execute(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(server.committed(), [&b"by hyper"[..], b"by reqwest"]);
}

#[tokio::test]
async fn a_file_is_hashed_in_a_first_pass_and_sent_in_a_second() {
    let server = Server::start(layer()).await;
    let contents: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&contents).unwrap();
    file.rewind().unwrap();

    let first_pass = tokio::task::spawn_blocking(move || {
        let (hash, len) = PayloadHash::of_reader(&file).unwrap();
        file.rewind().unwrap();
        (file, hash, len)
    });
    let (file, hash, len) = first_pass.await.unwrap();
    let request =
        Request::put(server.url("/up")).header("content-length", len).header("accept", "*/*");
    let request = request.header("content-digest", content_digest(&contents));
    let body = reqwest::Body::from(tokio::fs::File::from_std(file));
    let (mut parts, body) = request.body(body).unwrap().into_parts();
    sign(&mut parts, hash);
    let request = reqwest::Request::try_from(Request::from_parts(parts, body)).unwrap();
    assert_eq!(reqwest_client().build().unwrap().execute(request).await.unwrap().status(), 200);
    assert_eq!(server.committed(), [contents]);
}

#[tokio::test]
async fn a_field_that_a_client_changes_is_refused_by_the_layer() {
    let server = Server::start(layer()).await;
    let mut request = signed(server.address, "hello", &[("accept", "*/*")]);
    request.headers_mut().insert(ACCEPT, "text/plain".parse().unwrap());
    let response = hyper_client().request(request.map(Full::new)).await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], "framesign");
    assert!(server.committed().is_empty());
}
