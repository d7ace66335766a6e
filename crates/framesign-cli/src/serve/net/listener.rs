//! Listens, and accepts connections within limits.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Semaphore,
};

use crate::{
    exit::FatalError,
    serve::net::{
        accept::BackoffListener, connection::Server, drain::Drain, idle_timer::IdleTimer,
    },
};

/// The most connections that wait in the kernel's queue; it takes fewer if `net.core.somaxconn`
/// is less.
const BACKLOG: u32 = 4096;

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
