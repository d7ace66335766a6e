//! Durations, counted in buckets, so that millions of them take a few kilobytes.

use std::time::Duration;

/// Buckets for each power of two, so that a bucket is at most 1.6 % wide.
const PER_DOUBLING: u32 = 1 << BITS;
const BITS: u32 = 6;

/// Counts of durations.
#[derive(Clone, Default)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    longest: Duration,
}

impl Histogram {
    pub(crate) fn add(&mut self, duration: Duration) {
        let bucket = bucket(duration);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.longest = self.longest.max(duration);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (ours, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *ours += theirs;
        }
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The longest of them, in milliseconds.
    pub(crate) fn longest(&self) -> f64 {
        milliseconds(self.longest)
    }

    /// The time within which `per_mille` of a thousand were done, in milliseconds; 0 of none.
    pub(crate) fn quantile(&self, per_mille: u64) -> f64 {
        let mut rank = (self.count * per_mille).div_ceil(1000);
        for (bucket, count) in self.buckets.iter().enumerate() {
            if *count > 0 && rank <= *count {
                return milliseconds(end(bucket).min(self.longest));
            }
            rank -= count;
        }
        0.0
    }

    pub(crate) fn p50(&self) -> f64 {
        self.quantile(500)
    }

    pub(crate) fn p99(&self) -> f64 {
        self.quantile(990)
    }

    pub(crate) fn p999(&self) -> f64 {
        self.quantile(999)
    }
}

/// The exponent of two and the next bits make up the number of the bucket, as in HdrHistogram.
fn bucket(duration: Duration) -> usize {
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let nanoseconds = nanoseconds.max(PER_DOUBLING.into());
    let exponent = nanoseconds.ilog2();
    let fraction = (nanoseconds >> (exponent - BITS)) % u64::from(PER_DOUBLING);
    let bucket = u64::from((exponent - BITS) * PER_DOUBLING) + fraction;
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

/// The end of what a bucket holds.
fn end(bucket: usize) -> Duration {
    let (shift, fraction) = (bucket as u64 >> BITS, bucket as u64 % u64::from(PER_DOUBLING));
    Duration::from_nanos((u64::from(PER_DOUBLING) + fraction + 1).saturating_mul(1 << shift))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_right_within_two_in_a_hundred() {
        let mut histogram = Histogram::default();
        for microseconds in 1..=100_000 {
            histogram.add(Duration::from_micros(microseconds));
        }
        for (per_mille, expected) in [(1, 0.1), (500, 50.0), (990, 99.0), (999, 99.9)] {
            let found = histogram.quantile(per_mille);
            assert!(found >= expected && found <= expected * 1.02, "{found} for {expected}");
        }
        assert_eq!((histogram.count(), histogram.longest()), (100_000, 100.0));
        assert_eq!(histogram.quantile(1000).to_bits(), histogram.longest().to_bits());
    }

    #[test]
    fn every_duration_lies_in_its_bucket() {
        let durations = (0..64).map(|shift| 1_u64 << shift).flat_map(|at| [at, at + at / 3]);
        for nanoseconds in durations.chain([u64::MAX]) {
            let duration = Duration::from_nanos(nanoseconds.max(64));
            let bucket = bucket(duration);
            assert!(duration <= end(bucket), "{nanoseconds}");
            assert!(bucket == 0 || duration >= end(bucket - 1), "{nanoseconds}");
        }
    }

    #[test]
    fn merged_counts_are_those_of_one() {
        let (mut all, mut even, mut odd) = <(Histogram, Histogram, Histogram)>::default();
        for microseconds in 1..1_000 {
            let duration = Duration::from_micros(microseconds);
            all.add(duration);
            if microseconds % 2 == 0 { even.add(duration) } else { odd.add(duration) }
        }
        even.merge(&odd);
        assert_eq!((even.buckets, even.count), (all.buckets, all.count));
        assert_eq!(even.longest, all.longest);
    }

    #[test]
    fn of_none_there_is_no_quantile() {
        assert_eq!(Histogram::default().p99().to_bits(), 0.0_f64.to_bits());
    }
}
