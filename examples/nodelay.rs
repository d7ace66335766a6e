//! What TCP_NODELAY is worth for an upload over HTTP/2, on loopback: sends one with every setting of
//! client and server, and prints what each took.
//!
//! ```console
//! cargo run --release --example nodelay --all-features -- 1024     # MiB
//! ```
//!
//! Nothing is signed here, so that it is the transport alone that is timed.

#![expect(clippy::print_stdout, reason = "a program speaks")]

use std::{convert::Infallible, env, error::Error, net::SocketAddr, time::Instant};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::{TcpListener, TcpStream};

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const CHUNK: usize = 64 * 1024;

#[tokio::main]
async fn main() -> Result {
    let mib: usize = env::args().nth(1).map_or(Ok(1024), |argument| argument.parse())?;
    println!("{mib} MiB over HTTP/2 on loopback");
    for (client, server) in [(false, false), (true, false), (false, true), (true, true)] {
        let address = serve(server).await?;
        let start = Instant::now();
        upload(client, address, mib * 1024 * 1024 / CHUNK).await?;
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "TCP_NODELAY: client {:3}, server {:3}: {seconds:6.2} s",
            word(client),
            word(server)
        );
    }
    Ok(())
}

fn word(is_set: bool) -> &'static str {
    if is_set { "on" } else { "off" }
}

/// Serves one connection.
async fn serve(nodelay: bool) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(nodelay)?;
        read_all(socket).await
    });
    Ok(address)
}

async fn read_all(socket: TcpStream) -> Result {
    let service = service_fn(|request: Request<Incoming>| async {
        let mut body = request.into_body();
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                let mut response = Response::new(Empty::<Bytes>::new());
                *response.status_mut() = StatusCode::BAD_REQUEST;
                return Ok::<_, Infallible>(response);
            }
        }
        Ok(Response::new(Empty::new()))
    });
    let connection = http2::Builder::new(TokioExecutor::new());
    Ok(connection.serve_connection(TokioIo::new(socket), service).await?)
}

async fn upload(nodelay: bool, address: SocketAddr, chunks: usize) -> Result {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(nodelay);
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build(connector);

    let chunk = Bytes::from(vec![0xA5; CHUNK]);
    let frames = (0..chunks).map(move |_| Ok::<_, Infallible>(Frame::data(chunk.clone())));
    let request = Request::put(format!("http://{address}/up"))
        .header("content-length", chunks * CHUNK)
        .body(StreamBody::new(stream::iter(frames)))?;
    let status = client.request(request).await?.status();
    if status.is_success() { Ok(()) } else { Err(format!("the server answered {status}").into()) }
}
