//! Rust source as the house rules read it: without comments, without test modules, with or without the text in strings.

use std::ops::Range;

/// One file, twice, at the same offsets: `code` without comments, `bare` without the contents of strings either.
pub(crate) struct Source {
    pub(crate) path: String,
    code: Vec<u8>,
    bare: Vec<u8>,
}

impl Source {
    /// Reads a file's text. Comments, documentation, `#[cfg(test)]` items and conditions on features become spaces.
    pub(crate) fn new(path: impl Into<String>, text: &str) -> Source {
        let (code, bare) = strip(text.as_bytes());
        let mut source = Source { path: path.into(), code, bare };
        source.blank_tests();
        for attribute in ["#[cfg", "#![cfg", "#[doc", "#![doc"] {
            source.blank_bracketed(attribute, b'[', b']');
        }
        source.blank_bracketed("cfg!(", b'(', b')');
        source
    }

    /// Where a word (letters, digits, underscores) stands outside strings: the lines.
    pub(crate) fn lines_with_word(&self, word: &str) -> Vec<usize> {
        self.words().filter(|(_, found)| *found == word.as_bytes()).map(|(at, _)| self.line(at)).collect()
    }

    /// The words outside strings, with their offsets.
    pub(crate) fn words(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = at + self.bare[at..].iter().position(is_word)?;
            let length = self.bare[start..].iter().position(|byte| !is_word(byte));
            at = length.map_or(self.bare.len(), |length| start + length);
            Some((start, &self.bare[start..at]))
        })
    }

    /// The lines of code in which a text stands, in any case, strings included.
    pub(crate) fn lines_with_text(&self, text: &str) -> Vec<(usize, String)> {
        let code = String::from_utf8_lossy(&self.code);
        let lines = code.lines().enumerate();
        lines
            .filter(|(_, line)| line.to_ascii_lowercase().contains(text))
            .map(|(number, line)| (number + 1, line.trim().to_owned()))
            .collect()
    }

    /// The members of a module that are named by path, also in braces: of `std`, for `use std::{fs, io::Read}`, `fs` and `io`.
    pub(crate) fn members_of(&self, module: &str) -> Vec<(usize, String)> {
        let mut members = Vec::new();
        for (at, word) in self.words() {
            if word != module.as_bytes() {
                continue;
            }
            let Some(rest) = self.after(at + word.len()).strip_prefix(b"::".as_slice()) else { continue };
            let line = self.line(at);
            let text = String::from_utf8_lossy(rest).into_owned();
            let text = text.trim_start();
            match text.strip_prefix('{') {
                Some(group) => members.extend(first_words_of_group(group).map(|member| (line, member))),
                None => members.extend(first_word(text).map(|member| (line, member))),
            }
        }
        members
    }

    /// Whether a path separator stands next to the word at an offset, as in `a::word` and `word::b`.
    pub(crate) fn is_path_segment(&self, at: usize, length: usize) -> bool {
        let before = self.bare[..at].trim_ascii_end();
        before.ends_with(b"::") || self.after(at + length).starts_with(b"::")
    }

    /// The text before and after an offset, without the space next to it.
    pub(crate) fn around(&self, at: usize, length: usize) -> (String, String) {
        let before = self.bare[..at].trim_ascii_end();
        let start = before.len().saturating_sub(300);
        let after = self.after(at + length);
        (text_of(&before[start..]), text_of(&after[..after.len().min(300)]))
    }

    pub(crate) fn line(&self, at: usize) -> usize {
        1 + self.bare[..at].iter().filter(|byte| **byte == b'\n').count()
    }

    fn after(&self, at: usize) -> &[u8] {
        self.bare[at..].trim_ascii_start()
    }

    /// Removes every item that is compiled for tests only.
    fn blank_tests(&mut self) {
        let mut from = 0;
        while let Some(start) = find(&self.bare, b"#[cfg(test)]", from) {
            let mut end = start + b"#[cfg(test)]".len();
            // An item ends with its block, or with a semicolon when it has none.
            while end < self.bare.len() {
                match self.bare[end] {
                    b'{' => {
                        end = closing(&self.bare, end, b'{', b'}');
                        break;
                    }
                    b';' => break,
                    _ => end += 1,
                }
            }
            self.blank(start..(end + 1).min(self.bare.len()));
            from = start;
        }
    }

    fn blank_bracketed(&mut self, opening: &str, open: u8, close: u8) {
        let mut from = 0;
        while let Some(start) = find(&self.bare, opening.as_bytes(), from) {
            let bracket = start + opening.bytes().position(|byte| byte == open).unwrap_or_default();
            let end = closing(&self.bare, bracket, open, close);
            self.blank(start..(end + 1).min(self.bare.len()));
            from = start + 1;
        }
    }

    fn blank(&mut self, range: Range<usize>) {
        for text in [&mut self.code, &mut self.bare] {
            for byte in &mut text[range.clone()] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn first_word(text: &str) -> Option<String> {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// Of `fs, io::{Read, Write}, net::*}…`, which stands after an opening brace: `fs`, `io`, `net`.
fn first_words_of_group(text: &str) -> impl Iterator<Item = String> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&text[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.into_iter().filter_map(|part| first_word(part.trim_start())).collect::<Vec<_>>().into_iter()
}

fn find(text: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    text.get(from..)?.windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
}

/// The offset of the bracket that closes the one at `at`; the end of the text when there is none.
fn closing(text: &[u8], at: usize, open: u8, close: u8) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in text.iter().enumerate().skip(at) {
        if *byte == open {
            depth += 1;
        } else if *byte == close {
            depth -= 1;
            if depth == 0 {
                return offset;
            }
        }
    }
    text.len()
}

/// The text without comments, and the text without comments and without what stands in quotes. Line ends stay.
fn strip(text: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut code, mut bare) = (text.to_vec(), text.to_vec());
    let blank = |into: &mut Vec<u8>, range: Range<usize>| {
        for byte in &mut into[range] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    };
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let end;
        if rest.starts_with(b"//") {
            end = find(text, b"\n", at).unwrap_or(text.len());
            blank(&mut code, at..end);
            blank(&mut bare, at..end);
        } else if rest.starts_with(b"/*") {
            end = end_of_comment(text, at);
            blank(&mut code, at..end);
            blank(&mut bare, at..end);
        } else if let Some(hashes) = raw_string(text, at) {
            let fence = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
            let start = find(text, b"\"", at).unwrap_or(at) + 1;
            let close = find(text, &fence, start).unwrap_or(text.len());
            blank(&mut bare, start..close);
            end = (close + fence.len()).min(text.len());
        } else if rest[0] == b'"' {
            let mut close = at + 1;
            while close < text.len() && text[close] != b'"' {
                close += if text[close] == b'\\' { 2 } else { 1 };
            }
            let close = close.min(text.len());
            blank(&mut bare, at + 1..close);
            end = (close + 1).min(text.len());
        } else if rest[0] == b'\'' {
            end = end_of_char(text, at);
            if end > at + 2 {
                blank(&mut bare, at + 1..end - 1);
            }
        } else {
            end = at + 1;
        }
        at = end;
    }
    (code, bare)
}

/// Block comments nest.
fn end_of_comment(text: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    while at < text.len() {
        if text[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The number of hashes when a raw string starts here (`r"`, `r#"`, also after a `b` or `c`).
fn raw_string(text: &[u8], at: usize) -> Option<usize> {
    let within_word = at > 0 && (text[at - 1].is_ascii_alphanumeric() || text[at - 1] == b'_');
    let prefixed = within_word && matches!(text[at - 1], b'b' | b'c') && !word_byte(text, at.wrapping_sub(2));
    if text[at] != b'r' || (within_word && !prefixed) {
        return None;
    }
    let hashes = text[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    (text.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn word_byte(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The offset behind a character literal, or behind the quote of a lifetime.
fn end_of_char(text: &[u8], at: usize) -> usize {
    match text.get(at + 1) {
        Some(b'\\') => find(text, b"'", at + 3).map_or(text.len(), |end| end + 1),
        Some(first) => {
            let width = match first {
                0xf0.. => 4,
                0xe0.. => 3,
                0xc0.. => 2,
                _ => 1,
            };
            if text.get(at + 1 + width) == Some(&b'\'') { at + width + 2 } else { at + 1 }
        }
        None => text.len(),
    }
}
