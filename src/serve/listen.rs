//! Where connections come in.

use std::{
    fs,
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};
use tracing::{info, warn};

use super::{connection::Server, shutdown::Drain};
use crate::cli::exit::Stop;

/// How many connections may wait in the kernel's queue; it takes fewer where `net.core.somaxconn`
/// is less.
const BACKLOG: u32 = 4096;

/// How many connections operators can have.
pub(super) const OPERATORS: usize = 64;

/// What may be open beside the connections of callers: a dozen files of the process itself, one
/// that is being read, and as many connections of operators as there usually are.
const OTHER_FILES: usize = 32;

/// Listens at the `address` that `option` gives.
///
/// # Errors
///
/// Where the address is not to be had: of another process, of another machine.
pub(super) fn bind(option: &str, address: SocketAddr) -> Result<TcpListener, Stop> {
    let listener = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Connections of a process that has just ended do not keep its successor from the port.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listener().map_err(|error| Stop::Configuration(format!("{option} {address}: {error}")))
}

/// How many of the `most` connections that are wanted can be open: as many as the process may have
/// files, less those that it needs itself. The others wait as those over `most` do, and what
/// operators ask, and files that SIGHUP has read again, never find that there is no file left.
pub(super) fn room(most: usize) -> usize {
    let Some(files) = open_files_limit() else { return most };
    let room = files.saturating_sub(OTHER_FILES).max(1);
    if room < most {
        let needed = most + OTHER_FILES;
        warn!("room for {room} connections: {most} need {needed} open files, the limit is {files}");
    }
    room.min(most)
}

/// As `ulimit -n` shows it; `None` where there is no limit.
fn open_files_limit() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    limit.split_whitespace().next()?.parse().ok()
}

/// Accepts connections, up to `most` at a time, until they are asked to end.
pub(super) async fn serve(listener: TcpListener, server: Server, most: usize, drain: Drain) {
    let server = Arc::new(server);
    let mut entrance = Entrance::new(listener, most);
    while let Some((stream, address, place)) = drain.unless_asked(entrance.next()).await {
        let connection = Arc::clone(&server).serve(stream, address, drain.for_connection());
        drain.spawn(async move {
            connection.await;
            drop(place);
        });
    }
}

/// Lets connections in, as many as there is room for.
#[derive(Debug)]
struct Entrance {
    listener: TcpListener,
    places: Arc<Semaphore>,
    trouble: Trouble,
}

impl Entrance {
    fn new(listener: TcpListener, most: usize) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(most)), trouble: Trouble::default() }
    }

    /// The next connection, once there is room for it.
    async fn next(&mut self) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
        // Never an error, since nothing closes it.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    self.trouble.is_over(Instant::now());
                    return (stream, address, place);
                }
                // Trouble of the one connection, which is gone.
                Err(error) if is_of_client(&error) => {}
                Err(error) => sleep(self.trouble.goes_on(&error, Instant::now())).await,
            }
        }
    }
}

fn is_of_client(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};

    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// What keeps connections from being accepted, most of all too many open files. The log has a line
/// when it begins and one when it is over, not one for each attempt.
#[derive(Debug, Default)]
struct Trouble {
    last: Option<Instant>,
    pause: Duration,
}

impl Trouble {
    const FIRST_PAUSE: Duration = Duration::from_millis(10);
    const LONGEST_PAUSE: Duration = Duration::from_secs(1);
    /// Over means over for as long as this: where one connection ends and another takes its
    /// place, the trouble is the same.
    const QUIET: Duration = Duration::from_secs(5);

    /// Says how long to wait before the next attempt.
    fn goes_on(&mut self, error: &io::Error, now: Instant) -> Duration {
        if self.last.is_none() {
            warn!("connections are not accepted for now and wait: {error}");
        }
        self.last = Some(now);
        self.pause = (self.pause * 2).clamp(Self::FIRST_PAUSE, Self::LONGEST_PAUSE);
        self.pause
    }

    fn is_over(&mut self, now: Instant) {
        self.pause = Duration::ZERO;
        if self.last.take_if(|last| now - *last > Self::QUIET).is_some() {
            info!("connections are accepted again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use tokio::time::Instant;

    use super::Trouble;

    #[test]
    fn pauses_double_up_to_a_second_and_begin_anew() {
        let (mut trouble, now) = (Trouble::default(), Instant::now());
        let error = io::Error::from_raw_os_error(24);
        let pauses: Vec<_> = (0..9).map(|_| trouble.goes_on(&error, now).as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        trouble.is_over(now);
        assert_eq!(trouble.goes_on(&error, now).as_millis(), 10);
    }

    #[test]
    fn trouble_is_over_when_it_stays_away() {
        let (mut trouble, now) = (Trouble::default(), Instant::now());
        trouble.goes_on(&io::Error::from_raw_os_error(24), now);
        trouble.is_over(now + Duration::from_secs(1));
        assert!(trouble.last.is_some());
        trouble.is_over(now + Duration::from_secs(6));
        assert!(trouble.last.is_none());
    }
}
