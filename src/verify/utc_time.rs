//! Times, as nanoseconds of UTC since 1970 without leap seconds.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use jiff::{SignedDuration, civil};

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UtcTime(i128);

const EPOCH: civil::DateTime = civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

fn nanoseconds(span: Duration) -> i128 {
    i128::from(span.as_secs()) * SECOND + i128::from(span.subsec_nanos())
}

impl UtcTime {
    pub(crate) fn of(time: SystemTime) -> Self {
        Self(match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => nanoseconds(since),
            Err(error) => -nanoseconds(error.duration()),
        })
    }

    pub(crate) fn before(self, span: Duration) -> Self {
        Self(self.0 - nanoseconds(span))
    }

    pub(crate) fn after(self, span: Duration) -> Self {
        Self(self.0 + nanoseconds(span))
    }

    /// The day that this moment is in, counted from 1970-01-01.
    pub(crate) fn day(self) -> i128 {
        self.0.div_euclid(DAY)
    }

    /// Date and time in UTC; the nearest that can be named.
    fn civil(self) -> civil::DateTime {
        let nearest = if self.0 < 0 { i64::MIN } else { i64::MAX };
        let seconds = i64::try_from(self.0.div_euclid(SECOND)).unwrap_or(nearest);
        let nanoseconds = i32::try_from(self.0.rem_euclid(SECOND)).unwrap_or_default();
        let since = SignedDuration::new(seconds, 0);
        EPOCH.saturating_add(since).saturating_add(SignedDuration::new(0, nanoseconds))
    }

    /// The day of `date`, counted in the same way.
    pub(crate) fn day_of(date: civil::Date) -> i128 {
        since_epoch(date.to_datetime(civil::Time::midnight())) / DAY
    }

    /// The last nanosecond of `date` in UTC.
    pub(crate) fn end_of(date: civil::Date) -> Self {
        Self((Self::day_of(date) + 1) * DAY - 1)
    }

    /// The same moment as the system tells it; beyond what it can tell, a moment that no clock
    /// shows.
    pub(crate) fn to_system_time(self) -> SystemTime {
        let span = |nanoseconds: i128| {
            let seconds = u64::try_from(nanoseconds / SECOND).unwrap_or(u64::MAX);
            let nanoseconds = u32::try_from(nanoseconds % SECOND).unwrap_or_default();
            Duration::new(seconds, nanoseconds)
        };
        let epoch = SystemTime::UNIX_EPOCH;
        if self.0 < 0 {
            return epoch.checked_sub(span(-self.0)).unwrap_or(epoch);
        }
        epoch.checked_add(span(self.0)).unwrap_or(epoch + Self::FAR_FUTURE)
    }

    /// Some 35,000 years.
    const FAR_FUTURE: Duration = Duration::from_secs(1 << 40);

    /// Reads `YYYY-MM-DDTHH:MM:SS`, optionally `.` and one to nine digits, then `Z` or an offset
    /// `+HH:MM` or `-HH:MM`: RFC 3339 in upper case, without second 60, never rounded.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (date_and_time, rest) = text.split_first_chunk()?;
        let seconds = since_epoch(parse_date_and_time(date_and_time)?);
        let (fraction, rest) = parse_fraction(rest)?;
        let offset = parse_offset(rest)?;
        Some(Self(seconds + fraction - offset))
    }
}

fn since_epoch(time: civil::DateTime) -> i128 {
    time.duration_since(EPOCH).as_nanos()
}

fn parse_date_and_time(text: &[u8; 19]) -> Option<civil::DateTime> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] =
        *text
    else {
        return None;
    };
    let year = i16::from(two(y1, y2)?) * 100 + i16::from(two(y3, y4)?);
    let [month, day] = [two(m1, m2)?, two(d1, d2)?];
    let [hour, minute, second] = [two(h1, h2)?, two(n1, n2)?, two(s1, s2)?];
    civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()
}

/// The number of two decimal digits.
fn two(high: u8, low: u8) -> Option<i8> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| byte - b'0');
    i8::try_from(digit(high)? * 10 + digit(low)?).ok()
}

/// Nanoseconds after the point, and what follows them.
fn parse_fraction(text: &[u8]) -> Option<(i128, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = digits.split_at(len);
    if !(1..=9).contains(&len) {
        return None;
    }
    let number = |sum, &digit| sum * 10 + i128::from(digit - b'0');
    let scale = (len..9).fold(1, |scale, _| scale * 10);
    Some((digits.iter().fold(0, number) * scale, rest))
}

fn parse_offset(text: &[u8]) -> Option<i128> {
    let (sign, hours, minutes) = match *text {
        [b'Z'] => return Some(0),
        [b'+', h1, h2, b':', m1, m2] => (1, two(h1, h2)?, two(m1, m2)?),
        [b'-', h1, h2, b':', m1, m2] => (-1, two(h1, h2)?, two(m1, m2)?),
        _ => return None,
    };
    let is_time = hours < 24 && minutes < 60;
    is_time.then(|| sign * (i128::from(hours) * 60 + i128::from(minutes)) * 60 * SECOND)
}

impl fmt::Display for UtcTime {
    /// The time in UTC as RFC 3339 writes it; to as many digits of a second as the precision says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.civil();
        match f.precision() {
            Some(digits) => write!(f, "{time:.digits$}Z"),
            None => write!(f, "{time}Z"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::UtcTime;

    fn parsed(text: &str) -> Option<i128> {
        UtcTime::parse(text.as_bytes()).map(|moment| moment.0)
    }

    #[test]
    fn times_are_read_to_the_nanosecond() {
        assert_eq!(parsed("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parsed("1970-01-01T00:00:00.5Z"), Some(500_000_000));
        assert_eq!(parsed("1970-01-01T00:00:01.000000001Z"), Some(1_000_000_001));
        assert_eq!(parsed("1969-12-31T23:59:59.999999999Z"), Some(-1));
        assert_eq!(parsed("1970-01-01T02:30:00+02:30"), Some(0));
        assert_eq!(parsed("1969-12-31T19:00:00-05:00"), Some(0));
        assert_eq!(parsed("2000-02-29T00:00:00Z"), Some(951_782_400_000_000_000));
        assert!(parsed("0000-01-01T00:00:00Z") < parsed("9999-12-31T23:59:59-23:59"));
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in [
            "",
            "2023-08-01",
            "2023-08-01T12:00:00",
            "2023-08-01t12:00:00Z",
            "2023-08-01T12:00:00z",
            "2023-08-01 12:00:00Z",
            "2023-02-29T12:00:00Z",
            "2023-13-01T12:00:00Z",
            "2023-08-00T12:00:00Z",
            "2023-08-01T24:00:00Z",
            "2023-08-01T12:60:00Z",
            "2023-08-01T12:00:60Z",
            "2023-08-01T12:00:00.Z",
            "2023-08-01T12:00:00,5Z",
            "2023-08-01T12:00:00.0000000000Z",
            "2023-08-01T12:00:00+24:00",
            "2023-08-01T12:00:00+00:60",
            "2023-08-01T12:00:00+0000",
            "2023-08-01T12:00:00Z ",
            "+023-08-01T12:00:00Z",
            "2023-08-01T1:00:00Z",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn days_are_counted_in_utc() {
        let epoch = UtcTime::of(SystemTime::UNIX_EPOCH);
        assert_eq!(epoch.day(), 0);
        assert_eq!(epoch.before(Duration::from_nanos(1)).day(), -1);
        assert_eq!(epoch.after(Duration::from_secs(86_400)).day(), 1);
        assert_eq!(UtcTime::day_of(jiff::civil::date(1970, 1, 2)), 1);
        assert_eq!(UtcTime::day_of(jiff::civil::date(1, 1, 1)), -719_162);
        assert_eq!(UtcTime::day_of(jiff::civil::date(9999, 12, 31)), 2_932_896);
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for text in ["1969-12-31T23:59:59.999Z", "2023-08-01T12:00:00Z", "9999-12-31T23:59:59.5Z"] {
            let moment = UtcTime::parse(text.as_bytes()).unwrap();
            assert_eq!(moment.to_string(), text);
            assert!(UtcTime::parse(format!("{moment:.3}").as_bytes()).is_some());
        }
        let last = UtcTime::parse(b"2023-08-01T12:00:00.9999Z").unwrap();
        assert_eq!(format!("{last:.3}"), "2023-08-01T12:00:00.999Z", "a time is never rounded up");
        let epoch = UtcTime::of(SystemTime::UNIX_EPOCH);
        let beyond = [epoch.before(Duration::MAX), epoch.after(Duration::MAX)];
        let [first, last] = beyond.map(|moment| moment.to_string());
        assert!(first.starts_with("-009999-01-01T00:00:00"), "{first}");
        assert!(last.starts_with("9999-12-31T23:59:59"), "{last}");
    }

    #[test]
    fn moments_go_to_the_system_and_back() {
        for text in
            ["1969-12-31T23:59:59.999999999Z", "1970-01-01T00:00:00Z", "2023-08-01T12:00:00.5Z"]
        {
            let moment = UtcTime::parse(text.as_bytes()).unwrap();
            assert_eq!(UtcTime::of(moment.to_system_time()), moment, "{text}");
        }
        let epoch = UtcTime::of(SystemTime::UNIX_EPOCH);
        let (first, last) = (epoch.before(Duration::MAX), epoch.after(Duration::MAX));
        assert!(first.to_system_time() <= SystemTime::UNIX_EPOCH);
        assert!(
            last.to_system_time()
                > UtcTime::end_of(jiff::civil::date(9999, 12, 31)).to_system_time()
        );
        let end = UtcTime::end_of(jiff::civil::date(1970, 1, 1));
        assert_eq!((end.day(), end.after(Duration::from_nanos(1)).day()), (0, 1));
    }

    #[test]
    fn spans_of_any_length_do_not_overflow() {
        let epoch = UtcTime::of(SystemTime::UNIX_EPOCH);
        assert!(epoch.before(Duration::MAX) < epoch && epoch < epoch.after(Duration::MAX));
    }
}
