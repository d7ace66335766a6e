//! Uploads a file with a client that signs each attempt: what is answered with 503 is sent again, up
//! to four times, and the file is hashed once.
//!
//! ```sh
//! FRAMESIGN_ACCESS_KEY=… FRAMESIGN_SECRET_KEY=… \
//!     cargo run --features tower-sign --example sign_client -- FILE http://HOST/PATH
//! ```

use std::{env, error::Error, time::Duration};

use framesign::{
    Credentials,
    client::{self, RequestSigner, SignableBody, SignableFile},
    tower::SignLayer,
};
use http::{Request, Response, StatusCode};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::{Sleep, sleep};
use tower::{
    Layer, ServiceExt,
    retry::{Policy, RetryLayer},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [path, url] = arguments.as_slice() else { return Err("expected FILE and URL".into()) };
    let (access_key, secret_key) =
        (variable("FRAMESIGN_ACCESS_KEY")?, variable("FRAMESIGN_SECRET_KEY")?);
    let signer = RequestSigner::new(Credentials::new(&access_key, &secret_key)?);
    let client = Client::builder(TokioExecutor::new()).build_http();

    // Each attempt of the retry layer is signed anew.
    let client = RetryLayer::new(Attempts(4)).layer(SignLayer::new(signer).layer(client));
    let request = Request::put(url).body(SignableBody::from(SignableFile::new(path)))?;
    let status = client.oneshot(request).await?.status();
    if status.is_success() { Ok(()) } else { Err(format!("the server answered {status}").into()) }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("expected the variable {name}, found none"))
}

/// So many further attempts while the server answers 503.
#[derive(Clone)]
struct Attempts(u32);

impl<B, E> Policy<Request<SignableBody>, Response<B>, E> for Attempts {
    type Future = Sleep;

    fn retry(
        &mut self,
        _request: &mut Request<SignableBody>,
        result: &mut Result<Response<B>, E>,
    ) -> Option<Sleep> {
        let is_busy = |response: &Response<B>| response.status() == StatusCode::SERVICE_UNAVAILABLE;
        if !result.as_ref().is_ok_and(is_busy) {
            return None;
        }
        self.0 = self.0.checked_sub(1)?;
        Some(sleep(Duration::from_secs(1)))
    }

    fn clone_request(&mut self, request: &Request<SignableBody>) -> Option<Request<SignableBody>> {
        client::try_clone(request)
    }
}
