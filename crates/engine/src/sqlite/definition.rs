//! What only the text of a definition tells: SQLite keeps every CREATE statement as it was written, and its pragmas leave out
//! checks, names of constraints, expressions and collations.

use crate::{CheckConstraint, Generated};

/// A token of a definition, by its place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) start: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    /// In quotes of any kind: never a keyword.
    Quoted,
    Other,
}

impl Token<'_> {
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Other && self.text == symbol
    }

    /// The name this token is.
    pub(super) fn name(&self) -> String {
        let inside = || self.text.get(1..self.text.len().saturating_sub(1)).unwrap_or("");
        match (self.kind, self.text.as_bytes().first()) {
            (Kind::Quoted, Some(b'[')) => inside().to_owned(),
            (Kind::Quoted, Some(quote)) => {
                let quote = char::from(*quote).to_string();
                inside().replace(&quote.repeat(2), &quote)
            }
            _ => self.text.to_owned(),
        }
    }
}

pub(super) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let bytes = sql.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let (kind, len) = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | 0x0c => {
                at += 1;
                continue;
            }
            b'-' if rest.starts_with(b"--") => {
                at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
                continue;
            }
            b'/' if rest.starts_with(b"/*") => {
                at += find(rest, b"*/").map_or(rest.len(), |end| end + 2);
                continue;
            }
            b'[' => (Kind::Quoted, rest.iter().position(|b| *b == b']').map_or(rest.len(), |end| end + 1)),
            b'"' | b'\'' | b'`' => (Kind::Quoted, quoted(rest, *byte)),
            byte if is_word(*byte) => (Kind::Word, rest.iter().position(|b| !is_word(*b)).unwrap_or(rest.len())),
            _ => (Kind::Other, 1),
        };
        tokens.push(Token { kind, text: &sql[at..at + len], start: at });
        at += len;
    }
    tokens
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.') || byte >= 0x80
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The length of a quoted token; a doubled quote goes on.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        if *byte == quote {
            if bytes.get(at) != Some(&quote) {
                return at;
            }
            at += 1;
        }
    }
    bytes.len()
}

/// What the text of a CREATE TABLE tells.
#[derive(Debug, Default, PartialEq)]
pub(super) struct TableText {
    pub(super) columns: Vec<ColumnText>,
    pub(super) checks: Vec<CheckConstraint>,
    /// The names of the foreign keys in the order of their definition; empty where there is none.
    pub(super) foreign_keys: Vec<String>,
    /// What stands behind the parenthesis: WITHOUT ROWID, STRICT. Of a virtual table, its module with its arguments.
    pub(super) options: Option<String>,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct ColumnText {
    pub(super) name: String,
    pub(super) collation: Option<String>,
    pub(super) generated: Option<Generated>,
}

/// Reads a CREATE TABLE or CREATE VIRTUAL TABLE. What it cannot make sense of it leaves out.
pub(super) fn table(sql: &str) -> TableText {
    let all = tokens(sql);
    if let Some(using) = all.iter().position(|token| token.is("USING"))
        && all.iter().take(3).any(|token| token.is("VIRTUAL"))
    {
        return TableText { options: Some(sql[all[using].start..].trim().to_owned()), ..TableText::default() };
    }
    let Some(open) = all.iter().position(|token| token.is_symbol("(")) else { return TableText::default() };
    let close = closing(&all, open);
    let mut table = TableText::default();
    for item in split(&all[open + 1..close]) {
        table.read_item(sql, item);
    }
    if let Some(first) = all.get(close + 1) {
        table.options = Some(sql[first.start..].trim().trim_end_matches(';').to_owned());
    }
    table
}

impl TableText {
    fn read_item(&mut self, sql: &str, item: &[Token<'_>]) {
        let is_constraint = |token: &Token<'_>| {
            ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"].iter().any(|word| token.is(word))
        };
        match item.first() {
            None => {}
            Some(first) if is_constraint(first) => self.read_constraints(sql, item, None),
            Some(first) => {
                let mut column = ColumnText { name: first.name(), ..ColumnText::default() };
                self.read_constraints(sql, &item[1..], Some(&mut column));
                self.columns.push(column);
            }
        }
    }

    fn read_constraints(&mut self, sql: &str, item: &[Token<'_>], mut column: Option<&mut ColumnText>) {
        let mut name = String::new();
        let mut at = 0;
        while let Some(token) = item.get(at) {
            let next = item.get(at + 1);
            if token.is_symbol("(") {
                at = closing(item, at);
            } else if token.is("CONSTRAINT") {
                name = next.map(Token::name).unwrap_or_default();
                at += 1;
            } else if token.is("CHECK") && next.is_some_and(|next| next.is_symbol("(")) {
                let close = closing(item, at + 1);
                self.checks.push(CheckConstraint {
                    name: std::mem::take(&mut name),
                    expression: inside(sql, item, at + 1, close),
                });
                at = close;
            } else if token.is("REFERENCES") {
                // In a FOREIGN KEY clause as well as behind a column.
                self.foreign_keys.push(std::mem::take(&mut name));
            } else if let Some(column) = column.as_deref_mut() {
                if token.is("COLLATE") {
                    column.collation = next.map(Token::name);
                    at += 1;
                } else if token.is("AS") && next.is_some_and(|next| next.is_symbol("(")) {
                    let close = closing(item, at + 1);
                    let stored = item.get(close + 1).is_some_and(|token| token.is("STORED"));
                    column.generated = Some(Generated { expression: inside(sql, item, at + 1, close), stored });
                    at = close;
                }
            }
            at += 1;
        }
    }
}

/// Where the parenthesis at `open` is closed; the end where it is not.
pub(super) fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    tokens.len()
}

/// The text between two parentheses.
fn inside(sql: &str, tokens: &[Token<'_>], open: usize, close: usize) -> String {
    let start = tokens[open].start + 1;
    let end = tokens.get(close).map_or(sql.len(), |token| token.start);
    sql[start..end].trim().to_owned()
}

/// Cuts at commas outside of parentheses.
pub(super) fn split<'s, 'a>(tokens: &'s [Token<'a>]) -> Vec<&'s [Token<'a>]> {
    let mut depth = 0usize;
    tokens
        .split(|token| {
            if token.is_symbol("(") {
                depth += 1;
            } else if token.is_symbol(")") {
                depth = depth.saturating_sub(1);
            }
            depth == 0 && token.is_symbol(",")
        })
        .collect()
}

/// The parts of a CREATE INDEX as they were written, without collation and direction, and its WHERE.
pub(super) fn index(sql: &str) -> (Vec<String>, Option<String>) {
    let all = tokens(sql);
    let on = all.iter().position(|token| token.is("ON")).unwrap_or(0);
    let Some(open) = all.iter().skip(on).position(|token| token.is_symbol("(")).map(|at| at + on) else {
        return (Vec::new(), None);
    };
    let close = closing(&all, open);
    let parts = split(&all[open + 1..close])
        .into_iter()
        .map(|part| {
            let mut end = part.len();
            if part[..end].last().is_some_and(|token| token.is("ASC") || token.is("DESC")) {
                end -= 1;
            }
            if end >= 2 && part[end - 2].is("COLLATE") {
                end -= 2;
            }
            match part[..end] {
                [only] => only.name(),
                [first, .., last] => sql[first.start..last.start + last.text.len()].to_owned(),
                [] => String::new(),
            }
        })
        .collect();
    let predicate = match all.get(close + 1..close + 3) {
        Some([word, first]) if word.is("WHERE") => Some(sql[first.start..].trim().trim_end_matches(';').to_owned()),
        _ => None,
    };
    (parts, predicate)
}

/// When a trigger runs, and what sets it off: `("BEFORE", "INSERT")`.
pub(super) fn trigger(sql: &str) -> (&'static str, &'static str) {
    let all = tokens(sql);
    // The name may be a keyword when it is quoted; the first unquoted event word behind TRIGGER is the event.
    let body = all.iter().position(|token| token.is("BEGIN")).unwrap_or(all.len());
    let head = &all[..body];
    let start = head.iter().position(|token| token.is("TRIGGER")).map_or(0, |at| at + 1);
    let head = &head[start..];
    let has = |word: &str| head.iter().any(|token| token.is(word));
    let timing = match () {
        () if has("INSTEAD") => "INSTEAD OF",
        () if has("AFTER") => "AFTER",
        () => "BEFORE",
    };
    let event = head.iter().find_map(|token| ["INSERT", "UPDATE", "DELETE"].into_iter().find(|event| token.is(event)));
    (timing, event.unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_tells_what_pragmas_leave_out() {
        let table = table(
            r#"CREATE TABLE "odd, (name" (
                id INTEGER PRIMARY KEY AUTOINCREMENT, -- the key, (
                "check" TEXT COLLATE NOCASE CONSTRAINT not_empty CHECK (length("check") > (0)) DEFAULT ('(a,b)'),
                total DECIMAL(10, 2) GENERATED ALWAYS AS (amount * 2) STORED,
                amount INT CHECK(amount IN (1,2)) REFERENCES other(id) ON DELETE CASCADE,
                [b c] AS (id + 1),
                CONSTRAINT pair UNIQUE (id, amount),
                CONSTRAINT up FOREIGN KEY (amount, total) REFERENCES parent (a, b),
                CHECK (/* why */ total <> 7)
            ) STRICT, WITHOUT ROWID"#,
        );
        let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["id", "check", "total", "amount", "b c"]);
        assert_eq!(table.columns[1].collation.as_deref(), Some("NOCASE"));
        assert_eq!(table.columns[2].generated, Some(Generated { expression: "amount * 2".into(), stored: true }));
        assert_eq!(table.columns[4].generated, Some(Generated { expression: "id + 1".into(), stored: false }));
        let checks: Vec<(&str, &str)> =
            table.checks.iter().map(|check| (check.name.as_str(), check.expression.as_str())).collect();
        assert_eq!(
            checks,
            [("not_empty", "length(\"check\") > (0)"), ("", "amount IN (1,2)"), ("", "/* why */ total <> 7")]
        );
        assert_eq!(table.foreign_keys, ["", "up"]);
        assert_eq!(table.options.as_deref(), Some("STRICT, WITHOUT ROWID"));
    }

    #[test]
    fn an_index_tells_its_expressions_and_its_condition() {
        assert_eq!(
            index("CREATE UNIQUE INDEX \"on\" ON t (lower(name) DESC, \"b c\" COLLATE NOCASE ASC, a+b) WHERE a > 0"),
            (vec!["lower(name)".into(), "b c".into(), "a+b".into()], Some("a > 0".into()))
        );
        assert_eq!(index("CREATE INDEX i ON t(a)"), (vec!["a".into()], None));
    }

    #[test]
    fn a_trigger_tells_when_it_runs() {
        assert_eq!(trigger("CREATE TRIGGER \"after\" UPDATE OF a ON t BEGIN DELETE FROM u; END"), ("BEFORE", "UPDATE"));
        assert_eq!(
            trigger("CREATE TEMP TRIGGER x INSTEAD OF INSERT ON v BEGIN SELECT 1; END"),
            ("INSTEAD OF", "INSERT")
        );
        assert_eq!(
            trigger("create trigger if not exists x after delete on t begin select 1; end"),
            ("AFTER", "DELETE")
        );
    }

    #[test]
    fn damaged_text_is_read_as_far_as_it_goes() {
        for sql in [
            "",
            "CREATE",
            "CREATE TABLE t (",
            "CREATE TABLE t (a CHECK (",
            "CREATE TABLE t (a 'b",
            "CREATE INDEX i ON t (a,,",
            ")))",
            "CREATE TABLE t (a)) ,",
        ] {
            let _ = (table(sql), index(sql), trigger(sql));
        }
    }
}
