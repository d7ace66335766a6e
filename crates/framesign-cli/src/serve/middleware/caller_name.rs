//! The name of a request's caller, for the log.

use std::sync::{Arc, OnceLock};

/// The name of the caller, for the log: set when the request is admitted, however it ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallerName(Arc<OnceLock<Arc<str>>>);

impl CallerName {
    /// Sets the name.
    pub(crate) fn set(&self, name: &Arc<str>) {
        // Set already only if a request were admitted twice.
        let _ = self.0.set(Arc::clone(name));
    }

    pub(crate) fn get(&self) -> Option<&str> {
        self.0.get().map(|name| &**name)
    }
}
