//! Definitions that name their own database, where the servers write it though nobody did.

/// The definition without the name of its own database before functions and sequences: `` `shop`.`fee`( `` becomes
/// `` `fee`( ``, `` nextval(`shop`.`numbers`) `` becomes `` nextval(`numbers`) ``. With it, a copy under another name would call
/// the original's functions and draw from its sequences. Strings are left alone, and so are columns, whose first part is a
/// table's name.
pub(super) fn strip(definition: &str, database: &str) -> String {
    let own = format!("{}.", super::super::quoted(database));
    let mut out = String::with_capacity(definition.len());
    let mut rest = definition;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\'' | '"' => quoted(rest, c, true),
            '`' if rest.starts_with(&own) => {
                let name = &rest[own.len()..];
                let end = if name.starts_with('`') { quoted(name, '`', false) } else { 0 };
                if end > 0 && (name[end..].starts_with('(') || after_sequence_function(&out)) {
                    rest = name;
                    continue;
                }
                quoted(rest, '`', false)
            }
            '`' => quoted(rest, '`', false),
            _ => c.len_utf8(),
        };
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out
}

/// Whether what comes next is the first argument of a function of sequences.
fn after_sequence_function(before: &str) -> bool {
    let before = before.trim_end();
    ["nextval(", "lastval(", "setval("].iter().any(|call| {
        before.len() >= call.len()
            && before.is_char_boundary(before.len() - call.len())
            && before[before.len() - call.len()..].eq_ignore_ascii_case(call)
    })
}

/// Where the quoted text that `text` begins with ends.
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

#[cfg(test)]
mod tests {
    use super::strip;

    #[test]
    fn only_functions_and_sequences_lose_their_own_database() {
        for (text, stripped) in [
            ("select `shop`.`fee`(1) AS `x`", "select `fee`(1) AS `x`"),
            ("`id` int DEFAULT nextval(`shop`.`numbers`)", "`id` int DEFAULT nextval(`numbers`)"),
            ("select `shop`.`column` from `shop`", "select `shop`.`column` from `shop`"),
            ("select '`shop`.`fee`(' , \"`shop`.`fee`(\"", "select '`shop`.`fee`(' , \"`shop`.`fee`(\""),
            (
                "select 'it''s \\' `shop`.`fee`(' , `other`.`fee`(1)",
                "select 'it''s \\' `shop`.`fee`(' , `other`.`fee`(1)",
            ),
            ("select `a``shop`.`fee`(1)", "select `a``shop`.`fee`(1)"),
            ("select `shop`.", "select `shop`."),
        ] {
            assert_eq!(strip(text, "shop"), stripped);
        }
    }
}
