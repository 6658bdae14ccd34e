//! Where does a statement begin in a text of several?

/// The text from each place on where a statement may begin: its start, and what follows each semicolon. A semicolon in a string or in
/// a comment makes one place too many, where no statement begins; none is missing, and each begins with the comments before it.
pub(crate) fn beginnings(sql: &str) -> impl Iterator<Item = &str> {
    std::iter::once(sql).chain(sql.match_indices(';').map(|(at, semicolon)| &sql[at + semicolon.len()..]))
}
