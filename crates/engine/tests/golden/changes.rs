//! INSERT, UPDATE, DELETE and TRUNCATE.

use super::{Cases, Outcome, users};
use dbkeep_sql::*;

pub(super) fn add_to(cases: &mut Cases) {
    cases.add(
        "an insert of one row",
        insert_into("users").set("name", "Ada").set("born", current_timestamp()).set("note", None::<String>),
    );
    cases.add(
        "an insert of several rows",
        insert_into("users").columns(["name", "age"]).row(params!["Ada", 36]).rows([params!["Grace", 45]]),
    );
    cases.add("an insert of defaults", insert_into("users").default_values());
    cases.add(
        "an insert of a query",
        insert_into("archive")
            .columns(["id", "name"])
            .from_select(select().columns(["id", "name"]).from("users").filter(col("age").gt(99))),
    );
    cases.with("an insert of too little", insert_into("users").columns(["name", "age"]).row(["Ada"]), Outcome::Refused);
    cases.with("an insert of nothing", insert_into("users").columns(["name"]), Outcome::Refused);
    let email = || insert_into("users").columns(["email", "name"]).row(["a@b.c", "Ada"]);
    cases.add("an insert that leaves out what is there", email().or_ignore());
    cases.add(
        "a query that leaves out what is there",
        insert_into("archive")
            .columns(["id", "name"])
            .from_select(select().columns(["id", "name"]).from("users"))
            .or_ignore(),
    );
    cases.add(
        "a table that leaves out what it has",
        insert_into("archive")
            .columns(["id", "name"])
            .from_select(select().columns(["id", "name"]).from("archive"))
            .or_ignore(),
    );
    cases.add(
        "an upsert",
        insert_into("users")
            .columns(["email", "name", "age"])
            .row(params!["a@b.c", "Ada", 36])
            .upsert(["email"], ["name", "age"]),
    );
    cases.add(
        "an upsert into a table called new",
        insert_into("new").columns(["k", "v"]).row([1, 2]).upsert(["k"], ["v"]),
    );
    cases.add("an upsert of nothing", email().upsert(["email"], [""; 0]));
    let user = || update("users").filter(col("id").eq(7));
    cases.add("columns set from others", user().set("age", 7).set("visits", col("age") + 1).set("name", "Ada"));
    cases.add("columns set from each other", user().set("age", col("visits")).set("visits", col("age")));
    cases.with("a column set twice", user().set("age", 7).set("age", 8), Outcome::Refused);
    cases.with("a condition that is always true", delete_from("users").filter(all([])), Outcome::Refused);
    cases.with("a list of none to leave out", delete_from("users").filter(col("id").not_in([0; 0])), Outcome::Refused);
    let visit = || insert_into("visits").columns(["page", "n"]).row(params!["/", 1]);
    cases.add("an upsert that counts", visit().upsert_set(["page"], [("n", col("n") + new_value("n"))]));
    cases.add(
        "an upsert that keeps the greater",
        visit().upsert_set(
            ["page"],
            [("n", case().when(new_value("n").gt(col("n")), new_value("n")).otherwise(col("visits.n")))],
        ),
    );
    cases.add(
        "an upsert that asks another table",
        visit().upsert_set(
            ["page"],
            [("n", Expr::from(select().column(max("k")).from("new").filter(col("v").lt(new_value("n")))))],
        ),
    );
    cases.add(
        "an upsert on a condition",
        visit()
            .upsert_set(["page"], [("n", new_value("n"))])
            .upsert_where(col("n").lt(new_value("n")))
            .upsert_where(col("n").lt(9)),
    );
    cases.with("a condition before the upsert", visit().upsert_where(col("n").lt(9)), Outcome::Refused);
    cases.with("a new value outside of an upsert", select().column(new_value("n")).from("visits"), Outcome::Refused);
    let counted =
        || select().column("name").column(count_all()).from("users").filter(col("name").is_not_null()).group_by("name");
    cases.add(
        "an upsert of a query",
        insert_into("visits")
            .columns(["page", "n"])
            .from_select(counted())
            .upsert_set(["page"], [("n", col("n") + new_value("n"))]),
    );
    cases.add(
        "an upsert of a table's own rows",
        insert_into("visits")
            .columns(["page", "n"])
            .from_select(select().column("page").column(col("n") + 1).from("visits"))
            .upsert_set(["page"], [("n", col("n") + new_value("n"))]),
    );
    cases.add(
        "an upsert of two queries",
        insert_into("new")
            .columns(["k", "v"])
            .from_select(select().columns(["k", "v"]).from("new").union(select().columns(["k", "v"]).from("new")))
            .upsert(["k"], ["v"]),
    );
    cases.add("an insert that gives back keys", insert_into("users").set("name", "Ada").returning(["id"]));
    cases.add(
        "an upsert that gives back rows",
        visit().upsert_set(["page"], [("n", col("n") + new_value("n"))]).returning([col("n").alias("count")]),
    );
    cases.add(
        "an insert with a remark",
        insert_into("users").set("name", "Ada").when(true, |i| i.comment("who? */ :name")),
    );
    cases.add(
        "an update",
        update("users")
            .set("state", "active")
            .increment("visits", 1)
            .decrement("credit", "2.5".parse::<Decimal>().unwrap())
            .filter(col("id").eq(7)),
    );
    cases.add(
        "an update of some rows or others",
        update("users")
            .set("a", 1)
            .filter(col("b").eq(2))
            .or_filter(col("c").eq(3))
            .filter(col("d").eq(4))
            .when(true, |u| u.comment("why")),
    );
    cases.add("an update of all rows", update("users").set("note", None::<String>).all_rows());
    cases.add(
        "an update by a query",
        update("users")
            .set("a", select().column(count_all()).from("orders").filter(col("orders.user_id").eq(col("users.id"))))
            .filter(col("id").eq(7)),
    );
    cases.with("an update without a condition", update("users").set("state", "active"), Outcome::Refused);
    cases.add("an update that gives back rows", update("users").set("a", 1).filter(col("id").eq(7)).returning(["*"]));
    cases.add("an update of a query's rows", users().filter(col("age").gt(18)).into_update().set("adult", true));
    cases.with(
        "an update of a limited query's rows",
        users().filter(col("age").gt(18)).limit(1).into_update().set("adult", true),
        Outcome::Refused,
    );
    cases.add(
        "a delete",
        delete_from("users").filter(col("age").lt(18)).filter(col("role").ne("admin").or(col("id").gt(7))),
    );
    cases.add("a delete of a query's rows", users().filter(col("age").gt(18)).into_delete().comment("gone"));
    cases.add("a delete of some rows or others", delete_from("users").filter(col("a").eq(1)).or_filter(col("b").eq(2)));
    cases.add("a delete of all rows", delete_from("users").all_rows());
    cases.with("a delete without a condition", delete_from("users"), Outcome::Refused);
    cases.add("a delete that gives back rows", delete_from("users").filter(col("id").eq(7)).returning(["id", "name"]));
    cases.with("a table emptied", truncate("scratch"), Outcome::EndsTransaction);
    let changed: &'static Update =
        Box::leak(Box::new(update("users").set("a", 1).filter(col("id").eq(7)).comment("how")));
    cases.add("how an update would be run", explain(changed));
}
