//! What is read, from where, in which order.

use super::{Cases, Outcome, users};
use dbkeep_sql::*;

pub(super) fn add_to(cases: &mut Cases) {
    cases.add("all columns", users());
    cases.add("one row by key", users().filter(col("id").eq(7)));
    cases.add(
        "columns, expressions and aliases",
        select()
            .columns(["id", "u.name"])
            .column(upper("u.name").alias("loud"))
            .column((col("price") - val(1)) * (col("count") + 2))
            .column("u.*")
            .from(table("users").alias("u")),
    );
    cases.add("columns forgotten", select().columns(["id", "nonsense"]).clear_columns().column("name").from("users"));
    cases
        .add("conditions one after another", users().filter(col("a").eq(1)).filter(col("b").eq(2).and(col("c").eq(3))));
    cases.add(
        "or else",
        users().filter(col("a").eq(1)).filter(col("b").eq(2)).or_filter(col("c").eq(3)).filter(col("d").eq(4)),
    );
    cases.add("or else, of nothing", users().or_filter(col("a").eq(1).or(col("b").eq(2))).or_filter(col("c").eq(3)));
    cases.add(
        "steps of a chain",
        users().when(true, |q| q.filter(col("a").eq(1))).when(false, |q| q.limit(1)).tap(|q| q.order_by("id")),
    );
    cases.add(
        "joins",
        select()
            .from(table("users").alias("u"))
            .join("orders", col("orders.user_id").eq(col("u.id")))
            .left_join(table("notes").alias("n"), col("n.user_id").eq(col("u.id")).and(col("n.public").eq(true)))
            .cross_join("days"),
    );
    cases.add("a right join", users().right_join("orders", col("orders.user_id").eq(col("users.id"))));
    cases.add("a full join", users().full_join("orders", col("orders.user_id").eq(col("users.id"))));
    cases.add(
        "a join by columns of one name",
        select().column("amount").from("orders").join_using("notes", ["user_id"]),
    );
    cases.add(
        "groups, bound in the order of the text",
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
    );
    cases.add("subqueries", {
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
            .filter(col("u.id").in_query(paid.clone()).or(not(exists(paid.clone()))).or(col("u.id").not_in_query(paid)))
    });
    cases.add(
        "a query for each row",
        select().columns(["u.name", "last.amount"]).from(table("users").alias("u")).left_join(
            select()
                .column("amount")
                .from("orders")
                .filter(col("orders.user_id").eq(col("u.id")))
                .order_by_desc("day")
                .limit(1)
                .alias("last")
                .lateral(),
            all([]),
        ),
    );
    cases.add(
        "the first of each",
        select().columns(["role", "name"]).from("users").distinct_on(["role"]).order_by("role").order_by_desc("age"),
    );
    cases.add(
        "where NULL comes",
        users()
            .order_by(col("a").asc().nulls_last())
            .order_by(col("b").desc().nulls_first())
            .order_by(col("c").asc().nulls_first())
            .order_by(col("d").desc().nulls_last()),
    );
    cases.add(
        "where NULL comes among different rows",
        select().distinct().columns(["a", "b"]).from("users").order_by(col("a").asc().nulls_last()).order_by("b"),
    );
    cases.add("an order forgotten", users().order_by("a").clear_order().order_by_desc("id"));
    cases.add("by chance", users().order_by(random()).limit(1));
    cases.add("a limit", users().order_by("id").limit(10));
    cases.add("an offset without a limit", users().order_by("id").offset(20));
    let page = || users().order_by(col("age").desc()).order_by("name").order_by("id").limit(2);
    cases.add("behind a row", page().after(params![36, "Ada", 1]));
    cases.add("before a row, the nearest first", page().before(params![36, "Ada", 1]).reversed());
    cases.add("behind a row of one key", users().order_by("id").after(params![7]));
    cases.with("behind a row without an order", users().after(params![7]), Outcome::Refused);
    cases.with("behind a row of NULL", users().order_by("age").after([Value::Null]), Outcome::Refused);
    cases.add("an index that may be used", select().from(table("users").use_index(["users_age"])));
    cases.add(
        "an index that must be used",
        select().from(table("users").alias("u").force_index(["users_age"])).filter(col("age").gt(18)),
    );
    cases.add("indexes that are not used", select().from(table("users").ignore_index(["users_age"])));
    cases.add("no index at all", select().from(table("users").ignore_index([""; 0])));
    cases.add("no index may be used", select().from(table("users").use_index([""; 0])));
    cases.add("rows locked for an update", users().filter(col("id").eq(7)).for_update());
    cases.add("rows locked and locked ones left out", users().for_update().skip_locked().limit(1));
    cases.add("rows locked for reading", users().for_share());
    cases.add("rows locked for reading, without waiting", users().for_share().no_wait());
    cases.add(
        "rows of one table locked",
        select()
            .from(table("users").alias("u"))
            .join("orders", col("orders.user_id").eq(col("u.id")))
            .lock_of(["u"])
            .skip_locked(),
    );
    cases.add("a remark", users().filter(col("id").eq(7)).comment("who reads this? :name /* */ it's ; `here` \"now\""));
    cases.add("the count of a query", users().filter(col("age").gt(18)).order_by("name").to_count());
    cases.add("the count of a limited query", users().columns(["id", "name"]).order_by("name").limit(5).to_count());
    cases.add(
        "the count of a grouped query",
        select().column("role").from("users").group_by("role").having(count_all().gt(1)).order_by("role").to_count(),
    );
    cases.add("the count of distinct rows", select().distinct().column("role").from("users").to_count());
    cases.add("the count, with a remark", users().comment("counted").to_count());
    cases.add("a sum over a query", users().filter(col("age").gt(18)).order_by("name").to_aggregated(sum("fee")));
    cases.add(
        "a sum over a limited query",
        select().column("fee").from("users").order_by("id").limit(2).to_aggregated(sum("fee")),
    );
    cases.add("whether a query has rows", users().filter(col("age").gt(18)).order_by("name").to_exists());
    let explained: &'static Select = Box::leak(Box::new(users().filter(col("age").gt(18))));
    cases.add("how a query would be run", explain(explained));
    cases.add("how a query was run", explain(explained).analyze());
}
