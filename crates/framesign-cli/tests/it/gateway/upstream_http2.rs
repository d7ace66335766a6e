//! Upstreams that speak HTTP/2: by prior knowledge, or as TLS agrees to.

use std::{
    convert::Infallible,
    error::Error,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, Version, body::Incoming, header, server::conn::http2, service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ServerConfig, crypto::ring};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

use super::{HOST, Recorder, Setup, Signed, noise, wait_until};
use crate::serve::{
    Answer,
    certificates::{Authority, Files},
};

/// Streams in many pieces, and is larger than every window.
const LARGE: usize = 700_000;

/// A request that the upstream has seen.
#[derive(Clone, Debug)]
struct Seen {
    version: Version,
    authority: Option<String>,
    target: String,
    host: Option<String>,
    has_coding: bool,
    has_trailers: bool,
    /// The whole body, which is one whose end was told, or why it ended before.
    body: Result<Vec<u8>, String>,
}

/// An upstream. It ends with the test.
struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl Upstream {
    /// One that speaks HTTP/2 alone; over TLS if it is given how.
    fn start(tls: Option<ServerConfig>) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::default());
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let (all, number) = (Arc::clone(&seen), Arc::<AtomicUsize>::clone(&connections));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                number.fetch_add(1, SeqCst);
                let (all, tls) = (Arc::clone(&all), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, all).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, all).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, seen, connections, _runtime: runtime }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve<S>(stream: S, seen: Arc<Mutex<Vec<Seen>>>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request| answer(request, Arc::clone(&seen)));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    // Of a stream as of the connection, as many servers have it.
    builder.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
    // The gateway ends connections as it likes.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// Answers with the length of the body, unless the path says something else.
async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let respond = |status: u16, text: String| {
        Ok(Response::builder().status(status).body(Full::from(text)).unwrap())
    };
    match parts.uri.path() {
        // Holds the body, and does not read it.
        "/stalls" => {
            tokio::time::sleep(Duration::from_secs(20)).await;
            drop(body);
            return respond(200, String::new());
        }
        "/early" => return respond(403, "early".into()),
        _ => {}
    }
    let body = body.collect().await;
    let has_trailers = body.as_ref().is_ok_and(|body| body.trailers().is_some());
    let body = body.map(|body| body.to_bytes().to_vec()).map_err(|error| chain(&error));
    let text = |value: &header::HeaderValue| value.to_str().unwrap().to_owned();
    let len = body.as_ref().map_or(0, Vec::len);
    seen.lock().unwrap().push(Seen {
        version: parts.version,
        authority: parts.uri.authority().map(ToString::to_string),
        target: parts.uri.path_and_query().unwrap().to_string(),
        host: parts.headers.get(header::HOST).map(text),
        has_coding: parts.headers.contains_key(header::TRANSFER_ENCODING),
        has_trailers,
        body,
    });
    if parts.uri.path() == "/silent" {
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    respond(200, len.to_string())
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

/// A gateway before `upstream`, which is asked by `url`.
fn before(url: &str, options: &[&str]) -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let gateway = crate::serve::Service::run(&mut super::inbound(&folder, url, options));
    Setup { gateway, upstream: Recorder::start(), folder }
}

/// The upstream by prior knowledge, and a gateway before it.
fn in_clear(options: &[&str]) -> (Upstream, Setup) {
    let upstream = Upstream::start(None);
    let url = format!("http://{}", upstream.address);
    let setup = before(&url, &[&["--upstream-http", "2"], options].concat());
    (upstream, setup)
}

fn send(setup: &Setup, request: &[u8]) -> Answer {
    let mut connection = setup.connect();
    // The answer may come before all was sent, and the connection end with it.
    let _ = std::io::Write::write_all(&mut connection.stream, request);
    connection.answer()
}

#[test]
fn right_uploads_arrive_byte_for_byte() {
    let (upstream, setup) = in_clear(&["--spool", ".", "--unsigned", "POST /open"]);
    for len in [0, 1, 1000, 65_536, LARGE] {
        for request in
            [Signed::put("/a%20b?q=1", noise(len)), Signed::put("/c", noise(len)).unclaimed()]
        {
            let answer = send(&setup, &request.bytes());
            assert_eq!((answer.status, answer.text()), (200, len.to_string().as_str()));
            let seen = upstream.seen.lock().unwrap().pop().unwrap();
            assert_eq!((seen.version, seen.host), (Version::HTTP_2, None));
            assert_eq!(seen.authority.as_deref(), Some(HOST));
            assert!(seen.body.unwrap() == noise(len));
        }
    }
    assert_eq!(send(&setup, &Signed::get("/x?y").bytes()).status, 200);
    assert_eq!(upstream.seen()[0].target, "/x?y");
    // Chunks become frames.
    let chunks = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let head = format!("POST /open HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(send(&setup, format!("{head}{chunks}").as_bytes()).text(), "5");
    let seen = upstream.seen().pop().unwrap();
    assert_eq!((seen.has_coding, seen.body.unwrap()), (false, b"abcde".to_vec()));
    assert_eq!(upstream.connections.load(SeqCst), 1, "a connection serves one after another");
}

/// They come after the checks of a head, and nothing signs them: none goes on, of whatever name.
#[test]
fn trailers_do_not_go_on() {
    let (upstream, setup) = in_clear(&["--unsigned", "POST /open"]);
    let head = format!(
        "POST /open HTTP/1.1\r\nHost: {HOST}\r\nTrailer: Framesign-Access-Key\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    let chunks = "3\r\nabc\r\n0\r\nFramesign-Access-Key: uploader\r\nX-Other: x\r\n\r\n";
    assert_eq!(send(&setup, format!("{head}{chunks}").as_bytes()).text(), "3");
    let seen = upstream.seen().pop().unwrap();
    assert_eq!((seen.body.unwrap(), seen.has_trailers), (b"abc".to_vec(), false));
}

/// The stream is reset, so that its end is never told.
#[test]
fn upload_that_was_tampered_with_is_reset() {
    let (upstream, setup) = in_clear(&[]);
    for len in [1, 1000, 65_536, LARGE] {
        let request = Signed::put("/", noise(len));
        for at in [0, len / 2, len - 1] {
            let mut body = noise(len);
            body[at] ^= 1;
            let head = request.head();
            assert_eq!(send(&setup, &[&head[..], &body].concat()).status, 401, "{len}, {at}");
            let mut cut = setup.connect();
            cut.send([&head[..], &noise(len)[..at]].concat());
            cut.finish_sending();
            assert_eq!(cut.answer().status, 400, "{len}, cut after {at}");
        }
    }
    // One that is cut at once may never reach the handler.
    wait_until(|| upstream.seen().len() >= 12, "those that were begun to be seen");
    for seen in upstream.seen() {
        let problem = seen.body.expect_err("a body whose end was told");
        // RST_STREAM, as the crate h2 has it.
        assert!(problem.contains("stream error received"), "{problem}");
    }
    assert_eq!(send(&setup, &Signed::put("/", noise(LARGE)).bytes()).status, 200);
}

#[test]
fn upstream_that_fails_is_a_clear_status() {
    let options = ["--response-timeout", "0.3", "--upstream-idle-timeout", "0.5", "--spool", "."];
    let (upstream, setup) = in_clear(&options);
    let files = setup.open_files();
    for (target, status) in [("/stalls", 504), ("/silent", 504), ("/early", 403)] {
        for request in
            [Signed::put(target, noise(LARGE)), Signed::put(target, noise(LARGE)).unclaimed()]
        {
            let answer = send(&setup, &request.bytes());
            assert_eq!(answer.status, status, "{target}: {answer:?}");
            if target == "/stalls" {
                assert_eq!(answer.json()["detail"], "the upstream is too slow");
            }
        }
    }
    wait_until(|| setup.open_files() <= files, "its files to be closed");
    assert_eq!(setup.spooled(), 0);
    // What ends in the middle.
    let dying = Recorder::start();
    let other = before(&dying.url(), &[&["--upstream-http", "2"], &options[..]].concat());
    let answer = send(&other, &Signed::put("/", noise(1000)).bytes());
    assert!([502, 504].contains(&answer.status), "it speaks HTTP/1.1: {answer:?}");
    assert_eq!(send(&setup, &Signed::put("/", noise(1000)).bytes()).status, 200);
    drop(upstream);
    assert_eq!(send(&setup, &Signed::put("/", noise(1000)).bytes()).status, 502);
}

/// Streams of one connection share its window: a body that is not read must not stop others.
#[test]
fn upload_that_is_not_read_stops_no_other() {
    let (_upstream, setup) = in_clear(&["--upstream-idle-timeout", "5"]);
    let slow: Vec<_> = (0..4)
        .map(|_| {
            let mut connection = setup.connect();
            let request = Signed::put("/stalls", noise(LARGE)).bytes();
            thread::spawn(move || {
                let _ = std::io::Write::write_all(&mut connection.stream, &request);
                connection.answer().status
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(200));
    for _ in 0..20 {
        assert_eq!(send(&setup, &Signed::put("/", noise(LARGE)).bytes()).status, 200);
    }
    let is_waiting = slow.iter().any(|sender| !sender.is_finished());
    assert!(is_waiting, "the others were answered while these were not");
    for sender in slow {
        assert_eq!(sender.join().unwrap(), 504);
    }
}

/// How an upstream does TLS that takes these versions of HTTP.
fn tls(authority: &Authority, protocols: &[&str]) -> ServerConfig {
    let identity = authority.identity();
    let chain = vec![rustls::pki_types::CertificateDer::from(identity.der().to_vec())];
    let key =
        rustls::pki_types::pem::PemObject::from_pem_slice(identity.key_pem().as_bytes()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

#[test]
fn version_is_what_both_sides_take() {
    let authority = Authority::new();
    let files = Files::new();
    let ca = files.write("authority.pem", &authority.pem());
    for (protocols, http, status) in [
        (&["h2", "http/1.1"][..], "auto", 200),
        (&["h2"], "auto", 200),
        (&["h2"], "2", 200),
        // The upstream would be spoken to in HTTP/1.1, which this one does not know.
        (&["http/1.1"], "auto", 502),
        (&["h2", "http/1.1"], "1.1", 502),
        (&["http/1.1"], "2", 502),
    ] {
        let upstream = Upstream::start(Some(tls(&authority, protocols)));
        let url = format!("https://localhost:{}", upstream.address.port());
        let setup = before(&url, &["--upstream-ca", &ca, "--upstream-http", http]);
        let answer = send(&setup, &Signed::put("/", noise(LARGE)).bytes());
        assert_eq!(answer.status, status, "{protocols:?}, {http}: {}", setup.gateway.log());
        let seen = upstream.seen();
        assert_eq!(seen.len(), usize::from(status == 200));
        assert!(seen.iter().all(|seen| seen.version == Version::HTTP_2));
    }
}
