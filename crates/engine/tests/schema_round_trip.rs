//! A schema that is made, read from the catalog and written again is the same, on every engine.

#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::{CatalogOptions, ConnectOptions, Connection, ErrorKind, TableBlueprint, connect};
use dbkeep_sql::*;
use dbkeep_testkit::{Kind, server};

async fn on(kind: Option<Kind>, story: impl AsyncFn(&mut Connection)) {
    let database = match kind {
        None => None,
        Some(kind) => match server(kind) {
            Some(server) => Some(server.fresh_database()),
            None => return,
        },
    };
    let url = database.as_ref().map_or_else(|| "sqlite::memory:".to_owned(), |database| database.url());
    let mut connection = connect(&url.parse::<ConnectOptions>().unwrap()).await.unwrap();
    story(&mut connection).await;
    connection.close().await.unwrap();
}

macro_rules! on_each_engine {
    ($($story:ident)*) => {$(
        mod $story {
            use super::*;

            #[tokio::test]
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
    types_defaults_and_keys_come_back_word_for_word
    expressions_come_back_as_the_engine_writes_them
    hostile_texts_come_back_or_are_refused
}

/// Where plain quotes have no say over what a backslash means, nor have they here.
#[tokio::test]
async fn hostile_texts_come_back_where_strings_do_not_conform_to_the_standard() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    database.sql(&format!("ALTER DATABASE {} SET standard_conforming_strings = off", database.name()));
    let mut connection = connect(&database.url().parse::<ConnectOptions>().unwrap()).await.unwrap();
    let off = connection.query_one("SHOW standard_conforming_strings", &[]).await.unwrap();
    assert_eq!(off.get::<String>(0).unwrap(), "off");
    hostile_texts_come_back_or_are_refused(&mut connection).await;
    connection.close().await.unwrap();
}

/// What is written here needs no double quotes that mean a text; where backslashes would mean themselves, nothing is written.
#[tokio::test]
async fn modes_of_a_session_change_no_text_or_are_refused() {
    for kind in [Kind::Mariadb, Kind::Mysql] {
        let Some(server) = server(kind) else { continue };
        let database = server.fresh_database();
        let with = |mode: &str| format!("{}?sql_mode={mode}", database.url()).parse::<ConnectOptions>().unwrap();
        let error = connect(&with("STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Options, "{error}");
        let mut connection = connect(&with("STRICT_ALL_TABLES,ANSI")).await.unwrap();
        hostile_texts_come_back_or_are_refused(&mut connection).await;
        expressions_come_back_as_the_engine_writes_them(&mut connection).await;
        connection.close().await.unwrap();
    }
}

/// The lines of all statements, in an order of their own: catalogs sort what programs write in any order.
fn lines(table: &str, blueprint: Blueprint, dialect: &dyn Dialect) -> Vec<String> {
    let create = CreateTable::new(table, |t| *t = blueprint);
    let statements = SchemaOperation::from(create).compile(dialect).unwrap();
    let mut lines: Vec<String> = statements
        .iter()
        .flat_map(|ddl| ddl.sql.lines())
        .map(|line| line.trim().trim_end_matches(',').to_owned())
        .collect();
    lines.sort();
    lines
}

async fn create(c: &mut Connection, table: &str, blueprint: Blueprint) {
    c.schema().create(table, |t| *t = blueprint).await.unwrap_or_else(|error| panic!("{error}: {table}"));
}

async fn read(c: &mut Connection, table: &str) -> TableBlueprint {
    c.schema().blueprint(Name::from(table)).await.unwrap()
}

fn described(describe: impl FnOnce(&mut Blueprint)) -> Blueprint {
    let mut blueprint = Blueprint::default();
    describe(&mut blueprint);
    blueprint
}

/// Whether the dialect knows all of it.
fn is_known(c: &Connection, blueprint: &Blueprint) -> bool {
    let create = CreateTable::new("t", |t| *t = blueprint.clone());
    SchemaOperation::from(create).compile(&*c.dialect()).is_ok()
}

async fn types_defaults_and_keys_come_back_word_for_word(c: &mut Connection) {
    // What a server adds to every table by itself is said, where it can be.
    let engine = described(|t| {
        t.id();
        t.engine("InnoDB");
    });
    let has_engines = is_known(c, &engine);
    let whole = |t: &mut Blueprint| {
        if has_engines {
            t.engine("InnoDB");
            t.collation("utf8mb4_general_ci");
        }
    };
    let users = described(|t| {
        t.id();
        t.string("email", 255).unique();
        t.string("name", 100).nullable().index();
        whole(t);
    });
    let types = described(|t| {
        t.uuid("key").primary();
        t.string("string", 50);
        t.char("char", 2).nullable();
        t.text("text");
        t.medium_text("medium_text");
        t.long_text("long_text").nullable();
        t.tiny_integer("tiny");
        t.small_integer("small");
        t.integer("integer");
        t.big_integer("big").nullable();
        t.tiny_integer("utiny").unsigned();
        t.small_integer("usmall").unsigned();
        t.integer("uinteger").unsigned().nullable();
        t.big_integer("ubig").unsigned();
        t.boolean("boolean");
        t.decimal("decimal", 10, 2);
        t.float("float");
        t.double("double");
        t.date("date");
        t.time("time");
        t.date_time("date_time");
        t.timestamp("timestamp").nullable();
        t.year("year");
        t.enum_of("enum", ["a", "it's", "b, c"]);
        t.enum_of("one", ["a"]).nullable();
        t.json("json");
        t.binary("binary");
        whole(t);
    });
    let defaults = described(|t| {
        t.string("string", 50).default("it's new; -- x");
        t.string("empty", 50).default("");
        t.text("text").default("long");
        t.integer("integer").default(-7);
        t.big_integer("big").default(i64::MAX);
        t.big_integer("ubig").unsigned().default(5);
        t.boolean("yes").default(true);
        t.boolean("no").default(false).nullable();
        t.decimal("decimal", 10, 2).default("-1.50".parse::<Decimal>().unwrap());
        t.double("double").default(2.5);
        t.date("date").default("2026-11-22".parse::<Date>().unwrap());
        t.date_time("date_time").default("2026-11-22 12:30:00.000001".parse::<DateTime>().unwrap());
        t.timestamp("timestamp").use_current();
        t.enum_of("enum", ["a", "it's"]).default("it's");
        t.json("json").default(Value::Json("{\"a\": [1, \"it's\"]}".into()));
        t.binary("binary").default(vec![0u8, 255, 39]);
        whole(t);
    });
    let posts = described(|t| {
        t.id();
        t.foreign_id("user_id").constrained("users").on_delete(Action::Cascade);
        t.foreign_id("editor_id").nullable().constrained("users").on_delete(Action::SetNull).on_update(Action::Cascade);
        t.integer("a");
        t.integer("b");
        t.string("c", 100);
        t.unique(["a", "b"]);
        t.index([col("b").desc()]).name("down");
        whole(t);
    });
    let mut optional = vec![
        (
            "commented",
            described(|t| {
                t.integer("a").comment("it's \\ a; -- \"column\"");
                t.comment("of $$ all /* things");
                whole(t);
            }),
        ),
        (
            "prefixed",
            described(|t| {
                t.string("a", 100);
                t.index(IndexPart::prefix("a", 7)).name("beginning");
                whole(t);
            }),
        ),
        (
            "searched",
            described(|t| {
                t.string("a", 100);
                t.text("b");
                t.full_text(["a", "b"]);
                whole(t);
            }),
        ),
    ];
    optional.retain(|(_, blueprint)| is_known(c, blueprint));
    let mut tables = vec![("users", users), ("types", types), ("defaults", defaults), ("posts", posts)];
    // MariaDB takes DESC from 10.8 on, and all here do.
    tables.extend(optional);
    for (name, blueprint) in &tables {
        create(c, name, blueprint.clone()).await;
    }
    let mut wrong = Vec::new();
    for (name, blueprint) in tables {
        let dialect = c.dialect();
        let found = read(c, name).await;
        assert_eq!(found.left_out, Vec::<String>::new(), "{name}");
        let (expected, found) = (lines(name, blueprint, &*dialect), lines(name, found.blueprint, &*dialect));
        wrong.extend(expected.iter().filter(|line| !found.contains(line)).map(|line| format!("{name} lost  {line}")));
        wrong.extend(found.iter().filter(|line| !expected.contains(line)).map(|line| format!("{name} found {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Made anew from what was read, a table reads as the same again, and the catalog agrees.
async fn expressions_come_back_as_the_engine_writes_them(c: &mut Connection) {
    let mut candidates = vec![
        described(|t| {
            t.integer("price").default(val(1) + 2);
            t.integer("count").nullable().default(None::<i64>);
            t.integer("total").stored_as(col("price") * col("count"));
            t.check("some", col("count").gt(0).and(col("price").between(0, 1000)));
        }),
        described(|t| {
            t.string("name", 50).default(upper(ColumnExpr::from(val("it's \\ ?"))));
            t.check("named", col("name").ne("it's; \\ -- ?"));
        }),
        described(|t| {
            t.integer("price");
            t.integer("twice").virtual_as(col("price") * 2);
        }),
        described(|t| {
            t.string("name", 50);
            t.integer("n");
            t.index(lower("name")).name("lowered");
            t.unique("n").name("partial").where_(col("name").ne("it's"));
        }),
        described(|t| {
            t.string("name", 50);
            t.index(lower("name")).name("lowered_alone");
        }),
    ];
    candidates.retain(|blueprint| is_known(c, blueprint));
    // Types of the engines' own: what one does not know, it refuses.
    let own = [
        "timestamp DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
        "set('a','it''s')",
        "bit(8)",
        "decimal(8,2) unsigned",
        "mediumint",
        "varbinary(16)",
        "inet",
        "integer[]",
        "numeric",
        "serial",
        "varchar(20) COLLATE NOCASE",
        "ANY",
        "DECIMAL(8,2)",
    ];
    for type_name in own {
        candidates.push(described(|t| {
            t.integer("id").primary();
            t.raw_column("own", type_name);
        }));
    }
    let mut tried = 0;
    for blueprint in candidates {
        if c.schema().create("first", |t| *t = blueprint.clone()).await.is_err() {
            assert!(matches!(&blueprint.columns.last().unwrap().column_type, ColumnType::Raw(_)), "{blueprint:?}");
            continue;
        }
        tried += 1;
        let found = read(c, "first").await;
        let options = CatalogOptions::default().tables(["first"]);
        let first = c.catalog(&options).await.unwrap();
        c.schema().drop("first").await.unwrap();
        create(c, "first", found.blueprint.clone()).await;
        let (again, second) = (read(c, "first").await, c.catalog(&options).await.unwrap());
        assert_eq!(again, found);
        let shown = |catalog: &dbkeep_engine::Catalog| {
            let table = catalog.table("first").unwrap().clone();
            format!("{:#?} {:#?} {:#?} {:#?}", table.columns, table.indexes, table.checks, table.primary_key)
        };
        assert_eq!(shown(&second), shown(&first), "{found:?}");
        c.schema().drop("first").await.unwrap();
    }
    assert!(tried >= 5, "{tried}");
}

async fn hostile_texts_come_back_or_are_refused(c: &mut Connection) {
    let texts = [
        "'",
        "\"",
        "`",
        "\\",
        "\\'",
        "''",
        "\\\\",
        "--",
        "-- ",
        "#",
        "/*",
        "*/",
        "/*!50000 x */",
        ";",
        "$$",
        "$1",
        "?",
        "??",
        ":name",
        "%s",
        "it's",
        "line\nbreak",
        "carriage\r",
        "tab\t",
        "\u{8}",
        "\u{1a}",
        "\0",
        "a\0b",
        "é’＇",
        "😀",
        "",
        " ",
        "a ",
        " a",
        "NULL",
        "0",
        "\\n",
        "\\0",
        "\\x00",
        "E'x'",
        "_utf8mb4'x'",
        "'::text",
        ")); DROP TABLE t; --",
        "a,b",
        "%",
        "_",
        "(",
        ")",
        "x' || 'y",
        "\u{feff}",
        "\u{7f}",
        "\u{200b}",
    ];
    let mut refused = Vec::new();
    for text in texts {
        let echo = select().column(val(text)).column(val(text.as_bytes().to_vec()));
        match echo.to_raw_sql(&*c.dialect()) {
            Ok(sql) if !text.contains('\0') => {
                let row = c.query_one(&sql, &[]).await.unwrap();
                assert_eq!(row.get::<String>(0).unwrap(), text, "{sql}");
                assert_eq!(row.values()[1], Value::Bytes(text.as_bytes().to_vec()), "{sql}");
            }
            _ => assert!(text.contains('\0') || text.contains('?'), "{text:?}"),
        }
        let blueprint = described(|t| {
            t.integer("id").primary();
            t.string("value", 100).default(text);
            t.text("long").default(text);
            t.enum_of("label", [text, "other"]).default(text);
        });
        match c.schema().create("hostile", |t| *t = blueprint.clone()).await {
            Ok(()) => {
                c.execute("INSERT INTO hostile (id) VALUES (1)", &[]).await.unwrap();
                let query =
                    select().columns(["value", "long", "label"]).from("hostile").compile(&*c.dialect()).unwrap();
                let row = c.query_one(&query.sql, &query.params).await.unwrap();
                for at in 0..3 {
                    assert_eq!(row.get::<String>(at).unwrap(), text, "column {at}");
                }
                let found = read(c, "hostile").await.blueprint;
                assert_eq!(
                    found.columns[1].default.as_ref().and_then(Expr::as_value),
                    Some(&Value::from(text)),
                    "{text:?}"
                );
                assert_eq!(
                    found.columns[2].default.as_ref().and_then(Expr::as_value),
                    Some(&Value::from(text)),
                    "{text:?}"
                );
                assert_eq!(found.columns[3].column_type, ColumnType::Enum(vec![text.to_owned(), "other".to_owned()]));
                c.schema().drop("hostile").await.unwrap();
            }
            Err(error) => refused.push(format!("{text:?}: {error}")),
        }
        let commented = described(|t| {
            t.integer("id").comment(text);
            t.comment(text);
        });
        if is_known(c, &commented) {
            create(c, "commented", commented).await;
            let found = read(c, "commented").await.blueprint;
            // An empty comment is none.
            let wanted = Some(text.to_owned()).filter(|text| !text.is_empty());
            assert_eq!(found.columns[0].comment, wanted);
            assert_eq!(found.options.comment, wanted);
            c.schema().drop("commented").await.unwrap();
        }
    }
    // A NUL character nowhere; on some engines, a label that ends in a space, and what is beyond the Basic Multilingual Plane.
    for refusal in &refused {
        let is_nul = refusal.contains("\\0\"") || refusal.contains("\\0b\"");
        let is_known = ["ends in a space", "beyond U+FFFF"].iter().any(|known| refusal.contains(known));
        assert!(is_nul || is_known, "{refusal}");
    }
}
