//! What statements are before a dialect has its say: counted, counted out, refused, printed.

#![allow(clippy::unwrap_used)]

use dbkeep_sql::*;

fn text(statement: &dyn Compile) -> String {
    statement.compile(&Ansi).unwrap().sql
}

fn problems(statement: &dyn Compile) -> Vec<String> {
    statement.compile(&Ansi).unwrap_err().problems().map(ToString::to_string).collect()
}

#[test]
fn parameters_come_in_the_order_of_the_text() {
    let query = select()
        .having(count_all().gt(9))
        .limit(10)
        .filter(col("a").eq(3))
        .from(select().column(val(2).alias("a")).alias("inner"))
        .join("other", col("x").eq(4).or(raw("y = ? AND z = ?", params![5, 6])))
        .column(val(1).alias("one"))
        .filter(col("b").in_list([7, 8]))
        .group_by("a");
    let compiled = query.compile(&Ansi).unwrap();
    let numbered: String = compiled.sql.chars().filter(|c| *c == '?').collect();
    assert_eq!(numbered.len(), compiled.params.len());
    // The join stands before the conditions, whatever was said first.
    assert_eq!(compiled.params, params![1, 2, 4, 5, 6, 3, 7, 8, 9, 10]);
}

#[test]
fn counting_keeps_what_changes_the_number_of_rows() {
    let users = || select().columns(["id", "name"]).from("users");
    assert_eq!(text(&users().order_by("id").to_count()), r#"SELECT COUNT(*) AS "count" FROM "users""#);
    assert_eq!(
        text(&users().order_by("id").limit(5).to_count()),
        r#"SELECT COUNT(*) AS "count" FROM (SELECT 1 AS "one" FROM "users" LIMIT ?) AS "counted""#
    );
    assert_eq!(
        text(&users().distinct().limit(5).to_count()),
        r#"SELECT COUNT(*) AS "count" FROM (SELECT DISTINCT "id", "name" FROM "users" LIMIT ?) AS "counted""#
    );
    assert_eq!(
        text(&select().column(max("age") + 1).from("users").to_count()),
        r#"SELECT COUNT(*) AS "count" FROM (SELECT MAX("age") + ? FROM "users") AS "counted""#
    );
    assert_eq!(
        text(&users().group_by("role").having(count_all().gt(1)).to_exists()),
        r#"SELECT EXISTS (SELECT "id", "name" FROM "users" GROUP BY "role" HAVING COUNT(*) > ?) AS "exists""#
    );
}

#[test]
fn everything_wrong_with_a_statement_is_said_at_once() {
    assert_eq!(
        problems(&update("a.b.c.d").set("", 1)),
        ["the name \"a.b.c.d\" has more than three parts", "the name \"\" is empty", "UPDATE has no condition"]
    );
    assert_eq!(problems(&delete_from("t")), ["DELETE has no condition"]);
    assert_eq!(problems(&update("t").all_rows()), ["UPDATE sets no column: give it one and its value"]);
    assert_eq!(problems(&select()), ["SELECT names neither a table nor columns"]);
    assert_eq!(problems(&select().column(val(1)).cross_join("t")), ["JOIN has no table to join to"]);
    assert_eq!(problems(&insert_into("t")), ["INSERT has no rows: give it values, or default_values()"]);
    assert_eq!(
        problems(&insert_into("t").columns(["a", "b"]).row([1, 2]).row([3])),
        ["INSERT has a row whose number of values is not the number of columns: give each row one for each"]
    );
    assert_eq!(problems(&insert_into("t").columns(["a"]).row([1]).upsert([""; 0], ["a"])), ["an upsert names no key"]);
    assert_eq!(problems(&select().column(case().end())), ["CASE has no choices"]);
    assert_eq!(problems(&select().column(coalesce([]))), ["the function has no arguments"]);
    assert_eq!(problems(&select().column(function("f(); --", []))), ["the name \"f(); --\" is no name of a function"]);
    let joined = select().from("a").cross_join("b").filter(col("x").eq(1));
    assert_eq!(
        problems(&joined.clone().into_delete()),
        ["DELETE is made from a query with more than a table and conditions: say which rows with in_query(…)"]
    );
    assert_eq!(problems(&joined.into_update().set("x", 2)).len(), 1);
    let error = delete_from("t").compile(&Ansi).unwrap_err();
    assert_eq!(error.hint(), "add filter(…), or say all_rows() where all rows are meant");
    assert!(error.unsupported().is_none());
}

#[test]
fn what_is_no_whole_piece_of_sql_is_refused() {
    let refused = |sql: &str, params: Vec<Value>| {
        let error = select().column(raw(sql.to_owned(), params)).compile(&Ansi).unwrap_err();
        error.to_string().split_once("\" ").unwrap().1.to_owned()
    };
    assert_eq!(refused("a) OR (b", params![]), "closes a parenthesis it did not open");
    assert_eq!(refused("(a", params![]), "opens a parenthesis or comment it does not close");
    assert_eq!(refused("a -- b", params![]), "ends in a comment, which would swallow what follows");
    assert_eq!(refused("a; b", params![]), "holds a semicolon outside of quotes");
    assert_eq!(refused("a = ? + '?'", params![1, 2]), "has 1 placeholders and 2 values");
    assert_eq!(refused("a ?? b", params![]), "has a question mark that would be taken for a placeholder here");
    assert_eq!(text(&select().column(raw("a -- b\n + ? /* ? */ ';'", params![1]))), "SELECT a -- b\n + ? /* ? */ ';'");
}

#[test]
fn more_parameters_than_one_statement_takes_are_refused_and_come_in_batches() {
    let insert = insert_into("t").columns(["a", "b"]).rows((0..40_000).map(|n| [n, n]));
    assert_eq!(problems(&insert), ["the statement has 80000 parameters, and there may be 65535"]);
    let sizes: Vec<usize> = insert.batches(&Ansi).map(|batch| batch.row_count()).collect();
    assert_eq!(sizes, [32_767, 7_233]);

    let raw_rows = insert_into("t").rows((0..40_000).map(|n| [val(n), raw("? + ?", params![1, 2])]));
    let compiled: Vec<usize> =
        raw_rows.batches(&Ansi).map(|batch| batch.compile(&Ansi).unwrap().params.len()).collect();
    assert_eq!(compiled, [65_535, 54_465]);
    assert_eq!(insert_into("t").default_values().batches(&Ansi).count(), 1);
    assert_eq!(insert_into("t").batches(&Ansi).count(), 0);
}

#[test]
fn statements_are_values() {
    let base = select().from("users").filter(col("age").gt(18));
    let admins = base.clone().when(true, |q| q.filter(col("role").eq("admin"))).when(false, |q| q.limit(1));
    assert_ne!(base, admins);
    assert_eq!(base.to_string(), r#"SELECT * FROM "users" WHERE "age" > ?"#);
    // Printing shows no values: they may be secrets.
    assert_eq!(admins.to_string(), r#"SELECT * FROM "users" WHERE "age" > ? AND "role" = ?"#);
    assert_eq!(admins.to_raw_sql(&Ansi).unwrap(), r#"SELECT * FROM "users" WHERE "age" > 18 AND "role" = 'admin'"#);
    assert_eq!(base.clone().into_delete().to_string(), r#"DELETE FROM "users" WHERE "age" > ?"#);
    assert_eq!(base.clear_columns().column("id").to_string(), r#"SELECT "id" FROM "users" WHERE "age" > ?"#);
}

#[test]
fn comparisons_are_a_closed_set() {
    assert_eq!("!=".parse(), Ok(Comparison::Ne));
    assert_eq!(
        text(&select().from("t").filter(col("a").compare("<=".parse().unwrap(), 1))),
        r#"SELECT * FROM "t" WHERE "a" <= ?"#
    );
    for text in ["", "==", "LIKE", "= 1 OR 1 =", " ="] {
        assert!(text.parse::<Comparison>().is_err());
    }
}

#[test]
fn values_read_as_the_literals_they_are() {
    let literals = params![
        None::<i64>,
        true,
        -7,
        u64::MAX,
        2.5,
        1e300,
        f64::NAN,
        "12.50".parse::<Decimal>().unwrap(),
        "it's",
        vec![0u8, 255],
        Date::new(2026, 11, 22),
        Time::new(12, 30, 0, 5),
        DateTime::new(Date::new(2026, 1, 2), 3, 4, 5, 0),
        Bits::parse("101").unwrap(),
        Value::Array(params![1, "x"]),
        serde_json::json!({"a": "b'c"}),
    ];
    let row = select().columns(literals.into_iter().map(val));
    assert_eq!(
        row.to_raw_sql(&Ansi).unwrap(),
        "SELECT NULL, TRUE, -7, 18446744073709551615, 2.5e0, 1e300, 'NaN', 12.50, 'it''s', X'00FF', DATE '2026-11-22', \
         TIME '12:30:00.000005', TIMESTAMP '2026-01-02 03:04:05', B'101', ARRAY[1, 'x'], '{\"a\":\"b''c\"}'"
    );
}

#[test]
fn conditions_flatten_and_nothing_is_a_condition_too() {
    let list = |items: [i64; 0]| col("a").in_list(items);
    let query = select().from("t").filter(all([col("a").eq(1), all([col("b").eq(2), any([col("c").eq(3)])])]));
    assert_eq!(query.to_string(), r#"SELECT * FROM "t" WHERE "a" = ? AND "b" = ? AND "c" = ?"#);
    let query = select().from("t").filter(any([]).or(list([])).and(!list([])));
    assert_eq!(query.to_string(), r#"SELECT * FROM "t" WHERE 1 = 0 AND NOT (1 = 0)"#);
}

#[test]
fn what_is_nested_without_end_is_refused_in_time() {
    let deep = |levels: usize| (0..levels).fold(col("a"), |expr, _| expr + 1);
    assert!(select().column(deep(400)).compile(&Ansi).is_ok());
    let error = select().column(deep(600)).compile(&Ansi).unwrap_err();
    assert_eq!(error.to_string(), "a statement is nested more than 500 deep: join conditions with all(…) and any(…)");

    let queries = (0..300).fold(select().from("t"), |query, _| select().from("t").filter(exists(query)));
    assert!(queries.compile(&Ansi).unwrap_err().to_string().contains("500 deep"));

    // Each change of a document names it more than once.
    let change = (0..40).fold(col("document"), |document, at| document.json_set(["list", "key"], at));
    let error = select().column(change).compile(&Growing).unwrap_err();
    assert_eq!(error.to_string(), "a statement is longer than 16 MiB: send it in parts");
}

/// Names the document of a change three times.
#[derive(Debug)]
struct Growing;

impl Dialect for Growing {
    fn engine(&self) -> &'static str {
        "growing"
    }

    fn write_json(&self, out: &mut SqlWriter<'_>, json: &JsonNode) {
        for _ in 0..3 {
            out.expr(&json.document);
        }
        out.sql(" changed");
    }
}
