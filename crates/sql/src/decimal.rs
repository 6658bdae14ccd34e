//! Exact decimal numbers, kept as the digits they are.

use std::fmt;
use std::str::FromStr;

/// An exact decimal number of any length, kept in its digits; it never passes through a float.
///
/// Equality is of the text in normal form (`1.50` and `1.5` differ, as they do in a column that shows its scale). Besides
/// numbers it holds the words `NaN`, `Infinity` and `-Infinity`, which PostgreSQL's `numeric` knows.
///
/// ```
/// use dbkeep_sql::Decimal;
/// let fee: Decimal = "00129.90".parse().unwrap();
/// assert_eq!(fee.as_str(), "129.90");
/// assert!("12,5".parse::<Decimal>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Decimal(String);

/// A text that is no decimal number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseDecimalError {
    text: String,
}

impl fmt::Display for ParseDecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a decimal number", self.text)
    }
}

impl std::error::Error for ParseDecimalError {}

impl Decimal {
    /// The number in digits: an optional minus sign, at least one digit, an optional fraction.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a number, not `NaN` or an infinity.
    pub fn is_finite(&self) -> bool {
        self.0.ends_with(|c: char| c.is_ascii_digit())
    }
}

impl FromStr for Decimal {
    type Err = ParseDecimalError;

    fn from_str(text: &str) -> Result<Self, ParseDecimalError> {
        let refuse = || ParseDecimalError { text: text.chars().take(80).collect() };
        if let Some(word) = ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| word.eq_ignore_ascii_case(text)) {
            return Ok(Self(word.to_owned()));
        }
        let (negative, digits) = match text.as_bytes() {
            [b'-', ..] => (true, &text[1..]),
            [b'+', ..] => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (digits, None),
        };
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.map_or(0, str::len) == 0 || !all_digits(whole) || !fraction.is_none_or(all_digits) {
            return Err(refuse());
        }
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            trimmed => trimmed,
        };
        let mut out = String::with_capacity(text.len() + 1);
        let is_zero = whole == "0" && fraction.is_none_or(|part| part.bytes().all(|b| b == b'0'));
        if negative && !is_zero {
            out.push('-');
        }
        out.push_str(whole);
        if let Some(fraction) = fraction.filter(|part| !part.is_empty()) {
            out.push('.');
            out.push_str(fraction);
        }
        Ok(Self(out))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({})", self.0)
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

impl From<u64> for Decimal {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl serde::Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_kept_and_only_leading_zeros_go() {
        for (text, kept) in [
            ("0", "0"),
            ("-0.00", "0.00"),
            ("+1.50", "1.50"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("007", "7"),
            ("5.", "5"),
            ("nan", "NaN"),
        ] {
            assert_eq!(text.parse::<Decimal>().unwrap().as_str(), kept);
        }
        let long = format!("-{}.{}", "9".repeat(400), "1".repeat(300));
        assert_eq!(long.parse::<Decimal>().unwrap().as_str(), long);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".", "1e5", "1_000", "1,5", " 1", "--1", "0x10", "١"] {
            assert!(text.parse::<Decimal>().is_err(), "{text:?}");
        }
    }
}
