//! Checksums of SQL that do not change with a checkout's line ends.

use blake3::Hasher;

/// The checksum of a text: BLAKE3 over its lines, each without white space at its end, without empty lines at the end.
///
/// Line ends and trailing white space do not count, since editors and version control change them (sqlx#2659).
pub(crate) fn of(text: &str) -> String {
    let mut hasher = Hasher::new();
    add(&mut hasher, text);
    hasher.finalize().to_hex().to_string()
}

/// The checksum of the first statements of a migration: it tells whether the part of a file that took effect is still
/// what it was.
#[derive(Clone, Default)]
pub(crate) struct Chain(Hasher);

impl Chain {
    pub(crate) fn add(&mut self, statement: &str) {
        add(&mut self.0, statement);
        self.0.update(b"\0");
    }

    pub(crate) fn checksum(&self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}

fn add(hasher: &mut Hasher, text: &str) {
    for line in text.trim_end().lines() {
        hasher.update(line.trim_end().as_bytes());
        hasher.update(b"\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_trailing_space_do_not_count_but_everything_else_does() {
        let one = of("CREATE TABLE t (\n  id INT\n);\n");
        assert_eq!(one.len(), 64);
        assert_eq!(one, of("CREATE TABLE t (  \r\n  id INT\t\r\n);\r\n\r\n"));
        assert_ne!(one, of("CREATE TABLE t (\nid INT\n);\n"));
        assert_ne!(of("a\nb"), of("ab"));
    }

    #[test]
    fn a_chain_knows_where_statements_end() {
        let chain = |statements: &[&str]| {
            let mut chain = Chain::default();
            statements.iter().for_each(|statement| chain.add(statement));
            chain.checksum()
        };
        assert_ne!(chain(&["a\nb"]), chain(&["a", "b"]));
        assert_eq!(chain(&["a\r\n"]), chain(&["a"]));
    }
}
