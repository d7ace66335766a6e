//! Operations on uploads against a model of them: what is acknowledged is there, an offset never goes
//! back, nothing is visible before its end, and nobody goes on with the upload of another.
//!
//! The fuzz target `uploads` includes this module.

mod operation;
#[cfg(test)]
mod replay;
mod state;

use std::time::Duration;

use arbitrary::Unstructured;
use framesign_upload::server::Limits;
use http::Request;
use object_store::memory::InMemory;
use tokio::runtime;

use self::{
    operation::{Client, Crash, Creation, Damage, Operation, Part, Step},
    state::{Answer, KEEP_COMPLETED, MAX_AGE, MAX_PART, MAX_PARTS, MAX_SIZE, Phase, State},
};
use super::{
    client::{ALICE, BOB, Call, Content, Server, now},
    failing::{Faults, objects_fail},
    stores::Kept,
};

/// The most steps that are taken of an input.
const MOST: usize = 24;

/// So long after its end the claim of a process is over.
const RESTART: u64 = 40;

/// Two processes over one store, and the model.
struct Run {
    kept: Kept,
    replicas: [Server; 2],
    state: State,
    /// A process has died in the middle of something, which it may have left.
    has_crashed: bool,
}

fn limits() -> Limits {
    Limits {
        max_size: MAX_SIZE as u64,
        max_part: MAX_PART as u64,
        max_parts: MAX_PARTS,
        max_age: Duration::from_secs(MAX_AGE),
        keep_completed: Duration::from_secs(KEEP_COMPLETED),
        ..Limits::default()
    }
}

fn server(kept: &Kept, faults: Faults, seconds: u64) -> Server {
    Server::shared(objects_fail(kept, faults), limits(), now() + Duration::from_secs(seconds))
}

fn replicas(kept: &Kept, seconds: u64) -> [Server; 2] {
    [(); 2].map(|()| server(kept, Faults::none(), seconds))
}

impl Client {
    fn access_key(self) -> &'static str {
        if self == Self::Bob { BOB } else { ALICE }
    }

    /// Signs a call, of which `frames` come in the place of its content.
    fn sign(self, call: &Call, damage: Damage, whole: &[u8]) -> Request<Content> {
        let request = call.in_frames(self.access_key(), vec![damage.apply(whole)]);
        if self != Self::Mallory {
            return request;
        }
        // The signature of another secret, which is one of another access key here.
        let other = call.signed(BOB);
        let (mut parts, body) = request.into_parts();
        let signature = other.headers()["dynata-signature"].clone();
        parts.headers.insert("dynata-signature", signature);
        Request::from_parts(parts, body)
    }
}

impl Run {
    fn new() -> Self {
        let kept = Kept::Objects(InMemory::new());
        let replicas = replicas(&kept, 0);
        Self { kept, replicas, state: State::default(), has_crashed: false }
    }

    async fn step(&mut self, step: &Step) {
        // A process that dies is one of its own.
        let crashing = step.crash.map(|crash| self.crashing(crash));
        let server =
            crashing.clone().unwrap_or_else(|| self.replicas[usize::from(step.replica)].clone());
        let is_crash = crashing.is_some();
        match &step.operation {
            Operation::Create(creation) => self.create(&server, creation, is_crash).await,
            Operation::Append(part) => self.append(&server, part, is_crash).await,
            Operation::Head { upload, by } => self.head(&server, *upload, *by, is_crash).await,
            Operation::Cancel { upload, by } => self.cancel(&server, *upload, *by, is_crash).await,
            Operation::Sweep => self.sweep(&server, is_crash).await,
            Operation::Wait { seconds } => self.wait((*seconds).into()),
        }
        self.check(step).await;
    }

    fn crashing(&self, crash: Crash) -> Server {
        let faults = Faults::at(usize::from(crash.call) % 24, usize::MAX, crash.is_answer);
        server(&self.kept, faults, self.state.now)
    }

    fn wait(&mut self, seconds: u64) {
        self.state.wait(seconds);
        self.replicas = replicas(&self.kept, self.state.now);
    }

    /// The process that died is there again.
    fn restart(&mut self) {
        self.has_crashed = true;
        self.wait(RESTART);
    }

    async fn create(&mut self, server: &Server, creation: &Creation, is_crash: bool) {
        let number = self.state.creations;
        self.state.creations += 1;
        let whole = state::bytes(number, creation.content.into());
        let name = state::file_name(creation.name);
        let mut call = Call::create(&name, &whole, creation.is_last).at(server.now);
        if let Some(length) = creation.length {
            call = call.field("upload-length", length);
        }
        if let Some(claimed) = creation.claimed {
            call = call.field("repr-digest", state::claim(number, claimed.into()));
        }
        let is_damaged = creation.damage.is_noticed(&whole);
        for _ in 0..times(creation.damage) {
            let request = creation.by.sign(&call, creation.damage, &whole);
            let answer = server.send(request).await;
            let path = answer.field("location").unwrap_or_default().to_owned();
            let mut after = self.state.clone();
            let expected =
                if is_damaged { Answer::Refused } else { after.create(creation, number, &path) };
            if is_crash && answer.status.is_server_error() {
                self.restart();
                return self.resolve_creation(after).await;
            }
            assert_eq!(said(&answer), expected, "{creation:?}: {answer:?}");
            self.state = after;
        }
        if is_crash {
            self.restart();
        }
    }

    /// What is left of a creation without an answer is ended by the sweeper, one way or the other.
    async fn resolve_creation(&mut self, after: State) {
        self.sweep_all().await;
        let files = self.kept.files().await;
        if files.len() != self.state.files.len() {
            self.state.files = after.files;
        }
    }

    async fn append(&mut self, server: &Server, part: &Part, is_crash: bool) {
        let Some(index) = self.index(part.upload) else { return };
        let upload = self.state.uploads[index].clone();
        let whole = State::content(&upload, part);
        let offset = State::offset(&upload, part);
        let call = Call::part(&upload.path, offset, &whole, part.is_last).at(server.now);
        let is_damaged = part.damage.is_noticed(&whole);
        for _ in 0..times(part.damage) {
            // The second time it is the same request, wherever the upload is by now.
            let answer = server.send(part.by.sign(&call, part.damage, &whole)).await;
            let mut after = self.state.clone();
            let is_same = self.state.uploads[index].phase == upload.phase;
            let expected = match (is_damaged, is_same) {
                (true, _) => Answer::Refused,
                (false, true) => after.append(index, part),
                (false, false) => again(&after, index, offset, &whole, part),
            };
            if is_crash && answer.status.is_server_error() {
                self.restart();
                return self.resolve(index, after).await;
            }
            assert_eq!(said(&answer), expected, "{part:?}: {answer:?}");
            self.state = after;
        }
        if is_crash {
            self.restart();
        }
    }

    /// Asks how far an upload is whose last request had no answer: as before it, or as after it.
    async fn resolve(&mut self, index: usize, mut after: State) {
        let now = self.state.now;
        after.wait(now - after.now);
        let [before, then] = [&self.state, &after].map(|state| state.uploads[index].phase);
        let found = self.phase(index).await;
        if then == Phase::Gone {
            // It may be half gone: its owner cancels it.
            let (path, owner) = (&self.state.uploads[index].path, self.state.uploads[index].owner);
            let call = Call::new("DELETE", path).at(self.replicas[0].now);
            let answer = self.replicas[0].send(call.signed(owner.access_key())).await;
            assert!([204, 404].contains(&answer.status.as_u16()), "{answer:?}");
            self.state = after;
        } else if found == then {
            self.state = after;
        } else {
            assert_eq!(found, before, "neither that nor {then:?}");
        }
    }

    async fn head(&mut self, server: &Server, upload: u8, by: Client, is_crash: bool) {
        let Some(index) = self.index(upload) else { return };
        let call = Call::new("HEAD", &self.state.uploads[index].path).at(server.now);
        let answer = server.send(by.sign(&call, Damage::None, b"")).await;
        if !(is_crash && answer.status.is_server_error()) {
            assert_eq!(said(&answer), self.state.head(index, by), "{answer:?}");
        }
        if is_crash {
            self.restart();
        }
    }

    async fn cancel(&mut self, server: &Server, upload: u8, by: Client, is_crash: bool) {
        let Some(index) = self.index(upload) else { return };
        let call = Call::new("DELETE", &self.state.uploads[index].path).at(server.now);
        let answer = server.send(by.sign(&call, Damage::None, b"")).await;
        let mut after = self.state.clone();
        let expected = after.cancel(index, by);
        if is_crash && answer.status.is_server_error() {
            self.restart();
            return self.resolve(index, after).await;
        }
        assert_eq!(said(&answer), expected, "{answer:?}");
        self.state = after;
        if is_crash {
            self.restart();
        }
    }

    async fn sweep(&mut self, server: &Server, is_crash: bool) {
        let swept = server.uploads.sweep().await;
        if is_crash {
            self.restart();
            return self.sweep_all().await;
        }
        assert_eq!(swept.unwrap().failed, 0);
        self.state.sweep();
    }

    async fn sweep_all(&mut self) {
        assert_eq!(self.replicas[0].uploads.sweep().await.unwrap().failed, 0);
        self.state.sweep();
    }

    /// The upload that a number means.
    fn index(&self, upload: u8) -> Option<usize> {
        usize::from(upload).checked_rem(self.state.uploads.len())
    }

    /// How far an upload is, by its owner's question.
    async fn phase(&self, index: usize) -> Phase {
        let upload = &self.state.uploads[index];
        let call = Call::new("HEAD", &upload.path).at(self.replicas[1].now);
        let answer = self.replicas[1].send(call.signed(upload.owner.access_key())).await;
        let offset = answer.field("upload-offset").map(|offset| offset.parse().unwrap());
        match (answer.status.as_u16(), offset, answer.field("upload-complete")) {
            (204, Some(offset), Some("?0")) => Phase::Open(offset),
            (204, Some(len), Some("?1")) => {
                let digest = state::claim(upload.number, len);
                assert_eq!(answer.field("repr-digest"), Some(&*digest), "{answer:?}");
                Phase::Complete(len)
            }
            (404 | 409, _, _) => Phase::Gone,
            _ => panic!("{answer:?}"),
        }
    }

    /// Holds what is there to the model.
    async fn check(&self, step: &Step) {
        for (index, upload) in self.state.uploads.iter().enumerate() {
            assert_eq!(self.phase(index).await, upload.phase, "{index} after {step:?}");
        }
        let names: Vec<_> = self.state.files.keys().cloned().collect();
        assert_eq!(self.kept.files().await, names, "after {step:?}");
        for (name, bytes) in &self.state.files {
            assert!(self.kept.read(name).await == *bytes, "{name} after {step:?}");
        }
        // Without a crash nothing is there but the records of what is open, or was until it expired.
        let is_open = |upload: &&state::Upload| matches!(upload.phase, Phase::Open(_));
        let open = self.state.uploads.iter().filter(is_open).count();
        let records = self.kept.rest().await.len();
        assert!(records >= open, "{records} records of {open} after {step:?}");
        if !self.has_crashed && self.state.now < MAX_AGE {
            assert_eq!(records, open, "after {step:?}");
        }
    }

    /// In the end the sweeper finds whatever was left.
    async fn end(mut self) {
        self.wait(MAX_AGE + RESTART);
        self.sweep_all().await;
        assert_eq!(self.kept.rest().await, [""; 0]);
        let names: Vec<_> = self.state.files.keys().cloned().collect();
        assert_eq!(self.kept.files().await, names);
    }
}

/// What becomes of a part that comes again, when the upload has gone on by it.
fn again(state: &State, index: usize, offset: usize, content: &[u8], part: &Part) -> Answer {
    let upload = &state.uploads[index];
    let is_empty_last = part.is_last && content.is_empty();
    let is_again = upload.phase == Phase::Complete(offset) && is_empty_last;
    if is_again && part.by == upload.owner { Answer::Taken } else { Answer::Refused }
}

fn times(damage: Damage) -> usize {
    if damage == Damage::Twice { 2 } else { 1 }
}

/// What an answer says; nothing else is one, unless a process dies.
fn said(answer: &super::client::Answer) -> Answer {
    match answer.status.as_u16() {
        200..=299 => Answer::Taken,
        400..=499 => Answer::Refused,
        _ => panic!("{answer:?}"),
    }
}

/// An input is a list of steps, as `arbitrary` reads it.
pub(crate) fn fuzz(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let Ok(steps) = input.arbitrary_iter::<Step>() else { return };
    let steps: Vec<Step> = steps.take(MOST).map_while(Result::ok).collect();
    let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut run = Run::new();
        for step in &steps {
            run.step(step).await;
        }
        run.end().await;
    });
}
