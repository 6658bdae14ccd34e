//! Hostile texts in every place a program can put one, run on every engine: a name names what is there or nothing, a value comes back as
//! it went, a remark is a remark, and there never is a second statement.

#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

mod fixture;

use dbkeep_engine::{Connection, ErrorKind};
use dbkeep_sql::*;

on_each_engine! {
    hostile_names_name_nothing_else
    hostile_values_come_back
    hostile_remarks_change_nothing
    hostile_keys_are_keys
}

const TEXTS: &[&str] = &[
    "'",
    "''",
    "\"",
    "\"\"",
    "`",
    "``",
    "[",
    "]",
    "\\",
    "\\\\",
    "\\'",
    "\\\"",
    "'\\",
    "\0",
    "a\0b",
    ";",
    "; DROP TABLE canary; --",
    "'; DROP TABLE canary; --",
    "\"; DROP TABLE canary; --",
    "`; DROP TABLE canary; -- ",
    "\\'; DROP TABLE canary; -- ",
    "*/; DROP TABLE canary; /*",
    "/*",
    "*/",
    "/*/",
    "*/*",
    "/**/",
    "**/",
    "/*! DROP TABLE canary */",
    "!",
    "!50000 ",
    "+ ",
    "M!",
    "--",
    "-- ",
    "#",
    "\n",
    "\r\n",
    "\n-- \nDROP TABLE canary",
    "?",
    "??",
    "$1",
    "$$",
    "$tag$",
    ":name",
    " :name ?",
    "a:b",
    "::text",
    "@x",
    "@@version",
    "%",
    "%s",
    "_",
    "{}",
    "${x}",
    "é",
    "’",
    "＇",
    "😀",
    "\u{202e}x",
    "\u{1}\u{7f}",
    "\t",
    ".",
    "..",
    "a.b",
    "*",
    "t.*",
    "(",
    ")",
    ",",
    " ",
    "select",
    "NULL",
    "null",
    "true",
    "1 OR 1=1",
    "' OR '1'='1",
    "\" OR \"1\"=\"1",
    "x' UNION SELECT 1 --",
    "E'\\''",
    "U&\"\\0041\"",
    "0x27",
    "\u{feff}",
    "ß",
    "$",
    "$[0]",
    "$.a",
    "-1",
    "+",
    "~",
    "<",
    "\"a\" -b",
    "(a",
    "a*",
    "@",
];

/// The texts, some put together by chance, and one that is long.
fn texts() -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(11);
    let mixed =
        (0..60).map(|_| (0..random.usize(2..6)).map(|_| TEXTS[random.usize(..TEXTS.len())]).collect::<String>());
    let mut texts: Vec<String> =
        TEXTS.iter().map(|text| (*text).to_owned()).chain(std::iter::once("'\"`\\".repeat(700))).collect();
    texts.extend(mixed.collect::<Vec<_>>());
    texts
}

/// What a statement did.
#[derive(Debug, PartialEq)]
enum Done {
    Rows(Vec<Vec<Value>>),
    /// Refused before it was sent.
    Refused(String),
    /// Something it names is not there.
    NotThere,
    Failed(ErrorKind, String),
}

async fn run(connection: &mut Connection, statement: &dyn Compile) -> Done {
    let compiled = match statement.compile(&*connection.dialect()) {
        Ok(compiled) => compiled,
        Err(error) => return Done::Refused(error.to_string()),
    };
    outcome(connection, &compiled.sql, &compiled.params).await
}

async fn outcome(connection: &mut Connection, sql: &str, params: &[Value]) -> Done {
    match connection.query(sql, params).await {
        Ok(rows) => Done::Rows(rows.iter().map(|row| row.values().to_vec()).collect()),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::UnknownDatabase => Done::NotThere,
            kind => Done::Failed(kind, format!("{error}: {sql:?} {params:?}")),
        },
    }
}

/// As parameters and, where it can be sent so, as text, a statement does the same.
async fn run_both_ways(connection: &mut Connection, statement: &dyn Compile, wrong: &mut Vec<String>) -> Done {
    let done = run(connection, statement).await;
    if let (Done::Rows(_), Ok(text)) = (&done, statement.to_raw_sql(&*connection.dialect())) {
        let as_text = outcome(connection, &text, &[]).await;
        if as_text != done {
            wrong.push(format!("{text:?}\nas text: {as_text:?}, as parameters: {done:?}"));
        }
    }
    done
}

/// The table that hostile texts would like to drop, and its row.
async fn set_out_canary(connection: &mut Connection) {
    connection.execute("CREATE TABLE canary (n INTEGER, v VARCHAR(5000))", &[]).await.unwrap();
    connection.execute("INSERT INTO canary VALUES (1, 'sings')", &[]).await.unwrap();
}

async fn canary_sings(connection: &mut Connection) -> bool {
    let rows = connection.query("SELECT n, v FROM canary", &[]).await;
    rows.is_ok_and(|rows| rows.len() == 1 && rows[0].get::<String>("v").is_ok_and(|v| v == "sings"))
}

/// Statements with a name where it names nothing: tables, columns, keys, indexes.
fn unknown_names(name: &str) -> Vec<Box<dyn Compile>> {
    let name = || Name::from(name);
    let users = || select().from("users");
    let column = || col(("users", name()));
    vec![
        Box::new(users().column(col(Path::from(name())))),
        Box::new(users().column(column())),
        Box::new(select().from(Path::from(name()))),
        Box::new(select().from((name(), name()))),
        Box::new(users().column(col((name(), name(), name())))),
        Box::new(users().filter(column().eq(1).and(column().is_distinct_from(2)).or(column().in_list([1])))),
        Box::new(users().group_by(column()).column(count(column()))),
        Box::new(users().column("id").order_by(column().desc().nulls_last())),
        Box::new(users().distinct_on([column()]).order_by(column())),
        Box::new(users().join_using("orders", [name()])),
        Box::new(users().join("orders", col(("orders", name())).eq(1))),
        Box::new(users().lock_of([name()])),
        Box::new(select().from(table("users").use_index([name()]))),
        Box::new(select().from(table("users").force_index([name()]))),
        Box::new(select().from(table("users").ignore_index([name()]))),
        Box::new(users().column(sum(column()).over(window().partition_by(column()).order_by(column())))),
        Box::new(users().column(rank().over(name()))),
        Box::new(users().column(string_agg(column(), ",").ordered_by(column()))),
        Box::new(
            users()
                .column(column().json("a"))
                .column(date_part(DatePart::Year, column()))
                .column(column().cast(CastType::Text)),
        ),
        Box::new(users().column(sql!("coalesce(?, 1)", column()))),
        Box::new(insert_into(Path::from(name())).set("a", 1)),
        Box::new(insert_into("scratch").set(name(), 1)),
        Box::new(insert_into("visits").set("page", "/").upsert([name()], [name()])),
        Box::new(insert_into("visits").set("page", "/").upsert_set(["page"], [(name(), new_value(name()))])),
        Box::new(insert_into("visits").set("page", "/").upsert_set(["page"], [("n", new_value(name()))])),
        Box::new(insert_into("scratch").set("id", 1).returning([column()])),
        Box::new(update(Path::from(name())).set("a", 1).all_rows()),
        Box::new(update("users").set(name(), 1).all_rows()),
        Box::new(update("users").increment(name(), 1).filter(col("id").eq(99))),
        Box::new(delete_from(Path::from(name())).all_rows()),
        Box::new(delete_from("users").filter(column().eq(1))),
        Box::new(truncate(Path::from(name()))),
        Box::new(select().column(function(name(), [val(1)]))),
    ]
}

/// Queries with a name of their own making, all of which give the one row of the canary.
fn own_names(name: &str) -> Vec<Select> {
    let name = || Name::from(name);
    let canary = || select().from("canary");
    let all_of = || select().column(col((name(), Name::from("n")))).column(col((name(), Name::from("v"))));
    vec![
        canary().column("n").column(col("v").alias(name())),
        all_of().from(table("canary").alias(name())),
        all_of().from(canary().alias(name())),
        all_of().from(table("visits").alias("x")).join(canary().alias(name()), all([])).limit(1),
        all_of().from(table("scratch").alias("x")).join(canary().alias(name()).lateral(), all([])).limit(1),
        all_of().from(Path::from(name())).with(cte(name(), canary())),
        select()
            .column("n")
            .column(col(Path::from(name())).alias("v"))
            .from("w")
            .with(cte("w", canary()).columns([Name::from("n"), name()])),
        canary().column(sum("n").over(name())).column("v").window(name(), window().order_by("n")),
        all_of().from(table("canary").alias(name())).lock_of([name()]),
        select().from(canary().column("n").column("v").union(canary().column("n").column("v")).alias(name())),
    ]
}

async fn hostile_names_name_nothing_else(connection: &mut Connection) {
    let c = connection;
    let engine = c.dialect().engine();
    set_out_canary(c).await;
    let mut wrong = Vec::new();
    for name in texts() {
        for statement in unknown_names(&name) {
            match run(c, &*statement).await {
                Done::Refused(_) | Done::NotThere => {}
                // A word of the language is no name of a function.
                Done::Failed(ErrorKind::Syntax, why) if why.contains(&format!("SELECT {name}(")) => {}
                other => wrong.push(format!("{name:?}: {other:?}")),
            }
        }
        for query in own_names(&name) {
            match run_both_ways(c, &query, &mut wrong).await {
                Done::Rows(rows) if rows.len() == 1 && rows[0][1] == Value::from("sings") => {}
                Done::Refused(_) => {}
                // Of a named query, SQLite takes its column for the truth, even in quotes, and then knows no truth in quotes.
                Done::NotThere if engine == "SQLite" && name == "true" => {}
                other => wrong.push(format!("own {name:?}: {other:?}: {query}")),
            }
        }
        let called = select().column(col("v").alias(Name::from(name.as_str()))).from("canary").compile(&*c.dialect());
        if let Ok(called) = called {
            let row = c.query_one(&called.sql, &called.params).await.unwrap();
            // MySQL and MariaDB take blanks off the beginning of an alias: https://dev.mysql.com/doc/refman/8.4/en/identifiers.html
            let found = &row.columns()[0].name;
            let is_trimmed = matches!(engine, "MySQL" | "MariaDB")
                && *found == name.trim_start_matches(|c| c <= ' ' || c == '\u{7f}');
            assert!(*found == name || is_trimmed, "{engine}: {name:?}, found {found:?}");
        }
        assert!(canary_sings(c).await, "{engine}: {name:?}");
    }
    assert!(wrong.is_empty(), "{engine}, {}:\n{}", wrong.len(), wrong[..wrong.len().min(400)].join("\n"));
}

/// Queries that give a text back, and nothing else.
fn echoes(text: &str) -> Vec<Select> {
    let value = || val(text);
    let typed = || val(text).cast(CastType::Text);
    let one = |expr: Expr| select().column(expr).from("canary");
    vec![
        one(typed()),
        one(coalesce([nullif("v", "sings"), typed()])),
        one(case().when(col("n").eq(1), typed()).end()),
        one(case().when(col("v").eq(text), "no").otherwise(typed())),
        one(sql!("coalesce(?, ?)", nullif("v", "sings"), text)),
        one(max(typed())),
        one(max(typed()).filter_where(col("n").eq(1))),
        one(max(typed()).over(window())),
        one(lag("v", 1, text).over(window().order_by("n"))),
        one(replace("v", "sings", text)),
        select().column("x").from("w").with(cte("w", one(typed()).union(one(typed()))).columns(["x"])),
        one(Expr::from(one(typed()))),
        select().column("x").from(select().column(typed().alias("x")).from("canary").alias("w")),
        one(value().concat("")),
    ]
}

/// Conditions that hold of a text that is in `v`.
fn truths(text: &str, engine: &str) -> Vec<Expr> {
    let v = || col("v");
    vec![
        v().eq(text),
        not(v().ne(text)),
        v().ge(text),
        v().is_not_distinct_from(text),
        v().in_list([text, "b"]),
        not(v().not_in([text])),
        v().between(text, text),
        row([v(), col("n")]).eq(row([val(text), val(2)])),
        row([v(), col("n")]).in_list([row([val(text), val(2)])]),
        v().contains(text),
        v().starts_with(text),
        v().ends_with(text),
        // MariaDB compares long texts of a query only where they stand in the statement.
        v().in_query(select().column(val(text.get(..400).unwrap_or(text)).cast(CastType::Text)).from("canary"))
            .or(v().ne(text.get(..400).unwrap_or(text))),
        sql!("? = ?", v(), text),
        // SQLite counts no further than to a NUL.
        if engine == "SQLite" && text.contains('\0') {
            all([])
        } else {
            char_length("v").eq(i64::try_from(text.chars().count()).unwrap())
        },
    ]
}

async fn hostile_values_come_back(connection: &mut Connection) {
    let c = connection;
    let engine = c.dialect().engine();
    set_out_canary(c).await;
    let mut wrong = Vec::new();
    for text in texts() {
        // PostgreSQL's texts hold no NUL, and say so.
        let is_no_text = engine == "PostgreSQL" && text.contains('\0');
        for query in echoes(&text) {
            match run_both_ways(c, &query, &mut wrong).await {
                Done::Rows(rows) if rows == [[Value::from(text.as_str())]] && !is_no_text => {}
                Done::Failed(ErrorKind::InvalidValue, _) if is_no_text => {}
                Done::Refused(why) if why.contains("LAG") => {}
                other => wrong.push(format!("{query}: {text:?}: {other:?}")),
            }
        }
        let insert = insert_into("canary").set("n", 2).set("v", text.as_str());
        match run(c, &insert).await {
            Done::Failed(ErrorKind::InvalidValue, _) if is_no_text => continue,
            Done::Rows(_) => {}
            other => wrong.push(format!("{text:?}: {other:?}")),
        }
        for truth in truths(&text, engine) {
            let query = select().column("v").from("canary").filter(col("n").eq(2)).filter(truth);
            match run_both_ways(c, &query, &mut wrong).await {
                Done::Rows(rows) if rows == [[Value::from(text.as_str())]] => {}
                other => wrong.push(format!("{text:?}: {other:?}: {query}")),
            }
        }
        let joined = select().column(string_agg("page", text.as_str()).ordered_by("page")).from("visits");
        match run_both_ways(c, &joined, &mut wrong).await {
            Done::Rows(rows) if rows == [[Value::from(format!("/{text}/a"))]] || text.len() > 900 => {}
            other => wrong.push(format!("{text:?} as separator: {other:?}")),
        }
        for search in [
            matches(["title", "body"], text.as_str()),
            matches(["title", "body"], text.as_str()).boolean(),
            matches(["title"], "light").language(text.as_str()),
        ] {
            let (is_boolean, is_language) = (search.mode == SearchMode::Boolean, search.language.is_some());
            match run(c, &select().column("id").from("users").filter(search.into())).await {
                Done::Rows(_) | Done::Refused(_) => {}
                // The words have a language of their own.
                Done::Failed(ErrorKind::Syntax, why) if why.contains("FTS_TERM") => {}
                Done::Failed(ErrorKind::Syntax, _) if is_boolean && engine != "PostgreSQL" => {}
                Done::NotThere | Done::Failed(ErrorKind::Syntax, _) if is_language => {}
                Done::Failed(ErrorKind::InvalidValue, _) if is_no_text => {}
                other => wrong.push(format!("{text:?} looked for: {other:?}")),
            }
        }
        let changed = update("canary")
            .set("v", col("v").concat(text.as_str()))
            .filter(col("v").eq(text.as_str()))
            .filter(col("n").eq(2));
        if text.len() < 2000 {
            assert_eq!(run(c, &changed).await, Done::Rows(Vec::new()), "{engine}: {text:?}");
        }
        let gone = delete_from("canary").filter(col("n").eq(2)).filter(col("v").starts_with(&text));
        assert_eq!(run(c, &gone).await, Done::Rows(Vec::new()), "{engine}: {text:?}");
        if !canary_sings(c).await {
            panic!("{engine}: {text:?}");
        }
    }
    assert!(wrong.is_empty(), "{engine}, {}:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

async fn hostile_remarks_change_nothing(connection: &mut Connection) {
    let c = connection;
    let engine = c.dialect().engine();
    set_out_canary(c).await;
    let mut wrong = Vec::new();
    for remark in texts() {
        let canary = || select().column("n").column("v").from("canary").filter(col("n").eq(1)).comment(remark.as_str());
        let queries = [
            canary(),
            select().columns(["n", "v"]).from(canary().alias("x")).filter(col("v").eq("sings")),
            canary().union(canary()).limit(5).comment(remark.as_str()),
            select()
                .columns(["n", "v"])
                .from("w")
                .with(cte("w", canary()))
                .filter(col("n").in_query(select().column("n").from("w").comment(remark.as_str()))),
            select().column(count_all()).column(max("v")).from(canary().limit(3).alias("x")),
        ];
        for query in queries {
            match run_both_ways(c, &query, &mut wrong).await {
                Done::Rows(rows) if rows.len() == 1 && rows[0][1] == Value::from("sings") => {}
                Done::Refused(why) if remark.contains('\0') => assert!(why.contains("NUL"), "{why}"),
                other => wrong.push(format!("{remark:?}: {other:?}")),
            }
        }
        let changes: [Box<dyn Compile>; 4] = [
            Box::new(insert_into("canary").set("n", 2).set("v", "x").comment(remark.as_str())),
            Box::new(update("canary").set("v", "y").filter(col("n").eq(2)).comment(remark.as_str())),
            Box::new(delete_from("canary").filter(col("n").eq(2)).comment(remark.as_str())),
            Box::new(insert_into("new").columns(["k", "v"]).row([1, 1]).upsert(["k"], ["v"]).comment(remark.as_str())),
        ];
        for change in changes {
            match run(c, &*change).await {
                Done::Rows(_) => {}
                Done::Refused(_) if remark.contains('\0') => {}
                other => wrong.push(format!("{remark:?}: {other:?}")),
            }
        }
        match run(c, &explain(&canary())).await {
            Done::Rows(_) => {}
            Done::Refused(_) if remark.contains('\0') => {}
            other => wrong.push(format!("{remark:?}: {other:?}")),
        }
        assert!(canary_sings(c).await, "{engine}: {remark:?}");
    }
    assert!(wrong.is_empty(), "{engine}, {}:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

async fn hostile_keys_are_keys(connection: &mut Connection) {
    let c = connection;
    let engine = c.dialect().engine();
    set_out_canary(c).await;
    let mut wrong = Vec::new();
    for key in texts() {
        let document = || col("doc");
        let text = serde_json::to_string(
            &serde_json::json!({ key.clone(): { key.clone(): key.clone() }, "list": [key.clone()] }),
        )
        .unwrap();
        let docs =
            || select().column(val(Value::Json(text.as_str().into())).cast(CastType::Json).alias("doc")).from("canary");
        let ask = |expr: Expr| select().column(expr).from(docs().alias("d"));
        let path = || JsonPath::from([key.as_str(), key.as_str()]);
        let whole = Value::from(key.as_str());
        let yes = |value: &Value| matches!(value, Value::Bool(true) | Value::Int(1));
        let (is, isnt) = (Value::Int(1), Value::Null);
        let questions: Vec<(Expr, Value)> = vec![
            (document().json_text(path()), whole.clone()),
            (document().json_text(JsonPath::from("list").index(0)), whole.clone()),
            (document().json(key.as_str()).json_text(key.as_str()), whole.clone()),
            (document().json_has(path()), is.clone()),
            (document().json_contains("list", key.as_str()), is.clone()),
            (document().json_contains(path(), key.as_str()), is.clone()),
            (document().json_length("list"), is.clone()),
            (document().json_set(path(), key.clone() + "!").json_text(path()), Value::from(key.clone() + "!")),
            (
                document()
                    .json_set(JsonPath::from("list").index(1), key.as_str())
                    .json_text(JsonPath::from("list").index(1)),
                whole.clone(),
            ),
            (document().json_set("new", key.as_str()).json_text("new"), whole.clone()),
            (document().json_remove(path()).json_text(path()), isnt),
        ];
        for (question, expected) in questions {
            match run_both_ways(c, &ask(question), &mut wrong).await {
                Done::Rows(rows)
                    if rows.len() == 1 && (rows[0][0] == expected || expected == is && yes(&rows[0][0])) => {}
                Done::Failed(ErrorKind::InvalidValue, _) if engine == "PostgreSQL" && key.contains('\0') => {}
                Done::Refused(_) => {}
                other => wrong.push(format!("{key:?}: {other:?}")),
            }
        }
        assert!(canary_sings(c).await, "{engine}: {key:?}");
    }
    assert!(wrong.is_empty(), "{engine}, {}:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}
