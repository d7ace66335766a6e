//! Uploads of a file that the client of hyper-util sends: signed by the layer, or with a plain SHA-256
//! of the file and nothing else.

use std::{
    fs::File,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    thread,
};

use bytes::{Bytes, BytesMut};
use framesign::{
    client::{RequestSigner, SignableFile, SignedBody},
    frame::HeadReader,
    tower::{SignLayer, SignService},
    verify::Policy,
};
use futures_util::{Stream, stream};
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::{StreamBody, combinators::BoxBody};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use sha2::{Digest, Sha256};
use tokio::{io::AsyncReadExt, task};
use tower::{Layer, ServiceExt};

use super::keys;
use crate::Result;

/// The size of a piece in which the plain client reads the file, which is that of the layer too.
const PIECE: usize = 256 * 1024;

/// A server that reads uploads and answers them, for as long as the process lasts.
pub(crate) fn start_server() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for socket in listener.incoming() {
            // The client tells that a connection has failed.
            let _ = socket.and_then(serve);
        }
    });
    Ok(address)
}

/// Answers one upload after another, until the client closes the connection.
fn serve(mut socket: std::net::TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let (mut head, mut left) = (Vec::new(), None);
        while left != Some(0) {
            let len = socket.read(&mut buffer)?;
            if len == 0 {
                return Ok(());
            }
            if let Some(left) = &mut left {
                *left -= len as u64;
                continue;
            }
            head.extend_from_slice(buffer.get(..len).unwrap_or_default());
            left = missing(&head).map_err(io::Error::other)?;
        }
        socket.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")?;
    }
}

/// The bytes of a frame that have not come yet, once its head has.
fn missing(begin: &[u8]) -> std::result::Result<Option<u64>, framesign::FrameError> {
    let mut reader = HeadReader::new(Policy::default().rules().clone());
    let head = reader.read(begin)?;
    Ok(head.map(|head| {
        let payload = (begin.len() - head.as_bytes().len()) as u64;
        head.content_length().unwrap_or_default() - payload
    }))
}

/// A file of `len` bytes, none of which takes place on disk.
pub(crate) fn sparse_file(len: u64) -> Result<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("upload");
    File::create(&path)?.set_len(len)?;
    Ok((folder, path))
}

pub(crate) type Signing = SignService<Client<HttpConnector, SignedBody>>;

pub(crate) fn signing() -> Result<Signing> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    Ok(SignLayer::new(RequestSigner::new(keys::credentials()?)).layer(client))
}

/// Hashes, signs and sends a file.
pub(crate) async fn send_signed(client: &Signing, url: &str, path: &Path) -> Result {
    let request = Request::put(url).body(SignableFile::new(path))?;
    expect_created(client.clone().oneshot(request).await?.status())
}

pub(crate) type Plain = Client<HttpConnector, BoxBody<Bytes, io::Error>>;

pub(crate) fn plain() -> Plain {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Hashes and sends a file, in the usual way.
pub(crate) async fn send_plain(client: &Plain, url: &str, path: &Path) -> Result {
    let hashed = path.to_owned();
    let (digest, len) = task::spawn_blocking(move || plain_sha256(&hashed)).await??;
    let file = tokio::fs::File::open(path).await?;
    let request = Request::put(url)
        .header("content-length", len)
        .header("x-sha256", hex(&digest))
        .body(BoxBody::new(StreamBody::new(Box::pin(pieces(file)))))?;
    expect_created(client.request(request).await?.status())
}

fn plain_sha256(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    let mut file = File::open(path)?;
    let (mut hash, mut buffer, mut len) = (Sha256::new(), vec![0; PIECE], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hash.finalize().to_vec(), len)),
            read => {
                hash.update(buffer.get(..read).unwrap_or_default());
                len += read as u64;
            }
        }
    }
}

fn pieces(file: tokio::fs::File) -> impl Stream<Item = io::Result<Frame<Bytes>>> + Send + Sync {
    stream::try_unfold(file, |mut file| async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        let len = file.read_buf(&mut piece).await?;
        Ok((len > 0).then(|| (Frame::data(piece.freeze()), file)))
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn expect_created(status: StatusCode) -> Result {
    if status == StatusCode::CREATED { Ok(()) } else { Err(format!("answered {status}").into()) }
}
