//! Dates and times as databases hold them: zero dates, hours past 24 and years before Christ included.

use std::fmt;
use std::str::FromStr;

/// A calendar date. Month and day may be zero, since MySQL stores dates such as `0000-00-00`; see [`Date::is_zero`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Date {
    /// The astronomical year: 0 is 1 BC.
    pub year: i32,
    /// The month, 1 to 12, or 0 where the database holds none.
    pub month: u8,
    /// The day, 1 to 31, or 0 where the database holds none.
    pub day: u8,
}

impl Date {
    /// A date from its parts, which are not checked against a calendar: the database judges.
    pub const fn new(year: i32, month: u8, day: u8) -> Self {
        Self { year, month, day }
    }

    /// Whether month or day is zero, which no calendar has.
    pub const fn is_zero(&self) -> bool {
        self.month == 0 || self.day == 0
    }

    /// Days from 1970-01-01, by the Gregorian calendar carried back; a zero month or day counts as one.
    pub const fn days_since_epoch(&self) -> i64 {
        // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
        let month = if self.month == 0 { 1 } else { self.month as i64 };
        let day = if self.day == 0 { 1 } else { self.day as i64 };
        let year = self.year as i64 - (month <= 2) as i64;
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// The date that lies this many days after 1970-01-01, or `None` where its year is out of range.
    pub fn from_days_since_epoch(days: i64) -> Option<Self> {
        let days = days.checked_add(719_468)?;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = u8::try_from(of_year - (153 * shifted + 2) / 5 + 1).ok()?;
        let month = u8::try_from(if shifted < 10 { shifted + 3 } else { shifted - 9 }).ok()?;
        let year = i32::try_from(year_of_era + era * 400 + i64::from(month <= 2)).ok()?;
        Some(Self { year, month, day })
    }
}

/// A time of day; on MySQL also a signed span of up to 838 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Time {
    /// Whether the span is negative.
    pub negative: bool,
    /// Hours: 0 to 24 for a time of day, up to 838 for MySQL's span.
    pub hour: u32,
    /// Minutes, 0 to 59.
    pub minute: u8,
    /// Seconds, 0 to 59.
    pub second: u8,
    /// Microseconds, 0 to 999999.
    pub microsecond: u32,
}

impl Time {
    /// A time of day from its parts.
    pub const fn new(hour: u32, minute: u8, second: u8, microsecond: u32) -> Self {
        Self { negative: false, hour, minute, second, microsecond }
    }
}

/// A date with a time of day, without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct DateTime {
    /// The date.
    pub date: Date,
    /// Hours, 0 to 23.
    pub hour: u8,
    /// Minutes, 0 to 59.
    pub minute: u8,
    /// Seconds, 0 to 59.
    pub second: u8,
    /// Microseconds, 0 to 999999.
    pub microsecond: u32,
}

impl DateTime {
    /// A date and time from their parts.
    pub const fn new(date: Date, hour: u8, minute: u8, second: u8, microsecond: u32) -> Self {
        Self { date, hour, minute, second, microsecond }
    }

    /// Microseconds since 1970-01-01 00:00:00, taking this as UTC.
    pub const fn micros_since_epoch(&self) -> i128 {
        let seconds = self.hour as i128 * 3_600 + self.minute as i128 * 60 + self.second as i128;
        (self.date.days_since_epoch() as i128 * 86_400 + seconds) * 1_000_000 + self.microsecond as i128
    }

    /// The instant this many microseconds after 1970-01-01 00:00:00 UTC, or `None` where its year is out of range.
    pub fn from_micros_since_epoch(micros: i128) -> Option<Self> {
        const DAY: i128 = 86_400_000_000;
        let date = Date::from_days_since_epoch(i64::try_from(micros.div_euclid(DAY)).ok()?)?;
        let of_day = micros.rem_euclid(DAY);
        let part = |value: i128| u8::try_from(value).ok();
        Some(Self {
            date,
            hour: part(of_day / 3_600_000_000)?,
            minute: part(of_day / 60_000_000 % 60)?,
            second: part(of_day / 1_000_000 % 60)?,
            microsecond: u32::try_from(of_day % 1_000_000).ok()?,
        })
    }
}

/// A calendar interval: months and days keep their own counts, since neither has a fixed length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Interval {
    /// Months, twelve a year.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Microseconds.
    pub microseconds: i64,
}

/// A text that is no date or time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseDateTimeError {
    wanted: &'static str,
    text: String,
}

impl fmt::Display for ParseDateTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a {}", self.text, self.wanted)
    }
}

impl std::error::Error for ParseDateTimeError {}

fn refuse(wanted: &'static str, text: &str) -> ParseDateTimeError {
    ParseDateTimeError { wanted, text: text.chars().take(80).collect() }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.year < 0 { "-" } else { "" };
        write!(f, "{sign}{:04}-{:02}-{:02}", self.year.unsigned_abs(), self.month, self.day)
    }
}

fn write_fraction(f: &mut fmt::Formatter<'_>, microsecond: u32) -> fmt::Result {
    if microsecond == 0 { Ok(()) } else { write!(f, ".{microsecond:06}") }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{:02}:{:02}:{:02}", self.hour, self.minute, self.second)?;
        write_fraction(f, self.microsecond)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:02}:{:02}:{:02}", self.date, self.hour, self.minute, self.second)?;
        write_fraction(f, self.microsecond)
    }
}

impl fmt::Display for Interval {
    /// ISO 8601, as in `P1Y2M3DT4.5S`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P")?;
        if self.months != 0 {
            write!(f, "{}M", self.months)?;
        }
        if self.days != 0 {
            write!(f, "{}D", self.days)?;
        }
        if self.microseconds != 0 || (self.months, self.days) == (0, 0) {
            let sign = if self.microseconds < 0 { "-" } else { "" };
            let size = self.microseconds.unsigned_abs();
            write!(f, "T{sign}{}", size / 1_000_000)?;
            write_fraction(f, u32::try_from(size % 1_000_000).unwrap_or(0))?;
            f.write_str("S")?;
        }
        Ok(())
    }
}

/// Digits only: `parse` alone would take a sign.
fn number<T: FromStr>(text: &str) -> Option<T> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Microseconds from the digits after the point; further digits are refused unless they are zeros.
fn fraction(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (kept, rest) = text.split_at(text.len().min(6));
    if rest.bytes().any(|b| b != b'0') {
        return None;
    }
    Some(kept.parse::<u32>().ok()? * 10u32.pow(6 - kept.len() as u32))
}

impl FromStr for Date {
    type Err = ParseDateTimeError;

    /// Reads `YYYY-MM-DD`; a leading minus sign gives years before year 0.
    fn from_str(text: &str) -> Result<Self, ParseDateTimeError> {
        let parse = || {
            let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
            let mut parts = rest.splitn(3, '-');
            let year: i32 = number(parts.next()?)?;
            let (month, day) = (number(parts.next()?)?, number(parts.next()?)?);
            (month <= 12 && day <= 31).then_some(Self { year: sign * year, month, day })
        };
        parse().ok_or_else(|| refuse("date", text))
    }
}

impl FromStr for Time {
    type Err = ParseDateTimeError;

    /// Reads `HH:MM:SS` with up to six digits after the point; the seconds may be absent.
    fn from_str(text: &str) -> Result<Self, ParseDateTimeError> {
        let parse = || {
            let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
            let mut parts = rest.splitn(3, ':');
            let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
            let (second, microsecond) = match parts.next().unwrap_or("0").split_once('.') {
                Some((second, digits)) => (number(second)?, fraction(digits)?),
                None => (number(rest.splitn(3, ':').nth(2).unwrap_or("0"))?, 0),
            };
            (minute < 60 && second < 60).then_some(Self { negative, hour, minute, second, microsecond })
        };
        parse().ok_or_else(|| refuse("time", text))
    }
}

impl FromStr for DateTime {
    type Err = ParseDateTimeError;

    /// Reads `YYYY-MM-DD HH:MM:SS[.ffffff]`, with `T` for the blank if need be. An offset (`Z`, `+02:00`) is taken into
    /// account: the result is then the instant in UTC.
    fn from_str(text: &str) -> Result<Self, ParseDateTimeError> {
        let parse = || {
            let (date, rest) = text.split_once(['T', ' ', 't']).unwrap_or((text, "00:00:00"));
            let date: Date = date.parse().ok()?;
            let (clock, offset) = match rest.find(['Z', 'z', '+', '-']) {
                Some(at) => (&rest[..at], Some(&rest[at..])),
                None => (rest, None),
            };
            let time: Time = clock.trim_end().parse().ok()?;
            let local = Self {
                date,
                hour: u8::try_from(time.hour).ok().filter(|hour| *hour < 24)?,
                minute: time.minute,
                second: time.second,
                microsecond: time.microsecond,
            };
            match offset {
                None | Some("Z" | "z") => Some(local),
                Some(offset) => {
                    let shift: Time = match offset[1..].contains(':') {
                        true => offset[1..].parse().ok()?,
                        false => Time::new(
                            number(offset[1..].get(..2)?)?,
                            number(offset[1..].get(2..).filter(|m| !m.is_empty()).unwrap_or("0"))?,
                            0,
                            0,
                        ),
                    };
                    let micros = (i128::from(shift.hour) * 3_600 + i128::from(shift.minute) * 60) * 1_000_000;
                    let sign = if offset.starts_with('-') { -1 } else { 1 };
                    Self::from_micros_since_epoch(local.micros_since_epoch() - sign * micros)
                }
            }
        };
        parse().ok_or_else(|| refuse("date and time", text))
    }
}

macro_rules! serde_as_text {
    ($($type:ty)*) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

serde_as_text!(Date Time DateTime);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_as_it_went_in() {
        for text in ["2024-02-29", "0000-00-00", "-0044-03-15", "9999-12-31", "294276-12-31"] {
            assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
        }
        for text in ["00:00:00", "-838:59:59", "23:59:59.999999", "24:00:00"] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), text);
        }
        for text in ["2024-02-29 12:30:00", "2024-02-29 12:30:00.000001"] {
            assert_eq!(text.parse::<DateTime>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_date_or_time_is_refused() {
        for text in ["", "2024", "2024-13-01", "2024-01-32", "2024-1-", "+024-01-01", "2024-01-01x"] {
            assert!(text.parse::<Date>().is_err(), "{text:?}");
        }
        for text in ["", "12", "12:60:00", "12:00:60", "12:00:00.", "12:00:00.0000001", "1é:00:00"] {
            assert!(text.parse::<Time>().is_err(), "{text:?}");
        }
        for text in ["", "2024-01-01 24:00:00", "2024-01-01T", "2024-01-01 00:00:00+é", "2024-01-01 00:00:00+1"] {
            assert!(text.parse::<DateTime>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_offset_is_turned_into_utc() {
        for (text, utc) in [
            ("2024-01-01T00:30:00+02:00", "2023-12-31 22:30:00"),
            ("2024-01-01 00:30:00Z", "2024-01-01 00:30:00"),
            ("2024-01-01 23:30:00-0130", "2024-01-02 01:00:00"),
            ("2024-01-01 23:30:00.5-01", "2024-01-02 00:30:00.500000"),
        ] {
            assert_eq!(text.parse::<DateTime>().unwrap().to_string(), utc);
        }
    }

    #[test]
    fn days_and_dates_agree_over_four_centuries() {
        for days in (-800_000..800_000).step_by(37) {
            assert_eq!(Date::from_days_since_epoch(days).unwrap().days_since_epoch(), days);
        }
        assert_eq!(Date::new(1970, 1, 1).days_since_epoch(), 0);
        assert_eq!(Date::new(2000, 3, 1).days_since_epoch(), 11_017);
    }
}
