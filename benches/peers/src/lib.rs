//! Example 2 of the protocol, signed by framesign and by two others.
//!
//! Each is used as its documentation shows, and whatever it lets a caller prepare for many
//! requests is prepared. The signatures cannot be equal:
//!
//! - dynata-sig signs by another of Dynata's rules: method, absolute URI and body in a row, no
//!   headers, and a first HMAC keyed by an expiration time. It refuses a parameter that comes
//!   twice, so it gets the two values of `test` joined already.
//! - aws-sigv4 signs with AWS Signature Version 4.

use std::{
    error::Error,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::{
    http_request::{self, SignableBody, SignableRequest, SigningError, SigningSettings},
    sign::v4,
};
use aws_smithy_runtime_api::client::identity::Identity;
use dynata_sig::{
    http::{CanonicalUri, CanonicalizationError},
    signature::{Key, Signer as _},
    time::Timestamp,
};
use framesign::{ApiMisuse, Credentials, FrameError, Signature, Signer, SigningDate, SigningKey};
use http::{Method, Uri};

/// 1 August 2023, the date of the example, since the epoch.
const DAY: Duration = Duration::from_hours(19_570 * 24);
const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// The request as bytes.
pub const FRAME: &[u8] = include_bytes!("../../../tests/vectors/protocol/example-2/frame.http");

/// What framesign has to sign it with.
const SIGNATURE: &str =
    include_str!("../../../tests/vectors/protocol/example-2/both.signature").trim_ascii_end();

/// The request as the others take it.
pub const URI: &str = "https://test.com/resource//posts?test=2&example=all+please&1234=4321&test=1";
const HEADERS: [(&str, &str); 5] = [
    ("host", "test.com"),
    ("choice", "C"),
    ("choice", "A"),
    ("choice", "B"),
    ("content-length", "25"),
];
const BODY: &str = "{\"some_key\":\"some_value\"}";

/// All three, prepared, and their results checked once.
///
/// # Errors
///
/// Those of the signers; there are none.
///
/// # Panics
///
/// Where a result is not what it should be.
pub fn prepare() -> Result<(Framesign, DynataSig, AwsSigv4), Box<dyn Error>> {
    let (mut framesign, dynata_sig) = (Framesign::new()?, DynataSig::new()?);
    let aws_sigv4 = AwsSigv4::default();

    assert_eq!(framesign.sign(FRAME)?.to_string(), SIGNATURE);
    assert_eq!(framesign.derive_and_sign(FRAME)?.to_string(), SIGNATURE);

    let query = "1234=4321&example=all%20please&test=2%2C1";
    let canonical = dynata_sig.canonical_uri()?.to_string();
    assert_eq!(canonical, format!("https://test.com/resource//posts?{query}"));
    assert_eq!(dynata_sig.sign()?.value.len(), SIGNATURE.len());
    let repeated = CanonicalUri::try_from(URI.parse::<Uri>()?).err();
    assert_eq!(repeated, Some(CanonicalizationError::DuplicateParams));

    assert_eq!(sign_sigv4(&aws_sigv4.params()?, URI)?.len(), SIGNATURE.len());
    Ok((framesign, dynata_sig, aws_sigv4))
}

/// framesign: the key is derived and the signer made once; parsing the frame counts.
pub struct Framesign {
    credentials: Credentials,
    date: SigningDate,
    signer: Signer,
}

impl Framesign {
    /// Prepares what serves any number of requests of one day.
    ///
    /// # Errors
    ///
    /// None for these keys.
    pub fn new() -> Result<Self, ApiMisuse> {
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY)?;
        let date = "20230801".parse()?;
        let signer = Signer::new(&SigningKey::derive(&credentials, date));
        Ok(Self { credentials, date, signer })
    }

    /// Signs a frame with the key of the day.
    ///
    /// # Errors
    ///
    /// None for [`FRAME`].
    pub fn sign(&mut self, frame: &[u8]) -> Result<Signature, FrameError> {
        self.signer.update(frame)?;
        self.signer.finish_reset()
    }

    /// Derives the key for this one frame.
    ///
    /// # Errors
    ///
    /// None for [`FRAME`].
    pub fn derive_and_sign(&self, frame: &[u8]) -> Result<Signature, FrameError> {
        let mut signer = Signer::new(&SigningKey::derive(&self.credentials, self.date));
        signer.update(frame)?;
        signer.finish()
    }
}

/// dynata-sig: keys, expiration and the parsed URI are there before; canonicalising, hashing and
/// its three HMACs count, which it has no way of preparing.
pub struct DynataSig {
    key: Key,
    expiration: Timestamp,
    method: Method,
    uri: Uri,
}

impl DynataSig {
    /// Prepares what serves any number of requests, and the URI.
    ///
    /// # Errors
    ///
    /// None for this URI.
    pub fn new() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            key: Key::new(ACCESS_KEY.into(), SECRET_KEY.into()),
            expiration: "2023-08-01T23:59:59.000Z".parse()?,
            method: Method::POST,
            uri: URI.replace("test=2&", "").replace("&test=1", "&test=2%2C1").parse()?,
        })
    }

    /// Signs the request.
    ///
    /// # Errors
    ///
    /// None for this request.
    pub fn sign(&self) -> Result<dynata_sig::signature::Signature, Box<dyn Error>> {
        let uri = self.canonical_uri()?;
        Ok(uri.build_signing_string(&self.method, BODY).sign(&self.key, &self.expiration)?)
    }

    fn canonical_uri(&self) -> Result<CanonicalUri, CanonicalizationError> {
        self.uri.clone().try_into()
    }
}

/// aws-sigv4: identity, region, service, time and settings are there before; parsing the URI,
/// canonicalising, hashing, deriving its key and the HMAC count, which one call does.
pub struct AwsSigv4 {
    identity: Identity,
}

impl Default for AwsSigv4 {
    fn default() -> Self {
        let credentials = AwsCredentials::from_keys(ACCESS_KEY, SECRET_KEY, None);
        Self { identity: credentials.into() }
    }
}

impl AwsSigv4 {
    /// Prepares what serves any number of requests of one second.
    ///
    /// # Errors
    ///
    /// None: every parameter is set.
    pub fn params(
        &self,
    ) -> Result<http_request::SigningParams<'_>, v4::signing_params::BuildError> {
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region("us-east-1")
            .name("service")
            .time(SystemTime::UNIX_EPOCH + DAY)
            .settings(SigningSettings::default())
            .build()?;
        Ok(params.into())
    }
}

/// Signs the request with the prepared parameters of [`AwsSigv4`].
///
/// # Errors
///
/// None for [`URI`].
pub fn sign_sigv4(
    params: &http_request::SigningParams<'_>,
    uri: &str,
) -> Result<String, SigningError> {
    let body = SignableBody::Bytes(BODY.as_bytes());
    let request = SignableRequest::new("POST", uri, HEADERS.into_iter(), body)?;
    let (_instructions, signature) = http_request::sign(request, params)?.into_parts();
    Ok(signature)
}
