//! An upstream that records each byte, and does what a test asks it to.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use crate::serve::PATIENCE;

/// An upstream. It ends with the test.
pub(crate) struct Recorder {
    address: SocketAddr,
    received: Arc<Mutex<Requests>>,
    raw: Arc<Mutex<Vec<Vec<u8>>>>,
    is_over: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

/// A request as the upstream reads it, by rules of its own (RFC 9112 section 6.3).
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) is_whole: bool,
}

/// What the upstream does with a request whose head has come: reads more of it and answers. Returns
/// whether it goes on with the connection.
pub(crate) type Handler = dyn Fn(&mut Exchange<'_>) -> bool + Send + Sync;

/// A request that is being received.
pub(crate) struct Exchange<'a> {
    pub(crate) request: Received,
    connection: &'a mut Incoming,
    received: &'a Mutex<Requests>,
    /// Its place among those that were received.
    number: usize,
}

/// A connection of the upstream.
struct Incoming {
    stream: TcpStream,
    /// What was read, and is not of a request yet.
    buffer: Vec<u8>,
    /// Where all that was read is recorded.
    raw: Arc<Mutex<Vec<Vec<u8>>>>,
    number: usize,
}

impl Recorder {
    /// An upstream that takes every request whole, and answers with 200 and the length of its body.
    pub(crate) fn start() -> Self {
        Self::with(|exchange| {
            exchange.read_body();
            exchange.answer_length()
        })
    }

    /// An upstream that does with each request what `handler` does.
    pub(crate) fn with(
        handler: impl Fn(&mut Exchange<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (received, raw, is_over) =
            (Arc::<Mutex<_>>::default(), Arc::<Mutex<_>>::default(), Arc::<AtomicBool>::default());
        let handler: Arc<Handler> = Arc::new(handler);
        let accepting = thread::spawn({
            let (received, raw, is_over) =
                (Arc::clone(&received), Arc::clone(&raw), Arc::clone(&is_over));
            move || {
                for stream in listener.incoming() {
                    if is_over.load(Relaxed) {
                        return;
                    }
                    let (handler, received) = (Arc::clone(&handler), Arc::clone(&received));
                    let connection = Incoming::new(stream.unwrap(), Arc::clone(&raw));
                    thread::spawn(move || connection.serve(&*handler, &received));
                }
            }
        });
        Self { address, received, raw, is_over, accepting: Some(accepting) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far, whole or not.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().requests.clone()
    }

    /// The requests with a whole body so far.
    pub(crate) fn whole(&self) -> Vec<Received> {
        self.received().into_iter().filter(|request| request.is_whole).collect()
    }

    /// All bytes so far, connection by connection.
    pub(crate) fn raw(&self) -> Vec<Vec<u8>> {
        self.raw.lock().unwrap().clone()
    }

    /// Forgets the requests so far.
    pub(crate) fn forget(&self) {
        self.received.lock().unwrap().forget();
    }

    /// The only request, once it is there.
    pub(crate) fn only(&self) -> Received {
        super::wait_until(|| !self.received().is_empty(), "a request at the upstream");
        let received = self.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received[0].clone()
    }
}

/// The requests that are remembered, each with a number that no other one had.
#[derive(Debug, Default)]
struct Requests {
    forgotten: usize,
    requests: Vec<Received>,
}

impl Requests {
    fn push(&mut self, request: Received) -> usize {
        self.requests.push(request);
        self.forgotten + self.requests.len() - 1
    }

    /// One that was forgotten while it was read stays forgotten.
    fn set(&mut self, number: usize, request: Received) {
        let place = number.checked_sub(self.forgotten);
        if let Some(known) = place.and_then(|place| self.requests.get_mut(place)) {
            *known = request;
        }
    }

    fn forget(&mut self) {
        self.forgotten += self.requests.len();
        self.requests.clear();
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Received {
    /// The values of the fields with `name`, in lower case.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(other, _)| other == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of the only field with `name`.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let values = self.values(name);
        assert!(values.len() <= 1, "{name}: {values:?}");
        values.first().copied()
    }
}

impl Exchange<'_> {
    /// Reads the body to its end, as the head frames it.
    pub(crate) fn read_body(&mut self) {
        let request = &mut self.request;
        request.is_whole = if request.field("transfer-encoding").is_some() {
            self.connection.chunks(&mut request.body)
        } else {
            let len: usize = request.field("content-length").map_or(0, |len| len.parse().unwrap());
            self.connection.exactly(len - request.body.len(), &mut request.body)
        };
        self.publish();
    }

    /// Shows what was read to the test, before the gateway can have an answer.
    fn publish(&self) {
        self.received.lock().unwrap().set(self.number, self.request.clone());
    }

    /// Reads so many bytes of the body.
    pub(crate) fn read(&mut self, len: usize) -> bool {
        self.connection.exactly(len, &mut self.request.body)
    }

    /// Answers with 200 and the length of the body, if that is whole.
    pub(crate) fn answer_length(&mut self) -> bool {
        let text = self.request.body.len().to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
        let body = if self.request.method == "HEAD" { "" } else { &text };
        self.request.is_whole && self.send(format!("{head}{body}"))
    }

    /// Sends bytes as they are. Returns whether the gateway took them.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.connection.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Sends bytes as they are, and ends the connection.
    pub(crate) fn send_last(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.send(bytes);
        false
    }

    /// Says that it sends nothing more.
    pub(crate) fn finish_sending(&self) {
        let _ = self.connection.stream.shutdown(Shutdown::Write);
    }
}

impl Incoming {
    fn new(stream: TcpStream, raw: Arc<Mutex<Vec<Vec<u8>>>>) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let number = {
            let mut all = raw.lock().unwrap();
            all.push(Vec::new());
            all.len() - 1
        };
        Self { stream, buffer: Vec::new(), raw, number }
    }

    fn serve(mut self, handler: &Handler, received: &Mutex<Requests>) {
        while let Some(request) = self.head() {
            let number = received.lock().unwrap().push(request.clone());
            let mut exchange = Exchange { request, connection: &mut self, received, number };
            let goes_on = handler(&mut exchange);
            if !goes_on {
                return;
            }
        }
    }

    fn head(&mut self) -> Option<Received> {
        let len = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more() {
                return None;
            }
        };
        let head: Vec<_> = self.buffer.drain(..len).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.lines();
        let mut line = lines.next().unwrap().split(' ').map(str::to_owned);
        let fields = lines.filter(|line| !line.is_empty()).map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        Some(Received {
            method: line.next().unwrap(),
            target: line.next().unwrap(),
            fields: fields.collect(),
            body: Vec::new(),
            is_whole: false,
        })
    }

    /// Moves `len` bytes into `body`, or as many as come. Returns whether all came.
    fn exactly(&mut self, mut len: usize, body: &mut Vec<u8>) -> bool {
        loop {
            let taken = len.min(self.buffer.len());
            body.extend(self.buffer.drain(..taken));
            len -= taken;
            if len == 0 {
                return true;
            }
            if !self.more() {
                return false;
            }
        }
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let Some(at) = self.buffer.windows(2).position(|window| window == b"\r\n") else {
                if self.more() {
                    continue;
                }
                return false;
            };
            let line: Vec<_> = self.buffer.drain(..at + 2).collect();
            let line = String::from_utf8(line).unwrap();
            let len = usize::from_str_radix(line.trim_end(), 16).unwrap();
            let is_whole = self.exactly(len, body) && self.exactly(2, &mut Vec::new());
            if len == 0 || !is_whole {
                return is_whole;
            }
        }
    }

    /// Reads more; `false` at the end.
    fn more(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return false,
                Ok(len) => {
                    self.buffer.extend_from_slice(&chunk[..len]);
                    self.raw.lock().unwrap()[self.number].extend_from_slice(&chunk[..len]);
                    return true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }
}
