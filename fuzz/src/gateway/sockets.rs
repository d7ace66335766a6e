//! A client, a gateway and an upstream, all in this process.

use std::{
    cell::RefCell,
    fs,
    os::unix::{fs::PermissionsExt, net::UnixStream as StdUnixStream},
    path::PathBuf,
    rc::Rc,
    sync::OnceLock,
    time::Duration,
};

use framesign_cli::fuzz_bridge::InMemoryGateway;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    runtime,
    signal::unix::{SignalKind, signal},
    task::{self, LocalSet},
    time,
};

use super::message::{Request, strict};
use crate::stages::{ACCESS_KEY, SECRET_KEY};

/// The route that needs no signature, and all below it.
pub(crate) const UNSIGNED: &str = "/open";

/// What a connection takes at the most. Nobody waits for anything but the next byte.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the upstream answers to a request.
pub(crate) struct Reply {
    /// Each of them is written by itself.
    pub(crate) writes: Vec<Vec<u8>>,
    /// Whether the upstream closes the connection behind it.
    pub(crate) closes: bool,
}

/// What went through the gateway.
#[derive(Debug)]
pub(crate) struct Through {
    /// All bytes of each connection to the upstream.
    pub(crate) upstream: Vec<Vec<u8>>,
    /// All bytes that the client has got.
    pub(crate) client: Vec<u8>,
}

type Received = Rc<RefCell<Vec<Vec<u8>>>>;
type Replies = Rc<dyn Fn(&Request) -> Reply>;

/// Sends `reads` to a gateway of their own, one after another, and then no more. The upstream answers each
/// request with what `replies` gives, once it is whole.
pub(crate) fn send(reads: &[&[u8]], replies: impl Fn(&Request) -> Reply + 'static) -> Through {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        // A write to a peer that is gone is an error, as in every program of Rust. Programs of the fuzzer
        // begin in C++, where it ends the process. tokio keeps the handler.
        let _ = signal(SignalKind::pipe()).unwrap();
        let socket = folder().path().join("upstream");
        let received = Received::default();
        task::spawn_local(upstream(socket.clone(), Rc::clone(&received), Rc::new(replies)));
        task::yield_now().await;
        let url = format!("unix:{}", socket.display());
        let unsigned = format!("* {UNSIGNED}");
        let secrets = folder().path().join("secrets.toml");
        let gateway =
            InMemoryGateway::new(&secrets, &url, &["--unsigned", &unsigned, "--threads", "1"]);
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        let client = task::spawn_local(async move { gateway.serve(theirs).await });
        let answers = time::timeout(PATIENCE, converse(ours, reads)).await;
        let answers = answers.expect("the connection ends");
        client.abort();
        Through { upstream: received.borrow().clone(), client: answers }
    })
}

/// The file of secrets, and the socket of the upstream.
fn folder() -> &'static TempDir {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();

    FOLDER.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let secrets = folder.path().join("secrets.toml");
        fs::write(&secrets, format!("\"{ACCESS_KEY}\" = [\"{SECRET_KEY}\"]\n")).unwrap();
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).unwrap();
        folder
    })
}

async fn converse(socket: StdUnixStream, reads: &[&[u8]]) -> Vec<u8> {
    socket.set_nonblocking(true).unwrap();
    let (mut reader, mut writer) = UnixStream::from_std(socket).unwrap().into_split();
    let write = async {
        for read in reads {
            // The gateway may have ended the connection.
            if writer.write_all(read).await.is_err() {
                return;
            }
            task::yield_now().await;
        }
        let _ = writer.shutdown().await;
    };
    let mut answers = Vec::new();
    let read = async {
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = reader.read(&mut buffer).await {
            answers.extend_from_slice(&buffer[..len]);
        }
    };
    tokio::join!(write, read);
    answers
}

async fn upstream(socket: PathBuf, received: Received, replies: Replies) {
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(socket).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let number = received.borrow().len();
        received.borrow_mut().push(Vec::new());
        task::spawn_local(answer(stream, number, Rc::clone(&received), Rc::clone(&replies)));
    }
}

async fn answer(mut stream: UnixStream, number: usize, received: Received, replies: Replies) {
    let (mut answered, mut is_asked) = (0, false);
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        received.borrow_mut()[number].extend_from_slice(&buffer[..len]);
        let bytes = received.borrow()[number].clone();
        while let Some((request, after)) = strict::request(&bytes[answered..]) {
            let content = &request.content;
            if !content.is_whole {
                if !is_asked && !content.values("expect").is_empty() {
                    is_asked = true;
                    let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
                }
                break;
            }
            (answered, is_asked) = (bytes.len() - after.len(), false);
            let reply = replies(&request);
            for write in &reply.writes {
                if stream.write_all(write).await.is_err() {
                    return;
                }
                task::yield_now().await;
            }
            if reply.closes {
                return;
            }
        }
    }
}
