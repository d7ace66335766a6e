//! What an upload tells while it lasts.

use std::{fmt, sync::Arc, time::Duration};

use http::Uri;

use super::error::Failure;

/// What an upload tells while it lasts.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The server takes no parts. The whole is sent by one PUT.
    WithoutParts,
    /// The upload was created, and can be resumed by this URL.
    Created {
        /// The URL of the upload resource.
        upload: &'a Uri,
    },
    /// An upload goes on, from the offset of the server.
    Resumed {
        /// The bytes that the server has.
        offset: u64,
    },
    /// So many bytes of the whole were handed to the connection. It goes back where some are sent
    /// again.
    Sent {
        /// The bytes from the beginning of the whole.
        bytes: u64,
    },
    /// The server has a further part.
    Acknowledged {
        /// The bytes that the server has.
        offset: u64,
    },
    /// A request failed, and is sent again after a pause.
    Retrying {
        /// What went wrong.
        problem: &'a Failure,
        /// The time before the next attempt.
        pause: Duration,
    },
}

/// Who is told.
#[derive(Clone)]
pub(super) struct Observer(Arc<dyn Fn(Event<'_>) + Send + Sync>);

impl Observer {
    pub(super) fn new(observe: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }

    pub(super) fn tell(&self, event: Event<'_>) {
        (self.0)(event);
    }
}

impl Default for Observer {
    fn default() -> Self {
        Self::new(|_| ())
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
