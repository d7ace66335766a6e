//! What a revocation does to frames that are being verified.

use std::{net::TcpStream, time::SystemTime};

use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    Connection, Service,
    request::Request,
    secrets::{ACCESS_KEY, PREVIOUS_KEY, SECRET_KEY, reload, write},
    serve, wait_until,
};

const NEW_KEY: &str = "the secret key after it";

/// Of `hello`.
const DIGEST: &str = "Content-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:\r\n";

/// A frame that is signed now, and the length of its head.
fn signed(secret_key: &str, fields: &str, payload: &[u8]) -> (Vec<u8>, usize) {
    let now = SystemTime::now();
    let date = SigningDate::of(now);
    let head = format!("PUT / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let key = SigningKey::derive(&Credentials::new(ACCESS_KEY, secret_key).unwrap(), date);
    let (hash, options) =
        (PayloadHash::of(payload), SigningOptions::default().without_content_digest());
    let head = sign_head(head.as_bytes(), &key, hash, now, &options).unwrap();
    ([&head, payload].concat(), head.len())
}

/// Frames whose signature is checked at the head, at the end of the payload, and without one.
fn frames(secret_key: &str) -> [(Vec<u8>, usize); 3] {
    [
        signed(secret_key, &format!("Content-Length: 5\r\n{DIGEST}"), b"hello"),
        signed(secret_key, "Content-Length: 5\r\n", b"hello"),
        signed(secret_key, "", b""),
    ]
}

/// Keys of frames in files, and a service that reads them.
struct Place {
    folder: TempDir,
    service: Service,
    reloads: u64,
}

/// A frame that is on its way to be verified.
struct Upload<'a> {
    connection: Connection<TcpStream>,
    request: Request,
    rest: &'a [u8],
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let mut command = serve(&["--log-format", "json"]);
        for (name, text) in
            [("ACCESS_KEY", ACCESS_KEY), ("SECRET_KEY", SECRET_KEY), ("SECRET_KEY_PREVIOUS", "")]
        {
            command.env(format!("FRAMESIGN_{name}_FILE"), write(&folder, name, text));
        }
        Self { service: Service::run(&mut command), folder, reloads: 0 }
    }

    fn numbers(&self) -> Value {
        Request::get("/metrics").to(&self.service).json()
    }

    /// Changes files, and has them read.
    fn change(&mut self, files: &[(&str, &str)]) {
        for (name, text) in files {
            write(&self.folder, name, text);
        }
        self.reloads += 1;
        reload(&self.service, self.reloads, 0);
    }

    /// Begins to send the frame as often as it can be cut in two, and waits until the service has
    /// all that was sent.
    fn begin<'a>(&self, frame: &'a [u8]) -> Vec<Upload<'a>> {
        let had = self.numbers()["hashed_bytes"].as_u64().unwrap();
        let cuts: Vec<_> = (0..=frame.len()).collect();
        let uploads = cuts.iter().map(|cut| Upload::begin(&self.service, frame.split_at(*cut)));
        let uploads: Vec<_> = uploads.collect();
        let sent = cuts.iter().sum::<usize>() as u64;
        // The question itself is in flight, too.
        let has_come = |numbers: &Value| {
            numbers["hashed_bytes"] == had + sent
                && numbers["requests"]["in_flight"] == cuts.len() + 1
        };
        wait_until(|| has_come(&self.numbers()), || format!("{sent} bytes: {}", self.numbers()));
        uploads
    }

    /// Holds that as many frames were refused, and all for one reason.
    fn assert_refused(&self, count: usize, reason: &str) {
        wait_until(|| self.reasons().len() == count, || format!("{count} reasons"));
        assert_eq!(self.reasons(), vec![reason; count]);
        let expected = serde_json::json!({ "valid": 0, "refused": count });
        assert_eq!(self.numbers()["verifications"], expected);
    }

    /// Why frames were refused, as the log says.
    fn reasons(&self) -> Vec<String> {
        let log = self.service.log();
        let complete = log.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let lines = complete.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter_map(|line| line["reason"].as_str().map(str::to_owned)).collect()
    }
}

impl<'a> Upload<'a> {
    fn begin(service: &Service, (sent, rest): (&[u8], &'a [u8])) -> Self {
        let request = Request::new("POST", "/verify").field("Content-Type", "message/http");
        let request = request.field("Transfer-Encoding", "chunked");
        let mut connection = service.connect();
        connection.send(request.head());
        send_chunk(&mut connection, sent);
        Self { connection, request, rest }
    }

    /// Sends the rest, and returns whether the service says that the frame is valid.
    fn finish(mut self) -> bool {
        send_chunk(&mut self.connection, self.rest);
        self.connection.send("0\r\n\r\n");
        self.request.answer(&mut self.connection).json()["valid"].as_bool().unwrap()
    }
}

fn send_chunk(connection: &mut Connection<TcpStream>, chunk: &[u8]) {
    if !chunk.is_empty() {
        let head = format!("{:x}\r\n", chunk.len());
        connection.send([head.as_bytes(), chunk, b"\r\n"].concat());
    }
}

#[test]
fn frame_of_a_revoked_key_is_not_valid_wherever_it_was_when_that_happened() {
    for (frame, _) in frames(SECRET_KEY) {
        let mut place = Place::new();
        let uploads = place.begin(&frame);
        place.change(&[("SECRET_KEY", NEW_KEY)]);
        for (cut, upload) in uploads.into_iter().enumerate() {
            assert!(!upload.finish(), "cut at {cut}: {}", frame.escape_ascii());
        }
        place.assert_refused(frame.len() + 1, "signature");
    }
}

#[test]
fn frame_of_another_access_key_is_not_valid_once_that_has_changed() {
    for (frame, _) in frames(SECRET_KEY) {
        let mut place = Place::new();
        let uploads = place.begin(&frame);
        place.change(&[("ACCESS_KEY", "another-access-key")]);
        for (cut, upload) in uploads.into_iter().enumerate() {
            assert!(!upload.finish(), "cut at {cut}: {}", frame.escape_ascii());
        }
        place.assert_refused(frame.len() + 1, "unknown-key");
    }
}

#[test]
fn rotation_with_overlap_takes_nothing_away() {
    for (frame, _) in frames(SECRET_KEY) {
        let mut place = Place::new();
        place.change(&[("SECRET_KEY_PREVIOUS", PREVIOUS_KEY)]);
        let uploads = place.begin(&frame);
        place.change(&[("SECRET_KEY", PREVIOUS_KEY), ("SECRET_KEY_PREVIOUS", SECRET_KEY)]);
        for (cut, upload) in uploads.into_iter().enumerate() {
            assert!(upload.finish(), "cut at {cut}: {}", frame.escape_ascii());
        }
    }
}

/// Keys are looked up when the head is whole, not when the request begins.
#[test]
fn key_that_comes_before_the_end_of_the_head_counts() {
    for (frame, head_len) in frames(NEW_KEY) {
        let mut place = Place::new();
        let uploads = place.begin(&frame);
        place.change(&[("SECRET_KEY_PREVIOUS", NEW_KEY)]);
        for (cut, upload) in uploads.into_iter().enumerate() {
            assert_eq!(upload.finish(), cut < head_len, "cut at {cut} of {head_len}");
        }
    }
}
