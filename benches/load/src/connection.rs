//! A connection that sends a request and reads the answer, HTTP/1.1 and nothing else.

use std::{io, net::SocketAddr, pin::pin};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::TcpStream,
};

use crate::request::Request;

/// The most that an answer may have.
const LIMIT: usize = 64 * 1024;

/// The answer to a request.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) has_retry_after: bool,
    /// True if the connection cannot be used again.
    pub(crate) is_last: bool,
    pub(crate) body: Vec<u8>,
}

/// An open connection.
pub(crate) struct Connection {
    socket: TcpStream,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket })
    }

    /// Sends a request while it waits for the answer, which may come early.
    pub(crate) async fn exchange(&mut self, request: &Request) -> io::Result<Answer> {
        let (mut reader, mut writer) = self.socket.split();
        let mut sending = pin!(request.send(&mut writer));
        let mut reading = pin!(read(&mut reader));
        let mut sent = None;
        let mut answer = loop {
            tokio::select! {
                biased;
                result = &mut sending, if sent.is_none() => sent = Some(result),
                answer = &mut reading => break answer?,
            }
        };
        // Who answers early and keeps the connection reads the rest.
        answer.is_last = answer.is_last
            || match sent {
                Some(result) => result.is_err(),
                None => sending.await.is_err(),
            };
        Ok(answer)
    }

    pub(crate) fn split(
        &mut self,
    ) -> (tokio::net::tcp::ReadHalf<'_>, tokio::net::tcp::WriteHalf<'_>) {
        self.socket.split()
    }
}

/// Reads an answer.
pub(crate) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Answer> {
    let mut bytes = Vec::with_capacity(1024);
    let (mut answer, head, length) = loop {
        read_some(from, &mut bytes).await?;
        if let Some(parsed) = parse(&bytes)? {
            break parsed;
        }
    };
    while bytes.len() - head < length {
        read_some(from, &mut bytes).await?;
    }
    answer.body = bytes.split_off(head);
    if answer.body.len() > length {
        return Err(invalid("expected nothing after the answer"));
    }
    Ok(answer)
}

async fn read_some(from: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> io::Result<()> {
    if bytes.len() > LIMIT {
        return Err(invalid("expected an answer of at most 64 KiB"));
    }
    match from.read_buf(bytes).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// An answer without its body, the length of its head, and that of its body; none if the head is
/// not whole.
fn parse(bytes: &[u8]) -> io::Result<Option<(Answer, usize, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head) = response.parse(bytes).map_err(invalid)? else {
        return Ok(None);
    };
    let field = |name: &str| {
        let field = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        field.and_then(|field| str::from_utf8(field.value).ok())
    };
    let length = field("content-length").and_then(|length| length.parse().ok());
    let answer = Answer {
        status: response.code.unwrap_or_default(),
        has_retry_after: field("retry-after").is_some(),
        is_last: field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
        body: vec![],
    };
    Ok(Some((answer, head, length.ok_or_else(|| invalid("expected a Content-Length"))?)))
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        io::{Read, Write},
        net::TcpListener,
        pin::Pin,
        sync::mpsc,
        task::{Context, Poll},
        thread,
        time::Duration,
    };

    use tokio::io::ReadBuf;

    use super::*;
    use crate::request::TokenRequests;

    /// Each piece is read by itself, or in several reads if there is no room for it.
    struct Pieces<'a>(VecDeque<&'a [u8]>);

    impl AsyncRead for Pieces<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let piece = self.0.pop_front().unwrap_or_default();
            let (read, rest) = piece.split_at(piece.len().min(buffer.remaining()));
            buffer.put_slice(read);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
            Poll::Ready(Ok(()))
        }
    }

    fn read_in(pieces: &[&[u8]]) -> io::Result<Answer> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(read(&mut Pieces(pieces.iter().copied().collect())))
    }

    #[test]
    fn an_answer_is_read_however_it_is_cut() {
        let text = b"HTTP/1.1 503 Busy\r\nretry-after: 1\r\nContent-Length: 4\r\nConnection: Close\r\n\r\nbusy";
        let expected =
            Answer { status: 503, has_retry_after: true, is_last: true, body: b"busy".into() };
        for cut in 1..text.len() {
            let (left, right) = text.split_at(cut);
            assert_eq!(read_in(&[left, right]).unwrap(), expected, "{cut}");
        }
        let bytewise: Vec<_> = text.chunks(1).collect();
        assert_eq!(read_in(&bytewise).unwrap(), expected);
        assert_eq!(read_in(&[text]).unwrap(), expected);
    }

    #[test]
    fn what_is_no_whole_answer_is_an_error() {
        let kind = |bytes: &[u8]| read_in(&[bytes]).unwrap_err().kind();
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        for len in 1..whole.len() {
            assert_eq!(kind(&whole[..len]), io::ErrorKind::UnexpectedEof, "{len}");
        }
        assert_eq!(kind(&[&whole[..], b"!"].concat()), io::ErrorKind::InvalidData);
        assert_eq!(kind(b"HTTP/1.1 200 OK\r\n\r\n"), io::ErrorKind::InvalidData);
        assert_eq!(kind(b"SSH-2.0-OpenSSH\r\n"), io::ErrorKind::InvalidData);
    }

    /// Exchanges a request that no buffer has room for with a peer that answers its beginning and then
    /// reads the rest or not.
    fn exchange(answer: &'static [u8], reads_rest: bool) -> io::Result<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (client, client_has_gone) = mpsc::channel::<()>();
        let peer = thread::spawn(move || {
            let (mut socket, _) = listener.accept()?;
            socket.read_exact(&mut [0; 10])?;
            socket.write_all(answer)?;
            while reads_rest && socket.read(&mut [0; 16 * 1024])? > 0 {}
            // Closing with bytes unread would lose the answer.
            let _ = client_has_gone.recv();
            io::Result::Ok(())
        });
        let request = TokenRequests::new(address, 1 << 26)?.request(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answer = runtime.block_on(async {
            let mut connection = Connection::open(address).await?;
            let exchange = connection.exchange(&request);
            tokio::time::timeout(Duration::from_secs(60), exchange).await?
        });
        drop(client);
        peer.join().unwrap()?;
        answer
    }

    #[test]
    fn an_answer_that_comes_early_is_read() {
        let early = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let answer = exchange(early, false).unwrap();
        assert_eq!((answer.status, answer.is_last), (503, true));
    }

    #[test]
    fn a_connection_is_used_again_once_all_was_sent() {
        let answer = exchange(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true).unwrap();
        assert_eq!((answer.status, answer.is_last), (200, false));
    }

    #[test]
    fn an_answer_without_end_is_given_up() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n";
        let rest = std::iter::repeat_n(&[b'x'; 32][..], LIMIT / 32);
        let pieces: Vec<_> = text.chunks(32).chain(rest).collect();
        assert_eq!(read_in(&pieces).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
