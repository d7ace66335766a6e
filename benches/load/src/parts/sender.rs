//! Requests for uploads: signed, and sent while the answer is waited for.

use std::{io, net::SocketAddr, pin::pin, time::SystemTime};

use framesign::{
    Credentials, Limits, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head,
};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{ACCESS_KEY, Answer, SECRET_KEY};
use crate::Result;

/// Sends requests to a service, one after another.
pub(crate) struct Sender {
    address: SocketAddr,
    credentials: Credentials,
    options: SigningOptions,
    /// The connection of the last request, and what was read of it.
    connection: Option<(TcpStream, Vec<u8>)>,
}

/// Content, whose hash is taken once.
#[derive(Clone, Copy)]
pub(crate) struct Content<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) hash: PayloadHash,
}

impl<'a> Content<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, hash: PayloadHash::of(bytes) }
    }
}

impl Sender {
    pub(crate) fn new(address: SocketAddr) -> Result<Self> {
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY)?;
        let options = SigningOptions::default().limits(Limits::default().allow_method("PATCH")?);
        Ok(Self { address, credentials, options, connection: None })
    }

    /// Creates an upload to `name`; the rest follows in parts.
    pub(crate) async fn create(&mut self, name: &str) -> Result<Answer> {
        self.send("POST", &format!("/files/{name}"), "Upload-Complete: ?0\r\n", Content::new(b""))
            .await
    }

    /// Sends all of a file at once.
    pub(crate) async fn put(&mut self, name: &str, content: Content<'_>) -> Result<Answer> {
        self.send("PUT", &format!("/files/{name}"), "", content).await
    }

    /// Sends a part to the upload at `path`.
    pub(crate) async fn append(
        &mut self,
        path: &str,
        offset: u64,
        content: Content<'_>,
        is_last: bool,
    ) -> Result<Answer> {
        self.send("PATCH", path, &part_fields(offset, is_last), content).await
    }

    /// Sends the beginning of a part, and resets the connection.
    pub(crate) async fn append_and_reset(
        &mut self,
        path: &str,
        offset: u64,
        content: Content<'_>,
        sent: usize,
    ) -> Result {
        let fields = part_fields(offset, false);
        let head = self.head("PATCH", path, &fields, content)?;
        let mut socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        socket.write_all(&head).await?;
        let answer = Answer::read(&mut socket, &mut Vec::new()).await?;
        if answer.is_interim() {
            socket.write_all(&content.bytes[..sent]).await?;
        }
        Ok(socket.set_zero_linger()?)
    }

    /// Asks for the offset of the upload at `path`.
    pub(crate) async fn offset(&mut self, path: &str) -> Result<Answer> {
        // GET is answered with 204 as well, and so has no content.
        self.send("GET", path, "", Content::new(b"")).await
    }

    /// Sends a request on the connection of the one before, if it can be used again.
    async fn send(
        &mut self,
        method: &str,
        path: &str,
        fields: &str,
        content: Content<'_>,
    ) -> Result<Answer> {
        let head = self.head(method, path, fields, content)?;
        let (mut socket, mut bytes) = if let Some(connection) = self.connection.take() {
            connection
        } else {
            let socket = TcpStream::connect(self.address).await?;
            socket.set_nodelay(true)?;
            (socket, Vec::new())
        };
        let answer = exchange(&mut socket, &mut bytes, &head, content.bytes).await?;
        if !answer.is_last {
            self.connection = Some((socket, bytes));
        }
        Ok(answer)
    }

    fn head(
        &self,
        method: &str,
        path: &str,
        fields: &str,
        Content { bytes, hash }: Content<'_>,
    ) -> Result<Vec<u8>> {
        let now = SystemTime::now();
        let key = SigningKey::derive(&self.credentials, SigningDate::of(now));
        let (address, length) = (self.address, bytes.len());
        // Content is asked for: whoever refuses the head can close before it has read the content,
        // and the answer would be lost with it.
        let expect = if bytes.is_empty() { "" } else { "Expect: 100-continue\r\n" };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n\
             {expect}{fields}\r\n"
        );
        Ok(sign_head(head.as_bytes(), &key, hash, now, &self.options)?)
    }
}

fn part_fields(offset: u64, is_last: bool) -> String {
    let is_last = u8::from(is_last);
    format!(
        "Content-Type: application/partial-upload\r\nUpload-Offset: {offset}\r\n\
         Upload-Complete: ?{is_last}\r\n"
    )
}

/// Sends a request, its content once it is asked for, and reads the answer, which may come early.
async fn exchange(
    socket: &mut TcpStream,
    bytes: &mut Vec<u8>,
    head: &[u8],
    content: &[u8],
) -> io::Result<Answer> {
    socket.write_all(head).await?;
    let (mut reader, mut writer) = socket.split();
    let mut answer = Answer::read(&mut reader, bytes).await?;
    if answer.is_interim() {
        let mut sending = pin!(writer.write_all(content));
        let mut reading = pin!(Answer::read(&mut reader, bytes));
        let mut sent = None;
        answer = loop {
            tokio::select! {
                biased;
                result = &mut sending, if sent.is_none() => sent = Some(result),
                answer = &mut reading => break answer?,
            }
        };
        // Who answers before the end does not use the connection again.
        answer.is_last |= !matches!(sent, Some(Ok(())));
    } else {
        answer.is_last |= !content.is_empty();
    }
    answer.read_content(&mut reader, bytes).await?;
    Ok(answer)
}
