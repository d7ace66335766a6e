//! The memory that connections and clients are held to, that of a process of its own read from Linux's /proc.
//!
//! `cargo bench --features tower,tower-sign --bench memory` prints a line for each figure.

use std::{
    env,
    fmt::Display,
    hint::black_box,
    io::{self, BufRead, BufReader, Write},
    net::{Shutdown, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use framesign::{
    PayloadHash, SigningDate, SigningKey, SigningOptions,
    codec::{CodecError, SigningCodec, SigningEvent, VerifyingCodec, VerifyingEvent},
    sign_head,
    verify::{Claim, Policy},
};
use futures_util::StreamExt;
use tokio::{
    net::{TcpListener, TcpStream as Socket},
    runtime::Builder,
    sync::Notify,
    task::JoinSet,
};
use tokio_util::codec::FramedRead;

mod support {
    pub(crate) mod figure;
    pub(crate) mod keys;
    #[cfg(feature = "tower")]
    pub(crate) mod layer;
    #[cfg(feature = "tower-sign")]
    pub(crate) mod sending;
}

#[cfg(feature = "tower")]
use support::layer;
#[cfg(feature = "tower-sign")]
use support::sending;
use support::{figure, keys};

pub(crate) type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// What the process of a figure does: through which integration it receives, and how many slow uploads;
/// none for a large one.
const ROLE: &str = "FRAMESIGN_BENCH_MEMORY";

const INTEGRATIONS: &[&str] =
    if cfg!(feature = "tower") { &["codec", "layer"] } else { &["codec"] };

const CHUNK: usize = 64 * 1024;

/// A slow upload sends so many pieces of so many bytes.
const ROUNDS: u64 = 40;
const PIECE: usize = 700;

fn main() -> Result {
    let Ok(role) = env::var(ROLE) else {
        // Under `cargo bench -- --test` both are given.
        let has = |name: &str| env::args().any(|argument| argument == name);
        return figures(has("--bench") && !has("--test"));
    };
    let (integration, count) = role.split_once(' ').ok_or("no role")?;
    Builder::new_current_thread()
        .enable_io()
        .build()?
        .block_on(receive(integration, count.parse()?))
}

fn figures(is_measured: bool) -> Result {
    let (gib, count) = if is_measured { (8, 1_000) } else { (0, 10) };
    for integration in INTEGRATIONS {
        let large = Server::start(&format!("{integration} 0"))?
            .figure(|port| send_large(port, gib << 30))?;
        let slow = Server::start(&format!("{integration} {count}"))?;
        let slow = slow.figure(|port| send_slowly(port, count))? / f64::from(count);
        let name = format!("connection/{integration}/{gib}GiB");
        figure::print(&name, large / 1024.0, &(..=16.0), "MiB at most");
        let name = format!("connection/{integration}/slow-upload");
        figure::print(&name, slow, &(..=32.0), format_args!("KiB for each of {count}"));
    }
    #[cfg(feature = "tower-sign")]
    {
        let client = Server::start(&format!("client {gib}"))?.figure(|_| Ok(()))?;
        let name = format!("client/sign-layer/{gib}GiB");
        figure::print(&name, client / 1024.0, &(..=16.0), "MiB at most, the server in the same");
    }
    Ok(())
}

/// Sends a file of so many GiB to a server in this process, which keeps nothing of it, then prints the
/// most memory that the process ever held.
#[cfg(feature = "tower-sign")]
async fn send(gib: u64) -> Result {
    let address = sending::start_server()?;
    print(address.port());
    let (_folder, path) = sending::sparse_file(gib << 30)?;
    sending::send_signed(&sending::signing()?, &format!("http://{address}/up"), &path).await?;
    print(memory("VmHWM:")?);
    Ok(())
}

async fn receive(integration: &str, count: u64) -> Result {
    match (integration, count) {
        ("codec", 0) => upload().await,
        ("codec", _) => {
            slow(count, |socket, received| async move { received.count(socket).await }).await
        }
        #[cfg(feature = "tower")]
        ("layer", 0) => layer::upload().await,
        #[cfg(feature = "tower")]
        ("layer", _) => slow(count, layer::count).await,
        #[cfg(feature = "tower-sign")]
        ("client", gib) => send(gib).await,
        _ => Err("no such integration".into()),
    }
}

/// The process of a figure, as its peer sees it.
struct Server {
    child: Child,
    lines: io::Lines<BufReader<ChildStdout>>,
}

impl Server {
    fn start(role: &str) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        let mut child = command.env(ROLE, role).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        Ok(Self { child, lines: BufReader::new(stdout).lines() })
    }

    /// What it prints while a peer has its connections open, in KiB.
    fn figure<T>(mut self, peer: impl FnOnce(u16) -> Result<T>) -> Result<f64> {
        let _connections = peer(self.line()?.parse()?)?;
        Ok(self.line()?.parse()?)
    }

    fn line(&mut self) -> Result<String> {
        Ok(self.lines.next().ok_or("the process has ended")??)
    }
}

impl Drop for Server {
    /// Ends the process, which may still wait for its peer.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send_large(port: u16, length: u64) -> Result<TcpStream> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    let chunk = vec![0xA5; CHUNK];
    socket.write_all(&head(length)?)?;
    for _ in 0..length / CHUNK as u64 {
        socket.write_all(&chunk)?;
    }
    // No further request: the layer's connection ends, also after an upload that is valid.
    socket.shutdown(Shutdown::Write)?;
    Ok(socket)
}

/// Signed for another payload if there is one, which nobody knows before the end.
fn head(length: u64) -> Result<Vec<u8>> {
    let now = SystemTime::now();
    let head = format!("PUT /up HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    let key = SigningKey::derive(&keys::credentials()?, SigningDate::of(now));
    let payload = PayloadHash::of(if length > 0 { b"another" } else { b"" });
    Ok(sign_head(head.as_bytes(), &key, payload, now, &SigningOptions::default())?)
}

/// All of them at a time; none comes to its end.
fn send_slowly(port: u16, count: u32) -> Result<Vec<TcpStream>> {
    let head = head(1_000_000_000)?;
    let mut sockets = Vec::new();
    for _ in 0..count {
        let mut socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_nodelay(true)?;
        socket.write_all(&head)?;
        sockets.push(socket);
    }
    for _ in 0..ROUNDS {
        for socket in &mut sockets {
            socket.write_all(&[0xA5; PIECE])?;
        }
    }
    Ok(sockets)
}

/// Receives one upload, then prints the most memory that the process ever held.
async fn upload() -> Result {
    let socket = listen().await?.accept().await?.0;
    let mut frames = FramedRead::new(socket, SigningCodec::new(keys::key()?));
    while let Some(event) = frames.next().await {
        if let SigningEvent::Signed(_) = event? {
            print(memory("VmHWM:")?);
        }
    }
    Ok(())
}

/// Receives `count` uploads by `receive`, then prints what they hold in the midst of them.
async fn slow<F>(count: u64, receive: impl Fn(Socket, Arc<Received>) -> F) -> Result
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let listener = listen().await?;
    let before = memory("VmRSS:")?;
    let received = Arc::new(Received::default());
    let mut uploads = JoinSet::new();
    for _ in 0..count {
        let (socket, _) = listener.accept().await?;
        uploads.spawn(receive(socket, Arc::clone(&received)));
    }
    while received.bytes.load(Relaxed) < count * ROUNDS * PIECE as u64 {
        tokio::select! {
            () = received.is_more.notified() => {}
            _ = uploads.join_next() => return Err("an upload has ended before its time".into()),
        }
    }
    print(memory("VmRSS:")? - before);
    Ok(())
}

#[derive(Default)]
pub(crate) struct Received {
    bytes: AtomicU64,
    is_more: Notify,
}

impl Received {
    /// Verifies an upload, and keeps its head as a service would.
    async fn count(&self, socket: Socket) -> Result<(), CodecError> {
        let codec = VerifyingCodec::new(Policy::default(), |claim: &Claim| {
            let key = |credentials| SigningKey::derive(&credentials, claim.date());
            keys::credentials().map(key).into_iter().collect()
        });
        let mut frames = FramedRead::new(socket, codec);
        let mut head = None;
        while let Some(event) = frames.next().await {
            match event? {
                VerifyingEvent::Head(found, claim) => head = Some((found, claim)),
                VerifyingEvent::Data(data) => self.add(data.len()),
                _ => {}
            }
        }
        black_box(head);
        Ok(())
    }

    fn add(&self, len: usize) {
        self.bytes.fetch_add(len as u64, Relaxed);
        self.is_more.notify_one();
    }
}

pub(crate) async fn listen() -> Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    print(listener.local_addr()?.port());
    Ok(listener)
}

#[expect(clippy::print_stdout, reason = "that is how the processes speak")]
pub(crate) fn print(what: impl Display) {
    println!("{what}");
}

/// A line of /proc/self/status, in KiB.
pub(crate) fn memory(what: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)).ok_or("no such line")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
