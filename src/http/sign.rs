//! Signing a structured request: the fields of a signed frame, inserted.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};

use super::request::Request;
use crate::{
    error::{Error, ErrorKind, Expected, Found, FrameError, InputError},
    payload::Payload,
    protocol::{Credentials, PayloadHash, SigningDate, SigningKey},
    verify::{self, FieldNames, Policy, Signed, TIMESTAMP},
};

/// Makes a signed frame of a request that is about to be sent (protocol section 9).
///
/// Inserted are, each unless it is there:
///
/// - Host, the authority of the URI as it stands, so that no client has to add it later;
/// - Timestamp, which is `now`;
/// - the access key, the date, which is that of `now` in UTC, and the signature.
///
/// `payload` is the hash of the body that will be sent. A body needs a Content-Length, which is the
/// caller's to insert, and it is not sent chunked; without one there is no body. Method, URI and
/// fields are held to what a verifier that works by `policy` asks for.
///
/// **Every field is signed.** What a client adds after this breaks the signature, and so does a
/// redirect that it follows. Insert beforehand whatever it would add: reqwest adds `accept: */*`
/// where there is no Accept, the default fields of the client, and Accept-Encoding where a
/// decompression is turned on; the client of hyper-util adds nothing but what is explicit already.
///
/// ```
/// use std::time::SystemTime;
/// use framesign::{Credentials, PayloadHash, http::sign_request, verify::Policy};
///
/// let body = "hello";
/// let request = http::Request::put("http://test.com/up?part=1")
///     .header("content-length", body.len())
///     .header("accept", "*/*")
///     .body(body)?;
///
/// let (mut parts, body) = request.into_parts();
/// let credentials = Credentials::new("access", "secret")?;
/// let payload = PayloadHash::of(body.as_bytes());
/// sign_request(&mut parts, &credentials, payload, SystemTime::now(), &Policy::default())?;
/// let request = http::Request::from_parts(parts, body);
///
/// assert_eq!(request.headers()["host"], "test.com");
/// assert_eq!(request.headers()["dynata-access-key"], "access");
/// assert_eq!(request.headers()["dynata-signature"].len(), 64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The parts stay as they were. [`Error::Frame`] where they break a rule of protocol section 7, or
/// where a body cannot be of the length given: `trailing-bytes` for a body without a
/// Content-Length, `truncated-body` for none where there is one. [`Error::Input`] with
/// [`SignedAlready`](InputError::SignedAlready) where one of the three fields is there already,
/// [`AccessKeyNotVisible`](InputError::AccessKeyNotVisible) where the access key cannot stand in a
/// field.
pub fn sign_request(
    parts: &mut Parts,
    credentials: &Credentials,
    payload: PayloadHash,
    now: SystemTime,
    policy: &Policy,
) -> Result<(), Error> {
    let before = parts.headers.clone();
    let result = seal(parts, credentials, payload, now, policy);
    if result.is_err() {
        parts.headers = before;
    }
    result
}

fn seal(
    parts: &mut Parts,
    credentials: &Credentials,
    payload: PayloadHash,
    now: SystemTime,
    policy: &Policy,
) -> Result<(), Error> {
    verify::check_access_key(credentials.access_key())?;
    insert_host(parts)?;
    let request = Request::read(parts, policy.rules())?;
    verify::check_unsigned(&request, policy.field_names())?;
    check_length(&request, payload)?;
    let (names, date) = (policy.field_names(), SigningDate::of(now));
    insert_fields(&mut parts.headers, names, credentials.access_key(), date, now)?;

    let request = Request::read(parts, policy.rules())?;
    let left_out = Some(names.signature());
    let mut signed = Payload::of_request(&request, left_out, 0, request.expected());
    let key = SigningKey::derive(credentials, date);
    let signature = key.sign(&signed.string_to_sign(payload));
    insert(&mut parts.headers, names.signature(), &signature.to_string())
}

/// Clients add it later: then it would not be signed.
fn insert_host(parts: &mut Parts) -> Result<(), Error> {
    match parts.uri.authority() {
        Some(authority) if !parts.headers.contains_key(header::HOST) => {
            insert(&mut parts.headers, header::HOST.as_str(), authority.as_str())
        }
        _ => Ok(()),
    }
}

fn insert_fields(
    headers: &mut HeaderMap,
    names: &FieldNames,
    access_key: &str,
    date: SigningDate,
    now: SystemTime,
) -> Result<(), Error> {
    if !headers.contains_key(TIMESTAMP) {
        insert(headers, TIMESTAMP, &verify::timestamp(now))?;
    }
    insert(headers, names.access_key(), access_key)?;
    insert(headers, names.date(), &date.to_string())
}

/// Names are tokens and values visible ASCII; only a name of absurd length is refused here.
fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Error> {
    let name = HeaderName::try_from(name).map_err(|_| InputError::FieldName)?;
    let value = HeaderValue::try_from(value).map_err(|_| InputError::AccessKeyNotVisible)?;
    headers.insert(name, value);
    Ok(())
}

/// Finds a forgotten Content-Length here, where it can be told from a wrong signature.
fn check_length(request: &Request<'_>, payload: PayloadHash) -> Result<(), FrameError> {
    let is_empty = payload == PayloadHash::of(b"");
    match (request.expected().unwrap_or_default(), is_empty) {
        (0, false) => Err(Payload::trailing_at(0)),
        (length @ 1.., true) => {
            let expected = Expected::Count(length, "bytes of payload");
            Err(FrameError::new(ErrorKind::TruncatedBody, 0, expected, Found::Count(0)))
        }
        _ => Ok(()),
    }
}
