//! The memory and the open files of processes over time.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::Result;

/// A figure of each process, at some time after the beginning.
pub(crate) struct Sample {
    pub(crate) at: Duration,
    /// `RssAnon`, in KiB.
    pub(crate) memory: Vec<u64>,
    pub(crate) files: Vec<usize>,
}

impl Sample {
    pub(crate) fn take(began: Instant, ids: &[u32]) -> Result<Self> {
        Ok(Self {
            at: began.elapsed(),
            memory: ids.iter().map(|id| anonymous(*id)).collect::<Result<_>>()?,
            files: ids.iter().map(|id| open_files(*id)).collect::<Result<_>>()?,
        })
    }
}

/// The memory of a process that no file is behind, in KiB.
fn anonymous(id: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let line = line.ok_or("expected a process with memory")?;
    Ok(line.trim_matches([' ', '\t', 'k', 'B']).parse()?)
}

pub(crate) fn open_files(id: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{id}/fd"))?.count())
}

/// The median memory of a process over a span of time, in KiB.
pub(crate) fn median(
    samples: &[Sample],
    process: usize,
    from: Duration,
    until: Duration,
) -> Option<u64> {
    let samples = samples.iter().filter(|sample| sample.at >= from && sample.at <= until);
    let mut figures: Vec<_> = samples.filter_map(|sample| sample.memory.get(process)).collect();
    figures.sort_unstable();
    figures.get(figures.len() / 2).map(|figure| **figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_that_of_its_span() {
        let sample = |at, memory| Sample {
            at: Duration::from_secs(at),
            memory: vec![0, memory],
            files: vec![],
        };
        let samples = [sample(0, 900), sample(5, 3), sample(6, 1), sample(7, 2), sample(9, 800)];
        let span = |from, until| {
            median(&samples, 1, Duration::from_secs(from), Duration::from_secs(until))
        };
        assert_eq!(span(5, 7), Some(2));
        assert_eq!(span(9, 20), Some(800));
        assert_eq!(span(20, 30), None);
    }
}
