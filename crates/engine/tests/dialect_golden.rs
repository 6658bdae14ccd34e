//! One table of statements and how each of the four dialects spells them: `dialect_golden.txt`, to be read in review. Each of them
//! is also run on every engine that knows what it asks for.
//!
//! A statement without a line for each dialect fails, and so does a line without a statement. With `WRITE_GOLDEN=1` in the
//! environment, the test writes the table as it would be.

#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

mod fixture;
mod golden;

use dbkeep_engine::dialects::{Flavor, MySqlDialect, PostgresDialect, SqliteDialect};
use dbkeep_engine::{Connection, ErrorKind};
use dbkeep_sql::*;
use golden::{Case, Outcome};
use std::fmt::Write as _;

fn dialects() -> [(&'static str, Box<dyn Dialect>); 4] {
    [
        ("mysql", Box::new(MySqlDialect::new(Flavor::MySql, (9, 7, 0)))),
        ("mariadb", Box::new(MySqlDialect::new(Flavor::MariaDb, (10, 11, 14)))),
        ("postgres", Box::new(PostgresDialect::new((15, 18, 0)))),
        ("sqlite", Box::new(SqliteDialect::new((3, 54, 0)))),
    ]
}

/// The table as the dialects write it now.
fn written() -> String {
    let mut out = String::new();
    for Case { title, statement, .. } in golden::cases() {
        writeln!(out, "## {title}").unwrap();
        let mut values: Vec<(String, Vec<Value>)> = Vec::new();
        for (name, dialect) in dialects() {
            match statement.compile(&*dialect) {
                Ok(compiled) => {
                    writeln!(out, "{name:<9} {}", compiled.sql.replace('\0', "\\0")).unwrap();
                    match values.iter_mut().find(|(_, values)| *values == compiled.params) {
                        Some((names, _)) => write!(names, ", {name}").unwrap(),
                        None => values.push((name.to_owned(), compiled.params)),
                    }
                }
                Err(error) if error.hint().is_empty() => writeln!(out, "{name:<9} !! {error}").unwrap(),
                Err(error) => writeln!(out, "{name:<9} !! {error} ({})", error.hint()).unwrap(),
            }
        }
        values.retain(|(_, values)| !values.is_empty());
        match &values[..] {
            [(_, values)] => writeln!(out, "values    {values:?}").unwrap(),
            several => {
                several.iter().for_each(|(names, values)| writeln!(out, "values    {values:?} {names}").unwrap())
            }
        }
        out.push('\n');
    }
    out
}

#[test]
fn every_statement_is_spelled_as_the_table_says() {
    let expected = include_str!("dialect_golden.txt");
    let written = written();
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        let table = written.split_once("## ").unwrap().1;
        let head = expected.split_once("## ").unwrap().0;
        std::fs::write("tests/dialect_golden.txt", format!("{head}## {}\n", table.trim_end())).unwrap();
        return;
    }
    let sections = |text: &str| text.split("## ").skip(1).map(|s| s.trim_end().to_owned()).collect::<Vec<_>>();
    for (expected, written) in sections(expected).iter().zip(sections(&written)) {
        assert_eq!(*expected, written, "expected left, written right");
    }
    let table = expected.split_once("## ").unwrap().1;
    assert_eq!(table.trim_end(), written.trim_start_matches("## ").trim_end());
}

#[test]
fn what_a_version_does_not_know_names_the_version_that_does() {
    let old = [
        (
            Box::new(MySqlDialect::new(Flavor::MariaDb, (10, 3, 0))) as Box<dyn Dialect>,
            "MariaDB does not know INSERT … RETURNING (known since 10.5)",
        ),
        (Box::new(SqliteDialect::new((3, 34, 1))), "SQLite does not know INSERT … RETURNING (known since 3.35)"),
    ];
    for (dialect, message) in old {
        let error = insert_into("t").set("a", 1).returning(["id"]).compile(&*dialect).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(error.unsupported().is_some());
    }
    let mysql_5 = MySqlDialect::new(Flavor::MySql, (5, 7, 44));
    let upsert = insert_into("t").columns(["k", "v"]).row([1, 2]).upsert(["k"], ["v"]).compile(&mysql_5).unwrap();
    assert_eq!(upsert.sql, "INSERT INTO `t` (`k`, `v`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `v` = VALUES(`v`)");
    let lock = select().from("t").for_share().compile(&mysql_5).unwrap();
    assert_eq!(lock.sql, "SELECT * FROM `t` LOCK IN SHARE MODE");
}

on_each_engine! {
    every_statement_runs
}

async fn every_statement_runs(connection: &mut Connection) {
    let mut failures = Vec::new();
    for case in golden::cases() {
        if let Err(failure) = runs(connection, &case).await {
            failures.push(format!("{}: {failure}", case.title));
        }
    }
    assert!(failures.is_empty(), "{} failed:\n{}", connection.dialect().engine(), failures.join("\n"));
}

/// Whether a statement does what the table of statements says of it; what it changes is undone.
async fn runs(connection: &mut Connection, case: &Case) -> Result<(), String> {
    let compiled = match case.statement.compile(&*connection.dialect()) {
        Ok(compiled) => compiled,
        Err(error) => {
            let is_name = error.problems().all(|problem| matches!(problem, Problem::Name(_)));
            return match case.outcome {
                Outcome::Refused => Ok(()),
                Outcome::NoSuchName if is_name => Ok(()),
                _ if error.unsupported().is_some() && error.problems().count() == 1 => Ok(()),
                _ => Err(error.to_string()),
            };
        }
    };
    let outcome = match case.outcome {
        Outcome::EndsTransaction => connection.query(&compiled.sql, &compiled.params).await,
        Outcome::Runs | Outcome::NoSuchName | Outcome::Refused => {
            let mut transaction = connection.transaction().await.unwrap();
            let outcome = transaction.query(&compiled.sql, &compiled.params).await;
            transaction.rollback().await.unwrap();
            outcome
        }
    };
    match outcome {
        Ok(_) if case.outcome != Outcome::NoSuchName => Ok(()),
        Ok(_) => Err(format!("ran, and asks for what is not there: {}", compiled.sql)),
        Err(error)
            if case.outcome == Outcome::NoSuchName
                && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnknownDatabase) =>
        {
            Ok(())
        }
        Err(error) => Err(format!("{error} ({:?}): {}", error.kind(), compiled.sql)),
    }
}
