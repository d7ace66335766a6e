//! Memory of pieces that are hashed, to be read into again.

use std::{collections::VecDeque, sync::PoisonError};

use bytes::{Bytes, BytesMut};

use crate::sync::{Mutex, MutexGuard};

/// Buffers that were read into before: the memory of pieces that are hashed.
///
/// A piece is allocated on one core and dropped on another. If it were freed there, the allocator
/// would return pages to the system and take others all the time, and each of both costs: the
/// other core is interrupted when a page goes, and a page that comes is cleared first.
pub(super) struct BufferPool {
    free: Mutex<VecDeque<BytesMut>>,
    count: usize,
}

impl BufferPool {
    /// Less memory is not worth keeping.
    const MIN_KEPT: usize = 16 * 1024;

    /// More memory is not kept, lest a few of them are a lot.
    const MAX_KEPT: usize = 128 * 1024;

    /// Keeps the memory of `count` pieces at the most.
    pub(super) fn new(count: usize) -> Self {
        Self { free: Mutex::default(), count }
    }

    /// Drops a piece and keeps its memory, where nobody else holds on to it.
    pub(super) fn put(&self, piece: Bytes) {
        if piece.len() < Self::MIN_KEPT {
            return;
        }
        let Ok(mut buffer) = piece.try_into_mut() else { return };
        buffer.clear();
        // A piece can be the end of something that is too large.
        if buffer.try_reclaim(Self::MAX_KEPT + 1) {
            return;
        }
        let mut free = self.lock();
        if free.len() == self.count {
            free.pop_front();
        }
        free.push_back(buffer);
    }

    /// An empty buffer with room for `wanted` bytes, and for less than twice as many. What was
    /// kept last comes first: it is the most likely to be in a cache.
    #[cfg(feature = "codec")]
    pub(super) fn get(&self, wanted: usize) -> Option<BytesMut> {
        if !(Self::MIN_KEPT..=Self::MAX_KEPT).contains(&wanted) {
            return None;
        }
        let mut free = self.lock();
        let has_room =
            |buffer: &mut BytesMut| buffer.try_reclaim(wanted) && buffer.capacity() < 2 * wanted;
        let at = free.iter_mut().rposition(has_room)?;
        free.remove(at)
    }

    /// Nothing here panics while it holds them.
    fn lock(&self) -> MutexGuard<'_, VecDeque<BytesMut>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, feature = "codec"))]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::BufferPool;

    const READ: usize = 64 * 1024;

    /// A buffer that was read into, split as a connection does it.
    fn pieces(len: usize, at: usize) -> (Bytes, Bytes) {
        let mut buffer = BytesMut::zeroed(len);
        let first = buffer.split_to(at).freeze();
        (first, buffer.freeze())
    }

    #[test]
    fn memory_is_kept_once_its_last_piece_is_hashed() {
        let buffers = BufferPool::new(1);
        let (first, second) = pieces(READ, READ / 2);
        let start = first.as_ptr().addr();
        buffers.put(first);
        assert!(buffers.get(READ).is_none());
        buffers.put(second);
        let buffer = buffers.get(READ).unwrap();
        assert_eq!((buffer.len(), buffer.capacity(), buffer.as_ptr().addr()), (0, READ, start));
        assert!(buffers.get(READ).is_none());
    }

    #[test]
    fn memory_that_somebody_holds_is_left_to_him() {
        let buffers = BufferPool::new(1);
        let piece = Bytes::from(vec![7; READ]);
        buffers.put(piece.clone());
        assert!(buffers.get(READ).is_none());
        assert_eq!(piece, vec![7; READ]);
    }

    #[test]
    fn neither_little_memory_nor_a_lot_is_kept() {
        let buffers = BufferPool::new(1);
        for (len, is_kept) in [
            (BufferPool::MIN_KEPT - 1, false),
            (BufferPool::MIN_KEPT, true),
            (BufferPool::MAX_KEPT, true),
            (BufferPool::MAX_KEPT + 1, false),
        ] {
            buffers.put(vec![7; len].into());
            assert_eq!(buffers.get(len).is_some(), is_kept, "{len}");
            assert!(buffers.lock().is_empty());
        }
        let (_, end) = pieces(3 * READ, 2 * READ);
        buffers.put(end);
        assert!(buffers.get(READ).is_none());
    }

    #[test]
    fn a_buffer_is_neither_too_small_nor_too_large() {
        let buffers = BufferPool::new(2);
        buffers.put(vec![7; READ / 2].into());
        buffers.put(vec![7; READ].into());
        assert!(buffers.get(READ + 1).is_none());
        assert_eq!(buffers.get(READ / 2).unwrap().capacity(), READ / 2);
        assert!(buffers.get(READ / 2).is_none());
        assert_eq!(buffers.get(READ / 2 + 1).unwrap().capacity(), READ);
    }

    #[test]
    fn the_oldest_memory_goes_where_there_is_too_much() {
        let buffers = BufferPool::new(2);
        for len in [READ, READ + 1, READ + 2] {
            buffers.put(vec![7; len].into());
        }
        let kept = || buffers.get(READ).map(|buffer| buffer.capacity());
        assert_eq!([kept(), kept(), kept()], [Some(READ + 2), Some(READ + 1), None]);
    }
}
