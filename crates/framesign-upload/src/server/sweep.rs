//! The sweeper: ends what was left.

use futures_util::TryStreamExt;

use super::{
    names::UploadKey,
    problem::Problem,
    store::{RecordKind, StoreError},
    uploads::{Look, Uploads},
};

/// What a sweep has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploads that were older than they may be, or whose name another file has, and were deleted.
    pub expired: usize,
    /// Uploads that were whole, but not visible, and now are.
    pub finished: usize,
    /// Results of complete uploads that were kept long enough.
    pub forgotten: usize,
    /// Uploads that could not be read or ended.
    pub failed: usize,
}

impl Uploads {
    /// Deletes uploads that have expired, with all of their bytes, and ends those that are whole but
    /// were left before they were visible. Call it from time to time.
    ///
    /// Every upload has a record until nothing else is left of it, so the sweep finds it whatever
    /// failed. What fails now is told to [`on_store_error`](Self::on_store_error) and tried again in
    /// the next sweep.
    ///
    /// # Errors
    ///
    /// The [`StoreError`] of a store that cannot list its records.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let mut open = self.store.list(RecordKind::Open, None);
        while let Some(key) = open.try_next().await? {
            let result = self.sweep_open(&key, &mut swept).await;
            self.note(result, &mut swept);
        }
        let mut done = self.store.list(RecordKind::Done, None);
        while let Some(key) = done.try_next().await? {
            let result = self.sweep_done(&key, &mut swept).await;
            self.note(result, &mut swept);
        }
        Ok(swept)
    }

    fn note(&self, result: Result<(), StoreError>, swept: &mut Swept) {
        if let Err(error) = result {
            self.tell(&error);
            swept.failed += 1;
        }
    }

    /// Without an error of the store another process goes on with the upload.
    fn note_problem(&self, problem: &Problem, swept: &mut Swept) {
        if let Some(error) = problem.store_error() {
            self.tell(error);
            swept.failed += 1;
        }
    }

    async fn sweep_open(&self, key: &UploadKey, swept: &mut Swept) -> Result<(), StoreError> {
        // Looked at without a turn, which would end a request that goes on.
        match self.look(key).await? {
            Look::Lives | Look::Gone => {}
            Look::Unreadable => {
                return Err(StoreError::new("read a record", "it is none of this version"));
            }
            Look::Expired(..) => {
                let turn = self.in_flight.turn(key).await;
                // What a request has made of it meanwhile.
                if let Look::Expired(record, version) = self.look(key).await? {
                    match self.remove_expired(turn, *record, version).await {
                        Ok(()) => swept.expired += 1,
                        Err(problem) => self.note_problem(&problem, swept),
                    }
                }
            }
            Look::Whole => {
                let turn = self.in_flight.turn(key).await;
                match self.find(turn).await {
                    Ok(Some(_)) => swept.finished += 1,
                    // Too old, or its name is taken: it is deleted.
                    Ok(None) => swept.expired += 1,
                    Err(problem) if problem.store_error().is_none() => swept.expired += 1,
                    Err(problem) => self.note_problem(&problem, swept),
                }
            }
        }
        Ok(())
    }

    async fn sweep_done(&self, key: &UploadKey, swept: &mut Swept) -> Result<(), StoreError> {
        if self.is_forgotten(key).await? {
            self.delete_done(key).await?;
            swept.forgotten += 1;
        }
        Ok(())
    }
}
