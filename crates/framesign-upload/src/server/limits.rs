//! The limits of uploads.

use std::time::Duration;

use crate::fields::MAX_INTEGER;

/// The limits that uploads are held to, which `Upload-Limit` tells clients.
///
/// ```
/// use framesign_upload::server::Limits;
///
/// let limits = Limits { max_size: 64 << 30, ..Limits::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a whole. Unless set: 1 TiB.
    pub max_size: u64,
    /// The most parts of an upload. Unless set: 10,000.
    pub max_parts: u32,
    /// The least bytes of a part that is not the last. Unless set: none. A store that needs more
    /// raises it; S3 asks for 5 MiB.
    pub min_part: u64,
    /// The most bytes of a part, and of an upload in one request. Unless set: 1 GiB.
    pub max_part: u64,
    /// The lifetime of an upload from its creation. Unless set: a week.
    pub max_age: Duration,
    /// The most uploads of one access key that have not ended. Unless set: 100.
    pub max_uploads: usize,
    /// The time for which the result of a complete upload can be asked for. Unless set: an hour.
    pub keep_completed: Duration,
    /// The longest silence within a part. Unless set: 30 seconds.
    pub idle_timeout: Duration,
    /// The least bytes a second of a part, over one `idle_timeout` after another. Unless set: 1024.
    pub min_rate: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_size: 1 << 40,
            max_parts: 10_000,
            min_part: 0,
            max_part: 1 << 30,
            max_age: Duration::from_secs(7 * 24 * 3600),
            max_uploads: 100,
            keep_completed: Duration::from_secs(3600),
            idle_timeout: Duration::from_secs(30),
            min_rate: 1024,
        }
    }
}

impl Limits {
    /// Raises the least part to what the store needs, and keeps all within a structured field.
    pub(super) fn for_store(mut self, min_part: u64) -> Self {
        self.max_size = self.max_size.min(MAX_INTEGER);
        self.min_part = self.min_part.max(min_part);
        self.max_part = self.max_part.min(MAX_INTEGER);
        self
    }

    /// The value of `Upload-Limit` for an upload that has `lifetime` left.
    pub(super) fn field(&self, lifetime: Duration) -> String {
        let Self { max_size, min_part, max_part, .. } = self;
        let max_age = lifetime.as_secs().min(MAX_INTEGER);
        format!(
            "max-size={max_size}, min-append-size={min_part}, max-append-size={max_part}, \
             max-age={max_age}"
        )
    }
}
