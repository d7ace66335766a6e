//! A client of few words: it sends bytes as they are, and reads answers.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
};

use super::PATIENCE;

/// A connection to the service.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    pub(crate) stream: S,
    /// What was read and is not of an answer yet.
    received: Vec<u8>,
}

/// An answer, its body without what frames it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Connection<TcpStream> {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish_sending(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

impl<S: Read + Write> Connection<S> {
    /// Speaks over what is connected already.
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, received: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self.stream.flush().unwrap();
    }

    /// The next answer; interim ones (1xx) are passed over.
    pub(crate) fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// The next answer, to a request with a method that says whether it has a body.
    pub(crate) fn answer_to(&mut self, method: &str) -> Answer {
        let mut answer = self.head();
        while answer.status < 200 {
            answer = self.head();
        }
        if method != "HEAD" && ![204, 304].contains(&answer.status) {
            answer.body = self.body(&answer);
        }
        answer
    }

    /// The head of the next answer, which may be an interim one.
    pub(crate) fn head(&mut self) -> Answer {
        let head = String::from_utf8(self.take_to(b"\r\n\r\n")).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let fields = lines.filter(|line| !line.is_empty()).map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        });
        Answer { status, fields: fields.collect(), body: Vec::new() }
    }

    /// Whether it ends here: by the service, with nothing more to be read.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.received.is_empty() && self.read() == 0
    }

    /// Reads until the end, and gives all of it.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.read() > 0 {}
        std::mem::take(&mut self.received)
    }

    fn body(&mut self, answer: &Answer) -> Vec<u8> {
        if answer.field("transfer-encoding") == Some("chunked") {
            return self.chunks();
        }
        match answer.field("content-length") {
            Some(len) => self.take(len.parse().unwrap()),
            None => self.rest(),
        }
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = String::from_utf8(self.take_to(b"\r\n")).unwrap();
            let len = usize::from_str_radix(line.trim_end(), 16).unwrap();
            let chunk = self.take(len + 2);
            if len == 0 {
                return body;
            }
            body.extend_from_slice(&chunk[..len]);
        }
    }

    /// All up to the first `end`, and that too.
    fn take_to(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.received.windows(end.len()).position(|window| window == end) {
                return self.take(at + end.len());
            }
            self.read_more();
        }
    }

    /// The next `len` bytes, as they are.
    pub(crate) fn take(&mut self, len: usize) -> Vec<u8> {
        while self.received.len() < len {
            self.read_more();
        }
        let rest = self.received.split_off(len);
        std::mem::replace(&mut self.received, rest)
    }

    fn read_more(&mut self) {
        let received = String::from_utf8_lossy(&self.received).into_owned();
        assert!(self.read() > 0, "the connection ended after {received:?}");
    }

    /// Reads what is there, 0 at the end, however the service ended it.
    fn read(&mut self) -> usize {
        let mut chunk = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(len) => {
                    self.received.extend_from_slice(&chunk[..len]);
                    return len;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A connection that is reset, or ends with an alert or without a word, has ended.
                Err(error) if is_end(error.kind()) => return 0,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn is_end(kind: ErrorKind) -> bool {
    [
        ErrorKind::ConnectionReset,
        ErrorKind::ConnectionAborted,
        ErrorKind::BrokenPipe,
        ErrorKind::UnexpectedEof,
        ErrorKind::InvalidData,
    ]
    .contains(&kind)
}

impl Answer {
    /// The value of the field with `name`, in lower case, which comes at most once.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(other, _)| other == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} comes twice: {self:?}");
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
