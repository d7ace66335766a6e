//! Receives uploads in signed parts into a folder.
//!
//! ```console
//! export FRAMESIGN_ACCESS_KEY=access FRAMESIGN_SECRET_KEY=secret
//! cargo run -p framesign-upload --example receive -- received 127.0.0.1:8080
//! ```
//!
//! An upload to `/files/NAME` becomes the file `NAME` in the folder when all of it is verified and on
//! stable storage, at whatever moment the program is killed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks")]

use std::{env, error::Error, sync::Arc, time::Duration};

use axum::Router;
use framesign::{
    secrets::{KeyCache, MemoryStore, Secret},
    verify::Policy,
};
use framesign_upload::server::{Directory, Limits, Service, Uploads};
use tokio::{net::TcpListener, time};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, address] = arguments.as_slice() else {
        return Err("expected FOLDER and ADDRESS:PORT".into());
    };
    let secrets = MemoryStore::new();
    let secret = Secret::new(&env::var("FRAMESIGN_SECRET_KEY")?)?;
    secrets.add(&env::var("FRAMESIGN_ACCESS_KEY")?, secret)?;
    let limits = Limits { max_size: 64 << 30, ..Limits::default() };
    let uploads = Uploads::new(Directory::open(folder)?, limits);
    tokio::spawn(sweep(uploads.clone()));

    let service = Service::new(Arc::new(KeyCache::new(secrets)), Policy::default(), uploads);
    let app: Router = Router::new()
        .route_service("/files/{name}", service.clone())
        .route_service("/uploads/{id}", service);
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

/// Deletes uploads that nobody has gone on with, and ends what a killed process has left.
async fn sweep(uploads: Uploads) {
    let mut interval = time::interval(Duration::from_secs(600));
    loop {
        interval.tick().await;
        if let Err(error) = uploads.sweep().await {
            eprintln!("uploads could not be swept: {error}");
        }
    }
}
