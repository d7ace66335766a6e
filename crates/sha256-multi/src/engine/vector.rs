//! The compression of FIPS 180-4 (section 6.2.2) with a word of every lane in each vector.
//!
//! Written once for all vector engines. An engine brings the operations on its vectors (`add`,
//! the functions of section 4.1.2, `broadcast`) and the transposition between lanes and words;
//! each is a safe function with the target features of the engine.

/// Defines `compress` of an engine: `$lanes` lanes in vectors `$vector`, with `$features`.
///
/// Sixteen words of the message schedule are kept, and the eight working variables take turns by
/// name, so that both stay in registers.
macro_rules! vector_compress {
    ($features:literal, $lanes:literal, $vector:ty) => {
        /// Compresses `rows` blocks of every lane.
        ///
        /// # Panics
        ///
        /// If the number of lanes is not that of the engine, or a lane has fewer blocks.
        #[target_feature(enable = $features)]
        pub(super) fn compress(lanes: &mut [Lane<'_>], rows: usize) {
            assert_eq!(lanes.len(), $lanes, "as many lanes as the engine has");
            let blocks: [&[[u8; 64]]; $lanes] = core::array::from_fn(|i| &lanes[i].blocks[..rows]);
            let mut hash = load_hash(lanes);
            for row in 0..rows {
                let mut schedule = load_blocks(&blocks, row);
                let working = rounds(&hash, &mut schedule);
                for (hash, working) in hash.iter_mut().zip(working) {
                    *hash = add(*hash, working);
                }
            }
            store_hash(&hash, lanes);
        }

        /// The 64 rounds: step 3 of section 6.2.2, with step 1 on the way.
        #[inline]
        #[target_feature(enable = $features)]
        fn rounds(hash: &[$vector; 8], w: &mut [$vector; 16]) -> [$vector; 8] {
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *hash;

            // One round, from T1 and T2 on. What was h is what will be a; the callers rename.
            macro_rules! round {
                ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $word:expr, $k:expr) => {
                    let wk = add($word, broadcast($k));
                    let t1 = add(add(add($h, wk), choose($e, $f, $g)), big_sigma1($e));
                    let t2 = add(big_sigma0($a), majority($a, $b, $c));
                    $d = add($d, t1);
                    $h = add(t1, t2);
                };
            }
            // Eight rounds bring each variable back to its name.
            macro_rules! rounds8 {
                ($word:ident, $first:literal, $k:expr) => {
                    round!(a b c d e f g h, $word!($first), $k[$first]);
                    round!(h a b c d e f g, $word!($first + 1), $k[$first + 1]);
                    round!(g h a b c d e f, $word!($first + 2), $k[$first + 2]);
                    round!(f g h a b c d e, $word!($first + 3), $k[$first + 3]);
                    round!(e f g h a b c d, $word!($first + 4), $k[$first + 4]);
                    round!(d e f g h a b c, $word!($first + 5), $k[$first + 5]);
                    round!(c d e f g h a b, $word!($first + 6), $k[$first + 6]);
                    round!(b c d e f g h a, $word!($first + 7), $k[$first + 7]);
                };
            }
            // The words of the message as they are.
            macro_rules! message {
                ($t:expr) => {
                    w[$t]
                };
            }
            // The word 16 rounds on, which takes the place of the one it starts from.
            macro_rules! expand {
                ($t:expr) => {{
                    let near = add(small_sigma1(w[($t + 14) % 16]), w[($t + 9) % 16]);
                    let far = add(small_sigma0(w[($t + 1) % 16]), w[$t]);
                    w[$t] = add(near, far);
                    w[$t]
                }};
            }
            let [first, rest @ ..] = &ROUNDS;
            rounds8!(message, 0, first);
            rounds8!(message, 8, first);
            for k in rest {
                rounds8!(expand, 0, k);
                rounds8!(expand, 8, k);
            }
            [a, b, c, d, e, f, g, h]
        }
    };
}

pub(super) use vector_compress;
