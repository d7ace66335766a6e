//! What goes through the gateway, read by two parsers: each request that the upstream reads is one of
//! the client's, and it is signed unless its route needs no signature.

mod message;

use std::{
    cell::RefCell,
    fs,
    os::unix::{fs::PermissionsExt, net::UnixStream as StdUnixStream},
    path::PathBuf,
    rc::Rc,
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use framesign::{
    Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, protocol::canonical_uri,
    sign_head,
};
use framesign_cli::fuzz_bridge::InMemoryGateway;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    runtime,
    task::{self, LocalSet},
    time,
};

use self::message::{Message, lenient, strict};
use crate::{
    naive::{Mutated, verify::Verifier},
    properties::cuts::chunks,
    stages::{ACCESS_KEY, SECRET_KEY},
};

/// The route that needs no signature, and all below it.
const UNSIGNED: &str = "/open";

/// What a connection takes at the most. Nobody waits for anything but the next byte.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// All bytes of each connection to the upstream.
type Received = Rc<RefCell<Vec<Vec<u8>>>>;

/// What went through the gateway.
#[derive(Debug)]
struct Through {
    upstream: Vec<Vec<u8>>,
    client: Vec<u8>,
}

/// Sends `reads` to a gateway of their own, one after another, and then no more.
fn send(reads: &[&[u8]]) -> Through {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let socket = folder().path().join("upstream");
        let received = Received::default();
        task::spawn_local(upstream(socket.clone(), Rc::clone(&received)));
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

/// Answers each request with 200, once it is whole.
async fn upstream(socket: PathBuf, received: Received) {
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(socket).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let number = received.borrow().len();
        received.borrow_mut().push(Vec::new());
        task::spawn_local(answer(stream, number, Rc::clone(&received)));
    }
}

async fn answer(mut stream: UnixStream, number: usize, received: Received) {
    let (mut answered, mut is_asked) = (0, false);
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        received.borrow_mut()[number].extend_from_slice(&buffer[..len]);
        let bytes = received.borrow()[number].clone();
        while let Some((message, after)) = strict::read_one(&bytes[answered..]) {
            if !message.is_whole {
                if !is_asked && !message.values("expect").is_empty() {
                    is_asked = true;
                    let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
                }
                break;
            }
            (answered, is_asked) = (bytes.len() - after.len(), false);
            let answer = b"HTTP/1.1 200 OK\r\nX-Upstream: 1\r\nContent-Length: 0\r\n\r\n";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

fn verifier(now: SystemTime) -> Verifier {
    let nanoseconds = now.duration_since(UNIX_EPOCH).unwrap().as_nanos();
    Verifier {
        mutated: Mutated::default(),
        now: i128::try_from(nanoseconds).unwrap(),
        age: Some(15 * 60 * 1_000_000_000),
        hosts: Vec::new(),
        max_payload: None,
        requires_digest: false,
        secrets: vec![(ACCESS_KEY.to_owned(), SECRET_KEY.to_owned())],
    }
}

/// The frame that a request of a client is, written as protocol section 7 has it.
fn frame(message: &Message) -> Vec<u8> {
    let mut frame = [&message.method[..], b" ", &message.target, b" HTTP/1.1\r\n"].concat();
    for (name, value) in &message.fields {
        frame.extend([name, &b": "[..], value, b"\r\n"].concat());
    }
    [&frame[..], b"\r\n", &message.body].concat()
}

/// Whether a request may go through: it is on the route that needs no signature, or signed. If the
/// upstream has not got all of it, its payload may be cut or another one, but its head is proven.
fn may_pass(verifier: &Verifier, message: &Message, is_whole: bool) -> bool {
    // As the gateway compares it: `/%6fpen` is the same path.
    let path = canonical_uri(message.path());
    let below = path.strip_prefix(UNSIGNED);
    if below.is_some_and(|below| below.is_empty() || below.starts_with('/')) {
        return true;
    }
    let verifier = Verifier { requires_digest: !is_whole, ..verifier.clone() };
    match verifier.verify(&frame(message)) {
        Ok(()) => true,
        Err(reason) => !is_whole && ["digest", "frame truncated-body"].contains(&&*reason),
    }
}

/// Whether the upstream has read the request that the client has sent; all of it, if it did so itself.
fn is_same(client: &Message, upstream: &Message) -> bool {
    let is_body = if upstream.is_whole {
        client.is_whole && client.body == upstream.body
    } else {
        client.body.starts_with(&upstream.body)
    };
    let host = |message: &Message| message.values("host").concat();
    let own = |message: &Message| message.values("x-own").concat();
    is_body
        && client.method == upstream.method
        && client.target == upstream.target
        && host(client).eq_ignore_ascii_case(&host(upstream))
        && own(client) == own(upstream)
}

/// Holds what the upstream has read to what the client has sent. If `is_plain`, each of `count`
/// requests goes through.
fn check(input: &[u8], lengths: &[usize], plain: Option<usize>) {
    let through = send(&chunks(input, lengths));
    let what = || format!("{} {through:?}", input.escape_ascii());
    let verifier = verifier(SystemTime::now());
    let mut sent = lenient::read(input).into_iter();
    let received: Vec<Message> =
        through.upstream.iter().flat_map(|bytes| strict::read(bytes)).collect();
    let mut whole = 0;
    for message in &received {
        let may_pass = |one: &Message| may_pass(&verifier, one, message.is_whole);
        let mut allowed = sent.by_ref().filter(may_pass);
        assert!(allowed.any(|one| is_same(&one, message)), "{message:?} of {}", what());
        whole += usize::from(message.is_whole);
    }
    let pattern = b"x-upstream: 1\r\n";
    let answers = through.client.windows(pattern.len()).filter(|bytes| bytes == pattern).count();
    assert_eq!(answers, whole, "{}", what());
    if let Some(count) = plain {
        assert_eq!(whole, count, "{}", what());
    }
}

/// The frame, signed, if it can be one.
fn signed(frame: &[u8], is_claimed: bool) -> Option<Vec<u8>> {
    let len = frame.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let (head, payload) = frame.split_at(len);
    let now = SystemTime::now();
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap();
    let key = SigningKey::derive(&credentials, SigningDate::of(now));
    let mut options = SigningOptions::default();
    if !is_claimed {
        options = options.without_content_digest();
    }
    let head = sign_head(head, &key, PayloadHash::of(payload), now, &options).ok()?;
    Some([&head, payload].concat())
}

/// An input is a byte whose low four bits count the reads and whose high ones count the changes; a byte
/// for the length of each read; two bytes for the place of each change and one for the byte there; and
/// requests, each with its length in two bytes, of which the highest bit has it signed and the next one
/// leaves out the claim.
pub(crate) fn fuzz(input: &[u8]) {
    let _ = run(input);
}

fn run(input: &[u8]) -> Option<()> {
    let (counts, rest) = input.split_first()?;
    let (lengths, rest) = rest.split_at_checked(usize::from(counts & 0xf))?;
    let lengths: Vec<usize> = lengths.iter().copied().map(usize::from).collect();
    let (changes, mut rest) = rest.split_at_checked(3 * usize::from(counts >> 4))?;
    let (mut connection, mut count, mut is_plain) = (Vec::new(), 0, changes.is_empty());
    while let [high, low, after @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([high & 0x3f, *low])).min(after.len());
        let (request, after) = after.split_at(len);
        let made = (high & 0x80 != 0).then(|| signed(request, high & 0x40 == 0)).flatten();
        is_plain &= made.is_some() && is_plain_request(request);
        connection.extend(made.unwrap_or_else(|| request.to_vec()));
        count += 1;
        rest = after;
    }
    for change in changes.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([change[0], change[1]]));
        if let Some(at) = place.checked_rem(connection.len()) {
            connection[at] = change[2];
        }
    }
    check(&connection, &lengths, is_plain.then_some(count));
    Some(())
}

/// Whether these bytes are one request, whole, that says nothing to the gateway itself which may keep it
/// from being handed on.
fn is_plain_request(request: &[u8]) -> bool {
    const SPECIAL: [&str; 9] = [
        "connection",
        "content-digest",
        "expect",
        "max-forwards",
        "te",
        "timestamp",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];

    let Some((message, [])) = lenient::read_one(request) else { return false };
    let is_special = |name: &&str| !message.values(name).is_empty();
    let is_usual = [&b"GET"[..], b"PUT"].contains(&&message.method[..]);
    message.is_whole
        && is_usual
        && message.target.starts_with(b"/")
        && !SPECIAL.iter().any(is_special)
}
