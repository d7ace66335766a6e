//! The examples of FIPS 180-4 and the vectors of NIST, by every engine.

use sha256_multi::{Digest, Engine, State};

use crate::{engines, finalize, hash_many};

/// The examples of FIPS 180-2, appendix B, which FIPS 180-4 refers to.
#[test]
fn examples_of_the_standard() {
    let million = vec![b'a'; if cfg!(miri) { 0 } else { 1_000_000 }];
    let mut messages: Vec<&[u8]> =
        vec![b"abc", b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"];
    let mut digests = vec![
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ];
    if !million.is_empty() {
        messages.push(&million);
        digests.push("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
    for engine in engines() {
        let hashed: Vec<_> =
            hash_many(engine, &messages, usize::MAX).iter().map(hex::encode).collect();
        assert_eq!(hashed, digests, "{engine:?}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn short_messages_of_nist() {
    check_messages(include_str!("../vectors/SHA256ShortMsg.rsp"), 65, &[usize::MAX, 64, 13, 1]);
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn long_messages_of_nist() {
    check_messages(include_str!("../vectors/SHA256LongMsg.rsp"), 64, &[usize::MAX, 4096, 127]);
}

/// Hashes all messages of a file side by side, whole and in pieces.
fn check_messages(file: &str, count: usize, pieces: &[usize]) {
    let (messages, digests) = parse(file);
    assert_eq!(messages.len(), count);
    for engine in engines() {
        for &piece in pieces {
            let hashed = hash_many(engine, &messages, piece);
            assert_eq!(hashed, digests, "{engine:?}, pieces of {piece}");
        }
    }
}

fn parse(file: &str) -> (Vec<Vec<u8>>, Vec<Digest>) {
    let values = |name: &'static str| {
        file.lines()
            .filter_map(move |line| Some(line.strip_prefix(name)?.strip_prefix(" = ")?.trim()))
    };
    let messages = values("Len").zip(values("Msg")).map(|(bits, message)| {
        // An empty message is written as one byte.
        let mut message = hex::decode(message).unwrap();
        message.truncate(bits.parse::<usize>().unwrap() / 8);
        message
    });
    (messages.collect(), values("MD").map(digest).collect())
}

fn digest(hex: &str) -> Digest {
    hex::decode(hex).unwrap().try_into().unwrap()
}

/// SHAVS, section 6.4: chains of 1000 digests, each of the three before. Every lane of the engine
/// runs the chain at the same time.
#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn monte_carlo_of_nist() {
    let file = include_str!("../vectors/SHA256Monte.rsp");
    let seed = digest(file.lines().find_map(|line| line.strip_prefix("Seed = ")).unwrap());
    let (_, checkpoints) = parse(file);
    assert_eq!(checkpoints.len(), 100);
    for engine in engines() {
        let lanes = engine.lanes();
        let mut seeds = vec![seed; lanes];
        for (count, checkpoint) in checkpoints.iter().enumerate() {
            seeds = chain(engine, &seeds);
            assert_eq!(seeds, vec![*checkpoint; lanes], "{engine:?}, COUNT = {count}");
        }
    }
}

fn chain(engine: Engine, seeds: &[Digest]) -> Vec<Digest> {
    let mut last = [seeds.to_vec(), seeds.to_vec(), seeds.to_vec()];
    for _ in 3..1003 {
        let mut states = vec![State::new(); seeds.len()];
        for digests in &last {
            let pieces = digests.iter().map(|digest| &digest[..]);
            engine.update_many(&mut states.iter_mut().zip(pieces).collect::<Vec<_>>());
        }
        let [_, second, third] = last;
        last = [second, third, finalize(engine, &states)];
    }
    let [_, _, third] = last;
    third
}
