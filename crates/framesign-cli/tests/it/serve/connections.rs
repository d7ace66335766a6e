//! Connections in clear: how clients use them, and how they misuse them.

use std::{
    io::Write,
    net::{Shutdown, SocketAddr},
    thread,
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    runtime::Runtime,
};

use super::{PATIENCE, Service, head, token_of, wait_until};
use crate::{published::Vector, support::Numbers};

const LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n";

/// A client runs out of time as soon as may be.
fn impatient() -> Service {
    Service::start(&["--head-timeout", "0.3", "--idle-timeout", "0.3"])
}

fn open_connections(service: &Service) -> u64 {
    service.get("/metrics").json()["connections"]["open"].as_u64().unwrap()
}

#[test]
fn connection_without_a_request_is_ended() {
    let service = impatient();
    assert!(service.connect().has_ended());
    service.assert_lives();
}

#[test]
fn head_that_trickles_is_ended() {
    let service = impatient();
    let mut connection = service.connect();
    let mut was_refused = false;
    for byte in LIVEZ.bytes().cycle().filter(|byte| *byte != b'\r').take(3_000) {
        thread::sleep(Duration::from_millis(20));
        if connection.stream.write_all(&[byte]).is_err() {
            was_refused = true;
            break;
        }
    }
    assert!(was_refused);
    service.assert_lives();
}

#[test]
fn connection_that_idles_after_a_request_is_ended() {
    let service = impatient();
    let mut connection = service.connect();
    connection.send(LIVEZ);
    assert_eq!(connection.answer().status, 200);
    assert!(connection.has_ended());
}

#[test]
fn request_is_read_one_byte_at_a_time() {
    let service = Service::start(&[]);
    let mut connection = service.connect();
    for byte in [head("/token", 5).as_bytes(), b"bytes"].concat() {
        connection.send([byte]);
    }
    assert_eq!(connection.answer().json()["token"], token_of(b"bytes"));
}

#[test]
fn connection_takes_one_request_after_another() {
    let service = Service::start(&[]);
    let mut connection = service.connect();
    for number in 0..100 {
        let body = format!("request {number}");
        connection.send(head("/token", body.len()) + &body);
        assert_eq!(connection.answer().json()["token"], token_of(body.as_bytes()));
    }
    assert_eq!(service.get("/metrics").json()["connections"]["accepted"], 2);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let service = Service::start(&[]);
    let mut connection = service.connect();
    let bodies: Vec<_> = (0..100).map(|number| format!("request {number}")).collect();
    let requests = bodies.iter().map(|body| head("/token", body.len()) + body);
    connection.send(requests.collect::<String>());
    for body in bodies {
        assert_eq!(connection.answer().json()["token"], token_of(body.as_bytes()));
    }
}

#[test]
fn client_that_is_done_sending_gets_its_answer() {
    let service = Service::start(&[]);
    let mut connection = service.connect();
    connection.send(head("/token", 5) + "bytes");
    connection.finish_sending();
    assert_eq!(connection.answer().json()["token"], token_of(b"bytes"));
    assert!(connection.has_ended());
}

#[test]
fn body_that_ends_early_is_no_token() {
    let service = Service::start(&[]);
    let mut connection = service.connect();
    connection.send(head("/token", 6) + "bytes");
    connection.finish_sending();
    assert_eq!(connection.answer().status, 400);
    assert!(connection.has_ended());
    service.assert_lives();
}

#[test]
fn client_that_waits_to_be_asked_for_a_body_is_asked() {
    let service = Service::start(&[]);
    let mut connection = service.connect();
    let expecting = head("/token", 5).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    connection.send(&expecting);
    assert_eq!(connection.head().status, 100);
    connection.send("bytes");
    assert_eq!(connection.answer().json()["token"], token_of(b"bytes"));
    // What is refused before the body is not asked for.
    connection.send(expecting.replace("/token", "/nothing"));
    assert_eq!(connection.head().status, 404);
}

#[test]
fn refusal_reaches_a_client_that_is_still_sending() {
    let service = Service::start(&["--max-body", "1024"]);
    for len in [2_000, 100_000, 200_000] {
        let answer = service.post("/token", &vec![b'x'; len]);
        assert_eq!(answer.status, 413, "{len} bytes");
    }
}

#[test]
fn client_that_never_reads_is_ended() {
    let service = impatient();
    Runtime::new().unwrap().block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(service.address).await.unwrap();
        let writing = async { while stream.write_all(LIVEZ.as_bytes()).await.is_ok() {} };
        tokio::time::timeout(PATIENCE, writing).await.unwrap();
    });
    service.assert_lives();
}

#[test]
fn client_that_goes_on_sending_after_a_refusal_is_not_reset() {
    let service = Service::start(&["--max-body", "1024"]);
    let mut connection = service.connect();
    connection.send(head("/token", 200_000));
    assert_eq!(connection.answer().status, 413);
    // What comes after the end of a connection is answered with a reset, and then cannot be sent.
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(20));
        connection.send([b'x'; 10_000]);
    }
    assert!(connection.has_ended());
}

/// Sends `bytes` and resets the connection.
async fn send_and_reset(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The answer may have come, and the service may have ended the connection before all was sent.
    let _ = stream.write_all(bytes).await;
    stream.set_zero_linger().unwrap();
}

#[test]
fn client_may_be_gone_at_every_stage() {
    let service = Service::start(&[]);
    let request = head("/token", 40) + &"x".repeat(40) + LIVEZ;
    Runtime::new().unwrap().block_on(async {
        for sent in 0..=request.len() {
            send_and_reset(service.address, &request.as_bytes()[..sent]).await;
        }
    });
    service.assert_lives();
    wait_until(|| open_connections(&service) == 1, || "the end of all but one connection".into());
}

/// Sends what may be anything, reads whatever comes of it to the end, and returns its status.
fn outcome(service: &Service, bytes: &[u8]) -> Option<u16> {
    let mut connection = service.connect();
    // The service may have ended the connection before all was sent.
    let _ = connection.stream.write_all(bytes);
    let _ = connection.stream.shutdown(Shutdown::Write);
    let answers = String::from_utf8_lossy(&connection.rest()).into_owned();
    let status = answers.strip_prefix("HTTP/1.")?.get(2..5)?;
    Some(status.parse().unwrap())
}

#[test]
fn random_bytes_do_no_harm() {
    let service = Service::start(&[]);
    let mut numbers = Numbers::new(4);
    for _ in 0..300 {
        let len = numbers.below(2_000);
        let random = (0..len).map(|_| u8::try_from(numbers.below(256)).unwrap());
        let mut bytes: Vec<_> = random.collect();
        if numbers.below(2) == 0 {
            bytes.splice(0..0, b"POST /token HTTP/1.1\r\n".iter().copied());
        }
        let status = outcome(&service, &bytes);
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{status:?}, {bytes:?}");
    }
    service.assert_lives();
}

#[test]
fn frames_of_the_protocol_do_no_harm_as_requests() {
    let service = Service::start(&[]);
    for vector in Vector::all() {
        let status = outcome(&service, &vector.frame);
        assert!(status.is_none_or(|status| status < 500), "{status:?}, {}", vector.name);
    }
    service.assert_lives();
}

#[test]
fn http_2_is_not_spoken_in_clear() {
    let service = Service::start(&[]);
    let mut connection = service.connect();
    connection.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let answer = connection.rest();
    assert!(!answer.starts_with(b"HTTP/1.1 2"), "{answer:?}");
    service.assert_lives();
}
