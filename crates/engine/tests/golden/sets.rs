//! Queries put together, and queries with a name.

use super::{Cases, Outcome};
use dbkeep_sql::*;

pub(super) fn add_to(cases: &mut Cases) {
    let ids = |table: &str| select().column("id").from(table);
    cases.add("either", ids("users").union(ids("orders")));
    cases.add("either, as often as they come", ids("users").union_all(ids("orders")));
    cases.add("both", ids("users").intersect(ids("orders")));
    cases.add("both, as often as they come", ids("users").intersect_all(ids("orders")));
    cases.add("one without the other", ids("users").except(ids("orders")));
    cases.add("one without the other, as often as they come", ids("users").except_all(ids("orders")));
    cases.add(
        "in the order they are said",
        ids("users")
            .union(ids("orders"))
            .intersect(ids("notes"))
            .union_all(ids("archive"))
            .except(ids("staff"))
            .order_by("id")
            .limit(3)
            .offset(1),
    );
    cases.add(
        "the second one put together",
        ids("users").except(ids("orders").union(ids("notes")).intersect(ids("staff"))),
    );
    cases.add(
        "parts with an order of their own",
        ids("users")
            .order_by("id")
            .limit(1)
            .union_all(ids("orders").order_by_desc("id").limit(1))
            .order_by(col("id").desc().nulls_first()),
    );
    cases.add(
        "among two queries",
        select().from("users").filter(col("id").in_query(ids("users").limit(9).union(ids("orders")))),
    );
    cases.add("the count of two queries", ids("users").union(ids("orders")).to_count());
    cases.add("whether one of two queries has rows", ids("users").union(ids("orders")).to_exists());
    cases.add(
        "two queries read as a table",
        select().column(max("both.id")).from(ids("users").union(ids("orders")).alias("both")),
    );
    cases.with(
        "a condition on two queries",
        ids("users").union(ids("orders")).filter(col("id").gt(1)),
        Outcome::Refused,
    );
    let adults = || select().from("users").filter(col("age").ge(18));
    cases.add("a query with a name", select().column("adults.name").from("adults").with(cte("adults", adults())));
    cases.add(
        "queries with names and columns",
        select()
            .column("n.total")
            .from("n")
            .with(cte("adults", adults()))
            .with(cte("n", select().column(count_all()).from("adults")).columns(["total"]))
            .filter(col("total").gt(0)),
    );
    cases.add("a query worked out once", select().from("adults").with(cte("adults", adults()).materialized()));
    cases.add("a query worked out in place", select().from("adults").with(cte("adults", adults()).not_materialized()));
    let boss = || select().columns(["id", "boss_id"]).from("staff").filter(col("id").eq(1));
    let below = || {
        select()
            .columns(["staff.id", "staff.boss_id"])
            .from("staff")
            .join("tree", col("staff.boss_id").eq(col("tree.id")))
    };
    let tree = || select().from("tree").with(cte("tree", boss().union_all(below())).recursive());
    cases.add("everybody below", tree().order_by("id"));
    cases.add("the count of everybody below", tree().to_count());
    cases.add("whether there is anybody below", tree().to_exists());
    cases.add(
        "a named query on both sides",
        select().column("id").from("adults").with(cte("adults", adults())).union(select().column("id").from("adults")),
    );
    cases.add(
        "an insert of a named query",
        insert_into("archive")
            .columns(["id", "name"])
            .from_select(select().column(col("id") + 100).column("name").from("adults").with(cte("adults", adults()))),
    );
    cases.add(
        "an insert of two queries",
        insert_into("archive").columns(["id"]).from_select(
            select()
                .column(col("id") + 1000)
                .from("users")
                .limit(1)
                .union(select().column(col("id") + 2000).from("orders")),
        ),
    );
}
