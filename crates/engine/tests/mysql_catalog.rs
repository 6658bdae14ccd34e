//! The catalog on MySQL and on MariaDB.
#![cfg(feature = "mysql")]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::{Catalog, CatalogOptions, ColumnInfo, ConnectOptions, RoutineKind, TableKind, connect};
use dbkeep_testkit::{Kind, TestDatabase, server};

const SCHEMA: &str = "
CREATE TABLE parents (
  id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(50) NOT NULL DEFAULT 'it''s' COMMENT 'the name',
  fee DECIMAL(10,2) DEFAULT 1.5,
  made DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  nothing VARCHAR(20) CHARACTER SET latin1,
  flags BIT(3) DEFAULT b'101',
  twice DECIMAL(11,2) GENERATED ALWAYS AS (fee * 2) STORED,
  label VARCHAR(60) AS (CONCAT(name, '!')) VIRTUAL,
  kind ENUM('a','b') NOT NULL,
  KEY by_name (name(5), fee),
  UNIQUE KEY once (nothing),
  FULLTEXT KEY words (name),
  CONSTRAINT positive CHECK (fee > 0)
) COMMENT='people';
CREATE TABLE children (
  a INT, b INT, parent INT UNSIGNED,
  PRIMARY KEY (b, a),
  KEY down (a DESC),
  CONSTRAINT to_parent FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE CASCADE ON UPDATE SET NULL
);
CREATE TABLE parts (id INT) PARTITION BY HASH (id) PARTITIONS 2;
CREATE VIEW names AS SELECT id, name FROM parents;
CREATE TRIGGER before_it BEFORE INSERT ON parents FOR EACH ROW SET NEW.name = UPPER(NEW.name);
CREATE PROCEDURE proc(IN a INT, OUT b VARCHAR(10)) SELECT 1;
CREATE FUNCTION func(a INT UNSIGNED) RETURNS INT DETERMINISTIC RETURN a;
CREATE EVENT daily ON SCHEDULE EVERY 1 DAY DO SELECT 1;
INSERT INTO parents (name, kind) VALUES ('x', 'a'), ('y', 'b');
";

async fn read(database: &TestDatabase, options: &CatalogOptions) -> Catalog {
    let options_of: ConnectOptions = database.url().parse().unwrap();
    let mut connection = connect(&options_of).await.unwrap();
    connection.script("ANALYZE TABLE parents").await.ok();
    connection.catalog(options).await.unwrap()
}

async fn everything_is_in_it(kind: Kind) {
    let Some(server) = server(kind) else { return };
    let database = server.fresh_database();
    database.sql(SCHEMA);
    let catalog = read(&database, &CatalogOptions::default()).await;
    let maria = kind == Kind::Mariadb;
    let either = |mariadb: &'static str, mysql: &'static str| if maria { mariadb } else { mysql };

    let names: Vec<_> = catalog.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["children", "parents", "parts"]);
    assert_eq!(catalog.table("parts").unwrap().kind, TableKind::Partitioned);

    let parents = catalog.table("parents").unwrap();
    assert_eq!(parents.primary_key, ["id"]);
    assert_eq!(parents.comment.as_deref(), Some("people"));
    assert_eq!(parents.estimated_rows, Some(2));
    assert!(parents.size_bytes.unwrap() > 0);
    let shown = |column: &ColumnInfo| {
        let null = if column.nullable { "" } else { " NOT NULL" };
        let default = column.default.as_ref().map(|default| format!(" DEFAULT {default}")).unwrap_or_default();
        let generated = column.generated.as_ref().map(|generated| {
            format!(" AS ({}) {}", generated.expression, if generated.stored { "STORED" } else { "VIRTUAL" })
        });
        let auto = if column.auto_increment { " AUTO_INCREMENT" } else { "" };
        let collation = column.collation.as_ref().map(|collation| format!(" COLLATE {collation}")).unwrap_or_default();
        let comment = column.comment.as_ref().map(|comment| format!(" -- {comment}")).unwrap_or_default();
        let generated = generated.unwrap_or_default();
        format!("{} {}{null}{default}{generated}{auto}{collation}{comment}", column.name, column.type_name)
    };
    let columns: Vec<_> = parents.columns.iter().map(shown).collect();
    assert_eq!(
        columns,
        [
            either("id int(10) unsigned NOT NULL AUTO_INCREMENT", "id int unsigned NOT NULL AUTO_INCREMENT"),
            "name varchar(50) NOT NULL DEFAULT 'it''s' -- the name",
            "fee decimal(10,2) DEFAULT 1.50",
            either(
                "made datetime(6) DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6)",
                "made datetime(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)"
            ),
            "nothing varchar(20) COLLATE latin1_swedish_ci",
            "flags bit(3) DEFAULT b'101'",
            either("twice decimal(11,2) AS (`fee` * 2) STORED", "twice decimal(11,2) AS ((`fee` * 2)) STORED"),
            either(
                "label varchar(60) AS (concat(`name`,'!')) VIRTUAL",
                "label varchar(60) AS (concat(`name`,_utf8mb4'!')) VIRTUAL"
            ),
            "kind enum('a','b') NOT NULL",
        ]
    );
    let indexes: Vec<_> = parents
        .indexes
        .iter()
        .map(|index| {
            let parts: Vec<_> =
                index.columns.iter().map(|part| format!("{}:{:?}", part.name, part.prefix.unwrap_or(0))).collect();
            format!("{} {} unique={} {}", index.name, index.method, index.unique, parts.join(","))
        })
        .collect();
    assert_eq!(
        indexes,
        [
            "by_name btree unique=false name:5,fee:0",
            "once btree unique=true nothing:0",
            "words fulltext unique=false name:0"
        ]
    );
    let check = parents.checks.iter().find(|check| check.name == "positive").unwrap();
    assert_eq!(check.expression, either("`fee` > 0", "(`fee` > 0)"));

    let children = catalog.table("children").unwrap();
    assert_eq!(children.primary_key, ["b", "a"]);
    assert!(children.indexes.iter().find(|index| index.name == "down").unwrap().columns[0].descending);
    let key = &children.foreign_keys[0];
    assert_eq!((key.name.as_str(), &key.columns[..]), ("to_parent", &["parent".to_owned()][..]));
    assert_eq!((key.referenced_table.as_str(), &key.referenced_columns[..]), ("parents", &["id".to_owned()][..]));
    assert_eq!((key.on_delete.as_str(), key.on_update.as_str()), ("CASCADE", "SET NULL"));
    assert_eq!(key.referenced_schema, None);

    let view = catalog.view("names").unwrap();
    assert_eq!(view.columns.len(), 2);
    assert!(view.definition.as_ref().unwrap().contains("parents"));
    let trigger = &catalog.triggers[0];
    assert_eq!(
        (trigger.timing.as_str(), trigger.event.as_str(), trigger.table.as_str()),
        ("BEFORE", "INSERT", "parents")
    );
    let routines: Vec<_> = catalog
        .routines
        .iter()
        .map(|routine| (routine.name.as_str(), routine.kind, routine.arguments.as_str()))
        .collect();
    assert_eq!(
        routines,
        [
            ("daily", RoutineKind::Event, ""),
            ("func", RoutineKind::Function, either("a int(10) unsigned", "a int unsigned")),
            ("proc", RoutineKind::Procedure, either("IN a int(11), OUT b varchar(10)", "IN a int, OUT b varchar(10)")),
        ]
    );

    let some = read(&database, &CatalogOptions::default().tables(["children", "names"])).await;
    assert_eq!(some.tables.len(), 1);
    assert_eq!(some.views.len(), 1);
    assert_eq!(some.tables[0], *children);
}

#[tokio::test]
async fn everything_is_in_it_on_mariadb() {
    everything_is_in_it(Kind::Mariadb).await;
}

#[tokio::test]
async fn everything_is_in_it_on_mysql() {
    everything_is_in_it(Kind::Mysql).await;
}

#[tokio::test]
async fn sequences_are_not_taken_for_tables() {
    let Some(server) = server(Kind::Mariadb) else { return };
    let database = server.fresh_database();
    database.sql("CREATE SEQUENCE s START WITH 100 INCREMENT BY 10 MINVALUE 50 MAXVALUE 1000 CYCLE");
    let catalog = read(&database, &CatalogOptions::default()).await;
    assert!(catalog.tables.is_empty());
    let sequence = &catalog.sequences[0];
    assert_eq!((sequence.name.as_str(), sequence.start, sequence.increment), ("s", 100, 10));
    assert_eq!((sequence.minimum, sequence.maximum, sequence.cycle), (50, 1000, true));
}

#[tokio::test]
async fn indexes_over_expressions_show_them() {
    let Some(server) = server(Kind::Mysql) else { return };
    let database = server.fresh_database();
    database.sql("CREATE TABLE t (a VARCHAR(20), KEY lower_a ((LOWER(a)), a DESC))");
    let catalog = read(&database, &CatalogOptions::default()).await;
    let parts = &catalog.tables[0].indexes[0].columns;
    assert_eq!((parts[0].name.as_str(), parts[0].expression), ("lower(`a`)", true));
    assert_eq!((parts[1].name.as_str(), parts[1].expression, parts[1].descending), ("a", false, true));
}
