//! The client of `sending` without the layer: it hashes a file with plain sha2, and signs nothing.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use bytes::{Bytes, BytesMut};
use framesign::PayloadHash;
use futures_util::{Stream, stream};
use http::Request;
use http_body::Frame;
use http_body_util::{StreamBody, combinators::BoxBody};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use sha2::{Digest, Sha256};
use tokio::{io::AsyncReadExt, task};

use super::sending::expect_created;
use crate::Result;

/// The size of a piece in which the plain client reads the file, which is that of the layer too.
const PIECE: usize = 256 * 1024;

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
        .header("content-digest", digest.content_digest())
        .body(BoxBody::new(StreamBody::new(Box::pin(pieces(file)))))?;
    expect_created(client.request(request).await?.status())
}

fn plain_sha256(path: &Path) -> io::Result<(PayloadHash, u64)> {
    let mut file = File::open(path)?;
    let (mut hash, mut buffer, mut len) = (Sha256::new(), vec![0; PIECE], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((PayloadHash::from_bytes(hash.finalize().into()), len)),
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
