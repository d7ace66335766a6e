//! A payload's way through the bodies, in frames of 64 KiB at most, beside plain SHA-256.

use std::{
    convert::Infallible,
    hint::black_box,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use framesign::{
    Credentials, PayloadHash, Rules, SigningDate, SigningKey, SigningOptions,
    http::{BoxError, SigningBody, VerifyingBody, sign_request},
    verify::Policy,
};
use http::{Request, request::Parts};
use http_body::{Body, Frame};
use sha2::{Digest, Sha256};

type Result<T = (), E = BoxError> = std::result::Result<T, E>;

fn main() -> Result {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    body(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

/// Sizes from 1 KiB to 16 MiB, each four times the one before.
fn body(criterion: &mut Criterion) -> Result {
    let credentials = Credentials::new("access", "secret")?;
    let (policy, now) = (Policy::default(), SystemTime::now());
    let key = SigningKey::derive(&credentials, SigningDate::of(now));
    let mut group = criterion.benchmark_group("body");
    for size in (10..=24).step_by(2).map(|bits| 1_usize << bits) {
        let payload = Bytes::from(vec![0xA5; size]);
        let parts = signed(&payload, &key, now)?;
        let verify = |body| verify(body, &parts, &policy, now, &key);
        let sign = |body| SigningBody::new(&parts, body, &key, &Rules::strict());
        assert_eq!(read(verify(Chunks(payload.clone()))?)?, size);
        assert_eq!(read(sign(Chunks(payload.clone()))?)?, size);

        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("verify", size), |bencher| {
            bencher.iter(|| read(verify(Chunks(black_box(&payload).clone()))?));
        });
        group.bench_function(BenchmarkId::new("sign", size), |bencher| {
            bencher.iter(|| read(sign(Chunks(black_box(&payload).clone()))?));
        });
        group.bench_function(BenchmarkId::new("pass", size), |bencher| {
            bencher.iter(|| read(Chunks(black_box(&payload).clone())));
        });
        group.bench_function(BenchmarkId::new("plain-sha2", size), |bencher| {
            bencher.iter(|| Sha256::digest(black_box(&payload)));
        });
    }
    group.finish();
    Ok(())
}

/// Without a claimed hash, so that the signature is checked at the end.
fn signed(payload: &[u8], key: &SigningKey, now: SystemTime) -> Result<Parts> {
    let request = Request::put("http://test.com/up").header("content-length", payload.len());
    let (mut parts, ()) = request.body(())?.into_parts();
    let options = SigningOptions::default().without_content_digest();
    sign_request(&mut parts, key, PayloadHash::of(payload), now, &options)?;
    Ok(parts)
}

fn verify<B>(
    body: B,
    parts: &Parts,
    policy: &Policy,
    now: SystemTime,
    key: &SigningKey,
) -> Result<VerifyingBody<B>> {
    let claim = policy.examine_parts(parts, now)?;
    Ok(VerifyingBody::new(body, claim.check(std::slice::from_ref(key))?))
}

/// Reads a body that is never pending; how many bytes it has.
fn read<B>(mut body: B) -> Result<usize>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let mut len = 0;
    while let Poll::Ready(Some(frame)) = Pin::new(&mut body).poll_frame(&mut cx) {
        let frame = frame.map_err(Into::into)?;
        len += frame.data_ref().map_or(0, Bytes::len);
    }
    Ok(len)
}

/// A body in frames of 64 KiB.
struct Chunks(Bytes);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let len = self.0.len().min(64 * 1024);
        let chunk = (len > 0).then(|| self.0.split_to(len));
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}
