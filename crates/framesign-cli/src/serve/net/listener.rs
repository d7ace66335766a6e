//! Accepts connections within limits.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::serve::net::{
    accept::BackoffListener, bound_listener::BoundListener, connection::Server, drain::Drain,
    idle_timer::IdleTimer,
};

/// Accepts connections, up to `most` at a time, until they are asked to end. Further ones wait in the
/// kernel's queue.
pub(crate) async fn serve(listener: BoundListener, server: Server, most: usize, drain: Drain) {
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
