//! Small frames whole: the protocol's examples, beside what cannot be done without.

use std::{error::Error, hint::black_box};

use criterion::Criterion;
use framesign::{Signer, SigningDate, SigningKey};

mod support {
    pub(crate) mod frames;
    pub(crate) mod keys;
    pub(crate) mod signing;
}

use support::{
    frames::{EXAMPLES, Example, compress},
    keys,
    signing::{sign, sign_afresh, sign_bytewise},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    derivation(&mut criterion)?;
    for example in &EXAMPLES {
        frame(&mut criterion, example)?;
    }
    criterion.final_summary();
    Ok(())
}

/// What a key costs once a day.
fn derivation(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let credentials = keys::credentials()?;
    let date: SigningDate = "20230801".parse()?;
    criterion.bench_function("key/derive", |bencher| {
        bencher.iter(|| SigningKey::derive(black_box(&credentials), black_box(date)));
    });
    Ok(())
}

/// What a frame costs with the key derived beforehand.
fn frame(criterion: &mut Criterion, example: &Example) -> Result<(), Box<dyn Error>> {
    let key = keys::key()?;
    let mut signer = Signer::new(&key);
    let expected = example.signature.trim_end();
    assert_eq!(sign(&mut signer, example.frame)?.to_string(), expected);
    assert_eq!(sign_bytewise(&mut signer, example.frame)?.to_string(), expected);
    assert_eq!(sign_afresh(&key, example.frame)?.to_string(), expected);

    let mut group = criterion.benchmark_group(format!("frame/{}", example.name));
    group.bench_function("sign/signer-reused", |bencher| {
        bencher.iter(|| sign(&mut signer, black_box(example.frame)));
    });
    group.bench_function("sign/signer-fresh", |bencher| {
        bencher.iter(|| sign_afresh(black_box(&key), black_box(example.frame)));
    });
    if parse(example.frame) == Some(example.head_len()) {
        group.bench_function("head-by-httparse", |bencher| {
            bencher.iter(|| parse(black_box(example.frame)));
        });
    }
    let blocks = vec![[0xA5; 64]; example.compressions()];
    group.bench_function(format!("bare-compressions/{}", blocks.len()), |bencher| {
        bencher.iter(|| compress(black_box(&blocks)));
    });
    Ok(())
}

/// The length of the head, where httparse accepts it.
fn parse(frame: &[u8]) -> Option<usize> {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(frame) {
        Ok(httparse::Status::Complete(len)) => Some(len),
        _ => None,
    }
}
