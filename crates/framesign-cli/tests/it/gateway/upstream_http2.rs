//! Upstreams that speak HTTP/2: by prior knowledge, or as TLS agrees to.

use std::{net::TcpStream, sync::atomic::Ordering::SeqCst, thread, time::Duration};

use hyper::Version;

use super::{
    HOST, Recorder, Setup, Signed,
    http2_upstream::{Http2Upstream, tls},
    noise, wait_until,
};
use crate::serve::{
    Answer, Connection,
    certificates::{Authority, Files},
};

/// Streams in many pieces, and is larger than every window.
const LARGE: usize = 700_000;

/// A gateway before `upstream`, which is asked by `url`.
fn before(url: &str, options: &[&str]) -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let gateway = crate::serve::Service::run(&mut super::inbound(&folder, url, options));
    Setup { gateway, upstream: Recorder::start(), folder }
}

/// The upstream by prior knowledge, and a gateway before it.
fn in_clear(options: &[&str]) -> (Http2Upstream, Setup) {
    let upstream = Http2Upstream::start(None);
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
    let request = Signed::put("/", noise(LARGE));
    for (number, at) in [0, LARGE / 2, LARGE - 1].into_iter().enumerate() {
        let mut body = noise(LARGE);
        body[at] ^= 1;
        let mut tampered = begin(&upstream, &setup, &request.head(), &body);
        tampered.send(&body[LARGE / 2..]);
        assert_eq!(tampered.answer().status, 401, "{at}");
        let cut = begin(&upstream, &setup, &request.head(), &noise(LARGE));
        cut.finish_sending();
        wait_until(|| upstream.seen().len() == 2 * (number + 1), "both to be seen");
    }
    // Of a small one the handler may never hear.
    for len in [1, 1000, 65_536] {
        let request = Signed::put("/", noise(len));
        let mut body = noise(len);
        body[len - 1] ^= 1;
        assert_eq!(send(&setup, &[&request.head(), &body[..]].concat()).status, 401, "{len}");
    }
    for seen in upstream.seen() {
        let problem = seen.body.expect_err("a body whose end was told");
        // RST_STREAM, as the crate h2 has it.
        assert!(problem.contains("stream error received"), "{problem}");
    }
    assert_eq!(send(&setup, &Signed::put("/", noise(LARGE)).bytes()).status, 200);
}

/// Sends a head and half of a body, of which the upstream has heard then.
fn begin(
    upstream: &Http2Upstream,
    setup: &Setup,
    head: &[u8],
    body: &[u8],
) -> Connection<TcpStream> {
    let before = upstream.begun.load(SeqCst);
    let mut connection = setup.connect();
    connection.send([head, &body[..LARGE / 2]].concat());
    wait_until(|| upstream.begun.load(SeqCst) > before, "the upload to begin");
    connection
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
        let upstream = Http2Upstream::start(Some(tls(&authority, protocols)));
        let url = format!("https://localhost:{}", upstream.address.port());
        let setup = before(&url, &["--upstream-ca", &ca, "--upstream-http", http]);
        let answer = send(&setup, &Signed::put("/", noise(LARGE)).bytes());
        assert_eq!(answer.status, status, "{protocols:?}, {http}: {}", setup.gateway.log());
        let seen = upstream.seen();
        assert_eq!(seen.len(), usize::from(status == 200));
        assert!(seen.iter().all(|seen| seen.version == Version::HTTP_2));
    }
}
