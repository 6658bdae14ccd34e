//! Queries put together, pages of them, keys that are taken.

use super::answers::*;
use dbkeep_engine::Connection;
use dbkeep_sql::*;

crate::on_each_engine! {
    queries_are_put_together_alike
    rows_are_grouped_by_expressions_with_values
    pages_follow_each_other
    taken_keys_are_treated_alike
}

async fn rows_are_grouped_by_expressions_with_values(connection: &mut Connection) {
    let c = connection;
    let mut answers = Answers::default();
    let users = || select().from("users");
    let kind = || case().when(col("id").eq(2), "second").otherwise("other");
    let known = || coalesce([col("nick"), val("none")]);
    let queries: Vec<(Select, &[&str])> = vec![
        (
            users().column(col("id") % 2).column(count_all()).group_by(col("id") % 2).order_by(col("id") % 2),
            &["0 1", "1 2"],
        ),
        (
            users().column(count_all()).column(kind().alias("kind")).group_by(kind()).order_by(kind().desc()),
            &["1 second", "2 other"],
        ),
        (users().column(known()).column(count_all()).group_by(known()).order_by(known()), &["ada 1", "none 2"]),
        (users().distinct().column(col("id") % 2).order_by((col("id") % 2).desc()), &["1", "0"]),
        (
            users()
                .column("id")
                .column((col("id") + 1).alias("next"))
                .group_by("id")
                .group_by(col("id") + 1)
                .order_by("id"),
            &["1 2", "2 3", "3 4"],
        ),
    ];
    for (query, expected) in queries {
        answers.ask(c, &query, expected, as_it_is).await;
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
        // As a part of another query: as many rows, in any order.
        let as_many = vec![""; expected.len()];
        answers.ask(c, &p().except(p()).union_all(query), &as_many, |_| String::new()).await;
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
