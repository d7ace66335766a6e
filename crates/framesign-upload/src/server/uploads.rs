//! Uploads over a store: found, claimed, saved, finished, removed.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use framesign::offload::HashPool;
use futures_util::TryStreamExt;
use tokio::sync;

use super::{
    in_flight::{InFlight, Turn},
    limits::Limits,
    names::{FileName, UploadKey, owner},
    problem::Problem,
    record::{Claim, Hash, Phase, Record, milliseconds},
    store::{Place, Properties, Published, RecordKind, RecordName, Store, StoreError, Version},
};

/// The time for which a process claims an upload in a store that is shared, before it claims it
/// again or is taken for dead.
const CLAIM: Duration = Duration::from_secs(30);

/// Uploads in a store, and their limits. A clone shares them.
///
/// ```
/// use framesign_upload::server::{Directory, Limits, Uploads};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path();
/// let limits = Limits { max_size: 64 << 30, ..Limits::default() };
/// let uploads = Uploads::new(Directory::open(path)?, limits);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Uploads {
    pub(super) store: Arc<dyn Store>,
    pub(super) limits: Limits,
    pub(super) in_flight: InFlight,
    /// The threads that hash parts; without any, tokio's blocking threads do.
    pub(super) pool: Option<HashPool>,
    /// Of each group of owners one creation at a time.
    creations: Arc<[sync::Mutex<()>; 256]>,
    /// The name of this process in claims.
    holder: Arc<str>,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    authorizes: Arc<Authorizes>,
    log: Arc<dyn Fn(&StoreError) + Send + Sync>,
}

/// Whether an access key may upload.
type Authorizes = dyn Fn(&[u8]) -> bool + Send + Sync;

/// An upload that a request has found.
#[derive(Debug)]
pub(super) enum Found {
    Open(Box<OpenUpload>),
    Done(Box<Record>),
}

/// An upload that has not ended, and the turn to go on with it.
#[derive(Debug)]
pub(super) struct OpenUpload {
    pub(super) turn: Turn,
    pub(super) record: Record,
    version: Version,
}

/// What a record says at a look.
#[derive(Debug)]
pub(super) enum Look {
    Lives,
    Expired(Box<Record>, Version),
    Whole,
    Gone,
    Unreadable,
}

/// What became of an upload whose parts are all there.
#[derive(Debug)]
pub(super) enum Ending {
    Visible(Box<Record>),
    NameTaken,
    /// It could not be made visible for as long as an upload lives, and was deleted.
    Expired,
}

impl Uploads {
    /// Keeps uploads in `store`, within `limits`.
    pub fn new(store: impl Store, limits: Limits) -> Self {
        Self::shared(Arc::new(store), limits)
    }

    /// The same with a store that is chosen at run time.
    pub fn shared(store: Arc<dyn Store>, limits: Limits) -> Self {
        let Properties { min_part, .. } = store.properties();
        let holder =
            UploadKey::random(b"").map_or_else(|_| "unknown".into(), |key| key.id().into());
        Self {
            store,
            limits: limits.for_store(min_part),
            in_flight: InFlight::default(),
            pool: None,
            creations: Arc::new([const { sync::Mutex::const_new(()) }; 256]),
            holder,
            clock: Arc::new(SystemTime::now),
            authorizes: Arc::new(|_| true),
            log: Arc::new(|_| {}),
        }
    }

    /// Hashes parts on the threads of `pool`, beside what receives them: the Content-Digest of each, and
    /// the running hash of the whole. What comes at the same time, of one upload or of many, is hashed
    /// side by side (see [`offload`](framesign::offload)).
    ///
    /// ```
    /// use framesign::offload::HashPool;
    /// # use framesign_upload::server::{Directory, Limits, Uploads};
    /// # let folder = tempfile::tempdir()?;
    /// # let store = Directory::open(folder.path())?;
    ///
    /// let threads = std::thread::available_parallelism()?;
    /// let uploads = Uploads::new(store, Limits::default()).hash_on(&HashPool::new(threads)?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn hash_on(mut self, pool: &HashPool) -> Self {
        self.pool = Some(pool.clone());
        self
    }

    /// Sets the clock that ages are taken by.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets which access keys may upload; unless set, all whose requests are verified.
    ///
    /// `may` is asked with the access key of each request whose signature is proven, before anything
    /// else is looked at, and again before a part counts. If it returns `false`, the answer is 403 and
    /// the upload is as it was. A request that is not proven is 401, whatever access key it names.
    #[must_use]
    pub fn authorize(mut self, may: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        self.authorizes = Arc::new(may);
        self
    }

    /// Sets what is told of each call to the store that failed: the log.
    #[must_use]
    pub fn on_store_error(mut self, log: impl Fn(&StoreError) + Send + Sync + 'static) -> Self {
        self.log = Arc::new(log);
        self
    }

    /// The limits, as the store has them.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// Refuses an access key that may not upload. It must be proven.
    pub(super) fn check_authorized(&self, access_key: &[u8]) -> Result<(), Problem> {
        if (self.authorizes)(access_key) { Ok(()) } else { Err(Problem::forbidden()) }
    }

    pub(super) fn tell(&self, error: &StoreError) {
        (self.log)(error);
    }

    pub(super) fn is_shared(&self) -> bool {
        self.store.properties().is_shared
    }

    /// The number of uploads of an access key that have not ended.
    pub(super) async fn count(&self, access_key: &[u8]) -> Result<usize, StoreError> {
        let owner = owner(access_key);
        let open = self.store.list(RecordKind::Open, Some(&owner));
        open.try_fold(0, async |number, _| Ok(number + 1)).await
    }

    /// The turn to count the uploads of an access key and to make one more. Other processes do not
    /// wait for it.
    pub(super) async fn creation(&self, access_key: &[u8]) -> sync::MutexGuard<'_, ()> {
        let name = owner(access_key);
        let group = name.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        self.creations[usize::from(group)].lock().await
    }

    /// Makes an upload. Its record comes first, so that it can be found whatever fails then.
    pub(super) async fn create(
        &self,
        access_key: &[u8],
        name: FileName,
        length: Option<u64>,
        claimed: Option<Hash>,
    ) -> Result<OpenUpload, Problem> {
        let key = UploadKey::random(access_key);
        let key = key.map_err(|error| StoreError::new("name an upload", error.to_string()))?;
        let turn = self.in_flight.turn(&key).await;
        // For the reader of the record. The owner is told by the bytes.
        let mut record = Record::new(&String::from_utf8_lossy(access_key), name, self.now());
        (record.length, record.claimed) = (length, claimed);
        record.claim = self.is_shared().then(|| self.new_claim());
        let made = match self.store.replace(&open(&key), record.to_text(), None).await {
            Ok(made) => made,
            Err(error) => {
                // The store may have made it all the same, and nobody would know of it.
                if let Err(error) = self.store.delete(&open(&key)).await {
                    self.tell(&error);
                }
                return Err(error.into());
            }
        };
        let version = made.ok_or_else(taken_over)?;
        let mut upload = OpenUpload { turn, record, version };
        match self.begin(&mut upload).await {
            Ok(()) => Ok(upload),
            Err(problem) => {
                self.remove_quietly(upload).await;
                Err(problem)
            }
        }
    }

    async fn begin(&self, upload: &mut OpenUpload) -> Result<(), Problem> {
        let handle = self.store.begin(upload.turn.key(), &upload.record.name).await?;
        if handle.is_none() {
            return Ok(());
        }
        upload.record.set_handle(handle);
        self.save(upload).await
    }

    /// Finds an upload. One that is whole, but was left before its file was visible, is ended first.
    ///
    /// `None` if there is none, or none any more.
    pub(super) async fn find(&self, turn: Turn) -> Result<Option<Found>, Problem> {
        let key = turn.key().clone();
        let Some((text, version)) = self.store.read(&open(&key)).await? else {
            return Ok(self.done(&key).await?.map(|record| Found::Done(Box::new(record))));
        };
        // The draft, "Offset": state that is lost deactivates the upload.
        let Some(record) = Record::parse(&text) else { return Ok(None) };
        if record.phase == Phase::Whole {
            return match self.finish(&key, record).await? {
                Ending::Visible(record) => Ok(Some(Found::Done(record))),
                Ending::NameTaken => Err(name_taken()),
                Ending::Expired => Ok(None),
            };
        }
        if record.remaining(&self.limits, self.now()).is_none() {
            return Ok(None);
        }
        Ok(Some(Found::Open(Box::new(OpenUpload { turn, record, version }))))
    }

    async fn done(&self, key: &UploadKey) -> Result<Option<Record>, StoreError> {
        let found = self.store.read(&done(key)).await?;
        Ok(found.and_then(|(text, _)| Record::parse(&text)))
    }

    /// Claims an upload in a store that is shared, so that no other process appends to it.
    pub(super) async fn claim(&self, upload: &mut OpenUpload) -> Result<(), Problem> {
        if !self.is_shared() {
            return Ok(());
        }
        if let Some(left) = self.claimed_elsewhere(&upload.record) {
            return Err(taken_over().retry_after(left.as_secs() + 1));
        }
        upload.record.claim = Some(self.new_claim());
        self.save(upload).await
    }

    /// The time for which another process appends to an upload.
    pub(super) fn claimed_elsewhere(&self, record: &Record) -> Option<Duration> {
        record.claimed_elsewhere(&self.holder, self.now()).filter(|_| self.is_shared())
    }

    /// Claims it again, if half of the time is over. If that fails, the claim is what it was.
    pub(super) async fn keep_claim(&self, upload: &mut OpenUpload) -> Result<(), Problem> {
        let half = self.now() + CLAIM / 2;
        let is_due = |claim: &Claim| claim.until < milliseconds(half);
        if !upload.record.claim.as_ref().is_some_and(is_due) {
            return Ok(());
        }
        let before = upload.record.claim.replace(self.new_claim());
        let saved = self.save(upload).await;
        if saved.is_err() {
            upload.record.claim = before;
        }
        saved
    }

    /// Gives the claim back. If that fails it ends by itself.
    pub(super) async fn release(&self, upload: &mut OpenUpload) {
        if upload.record.claim.take().is_some()
            && let Err(problem) = self.save(upload).await
        {
            self.tell_of(&problem);
        }
    }

    fn new_claim(&self) -> Claim {
        Claim { holder: self.holder.to_string(), until: milliseconds(self.now() + CLAIM) }
    }

    /// Saves the record, unless another process has replaced it.
    pub(super) async fn save(&self, upload: &mut OpenUpload) -> Result<(), Problem> {
        let (name, text) = (open(upload.turn.key()), upload.record.to_text());
        match self.store.replace(&name, text, Some(&upload.version)).await? {
            Some(version) => {
                upload.version = version;
                Ok(())
            }
            None => Err(taken_over()),
        }
    }

    /// Ends an upload whose parts are all there: makes it visible, keeps its result, and deletes the
    /// rest. What was done of that before is not done again.
    ///
    /// If the store cannot make it visible until it is too old, as when its data are gone, it is deleted.
    pub(super) async fn finish(
        &self,
        key: &UploadKey,
        mut record: Record,
    ) -> Result<Ending, StoreError> {
        let place = record.place(key);
        let is_done = self.store.read(&done(key)).await?.is_some();
        if let Some(whole) = record.whole(key).filter(|_| !is_done) {
            let unpublished = match self.store.publish(&whole).await {
                Ok(Published::Visible) => None,
                Ok(Published::NameTaken) => Some(Ending::NameTaken),
                Err(error) => {
                    let is_overdue = record.is_overdue(&self.limits, self.now());
                    if !is_overdue && self.store.read(&open(key)).await?.is_some() {
                        return Err(error);
                    }
                    // Too old, or another process has given it up meanwhile: then nobody else would
                    // find what has just been reserved.
                    self.tell(&error);
                    Some(Ending::Expired)
                }
            };
            if let Some(ending) = unpublished {
                // Another process may have made it visible, and cleared the reservation of the name.
                let published = self.done(key).await?;
                self.store.clear(&place).await?;
                self.store.delete(&open(key)).await?;
                // What another process has reserved between the two: the data are gone. One that does
                // so after them finds no record, and clears it itself.
                self.store.clear(&Place { handle: None, ..place }).await?;
                return Ok(published.map_or(ending, |record| Ending::Visible(Box::new(record))));
            }
            record.claim = None;
            let text = record.to_text();
            // Another process may have got there before.
            let _ = self.store.replace(&done(key), text, None).await?;
        }
        self.store.clear(&place).await?;
        self.store.delete(&open(key)).await?;
        Ok(Ending::Visible(Box::new(record)))
    }

    /// Deletes an upload: its record last, so that it can be found until nothing else is left.
    pub(super) async fn remove(&self, upload: OpenUpload) -> Result<(), StoreError> {
        let key = upload.turn.key();
        self.store.clear(&upload.record.place(key)).await?;
        self.store.delete(&open(key)).await
    }

    /// The same for an upload that failed. What is left then, the sweeper finds.
    pub(super) async fn remove_quietly(&self, upload: OpenUpload) {
        if let Err(error) = self.remove(upload).await {
            self.tell(&error);
        }
    }

    /// Deletes an upload whose creation failed. If the store has noted that it is whole, and only lost its
    /// answer, it is left to the sweeper: an upload that is whole must have its data.
    pub(super) async fn give_up(&self, upload: OpenUpload) {
        match self.look(upload.turn.key()).await {
            Ok(Look::Whole) => {}
            Ok(_) => self.remove_quietly(upload).await,
            Err(error) => self.tell(&error),
        }
    }

    /// Looks at an upload, without a turn.
    pub(super) async fn look(&self, key: &UploadKey) -> Result<Look, StoreError> {
        let Some((text, version)) = self.store.read(&open(key)).await? else {
            return Ok(Look::Gone);
        };
        let Some(record) = Record::parse(&text) else { return Ok(Look::Unreadable) };
        let now = self.now();
        let is_claimed = self.is_shared() && record.claimed_elsewhere(&self.holder, now).is_some();
        Ok(match record.phase {
            Phase::Whole => Look::Whole,
            Phase::Receiving if is_claimed => Look::Lives,
            Phase::Receiving if record.remaining(&self.limits, now).is_some() => Look::Lives,
            Phase::Receiving => Look::Expired(Box::new(record), version),
        })
    }

    /// Deletes an upload that has expired, unless another process goes on with it.
    pub(super) async fn remove_expired(
        &self,
        turn: Turn,
        record: Record,
        version: Version,
    ) -> Result<(), Problem> {
        let mut upload = OpenUpload { turn, record, version };
        self.claim(&mut upload).await?;
        Ok(self.remove(upload).await?)
    }

    /// Returns whether the result of an upload was kept long enough.
    pub(super) async fn is_forgotten(&self, key: &UploadKey) -> Result<bool, StoreError> {
        let found = self.store.read(&done(key)).await?;
        let record = found.and_then(|(text, _)| Record::parse(&text));
        Ok(record.is_none_or(|record| record.remaining(&self.limits, self.now()).is_none()))
    }

    pub(super) async fn delete_done(&self, key: &UploadKey) -> Result<(), StoreError> {
        self.store.delete(&done(key)).await
    }

    pub(super) fn tell_of(&self, problem: &Problem) {
        if let Some(error) = problem.store_error() {
            self.tell(error);
        }
    }
}

fn open(key: &UploadKey) -> RecordName {
    RecordName { kind: RecordKind::Open, key: key.clone() }
}

fn done(key: &UploadKey) -> RecordName {
    RecordName { kind: RecordKind::Done, key: key.clone() }
}

fn taken_over() -> Problem {
    Problem::conflict("another request for the upload goes on")
}

/// The upload is complete and cannot be kept: to send it again does not help.
pub(super) fn name_taken() -> Problem {
    Problem::new(http::StatusCode::CONFLICT, "there is a file of this name; choose another name")
        .complete(true)
}

impl fmt::Debug for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uploads")
            .field("store", &self.store)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, Uploads};
    use crate::server::Directory;

    #[tokio::test]
    async fn access_keys_that_are_no_text_are_different_owners() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Uploads::new(Directory::open(folder.path()).unwrap(), Limits::default());
        let name = "f".parse().unwrap();
        let upload = uploads.create(b"key \xfe", name, None, None).await.unwrap();
        assert_eq!(uploads.count(b"key \xfe").await.unwrap(), 1);
        assert_eq!(uploads.count(b"key \xff").await.unwrap(), 0);
        assert_eq!(upload.record.access_key, "key \u{fffd}");
    }
}
