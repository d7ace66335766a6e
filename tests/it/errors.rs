//! Messages of errors: each is said once along the chain of sources, whatever error holds another.

use std::{error::Error, fmt, io};

use framesign::{ApiMisuse, Credentials, FrameError, Rules, frame::HeadReader};

/// What went wrong elsewhere, for a cause that its message leaves out.
#[derive(Debug)]
struct Down;

#[derive(Debug)]
struct Cut;

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is down")
    }
}

impl Error for Down {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&Cut)
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cable is cut")
    }
}

impl Error for Cut {}

fn down() -> io::Error {
    io::Error::other(Down)
}

fn frame_error() -> FrameError {
    HeadReader::new(Rules::strict()).read(b"GET /\r\n").unwrap_err()
}

fn misuse() -> ApiMisuse {
    Credentials::new("access", "").unwrap_err()
}

const MISUSE: &str = "expected a secret key, found an empty one";

/// Holds that the messages of `error` and of its sources begin with these, one each.
fn check(error: &(dyn Error + 'static), expected: &[&str]) {
    let chain = std::iter::successors(Some(error), |error: &&dyn Error| (*error).source());
    let chain: Vec<_> = chain.map(ToString::to_string).collect();
    assert_eq!(chain.len(), expected.len(), "{chain:?}");
    for (message, expected) in chain.iter().zip(expected) {
        assert!(message.starts_with(expected), "expected {expected}, found {message}");
    }
}

/// What is below the message of [`down`], which is part of the first.
const BELOW: &str = "the cable is cut";

#[test]
fn an_error_of_signing_in_one_call_is_the_one_that_it_holds() {
    use framesign::Error;
    check(&Error::Misuse(misuse()), &[MISUSE]);
    check(&Error::Frame(frame_error()), &[&frame_error().to_string()]);
    check(&Error::Io(down()), &["it is down", BELOW]);
}

#[cfg(feature = "verify")]
mod verify {
    use std::time::SystemTime;

    use framesign::{
        SigningError,
        verify::{Policy, Refusal},
    };

    use super::*;

    pub(super) fn refusal() -> Refusal {
        let policy = Policy::default();
        let mut reader = HeadReader::new(policy.rules().clone());
        let head = reader.read(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap().unwrap();
        policy.examine(&head, SystemTime::UNIX_EPOCH).unwrap_err()
    }

    pub(super) const REFUSAL: &str = "missing-field: ";

    #[test]
    fn a_refusal_says_the_error_of_its_frame_once() {
        check(&refusal(), &[REFUSAL]);
        check(&Refusal::from(frame_error()), &[&format!("frame: {}", frame_error())]);
    }

    #[test]
    fn an_error_of_signing_is_the_one_that_it_holds() {
        check(&SigningError::from(misuse()), &[MISUSE]);
        check(&SigningError::from(frame_error()), &[&frame_error().to_string()]);
        check(&SigningError::from(refusal()), &[REFUSAL]);
    }
}

#[cfg(feature = "replay")]
mod replay {
    use framesign::replay::{ReplayError, ReplayStoreError};

    use super::{
        verify::{REFUSAL, refusal},
        *,
    };

    pub(super) const UNAVAILABLE: &str =
        "it cannot be known whether the frame came before: it is down";

    pub(super) fn unavailable() -> ReplayStoreError {
        ReplayStoreError::new(Down)
    }

    #[test]
    fn an_error_of_a_store_says_its_cause() {
        check(&unavailable(), &[UNAVAILABLE, BELOW]);
        check(&ReplayError::Unavailable(unavailable()), &[UNAVAILABLE, BELOW]);
        check(&ReplayError::from(refusal()), &[REFUSAL]);
        check(&ReplayError::from(frame_error()), &[&format!("frame: {}", frame_error())]);
        assert_eq!(format!("{:?}", unavailable()), "ReplayStoreError(Down)");
    }

    #[test]
    fn an_error_of_a_store_is_the_same_as_its_clone_alone() {
        let error = unavailable();
        assert_eq!(error, error.clone());
        assert_ne!(error, unavailable());
    }
}

#[cfg(all(feature = "codec", feature = "replay"))]
#[test]
fn an_error_of_a_codec_is_the_one_that_it_holds() {
    use framesign::codec::{CodecError, CodecMisuse};

    use self::{
        replay::{UNAVAILABLE, unavailable},
        verify::{REFUSAL, refusal},
    };

    check(&CodecError::from(frame_error()), &[&frame_error().to_string()]);
    check(&CodecError::from(refusal()), &[REFUSAL]);
    check(&CodecError::Unavailable(unavailable()), &[UNAVAILABLE, BELOW]);
    check(&CodecError::from(CodecMisuse::NoKey), &["the frame has no key yet: call `provide`"]);
    check(&CodecError::from(down()), &["it is down", BELOW]);
}

#[cfg(feature = "http")]
#[test]
fn an_error_of_a_body_is_the_one_that_it_holds() {
    use framesign::http::{BodyError, NotVerified};

    use self::{
        replay::{UNAVAILABLE, unavailable},
        verify::{REFUSAL, refusal},
    };

    check(&BodyError::Body(Box::new(Down)), &["it is down", BELOW]);
    check(&BodyError::from(frame_error()), &[&frame_error().to_string()]);
    check(&BodyError::from(refusal()), &[REFUSAL]);
    check(&BodyError::Unavailable(unavailable()), &[UNAVAILABLE, BELOW]);
    check(&NotVerified::Unfinished, &["the body has not been read to its end: read it"]);
    check(&NotVerified::Refused(refusal()), &[REFUSAL]);
    check(&NotVerified::Unavailable(unavailable()), &[UNAVAILABLE, BELOW]);
}

#[cfg(feature = "client")]
#[test]
fn an_error_of_a_client_says_the_file_and_its_cause() {
    use framesign::client::NotSigned;

    check(&NotSigned::from(misuse()), &[MISUSE]);
    let path = "up.bin".into();
    check(&NotSigned::File { path, error: down() }, &["up.bin: it is down", BELOW]);
    check(&NotSigned::Runtime(down()), &["the payload was not hashed: it is down", BELOW]);
    check(&NotSigned::UnknownHash, &["expected a body whose hash is known, found a stream; "]);
    check(&NotSigned::Url, &["expected a URL with a host, found another one"]);
    let length = NotSigned::ContentLength { field: 7, body: 8 };
    check(&length, &["expected 8, the length of the body, in Content-Length, found 7; "]);
}

#[cfg(feature = "tower-sign")]
#[test]
fn an_error_of_sending_is_that_of_signing_or_of_the_client() {
    use framesign::{client::NotSigned, tower::SendError};

    check(&SendError::<Down>::NotSigned(misuse().into()), &[MISUSE]);
    let file = NotSigned::Runtime(down());
    let message = "the payload was not hashed: it is down";
    check(&SendError::<Down>::NotSigned(file), &[message, BELOW]);
    check(&SendError::Client(Down), &["it is down", BELOW]);
}

#[cfg(feature = "secrets-file")]
#[test]
fn an_error_of_a_store_of_secrets_says_its_cause() {
    use framesign::secrets::{ReadError, StoreError};

    let error = StoreError::new(Down);
    let message = "the live secrets of an access key cannot be had: it is down";
    check(&error, &[message, BELOW]);
    assert_eq!(format!("{error:?}"), "StoreError(Down)");
    check(&ReadError::Io(down()), &["it is down", BELOW]);
}
