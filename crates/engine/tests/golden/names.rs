//! Names as hostile and as long as they come.

use super::{Cases, Outcome};
use dbkeep_sql::*;

pub(super) fn add_to(cases: &mut Cases) {
    let mut unknown = |title, query: Select| cases.with(title, query, Outcome::NoSuchName);
    unknown("a schema in front of a table", select().column("u.name").from(table("public.nothing").alias("u")));
    unknown(
        "names that would break out",
        select().column(("a`b\"c", "d.e]")).column(col("x").alias("y\" -- ; DROP TABLE `z`")).from("we\"ird`.ta'ble"),
    );
    unknown("a name of 64 characters", select().column("a".repeat(64)).from("t"));
    unknown("a name of 63 bytes in 33 characters", select().column("é".repeat(30) + "abc").from("t"));
    unknown("a name of 65 characters", select().column("a".repeat(65)).from("t"));
    unknown("names no one takes", select().columns(["", "a..b", "a.b.c.d", "a\0b"]).from("t"));
    unknown("a name that ends in a space", select().column("a ").from("😀"));
    unknown("a function no one has", select().column(function("no; such", [])).from("t"));
}
