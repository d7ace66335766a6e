//! The size of parts.

use super::{answer::Limits, error::UploadError};

/// The most parts of one upload that servers are known to take: object stores have no more.
const MAX_PARTS: u64 = 10_000;

/// The size of the next part of a stream is at least one of so many of what was sent. With parts of
/// 16 MiB it grows after 31 GiB, and [`MAX_PARTS`] parts hold more than 1 TiB.
const GROWTH: u64 = 2_000;

const MIB: u64 = 1 << 20;

/// The most bytes of a part of a stream that a server can ask for, unless the user asks for as many.
/// Two such parts are held in memory.
const MAX_HELD: u64 = 1024 * MIB;

/// The least `max-append-size` that is worth a request for each part: less is a mistake of the
/// server, or an attack by the number of requests. Stores and proxies have limits far above it.
const MIN_APPEND: u64 = 4 * 1024;

/// The size of the part at `offset`: what is asked for, as far as the limits and the number of
/// parts let it be.
///
/// # Errors
///
/// If the limits of the server would take too much memory, or too many requests.
pub(super) fn part_size(
    asked: u64,
    limits: &Limits,
    length: Option<u64>,
    offset: u64,
) -> Result<u64, UploadError> {
    let needed = match length {
        Some(length) => length.div_ceil(MAX_PARTS),
        None => offset / GROWTH,
    };
    let size = if needed > asked { needed.div_ceil(MIB).saturating_mul(MIB) } else { asked };
    let min_append_size = limits.min_append_size.unwrap_or(0);
    let most = asked.max(MAX_HELD);
    if length.is_none() && min_append_size > most {
        return Err(UploadError::PartsTooLarge { min_append_size, most });
    }
    let rest = length.map_or(u64::MAX, |length| length.saturating_sub(offset));
    let max = max_append_size(limits, asked.min(rest))?;
    Ok(size.max(min_append_size).min(max).max(1))
}

/// The most bytes of a part of which `rest` bytes are still to be sent.
///
/// # Errors
///
/// If the server takes so few that the rest would take too many requests.
pub(super) fn max_append_size(limits: &Limits, rest: u64) -> Result<u64, UploadError> {
    let Some(max_append_size) = limits.max_append_size else { return Ok(u64::MAX) };
    let least = MIN_APPEND.min(rest);
    if max_append_size < least {
        return Err(UploadError::PartsTooSmall { max_append_size, least: MIN_APPEND });
    }
    Ok(max_append_size)
}

#[cfg(test)]
mod tests {
    use super::{Limits, MAX_HELD, MAX_PARTS, MIB, UploadError, max_append_size, part_size};

    const GIB: u64 = 1 << 30;

    #[test]
    fn file_has_at_most_ten_thousand_parts() {
        let size = |asked, length| part_size(asked, &Limits::default(), Some(length), 0).unwrap();
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
            let size = part_size(16 * MIB, &Limits::default(), None, offset).unwrap();
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
        let size = |asked, limits, length| part_size(asked, &limits, length, 0).unwrap();
        assert_eq!(size(100, limits(5000, 10_000), None), 5000);
        assert_eq!(size(20_000, limits(5000, 10_000), None), 10_000);
        assert_eq!(size(7000, limits(5000, 10_000), None), 7000);
        assert_eq!(size(16, limits(0, 10_000), Some(1 << 40)), 10_000);
        assert_eq!(size(0, limits(0, 0), None), 1);
    }

    #[test]
    fn part_of_a_stream_is_never_more_than_memory_can_hold() {
        let limits = |min| Limits { min_append_size: Some(min), ..Limits::default() };
        let size = |min, asked, length| part_size(asked, &limits(min), length, 0);
        assert_eq!(size(MAX_HELD, MIB, None).unwrap(), MAX_HELD);
        // A user who asks for as much has the memory.
        assert_eq!(size(MAX_HELD + 1, MAX_HELD + 1, None).unwrap(), MAX_HELD + 1);
        // A part of a file is not held.
        assert_eq!(size(MAX_HELD + 1, MIB, Some(1 << 40)).unwrap(), MAX_HELD + 1);
        for min in [MAX_HELD + 1, 999_999_999_999_999, u64::MAX] {
            let error = size(min, MIB, None).unwrap_err();
            let UploadError::PartsTooLarge { min_append_size, most } = &error else {
                panic!("{error}")
            };
            assert_eq!((*min_append_size, *most), (min, MAX_HELD));
            assert!(error.to_string().ends_with("; send a file"), "{error}");
        }
    }

    #[test]
    fn parts_are_never_so_small_that_there_is_no_end_of_them() {
        let limits = |max| Limits { max_append_size: Some(max), ..Limits::default() };
        let size = |max, length| part_size(16 * MIB, &limits(max), length, 0);
        for max in [0, 1, 4095] {
            for length in [None, Some(4096), Some(GIB)] {
                let error = size(max, length).unwrap_err();
                assert!(matches!(error, UploadError::PartsTooSmall { .. }), "{max} {error}");
                assert!(error.to_string().contains("ask the operator"), "{error}");
            }
        }
        // What fits into one part is sent, as is what was to be sent in parts as small.
        assert_eq!(size(4096, None).unwrap(), 4096);
        assert_eq!(size(10, Some(10)).unwrap(), 10);
        assert_eq!(size(0, Some(0)).unwrap(), 1);
        assert_eq!(part_size(10, &limits(10), None, 0).unwrap(), 10);
        assert_eq!(part_size(16 * MIB, &limits(10), Some(GIB), GIB - 10).unwrap(), 10);
        assert_eq!(max_append_size(&limits(10), 10).unwrap(), 10);
        assert!(max_append_size(&limits(10), 11).is_err());
    }
}
