//! Nothing a program passes in as a name or a value becomes SQL, in any dialect.

#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::dialects::{Flavor, MySqlDialect, PostgresDialect, SqliteDialect};
use dbkeep_sql::*;
use proptest::prelude::*;

fn dialects() -> [Box<dyn Dialect>; 5] {
    [
        Box::new(MySqlDialect::new(Flavor::MySql, (9, 7, 0))),
        Box::new(MySqlDialect::new(Flavor::MariaDb, (10, 11, 14))),
        Box::new(PostgresDialect::new((15, 18, 0))),
        Box::new(SqliteDialect::new((3, 54, 0))),
        Box::new(Ansi),
    ]
}

/// Text made of what ends names, strings, comments and statements.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
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
            "_",
            "\n",
            "\r",
            "\0",
            ".",
            "*",
            "(",
            ")",
            "@",
            ":",
            "é",
            "\u{2019}",
            "\u{ff07}",
            "😀",
            " ",
            "OR 1=1",
            "DROP TABLE t",
            "x",
        ])
        .prop_map(str::to_owned),
        ".{0,3}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Statements that use a name in every place a name can stand, and a value in every place of a value.
fn statements(name: &str, value: &str) -> Vec<Box<dyn Compile>> {
    let whole = (Name::from("t"), Name::from(name));
    let query = || {
        select()
            .column(col(whole.clone()).alias(name))
            .column(max((name, name)))
            .from(table((name, name)).alias(name))
            .left_join(table(Path::from(Name::from(name))).alias(name), col((name, name)).eq(col(("s", name, name))))
            .filter(
                col((name, name)).eq(value).and(col(whole.clone()).like(value)).or(col(whole.clone()).contains(value)),
            )
            .filter(col(whole.clone()).in_list([value, "b"]).or(col(whole.clone()).between(value, value)))
            .group_by((name, name))
            .having(lower((name, name)).ne(value))
            .order_by((name, name))
    };
    vec![
        Box::new(query()),
        Box::new(query().to_count()),
        Box::new(query().to_exists()),
        Box::new(select().column(query().alias(name)).from(query().alias(name)).filter(col("a").in_query(query()))),
        Box::new(insert_into((name, name)).set(name, col(whole.clone()).concat(value)).upsert([name], [name])),
        Box::new(insert_into((name, name)).columns([name]).row([value]).or_ignore()),
        Box::new(
            select()
                .column(sum((name, name)).filter_where(col(whole.clone()).eq(value)).over(name).alias(name))
                .column(
                    rank().over(window().partition_by((name, name)).order_by(col((name, name)).desc().nulls_first())),
                )
                .column(sql!("coalesce(?, ?)", col((name, name)), value))
                .from(table((name, name)).alias(name))
                .join_using(table((name, name)), [name])
                .filter(row([col((name, name)), col(whole.clone())]).in_list([row([value, value])]))
                .filter(col((name, name)).is_distinct_from(value).or(col((name, name)).ilike(value)))
                .or_filter(col((name, name)).not_in([value]))
                .window(name, window().order_by((name, name)))
                .order_by(col((name, name)).asc().nulls_last()),
        ),
        Box::new(
            select()
                .column(replace((name, name), value, value).concat(value))
                .from(table((name, name)))
                .with(cte(name, query()).columns([name]))
                .union(query().order_by((name, name)))
                .except(query()),
        ),
        Box::new(
            insert_into((name, name))
                .columns([name])
                .from_select(query())
                .upsert_set([name], [(name, col(whole.clone()).concat(new_value(name)).concat(value))]),
        ),
        Box::new(truncate((name, name))),
        Box::new(update((name, name)).set(name, value).filter(col(whole.clone()).eq(value))),
        Box::new(update((name, name)).increment(name, 1).filter(col(whole.clone()).eq(value))),
        Box::new(
            delete_from((name, name))
                .filter(case().when(col(whole.clone()).eq(value), value).otherwise(value).eq(value)),
        ),
    ]
}

/// The name as it must stand in the text, by the rule and not by our code.
fn quoted(name: &str, quote: char) -> String {
    let mut out = String::from(quote);
    for c in name.chars() {
        out.push(c);
        if c == quote {
            out.push(c);
        }
    }
    out.push(quote);
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn names_stay_names_and_values_stay_values(name in hostile(), value in hostile()) {
        for dialect in dialects() {
            let is_name = Ident::new(&name).is_ok() && dialect.name_problem(&name).is_none();
            let harmless = statements("harmless", "v");
            for (statement, harmless) in statements(&name, &value).iter().zip(&harmless) {
                let compiled = match statement.compile(&*dialect) {
                    Ok(compiled) => compiled,
                    Err(error) => {
                        prop_assert!(!is_name, "{error}");
                        continue;
                    }
                };
                prop_assert!(is_name);
                let harmless = harmless.compile(&*dialect).unwrap();
                // With a harmless name in its place the text is the same; values are not in it at all, but for the one
                // default that has to be.
                let quote = dialect.quote();
                let expected = harmless.sql.replace(&quoted("harmless", quote), &quoted(&name, quote));
                if !compiled.sql.starts_with("CREATE") {
                    prop_assert_eq!(&compiled.sql, &expected);
                }
                prop_assert_eq!(compiled.params.len(), harmless.params.len());
                let is_ours = |v: &Value| *v == Value::from("b") || *v == Value::Int(1);
                let is_whole = |v: &Value| matches!(v, Value::Text(text) if *text == value || text.starts_with('%'));
                prop_assert!(compiled.params.iter().all(|v| is_ours(v) || is_whole(v)));
            }
        }
    }

    #[test]
    fn text_with_its_values_written_in_is_still_one_statement(name in hostile(), value in hostile()) {
        for dialect in dialects() {
            for statement in statements(&name, &value) {
                let Ok(sql) = statement.to_raw_sql(&*dialect) else { continue };
                let found = split(&sql, &dialect.lexicon());
                prop_assert!(found.as_ref().is_ok_and(|found| found.len() == 1 && found[0].text == sql), "{sql}: {found:?}");
            }
        }
    }

    #[test]
    fn remarks_neither_end_nor_begin_within(remark in hostile()) {
        for dialect in dialects() {
            let plain = delete_from("t").filter(col("a").eq(1));
            let expected = plain.compile(&*dialect).unwrap();
            let Ok(compiled) = plain.comment(remark.as_str()).compile(&*dialect) else {
                prop_assert!(remark.contains('\0'));
                continue;
            };
            prop_assert_eq!(&compiled.params, &expected.params);
            let inside = compiled.sql.strip_prefix(&expected.sql).and_then(|rest| rest.strip_prefix(" /* ")?.strip_suffix(" */"));
            prop_assert!(inside.is_some_and(|inside| !inside.contains("/*") && !inside.contains("*/")), "{}", compiled.sql);
            prop_assert!(split(&compiled.sql, &dialect.lexicon()).is_ok_and(|found| found.len() == 1));
        }
    }

    #[test]
    fn keys_of_documents_are_never_in_the_text(key in hostile()) {
        let statement = |key: &str| {
            let document = || col("doc");
            let path = || JsonPath::from(key).index(0).key(key);
            select()
                .columns([document().json(path()), document().json_text(path()), document().json_set(path(), key), document().json_remove(path())])
                .from("t")
                .filter(document().json_has(path()).and(document().json_contains(path(), key)).and(document().json_length(path()).gt(1)))
        };
        for dialect in &dialects()[..4] {
            if let Ok(compiled) = statement(&key).compile(&**dialect) {
                prop_assert_eq!(compiled.sql, statement("k").compile(&**dialect).unwrap().sql);
            }
        }
    }

    #[test]
    fn function_names_are_words_or_refused(name in hostile()) {
        let is_word = !name.is_empty() && name.split('.').all(|part| {
            part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        for dialect in dialects() {
            let call = select().column(function(name.as_str(), [])).compile(&*dialect);
            prop_assert_eq!(call.is_ok(), is_word);
        }
    }

    #[test]
    fn names_are_cut_at_dots_only_where_they_come_as_one_text(name in hostile()) {
        for dialect in dialects() {
            let Ok(compiled) = select().column("c").from(name.as_str()).compile(&*dialect) else { continue };
            let parts: Vec<String> = name.split('.').map(|part| quoted(part, dialect.quote())).collect();
            prop_assert_eq!(compiled.sql, format!("SELECT {} FROM {}", quoted("c", dialect.quote()), parts.join(".")));
        }
    }
}
