//! What the library does with more and more of one thing.

use std::{
    hint::black_box,
    time::{Instant, SystemTime},
};

use framesign::{
    Credentials, Limits, PayloadHash, Rules, Signer, SigningDate, SigningKey, SigningOptions,
    replay::{MemoryReplayStore, Outage, ReplayGuard},
    secrets::{MemoryStore, Secret, signing_keys},
    sign_head,
    verify::{Claim, Policy, Verified, Verifier},
};
use futures_util::FutureExt;

use super::{fit::Point, sizes};
use crate::{Result, process, results::count};

/// The times that each is measured; the least counts, since other programs can only add to it.
const TURNS: usize = 15;

/// Frames that are asked for at each size of a store.
const ASKED: u64 = 256;

/// Signs a frame with a payload of `size` bytes.
pub(crate) fn payload() -> Result<Vec<Point>> {
    signed(64 * 1024, |size| {
        let length = usize::try_from(size)?;
        let head = format!("PUT /up HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n");
        Ok([head.into_bytes(), vec![b'x'; length]].concat())
    })
}

/// Signs a head with `size` fields of different names, in no order.
pub(crate) fn fields() -> Result<Vec<Point>> {
    signed(16, |size| Ok(head("/", &repeat(size, |at| format!("{}: v\r\n", scatter(at))))))
}

/// Signs a head with `size` fields of one name.
pub(crate) fn fields_of_one_name() -> Result<Vec<Point>> {
    signed(16, |size| Ok(head("/", &repeat(size, |_| "name: value\r\n".into()))))
}

/// Signs a head with `size` parameters of different names, in no order.
pub(crate) fn parameters() -> Result<Vec<Point>> {
    signed(64, |size| Ok(head(&format!("/?{}", repeat(size, |at| scatter(at) + "&")), "")))
}

/// Signs a head with `size` parameters of one name.
pub(crate) fn parameters_of_one_name() -> Result<Vec<Point>> {
    signed(64, |size| Ok(head(&format!("/?{}", repeat(size, |_| "name=value&".into())), "")))
}

/// Signs a head whose query is `size` plus signs.
pub(crate) fn plus_signs() -> Result<Vec<Point>> {
    signed(1024, |size| Ok(head(&format!("/?a={}", repeat(size, |_| "+".into())), "")))
}

fn signed(first: u64, frame: impl Fn(u64) -> Result<Vec<u8>>) -> Result<Vec<Point>> {
    let credentials = Credentials::new("access", "secret")?;
    let key = SigningKey::derive(&credentials, SigningDate::of(SystemTime::now()));
    let limits = Limits::default().max_head(16 << 20).max_headers(1 << 20);
    let rules = Rules::strict().limits(limits);
    let point = |size| {
        let frame = frame(size)?;
        let sign = || -> Result {
            let mut signer = Signer::with_rules(&key, rules.clone());
            signer.update(&frame)?;
            black_box(signer.finish()?);
            Ok(())
        };
        Ok(Point { size: count(size), seconds: least(sign)?, bytes: None })
    };
    sizes(first).map(point).collect()
}

/// The least time of some.
fn least(mut run: impl FnMut() -> Result) -> Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..TURNS {
        let began = Instant::now();
        run()?;
        least = least.min(began.elapsed().as_secs_f64());
    }
    Ok(least)
}

fn head(target: &str, fields: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n").into_bytes()
}

fn repeat(size: u64, piece: impl Fn(u64) -> String) -> String {
    (0..size).map(piece).collect()
}

/// Names that are all different and in no order: an odd factor maps 20 bits to 20 bits.
fn scatter(at: u64) -> String {
    format!("n{:05x}", at.wrapping_mul(0x9_e375) & 0xf_ffff)
}

/// Verifies frames of a store with `size` access keys, and the memory of the store.
pub(crate) fn access_keys() -> Result<Vec<Point>> {
    // Never freed: what is measured next would use its memory.
    let store: &MemoryStore = Box::leak(Box::default());
    let (policy, now) = (Policy::default(), SystemTime::now());
    let (mut points, mut have, before) = (Vec::new(), 0, memory()?);
    for size in sizes(1000) {
        for number in have..size {
            store.add(&access_key(number), Secret::new(&format!("the secret of {number}"))?)?;
        }
        have = size;
        let heads = (0..ASKED).map(|at| {
            let number = at * size / ASKED;
            let secret = format!("the secret of {number}");
            let credentials = Credentials::new(&access_key(number), &secret)?;
            let key = SigningKey::derive(&credentials, SigningDate::of(now));
            let options = SigningOptions::default();
            let head = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
            Ok(sign_head(head, &key, PayloadHash::of(b""), now, &options)?)
        });
        let heads = heads.collect::<Result<Vec<_>>>()?;
        let keys = |claim: &Claim| signing_keys(claim, &store.live(claim.access_key()));
        let seconds = least(|| {
            for head in &heads {
                let mut verifier = Verifier::new(&policy, keys, || now);
                verifier.update(head)?;
                black_box(verifier.finish()?);
            }
            Ok(())
        })?;
        let bytes = Some(grown(before)?);
        points.push(Point { size: count(size), seconds: seconds / count(ASKED), bytes });
    }
    Ok(points)
}

fn access_key(number: u64) -> String {
    format!("access-key-{number:08}")
}

/// Asks a store with `size` entries for some that are there, and the memory of the store.
pub(crate) fn replay_entries() -> Result<Vec<Point>> {
    let store = MemoryReplayStore::new(1 << 21);
    // Never freed, as above.
    let guard = Box::leak(Box::new(ReplayGuard::new(store, Outage::Refuse)));
    let now = SystemTime::now();
    let key = SigningKey::derive(&Credentials::new("access", "secret")?, SigningDate::of(now));
    let accept =
        |frame: &Verified| guard.accept(frame).now_or_never().is_some_and(|answer| answer.is_ok());
    let asked = (0..ASKED).map(|number| verified(&key, now, number)).collect::<Result<Vec<_>>>()?;
    for frame in &asked {
        accept(frame);
    }
    let (mut points, mut have, before) = (Vec::new(), ASKED, memory()?);
    for size in sizes(1 << 14) {
        for number in have..size {
            accept(&verified(&key, now, number)?);
        }
        have = size;
        let seconds = least(|| {
            let again = asked.iter().filter(|frame| accept(frame)).count();
            if again == 0 { Ok(()) } else { Err("a frame was accepted twice".into()) }
        })?;
        let bytes = Some(grown(before)?);
        points.push(Point { size: count(size), seconds: seconds / count(ASKED), bytes });
    }
    Ok(points)
}

fn verified(key: &SigningKey, now: SystemTime, number: u64) -> Result<Verified> {
    let (policy, options) = (Policy::default(), SigningOptions::default().without_nonce());
    let head = format!("GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = sign_head(head.as_bytes(), key, PayloadHash::of(b""), now, &options)?;
    let mut verifier = Verifier::new(&policy, |_: &Claim| vec![key.clone()], || now);
    verifier.update(&head)?;
    Ok(verifier.finish()?)
}

/// The memory of this process, in bytes.
fn memory() -> Result<f64> {
    Ok(process::resident(std::process::id())? * f64::from(1 << 20))
}

/// The bytes by which the memory of this process has grown; at least one, for logarithms.
fn grown(before: f64) -> Result<f64> {
    Ok((memory()? - before).max(1.0))
}
