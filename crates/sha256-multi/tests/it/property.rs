//! The property of the fuzz target: whatever pieces the lanes get in whatever calls, each digest is
//! that of `sha2`. The fuzz target includes this file.

use sha256_multi::{Digest, Engine, State};

const LANES: usize = 20;

/// Bytes of the longest piece.
const LONGEST: usize = 255 << 4;

/// A piece: its lane, and its bytes as a place in the noise and a length.
struct Piece {
    lane: usize,
    start: usize,
    length: usize,
    /// Whether the pieces up to this one go into a call of their own.
    last: bool,
}

/// Four bytes each: the lane, twice the length, what it is multiplied by and whether the call ends.
fn parse(input: &[u8]) -> impl Iterator<Item = Piece> {
    input.as_chunks().0.iter().map(|&[lane, length, start, shift]| Piece {
        lane: usize::from(lane) % LANES,
        start: usize::from(start),
        length: usize::from(length) << (shift % 5),
        last: shift >= 128,
    })
}

/// Feeds the pieces to every engine and to `sha2`.
///
/// # Panics
///
/// If two digests differ.
pub(crate) fn check(input: &[u8]) {
    #[expect(clippy::cast_possible_truncation, reason = "below 256")]
    let noise: Vec<u8> = (0..LONGEST + 256).map(|i| (i * i / 7 % 256) as u8).collect();
    let mut oracles = vec![<sha2::Sha256 as sha2::Digest>::new(); LANES];
    for piece in parse(input) {
        let bytes = &noise[piece.start..piece.start + piece.length];
        sha2::Digest::update(&mut oracles[piece.lane], bytes);
    }
    let expected: Vec<Digest> =
        oracles.into_iter().map(|oracle| sha2::Digest::finalize(oracle).into()).collect();
    for engine in Engine::available().chain([Engine::detect()]) {
        assert_eq!(hash(engine, input, &noise), expected, "{engine:?}");
    }
}

fn hash(engine: Engine, input: &[u8], noise: &[u8]) -> Vec<Digest> {
    let mut states = vec![State::new(); LANES];
    // The pieces of the next call; a lane has one at most.
    let mut pieces: Vec<&[u8]> = vec![&[]; LANES];
    let mut call = |pieces: &mut Vec<&[u8]>| {
        engine.update_many(&mut states.iter_mut().zip(pieces.drain(..)).collect::<Vec<_>>());
        pieces.resize(LANES, &[]);
    };
    for piece in parse(input) {
        if !pieces[piece.lane].is_empty() {
            call(&mut pieces);
        }
        pieces[piece.lane] = &noise[piece.start..piece.start + piece.length];
        if piece.last {
            call(&mut pieces);
        }
    }
    call(&mut pieces);
    let mut digests = vec![[0; 32]; LANES];
    engine.finalize_many(&mut states.iter().zip(&mut digests).collect::<Vec<_>>());
    digests
}
