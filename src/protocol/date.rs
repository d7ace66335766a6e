//! The date that a key is derived for.

use std::{fmt, str::FromStr, time::SystemTime};

use jiff::civil;

use crate::error::ApiMisuse;

/// A Gregorian day of the years 0001 to 9999, in UTC, written `YYYYMMDD`.
///
/// ```
/// use framesign::SigningDate;
///
/// let date: SigningDate = "20240229".parse()?;
/// assert_eq!(date.to_string(), "20240229");
/// assert!("20230229".parse::<SigningDate>().is_err());
/// # Ok::<(), framesign::ApiMisuse>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SigningDate(civil::Date);

impl SigningDate {
    /// Today in UTC, by the system's clock.
    #[must_use]
    pub fn today() -> Self {
        Self::of(SystemTime::now())
    }

    /// The day in UTC that `time` is in, or the nearest that a date can name.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let epoch = civil::date(1970, 1, 1).to_datetime(civil::Time::midnight());
        let time = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => epoch.saturating_add(since),
            Err(error) => epoch.saturating_sub(error.duration()),
        };
        Self(time.date().max(civil::date(1, 1, 1)))
    }

    /// Returns `true` if it is `other` or a day beside it.
    #[cfg(feature = "secrets")]
    pub(crate) fn is_near(self, other: Self) -> bool {
        self.0.duration_since(other.0).abs() <= jiff::SignedDuration::from_hours(24)
    }

    #[cfg(feature = "verify")]
    pub(crate) fn day(self) -> civil::Date {
        self.0
    }
}

impl FromStr for SigningDate {
    type Err = ApiMisuse;

    fn from_str(text: &str) -> Result<Self, ApiMisuse> {
        if text.len() != 8 || !text.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(ApiMisuse::Date);
        }
        let number: u32 = text.parse().map_err(|_| ApiMisuse::Date)?;
        let part = |divisor: u32, modulus: u32| number / divisor % modulus;
        let year = i16::try_from(part(10_000, 10_000)).map_err(|_| ApiMisuse::Date)?;
        let month = i8::try_from(part(100, 100)).map_err(|_| ApiMisuse::Date)?;
        let day = i8::try_from(part(1, 100)).map_err(|_| ApiMisuse::Date)?;
        match civil::Date::new(year, month, day) {
            Ok(date) if year > 0 => Ok(Self(date)),
            _ => Err(ApiMisuse::Date),
        }
    }
}

impl fmt::Display for SigningDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}{:02}{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}
