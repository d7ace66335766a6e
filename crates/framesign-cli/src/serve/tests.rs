//! The service in this process: its listeners, settings, secrets and shutdown are the test's.

use std::{cell::Cell, future, net::SocketAddr, sync::Arc, time::Duration};

use framesign::{Rules, verify::Policy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task, time,
};

use super::{
    Listeners,
    net::{bound_listener::BoundListener, endpoint::ListenAddress},
    routes::router::app,
    run,
    state::{
        environment::Environment,
        service_state::ServiceState,
        settings::{Limits, ServerSettings, Settings, ShutdownTimes},
        warnings::Warnings,
    },
};
use crate::exit::Exit;

/// How long a test waits for what must come, on a machine that is busy with others.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service that is not running yet.
struct Service {
    listeners: Listeners,
    state: Arc<ServiceState>,
    causes: UnboundedReceiver<&'static str>,
}

/// What a test has of a service.
struct Handle {
    address: SocketAddr,
    state: Arc<ServiceState>,
    shutdown: UnboundedSender<&'static str>,
}

async fn service(shutdown_timeout: Duration) -> (Service, Handle) {
    let main = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = main.local_addr().unwrap();
    let settings = Settings {
        server: ServerSettings {
            listen: ListenAddress::Tcp(address),
            admin_listen: None,
            tls: None,
            limits: Limits {
                max_body: Some(1024),
                max_request_head: 8 * 1024,
                head_timeout: PATIENCE,
                idle_timeout: PATIENCE,
                min_rate: 0,
                max_connections: 8,
                max_requests: 8,
            },
            shutdown: ShutdownTimes { delay: Duration::ZERO, timeout: shutdown_timeout },
            threads: None,
        },
        callers: None,
        secrets: None,
        keys: None,
        skew: Duration::ZERO,
        max_requests_per_caller: 8,
        rules: Rules::strict(),
        policy: Policy::default(),
        uploads: None,
        replay: None,
    };
    let environment =
        Environment::new(|name| (name == "SECRET").then(|| "0123456789abcdef".into()));
    let state = ServiceState::new(settings, environment, &mut Warnings::default()).unwrap();
    let state = Arc::new(state);
    let (shutdown, causes) = unbounded_channel();
    let listeners = Listeners { main: BoundListener::Tcp(main), admin: None, max_connections: 8 };
    let handle = Handle { address, state: Arc::clone(&state), shutdown };
    (Service { listeners, state, causes }, handle)
}

impl Service {
    /// Serves until the test asks for the end. Returns whether requests were cut, too.
    async fn run(self) -> (Exit, bool) {
        let Self { listeners, state, mut causes } = self;
        let has_cut = Cell::new(false);
        let shutdown = async || match causes.recv().await {
            Some(cause) => cause,
            None => future::pending().await,
        };
        let (app, server) = (app(&state), Arc::clone(&state.server));
        let exit = run(listeners, app, server, shutdown, || has_cut.set(true)).await;
        (exit, has_cut.get())
    }
}

impl Handle {
    /// Sends the beginning of a request, and waits until it is being answered.
    async fn begin(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = "POST /token HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
        stream.write_all(format!("{head}hel").as_bytes()).await.unwrap();
        wait_until(|| self.state.server.metrics.requests_in_flight() == 1).await;
        stream
    }
}

async fn wait_until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            task::yield_now().await;
        }
    };
    time::timeout(PATIENCE, waiting).await.unwrap();
}

/// All that still comes.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    time::timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

#[tokio::test]
async fn request_in_progress_is_answered_before_the_end() {
    let (service, handle) = service(PATIENCE).await;
    let client = async {
        let mut stream = handle.begin().await;
        handle.shutdown.send("the test").unwrap();
        wait_until(|| handle.state.server.readiness.is_shutting_down()).await;
        stream.write_all(b"lo").await.unwrap();
        rest(stream).await
    };
    let (end, answer) = tokio::join!(service.run(), client);
    assert_eq!(end, (Exit::Done, false));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    // HMAC-SHA256 of `hello` under the secret, as OpenSSL computes it.
    let token = "713ba20d2e5fdfbc44724244bf2305ed0714f16ecad75df06e9547b5ae43d83a";
    assert!(answer.contains(&format!("\"token\":\"{token}\"")), "{answer}");
}

#[tokio::test]
async fn deadline_cuts_the_request_that_has_no_answer() {
    let (service, handle) = service(Duration::ZERO).await;
    let client = async {
        let stream = handle.begin().await;
        handle.shutdown.send("the test").unwrap();
        rest(stream).await
    };
    let (end, answer) = tokio::join!(service.run(), client);
    assert_eq!(end, (Exit::Failed, true));
    assert_eq!(answer, "");
}

#[tokio::test]
async fn second_cause_ends_the_service_at_once() {
    let (service, handle) = service(PATIENCE).await;
    let client = async {
        let stream = handle.begin().await;
        handle.shutdown.send("the test").unwrap();
        handle.shutdown.send("the test").unwrap();
        rest(stream).await
    };
    let (end, answer) = tokio::join!(service.run(), client);
    assert_eq!(end, (Exit::Failed, true));
    assert_eq!(answer, "");
}

#[tokio::test]
async fn nobody_is_served_after_the_end() {
    let (service, handle) = service(PATIENCE).await;
    handle.shutdown.send("the test").unwrap();
    assert_eq!(service.run().await, (Exit::Done, false));
    let refused = async {
        while TcpStream::connect(handle.address).await.is_ok() {
            task::yield_now().await;
        }
    };
    time::timeout(PATIENCE, refused).await.unwrap();
}
