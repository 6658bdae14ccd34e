//! Statements that differ only in their literals count as one.

/// The statement with literals and placeholders as `?`, lists of them as one, comments gone and white space folded: the
/// name under which its runs are counted. Quoted names keep their text.
///
/// ```
/// use dbkeep::fingerprint;
/// assert_eq!(
///     fingerprint("SELECT *\n FROM users -- all\n WHERE id IN (1, 2, 3) AND name = 'O''Neil' AND \"a b\" > $2"),
///     "SELECT * FROM users WHERE id IN (?) AND name = ? AND \"a b\" > ?"
/// );
/// ```
pub fn fingerprint(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len().min(512));
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\'' => {
                literal(&mut out);
                quoted(rest, '\'')
            }
            '"' | '`' => {
                let end = quoted(rest, c);
                out.push_str(&rest[..end]);
                end
            }
            '-' if rest.starts_with("--") => {
                blank(&mut out);
                rest.find('\n').unwrap_or(rest.len())
            }
            '/' if rest.starts_with("/*") => {
                blank(&mut out);
                rest.find("*/").map_or(rest.len(), |at| at + 2)
            }
            '$' if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                literal(&mut out);
                1 + run(&rest[1..], |c| c.is_ascii_digit())
            }
            '?' => {
                literal(&mut out);
                1
            }
            c if c.is_ascii_digit() && !out.ends_with(|last: char| last.is_alphanumeric() || last == '_') => {
                literal(&mut out);
                run(rest, |c| c.is_ascii_alphanumeric() || c == '.')
            }
            c if c.is_whitespace() => {
                blank(&mut out);
                run(rest, char::is_whitespace)
            }
            c => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out.truncate(out.trim_end().len());
    out
}

/// One `?`, or none where it would continue a list of them.
fn literal(out: &mut String) {
    let before = out.trim_end();
    if let Some(list) = before.strip_suffix(',')
        && list.trim_end().ends_with('?')
    {
        out.truncate(list.trim_end().len());
    } else {
        out.push('?');
    }
}

fn blank(out: &mut String) {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// Where the quoted text that `text` begins with ends: past its closing quote, doubled quotes and backslashes inside.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote == '\'' {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + quote.len_utf8();
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_differ_in_literals_have_one_fingerprint() {
        for (sql, print) in [
            ("select 1", "select ?"),
            ("select  1.5e10 ,\t'x'", "select ?"),
            ("insert into t2 (a1) values (1, 'a\\'b'), (2, '')", "insert into t2 (a1) values (?), (?)"),
            ("select * from `a``1` where b=?", "select * from `a``1` where b=?"),
            ("select /* why */ a -- end", "select a"),
            ("", ""),
            ("'open", "?"),
            ("select é from ü where ö = $12", "select é from ü where ö = ?"),
        ] {
            assert_eq!(fingerprint(sql), print);
        }
    }
}
