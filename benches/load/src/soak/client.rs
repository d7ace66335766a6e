//! Requests of one client: each is made, sent, and its answer held against what it must be.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use framesign::SigningOptions;
use sha2::{Digest, Sha256};
use tokio::time::{sleep, timeout};

use super::{
    message::{MESSAGE, contains, post, reset, signed, token},
    pair::{ACCESS_KEY, Pair},
    tally::{Failure, Fault, Tally},
    upstream::{self, HASH, NUMBER, Upstream},
};
use crate::{
    Result,
    connection::{Answer, Connection},
    request::Request,
};

/// The longest that an answer may take; no fault lasts as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A small body fits into the memory of the gateway, a large one does not.
const SMALL: usize = 16 * 1024;
const LARGE: usize = 256 * 1024;

/// What clients share.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) pairs: Vec<Arc<Pair>>,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) numbers: Arc<AtomicU64>,
}

/// A client.
pub(crate) struct Client {
    pub(crate) world: Arc<World>,
    pub(crate) random: fastrand::Rng,
    pub(crate) until: Instant,
    pub(crate) pause: Duration,
    /// The service that verifies, in place of that of the pair.
    pub(crate) verifier: Option<SocketAddr>,
}

/// A request that a client is about to send.
struct Sending<'a> {
    pair: &'a Pair,
    kind: &'static str,
    address: SocketAddr,
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Client {
    /// Sends requests, with pauses, until it is time to end.
    pub(crate) async fn run(mut self) {
        while Instant::now() < self.until {
            let pause = u64::try_from(self.pause.as_millis()).unwrap_or(u64::MAX);
            sleep(Duration::from_millis(self.random.u64(..=2 * pause))).await;
            let pair = Arc::clone(&self.world.pairs[self.random.usize(..self.world.pairs.len())]);
            if let Err(error) = self.step(&pair).await {
                self.world.tally.problem(format!("a request could not be made: {error}"));
            }
        }
    }

    /// Has frames verified by another service than those of the pairs.
    pub(crate) async fn verify_at(mut self, address: SocketAddr) {
        let pair = Arc::clone(&self.world.pairs[0]);
        self.verifier = Some(address);
        while Instant::now() < self.until {
            sleep(self.pause).await;
            if let Err(error) = self.verify(&pair).await {
                self.world.tally.problem(format!("a request could not be made: {error}"));
            }
        }
    }

    async fn step(&mut self, pair: &Pair) -> Result {
        match self.random.u32(..100) {
            0..25 => self.token(pair).await,
            25..40 => self.sign(pair).await,
            40..58 => self.verify(pair).await,
            58..63 => self.stranger(pair).await,
            63..90 => self.gateway(pair).await,
            _ => self.cut(pair).await,
        }
    }

    fn body(&mut self, most: usize) -> Vec<u8> {
        let mut body = vec![0; self.random.usize(1..=most)];
        self.random.fill(&mut body);
        body
    }

    async fn token(&mut self, pair: &Pair) -> Result {
        let most = if self.random.u8(..8) == 0 { 4 * LARGE } else { SMALL };
        let (body, live) = (self.body(most), pair.live());
        let head = post("/token", pair.service, &live.caller[0], "", body.len());
        let secrets = [live.token, pair.live().token].concat();
        let sending = Sending { pair, kind: "token", address: pair.service, head, body };
        let Some((answer, body)) = self.answered(sending, 200).await else { return Ok(()) };
        let tokens = [secrets, pair.live().token].concat();
        let tokens = tokens.iter().map(|secret| token(secret.as_bytes(), &body));
        let is_right = tokens
            .collect::<Result<Vec<_>>>()?
            .iter()
            .any(|token| contains(&answer.body, &format!("\"token\":\"{token}\"")));
        self.judge(is_right, "token", pair, 200);
        Ok(())
    }

    async fn sign(&mut self, pair: &Pair) -> Result {
        let (payload, live) = (self.body(SMALL), pair.live());
        let (number, length) = (self.random.u32(..), payload.len());
        let frame = format!(
            "PUT /files/{number} HTTP/1.1\r\nHost: files.example.org\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        let canonical = format!(
            "PUT\n/files/{number}\n\ncontent-length:{length}\nhost:files.example.org\n\n{}",
            hex::encode(Sha256::digest(&payload))
        );
        let body = [frame.as_bytes(), &payload].concat();
        let path = format!("/sign?access_key={ACCESS_KEY}");
        let head = post(&path, pair.service, &live.caller[0], MESSAGE, body.len());
        let sending = Sending { pair, kind: "sign", address: pair.service, head, body };
        let Some((answer, _)) = self.answered(sending, 200).await else { return Ok(()) };
        let text = String::from_utf8_lossy(&answer.body);
        let date = text.split_once("\"date\":\"").and_then(|(_, date)| date.get(..8));
        let date = date.ok_or_else(|| format!("expected a date, found {text}"))?;
        let mut is_right = false;
        for secret in [live.frame, pair.live().frame].concat() {
            let day = token(secret.as_bytes(), date.as_bytes())?;
            let key = token(day.as_bytes(), ACCESS_KEY.as_bytes())?;
            let hash = hex::encode(Sha256::digest(&canonical));
            let signature = token(key.as_bytes(), hash.as_bytes())?;
            is_right |= contains(&answer.body, &format!("\"signature\":\"{signature}\""));
        }
        self.judge(is_right, "sign", pair, 200);
        Ok(())
    }

    /// A frame that is right, and again; or one that is not.
    async fn verify(&mut self, pair: &Pair) -> Result {
        let (mut payload, live) = (self.body(SMALL), pair.live());
        let revoked = live.revoked.map(|(frame, _)| frame);
        let (kind, secret, age) = match (self.random.u8(..6), revoked) {
            (0, Some(revoked)) => ("verify, revoked", revoked, 0),
            (1, _) => ("verify, dated wrong", live.frame[0].clone(), 300),
            (2, _) => ("verify, flipped", live.frame[0].clone(), 0),
            _ => ("verify", live.frame[0].clone(), 0),
        };
        let now = SystemTime::now() - Duration::from_secs(age);
        let head = b"PUT /files/a HTTP/1.1\r\nHost: files.example.org\r\n";
        let mut frame = signed(head, &secret, &payload, now, &SigningOptions::default())?;
        if kind == "verify, flipped" {
            let at = self.random.usize(..payload.len());
            payload[at] ^= 1 << self.random.u8(..8);
        }
        frame.extend_from_slice(&payload);
        let expected = kind == "verify";
        let began = Instant::now();
        let first = self.verdict(pair, kind, &live.caller[0], &frame, expected).await;
        if first && expected {
            let kind = "verify, again";
            // A store in memory forgets when it is killed; a clock that steps may end an entry.
            if !self.world.tally.was(pair.number, &[Fault::Killed, Fault::ClockStepped], began) {
                self.verdict(pair, kind, &live.caller[0], &frame, false).await;
            }
        }
        Ok(())
    }

    /// Asks whether a frame is valid; true if the answer is the expected one.
    async fn verdict(
        &mut self,
        pair: &Pair,
        kind: &'static str,
        caller: &str,
        frame: &[u8],
        expected: bool,
    ) -> bool {
        let began = Instant::now();
        let address = self.verifier.unwrap_or(pair.service);
        // A verifier on loopback takes anybody, and has no business with the token.
        let caller = if self.verifier.is_some() { "anybody" } else { caller };
        let head = post("/verify", address, caller, MESSAGE, frame.len());
        let sending = Sending { pair, kind, address, head, body: frame.into() };
        let Some((answer, _)) = self.answered(sending, 200).await else { return false };
        let is_valid = contains(&answer.body, "\"valid\":true");
        let tally = &self.world.tally;
        match (is_valid, expected) {
            (false, true) => tally.failed(pair.number, kind, began, Failure::Refused(401)),
            (true, false) if kind == "verify, dated wrong" || kind == "verify, again" => {
                let faults = [Fault::ClockStepped, Fault::Killed];
                if !tally.was(pair.number, &faults, began) {
                    tally.problem(format!("{kind} is valid, to pair {}", pair.number));
                }
            }
            (true, false) => tally.problem(format!("{kind} is valid, to pair {}", pair.number)),
            _ => tally.right(kind, if expected { "valid" } else { "not valid" }),
        }
        is_valid == expected
    }

    /// Somebody with a wrong token, or one that was taken away.
    async fn stranger(&mut self, pair: &Pair) -> Result {
        let (kind, caller) = match pair.live().revoked {
            Some((_, caller)) if self.random.bool() => ("token, revoked caller", caller),
            _ => ("token, unknown caller", "0123456789abcdef0123".into()),
        };
        let body = self.body(SMALL);
        let head = post("/token", pair.service, &caller, "", body.len());
        let sending = Sending { pair, kind, address: pair.service, head, body };
        if self.answered(sending, 401).await.is_some() {
            self.judge(true, kind, pair, 401);
        }
        Ok(())
    }

    /// A signed request through the gateway.
    async fn gateway(&mut self, pair: &Pair) -> Result {
        let live = pair.live();
        let revoked = live.revoked.map(|(frame, _)| frame);
        let claimed = SigningOptions::default();
        let unclaimed = claimed.clone().without_content_digest();
        let (kind, most, options) = match self.random.u8(..10) {
            0 => ("gateway, flipped", LARGE, claimed),
            1 => ("gateway, flipped unclaimed", SMALL, unclaimed),
            2 if revoked.is_some() => ("gateway, revoked", SMALL, claimed),
            3 => ("gateway, in memory", SMALL, unclaimed),
            4 | 5 => ("gateway, in a file", 4 * LARGE, unclaimed),
            _ => ("gateway, claimed", LARGE, claimed),
        };
        let (is_revoked, is_flipped) = (kind.contains("revoked"), kind.contains("flipped"));
        let secret = revoked.filter(|_| is_revoked).unwrap_or_else(|| live.frame[0].clone());
        let number = self.world.numbers.fetch_add(1, Relaxed);
        let mut body = self.body(most);
        let head = Self::head(number, &secret, &body, &options)?;
        if is_flipped {
            let at = self.random.usize(..body.len());
            body[at] ^= 1 << self.random.u8(..8);
        }
        let expected = if is_flipped || is_revoked { 401 } else { 200 };
        let began = Instant::now();
        let sending =
            |head| Sending { pair, kind, address: pair.gateway, head, body: body.clone() };
        let Some((answer, _)) = self.answered(sending(head.clone()), expected).await else {
            self.check_whole(number, expected != 200, kind);
            return Ok(());
        };
        if expected == 401 {
            self.judge(true, kind, pair, 401);
            self.check_whole(number, true, kind);
            return Ok(());
        }
        let is_right = answer.body == upstream::content(number) && self.world.upstream.saw(number);
        self.judge(is_right, kind, pair, 200);
        let faults = [Fault::Killed, Fault::ClockStepped];
        if most == SMALL && !self.world.tally.was(pair.number, &faults, began) {
            let again = Sending { kind: "gateway, again", ..sending(head) };
            if self.answered(again, 409).await.is_some() {
                self.judge(true, "gateway, again", pair, 409);
            }
            if self.world.upstream.saw_again(number) {
                let is_explained = self.world.tally.was(pair.number, &faults, began);
                self.judge(is_explained, "gateway, again", pair, 200);
            }
        }
        Ok(())
    }

    /// The upstream must not have seen what was refused.
    fn check_whole(&self, number: u64, must_not: bool, kind: &str) {
        if must_not && self.world.upstream.saw(number) {
            self.world.tally.problem(format!("the upstream saw whole: {kind}"));
        }
    }

    fn head(number: u64, secret: &str, body: &[u8], options: &SigningOptions) -> Result<Vec<u8>> {
        let hash = hex::encode(Sha256::digest(body));
        let head = format!(
            "PUT /{number} HTTP/1.1\r\nHost: gateway\r\n{NUMBER}: {number}\r\n{HASH}: {hash}\r\n"
        );
        signed(head.as_bytes(), secret, body, SystemTime::now(), options)
    }

    /// Resets the connection in the middle of a body.
    async fn cut(&mut self, pair: &Pair) -> Result {
        let (body, live) = (self.body(LARGE), pair.live());
        let number = self.world.numbers.fetch_add(1, Relaxed);
        let options = SigningOptions::default();
        let (kind, address, head, options) = match self.random.u8(..3) {
            0 => {
                let head = post("/token", pair.service, &live.caller[0], "", body.len());
                ("token, reset", pair.service, head, None)
            }
            1 => ("gateway, reset", pair.gateway, vec![], Some(options)),
            _ => {
                let options = options.without_content_digest();
                ("gateway in a file, reset", pair.gateway, vec![], Some(options))
            }
        };
        let head = match options {
            Some(options) => Self::head(number, &live.frame[0], &body, &options)?,
            None => head,
        };
        let sent = self.random.usize(..body.len());
        let began = Instant::now();
        match reset(address, &head, &body[..sent]).await {
            Ok(()) => self.world.tally.right(kind, "no answer"),
            // It may have been refused before the end, which closes the connection too.
            Err(_) => self.world.tally.failed(pair.number, kind, began, Failure::Broken),
        }
        self.check_whole(number, true, kind);
        Ok(())
    }

    /// Sends a request, and gives its answer if it has the expected status, and its body.
    async fn answered(&self, sending: Sending<'_>, expected: u16) -> Option<(Answer, Vec<u8>)> {
        let Sending { pair, kind, address, head, body } = sending;
        let began = Instant::now();
        let exchange = async {
            let request = Request::with_body(&head, &body);
            Connection::open(address).await?.exchange(&request).await
        };
        let failure = match timeout(PATIENCE, exchange).await {
            Ok(Ok(answer)) if answer.status == expected => return Some((answer, body)),
            Ok(Ok(answer)) if answer.status == 200 => {
                self.world.tally.problem(format!("{kind}: expected {expected}, found 200"));
                return None;
            }
            Ok(Ok(answer)) => Failure::Refused(answer.status),
            Ok(Err(_)) => Failure::Broken,
            Err(_) => Failure::Late,
        };
        self.world.tally.failed(pair.number, kind, began, failure);
        None
    }

    fn judge(&self, is_right: bool, kind: &'static str, pair: &Pair, status: u16) {
        if is_right {
            self.world.tally.right(kind, status);
        } else {
            self.world.tally.problem(format!("{kind}: a wrong answer of pair {}", pair.number));
        }
    }
}
