//! Are two tables equal, whatever the order their rows come in? A digest that does not depend on the order.
//!
//! The digest is the sum, modulo 2^256, of the BLAKE3 hashes of the rows, together with their number. Parts of a table can
//! be digested apart, by any number of readers and cut anywhere, and merged. It finds rows that were lost, added, changed
//! or doubled by accident. It is no protection against someone who chooses the rows in order to deceive.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The digest of a set of rows.
///
/// Written as the 64 hexadecimal digits of the sum, most significant first, a colon, and the number of rows.
///
/// ```
/// use dbkeep_backup::RowDigest;
///
/// let (mut one, mut two) = (RowDigest::default(), RowDigest::default());
/// one.add(b"1\tAda");
/// one.add(b"2\tGrace");
/// two.add(b"2\tGrace");
/// two.add(b"1\tAda");
/// assert_eq!(one, two);
/// assert_eq!(one.to_string().parse(), Ok(two));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RowDigest {
    /// The sum of the hashes, the least significant byte first.
    pub sum: [u8; 32],
    /// The number of rows.
    pub rows: u64,
}

impl RowDigest {
    /// Adds one row.
    pub fn add(&mut self, row: &[u8]) {
        self.add_hash(blake3::hash(row));
    }

    /// Adds the rows of another part of the same table.
    pub fn merge(&mut self, other: &Self) {
        self.add_sum(&other.sum);
        self.rows = self.rows.wrapping_add(other.rows);
    }

    fn add_hash(&mut self, hash: blake3::Hash) {
        self.add_sum(hash.as_bytes());
        self.rows = self.rows.wrapping_add(1);
    }

    fn add_sum(&mut self, other: &[u8; 32]) {
        let mut carry = false;
        let (mine, _) = self.sum.as_chunks_mut::<8>();
        let (others, _) = other.as_chunks::<8>();
        for (limb, added) in mine.iter_mut().zip(others) {
            let (sum, overflow) = u64::from_le_bytes(*limb).overflowing_add(u64::from_le_bytes(*added));
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            carry = overflow || again;
            *limb = sum.to_le_bytes();
        }
    }
}

impl fmt::Display for RowDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.sum.iter().rev() {
            write!(f, "{byte:02x}")?;
        }
        write!(f, ":{}", self.rows)
    }
}

/// The text is no [`RowDigest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row digest has 64 hexadecimal digits, a colon, and the number of rows")]
pub struct ParseDigestError;

impl FromStr for RowDigest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let (digits, rows) = text.split_once(':').ok_or(ParseDigestError)?;
        if digits.len() != 64 || !rows.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseDigestError);
        }
        let mut sum = [0; 32];
        for (byte, pair) in sum.iter_mut().rev().zip(digits.as_bytes().chunks(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16).ok_or(ParseDigestError)?;
                *byte = (*byte << 4) | u8::try_from(value).map_err(|_| ParseDigestError)?;
            }
        }
        Ok(Self { sum, rows: rows.parse().map_err(|_| ParseDigestError)? })
    }
}

impl Serialize for RowDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RowDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Digests a stream in which every row ends with a newline, and no row has one inside: `mysql-tsv/1`, `pg-copy/1`.
///
/// The newline is not part of the row. The stream may be cut into pieces anywhere; a row of any length takes no memory.
#[derive(Clone, Debug, Default)]
pub struct LineDigester {
    digest: RowDigest,
    /// The beginning of a row whose end has not come yet.
    begun: Option<Box<blake3::Hasher>>,
}

/// The stream ended inside of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream ends inside of a row, after {rows} whole ones")]
pub struct TruncatedRow {
    /// The rows before the one that is cut short.
    pub rows: u64,
}

impl LineDigester {
    /// A digester that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece of the stream.
    pub fn update(&mut self, mut piece: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            let (row, rest) = piece.split_at(end);
            match self.begun.take() {
                None => self.digest.add(row),
                Some(mut hasher) => self.digest.add_hash(hasher.update(row).finalize()),
            }
            piece = &rest[1..];
        }
        if !piece.is_empty() {
            self.begun.get_or_insert_default().update(piece);
        }
    }

    /// The rows that have ended so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.digest.rows
    }

    /// The digest of all rows.
    ///
    /// # Errors
    ///
    /// When the last row has no newline: the stream broke off.
    pub fn finish(self) -> Result<RowDigest, TruncatedRow> {
        match self.begun {
            None => Ok(self.digest),
            Some(_) => Err(TruncatedRow { rows: self.digest.rows }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn digest(rows: &[Vec<u8>]) -> RowDigest {
        let mut digest = RowDigest::default();
        rows.iter().for_each(|row| digest.add(row));
        digest
    }

    #[test]
    fn the_digest_of_known_rows_stays_what_it_is() {
        assert_eq!(RowDigest::default().to_string(), format!("{}:0", "0".repeat(64)));
        let mut digest = RowDigest::default();
        digest.add(b"");
        // BLAKE3 of nothing is af1349b9f5f9...e41f3262; the sum is shown from its last byte to its first.
        assert_eq!(digest.to_string(), "62321fe4ca939accb712c1adc925cb9b49c9dc36ea4d40a0a6a1f9f5b94913af:1");
    }

    #[test]
    fn sums_carry_from_byte_to_byte_and_wrap_around() {
        let mut digest = RowDigest { sum: [0xff; 32], rows: 1 };
        let mut one = [0; 32];
        one[0] = 1;
        digest.merge(&RowDigest { sum: one, rows: 1 });
        assert_eq!(digest, RowDigest { sum: [0; 32], rows: 2 });
        let mut low = RowDigest { sum: [0; 32], rows: 0 };
        low.sum[..8].fill(0xff);
        low.merge(&RowDigest { sum: one, rows: 0 });
        assert_eq!(low.sum[8], 1);
    }

    #[test]
    fn a_doubled_row_is_not_the_same_as_none() {
        let row = b"x".to_vec();
        assert_ne!(digest(&[row.clone(), row.clone()]), digest(&[]));
        assert_ne!(digest(&[row.clone(), row.clone()]).sum, digest(std::slice::from_ref(&row)).sum);
    }

    #[test]
    fn text_that_is_no_digest_is_refused() {
        let zeros = "0".repeat(64);
        for text in [
            "",
            ":",
            "0:0",
            &zeros,
            &format!("{zeros}:"),
            &format!("{zeros}:-1"),
            &format!("{zeros}:+1"),
            &format!("{}g:1", &zeros[1..]),
            &format!("{zeros}:99999999999999999999999"),
        ] {
            assert_eq!(text.parse::<RowDigest>(), Err(ParseDigestError), "{text}");
        }
    }

    #[test]
    fn a_stream_that_breaks_off_inside_of_a_row_is_an_error() {
        let mut lines = LineDigester::new();
        lines.update(b"whole\npart");
        assert_eq!(lines.rows(), 1);
        assert_eq!(lines.finish(), Err(TruncatedRow { rows: 1 }));
        assert_eq!(LineDigester::new().finish(), Ok(RowDigest::default()));
    }

    proptest! {
        #[test]
        fn the_order_of_rows_does_not_matter(rows in proptest::collection::vec(any::<Vec<u8>>(), 0..40), seed in any::<usize>()) {
            let mut other = rows.clone();
            if !other.is_empty() {
                let middle = seed % other.len();
                other.rotate_left(middle);
            }
            other.reverse();
            prop_assert_eq!(digest(&rows), digest(&other));
        }

        #[test]
        fn parts_merge_to_the_whole(rows in proptest::collection::vec(any::<Vec<u8>>(), 0..40), cut in any::<usize>()) {
            let (one, two) = rows.split_at(if rows.is_empty() { 0 } else { cut % rows.len() });
            let mut merged = digest(two);
            merged.merge(&digest(one));
            prop_assert_eq!(merged, digest(&rows));
        }

        #[test]
        fn a_changed_row_changes_the_digest(mut rows in proptest::collection::vec(any::<Vec<u8>>(), 1..20), at in any::<usize>()) {
            let before = digest(&rows);
            let at = at % rows.len();
            rows[at].push(0);
            prop_assert_ne!(digest(&rows), before);
        }

        #[test]
        fn text_and_json_give_the_digest_back(sum in any::<[u8; 32]>(), rows in any::<u64>()) {
            let digest = RowDigest { sum, rows };
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
            let json = serde_json::to_string(&digest).unwrap();
            prop_assert_eq!(serde_json::from_str::<RowDigest>(&json).unwrap(), digest);
        }

        #[test]
        fn lines_cut_into_pieces_anywhere_give_the_digest_of_the_rows(
            rows in proptest::collection::vec("[a-z\\t]{0,30}", 0..40),
            step in 1_usize..50,
        ) {
            let rows: Vec<Vec<u8>> = rows.into_iter().map(String::into_bytes).collect();
            let stream: Vec<u8> = rows.iter().flat_map(|row| [&row[..], b"\n"].concat()).collect();
            let mut lines = LineDigester::new();
            stream.chunks(step).for_each(|piece| lines.update(piece));
            prop_assert_eq!(lines.finish(), Ok(digest(&rows)));
        }
    }
}
