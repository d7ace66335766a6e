//! A server that speaks enough of the protocol of Redis for a store of replays, and for rates.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
};

/// A store that gateways share. It ends with the test.
pub(crate) struct Redis {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// The holder of each key.
    entries: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    /// The requests of each name that has a rate.
    counts: Mutex<HashMap<Vec<u8>, usize>>,
    /// The scripts that are answered before it falls silent.
    answers_left: AtomicUsize,
    is_over: AtomicBool,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::silent_after(usize::MAX)
    }

    /// One that answers so many questions and then none.
    pub(crate) fn silent_after(questions: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { answers_left: questions.into(), ..Shared::default() });
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for stream in listener.incoming() {
                    if shared.is_over.load(SeqCst) {
                        return;
                    }
                    let (shared, stream) = (Arc::clone(&shared), stream.unwrap());
                    thread::spawn(move || shared.serve(&stream));
                }
            }
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// The number of entries that are held.
    pub(crate) fn entries(&self) -> usize {
        self.shared.entries.lock().unwrap().len()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.shared.is_over.store(true, SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    /// Answers until the other end has ended.
    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        while let Some(command) = read_command(&mut reader) {
            let is_written = match self.answer(&command) {
                Some(answer) => writer.write_all(answer.as_bytes()).is_ok(),
                None => true,
            };
            if !is_written {
                return;
            }
        }
    }

    fn answer(&self, command: &[Vec<u8>]) -> Option<&'static str> {
        match command {
            [name, ..] if name == b"PING" => Some("+PONG\r\n"),
            [name, script, _, key, holder, ..] if name == b"EVAL" => self
                .answers_left
                .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
                .is_ok()
                .then(|| {
                    if is_rate(key) {
                        // The interval is in the place of the holder.
                        return self.count(key, command.last());
                    }
                    if self.run(script, key, holder) { ":1\r\n" } else { ":0\r\n" }
                }),
            _ => Some("+OK\r\n"),
        }
    }

    /// Counts a request of a name: no time to wait while there are fewer than `burst`, and then more than a
    /// second.
    fn count(&self, key: &[u8], burst: Option<&Vec<u8>>) -> &'static str {
        let burst = String::from_utf8(burst.unwrap().clone()).unwrap().parse().unwrap();
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry(key.to_vec()).or_default();
        *count += 1;
        if *count > burst { ":1001\r\n" } else { ":0\r\n" }
    }

    /// Does what the scripts of the store do: one takes an entry for a holder, the other gives it back.
    fn run(&self, script: &[u8], key: &[u8], holder: &[u8]) -> bool {
        let mut entries = self.entries.lock().unwrap();
        if script.windows(5).any(|word| word == b"'SET'") {
            return entries.entry(key.to_vec()).or_insert_with(|| holder.to_vec()) == holder;
        }
        let is_held = entries.get(key).is_some_and(|other| other == holder);
        is_held && entries.remove(key).is_some()
    }
}

fn is_rate(key: &[u8]) -> bool {
    key.windows(5).any(|word| word == b"rate:")
}

/// Reads a command as an array of bulk strings; none at the end of the connection.
fn read_command(reader: &mut impl BufRead) -> Option<Vec<Vec<u8>>> {
    (0..read_number(reader)?)
        .map(|_| {
            let mut part = vec![0; read_number(reader)? + 2];
            reader.read_exact(&mut part).ok()?;
            part.truncate(part.len() - 2);
            Some(part)
        })
        .collect()
}

/// The number of a line such as `*3` or `$4`.
fn read_number(reader: &mut impl BufRead) -> Option<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
    Some(line.get(1..)?.trim_end().parse().unwrap())
}
