//! A service that receives signed uploads and keeps those that are verified.
//!
//! ```console
//! export FRAMESIGN_ACCESS_KEY=access FRAMESIGN_SECRET_KEY=secret
//! cargo run --example receive -- uploads 127.0.0.1:8080
//! ```
//!
//! An upload to `/some/name` becomes the file `name` in the folder.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks")]

mod service;

use std::{env, error::Error, path::PathBuf, process::ExitCode};

use framesign::Credentials;
use service::Service;
use tokio::net::TcpListener;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("receive: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result {
    let mut arguments = env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("usage: receive FOLDER [ADDRESS:PORT]")?);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:0".into());
    let credentials =
        Credentials::new(&env::var("FRAMESIGN_ACCESS_KEY")?, &env::var("FRAMESIGN_SECRET_KEY")?)?;

    let service = Service::new(folder, credentials)?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    service.run(listener).await?;
    Ok(())
}
