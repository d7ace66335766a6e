//! Who may upload: the right is that of the access key that a request has proven, over HTTP/1.1 and
//! HTTP/2.

use std::{fs, path::Path, time::SystemTime};

use bytes::Bytes;
use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head};
use http_body_util::Full;
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};
use tokio::runtime::Runtime;

use super::{
    Service,
    certificates::{Authority, Files, NAME, connect},
    http2::Client,
    rights::{ONE, TWO, with_callers},
};

const CONTENT: &str = "hello";
const ACCESS_KEY: &str = "dynata-access-key";
const SIGNATURE: &str = "dynata-signature";

/// An access key that nobody lists and that has no secret.
const NOBODY: (&str, &str) = ("key-none", "a secret that nobody has");

type Fields = Vec<(String, String)>;

/// A service whose callers list two access keys, of which the second may upload.
struct Place {
    folder: TempDir,
    authority: Authority,
    service: Service,
    _files: (Files, [NamedTempFile; 2]),
}

impl Place {
    fn new() -> Self {
        let callers = [
            ("signs", "rights = ['sign']\naccess_keys = ['key-one']"),
            ("uploads", "rights = ['upload']\naccess_keys = ['key-two/&']"),
            ("also", "rights = ['sign']\naccess_keys = ['key-two/&']"),
        ];
        let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
        let files = Files::of(&authority.identity());
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (certificate, key) = (files.path("certificate.pem"), files.path("key.pem"));
        let (service, of_callers) = with_callers(
            &callers,
            &[
                "--uploads",
                &text(folder.path()),
                "--tls-certificate",
                &text(&certificate),
                "--tls-key",
                &text(&key),
                "--log-format",
                "json",
            ],
        );
        Self { folder, authority, service, _files: (files, of_callers) }
    }

    /// Sends a request over HTTP/1.1: the status, and what the problem says but for its id.
    fn over_http1(&self, path: &str, fields: &Fields) -> (u16, Value) {
        let mut head = format!("POST {path} HTTP/1.1\r\nHost: {NAME}\r\n");
        for (name, value) in fields {
            head.extend([name, ": ", value, "\r\n"]);
        }
        let mut connection = connect(&self.service, self.authority.client(None, &[]));
        connection.send(head + "\r\n" + CONTENT);
        let answer = connection.answer_to("POST");
        (answer.status, without_id(&answer.body))
    }

    /// The same over HTTP/2, where the blanks around a value come through.
    fn over_http2(&self, runtime: &Runtime, path: &str, fields: &Fields) -> (u16, Value) {
        let mut request = hyper::Request::post(format!("https://{NAME}{path}"));
        for (name, value) in fields {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from_static(CONTENT.as_bytes()))).unwrap();
        runtime.block_on(async {
            let mut client = Client::connect(&self.service, &self.authority).await;
            let (status, body) = client.answer(request).await;
            (status, without_id(&body))
        })
    }

    /// The files that are there, and the records of uploads.
    fn count(&self) -> usize {
        let of = |folder: &Path| fs::read_dir(folder).unwrap().count();
        let own = self.folder.path().join(".uploads");
        of(self.folder.path()) - 1 + of(&own.join("open")) + of(&own.join("data"))
    }
}

fn without_id(body: &[u8]) -> Value {
    let mut problem: Value = serde_json::from_slice(body).unwrap();
    problem.as_object_mut().unwrap().remove("request_id");
    problem
}

/// The fields of a request that is signed now.
fn signed((access_key, secret): (&str, &str), path: &str) -> Fields {
    let now = SystemTime::now();
    let head = format!("POST {path} HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 5\r\n\r\n");
    let credentials = Credentials::new(access_key, secret).unwrap();
    let key = SigningKey::derive(&credentials, SigningDate::of(now));
    let (hash, options) = (PayloadHash::of(CONTENT.as_bytes()), SigningOptions::default());
    let head = sign_head(head.as_bytes(), &key, hash, now, &options).unwrap();
    let head = String::from_utf8(head).unwrap();
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let fields = fields.filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
    fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect()
}

fn set(fields: &mut Fields, name: &str, change: impl Fn(&str) -> String) {
    let (_, value) = fields.iter_mut().find(|(other, _)| other == name).unwrap();
    *value = change(value);
}

/// Requests that prove an access key: as it is, and with blanks around it, which are no part of it.
fn proven(pair: (&str, &str), path: &str) -> Vec<Fields> {
    let paddings = [["", ""], [" ", ""], ["", " "], ["\t", ""], ["  ", "\t "]];
    let padded = paddings.map(|[before, after]| {
        let mut fields = signed(pair, path);
        set(&mut fields, ACCESS_KEY, |value| format!("{before}{value}{after}"));
        fields
    });
    padded.into()
}

/// Requests that merely name an access key: unsigned, and signed with another secret.
fn unproven((access_key, _): (&str, &str), path: &str) -> Vec<Fields> {
    let mut unsigned = signed((access_key, "any secret"), path);
    unsigned.retain(|(name, _)| name != SIGNATURE);
    let alone = vec![
        (ACCESS_KEY.to_owned(), access_key.to_owned()),
        ("content-length".to_owned(), "5".to_owned()),
    ];
    vec![unsigned, alone, signed((access_key, "any secret"), path)]
}

#[test]
fn access_key_uploads_if_a_caller_who_lists_it_may() {
    let (place, runtime) = (Place::new(), Runtime::new().unwrap());
    let (mut created, mut denied) = (0, 0);
    for (pair, expected) in [(ONE, 403), (TWO, 201)] {
        for index in 0..proven(pair, "/files/name").len() {
            for version in [1, 2] {
                let path = format!("/files/name-{expected}-{index}-{version}");
                let fields = &proven(pair, &path)[index];
                let (status, answer) = match version {
                    1 => place.over_http1(&path, fields),
                    _ => place.over_http2(&runtime, &path, fields),
                };
                assert_eq!(status, expected, "HTTP/{version}: {fields:?}: {answer}");
                if expected == 403 {
                    assert_eq!(answer["detail"], "the caller may not do this");
                    denied += 1;
                } else {
                    created += 1;
                }
                assert_eq!(place.count(), created);
            }
        }
    }
    place.service.terminate();
    let (_, log) = place.service.wait();
    assert_eq!(log.matches("\"denied\":\"right\"").count(), denied, "{log}");
}

/// Protocol section 9: what is refused tells nothing of whose access key it is.
#[test]
fn request_that_is_not_proven_does_not_tell_which_access_keys_are_listed() {
    let (place, runtime) = (Place::new(), Runtime::new().unwrap());
    let mut answers = Vec::new();
    for pair in [ONE, TWO, NOBODY] {
        for fields in unproven(pair, "/files/name") {
            answers.push(place.over_http1("/files/name", &fields));
            answers.push(place.over_http2(&runtime, "/files/name", &fields));
        }
    }
    assert_eq!(answers.len(), 18);
    for answer in &answers {
        assert_eq!((answer.0, answer), (401, &answers[0]));
    }
    assert_eq!(place.count(), 0);
    place.service.terminate();
    let (_, log) = place.service.wait();
    assert!(!log.contains("\"denied\""), "{log}");
}
