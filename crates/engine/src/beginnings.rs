//! Where does a statement begin in a text of several, and with which words?

/// The text from each place on where a statement may begin: its start, and what follows each semicolon. A semicolon in a string or in
/// a comment makes one place too many, where no statement begins; none is missing, and each begins with the comments before it.
pub(crate) fn beginnings(sql: &str) -> impl Iterator<Item = &str> {
    std::iter::once(sql).chain(sql.match_indices(';').map(|(at, semicolon)| &sql[at + semicolon.len()..]))
}

/// Whether a word is one of these.
pub(crate) fn is(word: &str, known: &[&str]) -> bool {
    known.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// The words at the beginning of a statement, up to the first thing that is no word. Comments that MySQL executes count as
/// text.
pub(crate) struct Words<'s>(pub(crate) &'s str);

impl<'s> Iterator for Words<'s> {
    type Item = &'s str;

    fn next(&mut self) -> Option<&'s str> {
        loop {
            self.0 = self.0.trim_start();
            if let Some(rest) = self.0.strip_prefix("/*!").or_else(|| self.0.strip_prefix("/*M!")) {
                self.0 = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            } else if let Some(rest) = self.0.strip_prefix("/*") {
                self.0 = rest.find("*/").map_or("", |end| &rest[end + 2..]);
            } else if self.0.starts_with("--") || self.0.starts_with('#') {
                self.0 = self.0.find('\n').map_or("", |end| &self.0[end + 1..]);
            } else if let Some(rest) = self.0.strip_prefix(['@', '(']) {
                // A variable is a word, too, and what stands in parentheses begins with one.
                self.0 = rest;
            } else {
                break;
            }
        }
        let end = self.0.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }
}
