//! Every value comes out of `query` as exactly as the database holds it.

use crate::support::{Project, on_every_server};
use dbkeep_testkit::{Kind, TestDatabase};

/// What a query prints as JSON and as CSV, without columns and frames.
fn printed(project: &Project, sql: &str) -> (String, String) {
    let json = project.run(&["query", "--json", sql]).expect(0).stdout;
    // Whatever it holds, it is one JSON document.
    serde_json::from_str::<serde_json::Value>(&json).unwrap();
    let rows = json.split_once("\"rows\":[\n").unwrap().1.strip_suffix("\n]}\n").unwrap().to_owned();
    (rows, project.csv(sql))
}

#[test]
fn sqlite_values() {
    let project = Project::sqlite();
    project.write_query("CREATE TABLE v (i INTEGER, r REAL, t TEXT, b BLOB, d DECIMAL(20,4), j JSON, w DATETIME)");
    project.write_query(
        "INSERT INTO v VALUES (9223372036854775807, 0.1, 'tab\t\"quote\" ü 🚀', x'00ff10', '1234567890123456.7890', '{\"a\": [1, 2.50]}', '2026-02-28 23:59:59.123456'), (-9223372036854775808, -1e300, '', x'', NULL, NULL, NULL)",
    );
    let (json, csv) = printed(&project, "SELECT * FROM v");
    insta::assert_snapshot!(format!("{json}\n{csv}"));
}

#[test]
fn mysql_and_mariadb_values() {
    for database in on_every_server().filter(|database| database.server().kind() != Kind::Postgres) {
        database.sql(
            "CREATE TABLE v (u BIGINT UNSIGNED, i BIGINT, d DECIMAL(38,10), f FLOAT, x DOUBLE, b VARBINARY(8), t TEXT, j JSON, \
             e ENUM('a','b'), s SET('x','y'), bits BIT(10), day DATE, clock TIME(6), w DATETIME(6), ts TIMESTAMP(6) NULL, y YEAR); \
             SET time_zone = '+00:00', sql_mode = ''; \
             INSERT INTO v VALUES (18446744073709551615, -9223372036854775808, '1234567890123456789012345678.0123456789', 1.1, 0.1, \
             x'00ff', 'tab\\t\"quote\" ü 🚀', '{\"a\": [1, 2.5]}', 'b', 'x,y', b'1000000001', '9999-12-31', '-838:59:59.000000', \
             '2026-02-28 23:59:59.123456', '2026-02-28 23:59:59.123456', 2026), \
             (0, 0, 0, 0, 0, '', '', 'null', 'a', '', 0, '0000-00-00', '00:00:00', '0000-00-00 00:00:00', NULL, 1901), \
             (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        );
        compare("mysql", &database, "SELECT * FROM v");
    }
}

#[test]
fn postgres_values() {
    for database in on_every_server().filter(|database| database.server().kind() == Kind::Postgres) {
        database.sql(
            "CREATE TYPE mood AS ENUM ('glad'); \
             CREATE TABLE v (i bigint, d numeric, f real, x double precision, ok boolean, b bytea, t text, j json, jb jsonb, m mood, \
             bits bit(10), day date, clock time, w timestamp, ts timestamptz, p interval, id uuid, a int[], n numeric[]); \
             SET timezone = 'UTC'; \
             INSERT INTO v VALUES (-9223372036854775808, 12345678901234567890123456789.0123456789, 1.1, 0.1, true, '\\x00ff', \
             E'tab\\t\"quote\" ü 🚀', '{\"a\":  [1, 2.50]}', '{\"a\": [1, 2.50]}', 'glad', B'1000000001', '9999-12-31', \
             '23:59:59.123456', '2026-02-28 23:59:59.123456', '2026-02-28 23:59:59.123456+02', '1 year 2 mons 3 days 04:05:06.7', \
             'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{{1,2},{3,NULL}}', '{1.10}'), \
             (0, 'NaN', 'NaN', '-Infinity', false, '', '', 'null', 'null', NULL, NULL, 'infinity', NULL, '-infinity', 'infinity', '0', NULL, '{}', NULL), \
             (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        );
        compare("postgres", &database, "SELECT * FROM v");
    }
}

fn compare(name: &str, database: &TestDatabase, sql: &str) {
    let project = Project::on(&database.url());
    let (json, mut csv) = printed(&project, sql);
    // MariaDB's JSON is a text with a check.
    if database.server().kind() == Kind::Mariadb {
        csv.push_str("mariadb\n");
    }
    let name = if csv.ends_with("mariadb\n") { "mariadb" } else { name };
    insta::assert_snapshot!(format!("values_of_{name}"), format!("{json}\n{}", csv.trim_end_matches("mariadb\n")));
}
