//! The throughput that connections are held to, over loopback TCP.
//!
//! `cargo bench --features tower,tower-sign --bench connection` prints a line for each figure; a word behind
//! `--` chooses some.

#[cfg(feature = "tower")]
use std::io::Read;
use std::{
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    thread,
};

#[cfg(feature = "tower")]
use framesign::PayloadHash;

use framesign::{
    codec::{OffloadedRead, SigningCodec},
    offload::HashPool,
};
use tokio::{
    net::{TcpListener, TcpStream as Socket},
    runtime::{Builder, Runtime},
};
use tokio_util::codec::FramedRead;

mod support {
    pub(crate) mod figure;
    pub(crate) mod keys;
    pub(crate) mod paired;
    #[cfg(feature = "tower-sign")]
    pub(crate) mod sending;
    #[cfg(feature = "tower-sign")]
    pub(crate) mod sending_plain;
    #[cfg(feature = "tower")]
    pub(crate) mod served;
    pub(crate) mod streams;
    pub(crate) mod upload;
}

#[cfg(feature = "tower")]
use support::served;
use support::{
    keys,
    paired::Paired,
    streams::{count_signed, read_and_hash},
    upload::{CHUNK, Upload},
};
#[cfg(feature = "tower-sign")]
use support::{sending, sending_plain};

pub(crate) type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// The upload that is timed: long enough that its beginning does not count.
const SIZE: usize = 1024 * CHUNK;

fn main() -> Result {
    let paired = Paired::from_args();
    let key = keys::key()?;
    let pool = HashPool::new(1.try_into()?)?;
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let upload = Upload::new(SIZE);
    let send = |address| send(address, upload.head.as_bytes(), &upload).map(drop);
    let codec = || SigningCodec::new(key.clone());

    let barest = || run(&runtime, send, read_and_hash);
    let framed = || run(&runtime, send, |socket| count_signed(FramedRead::new(socket, codec())));
    let off_loaded =
        || run(&runtime, send, |socket| count_signed(OffloadedRead::new(socket, codec(), &pool)));
    barest()?;
    assert_eq!((framed()?, off_loaded()?), (1, 1));
    paired.ratio("connection/codec/barest-loop", 0.97.., barest, framed);
    paired.ratio("connection/off-loaded/plain-sha2", 0.9.., || upload.plain(), off_loaded);
    paired.ratio("connection/off-loaded/barest-loop", 1.0.., barest, off_loaded);
    #[cfg(feature = "tower")]
    layer(&paired, &runtime, &upload)?;
    #[cfg(feature = "tower-sign")]
    client(&paired)?;
    Ok(())
}

/// A client that signs what it sends, beside the same client that hashes it with plain sha2. The
/// file is hashed for each upload: each has a body of its own.
#[cfg(feature = "tower-sign")]
fn client(paired: &Paired) -> Result {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().build()?;
    let url = format!("http://{}/up", sending::start_server()?);
    let (_folder, path) = sending::sparse_file(SIZE as u64)?;
    let (plain, signing) = (sending_plain::plain(), sending::signing()?);
    let plain = || runtime.block_on(sending_plain::send_plain(&plain, &url, &path));
    let signed = || runtime.block_on(sending::send_signed(&signing, &url, &path));
    plain()?;
    signed()?;
    paired.ratio("connection/sign-layer/plain-sha2-client", 0.97.., plain, signed);
    Ok(())
}

/// The layer beside the same server without it. The head claims the hash of its payload, so that the
/// payload streams: it is hashed once, as without the layer.
#[cfg(feature = "tower")]
fn layer(paired: &Paired, runtime: &Runtime, upload: &Upload) -> Result {
    let payload = PayloadHash::of(&upload.chunks().collect::<Vec<_>>().concat());
    let head = served::sign(&upload.head, payload)?;
    let layer = served::layer()?;
    let send = |address| send_and_wait(address, &head, upload);
    let bare = || run(runtime, send, served::bare);
    let behind = || run(runtime, send, |socket| served::behind(&layer, socket));
    bare()?;
    behind()?;
    paired.ratio("connection/layer/bare-server", 0.97.., bare, behind);
    Ok(())
}

/// Receives the upload of a peer that sends as fast as it can, on one thread.
fn run<T, E: Into<Box<dyn std::error::Error>>, F: Future<Output = Result<T, E>>>(
    runtime: &Runtime,
    send: impl FnOnce(SocketAddr) -> io::Result<()> + Send,
    receive: impl FnOnce(Socket) -> F,
) -> Result<T> {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    thread::scope(|scope| {
        let peer = scope.spawn(|| send(address));
        let received = runtime.block_on(async {
            let (socket, _) = listener.accept().await?;
            receive(socket).await.map_err(Into::into)
        })?;
        peer.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        Ok(received)
    })
}

fn send(address: SocketAddr, head: &[u8], upload: &Upload) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(head)?;
    for chunk in upload.chunks() {
        socket.write_all(chunk)?;
    }
    Ok(socket)
}

/// Sends, and waits for an answer that says that all is well.
#[cfg(feature = "tower")]
fn send_and_wait(address: SocketAddr, head: &[u8], upload: &Upload) -> io::Result<()> {
    let mut answer = [0; 12];
    send(address, head, upload)?.read_exact(&mut answer)?;
    if &answer == b"HTTP/1.1 200" { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}
