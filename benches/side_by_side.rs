//! Many payloads at once on one thread of a `HashPool`, side by side and one after the other.
//!
//! `cargo bench --bench side_by_side` prints a line for each figure; a word behind `--` chooses some.
//! Both sides of a figure are timed in turns. The note has the median times, and the ratio of the
//! least ones, which a busy machine disturbs less.

use std::{
    env, fs,
    hint::black_box,
    io,
    net::SocketAddr,
    ops::RangeBounds,
    process::Command,
    thread,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use framesign::{
    PayloadHash, SigningDate, SigningKey, SigningOptions,
    codec::{OffloadedRead, SigningCodec},
    offload::{HashPool, OffloadedHash},
    sign_head,
    verify::{Policy, Verifier},
};
use futures_util::future::try_join_all;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};
use tokio_util::codec::FramedRead;

mod support {
    pub(crate) mod figure;
    pub(crate) mod keys;
    pub(crate) mod streams;
    pub(crate) mod upload;
}

use support::{
    figure, keys,
    streams::{count_signed, read_and_hash},
    upload::{CHUNK, Upload},
};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Connections whose memory is measured.
const MANY: usize = 64;

/// The bytes of each payload.
const SIZE: usize = 64 * CHUNK;

/// How the process of a figure of memory hashes.
const ROLE: &str = "FRAMESIGN_BENCH_SIDE_BY_SIDE";

fn main() -> Result {
    let pools = Pools::start()?;
    if let Ok(role) = env::var(ROLE) {
        return Connections::new(keys::key()?)?.print_memory(&pools, &role);
    }
    let turns = Turns::from_args();
    hashing(&turns, &pools)?;
    frames(&turns);
    SignedFrames::new()?.measure(&turns)?;
    Connections::new(keys::key()?)?.measure(&turns, &pools)
}

/// Two pools of one thread.
struct Pools {
    side_by_side: HashPool,
    /// A thread hashes one payload at a time.
    one_by_one: HashPool,
}

impl Pools {
    fn start() -> Result<Self> {
        let one = 1.try_into()?;
        Ok(Self { side_by_side: HashPool::new(one)?, one_by_one: HashPool::with_lanes(one, one)? })
    }
}

/// Payloads that lie in memory: hashing alone.
fn hashing(turns: &Turns, pools: &Pools) -> Result {
    let runtime = Builder::new_current_thread().build()?;
    for count in [1, 2, 4, 16] {
        let chunks: Vec<_> = (0..count).map(|byte| Bytes::from(vec![byte; CHUNK])).collect();
        let on = |pool| hash_on(&runtime, pool, &chunks);
        let expected: Vec<_> = chunks.iter().map(plain).collect();
        assert_eq!(on(&pools.side_by_side), expected);
        assert_eq!(on(&pools.one_by_one), expected);
        let target = if count == 16 {
            1.9..
        } else if count == 1 {
            0.99..
        } else {
            1.25..
        };
        turns.ratio(
            &format!("offload/{count}-payloads/one-by-one"),
            target,
            || on(&pools.one_by_one),
            || on(&pools.side_by_side),
        );
        turns.ratio(
            &format!("offload/{count}-payloads/plain-sha2"),
            ..,
            || chunks.iter().map(plain).collect::<Vec<_>>(),
            || on(&pools.side_by_side),
        );
    }
    Ok(())
}

/// The hashes of payloads that are one chunk over and over, received at once.
fn hash_on(runtime: &Runtime, pool: &HashPool, chunks: &[Bytes]) -> Vec<PayloadHash> {
    let hashes = chunks.iter().map(async |chunk| {
        let mut hash = OffloadedHash::new(pool);
        for _ in 0..SIZE / CHUNK {
            hash.ready().await;
            hash.push(chunk.clone());
        }
        Ok::<_, ()>(hash.finish().await)
    });
    runtime.block_on(try_join_all(hashes)).unwrap_or_default()
}

fn plain(chunk: &Bytes) -> PayloadHash {
    let mut hash = Sha256::new();
    for _ in 0..SIZE / CHUNK {
        hash.update(black_box(chunk));
    }
    PayloadHash::from_bytes(hash.finalize().into())
}

/// What lanes could give to many small messages at once: the payloads of frames, and MACs of bodies.
fn frames(turns: &Turns) {
    for (name, len) in [("1KiB", 1024), ("16KiB", 16 * 1024), ("1MiB", 1024 * 1024)] {
        let messages: Vec<_> = (0..16).map(|byte| vec![byte; len]).collect();
        turns.ratio(
            &format!("digests/16-of-{name}/plain-sha2"),
            ..,
            || messages.iter().map(Sha256::digest).collect::<Vec<_>>(),
            || digests(&messages),
        );
    }
}

fn digests(messages: &[Vec<u8>]) -> Vec<[u8; 32]> {
    let mut states = vec![sha256_multi::State::new(); messages.len()];
    let pieces = messages.iter().map(Vec::as_slice);
    sha256_multi::update_many(&mut states.iter_mut().zip(pieces).collect::<Vec<_>>());
    let mut digests = vec![[0; 32]; messages.len()];
    sha256_multi::finalize_many(&mut states.iter().zip(&mut digests).collect::<Vec<_>>());
    digests
}

/// Signed frames with a payload of 1 KiB, which are verified at once.
struct SignedFrames {
    policy: Policy,
    key: SigningKey,
    payloads: Vec<Vec<u8>>,
}

impl SignedFrames {
    fn new() -> Result<Self> {
        let key = SigningKey::derive(&keys::credentials()?, SigningDate::today());
        let payloads = (0..16).map(|byte| vec![byte; 1024]).collect();
        Ok(Self { policy: Policy::default(), key, payloads })
    }

    /// What a call that verifies all of them could gain at most: heads as they are, and the payloads
    /// side by side.
    fn measure(&self, turns: &Turns) -> Result {
        let frames = self.payloads.iter().map(|payload| self.frame(payload));
        let frames: Vec<_> = frames.collect::<Result<_>>()?;
        let heads = vec![self.frame(&[])?; self.payloads.len()];
        assert!(self.verify(&frames) && self.verify(&heads));
        turns.ratio(
            "verify/16-of-1KiB/payloads-side-by-side",
            ..,
            || self.verify(&frames),
            || (self.verify(&heads), digests(&self.payloads)),
        );
        Ok(())
    }

    fn frame(&self, payload: &[u8]) -> Result<Vec<u8>> {
        let len = payload.len();
        let head = format!(
            "POST /items?page=2 HTTP/1.1\r\nHost: test.com\r\nAccept: application/json\r\n\
             Content-Type: application/json\r\nContent-Length: {len}\r\n\r\n"
        );
        let options = SigningOptions::for_policy(&self.policy);
        let (hash, now) = (PayloadHash::of(payload), SystemTime::now());
        Ok([sign_head(head.as_bytes(), &self.key, hash, now, &options)?, payload.to_vec()].concat())
    }

    fn verify(&self, frames: &[Vec<u8>]) -> bool {
        let keys_of = |_: &_| vec![self.key.clone()];
        frames.iter().all(|frame| {
            let mut verifier = Verifier::new(&self.policy, keys_of, SystemTime::now);
            verifier.update(frame).is_ok() && verifier.finish().is_ok()
        })
    }
}

/// Uploads at once over loopback TCP: one thread sends, one receives, and one may hash.
struct Connections {
    key: SigningKey,
    upload: Upload,
    runtime: Runtime,
}

impl Connections {
    fn new(key: SigningKey) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        Ok(Self { key, upload: Upload::new(SIZE), runtime })
    }

    /// Receives uploads that are hashed on `pool`.
    fn on(&self, count: usize, pool: &HashPool) -> io::Result<Vec<usize>> {
        self.run(count, async |socket| {
            let codec = SigningCodec::new(self.key.clone());
            let signed = count_signed(OffloadedRead::new(socket, codec, pool));
            signed.await.map_err(io::Error::other)
        })
    }

    /// Receives uploads that are hashed where they are received.
    fn in_place(&self, count: usize) -> io::Result<Vec<usize>> {
        self.run(count, async |socket| {
            let codec = SigningCodec::new(self.key.clone());
            count_signed(FramedRead::new(socket, codec)).await.map_err(io::Error::other)
        })
    }

    fn measure(&self, turns: &Turns, pools: &Pools) -> Result {
        let on = |count, pool| self.on(count, pool);
        assert_eq!(on(3, &pools.side_by_side)?, [1; 3]);
        assert_eq!(self.in_place(3)?, [1; 3]);
        turns.ratio(
            "connections/16-uploads/one-by-one",
            1.3..,
            || on(16, &pools.one_by_one),
            || on(16, &pools.side_by_side),
        );
        turns.ratio(
            "connections/16-uploads/hashed-in-place",
            ..,
            || self.in_place(16),
            || on(16, &pools.side_by_side),
        );
        turns.ratio(
            "connections/16-uploads/plain-sha2",
            ..,
            || (0..16).map(|_| self.upload.plain()).collect::<Vec<_>>(),
            || on(16, &pools.side_by_side),
        );
        turns.ratio(
            "connections/16-uploads/barest-loop",
            ..,
            || self.run(16, read_and_hash),
            || on(16, &pools.side_by_side),
        );
        turns.ratio(
            "connections/64-uploads/thrown-away",
            0.55..,
            || self.run(MANY, read),
            || on(MANY, &pools.side_by_side),
        );
        turns.ratio(
            "connections/64-uploads/in-place/thrown-away",
            ..,
            || self.run(MANY, read),
            || self.in_place(MANY),
        );
        for role in ["in-place", "one-by-one", "side-by-side"] {
            turns.memory(&format!("connections/64-uploads/{role}/memory"), role)?;
        }
        Ok(())
    }

    /// Prints the most memory that connections take at once, each, in KiB. The sender and the buffers of
    /// the pool count too.
    #[expect(clippy::print_stdout, reason = "that is how the processes speak")]
    fn print_memory(&self, pools: &Pools, role: &str) -> Result {
        let before = status("VmRSS:")?;
        match role {
            "in-place" => self.in_place(MANY)?,
            "one-by-one" => self.on(MANY, &pools.one_by_one)?,
            _ => self.on(MANY, &pools.side_by_side)?,
        };
        println!("{}", (status("VmHWM:")? - before) / 64.0);
        Ok(())
    }

    /// Receives `count` uploads at once, each by `receive`.
    fn run<T>(
        &self,
        count: usize,
        receive: impl AsyncFn(TcpStream) -> io::Result<T>,
    ) -> io::Result<Vec<T>> {
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        thread::scope(|scope| {
            let peer = scope.spawn(move || send(address, count, &self.upload));
            let received = self.runtime.block_on(async {
                let mut receives = Vec::new();
                for _ in 0..count {
                    receives.push(receive(listener.accept().await?.0));
                }
                try_join_all(receives).await
            })?;
            peer.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
            Ok(received)
        })
    }
}

/// Sends so many uploads at once.
fn send(address: SocketAddr, count: usize, upload: &Upload) -> io::Result<()> {
    let uploads = (0..count).map(async |_| {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(upload.head.as_bytes()).await?;
        for chunk in upload.chunks() {
            socket.write_all(chunk).await?;
        }
        Ok(())
    });
    let runtime = Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(try_join_all(uploads)).map(drop)
}

/// What comes is thrown away.
async fn read(mut socket: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    while socket.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Measures figures and prints a line for each.
struct Turns {
    filter: Option<String>,
    /// Everything runs once and nothing is printed.
    is_test: bool,
}

impl Turns {
    const ROUNDS: usize = 21;

    fn from_args() -> Self {
        let is = |flag: &str| env::args().any(|argument| argument == flag);
        Self {
            filter: env::args().skip(1).find(|argument| !argument.starts_with('-')),
            is_test: is("--test") || !is("--bench"),
        }
    }

    fn chooses(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| name.contains(filter))
    }

    /// The time of `over` as a multiple of that of `under`, which should lie within `target`.
    fn ratio<A, B>(
        &self,
        name: &str,
        target: impl RangeBounds<f64>,
        mut over: impl FnMut() -> A,
        mut under: impl FnMut() -> B,
    ) {
        if !self.chooses(name) {
            return;
        }
        black_box((over(), under()));
        if self.is_test {
            return;
        }
        let mut overs = Vec::with_capacity(Self::ROUNDS);
        let mut unders = Vec::with_capacity(Self::ROUNDS);
        for _ in 0..Self::ROUNDS {
            overs.push(time(&mut over));
            unders.push(time(&mut under));
        }
        overs.sort_unstable();
        unders.sort_unstable();
        let (over, under) = (overs[Self::ROUNDS / 2], unders[Self::ROUNDS / 2]);
        let least = overs[0].as_secs_f64() / unders[0].as_secs_f64();
        let note = format_args!("{over:.2?} / {under:.2?}; of the least {least:.3}");
        figure::print(name, over.as_secs_f64() / under.as_secs_f64(), &target, note);
    }

    /// The most memory that connections take at once, each, in a process of their own.
    fn memory(&self, name: &str, role: &str) -> Result {
        if !self.chooses(name) || self.is_test {
            return Ok(());
        }
        let output = Command::new(env::current_exe()?).env(ROLE, role).output()?;
        let each: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
        figure::print(name, each, &.., format_args!("KiB for each of {MANY}"));
        Ok(())
    }
}

fn time<T>(workload: &mut impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    black_box(workload());
    start.elapsed()
}

/// A line of /proc/self/status, in KiB.
fn status(what: &str) -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)).ok_or("no such line")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
