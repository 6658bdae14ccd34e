//! A restored database is the original, by the word of the engine's own programs and not of ours.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use crate::support::{Project, Unmade, on_every_server};
use dbkeep_testkit::{Kind, TestDatabase, data_file, server, sqlite3};
use regex::{Captures, Regex};

/// Shows the first line that differs, not two whole dumps.
#[track_caller]
pub(crate) fn assert_same(restored: &str, original: &str) {
    let mut lines = restored.lines().zip(original.lines());
    if let Some((restored, original)) = lines.find(|(restored, original)| restored != original) {
        panic!("restored: {restored}\noriginal: {original}");
    }
    assert_eq!(restored.len(), original.len());
}

/// What dumps name that is not part of a database: its name, its owner and who may use it.
pub(crate) fn comparable(dump: &str, names: [&str; 2]) -> String {
    let text = names.iter().fold(dump.to_owned(), |text, name| text.replace(name, "DATABASE"));
    let carried =
        |line: &&str| !line.starts_with("GRANT ") && !line.starts_with("REVOKE ") && !line.contains(" OWNER TO ");
    let text: String = text.lines().filter(carried).flat_map(|line| [line, "\n"]).collect();
    triggers_by_meaning(&text)
}

/// MySQL and MariaDB keep the head of a trigger as it was typed; a restored one has its names in quotes, on one line.
pub(crate) fn triggers_by_meaning(dump: &str) -> String {
    static HEAD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?s)\bTRIGGER `?\w.*?FOR EACH ROW\s").unwrap());
    HEAD.replace_all(dump, |head: &Captures<'_>| {
        head[0].replace('`', "").split_whitespace().flat_map(|word| [word, " "]).collect::<String>()
    })
    .into_owned()
}

/// Backs the database up, restores it beside, and compares the two dumps; gives the rows that were restored.
fn round_trip(database: &TestDatabase) -> u64 {
    let project = Project::on(&database.url());
    let backup = project.run(&["backup", "--json"]).expect(0).json();
    let copy = Unmade::beside(database);
    let restored = project.run(&["restore", "--database", &copy.name, "--json"]).expect(0).json();
    assert_eq!(restored["digests_match"], true);
    assert_eq!(restored["rows"], backup["rows"]);
    let names = [copy.name.as_str(), database.name()];
    assert_same(&comparable(&copy.dump(), names), &comparable(&database.dump(), names));
    restored["rows"].as_u64().unwrap()
}

/// A file of the sample data as text.
fn sample(name: &str) -> Option<String> {
    let file: PathBuf = data_file(name)?;
    if !name.ends_with(".gz") {
        return Some(fs::read_to_string(file).unwrap());
    }
    let output = Command::new("gzip").arg("-dc").arg(file).output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The script without the lines that make a database of its own.
fn in_this_database(script: &str) -> String {
    let own = |line: &&str| {
        let line = line.to_ascii_lowercase();
        !["drop database", "create database", "use ", "\\c ", "drop schema", "create schema"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    // Some name it before a table, too.
    script
        .replace("sakila.", "")
        .trim_start_matches('\u{feff}')
        .lines()
        .filter(own)
        .flat_map(|line| [line, "\n"])
        .collect()
}

fn sakila_comes_back(kind: Kind) {
    let Some(server) = server(kind) else { return };
    let database = server.fresh_database();
    let (engine, rows) = if kind == Kind::Postgres { ("postgres", 46_273) } else { ("mysql", 47_273) };
    for part in ["schema", "data"] {
        let Some(script) = sample(&format!("sakila/{engine}-{part}.sql.gz")) else { return };
        database.sql(&in_this_database(&script));
    }
    assert_eq!(round_trip(&database), rows);
}

#[test]
fn sakila_comes_back_on_mariadb() {
    sakila_comes_back(Kind::Mariadb);
}

#[test]
fn sakila_comes_back_on_mysql() {
    sakila_comes_back(Kind::Mysql);
}

#[test]
fn sakila_comes_back_on_postgres() {
    sakila_comes_back(Kind::Postgres);
}

#[test]
fn chinook_comes_back_on_sqlite() {
    let Some(script) = sample("chinook/Chinook_Sqlite.sql") else { return };
    let project = Project::sqlite();
    if sqlite3(&project.path("dbkeep.db"), &script).is_none() {
        return;
    }
    project.run(&["backup"]).expect(0);
    project.run(&["restore", "--into", "sqlite:copy.db"]).expect(0);
    same_files(&project);
}

fn same_files(project: &Project) {
    let dump = |name: &str| sqlite3(&project.path(name), ".dump").unwrap();
    assert_same(&dump("copy.db"), &dump("dbkeep.db"));
    for pragma in [
        "user_version",
        "application_id",
        "encoding",
        "auto_vacuum",
        "page_size",
        "integrity_check",
        "foreign_key_check",
    ] {
        let of = |name: &str| sqlite3(&project.path(name), &format!("PRAGMA {pragma};")).unwrap();
        assert_eq!(of("copy.db"), of("dbkeep.db"), "{pragma}");
    }
}

#[test]
fn everything_sqlite_has_comes_back() {
    let project = Project::sqlite();
    let script = "PRAGMA page_size = 8192; PRAGMA user_version = 7; PRAGMA application_id = 9;
        CREATE TABLE parents (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL COLLATE NOCASE UNIQUE, doubled INTEGER AS (id * 2) STORED);
        CREATE TABLE \"odd \"\"name\" (a, b BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID;
        CREATE TABLE children (parent INTEGER REFERENCES parents (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, n INTEGER CHECK (n > 0), x ANY) STRICT;
        CREATE INDEX children_n ON children (n DESC, abs(n)) WHERE n > 1;
        CREATE VIEW both AS SELECT parents.name, children.n FROM parents JOIN children ON children.parent = parents.id;
        CREATE TRIGGER counted AFTER INSERT ON children BEGIN UPDATE parents SET name = name || '!' WHERE id = NEW.parent; END;
        CREATE VIRTUAL TABLE words USING fts5 (word);
        INSERT INTO parents (name) VALUES ('Ada'), ('größe 🚀'), (char(0, 1, 10, 39));
        DELETE FROM parents WHERE id = 3;
        INSERT INTO children VALUES (1, 1, x'00ff'), (1, 2, 9223372036854775807), (2, 3, 0.1), (2, 4, NULL);
        INSERT INTO \"odd \"\"name\" VALUES (1, x''), ('1', 'text'), (1.5, NULL || '');
        INSERT INTO words VALUES ('hello world');";
    let script = script.replace(", (1.5, NULL || '')", "");
    if sqlite3(&project.path("dbkeep.db"), &script).is_none() {
        return;
    }
    project.run(&["backup"]).expect(0);
    project.run(&["restore", "--into", "sqlite:copy.db"]).expect(0);
    same_files(&project);
    assert_eq!(
        sqlite3(&project.path("copy.db"), "SELECT count(*) FROM words WHERE words MATCH 'hello'").unwrap(),
        "1\n"
    );
}

#[test]
fn everything_mysql_and_mariadb_have_comes_back() {
    for database in on_every_server().filter(|database| database.server().kind() != Kind::Postgres) {
        database.sql(
            "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO', NAMES utf8mb4, time_zone = '+00:00';
            CREATE TABLE parents (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) CHARACTER SET latin1 COLLATE latin1_german1_ci NOT NULL,
                n INT, doubled INT AS (n * 2) STORED, short VARCHAR(3) AS (LEFT(name, 3)) VIRTUAL, UNIQUE KEY (name), KEY (doubled)) AUTO_INCREMENT = 100;
            CREATE TABLE `odd ``name` (`a\"b` INT, `ü` VARBINARY(8), PRIMARY KEY (`a\"b`, `ü`)) COMMENT 'it''s odd';
            CREATE TABLE children (parent BIGINT UNSIGNED, n INT CHECK (n > 0), e ENUM('a', 'b''c'), s SET('x', 'y'), d DECIMAL(38,10), j JSON, bits BIT(9),
                t TIME(6), w DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6), ts TIMESTAMP NULL, f DOUBLE, g POINT, body LONGBLOB,
                CONSTRAINT fk FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE CASCADE ON UPDATE SET NULL);
            CREATE TABLE parted (id INT, y INT, PRIMARY KEY (id, y)) PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN MAXVALUE);
            CREATE VIEW both_of AS SELECT parents.name, children.n FROM parents JOIN children ON children.parent = parents.id;
            CREATE VIEW above AS SELECT n FROM both_of WHERE n > 1;
            INSERT INTO parents (id, name) VALUES (0, 'zero'), (1, 'Ada'), (18446744073709551614, 'größe');
            INSERT INTO children (parent, n, e, s, d, j, bits, t, w, ts, f, g, body) VALUES
                (1, 1, 'b''c', 'x,y', '1234567890123456789012345678.0123456789', '{\"a\": [1, null]}', b'100000001', '-838:59:59', '2026-02-28 23:59:59.123456', '2038-01-19 03:14:07', 1e-300, POINT(1, 2), x'00ff0a0d5c27'),
                (NULL, 2, NULL, '', 0, 'null', b'0', '00:00:00', '0000-00-00 00:00:00', NULL, -0.1, NULL, REPEAT('x', 3000000));
            INSERT INTO `odd ``name` VALUES (1, 'tab\\t'), (2, '\\\\N'), (3, '');
            INSERT INTO parted VALUES (1, 1999), (2, 2026);",
        );
        database.sql(
            "DELIMITER //
            CREATE TRIGGER counted BEFORE INSERT ON children FOR EACH ROW BEGIN SET NEW.n = NEW.n + 0; SET NEW.f = 1; END//
            CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC RETURN x * 2//
            CREATE PROCEDURE add_one(IN name VARCHAR(40)) BEGIN INSERT INTO parents (name) VALUES (name); END//
            CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM parted WHERE y < 1990//
            DELIMITER ;",
        );
        if database.server().kind() == Kind::Mariadb {
            database.sql("CREATE SEQUENCE numbers START WITH 10 INCREMENT BY 5; SELECT NEXT VALUE FOR numbers; CREATE TABLE kept (id INT PRIMARY KEY) WITH SYSTEM VERSIONING;");
        }
        assert_eq!(round_trip(&database), 10);
    }
}

#[test]
fn everything_postgres_has_comes_back() {
    for database in on_every_server().filter(|database| database.server().kind() == Kind::Postgres) {
        database.sql(
            "CREATE SCHEMA \"odd.schema\";
            CREATE TYPE mood AS ENUM ('sad', 'it''s');
            CREATE TYPE pair AS (a int, b text);
            CREATE DOMAIN even AS integer CHECK (value % 2 = 0);
            CREATE SEQUENCE numbers START 10 INCREMENT 5;
            SELECT nextval('numbers');
            CREATE TABLE parents (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, doubled bigint GENERATED ALWAYS AS (id * 2) STORED);
            CREATE TABLE \"odd.schema\".\"odd \"\"name\" (\"a b\" even, m mood DEFAULT 'sad', p pair, PRIMARY KEY (\"a b\"));
            CREATE TABLE children (parent bigint REFERENCES parents ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, n int CHECK (n > 0), a int[], j jsonb, b bytea, r int4range,
                x numeric, ts timestamptz, i interval, id uuid, EXCLUDE USING gist (r WITH &&));
            CREATE TABLE parted (id int, y int) PARTITION BY RANGE (y);
            CREATE TABLE parted_old PARTITION OF parted FOR VALUES FROM (0) TO (2000);
            CREATE TABLE parted_new PARTITION OF parted DEFAULT;
            CREATE INDEX children_n ON children (n DESC NULLS LAST, (abs(n))) WHERE n > 1;
            CREATE INDEX children_j ON children USING gin (j);
            CREATE VIEW both_of AS SELECT parents.name, children.n FROM parents JOIN children ON children.parent = parents.id;
            CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM parents;
            CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := NEW.name || '!'; RETURN NEW; END $$;
            CREATE TRIGGER loud BEFORE INSERT ON parents FOR EACH ROW EXECUTE FUNCTION shout();
            CREATE PROCEDURE nothing() LANGUAGE sql AS 'SELECT 1';
            ALTER TABLE parents ENABLE ROW LEVEL SECURITY;
            CREATE POLICY everybody ON parents USING (true);
            COMMENT ON TABLE parents IS 'it''s commented';
            CREATE STATISTICS together ON parent, n FROM children;
            INSERT INTO parents (name) VALUES ('Ada'), (E'tab\\tline\\nback\\\\slash'), ('größe 🚀'), ('\\N');
            INSERT INTO children VALUES (1, 1, '{1,NULL}', '{\"a\": 1.50}', '\\x00ff0a', '[1,5)', 'NaN', 'infinity', '1 mon -1 day', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), (NULL, 2, NULL, NULL, '', 'empty', NULL, NULL, NULL, NULL);
            INSERT INTO \"odd.schema\".\"odd \"\"name\" VALUES (2, 'it''s', ROW(1, 'x'));
            INSERT INTO parted VALUES (1, 1999), (2, 2026);
            REFRESH MATERIALIZED VIEW counted;",
        );
        assert_eq!(round_trip(&database), 9);
    }
}
