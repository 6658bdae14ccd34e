//! What an expression means: one value, the same on every engine.

#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

mod fixture;

use dbkeep_engine::Connection;
use dbkeep_sql::*;

on_each_engine! {
    documents_are_read_and_changed_alike
    times_are_reckoned_alike
    values_are_compared_alike
    rows_are_summed_up_alike
    queries_are_put_together_alike
    pages_follow_each_other
    taken_keys_are_treated_alike
}

/// What a query gives, a word a value, a line a row; or the clause that the engine does not know.
async fn rows(connection: &mut Connection, query: &dyn Compile) -> Result<Vec<String>, String> {
    let compiled = match query.compile(&*connection.dialect()) {
        Ok(compiled) => compiled,
        Err(error) if error.unsupported().is_some() => return Err(error.to_string()),
        Err(error) => return Ok(vec![format!("does not compile: {error}")]),
    };
    Ok(match connection.query(&compiled.sql, &compiled.params).await {
        Ok(rows) => rows.iter().map(|row| row.values().iter().map(word).collect::<Vec<_>>().join(" ")).collect(),
        Err(error) => vec![format!("failed: {error}: {}", compiled.sql)],
    })
}

/// A value as all engines have it: no booleans, no types of time, no scale.
fn word(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(value) => u8::from(*value).to_string(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Decimal(number) => shortest(number.as_str()),
        Value::Text(text) => text.as_str().to_owned(),
        Value::Json(text) => text.as_str().to_owned(),
        Value::Date(date) => date.to_string(),
        Value::DateTime(time) | Value::Timestamp(time) => time.to_string(),
        other => format!("{other:?}"),
    }
}

/// Without zeros at the end of a fraction.
fn shortest(text: &str) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

/// A table of questions and answers, all asked before the first wrong one is told.
#[derive(Default)]
struct Answers {
    wrong: Vec<String>,
    asked: usize,
    refused: Vec<String>,
}

impl Answers {
    async fn ask(
        &mut self,
        connection: &mut Connection,
        query: &dyn Compile,
        expected: &[&str],
        as_read: fn(&str) -> String,
    ) {
        self.asked += 1;
        match rows(connection, query).await {
            Err(refusal) => self.refused.push(refusal),
            Ok(found) => {
                let found: Vec<String> = found.iter().map(|row| as_read(row)).collect();
                let expected: Vec<String> = expected.iter().map(|row| as_read(row)).collect();
                if found != expected {
                    let sql = query.to_raw_sql(&*connection.dialect()).unwrap();
                    self.wrong.push(format!("found {found:?}, expected {expected:?}: {sql}"));
                }
            }
        }
    }

    fn end(self, connection: &Connection) {
        let engine = connection.dialect().engine();
        assert!(self.wrong.is_empty(), "{engine}, {} of {}:\n{}", self.wrong.len(), self.asked, self.wrong.join("\n"));
        assert!(self.refused.len() * 2 < self.asked, "{engine} refuses too much: {:?}", self.refused);
    }
}

fn as_it_is(text: &str) -> String {
    text.to_owned()
}

/// With the keys of objects in order.
fn as_json(text: &str) -> String {
    fn sorted(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Object(object) => {
                let mut entries: Vec<String> =
                    object.iter().map(|(key, value)| format!("{key:?}:{}", sorted(value))).collect();
                entries.sort();
                format!("{{{}}}", entries.join(","))
            }
            serde_json::Value::Array(list) => format!("[{}]", list.iter().map(sorted).collect::<Vec<_>>().join(",")),
            other => other.to_string(),
        }
    }
    match text {
        "NULL" => "NULL".to_owned(),
        text => serde_json::from_str(text).map_or_else(|_| format!("no JSON: {text}"), |value| sorted(&value)),
    }
}

const DOCUMENT: &str = r#"{"s": "x", "n": null, "t": true, "f": false, "i": 1, "r": 1.5, "e": "", "null": "null", "a": [1, "x", null, true, [7], {"k": 2}],
    "o": {"k": 1, "0": "zero"}, "empty": [], "uni": "é😀", "q\"k\\": 5, "a.b": 6, "": 8, "$": 9, "line\nbreak": 10, "nested": [[1]], "x'y": 11, "?": 12, "$[0]": 13, "*": 14}"#;

async fn documents_are_read_and_changed_alike(connection: &mut Connection) {
    let c = connection;
    let set = update("users")
        .set("settings", Value::Json(DOCUMENT.into()))
        .filter(col("id").eq(1))
        .compile(&*c.dialect())
        .unwrap();
    c.execute(&set.sql, &set.params).await.unwrap();
    let mut answers = Answers::default();
    let key = |key: &str| JsonPath::from(key);
    let ask = |expr: Expr| select().column(expr).from("users").filter(col("id").eq(1));
    let places = [
        (JsonPath::new(), DOCUMENT, None),
        (key("s"), r#""x""#, Some("x")),
        (key("n"), "null", Some("NULL")),
        (key("t"), "true", Some("true")),
        (key("f"), "false", Some("false")),
        (key("i"), "1", Some("1")),
        (key("r"), "1.5", Some("1.5")),
        (key("e"), r#""""#, Some("")),
        (key("null"), r#""null""#, Some("null")),
        (key("missing"), "NULL", Some("NULL")),
        (key("uni"), r#""é😀""#, Some("é😀")),
        (key("q\"k\\"), "5", Some("5")),
        (key("a.b"), "6", Some("6")),
        (key(""), "8", Some("8")),
        (key("$"), "9", Some("9")),
        (key("line\nbreak"), "10", Some("10")),
        (key("x'y"), "11", Some("11")),
        (key("?"), "12", Some("12")),
        (key("$[0]"), "13", Some("13")),
        (key("*"), "14", Some("14")),
        (key("o").key("*"), "NULL", Some("NULL")),
        (key("a").index(0), "1", Some("1")),
        (key("a").index(1), r#""x""#, Some("x")),
        (key("a").index(2), "null", Some("NULL")),
        (key("a").index(3), "true", Some("true")),
        (key("a").index(4).index(0), "7", Some("7")),
        (key("a").index(5).key("k"), "2", Some("2")),
        (key("a").index(99), "NULL", Some("NULL")),
        (key("o").key("k"), "1", Some("1")),
        (key("o").key("0"), r#""zero""#, Some("zero")),
        // An element is of an array, a key of an object, and of nothing else.
        (key("o").index(0), "NULL", Some("NULL")),
        (key("a").key("0"), "NULL", Some("NULL")),
        (key("i").index(0), "NULL", Some("NULL")),
        (key("i").index(0).index(0), "NULL", Some("NULL")),
        (key("s").key("k"), "NULL", Some("NULL")),
        (key("n").key("k"), "NULL", Some("NULL")),
        (JsonPath::new().index(0), "NULL", Some("NULL")),
        (key("a").index(0).index(0), "NULL", Some("NULL")),
    ];
    for (path, json, text) in places {
        answers.ask(c, &ask(col("settings").json(path.clone())), &[json], as_json).await;
        if let Some(text) = text {
            answers.ask(c, &ask(col("settings").json_text(path.clone())), &[text], as_it_is).await;
            answers.ask(c, &ask(val(Value::Json(DOCUMENT.into())).json_text(path.clone())), &[text], as_it_is).await;
        }
        let has = if json == "NULL" { "0" } else { "1" };
        answers.ask(c, &ask(col("settings").json_has(path.clone())), &[has], as_it_is).await;
        let length = serde_json::from_str::<serde_json::Value>(json)
            .ok()
            .and_then(|value| Some(value.as_array()?.len().to_string()));
        answers.ask(c, &ask(col("settings").json_length(path)), &[length.as_deref().unwrap_or("NULL")], as_it_is).await;
    }
    let contained: Vec<(JsonPath, Value, bool)> = vec![
        (key("a"), 1.into(), true),
        (key("a"), "x".into(), true),
        (key("a"), Value::Null, true),
        (key("a"), true.into(), true),
        (key("a"), false.into(), false),
        (key("a"), 7.into(), false),
        (key("a"), 2.into(), false),
        (key("a"), "1".into(), false),
        (key("a"), "k".into(), false),
        (key("a"), "null".into(), false),
        (key("s"), "x".into(), true),
        (key("s"), "y".into(), false),
        (key("i"), 1.into(), true),
        (key("i"), 1.0.into(), true),
        (key("i"), true.into(), false),
        (key("t"), true.into(), true),
        (key("t"), 1.into(), false),
        (key("r"), 1.5.into(), true),
        (key("n"), Value::Null, true),
        (key("null"), "null".into(), true),
        (key("null"), Value::Null, false),
        (key("o"), 1.into(), false),
        (key("o"), "k".into(), false),
        (key("empty"), 1.into(), false),
        (key("nested"), 1.into(), false),
        (key("nested").index(0), 1.into(), true),
        (key("missing"), 1.into(), false),
        (key("missing"), Value::Null, false),
        (key("i").index(0), 1.into(), false),
        (key("uni"), "é😀".into(), true),
        (JsonPath::new(), 1.into(), false),
    ];
    for (path, value, expected) in contained {
        let expected = u8::from(expected).to_string();
        let question = col("settings").json_contains(path.clone(), value.clone());
        answers.ask(c, &ask(question.clone()), &[&expected], as_it_is).await;
        let others = select().column(count_all()).from("users").filter(not(question)).filter(col("id").eq(1));
        answers.ask(c, &others, &[if expected == "1" { "0" } else { "1" }], as_it_is).await;
    }
    let mut whole: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
    let mut changed = |change: fn(&mut serde_json::Value)| {
        let before = whole.clone();
        change(&mut whole);
        std::mem::replace(&mut whole, before).to_string()
    };
    let sets: Vec<(JsonPath, Value, String)> = vec![
        (key("s"), 2.into(), changed(|d| d["s"] = 2.into())),
        (key("new"), "it's \"new\" \\ 😀".into(), changed(|d| d["new"] = "it's \"new\" \\ 😀".into())),
        (key("new"), Value::Null, changed(|d| d["new"] = serde_json::Value::Null)),
        (key("new"), true.into(), changed(|d| d["new"] = true.into())),
        (key("new"), 2.5.into(), changed(|d| d["new"] = 2.5.into())),
        (key("new"), Value::Json("{\"a\": [1]}".into()), changed(|d| d["new"] = serde_json::json!({"a": [1]}))),
        (key("q\"k\\"), 1.into(), changed(|d| d["q\"k\\"] = 1.into())),
        (key("new\"k\\\n"), 1.into(), changed(|d| d["new\"k\\\n"] = 1.into())),
        (key(""), 1.into(), changed(|d| d[""] = 1.into())),
        (key("o").key("k"), "z".into(), changed(|d| d["o"]["k"] = "z".into())),
        (key("o").key("n"), "z".into(), changed(|d| d["o"]["n"] = "z".into())),
        (key("o").key("0"), 0.into(), changed(|d| d["o"]["0"] = 0.into())),
        (key("a").index(0), 9.into(), changed(|d| d["a"][0] = 9.into())),
        (key("a").index(5).key("k"), 9.into(), changed(|d| d["a"][5]["k"] = 9.into())),
        (key("a").index(6), 9.into(), changed(|d| d["a"].as_array_mut().unwrap().push(9.into()))),
        (key("a").index(99), 9.into(), changed(|d| d["a"].as_array_mut().unwrap().push(9.into()))),
        (key("empty").index(0), 9.into(), changed(|d| d["empty"].as_array_mut().unwrap().push(9.into()))),
        (key("nested").index(0).index(0), 9.into(), changed(|d| d["nested"][0][0] = 9.into())),
        // Nothing to change.
        (key("missing").key("k"), 1.into(), changed(|_| ())),
        (key("missing").index(0), 1.into(), changed(|_| ())),
        (key("o").key("x").key("y"), 1.into(), changed(|_| ())),
        (key("o").index(0), 1.into(), changed(|_| ())),
        (key("a").key("0"), 1.into(), changed(|_| ())),
        (key("a").key("k"), 1.into(), changed(|_| ())),
        (key("i").index(0), 1.into(), changed(|_| ())),
        (key("i").index(1), 1.into(), changed(|_| ())),
        (key("i").key("k"), 1.into(), changed(|_| ())),
        (key("n").key("k"), 1.into(), changed(|_| ())),
        (key("n").index(0), 1.into(), changed(|_| ())),
        (JsonPath::new().index(0), 1.into(), changed(|_| ())),
        (JsonPath::new(), 7.into(), "7".to_owned()),
    ];
    for (path, value, expected) in sets {
        answers.ask(c, &ask(col("settings").json_set(path, value)), &[&expected], as_json).await;
    }
    let removed: Vec<(JsonPath, String)> = vec![
        (key("s"), changed(|d| drop(d.as_object_mut().unwrap().remove("s")))),
        (key("q\"k\\"), changed(|d| drop(d.as_object_mut().unwrap().remove("q\"k\\")))),
        (key("o").key("0"), changed(|d| drop(d["o"].as_object_mut().unwrap().remove("0")))),
        (key("a").index(0), changed(|d| drop(d["a"].as_array_mut().unwrap().remove(0)))),
        (key("a").index(5).key("k"), changed(|d| drop(d["a"][5].as_object_mut().unwrap().remove("k")))),
        (key("missing"), changed(|_| ())),
        (key("missing").key("k"), changed(|_| ())),
        (key("a").index(99), changed(|_| ())),
        (key("a").key("0"), changed(|_| ())),
        (key("o").index(0), changed(|_| ())),
        (key("i").index(0), changed(|_| ())),
        (key("i").key("k"), changed(|_| ())),
        (key("n").key("k"), changed(|_| ())),
    ];
    for (path, expected) in removed {
        answers.ask(c, &ask(col("settings").json_remove(path)), &[&expected], as_json).await;
    }
    // No document at all.
    let none = |expr: Expr| select().column(expr).from("users").filter(col("id").eq(3));
    for (expr, expected) in [
        (col("settings").json("a"), "NULL"),
        (col("settings").json_text("a"), "NULL"),
        (col("settings").json_has("a"), "0"),
        (col("settings").json_length("a"), "NULL"),
        (col("settings").json_contains("a", 1), "0"),
        (col("settings").json_set("a", 1), "NULL"),
        (col("settings").json_set(["a", "b"], 1), "NULL"),
        (col("settings").json_set(JsonPath::new(), 1), "NULL"),
        (col("settings").json_remove("a"), "NULL"),
    ] {
        answers.ask(c, &none(expr), &[expected], as_it_is).await;
    }
    answers.end(c);
}

async fn times_are_reckoned_alike(connection: &mut Connection) {
    let c = connection;
    let mut answers = Answers::default();
    let time = |text: &str| -> DateTime { text.parse().unwrap() };
    let date = |text: &str| -> Date { text.parse().unwrap() };
    let ask = |expr: Expr| select().column(expr).from("users").filter(col("id").eq(1));
    use DateUnit::*;
    let later = [
        ("2024-01-31 00:00:00", 1, Month, "2024-02-29 00:00:00"),
        ("2023-01-31 12:30:00.5", 1, Month, "2023-02-28 12:30:00.5"),
        ("2024-02-29 00:00:00", 1, Year, "2025-02-28 00:00:00"),
        ("2024-02-29 00:00:00", 4, Year, "2028-02-29 00:00:00"),
        ("2024-03-31 00:00:00", -1, Month, "2024-02-29 00:00:00"),
        ("2024-10-31 01:02:03", 13, Month, "2025-11-30 01:02:03"),
        ("2024-01-15 00:00:00", -13, Month, "2022-12-15 00:00:00"),
        ("2024-12-31 23:59:59.999999", 1, Second, "2025-01-01 00:00:00.999999"),
        ("2024-01-01 00:00:00.000001", -1, Second, "2023-12-31 23:59:59.000001"),
        ("2024-02-28 23:00:00", 25, Hour, "2024-03-01 00:00:00"),
        ("2024-03-01 00:00:00", -1, Minute, "2024-02-29 23:59:00"),
        ("2024-02-26 00:00:00", -1, Week, "2024-02-19 00:00:00"),
        ("2024-02-26 08:00:00", 2, Week, "2024-03-11 08:00:00"),
        ("2024-02-28 08:00:00", 2, Day, "2024-03-01 08:00:00"),
        ("2024-02-28 08:00:00", 0, Day, "2024-02-28 08:00:00"),
        ("1999-12-31 23:59:59", 3_000_000_000_i64, Second, "2095-01-24 05:19:59"),
    ];
    for (from, amount, unit, expected) in later {
        let set = update("users")
            .set("born", time(from))
            .set("g", i64::from(amount as i32))
            .filter(col("id").eq(1))
            .compile(&*c.dialect())
            .unwrap();
        c.execute(&set.sql, &set.params).await.unwrap();
        let fits = i64::from(amount as i32) == amount;
        let as_column = if fits { col("g") } else { val(amount) };
        for expr in [
            date_add("born", amount, unit),
            date_add("born", as_column.clone(), unit),
            date_sub("born", -amount, unit),
            date_sub("born", if fits { val(0) - as_column } else { val(-amount) }, unit),
            date_add(val(time(from)), amount, unit),
            date_add(val(from), amount, unit),
        ] {
            answers.ask(c, &ask(expr), &[expected], shortest).await;
        }
    }
    for (expr, expected) in [
        (date_add(val(date("2024-01-31")), 1, Month), "2024-02-29 00:00:00"),
        (date_add(val("2024-01-31"), 1, Hour), "2024-01-31 01:00:00"),
        (date_add("birthday", 1, Day), "1815-12-11 00:00:00"),
        (date_add("birthday", None::<i64>, Day), "NULL"),
        (date_add("deleted_at", 1, Day), "NULL"),
        (date_add(date_add("birthday", 1, Day), 1, Month), "1816-01-11 00:00:00"),
        (date_part(DatePart::Hour, "birthday"), "0"),
        (date_part(DatePart::Weekday, "birthday"), "7"),
        (date_part(DatePart::Year, "deleted_at"), "NULL"),
        (date_part(DatePart::Day, date_add("birthday", 1, Day)), "11"),
        (date_of("deleted_at"), "NULL"),
        (seconds_between("deleted_at", "birthday"), "NULL"),
        (seconds_between(val(date("2024-02-28")), val(date("2024-03-01"))), "172800"),
        (seconds_between(val("2024-02-28"), val("2024-02-28 00:00:01")), "1"),
    ] {
        answers.ask(c, &ask(expr), &[expected], shortest).await;
    }
    let parts = [
        ("2024-12-31 23:59:59.999999", ["2024", "12", "31", "2", "23", "59", "59"]),
        ("2024-12-29 00:00:00", ["2024", "12", "29", "7", "0", "0", "0"]),
        ("2024-12-30 12:05:09.5", ["2024", "12", "30", "1", "12", "5", "9"]),
        ("1815-12-10 01:02:03.000001", ["1815", "12", "10", "7", "1", "2", "3"]),
    ];
    for (of, expected) in parts {
        use DatePart::*;
        let set = update("users").set("born", time(of)).filter(col("id").eq(1)).compile(&*c.dialect()).unwrap();
        c.execute(&set.sql, &set.params).await.unwrap();
        for (part, expected) in [Year, Month, Day, Weekday, Hour, Minute, Second].into_iter().zip(expected) {
            for expr in [date_part(part, "born"), date_part(part, val(time(of))), date_part(part, val(of))] {
                answers.ask(c, &ask(expr), &[expected], as_it_is).await;
            }
        }
        for expr in [date_of("born"), date_of(val(time(of))), date_of(val(of))] {
            answers.ask(c, &ask(expr), &[&of[..10]], as_it_is).await;
        }
    }
    let between = [
        ("2024-01-01 00:00:00.9", "2024-01-01 00:00:02.1", "1"),
        ("2024-01-01 00:00:02.1", "2024-01-01 00:00:00.9", "-1"),
        ("2024-01-01 00:00:01.5", "2024-01-01 00:00:01", "0"),
        ("2024-01-01 00:00:00.999999", "2024-01-01 00:00:01.999999", "1"),
        ("2024-01-01 00:00:01.000001", "2024-01-01 00:00:00", "-1"),
        ("2024-02-28 12:00:00", "2024-03-01 12:00:00", "172800"),
        ("1815-12-10 00:00:00", "2024-12-10 00:00:00", "6595516800"),
    ];
    for (from, to, expected) in between {
        let set = update("users")
            .set("born", time(from))
            .set("seen", time(to))
            .filter(col("id").eq(1))
            .compile(&*c.dialect())
            .unwrap();
        c.execute(&set.sql, &set.params).await.unwrap();
        for expr in [
            seconds_between("born", "seen"),
            seconds_between(val(time(from)), val(time(to))),
            seconds_between(val(from), "seen"),
        ] {
            answers.ask(c, &ask(expr), &[expected], as_it_is).await;
        }
    }
    answers.end(c);
}

async fn values_are_compared_alike(connection: &mut Connection) {
    let c = connection;
    let mut answers = Answers::default();
    // Of Ada, Grace and Lin: nick is 'ada', NULL, NULL; a is 1, 3, NULL; b is 2, 4, NULL; c is 3, NULL, NULL.
    let holds: Vec<(Expr, &[&str])> = vec![
        (col("a").is_distinct_from(1), &["2", "3"]),
        (col("a").is_not_distinct_from(1), &["1"]),
        (col("a").is_distinct_from(None::<i64>), &["1", "2"]),
        (col("a").is_not_distinct_from(None::<i64>), &["3"]),
        (col("b").is_not_distinct_from(col("c")), &["3"]),
        (not(col("b").is_distinct_from(col("c"))), &["3"]),
        (col("a").eq(1).is_distinct_from(col("b").eq(4)), &["1", "2"]),
        (row([col("a"), col("b")]).is_not_distinct_from(row([val(1), val(2)])), &["1"]),
        (row([col("a"), col("b")]).eq(row([1, 2])), &["1"]),
        (row([col("a"), col("b")]).gt(row([1, 2])), &["2"]),
        (row([col("a"), col("b")]).ge(row([1, 2])), &["1", "2"]),
        (row([col("a"), col("b")]).lt(row([1, 3])), &["1"]),
        (row([col("a"), col("b")]).in_list([row([1, 2]), row([3, 5])]), &["1"]),
        (row([col("a"), col("b")]).not_in([row([1, 2]), row([3, 5])]), &["2"]),
        (row([col("a"), col("b")]).in_list(Vec::<Expr>::new()), &[]),
        (row([col("id"), col("a")]).in_query(select().columns(["id", "a"]).from("users").limit(2)), &["1", "2"]),
        (col("name").ilike("aDA"), &["1"]),
        (col("name").ilike("%A%"), &["1", "2"]),
        (col("name").ilike("_RACE"), &["2"]),
        (col("name").not_ilike("%A%"), &["3"]),
        (col("nick").not_ilike("x"), &["1"]),
        (col("name").contains("a"), &["1", "2"]),
        (col("name").starts_with("Gr"), &["2"]),
        (col("name").ends_with("in"), &["3"]),
        (val("50%_!\\").contains("%_!\\"), &["1", "2", "3"]),
        (val("50").contains("%"), &[]),
        (val("a\\b").ends_with("\\b"), &["1", "2", "3"]),
        (col("a").between(1, 2), &["1"]),
        (col("a").not_between(1, 2), &["2"]),
        (col("id").not_in_query(select().column("user_id").from("orders")), &["3"]),
        (col("a").not_in([1]), &["2"]),
        (col("a").eq(None::<i64>), &["3"]),
        (nullif("a", 1).is_null(), &["1", "3"]),
        (coalesce([col("a"), val(9)]).gt(2), &["2", "3"]),
        (char_length(val("é😀x")).eq(3), &["1", "2", "3"]),
        (substring(val("é😀xyz"), 2, 2).eq("😀x"), &["1", "2", "3"]),
        (replace("name", "a", "??").eq("Ad??"), &["1"]),
        (trim(val("  x ")).eq("x"), &["1", "2", "3"]),
        (upper("name").eq("ADA"), &["1"]),
        (lower("name").concat("!").concat(col("nick")).eq("ada!ada"), &["1"]),
        (col("nick").concat("x").is_null(), &["2", "3"]),
        (abs("balance").cast(CastType::Double).lt(2.5), &["1"]),
        (round("balance", 1).cast(CastType::Double).lt(-2.26), &["1"]),
        (val("12").cast(CastType::Integer).eq(col("id") + 11), &["1"]),
        (col("note").cast(CastType::Integer).gt(10), &["1"]),
        (col("id").cast(CastType::Text).eq("2"), &["2"]),
        (col("birthday").cast(CastType::Text).starts_with("1815-12-10"), &["1"]),
        (col("a").cast(CastType::Double).lt(1.5), &["1"]),
        (val("{\"a\": 1}").cast(CastType::Json).json_text("a").eq("1"), &["1", "2", "3"]),
        (val("ab").cast(CastType::Bytes).eq(Value::Bytes(b"ab".to_vec())), &["1", "2", "3"]),
        (raw_with("? + ?", [col("a") * 2, col("b") - 1]).eq(3), &["1"]),
        (sql!("coalesce(?, ?)", col("a"), 7).eq(7), &["3"]),
        (all([]), &["1", "2", "3"]),
        (any([]), &[]),
        (not(all([])), &[]),
        (case().when(col("a").gt(2), "big").when(col("a").is_null(), "none").otherwise("small").eq("none"), &["3"]),
        ((col("a") - (col("b") - col("c"))).eq(2), &["1"]),
        (((col("a") + 1) * 2 % 3).eq(1), &["1"]),
        (exists(select().from("orders").filter(col("orders.user_id").eq(col("users.id")))), &["1", "2"]),
    ];
    for (condition, expected) in holds {
        answers
            .ask(c, &select().column("id").from("users").filter(condition.clone()).order_by("id"), expected, as_it_is)
            .await;
        // As a value among the columns it is the same.
        let count = expected.len().to_string();
        let counted = select().column(count_all().filter_where(condition)).from("users");
        answers.ask(c, &counted, &[&count], as_it_is).await;
    }
    let groups: Vec<(Select, &[&str])> = vec![
        (
            select()
                .column("id")
                .from("users")
                .filter(col("a").eq(9))
                .filter(col("b").eq(9))
                .or_filter(col("id").le(2))
                .filter(col("id").ge(2)),
            &["2"],
        ),
        (
            select().column("id").from("users").filter(col("id").eq(1).or(col("id").eq(2))).filter(col("id").ge(2)),
            &["2"],
        ),
        (select().column("id").from("users").or_filter(col("id").eq(1)).or_filter(col("id").eq(3)), &["1", "3"]),
        (select().column("id").from("users").filter(all([])).or_filter(col("id").eq(1)), &["1", "2", "3"]),
        (select().column("id").from("users").filter(any([])).or_filter(col("id").eq(1)), &["1"]),
    ];
    for (query, expected) in groups {
        answers.ask(c, &query.order_by("id"), expected, as_it_is).await;
    }
    answers.end(c);
}

async fn rows_are_summed_up_alike(connection: &mut Connection) {
    let c = connection;
    let mut answers = Answers::default();
    let one = |expr: Expr| select().column(expr).from("users");
    let sums: Vec<(Expr, &str)> = vec![
        (count_all(), "3"),
        (count("a"), "2"),
        (count_distinct("role"), "2"),
        (sum("a"), "4"),
        (sum("a").filter_where(col("id").gt(5)), "NULL"),
        (count_all().filter_where(col("id").gt(5)), "0"),
        (count_all().filter_where(col("a").gt(1)), "1"),
        (count("nick").filter_where(col("id").le(2)), "1"),
        (count_distinct("role").filter_where(col("id").le(2)), "1"),
        (sum("a").filter_where(col("id").ge(2)).filter_where(col("id").le(2)), "3"),
        (max("a").filter_where(col("a").is_distinct_from(3)), "1"),
        (min("name").filter_where(col("id").ne(1)), "Grace"),
        (avg("b").cast(CastType::Integer), "3"),
        (string_agg("name", "; ").ordered_by("name"), "Ada; Grace; Lin"),
        (string_agg("name", "; ").ordered_by(col("id").desc()), "Lin; Grace; Ada"),
        (string_agg("name", "'\\\"?$1:x").ordered_by("id"), "Ada'\\\"?$1:xGrace'\\\"?$1:xLin"),
        (string_agg("name", "").ordered_by("id"), "AdaGraceLin"),
        (string_agg("name", ",").ordered_by(col("a").asc().nulls_first()), "Lin,Ada,Grace"),
        (string_agg("name", ",").ordered_by(col("a").desc().nulls_first()), "Lin,Grace,Ada"),
        (string_agg("name", ",").ordered_by(col("a").asc().nulls_last()), "Ada,Grace,Lin"),
        (string_agg("role", ",").distinct().ordered_by("role"), "admin,mentor"),
        (string_agg("role", ";").distinct().ordered_by("role"), "admin;mentor"),
        (string_agg("nick", ","), "ada"),
        (string_agg("name", ",").filter_where(col("id").le(2)).ordered_by("id"), "Ada,Grace"),
        (string_agg("name", ",").filter_where(col("id").gt(5)), "NULL"),
    ];
    for (expr, expected) in sums {
        answers.ask(c, &one(expr), &[expected], shortest).await;
    }
    let over: Vec<(Expr, &[&str])> = vec![
        (row_number().over(window().order_by(col("id").desc())), &["3", "2", "1"]),
        (rank().over(window().order_by("role")), &["1", "1", "3"]),
        (dense_rank().over(window().order_by("role")), &["1", "1", "2"]),
        (row_number().over(window().partition_by("role").order_by("id")), &["1", "2", "1"]),
        (ntile(2).over(window().order_by("id")), &["1", "1", "2"]),
        (lag("name", 1, None::<i64>).over(window().order_by("id")), &["NULL", "Ada", "Grace"]),
        (lag("name", 1, "none").over(window().order_by("id")), &["none", "Ada", "Grace"]),
        (lead("id", 2, None::<i64>).over(window().order_by("id")), &["3", "NULL", "NULL"]),
        (lead("id", 2, 0).over(window().order_by("id")), &["3", "0", "0"]),
        (first_value("name").over(window().order_by("id")), &["Ada", "Ada", "Ada"]),
        (last_value("name").over(window().order_by("id")), &["Ada", "Grace", "Lin"]),
        (
            last_value("name").over(window().order_by("id").rows(Bound::CurrentRow, Bound::UnboundedFollowing)),
            &["Lin", "Lin", "Lin"],
        ),
        (nth_value("name", 2).over(window().order_by("id")), &["NULL", "Grace", "Grace"]),
        (sum("a").over(window().order_by("id")), &["1", "4", "4"]),
        (sum("id").over(window().order_by("id").rows(Bound::Preceding(1), Bound::CurrentRow)), &["1", "3", "5"]),
        (
            sum("id").over(window().order_by("id").rows(Bound::Following(1), Bound::UnboundedFollowing)),
            &["5", "3", "NULL"],
        ),
        (sum("id").over(window().order_by("id").range(Bound::Preceding(1), Bound::Following(1))), &["3", "6", "5"]),
        (
            sum("id").over(window().order_by(col("id").desc()).range(Bound::Preceding(1), Bound::CurrentRow)),
            &["3", "5", "3"],
        ),
        (sum("id").over(window().order_by("role").groups(Bound::CurrentRow, Bound::CurrentRow)), &["3", "3", "3"]),
        (sum("id").over(window()), &["6", "6", "6"]),
        (count_all().filter_where(col("a").gt(1)).over(window()), &["1", "1", "1"]),
        (row_number().over(window().order_by(col("a").asc().nulls_last())), &["1", "2", "3"]),
        (row_number().over(window().order_by(col("a").asc().nulls_first())), &["2", "3", "1"]),
        (row_number().over(window().order_by(col("a").desc().nulls_last())), &["2", "1", "3"]),
        (row_number().over(window().order_by(col("a").desc().nulls_first())), &["3", "2", "1"]),
        (string_agg("name", ",").over(window().order_by("id")), &["Ada", "Ada,Grace", "Ada,Grace,Lin"]),
    ];
    for (expr, expected) in over {
        answers.ask(c, &one(expr).order_by("id"), expected, shortest).await;
    }
    let orders: Vec<(Order, &[&str])> = vec![
        (col("a").asc().nulls_last(), &["1", "2", "3"]),
        (col("a").asc().nulls_first(), &["3", "1", "2"]),
        (col("a").desc().nulls_last(), &["2", "1", "3"]),
        (col("a").desc().nulls_first(), &["3", "2", "1"]),
    ];
    for (order, expected) in orders {
        answers.ask(c, &select().column("id").from("users").order_by(order.clone()), expected, as_it_is).await;
        let united = select()
            .columns(["id", "a"])
            .from("users")
            .union(select().columns(["id", "a"]).from("users"))
            .order_by(order.clone())
            .alias("u");
        answers.ask(c, &select().column(count_all()).from(united), &["3"], as_it_is).await;
        let backwards: Vec<&str> = expected.iter().rev().copied().collect();
        answers.ask(c, &select().column("id").from("users").order_by(order).reversed(), &backwards, as_it_is).await;
    }
    for (query, expected) in [
        (select().column("role").from("users").group_by("role").having(count_all().ge(1)).to_count(), "2"),
        (select().from("users").limit(2).to_count(), "2"),
        (select().from("users").offset(1).to_count(), "2"),
        (select().column("id").from("users").order_by_desc("id").limit(2).to_aggregated(sum("id")), "5"),
        (select().distinct().column("role").from("users").to_aggregated(count_all()), "2"),
        (select().from("users").filter(col("id").gt(5)).to_exists(), "0"),
        (select().from("users").limit(1).to_exists(), "1"),
        (select().column(max("id")).from("users").filter(col("id").gt(5)).to_exists(), "1"),
    ] {
        answers.ask(c, &query, &[expected], as_it_is).await;
    }
    answers.end(c);
}

async fn queries_are_put_together_alike(connection: &mut Connection) {
    let c = connection;
    let mut answers = Answers::default();
    for number in 1..=6 {
        for letter in ["p", "q", "r"] {
            let is_in = match letter {
                "p" => number <= 3,
                "q" => (2..=4).contains(&number),
                _ => number % 2 == 0,
            };
            if is_in {
                let set = insert_into("archive")
                    .set("id", i64::from(number) * 10 + i64::from(letter.as_bytes()[0]))
                    .set("name", format!("{letter}{number}"))
                    .compile(&*c.dialect())
                    .unwrap();
                c.execute(&set.sql, &set.params).await.unwrap();
            }
        }
    }
    // p holds 1 2 3, q holds 2 3 4, r holds 2 4 6.
    let of = |letter: &str| {
        select().column(substring("name", 2, 1).alias("n")).from("archive").filter(col("name").starts_with(letter))
    };
    let (p, q, r) = (|| of("p"), || of("q"), || of("r"));
    let sets: Vec<(Select, &str)> = vec![
        (p().union(q()), "1 2 3 4"),
        (p().union_all(q()), "1 2 2 3 3 4"),
        (p().intersect(q()), "2 3"),
        (p().except(q()), "1"),
        (p().union_all(p()).intersect_all(q().union_all(q())), "2 2 3 3"),
        (p().union_all(p()).except_all(q()), "1 1 2 3"),
        (p().union(q()).intersect(r()), "2 4"),
        (p().union(q().intersect(r())), "1 2 3 4"),
        (p().intersect(q()).union(r()), "2 3 4 6"),
        (p().except(q()).union(r()), "1 2 4 6"),
        (p().except(q().union(r())), "1"),
        (p().except(q().except(r())), "1 2"),
        (p().except(q()).except(r()), "1"),
        (p().union_all(q()).union(r()), "1 2 3 4 6"),
        (p().union(q()).union_all(r()), "1 2 2 3 4 4 6"),
        (p().union(q().union_all(r())), "1 2 3 4 6"),
        (p().union_all(q().union(r())), "1 2 2 3 3 4 6"),
        (p().intersect(q()).except(r()), "3"),
        (p().except(r()).intersect(q()), "3"),
        (p().union(q()).except(r()).intersect(p()), "1 3"),
        (p().order_by_desc("n").limit(1).union_all(q().order_by("n").limit(1)), "2 3"),
        (p().union(q().order_by_desc("n").limit(1).offset(1)), "1 2 3"),
        (select().column("n").from(p().union(r()).alias("pr")).filter(col("n").gt("2")), "3 4 6"),
        (p().with(cte("unused", q())).union(r()), "1 2 3 4 6"),
        (p().union(select().column("n").from("w").with(cte("w", r()))), "1 2 3 4 6"),
    ];
    for (query, expected) in sets {
        let expected: Vec<&str> = expected.split(' ').collect();
        answers.ask(c, &query.clone().order_by("n"), &expected, as_it_is).await;
        let count = expected.len().to_string();
        answers.ask(c, &query.clone().to_count(), &[&count], as_it_is).await;
        // Among these rows, and as a part of another query.
        let among =
            select().column(count_all()).from("archive").filter(substring("name", 2, 1).in_query(query.clone()));
        let found = ["p1", "p2", "p3", "q2", "q3", "q4", "r2", "r4", "r6"]
            .iter()
            .filter(|name| expected.contains(&&name[1..]))
            .count();
        answers.ask(c, &among, &[&found.to_string()], as_it_is).await;
        answers.ask(c, &p().except(p()).union_all(query), &[], |_| String::new()).await;
        let length = answers.wrong.last().map_or(0, |wrong| wrong.matches("\"\"").count());
        if length == expected.len() {
            answers.wrong.pop();
        }
    }
    let boss = select().columns(["id", "boss_id"]).from("staff").filter(col("id").eq(1));
    let below = select()
        .columns(["staff.id", "staff.boss_id"])
        .from("staff")
        .join("tree", col("staff.boss_id").eq(col("tree.id")));
    answers
        .ask(
            c,
            &select().column("id").from("tree").with(cte("tree", boss.union_all(below)).recursive()).order_by("id"),
            &["1", "2", "3"],
            as_it_is,
        )
        .await;
    let numbers =
        select().column(raw("1", [])).union_all(select().column(col("n") + 1).from("numbers").filter(col("n").lt(4)));
    answers
        .ask(
            c,
            &select()
                .column("n")
                .from("numbers")
                .with(cte("numbers", numbers).columns(["n"]).recursive())
                .order_by("n"),
            &["1", "2", "3", "4"],
            as_it_is,
        )
        .await;
    let latest = select()
        .column("amount")
        .from("orders")
        .filter(col("orders.user_id").eq(col("u.id")))
        .order_by_desc("day")
        .limit(1);
    answers
        .ask(
            c,
            &select()
                .columns(["u.name", "last.amount"])
                .from(table("users").alias("u"))
                .left_join(latest.alias("last").lateral(), all([]))
                .order_by("u.id"),
            &["Ada 20", "Grace 5", "Lin NULL"],
            shortest,
        )
        .await;
    answers
        .ask(
            c,
            &select()
                .columns(["role", "name"])
                .from("users")
                .distinct_on(["role"])
                .order_by("role")
                .order_by_desc("id"),
            &["admin Grace", "mentor Lin"],
            as_it_is,
        )
        .await;
    answers
        .ask(
            c,
            &select().column("amount").from("orders").join_using("notes", ["user_id"]).order_by("amount"),
            &["5", "10", "20"],
            shortest,
        )
        .await;
    answers.end(c);
}

async fn pages_follow_each_other(connection: &mut Connection) {
    let c = connection;
    let mut id = 0;
    let mut all_keys = Vec::new();
    for a in 0..4 {
        for b in 0..4 {
            for name in ["x", "y"] {
                id += 1;
                let set = insert_into("orders")
                    .set("id", 100 + id)
                    .set("user_id", a)
                    .set("amount", b)
                    .set("state", name)
                    .set("day", "2000-01-01")
                    .compile(&*c.dialect())
                    .unwrap();
                c.execute(&set.sql, &set.params).await.unwrap();
                all_keys.push(100 + id);
            }
        }
    }
    for directions in 0..16 {
        let order =
            |at: u32, column: &str| if directions >> at & 1 == 1 { col(column).desc() } else { col(column).asc() };
        let query = select()
            .columns(["user_id", "amount", "state", "id"])
            .from("orders")
            .filter(col("id").gt(100))
            .order_by(order(0, "user_id"))
            .order_by(order(1, "amount"))
            .order_by(order(2, "state"))
            .order_by(order(3, "id"));
        let whole = rows(c, &query).await.unwrap();
        assert_eq!(whole.len(), all_keys.len());
        let compiled = query.compile(&*c.dialect()).unwrap();
        let keys: Vec<Vec<Value>> =
            c.query(&compiled.sql, &compiled.params).await.unwrap().iter().map(|row| row.values().to_vec()).collect();
        for at in [0, 1, 7, 15, 16, 30, 31] {
            let after = rows(c, &query.clone().after(keys[at].clone()).limit(5)).await.unwrap();
            assert_eq!(after, whole[at + 1..whole.len().min(at + 6)], "after {at}, {directions:04b}");
            let mut before = rows(c, &query.clone().before(keys[at].clone()).reversed().limit(5)).await.unwrap();
            before.reverse();
            assert_eq!(before, whole[at.saturating_sub(5)..at], "before {at}, {directions:04b}");
            assert_eq!(rows(c, &query.clone().before(keys[at].clone())).await.unwrap(), whole[..at]);
        }
    }
}

async fn taken_keys_are_treated_alike(connection: &mut Connection) {
    let c = connection;
    let mut answers = Answers::default();
    let visit = |page: &str, n: i64| insert_into("visits").columns(["page", "n"]).row(params![page, n]);
    let archive = || select().columns(["id", "name"]).from("archive");
    let from_archive = || insert_into("archive").columns(["id", "name"]).from_select(archive());
    let counts = || col("n") + new_value("n");
    // `/` has 3, `/a` has NULL; the archive has 1 kept.
    let cases: Vec<(Insert, Select, &[&str])> = vec![
        (
            visit("/", 4).upsert_set(["page"], [("n", counts())]),
            select().columns(["page", "n"]).from("visits"),
            &["/ 7", "/a NULL"],
        ),
        (
            visit("/b", 4).upsert_set(["page"], [("n", counts())]),
            select().columns(["page", "n"]).from("visits"),
            &["/ 3", "/a NULL", "/b 4"],
        ),
        (
            visit("/", 4).row(params!["/a", 5]).upsert(["page"], ["n"]),
            select().columns(["page", "n"]).from("visits"),
            &["/ 4", "/a 5"],
        ),
        (visit("/", 4).or_ignore(), select().columns(["page", "n"]).from("visits"), &["/ 3", "/a NULL"]),
        (visit("/", 4).upsert(["page"], [""; 0]), select().columns(["page", "n"]).from("visits"), &["/ 3", "/a NULL"]),
        (
            visit("/", 2).upsert_set(["page"], [("n", new_value("n"))]).upsert_where(col("n").lt(new_value("n"))),
            select().columns(["page", "n"]).from("visits"),
            &["/ 3", "/a NULL"],
        ),
        (
            visit("/", 4).upsert_set(["page"], [("n", new_value("n"))]).upsert_where(col("n").lt(new_value("n"))),
            select().columns(["page", "n"]).from("visits"),
            &["/ 4", "/a NULL"],
        ),
        (
            visit("/", 4).upsert_set(
                ["page"],
                [(
                    "n",
                    Expr::from(
                        select().column(max("k") + new_value("n")).from("new").filter(col("k").lt(new_value("n"))),
                    ),
                )],
            ),
            select().columns(["page", "n"]).from("visits"),
            &["/ 6", "/a NULL"],
        ),
        (
            visit("/", 4).upsert_set(
                ["page"],
                [("n", Expr::from(select().column(max("k")).from(table("new").alias("v"))) + new_value("n"))],
            ),
            select().columns(["page", "n"]).from("visits"),
            &["/ 6", "/a NULL"],
        ),
        (
            insert_into("visits")
                .columns(["page", "n"])
                .from_select(select().column("page").column(col("id")).from("visits").join("archive", all([])))
                .upsert_set(["page"], [("n", coalesce([col("n"), val(10)]) + new_value("n"))]),
            select().columns(["page", "n"]).from("visits"),
            &["/ 4", "/a 11"],
        ),
        (
            insert_into("visits")
                .columns(["page", "n"])
                .from_select(
                    select()
                        .column("page")
                        .column(val(5).cast(CastType::Integer))
                        .from("visits")
                        .union(select().column(val("/c").cast(CastType::Text)).column(val(6).cast(CastType::Integer))),
                )
                .upsert(["page"], ["n"]),
            select().columns(["page", "n"]).from("visits"),
            &["/ 5", "/a 5", "/c 6"],
        ),
        (from_archive().or_ignore(), archive(), &["1 kept"]),
        (
            from_archive().upsert_set(["id"], [("name", col("name").concat("!").concat(new_value("name")))]),
            archive(),
            &["1 kept!kept"],
        ),
        (
            insert_into("new").columns(["k", "v"]).row([1, 5]).upsert_set(["k"], [("v", col("v") + new_value("v"))]),
            select().columns(["k", "v"]).from("new"),
            &["1 6", "2 NULL"],
        ),
    ];
    for (insert, query, expected) in cases {
        let compiled = match insert.compile(&*c.dialect()) {
            Ok(compiled) => compiled,
            Err(error) => {
                assert!(error.unsupported().is_some(), "{error}");
                continue;
            }
        };
        if let Err(error) = c.execute("BEGIN", &[]).await {
            panic!("{error}");
        }
        match c.execute(&compiled.sql, &compiled.params).await {
            Ok(_) => answers.ask(c, &query.order_by(raw("1", [])), expected, as_it_is).await,
            Err(error) => answers.wrong.push(format!("failed: {error}: {}", compiled.sql)),
        }
        c.execute("ROLLBACK", &[]).await.unwrap();
    }
    answers.end(c);
}
