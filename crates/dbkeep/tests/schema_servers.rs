//! Schemas made and changed through a database, on every engine.

#![allow(clippy::unwrap_used)]

use dbkeep::sql::{Action, Decimal, Schema, current_timestamp, insert_into, select, truncate, values};
use dbkeep::{ConnectionExt as _, Database, ErrorKind, Value, col};
use dbkeep_testkit::{Kind, server};

async fn on(kind: Option<Kind>, story: impl AsyncFn(&Database)) {
    let directory = tempfile::tempdir().unwrap();
    let fresh = match kind {
        None => None,
        Some(kind) => match server(kind) {
            Some(server) => Some(server.fresh_database()),
            None => return,
        },
    };
    let file = format!("sqlite:{}", directory.path().join("shop.db").display());
    let url = fresh.as_ref().map_or(file, |database| database.url());
    let db = Database::connect(&url).await.unwrap();
    story(&db).await;
    db.close().await;
}

macro_rules! on_each_engine {
    ($($story:ident)*) => {$(
        mod $story {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                on(None, super::$story).await;
            }

            #[tokio::test]
            async fn mariadb() {
                on(Some(Kind::Mariadb), super::$story).await;
            }

            #[tokio::test]
            async fn mysql() {
                on(Some(Kind::Mysql), super::$story).await;
            }

            #[tokio::test]
            async fn postgres() {
                on(Some(Kind::Postgres), super::$story).await;
            }
        }
    )*};
}

on_each_engine! {
    tables_are_made_changed_asked_about_and_dropped
    what_fails_halfway_is_undone_where_that_can_be
    what_fails_halfway_says_what_is_done_and_what_is_not
    a_schema_changes_inside_of_a_transaction
    a_statement_that_wants_no_transaction_has_none
    a_plan_takes_no_effect
    what_one_migration_makes_another_takes_away_on_every_engine
    a_column_that_pointed_somewhere_goes_with_its_index
    decimals_are_compared_and_ordered_as_numbers
    a_table_that_others_point_to_is_neither_emptied_nor_dropped
}

async fn tables_are_made_changed_asked_about_and_dropped(db: &Database) {
    let schema = db.schema();
    assert!(!schema.has_table("users").await.unwrap());
    schema
        .create("users", |t| {
            t.id();
            t.string("email", 255).unique();
            t.string("name", 50).nullable();
            t.boolean("active").default(true);
            t.timestamp("made_at").default(current_timestamp());
        })
        .await
        .unwrap();
    schema
        .create("posts", |t| {
            t.id();
            t.foreign_id("user_id").constrained("users").on_delete(Action::Cascade);
            t.enum_of("state", ["draft", "it's \\ out"]).default("it's \\ out");
        })
        .await
        .unwrap();
    assert!(schema.has_table("users").await.unwrap());
    assert!(schema.has_column("users", "EMAIL").await.unwrap());
    assert!(!schema.has_column("users", "age").await.unwrap());
    let names: Vec<String> = schema.columns("users").await.unwrap().into_iter().map(|column| column.name).collect();
    assert_eq!(names, ["id", "email", "name", "active", "made_at"]);
    let error = schema.columns("nobody").await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::NotFound));

    db.run(&insert_into("users").set("email", "ada@x").set("name", "Ada")).await.unwrap();
    db.run(&insert_into("posts").set("user_id", 1)).await.unwrap();
    schema
        .table("users", |t| {
            t.integer("age").unsigned().default(36);
            t.rename_column("email", "mail");
            t.string("name", 80).default("nobody").change();
        })
        .await
        .unwrap();
    schema
        .table("posts", |t| {
            t.enum_of("state", ["it's \\ out", "gone"]).default("gone").change();
        })
        .await
        .unwrap();
    db.run(&insert_into("users").set("mail", "grace@x")).await.unwrap();
    let rows: Vec<(String, String, i64, bool)> =
        db.table("users").select(["mail", "name", "age", "active"]).order_by("id").get_as().await.unwrap();
    assert_eq!(rows[0], ("ada@x".into(), "Ada".into(), 36, true));
    assert_eq!(rows[1], ("grace@x".into(), "nobody".into(), 36, true));
    let states: Vec<(String,)> = db.table("posts").select(["state"]).get_as().await.unwrap();
    assert_eq!(states[0].0, "it's \\ out");
    assert!(db.run(&insert_into("posts").set("user_id", 1).set("state", "draft")).await.is_err());
    assert!(db.run(&insert_into("posts").set("user_id", 99)).await.is_err());
    db.run(&dbkeep::sql::delete_from("users").filter(col("mail").eq("ada@x"))).await.unwrap();
    assert_eq!(db.fetch(&select().from("posts")).await.unwrap().len(), 0);

    schema.rename("users", "people").await.unwrap();
    assert!(schema.has_table("people").await.unwrap());
    schema.drop("posts").await.unwrap();
    schema.drop("people").await.unwrap();
    schema.drop_if_exists("people").await.unwrap();
    assert!(!schema.has_table("people").await.unwrap());
    let error = schema.drop("people").await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::NotFound));
}

async fn what_fails_halfway_is_undone_where_that_can_be(db: &Database) {
    let mut changes = Schema::new();
    changes
        .create("one", |t| {
            t.id();
        })
        .drop("never made");
    assert!(db.schema().apply(&changes).await.is_err());
    let can_undo = db.server().capabilities.transactional_ddl;
    assert_eq!(db.schema().has_table("one").await.unwrap(), !can_undo);
    // What cannot be spelled is known before anything runs.
    let error = db
        .schema()
        .create("two", |t| {
            t.id();
            t.string("", 10);
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::Syntax));
    assert!(!db.schema().has_table("two").await.unwrap());
}

async fn a_schema_changes_inside_of_a_transaction(db: &Database) {
    let outcome = db
        .transaction(async |tx| {
            tx.schema()
                .create("kept", |t| {
                    t.id();
                    t.integer("n").index();
                })
                .await?;
            tx.schema()
                .table("kept", |t| {
                    t.integer("m").nullable();
                })
                .await?;
            assert!(tx.schema().has_column("kept", "m").await?);
            Ok::<_, dbkeep::Error>(())
        })
        .await;
    if db.server().capabilities.transactional_ddl {
        outcome.unwrap();
        assert!(db.schema().has_column("kept", "m").await.unwrap());
        return;
    }
    // Where the first of them commits, there is no transaction left for the second.
    assert_eq!(
        outcome.unwrap_err().engine().unwrap().to_string(),
        "not run: its transaction was ended by CREATE TABLE `kept` …; what was done in it before is committed"
    );
    assert!(db.schema().has_column("kept", "n").await.unwrap());
    assert!(!db.schema().has_column("kept", "m").await.unwrap());
}

async fn a_statement_that_wants_no_transaction_has_none(db: &Database) {
    db.schema()
        .create("t", |t| {
            t.integer("a");
        })
        .await
        .unwrap();
    let mut alone = Schema::new();
    // What is no transaction's: elsewhere it is refused as any statement would be.
    alone.raw("CREATE INDEX CONCURRENTLY by_a ON t (a)");
    let outcome = db.schema().apply(&alone).await;
    match &outcome {
        Ok(()) => assert!(db.server().capabilities.schemas),
        Err(error) => assert_eq!(error.kind(), Some(ErrorKind::Syntax), "{error}"),
    }
}

async fn a_plan_takes_no_effect(db: &Database) {
    db.schema()
        .create("t", |t| {
            t.integer("a");
            t.integer("b").nullable();
        })
        .await
        .unwrap();
    let change = dbkeep::sql::AlterTable::new("t", |t| {
        t.rename_column("b", "c");
        t.big_integer("a").default(1).change();
        t.index("c");
    });
    let planned = db.schema().plan(&change.clone().into()).await.unwrap();
    assert!(planned.len() >= 3, "{planned:?}");
    assert!(!db.schema().has_column("t", "c").await.unwrap());
    let mut schema = Schema::new();
    schema.push(change);
    db.schema().apply(&schema).await.unwrap();
    assert!(db.schema().has_column("t", "c").await.unwrap());
}

async fn what_one_migration_makes_another_takes_away_on_every_engine(db: &Database) {
    db.schema()
        .create("users", |t| {
            t.id();
        })
        .await
        .unwrap();
    db.schema()
        .create("posts", |t| {
            t.id();
        })
        .await
        .unwrap();
    db.schema()
        .table("posts", |t| {
            t.foreign_id("user_id").nullable().constrained("users");
            t.string("title", 50).unique().default("none");
            t.integer("size").nullable().index();
        })
        .await
        .unwrap();
    db.schema()
        .table("posts", |t| {
            t.drop_foreign(["user_id"]);
            t.drop_index(["user_id"]);
            t.drop_unique(["title"]);
            t.drop_index(["size"]);
            t.drop_column("user_id");
            t.drop_column("title");
            t.drop_column("size");
        })
        .await
        .unwrap();
    let names: Vec<String> =
        db.schema().columns("posts").await.unwrap().into_iter().map(|column| column.name).collect();
    assert_eq!(names, ["id"]);
}

async fn decimals_are_compared_and_ordered_as_numbers(db: &Database) {
    db.schema()
        .create("goods", |t| {
            t.id();
            t.decimal("price", 8, 2).unique();
            t.check("sold", col("price").lt(1_000));
        })
        .await
        .unwrap();
    let goods = || db.table("goods");
    let prices = ["12.99", "100", "5.50", "48.00", "9.50"].map(|price| price.parse::<Decimal>().unwrap());
    goods().insert_many(["price"], prices.map(|price| [Value::from(price)])).await.unwrap();
    let ids = async |query: dbkeep::TableQuery<'_>| query.select(["id"]).get_as::<i64>().await.unwrap();
    let price = || col("price");
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    assert_eq!(ids(goods().order_by("price")).await, [3, 5, 1, 4, 2]);
    assert_eq!(ids(goods().order_by(price().desc()).limit(2)).await, [2, 4]);
    assert_eq!(ids(goods().filter(price().gt(10)).order_by("id")).await, [1, 2, 4]);
    assert_eq!(ids(goods().filter(price().lt(100)).order_by("id")).await, [1, 3, 4, 5]);
    assert_eq!(ids(goods().filter(price().eq(9.5))).await, [5]);
    assert_eq!(ids(goods().filter(price().eq(decimal("9.5")))).await, [5]);
    assert_eq!(ids(goods().filter(price().in_list([decimal("9.500"), decimal("48")])).order_by("id")).await, [4, 5]);
    assert_eq!(ids(goods().filter(price().between(5, 13)).order_by("price")).await, [3, 5, 1]);
    assert_eq!(goods().min::<Decimal>("price").await.unwrap(), Some(decimal("5.50")));
    assert_eq!(
        goods().max::<Decimal>("price").await.unwrap().map(|price| price.to_string().starts_with("100")),
        Some(true)
    );
    // Two ways to write one number are one.
    for twice in ["9.50", "9.5", "100.00"] {
        let error = goods().insert(values! { "price" => decimal(twice) }).await.unwrap_err();
        assert_eq!(error.kind(), Some(ErrorKind::UniqueViolation), "{twice}: {error}");
    }
    let error = goods().insert(values! { "price" => decimal("2000") }).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::CheckViolation), "{error}");
    let query = goods().order_by("price");
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = query.keyset_page(2, after).await.unwrap();
        seen.extend(page.rows.iter().map(|row| row.get::<i64>("id").unwrap()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, [3, 5, 1, 4, 2]);
}

async fn a_table_that_others_point_to_is_neither_emptied_nor_dropped(db: &Database) {
    db.schema()
        .create("tags", |t| {
            t.id();
            t.foreign_id("parent").nullable().constrained("tags").on_delete(Action::Cascade);
        })
        .await
        .unwrap();
    for (table, action) in [("marks", Action::Cascade), ("notes", Action::SetNull)] {
        db.schema()
            .create(table, |t| {
                t.id();
                t.foreign_id("tag_id").nullable().constrained("tags").on_delete(action);
            })
            .await
            .unwrap();
    }
    db.table("tags").insert_many(["id", "parent"], [[1.into(), Value::Null], [2.into(), 1.into()]]).await.unwrap();
    for table in ["marks", "notes"] {
        db.table(table).insert(values! { "tag_id" => 1 }).await.unwrap();
        let outcome = db.table("tags").truncate().await;
        assert!(outcome.is_err());
        assert!(db.run(&truncate("tags")).await.is_err());
        assert!(db.transaction(async |tx| tx.run(&truncate("tags")).await).await.is_err());
        assert!(db.schema().drop("tags").await.is_err());
        assert!(db.schema().drop_if_exists("tags").await.is_err());
        assert_eq!(db.table("tags").count().await.unwrap(), 2);
        assert_eq!(db.table(table).filter(col("tag_id").eq(1)).count().await.unwrap(), 1);
        if db.dialect().engine() == "SQLite" {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), Some(ErrorKind::ForeignKeyViolation));
            let text = error.to_string();
            assert!(text.starts_with(&format!("the table tags is not emptied: rows of {table} point to it")), "{text}");
            let error = db.schema().drop("tags").await.unwrap_err();
            assert_eq!(error.kind(), Some(ErrorKind::ForeignKeyViolation));
            assert_eq!(error.to_string(), "the table tags is not dropped: a foreign key of marks points to it");
            assert_eq!(error.hint(), Some("drop marks before it, or that key with drop_foreign"));
            // Rows that point nowhere are none of its business.
            db.table(table).update(values! { "tag_id" => Value::Null }).await.unwrap_err();
            db.table(table).all_rows().update(values! { "tag_id" => Value::Null }).await.unwrap();
        }
    }
    // Who points away first, then the table; one that points to itself stands in nobody's way.
    let mut schema = Schema::new();
    schema.drop("marks").drop("notes").drop("tags");
    db.schema().apply(&schema).await.unwrap();
    assert!(!db.schema().has_table("tags").await.unwrap());
    db.schema().drop_if_exists("tags").await.unwrap();
}

async fn what_fails_halfway_says_what_is_done_and_what_is_not(db: &Database) {
    db.schema()
        .create("users", |t| {
            t.id();
            t.string("email", 100);
        })
        .await
        .unwrap();
    db.table("users").insert_many(["email"], [["same@x".into()], ["same@x".into()]]).await.unwrap();
    let mut changes = Schema::new();
    changes.create("one", |t| {
        t.id();
    });
    changes
        .table("users", |t| {
            t.integer("age").nullable();
        })
        .table("users", |t| {
            t.unique("email");
        })
        .table("users", |t| {
            t.integer("height").nullable();
        });
    let error = db.schema().apply(&changes).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::UniqueViolation));
    let told = error.to_string();
    if db.server().capabilities.transactional_ddl {
        assert!(told.starts_with("nothing was changed: "), "{told}");
        assert!(!db.schema().has_table("one").await.unwrap());
        assert!(!db.schema().has_column("users", "age").await.unwrap());
        return;
    }
    let (made, rest) = told.split_once("; not tried: ").unwrap();
    assert!(made.starts_with("2 of 4 changes were made, and stay: CREATE TABLE `one` ("), "{told}");
    assert!(made.contains("; ALTER TABLE `users` ") && made.contains("`age`"), "{told}");
    let (untried, failed) = rest.split_once("; failed: ").unwrap();
    assert!(untried.contains("`height`") && !untried.contains("`age`"), "{told}");
    assert!(failed.contains("`users_email_unique`") && failed.contains(": duplicate entry '…' for key"), "{told}");
    assert!(error.hint().unwrap().contains("make only the changes that are missing"), "{error:?}");
    assert!(db.schema().has_column("users", "age").await.unwrap());
    assert!(!db.schema().has_column("users", "height").await.unwrap());
    // What this engine cannot spell is known before the first of several runs.
    let mut changes = Schema::new();
    changes.create("two", |t| {
        t.id();
    });
    changes.table("users", |t| {
        t.string("", 10);
    });
    assert!(db.schema().apply(&changes).await.is_err());
    assert!(!db.schema().has_table("two").await.unwrap());
}

async fn a_column_that_pointed_somewhere_goes_with_its_index(db: &Database) {
    db.schema()
        .create("users", |t| {
            t.id();
        })
        .await
        .unwrap();
    for at_once in [true, false] {
        db.schema()
            .create("posts", |t| {
                t.id();
                t.foreign_id("user_id").nullable().constrained("users");
                t.integer("rank").nullable().unique();
            })
            .await
            .unwrap();
        if at_once {
            db.schema()
                .table("posts", |t| {
                    t.drop_foreign(["user_id"]);
                    t.drop_column("user_id");
                    t.drop_column("rank");
                })
                .await
                .unwrap();
        } else {
            db.schema().table("posts", |t| t.drop_foreign(["user_id"])).await.unwrap();
            db.schema().table("posts", |t| t.drop_column("user_id")).await.unwrap();
            db.schema().table("posts", |t| t.drop_column("rank")).await.unwrap();
        }
        let names: Vec<String> =
            db.schema().columns("posts").await.unwrap().into_iter().map(|column| column.name).collect();
        assert_eq!(names, ["id"]);
        db.schema().drop("posts").await.unwrap();
    }
}

/// A UUID in capitals is read as the text it is, so that it goes back as that, and the page behind it begins there.
#[tokio::test(flavor = "multi_thread")]
async fn no_row_is_lost_behind_a_uuid_in_capitals() {
    let story = async |db: &Database| {
        db.schema()
            .create("files", |t| {
                t.uuid("key").primary();
            })
            .await
            .unwrap();
        for digit in ["A", "B", "C", "a", "b", "c"] {
            let key = format!("{0}7E55044-10B1-426F-9247-BB680E5FE0C{0}", digit);
            let key = if digit < "a" { key } else { key.to_lowercase() };
            db.table("files").insert(values! { "key" => key }).await.unwrap();
        }
        let mut chunks = db.table("files").chunk_by_id("key", 2);
        let mut seen = 0;
        while let Some(rows) = chunks.next().await.unwrap() {
            seen += rows.len();
        }
        assert_eq!(seen, 6);
        let first: Value = db.table("files").order_by("key").first().await.unwrap().unwrap().get("key").unwrap();
        assert!(matches!(first, Value::Text(_)), "{first:?}");
    };
    on(None, story).await;
}
