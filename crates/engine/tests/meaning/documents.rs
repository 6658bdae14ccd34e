//! JSON documents: read, changed, asked.

use super::answers::*;
use dbkeep_engine::Connection;
use dbkeep_sql::*;

crate::on_each_engine! {
    documents_are_read_and_changed_alike
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
    let compared: Vec<(Expr, &str)> = vec![
        (col("settings").json("i").eq(1), "1"),
        (col("settings").json("i").eq(2), "0"),
        (col("settings").json("i").ne(2), "1"),
        (col("settings").json("r").eq(1.5), "1"),
        (col("settings").json("s").eq("x"), "1"),
        (col("settings").json("s").eq("y"), "0"),
        (col("settings").json("e").eq(""), "1"),
        (col("settings").json("t").eq(true), "1"),
        (col("settings").json("t").eq(false), "0"),
        (col("settings").json("uni").eq("é😀"), "1"),
        (col("settings").json("s").in_list(["a", "x"]), "1"),
        (col("settings").json("i").in_list([7, 8]), "0"),
        (col("settings").json("missing").eq(1), "NULL"),
        (col("settings").eq(Value::Json(DOCUMENT.into())), "1"),
        (col("settings").ne(Value::Json("{}".into())), "1"),
    ];
    for (condition, expected) in compared {
        answers.ask(c, &ask(condition), &[expected], as_it_is).await;
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
