//! A server over loopback: peers that are cut, slow, or curl.

use std::{
    io::Write,
    net::{Shutdown, SocketAddr, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

use framesign::{
    ErrorKind, Signature, Signer,
    codec::{CodecError, ConnectionState, SigningCodec, SigningEvent},
};
use futures_util::StreamExt;
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tokio_util::codec::FramedRead;

use crate::stages::key;

type Result<T> = std::result::Result<T, CodecError>;

/// Signs the frames of one connection and answers each with its signature.
async fn serve(socket: tokio::net::TcpStream) -> Result<Vec<(Vec<u8>, Signature)>> {
    let mut frames = FramedRead::new(socket, SigningCodec::new(key()));
    let (mut signed, mut bytes) = (Vec::new(), Vec::new());
    while let Some(event) = frames.next().await {
        match event? {
            SigningEvent::Head(head) => {
                bytes = head.bytes().to_vec();
                if head.values("expect").next().is_some() {
                    frames.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
                }
            }
            SigningEvent::Data(data) => bytes.extend_from_slice(&data),
            SigningEvent::Signed(signature) => {
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n{signature}");
                // The peer may be gone already.
                let _ = frames.get_mut().write_all(answer.as_bytes()).await;
                signed.push((std::mem::take(&mut bytes), signature));
                if frames.decoder().state() != ConnectionState::Open {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(signed)
}

/// Serves one connection of a peer that runs on a thread of its own.
async fn with_peer<T: Send + 'static>(
    peer: impl FnOnce(SocketAddr) -> T + Send + 'static,
) -> (Result<Vec<(Vec<u8>, Signature)>>, T) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let peer = thread::spawn(move || peer(address));
    let (socket, _) = listener.accept().await.unwrap();
    let served = serve(socket).await;
    (served, peer.join().unwrap())
}

fn signature(frame: &[u8]) -> Signature {
    let mut signer = Signer::new(&key());
    signer.update(frame).unwrap();
    signer.finish().unwrap()
}

const FRAMES: [&[u8]; 2] = [
    b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 12\r\n\r\nhello\r\n\r\nyou",
    b"GET /a?b HTTP/1.1\r\nHost: test.com\r\n\r\n",
];

/// Neither the way a peer ends nor the place where it does makes half a frame look whole.
#[tokio::test]
async fn a_connection_that_is_cut_anywhere_is_told_from_a_clean_end() {
    let input = FRAMES.concat();
    let ends = [0, FRAMES[0].len(), input.len()];
    for cut in 0..=input.len() {
        let sent = input[..cut].to_vec();
        let (served, ()) = with_peer(move |address| {
            let mut socket = TcpStream::connect(address).unwrap();
            socket.write_all(&sent).unwrap();
            // With the answers unread there would be a reset in place of an end.
            socket.shutdown(Shutdown::Write).unwrap();
            std::io::read_to_string(socket).unwrap();
        })
        .await;
        match served {
            Ok(signed) => assert_eq!(ends.iter().position(|end| *end == cut), Some(signed.len())),
            Err(CodecError::Frame(error)) => {
                assert!(!ends.contains(&cut));
                let is_cut =
                    [ErrorKind::TruncatedHead, ErrorKind::TruncatedBody].contains(&error.kind());
                assert!(is_cut, "cut at {cut}: {error}");
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn slow_peers_are_signed_side_by_side() {
    let input = FRAMES.concat();
    let peers = (0..20).map(|number| {
        let input = input.clone();
        with_peer(move |address| {
            let mut socket = TcpStream::connect(address).unwrap();
            socket.set_nodelay(true).unwrap();
            for piece in input.chunks(number % 5 + 3) {
                socket.write_all(piece).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
            socket.shutdown(Shutdown::Write).unwrap();
            std::io::read_to_string(socket).unwrap()
        })
    });
    let expected = FRAMES.map(|frame| (frame.to_vec(), signature(frame)));
    for (served, answers) in futures_util::future::join_all(peers).await {
        assert_eq!(served.unwrap(), expected);
        for (_, signature) in &expected {
            assert!(answers.contains(&signature.to_string()), "{answers}");
        }
    }
}

/// curl is what a peer of today sends: `Expect: 100-continue` for a large upload, keep-alive.
///
/// The tests must pass on a machine without it; CI installs it, and there it may not be missing.
#[tokio::test]
#[expect(clippy::print_stderr, reason = "what was not tried must be told")]
async fn curl_is_answered_with_the_signatures_of_what_it_sends() {
    if let Err(error) = Command::new("curl").arg("--version").output() {
        assert!(std::env::var_os("CI").is_none(), "curl: {error}");
        eprintln!("not tried, since there is no curl: {error}");
        return;
    }
    let payload: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let file = std::env::temp_dir().join(format!("framesign-curl-{}", std::process::id()));
    std::fs::write(&file, &payload).unwrap();
    let upload = file.clone();
    let (served, output) = with_peer(move |address| {
        Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "60", "--upload-file"])
            .arg(upload)
            .arg(format!("http://{address}/large"))
            .args(["--next", "--silent", "--show-error", "--data", "a=b&c=d"])
            .arg(format!("http://{address}/small?x=%20y"))
            .output()
            .expect("curl is installed")
    })
    .await;
    std::fs::remove_file(file).unwrap();
    let signed = served.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(signed.len(), 2);
    assert!(signed[0].0.ends_with(&payload));
    let signatures: Vec<_> = signed.iter().map(|(frame, _)| signature(frame).to_string()).collect();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), signatures.concat());
}
