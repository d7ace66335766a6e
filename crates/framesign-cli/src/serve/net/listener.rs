//! Listens, and accepts connections within limits.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tracing::{debug, info, warn};

use crate::{
    exit::FatalError,
    serve::net::{connection::Server, drain::Drain, idle_timer::IdleTimer},
};

/// The most connections that wait in the kernel's queue; it takes fewer if `net.core.somaxconn`
/// is less.
const BACKLOG: u32 = 4096;

/// The most connections of operators.
pub(crate) const OPERATORS: usize = 64;

/// Listens at the `address` that `option` gives.
///
/// # Errors
///
/// If the address is in use, or is not one of this machine.
pub(crate) fn bind(option: &str, address: SocketAddr) -> Result<TcpListener, FatalError> {
    let listener = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Connections of a process that has just ended do not keep its successor from the port.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listener().map_err(|error| FatalError::Configuration(format!("{option} {address}: {error}")))
}

/// Accepts connections, up to `most` at a time, until they are asked to end. Further ones wait in the
/// kernel's queue.
pub(crate) async fn serve(listener: TcpListener, server: Server, most: usize, drain: Drain) {
    let (server, permits) = (Arc::new(server), Arc::new(Semaphore::new(most)));
    let mut listener = BackoffListener::new(listener);
    loop {
        let next = async {
            // Never an error, since nothing closes it.
            let permit = Arc::clone(&permits).acquire_owned().await.ok();
            (listener.accept().await, permit)
        };
        let Some(((stream, address), permit)) = drain.unless_asked(next).await else { return };
        let (server, idle_timer) = (Arc::clone(&server), IdleTimer::default());
        let connection = server.serve(stream, address, idle_timer, drain.for_connection());
        drain.spawn(async move {
            connection.await;
            drop(permit);
        });
    }
}

/// Accepts connections of operators, up to [`OPERATORS`] at a time. A further one closes that which
/// has been without a request for the longest time: whoever holds connections open, however slowly
/// they send, keeps no probe from its answer.
pub(crate) async fn serve_operators(listener: TcpListener, server: Server, drain: Drain) {
    let (server, mut open) = (Arc::new(server), OpenConnections::default());
    let mut listener = BackoffListener::new(listener);
    while let Some((stream, address)) = drain.unless_asked(listener.accept()).await {
        open.make_room(OPERATORS).await;
        let (server, idle_timer) = (Arc::clone(&server), IdleTimer::default());
        let connection = server.serve(stream, address, idle_timer.clone(), drain.for_connection());
        open.0.push(OpenConnection { address, idle_timer, task: drain.spawn(connection) });
    }
}

/// Connections of which a new one closes the least recently used one.
#[derive(Debug, Default)]
struct OpenConnections(Vec<OpenConnection>);

#[derive(Debug)]
struct OpenConnection {
    address: SocketAddr,
    idle_timer: IdleTimer,
    task: JoinHandle<()>,
}

impl OpenConnections {
    /// Closes connections until there are fewer than `most`, and waits until they are closed.
    async fn make_room(&mut self, most: usize) {
        self.0.retain(|connection| !connection.task.is_finished());
        while self.0.len() >= most {
            let used = self.0.iter().map(|connection| connection.idle_timer.last_used());
            let Some((oldest, _)) = used.enumerate().min_by_key(|(_, used)| *used) else { return };
            let OpenConnection { address, task, .. } = self.0.swap_remove(oldest);
            debug!(peer = %address, "the connection was closed to make room for another");
            task.abort();
            // Says that it was aborted, or has ended by itself meanwhile.
            let _ = task.await;
        }
    }
}

/// A listener that waits before it tries again, if the system refuses a connection.
#[derive(Debug)]
struct BackoffListener {
    listener: TcpListener,
    backoff: AcceptBackoff,
}

impl BackoffListener {
    fn new(listener: TcpListener) -> Self {
        Self { listener, backoff: AcceptBackoff::default() }
    }

    /// The next connection.
    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    self.backoff.succeeded(Instant::now());
                    return accepted;
                }
                // The failure of one connection, which is gone.
                Err(error) if is_of_client(&error) => {}
                Err(error) => sleep(self.backoff.failed(&error, Instant::now())).await,
            }
        }
    }
}

fn is_of_client(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};

    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// The pauses while connections cannot be accepted, as with too many open files. The log has a line
/// when it begins and one when it is over, not one for each attempt.
#[derive(Debug, Default)]
struct AcceptBackoff {
    last: Option<Instant>,
    pause: Duration,
}

impl AcceptBackoff {
    const FIRST_PAUSE: Duration = Duration::from_millis(10);
    const LONGEST_PAUSE: Duration = Duration::from_secs(1);
    /// Over means over for as long as this: where one connection ends and another takes its
    /// place, the trouble is the same.
    const QUIET: Duration = Duration::from_secs(5);

    /// Notes a failure. Returns how long to wait before the next attempt.
    fn failed(&mut self, error: &io::Error, now: Instant) -> Duration {
        if self.last.is_none() {
            warn!("connections are not accepted for now and wait: {error}");
        }
        self.last = Some(now);
        self.pause = (self.pause * 2).clamp(Self::FIRST_PAUSE, Self::LONGEST_PAUSE);
        self.pause
    }

    /// Notes a success.
    fn succeeded(&mut self, now: Instant) {
        self.pause = Duration::ZERO;
        if self.last.take_if(|last| now - *last > Self::QUIET).is_some() {
            info!("connections are accepted again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future, io, net::SocketAddr, time::Duration};

    use tokio::time::{Instant, sleep};

    use super::{AcceptBackoff, OpenConnection, OpenConnections};
    use crate::serve::net::idle_timer::IdleTimer;

    #[test]
    fn pauses_double_up_to_a_second_and_begin_anew() {
        let (mut backoff, now) = (AcceptBackoff::default(), Instant::now());
        let error = io::Error::from_raw_os_error(24);
        let pauses: Vec<_> = (0..9).map(|_| backoff.failed(&error, now).as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        backoff.succeeded(now);
        assert_eq!(backoff.failed(&error, now).as_millis(), 10);
    }

    #[test]
    fn trouble_is_over_when_it_stays_away() {
        let (mut backoff, now) = (AcceptBackoff::default(), Instant::now());
        backoff.failed(&io::Error::from_raw_os_error(24), now);
        backoff.succeeded(now + Duration::from_secs(1));
        assert!(backoff.last.is_some());
        backoff.succeeded(now + Duration::from_secs(6));
        assert!(backoff.last.is_none());
    }

    /// A connection that lasts, told apart from others by its port.
    fn connection(port: u16) -> OpenConnection {
        OpenConnection {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            idle_timer: IdleTimer::default(),
            task: tokio::spawn(future::pending()),
        }
    }

    fn ports(open: &OpenConnections) -> Vec<u16> {
        let mut ports: Vec<_> = open.0.iter().map(|one| one.address.port()).collect();
        ports.sort_unstable();
        ports
    }

    #[tokio::test(start_paused = true)]
    async fn least_recently_used_connection_makes_room() {
        let mut open = OpenConnections::default();
        for port in 1..=4 {
            open.make_room(4).await;
            open.0.push(connection(port));
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(ports(&open), [1, 2, 3, 4]);
        // The first is at a request, the second has just been, the third has ended.
        let _request = open.0[0].idle_timer.start_request();
        drop(open.0[1].idle_timer.start_request());
        open.0[2].task.abort();
        sleep(Duration::from_secs(1)).await;
        open.make_room(4).await;
        assert_eq!(ports(&open), [1, 2, 4]);
        open.make_room(3).await;
        assert_eq!(ports(&open), [1, 2]);
        open.make_room(2).await;
        assert_eq!(ports(&open), [1]);
        // Nor is one that is at a request spared if there is no other.
        open.make_room(1).await;
        assert_eq!(ports(&open), [0; 0]);
    }
}
