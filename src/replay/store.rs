//! The interface of a store of replay entries.

use std::{future::Future, ops::Deref, pin::Pin, sync::Arc, time::SystemTime};

use super::{Holder, ReplayEntry, ReplayStoreError};

/// Remembers the frames that came, each until it is refused by its time in any case.
///
/// Of two that ask for one entry, in whatever processes, one alone may be told that it holds it. A
/// call must end by itself: a store that is asked over a network sets a time-out. A guard never
/// asks for an entry that has [expired](ReplayEntry::expires_at) by `now`.
///
/// ```
/// use std::time::SystemTime;
/// use framesign::replay::{Holder, ReplayEntry, ReplayStore, ReplayStoreError};
///
/// /// A table of one's own: name (the primary key), holder, time of expiry.
/// struct Table;
///
/// impl ReplayStore for Table {
///     async fn reserve(
///         &self,
///         entry: &ReplayEntry,
///         holder: Holder,
///         now: SystemTime,
///     ) -> Result<bool, ReplayStoreError> {
///         // Inserts the row, or takes over one that has expired or is of the same holder.
///         let is_held = insert(entry.name(), holder.as_bytes(), entry.expires_at(), now).await;
///         is_held.map_err(ReplayStoreError::new)
///     }
///
///     async fn commit(
///         &self,
///         entry: &ReplayEntry,
///         holder: Holder,
///         now: SystemTime,
///     ) -> Result<bool, ReplayStoreError> {
///         // Rows stay until they expire, so this asks if the row is there as it was left.
///         self.reserve(entry, holder, now).await
///     }
///
///     fn release(&self, entry: &ReplayEntry, holder: Holder) {
///         let (name, holder) = (*entry.name(), holder);
///         tokio::spawn(async move { delete(&name, holder.as_bytes()).await });
///     }
/// }
/// # async fn insert(_: &[u8], _: &[u8], _: SystemTime, _: SystemTime) -> std::io::Result<bool> { Ok(true) }
/// # async fn delete(_: &[u8], _: &[u8]) {}
/// ```
pub trait ReplayStore: Send + Sync {
    /// Reserves an entry for `holder`, until it expires: `true` if `holder` holds it now, `false` if
    /// another one does, or did and committed.
    ///
    /// # Errors
    ///
    /// A [`ReplayStoreError`] if the store cannot tell, or has no room. The entry may be written or
    /// not then; it is released.
    fn reserve(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> impl Future<Output = Result<bool, ReplayStoreError>> + Send;

    /// Commits an entry that `holder` has reserved, until it expires: `false` if another one has it.
    /// If there is no entry any more, since the store has lost it, it is written again.
    ///
    /// # Errors
    ///
    /// A [`ReplayStoreError`] if the store cannot tell.
    fn commit(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> impl Future<Output = Result<bool, ReplayStoreError>> + Send;

    /// Reserves and commits an entry in one step.
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve).
    fn accept(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> impl Future<Output = Result<bool, ReplayStoreError>> + Send {
        async move {
            Ok(self.reserve(entry, holder, now).await? && self.commit(entry, holder, now).await?)
        }
    }

    /// Releases an entry, whatever its state, if `holder` has it and no other.
    ///
    /// It is called by the drop of what holds the entry, and must not block. A store that has to
    /// wait begins a task. If that fails, the entry stays until it expires: a frame that was not
    /// accepted is refused then, and none is accepted twice.
    fn release(&self, entry: &ReplayEntry, holder: Holder);
}

impl<S: ReplayStore + ?Sized> ReplayStore for Arc<S> {
    async fn reserve(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        self.deref().reserve(entry, holder, now).await
    }

    async fn commit(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        self.deref().commit(entry, holder, now).await
    }

    async fn accept(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        self.deref().accept(entry, holder, now).await
    }

    fn release(&self, entry: &ReplayEntry, holder: Holder) {
        self.deref().release(entry, holder);
    }
}

/// The question that a store is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    Reserve,
    Commit,
    Accept,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<bool, ReplayStoreError>> + Send + 'a>>;

/// [`ReplayStore`] as an object.
pub(super) trait AnyReplayStore: Send + Sync {
    fn ask<'a>(
        &'a self,
        ask: Ask,
        entry: &'a ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Answer<'a>;

    fn give_back(&self, entry: &ReplayEntry, holder: Holder);
}

impl<S: ReplayStore> AnyReplayStore for S {
    fn ask<'a>(
        &'a self,
        ask: Ask,
        entry: &'a ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Answer<'a> {
        match ask {
            Ask::Reserve => Box::pin(self.reserve(entry, holder, now)),
            Ask::Commit => Box::pin(self.commit(entry, holder, now)),
            Ask::Accept => Box::pin(self.accept(entry, holder, now)),
        }
    }

    fn give_back(&self, entry: &ReplayEntry, holder: Holder) {
        self.release(entry, holder);
    }
}
