//! Uploads a file in two passes: it is hashed, and then sent with its length and its signature.
//!
//! ```sh
//! FRAMESIGN_ACCESS_KEY=… FRAMESIGN_SECRET_KEY=… \
//!     cargo run --features http --example upload -- FILE http://HOST/PATH
//! ```

use std::{
    env,
    error::Error,
    fs::File,
    io::{self, Seek},
    time::SystemTime,
};

use framesign::{
    Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, http::sign_request,
};
use http::{Request, StatusCode};
use reqwest::{Body, Client, redirect};
use tokio::task;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [path, url] = arguments.as_slice() else { return Err("expected FILE and URL".into()) };
    let (access_key, secret_key) =
        (variable("FRAMESIGN_ACCESS_KEY")?, variable("FRAMESIGN_SECRET_KEY")?);
    let credentials = Credentials::new(&access_key, &secret_key)?;
    let status = upload(File::open(path)?, url, &credentials).await?;
    if status.is_success() { Ok(()) } else { Err(format!("the server answered {status}").into()) }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("expected the variable {name}, found none"))
}

async fn upload(
    file: File,
    url: &str,
    credentials: &Credentials,
) -> Result<StatusCode, Box<dyn Error>> {
    let (file, hash, len) = task::spawn_blocking(|| first_pass(file)).await??;

    // Everything that the client would add is explicit, so that it is signed. `sign_request` adds
    // Host and Content-Digest.
    let request = Request::put(url)
        .header("content-length", len)
        .header("accept", "*/*")
        .body(Body::from(tokio::fs::File::from_std(file)))?;
    let (mut parts, body) = request.into_parts();
    let now = SystemTime::now();
    let key = SigningKey::derive(credentials, SigningDate::of(now));
    sign_request(&mut parts, &key, hash, now, &SigningOptions::default())?;

    // A redirect would lead to a target that was not signed.
    let client = Client::builder().redirect(redirect::Policy::none()).build()?;
    let response = client.execute(Request::from_parts(parts, body).try_into()?).await?;
    Ok(response.status())
}

/// Hashes with large reads, away from the threads of the runtime. The file stays open for the
/// second pass, so that both read the same one; if it is written to meanwhile, the server refuses.
fn first_pass(mut file: File) -> io::Result<(File, PayloadHash, u64)> {
    let (hash, len) = PayloadHash::of_reader(&file)?;
    file.rewind()?;
    Ok((file, hash, len))
}
