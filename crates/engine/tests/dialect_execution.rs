//! What the dialects spell does the same on every engine: one story of statements, and random conditions.

#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::{ConnectOptions, Connection, Row, connect};
use dbkeep_sql::*;
use dbkeep_testkit::{Kind, server};
use proptest::prop_oneof;
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;

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
    rows_go_in_and_come_out
    conditions_mean_what_they_say
    hostile_names_and_values_come_back
}

async fn execute(connection: &mut Connection, statement: impl Compile) -> u64 {
    let compiled = statement.compile(&*connection.dialect()).unwrap();
    let done = connection.execute(&compiled.sql, &compiled.params).await;
    done.unwrap_or_else(|error| panic!("{error}: {}", compiled.sql)).rows_affected
}

async fn query(connection: &mut Connection, statement: impl Compile) -> Vec<Row> {
    let compiled = statement.compile(&*connection.dialect()).unwrap();
    let rows = connection.query(&compiled.sql, &compiled.params).await;
    rows.unwrap_or_else(|error| panic!("{error}: {}", compiled.sql))
}

async fn schema(connection: &mut Connection, schema: &Schema) {
    for ddl in schema.compile(&*connection.dialect()).unwrap() {
        connection.execute(&ddl.sql, &[]).await.unwrap_or_else(|error| panic!("{error}: {}", ddl.sql));
    }
}

async fn create(connection: &mut Connection, table: impl Into<Path>, describe: impl FnOnce(&mut Blueprint)) {
    schema(connection, Schema::new().create(table, describe)).await;
}

async fn ids(connection: &mut Connection, statement: impl Compile) -> Vec<i64> {
    query(connection, statement).await.iter().map(|row| row.get(0).unwrap()).collect()
}

async fn names(connection: &mut Connection, statement: Select) -> Vec<String> {
    query(connection, statement).await.iter().map(|row| row.get("name").unwrap()).collect()
}

async fn number(connection: &mut Connection, statement: impl Compile) -> i64 {
    ids(connection, statement).await[0]
}

async fn rows_go_in_and_come_out(connection: &mut Connection) {
    let c = connection;
    let ledger = |t: &mut Blueprint| {
        t.if_not_exists();
        t.id();
        t.string("email", 100).unique();
        t.string("name", 100);
        t.integer("age").nullable();
        t.decimal("fee", 10, 2).default("1.50".parse::<Decimal>().unwrap());
        t.string("state", 40).default("it's \\ new; -- x");
        t.boolean("active").default(true);
        t.timestamp("seen_at").use_current();
        t.unique(["name", "age"]);
    };
    create(c, "users", ledger).await;

    let users = || select().from("users");
    let insert = || insert_into("users").columns(["email", "name", "age"]);
    let new = insert().row(params!["ada@x", "Ada", 36]).row(params!["grace@x", "Grace", 45]).row(params![
        "lin@x",
        "Lin",
        None::<i64>
    ]);
    assert_eq!(execute(c, new).await, 3);
    let row = query(c, users().filter(col("email").eq("ada@x"))).await.remove(0);
    assert_eq!(row.get::<String>("state").unwrap(), "it's \\ new; -- x");
    assert_eq!(row.get::<Decimal>("fee").unwrap().to_string(), "1.50");
    assert!(row.get::<bool>("active").unwrap());
    assert!(row.get::<DateTime>("seen_at").unwrap().date.year >= 2025);

    // A taken key: left out, or given new values. What is wrong for another reason stays an error.
    execute(c, insert().row(params!["ada@x", "Other", 1]).row(params!["new@x", "New", 2]).or_ignore()).await;
    assert_eq!(names(c, users().order_by("id")).await, ["Ada", "Grace", "Lin", "New"]);
    execute(
        c,
        insert().row(params!["ada@x", "Ada L.", 37]).row(params!["joan@x", "Joan", 50]).upsert(["email"], ["name"]),
    )
    .await;
    execute(c, insert().row(params!["joan@x", "Nobody", 1]).upsert(["email"], [""; 0])).await;
    assert_eq!(names(c, users().filter(col("age").in_list([36, 50])).order_by("name")).await, ["Ada L.", "Joan"]);
    let broken = insert().row(params!["no@x", None::<String>, 1]).or_ignore().compile(&*c.dialect()).unwrap();
    assert!(c.execute(&broken.sql, &broken.params).await.is_err());

    // NULL where it is asked for, pages, counts.
    assert_eq!(
        names(c, users().order_by(col("age").asc().nulls_last())).await,
        ["New", "Ada L.", "Grace", "Joan", "Lin"]
    );
    assert_eq!(
        names(c, users().order_by(col("age").desc().nulls_first())).await,
        ["Lin", "Joan", "Grace", "Ada L.", "New"]
    );
    let page = users().order_by(col("age").asc().nulls_first()).order_by("id");
    assert_eq!(names(c, page.clone().offset(3)).await, ["Grace", "Joan"]);
    assert_eq!(names(c, page.clone().limit(1).offset(1)).await, ["New"]);
    assert_eq!(number(c, page.clone().to_count()).await, 5);
    assert_eq!(number(c, page.clone().limit(3).to_count()).await, 3);
    assert_eq!(number(c, page.clone().offset(3).to_count()).await, 2);
    let grouped = select().column("active").column(count_all().alias("n")).from("users").group_by("active");
    assert_eq!(number(c, grouped.clone().to_count()).await, 1);
    assert_eq!(number(c, grouped.having(count_all().gt(5)).to_count()).await, 0);
    assert_eq!(number(c, select().distinct().column("state").from("users").to_count()).await, 1);
    assert_eq!(number(c, select().column(max("age")).from("users").to_count()).await, 1);
    let exists_row = query(c, users().filter(col("name").eq("Lin")).to_exists()).await.remove(0);
    assert!(exists_row.get::<bool>("exists").unwrap());

    // Joins and subqueries, texts and choices.
    let older = select().column("b.age").from(table("users").alias("b")).filter(col("b.name").eq("Ada L."));
    assert_eq!(names(c, users().filter(col("age").gt(older)).order_by("age")).await, ["Grace", "Joan"]);
    let pairs = select()
        .column(col("a.name").concat("+").concat(col("b.name")).alias("name"))
        .from(table("users").alias("a"))
        .join(table("users").alias("b"), col("a.age").lt(col("b.age")))
        .filter(col("a.name").starts_with("Ada").and(not(col("b.name").contains("%"))))
        .order_by("b.age");
    assert_eq!(names(c, pairs).await, ["Ada L.+Grace", "Ada L.+Joan"]);
    let kinds = select()
        .column(
            case()
                .when(col("age").lt(40), "young")
                .when(col("age").is_null(), "unknown")
                .otherwise("old")
                .alias("name"),
        )
        .from("users")
        .order_by("id");
    assert_eq!(names(c, kinds).await, ["young", "old", "unknown", "young", "old"]);
    let left = select()
        .columns(["a.name"])
        .from(table("users").alias("a"))
        .left_join(users().filter(col("age").gt(40)).alias("o"), col("o.id").eq(col("a.id")))
        .filter(col("o.id").eq(None::<i64>))
        .order_by("a.id");
    assert_eq!(names(c, left).await, ["Ada L.", "Lin", "New"]);

    // Changes.
    assert_eq!(
        execute(c, update("users").increment("age", 1).set("fee", col("fee") * 2).filter(col("name").eq("Grace")))
            .await,
        1
    );
    assert_eq!(number(c, select().column("age").from("users").filter(col("name").eq("Grace"))).await, 46);
    assert_eq!(execute(c, users().filter(col("age").is_null()).into_update().set("age", 20)).await, 1);
    assert_eq!(execute(c, delete_from("users").filter(col("name").in_list(["New", "Nobody"]))).await, 1);
    match (insert().row(params!["r@x", "Ret", 1]).returning(["name", "age"])).compile(&*c.dialect()) {
        Ok(compiled) => {
            assert_eq!(c.query_one(&compiled.sql, &compiled.params).await.unwrap().get::<i64>("age").unwrap(), 1)
        }
        Err(error) => assert!(error.unsupported().is_some()),
    }
    let before = number(c, users().to_count()).await;
    assert!(before >= 4);
    assert_eq!(execute(c, delete_from("users").all_rows()).await, before as u64);
    assert_eq!(number(c, users().to_count()).await, 0);

    create(c, "d", |t| {
        t.id();
        t.integer("v").default(7);
    })
    .await;
    execute(c, insert_into("d").default_values()).await;
    execute(
        c,
        insert_into("d").columns(["v"]).from_select(select().column(col("v") + 1).from("d").filter(col("v").eq(7))),
    )
    .await;
    assert_eq!(ids(c, select().column("v").from("d").order_by_desc("id").limit(2)).await, [8, 7]);
    schema(c, Schema::new().drop("d")).await;
    schema(c, Schema::new().drop_if_exists("d")).await;
}

/// A condition, as the test understands it.
#[derive(Debug, Clone)]
enum Condition {
    Compare(Comparison, Number, Number),
    Between(Number, Number, Number, bool),
    In(Number, Vec<i64>, bool),
    IsNull(Number, bool),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
}

#[derive(Debug, Clone)]
enum Number {
    /// One of the table's three columns.
    Column(usize),
    /// Arithmetic with a literal or another number on the right.
    Sum(Box<Number>, Box<Number>),
    Difference(Box<Number>, Box<Number>),
    Product(Box<Number>, Box<Number>),
    Plus(Box<Number>, i64),
}

const COLUMNS: [&str; 3] = ["a", "b", "c"];

impl Number {
    fn value(&self, row: &[Option<i64>; 3]) -> Option<i64> {
        Some(match self {
            Number::Column(at) => row[*at]?,
            Number::Sum(l, r) => l.value(row)? + r.value(row)?,
            Number::Difference(l, r) => l.value(row)? - r.value(row)?,
            Number::Product(l, r) => l.value(row)? * r.value(row)?,
            Number::Plus(l, number) => l.value(row)? + number,
        })
    }

    fn expr(&self) -> Expr {
        match self {
            Number::Column(at) => col(COLUMNS[*at]),
            Number::Sum(l, r) => l.expr() + r.expr(),
            Number::Difference(l, r) => l.expr() - r.expr(),
            Number::Product(l, r) => l.expr() * r.expr(),
            Number::Plus(l, number) => l.expr() + *number,
        }
    }
}

impl Condition {
    /// True, false or unknown, as SQL has it.
    fn holds(&self, row: &[Option<i64>; 3]) -> Option<bool> {
        match self {
            Condition::Compare(comparison, l, r) => {
                let (l, r) = (l.value(row)?, r.value(row)?);
                Some(match comparison {
                    Comparison::Eq => l == r,
                    Comparison::Ne => l != r,
                    Comparison::Lt => l < r,
                    Comparison::Le => l <= r,
                    Comparison::Gt => l > r,
                    Comparison::Ge => l >= r,
                })
            }
            Condition::Between(x, low, high, negated) => {
                let x = x.value(row);
                let above = x.zip(low.value(row)).map(|(x, low)| x >= low);
                let below = x.zip(high.value(row)).map(|(x, high)| x <= high);
                let inside = match (above, below) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                };
                inside.map(|inside| inside != *negated)
            }
            Condition::In(_, list, negated) if list.is_empty() => Some(*negated),
            Condition::In(x, list, negated) => Some(list.contains(&x.value(row)?) != *negated),
            Condition::IsNull(x, negated) => Some(x.value(row).is_none() != *negated),
            Condition::And(list) => {
                let all: Vec<_> = list.iter().map(|c| c.holds(row)).collect();
                if all.contains(&Some(false)) {
                    Some(false)
                } else if all.contains(&None) {
                    None
                } else {
                    Some(true)
                }
            }
            Condition::Or(list) => {
                let all: Vec<_> = list.iter().map(|c| c.holds(row)).collect();
                if all.contains(&Some(true)) {
                    Some(true)
                } else if all.contains(&None) {
                    None
                } else {
                    Some(false)
                }
            }
            Condition::Not(condition) => condition.holds(row).map(|holds| !holds),
        }
    }

    fn expr(&self) -> Expr {
        match self {
            Condition::Compare(comparison, l, r) => l.expr().compare(*comparison, r.expr()),
            Condition::Between(x, low, high, false) => x.expr().between(low.expr(), high.expr()),
            Condition::Between(x, low, high, true) => x.expr().not_between(low.expr(), high.expr()),
            Condition::In(x, list, false) => x.expr().in_list(list.iter().copied()),
            Condition::In(x, list, true) => x.expr().not_in(list.iter().copied()),
            Condition::IsNull(x, false) => x.expr().is_null(),
            Condition::IsNull(x, true) => x.expr().is_not_null(),
            Condition::And(list) => all(list.iter().map(Condition::expr)),
            Condition::Or(list) => any(list.iter().map(Condition::expr)),
            Condition::Not(condition) => not(condition.expr()),
        }
    }
}

fn any_number() -> impl Strategy<Value = Number> {
    (0..3usize).prop_map(Number::Column).prop_recursive(2, 5, 2, |inner| {
        let two = (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            two.clone().prop_map(|(l, r)| Number::Sum(l, r)),
            two.clone().prop_map(|(l, r)| Number::Difference(l, r)),
            two.prop_map(|(l, r)| Number::Product(l, r)),
            (inner.prop_map(Box::new), -2..3i64).prop_map(|(l, number)| Number::Plus(l, number)),
        ]
    })
}

fn any_condition() -> impl Strategy<Value = Condition> {
    use Comparison::*;
    let leaf = prop_oneof![
        (proptest::sample::select(vec![Eq, Ne, Lt, Le, Gt, Ge]), any_number(), any_number())
            .prop_map(|(comparison, l, r)| Condition::Compare(comparison, l, r)),
        (any_number(), any_number(), any_number(), proptest::bool::ANY)
            .prop_map(|(x, l, h, n)| Condition::Between(x, l, h, n)),
        (any_number(), proptest::collection::vec(-1..3i64, 0..3), proptest::bool::ANY)
            .prop_map(|(x, list, n)| Condition::In(x, list, n)),
        (any_number(), proptest::bool::ANY).prop_map(|(x, n)| Condition::IsNull(x, n)),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Condition::And),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Condition::Or),
            inner.prop_map(|condition| Condition::Not(Box::new(condition))),
        ]
    })
}

async fn conditions_mean_what_they_say(connection: &mut Connection) {
    create(connection, "t", |t| {
        t.integer("id").primary();
        for name in COLUMNS {
            t.integer(name).nullable();
        }
    })
    .await;
    // Every combination of NULL, 0, 1 and 2 in three columns.
    let value = |at: i64| (at > 0).then_some(at - 1);
    let rows: Vec<[Option<i64>; 3]> = (0..64).map(|at| [value(at / 16), value(at / 4 % 4), value(at % 4)]).collect();
    let insert = insert_into("t").columns(["id", "a", "b", "c"]);
    let new = rows.iter().enumerate().map(|(id, [a, b, c])| params![id as i64, *a, *b, *c]);
    execute(connection, insert.rows(new)).await;

    let mut runner = TestRunner::deterministic();
    for _ in 0..300 {
        let condition = any_condition().new_tree(&mut runner).unwrap().current();
        let expected: Vec<i64> =
            (0i64..).zip(&rows).filter(|(_, row)| condition.holds(row) == Some(true)).map(|(id, _)| id).collect();
        let found = ids(connection, select().column("id").from("t").filter(condition.expr()).order_by("id")).await;
        let text = condition.expr();
        assert_eq!(found, expected, "{}", select().from("t").filter(text));
    }
}

async fn hostile_names_and_values_come_back(connection: &mut Connection) {
    let texts = [
        "'; DROP TABLE users; --",
        "\" OR \"1\"=\"1",
        "`x`",
        "\\",
        "\\'",
        "'' OR 1=1 #",
        "?",
        "$1",
        ":name",
        "@x",
        "%s",
        "a.b",
        "*",
        "/*",
        "*/",
        "é’＇",
        "line\nbreak",
        "[x]",
        "select",
        "x y",
    ];
    for (at, text) in texts.iter().enumerate() {
        let name = Name::from(*text);
        let table = Path::from(Name::from(format!("{text}{at}")));
        create(connection, table.clone(), |t| {
            t.string(name.clone(), 100).default(*text);
            t.integer("n").primary();
        })
        .await;
        execute(connection, insert_into(table.clone()).set("n", 1)).await;
        execute(connection, insert_into(table.clone()).set(name.clone(), *text).set("n", 2)).await;
        let column = || col(Path::from(name.clone()));
        let query_all = select().column(column().alias(name.clone())).from(table.clone()).filter(all([
            column().eq(*text),
            column().in_list([*text]),
            column().contains(text),
            column().starts_with(text),
            column().ends_with(text),
        ]));
        let rows = query(connection, query_all.order_by("n")).await;
        assert_eq!(rows.len(), 2, "{text}");
        for row in rows {
            assert_eq!(row.columns()[0].name, *text);
            assert_eq!(row.get::<String>(0).unwrap(), *text);
        }
        schema(connection, Schema::new().drop(table)).await;
    }
}
