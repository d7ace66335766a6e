//! What becomes of requests in flight when their caller, or what it may do, is taken away.

use std::{fs, net::TcpStream};

use framesign::{Credentials, PayloadHash, SigningKey};
use serde_json::Value;
use tempfile::TempDir;

use super::{Answer, Connection, Service, request::Request, secrets::write, wait_until};

const ACCESS_KEY: &str = "key-one";
const SECRET_KEY: &str = "the secret of key one";
const NEW_KEY: &str = "the secret that comes after it";
const TOKEN: &str = "token-of-the-caller";
const OTHER: &str = "other = ['token-of-another']\n";

const FRAME: &str = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx";

/// A caller with further members than its token.
fn caller(members: &str) -> String {
    format!("{OTHER}[caller]\ntokens = ['{TOKEN}']\n{members}\n")
}

fn secrets(live: &[&str]) -> String {
    format!("'{ACCESS_KEY}' = {live:?}\n")
}

/// A service with one caller and one access key.
struct Place {
    folder: TempDir,
    service: Service,
}

/// A request that is on its way.
struct InFlight {
    connection: Connection<TcpStream>,
    request: Request,
    rest: Vec<u8>,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let callers = write(&folder, "callers", caller(""));
        let secrets = write(&folder, "secrets", secrets(&[SECRET_KEY]));
        let files = ["--callers", &callers, "--secrets", &secrets];
        let limits = ["--max-requests", "1000", "--max-requests-per-caller", "1000"];
        Self { service: Service::start(&[files, limits].concat()), folder }
    }

    fn numbers(&self) -> Value {
        Request::get("/metrics").to(&self.service).json()
    }

    /// Begins to send `body` as often as it can be cut after its first byte, and waits until the service
    /// has all that was sent: then every request was admitted.
    fn begin(&self, target: &str, media_type: &str, body: &[u8]) -> Vec<InFlight> {
        let cuts = 1..=body.len();
        let sent = cuts.clone().sum::<usize>();
        let in_flight: Vec<_> = cuts
            .map(|cut| InFlight::begin(&self.service, target, media_type, body.split_at(cut)))
            .collect();
        // The question itself is in flight, too.
        let has_come = |numbers: &Value| {
            numbers["hashed_bytes"] == sent
                && numbers["requests"]["in_flight"] == in_flight.len() + 1
        };
        wait_until(|| has_come(&self.numbers()), || format!("{sent} bytes: {}", self.numbers()));
        in_flight
    }

    /// Replaces both files at once, and has them read.
    fn change(&self, callers: &str, secrets: &str) {
        for (name, text) in [("secrets", secrets), ("callers", callers)] {
            let next = write(&self.folder, "next", text);
            fs::rename(next, self.folder.path().join(name)).unwrap();
        }
        self.service.hangup();
        // Secrets are read before them.
        self.service.wait_for_log("callers were read again");
    }
}

impl InFlight {
    fn begin(
        service: &Service,
        target: &str,
        media_type: &str,
        (sent, rest): (&[u8], &[u8]),
    ) -> Self {
        let request = Request::new("POST", target)
            .field("Authorization", &format!("Bearer {TOKEN}"))
            .field("Content-Type", media_type)
            .field("Transfer-Encoding", "chunked");
        let mut connection = service.connect();
        connection.send(request.head());
        send_chunk(&mut connection, sent);
        Self { connection, request, rest: rest.to_vec() }
    }

    fn finish(mut self) -> Answer {
        send_chunk(&mut self.connection, &self.rest);
        self.connection.send("0\r\n\r\n");
        self.request.answer(&mut self.connection)
    }
}

fn send_chunk(connection: &mut Connection<TcpStream>, chunk: &[u8]) {
    if !chunk.is_empty() {
        let head = format!("{:x}\r\n", chunk.len());
        connection.send([head.as_bytes(), chunk, b"\r\n"].concat());
    }
}

/// The bodies that `/sign` takes, and their media types.
fn signable() -> [(&'static str, String); 3] {
    let claim = PayloadHash::of(b"").content_digest();
    let head = format!("GET / HTTP/1.1\r\nHost: h\r\nContent-Digest: {claim}\r\n\r\n");
    [
        ("message/http", FRAME.to_owned()),
        ("application/http; payload=digest", head.clone() + &head),
        ("message/http; payload=digest", head),
    ]
}

/// The answers to requests that began before `callers` and `secrets` took the place of what was there.
fn answers(
    target: &str,
    media_type: &str,
    body: &str,
    callers: &str,
    secrets: &str,
) -> Vec<Answer> {
    let place = Place::new();
    let in_flight = place.begin(target, media_type, body.as_bytes());
    place.change(callers, secrets);
    in_flight.into_iter().map(InFlight::finish).collect()
}

#[test]
fn frame_is_not_signed_for_a_caller_who_may_no_longer_have_that() {
    let live = secrets(&[SECRET_KEY]);
    let [other_key, nobodys] = ["rights = ['sign']\naccess_keys = ['key-two']", "access_keys = []"];
    for (callers, secrets, expected) in [
        (OTHER, &*live, 401),
        (&*caller("").replace(TOKEN, "another-token-of-it"), &live, 401),
        (&caller("rights = ['token', 'verify']"), &live, 403),
        (&caller(other_key), &live, 403),
        (&caller(nobodys), &live, 403),
        (&caller(""), &secrets(&[]), 404),
        (&caller(""), "'key-two' = ['the secret of key two']", 404),
        // What is covered now was not held against these limits.
        (&caller("methods = ['DELETE']"), &live, 503),
        (&caller("hosts = ['elsewhere']"), &live, 503),
        (&caller("path_prefixes = ['/a']"), &live, 503),
    ] {
        for (media_type, body) in signable() {
            let answers = answers("/sign", media_type, &body, callers, secrets);
            for (cut, answer) in (1..).zip(&answers) {
                assert_eq!(answer.status, expected, "{callers}{media_type}, cut at {cut}");
            }
        }
    }
}

#[test]
fn frame_is_signed_with_the_key_that_is_current_when_it_is_whole() {
    for live in [&[SECRET_KEY][..], &[NEW_KEY, SECRET_KEY], &[NEW_KEY]] {
        for (media_type, body) in signable() {
            let callers = caller("rights = ['sign']\naccess_keys = ['key-one']");
            for answer in answers("/sign", media_type, &body, &callers, &secrets(live)) {
                let answer = answer.json();
                let date = answer["date"].as_str().unwrap().parse().unwrap();
                let credentials = Credentials::new(ACCESS_KEY, live[0]).unwrap();
                let key = SigningKey::derive(&credentials, date);
                let alone = [answer.clone()];
                let signatures = answer["signatures"].as_array().map_or(&alone[..], |all| all);
                assert_eq!(signatures.len(), body.matches("HTTP/1.1").count());
                for signed in signatures {
                    let string_to_sign = signed["string_to_sign"].as_str().unwrap();
                    let expected = key.sign(&string_to_sign.parse().unwrap()).to_string();
                    assert_eq!(signed["signature"], expected, "{live:?}");
                }
            }
        }
    }
}

#[test]
fn token_is_not_made_for_a_caller_who_may_no_longer_have_it() {
    let live = secrets(&[SECRET_KEY]);
    for (callers, expected) in
        [(OTHER, 401), (&*caller("rights = ['sign']"), 403), (&caller("rights = ['token']"), 200)]
    {
        for answer in answers("/token", "application/octet-stream", "bytes", callers, &live) {
            assert_eq!(answer.status, expected, "{callers}");
        }
    }
}
