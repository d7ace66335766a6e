//! The published connections.

use framesign::codec::{CodecError, CodecMisuse, ConnectionState, SigningCodec, SigningEvent};
use futures_util::StreamExt;
use tokio_util::codec::FramedRead;

use super::reads::Reads;
use crate::{
    properties::codec::{Outcome, drive, end_name},
    published::Connection,
    stages::key,
    support::{Numbers, random_chunks},
};

fn check(connection: &Connection, how: &str, signatures: &[String], end: &str) {
    assert_eq!(signatures, connection.signatures, "{} {how}", connection.name);
    assert_eq!(end, connection.end, "{} {how}", connection.name);
}

fn check_outcome(connection: &Connection, how: &str, outcome: &Outcome) {
    check(connection, how, &outcome.signatures(), outcome.end_name());
}

#[test]
fn connections_end_as_published_in_any_reads() {
    for connection in Connection::all() {
        let input = &connection.input[..];
        let run = |how: &str, reads: Vec<&[u8]>| {
            check_outcome(&connection, how, &drive(SigningCodec::new(key()), reads));
        };
        run("whole", vec![input]);
        run("byte by byte", input.chunks(1).collect());
        let mut numbers = Numbers::new(input.len() as u64);
        for most in [2, 7, 40, 300] {
            run(&format!("in reads of up to {most}"), random_chunks(input, most, &mut numbers));
        }
        if input.len() < 2_000 {
            for cut in 0..=input.len() {
                let (before, after) = input.split_at(cut);
                run(&format!("cut at {cut}"), vec![before, after]);
            }
        }
    }
}

#[tokio::test]
async fn connections_end_as_published_behind_framed_read() {
    for connection in Connection::all() {
        for most in [1, 16, 100_000] {
            let mut numbers = Numbers::new(most as u64);
            let reads = Reads::new(random_chunks(&connection.input, most, &mut numbers));
            let mut frames = FramedRead::new(reads, SigningCodec::new(key()));
            let (mut signatures, mut error) = (Vec::new(), None);
            while let Some(event) = frames.next().await {
                match event {
                    Ok(SigningEvent::Signed(signature)) => signatures.push(signature.to_string()),
                    Ok(_) => {}
                    Err(CodecError::Frame(found)) => error = Some(found.kind().as_str()),
                    Err(other) => panic!("{other}"),
                }
                if !matches!(
                    frames.decoder().state(),
                    ConnectionState::Open | ConnectionState::Failed
                ) {
                    break;
                }
            }
            let end = error.unwrap_or_else(|| end_name(frames.decoder().state()));
            check(&connection, &format!("in reads of up to {most}"), &signatures, end);
        }
    }
}

const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: test.com\r\nUpgrade: h2c\r\n\r\n";
const NEXT: &[u8] = b"GET /next HTTP/1.1\r\nHost: test.com\r\n\r\n";

#[tokio::test]
async fn upgrade_waits_for_the_caller_and_leaves_the_rest_in_the_buffer() {
    let input = [UPGRADE, NEXT].concat();
    let mut frames = FramedRead::new(&input[..], SigningCodec::new(key()));
    assert!(matches!(frames.next().await, Some(Ok(SigningEvent::Head(_)))));
    assert!(matches!(frames.next().await, Some(Ok(SigningEvent::Signed(_)))));
    assert_eq!(frames.decoder().state(), ConnectionState::UpgradePending);
    assert_eq!(&frames.read_buffer()[..], NEXT);

    let misuse = frames.next().await;
    assert!(matches!(misuse, Some(Err(CodecError::Misuse(CodecMisuse::Upgrade)))), "{misuse:?}");
    assert_eq!(&frames.read_buffer()[..], NEXT);
    assert!(frames.next().await.is_none(), "what follows any error");

    frames.decoder_mut().resume();
    assert!(matches!(frames.next().await, Some(Ok(SigningEvent::Head(_)))));
    assert!(matches!(frames.next().await, Some(Ok(SigningEvent::Signed(_)))));
    assert!(frames.next().await.is_none());
    assert_eq!(frames.decoder().state(), ConnectionState::Ended);
}

#[tokio::test]
async fn a_tunnel_hands_over_what_follows_untouched() {
    let input = b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n\x16\x03\x01 no frame";
    let mut frames = FramedRead::new(&input[..], SigningCodec::new(key()));
    frames.next().await.unwrap().unwrap();
    assert!(matches!(frames.next().await, Some(Ok(SigningEvent::Signed(_)))));
    assert_eq!(frames.decoder().state(), ConnectionState::Tunnel);
    let misuse = frames.next().await;
    assert!(matches!(misuse, Some(Err(CodecError::Misuse(CodecMisuse::Tunnel)))), "{misuse:?}");
    frames.decoder_mut().resume();
    assert_eq!(frames.decoder().state(), ConnectionState::Tunnel);
    assert_eq!(&frames.into_parts().read_buf[..], b"\x16\x03\x01 no frame");
}

#[test]
fn connection_options_are_read_from_every_line_in_any_case() {
    let state = |fields: &str| {
        let frame = format!("GET / HTTP/1.1\r\nHost: test.com\r\n{fields}\r\n");
        drive(SigningCodec::new(key()), [frame.as_bytes()]).end.unwrap()
    };
    for closing in [
        "Connection: close\r\n",
        "connection: CLOSE\r\n",
        "Connection: keep-alive, \t Close ,x\r\n",
        "Connection: keep-alive\r\nConnection: ,,close\r\n",
        "Connection: close\r\nUpgrade: h2c\r\n",
    ] {
        assert_eq!(state(closing), ConnectionState::MustClose, "{closing}");
    }
    for open in ["Connection: closed, x-close\r\n", "Connection:\r\n", "Close: close\r\n"] {
        assert_eq!(state(open), ConnectionState::Ended, "{open}");
    }
    assert_eq!(state("upgrade:\r\n"), ConnectionState::UpgradePending);
}

#[test]
fn nothing_is_decoded_after_an_error_and_the_error_comes_again() {
    use bytes::BytesMut;
    use tokio_util::codec::Decoder;

    let mut codec = SigningCodec::new(key());
    let mut buffer = BytesMut::from(&[b"GET / HTTP/1.0\r\n\r\n", NEXT].concat()[..]);
    let first = codec.decode(&mut buffer).unwrap_err().to_string();
    assert!(buffer.is_empty(), "dropped, so that the buffer need not grow");
    for _ in 0..3 {
        buffer.extend_from_slice(NEXT);
        assert_eq!(codec.decode(&mut buffer).unwrap_err().to_string(), first);
        assert!(buffer.is_empty());
        assert_eq!(codec.decode_eof(&mut buffer).unwrap_err().to_string(), first);
        assert_eq!(codec.state(), ConnectionState::Failed);
    }
}

#[test]
fn what_follows_a_last_frame_is_dropped() {
    use bytes::BytesMut;
    use tokio_util::codec::Decoder;

    let mut codec = SigningCodec::new(key());
    let mut buffer =
        BytesMut::from(&b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nmore"[..]);
    assert!(matches!(codec.decode(&mut buffer).unwrap(), Some(SigningEvent::Head(_))));
    assert!(matches!(codec.decode(&mut buffer).unwrap(), Some(SigningEvent::Signed(_))));
    assert!(codec.decode(&mut buffer).unwrap().is_none());
    assert!(buffer.is_empty());
    assert!(codec.decode_eof(&mut buffer).unwrap().is_none());
    assert_eq!(codec.state(), ConnectionState::MustClose);
}
