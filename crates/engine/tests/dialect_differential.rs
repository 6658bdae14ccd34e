//! Queries by chance give the same rows on every engine that knows what they ask for.
//!
//! `DBKEEP_TREES` says how many queries (a few hundred by default), `DBKEEP_SEED` with which number they begin. Each query is made
//! from a number of its own, which a failure names.

#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

mod trees;

use dbkeep_engine::{ConnectOptions, Connection, Row, connect};
use dbkeep_sql::*;
use dbkeep_testkit::{Kind, TestDatabase, server};
use trees::Trees;

fn number_in(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().unwrap())
}

#[tokio::test]
async fn queries_by_chance_give_the_same_rows_everywhere() {
    let databases: Vec<TestDatabase> =
        Kind::ALL.into_iter().filter_map(|kind| Some(server(kind)?.fresh_database())).collect();
    let mut connections = vec![open("sqlite::memory:").await];
    for database in &databases {
        connections.push(open(&database.url()).await);
    }
    let first = number_in("DBKEEP_SEED", 1);
    let (mut compared, mut wrong) = (0, Vec::new());
    for seed in first..first + number_in("DBKEEP_TREES", 300) {
        let query = Trees::new(seed).query();
        let mut found: Vec<(String, Vec<String>)> = Vec::new();
        for connection in &mut connections {
            let dialect = connection.dialect();
            let compiled = match query.compile(&*dialect) {
                Ok(compiled) => compiled,
                Err(error) => {
                    assert!(
                        error.problems().all(|problem| matches!(problem, Problem::Unsupported(_))),
                        "{seed}: {error}"
                    );
                    continue;
                }
            };
            let answer = words(connection.query(&compiled.sql, &compiled.params).await, &compiled.sql);
            // With its values in the text, it is the same query.
            if seed % 4 == 0 {
                let text = query.to_raw_sql(&*dialect).unwrap();
                let as_text = words(connection.query(&text, &[]).await, &text);
                if as_text != answer {
                    wrong.push(format!("{seed}, {}: {answer:?}\nas text: {as_text:?}: {text}", dialect.engine()));
                }
            }
            found.push((dialect.engine().to_owned(), answer));
        }
        compared += usize::from(found.len() > 1);
        if found.iter().any(|(_, rows)| *rows != found[0].1) {
            let answers: Vec<String> = found.iter().map(|(engine, rows)| format!("{engine}: {rows:?}")).collect();
            wrong.push(format!(
                "{seed}: {}\n{}",
                query.to_raw_sql(&*connections[0].dialect()).unwrap_or_default(),
                answers.join("\n")
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(number_in("DBKEEP_SHOWN", 8) as usize)].join("\n\n")
    );
    assert!(databases.is_empty() || compared > 0);
    for connection in connections {
        connection.close().await.unwrap();
    }
}

fn words(rows: dbkeep_engine::Result<Vec<Row>>, sql: &str) -> Vec<String> {
    match rows {
        Ok(rows) => rows.iter().map(|row| row.values().iter().map(word).collect::<Vec<_>>().join(" ")).collect(),
        Err(error) => vec![format!("failed: {error}: {sql}")],
    }
}

/// A value as all engines have it: a number is a number, whatever its type, and a truth is one.
fn word(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(value) => u8::from(*value).to_string(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Decimal(number) => shortest(number.as_str()),
        Value::Double(number) => number.to_string(),
        Value::Text(text) => format!("{:?}", text.as_str()),
        other => format!("{other:?}"),
    }
}

/// Without zeros at the end of a fraction.
fn shortest(text: &str) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

async fn open(url: &str) -> Connection {
    let mut connection = connect(&url.parse::<ConnectOptions>().unwrap()).await.unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    for table in trees::TABLES {
        let make = format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, s VARCHAR(20))");
        connection.execute(&make, &[]).await.unwrap();
        for id in 0..9 {
            let number = |random: &mut fastrand::Rng| (random.u32(..4) > 0).then(|| random.i64(-2..5));
            let (a, b) = (number(&mut random), number(&mut random));
            let letters: String = (0..random.usize(..4)).map(|_| random.char('a'..'d')).collect();
            let s = (random.u32(..4) > 0).then_some(letters);
            let insert = insert_into(table).columns(["id", "a", "b", "s"]).row(params![id, a, b, s]);
            let compiled = insert.compile(&*connection.dialect()).unwrap();
            connection.execute(&compiled.sql, &compiled.params).await.unwrap();
        }
    }
    connection
}
