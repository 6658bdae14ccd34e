//! Nothing a program passes into a schema as a name, a label, a default or a comment becomes SQL, in any dialect.

#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::dialects::{Flavor, MySqlDialect, PostgresDialect, SqliteDialect};
use dbkeep_sql::*;
use proptest::prelude::*;

fn dialects() -> [Box<dyn Dialect>; 6] {
    [
        Box::new(MySqlDialect::new(Flavor::MySql, (9, 7, 0))),
        Box::new(MySqlDialect::new(Flavor::MySql, (5, 7, 44))),
        Box::new(MySqlDialect::new(Flavor::MariaDb, (10, 11, 14))),
        Box::new(PostgresDialect::new((15, 18, 0))),
        Box::new(SqliteDialect::new((3, 54, 0))),
        Box::new(Ansi),
    ]
}

/// Text made of what ends names, strings, comments and statements.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "'",
        "\"",
        "`",
        "[",
        "]",
        "\\",
        "\\'",
        "''",
        "\"\"",
        ";",
        "--",
        "-- ",
        "#",
        "/*",
        "*/",
        "/*!1 ",
        "$$",
        "$1",
        "?",
        "??",
        "%",
        "\n",
        "\r",
        "\0",
        ".",
        "*",
        "(",
        ")",
        "),",
        "@",
        ":",
        "é",
        "\u{2019}",
        "\u{ff07}",
        "😀",
        " ",
        "x",
        "E'",
        "DROP TABLE t",
        "::",
    ];
    let piece = prop_oneof![proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned), ".{0,3}"];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Changes with a name in every place of a name, and a text in every place of a text.
fn changes(name: &str, text: &str) -> Vec<SchemaOperation> {
    let table = || Path::from(Name::from(name));
    let column = || col(Path::from(Name::from(name)));
    let mut schema = Schema::new();
    schema
        .create((name, name), |t| {
            t.string(name, 10).default(text).collation(Name::from(name)).unique().index();
            // Longer than any text here: the standard makes the type as long as the longest label.
            t.enum_of(name, [text, &"b".repeat(200)]).nullable().default(text);
            t.json(name).default(Value::Json(text.into()));
            t.integer(name).unsigned();
            t.check(name, column().eq(text).or(column().in_list([text])));
            t.index([name, "b"]).name(name);
            t.foreign([name]).references([name]).on(table()).name(name);
            t.primary([name]);
        })
        .create(table(), |t| {
            t.integer(name).comment(text);
            t.comment(text);
            t.engine(name);
        })
        .table(table(), |t| {
            t.string(name, 10).nullable().default(text);
            t.rename_column(name, name);
            t.drop_column(name);
            t.drop_index(name);
            t.drop_index([name]);
            t.index([name]).where_(column().eq(text));
            t.check(name, column().eq(text));
            t.drop_check(name);
        })
        .table(table(), |t| {
            t.string(name, 20).default(text).change();
            t.enum_of(name, [text]).change();
            t.set_default(name, text);
            t.rename_index(name, name);
            t.primary([name]);
            t.foreign(name).references(name).on(table()).on_delete(Action::Cascade);
            t.drop_foreign(name);
            t.drop_primary();
        })
        .table(table(), |t| t.comment(text))
        .table(table(), |t| {
            t.full_text([name]);
        })
        .rename(table(), table())
        .drop((name, name));
    schema.into_operations()
}

/// The text without what stands in quotes, by the rule and not by our code: a quote is doubled, and on some engines a backslash
/// escapes in texts, on others behind an E, which counts as a part of the quote. `None` where a quote stays open.
fn skeleton(sql: &str, backslashes: bool) -> Option<String> {
    let mut out = String::new();
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        let escapes = c == '\'' && (out.ends_with(" E") || out.ends_with("(E") || out.ends_with("[E"));
        if escapes {
            out.pop();
        }
        out.push(c);
        if !matches!(c, '\'' | '"' | '`') {
            continue;
        }
        let backslashes = backslashes || escapes;
        loop {
            match chars.next()? {
                '\\' if backslashes && c == '\'' => {
                    chars.next()?;
                }
                inside if inside == c && chars.peek() == Some(&c) => {
                    chars.next();
                }
                inside if inside == c => break,
                _ => {}
            }
        }
    }
    Some(out)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn names_stay_names_and_texts_stay_texts(name in hostile(), text in hostile()) {
        for dialect in dialects() {
            let backslashes = dialect.lexicon().backslash_escapes;
            for (change, harmless) in changes(&name, &text).iter().zip(changes("harmless", "v")) {
                let Ok(statements) = change.compile(&*dialect) else { continue };
                let harmless = harmless.compile(&*dialect).unwrap();
                prop_assert_eq!(statements.len(), harmless.len());
                for (ddl, harmless) in statements.iter().zip(&harmless) {
                    prop_assert_eq!(skeleton(&ddl.sql, backslashes), skeleton(&harmless.sql, backslashes), "{}", ddl.sql);
                    let found = split(&ddl.sql, &dialect.lexicon());
                    prop_assert!(found.as_ref().is_ok_and(|found| found.len() == 1), "{}: {found:?}", ddl.sql);
                }
            }
        }
    }

    #[test]
    fn raw_texts_are_one_statement_or_refused(text in hostile(), name in hostile()) {
        let mut schema = Schema::new();
        schema.create("t", |t| {
            t.raw_column(name.as_str(), text.as_str());
            t.raw_options(text.as_str());
        });
        schema.raw(text.as_str());
        for dialect in dialects() {
            for ddl in schema.compile(&*dialect).into_iter().flatten() {
                let found = split(&ddl.sql, &dialect.lexicon());
                prop_assert!(found.as_ref().map_or(true, |found| found.len() <= 1), "{}: {found:?}", ddl.sql);
            }
        }
    }
}
