//! Sends a file in signed parts, and goes on with an upload that was broken off.
//!
//! ```console
//! export FRAMESIGN_ACCESS_KEY=access FRAMESIGN_SECRET_KEY=secret
//! cargo run -p framesign-upload --features client --example send -- FILE http://HOST/files/NAME
//! ```
//!
//! If it ends early, it prints where the upload is; with that as a third argument it goes on.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks")]

use std::{env, error::Error, fs::File};

use framesign::Credentials;
use framesign_upload::client::{Client, Event, Source};
use hyper_util::{client::legacy, rt::TokioExecutor};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (path, url, upload) = match arguments.as_slice() {
        [path, url] => (path, url.parse()?, None),
        [path, url, upload] => (path, url.parse()?, Some(upload.parse()?)),
        _ => return Err("expected FILE and URL, and the URL of an upload to go on with".into()),
    };
    let credentials =
        Credentials::new(&env::var("FRAMESIGN_ACCESS_KEY")?, &env::var("FRAMESIGN_SECRET_KEY")?)?;
    // Any client that is a tower service does, if it adds nothing to a request.
    let http = legacy::Client::builder(TokioExecutor::new()).build_http();
    let client = Client::new(http, credentials).observe(|event| match event {
        Event::Created { upload } => eprintln!("the upload is {upload}"),
        Event::Acknowledged { offset } => eprintln!("the server has {offset} bytes"),
        Event::Retrying { problem, pause } => eprintln!("{problem}; again in {pause:?}"),
        _ => {}
    });
    let source = Source::file(File::open(path)?)?;
    let uploaded = match upload {
        Some(upload) => client.resume(source, &url, &upload).await?,
        None => client.upload(source, &url).await?,
    };
    println!("{}  {}", uploaded.sha256, uploaded.url);
    Ok(())
}
