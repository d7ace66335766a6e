//! One state: alone, saved and restored, and what it shows.

use sha256_multi::{InvalidState, State, finalize_many, update_many};

use crate::{noise, oracle};

#[test]
fn alone_every_length_and_cut() {
    let message = noise(if cfg!(miri) { 70 } else { 260 }, 5);
    for length in 0..=message.len() {
        for cut in (0..=length).step_by(if cfg!(miri) { 9 } else { 1 }) {
            let mut state = State::new();
            state.update(&message[..cut]);
            state.update(&message[cut..length]);
            assert_eq!(state.len(), length as u64);
            assert_eq!(
                state.finalize(),
                oracle(&message[..length]),
                "{length} bytes, cut at {cut}"
            );
        }
    }
}

#[test]
fn saved_at_every_byte() {
    let message = noise(if cfg!(miri) { 66 } else { 200 }, 6);
    for cut in 0..=message.len() {
        let mut state = State::new();
        state.update(&message[..cut]);
        let mut restored = State::from_bytes(&state.to_bytes()).unwrap();
        restored.update(&message[cut..]);
        assert_eq!(restored.finalize(), oracle(&message), "saved at {cut}");
    }
}

/// The layout stays: states outlive the program that saved them.
#[test]
fn saved_layout_is_words_length_and_block() {
    let mut state = State::new();
    state.update(b"abc");
    let saved = state.to_bytes();
    let initial = "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19";
    assert_eq!(hex::encode(saved), format!("{initial}0000000000000003616263{}", "00".repeat(61)));
}

#[test]
fn bytes_of_an_earlier_block_are_not_saved() {
    let mut state = State::new();
    state.update(&[0xff; 64]);
    state.update(b"a");
    assert_eq!(state.to_bytes()[40..], [&b"a"[..], &[0; 63]].concat());
}

#[test]
fn length_of_no_message_is_refused() {
    let mut saved = State::new().to_bytes();
    saved[32] = 0x20;
    assert_eq!(State::from_bytes(&saved).unwrap_err(), InvalidState::Length);
    saved[32..40].copy_from_slice(&((1_u64 << 61) - 64).to_be_bytes());
    assert_eq!(State::from_bytes(&saved).unwrap().len(), (1 << 61) - 64);
}

#[test]
fn bytes_behind_the_block_are_refused() {
    let mut state = State::new();
    state.update(b"abc");
    for place in 43..State::SAVED {
        let mut saved = state.to_bytes();
        saved[place] = 1;
        let error = State::from_bytes(&saved).unwrap_err();
        assert_eq!(error, InvalidState::Block(place));
        assert_eq!(
            error.to_string(),
            format!("expected zeros behind the bytes of the block, found another at byte {place}")
        );
    }
}

#[test]
fn debug_shows_the_length_alone() {
    let mut state = State::new();
    state.update(b"secret");
    assert_eq!(format!("{state:?}"), "State { length: 6, .. }");
}

#[test]
fn finalize_many_leaves_the_states_as_they_were() {
    let mut states = [State::new(), State::new()];
    let mut digests = [[0; 32]; 2];
    for message in ["a", "ab"] {
        let [first, second] = &mut states;
        update_many(&mut [(first, &message.as_bytes()[message.len() - 1..]), (second, b"")]);
        let [first, second] = &mut digests;
        finalize_many(&mut [(&states[0], first), (&states[1], second)]);
        assert_eq!(digests, [oracle(message.as_bytes()), oracle(b"")]);
    }
}

#[cfg(feature = "zeroize")]
#[test]
fn dropped_state_is_zero() {
    use std::{mem::ManuallyDrop, slice};

    let mut state = ManuallyDrop::new(State::new());
    state.update(b"secret");
    // SAFETY: it is dropped once, here.
    unsafe { ManuallyDrop::drop(&mut state) };
    // SAFETY: the memory is still that of the variable; numbers and bytes without padding between.
    let bytes =
        unsafe { slice::from_raw_parts((&raw const state).cast::<u8>(), size_of::<State>()) };
    assert!(bytes.iter().all(|&byte| byte == 0), "{bytes:?}");
}
