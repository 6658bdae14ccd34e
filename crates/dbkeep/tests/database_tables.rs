//! The fluent face of tables, on every engine: read one, many, page by page, as a stream; written, and given back.
#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

#[macro_use]
mod database_targets;

use database_targets::Target;
use dbkeep::sql::{count_distinct, cte, exists, select, sum, table, upper};
use dbkeep::{ConnectionExt as _, Database, Error, ErrorKind, Row, Value, col, params};
use std::collections::BTreeMap;

async fn with_users(target: &Target, how_many: i64) -> Database {
    let db = target.open_with_users().await;
    let rows = (1..=how_many).map(|n| {
        let team = if n % 2 == 0 { "red" } else { "blue" };
        params![format!("user {n:03}"), team, n % 5]
    });
    db.table("users").insert_many(["name", "team", "points"], rows).await.unwrap();
    db
}

fn ids(rows: &[Row]) -> Vec<i64> {
    rows.iter().map(|row| row.get("id").unwrap()).collect()
}

on_every_engine! {
    one_row_or_none_or_an_error
    columns_are_summed_up
    conditions_are_alternatives_of_all_before
    pages_come_by_number
    pages_come_by_key
    chunks_come_while_their_rows_go
    pages_and_chunks_lose_no_row_in_silence
    a_stream_gives_all_rows_and_can_be_left
    rows_are_left_out_or_updated_by_their_key
    what_was_written_is_given_back_where_the_engine_can
    a_row_whose_key_is_no_number_is_said_to_be_stored
    a_table_is_emptied_as_a_whole
    a_plan_is_told_in_words
    one_connection_has_the_same_face
    queries_are_parts_of_others
}

async fn one_row_or_none_or_an_error(target: &Target) {
    let db = with_users(target, 3).await;
    let users = || db.table("users").select(["name"]);
    assert_eq!(users().filter(col("id").eq(2)).one_as::<String>().await.unwrap(), "user 002");
    for (condition, found) in [(col("id").eq(9), "none"), (col("id").gt(1), "2")] {
        let error = users().filter(condition).one().await.unwrap_err();
        assert_eq!(error.kind(), Some(ErrorKind::RowCount));
        assert!(error.to_string().contains(found), "{error}");
    }
    assert_eq!(users().filter(col("id").eq(9)).optional_as::<String>().await.unwrap(), None);
    assert_eq!(
        users().filter(col("id").eq(1)).optional().await.unwrap().unwrap().get::<String>(0).unwrap(),
        "user 001"
    );
    assert_eq!(users().optional().await.unwrap_err().kind(), Some(ErrorKind::RowCount));
    // A limit of none stays one.
    assert!(users().limit(0).first().await.unwrap().is_none());
    let map: BTreeMap<String, i64> =
        db.table("users").select(["id", "points"]).order_by("id").first_as().await.unwrap().unwrap();
    assert_eq!(map, BTreeMap::from([("id".to_owned(), 1), ("points".to_owned(), 1)]));
}

async fn columns_are_summed_up(target: &Target) {
    let db = with_users(target, 9).await;
    let users = || db.table("users");
    assert_eq!(users().sum::<i64>("points").await.unwrap(), Some(20));
    assert_eq!(users().min::<i64>("points").await.unwrap(), Some(0));
    assert_eq!(users().max::<String>("name").await.unwrap().as_deref(), Some("user 009"));
    assert_eq!(users().filter(col("id").gt(99)).sum::<i64>("points").await.unwrap(), None);
    assert_eq!(users().aggregate::<i64>(count_distinct("team")).await.unwrap(), Some(2));
    // Of the rows a limit leaves, in the order that says which.
    let best = users().select(["points"]).order_by(col("points").desc()).limit(2);
    assert_eq!(best.sum::<i64>("points").await.unwrap(), Some(8));
    let teams = users().select(["team"]).group_by("team");
    assert_eq!(teams.count().await.unwrap(), 2);
    assert_eq!(users().tap(|query| query.column(sum("points").alias("points"))).one_as::<i64>().await.unwrap(), 20);
}

async fn conditions_are_alternatives_of_all_before(target: &Target) {
    let db = with_users(target, 6).await;
    let query = db.table("users").filter(col("team").eq("red")).filter(col("id").gt(4)).or_filter(col("id").eq(1));
    assert_eq!(query.order_by("id").pluck::<i64>("id").await.unwrap(), [1, 6]);
    let query = db.table("users").or_filter(col("id").eq(3)).or_filter(col("id").eq(5)).filter(col("team").eq("blue"));
    assert_eq!(query.clone().filter(col("id").ne(5)).pluck::<i64>("id").await.unwrap(), [3]);
    assert_eq!(query.delete().await.unwrap(), 2);
}

async fn pages_come_by_number(target: &Target) {
    let db = with_users(target, 25).await;
    let users = db.table("users").filter(col("id").gt(2)).order_by("id");
    let page = users.paginate(3, 10).await.unwrap();
    assert_eq!((ids(&page.rows), page.total, page.pages(), page.has_more()), (vec![23, 24, 25], 23, 3, false));
    let page = users.clone().select(["name"]).paginate_as::<String>(1, 2).await.unwrap();
    assert!(page.has_more());
    assert_eq!(page.rows, ["user 003", "user 004"]);
    assert!(users.paginate(9, 10).await.unwrap().rows.is_empty());
    assert_eq!(users.paginate(0, 10).await.unwrap_err().kind(), Some(ErrorKind::InvalidValue));
    assert_eq!(users.paginate(1, 0).await.unwrap_err().kind(), Some(ErrorKind::InvalidValue));
}

async fn pages_come_by_key(target: &Target) {
    let db = with_users(target, 23).await;
    let users = db.table("users").order_by(col("points").desc()).order_by("team").order_by(col("id").desc());
    let (mut after, mut seen, mut sizes) = (None, Vec::new(), Vec::new());
    loop {
        let page = users.keyset_page(5, after).await.unwrap();
        sizes.push(page.rows.len());
        seen.extend(ids(&page.rows));
        // A row that is new before the page shifts nothing.
        db.table("users")
            .insert([("name", format!("new {}", seen.len()).into()), ("team", "a".into()), ("points", 99.into())])
            .await
            .unwrap();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [5, 5, 5, 5, 3]);
    let all = users.filter(col("points").lt(99)).pluck::<i64>("id").await.unwrap();
    assert_eq!(seen, all);
    let unordered = db.table("users").keyset_page(5, None).await.unwrap_err();
    assert!(unordered.to_string().contains("order"), "{unordered}");
    let unread = db.table("users").select(["name"]).order_by("id").keyset_page(5, None).await.unwrap_err();
    assert!(unread.to_string().contains("the column id of the order is not among the columns"), "{unread}");
    let wrong = db.table("users").order_by("id").keyset_page(5, Some(params![1, 2])).await.unwrap_err();
    assert!(wrong.to_string().contains("value for each column"), "{wrong}");
}

async fn chunks_come_while_their_rows_go(target: &Target) {
    let db = with_users(target, 23).await;
    let red = db.table("users").filter(col("team").eq("red"));
    let mut chunks = red.chunk_by_id("id", 4);
    let mut sizes = Vec::new();
    while let Some(rows) = chunks.next().await.unwrap() {
        sizes.push(rows.len());
        assert_eq!(db.table("users").filter(col("id").in_list(ids(&rows))).delete().await.unwrap(), rows.len() as u64);
    }
    assert_eq!(sizes, [4, 4, 3]);
    assert_eq!(red.count().await.unwrap(), 0);
    let mut blue = db.table("users").select(["id", "name"]).chunk_by_id("users.id", 12);
    assert_eq!(blue.next_as::<(i64, String)>().await.unwrap().unwrap().len(), 12);
    assert_eq!(blue.next().await.unwrap(), None);
    let error = db.table("users").select(["name"]).chunk_by_id("id", 4).next().await.unwrap_err();
    assert!(error.to_string().contains("the column id of the order is not among the columns"), "{error}");
}

async fn pages_and_chunks_lose_no_row_in_silence(target: &Target) {
    let db = with_users(target, 12).await;
    let pairs = db.table(table("users").alias("u")).join(table("users").alias("o"), col("u.team").eq(col("o.team")));
    let chosen = pairs.clone().select(["u.id", "u.name"]).select([col("o.id").alias("other")]);
    let hidden = chosen.clone().select([upper("o.name").alias("name")]).order_by("u.name");
    // The key is not the column of that name in the row, or is one of two.
    for (query, key) in [(&pairs, "o.id"), (&chosen, "o.id"), (&hidden, "u.name")] {
        let error = query.chunk_by_id(key, 5).next().await.unwrap_err();
        assert!(error.to_string().contains("of the order is"), "{error}");
        let error = query.clone().clear_order().order_by(key).keyset_page(5, None).await.unwrap_err();
        assert!(error.to_string().contains("of the order is"), "{error}");
    }
    let good = pairs.select(["o.id"]).select([col("u.id").alias("one")]).filter(col("u.id").eq(1));
    let mut chunks = good.chunk_by_id("o.id", 4);
    assert_eq!(chunks.next().await.unwrap().unwrap().len(), 4);
    assert_eq!(chunks.next().await.unwrap().unwrap().len(), 2);
    assert!(chunks.next().await.unwrap().is_none());

    // NULL comes first, or behind all that a page can begin at.
    db.table("users").filter(col("id").gt(9)).update([("team", None::<&str>)]).await.unwrap();
    let users = db.table("users");
    for order in [col("team").asc(), col("team").desc()] {
        let users = users.clone().order_by(order).order_by("id");
        let (mut seen, mut after, mut lost) = (0, None, None);
        loop {
            match users.keyset_page(4, after).await {
                Ok(page) => {
                    seen += page.rows.len();
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                Err(error) => {
                    lost = Some(error);
                    break;
                }
            }
        }
        assert!(lost.is_some_and(|lost| lost.to_string().contains("NULL")) || seen == 12, "{seen}");
    }
    let mut chunks = users.filter(col("id").in_list([1, 2, 10])).chunk_by_id("team", 2);
    let (mut seen, mut lost) = (0, None);
    loop {
        match chunks.next().await {
            Ok(Some(rows)) => seen += rows.len(),
            Ok(None) => break,
            Err(error) => {
                lost = Some(error);
                break;
            }
        }
    }
    assert!(lost.is_some_and(|lost| lost.to_string().contains("NULL")) || seen == 3, "{seen}");
}

async fn a_stream_gives_all_rows_and_can_be_left(target: &Target) {
    let db = with_users(target, 500).await;
    let mut rows = db.table("users").order_by("id").stream();
    let mut seen = Vec::new();
    while let Some(row) = rows.next().await {
        seen.push(row.unwrap().get::<i64>("id").unwrap());
    }
    assert!(rows.next().await.is_none());
    assert_eq!(seen, (1..=500).collect::<Vec<_>>());
    // However much of its turn the task has had: the runtime ends it after 128 steps, wherever that is.
    for steps in (0..128).step_by(4) {
        for _ in 0..steps {
            tokio::task::coop::consume_budget().await;
        }
        let mut rows = db.table("users").order_by("id").limit(100).stream();
        let mut seen = 0;
        while let Some(row) = rows.next().await {
            row.unwrap();
            seen += 1;
        }
        assert_eq!(seen, 100, "after {steps} steps");
    }
    // More are left early than there are connections.
    for _ in 0..20 {
        let mut rows = db.table("users").order_by("id").stream();
        assert_eq!(rows.next().await.unwrap().unwrap().get::<i64>("id").unwrap(), 1);
    }
    let mut wrong = db.table("users").filter(col("no_such_column").eq(1)).stream();
    assert_eq!(wrong.next().await.unwrap().unwrap_err().kind(), Some(ErrorKind::NotFound));
    assert!(wrong.next().await.is_none());
    let mut unbuildable = db.table("users").filter(col("").eq(1)).stream();
    assert!(unbuildable.next().await.unwrap().is_err());
}

async fn rows_are_left_out_or_updated_by_their_key(target: &Target) {
    let db = with_users(target, 3).await;
    let rows = [params!["user 002", 77], params!["user 004", 4]];
    let counted = db.table("users").insert_or_ignore(["name", "points"], rows).await.unwrap();
    // MySQL and MariaDB count the row that stays as it is.
    assert_eq!(counted, if db.server().engine == "mysql" { 2 } else { 1 });
    let points: Vec<i64> = db.table("users").order_by("id").pluck("points").await.unwrap();
    assert_eq!(points, [1, 2, 3, 4]);
    let rows = [params!["user 001", "green", 11], params!["user 005", "green", 5]];
    db.table("users").upsert_columns(["name", "team", "points"], rows, ["name"], ["points"]).await.unwrap();
    let teams: Vec<Option<String>> = db.table("users").order_by("name").pluck("team").await.unwrap();
    assert_eq!(teams[0].as_deref(), Some("blue"));
    assert_eq!(db.table("users").order_by("name").pluck::<i64>("points").await.unwrap(), [11, 2, 3, 4, 5]);
    // From a query, too, whose rows may be there already.
    let copy = select().columns(["name", "points"]).from("users");
    let same = dbkeep::sql::insert_into("users").columns(["name", "points"]).from_select(copy).or_ignore();
    db.run(&same).await.unwrap();
    assert_eq!(db.table("users").count().await.unwrap(), 5);
    let changed = db.table("users").select([col("name").concat("!").alias("name"), col("points").alias("points")]);
    assert_eq!(db.table("users").insert_from(["name", "points"], &changed).await.unwrap(), 5);
    assert_eq!(db.table("users").filter(col("name").ends_with("!")).sum::<i64>("points").await.unwrap(), Some(25));
}

async fn what_was_written_is_given_back_where_the_engine_can(target: &Target) {
    let db = with_users(target, 2).await;
    let can = db.server().capabilities;
    let before = db.stats().statements;
    let unsupported = |error: Error| {
        assert!(error.to_string().contains("does not know"), "{error}");
        assert_eq!(db.stats().statements, before, "nothing was sent");
    };
    let rows = [params!["a", 1], params!["b", 2]];
    match db.table("users").insert_returning(["name", "points"], rows, ["id", "name"]).await {
        Ok(rows) if can.insert_returning => {
            assert_eq!(ids(&rows), [3, 4]);
            assert_eq!(rows[1].get::<String>("name").unwrap(), "b");
        }
        outcome => unsupported(outcome.unwrap_err()),
    }
    match db.table("users").filter(col("id").eq(1)).update_returning([("points", 50)], ["points"]).await {
        Ok(rows) if can.update_returning => assert_eq!(rows[0].get::<i64>(0).unwrap(), 50),
        outcome => assert!(outcome.unwrap_err().to_string().contains("does not know")),
    }
    match db.table("users").filter(col("id").eq(2)).delete_returning(["name"]).await {
        Ok(rows) => assert_eq!(rows[0].get::<String>(0).unwrap(), "user 002"),
        Err(error) => assert!(error.to_string().contains("does not know")),
    }
    assert!(db.table("users").delete_returning(["name"]).await.unwrap_err().to_string().contains("no condition"));
}

async fn a_row_whose_key_is_no_number_is_said_to_be_stored(target: &Target) {
    let db = target.open_with_users().await;
    let made = |t: &mut dbkeep::sql::Blueprint| {
        t.uuid("id").primary();
        t.integer("n");
    };
    db.schema().create("keyed", made).await.unwrap();
    let key = Value::Uuid("67e55044-10b1-426f-9247-bb680e5fe0c8".parse().unwrap());
    let error = db.table("keyed").insert_get_id([("id", key), ("n", 1.into())], "id").await.unwrap_err();
    assert!(error.to_string().starts_with("the row is stored, but "), "{error}");
    let returns = db.server().capabilities.insert_returning;
    assert!(error.hint().unwrap().contains(if returns { "insert_returning" } else { "give the key yourself" }));
    assert_eq!(db.table("keyed").count().await.unwrap(), 1);
    if returns {
        let row = [("id", Value::Int(-7)), ("name", "Ada".into())];
        let error = db.table("users").insert_get_id(row, "id").await.unwrap_err();
        assert_eq!(error.kind(), Some(ErrorKind::Decode));
        assert!(error.to_string().starts_with("the row is stored, but "), "{error}");
        assert_eq!(db.table("users").filter(col("id").eq(-7)).count().await.unwrap(), 1);
    }
}

async fn a_table_is_emptied_as_a_whole(target: &Target) {
    let db = with_users(target, 5).await;
    let error = db.table("users").filter(col("id").eq(1)).truncate().await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::InvalidValue));
    assert_eq!(db.table("users").count().await.unwrap(), 5);
    db.table("users").truncate().await.unwrap();
    assert_eq!(db.table("users").count().await.unwrap(), 0);
    assert_eq!(db.table("users").insert_get_id([("name", Value::from("x"))], "id").await.unwrap(), 1);
}

async fn a_plan_is_told_in_words(target: &Target) {
    let db = with_users(target, 5).await;
    let query = db.table("users").filter(col("points").eq(3));
    let plan = query.explain().await.unwrap();
    assert!(plan.to_lowercase().contains("users"), "{plan}");
    match query.explain_analyze().await {
        Ok(plan) => assert!(plan.to_lowercase().contains("users") || plan.contains("rows"), "{plan}"),
        Err(error) => assert!(error.to_string().contains("EXPLAIN ANALYZE"), "{error}"),
    }
    assert!(query.to_sql().unwrap().sql.starts_with("SELECT * FROM "));
    assert!(query.to_raw_sql().unwrap().ends_with(" = 3"));
}

async fn one_connection_has_the_same_face(target: &Target) {
    let db = with_users(target, 3).await;
    let sum = db
        .transaction(async |tx| {
            tx.table("users").filter(col("id").eq(1)).increment("points", 10).await?;
            let rows = (10..1_000).map(|n| params![format!("more {n}"), n]);
            // In one transaction already: a savepoint of it.
            tx.table("users").insert_many(["name", "points"], rows).await?;
            let query = tx.table("users");
            let (count, exists) = futures_util::future::join(query.count(), query.exists()).await;
            assert_eq!((count?, exists?), (993, true));
            let rows = (1_000..1_010).map(|n| params![format!("more {n}"), n]);
            assert_eq!(tx.table("users").bulk_insert(["name", "points"], rows).await?, 10);
            let users = tx.table("users");
            let mut stream = users.clone().order_by("id").stream();
            assert!(stream.next().await.unwrap().is_ok());
            // It would wait for whoever waits for it.
            let error = users.count().await.unwrap_err();
            assert!(error.to_string().contains("in the middle of a stream"), "{error}");
            drop(stream);
            users.count().await?;
            tx.table("users").filter(col("points").ge(10)).filter(col("id").gt(1)).delete().await?;
            tx.table("users").sum::<i64>("points").await
        })
        .await
        .unwrap();
    assert_eq!(sum, Some(16));
    let undone: Result<(), Error> = db
        .transaction(async |tx| {
            tx.table("users").all_rows().delete().await?;
            tx.run(&dbkeep::sql::insert_into("users").set("name", "left")).await?;
            assert_eq!(tx.fetch(&select().from("users")).await?.len(), 1);
            Err(dbkeep::Error::settings("undo"))
        })
        .await;
    assert!(undone.is_err());
    assert_eq!(db.table("users").count().await.unwrap(), 3);
}

async fn queries_are_parts_of_others(target: &Target) {
    let db = with_users(target, 6).await;
    let best = db
        .table("users")
        .select(["team"])
        .tap(|query| query.column(dbkeep::sql::max("points").alias("best")))
        .group_by("team");
    let leaders = db
        .table(table("users").alias("u"))
        .select(["u.id"])
        .join(best.to_query().alias("b"), col("b.team").eq(col("u.team")).and(col("b.best").eq(col("u.points"))))
        .order_by("u.id");
    assert_eq!(leaders.get_as::<i64>().await.unwrap(), [3, 4]);
    let others = db.table("users").filter(!exists(db.table("users").tap(|query| {
        select().from(table("users").alias("o")).filter(col("o.id").gt(col("users.id"))).when(false, |_| query)
    })));
    assert_eq!(others.pluck::<i64>("id").await.unwrap(), [6]);
    let named = db.table("red").with(cte("red", db.table("users").filter(col("team").eq("red")))).order_by("id");
    assert_eq!(named.pluck::<i64>("id").await.unwrap(), [2, 4, 6]);
    assert_eq!(named.count().await.unwrap(), 3);
}
