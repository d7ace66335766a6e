//! Work on the threads of tokio that may block.

use std::{
    io::{self, Read},
    sync::{Arc, Weak},
};

use tokio::task;

/// Runs `work` on a thread that may block.
///
/// A panic of `work`, and a runtime that shuts down, are errors.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    task::spawn_blocking(work).await.map_err(io::Error::other)
}

/// Runs `work` as [`run`] does, with a sign of whether anybody waits for it still.
pub(super) async fn run_while_awaited<T: Send + 'static>(
    work: impl FnOnce(Awaited) -> T + Send + 'static,
) -> io::Result<T> {
    // Dropped with this future, or at its end.
    let waiter = Arc::new(());
    let awaited = Awaited(Arc::downgrade(&waiter));
    let result = run(move || work(awaited)).await;
    drop(waiter);
    result
}

/// A sign of whether anybody waits for a blocking call.
pub(super) struct Awaited(Weak<()>);

/// A reader that ends in an error once nobody waits for what is read: a request that is dropped does
/// not have its file hashed to the end.
pub(super) struct CancellableReader<R> {
    pub(super) reader: R,
    pub(super) awaited: Awaited,
}

impl<R: Read> Read for CancellableReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.awaited.0.strong_count() == 0 {
            return Err(io::Error::other("nobody waits for the hash any more"));
        }
        self.reader.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, repeat},
        sync::Arc,
    };

    use super::{Awaited, CancellableReader};

    #[test]
    fn a_reader_ends_when_nobody_waits_any_more() {
        let waiter = Arc::new(());
        let awaited = Awaited(Arc::downgrade(&waiter));
        let mut reader = CancellableReader { reader: repeat(7), awaited };
        let mut buffer = [0; 8];
        assert_eq!(reader.read(&mut buffer).unwrap(), 8);
        drop(waiter);
        assert!(reader.read(&mut buffer).unwrap_err().to_string().contains("nobody waits"));
    }
}
