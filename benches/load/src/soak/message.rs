//! The requests of clients, as bytes.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use super::pair::ACCESS_KEY;
use crate::Result;

pub(super) const MESSAGE: &str = "Content-Type: message/http\r\n";

pub(super) fn post(
    path: &str,
    address: SocketAddr,
    caller: &str,
    fields: &str,
    length: usize,
) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {caller}\r\n{fields}\
         Content-Length: {length}\r\n\r\n"
    )
    .into()
}

/// A signed head; `head` lacks its Content-Length and its end.
pub(super) fn signed(
    head: &[u8],
    secret: &str,
    body: &[u8],
    now: SystemTime,
    options: &SigningOptions,
) -> Result<Vec<u8>> {
    let key = SigningKey::derive(&Credentials::new(ACCESS_KEY, secret)?, SigningDate::of(now));
    let end = format!("Content-Length: {}\r\n\r\n", body.len());
    let head = [head, end.as_bytes()].concat();
    Ok(sign_head(&head, &key, PayloadHash::of(body), now, options)?)
}

/// The HMAC-SHA256, in hexadecimal.
pub(super) fn token(key: &[u8], message: &[u8]) -> Result<String> {
    let mac = Hmac::<Sha256>::new_from_slice(key)?;
    Ok(hex::encode(mac.chain_update(message).finalize().into_bytes()))
}

pub(super) fn contains(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Sends a part of a request, and resets the connection.
pub(super) async fn reset(address: SocketAddr, head: &[u8], body: &[u8]) -> io::Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    socket.write_all(head).await?;
    socket.write_all(body).await?;
    sleep(Duration::from_millis(20)).await;
    socket.set_zero_linger()
}
