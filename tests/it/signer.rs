//! What a signer tells on the way, and how it begins anew.

use framesign::{Limits, PayloadHash, Rules, Signer};

use crate::stages::key;

const HEAD: &[u8] = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";

#[test]
fn progress_is_that_of_the_payload() {
    let mut signer = Signer::new(&key());
    assert_eq!(signer.progress(), None);
    signer.update(&HEAD[..20]).unwrap();
    assert_eq!(signer.progress(), None);
    signer.update(&HEAD[20..]).unwrap();
    for (chunk, seen) in [(&b""[..], 0), (b"he", 2), (b"llo", 5)] {
        signer.update(chunk).unwrap();
        let progress = signer.progress().unwrap();
        assert_eq!((progress.seen, progress.expected), (seen, Some(5)));
    }
    signer.update(b"!").unwrap_err();
    assert_eq!(signer.progress(), None);
}

#[test]
fn a_reset_drops_the_frame_wherever_it_is() {
    let frame = [HEAD, b"hello"].concat();
    let mut signer = Signer::new(&key());
    signer.update(HEAD).unwrap();
    let expected = signer.finish_with(PayloadHash::of(b"hello")).unwrap();
    let mut signer = Signer::new(&key());
    for (dropped, is_refused) in [
        (&frame[..0], false),
        (&frame[..20], false),
        (HEAD, false),
        (&frame[..frame.len() - 1], false),
        (b"no head\n\n", true),
    ] {
        assert_eq!(signer.update(dropped).is_err(), is_refused);
        signer.reset();
        assert_eq!(signer.progress(), None);
        signer.update(&frame).unwrap();
        assert_eq!(signer.finish_reset(), Ok(expected));
    }
}

#[test]
fn limits_are_told_as_they_are_set() {
    let limits = Limits::default().max_head(1000).max_headers(7);
    assert_eq!(Rules::strict().limits(limits.clone()).head_limits(), &limits);
    assert_ne!(limits, Limits::default());
}
