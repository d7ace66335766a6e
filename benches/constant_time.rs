//! Whether a time tells something of a secret: a test in the manner of dudect (Reparaz, Balasch and
//! Verbauwhede, "Dude, is my code constant time?", 2017).
//!
//! Two classes of inputs are measured in random order. The slowest measurements are dropped, and
//! Welch's t says how far apart the means of the two classes are beside their noise. Beyond 4.5 the
//! times differ; a comparison that ends at the first other byte is measured as well, to show that a
//! difference is found.
//!
//! `cargo bench --features secrets --bench constant_time` prints a line for each figure.

use std::{
    env,
    hint::black_box,
    time::{Instant, SystemTime},
};

use framesign::{
    Credentials, PayloadHash, Signature, SigningDate, SigningKey, SigningOptions,
    secrets::{KeyCache, MemoryStore, Secret},
    sign_head,
    verify::{Claim, Policy, Reason, Verifier},
};
use futures_util::FutureExt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

mod support {
    pub(crate) mod figure;
}

use support::figure;

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// The t beyond which times differ, as dudect has it.
const DIFFERS: f64 = 4.5;

/// The share of the measurements that count: the slowest are those that were interrupted.
const KEPT: f64 = 0.9;

/// The calls of one measurement of a comparison, which alone would be shorter than a tick.
const CALLS: usize = 64;

fn main() -> Result {
    // Run as a test it shows that it works.
    let is_test = env::args().any(|argument| argument == "--test");
    let times = |count: usize| if is_test { count / 200 } else { count };
    let right = *PayloadHash::of(b"right").as_bytes();
    let [first, last] = [0, 31].map(|at| {
        let mut wrong = right;
        wrong[at] ^= 1;
        wrong
    });
    let leaky = t(times(100_000), CALLS, &[first, last], |wrong| ends_early(&right, wrong));
    figure::print("constant-time/ends-early/t", leaky, &(DIFFERS..), "found, as it should be");

    let signature = |bytes: &[u8; 32]| -> Result<Signature> { Ok(hex::encode(bytes).parse()?) };
    let (expected, wrong) = (signature(&right)?, [signature(&first)?, signature(&last)?]);
    let found = t(times(200_000), CALLS, &wrong, |wrong| *wrong == expected);
    let note = "first byte wrong, last byte wrong";
    figure::print("constant-time/signature/t", found, &..=DIFFERS, note);

    let mac = |token: &[u8]| -> Result<_> {
        Ok(Hmac::<Sha256>::new_from_slice(&right)?.chain_update(token).finalize())
    };
    let (expected, tokens) = (mac(b"token-0")?, [mac(b"token-1")?, mac(b"token-0")?]);
    let found = t(times(200_000), CALLS, &tokens, |token| *token == expected);
    figure::print("constant-time/token/t", found, &..=DIFFERS, "a wrong one, the right one");

    let frames = Frames::new()?;
    let frame = frames.signed(&frames.key)?;
    let wrong = [wrong_at(0, &frame)?, wrong_at(63, &frame)?];
    let found = t(times(100_000), 1, &wrong, |frame| frames.is_refused(frame));
    let note = "a frame whose signature is wrong in its first digit, in its last";
    figure::print("constant-time/verify/t", found, &..=DIFFERS, note);

    let claims = [frames.claim("known-key")?, frames.claim("other-key")?];
    let keys = KeyCache::new(store()?);
    let found = t(times(100_000), 1, &claims, |claim| {
        keys.keys(claim).now_or_never().is_some_and(|keys| keys.is_ok())
    });
    // It is no secret which access keys there are, and the time of a look-up tells it.
    figure::print("constant-time/access-key/t", found, &.., "known, unknown; not promised");
    Ok(())
}

/// Ends at the first byte that differs, as no comparison of a secret may.
#[inline(never)]
fn ends_early(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.iter().zip(other).all(|(one, other)| black_box(*one) == black_box(*other))
}

/// Welch's t of the times of both classes, without its sign.
///
/// Both are copied to the same memory, but for what a `Claim` allocates: where an input lies decides about cache lines,
/// and so about its time.
fn t<T>(measurements: usize, calls: usize, classes: &[T; 2], act: impl Fn(&T) -> bool) -> f64
where
    T: Clone,
{
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let mut times = Vec::with_capacity(measurements);
    let mut input = classes[0].clone();
    for _ in 0..measurements {
        let class = numbers.next_bit();
        input.clone_from(&classes[class]);
        let began = Instant::now();
        for _ in 0..calls {
            black_box(act(black_box(&input)));
        }
        times.push((class, began.elapsed().as_secs_f64() * 1e9));
    }
    let mut sorted: Vec<f64> = times.iter().map(|(_, time)| *time).collect();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let longest = sorted[(measurements as f64 * KEPT) as usize];
    let [one, other] = [0, 1].map(|class| {
        let of_class = times.iter().filter(move |(of, time)| *of == class && *time <= longest);
        Moments::of(of_class.map(|(_, time)| *time))
    });
    ((one.mean - other.mean) / (one.error + other.error).sqrt()).abs()
}

/// The mean of times, and the square of its standard error.
struct Moments {
    mean: f64,
    error: f64,
}

impl Moments {
    fn of(times: impl Iterator<Item = f64> + Clone) -> Self {
        let count = times.clone().fold(0.0, |count, _| count + 1.0);
        let mean = times.clone().sum::<f64>() / count;
        let squares: f64 = times.map(|time| (time - mean).powi(2)).sum();
        Self { mean, error: squares / (count - 1.0) / count }
    }
}

/// Bits that follow no pattern that a processor would learn (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next_bit(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::from(self.0 >> 63 == 1)
    }
}

/// Makes frames of one access key.
struct Frames {
    policy: Policy,
    now: SystemTime,
    key: SigningKey,
}

impl Frames {
    fn new() -> Result<Self> {
        let now = SystemTime::now();
        let key = SigningKey::derive(&Credentials::new("known-key", SECRET)?, SigningDate::of(now));
        Ok(Self { policy: Policy::default(), now, key })
    }

    fn signed(&self, key: &SigningKey) -> Result<Vec<u8>> {
        let head = b"GET /uploads HTTP/1.1\r\nHost: test.com\r\n\r\n";
        let options = SigningOptions::for_policy(&self.policy);
        Ok(sign_head(head, key, PayloadHash::of(b""), self.now, &options)?)
    }

    fn is_refused(&self, frame: &[u8]) -> bool {
        let keys = |_: &Claim| vec![self.key.clone()];
        let mut verifier = Verifier::new(&self.policy, keys, || self.now);
        let refusal = verifier.update(frame).err().or_else(|| verifier.finish().err());
        refusal.is_some_and(|refusal| refusal.reason() == Reason::Signature)
    }

    fn claim(&self, access_key: &str) -> Result<Claim> {
        let credentials = Credentials::new(access_key, SECRET)?;
        let frame = self.signed(&SigningKey::derive(&credentials, SigningDate::of(self.now)))?;
        let mut found = None;
        let keys = |claim: &Claim| {
            found = Some(claim.clone());
            Vec::<SigningKey>::new()
        };
        // Refused, since there is no key.
        let _ = Verifier::new(&self.policy, keys, || self.now).update(&frame);
        Ok(found.ok_or("expected a claim")?)
    }
}

/// The same frame, whose signature has another digit at `place`: a letter for a letter, since the time of reading tells
/// letters from numerals, whether they are right or not.
fn wrong_at(place: usize, frame: &[u8]) -> Result<Vec<u8>> {
    const FIELD: &[u8] = b"dynata-signature: ";
    let mut frame = frame.to_vec();
    let field = frame.windows(FIELD.len()).position(|part| part.eq_ignore_ascii_case(FIELD));
    let digit = field.ok_or("expected a signature")? + FIELD.len() + place;
    frame[digit] = match frame[digit] {
        b'0' => b'1',
        b'1'..=b'9' => b'0',
        b'a' => b'b',
        _ => b'a',
    };
    Ok(frame)
}

fn store() -> Result<MemoryStore> {
    let store = MemoryStore::new();
    store.add("known-key", Secret::new(SECRET)?)?;
    Ok(store)
}

const SECRET: &str = "the secret key of the measurement";
