//! `framesign healthcheck`: whether a service says that it is well, for containers without a shell.

use std::{
    fmt,
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    str::FromStr,
    time::{Duration, Instant},
};

use clap::Args;
use http::uri::{Authority, Parts, PathAndQuery, Scheme, Uri};

use crate::{
    exit::{Exit, FatalError, complain},
    options::seconds::seconds,
};

/// Ask a service whether it is well
///
/// Ends with 0 if the answer is 200, with 1 if it is another or does not come in time.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Ask this URL; without TLS
    #[arg(long, value_name = "URL", env = "FRAMESIGN_HEALTHCHECK_URL", hide_env_values = true)]
    #[arg(default_value = "http://127.0.0.1:8080/health")]
    url: Url,

    /// Wait at most this long for the answer
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    timeout: Duration,
}

/// A URL of HTTP in clear.
#[derive(Clone, Debug)]
struct Url {
    /// Host and port, as the field Host has them.
    authority: Authority,
    target: PathAndQuery,
}

/// Why there is no status.
#[derive(Debug)]
enum ProbeError {
    /// The name of the host has no address.
    Name(io::Error),
    /// No address of the host takes a connection; this is the last that was tried.
    Connect(SocketAddr, io::Error),
    /// The time is over.
    NoAnswer,
    /// The connection has ended before the status.
    Ended,
    /// Not HTTP/1.1.
    OtherProtocol,
    Stream(io::Error),
}

/// Asks.
#[expect(clippy::unnecessary_wraps, reason = "as every subcommand")]
pub(crate) fn run(options: &Options) -> Result<Exit, FatalError> {
    let problem = match ask(&options.url, Instant::now() + options.timeout) {
        Ok(200) => return Ok(Exit::Done),
        Ok(status) => format!("expected status 200, found {status}"),
        Err(ProbeError::NoAnswer) => {
            format!("no answer within {} s", options.timeout.as_secs_f64())
        }
        Err(failure) => failure.to_string(),
    };
    complain(format_args!("{}: {problem}", options.url.authority));
    Ok(Exit::Refused)
}

/// The status of the answer.
fn ask(url: &Url, deadline: Instant) -> Result<u16, ProbeError> {
    let mut stream = connect(url, deadline)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    let Url { authority, target } = url;
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    read_status(&mut stream, deadline)
}

/// Connects to the first address of the host that takes a connection. To find the addresses of a
/// name takes as long as the system lets it.
fn connect(url: &Url, deadline: Instant) -> Result<TcpStream, ProbeError> {
    let mut failure = ProbeError::Name(io::Error::other("it has none"));
    for address in url.host_and_port().to_socket_addrs().map_err(ProbeError::Name)? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) if is_timeout(&error) => failure = ProbeError::NoAnswer,
            Err(error) => failure = ProbeError::Connect(address, error),
        }
    }
    Err(failure)
}

/// Reads `HTTP/1.1 200` and no more.
fn read_status(stream: &mut TcpStream, deadline: Instant) -> Result<u16, ProbeError> {
    let mut line = [0; 12];
    let mut len = 0;
    while len < line.len() {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut line[len..])? {
            0 => return Err(ProbeError::Ended),
            more => len += more,
        }
    }
    let status = line.strip_prefix(b"HTTP/1.1 ").and_then(|status| str::from_utf8(status).ok());
    let status = status.and_then(|status| status.parse().ok());
    status.ok_or(ProbeError::OtherProtocol)
}

/// The time that is left.
fn left(deadline: Instant) -> Result<Duration, ProbeError> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(ProbeError::NoAnswer),
        left => Ok(left),
    }
}

/// A socket with a time-out says that it would block (`socket(7)`, `SO_RCVTIMEO`).
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

impl From<io::Error> for ProbeError {
    /// The failure of a read or a write.
    fn from(error: io::Error) -> Self {
        use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};

        match error.kind() {
            _ if is_timeout(&error) => Self::NoAnswer,
            BrokenPipe | ConnectionAborted | ConnectionReset => Self::Ended,
            _ => Self::Stream(error),
        }
    }
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => write!(f, "no address of the host: {error}"),
            Self::Connect(address, error) => write!(f, "cannot connect to {address}: {error}"),
            Self::NoAnswer => f.write_str("no answer in time"),
            Self::Ended => f.write_str("the connection ended before an answer"),
            Self::OtherProtocol => {
                f.write_str("expected an answer of HTTP/1.1 in clear, found other bytes")
            }
            Self::Stream(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl Url {
    /// The authority, with the port of HTTP if it names none.
    fn host_and_port(&self) -> String {
        match self.authority.port() {
            Some(_) => self.authority.to_string(),
            None => format!("{}:80", self.authority),
        }
    }
}

impl FromStr for Url {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected http://HOST:PORT/PATH, without user and fragment";

        let Parts { scheme, authority, path_and_query, .. } =
            text.parse::<Uri>().map_err(|_| EXPECTED)?.into_parts();
        // `Uri` drops a fragment without a word.
        let is_whole = scheme == Some(Scheme::HTTP) && !text.contains('#');
        match (authority, path_and_query) {
            (Some(authority), Some(target)) if is_whole && !authority.as_str().contains('@') => {
                Ok(Self { authority, target })
            }
            _ => Err(EXPECTED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn urls_are_taken_apart() {
        for (text, host_and_port, target) in [
            ("http://127.0.0.1:8080/health", "127.0.0.1:8080", "/health"),
            ("http://localhost", "localhost:80", "/"),
            ("http://[::1]:9/livez?x=1", "[::1]:9", "/livez?x=1"),
            ("http://[::1]/", "[::1]:80", "/"),
            ("http://h/?u=a@h", "h:80", "/?u=a@h"),
        ] {
            let url: Url = text.parse().unwrap();
            assert_eq!(
                (&*url.host_and_port(), url.target.as_str()),
                (host_and_port, target),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_url_of_http_is_refused() {
        for text in [
            "",
            "https://h/",
            "http://",
            "http:///x",
            "http://a@h/",
            "http://h/ x",
            "h",
            "http://h/#x",
        ] {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }
}
