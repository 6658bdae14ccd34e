//! `query` and `schema show`.

use std::io::Write;
use std::process::Stdio;

use crate::support::{Project, Run, fields, on_every_server};

fn people() -> Project {
    let project = Project::sqlite();
    project.write_query("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, born DATE, photo BLOB)");
    project.write_query(
        "INSERT INTO people VALUES (1, 'Ada', '1815-12-10', x'00ff'), (2, 'Grace, \"the\" admiral', NULL, NULL)",
    );
    project
}

#[test]
fn rows_are_a_table_csv_or_json() {
    let project = people();
    let sql = "SELECT * FROM people ORDER BY id";
    let run = project.run(&["query", sql]).expect(0);
    assert_eq!(
        run.stdout.lines().map(str::trim_end).collect::<Vec<_>>(),
        [
            " id   name                   born         photo",
            "─────────────────────────────────────────────────",
            "  1   Ada                    1815-12-10   0x00ff",
            "  2   Grace, \"the\" admiral   NULL         NULL",
        ]
    );
    assert_eq!(run.stderr, "2 rows\n");
    let run = project.run(&["query", sql, "--csv"]).expect(0);
    assert_eq!(run.stdout, "id,name,born,photo\n1,Ada,1815-12-10,AP8=\n2,\"Grace, \"\"the\"\" admiral\",,\n");
    assert_eq!(run.stderr, "");
    let run = project.run(&["query", sql, "--json"]).expect(0);
    assert_eq!(
        run.stdout,
        "{\"columns\":[\"id\",\"name\",\"born\",\"photo\"],\"rows\":[\n[1,\"Ada\",\"1815-12-10\",{\"$bytes\":\"AP8=\"}],\n\
         [2,\"Grace, \\\"the\\\" admiral\",null,null]\n]}\n"
    );
    assert_eq!(fields(&run.json()), ["columns", "rows"]);
    assert_eq!(run.stderr, "");
}

#[test]
fn no_rows_still_have_columns() {
    let project = people();
    let sql = "SELECT id, name FROM people WHERE 0";
    assert_eq!(project.run(&["query", sql]).told(&project), " id  name\n─\n--- stderr\n0 rows\n-> 0\n");
    assert_eq!(project.run(&["query", sql, "--csv"]).stdout, "id,name\n");
    assert_eq!(project.run(&["query", sql, "--json"]).stdout, "{\"columns\":[\"id\",\"name\"],\"rows\":[]}\n");
}

#[test]
fn a_csv_of_one_empty_field_is_not_an_empty_line() {
    let project = people();
    let run = project.run(&["query", "--csv", "SELECT NULL AS a UNION ALL SELECT ''"]).expect(0);
    assert_eq!(run.stdout, "a\n\"\"\n\"\"\n");
}

#[test]
fn values_are_bound_and_never_part_of_the_statement() {
    let project = people();
    let run = project
        .run(&["query", "--csv", "SELECT ? AS a, ? AS b", "-p", "x'; DROP TABLE people; --", "--param", "-1"])
        .expect(0);
    assert_eq!(run.stdout, "a,b\nx'; DROP TABLE people; --,-1\n");
    let run = project.run(&["query", "SELECT ?", "-p", "1", "-p", "2"]).expect(1);
    assert!(run.stderr.contains("parameter") || run.stderr.contains("value"), "{}", run.stderr);
    for database in on_every_server() {
        let project = Project::on(&database.url());
        let placeholder = if database.url().starts_with("postgres") { "$1" } else { "?" };
        let sql = format!("SELECT {placeholder} AS a");
        let run = project.run(&["query", "--csv", &sql, "-p", "it's"]).expect(0);
        assert_eq!(run.stdout, "a\nit's\n");
        // What a text would not be: a number, a truth, nothing.
        let (one, two) = if placeholder == "$1" { ("$1::int", "$2::boolean") } else { ("?", "?") };
        let sql = format!("SELECT CASE WHEN {one} + 1 = 42 AND {two} THEN 'both' END AS a");
        let run = project.run(&["query", "--csv", &sql, "-p", "json:41", "-p", "json:true"]).expect(0);
        assert_eq!(run.stdout, "a\nboth\n");
        let sql = format!("SELECT CASE WHEN {one} IS NULL THEN 'none' END AS a");
        assert_eq!(project.run(&["query", "--csv", &sql, "-p", "json:null"]).expect(0).stdout, "a\nnone\n");
    }
}

#[test]
fn the_statement_may_come_from_standard_input() {
    let project = people();
    let mut child = project.command(&["query", "--csv", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"SELECT count(*) AS n\nFROM people").unwrap();
    let run = Run::of(child.wait_with_output().unwrap(), &["query", "-"]).expect(0);
    assert_eq!(run.stdout, "n\n2\n");
}

#[test]
fn without_write_nothing_can_be_changed_on_any_engine() {
    let refused = |project: &Project, sql: &str| {
        let run = project.run(&["query", sql]).expect(5);
        assert!(run.stderr.contains("help: give --write to let the statement change data"), "{}", run.stderr);
    };
    let project = people();
    for sql in [
        "DELETE FROM people",
        "DROP TABLE people",
        "WITH x AS (SELECT 1) INSERT INTO people (name) SELECT 'x'",
        "UPDATE people SET name = ''",
    ] {
        refused(&project, sql);
    }
    assert_eq!(project.csv("SELECT count(*) FROM people"), "2\n");
    for database in on_every_server() {
        database.sql("CREATE TABLE people (id INTEGER PRIMARY KEY); INSERT INTO people VALUES (1)");
        let project = Project::on(&database.url());
        for sql in ["DELETE FROM people", "INSERT INTO people VALUES (2)", "TRUNCATE TABLE people", "DROP TABLE people"]
        {
            refused(&project, sql);
        }
        assert_eq!(database.sql("SELECT * FROM people").trim(), "1");
        project.run(&["query", "--write", "INSERT INTO people VALUES (2)"]).expect(0);
        assert_eq!(project.csv("SELECT count(*) FROM people"), "2\n");
    }
}

#[test]
fn a_change_says_how_many_rows_it_touched() {
    let project = people();
    let run = project.run(&["query", "--write", "UPDATE people SET born = NULL"]).expect(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", "2 rows affected\n"));
    let run = project.run(&["query", "--write", "DROP TABLE IF EXISTS none"]).expect(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", "done\n"));
    let run = project.run(&["query", "--write", "INSERT INTO people (name) VALUES ('Emmy') RETURNING id"]).expect(0);
    assert_eq!(run.told(&project), " id\n─\n  3\n--- stderr\n1 row\n1 row affected\n-> 0\n");
    let run = project.run(&["query", "--write", "--json", "DELETE FROM people WHERE id < 3"]).expect(0);
    assert_eq!(run.stdout, "{\"columns\":[],\"rows\":[],\"rows_affected\":2}\n");
    for database in on_every_server() {
        let project = Project::on(&database.url());
        database.sql("CREATE TABLE people (id INTEGER PRIMARY KEY); INSERT INTO people VALUES (1), (2)");
        let run = project.run(&["query", "--write", "DELETE FROM people"]).expect(0);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", "2 rows affected\n"));
    }
}

#[test]
fn more_than_one_statement_and_none_are_said() {
    let project = people();
    let run = project.run(&["query", "SELECT 1; SELECT 2"]).expect(1);
    assert!(run.stderr.contains("more than one statement"), "{}", run.stderr);
    let run = project.run(&["query", " -- nothing\n"]).expect(1);
    assert!(run.stderr.contains("the statement is empty"), "{}", run.stderr);
    for database in on_every_server() {
        let project = Project::on(&database.url());
        project.run(&["query", "SELECT 1; SELECT 2"]).expect(1);
        project.run(&["query", ""]).expect(1);
    }
}

#[test]
fn control_characters_of_the_data_do_not_drive_the_terminal() {
    let project = people();
    let run = project.run(&["query", "SELECT char(27) || '[2J' || char(7) AS x"]).expect(0);
    assert!(run.stdout.contains("\\u{1b}[2J\\u{7}"), "{:?}", run.stdout);
    let run = project.run(&["query", "SELECT 1 AS \"\u{1b}[31m\""]).expect(0);
    assert!(!run.stdout.contains('\u{1b}'), "{:?}", run.stdout);
}

#[test]
fn the_schema_is_shown_as_overview_in_full_and_as_json() {
    let project = people();
    project.write_query("CREATE TABLE pets (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE, name TEXT DEFAULT 'Rex' CHECK (name <> ''))");
    project.write_query("CREATE UNIQUE INDEX pets_name ON pets (owner, name DESC) WHERE name IS NOT NULL");
    project.write_query("CREATE VIEW owners AS SELECT DISTINCT owner FROM pets");
    project.write_query("CREATE TRIGGER pets_count AFTER INSERT ON pets BEGIN SELECT 1; END");
    let mut all = project.run(&["schema", "show"]).told(&project);
    all.push_str(&project.run(&["schema", "show", "pets", "owners"]).told(&project));
    all.push_str(&project.run(&["schema", "show", "pest"]).told(&project));
    insta::assert_snapshot!(all);
    let json = project.run(&["schema", "show", "--json"]).expect(0).json();
    assert_eq!(json["tables"].as_array().unwrap().len(), 2);
    let empty = Project::sqlite();
    assert_eq!(empty.run(&["schema", "show"]).expect(0).stdout, "no tables yet\n");
}
