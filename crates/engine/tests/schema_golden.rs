//! One table of schema changes, how each of the four dialects spells them and what they do to others:
//! `schema_golden.txt`, to be read in review. Each change is also run on every engine, in the order of the table.
//!
//! A change without a line for each dialect fails, and so does a line without a change. On a mismatch the test prints the
//! table as it would be.

#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::dialects::{Flavor, MySqlDialect, PostgresDialect, SqliteDialect};
use dbkeep_engine::{ConnectOptions, Connection, connect};
use dbkeep_sql::*;
use dbkeep_testkit::{Kind, server};
use std::collections::HashMap;
use std::fmt::Write as _;

fn dialects() -> [(&'static str, Box<dyn Dialect>); 4] {
    [
        ("mysql", Box::new(MySqlDialect::new(Flavor::MySql, (9, 7, 0)))),
        ("mariadb", Box::new(MySqlDialect::new(Flavor::MariaDb, (10, 11, 14)))),
        ("postgres", Box::new(PostgresDialect::new((15, 18, 0)))),
        ("sqlite", Box::new(SqliteDialect::new((3, 54, 0)))),
    ]
}

struct Case {
    title: &'static str,
    schema: Schema,
    /// Where it means something, though others could spell it.
    runs_on: &'static [&'static str],
}

const EVERYWHERE: &[&str] = &["mysql", "mariadb", "postgres", "sqlite"];
const MYSQLS: &[&str] = &["mysql", "mariadb"];

/// The changes, in the order of the table. Each may lean on those before it that every engine knows.
fn cases() -> Vec<Case> {
    let mut list = Vec::new();
    let mut add = |title, runs_on, write: &dyn Fn(&mut Schema)| {
        let mut schema = Schema::new();
        write(&mut schema);
        list.push(Case { title, schema, runs_on });
    };

    add("a table with its keys", EVERYWHERE, &|s| {
        s.create("users", |t| {
            t.id();
            t.string("email", 255).unique();
            t.string("name", 100).index();
            t.boolean("active").default(true);
            t.timestamps();
            t.soft_deletes();
        });
    });
    add("a table of every type", EVERYWHERE, &|s| {
        s.create("types", |t| {
            t.uuid("key").primary();
            t.string("string", 50);
            t.char("char", 2);
            t.text("text");
            t.medium_text("medium_text");
            t.long_text("long_text");
            t.tiny_integer("tiny");
            t.small_integer("small");
            t.integer("integer");
            t.big_integer("big");
            t.boolean("boolean");
            t.decimal("decimal", 10, 2);
            t.float("float");
            t.double("double");
            t.date("date");
            t.time("time");
            t.date_time("date_time");
            t.timestamp("timestamp");
            t.year("year");
            t.enum_of("enum", ["a", "it's \\ b", "c\"`;--"]);
            t.json("json");
            t.binary("binary");
        });
    });
    add("unsigned numbers", EVERYWHERE, &|s| {
        s.create("unsigned", |t| {
            t.tiny_integer("tiny").unsigned();
            t.small_integer("small").unsigned();
            t.integer("integer").unsigned();
            t.big_integer("big").unsigned().nullable();
        });
    });
    add("defaults", EVERYWHERE, &|s| {
        s.create("defaults", |t| {
            t.string("string", 50).default("it's \\ new; -- x");
            t.text("text").default("long");
            t.integer("integer").default(-7);
            t.boolean("boolean").default(false);
            t.decimal("decimal", 10, 2).default("1.50".parse::<Decimal>().unwrap());
            t.double("double").default(2.5);
            t.date("date").default(Date { year: 2026, month: 11, day: 22 });
            t.date_time("date_time").default("2026-11-22 12:30:00.000001".parse::<DateTime>().unwrap());
            t.timestamp("timestamp").use_current();
            t.enum_of("enum", ["a", "b"]).default("b");
            t.json("json").default(Value::Json("{\"a\": [1]}".into()));
            t.binary("binary").default(vec![0u8, 255, 39]);
            t.integer("expression").default(val(1) + 2);
            t.string("nothing", 10).nullable().default(None::<String>);
        });
    });
    add("generated columns", EVERYWHERE, &|s| {
        s.create("generated", |t| {
            t.integer("price");
            t.integer("count");
            t.integer("total").stored_as(col("price") * col("count"));
            t.check("some", col("count").gt(0).and(col("price").between(0, 1000)));
        });
    });
    add("a column computed on reading", EVERYWHERE, &|s| {
        s.create("computed", |t| {
            t.integer("price");
            t.integer("double_price").virtual_as(col("price") * 2);
        });
    });
    add("foreign keys", EVERYWHERE, &|s| {
        s.create("cities", |t| {
            t.char("country", 2);
            t.string("name", 80);
            t.primary(["country", "name"]);
        });
        s.create("posts", |t| {
            t.id();
            t.foreign_id("user_id").constrained("users").on_delete(Action::Cascade);
            t.foreign_id("parent_id").nullable().constrained("posts").on_delete(Action::SetNull);
            t.foreign_id("editor_id").unique().references("id").on("users").on_update(Action::NoAction);
            t.char("country", 2);
            t.string("city", 80);
            t.foreign(["country", "city"]).references(["country", "name"]).on("cities").on_delete(Action::Restrict);
        });
    });
    add("a foreign key that goes back to its default", EVERYWHERE, &|s| {
        s.create("fallback", |t| {
            t.foreign_id("user_id").default(1).constrained("users").on_delete(Action::SetDefault);
        });
    });
    add("indexes", EVERYWHERE, &|s| {
        s.create("indexed", |t| {
            t.id();
            t.integer("a");
            t.integer("b");
            t.string("c", 100);
            t.index(["a", "b"]);
            t.unique(["b", "a"]).name("pair");
            t.index("c");
        });
    });
    add("an index that runs downwards", EVERYWHERE, &|s| {
        s.table("indexed", |t| {
            t.index([col("a").asc(), col("b").desc()]).name("down");
        });
    });
    add("a partial index", EVERYWHERE, &|s| {
        s.table("indexed", |t| {
            t.unique("c").where_(col("a").gt(0).and(col("c").ne("it's"))).name("partial");
        });
    });
    add("an index of an expression", EVERYWHERE, &|s| {
        s.table("indexed", |t| {
            t.index(lower("c")).name("lowered");
        });
    });
    add("an index of the beginning of a column", EVERYWHERE, &|s| {
        s.table("indexed", |t| {
            t.index(IndexPart::prefix("c", 10)).name("beginning");
        });
    });
    add("a full-text index", EVERYWHERE, &|s| {
        s.create("texts", |t| {
            t.string("title", 100);
            t.text("body");
        });
        s.table("texts", |t| {
            t.full_text(["title", "body"]);
        });
    });
    add("comments", EVERYWHERE, &|s| {
        s.create("commented", |t| {
            t.integer("a").comment("it's \\ a; -- \"column\"");
            t.comment("of $$ all /* things");
        });
    });
    add("storage engine, character set, collation", MYSQLS, &|s| {
        s.create("collated", |t| {
            t.string("a", 10).charset("latin1").collation("latin1_bin");
            t.string("b", 10).collation("utf8mb4_bin");
            t.engine("InnoDB");
            t.charset("utf8mb4");
            t.collation("utf8mb4_unicode_ci");
        });
    });
    add("the collation of a column", &["postgres"], &|s| {
        s.create("collated", |t| {
            t.string("a", 10).collation(("pg_catalog", "C"));
        });
    });
    add("a collation that knows no case", &["sqlite"], &|s| {
        s.create("collated", |t| {
            t.string("a", 10).collation("NOCASE");
        });
    });
    add("a table made only if it is not there", EVERYWHERE, &|s| {
        s.create("users", |t| {
            t.if_not_exists();
            t.id();
            t.string("email", 255).unique();
        });
    });
    add("a type and options in the engine's words", &["sqlite"], &|s| {
        s.create("strict", |t| {
            t.raw_column("a", "ANY").nullable();
            t.raw_options("STRICT");
        });
    });
    add("long names", EVERYWHERE, &|s| {
        s.create("a_table_with_a_long_name", |t| {
            t.integer("a_column_with_a_rather_long_name").unique();
            t.integer("another_column_with_a_long_name");
            t.index(["a_column_with_a_rather_long_name", "another_column_with_a_long_name"]);
        });
    });
    add("names and labels that would break out", EVERYWHERE, &|s| {
        let table = Path::from(Name::from("we\"ird`.ta'ble"));
        s.create(table.clone(), |t| {
            t.enum_of("d.e]", ["'); DROP TABLE users; --", "\\'", "$$"]).default("\\'");
            t.integer("x\" -- ; `z`").unsigned().index();
        });
        s.table(table.clone(), |t| t.rename_column("d.e]", "a`b\"c"));
        s.drop(table);
    });

    add("a new column", EVERYWHERE, &|s| {
        s.table("users", |t| {
            t.string("nickname", 40).nullable();
        });
    });
    add("new columns with defaults", EVERYWHERE, &|s| {
        s.table("users", |t| {
            t.integer("visits").unsigned().default(0);
            t.boolean("admin").default(false);
            t.enum_of("state", ["new", "old"]).default("new");
        });
    });
    add("a new column at its place", EVERYWHERE, &|s| {
        s.table("users", |t| {
            t.string("middle_name", 40).nullable().after("name");
            t.integer("rank").nullable().first();
        });
    });
    add("a new column of the time of its making", EVERYWHERE, &|s| {
        s.table("users", |t| {
            t.timestamp("seen_at").use_current();
        });
    });
    add("a new column that takes no NULL and has no default", EVERYWHERE, &|s| {
        s.table("indexed", |t| {
            t.integer("d");
        });
    });
    add("a new column that points to another table", EVERYWHERE, &|s| {
        s.table("indexed", |t| {
            t.foreign_id("user_id").nullable().constrained("users").on_delete(Action::SetNull);
        });
    });
    add("a new column computed on reading", EVERYWHERE, &|s| {
        s.table("users", |t| {
            t.integer("twice").virtual_as(col("visits") * 2);
        });
    });
    add("a new column computed and stored", EVERYWHERE, &|s| {
        s.table("users", |t| {
            t.integer("thrice").stored_as(col("visits") * 3);
        });
    });
    add("a column renamed", EVERYWHERE, &|s| {
        s.table("users", |t| t.rename_column("nickname", "nick"));
    });
    add("a column changed", EVERYWHERE, &|s| {
        s.table("users", |t| {
            t.string("nick", 60).nullable().default("none").change();
        });
    });
    add("a column that takes no NULL any more", EVERYWHERE, &|s| {
        s.table("users", |t| {
            t.string("name", 200).change();
        });
    });
    add("a comment on a column changed", &["mysql", "mariadb", "postgres"], &|s| {
        s.table("commented", |t| {
            t.integer("a").comment("in full").change();
        });
    });
    add("labels changed", EVERYWHERE, &|s| {
        s.table("users", |t| {
            t.enum_of("state", ["new", "old", "gone"]).default("old").change();
        });
    });
    add("a default set and one dropped", EVERYWHERE, &|s| {
        s.table("users", |t| {
            t.set_default("visits", 5);
            t.drop_default("admin");
        });
    });
    add("a default that is an expression", EVERYWHERE, &|s| {
        s.table("users", |t| t.set_default("visits", val(2) + 3));
    });
    add("indexes made, renamed and dropped", EVERYWHERE, &|s| {
        s.table("indexed", |t| {
            t.index("b");
            t.unique(["a", "c"]);
        });
        s.table("indexed", |t| {
            t.drop_index(["b"]);
            t.drop_unique(["a", "c"]);
            t.drop_index("pair");
        });
    });
    add("an index renamed", EVERYWHERE, &|s| {
        s.table("indexed", |t| t.rename_index("indexed_c_index", "by_c"));
    });
    add("a check added and dropped", EVERYWHERE, &|s| {
        s.table("indexed", |t| t.check("positive", col("a").gt(0)));
        s.table("indexed", |t| t.drop_check("positive"));
    });
    add("a foreign key added and dropped", EVERYWHERE, &|s| {
        s.create("loose", |t| {
            t.foreign_id("user_id");
        });
        s.table("loose", |t| {
            t.foreign("user_id").references("id").on("users").name("to_user");
        });
        s.table("loose", |t| t.drop_foreign("to_user"));
    });
    add("a primary key added and dropped", EVERYWHERE, &|s| {
        s.create("keyless", |t| {
            t.integer("a");
            t.integer("b");
        });
        s.table("keyless", |t| t.primary(["a", "b"]));
        s.table("keyless", |t| t.drop_primary());
    });
    add("many changes, in as few statements as keep their meaning", EVERYWHERE, &|s| {
        s.create("many", |t| {
            t.integer("a");
            t.integer("b").index();
            t.integer("c");
        });
        s.table("many", |t| {
            t.integer("d").nullable();
            t.index(["a", "d"]);
            t.integer("e").default(1);
            t.drop_index(["b"]);
            t.drop_column("b");
            t.rename_column("c", "see");
            t.index("see");
        });
    });
    add("a table's options changed", EVERYWHERE, &|s| {
        s.table("many", |t| {
            t.comment("it's new");
            t.engine("InnoDB");
            t.charset("utf8mb4");
        });
    });
    add("a comment on a table changed", EVERYWHERE, &|s| {
        s.table("many", |t| t.comment("it's newer"));
    });
    add("columns dropped", EVERYWHERE, &|s| {
        s.table("many", |t| {
            t.drop_column("e");
        });
    });
    add("a table renamed", EVERYWHERE, &|s| {
        s.rename("many", "a few");
    });
    add("tables dropped", EVERYWHERE, &|s| {
        s.drop("a few").drop_if_exists("a few");
    });
    add("a statement of one's own", EVERYWHERE, &|s| {
        s.raw("CREATE VIEW names AS SELECT name FROM users");
    });
    add("a table in a schema", &["postgres"], &|s| {
        s.raw("CREATE SCHEMA app");
        s.create("app.things", |t| {
            t.id();
            t.string("name", 10).index().comment("of the thing");
        });
        s.table("app.things", |t| t.rename_index("things_name_index", "by_name"));
        s.table("app.things", |t| t.drop_index("by_name"));
        s.rename("app.things", "app.stuff");
    });

    add("what contradicts itself", EVERYWHERE, &|s| {
        s.create("wrong", |t| {
            t.id();
            t.column("a", ColumnType::Text).auto_increment().nullable();
            t.decimal("b", 2, 3).unsigned();
            t.enum_of("c", [""; 0]);
            t.enum_of("d", ["x", "x"]);
            t.integer("e").stored_as(col("b")).default(1);
            t.string("", 0);
            t.integer("f").on_delete(Action::Cascade).default("a\0b");
            t.primary("b");
            t.index([""; 0]);
            t.index(lower("e"));
            t.integer("g").after("f");
        });
    });
    add("nothing at all", EVERYWHERE, &|s| {
        s.create("empty", |_| {});
    });
    add("a change of nothing", EVERYWHERE, &|s| {
        s.table("empty", |_| {});
    });
    add("a statement that is two", EVERYWHERE, &|s| {
        s.raw("DROP TABLE a; DROP TABLE b");
    });
    list
}

/// The table as the dialects write it now.
fn written() -> String {
    let mut out = String::new();
    for case in cases() {
        writeln!(out, "## {}", case.title).unwrap();
        let mut before = String::new();
        for (name, dialect) in dialects() {
            let mut lines = String::new();
            match case.schema.compile(&*dialect) {
                Ok(statements) => {
                    for ddl in statements {
                        let note = if ddl.impact.note.is_empty() { "" } else { ": " };
                        writeln!(lines, "{}\n-- {}{note}{}", ddl.sql, ddl.impact, ddl.impact.note).unwrap();
                    }
                }
                Err(error) => {
                    for problem in error.problems() {
                        writeln!(lines, "!! {problem}").unwrap();
                    }
                    writeln!(lines, "({})", error.hint()).unwrap();
                }
            }
            if lines == before {
                writeln!(out, "{name:<9} the same").unwrap();
            } else {
                writeln!(out, "{name:<9} {}", lines.trim_end().replace('\n', "\n          ")).unwrap();
            }
            before = lines;
        }
        out.push('\n');
    }
    out
}

#[test]
fn every_change_is_spelled_as_the_table_says() {
    let expected = include_str!("schema_golden.txt");
    let written = written();
    let sections = |text: &str| text.split("## ").skip(1).map(|s| s.trim_end().to_owned()).collect::<Vec<_>>();
    for (expected, written) in sections(expected).iter().zip(sections(&written)) {
        assert_eq!(*expected, written, "expected left, written right");
    }
    let table = expected.split_once("## ").map_or("", |(_, table)| table);
    let is_same = table.trim_end() == written.trim_start_matches("## ").trim_end();
    assert!(is_same, "the table as it would be:\n{written}");
}

#[test]
fn every_impact_says_where_it_comes_from() {
    for case in cases() {
        for (name, dialect) in dialects() {
            for ddl in case.schema.compile(&*dialect).into_iter().flatten() {
                let known = ddl.impact.method != Method::Unknown;
                assert_eq!(known, ddl.impact.source.starts_with("https://"), "{name}: {}", ddl.sql);
            }
        }
    }
}

#[test]
fn what_a_version_does_not_know_names_the_version_that_does() {
    let mut schema = Schema::new();
    schema.create("t", |t| {
        t.id();
        t.integer("a").default(val(1) + 2);
        t.integer("b").stored_as(col("a") + 1);
        t.check("positive", col("a").gt(0));
        t.index(col("a").desc()).name("down");
        t.index(lower("a")).name("lowered");
    });
    schema.table("t", |t| {
        t.rename_column("a", "c");
        t.rename_index("down", "up");
        t.drop_check("positive");
    });
    let problems = |dialect: &dyn Dialect| -> Vec<String> {
        let refused = schema.operations().iter().filter_map(|operation| operation.compile(dialect).err());
        refused.flat_map(|error| error.problems().map(ToString::to_string).collect::<Vec<_>>()).collect()
    };
    assert_eq!(
        problems(&MySqlDialect::new(Flavor::MySql, (5, 6, 0))),
        [
            "MySQL does not know an expression as DEFAULT (known since 8.0.13)",
            "MySQL does not know CREATE INDEX … DESC (known since 8.0.1)",
            "MySQL does not know an index of an expression (known since 8.0.13)",
            "MySQL does not know CHECK (known since 8.0.16)",
            "MySQL does not know RENAME COLUMN (known since 8.0.3)",
            "MySQL does not know RENAME INDEX (known since 5.7)",
            "MySQL does not know CHECK (known since 8.0.16)",
        ]
    );
    assert_eq!(
        problems(&MySqlDialect::new(Flavor::MariaDb, (10, 1, 0))),
        [
            "MariaDB does not know an expression as DEFAULT (known since 10.2.1)",
            "MariaDB does not know CREATE INDEX … DESC (known since 10.8)",
            "MariaDB does not know an index of an expression",
            "MariaDB does not know CHECK (known since 10.2.22)",
            "MariaDB does not know RENAME COLUMN (known since 10.5.2)",
            "MariaDB does not know RENAME INDEX (known since 10.5.2)",
            "MariaDB does not know CHECK (known since 10.2.22)",
        ]
    );
    assert_eq!(
        problems(&PostgresDialect::new((9, 6, 0))),
        [
            "PostgreSQL does not know GENERATED BY DEFAULT AS IDENTITY (known since 10)",
            "PostgreSQL does not know GENERATED ALWAYS AS (known since 12)",
        ]
    );
    assert_eq!(
        problems(&SqliteDialect::new((3, 24, 0))),
        [
            "SQLite does not know GENERATED ALWAYS AS (known since 3.31)",
            "SQLite does not know RENAME COLUMN (known since 3.25)",
            "SQLite does not know ALTER INDEX … RENAME",
            "SQLite does not know ALTER TABLE … DROP CONSTRAINT (known since 3.53)",
        ]
    );
}

/// Where each table's rows lie, where the server tells: another place means that they were written anew.
async fn storages(connection: &mut Connection) -> HashMap<u32, u32> {
    if !connection.server().capabilities.schemas {
        return HashMap::new();
    }
    let sql = "SELECT oid, relfilenode FROM pg_class WHERE relkind = 'r' AND oid >= 16384";
    connection.query_as(sql, &[]).await.unwrap().into_iter().collect()
}

/// Runs every change that this engine knows, in order. Where the server can be held to an algorithm and a lock, it is held to
/// those of the impact, and refuses if it would take more.
async fn run_on(name: &'static str, kind: Option<Kind>) {
    let database = match kind {
        None => None,
        Some(kind) => match server(kind) {
            Some(server) => Some(server.fresh_database()),
            None => return,
        },
    };
    let url = database.as_ref().map_or_else(|| "sqlite::memory:".to_owned(), |database| database.url());
    let mut connection = connect(&url.parse::<ConnectOptions>().unwrap()).await.unwrap();
    let mut failures = Vec::new();
    for case in cases().into_iter().filter(|case| case.runs_on.contains(&name)) {
        let compiled = case.schema.compile(&*connection.dialect());
        if let Err(error) = &compiled
            && error.hint().starts_with("run it on a connection")
        {
            if let Err(error) = connection.schema().apply(&case.schema).await {
                failures.push(format!("{}: {error}", case.title));
            }
            continue;
        }
        let Ok(statements) = compiled else { continue };
        for ddl in statements {
            let held = match (ddl.sql.starts_with("ALTER TABLE `"), ddl.impact.method, ddl.impact.locks) {
                (true, Method::Instant, _) => ", ALGORITHM = INSTANT",
                (true, Method::InPlace, LockClass::Nothing) => ", ALGORITHM = INPLACE, LOCK = NONE",
                (true, Method::InPlace, _) => ", ALGORITHM = INPLACE, LOCK = SHARED",
                _ => "",
            };
            let before = storages(&mut connection).await;
            let outcome = connection.execute(&format!("{}{held}", ddl.sql), &[]).await;
            let after = storages(&mut connection).await;
            let rewritten = before.iter().any(|(table, storage)| after.get(table).is_some_and(|new| new != storage));
            let claimed = ddl.impact.rewrites.unwrap_or(rewritten);
            if connection.server().capabilities.schemas && outcome.is_ok() && claimed != rewritten {
                failures.push(format!(
                    "{}: the table was{} rewritten: {}",
                    case.title,
                    if rewritten { "" } else { " not" },
                    ddl.sql
                ));
            }
            if let Err(error) = outcome {
                failures.push(format!("{}: {error}: {}{held}", case.title, ddl.sql));
                if !held.is_empty() {
                    let _ = connection.execute(&ddl.sql, &[]).await;
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    connection.close().await.unwrap();
}

#[tokio::test]
async fn every_change_runs_on_mysql() {
    run_on("mysql", Some(Kind::Mysql)).await;
}

#[tokio::test]
async fn every_change_runs_on_mariadb() {
    run_on("mariadb", Some(Kind::Mariadb)).await;
}

#[tokio::test]
async fn every_change_runs_on_postgres() {
    run_on("postgres", Some(Kind::Postgres)).await;
}

#[tokio::test]
async fn every_change_runs_on_sqlite() {
    run_on("sqlite", None).await;
}
