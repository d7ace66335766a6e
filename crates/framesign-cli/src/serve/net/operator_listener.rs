//! Accepts connections of operators, and closes the least recently used one to make room.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::debug;

use crate::serve::net::{
    accept::BackoffListener, bound_listener::BoundListener, connection::Server, drain::Drain,
    endpoint::PeerAddress, idle_timer::IdleTimer,
};

/// The most connections of operators.
pub(crate) const MAX_CONNECTIONS: usize = 64;

/// Accepts connections of operators, up to [`MAX_CONNECTIONS`] at a time. A further one closes that which
/// has been without a request for the longest time: whoever holds connections open, however slowly
/// they send, keeps no probe from its answer.
pub(crate) async fn serve(listener: BoundListener, server: Server, drain: Drain) {
    let (server, mut open) = (Arc::new(server), OpenConnections::default());
    let mut listener = BackoffListener::new(listener);
    while let Some((stream, address)) = drain.unless_asked(listener.accept()).await {
        open.make_room(MAX_CONNECTIONS).await;
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
    address: PeerAddress,
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

#[cfg(test)]
mod tests {
    use std::{future, net::SocketAddr, time::Duration};

    use tokio::time::sleep;

    use super::{OpenConnection, OpenConnections};
    use crate::serve::net::{endpoint::PeerAddress, idle_timer::IdleTimer};

    /// A connection that lasts, told apart from others by its port.
    fn connection(port: u16) -> OpenConnection {
        OpenConnection {
            address: PeerAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], port))),
            idle_timer: IdleTimer::default(),
            task: tokio::spawn(future::pending()),
        }
    }

    fn ports(open: &OpenConnections) -> Vec<u16> {
        let mut ports: Vec<_> =
            open.0.iter().map(|one| one.address.socket().unwrap().port()).collect();
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
