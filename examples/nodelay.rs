//! What `TCP_NODELAY` is worth for an upload over HTTP/2, on loopback: sends one with every setting
//! of client and server, five times in turns, and prints the shortest, the median and the longest time.
//!
//! ```console
//! cargo run --release --example nodelay --all-features -- 1024 64    # MiB, in chunks of so many KiB
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

const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Result {
    let argument = |index, default| {
        env::args().nth(index).map_or(Ok(default), |argument| argument.parse::<usize>())
    };
    let (mib, kib) = (argument(1, 1024)?, argument(2, 64)?);
    println!("{mib} MiB over HTTP/2 on loopback, in chunks of {kib} KiB");
    let (chunks, chunk) = (mib * 1024 / kib, Bytes::from(vec![0xA5; kib * 1024]));
    let mut times = [(false, false), (true, false), (false, true), (true, true)]
        .map(|settings| (settings, Vec::new()));
    for _ in 0..ROUNDS {
        for ((client, server), seconds) in &mut times {
            let address = serve(*server).await?;
            let start = Instant::now();
            upload(*client, address, chunks, chunk.clone()).await?;
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    for ((client, server), mut seconds) in times {
        seconds.sort_unstable_by(f64::total_cmp);
        let (shortest, median, longest) = (seconds[0], seconds[ROUNDS / 2], seconds[ROUNDS - 1]);
        println!(
            "TCP_NODELAY: client {:3}, server {:3}: {shortest:6.2} {median:6.2} {longest:6.2} s",
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

async fn upload(nodelay: bool, address: SocketAddr, chunks: usize, chunk: Bytes) -> Result {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(nodelay);
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build(connector);

    let len = chunks * chunk.len();
    let frames = (0..chunks).map(move |_| Ok::<_, Infallible>(Frame::data(chunk.clone())));
    let request = Request::put(format!("http://{address}/up"))
        .header("content-length", len)
        .body(StreamBody::new(stream::iter(frames)))?;
    let status = client.request(request).await?.status();
    if status.is_success() { Ok(()) } else { Err(format!("the server answered {status}").into()) }
}
