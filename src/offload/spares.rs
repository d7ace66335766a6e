//! Memory of pieces that are hashed, to be read into again.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};

/// What was read into before: the memory of pieces that are hashed.
///
/// A piece is allocated on one core and dropped on another. If it were freed there, the allocator
/// would return pages to the system and take others all the time, and each of both costs: the
/// other core is interrupted when a page goes, and a page that comes is cleared first.
pub(super) struct Spares {
    free: Mutex<VecDeque<BytesMut>>,
    count: usize,
}

impl Spares {
    /// Less memory is not worth keeping.
    const LEAST: usize = 16 * 1024;

    /// More memory is not kept, lest a few of them are a lot.
    const MOST: usize = 128 * 1024;

    /// Keeps the memory of `count` pieces at the most.
    pub(super) fn new(count: usize) -> Self {
        Self { free: Mutex::default(), count }
    }

    /// Drops a piece and keeps its memory, where nobody else holds on to it.
    pub(super) fn keep(&self, piece: Bytes) {
        if piece.len() < Self::LEAST {
            return;
        }
        let Ok(mut spare) = piece.try_into_mut() else { return };
        spare.clear();
        // A piece can be the end of something that is too large.
        if spare.try_reclaim(Self::MOST + 1) {
            return;
        }
        let mut free = self.lock();
        if free.len() == self.count {
            free.pop_front();
        }
        free.push_back(spare);
    }

    /// An empty buffer with room for `wanted` bytes, and for less than twice as many. What was
    /// kept last comes first: it is the most likely to be in a cache.
    #[cfg(feature = "codec")]
    pub(super) fn take(&self, wanted: usize) -> Option<BytesMut> {
        if !(Self::LEAST..=Self::MOST).contains(&wanted) {
            return None;
        }
        let mut free = self.lock();
        let has_room =
            |spare: &mut BytesMut| spare.try_reclaim(wanted) && spare.capacity() < 2 * wanted;
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

    use super::Spares;

    const READ: usize = 64 * 1024;

    /// A buffer that was read into, split as a connection does it.
    fn pieces(len: usize, at: usize) -> (Bytes, Bytes) {
        let mut buffer = BytesMut::zeroed(len);
        let first = buffer.split_to(at).freeze();
        (first, buffer.freeze())
    }

    #[test]
    fn memory_is_kept_once_its_last_piece_is_hashed() {
        let spares = Spares::new(1);
        let (first, second) = pieces(READ, READ / 2);
        let start = first.as_ptr().addr();
        spares.keep(first);
        assert!(spares.take(READ).is_none());
        spares.keep(second);
        let spare = spares.take(READ).unwrap();
        assert_eq!((spare.len(), spare.capacity(), spare.as_ptr().addr()), (0, READ, start));
        assert!(spares.take(READ).is_none());
    }

    #[test]
    fn memory_that_somebody_holds_is_left_to_him() {
        let spares = Spares::new(1);
        let piece = Bytes::from(vec![7; READ]);
        spares.keep(piece.clone());
        assert!(spares.take(READ).is_none());
        assert_eq!(piece, vec![7; READ]);
    }

    #[test]
    fn neither_little_memory_nor_a_lot_is_kept() {
        let spares = Spares::new(1);
        for (len, is_kept) in [
            (Spares::LEAST - 1, false),
            (Spares::LEAST, true),
            (Spares::MOST, true),
            (Spares::MOST + 1, false),
        ] {
            spares.keep(vec![7; len].into());
            assert_eq!(spares.take(len).is_some(), is_kept, "{len}");
            assert!(spares.lock().is_empty());
        }
        let (_, end) = pieces(3 * READ, 2 * READ);
        spares.keep(end);
        assert!(spares.take(READ).is_none());
    }

    #[test]
    fn a_buffer_is_neither_too_small_nor_too_large() {
        let spares = Spares::new(2);
        spares.keep(vec![7; READ / 2].into());
        spares.keep(vec![7; READ].into());
        assert!(spares.take(READ + 1).is_none());
        assert_eq!(spares.take(READ / 2).unwrap().capacity(), READ / 2);
        assert!(spares.take(READ / 2).is_none());
        assert_eq!(spares.take(READ / 2 + 1).unwrap().capacity(), READ);
    }

    #[test]
    fn the_oldest_memory_goes_where_there_is_too_much() {
        let spares = Spares::new(2);
        for len in [READ, READ + 1, READ + 2] {
            spares.keep(vec![7; len].into());
        }
        let kept = || spares.take(READ).map(|spare| spare.capacity());
        assert_eq!([kept(), kept(), kept()], [Some(READ + 2), Some(READ + 1), None]);
    }
}
