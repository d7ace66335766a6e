//! Uploads of a file that a client sends, signed by the layer, and a server that reads them.

use std::{
    fs::File,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
};

use framesign::{
    client::{RequestSigner, SignableFile, SignedBody},
    frame::HeadReader,
    tower::{SignLayer, SignService},
    verify::Policy,
};
use http::{Request, StatusCode};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{Layer, ServiceExt};

use super::keys;
use crate::Result;

/// A server that reads uploads and answers them, for as long as the process lasts.
pub(crate) fn start_server() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for socket in listener.incoming() {
            // Each client keeps a connection of its own, and tells if that has failed.
            thread::spawn(|| socket.and_then(serve));
        }
    });
    Ok(address)
}

/// Answers one upload after another, until the client closes the connection.
fn serve(mut socket: TcpStream) -> io::Result<()> {
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

pub(crate) fn expect_created(status: StatusCode) -> Result {
    if status == StatusCode::CREATED { Ok(()) } else { Err(format!("answered {status}").into()) }
}
