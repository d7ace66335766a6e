//! Random lanes, lengths and cuts against `sha2`.

use proptest::{collection::vec, prelude::*};
use sha256_multi::State;

use crate::{engines, finalize, hash_many, noise, oracle, property};

fn cases() -> ProptestConfig {
    ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn random_lengths_in_pieces_of_one_length(
        lengths in vec(0_usize..5000, 0..40),
        piece in 1_usize..3000,
        seed: u64,
    ) {
        let messages: Vec<_> = (seed..).zip(&lengths).map(|(seed, &n)| noise(n, seed)).collect();
        let expected: Vec<_> = messages.iter().map(|message| oracle(message)).collect();
        for engine in engines() {
            prop_assert_eq!(&hash_many(engine, &messages, piece), &expected, "{:?}", engine);
        }
    }

    /// Each call takes another number of bytes of each message; states are saved on the way.
    #[test]
    fn random_pieces_with_states_saved_between(
        cuts in vec(vec(0_usize..700, 1..24), 1..12),
        seed: u64,
    ) {
        let lanes = cuts.iter().map(Vec::len).max().unwrap_or(0);
        let piece = |call: usize, lane: usize| cuts[call].get(lane).copied().unwrap_or(0);
        let messages: Vec<_> = (0..lanes)
            .map(|lane| noise((0..cuts.len()).map(|call| piece(call, lane)).sum(), seed ^ lane as u64))
            .collect();
        for engine in engines() {
            let mut states = vec![State::new(); lanes];
            let mut rest: Vec<&[u8]> = messages.iter().map(|message| &message[..]).collect();
            for call in 0..cuts.len() {
                let pieces = rest.iter_mut().enumerate().map(|(lane, rest)| {
                    let (piece, more) = rest.split_at(piece(call, lane));
                    *rest = more;
                    piece
                });
                engine.update_many(&mut states.iter_mut().zip(pieces).collect::<Vec<_>>());
                for state in &mut states {
                    *state = State::from_bytes(&state.to_bytes()).unwrap();
                }
            }
            let expected: Vec<_> = messages.iter().map(|message| oracle(message)).collect();
            prop_assert_eq!(finalize(engine, &states), expected, "{:?}", engine);
        }
    }

    #[test]
    fn random_input_of_the_fuzz_target(input in vec(any::<u8>(), 0..600)) {
        property::check(&input);
    }
}

/// Every prefix of a sample, as the fuzzer would give it.
#[test]
fn property_holds_of_every_prefix_of_a_sample() {
    let sample = noise(400, 4);
    for length in 0..=sample.len() {
        property::check(&sample[..length]);
    }
}
