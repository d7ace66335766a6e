//! HTTP/2, which is chosen in the TLS handshake.

use std::{collections::BTreeMap, convert::Infallible, io::Read, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::BoxBody};
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming},
    client::conn::http2,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::{
    net::TcpStream,
    runtime::Runtime,
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

use super::{
    Connection, PATIENCE, Service,
    certificates::{Authority, Encrypted, Files, NAME, connect},
    token_of, wait_until,
};

type Content = BoxBody<Bytes, Infallible>;

/// A client, and what its connection comes to.
pub(crate) struct Client {
    requests: http2::SendRequest<Content>,
    ended: JoinHandle<hyper::Result<()>>,
}

impl Client {
    pub(crate) async fn connect(service: &Service, authority: &Authority) -> Self {
        Self::with(service, authority, &http2::Builder::new(TokioExecutor::new())).await
    }

    async fn with(
        service: &Service,
        authority: &Authority,
        builder: &http2::Builder<TokioExecutor>,
    ) -> Self {
        let stream = TcpStream::connect(service.address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(authority.client(None, &["h2"])));
        let name = ServerName::try_from(NAME).unwrap();
        let stream = connector.connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (requests, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        Self { requests, ended: tokio::spawn(connection) }
    }

    /// A client that lets so many bytes of an answer come ahead.
    async fn with_window(service: &Service, authority: &Authority, window: u32) -> Self {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(window);
        Self::with(service, authority, &builder).await
    }

    /// Sends a request, and gives the answer without reading its body.
    pub(crate) fn begin<B>(
        &mut self,
        method: &str,
        path: &str,
        body: B,
    ) -> impl Future<Output = hyper::Result<Response<Incoming>>> + use<B>
    where
        B: Body<Data = Bytes, Error = Infallible> + Send + Sync + 'static,
    {
        let uri = format!("https://{NAME}{path}");
        let request = Request::builder().method(method).uri(uri).body(body.boxed()).unwrap();
        self.requests.send_request(request)
    }

    fn send<B>(
        &mut self,
        method: &str,
        path: &str,
        body: B,
    ) -> impl Future<Output = hyper::Result<(u16, Bytes)>> + use<B>
    where
        B: Body<Data = Bytes, Error = Infallible> + Send + Sync + 'static,
    {
        let response = self.begin(method, path, body);
        async {
            let response = response.await?;
            let status = response.status().as_u16();
            Ok((status, response.into_body().collect().await?.to_bytes()))
        }
    }

    /// Sends a request as it is.
    pub(super) async fn answer(&mut self, request: Request<Full<Bytes>>) -> (u16, Bytes) {
        let response = self.requests.send_request(request.map(BodyExt::boxed)).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    }

    async fn token(&mut self, body: &[u8]) -> String {
        let body = Full::new(Bytes::copy_from_slice(body));
        token_in(&self.send("POST", "/token", body).await.unwrap())
    }

    /// Waits until the service ends the connection.
    pub(crate) async fn wait_for_end(self) {
        let _ = timeout(PATIENCE, self.ended).await.unwrap();
    }
}

fn token_in((status, body): &(u16, Bytes)) -> String {
    assert_eq!(*status, 200, "{body:?}");
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    body["token"].as_str().unwrap().to_owned()
}

/// A body that comes as it is sent.
fn body_in_pieces() -> (mpsc::Sender<Bytes>, impl Body<Data = Bytes, Error = Infallible>) {
    let (sender, pieces) = mpsc::channel(1);
    let frames = stream::unfold(pieces, |mut pieces: mpsc::Receiver<Bytes>| async {
        pieces.recv().await.map(|piece| (Ok(Frame::data(piece)), pieces))
    });
    (sender, StreamBody::new(frames))
}

/// As operators see it.
fn requests_in_flight(service: &Service) -> u64 {
    let mut connection = Connection::open(service.admin.unwrap());
    connection.send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    connection.answer().json()["requests"]["in_flight"].as_u64().unwrap()
}

fn start(options: &[&str]) -> (Service, Authority, Runtime) {
    let authority = Authority::new();
    let service = Files::of(&authority.identity()).serve(options);
    (service, authority, Runtime::new().unwrap())
}

#[test]
fn requests_share_a_connection() {
    let (service, authority, runtime) = start(&[]);
    runtime.block_on(async {
        let mut client = Client::connect(&service, &authority).await;
        let (pieces, body) = body_in_pieces();
        let slow = tokio::spawn(client.send("POST", "/token", body));
        for number in 0..100 {
            let body = format!("request {number}");
            assert_eq!(client.token(body.as_bytes()).await, token_of(body.as_bytes()));
        }
        // More than all windows hold.
        let long = vec![7; 3 << 20];
        assert_eq!(client.token(&long).await, token_of(&long));
        pieces.send(Bytes::from_static(b"bytes")).await.unwrap();
        drop(pieces);
        assert_eq!(token_in(&slow.await.unwrap().unwrap()), token_of(b"bytes"));
    });
}

#[test]
fn head_over_the_limit_is_refused() {
    let (service, authority, runtime) = start(&[]);
    runtime.block_on(async {
        let mut client = Client::connect(&service, &authority).await;
        let target = format!("/{}", "x".repeat(20_000));
        // Refused before anything is there that could say why.
        let answer = client.send("GET", &target, Empty::new()).await.unwrap();
        assert_eq!(answer, (431, Bytes::new()));
        assert_eq!(client.token(b"bytes").await, token_of(b"bytes"));
    });
}

/// A stream that is reset while its body comes is a failure for some clients, whatever was answered.
#[test]
fn refusal_waits_for_a_small_body() {
    let (service, authority, runtime) = start(&[]);
    runtime.block_on(async {
        let mut client = Client::connect(&service, &authority).await;
        for (method, path, expected) in
            [("POST", "/nowhere", 404), ("POST", "/sign", 404), ("PUT", "/token", 405)]
        {
            let (pieces, body) = body_in_pieces();
            let answer = tokio::spawn(client.send(method, path, body));
            sleep(Duration::from_millis(20)).await;
            pieces.send(Bytes::from_static(b"hello")).await.unwrap();
            sleep(Duration::from_millis(20)).await;
            assert!(!pieces.is_closed(), "{path}: the stream was reset");
            drop(pieces);
            assert_eq!(answer.await.unwrap().unwrap().0, expected, "{path}");
        }
    });
}

#[test]
fn connection_that_idles_is_ended() {
    let (service, authority, runtime) = start(&["--head-timeout", "0.3"]);
    runtime.block_on(async {
        let mut client = Client::connect(&service, &authority).await;
        assert_eq!(client.token(b"bytes").await, token_of(b"bytes"));
        client.wait_for_end().await;
    });
    // Nor does one last that never says a word.
    let mut silent = connect(&service, authority.client(None, &["h2"]));
    silent.rest();
}

#[test]
fn upload_may_take_longer_than_a_head() {
    let (service, authority, runtime) = start(&["--head-timeout", "0.3"]);
    runtime.block_on(async {
        let mut client = Client::connect(&service, &authority).await;
        let (pieces, body) = body_in_pieces();
        let sending = async {
            for _ in 0..10 {
                sleep(Duration::from_millis(200)).await;
                pieces.send(Bytes::from_static(b"piece")).await.unwrap();
            }
            drop(pieces);
        };
        let (answer, ()) = tokio::join!(client.send("POST", "/token", body), sending);
        assert_eq!(token_in(&answer.unwrap()), token_of(&b"piece".repeat(10)));
    });
}

#[test]
fn client_that_takes_no_answer_is_ended() {
    let (service, authority, runtime) = start(&["--head-timeout", "0.3", "--idle-timeout", "0.3"]);
    runtime.block_on(async {
        let mut client = Client::with_window(&service, &authority, 0).await;
        let answer = client.send("GET", "/livez", Empty::new());
        assert!(timeout(PATIENCE, answer).await.unwrap().is_err());
    });
}

/// Whatever else it asks and takes.
#[test]
fn client_that_leaves_an_answer_unread_is_ended() {
    let (service, authority, runtime) = start(&["--idle-timeout", "0.3"]);
    runtime.block_on(async {
        for window in [0, 1] {
            let mut client = Client::with_window(&service, &authority, window).await;
            let response = client.begin("GET", "/livez", Empty::new()).await.unwrap();
            assert_eq!(response.status(), 200);
            // What has no body needs no window.
            let asking =
                async { while client.send("OPTIONS", "/livez", Empty::new()).await.is_ok() {} };
            timeout(PATIENCE, asking).await.unwrap();
            drop(response);
        }
        // Who takes an answer in time is not ended, however small the window.
        let mut client = Client::with_window(&service, &authority, 100).await;
        for _ in 0..10 {
            assert_eq!(client.token(b"bytes").await, token_of(b"bytes"));
            sleep(Duration::from_millis(100)).await;
        }
    });
}

#[test]
fn request_that_is_cut_has_its_line() {
    for threads in ["1", "4"] {
        let options = ["--shutdown-timeout", "0.3", "--log-format", "json", "--threads", threads];
        let (service, authority, runtime) = start(&options);
        runtime.block_on(async {
            let mut client = Client::connect(&service, &authority).await;
            let uploads: Vec<_> = (0..20)
                .map(|_| {
                    let (pieces, body) = body_in_pieces();
                    (pieces, client.send("POST", "/token", body))
                })
                .collect();
            assert_eq!(client.token(b"bytes").await, token_of(b"bytes"));
            service.terminate();
            for (_pieces, answer) in uploads {
                assert!(timeout(PATIENCE, answer).await.unwrap().is_err());
            }
        });
        let (code, log) = service.wait();
        assert_eq!(code, 3, "{log}");
        assert!(log.contains("20 requests were cut"), "{log}");
        // The one that was answered, and those that were not; none has the status of an answer that
        // nobody got.
        assert_eq!(log.matches("\"message\":\"request\"").count(), 21, "{log}");
        assert_eq!(log.matches("\"outcome\":\"cut\"").count(), 20, "{log}");
        assert_eq!(log.matches("\"status\":").count(), 1, "{log}");
    }
}

#[test]
fn request_that_has_begun_is_finished() {
    let (service, authority, runtime) = start(&["--admin-listen", "127.0.0.1:0"]);
    runtime.block_on(async {
        let mut client = Client::connect(&service, &authority).await;
        let (pieces, body) = body_in_pieces();
        let ending = async {
            pieces.send(Bytes::from_static(b"by")).await.unwrap();
            // The upload, and this one itself.
            let is_begun = || requests_in_flight(&service) == 2;
            tokio::task::block_in_place(|| wait_until(is_begun, || "the upload to begin".into()));
            service.terminate();
            service.wait_for_log("SIGTERM");
            pieces.send(Bytes::from_static(b"tes")).await.unwrap();
            drop(pieces);
        };
        let (answer, ()) = tokio::join!(client.send("POST", "/token", body), ending);
        assert_eq!(token_in(&answer.unwrap()), token_of(b"bytes"));
        client.wait_for_end().await;
    });
    assert_eq!(service.wait().0, 0);
}

/// A frame of HTTP/2 (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, len @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len, &[kind, flags][..], &stream.to_be_bytes(), payload].concat()
}

/// The next frame: kind, stream and payload.
fn next_frame(connection: &mut Connection<Encrypted>) -> (u8, u32, Vec<u8>) {
    let mut head = [0; 9];
    connection.stream.read_exact(&mut head).unwrap();
    let [a, b, c, kind, _, stream @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    connection.stream.read_exact(&mut payload).unwrap();
    (kind, u32::from_be_bytes(stream), payload)
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;

/// A client of hyper keeps to what it is told, so this one speaks for itself.
#[test]
fn connection_has_so_many_streams_and_windows_of_a_size() {
    let (service, authority, _runtime) = start(&["--admin-listen", "127.0.0.1:0"]);
    let mut connection = connect(&service, authority.client(None, &["h2"]));
    connection.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    connection.send(frame(SETTINGS, 0, 0, b""));
    let (kind, stream, settings) = next_frame(&mut connection);
    assert_eq!((kind, stream), (SETTINGS, 0));
    let settings: BTreeMap<_, _> =
        settings.chunks(6).map(|one| (number(&one[..2]), number(&one[2..]))).collect();
    // RFC 9113 section 6.5.2: streams at a time, the window of each, and the bytes of a head.
    let told = [3, 4, 6].map(|identifier| settings.get(&identifier).copied());
    assert_eq!(told, [Some(100), Some(256 * 1024), Some(16 * 1024)]);
    let window = loop {
        let (kind, stream, payload) = next_frame(&mut connection);
        if kind == WINDOW_UPDATE {
            break (stream, 65_535 + number(&payload));
        }
    };
    assert_eq!(window, (0, 1024 * 1024));

    // `POST /token` whose body does not come, as often as there may be and once more (RFC 7541).
    let literal = |index: u8, text: &str| {
        [&[index, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
    };
    let head = [&[0x83, 0x87][..], &literal(4, "/token"), &literal(1, NAME)].concat();
    for number in 0..=100 {
        connection.send(frame(HEADERS, 0x4, 2 * number + 1, &head));
    }
    let refused = loop {
        let (kind, stream, payload) = next_frame(&mut connection);
        if kind == RST_STREAM {
            break (stream, number(&payload));
        }
    };
    // REFUSED_STREAM
    assert_eq!(refused, (201, 7));
    // The question itself is in flight, too.
    wait_until(|| requests_in_flight(&service) == 101, || "a hundred requests".into());
}
