//! The published signed frames through the verifying codec.

use std::sync::Arc;

use bytes::BytesMut;
use framesign::{
    ErrorKind, SigningKey,
    codec::{CodecError, CodecMisuse, ConnectionState, VerifyingCodec, VerifyingEvent},
    verify::{Claim, Reason, Refusal, Verified, Verifier},
};
use tokio_util::codec::Decoder;

use crate::{
    signed::Case,
    support::{Numbers, head_len, random_chunks},
};

/// How the keys come to the codec.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Keys {
    LookedUp,
    PerFrame,
}

impl Case {
    pub(super) fn codec(self: &Arc<Self>, keys: Keys) -> VerifyingCodec {
        let (case, now) = (Arc::clone(self), self.now);
        let codec = match keys {
            Keys::LookedUp => {
                VerifyingCodec::new(self.policy.clone(), move |claim: &Claim| case.keys(claim))
            }
            Keys::PerFrame => VerifyingCodec::with_keys_per_frame(self.policy.clone()),
        };
        codec.clock(move || now)
    }

    /// What the core says of a frame.
    fn by_core(&self, frame: &[u8]) -> Result<Verified, Refusal> {
        let mut verifier =
            Verifier::new(&self.policy, |claim: &Claim| self.keys(claim), || self.now);
        verifier.update(frame)?;
        verifier.finish()
    }

    /// The part of the input that is a frame by itself: on a connection bytes that follow it would
    /// be another one.
    pub(super) fn frame_alone(&self) -> &[u8] {
        match self.by_core(&self.frame).map_err(|refusal| refusal.frame_error().cloned()) {
            Err(Some(error)) if error.kind() == ErrorKind::TrailingBytes => {
                &self.frame[..usize::try_from(error.offset()).unwrap()]
            }
            _ => &self.frame,
        }
    }

    fn by_codec<'a>(
        self: &Arc<Self>,
        keys: Keys,
        reads: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Verified, Refusal> {
        let mut codec = self.codec(keys);
        let mut buffer = BytesMut::new();
        let mut verified = None;
        let mut reads = reads.into_iter();
        loop {
            let read = reads.next();
            buffer.extend_from_slice(read.unwrap_or_default());
            while let Some(event) = match read {
                Some(_) => codec.decode(&mut buffer).map_err(refusal)?,
                None => codec.decode_eof(&mut buffer).map_err(refusal)?,
            } {
                match event {
                    VerifyingEvent::Head(_, claim) if keys == Keys::PerFrame => {
                        codec.provide(self.keys(&claim)).unwrap();
                    }
                    VerifyingEvent::Verified(by) => verified = Some(by),
                    _ => {}
                }
                if !matches!(codec.state(), ConnectionState::Open) {
                    break;
                }
            }
            if read.is_none() || codec.state() != ConnectionState::Open {
                return Ok(verified.expect("one frame"));
            }
        }
    }
}

fn refusal(error: CodecError) -> Refusal {
    match error {
        CodecError::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

#[test]
fn every_case_is_verified_or_refused_as_the_core_does() {
    let mut alone = 0;
    for case in Case::all().into_iter().map(Arc::new) {
        let frame = case.frame_alone();
        let expected = case.by_core(frame);
        if frame.len() == case.frame.len() {
            case.check("by the core", &expected);
            alone += 1;
        }
        for keys in [Keys::LookedUp, Keys::PerFrame] {
            let check = |how: &str, reads: Vec<&[u8]>| {
                assert_eq!(case.by_codec(keys, reads), expected, "{} {keys:?} {how}", case.name);
            };
            check("whole", vec![frame]);
            check("byte by byte", frame.chunks(1).collect());
            let mut numbers = Numbers::new(frame.len() as u64);
            for most in [2, 7, 40] {
                check("in random reads", random_chunks(frame, most, &mut numbers));
            }
            for cut in 0..=frame.len() {
                check(&format!("cut at {cut}"), vec![&frame[..cut], &frame[cut..]]);
            }
        }
    }
    assert!(alone >= 75, "{alone}");
}

pub(super) fn valid() -> Arc<Case> {
    Case::all().into_iter().find(|case| case.name == "fresh").map(Arc::new).unwrap()
}

#[test]
fn frames_of_one_connection_are_verified_one_by_one() {
    let case = valid();
    let mut codec = case.codec(Keys::LookedUp);
    let mut tampered = case.frame.clone();
    *tampered.last_mut().unwrap() ^= 1;
    let mut buffer = BytesMut::from(&[&case.frame[..], &case.frame, &tampered].concat()[..]);
    let mut verified = 0;
    let error = loop {
        match codec.decode(&mut buffer) {
            Ok(Some(VerifyingEvent::Verified(_))) => verified += 1,
            Ok(Some(_)) => {}
            Ok(None) => panic!("{verified} of 2, then an end"),
            Err(error) => break error,
        }
    };
    assert_eq!(verified, 2);
    let first = refusal(error);
    assert_ne!(first.reason(), Reason::MissingField);
    assert_eq!(codec.state(), ConnectionState::Failed);
    // The same again, and nothing of what follows.
    buffer.extend_from_slice(&case.frame);
    assert_eq!(refusal(codec.decode(&mut buffer).unwrap_err()), first);
    assert!(buffer.is_empty());
}

#[test]
fn an_unknown_key_is_refused_before_a_byte_of_payload_is_taken() {
    let case = valid();
    for keys in [Keys::LookedUp, Keys::PerFrame] {
        let mut codec = match keys {
            Keys::LookedUp => VerifyingCodec::new(case.policy.clone(), |_: &Claim| Vec::new()),
            Keys::PerFrame => VerifyingCodec::with_keys_per_frame(case.policy.clone()),
        };
        let now = case.now;
        codec = codec.clock(move || now);
        let mut buffer = BytesMut::from(&case.frame[..]);
        if keys == Keys::PerFrame {
            assert!(matches!(codec.decode(&mut buffer), Ok(Some(VerifyingEvent::Head(..)))));
            codec.provide(Vec::new()).unwrap();
        }
        let refused = refusal(codec.decode(&mut buffer).unwrap_err());
        assert_eq!((refused.reason(), refused.status()), (Reason::UnknownKey, 401));
    }
}

#[test]
fn a_payload_without_a_claim_is_refused_at_its_head_where_one_is_required() {
    let case = valid();
    let policy = case.policy.clone().require_content_digest();
    let (keys, now) = (Arc::clone(&case), case.now);
    let codec = VerifyingCodec::new(policy, move |claim: &Claim| keys.keys(claim));
    let mut codec = codec.clock(move || now);
    let mut buffer = BytesMut::from(&case.frame[..head_len(&case.frame)]);
    let refused = refusal(codec.decode(&mut buffer).unwrap_err());
    assert_eq!((refused.reason(), refused.status()), (Reason::DigestRequired, 400));
}

#[test]
fn going_on_without_keys_is_a_misuse_that_loses_nothing() {
    let case = valid();
    let mut codec = case.codec(Keys::PerFrame);
    let mut buffer = BytesMut::from(&case.frame[..]);
    let unasked = |result| assert_eq!(result, Err(CodecMisuse::UnaskedKey));
    unasked(codec.provide(Vec::new()));
    let Ok(Some(VerifyingEvent::Head(head, claim))) = codec.decode(&mut buffer) else { panic!() };
    let received = buffer.clone();
    let misuse = codec.decode(&mut buffer).unwrap_err();
    assert!(matches!(misuse, CodecError::Misuse(CodecMisuse::NoKey)), "{misuse}");
    assert_eq!((buffer.clone(), codec.state()), (received, ConnectionState::Open));
    let keys: Vec<SigningKey> = case.keys(&claim);
    codec.provide(keys.clone()).unwrap();
    unasked(codec.provide(keys));
    loop {
        match codec.decode(&mut buffer).unwrap() {
            Some(VerifyingEvent::Verified(by)) => {
                break assert_eq!(by.access_key(), claim.access_key());
            }
            Some(event) => assert!(matches!(event, VerifyingEvent::Data(_)), "{head:?}"),
            None => panic!("the frame is whole"),
        }
    }
    unasked(codec.provide(Vec::new()));
}

/// Whether a connection that receives `frame` and ends has it verified, and nothing else.
fn is_verified(case: &Arc<Case>, frame: &[u8]) -> bool {
    let mut codec = case.codec(Keys::LookedUp);
    let mut buffer = BytesMut::from(frame);
    let mut verified = false;
    while let Ok(Some(event)) = codec.decode_eof(&mut buffer) {
        verified |= matches!(event, VerifyingEvent::Verified(_));
    }
    verified && codec.state() == ConnectionState::Ended
}

#[test]
fn a_frame_of_which_a_bit_is_flipped_is_refused() {
    let case = valid();
    assert!(is_verified(&case, &case.frame));
    let head = head_len(&case.frame);
    for at in 0..case.frame.len() {
        for bit in 0..8 {
            let mut frame = case.frame.clone();
            frame[at] ^= 1 << bit;
            // The case of a field's name is not signed.
            let line = frame[..at].rsplit(|&byte| byte == b'\n').next().unwrap();
            let is_name = line.len() < at && at < head && !line.contains(&b':');
            let is_case = is_name && bit == 5 && frame[at].is_ascii_alphabetic();
            assert_eq!(is_verified(&case, &frame), is_case, "bit {bit} of byte {at}");
        }
    }
}
