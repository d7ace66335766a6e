//! Signing a structured request: the fields of a signed frame, inserted.

use std::{slice, time::SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};

use super::request::Request;
use crate::{
    error::{ApiMisuse, FrameError},
    frame::{self, Limits, Rules},
    payload::{self, PayloadLength, PayloadState},
    protocol::{PayloadHash, SigningKey},
    signing::{self, NONCE, SigningError, SigningOptions},
    verify::{CONTENT_DIGEST, FieldNames, RequestHead, TIMESTAMP},
};

/// Makes a signed frame of a request that is about to be sent (protocol section 9).
///
/// Inserted are:
///
/// - Host, the authority of the URI as it stands, unless it is there: so that no client has to add
///   it later;
/// - Timestamp, which is `now`, unless it is there;
/// - Content-Digest, unless it is there or the options say otherwise. One that is there is kept, as
///   [`sign_head`](crate::sign_head) keeps it;
/// - the nonce, `dynata-nonce`, unless it is there or the options say otherwise;
/// - the access key and the date, which are those of `key`, and the signature.
///
/// `payload` is the hash of the body that will be sent. A body needs a Content-Length, which is the
/// caller's to insert, and it is not sent chunked; without one there is no body. The limits of
/// `options` count the lines and bytes of the head as HTTP/1.1 writes it.
///
/// **Every field is signed.** What a client adds after this breaks the signature, and so does a
/// redirect that it follows. Insert beforehand whatever it would add: reqwest adds `accept: */*`
/// if there is no Accept, the default fields of the client, and Accept-Encoding if a
/// decompression is turned on; the client of hyper-util adds nothing but what is explicit already.
///
/// ```
/// use std::time::SystemTime;
/// use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions};
/// use framesign::http::sign_request;
///
/// let body = "hello";
/// let request = http::Request::put("http://test.com/up?part=1")
///     .header("content-length", body.len())
///     .header("accept", "*/*")
///     .body(body)?;
///
/// let now = SystemTime::now();
/// let key = SigningKey::derive(&Credentials::new("access", "secret")?, SigningDate::of(now));
/// let (mut parts, body) = request.into_parts();
/// let payload = PayloadHash::of(body.as_bytes());
/// sign_request(&mut parts, &key, payload, now, &SigningOptions::default())?;
/// let request = http::Request::from_parts(parts, body);
///
/// assert_eq!(request.headers()["host"], "test.com");
/// assert_eq!(request.headers()["content-digest"], payload.content_digest());
/// assert_eq!(request.headers()["dynata-access-key"], "access");
/// assert_eq!(request.headers()["dynata-signature"].len(), 64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Signing again
///
/// A request that is sent again, after a 503 say, is signed again: what this function inserted
/// before is replaced, and what the caller inserted stays, a Timestamp, a Content-Digest or a nonce too. The
/// extensions of `parts` say what is whose. So keep the parts, or a clone of them with their
/// extensions. Host is replaced if the URI has an authority.
///
/// # Errors
///
/// The parts stay as they were.
///
/// [`SigningError::Frame`] if they break a rule of protocol section 7, exceed a limit, or have a
/// Content-Length that contradicts `payload`: `trailing-bytes` if the payload is not empty and
/// there is none above 0, `truncated-body` if it is empty and there is one.
///
/// [`SigningError::Misuse`] with [`SignedAlready`](ApiMisuse::SignedAlready) if somebody else has
/// inserted one of the three fields, [`AccessKeyNotVisible`](ApiMisuse::AccessKeyNotVisible) or
/// [`EmptyAccessKey`](ApiMisuse::EmptyAccessKey) if the access key cannot stand in a field,
/// [`ContentDigest`](ApiMisuse::ContentDigest) if the request claims another hash than `payload`,
/// [`Nonce`](ApiMisuse::Nonce) if it has a nonce that is none.
///
/// [`SigningError::Refused`] if the options have a policy, and it refuses the request.
pub fn sign_request(
    parts: &mut Parts,
    key: &SigningKey,
    payload: PayloadHash,
    now: SystemTime,
    options: &SigningOptions,
) -> Result<(), SigningError> {
    let before = parts.headers.clone();
    match sign(parts, key, payload, now, options) {
        Ok(inserted) => {
            parts.extensions.insert(inserted);
            Ok(())
        }
        Err(error) => {
            parts.headers = before;
            Err(error)
        }
    }
}

fn sign(
    parts: &mut Parts,
    key: &SigningKey,
    payload: PayloadHash,
    now: SystemTime,
    options: &SigningOptions,
) -> Result<Inserted, SigningError> {
    signing::check_access_key(key.access_key())?;
    remove_inserted(parts);
    let mut inserted = Inserted::default();
    if let (Some(host), false) = (parts.uri.authority(), parts.headers.contains_key(header::HOST)) {
        inserted.insert(&mut parts.headers, header::HOST.as_str(), host.as_str())?;
    }
    let request = Request::read(parts, options.rules())?;
    signing::check_unsigned(&request, options.field_names())?;
    payload::check_hash(request.expected(), payload, 0)?;
    let nonce = signing::new_nonce(&request, options)?;
    if !signing::check_digest(&request, payload)? && options.adds_content_digest() {
        let digest = payload.content_digest();
        inserted.insert(&mut parts.headers, CONTENT_DIGEST, &digest)?;
    }
    if !parts.headers.contains_key(TIMESTAMP) {
        inserted.insert(&mut parts.headers, TIMESTAMP, &signing::timestamp(now))?;
    }
    if let Some(nonce) = nonce {
        inserted.insert(&mut parts.headers, NONCE, &nonce)?;
    }
    let names = options.field_names();
    inserted.insert(&mut parts.headers, names.access_key(), key.access_key())?;
    inserted.insert(&mut parts.headers, names.date(), &key.date().to_string())?;
    let signature = signature(parts, key, payload, options.rules(), names)?;
    inserted.insert(&mut parts.headers, names.signature(), &signature)?;
    check_limits(parts, &options.rules().limits)?;
    if let Some(policy) = options.policy() {
        policy.examine_parts(parts, now)?.check(slice::from_ref(key)).map(drop)?;
    }
    Ok(inserted)
}

fn signature(
    parts: &Parts,
    key: &SigningKey,
    payload: PayloadHash,
    rules: &Rules,
    names: &FieldNames,
) -> Result<String, FrameError> {
    let request = Request::read(parts, rules)?;
    let left_out = Some(names.signature());
    let mut signed =
        PayloadState::of_request(&request, left_out, PayloadLength::new(0, request.expected()));
    Ok(key.sign(&signed.string_to_sign(payload)).to_string())
}

/// The fields that were inserted into a request, kept in its extensions: they are replaced when the
/// request is signed again, and no others are.
#[derive(Clone, Default)]
struct Inserted(Vec<(HeaderName, HeaderValue)>);

impl Inserted {
    /// Names are tokens and values visible ASCII; only a name of absurd length is refused here.
    fn insert(
        &mut self,
        headers: &mut HeaderMap,
        name: &str,
        value: &str,
    ) -> Result<(), ApiMisuse> {
        let name = HeaderName::try_from(name).map_err(|_| ApiMisuse::FieldName)?;
        let value = HeaderValue::try_from(value).map_err(|_| ApiMisuse::AccessKeyNotVisible)?;
        headers.insert(&name, value.clone());
        self.0.push((name, value));
        Ok(())
    }
}

/// Removes what was inserted when the request was signed before. A field whose value has changed
/// since, or that has a further line, is the caller's; so is Host if nothing would replace it.
fn remove_inserted(parts: &mut Parts) {
    let Some(Inserted(fields)) = parts.extensions.get() else { return };
    for (name, value) in fields {
        let is_kept = name == header::HOST && parts.uri.authority().is_none();
        if !is_kept && parts.headers.get_all(name).iter().eq([value]) {
            parts.headers.remove(name);
        }
    }
}

/// Holds the head, as HTTP/1.1 writes it in origin-form, to protocol rules 7.23 and 7.24.
fn check_limits(parts: &Parts, limits: &Limits) -> Result<(), FrameError> {
    if parts.headers.len() > limits.max_headers {
        return Err(frame::too_many_headers(limits.max_headers, 0));
    }
    // That of CONNECT has no path: what was read from it before is of its form.
    let target = match parts.uri.path_and_query() {
        Some(target) => target.as_str(),
        None => parts.uri.authority().map_or("", |authority| authority.as_str()),
    };
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + b": \r\n".len() + value.len()
    };
    let request_line = parts.method.as_str().len() + target.len() + b"  HTTP/1.1\r\n".len();
    let fields: usize = parts.headers.iter().map(line).sum();
    if request_line + fields + b"\r\n".len() > limits.max_head {
        return Err(frame::head_too_large(limits.max_head).at(0));
    }
    Ok(())
}
