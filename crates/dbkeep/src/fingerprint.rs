//! Statements that differ only in their literals count as one.

use dbkeep_sql::Dialect;

/// The statement with literals and placeholders as `?`, lists and rows of them as one, comments gone and white space
/// folded: the name under which its runs are counted. Quoted names keep their text.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// use dbkeep::{Database, fingerprint};
///
/// let db = Database::connect("sqlite::memory:").await?;
/// let sql = "SELECT *\n FROM users -- all\n WHERE id IN (1, 2, 3) AND name = 'O''Neil' AND \"a b\" > ?";
/// assert_eq!(fingerprint(sql, db.dialect()), "SELECT * FROM users WHERE id IN (?) AND name = ? AND \"a b\" > ?");
/// # Ok::<(), dbkeep::Error>(())
/// # }).unwrap();
/// ```
pub fn fingerprint(sql: &str, dialect: &dyn Dialect) -> String {
    let lexicon = dialect.lexicon();
    let mut out = String::with_capacity(sql.len().min(512));
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let follows_word = out.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let taken = match c {
            '\'' => {
                // E'…' on engines that have it; the E goes with its text.
                let escapes = lexicon.escape_strings && ends_with_word(&out, "e");
                if escapes {
                    out.pop();
                }
                literal(&mut out);
                quoted(rest, c, lexicon.backslash_escapes || escapes)
            }
            '"' if dialect.quote() != '"' => {
                literal(&mut out);
                quoted(rest, c, lexicon.backslash_escapes)
            }
            '"' | '`' => copy(&mut out, rest, quoted(rest, c, false)),
            '[' if lexicon.bracket_names => copy(&mut out, rest, rest.find(']').map_or(rest.len(), |at| at + 1)),
            '-' if rest.starts_with("--") && (!lexicon.dash_comments_need_space || is_blank_after(rest, 2)) => {
                blank(&mut out);
                rest.find('\n').unwrap_or(rest.len())
            }
            '#' if lexicon.hash_comments => {
                blank(&mut out);
                rest.find('\n').unwrap_or(rest.len())
            }
            '/' if rest.starts_with("/*") => {
                blank(&mut out);
                comment(rest, lexicon.nested_comments)
            }
            '$' if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                literal(&mut out);
                1 + run(&rest[1..], |c| c.is_ascii_digit())
            }
            '$' if lexicon.dollar_quotes && !follows_word => match dollar_quoted(rest) {
                Some(end) => {
                    literal(&mut out);
                    end
                }
                None => copy(&mut out, rest, 1),
            },
            '?' => {
                literal(&mut out);
                1 + run(&rest[1..], |c| c.is_ascii_digit())
            }
            c if c.is_ascii_digit() && !follows_word => {
                literal(&mut out);
                number(rest)
            }
            '.' if !follows_word && rest[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                literal(&mut out);
                1 + number(&rest[1..])
            }
            ')' => {
                out.push(c);
                row(&mut out);
                1
            }
            c if c.is_whitespace() => {
                blank(&mut out);
                run(rest, char::is_whitespace)
            }
            c => copy(&mut out, rest, c.len_utf8()),
        };
        rest = &rest[taken..];
    }
    out.truncate(out.trim_end().len());
    out
}

fn copy(out: &mut String, rest: &str, len: usize) -> usize {
    out.push_str(&rest[..len]);
    len
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

/// One `(?)`, however many rows of literals follow each other.
fn row(out: &mut String) {
    const ROW: &str = "(?)";
    if let Some(rows) = out.strip_suffix(ROW)
        && let Some(rows) = rows.trim_end().strip_suffix(',')
        && rows.trim_end().ends_with(ROW)
    {
        out.truncate(rows.trim_end().len());
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

fn is_blank_after(text: &str, at: usize) -> bool {
    text[at..].chars().next().is_none_or(char::is_whitespace)
}

fn ends_with_word(text: &str, word: &str) -> bool {
    let Some(at) = text.len().checked_sub(word.len()) else { return false };
    text.is_char_boundary(at)
        && text[at..].eq_ignore_ascii_case(word)
        && !text[..at].ends_with(|last: char| last.is_alphanumeric() || last == '_')
}

/// How long the number is that `text` begins with: `1`, `1.5e-10`, `0xFF`, `1_000`.
fn number(text: &str) -> usize {
    let mut end = run(text, |c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
    let is_hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    if !is_hexadecimal && text[..end].ends_with(['e', 'E']) && text[end..].starts_with(['+', '-']) {
        end += 1 + run(&text[end + 1..], |c| c.is_ascii_digit());
    }
    end
}

/// Where the quoted text that `text` begins with ends: past its closing quote, doubled quotes inside.
fn quoted(text: &str, quote: char, backslash: bool) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && backslash {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + quote.len_utf8();
        }
    }
    text.len()
}

/// Where the `$tag$ … $tag$` that `text` begins with ends, if it begins with one.
fn dollar_quoted(text: &str) -> Option<usize> {
    let tag =
        text[1..].find(|c: char| !c.is_alphanumeric() && c != '_').filter(|at| text[1 + at..].starts_with('$'))? + 2;
    Some(text[tag..].find(&text[..tag]).map_or(text.len(), |at| tag + at + tag))
}

/// Where the comment that `text` begins with ends.
fn comment(text: &str, nested: bool) -> usize {
    let (mut at, mut depth) = (2, 1);
    while let Some(next) = text[at..].find(['*', '/']) {
        at += next;
        if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else if nested && text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else {
            at += 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbkeep_sql::Lexicon;

    /// The standard's words, with those of an engine on top.
    #[derive(Debug)]
    struct Spelling(char, Lexicon);

    impl Dialect for Spelling {
        fn engine(&self) -> &'static str {
            "test"
        }

        fn quote(&self) -> char {
            self.0
        }

        fn lexicon(&self) -> Lexicon {
            self.1
        }
    }

    fn standard() -> Spelling {
        Spelling('"', Lexicon::default())
    }

    fn with_backslashes() -> Spelling {
        let lexicon = Lexicon {
            backslash_escapes: true,
            backtick_names: true,
            hash_comments: true,
            dash_comments_need_space: true,
            ..Lexicon::default()
        };
        Spelling('`', lexicon)
    }

    fn with_dollars() -> Spelling {
        let lexicon =
            Lexicon { dollar_quotes: true, escape_strings: true, nested_comments: true, ..Lexicon::default() };
        Spelling('"', lexicon)
    }

    #[test]
    fn statements_that_differ_in_literals_have_one_fingerprint() {
        for (sql, print) in [
            ("select 1", "select ?"),
            ("select  1.5e10 ,\t'x'", "select ?"),
            ("select -1.5e-10, .5, 0xFF+1, 1_000", "select -?+?"),
            ("insert into t2 (a1) values (1, 'a''b'), (2, ''),(3,?)", "insert into t2 (a1) values (?)"),
            ("select * from \"a\"\"1\" where b=? and c=?2", "select * from \"a\"\"1\" where b=? and c=?"),
            ("select /* why */ a -- end", "select a"),
            ("select a /* /* */ b", "select a b"),
            ("", ""),
            ("'open", "?"),
            ("select é from ü where ö = $12 and ä1 > 1", "select é from ü where ö = ? and ä1 > ?"),
            ("select 'C:\\', 'secret'", "select ?"),
        ] {
            assert_eq!(fingerprint(sql, &standard()), print);
        }
    }

    #[test]
    fn what_is_a_literal_depends_on_the_dialect() {
        for (sql, print) in [
            (r#"select 'a\'b', "secret \" too""#, "select ?"),
            ("select `a``1` # 'x'\n from t", "select `a``1` from t"),
            ("select 1--1", "select ?--?"),
            ("select 1 -- 1", "select ?"),
        ] {
            assert_eq!(fingerprint(sql, &with_backslashes()), print);
        }
        for (sql, print) in [
            ("select $$secret$$, $a_1$it's $$ so$a_1$, $1", "select ?"),
            (r"select E'a\'b', e'\\' from type'x\'", "select ? from type?"),
            ("select a /* /* */ 'x' */ from t", "select a from t"),
            ("select a$b$ from t", "select a$b$ from t"),
            ("select $open$ it", "select ?"),
            ("select a->>'b' #> 'c' ? 'd'", "select a->>? #> ? ? ?"),
        ] {
            assert_eq!(fingerprint(sql, &with_dollars()), print);
        }
    }

    #[test]
    fn no_text_makes_it_panic() {
        const PARTS: [&str; 21] = [
            "'", "\"", "`", "$", "$a$", "é", "\\", "-", "--", "/*", "*/", "#", "1", ".", "e", "+", "?", ",", "(", ")",
            "\n",
        ];
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let sql: String = (0..random.usize(..12)).map(|_| PARTS[random.usize(..PARTS.len())]).collect();
            for dialect in [standard(), with_backslashes(), with_dollars()] {
                let _ = fingerprint(&sql, &dialect);
            }
        }
    }
}
