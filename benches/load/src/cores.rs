//! The cores that servers and load run on, so that neither takes from the other.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Some cores of the machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cores(Vec<usize>);

impl Cores {
    /// Finds the cores that this process may use.
    pub(crate) fn available() -> io::Result<Self> {
        let set = sched_getaffinity(None)?;
        Ok(Self((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()))
    }

    /// Splits off the first `count`. If no others are left, both parts are all cores.
    pub(crate) fn split(&self, count: usize) -> (Self, Self) {
        match self.0.split_at_checked(count) {
            Some((first, rest)) if !rest.is_empty() => (Self(first.into()), Self(rest.into())),
            _ => (self.clone(), self.clone()),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Binds this thread, and what it starts from now on, to these cores.
    pub(crate) fn bind(&self) -> io::Result<()> {
        let mut set = CpuSet::new();
        for core in &self.0 {
            set.set(*core);
        }
        Ok(sched_setaffinity(None, &set)?)
    }

    /// Runs `start` bound to these cores, which what it starts inherits.
    pub(crate) fn start<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let before = sched_getaffinity(None)?;
        self.bind()?;
        let started = start();
        sched_setaffinity(None, &before)?;
        started
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_and_load_share_cores_only_if_there_are_too_few() {
        let four = Cores(vec![0, 1, 2, 3]);
        assert_eq!(four.split(1), (Cores(vec![0]), Cores(vec![1, 2, 3])));
        assert_eq!(four.split(3), (Cores(vec![0, 1, 2]), Cores(vec![3])));
        assert_eq!(four.split(4), (four.clone(), four.clone()));
        assert_eq!(four.split(5), (four.clone(), four.clone()));
    }

    #[test]
    fn what_is_started_is_bound_and_this_thread_is_not() {
        let before = Cores::available().unwrap();
        let (one, _) = before.split(1);
        let within = one.start(Cores::available).unwrap();
        assert_eq!((within, Cores::available().unwrap()), (one, before));
    }
}
