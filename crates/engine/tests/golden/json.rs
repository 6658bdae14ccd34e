//! Inside of JSON documents.

use super::{Cases, Outcome};
use dbkeep_sql::*;

pub(super) fn add_to(cases: &mut Cases) {
    let ask = |expr: Expr| select().column(expr).from("users");
    let settings = || col("settings");
    cases.add("what is in a document", ask(settings().json(["theme", "name"])));
    cases.add(
        "an element of an array in a document",
        ask(settings().json(JsonPath::from("tags").index(0).key("a.\"b\\"))),
    );
    cases.add("a text in a document", ask(settings().json_text("theme")));
    cases.add("an element of an array as text", ask(settings().json_text(JsonPath::from("tags").index(1))));
    cases.add("a whole document as text", ask(settings().json_text(JsonPath::new())));
    cases.add("whether something is in a document", ask(settings().json_has("theme")));
    cases.add("how long an array in a document is", ask(settings().json_length("tags")));
    cases.add("whether a document holds a text", ask(settings().json_contains("tags", "x")));
    cases.add("whether a document holds a number", ask(settings().json_contains("tags", 2)));
    cases.add("whether a document holds true", ask(settings().json_contains("tags", true)));
    cases.add("whether a document holds null", ask(settings().json_contains("tags", None::<i64>)));
    cases.add("a document changed", ask(settings().json_set(["theme", "name"], "dark")));
    cases.add("an array in a document changed", ask(settings().json_set(JsonPath::from("tags").index(0), 7)));
    cases.add("a document changed at its top", ask(settings().json_set("theme", json_of(&true.into()))));
    cases.add("another document", ask(settings().json_set(JsonPath::new(), 7)));
    cases.add("a document without something", ask(settings().json_remove(["theme", "name"])));
    cases.add("a document without an element", ask(settings().json_remove(JsonPath::from("tags").index(0))));
    cases.with("a document without itself", ask(settings().json_remove(JsonPath::new())), Outcome::Refused);
    cases.add(
        "a document updated",
        update("users")
            .set("settings", settings().json_set("theme", "dark"))
            .filter(settings().json_text("theme").eq("light")),
    );
}
