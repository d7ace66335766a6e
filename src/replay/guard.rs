//! The guard that verifiers ask.

use std::{fmt, sync::Arc, time::SystemTime};

use super::{
    ReplayEntry, ReplayError, ReplayStore, ReplayStoreError,
    reservation::Reservation,
    store::{AnyReplayStore, Ask},
};
use crate::verify::{Pending, Reason, Refusal, Verified};

/// Takes each frame once, by a [store](ReplayStore) that remembers those that came.
///
/// See [the module](super) for what it does with a frame. A clone asks the same store.
#[derive(Clone)]
pub struct ReplayGuard {
    store: Arc<dyn AnyReplayStore>,
    outage: Outage,
    clock: Clock,
    on_outage: Arc<dyn Fn(&ReplayOutage<'_>) + Send + Sync>,
}

type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What is done with a frame while the store cannot be asked.
///
/// Neither is right for everybody, so neither is a default. To refuse makes the store a part that
/// nothing works without. To accept lets frames in as if there were no guard, also those that
/// somebody sends again because the store is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// The frame is not accepted: [`ReplayError::Unavailable`], to the peer 503.
    Refuse,
    /// The frame is accepted. The store is asked again at its end; whether the frame is remembered
    /// is not known if that fails too.
    Accept,
}

/// A store that could not be asked, and what was done with the frame: for the log and for counters.
#[derive(Clone, Copy, Debug)]
pub struct ReplayOutage<'a> {
    error: &'a ReplayStoreError,
    outage: Outage,
}

impl<'a> ReplayOutage<'a> {
    /// The error of the store.
    #[must_use]
    pub fn error(&self) -> &'a ReplayStoreError {
        self.error
    }

    /// What was done with the frame.
    #[must_use]
    pub fn outage(&self) -> Outage {
        self.outage
    }
}

impl ReplayGuard {
    /// Asks `store`. `outage` says what is done with frames while it cannot be asked.
    pub fn new(store: impl ReplayStore + 'static, outage: Outage) -> Self {
        let store = Arc::new(store);
        let clock = Arc::new(SystemTime::now);
        Self { store, outage, clock, on_outage: Arc::new(|_| {}) }
    }

    /// Sets the function that is told of each frame for which the store could not be asked, whatever
    /// was done with it: for the log and for counters.
    #[must_use]
    pub fn on_outage(mut self, hook: impl Fn(&ReplayOutage<'_>) + Send + Sync + 'static) -> Self {
        self.on_outage = Arc::new(hook);
        self
    }

    /// Sets the clock; the system's unless set. A `VerifyLayer` (feature `tower`) sets its own.
    #[must_use]
    pub fn clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.with_clock(Arc::new(clock))
    }

    pub(crate) fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Begins with a frame at its head, before anything of the head is acted on. If the head is
    /// proven, the entry of the frame is reserved, else nothing is done yet.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Refused`] if the frame came before, and [`ReplayError::Unavailable`].
    pub async fn begin(&self, pending: &Pending) -> Result<ReplayCheck, ReplayError> {
        self.begin_entry(pending.replay_entry()).await
    }

    /// [`begin`](Self::begin) with the entry of a proven head.
    pub(crate) async fn begin_entry(
        &self,
        entry: Option<ReplayEntry>,
    ) -> Result<ReplayCheck, ReplayError> {
        let state = match entry {
            None => State::Unproven,
            Some(entry) => {
                let now = (self.clock)();
                let reservation = Arc::new(self.reservation(entry, now)?);
                if self.ask(Ask::Reserve, &reservation, now).await? {
                    State::Reserved(reservation)
                } else {
                    State::Unrecorded(reservation)
                }
            }
        };
        Ok(ReplayCheck { guard: self.clone(), state })
    }

    /// Takes a frame at its end, in one step: for a frame of which nothing was acted on before.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Refused`] if the frame came before, and [`ReplayError::Unavailable`].
    pub async fn accept(&self, verified: &Verified) -> Result<(), ReplayError> {
        self.accept_entry(verified.replay_entry()).await
    }

    async fn accept_entry(&self, entry: ReplayEntry) -> Result<(), ReplayError> {
        let now = (self.clock)();
        let reservation = self.reservation(entry, now)?;
        self.ask(Ask::Accept, &reservation, now).await?;
        // Also if there was no answer: a store that wrote all the same knows the frame.
        reservation.keep();
        Ok(())
    }

    /// What is to be reserved. An entry would be gone at once if the frame has outlived it: of two
    /// such frames whose payloads took their time nobody could tell the second.
    fn reservation(&self, entry: ReplayEntry, now: SystemTime) -> Result<Reservation, ReplayError> {
        if entry.expires_at() < now {
            let detail = "expected a frame whose signature is known while its time of signing \
                          counts, found one that took longer; claim the payload in Content-Digest";
            return Err(Refusal::new(Reason::Replayed, detail).into());
        }
        Ok(Reservation::new(Arc::clone(&self.store), entry))
    }

    /// Asks the store: `false` if it could not be asked and the frame is accepted all the same.
    ///
    /// Whether the entry is written is not known then, nor after an error: what is not kept is
    /// released.
    async fn ask(
        &self,
        ask: Ask,
        reservation: &Reservation,
        now: SystemTime,
    ) -> Result<bool, ReplayError> {
        match reservation.ask(ask, now).await {
            Ok(true) => Ok(true),
            Ok(false) => {
                reservation.keep();
                Err(replayed())
            }
            Err(error) => self.fail(error).map(|()| false),
        }
    }

    /// Does what is to be done while the store cannot be asked.
    fn fail(&self, error: ReplayStoreError) -> Result<(), ReplayError> {
        (self.on_outage)(&ReplayOutage { error: &error, outage: self.outage });
        match self.outage {
            Outage::Refuse => Err(ReplayError::Unavailable(error)),
            Outage::Accept => Ok(()),
        }
    }
}

#[cold]
fn replayed() -> ReplayError {
    Refusal::new(Reason::Replayed, "expected a frame that did not come before, found one that did")
        .into()
}

/// A frame between its head and its end. Its drop releases what was reserved.
#[must_use = "a frame counts as accepted once it is finished"]
pub struct ReplayCheck {
    guard: ReplayGuard,
    state: State,
}

enum State {
    /// The head is not proven, and nothing is reserved.
    Unproven,
    Reserved(Arc<Reservation>),
    /// The store could not be asked at the head, and the frame is accepted unless another one turns
    /// out to have its entry.
    Unrecorded(Arc<Reservation>),
}

impl ReplayCheck {
    /// Commits what was reserved, when every other check has passed. If the head was not proven, or
    /// the store could not be asked, it reserves and commits. Let nothing be brought about before this.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Refused`] if the frame came before, and [`ReplayError::Unavailable`]. What was
    /// reserved is released then.
    pub async fn finish(self, verified: &Verified) -> Result<(), ReplayError> {
        let (guard, entry) = (self.guard, verified.replay_entry());
        match self.state {
            State::Unrecorded(reservation) if reservation.entry().name() == entry.name() => {
                guard.record(&reservation).await
            }
            State::Reserved(reservation) if reservation.entry().name() == entry.name() => {
                guard.commit(&reservation).await
            }
            // The proof may be of another frame than the one that was begun with.
            State::Unproven | State::Reserved(_) | State::Unrecorded(_) => {
                guard.accept_entry(entry).await
            }
        }
    }

    /// What is reserved. It is released when all who share it have dropped it.
    #[cfg(feature = "tower")]
    pub(crate) fn reservation(&self) -> Option<Arc<Reservation>> {
        match &self.state {
            State::Reserved(reservation) | State::Unrecorded(reservation) => {
                Some(Arc::clone(reservation))
            }
            State::Unproven => None,
        }
    }
}

impl ReplayGuard {
    async fn commit(&self, reservation: &Reservation) -> Result<(), ReplayError> {
        self.ask(Ask::Commit, reservation, (self.clock)()).await?;
        // It stays reserved if the frame is accepted.
        reservation.keep();
        Ok(())
    }

    /// Asks once more, at the end of a frame for which the store could not be asked at its head. It
    /// has the holder of its head, so that what was written for that is its own.
    async fn record(&self, reservation: &Reservation) -> Result<(), ReplayError> {
        let now = (self.clock)();
        // One that has expired could not be told from another.
        let is_taken = reservation.entry().expires_at() >= now
            && matches!(reservation.ask(Ask::Accept, now).await, Ok(false));
        // Also if it failed again; the outage was told of at the head.
        reservation.keep();
        if is_taken { Err(replayed()) } else { Ok(()) }
    }
}

impl fmt::Debug for ReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayGuard").field("outage", &self.outage).finish_non_exhaustive()
    }
}

impl fmt::Debug for ReplayCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Unproven => "Unproven",
            State::Reserved(_) => "Reserved",
            State::Unrecorded(_) => "Unrecorded",
        };
        f.debug_struct("ReplayCheck").field("state", &state).finish_non_exhaustive()
    }
}
