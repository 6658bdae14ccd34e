//! SQLite's own features in the catalog.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::{Catalog, CatalogOptions, ConnectOptions, Connection, Table, TableKind, connect};

async fn catalog_of(script: &str) -> (Connection, Catalog) {
    let mut connection = connect(&"sqlite::memory:".parse::<ConnectOptions>().unwrap()).await.unwrap();
    connection.script(script).await.unwrap();
    let catalog = connection.catalog(&CatalogOptions::default()).await.unwrap();
    (connection, catalog)
}

/// A table as a few lines of text.
fn shown(table: &Table) -> String {
    let mut out =
        format!("{} {:?} key {:?} rows {:?}", table.name, table.kind, table.primary_key, table.estimated_rows);
    if let Some(options) = &table.options {
        out += &format!(" options {options}");
    }
    for column in &table.columns {
        out += &format!("\n  {} {:?}", column.name, column.type_name);
        out += if column.nullable { "" } else { " not null" };
        out += if column.auto_increment { " counted" } else { "" };
        if let Some(default) = &column.default {
            out += &format!(" default {default}");
        }
        if let Some(generated) = &column.generated {
            out += &format!(" as {} {}", generated.expression, if generated.stored { "stored" } else { "virtual" });
        }
        if let Some(collation) = &column.collation {
            out += &format!(" collate {collation}");
        }
    }
    for index in &table.indexes {
        let parts: Vec<String> = index
            .columns
            .iter()
            .map(|part| {
                let name = if part.expression { format!("({})", part.name) } else { part.name.clone() };
                if part.descending { format!("{name} desc") } else { name }
            })
            .collect();
        out += &format!("\n  {} {} on {}", if index.unique { "unique" } else { "index" }, index.name, parts.join(", "));
        if let Some(predicate) = &index.predicate {
            out += &format!(" where {predicate}");
        }
    }
    for key in &table.foreign_keys {
        out += &format!(
            "\n  foreign key {:?} {:?} -> {} {:?} delete {} update {}",
            key.name, key.columns, key.referenced_table, key.referenced_columns, key.on_delete, key.on_update
        );
    }
    for check in &table.checks {
        out += &format!("\n  check {:?} {}", check.name, check.expression);
    }
    out
}

#[tokio::test]
async fn everything_sqlite_knows_is_read_back() {
    let (_connection, catalog) = catalog_of(
        r#"CREATE TABLE "odd ""name" (id INTEGER PRIMARY KEY, "a b" TEXT DEFAULT ('x' || 'y') COLLATE NOCASE);
           CREATE TABLE strict (k TEXT NOT NULL, v ANY, PRIMARY KEY (k DESC)) STRICT, WITHOUT ROWID;
           CREATE TABLE loose (k INTEGER PRIMARY KEY DESC, u, untyped CHECK (untyped <> ','), UNIQUE (u, untyped));
           CREATE TABLE sums (
               a INT NOT NULL DEFAULT -1, b INT,
               c INT AS (a + b), d INT GENERATED ALWAYS AS (a * b) STORED,
               CONSTRAINT positive CHECK (a > 0 OR (b > 0)),
               CONSTRAINT "to odd" FOREIGN KEY (a) REFERENCES "odd ""name" ON DELETE SET NULL,
               FOREIGN KEY (a, b) REFERENCES pairs (x, y) ON UPDATE CASCADE
           );
           CREATE UNIQUE INDEX sums_partial ON sums (abs(a) DESC, b) WHERE b IS NOT NULL;
           CREATE TABLE pairs (x, y, PRIMARY KEY (x, y));
           CREATE VIRTUAL TABLE words USING fts5(title, body, tokenize = 'porter');
           INSERT INTO pairs VALUES (1, 2), (3, 4);
           CREATE VIEW fine AS SELECT a, c AS total FROM sums;
           CREATE VIEW broken AS SELECT * FROM gone;
           CREATE TRIGGER watch INSTEAD OF UPDATE ON fine BEGIN SELECT 1; END;
           CREATE TEMP TABLE hidden (n);"#,
    )
    .await;
    let tables: Vec<String> = catalog.tables.iter().map(shown).collect();
    assert_eq!(
        tables.join("\n"),
        r#"loose Table key ["k"] rows Some(0)
  k "INTEGER"
  u ""
  untyped ""
  unique sqlite_autoindex_loose_2 on u, untyped
  check "" untyped <> ','
odd "name Table key ["id"] rows Some(0)
  id "INTEGER" not null counted
  a b "TEXT" default 'x' || 'y' collate NOCASE
pairs Table key ["x", "y"] rows Some(2)
  x ""
  y ""
strict Table key ["k"] rows Some(0) options STRICT, WITHOUT ROWID
  k "TEXT" not null
  v "ANY"
sums Table key [] rows Some(0)
  a "INT" not null default -1
  b "INT"
  c "INT" as a + b virtual
  d "INT" as a * b stored
  unique sums_partial on (abs(a)) desc, b where b IS NOT NULL
  foreign key "to odd" ["a"] -> odd "name ["id"] delete SET NULL update NO ACTION
  foreign key "" ["a", "b"] -> pairs ["x", "y"] delete NO ACTION update CASCADE
  check "positive" a > 0 OR (b > 0)
words Virtual key [] rows None options USING fts5(title, body, tokenize = 'porter')
  title ""
  body """#
    );
    let views: Vec<(&str, Vec<&str>)> = catalog
        .views
        .iter()
        .map(|view| (view.name.as_str(), view.columns.iter().map(|column| column.name.as_str()).collect()))
        .collect();
    assert_eq!(views, [("broken", vec![]), ("fine", vec!["a", "total"])]);
    let [trigger] = catalog.triggers.as_slice() else { panic!("{:?}", catalog.triggers) };
    assert_eq!(
        (trigger.name.as_str(), trigger.table.as_str(), trigger.timing.as_str(), trigger.event.as_str()),
        ("watch", "fine", "INSTEAD OF", "UPDATE")
    );
    assert!(catalog.table("pairs").unwrap().size_bytes.is_some_and(|bytes| bytes >= 4096));
    assert_eq!(catalog.table("pairs").map(|table| table.kind), Some(TableKind::Table));
}

#[tokio::test]
async fn a_catalog_inside_a_transaction_shows_it_and_leaves_it_open() {
    let (mut connection, _) = catalog_of("CREATE TABLE before (n)").await;
    let mut transaction = connection.transaction().await.unwrap();
    transaction.execute("CREATE TABLE inside (n)", &[]).await.unwrap();
    let catalog = transaction.catalog(&CatalogOptions::default()).await.unwrap();
    assert!(catalog.table("inside").is_some());
    transaction.rollback().await.unwrap();
    let catalog = connection.catalog(&CatalogOptions::default()).await.unwrap();
    assert_eq!(catalog.tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["before"]);
}
