//! Code of others that runs on a thread of the pool: it may panic, and the thread goes on.
//!
//! A piece can have an owner ([`Bytes::from_owner`](bytes::Bytes::from_owner)), whose end is foreign
//! code; so are the wakers of whoever waits.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// The payload of a panic.
pub(super) type Panic = Box<dyn Any + Send>;

/// Runs what may panic. The caller uses nothing any more that a panic can leave half done.
pub(super) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(run))
}

/// Drops what may panic when it is dropped, and says no more of it: who would be told is gone, or is
/// told of an earlier panic.
pub(super) fn drop_quietly(value: impl Sized) {
    if let Err(panic) = caught(|| drop(value)) {
        // What a panic carries can panic in turn, with what carries the next one.
        if let Err(again) = caught(|| drop(panic)) {
            #[expect(clippy::mem_forget, reason = "the only end that cannot panic")]
            mem::forget(again);
        }
    }
}

/// A panic on a thread of the pool, on its way to the owner of the payload; `None` once it got there.
pub(super) struct Caught(Option<Panic>);

impl Caught {
    pub(super) fn new(panic: Panic) -> Self {
        Self(Some(panic))
    }

    /// The panic to go on with: the first time that which was caught.
    pub(super) fn take(&mut self) -> Panic {
        self.0.take().unwrap_or_else(|| Box::new("the payload has failed: foreign code panicked"))
    }
}
