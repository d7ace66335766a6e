//! A request that another HTTP implementation has read, held to protocol section 7.

use std::time::SystemTime;

use http::{HeaderMap, Method, Uri, Version, header, request::Parts};

use crate::{
    error::{ErrorKind, Expected, Found, FrameError},
    frame::{self, PlacedField, Rules, Value},
    protocol::{CanonicalSource, FieldList},
    verify::{self, Claim, Policy, Refusal, RequestHead},
};

/// `Parts` that keep to the rows which hold for a structured request, as its parts are signed.
///
/// There are no bytes here, so that every error of a head stands at byte 0, and those of the
/// payload are counted from its first byte.
pub(crate) struct Request<'a> {
    method: &'a [u8],
    path: &'a [u8],
    query: &'a [u8],
    fields: Vec<Field<'a>>,
    content_length: Option<u64>,
}

/// Name and trimmed value.
type Field<'a> = (&'a [u8], &'a [u8]);

impl<'a> Request<'a> {
    /// Checks the rules 7.6, 7.7, 7.9 to 7.11 and 7.15 to 7.18, and the form of the target.
    pub(crate) fn read(parts: &'a Parts, rules: &Rules) -> Result<Self, FrameError> {
        let method = parts.method.as_str().as_bytes();
        frame::check_method(method, 0, rules)?;
        let (path, query) = target(&parts.method, &parts.uri)?;
        let mut fields = fields(&parts.headers)?;
        let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
        // RFC 9113 section 8.3.1, RFC 9114 section 4.3.1: `:authority` stands for Host.
        let is_later = matches!(parts.version, Version::HTTP_2 | Version::HTTP_3);
        if is_later && !parts.headers.contains_key(header::HOST) {
            fields.extend(authority.map(|authority| (&b"host"[..], authority)));
        }
        check_host(&fields, authority)?;
        let content_length = content_length(&parts.method, &parts.headers)?;
        Ok(Self { method, path, query, fields, content_length })
    }
}

impl CanonicalSource for Request<'_> {
    fn method(&self) -> &[u8] {
        self.method
    }

    fn path(&self) -> &[u8] {
        self.path
    }

    fn query(&self) -> &[u8] {
        self.query
    }
}

impl FieldList for Request<'_> {
    fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.fields.iter().map(|(name, _)| *name)
    }

    fn field(&self, index: usize) -> (&[u8], Value<'_>) {
        debug_assert!(index < self.fields.len(), "numbers are those of fields");
        let (name, value) = self.fields.get(index).copied().unwrap_or_default();
        (name, Value::line(value))
    }
}

impl RequestHead for Request<'_> {
    fn head_len(&self) -> u64 {
        0
    }

    fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Strict reading, whatever the version: without a Content-Length there is no payload. So a
    /// payload limit bounds every payload.
    fn expected(&self) -> Option<u64> {
        Some(self.content_length.unwrap_or_default())
    }
}

impl Policy {
    /// [`examine`](Self::examine) for the head of a request that another HTTP implementation has
    /// read, of whatever version (protocol section 7, last paragraph).
    ///
    /// HTTP/2 and HTTP/3 count as HTTP/1.1, with `:authority` as Host if there is no Host. A
    /// payload needs a Content-Length in them as well. Limits of the head are those of the other
    /// implementation. There are no bytes of the head to count, so that errors in it stand at
    /// byte 0, and those in the payload are counted from its first byte.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions};
    /// use framesign::{http::sign_request, verify::Policy};
    ///
    /// let policy = Policy::default();
    /// let (mut parts, ()) = http::Request::get("http://test.com/find?q=a+b").body(())?.into_parts();
    /// let now = SystemTime::now();
    /// let key = SigningKey::derive(&Credentials::new("access", "secret")?, SigningDate::of(now));
    /// let options = SigningOptions::for_policy(&policy);
    /// sign_request(&mut parts, &key, PayloadHash::of(b""), now, &options)?;
    ///
    /// let claim = policy.examine_parts(&parts, now)?;
    /// assert_eq!((claim.access_key(), claim.date()), (&b"access"[..], key.date()));
    /// let verified = claim.check(&[key])?.finish()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A [`Refusal`] with the first check that is not passed.
    pub fn examine_parts(&self, parts: &Parts, now: SystemTime) -> Result<Claim, Refusal> {
        verify::examine(self, &Request::read(parts, self.rules())?, now)
    }
}

/// Path and query of a target that has one of the forms of protocol section 4. Its bytes are taken
/// as they are, since rule 7.8 is for raw frames.
fn target<'a>(method: &Method, uri: &'a Uri) -> Result<(&'a [u8], &'a [u8]), FrameError> {
    let refused = |expected| Err(refuse(ErrorKind::Target, expected, Found::Text("another one")));
    if method == Method::CONNECT {
        // A URI with a scheme has a path as well.
        let is_alone = uri.path_and_query().is_none();
        let authority = uri.authority().map(|authority| authority.as_str().as_bytes());
        let is_form = is_alone && authority.is_some_and(frame::is_authority_form);
        return if is_form {
            Ok((b"", b""))
        } else {
            refused("host and port as target of CONNECT")
        };
    }
    let is_http = uri.scheme_str().is_none_or(|scheme| {
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    });
    match (uri.path(), uri.query()) {
        ("*", None) if method == Method::OPTIONS => Ok((b"", b"")),
        (path, query) if is_http && path.starts_with('/') => {
            Ok((path.as_bytes(), query.unwrap_or_default().as_bytes()))
        }
        _ => refused("a path, or a URI of http or https, as target"),
    }
}

/// The fields. Names are tokens by their type (rule 7.10).
fn fields(headers: &HeaderMap) -> Result<Vec<Field<'_>>, FrameError> {
    let fields = headers.iter().map(|(name, value)| {
        frame::check_structured_value(value.as_bytes())?;
        Ok((name.as_str().as_bytes(), frame::trim(value.as_bytes())))
    });
    fields.collect()
}

/// Holds Host to rule 7.15, and the authority of the target to Host (rule 7.9).
fn check_host(fields: &[Field<'_>], authority: Option<&[u8]>) -> Result<(), FrameError> {
    let mut hosts = fields.iter().filter(|(name, _)| *name == b"host");
    let hosts = [hosts.next(), hosts.next()].map(|host| host.map(|(_, value)| at_zero(value)));
    frame::check_host(hosts, authority.map(|authority| (0, authority)), 0, true)
}

/// Protocol rules 7.16 to 7.18 and 7.25.
fn content_length(method: &Method, headers: &HeaderMap) -> Result<Option<u64>, FrameError> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(frame::transfer_encoding(0));
    }
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let lengths = lengths.map(|length| at_zero(frame::trim(length.as_bytes())));
    frame::content_length(lengths, method == Method::CONNECT, true)
}

/// A value of a field whose errors stand at byte 0, since there are no bytes of a head.
fn at_zero(value: &[u8]) -> PlacedField<'_> {
    PlacedField { name_at: 0, value_at: 0, value: Value::line(value) }
}

#[cold]
fn refuse(kind: ErrorKind, expected: &'static str, found: Found) -> FrameError {
    FrameError::new(kind, 0, Expected::Text(expected), found)
}
