//! The figures, a file for each subcommand.

pub(crate) mod file;
pub(crate) mod gateway;
pub(crate) mod large;
pub(crate) mod overload;
pub(crate) mod pipe;
pub(crate) mod requests;
pub(crate) mod slow;
pub(crate) mod tenants;
pub(crate) mod upload_parts;
pub(crate) mod uploads;

use std::thread;

use crate::Result;

/// Runs two loads at the same time, and waits for both.
pub(crate) fn beside<A: Send, B>(
    one: impl FnOnce() -> Result<A> + Send,
    other: impl FnOnce() -> Result<B>,
) -> Result<(A, B)> {
    thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other()?;
        let one = one.join().map_err(|_| "a load panicked")?;
        Ok((one?, other))
    })
}

/// The middle one of some values.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len().saturating_sub(1) / 2]
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_median_is_one_of_the_values() {
        for (values, expected) in [(&[3.0, 1.0, 2.0][..], 2.0), (&[4.0, 1.0], 1.0), (&[5.0], 5.0)] {
            assert_eq!(super::median(values.iter().copied()).to_bits(), f64::to_bits(expected));
        }
    }
}
