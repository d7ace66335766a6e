//! Reads ahead on a thread of its own, so that hashing never waits for a copy.

use std::{
    io::{self, ErrorKind, Read},
    sync::mpsc::{self, Receiver, SyncSender, TryRecvError},
    thread,
    time::Duration,
};

/// How large a buffer is, how many there are, and how often the reader looks for an empty one.
///
/// PLACEHOLDER FIGURES
const BUFFER: usize = 128 * 1024;
const BUFFERS: usize = 8;
const PAUSE: Duration = Duration::from_micros(100);

/// A buffer and how many of its bytes were read; none at the end of the input.
type Chunk = (Vec<u8>, usize);

/// Passes all of `source` to `take`, chunk by chunk, until `take` refuses one.
///
/// A short input needs no thread. Of a long one at most `BUFFERS` buffers are in memory.
pub(crate) fn for_each_chunk<E: From<io::Error>>(
    mut source: impl Read + Send + 'static,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut buffer = vec![0; BUFFER];
    let mut seen = 0;
    while seen < BUFFER {
        let len = read(&mut source, &mut buffer)?;
        if len == 0 {
            return Ok(());
        }
        take(buffer.get(..len).unwrap_or_default())?;
        seen += len;
    }
    drop(buffer);
    read_ahead(source, take)
}

/// ```text
///            ┌──── empty buffers ◄───┐
///            ▼                       │
///   source ─► reader thread ─► full buffers ─► take
/// ```
fn read_ahead<E: From<io::Error>>(
    source: impl Read + Send + 'static,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (to_fill, empty) = mpsc::sync_channel(BUFFERS);
    let (filled, full) = mpsc::sync_channel(BUFFERS);
    for _ in 0..BUFFERS {
        // Neither end is gone yet, and there is room.
        let _ = to_fill.send(vec![0; BUFFER]);
    }
    // Never joined: it may wait for a pipe that nobody writes to, after `take` has refused. It
    // ends when it next looks, or with the program.
    thread::Builder::new().name("reader".into()).spawn(move || fill(source, &empty, &filled))?;
    loop {
        let (buffer, len) =
            full.recv().map_err(|_| io::Error::other("reading stopped early"))??;
        if len == 0 {
            return Ok(());
        }
        take(buffer.get(..len).unwrap_or_default())?;
        // The reader has gone where it met an error, which is the next to be received.
        let _ = to_fill.send(buffer);
    }
}

/// Fills buffers until the end of the input, an error, or the other side has gone.
fn fill(mut source: impl Read, empty: &Receiver<Vec<u8>>, filled: &SyncSender<io::Result<Chunk>>) {
    loop {
        let mut buffer = match empty.try_recv() {
            Ok(buffer) => buffer,
            Err(TryRecvError::Empty) => {
                thread::sleep(PAUSE);
                continue;
            }
            Err(TryRecvError::Disconnected) => return,
        };
        let result = read(&mut source, &mut buffer);
        let is_last = matches!(result, Ok(0) | Err(_));
        if filled.send(result.map(|len| (buffer, len))).is_err() || is_last {
            return;
        }
    }
}

fn read(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
