//! The throughput that connections are held to, over loopback TCP.
//!
//! `cargo bench --bench connection` prints a line for each figure; a word behind `--` chooses some.
//! scripts/measure-connection prints them with those of memory.

#[cfg(feature = "tower")]
use std::io::Read;
use std::{
    future::Future,
    hint::black_box,
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    thread,
};

#[cfg(feature = "tower")]
use framesign::PayloadHash;

use framesign::{
    codec::{CodecError, Event, OffloadedRead, SigningCodec},
    offload::HashPool,
};
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream as Socket},
    runtime::{Builder, Runtime},
};
use tokio_util::codec::FramedRead;

mod support {
    pub(crate) mod keys;
    pub(crate) mod paired;
    #[cfg(feature = "tower")]
    pub(crate) mod served;
}

#[cfg(feature = "tower")]
use support::served;
use support::{keys, paired::Paired};

pub(crate) type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const CHUNK: usize = 64 * 1024;

/// What the upload consists of.
const BYTE: u8 = 0xA5;

/// The upload that is timed: long enough that its beginning does not count.
const CHUNKS: usize = 1024;

fn main() -> Result {
    let paired = Paired::from_args();
    let key = keys::key()?;
    let pool = HashPool::new(1.try_into()?)?;
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let codec = || SigningCodec::new(key.clone());

    let barest = || run(&runtime, send, read_and_hash);
    let framed = || run(&runtime, send, |socket| frames(FramedRead::new(socket, codec())));
    let off_loaded =
        || run(&runtime, send, |socket| frames(OffloadedRead::new(socket, codec(), &pool)));
    barest()?;
    framed()?;
    off_loaded()?;
    paired.ratio("connection/codec/barest-loop", 0.97.., barest, framed);
    paired.ratio("connection/off-loaded/plain-sha2", 0.9.., plain, off_loaded);
    paired.ratio("connection/off-loaded/barest-loop", 1.0.., barest, off_loaded);
    #[cfg(feature = "tower")]
    layer(&paired, &runtime)?;
    Ok(())
}

/// The layer beside the same server without it.
#[cfg(feature = "tower")]
fn layer(paired: &Paired, runtime: &Runtime) -> Result {
    let payload = PayloadHash::of(&vec![BYTE; CHUNK * CHUNKS]);
    let head = served::sign(&head(), payload)?;
    let layer = served::layer()?;
    let upload = |address| upload(address, &head);
    let bare = || run(runtime, upload, served::bare);
    let behind = || run(runtime, upload, |socket| served::behind(&layer, socket));
    bare()?;
    behind()?;
    paired.ratio("connection/layer/bare-server", 0.97.., bare, behind);
    Ok(())
}

/// Receives the upload of a peer that sends as fast as it can, on one thread.
fn run<F: Future<Output = Result>>(
    runtime: &Runtime,
    send: impl FnOnce(SocketAddr) -> io::Result<()> + Send,
    receive: impl FnOnce(Socket) -> F,
) -> Result {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    thread::scope(|scope| {
        let peer = scope.spawn(|| send(address));
        runtime.block_on(async {
            let (socket, _) = listener.accept().await?;
            receive(socket).await
        })?;
        peer.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        Ok(())
    })
}

fn head() -> String {
    format!("PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: {}\r\n\r\n", CHUNK * CHUNKS)
}

fn send(address: SocketAddr) -> io::Result<()> {
    send_with(address, head().as_bytes()).map(drop)
}

/// Sends, and waits for an answer that says that all is well.
#[cfg(feature = "tower")]
fn upload(address: SocketAddr, head: &[u8]) -> io::Result<()> {
    let mut answer = [0; 12];
    send_with(address, head)?.read_exact(&mut answer)?;
    if &answer == b"HTTP/1.1 200" { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn send_with(address: SocketAddr, head: &[u8]) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    let chunk = vec![BYTE; CHUNK];
    socket.write_all(head)?;
    for _ in 0..CHUNKS {
        socket.write_all(&chunk)?;
    }
    Ok(socket)
}

/// The barest loop: what cannot be done without.
async fn read_and_hash(mut socket: Socket) -> Result {
    let mut buffer = vec![0; CHUNK];
    let mut hash = Sha256::new();
    loop {
        match socket.read(&mut buffer).await? {
            0 => break,
            len => hash.update(buffer.get(..len).unwrap_or_default()),
        }
    }
    black_box(hash.finalize());
    Ok(())
}

async fn frames(frames: impl Stream<Item = Result<Event, CodecError>>) -> Result {
    let mut frames = std::pin::pin!(frames);
    while let Some(event) = frames.next().await {
        black_box(event?);
    }
    Ok(())
}

/// The same bytes without receiving them.
fn plain() {
    let chunk = vec![BYTE; CHUNK];
    let mut hash = Sha256::new();
    for _ in 0..CHUNKS {
        hash.update(black_box(&chunk));
    }
    black_box(hash.finalize());
}
