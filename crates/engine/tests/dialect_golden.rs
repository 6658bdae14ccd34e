//! One table of statements and how each of the four dialects spells them: `dialect_golden.txt`, to be read in review.
//!
//! A statement without a line for each dialect fails, and so does a line without a statement. With `WRITE_GOLDEN=1` in the
//! environment, the test writes the table as it would be.

#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::dialects::{Flavor, MySqlDialect, PostgresDialect, SqliteDialect};
use dbkeep_sql::*;
use std::fmt::Write as _;

fn dialects() -> [(&'static str, Box<dyn Dialect>); 4] {
    [
        ("mysql", Box::new(MySqlDialect::new(Flavor::MySql, (9, 7, 0)))),
        ("mariadb", Box::new(MySqlDialect::new(Flavor::MariaDb, (10, 11, 14)))),
        ("postgres", Box::new(PostgresDialect::new((15, 18, 0)))),
        ("sqlite", Box::new(SqliteDialect::new((3, 54, 0)))),
    ]
}

/// The statements, in the order of the table.
fn statements() -> Vec<(&'static str, Box<dyn Compile>)> {
    let users = || select().from("users");
    let mut list: Vec<(&'static str, Box<dyn Compile>)> = Vec::new();
    let mut add = |title, statement: Box<dyn Compile>| list.push((title, statement));

    add("all columns", Box::new(users()));
    add("one row by key", Box::new(users().filter(col("id").eq(7))));
    add(
        "columns, expressions and aliases",
        Box::new(
            select()
                .columns(["id", "u.name"])
                .column(upper("u.name").alias("loud"))
                .column((col("price") - val(1)) * (col("count") + 2))
                .column("u.*")
                .from(table("app.users").alias("u")),
        ),
    );
    add(
        "names that would break out",
        Box::new(
            select()
                .column(("a`b\"c", "d.e]"))
                .column(col("x").alias("y\" -- ; DROP TABLE `z`"))
                .from("we\"ird`.ta'ble"),
        ),
    );
    add(
        "every comparison",
        Box::new(users().filter(all([
            col("a").eq(1),
            col("b").ne("x"),
            col("c").lt(2.5),
            col("d").le(3),
            col("e").gt(4),
            col("f").ge(col("g")),
            col("h").eq(None::<i64>),
            col("i").ne(None::<i64>),
        ]))),
    );
    add(
        "groups of AND, OR and NOT",
        Box::new(
            users().filter(
                col("a")
                    .eq(1)
                    .or(col("b").eq(2))
                    .and(not(col("c").eq(3).and(col("d").eq(4))))
                    .or(col("e").eq(5).and(!col("f").is_null())),
            ),
        ),
    );
    add(
        "lists, ranges and patterns",
        Box::new(users().filter(all([
            col("role").in_list(["admin", "mentor"]),
            col("id").not_in([1, 2]),
            col("age").between(18, 65),
            col("age").not_between(30, 40),
            col("name").like("A%"),
            col("name").not_like("%z"),
            col("name").contains("50%_!"),
            col("deleted_at").is_null(),
            col("email").is_not_null(),
        ]))),
    );
    add(
        "empty lists are conditions",
        Box::new(users().filter(
            col("id").in_list(Vec::<i64>::new()).or(col("id").not_in(Vec::<i64>::new())).and(all([])).and(any([])),
        )),
    );
    add(
        "arithmetic keeps its order",
        Box::new(
            select().column(val(1) - (val(2) - val(3)) - val(4)).column((val(1) + val(2)) * val(3) / (val(4) % val(5))),
        ),
    );
    add(
        "functions",
        Box::new(
            select()
                .columns([
                    count("id"),
                    count_all(),
                    count_distinct("role"),
                    sum("fee"),
                    avg("fee"),
                    min("age"),
                    max("age"),
                    lower("name"),
                    trim("name"),
                    abs("balance"),
                    coalesce([col("nick"), val("nobody")]),
                    nullif("a", 0),
                    current_timestamp(),
                    function("json_extract", [col("settings"), val("$.theme")]),
                ])
                .from("users"),
        ),
    );
    add(
        "texts put together",
        Box::new(
            select()
                .column(col("first").concat(" ").concat(col("last")).alias("name"))
                .from("users")
                .filter(col("first").concat(col("last")).eq("AdaLovelace")),
        ),
    );
    add(
        "a choice",
        Box::new(
            select()
                .column(
                    case()
                        .when(col("age").lt(18), "minor")
                        .when(col("age").is_null(), None::<i64>)
                        .otherwise("adult")
                        .alias("kind"),
                )
                .from("users"),
        ),
    );
    add(
        "raw SQL with parameters",
        Box::new(
            select()
                .column(raw("'a?' || \"b?\"", []))
                .from("users")
                .filter(raw("lower(name) = lower(?)", params!["Ada"]).and(col("id").gt(7))),
        ),
    );
    add("a question mark in raw SQL", Box::new(users().filter(raw("settings ?? 'a'", []))));
    add(
        "raw SQL that would swallow what follows",
        Box::new(users().filter(all([
            raw("a) OR (b", []),
            raw("1 -- ", []),
            raw("'x", []),
            raw("1; DROP TABLE users", []),
            raw("a = ?", params![1, 2]),
        ]))),
    );
    add(
        "joins",
        Box::new(
            select()
                .from(table("users").alias("u"))
                .join("orders", col("orders.user_id").eq(col("u.id")))
                .left_join(table("notes").alias("n"), col("n.user_id").eq(col("u.id")).and(col("n.public").eq(true)))
                .cross_join("days"),
        ),
    );
    add("a right join", Box::new(users().right_join("orders", col("orders.user_id").eq(col("users.id")))));
    add("a full join", Box::new(users().full_join("orders", col("orders.user_id").eq(col("users.id")))));
    add(
        "groups, bound in the order of the text",
        Box::new(
            select()
                .distinct()
                .column("role")
                .column(count_all().alias("n"))
                .from("users")
                .having(count_all().gt(3))
                .filter(col("age").gt(18))
                .group_by("role")
                .order_by(count_all().desc())
                .order_by("role")
                .limit(5)
                .offset(10),
        ),
    );
    add(
        "subqueries",
        Box::new({
            let paid = select().column("user_id").from("orders").filter(col("state").eq("paid"));
            select()
                .column(
                    select()
                        .column(count_all())
                        .from("orders")
                        .filter(col("orders.user_id").eq(col("u.id")))
                        .alias("orders"),
                )
                .from(users().filter(col("age").gt(18)).alias("u"))
                .filter(
                    col("u.id").in_query(paid.clone()).or(not(exists(paid.clone()))).or(col("u.id").not_in_query(paid)),
                )
        }),
    );
    add(
        "where NULL comes",
        Box::new(
            users()
                .order_by(col("a").asc().nulls_last())
                .order_by(col("b").desc().nulls_first())
                .order_by(col("c").asc().nulls_first())
                .order_by(col("d").desc().nulls_last()),
        ),
    );
    add("a limit", Box::new(users().order_by("id").limit(10)));
    add("an offset without a limit", Box::new(users().order_by("id").offset(20)));
    add("rows locked for an update", Box::new(users().filter(col("id").eq(7)).for_update()));
    add("rows locked and locked ones left out", Box::new(users().for_update().skip_locked().limit(1)));
    add("rows locked for reading, without waiting", Box::new(users().for_share().no_wait()));
    add("the count of a query", Box::new(users().filter(col("age").gt(18)).order_by("name").to_count()));
    add("the count of a limited query", Box::new(users().columns(["id", "name"]).order_by("name").limit(5).to_count()));
    add(
        "the count of a grouped query",
        Box::new(
            select()
                .column("role")
                .from("users")
                .group_by("role")
                .having(count_all().gt(1))
                .order_by("role")
                .to_count(),
        ),
    );
    add("the count of distinct rows", Box::new(select().distinct().column("role").from("users").to_count()));
    add("whether a query has rows", Box::new(users().filter(col("age").gt(18)).order_by("name").to_exists()));

    add(
        "an insert of one row",
        Box::new(insert_into("users").set("name", "Ada").set("born", current_timestamp()).set("note", None::<String>)),
    );
    add(
        "an insert of several rows",
        Box::new(insert_into("users").columns(["name", "age"]).row(params!["Ada", 36]).row(params!["Grace", 45])),
    );
    add("an insert of defaults", Box::new(insert_into("users").default_values()));
    add(
        "an insert of a query",
        Box::new(
            insert_into("archive")
                .columns(["id", "name"])
                .from_select(select().columns(["id", "name"]).from("users").filter(col("age").gt(99))),
        ),
    );
    add(
        "an insert that leaves out what is there",
        Box::new(insert_into("users").columns(["email", "name"]).row(["a@b.c", "Ada"]).or_ignore()),
    );
    add(
        "an upsert",
        Box::new(
            insert_into("users")
                .columns(["email", "name", "age"])
                .row(params!["a@b.c", "Ada", 36])
                .upsert(["email"], ["name", "age"]),
        ),
    );
    add(
        "an upsert into a table called new",
        Box::new(insert_into("app.new").columns(["k", "v"]).row([1, 2]).upsert(["k"], ["v"])),
    );
    add(
        "an upsert of nothing",
        Box::new(insert_into("users").columns(["email", "name"]).row(["a@b.c", "Ada"]).upsert(["email"], [""; 0])),
    );
    add("an insert that gives back keys", Box::new(insert_into("users").set("name", "Ada").returning(["id"])));
    add(
        "an update",
        Box::new(
            update("users")
                .set("state", "active")
                .increment("visits", 1)
                .decrement("credit", 2.5)
                .filter(col("id").eq(7)),
        ),
    );
    add("an update of all rows", Box::new(update("users").set("note", None::<String>).all_rows()));
    add("an update without a condition", Box::new(update("users").set("state", "active")));
    add(
        "an update that gives back rows",
        Box::new(update("users").set("a", 1).filter(col("id").eq(7)).returning(["*"])),
    );
    add("an update of a query's rows", Box::new(users().filter(col("age").gt(18)).into_update().set("adult", true)));
    add(
        "an update of a limited query's rows",
        Box::new(users().filter(col("age").gt(18)).limit(1).into_update().set("adult", true)),
    );
    add(
        "a delete",
        Box::new(delete_from("users").filter(col("age").lt(18)).filter(col("role").ne("admin").or(col("id").gt(7)))),
    );
    add("a delete of all rows", Box::new(delete_from("users").all_rows()));
    add("a delete without a condition", Box::new(delete_from("users")));
    add(
        "a delete that gives back rows",
        Box::new(delete_from("users").filter(col("id").eq(7)).returning(["id", "name"])),
    );

    add("a name of 64 characters", Box::new(select().column("a".repeat(64)).from("t")));
    add("a name of 63 bytes in 33 characters", Box::new(select().column("é".repeat(30) + "abc").from("t")));
    add("a name of 65 characters", Box::new(select().column("a".repeat(65)).from("t")));
    add("names no one takes", Box::new(select().columns(["", "a..b", "a.b.c.d", "a\0b"]).from("t")));
    add("a name that ends in a space", Box::new(select().column("a ").from("😀")));
    list
}

/// The table as the dialects write it now.
fn written() -> String {
    let mut out = String::new();
    for (title, statement) in statements() {
        writeln!(out, "## {title}").unwrap();
        let mut values = Vec::new();
        for (name, dialect) in dialects() {
            match statement.compile(&*dialect) {
                Ok(compiled) => {
                    writeln!(out, "{name:<9} {}", compiled.sql.replace('\0', "\\0")).unwrap();
                    if !values.contains(&compiled.params) {
                        values.push(compiled.params);
                    }
                }
                Err(error) => writeln!(out, "{name:<9} !! {error} ({})", error.hint()).unwrap(),
            }
        }
        assert!(values.len() <= 1, "{title}: the dialects bind different values: {values:?}");
        match values.pop() {
            Some(values) if !values.is_empty() => writeln!(out, "values    {values:?}\n").unwrap(),
            _ => out.push('\n'),
        }
    }
    out
}

#[test]
fn every_statement_is_spelled_as_the_table_says() {
    let expected = include_str!("dialect_golden.txt");
    let written = written();
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        let table = written.split_once("## ").unwrap().1;
        let head = expected.split_once("## ").unwrap().0;
        std::fs::write("tests/dialect_golden.txt", format!("{head}## {}\n", table.trim_end())).unwrap();
        return;
    }
    let sections = |text: &str| text.split("## ").skip(1).map(|s| s.trim_end().to_owned()).collect::<Vec<_>>();
    for (expected, written) in sections(expected).iter().zip(sections(&written)) {
        assert_eq!(*expected, written, "expected left, written right");
    }
    let table = expected.split_once("## ").unwrap().1;
    assert_eq!(table.trim_end(), written.trim_start_matches("## ").trim_end());
}

#[test]
fn what_a_version_does_not_know_names_the_version_that_does() {
    let old = [
        (
            Box::new(MySqlDialect::new(Flavor::MariaDb, (10, 3, 0))) as Box<dyn Dialect>,
            "MariaDB does not know INSERT … RETURNING (known since 10.5)",
        ),
        (Box::new(SqliteDialect::new((3, 34, 1))), "SQLite does not know INSERT … RETURNING (known since 3.35)"),
    ];
    for (dialect, message) in old {
        let error = insert_into("t").set("a", 1).returning(["id"]).compile(&*dialect).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(error.unsupported().is_some());
    }
    let mysql_5 = MySqlDialect::new(Flavor::MySql, (5, 7, 44));
    let upsert = insert_into("t").columns(["k", "v"]).row([1, 2]).upsert(["k"], ["v"]).compile(&mysql_5).unwrap();
    assert_eq!(upsert.sql, "INSERT INTO `t` (`k`, `v`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `v` = VALUES(`v`)");
    let lock = select().from("t").for_share().compile(&mysql_5).unwrap();
    assert_eq!(lock.sql, "SELECT * FROM `t` LOCK IN SHARE MODE");
}
