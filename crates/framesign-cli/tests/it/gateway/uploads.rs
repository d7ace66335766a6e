//! 1,000 uploads that were tampered with, at every place, among 1,000 that were not. No upstream sees
//! one of the former whole; each of them has its status and its line of the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    mem,
    net::Shutdown,
    sync::{Arc, Mutex},
};

use super::{Recorder, Setup, Signed, noise, wait_until};

/// The uploads of a test, right and tampered with; the two tests together have 1,000 of each.
const UPLOADS: usize = 500;

/// Lengths around the limits of what is read before it is handed on, and of a read.
const LENGTHS: [usize; 7] = [2, 100, 1000, 8191, 65_536, 65_537, 200_000];

/// The most bytes of a body that are proven without Content-Digest and without a file.
const IN_MEMORY: usize = 65_536;

/// A place at which an upload is tampered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Head,
    Byte,
    LastByte,
    Cut,
    TooLong,
    Replayed,
    Unsigned,
    ForeignHost,
}

const PLACES: [Place; 8] = [
    Place::Head,
    Place::Byte,
    Place::LastByte,
    Place::Cut,
    Place::TooLong,
    Place::Replayed,
    Place::Unsigned,
    Place::ForeignHost,
];

/// Parts of a head: what they begin with, the number of bytes that are tampered with, and the reason
/// of the refusal.
const PARTS: [(&str, usize, &str); 7] = [
    ("PUT /files/", 4, "signature"),
    ("X-Meta: ", 5, "signature"),
    ("dynata-nonce: ", 32, "signature"),
    ("dynata-signature: ", 64, "signature"),
    ("dynata-access-key: ", 8, "unknown-key"),
    ("dynata-date: ", 4, "date"),
    ("timestamp: ", 4, "stale"),
];

/// An upload that was tampered with, and how it is refused.
struct Tampered {
    bytes: Vec<u8>,
    status: u16,
    reason: &'static str,
}

/// An upload, and which of them it is.
struct Upload {
    number: usize,
    body: Vec<u8>,
    is_claimed: bool,
    has_spool: bool,
    signed: Signed,
    /// As it was sent.
    head: Vec<u8>,
}

impl Upload {
    fn new(number: usize, has_spool: bool) -> Self {
        let len = LENGTHS[number % LENGTHS.len()];
        let body = noise(UPLOADS + len).split_off(UPLOADS - number);
        let body = body[..len].to_vec();
        let is_claimed = !number.is_multiple_of(3) || (len > IN_MEMORY && !has_spool);
        let signed = Signed::put(&format!("/files/name{number}"), &body).field("X-Meta", "value");
        let signed = if is_claimed { signed } else { signed.unclaimed() };
        let head = signed.head();
        Self { number, body, is_claimed, has_spool, signed, head }
    }

    fn tampered(&self, place: Place) -> Tampered {
        let (head, body) = (&self.head[..], &self.body[..]);
        // Varies from upload to upload of one place.
        let at = self.number / PLACES.len();
        let of_payload = if self.is_claimed { "digest" } else { "signature" };
        let (bytes, status, reason) = match place {
            Place::Head => {
                let (part, len, reason) = PARTS[at % PARTS.len()];
                ([&flipped(head, part, at / PARTS.len() % len), body].concat(), 401, reason)
            }
            Place::Byte => (changed(head, body, at * 7919 % body.len()), 401, of_payload),
            Place::LastByte => (changed(head, body, body.len() - 1), 401, of_payload),
            Place::Cut => ([head, &body[..at * 6151 % body.len()]].concat(), 400, "frame"),
            Place::TooLong => {
                let is_proven = self.is_claimed || self.has_spool || body.len() + at < IN_MEMORY;
                let (status, reason) =
                    if is_proven { (401, "signature") } else { (400, "digest-required") };
                (self.longer(1 + at), status, reason)
            }
            Place::Replayed => ([head, body].concat(), 409, "replayed"),
            Place::Unsigned => ([&without_signature(head), body].concat(), 401, "missing-field"),
            Place::ForeignHost => (self.signed.clone().host("elsewhere.test").bytes(), 401, "host"),
        };
        Tampered { bytes, status, reason }
    }

    /// The upload with further bytes, and with their number added to its length.
    fn longer(&self, by: usize) -> Vec<u8> {
        let head = String::from_utf8(self.head.clone()).unwrap();
        let length = |len| format!("Content-Length: {len}\r\n");
        assert!(head.contains(&length(self.body.len())), "{head}");
        let head = head.replace(&length(self.body.len()), &length(self.body.len() + by));
        [head.as_bytes(), &self.body, &noise(by)].concat()
    }
}

/// The head with another character of the same kind, `at` so many or at the next that has a kind.
fn flipped(head: &[u8], part: &str, at: usize) -> Vec<u8> {
    let text = String::from_utf8(head.to_ascii_lowercase()).unwrap();
    let begins = text.find(&part.to_ascii_lowercase()).unwrap_or_else(|| panic!("{part}: {text}"));
    let mut flipped = head.to_vec();
    let byte = &mut flipped[begins + part.len() + at];
    *byte = match *byte {
        b'9' => b'8',
        b'f' => b'e',
        b'z' => b'y',
        other => other + 1,
    };
    flipped
}

fn changed(head: &[u8], body: &[u8], at: usize) -> Vec<u8> {
    let mut body = body.to_vec();
    body[at] ^= 1;
    [head, &body].concat()
}

fn without_signature(head: &[u8]) -> Vec<u8> {
    let head = String::from_utf8(head.to_vec()).unwrap();
    let lines = head.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with("dynata-")).collect::<String>().into_bytes()
}

/// The targets and bodies of what the upstream has seen whole.
type Whole = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

fn setup(options: &[&str]) -> (Setup, Whole) {
    let whole = Whole::default();
    let seen = Arc::clone(&whole);
    let upstream = Recorder::with(move |exchange| {
        exchange.read_body();
        if exchange.request.is_whole {
            let request = &exchange.request;
            seen.lock().unwrap().push((request.target.clone(), request.body.clone()));
        }
        exchange.answer_length()
    });
    (Setup::before(upstream, &[&["--replay", "memory"], options].concat()), whole)
}

fn status_of(setup: &Setup, bytes: &[u8], is_cut: bool) -> u16 {
    let mut connection = setup.connect();
    // The answer may come before all was sent, and the connection end with it.
    let _ = connection.stream.write_all(bytes);
    if is_cut {
        let _ = connection.stream.shutdown(Shutdown::Write);
    }
    connection.answer().status
}

/// Sends all uploads, and returns how many of each status and of each reason the log must have.
fn send_all(setup: &Setup, whole: &Whole, has_spool: bool) -> [BTreeMap<String, usize>; 2] {
    let [mut statuses, mut reasons] = [BTreeMap::new(), BTreeMap::new()];
    for number in 0..UPLOADS {
        let upload = Upload::new(number, has_spool);
        let right = [&upload.head[..], &upload.body].concat();
        assert_eq!(status_of(setup, &right, false), 200, "{number}");
        let seen = mem::take(&mut *whole.lock().unwrap());
        assert_eq!(seen.len(), 1, "{number}");
        assert!(seen[0] == (format!("/files/name{number}"), upload.body.clone()), "{number}");
        let place = PLACES[number % PLACES.len()];
        let Tampered { bytes, status, reason } = if place == Place::Replayed {
            upload.tampered(place)
        } else {
            // Signed anew, so that it did not come before.
            Upload::new(number, has_spool).tampered(place)
        };
        let answer = status_of(setup, &bytes, place == Place::Cut);
        assert_eq!(answer, status, "{number}, {place:?}: {}", setup.gateway.log());
        assert!(whole.lock().unwrap().is_empty(), "{number}, {place:?}");
        for status in [200, status] {
            *statuses.entry(status.to_string()).or_default() += 1;
        }
        *reasons.entry(format!("\"{reason}\"")).or_default() += 1;
    }
    [statuses, reasons]
}

/// How often each value of the field `name` stands in lines with `text`.
fn values(log: &str, text: &str, name: &str) -> BTreeMap<String, usize> {
    let name = format!(" {name}=");
    let mut values = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains(text)) {
        let (_, rest) = line.split_once(&name).unwrap_or_else(|| panic!("{line}"));
        let value = rest.split(' ').next().unwrap();
        *values.entry(value.to_owned()).or_default() += 1;
    }
    values
}

/// Sends all uploads through a gateway: at most `heard` of those that were tampered with have begun at
/// the upstream.
fn assert_none_passes(options: &[&str], heard: impl Fn(usize) -> bool) {
    let (setup, whole) = setup(options);
    let files = setup.open_files();
    let expected = send_all(&setup, &whole, !options.is_empty());
    wait_until(|| setup.open_files() <= files, "its files to be closed");
    assert_eq!((setup.spooled(), setup.names()), (0, vec!["secrets.toml".to_owned()]));
    setup.gateway.terminate();
    let Setup { gateway, upstream, .. } = setup;
    let (code, log) = gateway.wait();
    assert_eq!(code, 0, "{log}");
    assert!(whole.lock().unwrap().is_empty(), "one that came late");
    let begun = upstream.received().len() - UPLOADS;
    assert!(heard(begun), "{begun} began");
    let lines = "route=\"upstream\"";
    let found = [values(&log, lines, "status"), values(&log, "reason=", "reason")];
    assert_eq!(found, expected, "{log}");
    let ids: BTreeSet<_> = values(&log, lines, "request_id").into_keys().collect();
    assert_eq!(ids.len(), 2 * UPLOADS);
    let refused: BTreeSet<_> = values(&log, "reason=", "request_id").into_keys().collect();
    assert_eq!(refused.len(), UPLOADS);
    assert!(refused.is_subset(&ids), "{refused:?}");
}

#[test]
fn none_of_a_thousand_tampered_uploads_is_seen_whole() {
    // Only those whose body was tampered with, since it streams.
    assert_none_passes(&[], |begun| (1..=UPLOADS * 3 / PLACES.len() + 1).contains(&begun));
}

#[test]
fn none_of_a_thousand_tampered_uploads_is_heard_of_with_files() {
    assert_none_passes(&["--spool", ".", "--spool-claimed"], |begun| begun == 0);
}
