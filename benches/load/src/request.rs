//! Requests that a connection repeats, and the answers to them.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use bytes::Buf;
use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::sleep,
};

use crate::Result;

/// The secret of all services that are loaded.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The access key of signed requests, whose secret key is [`SECRET`].
pub(crate) const ACCESS_KEY: &str = "load";

/// The bytes at the end of a body that tell it from those of other connections.
const TAIL: usize = 8;

/// The bytes before that, as many as are written at a time.
static ZEROS: [u8; 256 * 1024] = [0; 256 * 1024];

/// A request, and a part of the answer to it.
pub(crate) struct Request {
    head: Vec<u8>,
    zeros: u64,
    tail: Vec<u8>,
    expected: Vec<u8>,
    /// The time that sending takes at least.
    time: Duration,
}

impl Request {
    pub(crate) fn health(address: SocketAddr) -> Self {
        let head = format!("GET /health HTTP/1.1\r\nHost: {address}\r\n\r\n");
        Self {
            head: head.into(),
            zeros: 0,
            tail: vec![],
            expected: br#""pass""#.into(),
            time: Duration::ZERO,
        }
    }

    /// A signed frame that is to be verified.
    pub(crate) fn verify(address: SocketAddr, frame: &[u8]) -> Self {
        let head = format!(
            "POST /verify HTTP/1.1\r\nHost: {address}\r\nContent-Type: message/http\r\n\
             Content-Length: {}\r\n\r\n",
            frame.len()
        );
        Self { head: head.into(), tail: frame.into(), ..Self::raw(&[]) }
    }

    /// A head and a body that are written already.
    pub(crate) fn with_body(head: &[u8], body: &[u8]) -> Self {
        Self { tail: body.into(), ..Self::raw(head) }
    }

    /// A request that is written already.
    pub(crate) fn raw(request: &[u8]) -> Self {
        let (head, tail, expected) = (request.into(), vec![], vec![]);
        Self { head, zeros: 0, tail, expected, time: Duration::ZERO }
    }

    /// Has the body sent evenly over `time`.
    pub(crate) fn over(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Tells whether an answer is right: it has the expected content, or is a 503 that says when to try
    /// again.
    pub(crate) fn is_answered_by(&self, status: u16, has_retry_after: bool, body: &[u8]) -> bool {
        match status {
            200 => body.windows(self.expected.len()).any(|window| window == self.expected),
            503 => has_retry_after,
            _ => true,
        }
    }

    /// Sends it.
    pub(crate) async fn send(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        if self.time.is_zero() { self.send_at_once(to).await } else { self.send_slowly(to).await }
    }

    /// Sends it as fast as it is taken; a small one in one piece.
    async fn send_at_once(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let mut left = self.zeros;
        let mut first = self.head.chain(zeros(&mut left));
        if left == 0 {
            return to.write_all_buf(&mut first.chain(&self.tail[..])).await;
        }
        to.write_all_buf(&mut first).await?;
        while left > 0 {
            to.write_all(zeros(&mut left)).await?;
        }
        to.write_all(&self.tail).await
    }

    async fn send_slowly(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        const PIECES: u32 = 16;
        let zeros = usize::try_from(self.zeros).map_err(io::Error::other)?;
        let body = [&vec![0; zeros], &self.tail[..]].concat();
        to.write_all(&self.head).await?;
        for piece in body.chunks(body.len().div_ceil(PIECES as usize)) {
            to.write_all(piece).await?;
            sleep(self.time / PIECES).await;
        }
        Ok(())
    }
}

/// Takes as many of the zeros that are `left` as are written at a time.
pub(crate) fn zeros(left: &mut u64) -> &'static [u8] {
    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(ZEROS.len());
    *left -= len as u64;
    &ZEROS[..len]
}

/// How many access keys and callers a service has. Those of a connection follow from its number.
#[derive(Clone, Copy)]
pub(crate) struct Tenants {
    pub(crate) access_keys: usize,
    pub(crate) callers: usize,
}

impl Tenants {
    pub(crate) fn access_key(number: usize) -> String {
        format!("access-key-{number:08}")
    }

    pub(crate) fn token(number: usize) -> String {
        format!("token-of-caller-{number:08}")
    }

    /// The field that tells the caller of a connection. The connections are spread over the callers.
    fn authorization(self, number: usize) -> String {
        let caller = Self::token(number.wrapping_mul(SPREAD) % self.callers);
        format!("Authorization: Bearer {caller}\r\n")
    }
}

/// A prime: connections that follow each other have tenants that do not.
const SPREAD: usize = 7919;

/// The requests to `/sign` of heads alone, whose payload of 100 GiB is elsewhere.
pub(crate) struct HeadRequests {
    pub(crate) address: SocketAddr,
    pub(crate) tenants: Tenants,
}

impl HeadRequests {
    pub(crate) fn request(&self, number: usize) -> Request {
        // Those of `hello`: nobody here sees the payload.
        let digest = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
        let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let (host, len) = ("files.example.org", 100_u64 << 30);
        let body = format!(
            "PUT /files/{number} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len}\r\n\
             Content-Digest: {digest}\r\n\r\n"
        );
        let canonical = format!(
            "PUT\n/files/{number}\n\ncontent-digest:{digest}\ncontent-length:{len}\nhost:{host}\n\n{hash}"
        );
        let access_key =
            Tenants::access_key(number.wrapping_mul(SPREAD) % self.tenants.access_keys);
        let head = format!(
            "POST /sign?access_key={access_key} HTTP/1.1\r\nHost: {}\r\n{}\
             Content-Type: message/http; payload=digest\r\nContent-Length: {}\r\n\r\n",
            self.address,
            self.tenants.authorization(number),
            body.len()
        );
        let string_to_sign = hex::encode(Sha256::digest(canonical));
        Request {
            head: head.into(),
            zeros: 0,
            tail: body.into(),
            expected: format!("\"{string_to_sign}\"").into(),
            time: Duration::ZERO,
        }
    }
}

/// The requests to `/token` with bodies of one size. Each body is zeros and ends in a number, so
/// that the answer to another one is noticed. The zeros are hashed once for all.
pub(crate) struct TokenRequests {
    head: Vec<u8>,
    zeros: u64,
    hashed: Hmac<Sha256>,
    /// `None` for a service that asks for no caller.
    tenants: Option<Tenants>,
    address: SocketAddr,
}

impl TokenRequests {
    pub(crate) fn new(address: SocketAddr, size: u64) -> io::Result<Self> {
        let head =
            format!("POST /token HTTP/1.1\r\nHost: {address}\r\nContent-Length: {size}\r\n\r\n");
        let left = size.checked_sub(TAIL as u64).ok_or_else(|| {
            io::Error::other(format!("expected a body of at least {TAIL} bytes, found {size}"))
        })?;
        let mut hashed =
            Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).map_err(io::Error::other)?;
        let mut unhashed = left;
        while unhashed > 0 {
            hashed.update(zeros(&mut unhashed));
        }
        Ok(Self { head: head.into(), zeros: left, hashed, tenants: None, address })
    }

    /// The same, for a service that asks for callers.
    pub(crate) fn of_callers(address: SocketAddr, size: u64, tenants: Tenants) -> io::Result<Self> {
        Ok(Self { tenants: Some(tenants), ..Self::new(address, size)? })
    }

    fn head(&self, number: usize) -> Vec<u8> {
        let Some(tenants) = self.tenants else { return self.head.clone() };
        let len = self.zeros + TAIL as u64;
        let fields = tenants.authorization(number);
        let line = format!("POST /token HTTP/1.1\r\nHost: {}\r\n", self.address);
        format!("{line}{fields}Content-Length: {len}\r\n\r\n").into()
    }

    pub(crate) fn request(&self, number: usize) -> Request {
        let tail = format!("{number:0TAIL$}");
        let token = self.hashed.clone().chain_update(&tail).finalize().into_bytes();
        Request {
            head: self.head(number),
            zeros: self.zeros,
            tail: tail.into(),
            expected: format!("\"{}\"", hex::encode(token)).into(),
            time: Duration::ZERO,
        }
    }
}

/// Signed requests with bodies of one size, which are zeros and end in a number.
pub(crate) struct SignedRequests {
    head: Vec<u8>,
    zeros: u64,
}

impl SignedRequests {
    /// Signs one, which is all of them: the gateway takes it as often as it comes.
    pub(crate) fn new(size: u64) -> Result<Self> {
        let left = size.checked_sub(TAIL as u64).ok_or("expected a body with room for its end")?;
        let (mut hash, mut unhashed) = (Sha256::new(), left);
        while unhashed > 0 {
            hash.update(zeros(&mut unhashed));
        }
        let hash: [u8; 32] = hash.chain_update(Self::tail()).finalize().into();
        let head = format!("PUT /up HTTP/1.1\r\nHost: gateway\r\nContent-Length: {size}\r\n\r\n");
        let now = SystemTime::now();
        let key = SigningKey::derive(&Credentials::new(ACCESS_KEY, SECRET)?, SigningDate::of(now));
        let payload = PayloadHash::from_bytes(hash);
        let options = SigningOptions::default();
        let head = sign_head(head.as_bytes(), &key, payload, now, &options)?;
        Ok(Self { head, zeros: left })
    }

    pub(crate) fn request(&self) -> Request {
        Request {
            head: self.head.clone(),
            zeros: self.zeros,
            tail: Self::tail().into(),
            expected: b"stored".into(),
            time: Duration::ZERO,
        }
    }

    fn tail() -> String {
        format!("{:0TAIL$}", 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(request: &Request) -> Vec<u8> {
        let mut sent = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(request.send(&mut sent)).unwrap();
        sent
    }

    #[test]
    fn a_token_is_the_hmac_of_what_is_sent() {
        let piece = ZEROS.len() as u64;
        let address = ([127, 0, 0, 1], 80).into();
        for size in [8, 9, 1024, piece, piece + 8, piece + 9, 3 * piece + 5] {
            let request = TokenRequests::new(address, size).unwrap().request(123);
            let sent = sent(&request);
            let end = sent.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
            let (head, body) = sent.split_at(end);
            let length = format!("Content-Length: {}\r\n", body.len());
            assert!(String::from_utf8_lossy(head).contains(&length));
            assert_eq!(body.len() as u64, size);
            let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
            let token = hex::encode(mac.chain_update(body).finalize().into_bytes());
            let answer = format!("{{\"token\":\"{token}\"}}");
            assert!(request.is_answered_by(200, false, answer.as_bytes()), "{size}");
        }
    }

    #[test]
    fn the_answer_to_another_connection_is_wrong() {
        let requests = TokenRequests::new(([127, 0, 0, 1], 80).into(), 1024).unwrap();
        let (one, two) = (requests.request(1), requests.request(2));
        assert!(one.is_answered_by(200, false, &one.expected));
        assert!(!one.is_answered_by(200, false, &two.expected));
        assert!(one.is_answered_by(503, true, b""));
        assert!(!one.is_answered_by(503, false, b""));
    }

    #[test]
    fn a_body_has_room_for_its_number() {
        let error = TokenRequests::new(([127, 0, 0, 1], 80).into(), 7).err().unwrap();
        assert_eq!(error.to_string(), "expected a body of at least 8 bytes, found 7");
    }

    #[test]
    fn what_is_sent_slowly_is_the_same() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let request = TokenRequests::new(([127, 0, 0, 1], 80).into(), 1000).unwrap().request(7);
        let at_once = sent(&request);
        let mut slowly = Vec::new();
        runtime.block_on(request.over(Duration::from_nanos(1)).send(&mut slowly)).unwrap();
        assert_eq!(slowly, at_once);
    }
}
