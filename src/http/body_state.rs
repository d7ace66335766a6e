//! The state machine of a body: what its frames do, without the body itself.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::Frame;

use super::BodyError;
use crate::{
    error::{ErrorKind, Expected, Found, FrameError},
    offload::HashPool,
    payload::Progress,
    payload_digest::PayloadDigest,
    protocol::PayloadHash,
};

/// An observer of a payload: it signs or verifies what passes.
pub(super) trait PayloadObserver {
    /// The outcome at the end.
    type Outcome;
    /// The reason why there is none.
    type Error: Clone + From<FrameError> + Into<BodyError>;

    /// Counts bytes; refuses those beyond the end.
    fn count(&mut self, len: u64) -> Result<(), Self::Error>;

    /// Finishes the payload, whose hash is `payload`.
    fn finish(self, payload: PayloadHash) -> Result<Self::Outcome, Self::Error>;

    fn progress(&self) -> Progress;
}

/// The outcome, for those who ask; empty until it is known.
pub(super) type OutcomeCell<O> =
    Arc<OnceLock<Result<<O as PayloadObserver>::Outcome, <O as PayloadObserver>::Error>>>;

/// Called once with why there is no outcome.
pub(super) type Hook<E> = Box<dyn FnOnce(&E) + Send + Sync>;

/// Called once with the outcome, before it counts: asks somebody else whether it may.
pub(super) type Confirm<O> = Box<
    dyn FnOnce(&<O as PayloadObserver>::Outcome) -> Answer<<O as PayloadObserver>::Error>
        + Send
        + Sync,
>;

/// The answer to a [`Confirm`].
pub(super) type Answer<E> = Pin<Box<dyn Future<Output = Result<(), E>> + Send>>;

/// The way of a body to its outcome.
///
/// ```text
///          ┌─ a frame before the last
///          ▼
///   ● ──► Payload ──the end──► Ending ──its hash, finish──► Confirming ──► Passed
///          │                      │                           │
///          └─────── refused ──────┴───────────────────────────┴──────────► Failed
/// ```
///
/// - `Payload`: frames are shown and handed on. The one with the last byte is kept back.
/// - `Ending`: the body has come to its end. A hash that is taken elsewhere is waited for here.
/// - `Confirming`: every check has passed, and somebody else is asked whether it may count. If there
///   is nobody to ask, it is left out.
/// - `Passed`: what was kept back is handed on, then the body is at its end.
/// - `Failed`: every poll gives an error, so that nobody takes what comes after one for the end.
///
/// Were the last frame not kept back, a consumer that stops after as many bytes as Content-Length
/// says would hold a whole payload that has not passed.
pub(super) struct BodyState<O: PayloadObserver> {
    state: State<O>,
    outcome: OutcomeCell<O>,
    hook: Option<Hook<O::Error>>,
    confirm: Option<Confirm<O>>,
}

enum State<O: PayloadObserver> {
    Payload { payload: Box<Payload<O>>, last: Option<Bytes> },
    Ending { payload: Box<Payload<O>>, last: Option<Bytes> },
    Confirming { confirming: Box<Confirming<O>>, last: Option<Bytes> },
    Passed { last: Option<Bytes> },
    Failed { error: O::Error },
}

/// An outcome that does not count yet. The mutex is never locked: with it a body can be shared
/// between threads, though the answer cannot.
struct Confirming<O: PayloadObserver> {
    outcome: O::Outcome,
    answer: Mutex<Answer<O::Error>>,
}

/// The payload that passes: its hash, and what observes it.
struct Payload<O> {
    observer: O,
    digest: PayloadDigest,
}

/// The next step of the body.
pub(super) enum Next {
    /// Poll the body.
    Read,
    /// Poll for the end of the hash, and for what follows it.
    End,
    /// Hand on what is left.
    Rest,
}

impl<O: PayloadObserver> BodyState<O> {
    /// Shows `observer` what `digest` hashes.
    pub(super) fn new(observer: O, digest: PayloadDigest) -> Self {
        let payload = Box::new(Payload { observer, digest });
        let state = State::Payload { payload, last: None };
        Self { state, outcome: OutcomeCell::<O>::default(), hook: None, confirm: None }
    }

    /// Hashes a payload of which nothing has come yet on the threads of `pool`.
    pub(super) fn hash_on(&mut self, pool: &HashPool) {
        if let State::Payload { payload, .. } = &mut self.state {
            payload.digest.hash_on(pool);
        }
    }

    pub(super) fn set_hook(&mut self, hook: Hook<O::Error>) {
        self.hook = Some(hook);
    }

    /// Sets what is asked before the outcome counts. It is dropped if there is none.
    pub(super) fn set_confirm(&mut self, confirm: Confirm<O>) {
        self.confirm = Some(confirm);
    }

    /// Waits until the hash has room for a further piece.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.state {
            State::Payload { payload, .. } => payload.digest.poll_ready(cx),
            _ => Poll::Ready(()),
        }
    }

    /// Takes the next frame; its bytes, if they may be handed on at once.
    pub(super) fn push(&mut self, frame: Frame<Bytes>) -> Option<Bytes> {
        let State::Payload { payload, last } = &mut self.state else {
            debug_assert!(false, "no frame is read behind the payload");
            return None;
        };
        let Ok(bytes) = frame.into_data() else {
            let error = trailers(payload.observer.progress().seen);
            self.fail(error.into());
            return None;
        };
        if let Err(error) = payload.update(&bytes) {
            self.fail(error);
            return None;
        }
        let Progress { seen, expected } = payload.observer.progress();
        if expected != Some(seen) {
            return Some(bytes);
        }
        // Empty frames after it add nothing.
        last.get_or_insert(bytes);
        None
    }

    /// The body has come to its end.
    pub(super) fn end(&mut self) {
        self.state = match self.leave() {
            State::Payload { payload, last } => State::Ending { payload, last },
            state => state,
        };
    }

    /// The body has failed where it is.
    pub(super) fn end_broken(&mut self) {
        let seen = self.progress().map_or(0, |progress| progress.seen);
        self.fail(broken(seen).into());
    }

    /// Leaves `Ending` once the hash is known, and `Confirming` once the answer is.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.state {
            State::Ending { payload, .. } => {
                let hash = ready!(payload.digest.poll_finish(cx));
                if let State::Ending { payload, last } = self.leave() {
                    self.finish(payload.observer, hash, last);
                }
            }
            State::Confirming { confirming, .. } => {
                let answer = confirming.answer.get_mut().unwrap_or_else(PoisonError::into_inner);
                let answer = ready!(answer.as_mut().poll(cx));
                if let State::Confirming { confirming, last } = self.leave() {
                    match answer {
                        Ok(()) => self.pass(confirming.outcome, last),
                        Err(error) => self.fail(error),
                    }
                }
            }
            State::Payload { .. } | State::Passed { .. } | State::Failed { .. } => {}
        }
        Poll::Ready(())
    }

    /// The rest after the payload.
    pub(super) fn rest(&mut self) -> Option<Result<Bytes, BodyError>> {
        match &mut self.state {
            State::Passed { last } => last.take().map(Ok),
            State::Failed { error } => Some(Err(error.clone().into())),
            State::Payload { .. } | State::Ending { .. } | State::Confirming { .. } => None,
        }
    }

    pub(super) fn next(&self) -> Next {
        match &self.state {
            State::Payload { .. } => Next::Read,
            State::Ending { .. } | State::Confirming { .. } => Next::End,
            State::Passed { .. } | State::Failed { .. } => Next::Rest,
        }
    }

    /// Returns `true` if every check has passed and everything was handed on.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Passed { last: None })
    }

    /// The number of bytes kept back; `None` if they never will be handed on.
    pub(super) fn kept(&self) -> Option<u64> {
        let (State::Payload { last, .. }
        | State::Ending { last, .. }
        | State::Confirming { last, .. }
        | State::Passed { last }) = &self.state
        else {
            return None;
        };
        Some(last.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }

    pub(super) fn outcome(&self) -> &OutcomeCell<O> {
        &self.outcome
    }

    /// The progress of the payload; `None` once its outcome is known.
    pub(super) fn progress(&self) -> Option<Progress> {
        match &self.state {
            State::Payload { payload, .. } | State::Ending { payload, .. } => {
                Some(payload.observer.progress())
            }
            State::Confirming { .. } | State::Passed { .. } | State::Failed { .. } => None,
        }
    }

    fn leave(&mut self) -> State<O> {
        mem::replace(&mut self.state, State::Passed { last: None })
    }

    fn finish(&mut self, observer: O, hash: PayloadHash, last: Option<Bytes>) {
        match (observer.finish(hash), self.confirm.take()) {
            (Ok(outcome), None) => self.pass(outcome, last),
            (Ok(outcome), Some(confirm)) => {
                let answer = Mutex::new(confirm(&outcome));
                let confirming = Box::new(Confirming { outcome, answer });
                self.state = State::Confirming { confirming, last };
            }
            (Err(error), _) => self.fail(error),
        }
    }

    fn pass(&mut self, outcome: O::Outcome, last: Option<Bytes>) {
        self.state = State::Passed { last };
        // Empty until here, since nothing leads out of the two last states.
        let _ = self.outcome.set(Ok(outcome));
    }

    #[cold]
    fn fail(&mut self, error: O::Error) {
        let told = error.clone();
        let _ = self.outcome.set(Err(error.clone()));
        self.state = State::Failed { error };
        self.confirm = None;
        // Last, since it is code of others: if it panics, the body has failed all the same.
        if let Some(hook) = self.hook.take() {
            hook(&told);
        }
    }
}

impl<O: PayloadObserver> Payload<O> {
    fn update(&mut self, bytes: &Bytes) -> Result<(), O::Error> {
        self.observer.count(bytes.len() as u64)?;
        self.digest.update(bytes);
        Ok(())
    }
}

/// A frame of known length has no trailers (RFC 9112 section 7.1.2), and nothing would sign them.
#[cold]
fn trailers(seen: u64) -> FrameError {
    let expected = Expected::Text("a payload without trailers");
    FrameError::new(ErrorKind::TrailingBytes, 0, expected, Found::Text("trailers")).at(seen)
}

#[cold]
fn broken(seen: u64) -> FrameError {
    let expected = Expected::Text("the end of the payload");
    let found = Found::Text("a body that failed");
    FrameError::new(ErrorKind::TruncatedBody, 0, expected, found).at(seen)
}
