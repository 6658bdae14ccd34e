//! What SQLite cannot alter is built anew: nothing of the table is lost on the way, and an error leaves it as it was.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::{ConnectOptions, Connection, ErrorKind, Observer, Statement, TransactionState, connect};
use dbkeep_sql::*;
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;
use proptest::{bool, collection, sample};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

async fn open(script: &str) -> Connection {
    let mut connection = connect(&"sqlite::memory:".parse::<ConnectOptions>().unwrap()).await.unwrap();
    connection.script(script).await.unwrap();
    connection
}

/// Everything the database holds, as text: definitions and rows with their numbers.
async fn dump(c: &mut Connection, query: &str) -> String {
    let rows = c.query(query, &[]).await.unwrap();
    rows.iter().map(|row| format!("{:?}\n", row.values())).collect()
}

async fn definitions(c: &mut Connection) -> String {
    let rows = c.query("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name", &[]).await.unwrap();
    let mut out = String::new();
    for row in rows {
        let sql: Option<String> = row.get(2).unwrap();
        out += &format!("{};\n", sql.unwrap_or_else(|| format!("-- {}", row.get::<String>(1).unwrap())));
    }
    out
}

async fn keys_are_on(c: &mut Connection) -> bool {
    c.query_one("PRAGMA foreign_keys", &[]).await.unwrap().get::<i64>(0).unwrap() == 1
        && c.query_one("PRAGMA legacy_alter_table", &[]).await.unwrap().get::<i64>(0).unwrap() == 0
}

const SHOP: &str = r#"
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE "order's" (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
  "user id" INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  parent INTEGER REFERENCES "order's"(id) ON DELETE CASCADE,
  title TEXT COLLATE NOCASE DEFAULT ('none, (yet)') CHECK (length(title) < 50),
  price INT,
  twice INT GENERATED ALWAYS AS (price * 2) STORED,
  thrice AS (price * 3),
  note,
  CONSTRAINT one_each UNIQUE (title, "user id") ON CONFLICT IGNORE
);
CREATE INDEX by_title ON "order's" (title DESC, lower(note)) WHERE price > 0;
CREATE UNIQUE INDEX by_price ON "order's" (price);
CREATE TABLE lines (order_id INTEGER REFERENCES "order's"(id) ON DELETE CASCADE, what TEXT);
CREATE TABLE log (what TEXT);
CREATE TRIGGER logged AFTER INSERT ON "order's" BEGIN INSERT INTO log VALUES ('new ' || new.title); END;
CREATE TRIGGER elsewhere AFTER INSERT ON lines BEGIN UPDATE "order's" SET note = 'lined; up' WHERE id = new.order_id; END;
CREATE VIEW dear AS SELECT id, title FROM "order's" WHERE price > 10;
CREATE TRIGGER through INSTEAD OF DELETE ON dear BEGIN DELETE FROM "order's" WHERE id = old.id; END;
INSERT INTO users VALUES (1, 'Ada'), (2, NULL);
INSERT INTO "order's" (id, "user id", parent, title, price, note) VALUES
  (3, 1, NULL, 'it''s', 5, x'00ff'), (7, 2, 3, 'B', 50, 2.5), (9, 1, 7, NULL, NULL, 'text'), (40, 1, NULL, 'gone', 1, NULL);
DELETE FROM "order's" WHERE id = 40;
INSERT INTO lines VALUES (3, 'a'), (7, 'b');
"#;

const ORDERS: &str = r#"SELECT rowid, *, twice, thrice, typeof(note) FROM "order's" ORDER BY id"#;

#[tokio::test]
async fn a_table_built_anew_keeps_its_rows_numbers_indexes_triggers_and_views() {
    let mut c = open(SHOP).await;
    let (rows, lines) = (dump(&mut c, ORDERS).await, dump(&mut c, "SELECT * FROM lines").await);
    let before = definitions(&mut c).await;
    c.schema()
        .table(Name::from("order's"), |t| {
            t.big_integer("price").nullable().default(7).change();
            t.set_default("note", "x");
        })
        .await
        .unwrap();
    assert_eq!(dump(&mut c, ORDERS).await, rows);
    assert_eq!(dump(&mut c, "SELECT * FROM lines").await, lines);
    let expected =
        before.replace("  price INT,", "  price INTEGER NULL DEFAULT 7,").replace("  note,", "  note DEFAULT 'x',");
    assert_eq!(definitions(&mut c).await, expected);
    assert!(keys_are_on(&mut c).await);

    // The numbers of deleted rows stay used, triggers fire, the view stands, and keys hold.
    c.execute("INSERT INTO \"order's\" (\"user id\", title) VALUES (1, 'new')", &[]).await.unwrap();
    let row = c.query_one("SELECT id, price, note FROM \"order's\" WHERE title = 'NEW'", &[]).await.unwrap();
    assert_eq!((row.get::<i64>(0).unwrap(), row.get::<i64>(1).unwrap()), (41, 7));
    assert_eq!(row.get::<String>(2).unwrap(), "lined; up".replace("lined; up", "x"));
    let logged = c.query("SELECT what FROM log WHERE what = 'new new'", &[]).await.unwrap();
    assert_eq!(logged.len(), 1);
    c.execute("INSERT INTO lines VALUES (41, 'c')", &[]).await.unwrap();
    assert_eq!(dump(&mut c, "SELECT * FROM dear").await, "[Int(7), Text(\"B\")]\n");
    c.execute("DELETE FROM dear WHERE id = 7", &[]).await.unwrap();
    assert_eq!(dump(&mut c, "SELECT order_id FROM lines ORDER BY 1").await, "[Int(3)]\n[Int(41)]\n");
    let error = c.execute("INSERT INTO lines VALUES (1000, 'x')", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignKeyViolation);
}

#[tokio::test]
async fn row_numbers_that_nobody_named_are_kept_and_so_are_tables_without_any() {
    let mut c = open(
        "CREATE TABLE hidden (a TEXT, rowid TEXT) STRICT; INSERT INTO hidden (_rowid_, a, rowid) VALUES (-5, 'x', 'mine'), (77, 'y', NULL);
         CREATE TABLE keyed (a INTEGER, b TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID; INSERT INTO keyed VALUES (1, 'x'), (2, 'a');",
    )
    .await;
    let query = "SELECT _rowid_, a, rowid FROM hidden ORDER BY 1";
    let rows = dump(&mut c, query).await;
    c.schema().table("hidden", |t| t.set_default("a", "none")).await.unwrap();
    assert_eq!(dump(&mut c, query).await, rows);
    let keyed = dump(&mut c, "SELECT * FROM keyed").await;
    c.schema().table("keyed", |t| t.set_default("a", 9)).await.unwrap();
    assert_eq!(dump(&mut c, "SELECT * FROM keyed").await, keyed);
    let definitions = definitions(&mut c).await;
    assert!(
        definitions.contains("CREATE TABLE \"hidden\" (a TEXT DEFAULT 'none', rowid TEXT) STRICT;"),
        "{definitions}"
    );
    assert!(
        definitions.contains("CREATE TABLE \"keyed\" (a INTEGER DEFAULT 9, b TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID;"),
        "{definitions}"
    );
    let error = c.schema().table("keyed", |t| t.drop_primary()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn an_error_on_the_way_leaves_everything_as_it_was() {
    let mut c = open(SHOP).await;
    let before = (definitions(&mut c).await, dump(&mut c, ORDERS).await);
    // Rows with NULL, a label that rows do not have, a key that rows do not have, a column that is not there.
    let table = || Name::from("order's");
    let not_null = c
        .schema()
        .table(table(), |t| {
            t.string("title", 50).change();
        })
        .await
        .unwrap_err();
    assert_eq!(not_null.kind(), ErrorKind::NotNullViolation);
    let label = c
        .schema()
        .table(table(), |t| {
            t.enum_of("title", ["B"]).nullable().change();
        })
        .await
        .unwrap_err();
    assert_eq!(label.kind(), ErrorKind::CheckViolation);
    c.execute("INSERT INTO users VALUES (50, 'nobody')", &[]).await.unwrap();
    let orphans = c
        .schema()
        .table(table(), |t| {
            t.foreign("price").references("id").on("users");
        })
        .await
        .unwrap_err();
    assert_eq!(orphans.kind(), ErrorKind::ForeignKeyViolation, "{orphans}");
    assert!(orphans.to_string().contains("1 keys would point nowhere"), "{orphans}");
    let nothing = c.schema().table(table(), |t| t.set_default("nothing", 1)).await.unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::NotFound);
    let no_table = c.schema().table("nothing", |t| t.set_default("nothing", 1)).await.unwrap_err();
    assert_eq!(no_table.kind(), ErrorKind::NotFound);
    assert_eq!((definitions(&mut c).await, dump(&mut c, ORDERS).await), before);
    assert!(keys_are_on(&mut c).await);
}

#[tokio::test]
async fn rows_that_point_nowhere_already_do_not_stand_in_the_way() {
    let mut c = open(
        "PRAGMA foreign_keys = OFF; CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES a(id)); INSERT INTO a VALUES (1, 99);
         PRAGMA foreign_keys = ON;",
    )
    .await;
    c.schema().table("a", |t| t.set_default("b", 1)).await.unwrap();
    assert_eq!(dump(&mut c, "SELECT * FROM a").await, "[Int(1), Int(99)]\n");
    // One more such key is one too many, and one less is none.
    let more = c
        .schema()
        .table("a", |t| {
            t.foreign("b").references("id").on("a").name("again");
        })
        .await
        .unwrap_err();
    assert_eq!(more.kind(), ErrorKind::ForeignKeyViolation);
    c.schema().table("a", |t| t.drop_foreign(["b"])).await.unwrap();
}

#[tokio::test]
async fn what_is_temporary_and_of_that_name_stands_in_the_way() {
    let mut c = open("CREATE TABLE t (a); CREATE TEMP TABLE t (a); INSERT INTO main.t VALUES (1)").await;
    let error = c.schema().table("t", |t| t.set_default("a", 1)).await.unwrap_err();
    assert_eq!(error.to_string(), "a temporary table stands in the way of building the table t anew");
    let mut c = open("CREATE TABLE t (a); CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END").await;
    let error = c.schema().table("t", |t| t.set_default("a", 1)).await.unwrap_err();
    assert_eq!(error.to_string(), "a temporary trigger stands in the way of building the table t anew");
}

#[tokio::test]
async fn what_alter_table_knows_is_not_built_anew() {
    let mut c =
        open("CREATE TABLE t (a TEXT, state TEXT CONSTRAINT t_state_check CHECK (\"state\" IN ('x')), b INT)").await;
    let plan = async |c: &mut Connection, describe: &dyn Fn(&mut Alteration)| {
        let operation = AlterTable::new("t", |t| describe(t)).into();
        let planned = c.schema().plan(&operation).await.unwrap();
        let run: Vec<String> = planned.into_iter().map(|ddl| ddl.sql).collect();
        c.schema().apply(Schema::new().push(operation)).await.unwrap();
        run
    };
    let strict = plan(&mut c, &|t| {
        t.text("a").change();
        t.enum_of("state", ["x", "y"]).nullable().change();
    });
    assert_eq!(
        strict.await,
        [
            r#"ALTER TABLE "t" ALTER COLUMN "a" SET NOT NULL"#,
            r#"ALTER TABLE "t" DROP CONSTRAINT "t_state_check""#,
            r#"ALTER TABLE "t" ADD CONSTRAINT "t_state_check" CHECK ("state" IN ('x', 'y'))"#,
        ]
    );
    let again = plan(&mut c, &|t| {
        t.text("a").nullable().change();
        t.enum_of("state", ["y", "z"]).nullable().change();
    });
    assert_eq!(
        again.await,
        [
            r#"ALTER TABLE "t" ALTER COLUMN "a" DROP NOT NULL"#,
            r#"ALTER TABLE "t" DROP CONSTRAINT "t_state_check""#,
            r#"ALTER TABLE "t" ADD CONSTRAINT "t_state_check" CHECK ("state" IN ('y', 'z'))"#,
        ]
    );
    // Rows are looked at.
    c.execute("INSERT INTO t VALUES (NULL, 'y', 1)", &[]).await.unwrap();
    let label = c
        .schema()
        .table("t", |t| {
            t.enum_of("state", ["z"]).nullable().change();
        })
        .await
        .unwrap_err();
    assert_eq!(label.kind(), ErrorKind::CheckViolation, "{label}");
    let null = c
        .schema()
        .table("t", |t| {
            t.text("a").change();
        })
        .await
        .unwrap_err();
    assert_eq!(null.kind(), ErrorKind::CheckViolation, "{null}");
    assert!(null.hint().unwrap().starts_with("rows that are there"));
    assert!(c.execute("INSERT INTO t VALUES (NULL, 'x', 1)", &[]).await.is_err());
    c.execute("INSERT INTO t VALUES (NULL, 'z', 1)", &[]).await.unwrap();
    // A label among a table's constraints goes with the column that is changed.
    let anew = plan(&mut c, &|t| {
        t.rename_column("b", "c");
        t.string("state", 10).nullable().default("y").change();
        t.index("c");
    });
    assert_eq!(
        anew.await,
        [
            r#"ALTER TABLE "t" RENAME COLUMN "b" TO "c""#,
            "CREATE TABLE \"t_rebuilt\" (a TEXT, state TEXT NULL DEFAULT 'y', \"c\" INT)",
            r#"INSERT OR ABORT INTO "t_rebuilt" (rowid, "a", "state", "c") SELECT rowid, "a", "state", "c" FROM "t""#,
            r#"DROP TABLE "t""#,
            "PRAGMA legacy_alter_table = ON",
            r#"ALTER TABLE "t_rebuilt" RENAME TO "t""#,
            "PRAGMA legacy_alter_table = OFF",
            r#"CREATE INDEX "t_c_index" ON "t" ("c")"#,
        ]
    );
}

#[tokio::test]
async fn every_change_that_others_alter_in_place_can_be_made() {
    let mut c = open("CREATE TABLE users (id INTEGER PRIMARY KEY); INSERT INTO users VALUES (1)").await;
    c.schema()
        .create("t", |t| {
            t.integer("a");
            t.integer("b").index();
        })
        .await
        .unwrap();
    c.execute("INSERT INTO t VALUES (1, 1), (2, 1)", &[]).await.unwrap();
    c.schema()
        .table("t", |t| {
            t.primary(["a", "b"]);
            t.foreign("b").references("id").on("users").name("to_user");
            t.timestamp("made_at").use_current();
            t.integer("sum").stored_as(col("a") + col("b"));
            t.foreign_id("user_id").default(1).constrained("users");
            t.rename_index("t_b_index", "by_b");
        })
        .await
        .unwrap();
    assert_eq!(
        dump(&mut c, "SELECT a, b, sum, user_id FROM t").await,
        "[Int(1), Int(1), Int(2), Int(1)]\n[Int(2), Int(1), Int(3), Int(1)]\n"
    );
    let catalog = c.catalog(&Default::default()).await.unwrap();
    let table = catalog.table("t").unwrap();
    assert_eq!(table.primary_key, ["a", "b"]);
    assert_eq!(table.foreign_keys.len(), 2);
    let indexes: Vec<&str> = table.indexes.iter().map(|index| index.name.as_str()).collect();
    assert_eq!(indexes, ["by_b", "t_user_id_index"]);
    c.schema()
        .table("t", |t| {
            t.drop_primary();
            t.drop_foreign("to_user");
            t.drop_foreign(["user_id"]);
        })
        .await
        .unwrap();
    let catalog = c.catalog(&Default::default()).await.unwrap();
    let table = catalog.table("t").unwrap();
    assert!(table.primary_key.is_empty() && table.foreign_keys.is_empty());
    assert!(!table.columns[0].nullable);
    c.schema().table("t", |t| t.primary("a")).await.unwrap();
    let error = c.schema().table("t", |t| t.primary("b")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn in_an_open_transaction_a_table_that_others_point_to_is_not_built_anew() {
    let mut c = open(SHOP).await;
    let mut transaction = c.transaction().await.unwrap();
    let error = transaction.schema().table("users", |t| t.set_default("name", "x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    transaction.schema().table("log", |t| t.set_default("what", "x")).await.unwrap();
    transaction
        .schema()
        .create("more", |t| {
            t.id();
        })
        .await
        .unwrap();
    assert!(transaction.schema().has_table("more").await.unwrap());
    transaction.rollback().await.unwrap();
    assert!(!c.schema().has_table("more").await.unwrap());
    assert!(keys_are_on(&mut c).await);
    assert_eq!(dump(&mut c, "SELECT count(*) FROM lines").await, "[Int(2)]\n");
    c.schema().table("users", |t| t.set_default("name", "x")).await.unwrap();
    assert_eq!(dump(&mut c, "SELECT count(*) FROM lines").await, "[Int(2)]\n");
}

/// However far a change came when its future was dropped, the table is as it was or as it shall be, and keys hold again.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_change_is_undone_and_the_session_put_back() {
    type Changes = fn(&mut Alteration);
    let alone: Changes = |t| t.set_default("note", "x");
    // What comes before the new table is tried out when the change is planned.
    let renamed: Changes = |t| {
        t.rename_column("note", "remark");
        t.set_default("remark", "x");
        t.index("remark");
    };
    for (changes, expected) in [(alone, "  note DEFAULT 'x',"), (renamed, "  \"remark\" DEFAULT 'x',")] {
        let mut finished = false;
        for polls in 1..2_000 {
            let mut c = open(SHOP).await;
            let before = definitions(&mut c).await;
            {
                let mut schema = c.schema();
                let mut change = Box::pin(schema.table(Name::from("order's"), changes));
                for _ in 0..polls {
                    let mut context = Context::from_waker(Waker::noop());
                    if let Poll::Ready(done) = change.as_mut().poll(&mut context) {
                        done.unwrap();
                        finished = true;
                        break;
                    }
                    // Work on other threads goes on meanwhile.
                    tokio::task::yield_now().await;
                }
            }
            assert!(keys_are_on(&mut c).await, "after {polls} polls");
            assert_eq!(c.transaction_state(), TransactionState::Idle);
            let after = definitions(&mut c).await;
            assert!(after == before || after.contains(expected), "{after}");
            assert_eq!(after == before, !after.contains("DEFAULT 'x'"), "{after}");
            assert_eq!(dump(&mut c, "SELECT count(*) FROM lines").await, "[Int(2)]\n");
            if finished {
                break;
            }
        }
        assert!(finished);
    }
}

#[tokio::test]
async fn a_plan_of_a_table_that_others_point_to_leaves_no_trace() {
    let mut c = open(SHOP).await;
    let before = (definitions(&mut c).await, dump(&mut c, ORDERS).await);
    let change = AlterTable::new("users", |t| {
        t.rename_column("name", "called");
        t.set_default("called", "x");
    });
    let planned = c.schema().plan(&change.clone().into()).await.unwrap();
    assert_eq!(planned[0].sql, "ALTER TABLE \"users\" RENAME COLUMN \"name\" TO \"called\"");
    assert!(planned.iter().any(|ddl| ddl.impact.rewrites == Some(true)));
    assert_eq!(c.transaction_state(), TransactionState::Idle);
    assert_eq!((definitions(&mut c).await, dump(&mut c, ORDERS).await), before);
    c.schema().apply(Schema::new().push(change)).await.unwrap();
    assert_eq!(dump(&mut c, ORDERS).await, before.1);
    assert_eq!(dump(&mut c, "SELECT called FROM users WHERE id = 1").await, "[Text(\"Ada\")]\n");
}

/// A table as people write them: any names, types, clauses in any order, comments between them.
fn any_table() -> impl Strategy<Value = (String, Vec<String>, bool)> {
    let names = ["a", "\"b c\"", "[d,e]", "`f)`", "'g'", "\"h\"\"i\"", "\"check\"", "rowid", "é"];
    let types =
        ["", "INT", "INTEGER", "TEXT", "VARCHAR(10)", "DECIMAL(10, 2)", "double precision", "BLOB", "\"odd type\""];
    let clauses = [
        "DEFAULT ('a,(b')",
        "DEFAULT -1",
        "DEFAULT NULL",
        "COLLATE NOCASE",
        "CHECK (1 /* ) */)",
        "CONSTRAINT \"na)me\" CHECK (typeof(1) = 'integer')",
        "NULL",
        "/* , */",
        "REFERENCES other(id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED",
        "UNIQUE ON CONFLICT IGNORE",
    ];
    let column = (sample::select(types.to_vec()), sample::subsequence(clauses.to_vec(), 0..4).prop_shuffle());
    (sample::subsequence(names.to_vec(), 1..6), collection::vec(column, 6), bool::ANY, bool::ANY).prop_map(
        |(names, columns, without_rowid, comment)| {
            let line = |(name, (type_name, clauses)): (&&str, &(&str, Vec<&str>))| {
                format!("{name} {type_name} {}", clauses.join(" "))
            };
            let mut lines: Vec<String> = names.iter().zip(&columns).map(line).collect();
            lines.insert(0, "number INTEGER NOT NULL".to_owned());
            if without_rowid {
                lines.push("PRIMARY KEY (number)".to_owned());
            }
            let between = if comment { ", -- it's (\n  " } else { "," };
            let options = if without_rowid { "WITHOUT ROWID" } else { "" };
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            (format!("CREATE TABLE t ({}\n) {options}", lines.join(between)), names, without_rowid)
        },
    )
}

#[tokio::test]
async fn any_table_is_built_anew_without_loss() {
    let mut runner = TestRunner::deterministic();
    let value =
        sample::select(vec!["NULL", "1", "-2.5", "'x'", "'10'", "x'00ff'", "'it''s'", "9007199254740993", "1e300"]);
    for _ in 0..200 {
        let (sql, names, without_rowid) = any_table().new_tree(&mut runner).unwrap().current();
        let mut c = open("CREATE TABLE other (id INTEGER PRIMARY KEY); PRAGMA foreign_keys = OFF").await;
        c.execute(&sql, &[]).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
        for number in [-3, 1, 5, 900] {
            let values = collection::vec(value.clone(), names.len()).new_tree(&mut runner).unwrap().current();
            let insert =
                format!("INSERT INTO t (number, {}) VALUES ({number}, {})", names.join(", "), values.join(", "));
            c.execute(&insert, &[]).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
        }
        c.execute("DELETE FROM t WHERE number = 1", &[]).await.unwrap();
        c.execute("PRAGMA foreign_keys = ON", &[]).await.unwrap();
        let number = if without_rowid { "number" } else { "_rowid_" };
        let types: Vec<String> = names.iter().map(|name| format!("typeof({name})")).collect();
        let query = format!("SELECT {number}, *, {} FROM t ORDER BY number", types.join(", "));
        let columns = "SELECT cid, name, type, \"notnull\", CASE name WHEN 'number' THEN '' ELSE dflt_value END, pk FROM pragma_table_xinfo('t')";
        let indexes = "SELECT name, \"unique\", origin FROM pragma_index_list('t') WHERE origin <> 'u'";
        let keys = "SELECT * FROM pragma_foreign_key_list('t')";
        let mut before = Vec::new();
        for query in [query.as_str(), columns, indexes, keys] {
            before.push(dump(&mut c, query).await);
        }
        c.schema().table("t", |t| t.set_default("number", 7)).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
        for (query, before) in [query.as_str(), columns, indexes, keys].iter().zip(before) {
            assert_eq!(dump(&mut c, query).await, before, "{sql}");
        }
        let found: String =
            c.query_one("SELECT sql FROM sqlite_schema WHERE name = 't'", &[]).await.unwrap().get(0).unwrap();
        let expected = sql.replace("CREATE TABLE t", "CREATE TABLE \"t\"").replace("NOT NULL", "NOT NULL DEFAULT 7");
        assert_eq!(found.trim_end(), expected.trim_end());
    }
}

/// Who ran which statement.
#[derive(Default)]
struct Heard(Mutex<Vec<(String, String)>>);

impl Observer for Heard {
    fn statement_finished(&self, statement: &Statement<'_>) {
        self.0.lock().unwrap().push((statement.caller.file().to_owned(), statement.sql.to_owned()));
    }
}

#[tokio::test]
async fn every_statement_of_a_change_is_heard_of_with_the_line_that_asked_for_it() {
    let mut c = open("CREATE TABLE t (a INT)").await;
    let heard = Arc::new(Heard::default());
    c.observe(heard.clone());
    c.schema().table("t", |t| t.set_default("a", 1)).await.unwrap();
    let heard = heard.0.lock().unwrap();
    assert!(heard.iter().all(|(file, _)| file.ends_with("schema_sqlite.rs")), "{heard:?}");
    let statements: Vec<&str> = heard.iter().map(|(_, sql)| sql.split(' ').next().unwrap()).collect();
    let expected = [
        "PRAGMA", "BEGIN", "SELECT", "CREATE", "INSERT", "DROP", "PRAGMA", "ALTER", "PRAGMA", "SELECT", "COMMIT",
        "PRAGMA",
    ];
    assert_eq!(statements, expected);
}

/// How many of the columns are declared to compare as numbers.
async fn decimal_columns(c: &mut Connection) -> usize {
    definitions(c).await.matches(" COLLATE \"decimal\"").count()
}

#[tokio::test]
async fn a_decimal_compares_as_a_number_however_its_column_came_about() {
    let mut c = open("CREATE TABLE t (old DECIMAL TEXT(8, 2), n INTEGER)").await;
    let described = |t: &mut Blueprint| {
        t.decimal("new", 8, 2).default(0).index();
        t.decimal("twice", 8, 2).nullable().virtual_as(col("new") * 2);
        t.decimal("kept", 8, 2).nullable().stored_as(col("new") * 2);
        t.decimal("bytes", 8, 2).nullable().collation("binary");
    };
    c.schema().create("made", described).await.unwrap();
    assert_eq!(decimal_columns(&mut c).await, 3);
    // It is what a decimal is here, and nothing that a blueprint would have to say.
    let read = c.schema().blueprint("made").await.unwrap().blueprint;
    let collations: Vec<_> = read.columns.iter().map(|column| column.collation.clone()).collect();
    assert_eq!(collations, [None, None, None, Some(Path::from("BINARY"))]);
    c.schema().create("again", |t| *t = read.clone()).await.unwrap_err();
    c.script("DROP TABLE made").await.unwrap();
    c.schema().create("made", |t| *t = read).await.unwrap();
    assert_eq!(decimal_columns(&mut c).await, 3);
    // One of before compares as bytes, and says so.
    let read = c.schema().blueprint("t").await.unwrap().blueprint;
    assert_eq!(read.columns[0].collation, Some(Path::from("BINARY")));
    c.script("DROP TABLE made").await.unwrap();

    c.execute("INSERT INTO t VALUES ('9.50', 1), ('100', 2), ('12', 3)", &[]).await.unwrap();
    c.schema()
        .table("t", |t| {
            t.decimal("added", 8, 2).default(7);
        })
        .await
        .unwrap();
    assert_eq!(decimal_columns(&mut c).await, 1);
    let order = "SELECT n FROM t ORDER BY old";
    assert_eq!(dump(&mut c, order).await, "[Int(2)]\n[Int(3)]\n[Int(1)]\n");
    c.schema()
        .table("t", |t| {
            t.decimal("old", 8, 2).nullable().change();
            t.index("old");
            t.set_default("added", 8);
            t.decimal("sum", 8, 2).nullable().stored_as(col("added") + 1);
        })
        .await
        .unwrap();
    assert_eq!(decimal_columns(&mut c).await, 3);
    assert_eq!(dump(&mut c, order).await, "[Int(1)]\n[Int(3)]\n[Int(2)]\n");
    assert_eq!(dump(&mut c, "SELECT n FROM t WHERE old > 10.5 AND sum = 8 AND added < 10").await.lines().count(), 2);
    assert_eq!(dump(&mut c, "PRAGMA integrity_check").await, "[Text(\"ok\")]\n");
    // A reset of the session leaves it, and so does a lookup by index.
    c.reset().await.unwrap();
    assert_eq!(dump(&mut c, "SELECT n FROM t INDEXED BY t_old_index WHERE old = 9.5").await, "[Int(1)]\n");
}

#[tokio::test]
async fn a_type_that_would_make_other_values_of_what_is_there_is_refused_and_says_where() {
    let mut c = open(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, fee TEXT, n REAL);
         INSERT INTO t VALUES (3, '7', 0.5), (4, '1.50', 1), (9, '99999999999999999999', 2);
         CREATE TABLE keyed (a TEXT, b INT, fee TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO keyed VALUES ('it''s', 2, '1e3');",
    )
    .await;
    let before = (definitions(&mut c).await, dump(&mut c, "SELECT * FROM t").await);
    let error = c
        .schema()
        .table("t", |t| {
            t.integer("fee").nullable().change();
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    assert_eq!(
        error.to_string(),
        "the column fee of t does not become INTEGER: 2 rows hold what would be another value there, one of them with rowid 4"
    );
    let error = c
        .schema()
        .table("keyed", |t| {
            t.double("fee").nullable().change();
        })
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the column fee of keyed does not become REAL: 1 row holds what would be another value there, one of them with a, b \
         'it''s', 2"
    );
    assert_eq!((definitions(&mut c).await, dump(&mut c, "SELECT * FROM t").await), before);
    assert!(keys_are_on(&mut c).await);
    // What stays what it is may change its type, one way and back.
    c.execute("UPDATE t SET fee = '8' WHERE id > 3", &[]).await.unwrap();
    c.schema()
        .table("t", |t| {
            t.integer("fee").change();
            t.decimal("n", 8, 2).change();
        })
        .await
        .unwrap();
    assert_eq!(
        dump(&mut c, "SELECT fee, typeof(n), CAST(n AS TEXT) FROM t").await,
        "[Int(7), Text(\"text\"), Text(\"0.5\")]\n[Int(8), Text(\"text\"), Text(\"1.0\")]\n[Int(8), Text(\"text\"), Text(\"2.0\")]\n"
    );
}

/// Every value under every type: what is let through is the same afterwards, and what is refused would not have been.
#[tokio::test]
async fn exactly_what_a_type_would_change_is_refused() {
    let values = [
        "1",
        "-7",
        "9007199254740993",
        "9223372036854775807",
        "0.5",
        "5.0",
        "0.1 + 0.2",
        "1e20",
        "9e999",
        "''",
        "' 5'",
        "'5 '",
        "'5'",
        "'05'",
        "'+5'",
        "'-0'",
        "'5.0'",
        "'1.50'",
        "'2.5'",
        "'1e3'",
        "'0x10'",
        "'abc'",
        "'5a'",
        "'Inf'",
        "x'3135'",
        "'9223372036854775808'",
        "'99999999999999999999'",
        "'9007199254740993.0'",
        "'1.0e+20'",
        "'.5'",
        "'5.'",
        "'1,5'",
    ];
    let froms =
        ["", "TEXT", "DECIMAL TEXT(8, 2) COLLATE \"decimal\"", "TEXT COLLATE NOCASE", "NUMERIC", "REAL", "INTEGER"];
    let mut refused = 0;
    for from in froms {
        for value in values {
            for to in ["INTEGER", "NUMERIC", "REAL", "TEXT", "BLOB", "DATE"] {
                let mut c = open(&format!(
                    "CREATE TABLE t (v {from}); INSERT INTO t VALUES ({value});
                     CREATE TABLE u (v {to}); INSERT INTO u SELECT v FROM t;"
                ))
                .await;
                // The same text; or two numbers that are equal; or a whole number, written with a fraction.
                let same = "SELECT CAST(t.v AS TEXT) COLLATE BINARY = CAST(u.v AS TEXT) AND (typeof(t.v) <> 'real' OR CAST(u.v AS REAL) = t.v) \
                            OR typeof(t.v) IN ('integer', 'real') AND typeof(u.v) IN ('integer', 'real') AND +t.v = +u.v \
                            OR typeof(u.v) = 'real' AND t.v || '.0' = CAST(u.v AS TEXT) COLLATE BINARY FROM t, u";
                let same = dump(&mut c, same).await == "[Int(1)]\n";
                let outcome = c
                    .schema()
                    .table("t", |t| {
                        t.raw_column("v", to).nullable().change();
                    })
                    .await;
                assert_eq!(outcome.is_ok(), same, "{value} in {from:?} becomes {to}: {outcome:?}");
                refused += usize::from(!same);
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[tokio::test]
async fn a_column_goes_with_the_indexes_of_it_alone() {
    let mut c = open(
        "CREATE TABLE users (id INTEGER PRIMARY KEY);
         CREATE TABLE t (a INT, b INT, \"it's\" INT, user_id INT, d INT, e INT,
           CONSTRAINT t_user_id_foreign FOREIGN KEY (user_id) REFERENCES users(id));
         CREATE INDEX by_a ON t (a DESC) WHERE a > 0; CREATE UNIQUE INDEX once ON t (a); CREATE INDEX both ON t (b, d);
         CREATE INDEX \"odd \"\" one\" ON t (\"it's\"); CREATE INDEX t_user_id_index ON t (user_id); CREATE INDEX of_e ON t (e);
         CREATE INDEX sums ON t (abs(d)); INSERT INTO t VALUES (1, 2, 3, NULL, 5, 6);",
    )
    .await;
    let plan = c.schema().plan(&AlterTable::new("t", |t| t.drop_column("A")).into()).await.unwrap();
    let plan: Vec<&str> = plan.iter().map(|ddl| ddl.sql.as_str()).collect();
    assert_eq!(plan, ["DROP INDEX \"by_a\"", "DROP INDEX \"once\"", "ALTER TABLE \"t\" DROP COLUMN \"A\""]);
    let before = definitions(&mut c).await;
    for column in ["b", "d", "user_id"] {
        let error = c.schema().table("t", |t| t.drop_column(column)).await.unwrap_err();
        assert!(error.to_string().contains(" after drop column: "), "{error}");
        assert!(error.hint().unwrap().contains("drop that first, with drop_index, drop_foreign"), "{error:?}");
    }
    assert_eq!(definitions(&mut c).await, before);
    c.schema()
        .table(("main", "t"), |t| {
            t.drop_column("a");
            t.rename_column("it's", "c");
            t.drop_column("c");
            t.drop_index("of_e");
            t.drop_column("e");
        })
        .await
        .unwrap();
    c.schema()
        .table("t", |t| {
            t.drop_foreign(["user_id"]);
            t.drop_column("user_id");
        })
        .await
        .unwrap();
    assert_eq!(
        definitions(&mut c).await,
        "CREATE INDEX both ON t (b, d);\nCREATE INDEX sums ON t (abs(d));\nCREATE TABLE \"t\" (b INT, d INT);\nCREATE TABLE users (id INTEGER PRIMARY KEY);\n"
    );
}

#[tokio::test]
async fn errors_of_a_table_built_anew_name_the_table_that_was_asked_for() {
    let mut c = open("CREATE TABLE t (a INT, b TEXT, c INT); INSERT INTO t VALUES (1, 'x', NULL), (1, 'y', 2)").await;
    let error = c.schema().table("t", |t| t.primary("a")).await.unwrap_err();
    assert_eq!(error.to_string(), "nothing was changed: UNIQUE constraint failed: t.a (1555)");
    assert_eq!(error.constraint(), Some("t.a"));
    let error = c
        .schema()
        .table("t", |t| {
            t.text("c").change();
        })
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "nothing was changed: NOT NULL constraint failed: t.c (1299)");
    // A table that really has such a name keeps it.
    c.script("CREATE TABLE t_rebuilt (a INT NOT NULL)").await.unwrap();
    let error = c.execute("INSERT INTO \"t_rebuilt\" VALUES (NULL)", &[]).await.unwrap_err();
    assert_eq!(error.constraint(), Some("t_rebuilt.a"));
}

#[tokio::test]
async fn a_default_that_sqlite_would_keep_as_something_else_is_refused() {
    let mut c = open("CREATE TABLE t (a INT)").await;
    let defaults: [(Value, &str); 3] = [
        (u64::MAX.into(), "SQLite does not know a number above 9223372036854775807 as a default"),
        (f64::NAN.into(), "SQLite does not know NaN as a default"),
        (f32::NAN.into(), "SQLite does not know NaN as a default"),
    ];
    for (default, told) in defaults {
        let (added, set) = (default.clone(), default);
        let error = c
            .schema()
            .table("t", |t| {
                t.double("b").default(val(added));
            })
            .await
            .unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Unsupported, told));
        let error = c.schema().table("t", |t| t.set_default("a", val(set))).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Unsupported, told));
    }
    c.schema()
        .table("t", |t| {
            t.double("most").default(f64::INFINITY);
            t.double("least").default(f64::NEG_INFINITY);
            t.big_integer("n").default(i64::MAX as u64);
        })
        .await
        .unwrap();
    c.execute("INSERT INTO t (a) VALUES (1)", &[]).await.unwrap();
    assert_eq!(
        dump(&mut c, "SELECT most, least, n FROM t").await,
        "[Double(inf), Double(-inf), Int(9223372036854775807)]\n"
    );
}
