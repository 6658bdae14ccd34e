//! The collation `decimal`: texts that are numbers compare as the numbers they are, with every digit.
//!
//! SQLite has no exact numbers with a fraction. A column of them holds texts, and this collation gives them their order. It is the
//! one of SQLite's own decimal extension (<https://www.sqlite.org/floatingpoint.html>, section 2.2), which its shell has built in:
//! so a file with an index in this order can be read and written there. Every connection has it, also those that only copy a
//! file or look through it: an index is damaged for whoever sees another order.

use super::errors;
use crate::Result;
use rusqlite::Connection;
use std::cmp::Ordering;

/// The name of the collation, which is the extension's.
pub(super) const COLLATION: &str = "decimal";

/// Gives a connection the collation.
pub(super) fn install(connection: &Connection) -> Result<()> {
    connection.create_collation(COLLATION, compare).map_err(errors::of)
}

/// Numbers by what they are worth; behind them all that is no number, by its bytes.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    if one == other {
        return Ordering::Equal;
    }
    match (Number::parse(one), Number::parse(other)) {
        (Some(one), Some(other)) => one.compare(&other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.cmp(other),
    }
}

/// Digits of an exponent beyond which a text is no number: no column is declared to hold such.
const EXPONENT_DIGITS: usize = 15;

/// A number as its text says it: `0.d₁d₂d₃… × 10^point`, where d₁ is not 0.
#[derive(Debug)]
struct Number<'t> {
    sign: Sign,
    point: i64,
    /// The digits before the point of the text, and behind it.
    digits: [&'t [u8]; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Negative,
    Zero,
    Positive,
}

impl<'t> Number<'t> {
    /// Reads `-12.50`, `.5`, `7.`, `1.0e+20`, with blanks around; nothing else is a number.
    fn parse(text: &'t str) -> Option<Self> {
        let text = text.as_bytes();
        let start = text.iter().position(|byte| !is_space(*byte))?;
        let end = text.iter().rposition(|byte| !is_space(*byte))? + 1;
        let text = text.get(start..end)?;
        let (negative, text) = match text.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, text),
        };
        let (whole, rest) = split_digits(text);
        let (fraction, rest) = match rest.split_first() {
            Some((b'.', rest)) => split_digits(rest),
            _ => (&rest[..0], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest.split_first() {
            None => 0,
            Some((b'e' | b'E', rest)) => exponent(rest)?,
            Some(_) => return None,
        };
        let whole = without_zeros(whole);
        let (point, fraction) = if whole.is_empty() {
            let kept = without_zeros(fraction);
            (-length(fraction.len() - kept.len()), kept)
        } else {
            (length(whole.len()), fraction)
        };
        let sign = match () {
            () if whole.is_empty() && fraction.is_empty() => Sign::Zero,
            () if negative => Sign::Negative,
            () => Sign::Positive,
        };
        Some(Self { sign, point: point.saturating_add(exponent), digits: [whole, fraction] })
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.sign.cmp(&other.sign).then_with(|| match self.sign {
            Sign::Zero => Ordering::Equal,
            Sign::Positive => self.compare_size(other),
            Sign::Negative => other.compare_size(self),
        })
    }

    fn compare_size(&self, other: &Self) -> Ordering {
        self.point.cmp(&other.point).then_with(|| {
            let (mut one, mut other) = (self.significant(), other.significant());
            loop {
                let order = match (one.next(), other.next()) {
                    (None, None) => return Ordering::Equal,
                    // Zeros at the end change nothing.
                    (one, other) => one.unwrap_or(&b'0').cmp(other.unwrap_or(&b'0')),
                };
                if order.is_ne() {
                    return order;
                }
            }
        })
    }

    fn significant(&self) -> impl Iterator<Item = &'t u8> {
        self.digits.into_iter().flatten()
    }
}

/// As C's isspace(), which the extension asks.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len()))
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    &digits[digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len())..]
}

fn length(digits: usize) -> i64 {
    i64::try_from(digits).unwrap_or(i64::MAX)
}

fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, text) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    let (digits, rest) = split_digits(text);
    if digits.is_empty() || !rest.is_empty() {
        return None;
    }
    let digits = without_zeros(digits);
    if digits.len() > EXPONENT_DIGITS {
        return None;
    }
    let size = digits.iter().fold(0i64, |size, digit| size * 10 + i64::from(digit - b'0'));
    Some(if negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_come_in_their_order_and_what_is_none_behind_them() {
        let ordered: [&[&str]; 16] = [
            &["-1.0e+20", "-100000000000000000000"],
            &["-12.5", " -12.50 ", "-1.25e1", "-0012.5"],
            &["-12.49"],
            &["-.001", "-1e-3"],
            &["0", "-0", "+0.00", ".0", "0.", "-0e7"],
            &["1e-3", "0.001"],
            &["5.50", "5.5"],
            &["9.4999999999999999999999999999999999999999"],
            &["9.5", "9.50", "09.5", "95e-1", "\t9.5\n"],
            &["10", "10.0", "1E1", "1e+01"],
            &["99999999999999999999"],
            &["1.0e+20", "100000000000000000000"],
            &["1e999999999999999"],
            // No numbers, by their bytes.
            &[""],
            &["1e9999999999999999"],
            &["9,5"],
        ];
        let all: Vec<(usize, &str)> =
            ordered.iter().enumerate().flat_map(|(at, same)| same.iter().map(move |text| (at, *text))).collect();
        for (place, one) in &all {
            for (other_place, other) in &all {
                assert_eq!(compare(one, other), place.cmp(other_place), "{one:?} and {other:?}");
            }
        }
        for text in [
            "", " ", "-", ".", "-.", "e5", "1e", "1e+", "1.2.3", "0x10", "Inf", "NaN", "1 2", "--1", "９", "1_0", "12a",
        ] {
            assert!(Number::parse(text).is_none(), "{text:?}");
        }
    }

    /// A number written in any way, and the same one with a fixed point.
    fn number() -> impl Strategy<Value = (String, String)> {
        let digits = proptest::collection::vec(proptest::sample::select(b"000159".to_vec()), 1..8);
        (any::<bool>(), digits, 0usize..8, -9i32..10, any::<bool>()).prop_map(
            |(negative, digits, point, exponent, plain)| {
                let text: String = digits.iter().map(|digit| char::from(*digit)).collect();
                let point = point.min(text.len());
                let exponent = if plain { 0 } else { exponent };
                let sign = if negative { "-" } else { "" };
                let mut written = format!("{sign}{}.{}", &text[..point], &text[point..]);
                if !plain {
                    written += &format!("e{exponent:+}");
                }
                // Twenty digits before the point, and twenty behind it.
                let shift = 20 + i32::try_from(point).unwrap_or(0) + exponent - i32::try_from(text.len()).unwrap_or(0);
                let fixed = format!("{}{text}", "0".repeat(48 - text.len()));
                let behind = usize::try_from(shift).unwrap_or(0);
                let fixed = format!("{fixed}{}", "0".repeat(behind));
                let fixed = format!("{}{fixed}", "0".repeat(90 - fixed.len()));
                (written, format!("{sign}{fixed}"))
            },
        )
    }

    fn model(one: &str, other: &str) -> Ordering {
        let parts = |text: &str| {
            let size = text.trim_start_matches('-').to_owned();
            let negative = text.starts_with('-') && size.bytes().any(|digit| digit != b'0');
            (negative, size)
        };
        let ((negative, one), (other_negative, other)) = (parts(one), parts(other));
        match (negative, other_negative) {
            (false, false) => one.cmp(&other),
            (true, true) => other.cmp(&one),
            (negative, other) => other.cmp(&negative),
        }
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_numbers_with_a_fixed_point((one, fixed) in number(), (other, other_fixed) in number()) {
            prop_assert_eq!(compare(&one, &other), model(&fixed, &other_fixed));
        }

        #[test]
        fn any_texts_have_one_order(texts in proptest::collection::vec("[-+]?[0-9. ]{0,4}(e[-+]?[0-9]{0,2})?|\\PC{0,4}", 3)) {
            let [one, two, three] = [&texts[0], &texts[1], &texts[2]];
            prop_assert_eq!(compare(one, two), compare(two, one).reverse());
            if compare(one, two).is_le() && compare(two, three).is_le() {
                prop_assert!(compare(one, three).is_le());
            }
            if compare(one, two).is_eq() {
                prop_assert_eq!(compare(one, three), compare(two, three));
            }
        }
    }
}
