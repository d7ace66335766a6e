//! Reads files ahead on a thread of its own, so that hashing does not wait for the copy out of the
//! page cache.

use std::{
    io::{self, ErrorKind, Read},
    sync::mpsc::{self, Receiver, SyncSender, TryRecvError},
    thread,
    time::Duration,
};

use crate::input::source::InputSource;

/// The bytes of a buffer.
///
/// Measured over a file of 2 GiB in the page cache, in ratios to the time of `openssl dgst
/// -sha256` in the same run (medians): hashing as many bytes that lie in memory takes 0.82; this
/// takes 0.82 to 0.84, alike with 16 buffers of 64 KiB, 8 of 128 KiB and 4 or 8 of 256 KiB; one
/// thread that reads and hashes by turns takes 0.95 to 0.98. From a pipe that `cat` fills one
/// thread takes 0.94, and reading ahead 1.02 to 1.17: the kernel reads a pipe ahead already, and a
/// third party only wakes the other two.
const BUFFER: usize = 256 * 1024;

/// The number of buffers; a file that is no longer than all of them needs no thread.
///
/// On an idle machine half of the memory does as well; on a busy one the reader gets its turn late.
const BUFFERS: usize = 8;

/// The time that the reader sleeps if no buffer is empty: a small part of the time that all of them
/// last, so that a late awakening does no harm.
///
/// To wake it instead, as a blocking channel does, costs the hashing thread a system call a
/// buffer: 0.88 with buffers of 512 KiB, and with those of 64 KiB more than reading ahead saves.
const PAUSE: Duration = Duration::from_micros(200);

/// A buffer and how many of its bytes were read; none at the end of the file.
type Chunk = (Vec<u8>, usize);

/// Passes all of `source` to `take`, chunk by chunk, until `take` refuses one.
pub(crate) fn for_each_chunk<E: From<io::Error>>(
    mut source: InputSource,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let is_file = source.len.is_some();
    let mut buffer = vec![0; BUFFER];
    let mut seen = 0;
    while !is_file || seen < BUFFERS * BUFFER {
        let len = read(&mut source.reader, &mut buffer)?;
        if len == 0 {
            return Ok(());
        }
        take(buffer.get(..len).unwrap_or_default())?;
        seen = seen.saturating_add(len);
    }
    drop(buffer);
    read_ahead(source.reader, take)
}

/// ```text
///             ┌── empty buffers ◄──┐
///             ▼                    │
///   file ──► reader thread ──► full buffers ──► take
/// ```
fn read_ahead<E: From<io::Error>>(
    file: impl Read + Send + 'static,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (to_fill, empty) = mpsc::sync_channel(BUFFERS);
    let (filled, full) = mpsc::sync_channel(BUFFERS);
    for _ in 0..BUFFERS {
        // There is room, and the other end is still here.
        let _ = to_fill.send(vec![0; BUFFER]);
    }
    // Never joined: where `take` refuses a chunk, nothing that is still being read matters. The
    // thread ends when it next meets a channel, or with the program.
    thread::Builder::new().spawn(move || fill(file, &empty, &filled))?;
    loop {
        // Only an empty chunk is the end of the file: a reader that is gone without one has failed.
        let chunk = full.recv().map_err(|_| io::Error::other("reading stopped before the end"))?;
        let (buffer, len) = chunk?;
        if len == 0 {
            return Ok(());
        }
        take(buffer.get(..len).unwrap_or_default())?;
        // The reader may have gone: after the end, or an error, which is the next to be received.
        let _ = to_fill.send(buffer);
    }
}

/// Fills buffers up to the end of the file, an error, or a receiver that wants no more.
fn fill(mut file: impl Read, empty: &Receiver<Vec<u8>>, filled: &SyncSender<io::Result<Chunk>>) {
    loop {
        let mut buffer = match empty.try_recv() {
            Ok(buffer) => buffer,
            Err(TryRecvError::Empty) => {
                thread::sleep(PAUSE);
                continue;
            }
            Err(TryRecvError::Disconnected) => return,
        };
        let result = read(&mut file, &mut buffer);
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

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Read},
        sync::mpsc::{self, Sender},
        time::Duration,
    };

    use super::{BUFFER, BUFFERS, InputSource, for_each_chunk};

    const ALL: usize = BUFFER * BUFFERS;

    /// As much as a test waits for what another thread is about to do.
    const SOON: Duration = Duration::from_secs(10);

    /// Bytes that tell where they stood.
    fn byte(at: usize) -> u8 {
        at.to_le_bytes()[0] ^ at.to_le_bytes()[2]
    }

    /// So many bytes, at most so many a call and now and then an interruption, and then the end
    /// or an error. Says when it is dropped.
    struct Script {
        len: usize,
        at: usize,
        most: usize,
        calls: usize,
        fails: bool,
        dropped: Sender<()>,
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.calls += 1;
            if self.calls.is_multiple_of(3) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let count = buffer.len().min(self.most).min(self.len - self.at);
            if count == 0 && self.fails {
                return Err(io::Error::other("the disk is gone"));
            }
            for slot in buffer.iter_mut().take(count) {
                *slot = byte(self.at);
                self.at += 1;
            }
            Ok(count)
        }
    }

    impl Drop for Script {
        fn drop(&mut self) {
            // The test may have ended.
            let _ = self.dropped.send(());
        }
    }

    fn script(len: usize, most: usize, fails: bool) -> (Script, mpsc::Receiver<()>) {
        let (dropped, is_dropped) = mpsc::channel();
        (Script { len, at: 0, most, calls: 0, fails, dropped }, is_dropped)
    }

    fn source(script: Script, is_file: bool) -> InputSource {
        let len = is_file.then_some(script.len as u64);
        InputSource { reader: Box::new(script), len }
    }

    /// Counts what comes and holds each byte to its place.
    fn count(source: InputSource) -> (usize, io::Result<()>) {
        let mut at = 0;
        let result = for_each_chunk(source, |chunk| {
            assert!(!chunk.is_empty());
            for &found in chunk {
                assert_eq!(found, byte(at), "at byte {at}");
                at += 1;
            }
            Ok(())
        });
        (at, result)
    }

    #[test]
    fn every_byte_arrives_in_its_place() {
        let ends = [0, 1, BUFFER, 2 * BUFFER, ALL, ALL + BUFFER, 2 * ALL, 3 * ALL];
        let lens = ends.iter().flat_map(|&end| [end.saturating_sub(1), end, end + 1]);
        for len in lens {
            for (is_file, most) in [(true, usize::MAX), (true, 40_000), (false, 65_536)] {
                let (seen, result) = count(source(script(len, most, false).0, is_file));
                assert!(result.is_ok());
                assert_eq!(seen, len, "in reads of up to {most} bytes");
            }
        }
    }

    #[test]
    fn error_comes_after_the_bytes_before_it() {
        for len in [0, 1, BUFFER, ALL - 1, ALL, ALL + 1, 2 * ALL] {
            let (seen, result) = count(source(script(len, usize::MAX, true).0, true));
            assert_eq!(seen, len);
            assert_eq!(result.unwrap_err().to_string(), "the disk is gone");
        }
    }

    #[test]
    fn refusal_ends_the_reader() {
        for refused_after in [0, BUFFER, ALL, 2 * ALL] {
            let (script, is_dropped) = script(100 * ALL, usize::MAX, false);
            let mut seen = 0;
            let result = for_each_chunk(source(script, true), |chunk| {
                seen += chunk.len();
                if seen > refused_after { Err(io::Error::other("refused")) } else { Ok(()) }
            });
            assert_eq!(result.unwrap_err().to_string(), "refused");
            is_dropped.recv_timeout(SOON).expect("the reader ends");
        }
    }

    #[test]
    fn pipe_is_passed_on_as_it_comes() {
        let (script, _) = script(3, 1, false);
        let mut chunks = Vec::new();
        let result = for_each_chunk(source(script, false), |chunk| {
            chunks.push(chunk.to_vec());
            Ok::<_, io::Error>(())
        });
        assert!(result.is_ok());
        assert_eq!(chunks, [[0], [1], [2]]);
    }

    /// The end of a file and the end of the thread that reads it must not look alike.
    #[test]
    fn reader_that_panics_is_an_error() {
        struct Panics;
        impl Read for Panics {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                panic!("as a part of the test")
            }
        }
        let result = super::read_ahead(Panics, |_| Ok::<_, io::Error>(()));
        assert_eq!(result.unwrap_err().to_string(), "reading stopped before the end");
    }
}
