//! Section 9: times and dates, in nanoseconds since 1970 in UTC without leap seconds.

use super::{Mutated, Mutation};

pub(crate) const SECOND: i128 = 1_000_000_000;
pub(crate) const DAY: i128 = 86_400 * SECOND;

/// The time that a case names.
pub(crate) fn parse_time(text: &str) -> i128 {
    parse(Mutated::default(), text.as_bytes()).expect("cases name times")
}

pub(crate) fn seconds(seconds: u32) -> i128 {
    i128::from(seconds) * SECOND
}

/// `YYYY-MM-DDTHH:MM:SS`, perhaps `.` and one to nine digits, then `Z`, `+HH:MM` or `-HH:MM`.
pub(crate) fn parse(mutated: Mutated, text: &[u8]) -> Option<i128> {
    let mut text = text.to_vec();
    for (mutation, at, from, to) in [
        (Mutation::LowerCaseTAccepted, 10, b't', b'T'),
        (Mutation::SpaceBeforeTheTimeAccepted, 10, b' ', b'T'),
        (Mutation::LowerCaseZAccepted, text.len().saturating_sub(1), b'z', b'Z'),
        (Mutation::CommaBeforeTheFractionAccepted, 19, b',', b'.'),
    ] {
        if mutated.by(mutation) && text.get(at) == Some(&from) {
            text[at] = to;
        }
    }
    let (start, mut rest) = text.split_at_checked(19)?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !separators.iter().all(|(at, separator)| start[*at] == *separator) {
        return None;
    }
    let day = parse_day(start.get(0..4)?, start.get(5..7)?, start.get(8..10)?)?;
    let [hour, minute, second] = [11, 14, 17].map(|at| digits(&start[at..at + 2]));
    let (hour, minute, second) = (hour?, minute?, second?);
    let most = if mutated.by(Mutation::Second60Accepted) { 60 } else { 59 };
    if hour > 23 || minute > 59 || second > most {
        return None;
    }
    let mut time = day * DAY + ((hour * 60 + minute) * 60 + second) * SECOND;
    if let [b'.', after @ ..] = rest {
        let len = after.iter().take_while(|b| b.is_ascii_digit()).count();
        let (fraction, behind) = after.split_at(len);
        rest = behind;
        if len == 0 || len > 9 && !mutated.by(Mutation::MoreDigitsOfASecondCut) {
            return None;
        }
        let kept = if mutated.by(Mutation::TimesCutToMilliseconds) { 3 } else { 9 };
        let nanoseconds: Vec<u8> = fraction
            .iter()
            .copied()
            .chain(*b"000000000")
            .take(kept)
            .chain(*b"000000000")
            .take(9)
            .collect();
        time += digits(&nanoseconds)?;
    }
    let offset = match rest {
        b"Z" => 0,
        b"" if mutated.by(Mutation::TimeWithoutOffsetIsUtc) => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            let is_day = hours == 24 && mutated.by(Mutation::OffsetOf24HoursAccepted);
            if hours > 23 && !is_day || minutes > 59 {
                return None;
            }
            let is_unknown = rest == b"-00:00" && mutated.by(Mutation::MinusZeroRefused);
            if is_unknown {
                return None;
            }
            let sign = if *sign == b'+' { 1 } else { -1 };
            sign * (hours * 60 + minutes) * 60 * SECOND
        }
        _ => return None,
    };
    if mutated.by(Mutation::OffsetsDoNotCount) {
        return Some(time);
    }
    if mutated.by(Mutation::OffsetsAdded) {
        return Some(time + offset);
    }
    Some(time - offset)
}

/// Section 1: the number of the day, counted from 1970-01-01.
pub(crate) fn parse_date(text: &[u8]) -> Option<i128> {
    if text.len() != 8 || text.starts_with(b"0000") {
        return None;
    }
    parse_day(&text[..4], &text[4..6], &text[6..])
}

fn parse_day(year: &[u8], month: &[u8], day: &[u8]) -> Option<i128> {
    let (year, month, day) = (digits(year)?, digits(month)?, digits(day)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
        return None;
    }
    let months: i128 = (1..month).map(|month| days_of(year, month)).sum();
    // The leap days of the years before: one each 4, none each 100, one each 400; year 0 has one.
    let leap_days = match year {
        0 => 0,
        _ => (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1,
    };
    Some(year * 365 + leap_days + months + day - 1 - 719_528)
}

fn days_of(year: i128, month: i128) -> i128 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn digits(text: &[u8]) -> Option<i128> {
    let is_number = text.iter().all(u8::is_ascii_digit);
    let number = |sum, digit: &u8| sum * 10 + i128::from(digit - b'0');
    is_number.then(|| text.iter().fold(0, number))
}

/// The date and the time of a moment, to the millisecond.
pub(crate) fn show(mutated: Mutated, time: i128) -> (String, String) {
    let mut left = time.div_euclid(DAY) + 719_528;
    let mut year = 0;
    while left >= 337 + days_of(year, 2) {
        left -= 337 + days_of(year, 2);
        year += 1;
    }
    let mut month = 1;
    while left >= days_of(year, month) {
        left -= days_of(year, month);
        month += 1;
    }
    let day = left + 1;
    let of_day = time.rem_euclid(DAY);
    let (hour, minute) = (of_day / SECOND / 3600, of_day / SECOND / 60 % 60);
    let (second, nanosecond) = (of_day / SECOND % 60, of_day % SECOND);
    let mut millisecond = nanosecond / 1_000_000;
    if mutated.by(Mutation::MadeTimeRounded) && nanosecond % 1_000_000 >= 500_000 {
        millisecond += 1;
    }
    let fraction = match mutated {
        _ if mutated.by(Mutation::MadeTimeInSeconds) => String::new(),
        _ if mutated.by(Mutation::MadeTimeInNanoseconds) => format!(".{nanosecond:09}"),
        _ => format!(".{millisecond:03}"),
    };
    let date = format!("{year:04}{month:02}{day:02}");
    let time =
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z");
    (date, time)
}
