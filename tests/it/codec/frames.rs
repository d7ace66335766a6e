//! Published, generated and random frames as connections: the codec says what the core says.

use framesign::{
    Reading,
    codec::{ConnectionState, SigningCodec},
};
use proptest::{collection::vec, prelude::*, test_runner::Config};

use crate::{
    frames::{cuts, lenient, mutated, valid},
    naive::Settings,
    properties::codec::{check, drive},
    published::Vector,
    stages::key,
    support::{Numbers, head_len},
};

#[test]
fn a_published_frame_that_strict_reading_accepts_has_its_signature() {
    let mut signed = 0;
    for vector in Vector::all() {
        let Some(signature) = vector.expected_line(Reading::Strict, "signature") else { continue };
        let outcome = drive(SigningCodec::new(key()), vector.frame.chunks(7));
        let [frame] = &outcome.frames[..] else { panic!("{}: {outcome:?}", vector.name) };
        assert_eq!(frame.signature.unwrap().to_string(), signature, "{}", vector.name);
        let is_tunnel = vector.frame.starts_with(b"CONNECT");
        let end = if is_tunnel { ConnectionState::Tunnel } else { ConnectionState::Ended };
        assert_eq!(outcome.end, Ok(end), "{}", vector.name);
        signed += 1;
    }
    assert!(signed > 30, "{signed}");
}

#[test]
fn published_frames_are_read_as_the_core_reads_them_however_they_are_cut() {
    let settings = Settings::strict();
    for Vector { name: _, frame, .. } in Vector::all() {
        let mut numbers = Numbers::new(frame.len() as u64);
        for lengths in [vec![frame.len()], vec![1], vec![3, 0, 16], vec![100], vec![5_000]] {
            check(&settings, &frame, &lengths);
        }
        for most in [4, 60, 3_000] {
            let lengths: Vec<_> = (0..9).map(|_| numbers.below(most + 1)).collect();
            check(&settings, &frame, &[&lengths[..], &[1]].concat());
        }
        let head = head_len(&frame);
        let step = (head / 400).max(1);
        for cut in (0..=head).filter(|cut| *cut < 100 || head - cut < 100 || cut % step == 0) {
            check(&settings, &frame, &[cut, frame.len()]);
        }
    }
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => valid(), 1 => lenient(), 1 => mutated()]
}

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(config(1_500))]

    #[test]
    fn generated_frames_in_a_row_are_read_as_the_core_reads_them(
        frames in vec(any_frame(), 1..5),
        lengths in cuts(),
    ) {
        check(&Settings::strict(), &frames.concat(), &lengths);
    }

    #[test]
    fn limits_and_methods_mean_what_they_mean_to_the_core(
        frames in vec(any_frame(), 1..3),
        lengths in cuts(),
        max_head in 0_usize..400,
        max_headers in 0_usize..9,
    ) {
        let methods = vec!["PATCH".to_owned()];
        let settings = Settings { max_head, max_headers, methods, ..Settings::strict() };
        check(&settings, &frames.concat(), &lengths);
    }

    #[test]
    fn random_bytes_are_read_as_the_core_reads_them(
        before in valid(),
        bytes in vec(any::<u8>(), 0..200),
        lengths in cuts(),
    ) {
        check(&Settings::strict(), &bytes, &lengths);
        check(&Settings::strict(), &[before, bytes].concat(), &lengths);
    }
}
