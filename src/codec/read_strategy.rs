//! The size of the read buffer: what was read decides, never what a peer claims.

use bytes::BytesMut;

use crate::offload::HashPool;

/// The bytes that an idle connection, one in a small head and one that receives little may take.
pub(super) const MIN_READ: usize = 8 * 1024;

/// Sees to it that there is room in the read buffer, and not too much of it.
///
/// The buffer is a window into memory that it shares with the pieces that were split off it:
///
/// ```text
///   │ split off, with the consumer │ received, not decoded yet │ free │
///                                  └──────── BytesMut ──────────────┘
/// ```
///
/// Left to itself it doubles whenever it is full. Here a head gets as much as it needs up to its
/// limit, and a payload a read that is twice as large as one that was filled, up to `max_read`.
#[derive(Debug)]
pub(super) struct ReadStrategy {
    /// The size of the next read of payload.
    next: usize,
    max_read: usize,
    /// The size of the memory behind the buffer, as far as it was made here.
    size: usize,
    /// The pool that hashes payloads, if one does: it has memory that was used before.
    pool: Option<HashPool>,
}

impl ReadStrategy {
    /// Well within an L2 cache, and large enough that system calls do not count beside hashing.
    pub(super) const DEFAULT_MAX_READ: usize = 64 * 1024;

    pub(super) fn new() -> Self {
        Self { next: MIN_READ, max_read: Self::DEFAULT_MAX_READ, size: 0, pool: None }
    }

    /// Changes the size of the largest read.
    pub(super) fn set_max_read(&mut self, max_read: usize) {
        self.max_read = max_read;
        self.reset();
    }

    /// Reads into memory of `pool`, which gets it back once it is hashed.
    pub(super) fn draw_from(&mut self, pool: &HashPool) {
        self.pool = Some(pool.clone());
    }

    /// Begins a frame.
    pub(super) fn reset(&mut self) {
        self.next = MIN_READ.min(self.max_read);
    }

    /// Learns from what has been received, before it is split off.
    pub(super) fn observe(&mut self, buffer: &BytesMut) {
        if buffer.len() == buffer.capacity() {
            self.next = (2 * self.next).min(self.max_read);
        } else if buffer.len() < self.next / 4 {
            self.next = (self.next / 2).max(MIN_READ.min(self.max_read));
        }
    }

    /// Makes room for more payload, once all that was received is split off.
    pub(super) fn for_payload(&mut self, buffer: &mut BytesMut) {
        if buffer.capacity() < self.next / 2 || self.is_too_large(buffer, self.next) {
            self.renew(buffer, self.next);
        }
    }

    /// Makes room for more of a head of `limit` bytes at most, and the byte that shows it to be
    /// too large.
    pub(super) fn for_head(&mut self, buffer: &mut BytesMut, limit: usize) {
        let wanted = (2 * buffer.len()).min(limit.saturating_add(1)).max(MIN_READ);
        if buffer.len() == buffer.capacity() || self.is_too_large(buffer, wanted) {
            self.renew(buffer, wanted);
        }
    }

    fn is_too_large(&self, buffer: &BytesMut, wanted: usize) -> bool {
        buffer.capacity().max(self.size) >= 2 * wanted
    }

    /// Gives the buffer a capacity of about `wanted`, in the memory it has if that is free again.
    fn renew(&mut self, buffer: &mut BytesMut, wanted: usize) {
        let is_reclaimed = buffer.try_reclaim(wanted.saturating_sub(buffer.len()));
        if !is_reclaimed || self.is_too_large(buffer, wanted) {
            let mut renewed = match &self.pool {
                Some(pool) => pool.buffer(wanted),
                None => BytesMut::with_capacity(wanted),
            };
            renewed.extend_from_slice(buffer);
            *buffer = renewed;
        }
        self.size = buffer.capacity();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_READ: usize = ReadStrategy::DEFAULT_MAX_READ;

    /// A buffer of so much memory, in which so many bytes are.
    fn buffer(capacity: usize, len: usize) -> BytesMut {
        let mut buffer = BytesMut::with_capacity(capacity);
        buffer.resize(len, 7);
        assert_eq!(buffer.capacity(), capacity);
        buffer
    }

    /// One that has received a lot.
    fn quick() -> ReadStrategy {
        let mut reads = ReadStrategy::new();
        for _ in 0..10 {
            reads.observe(&buffer(100, 100));
        }
        assert_eq!(reads.next, MAX_READ);
        reads
    }

    #[test]
    fn a_read_that_fills_the_buffer_is_followed_by_one_twice_as_large() {
        let mut reads = ReadStrategy::new();
        reads.observe(&buffer(MIN_READ, MIN_READ - 1));
        assert_eq!(reads.next, MIN_READ);
        for expected in [2, 4, 8, 8] {
            reads.observe(&buffer(MIN_READ, MIN_READ));
            assert_eq!(reads.next, expected * MIN_READ);
        }
    }

    #[test]
    fn a_read_of_less_than_a_quarter_is_followed_by_one_half_as_large() {
        let mut reads = quick();
        reads.observe(&buffer(MAX_READ, MAX_READ / 4));
        assert_eq!(reads.next, MAX_READ);
        for expected in [4, 2, 1, 1] {
            reads.observe(&buffer(MAX_READ, reads.next / 4 - 1));
            assert_eq!(reads.next, expected * MIN_READ);
        }
    }

    #[test]
    fn each_frame_begins_with_a_small_read() {
        let mut reads = quick();
        reads.reset();
        assert_eq!(reads.next, MIN_READ);
        reads.set_max_read(100);
        assert_eq!(reads.next, 100);
    }

    #[test]
    fn a_buffer_is_kept_from_half_of_the_next_read_to_less_than_twice_as_much() {
        for (capacity, expected) in [
            (MAX_READ / 2 - 1, MAX_READ),
            (MAX_READ / 2, MAX_READ / 2),
            (2 * MAX_READ - 1, 2 * MAX_READ - 1),
            (2 * MAX_READ, MAX_READ),
        ] {
            let mut buffer = buffer(capacity, 0);
            quick().for_payload(&mut buffer);
            assert_eq!(buffer.capacity(), expected, "{capacity}");
        }
    }
}
