//! A store of replays in memory that is nearly empty, beside one that is full.
//!
//! `cargo bench --features replay --bench replay` prints a line for each figure.

use std::{
    env, fs,
    hint::black_box,
    time::{Duration, Instant, SystemTime},
};

use framesign::{
    Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions,
    replay::{MemoryReplayStore, Outage, ReplayGuard},
    sign_head,
    verify::{Claim, Policy, Verified, Verifier},
};
use futures_util::FutureExt;

mod support {
    pub(crate) mod figure;
}

use support::figure;

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const FEW: usize = 1000;

/// The frames that are asked for at each size.
const ASKED: usize = 1000;

/// The times that each is asked for.
const TURNS: usize = 50;

fn main() -> Result {
    // Run as a test it shows that it works.
    let is_test = env::args().any(|argument| argument == "--test");
    let many = if is_test { 10 * FEW } else { 1_000_000 };
    let before = resident()?;
    let store = std::sync::Arc::new(MemoryReplayStore::new(many + ASKED));
    let guard = ReplayGuard::new(store.clone(), Outage::Refuse);
    let frames = Frames::new()?;
    let asked = frames.make(0..ASKED)?;
    for verified in &asked {
        accept(&guard, verified);
    }
    let few = lookup(&guard, &asked)?;
    let mut longest = Duration::ZERO;
    let mut number = ASKED;
    while number < many {
        let next = frames.make(number..number + FEW)?;
        for verified in &next {
            let began = Instant::now();
            accept(&guard, verified);
            longest = longest.max(began.elapsed());
        }
        number += FEW;
    }
    let full = lookup(&guard, &asked)?;
    let note = format!("{few:.0} ns with {FEW} entries, {full:.0} ns with {many}");
    figure::print("replay look-up, full beside few", full / few, &..=3.0, note);
    let new = frames.make(many..many + ASKED)?;
    let began = Instant::now();
    for verified in &new {
        accept(&guard, verified);
    }
    let nanoseconds = began.elapsed().as_secs_f64() * 1e9 / count(ASKED)?;
    figure::print("replay entry, written to a full store, ns", nanoseconds, &.., "with its name");
    let note = "one of all, while maps grew";
    figure::print("replay entry, the longest, ms", longest.as_secs_f64() * 1e3, &.., note);
    let bytes = (resident()? - before) / count(store.len())?;
    figure::print("replay entry, bytes", bytes, &.., "resident memory, of all that was made");
    Ok(())
}

fn accept(guard: &ReplayGuard, verified: &Verified) -> bool {
    guard.accept(verified).now_or_never().is_some_and(|answer| answer.is_ok())
}

/// The time in nanoseconds to find an entry that is there.
fn lookup(guard: &ReplayGuard, asked: &[Verified]) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..TURNS {
        for verified in asked {
            assert!(!black_box(accept(guard, verified)), "it came before");
        }
    }
    Ok(began.elapsed().as_secs_f64() * 1e9 / count(TURNS * asked.len())?)
}

/// A count to reckon with.
fn count(count: usize) -> Result<f64> {
    Ok(u32::try_from(count)?.into())
}

/// Makes frames and verifies them.
struct Frames {
    key: SigningKey,
    now: SystemTime,
}

impl Frames {
    fn new() -> Result<Self> {
        let now = SystemTime::now();
        let key = SigningKey::derive(&Credentials::new("access", "secret")?, SigningDate::of(now));
        Ok(Self { key, now })
    }

    fn make(&self, numbers: std::ops::Range<usize>) -> Result<Vec<Verified>> {
        let policy = Policy::default();
        let options = SigningOptions::default().without_nonce();
        let verified = numbers.map(|number| {
            let head = format!("GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n");
            let payload = PayloadHash::of(b"");
            let head = sign_head(head.as_bytes(), &self.key, payload, self.now, &options)?;
            let mut verifier =
                Verifier::new(&policy, |_: &Claim| vec![self.key.clone()], || self.now);
            verifier.update(&head)?;
            Ok(verifier.finish()?)
        });
        verified.collect()
    }
}

/// The memory that this process holds, in bytes (proc(5)).
fn resident() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line.ok_or("expected VmRSS")?.trim_matches([' ', '\t', 'k', 'B']).parse()?;
    Ok(kib * 1024.0)
}
