//! The size of parts.

use super::answer::Limits;

/// The most parts of one upload that servers are known to take: object stores have no more.
const MAX_PARTS: u64 = 10_000;

/// The size of the next part of a stream is at least one of so many of what was sent. With parts of
/// 16 MiB it grows after 31 GiB, and [`MAX_PARTS`] parts hold more than 1 TiB.
const GROWTH: u64 = 2_000;

const MIB: u64 = 1 << 20;

/// The size of the part at `offset`: what is asked for, as far as the limits and the number of
/// parts let it be.
pub(super) fn part_size(asked: u64, limits: &Limits, length: Option<u64>, offset: u64) -> u64 {
    let needed = match length {
        Some(length) => length.div_ceil(MAX_PARTS),
        None => offset / GROWTH,
    };
    let size = if needed > asked { needed.div_ceil(MIB).saturating_mul(MIB) } else { asked };
    let size = size.max(limits.min_append_size.unwrap_or(0));
    size.min(limits.max_append_size.unwrap_or(u64::MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::{Limits, MAX_PARTS, MIB, part_size};

    const GIB: u64 = 1 << 30;

    #[test]
    fn file_has_at_most_ten_thousand_parts() {
        let size = |asked, length| part_size(asked, &Limits::default(), Some(length), 0);
        assert_eq!(size(16 * MIB, 100 * GIB), 16 * MIB);
        assert_eq!(size(16 * MIB, 0), 16 * MIB);
        assert_eq!(size(16 * MIB, 1000 * GIB), 103 * MIB);
        assert_eq!(size(1000, 10_000_000), 1000);
        assert_eq!(size(1000, 10_000_001), MIB);
        for length in [1, 9_999, 10_000, 10_001, GIB, 160 * GIB, 5 << 40] {
            assert!(length.div_ceil(size(1, length)) <= MAX_PARTS, "{length}");
        }
    }

    #[test]
    fn stream_of_a_tebibyte_has_at_most_ten_thousand_parts() {
        let (mut offset, mut parts) = (0, 0);
        while offset < 1 << 40 {
            let size = part_size(16 * MIB, &Limits::default(), None, offset);
            assert!(offset > 30 * GIB || size == 16 * MIB, "{size} at {offset}");
            offset += size;
            parts += 1;
        }
        assert!(parts <= MAX_PARTS, "{parts}");
    }

    #[test]
    fn limits_of_the_server_count() {
        let limits = |min, max| Limits {
            min_append_size: Some(min),
            max_append_size: Some(max),
            ..Limits::default()
        };
        assert_eq!(part_size(100, &limits(500, 1000), None, 0), 500);
        assert_eq!(part_size(2000, &limits(500, 1000), None, 0), 1000);
        assert_eq!(part_size(700, &limits(500, 1000), None, 0), 700);
        assert_eq!(part_size(16, &limits(0, 1000), Some(1 << 40), 0), 1000);
        assert_eq!(part_size(0, &limits(0, 0), None, 0), 1);
    }
}
