//! The layer of a client, which signs.

use tower_layer::Layer;

use super::SignService;
use crate::client::RequestSigner;

/// Signs every request that a client sends (protocol section 9): put it around any client that is a
/// tower service over [`SignedBody`](crate::client::SignedBody), such as that of hyper-util.
///
/// **Each attempt is signed anew**, with another nonce, the time and the key of that moment. So it
/// belongs below a layer that sends requests again, such as `tower::retry`: a request that waited for
/// its second attempt is not stale, and no verifier takes it for a replay. The body is hashed once;
/// see [`SignableFile`](crate::client::SignableFile).
///
/// ```text
/// tower::retry             makes attempts
/// SignLayer                signs each of them
/// Client of hyper-util     adds nothing
/// ```
///
/// The request has a body that is or becomes a [`SignableBody`](crate::client::SignableBody).
/// [`RequestSigner`] says what is made explicit. Whatever stands between this layer and the socket
/// must add nothing: put layers that set fields outside of it.
///
/// ```
/// use framesign::{Credentials, client::{RequestSigner, SignableFile}, tower::SignLayer};
/// use http::{Request, Response};
/// use hyper_util::{client::legacy::{Client, Error}, rt::TokioExecutor};
/// use tower::{Layer, ServiceExt};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let signer = RequestSigner::new(Credentials::new("access", "secret")?);
/// let client = SignLayer::new(signer).layer(Client::builder(TokioExecutor::new()).build_http());
///
/// let file = SignableFile::new("upload.bin");
/// let response = client.oneshot(Request::put("http://test.com/up").body(file)?).await?;
/// println!("{}", response.status());
/// # Ok(())
/// # }
/// ```
///
/// `tower::retry` asks its policy for a clone of the request before each attempt:
/// [`try_clone`](crate::client::try_clone) makes it.
///
/// A layer outside of this one that follows redirects has each hop signed for its own target. A
/// server could then have the client sign a request to any other host: name the hosts that may get
/// one by [`SigningOptions::for_policy`](crate::SigningOptions::for_policy).
#[derive(Clone, Debug)]
pub struct SignLayer {
    signer: RequestSigner,
}

impl SignLayer {
    /// Signs with `signer`.
    #[must_use]
    pub fn new(signer: RequestSigner) -> Self {
        Self { signer }
    }
}

impl<I> Layer<I> for SignLayer {
    type Service = SignService<I>;

    fn layer(&self, inner: I) -> SignService<I> {
        SignService::new(inner, self.signer.clone())
    }
}
