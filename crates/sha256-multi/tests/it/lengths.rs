//! Every engine against `sha2` for every length, and for every cut of a message.

use crate::{engines, finalize, hash_many, noise, oracle};
use sha2::Digest as _;
use sha256_multi::State;

const LONGEST: usize = if cfg!(miri) { 70 } else { 4096 };

/// All lengths side by side, so that lanes run out and are filled again at every row.
#[test]
fn all_lengths_side_by_side() {
    let noise = noise(2 * LONGEST, 1);
    let messages: Vec<_> = (0..=LONGEST).map(|length| &noise[length..2 * length]).collect();
    let expected: Vec<_> = messages.iter().map(|message| oracle(message)).collect();
    for engine in engines() {
        assert!(hash_many(engine, &messages, usize::MAX) == expected, "{engine:?}");
        let reversed: Vec<_> = messages.iter().rev().collect();
        let mut hashed = hash_many(engine, &reversed, usize::MAX);
        hashed.reverse();
        assert!(hashed == expected, "{engine:?}, longest first");
    }
}

/// Every number of messages, each as long as the others and with other bytes.
#[test]
fn every_number_of_messages() {
    let most = if cfg!(miri) { 5 } else { 35 };
    let messages: Vec<_> = (0..most).map(|i| noise(if cfg!(miri) { 70 } else { 200 }, i)).collect();
    let expected: Vec<_> = messages.iter().map(|message| oracle(message)).collect();
    for engine in engines() {
        for count in 0..=messages.len() {
            for piece in [usize::MAX, 64, 67] {
                let hashed = hash_many(engine, &messages[..count], piece);
                assert_eq!(hashed, expected[..count], "{engine:?}, pieces of {piece}");
            }
        }
    }
}

/// A message cut in two at every byte, all cuts side by side.
#[test]
fn every_cut() {
    let message = noise(if cfg!(miri) { 70 } else { 700 }, 2);
    let (first, second): (Vec<_>, Vec<_>) =
        (0..=message.len()).map(|cut| message.split_at(cut)).unzip();
    for engine in engines() {
        let mut states = vec![State::new(); first.len()];
        engine.update_many(&mut states.iter_mut().zip(first.iter().copied()).collect::<Vec<_>>());
        engine.update_many(&mut states.iter_mut().zip(second.iter().copied()).collect::<Vec<_>>());
        let expected = vec![oracle(&message); states.len()];
        assert!(finalize(engine, &states) == expected, "{engine:?}");
    }
}

#[test]
fn byte_by_byte() {
    let messages: Vec<_> = [0, 1, 55, 56, 63, 64, 65, 119, 128, 129].map(|n| noise(n, 3)).into();
    let expected: Vec<_> = messages.iter().map(|message| oracle(message)).collect();
    for engine in engines() {
        assert_eq!(hash_many(engine, &messages, 1), expected, "{engine:?}");
    }
}

/// Some calls of the kind that the fuzz target makes, small enough for every way to run tests.
#[test]
fn a_small_input_of_the_fuzz_target() {
    crate::property::check(&noise(40, 8));
}

/// FIPS 180-4, section 5.1.1: a length of more than 32 bits in the padding, that of a message which is
/// all zeros but for its last bytes. Before it, as many blocks are hashed as make up 2^32 bits.
#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn more_than_four_billion_bits() {
    const CHUNK: usize = 1 << 20;

    let zeros = vec![0; CHUNK];
    let mut expected = sha2::Sha256::new();
    let mut state = State::new();
    for _ in 0..(1_u64 << 29) / CHUNK as u64 {
        expected.update(&zeros);
        state.update(&zeros);
    }
    let tails: Vec<_> = (0..20).map(|length| noise(7 * length, 9)).collect();
    for engine in engines() {
        let mut states = vec![state.clone(); tails.len()];
        let pieces = tails.iter().map(Vec::as_slice);
        engine.update_many(&mut states.iter_mut().zip(pieces).collect::<Vec<_>>());
        for (digest, tail) in finalize(engine, &states).iter().zip(&tails) {
            let expected: sha256_multi::Digest =
                expected.clone().chain_update(tail).finalize().into();
            assert_eq!(*digest, expected, "{engine:?}, {} bytes more", tail.len());
        }
    }
}
