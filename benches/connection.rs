//! The throughput that connections are held to, over loopback TCP.
//!
//! `cargo bench --bench connection` prints a line for each figure; a word behind `--` chooses some.
//! scripts/measure-connection prints them with those of memory.

use std::{
    future::Future,
    hint::black_box,
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    thread,
};

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
}

use support::{keys, paired::Paired};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const CHUNK: usize = 64 * 1024;

/// The upload that is timed: long enough that its beginning does not count.
const CHUNKS: usize = 1024;

fn main() -> Result {
    let paired = Paired::from_args();
    let key = keys::key()?;
    let pool = HashPool::new(1.try_into()?)?;
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let codec = || SigningCodec::new(key.clone());

    let barest = || run(&runtime, read_and_hash).map_err(drop);
    let framed = || run(&runtime, |socket| frames(FramedRead::new(socket, codec()))).map_err(drop);
    let off_loaded =
        || run(&runtime, |socket| frames(OffloadedRead::new(socket, codec(), &pool))).map_err(drop);
    assert_eq!(barest(), Ok(()));
    assert_eq!(framed(), Ok(()));
    assert_eq!(off_loaded(), Ok(()));
    paired.ratio("connection/codec/barest-loop", 0.97.., barest, framed);
    paired.ratio("connection/off-loaded/plain-sha2", 0.9.., plain, off_loaded);
    paired.ratio("connection/off-loaded/barest-loop", 1.0.., barest, off_loaded);
    Ok(())
}

/// Receives the upload of a peer that sends as fast as it can, on one thread.
fn run<F: Future<Output = Result<(), CodecError>>>(
    runtime: &Runtime,
    receive: impl FnOnce(Socket) -> F,
) -> Result<(), CodecError> {
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let peer = thread::spawn(move || send(address));
        let (socket, _) = listener.accept().await?;
        receive(socket).await?;
        peer.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        Ok(())
    })
}

fn head() -> String {
    format!("PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: {}\r\n\r\n", CHUNK * CHUNKS)
}

fn send(address: SocketAddr) -> io::Result<()> {
    let mut socket = TcpStream::connect(address)?;
    let chunk = vec![0xA5; CHUNK];
    socket.write_all(head().as_bytes())?;
    for _ in 0..CHUNKS {
        socket.write_all(&chunk)?;
    }
    Ok(())
}

/// The barest loop: what cannot be done without.
async fn read_and_hash(mut socket: Socket) -> Result<(), CodecError> {
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

async fn frames(frames: impl Stream<Item = Result<Event, CodecError>>) -> Result<(), CodecError> {
    let mut frames = std::pin::pin!(frames);
    while let Some(event) = frames.next().await {
        black_box(event?);
    }
    Ok(())
}

/// The same bytes without receiving them.
fn plain() {
    let chunk = vec![0xA5; CHUNK];
    let mut hash = Sha256::new();
    for _ in 0..CHUNKS {
        hash.update(black_box(&chunk));
    }
    black_box(hash.finalize());
}
