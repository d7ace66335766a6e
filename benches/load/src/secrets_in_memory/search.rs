//! Looks for byte strings in the memory of a process.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    os::unix::fs::FileExt,
};

use crate::Result;

/// The bytes of a needle that are looked for first.
const START: usize = 8;

/// The memory that is read at a time.
const PIECE: usize = 1 << 20;

/// The most bytes of a guard below a stack.
const GUARD: u64 = 64 * 1024;

/// The kind of memory that is the stack of a thread.
pub(crate) const STACK: &str = "a stack";

/// Byte strings to look for, each with a name.
#[derive(Default)]
pub(crate) struct Needles {
    all: Vec<(String, Vec<u8>)>,
    by_start: HashMap<[u8; START], Vec<usize>>,
    /// The first two bytes of any of them: most places are told apart by these.
    may_start: Vec<bool>,
}

/// How often each was found, by its name and by the kind of the memory.
pub(crate) type Found = BTreeMap<(String, String), u64>;

impl Needles {
    /// Adds a byte string of 8 bytes or more.
    pub(crate) fn add(&mut self, name: impl Into<String>, bytes: &[u8]) -> Result {
        let start = *bytes.first_chunk::<START>().ok_or("expected a needle of 8 bytes or more")?;
        self.may_start.resize(1 << 16, false);
        self.may_start[usize::from(u16::from_le_bytes([start[0], start[1]]))] = true;
        self.by_start.entry(start).or_default().push(self.all.len());
        self.all.push((name.into(), bytes.to_vec()));
        Ok(())
    }

    /// Counts them in all memory that a process has written. It should stand still meanwhile.
    pub(crate) fn search(&self, id: u32) -> Result<(Found, u64)> {
        let memory = File::open(format!("/proc/{id}/mem"))?;
        let (mut found, mut searched) = (Found::new(), 0);
        let mut guard_ends = None;
        for line in fs::read_to_string(format!("/proc/{id}/maps"))?.lines() {
            let mut columns = line.split_whitespace();
            let (Some(range), Some(rights)) = (columns.next(), columns.next()) else { continue };
            let kind = columns.nth(3).unwrap_or("anonymous");
            let (from, to) = range.split_once('-').ok_or("expected a range of memory")?;
            let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
            // The stack of a thread, also of one that has ended and is kept for the next, has a guard below
            // it; what else malloc has mapped has none.
            let is_stack = guard_ends == Some(from);
            guard_ends = (rights.starts_with("---") && to - from <= GUARD).then_some(to);
            if !rights.starts_with("rw") {
                continue;
            }
            let kind = if is_stack { STACK } else { kind };
            let kind = format!("{kind}, {} KiB", (to - from) / 1024);
            searched += to - from;
            self.search_range(&memory, from, to, |name| {
                *found.entry((name.to_owned(), kind.clone())).or_default() += 1;
            });
        }
        Ok((found, searched))
    }

    fn search_range(&self, memory: &File, from: u64, to: u64, mut found: impl FnMut(&str)) {
        let overlap = self.all.iter().map(|(_, bytes)| bytes.len()).max().unwrap_or_default();
        let mut bytes = vec![0; PIECE + overlap];
        let mut at = from;
        while at < to {
            let wanted = usize::try_from(to - at).unwrap_or(usize::MAX).min(bytes.len());
            // Pages that cannot be read, a guard or a device, hold nothing of the process.
            if memory.read_exact_at(&mut bytes[..wanted], at).is_ok() {
                self.search_bytes(&bytes[..wanted], PIECE, &mut found);
            }
            at += PIECE as u64;
        }
    }

    /// Looks for those that begin before `end`.
    fn search_bytes(&self, bytes: &[u8], end: usize, found: &mut impl FnMut(&str)) {
        for (at, window) in bytes.windows(START).enumerate().take(end) {
            if !self.may_start[usize::from(u16::from_le_bytes([window[0], window[1]]))] {
                continue;
            }
            for number in self.by_start.get(window).into_iter().flatten() {
                let (name, needle) = &self.all[*number];
                if bytes[at..].starts_with(needle) {
                    found(name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_holds_is_found_and_other_things_are_not() {
        let held: Vec<u8> = (0..40).map(|number: u8| number.wrapping_mul(7) ^ 0x5a).collect();
        let boxed = std::hint::black_box(held.clone().into_boxed_slice());
        let mut needles = Needles::default();
        needles.add("held", &held).unwrap();
        needles.add("absent", &[[0xa5; 16], [0x3c; 16]].concat().repeat(3)[5..]).unwrap();
        let (found, searched) = needles.search(std::process::id()).unwrap();
        let count = |name| found.iter().filter(|((found, _), _)| found == name).count();
        assert!(searched > 0);
        assert!(count("held") > 0, "{found:?}");
        drop(boxed);
    }

    #[test]
    fn a_needle_over_the_edge_of_a_piece_is_found_once() {
        let mut needles = Needles::default();
        needles.add("edge", b"0123456789").unwrap();
        let mut bytes = [b'.'; 64];
        bytes[28..38].copy_from_slice(b"0123456789");
        let mut found = 0;
        needles.search_bytes(&bytes[..42], 32, &mut |_| found += 1);
        needles.search_bytes(&bytes[32..], 32, &mut |_| found += 1);
        assert_eq!(found, 1);
    }
}
