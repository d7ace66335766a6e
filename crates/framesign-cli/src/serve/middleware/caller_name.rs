//! The name of a request's caller, for the log.

use std::sync::{Arc, OnceLock};

/// Who calls, for the log: known once a request was looked at, however it ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller(Arc<OnceLock<Arc<str>>>);

impl Caller {
    /// Now it is known.
    pub(crate) fn is(&self, name: &Arc<str>) {
        // Known already only where a request were let in twice.
        let _ = self.0.set(Arc::clone(name));
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.0.get().map(|name| &**name)
    }
}
