//! Snapshots and restores on MySQL and on MariaDB.
#![cfg(feature = "mysql")]
#![allow(clippy::unwrap_used)]

use async_trait::async_trait;
use bytes::Bytes;
use dbkeep_engine::{
    ByteSink, ByteSource, ConnectOptions, Error, ErrorKind, RestoreOptions, Result, SnapshotInfo, SnapshotOptions,
    StreamKind, connect,
};
use dbkeep_testkit::{Kind, Server, TestDatabase, data_file, private_server, server};
use std::collections::BTreeMap;

#[derive(Default)]
struct Memory(Vec<u8>);

#[async_trait]
impl ByteSink for Memory {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.0.extend_from_slice(&bytes);
        Ok(())
    }
}

/// Gives bytes in pieces that end anywhere, and maybe an error after them.
struct Pieces {
    rest: Bytes,
    size: usize,
    fails: bool,
}

#[async_trait]
impl ByteSource for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.rest.is_empty() {
            return if self.fails { Err(Error::new(ErrorKind::Damaged, "the vault is damaged")) } else { Ok(None) };
        }
        Ok(Some(self.rest.split_to(self.rest.len().min(self.size))))
    }
}

/// What a snapshot gave.
struct Copy {
    info: SnapshotInfo,
    streams: Vec<Vec<u8>>,
}

impl Copy {
    fn text(&self, name: &str) -> String {
        let at = self.info.streams.iter().position(|spec| spec.name == name).unwrap();
        String::from_utf8_lossy(&self.streams[at]).into_owned()
    }

    /// The rows of each table, in an order that does not depend on where they lie.
    fn rows(&self) -> BTreeMap<String, Vec<Vec<u8>>> {
        let rows = self.info.streams.iter().zip(&self.streams).filter(|(spec, _)| spec.kind == StreamKind::Rows);
        rows.map(|(spec, bytes)| {
            let mut lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            lines.sort();
            (spec.name.clone(), lines)
        })
        .collect()
    }
}

async fn take(options: &ConnectOptions) -> Copy {
    let mut snapshot = options.engine.snapshot(options, &SnapshotOptions::default()).await.unwrap();
    let info = snapshot.info().clone();
    let mut streams = Vec::new();
    for index in 0..info.streams.len() {
        let mut memory = Memory::default();
        snapshot.read(index, &mut memory).await.unwrap();
        streams.push(memory.0);
    }
    snapshot.finish().await.unwrap();
    Copy { info, streams }
}

async fn put(options: &ConnectOptions, copy: &Copy) {
    let mut restore = options.engine.restore(options, &RestoreOptions::new(copy.info.settings.clone())).await.unwrap();
    for (spec, bytes) in copy.info.streams.iter().zip(&copy.streams) {
        let mut source = Pieces { rest: Bytes::copy_from_slice(bytes), size: 1000, fails: false };
        let rows = restore.load(spec, &mut source).await.unwrap_or_else(|error| panic!("{}: {error}", spec.name));
        if spec.kind == StreamKind::Rows {
            assert_eq!(rows, bytes.iter().filter(|byte| **byte == b'\n').count() as u64, "{}", spec.name);
        }
    }
    restore.finish().await.unwrap();
}

fn options(database: &TestDatabase) -> ConnectOptions {
    database.url().parse().unwrap()
}

/// Takes a copy, restores it beside and compares the two by what the server's own dump program says, and by a second copy.
async fn round_trip(server: &Server, database: &str) -> Copy {
    let source: ConnectOptions = server.url(database).parse().unwrap();
    let target = server.fresh_database();
    let copy = take(&source).await;
    put(&options(&target), &copy).await;
    let again = take(&options(&target)).await;
    for (spec, bytes) in copy.info.streams.iter().zip(&copy.streams) {
        if spec.kind != StreamKind::Rows {
            assert_same(&again.text(&spec.name), &String::from_utf8_lossy(bytes));
        }
    }
    assert!(copy.rows() == again.rows());
    // MariaDB repeats a trigger's head as it was typed; ours is written anew, on one line and with every name quoted.
    let dump = |name: &str| {
        let dump = server.client().dump(name).replace(target.name(), "DATABASE").replace(database, "DATABASE");
        dump.replace('`', "").split_whitespace().collect::<Vec<_>>().join("\n")
    };
    assert_same(&dump(target.name()), &dump(database));
    copy
}

/// Shows the first line that differs, not two whole dumps.
fn assert_same(restored: &str, original: &str) {
    let mut lines = restored.lines().zip(original.lines());
    if let Some((restored, original)) = lines.find(|(restored, original)| restored != original) {
        panic!("restored: {restored}\noriginal: {original}");
    }
    assert_eq!(restored.len(), original.len());
}

async fn sakila_comes_back(kind: Kind) {
    // The sample's files name their database themselves.
    let Some(server) = private_server(kind, &[]) else { return };
    let loader = server.fresh_database();
    for file in ["sakila/mysql-schema.sql.gz", "sakila/mysql-data.sql.gz"] {
        let Some(file) = data_file(file) else { return };
        loader.load(&file);
    }
    let copy = round_trip(&server, "sakila").await;
    assert_eq!(copy.rows()["data/film.tsv"].len(), 1000);
    assert!(copy.info.position.is_some());
    assert_eq!(copy.info.position.as_ref().unwrap().exact, kind == Kind::Mariadb);
}

#[tokio::test]
async fn sakila_comes_back_on_mariadb() {
    sakila_comes_back(Kind::Mariadb).await;
}

#[tokio::test]
async fn sakila_comes_back_on_mysql() {
    sakila_comes_back(Kind::Mysql).await;
}

/// Values that logical dumps are known to lose.
const EDGES: &str = r#"
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';
CREATE TABLE numbers (id BIGINT UNSIGNED PRIMARY KEY, f FLOAT, d DOUBLE, n DECIMAL(65,30), b1 BIT(1), b64 BIT(64), f2 FLOAT(7,3));
INSERT INTO numbers VALUES
  (0, 1.234567, 0.1, -0.000000000000000000000000000001, b'0', b'1', 1.235),
  (18446744073709551615, 3.4028234e38, 1.7976931348623157e308, 99999999999999999999999999999999999.999999999999999999999999999999, b'1', ~0, -999.999),
  (1, 1.17549435e-38, 5e-324, NULL, NULL, NULL, NULL), (2, -0.0, -0.0, 0, 1, 10, 9);
CREATE TABLE moments (id INT PRIMARY KEY, d DATE, dt DATETIME(6), ts TIMESTAMP(6) NULL, t TIME(6), y YEAR);
INSERT INTO moments VALUES
  (1, '0000-00-00', '0000-00-00', '0000-00-00', '-838:59:59', 0),
  (2, '2024-00-00', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999999', '-00:00:00.000001', 2155),
  (3, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE texts (a VARCHAR(200) CHARACTER SET latin1, b TEXT CHARACTER SET utf8mb4, c VARCHAR(50) CHARACTER SET utf16, d CHAR(5), e VARCHAR(100) CHARACTER SET sjis);
INSERT INTO texts VALUES ('caf\xe9 é', 'tab\there\nnewline\r\\backslash \0nul \Z 🦀', 'üñ', 'x', '表ソ'), ('', '', '', '', ''), ('\\N', 'NULL', 'N', '\\', NULL), (NULL, NULL, NULL, NULL, NULL), ('\\N', 'NULL', 'N', '\\', NULL);
CREATE TABLE raw (id INT AUTO_INCREMENT PRIMARY KEY, a BINARY(4), b VARBINARY(300), c LONGBLOB) AUTO_INCREMENT = 1000;
INSERT INTO raw VALUES (1, 0x00ff0a00, UNHEX(CONCAT('000102030405060708090a0b0c0d0e0f', '5c27222c7fff80c0e0f0')), REPEAT(0x00ff5c0a0d09, 100000)), (2, '', '', '');
CREATE TABLE labels (id INT PRIMARY KEY, e ENUM('a', 'it''s', '1') CHARACTER SET latin1, s SET('x', 'y', 'z'), j JSON, g GEOMETRY);
INSERT INTO labels VALUES (0, 'it''s', 'x,z', '{"a": [1, 2.5, "é 🦀", null]}', ST_GeomFromText('POINT(1 2)')), (1, '1', '', NULL, NULL);
INSERT IGNORE INTO labels (id, e) VALUES (2, 'none');
CREATE TABLE made (id INT PRIMARY KEY, a INT, twice INT AS (a * 2) STORED, thrice INT AS (a * 3) VIRTUAL, x VARCHAR(20) DEFAULT (CONCAT('a', 'b')), u INT, UNIQUE (u), CHECK (a > 0));
INSERT INTO made (id, a, u) VALUES (1, 5, NULL), (2, 6, NULL);
CREATE TABLE `odd ``name``` (`a	b` INT, `c,d` JSON, `select` BIT(3));
INSERT INTO `odd ``name``` VALUES (1, '[]', 5);
CREATE TABLE `empty` (a INT);
CREATE TABLE parts (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO parts VALUES (50, 1), (5, 2);
CREATE TABLE parent (id INT PRIMARY KEY); CREATE TABLE a_child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id), KEY d (id DESC));
INSERT INTO parent VALUES (0), (-1); INSERT INTO a_child VALUES (1, 0), (2, NULL);
CREATE TABLE slow (id INT) ENGINE=MyISAM; INSERT INTO slow VALUES (7);
CREATE VIEW a_view AS SELECT * FROM z_view WHERE id > 0 WITH CHECK OPTION;
"#;

async fn edges(server: &Server) {
    let database = server.fresh_database();
    let mut connection = connect(&options(&database)).await.unwrap();
    let order = "CREATE VIEW z_view AS SELECT id, a FROM made; CREATE VIEW a_view";
    connection.script(&EDGES.replace("CREATE VIEW a_view", order)).await.unwrap();
    // One by one: MySQL keeps the semicolon between two statements in the body before it.
    for sql in [
        "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT', time_zone = '+03:00'",
        "CREATE TRIGGER second BEFORE INSERT ON made FOR EACH ROW SET NEW.x = NEW.x || \"x\"",
        "CREATE TRIGGER first BEFORE INSERT ON made FOR EACH ROW PRECEDES second BEGIN SET NEW.a = 1; SET NEW.x = ';;'; END",
        "CREATE PROCEDURE p(IN a INT, OUT b VARCHAR(10)) COMMENT 'it''s' BEGIN SELECT 'ü' || a INTO b; -- end\n END",
        "CREATE FUNCTION f(a INT) RETURNS VARCHAR(20) CHARACTER SET latin1 DETERMINISTIC RETURN a || 'é'",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE COMMENT 'c' DO SELECT 1",
    ] {
        connection.script(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    let copy = round_trip(server, database.name()).await;
    assert_eq!(
        copy.text("data/texts.tsv").lines().last().unwrap(),
        "\\\\N\tNULL\t\\0N\t\\\\\t\\N",
        "the bytes of each column's own character set"
    );
    assert!(copy.info.warnings.iter().any(|warning| warning.contains("table slow")), "{:?}", copy.info.warnings);
}

#[tokio::test]
async fn edge_values_come_back_on_mariadb() {
    let Some(server) = server(Kind::Mariadb) else { return };
    edges(&server).await;
}

#[tokio::test]
async fn edge_values_come_back_on_mysql_by_insert() {
    let Some(server) = server(Kind::Mysql) else { return };
    edges(&server).await;
}

#[tokio::test]
async fn edge_values_come_back_on_mysql_by_load_data() {
    let Some(server) = private_server(Kind::Mysql, &["local-infile=1"]) else { return };
    edges(&server).await;
}

#[tokio::test]
async fn edge_values_come_back_on_mariadb_by_insert() {
    let Some(server) = private_server(Kind::Mariadb, &["local-infile=0"]) else { return };
    edges(&server).await;
}

#[tokio::test]
async fn what_only_mariadb_has_comes_back() {
    let Some(server) = server(Kind::Mariadb) else { return };
    let database = server.fresh_database();
    database.sql(
        "CREATE SEQUENCE s START WITH 100 INCREMENT BY 10; DO NEXTVAL(s);
         CREATE TABLE ids (u UUID PRIMARY KEY, a INET6, b INET4, n INT INVISIBLE DEFAULT 7, q BIGINT DEFAULT NEXTVAL(s));
         INSERT INTO ids (u, a, b, q) VALUES ('123e4567-e89b-12d3-a456-426655440000', '2001:db8::1', '10.0.0.1', 1), (UUID(), NULL, NULL, 2);
         CREATE TABLE versioned (a INT) WITH SYSTEM VERSIONING; INSERT INTO versioned VALUES (1);",
    );
    let source = options(&database);
    let target = server.fresh_database();
    let copy = take(&source).await;
    assert!(copy.info.warnings.iter().any(|warning| warning.contains("versioned")), "{:?}", copy.info.warnings);
    put(&options(&target), &copy).await;
    assert!(copy.rows() == take(&options(&target)).await.rows());
    // Numbers the source has in its cache are skipped: none is given out twice.
    let next = |database: &TestDatabase| database.sql("SELECT NEXTVAL(s)").trim().parse::<u64>().unwrap();
    assert!(next(&target) >= next(&database));
}

#[tokio::test]
async fn what_only_mysql_has_comes_back() {
    let Some(server) = server(Kind::Mysql) else { return };
    let database = server.fresh_database();
    database.sql(
        "SET sql_generate_invisible_primary_key = 1; CREATE TABLE hidden (a VARCHAR(20), KEY low ((LOWER(a)))); INSERT INTO hidden VALUES ('x'), ('y');
         SET sql_generate_invisible_primary_key = 0;
         CREATE TABLE vectors (id INT PRIMARY KEY, v VECTOR(3)); INSERT INTO vectors VALUES (1, STRING_TO_VECTOR('[1,2.5,-3]')), (2, NULL);
         CREATE TABLE places (id INT PRIMARY KEY, g POINT NOT NULL SRID 4326, SPATIAL KEY (g)); INSERT INTO places VALUES (1, ST_GeomFromText('POINT(10 20)', 4326));
         CREATE TABLE checked (a INT, CONSTRAINT later CHECK (a > 0) NOT ENFORCED); INSERT INTO checked VALUES (-1)",
    );
    let copy = round_trip(&server, database.name()).await;
    assert_eq!(copy.rows()["data/hidden.tsv"], [b"1\tx\n".to_vec(), b"2\ty\n".to_vec()]);
}

async fn a_moment_is_a_moment(kind: Kind) {
    let Some(server) = server(kind) else { return };
    let database = server.fresh_database();
    database.sql("CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b (id INT PRIMARY KEY); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)");
    let options = options(&database);
    let mut snapshot = options.engine.snapshot(&options, &SnapshotOptions::default().data_only()).await.unwrap();
    database.sql("INSERT INTO a VALUES (2); INSERT INTO b VALUES (2); CREATE TABLE c (id INT)");
    let names: Vec<_> = snapshot.info().streams.iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, ["data/a.tsv", "data/b.tsv"]);
    for index in [1, 0] {
        let mut memory = Memory::default();
        snapshot.read(index, &mut memory).await.unwrap();
        assert_eq!(memory.0, b"1\n");
    }
    snapshot.finish().await.unwrap();

    // A table altered after the moment cannot be read any more.
    let mut snapshot = options.engine.snapshot(&options, &SnapshotOptions::default()).await.unwrap();
    database.sql("ALTER TABLE a ADD COLUMN v INT NOT NULL DEFAULT 5, ALGORITHM=COPY");
    let mut memory = Memory::default();
    let error = snapshot.read(1, &mut memory).await.unwrap_err();
    assert_eq!(error.code(), Some("1412"), "{error}");
    assert!(error.to_string().starts_with("reading table a: "), "{error}");
}

#[tokio::test]
async fn a_moment_is_a_moment_on_mariadb() {
    a_moment_is_a_moment(Kind::Mariadb).await;
}

#[tokio::test]
async fn a_moment_is_a_moment_on_mysql() {
    a_moment_is_a_moment(Kind::Mysql).await;
}

async fn a_restore_is_whole_or_not_at_all(kind: Kind) {
    let Some(server) = server(kind) else { return };
    let database = server.fresh_database();
    database.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(5)); INSERT INTO t VALUES (1, 'abc'), (2, 'def'); CREATE VIEW w AS SELECT * FROM t");
    let copy = take(&options(&database)).await;
    let restore = RestoreOptions::new(copy.info.settings.clone());

    // What holds anything is refused, and left alone.
    let error = options(&database).engine.restore(&options(&database), &restore).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotEmpty);
    assert_eq!(database.sql("SELECT COUNT(*) FROM t"), "2\n");
    let code = server.fresh_database();
    code.sql("CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1");
    let error = options(&code).engine.restore(&options(&code), &restore).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotEmpty);
    assert!(error.to_string().contains("function f"), "{error}");

    // Without leave to create, a missing database is an error.
    let missing = options(&database).with_database(format!("{}_new", database.name()));
    let mut careful = restore.clone();
    careful.create = false;
    assert_eq!(missing.engine.restore(&missing, &careful).await.err().unwrap().kind(), ErrorKind::UnknownDatabase);

    // A created database goes when the restore is thrown away; one that was there stays, empty.
    for target in [missing.clone(), options(&server.fresh_database())] {
        let existed = target.engine.database_exists(&target).await.unwrap();
        let mut restoring = target.engine.restore(&target, &restore).await.unwrap();
        for (spec, bytes) in copy.info.streams.iter().zip(&copy.streams) {
            let mut source = Pieces { rest: Bytes::copy_from_slice(bytes), size: 3, fails: false };
            restoring.load(spec, &mut source).await.unwrap();
        }
        restoring.abort().await.unwrap();
        assert_eq!(target.engine.database_exists(&target).await.unwrap(), existed);
    }

    // Rows that the server would change, rows twice, and rows that cannot be read: errors, and nothing is left.
    for (rows, fails, kind) in [
        ("1\ttoo long\n", false, ErrorKind::InvalidValue),
        ("1\ta\n1\tb\n", false, ErrorKind::UniqueViolation),
        ("x\ta\n", false, ErrorKind::InvalidValue),
        ("1\ta\n2", true, ErrorKind::Damaged),
    ] {
        let mut restoring = missing.engine.restore(&missing, &restore).await.unwrap();
        let mut source = Pieces { rest: Bytes::copy_from_slice(&copy.streams[0]), size: 100, fails: false };
        restoring.load(&copy.info.streams[0], &mut source).await.unwrap();
        let mut source = Pieces { rest: Bytes::copy_from_slice(rows.as_bytes()), size: 2, fails };
        let error = restoring.load(&copy.info.streams[1], &mut source).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{rows:?}: {error}");
        restoring.abort().await.unwrap();
        assert!(!missing.engine.database_exists(&missing).await.unwrap());
    }
}

#[tokio::test]
async fn a_restore_is_whole_or_not_at_all_on_mariadb() {
    a_restore_is_whole_or_not_at_all(Kind::Mariadb).await;
}

#[tokio::test]
async fn a_restore_is_whole_or_not_at_all_on_mysql() {
    a_restore_is_whole_or_not_at_all(Kind::Mysql).await;
}

#[tokio::test]
async fn broken_views_are_kept_as_comments() {
    let Some(server) = server(Kind::Mariadb) else { return };
    let database = server.fresh_database();
    database.sql("CREATE TABLE t (id INT); CREATE VIEW v AS SELECT id FROM t; DROP TABLE t");
    let copy = take(&options(&database)).await;
    assert!(copy.text("schema/90-after.sql").contains("-- CREATE "));
    assert!(copy.info.warnings[0].starts_with("view v refers to what does not exist any more"));
    put(&options(&server.fresh_database()), &copy).await;
}

/// Rows for a table of some size; the snapshot and the load must neither hold it whole nor lose a row.
#[tokio::test]
async fn a_table_of_some_size_is_loaded_in_several_statements() {
    let Some(server) = private_server(Kind::Mysql, &["local-infile=1"]) else { return };
    let database = server.fresh_database();
    database.sql(
        "SET cte_max_recursion_depth = 100000; CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(1000));
         INSERT INTO t WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 80000) SELECT i, REPEAT('x', 1000) FROM n",
    );
    round_trip(&server, database.name()).await;
}

/// What names its own database must not reach back into it from a copy.
async fn a_copy_stands_alone(kind: Kind) {
    let Some(server) = server(kind) else { return };
    let (database, target) = (server.fresh_database(), server.fresh_database());
    let own = database.name();
    database.sql(&format!(
        "CREATE TABLE t (a INT); CREATE TABLE seen (a INT);
         CREATE FUNCTION one() RETURNS INT DETERMINISTIC RETURN 1;
         CREATE VIEW v AS SELECT {own}.one() AS a;
         CREATE TRIGGER {own}.log BEFORE INSERT ON {own}.t FOR EACH ROW INSERT INTO seen VALUES (NEW.a);
         SET sql_mode = 'NO_BACKSLASH_ESCAPES'; CREATE PROCEDURE slash() SELECT 'a\\' AS a;
         SET sql_mode = ''; CREATE PROCEDURE tick() SELECT 'it\\'s' AS a;
         CREATE TABLE m1 (a INT) ENGINE = MyISAM; CREATE TABLE m2 (a INT) ENGINE = MyISAM; INSERT INTO m1 VALUES (1);
         CREATE TABLE both_of (a INT) ENGINE = MERGE UNION = (m1, m2)"
    ));
    if kind == Kind::Mariadb {
        database.sql(
            "CREATE SEQUENCE s; CREATE TABLE drawn (a BIGINT DEFAULT NEXTVAL(s), b INT CHECK (b > 0));
             SET check_constraint_checks = 0; INSERT INTO drawn VALUES (1, -1)",
        );
    }
    if kind == Kind::Mysql {
        database.sql("CREATE LIBRARY sums LANGUAGE JAVASCRIPT AS $$ export function f(n) { return n + 1; } $$");
    }
    put(&options(&target), &take(&options(&database)).await).await;
    if kind == Kind::Mysql {
        let libraries =
            target.sql("SELECT library_definition FROM information_schema.libraries WHERE library_schema = DATABASE()");
        assert!(libraries.contains("return n + 1;"), "{libraries}");
    }
    let names_source = |sql: &str| target.sql(sql).contains(own);
    assert!(!names_source("SHOW CREATE VIEW v"));
    target.sql("INSERT INTO t VALUES (7)");
    assert_eq!(target.sql("SELECT a FROM seen").trim(), "7");
    assert_eq!(database.sql("SELECT COUNT(*) FROM seen").trim(), "0");
    assert_eq!(target.sql("CALL slash()").trim(), "a\\\\");
    assert_eq!(target.sql("SELECT COUNT(*) FROM both_of").trim(), "1");
    if kind == Kind::Mariadb {
        assert!(!names_source("SHOW CREATE TABLE drawn"));
        assert_eq!(target.sql("SELECT b FROM drawn").trim(), "-1");
    }
}

#[tokio::test]
async fn a_copy_stands_alone_on_mariadb() {
    a_copy_stands_alone(Kind::Mariadb).await;
}

#[tokio::test]
async fn a_copy_stands_alone_on_mysql() {
    a_copy_stands_alone(Kind::Mysql).await;
}

async fn an_account_that_may_not_make_functions_is_told_before_a_row_is_loaded(kind: Kind) {
    let Some(server) = private_server(kind, &["log-bin=log", "server-id=1", "log-bin-trust-function-creators=0"])
    else {
        return;
    };
    let database = server.fresh_database();
    let name = database.name();
    server.client().run(
        "",
        &format!("CREATE USER ordinary IDENTIFIED BY 'ordinary'; GRANT ALL ON `{name}%`.* TO ordinary; USE {name}; CREATE TABLE t (id INT); INSERT INTO t VALUES (1)"),
    );
    let target: ConnectOptions =
        server.url_as("ordinary", "ordinary", server.host(), &format!("{name}_new")).parse().unwrap();
    // Without functions and triggers there is nothing to be trusted with.
    let copy = take(&options(&database)).await;
    put(&target, &copy).await;
    database.sql(&format!("DROP DATABASE {name}_new; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.id = 2"));
    let copy = take(&options(&database)).await;
    let restore = RestoreOptions::new(copy.info.settings.clone());
    let error = target.engine.restore(&target, &restore).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(error.to_string().contains("functions or triggers cannot be made here"), "{error}");
    assert!(error.hint().unwrap().contains("log_bin_trust_function_creators=1"), "{error:?}");
    assert!(!target.engine.database_exists(&target).await.unwrap());
    server.client().run("", "SET GLOBAL log_bin_trust_function_creators = 1");
    put(&target, &copy).await;
    database.sql(&format!("DROP DATABASE {name}_new"));
}

#[tokio::test]
async fn an_account_that_may_not_make_functions_is_told_before_a_row_is_loaded_on_mariadb() {
    an_account_that_may_not_make_functions_is_told_before_a_row_is_loaded(Kind::Mariadb).await;
}

#[tokio::test]
async fn an_account_that_may_not_make_functions_is_told_before_a_row_is_loaded_on_mysql() {
    an_account_that_may_not_make_functions_is_told_before_a_row_is_loaded(Kind::Mysql).await;
}
