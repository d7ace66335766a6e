//! The page of `framesign inspect`, through its binary and over loopback.

mod access;
mod answers;
mod page;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::stages::{ACCESS_KEY, DATE, SECRET_KEY};

/// How long a test waits for what must come, on a machine that is busy with others.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running page. It is killed where a test does not end it.
struct Inspect {
    child: Child,
    out: BufReader<ChildStdout>,
    address: SocketAddr,
    token: String,
}

/// An answer.
struct Answer {
    status: u16,
    /// Names in lower case.
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Inspect {
    /// Starts it without any key.
    fn start(options: &[&str]) -> Self {
        Self::run(Command::new(env!("CARGO_BIN_EXE_framesign")).env_clear(), options)
    }

    /// Starts it with the key pair of the examples.
    fn with_keys(options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_framesign"));
        command.env_clear().env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY);
        Self::run(command.env("FRAMESIGN_SECRET_KEY", SECRET_KEY), options)
    }

    fn run(command: &mut Command, options: &[&str]) -> Self {
        command.arg("inspect").args(options).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let rest = line.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/\n"));
        let (address, token) = rest.unwrap_or_else(|| panic!("{line:?}")).split_once('/').unwrap();
        Self { child, out, address: address.parse().unwrap(), token: token.to_owned() }
    }

    /// Sends `request` on a connection of its own, and reads to its end.
    fn send(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        Answer::parse(&received)
    }

    /// Sends a request with these fields beside Host.
    fn request(&self, line: &str, fields: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{fields}\r\n",
            self.address
        );
        self.send(&[head.as_bytes(), body].concat())
    }

    fn get(&self, path: &str) -> Answer {
        self.request(&format!("GET /{}/{path}", self.token), "", b"")
    }

    /// Asks for an explanation, as the page does.
    fn post(&self, question: &[u8]) -> Answer {
        let fields = format!(
            "Content-Type: application/json\r\nOrigin: http://{}\r\nSec-Fetch-Site: same-origin\r\n\
             Content-Length: {}\r\n",
            self.address,
            question.len()
        );
        self.request(&format!("POST /{}/explain", self.token), &fields, question)
    }

    fn ask(&self, question: &Value) -> Value {
        let answer = self.post(question.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!answer.text().contains(SECRET_KEY), "the secret is shown");
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Ends it with a signal; returns the exit code and all that it has written.
    fn end(mut self, signal: &str) -> (Option<i32>, String, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), out, err)
    }
}

impl Drop for Inspect {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    fn parse(received: &[u8]) -> Self {
        let end = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = str::from_utf8(&received[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        });
        Self { status, fields: fields.collect(), body: received[end + 4..].to_vec() }
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }

    fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }
}

/// A question about the exact bytes of a frame, with the keys of the examples.
fn about(frame: &[u8], reading: &str) -> Value {
    json!({
        "kind": "frame", "encoding": "base64", "input": STANDARD.encode(frame), "reading": reading,
        "access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "date": DATE,
    })
}

/// The bytes of a member in base64.
fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}
