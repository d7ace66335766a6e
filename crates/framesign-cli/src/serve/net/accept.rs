//! Accepts connections, with pauses while the system refuses them.

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::serve::net::{
    bound_listener::{BoundListener, Socket},
    endpoint::PeerAddress,
};

/// A listener that waits before it tries again, if the system refuses a connection.
#[derive(Debug)]
pub(crate) struct BackoffListener {
    listener: BoundListener,
    backoff: AcceptBackoff,
}

impl BackoffListener {
    pub(crate) fn new(listener: BoundListener) -> Self {
        Self { listener, backoff: AcceptBackoff::default() }
    }

    /// The next connection.
    pub(crate) async fn accept(&mut self) -> (Socket, PeerAddress) {
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
    use std::{io, time::Duration};

    use tokio::time::Instant;

    use super::AcceptBackoff;

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
}
