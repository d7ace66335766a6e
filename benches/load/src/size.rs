//! Numbers of bytes as people write them.

use std::{fmt, str::FromStr};

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size(pub(crate) u64);

const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];

impl FromStr for Size {
    type Err = String;

    /// A number, with KiB, MiB or GiB behind it or nothing.
    fn from_str(text: &str) -> Result<Self, String> {
        let unit = UNITS.iter().find_map(|(unit, bits)| Some((text.strip_suffix(unit)?, *bits)));
        let (number, bits) = unit.unwrap_or((text, 0));
        let bytes = number.parse().ok().and_then(|number: u64| number.checked_mul(1 << bits));
        bytes.map(Self).ok_or_else(|| format!("expected a size such as 64KiB, found {text}"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, bits)| self.0 > 0 && self.0.trailing_zeros() >= *bits);
        let (unit, bits) = unit.unwrap_or(&("B", 0));
        write!(f, "{}{unit}", self.0 >> bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_they_are_read() {
        for (text, bytes) in
            [("1KiB", 1024), ("64KiB", 65_536), ("16MiB", 1 << 24), ("3GiB", 3 << 30)]
        {
            assert_eq!(text.parse(), Ok(Size(bytes)));
            assert_eq!(Size(bytes).to_string(), text);
        }
        assert_eq!("1000".parse(), Ok(Size(1000)));
        assert_eq!(Size(1000).to_string(), "1000B");
        for wrong in ["", "KiB", "-1", "1.5MiB", "1KB", "99999999999GiB"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
