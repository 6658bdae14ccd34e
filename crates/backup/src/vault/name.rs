//! How may an entry be called, so that stock restic can list, dump and restore it anywhere?

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::error::{VaultError, VaultErrorKind};

/// Longest part of a path that file systems take, in bytes.
const LONGEST_PART: usize = 255;
/// Longest result of [`encode_name`], which leaves room for a prefix and an extension.
const LONGEST_ENCODED: usize = 200;
const DEEPEST: usize = 16;

/// What no file system, shell or tool should meet in a file's name.
const UNSAFE: &AsciiSet =
    &CONTROLS.add(b'%').add(b'/').add(b'\\').add(b':').add(b'*').add(b'?').add(b'"').add(b'<').add(b'>').add(b'|');

/// Makes any text, such as the name of a table, into one part of an entry's name.
///
/// Different texts give different results. Letters of every language stay as they are; what a path cannot hold is
/// percent-encoded: `a/b` becomes `a%2Fb`. The result is at most 200 bytes: of a longer one the beginning is kept, followed
/// by `%~` and a hash.
///
/// ```
/// use dbkeep_backup::vault::encode_name;
///
/// assert_eq!(encode_name("größe"), "größe");
/// assert_eq!(encode_name("../etc/passwd"), "%2E.%2Fetc%2Fpasswd");
/// ```
#[must_use]
pub fn encode_name(text: &str) -> String {
    if text.is_empty() {
        return "%".into();
    }
    let mut encoded = utf8_percent_encode(text, UNSAFE).to_string();
    // percent_encoding encodes everything that is not ASCII; letters may stay.
    if !text.is_ascii() {
        encoded = text
            .chars()
            .map(|c| {
                if c.is_alphanumeric() {
                    c.to_string()
                } else {
                    utf8_percent_encode(c.encode_utf8(&mut [0; 4]), UNSAFE).to_string()
                }
            })
            .collect();
    }
    if encoded.starts_with('.') {
        encoded.replace_range(..1, "%2E");
    }
    for (last, replacement) in [('.', "%2E"), (' ', "%20")] {
        if encoded.ends_with(last) {
            encoded.truncate(encoded.len() - 1);
            encoded.push_str(replacement);
        }
    }
    if encoded.len() > LONGEST_ENCODED {
        let hash = blake3::hash(text.as_bytes()).to_hex();
        encoded.truncate(encoded.floor_char_boundary(LONGEST_ENCODED - 2 - 32));
        encoded.push_str("%~");
        encoded.push_str(&hash[..32]);
    }
    encoded
}

/// Splits the name of an entry into the parts of its path, or says why it cannot be stored.
pub(super) fn split_name(name: &str) -> Result<Vec<&str>, VaultError> {
    let refuse =
        |why: &str| Err(VaultError::new(VaultErrorKind::InvalidName, format!("the entry name {name:?} {why}")));
    let parts: Vec<&str> = name.split('/').collect();
    if parts.len() > DEEPEST {
        return refuse("has too many parts");
    }
    for part in &parts {
        if part.is_empty() || *part == "." || *part == ".." {
            return refuse("has an empty part, `.` or `..`");
        }
        if part.len() > LONGEST_PART {
            return refuse("has a part longer than 255 bytes");
        }
        if part.chars().any(|c| c.is_control() || c == '\\' || c == '"') {
            return refuse("has a control character, a backslash or a quote");
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn names_stay_readable_and_dangerous_ones_are_encoded() {
        let expected = [
            ("users", "users"),
            ("Kunden 2024", "Kunden 2024"),
            ("größe", "größe"),
            ("订单", "订单"),
            ("", "%"),
            ("%", "%25"),
            (".", "%2E"),
            ("..", "%2E%2E"),
            (".hidden.", "%2Ehidden%2E"),
            ("a/b\\c", "a%2Fb%5Cc"),
            ("tab\there", "tab%09here"),
            ("end ", "end%20"),
            ("emoji🚀", "emoji%F0%9F%9A%80"),
            ("what?\"<>|:*", "what%3F%22%3C%3E%7C%3A%2A"),
        ];
        for (text, encoded) in expected {
            assert_eq!(encode_name(text), encoded);
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let (one, two) = (encode_name(&"ä".repeat(500)), encode_name(&"ä".repeat(501)));
        assert!(one.len() <= LONGEST_ENCODED && one != two);
    }

    #[test]
    fn names_that_leave_their_directory_are_refused() {
        for name in ["", "/", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\0b", "a\nb", "a\\b", "a\"b"] {
            assert!(split_name(name).is_err(), "{name:?}");
        }
        assert!(split_name(&"x".repeat(256)).is_err());
        assert!(split_name(&vec!["x"; 17].join("/")).is_err());
        assert_eq!(split_name("data/größe.tsv").map(|parts| parts.len()).ok(), Some(2));
    }

    proptest! {
        #[test]
        fn every_text_becomes_a_part_of_a_path_and_no_two_the_same(texts in proptest::collection::vec(any::<String>(), 1..40)) {
            let mut seen = HashMap::new();
            for text in texts {
                let encoded = encode_name(&text);
                prop_assert_eq!(split_name(&encoded).map(|parts| parts.len()).ok(), Some(1));
                let earlier = seen.entry(encoded).or_insert_with(|| text.clone());
                prop_assert_eq!(&*earlier, &text);
            }
        }
    }
}
