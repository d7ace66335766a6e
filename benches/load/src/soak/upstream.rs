//! The upstream of the gateways: it checks what comes, and stalls or breaks off if it is told to.

use std::{
    collections::HashSet,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, time::sleep};

use super::tally::Tally;

/// The fields by which a client tells the upstream what it sends.
pub(crate) const NUMBER: &str = "soak-number";
pub(crate) const HASH: &str = "soak-hash";

/// What the upstream does with requests.
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
pub(crate) enum Mode {
    Answer,
    Stall,
    Reset,
}

/// An upstream in this process.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    mode: AtomicU8,
    /// The numbers of requests that came whole.
    seen: Mutex<HashSet<u64>>,
    pub(crate) cut: AtomicU64,
    /// Requests that came a second time.
    again: Mutex<HashSet<u64>>,
    tally: Arc<Tally>,
}

impl Upstream {
    pub(crate) async fn start(tally: Arc<Tally>) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let upstream = Arc::new(Self {
            address: listener.local_addr()?,
            mode: AtomicU8::new(Mode::Answer as u8),
            seen: Mutex::default(),
            cut: AtomicU64::new(0),
            again: Mutex::default(),
            tally,
        });
        tokio::spawn(Arc::clone(&upstream).accept(listener));
        Ok(upstream)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Relaxed);
    }

    /// Tells whether the request with this number came whole.
    pub(crate) fn saw(&self, number: u64) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }

    /// Tells whether it came whole more than once.
    pub(crate) fn saw_again(&self, number: u64) -> bool {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }

    fn is(&self, mode: Mode) -> bool {
        self.mode.load(Relaxed) == mode as u8
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((socket, _)) = listener.accept().await else { continue };
            let this = Arc::clone(&self);
            let service = service_fn(move |request| Arc::clone(&this).answer(request));
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(30));
            tokio::spawn(server.serve_connection(TokioIo::new(socket), service));
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, io::Error> {
        let field = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let number = field(NUMBER).and_then(|number| number.parse().ok());
        let hash = field(HASH).map(str::to_owned);
        let Some((number, hash)) = number.zip(hash) else {
            self.tally.problem("the upstream saw a request without its own fields".into());
            return Err(io::ErrorKind::InvalidData.into());
        };
        if self.is(Mode::Reset) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let Ok(body) = request.into_body().collect().await else {
            self.cut.fetch_add(1, Relaxed);
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        if hex::encode(Sha256::digest(body.to_bytes())) != hash {
            self.tally.problem(format!("the upstream saw another body whole, of request {number}"));
        }
        if !self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(number) {
            self.again.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
        }
        while self.is(Mode::Stall) {
            sleep(Duration::from_millis(100)).await;
        }
        Ok(Response::new(Full::new(content(number))))
    }
}

/// The answer to a request: up to 32 KiB, which are those of no other.
pub(crate) fn content(number: u64) -> Bytes {
    let mut random = fastrand::Rng::with_seed(number);
    let mut bytes = vec![0; random.usize(..32 * 1024)];
    random.fill(&mut bytes);
    bytes.into()
}
