//! TLS, HTTP/2 and unix sockets on both sides.

use std::{
    io::{Read, Write},
    os::unix::net::UnixListener,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::ServerName};
use tokio_rustls::TlsConnector;

use super::{
    ACCESS_KEY, HOST, Recorder, SECRET_KEY, Setup, Signed, complaint, gateway, noise, wait_until,
};
use crate::serve::{
    Service,
    certificates::{Authority, Files, NAME, connect},
};

/// A gateway with TLS before a recording upstream.
fn encrypted(authority: &Authority) -> Setup {
    let files = Files::of(&authority.identity());
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| files.path(name));
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    Setup::before(Recorder::start(), &["--tls-certificate", certificate, "--tls-key", key])
}

#[test]
fn requests_come_over_tls() {
    let authority = Authority::new();
    let setup = encrypted(&authority);
    let mut connection = connect(&setup.gateway, authority.client(None, &["http/1.1"]));
    connection.send(Signed::put("/", noise(100_000)).bytes());
    assert_eq!(connection.answer().status, 200);
    let received = setup.upstream.only();
    assert_eq!(received.field("x-forwarded-proto"), Some("https"));
    assert!(received.body == noise(100_000));
}

/// The fields of a signed head, as HTTP/2 has them.
fn request(signed: &Signed) -> Request<Full<Bytes>> {
    let head = String::from_utf8(signed.head()).unwrap();
    let mut lines = head.lines();
    let mut line = lines.next().unwrap().split(' ');
    let (method, target) = (line.next().unwrap(), line.next().unwrap());
    let mut builder = Request::builder().method(method).uri(format!("https://{HOST}{target}"));
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if !name.eq_ignore_ascii_case("host") {
            builder = builder.header(name, value);
        }
    }
    builder.body(Full::from(signed.body().to_vec())).unwrap()
}

#[test]
fn requests_of_http_2_go_on_as_http_1() {
    let authority = Authority::new();
    let setup = encrypted(&authority);
    let right =
        Signed::put("/a?b", noise(100_000)).field("Cookie", "a=1").field("Cookie", "b=2; c=3");
    let small = Signed::put("/small", noise(100)).unclaimed();
    let mut tampered = Signed::put("/c", noise(100_000));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let statuses = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(setup.gateway.address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(authority.client(None, &["h2"])));
        let stream = connector.connect(ServerName::try_from(NAME).unwrap(), stream).await.unwrap();
        let builder = http2::Builder::new(TokioExecutor::new());
        let (mut requests, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let tampered_head = request(&tampered);
        tampered = Signed::put("/c", {
            let mut body = noise(100_000);
            body[99_999] ^= 1;
            body
        });
        let (parts, _) = tampered_head.into_parts();
        let tampered = Request::from_parts(parts, Full::from(tampered.body().to_vec()));
        let mut statuses = Vec::new();
        for request in [request(&right), request(&small), tampered] {
            let response = requests.send_request(request).await.unwrap();
            statuses.push(response.status().as_u16());
            response.into_body().collect().await.unwrap();
        }
        statuses
    });
    assert_eq!(statuses, [200, 200, 401]);
    let whole = setup.upstream.whole();
    assert_eq!(whole.len(), 2);
    assert!(whole[0].body == noise(100_000));
    assert_eq!(whole[0].field("host"), Some(HOST));
    // Two lines were sent and signed.
    assert_eq!(whole[0].values("cookie"), ["a=1; b=2; c=3"]);
    assert_eq!((whole[0].target.as_str(), whole[0].field("via")), ("/a?b", Some("2 framesign")));
}

/// What one gateway signs the other verifies, and HTTP/2 between them changes nothing that is signed.
#[test]
fn signatures_hold_over_http_2() {
    let authority = Authority::new();
    let inbound = encrypted(&authority);
    let files = Files::new();
    let ca = files.write("authority.pem", &authority.pem());
    let url = format!("https://{NAME}:{}", inbound.gateway.address.port());
    let options = ["--sign", "--upstream-host", HOST, "--upstream-ca", &ca, "--spool", "."];
    let folder = tempfile::tempdir().unwrap();
    let mut command = gateway(&folder, &url, &options);
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    let outbound = Service::run(&mut command);
    for len in [0, 1000, 1_000_000] {
        let fields = "Host: localhost\r\nCookie: a=1; b=2\r\nX-Twice: one\r\nX-Twice: two\r\n";
        let head = format!("PUT /a%20b?c=d&e HTTP/1.1\r\n{fields}Content-Length: {len}\r\n\r\n");
        let answer = outbound.request([head.as_bytes(), &noise(len)].concat());
        assert_eq!((answer.status, answer.text()), (200, len.to_string().as_str()));
    }
    let received = inbound.upstream.whole();
    assert!(received[2].body == noise(1_000_000));
    assert_eq!(received[2].values("via"), ["1.1 framesign", "2 framesign"]);
    assert_eq!(received[2].target, "/a%20b?c=d&e");
}

/// An upstream over TLS that answers requests with 200.
fn upstream_over_tls(authority: &Authority) -> std::net::SocketAddr {
    upstream_over_tls_after(authority, || {})
}

/// The same, which calls `wait` before each answer.
fn upstream_over_tls_after(
    authority: &Authority,
    wait: impl Fn() + Clone + Send + 'static,
) -> std::net::SocketAddr {
    let identity = authority.identity();
    let chain = vec![rustls::pki_types::CertificateDer::from(identity.der().to_vec())];
    let key =
        rustls::pki_types::pem::PemObject::from_pem_slice(identity.key_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let config = Arc::new(config);
        for stream in listener.incoming() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, stream.unwrap());
            let wait = wait.clone();
            thread::spawn(move || while answer_after(&mut stream, &wait) {});
        }
    });
    address
}

/// Reads a request of no body, and answers. Returns whether one came.
fn answer_one(stream: impl Read + Write) -> bool {
    answer_after(stream, || {})
}

/// The same, and calls `wait` before the answer.
fn answer_after(mut stream: impl Read + Write, wait: impl Fn()) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            // The gateway does not trust the certificate, or has no further request.
            _ => return false,
        }
    }
    wait();
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    stream.flush().is_ok()
}

#[test]
fn upstream_over_tls_has_a_certificate_that_is_trusted() {
    let (authority, other) = (Authority::new(), Authority::new());
    for (trusted, status) in [(&authority, 200), (&other, 502)] {
        let address = upstream_over_tls(&authority);
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, trusted.pem()).unwrap();
        let url = format!("https://{NAME}:{}", address.port());
        let options = ["--upstream-ca", ca.to_str().unwrap()];
        let gateway = Service::run(&mut super::inbound(&folder, &url, &options));
        assert_eq!(gateway.request(Signed::get("/").bytes()).status, status);
    }
}

#[test]
fn authorities_of_the_upstream_are_read_again() {
    let (authority, other) = (Authority::new(), Authority::new());
    let address = upstream_over_tls(&authority);
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, other.pem()).unwrap();
    let url = format!("https://{NAME}:{}", address.port());
    let options = ["--upstream-ca", ca.to_str().unwrap(), "--upstream-keep-alive", "86400"];
    let gateway = Service::run(&mut super::inbound(&folder, &url, &options));
    let open_files = || std::fs::read_dir(format!("/proc/{}/fd", gateway.id())).unwrap().count();
    let files = open_files();
    let status = || gateway.request(Signed::get("/").bytes()).status;
    let reload = |pem: &str, message: &str| {
        let count = || gateway.log().matches(message).count();
        let before = count();
        std::fs::write(&ca, pem).unwrap();
        gateway.hangup();
        wait_until(|| count() > before, message);
    };
    assert_eq!(status(), 502);
    reload(&authority.pem(), "authorities of the upstream were read again");
    assert_eq!(status(), 200);
    // What cannot be read changes nothing.
    reload("nothing", "authorities of the upstream could not be read again");
    assert_eq!(status(), 200);
    // Nor does a connection that was kept outlast the trust in it.
    reload(&other.pem(), "authorities of the upstream were read again");
    wait_until(|| open_files() <= files, "the connection to be closed");
    assert_eq!(status(), 502);
}

/// A request that is under way while the authorities are read again has its answer. Its connection is
/// not kept for another one.
#[test]
fn connection_of_authorities_that_are_trusted_no_more_ends_with_its_request() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (came, coming) = mpsc::channel();
    let (answer, answers) = mpsc::channel();
    let answers = Arc::new(Mutex::new(answers));
    let address = upstream_over_tls_after(&authority, move || {
        came.send(()).unwrap();
        answers.lock().unwrap().recv().unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let url = format!("https://{NAME}:{}", address.port());
    let options = ["--upstream-ca", ca.to_str().unwrap(), "--upstream-keep-alive", "86400"];
    let gateway = Service::run(&mut super::inbound(&folder, &url, &options));
    let open_files = || std::fs::read_dir(format!("/proc/{}/fd", gateway.id())).unwrap().count();
    let files = open_files();
    thread::scope(|scope| {
        let request = scope.spawn(|| gateway.request(Signed::get("/").bytes()).status);
        coming.recv().unwrap();
        std::fs::write(&ca, other.pem()).unwrap();
        gateway.hangup();
        let message = "authorities of the upstream were read again";
        wait_until(|| gateway.log().contains(message), message);
        answer.send(()).unwrap();
        assert_eq!(request.join().unwrap(), 200);
    });
    wait_until(|| open_files() <= files, "the connection to be closed");
    assert_eq!(gateway.request(Signed::get("/").bytes()).status, 502);
}

#[test]
fn upstream_that_does_not_shake_hands_is_a_time_out() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, Authority::new().pem()).unwrap();
    let url = format!("https://{NAME}:{}", listener.local_addr().unwrap().port());
    let options = ["--upstream-ca", ca.to_str().unwrap(), "--connect-timeout", "0.3"];
    let gateway = Service::run(&mut super::inbound(&folder, &url, &options));
    assert_eq!(gateway.request(Signed::get("/").bytes()).status, 504);
}

#[test]
fn https_needs_the_authorities() {
    let folder = tempfile::tempdir().unwrap();
    let err = complaint(super::inbound(&folder, "https://h", &[]));
    assert!(err.contains("expected --upstream-ca with https, found none"), "{err}");
}

#[test]
fn upstream_may_be_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let answering = thread::spawn(move || answer_one(listener.accept().unwrap().0));
    let url = format!("unix:{}", path.display());
    let gateway = Service::run(&mut super::inbound(&folder, &url, &[]));
    let answer = gateway.request(Signed::get("/").bytes());
    assert_eq!((answer.status, answer.text()), (200, "ok"));
    answering.join().unwrap();
}
