//! A database's statements: text and parameters, tables, rows in and out, on every engine.
#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

#[macro_use]
mod database_targets;

use database_targets::{Target, placed};
use dbkeep::engine::Location;
use dbkeep::{Database, ErrorKind, Role, Row, Settings, Value, col, params};
use dbkeep_testkit::Kind;
use serde::Deserialize;
use std::time::Duration;

#[derive(Debug, PartialEq, Deserialize)]
struct User {
    name: String,
    team: Option<String>,
    points: i64,
}

fn user(name: &str, team: Option<&str>, points: i64) -> User {
    User { name: name.to_owned(), team: team.map(str::to_owned), points }
}

async fn with_three(target: &Target) -> Database {
    let db = target.open_with_users().await;
    let rows = [("Ada", Some("red"), 3), ("Bob", Some("blue"), 1), ("Cyd", Some("red"), 2)];
    let rows = rows.map(|(name, team, points)| [Value::from(name), Value::from(team), Value::from(points)]);
    let done = db.table("users").insert_many(["name", "team", "points"], rows).await.unwrap();
    assert_eq!(done, 3);
    db
}

on_every_engine! {
    a_database_knows_what_it_is
    statements_run_with_parameters_and_without
    rows_become_structs_tuples_and_values
    one_row_is_wanted_and_anything_else_is_an_error
    a_table_is_read_in_every_way
    counting_heeds_groups_limits_and_distinct
    rows_are_inserted_with_keys_made_by_the_server
    many_rows_go_in_at_once_or_not_at_all
    an_upsert_inserts_what_is_new_and_updates_the_rest
    changes_without_a_condition_are_refused
    a_lease_streams_and_comes_back
    a_violated_constraint_is_named_by_kind
    what_cannot_be_built_sends_nothing
    errors_say_what_to_do_next
    an_error_names_the_line_and_the_statement
}

async fn a_database_knows_what_it_is(target: &Target) {
    let settings = target.settings().named("shop").pool_size(0, 3);
    let db = Database::open(settings).await.unwrap();
    assert_eq!((db.name(), db.settings().name.as_str()), ("shop", "shop"));
    assert_eq!((db.pool_stats().max(), db.pool_stats().size()), (3, 1), "one connection proves the settings");
    assert_eq!(db.server().engine, db.options().engine.name());
    let health = db.health().await.unwrap();
    assert_eq!((health.role, &health.server, health.pool.in_use()), (Role::Primary, db.server(), 1));
    assert!(health.latency < Duration::from_secs(5));
    let shown = format!("{db:?} {:?}", db.settings());
    assert!(!shown.contains("k3ep") && !shown.contains("3ep:s@fe"), "{shown}");
    assert!(db.close().await.is_empty());
    let error = db.query("SELECT 1", []).await.unwrap_err();
    assert!(error.is_acquire() && !error.is_timeout(), "{error}");
}

async fn statements_run_with_parameters_and_without(target: &Target) {
    let db = target.open_with_users().await;
    let done = db
        .execute(&placed(&db, "INSERT INTO users (name, points) VALUES (?, ?), (?, ?)"), params!["Ada", 1, "Bob", 2])
        .await
        .unwrap();
    assert_eq!(done.rows_affected, 2);
    let done = db.execute("UPDATE users SET points = points + 1", []).await.unwrap();
    assert_eq!(done.rows_affected, 2);
    let sql = placed(&db, "SELECT name FROM users WHERE points > ? ORDER BY id");
    // Parameters may be lent or given, as an array, a slice or a list.
    let given: Vec<Value> = params![1];
    for rows in [
        db.query(&sql, params![1]).await,
        db.query(&sql, &params![1]).await,
        db.query(&sql, given.as_slice()).await,
        db.query(&sql, given).await,
    ] {
        let names: Vec<String> = rows.unwrap().iter().map(|row| row.get("name").unwrap()).collect();
        assert_eq!(names, ["Ada", "Bob"]);
    }
    db.script("DELETE FROM users; INSERT INTO users (name) VALUES ('a;b'); -- the end").await.unwrap();
    assert_eq!(db.query_one("SELECT name FROM users", []).await.unwrap().get::<String>(0).unwrap(), "a;b");
    let error = db.query(&sql, []).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::InvalidValue), "{error}");
}

async fn rows_become_structs_tuples_and_values(target: &Target) {
    let db = with_three(target).await;
    let sql = "SELECT name, team, points FROM users ORDER BY name";
    let users: Vec<User> = db.query_as(sql, []).await.unwrap();
    assert_eq!(users, [user("Ada", Some("red"), 3), user("Bob", Some("blue"), 1), user("Cyd", Some("red"), 2)]);
    let tuples: Vec<(String, Option<String>, u8)> = db.query_as(sql, []).await.unwrap();
    assert_eq!(tuples[1], ("Bob".into(), Some("blue".into()), 1));
    let names: Vec<String> = db.query_as("SELECT name FROM users ORDER BY name", []).await.unwrap();
    assert_eq!(names, ["Ada", "Bob", "Cyd"]);
    let sum: Vec<i64> = db.query_as("SELECT SUM(points) FROM users", []).await.unwrap();
    assert_eq!(sum, [6]);
    let error = db.query_as::<(i64,)>("SELECT name FROM users WHERE points = 3", []).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::Decode));
    assert_eq!(error.engine().unwrap().to_string(), r#"column "name": wanted i64, found text"#);
    assert_eq!(error.hint(), Some("the columns are: name"));
}

async fn one_row_is_wanted_and_anything_else_is_an_error(target: &Target) {
    let db = with_three(target).await;
    let sql = |least: i64| format!("SELECT name FROM users WHERE points >= {least}");
    assert_eq!(db.query_one(&sql(3), []).await.unwrap().get::<String>(0).unwrap(), "Ada");
    assert!(db.query_opt(&sql(3), []).await.unwrap().is_some());
    assert!(db.query_opt(&sql(4), []).await.unwrap().is_none());
    for (error, message) in [
        (db.query_one(&sql(4), []).await.unwrap_err(), "wanted one row, found none"),
        (db.query_one(&sql(1), []).await.unwrap_err(), "wanted one row, found 3"),
        (db.query_opt(&sql(1), []).await.unwrap_err(), "wanted one row, found 3"),
    ] {
        let told = error.engine().unwrap().to_string();
        assert_eq!((error.kind(), told.as_str()), (Some(ErrorKind::RowCount), message));
    }
}

async fn a_table_is_read_in_every_way(target: &Target) {
    let db = with_three(target).await;
    let red = db.table("users").filter(col("team").eq("red"));
    let names = |rows: Vec<Row>| rows.iter().map(|row| row.get::<String>("name").unwrap()).collect::<Vec<_>>();
    assert_eq!(names(red.clone().order_by(col("points").desc()).get().await.unwrap()), ["Ada", "Cyd"]);
    let users: Vec<User> = red.clone().select(["name", "team", "points"]).order_by("points").get_as().await.unwrap();
    assert_eq!(users, [user("Cyd", Some("red"), 2), user("Ada", Some("red"), 3)]);
    let by_points = || db.table("users").order_by("points");
    assert_eq!(by_points().first().await.unwrap().unwrap().get::<String>("name").unwrap(), "Bob");
    assert_eq!(by_points().select(["name"]).offset(1).limit(1).get_as::<String>().await.unwrap(), ["Cyd"]);
    assert_eq!(by_points().select(["name"]).first_as::<String>().await.unwrap(), Some("Bob".into()));
    assert_eq!(by_points().filter(col("points").gt(9)).first().await.unwrap(), None);
    assert_eq!(by_points().value::<String>("name").await.unwrap(), Some("Bob".into()));
    assert_eq!(by_points().filter(col("points").gt(9)).value::<String>("name").await.unwrap(), None);
    assert_eq!(by_points().pluck::<i64>("points").await.unwrap(), [1, 2, 3]);
    assert_eq!(
        db.table("users").distinct().select(["team"]).order_by("team").get_as::<String>().await.unwrap(),
        ["blue", "red"]
    );
    assert!(red.exists().await.unwrap());
    assert!(!red.clone().filter(col("points").gt(3)).exists().await.unwrap());
    assert_eq!(red.clone().when(true, |query| query.limit(1)).get().await.unwrap().len(), 1);
    assert_eq!(red.clone().when(false, |query| query.limit(1)).get().await.unwrap().len(), 2);
    db.script(
        "CREATE TABLE teams (team VARCHAR(20) NOT NULL, place VARCHAR(20)); INSERT INTO teams VALUES ('red', 'north')",
    )
    .await
    .unwrap();
    let joined =
        |query: dbkeep::TableQuery<'_>| query.select(["users.name", "teams.place"]).order_by("users.name").to_query();
    let on = || col("teams.team").eq(col("users.team"));
    let inner = db.fetch(&joined(db.table("users").join("teams", on()))).await.unwrap();
    assert_eq!(inner.iter().map(|row| row.decode::<(String, String)>().unwrap().0).collect::<Vec<_>>(), ["Ada", "Cyd"]);
    let left = db.fetch(&joined(db.table("users").left_join("teams", on()))).await.unwrap();
    assert_eq!(left[1].decode::<(String, Option<String>)>().unwrap(), ("Bob".into(), None));
}

async fn counting_heeds_groups_limits_and_distinct(target: &Target) {
    let db = with_three(target).await;
    let users = || db.table("users");
    assert_eq!(users().count().await.unwrap(), 3);
    assert_eq!(users().filter(col("team").eq("red")).count().await.unwrap(), 2);
    assert_eq!(users().filter(col("team").eq("green")).count().await.unwrap(), 0);
    assert_eq!(users().limit(2).count().await.unwrap(), 2);
    assert_eq!(users().limit(2).offset(2).count().await.unwrap(), 1);
    assert_eq!(users().order_by("points").count().await.unwrap(), 3);
    assert_eq!(users().select(["team"]).group_by("team").count().await.unwrap(), 2, "groups, not rows");
    assert_eq!(users().select(["team"]).distinct().count().await.unwrap(), 2);
}

async fn rows_are_inserted_with_keys_made_by_the_server(target: &Target) {
    let db = target.open_with_users().await;
    let done = db.table("users").insert([("name", Value::from("Ada"))]).await.unwrap();
    assert_eq!(done.rows_affected, 1);
    let key =
        db.table("users").insert_get_id([("name", Value::from("Bob")), ("points", 7.into())], "id").await.unwrap();
    assert_eq!(key, 2);
    assert_eq!(db.table("users").filter(col("id").eq(key)).value::<i64>("points").await.unwrap(), Some(7));
    // A hostile value is data, and a hostile name is a name that does not exist.
    db.table("users").insert([("name", Value::from("x'); DROP TABLE users; --"))]).await.unwrap();
    assert_eq!(db.table("users").count().await.unwrap(), 3);
    let error = db.table("users").insert([("na\"me`]", Value::from("x"))]).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::NotFound), "{error}");
}

async fn many_rows_go_in_at_once_or_not_at_all(target: &Target) {
    let db = target.open_with_users().await;
    // More parameters than any engine takes in one statement.
    const ROWS: i64 = 40_000;
    let row = |number: i64| [Value::from(format!("user {number}")), number.into()];
    let done = db.table("users").insert_many(["name", "points"], (0..ROWS).map(row)).await.unwrap();
    assert_eq!(done, ROWS as u64);
    assert_eq!(db.table("users").count().await.unwrap(), ROWS as u64);
    let sum: i64 = db.query_as("SELECT SUM(points) FROM users", []).await.unwrap()[0];
    assert_eq!(sum, ROWS * (ROWS - 1) / 2);
    // The last row is there already: none of the others stays.
    let again = (ROWS..2 * ROWS).chain([0]).map(row);
    let error = db.table("users").insert_many(["name", "points"], again).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::UniqueViolation));
    assert_eq!(db.table("users").count().await.unwrap(), ROWS as u64);
    let before = db.stats().statements;
    let none: [[Value; 2]; 0] = [];
    assert_eq!(db.table("users").insert_many(["name", "points"], none).await.unwrap(), 0);
    assert_eq!(db.stats().statements, before, "no rows are no statement");
    let uneven = [vec![Value::from("a"), 1.into()], vec!["b".into()]];
    let error = db.table("users").insert_many(["name", "points"], uneven).await.unwrap_err();
    assert_eq!((error.kind(), db.stats().statements), (None, before), "{error}");
}

async fn an_upsert_inserts_what_is_new_and_updates_the_rest(target: &Target) {
    let db = with_three(target).await;
    let rows = [("Ada", "green", 10), ("Dan", "green", 4)]
        .map(|(name, team, points)| [name.into(), team.into(), Value::from(points)]);
    db.table("users").upsert(["name", "team", "points"], rows, ["name"]).await.unwrap();
    let users: Vec<User> =
        db.table("users").select(["name", "team", "points"]).order_by("name").get_as().await.unwrap();
    assert_eq!(
        users,
        [
            user("Ada", Some("green"), 10),
            user("Bob", Some("blue"), 1),
            user("Cyd", Some("red"), 2),
            user("Dan", Some("green"), 4)
        ]
    );
    // With nothing to update, what is there stays.
    db.table("users").upsert(["name"], [[Value::from("Ada")], ["Eve".into()]], ["name"]).await.unwrap();
    assert_eq!(db.table("users").filter(col("name").eq("Ada")).value::<i64>("points").await.unwrap(), Some(10));
    assert_eq!(db.table("users").count().await.unwrap(), 5);
}

async fn changes_without_a_condition_are_refused(target: &Target) {
    let db = with_three(target).await;
    let before = db.stats().statements;
    for error in [
        db.table("users").update([("points", 0)]).await.unwrap_err(),
        db.table("users").increment("points", 1).await.unwrap_err(),
        db.table("users").delete().await.unwrap_err(),
    ] {
        assert!(error.hint().is_some_and(|hint| hint.contains("all_rows")), "{error} {:?}", error.hint());
    }
    assert_eq!(db.stats().statements, before, "nothing was sent");
    assert_eq!(db.table("users").filter(col("name").eq("Ada")).update([("points", 9)]).await.unwrap(), 1);
    assert_eq!(
        db.table("users").filter(col("name").eq("Ada")).update([("points", 9)]).await.unwrap(),
        1,
        "matched ones count"
    );
    assert_eq!(db.table("users").filter(col("team").eq("red")).increment("points", 5).await.unwrap(), 2);
    assert_eq!(db.table("users").order_by("name").pluck::<i64>("points").await.unwrap(), [14, 1, 7]);
    assert_eq!(db.table("users").all_rows().update([("points", 0)]).await.unwrap(), 3);
    assert_eq!(db.table("users").filter(col("team").eq("red")).delete().await.unwrap(), 2);
    assert_eq!(db.table("users").all_rows().delete().await.unwrap(), 1);
}

async fn a_lease_streams_and_comes_back(target: &Target) {
    let db = Database::open(target.settings().pool_size(1, 1)).await.unwrap();
    target.create_users(&db).await;
    let rows = (0..3000).map(|number| [Value::from(format!("user {number}")), number.into()]);
    db.table("users").insert_many(["name", "points"], rows).await.unwrap();
    let mut lease = db.acquire().await.unwrap();
    let mut sum = 0i64;
    let mut rows = lease.stream("SELECT points FROM users", &[]).await.unwrap();
    while let Some(row) = rows.next().await {
        sum += row.unwrap().get::<i64>(0).unwrap();
    }
    assert!(rows.next().await.is_none() && rows.next().await.is_none(), "after the last row there is none");
    drop(rows);
    assert_eq!(sum, 3000 * 2999 / 2);
    // A stream that is left half way does not mix with what follows, nor with what the next borrower asks.
    for _ in 0..3 {
        let mut rows = lease.stream("SELECT points FROM users ORDER BY points", &[]).await.unwrap();
        assert_eq!(rows.next().await.unwrap().unwrap().get::<i64>(0).unwrap(), 0);
        drop(rows);
        assert_eq!(lease.query_one("SELECT 'mine'", &[]).await.unwrap().get::<String>(0).unwrap(), "mine");
    }
    let mut rows = lease.stream("SELECT points FROM users ORDER BY points", &[]).await.unwrap();
    rows.next().await.unwrap().unwrap();
    drop(rows);
    drop(lease);
    assert_eq!(db.query_one("SELECT 'yours'", []).await.unwrap().get::<String>(0).unwrap(), "yours");
    assert!(db.stats().dropped >= 4);
}

async fn a_violated_constraint_is_named_by_kind(target: &Target) {
    let db = with_three(target).await;
    let error = db.table("users").insert([("name", Value::from("Ada"))]).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::UniqueViolation), "{error}");
    let error = db.table("users").insert([("name", Value::Null)]).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::NotNullViolation), "{error}");
    let error = db.query("SELECT surname FROM users", []).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::NotFound), "{error}");
    let error = db.query("SELEKT 1", []).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::Syntax), "{error}");
    assert!(!error.is_retryable() && !error.is_timeout() && !error.is_acquire());
    assert_eq!(db.stats().failed, 4);
}

async fn what_cannot_be_built_sends_nothing(target: &Target) {
    let db = target.open_with_users().await;
    let before = db.stats().statements;
    let error = db.table("").get().await.unwrap_err();
    assert_eq!(error.kind(), None, "{error}");
    assert!(error.hint().is_some() && !error.is_retryable());
    assert!(db.table("a\0b").count().await.is_err());
    assert!(db.table("users").to_sql().is_ok() && db.table("").to_sql().is_err());
    assert_eq!(db.stats().statements, before);
}

#[tokio::test]
async fn a_database_in_memory_has_one_connection_and_keeps_it() {
    for url in ["sqlite::memory:", "sqlite://?mode=memory"] {
        let mut settings = Settings::from_url(url).unwrap().pool_size(2, 10);
        settings.pool.acquire_timeout = Duration::from_millis(50);
        assert_eq!(settings.options.engine.location(), Location::File);
        let db = Database::open(settings).await.unwrap();
        assert_eq!((db.pool().stats().max, db.pool().stats().size), (1, 1));
        db.script("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)").await.unwrap();
        // The only connection is lent: a second borrower waits and is told who has it.
        let lease = db.acquire().await.unwrap();
        let error = db.query("SELECT a FROM t", []).await.unwrap_err();
        assert!(error.is_acquire() && error.is_timeout() && error.kind().is_none(), "{error}");
        assert!(error.hint().is_some());
        assert!(error.details().unwrap().contains(file!()), "{:?}", error.details());
        drop(lease);
        assert_eq!(db.table("t").count().await.unwrap(), 1);
        // A connection that is thrown away takes the data with it, and no empty database takes their place.
        db.acquire().await.unwrap().discard();
        let error = db.query("SELECT a FROM t", []).await.unwrap_err();
        assert_eq!(error.kind(), Some(ErrorKind::UnknownDatabase), "{error}");
        assert_eq!(error.engine().unwrap().to_string(), "the database :memory: is gone with its only connection");
        assert_eq!(error.hint(), Some("open it anew, empty, or use a file"));
    }
}

#[tokio::test]
async fn statements_run_on_a_runtime_of_one_thread_too() {
    let target = Target::file();
    let db = with_three(&target).await;
    for _ in 0..8 {
        assert_eq!(db.table("users").filter(col("points").gt(0)).pluck::<String>("name").await.unwrap().len(), 3);
    }
    db.close().await;
}

async fn errors_say_what_to_do_next(target: &Target) {
    let db = with_three(target).await;
    db.table("users").filter(col("id").eq(3)).update([("team", Value::Null)]).await.unwrap();
    let nulls = db.table("users").select(["team"]).filter(col("team").is_null());
    const NULL: &str = "column \"team\" is NULL; read it as Option<…>";
    let row = nulls.first().await.unwrap().unwrap();
    assert_eq!(row.get::<String>("team").unwrap_err().to_string(), NULL);
    assert_eq!(nulls.get_as::<String>().await.unwrap_err().to_string(), NULL);
    assert_eq!(nulls.pluck::<String>("team").await.unwrap_err().to_string(), NULL);
    assert_eq!(nulls.value::<String>("team").await.unwrap_err().to_string(), NULL);
    // An expression without a name is not repeated.
    let long = "SELECT id, NULLIF(COALESCE(name, 'a name that is rather long'), name) FROM users";
    let error = db.query_as::<(i64, String)>(long, &[]).await.unwrap_err().engine().unwrap().to_string();
    let is_named = target.kind == Some(Kind::Postgres);
    let column = if is_named { "column \"nullif\"" } else { "column number 1" };
    assert_eq!(error, format!("{column} is NULL; read it as Option<…>"));

    db.script("CREATE TABLE orders (id BIGINT PRIMARY KEY, user_id BIGINT NOT NULL, FOREIGN KEY (user_id) REFERENCES users (id))")
        .await
        .unwrap();
    let order = |user: i64| [("id", Value::Int(1)), ("user_id", Value::Int(user))];
    let error = db.table("orders").insert(order(99)).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::ForeignKeyViolation));
    assert!(error.hint().unwrap().starts_with("the row it points to does not exist"), "{:?}", error.hint());
    db.table("orders").insert(order(1)).await.unwrap();
    let error = db.table("users").filter(col("id").eq(1)).delete().await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::ForeignKeyViolation));
    assert!(error.hint().unwrap().contains("other rows still point to this one"), "{:?}", error.hint());

    match target.kind {
        Some(Kind::Mysql) => {
            let error = db
                .execute("UPDATE users SET points = 0 WHERE id IN (SELECT id FROM users WHERE points > 1)", [])
                .await
                .unwrap_err();
            assert_eq!(error.engine().unwrap().code(), Some("1093"));
            assert!(error.hint().unwrap().contains("put the query into one more"));
        }
        Some(Kind::Postgres) => {
            for sql in
                ["SELECT * FROM users WHERE id = ?", "SELECT id=? FROM users", "INSERT INTO users (name) VALUES (?)"]
            {
                let error = db.query(sql, params![1]).await.unwrap_err();
                assert_eq!(
                    error.hint(),
                    Some("PostgreSQL's parameters are $1, $2 and so on; a ? is an operator there"),
                    "{sql}: {error}"
                );
            }
            db.execute("INSERT INTO users (id, name) VALUES (4, 'Dan')", []).await.unwrap();
            let error = db.table("users").insert([("name", Value::from("Eve"))]).await.unwrap_err();
            assert_eq!(error.kind(), Some(ErrorKind::UniqueViolation));
            let hint = error.hint().unwrap();
            let repair = &hint[hint.find("SELECT setval(").unwrap()..];
            db.query(repair, []).await.unwrap();
            db.table("users").insert([("name", Value::from("Eve"))]).await.unwrap();
        }
        _ => {}
    }
}

/// Whoever reads it in a log finds the place in the program, and of the data nothing.
async fn an_error_names_the_line_and_the_statement(target: &Target) {
    let db = with_three(target).await;
    let sql = "SELEKT id FROM users WHERE name = 's3cret'";
    let (error, line) = (db.query(sql, []).await.unwrap_err(), line!());
    let place = format!("{}:{line}", file!());
    assert_eq!(error.caller().map(|at| (at.file(), at.line())), Some((file!(), line)));
    assert!(error.to_string().ends_with(&format!("{place})")), "{error}");
    let engine = error.engine().unwrap();
    assert_eq!(engine.statement(), Some("SELEKT id FROM users WHERE name = '…'"));
    let shown = format!("{error:?}");
    assert!(shown.contains(&place) && shown.contains("SELEKT id FROM users"), "{shown}");
    let details = error.details().unwrap();
    assert!(
        details.contains(&format!("\n  at {place}\n  statement: SELEKT id FROM users WHERE name = '…'")),
        "{details}"
    );

    // However it was run, and in a transaction the line inside.
    let (error, line) = (db.execute("SELEKT", []).await.unwrap_err(), line!());
    assert_eq!(error.caller().map(|at| at.line()), Some(line));
    let (error, line) = (db.script("SELEKT").await.unwrap_err(), line!());
    assert_eq!(error.caller().map(|at| at.line()), Some(line));
    let (error, line) = (db.query_one("SELECT id FROM users", []).await.unwrap_err(), line!());
    assert_eq!((error.kind(), error.caller().map(|at| at.line())), (Some(ErrorKind::RowCount), Some(line)));
    let (error, line) = (db.query_as::<(bool,)>("SELECT name FROM users", []).await.unwrap_err(), line!());
    assert_eq!((error.kind(), error.caller().map(|at| at.line())), (Some(ErrorKind::Decode), Some(line)));
    let (error, line) = (db.table("users").insert([("name", Value::from("Ada"))]).await.unwrap_err(), line!());
    assert_eq!(error.caller().map(|at| at.line()), Some(line));
    assert!(!format!("{error} {error:?}").contains("Ada"));
    let outcome: Result<(), dbkeep::Error> = db
        .transaction(async |tx| {
            tx.execute("SELEKT", &[]).await?;
            Ok(())
        })
        .await;
    assert_eq!(outcome.unwrap_err().caller().map(|at| at.line()), Some(line!() - 4));
    let mut lease = db.acquire().await.unwrap();
    let (error, line) = (lease.stream("SELEKT", &[]).await.map(drop).unwrap_err(), line!());
    assert_eq!(error.caller().map(|at| at.line()), Some(line));
}
