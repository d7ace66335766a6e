//! No engine reads before or behind a piece: the pages on both sides of it cannot be read.

use std::{ptr, slice};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::{engines, finalize, noise, oracle};
use sha256_multi::State;

/// Pages that can be read, between two that cannot.
struct Guarded {
    start: *mut u8,
    page: usize,
}

impl Guarded {
    fn new(bytes: &[u8]) -> Self {
        let page = rustix::param::page_size();
        assert_eq!(bytes.len(), page, "a page of bytes");
        // SAFETY: a new mapping at an address that the system chooses.
        let start = unsafe {
            mmap_anonymous(ptr::null_mut(), 3 * page, ProtFlags::empty(), MapFlags::PRIVATE)
        }
        .unwrap();
        // SAFETY: the second of the three pages.
        let middle = unsafe { start.byte_add(page) };
        // SAFETY: that page belongs to the mapping, and nothing refers to it yet.
        unsafe { mprotect(middle, page, MprotectFlags::READ | MprotectFlags::WRITE) }.unwrap();
        // SAFETY: the page can be written now, and is as long as the bytes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), middle.cast(), page) };
        Self { start: start.cast(), page }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the second page belongs to the mapping.
        let middle = unsafe { self.start.add(self.page) };
        // SAFETY: it can be read, was written whole, and is written no more while `self` lives.
        unsafe { slice::from_raw_parts(middle, self.page) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the whole mapping, to which nothing refers any more.
        unsafe { munmap(self.start.cast(), 3 * self.page) }.unwrap();
    }
}

/// Pieces that end, and pieces that begin, at a page that cannot be read.
#[test]
fn no_engine_reads_beyond_a_piece() {
    let page = noise(rustix::param::page_size(), 7);
    let guarded = Guarded::new(&page);
    let bytes = guarded.bytes();
    let lengths = (0..=260).chain([1000, 1024, 4000, 4096]);
    for engine in engines() {
        for length in lengths.clone() {
            // All lanes at the end; then all at the beginning, whose rows go up to the same place.
            for piece in [&bytes[bytes.len() - length..], &bytes[..length]] {
                for begun in [0, 5] {
                    let mut states = vec![State::new(); engine.lanes() + 1];
                    for state in &mut states {
                        state.update(&page[..begun]);
                    }
                    engine.update_many(
                        &mut states.iter_mut().map(|s| (s, piece)).collect::<Vec<_>>(),
                    );
                    let expected = oracle(&[&page[..begun], piece].concat());
                    assert!(
                        finalize(engine, &states).iter().all(|digest| *digest == expected),
                        "{engine:?}, {length} bytes behind {begun}"
                    );
                }
            }
        }
    }
}
