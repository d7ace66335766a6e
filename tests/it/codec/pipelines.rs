//! Pipelines of one to a thousand frames, with a bad one at every position.

use framesign::{
    ErrorKind, Signature, Signer,
    codec::{ConnectionState, SigningCodec},
};

use crate::{
    properties::codec::{Outcome, drive},
    stages::key,
    support::{Numbers, random_chunks},
};

/// Frames without payload, with a small one, and with one that looks like a frame.
fn frame(number: usize) -> Vec<u8> {
    let payload = match number % 3 {
        0 => return format!("GET /{number} HTTP/1.1\r\nHost: test.com\r\n\r\n").into_bytes(),
        1 => format!("payload {number}"),
        _ => "GET / HTTP/1.0\n\n".repeat(number % 7),
    };
    let length = payload.len();
    format!("PUT /{number} HTTP/1.1\r\nHost: test.com\r\nContent-Length: {length}\r\n\r\n{payload}")
        .into_bytes()
}

fn signature(frame: &[u8]) -> Signature {
    let mut signer = Signer::new(&key());
    signer.update(frame).unwrap();
    signer.finish().unwrap()
}

const BAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";

/// A pipeline of `count` frames, one of which may be bad.
struct Pipeline {
    bytes: Vec<u8>,
    signatures: Vec<Signature>,
    is_bad: bool,
}

impl Pipeline {
    fn new(all: &[(Vec<u8>, Signature)], bad: Option<usize>) -> Self {
        let frames = all.iter().map(|(frame, _)| &frame[..]).enumerate();
        let frames = frames.map(|(at, frame)| if bad == Some(at) { BAD } else { frame });
        let good = all.iter().take(bad.unwrap_or(all.len()));
        Self {
            bytes: frames.collect::<Vec<_>>().concat(),
            signatures: good.map(|(_, signature)| *signature).collect(),
            is_bad: bad.is_some(),
        }
    }

    fn check(&self, outcome: &Outcome) {
        let signatures: Vec<_> = outcome.frames.iter().map(|frame| frame.signature).collect();
        assert_eq!(signatures, self.signatures.iter().copied().map(Some).collect::<Vec<_>>());
        match &outcome.end {
            Ok(state) => assert!(!self.is_bad && *state == ConnectionState::Ended),
            Err(error) => assert!(self.is_bad && error.kind() == ErrorKind::Host, "{error}"),
        }
    }

    fn run(&self, numbers: &mut Numbers) {
        self.check(&drive(SigningCodec::new(key()), [&self.bytes[..]]));
        for most in [3_000, 200] {
            let reads = random_chunks(&self.bytes, most, numbers);
            self.check(&drive(SigningCodec::new(key()), reads));
        }
    }
}

fn frames(count: usize) -> Vec<(Vec<u8>, Signature)> {
    (0..count).map(frame).map(|frame| (frame.clone(), signature(&frame))).collect()
}

#[test]
fn every_frame_of_a_pipeline_is_signed() {
    let all = frames(1_000);
    let mut numbers = Numbers::new(1_000);
    for count in (1..=40).chain([100, 333, 999, 1_000]) {
        let pipeline = Pipeline::new(&all[..count], None);
        pipeline.run(&mut numbers);
        pipeline.check(&drive(SigningCodec::new(key()), pipeline.bytes.chunks(1)));
    }
}

#[test]
fn a_bad_frame_ends_a_pipeline_wherever_it_stands() {
    let all = frames(1_000);
    let mut numbers = Numbers::new(7);
    for count in 1..=24 {
        for bad in 0..count {
            Pipeline::new(&all[..count], Some(bad)).run(&mut numbers);
        }
    }
    // Every position of the longest one, once, in reads of some size.
    for bad in 0..all.len() {
        let pipeline = Pipeline::new(&all[..all.len().min(bad + 3)], Some(bad));
        let reads = random_chunks(&pipeline.bytes, 5_000, &mut numbers);
        pipeline.check(&drive(SigningCodec::new(key()), reads));
    }
}
