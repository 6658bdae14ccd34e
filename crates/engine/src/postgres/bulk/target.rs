//! The database that takes a restore: how it is created, whether it is empty, how it is emptied again.

use super::super::connection::PostgresConnection;
use super::super::session::{literal, quoted};
use crate::{Driver, Error, ErrorKind, Result, Row, Version};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What follows the name in CREATE DATABASE, for a database like the one the settings describe.
pub(super) fn definition(version: &Version, settings: &BTreeMap<String, String>) -> String {
    let mut out = String::from(" TEMPLATE template0");
    let mut add = |clause: &str, name: &str| {
        if let Some(value) = settings.get(name) {
            out.push_str(&format!(" {clause} {}", literal(value)));
        }
    };
    add("ENCODING", "encoding");
    add("LC_COLLATE", "collate");
    add("LC_CTYPE", "ctype");
    match settings.get("locale_provider").map(String::as_str) {
        Some("i") if version.major >= 15 => {
            add("LOCALE_PROVIDER icu ICU_LOCALE", "locale");
        }
        Some("b") if version.major >= 17 => {
            add("LOCALE_PROVIDER builtin BUILTIN_LOCALE", "locale");
        }
        Some("c") if version.major >= 15 => out.push_str(" LOCALE_PROVIDER libc"),
        _ => {}
    }
    out
}

/// Objects of our own in schema `n`, by the catalog they stand in.
macro_rules! own {
    ($catalog:literal, $alias:literal) => {
        concat!(
            "n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e ",
            "WHERE e.classid = 'pg_catalog.", $catalog, "'::pg_catalog.regclass AND e.objid = ", $alias,
            ".oid AND e.deptype = 'e')"
        )
    };
}

/// Everything that would be in the way, by kind and as the statement that drops it.
const OBJECTS: &str = concat!(
    "
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
    WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type' ELSE 'table' END AS kind,
  pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name, n.nspname AS schema
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'c') AND ",
    own!("pg_class", "c"),
    "
UNION ALL
SELECT 'routine', p.oid::pg_catalog.regprocedure::text, n.nspname
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE ",
    own!("pg_proc", "p"),
    "
UNION ALL
SELECT 'type', pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.typname), n.nspname
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE (t.typtype IN ('d', 'e', 'r') OR t.typtype = 'b' AND t.typelem = 0 OR NOT t.typisdefined) AND ",
    own!("pg_type", "t"),
    "
UNION ALL
SELECT 'collation', pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(l.collname), n.nspname
FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
WHERE ",
    own!("pg_collation", "l"),
    "
UNION ALL
SELECT 'text search configuration', pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(f.cfgname), n.nspname
FROM pg_catalog.pg_ts_config f JOIN pg_catalog.pg_namespace n ON n.oid = f.cfgnamespace
WHERE ",
    own!("pg_ts_config", "f"),
    "
UNION ALL
SELECT 'text search dictionary', pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(f.dictname), n.nspname
FROM pg_catalog.pg_ts_dict f JOIN pg_catalog.pg_namespace n ON n.oid = f.dictnamespace
WHERE ",
    own!("pg_ts_dict", "f"),
    "
ORDER BY 1, 2"
);

#[derive(Deserialize)]
struct Object {
    kind: String,
    name: String,
    schema: String,
}

async fn objects(connection: &mut PostgresConnection) -> Result<Vec<Object>> {
    connection.query(OBJECTS, &[]).await?.iter().map(Row::decode).collect()
}

/// Refuses a database that holds anything.
pub(super) async fn refuse_unless_empty(connection: &mut PostgresConnection, database: &str) -> Result<()> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for object in objects(connection).await? {
        *counts.entry(object.kind).or_default() += 1;
    }
    let blobs = connection.query("SELECT count(*) FROM pg_catalog.pg_largeobject_metadata", &[]).await?;
    let blobs = blobs.first().map(|row| row.get::<i64>(0)).transpose()?.unwrap_or(0);
    if blobs > 0 {
        counts.insert("large object".to_owned(), usize::try_from(blobs).unwrap_or(usize::MAX));
    }
    if counts.is_empty() {
        return Ok(());
    }
    let found: Vec<_> = counts
        .iter()
        .map(|(kind, count)| {
            let plural = match (count, kind.strip_suffix('y')) {
                (1, _) => kind.clone(),
                (_, Some(stem)) => format!("{stem}ies"),
                (_, None) => format!("{kind}s"),
            };
            format!("{count} {plural}")
        })
        .collect();
    Err(Error::new(ErrorKind::NotEmpty, format!("the database {database} is not empty: it holds {}", found.join(", ")))
        .with_hint("restore into a new database, or drop this one first"))
}

/// What an empty database held all the same.
pub(super) struct Inventory {
    schemas: BTreeSet<String>,
    extensions: BTreeSet<String>,
    event_triggers: BTreeSet<String>,
    publications: BTreeSet<String>,
}

impl Inventory {
    pub(super) async fn read(connection: &mut PostgresConnection) -> Result<Self> {
        Ok(Self {
            schemas: names(connection, "SELECT nspname::text FROM pg_catalog.pg_namespace").await?,
            extensions: names(connection, "SELECT extname::text FROM pg_catalog.pg_extension").await?,
            event_triggers: names(connection, "SELECT evtname::text FROM pg_catalog.pg_event_trigger").await?,
            publications: names(connection, "SELECT pubname::text FROM pg_catalog.pg_publication").await?,
        })
    }
}

async fn names(connection: &mut PostgresConnection, sql: &str) -> Result<BTreeSet<String>> {
    connection.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect()
}

/// Drops everything that was not there before. One transaction: either all of it goes, or the error says why not.
pub(super) async fn empty(connection: &mut PostgresConnection, before: &Inventory) -> Result<()> {
    // Names are written out in full.
    connection.execute_plain("SET search_path = ''").await?;
    let now = Inventory::read(connection).await?;
    let mut script = String::from("BEGIN;\n");
    for (kind, now, before) in [
        ("EVENT TRIGGER", &now.event_triggers, &before.event_triggers),
        ("PUBLICATION", &now.publications, &before.publications),
        ("SCHEMA", &now.schemas, &before.schemas),
        ("EXTENSION", &now.extensions, &before.extensions),
    ] {
        for name in now.difference(before).filter(|name| !name.starts_with("pg_")) {
            script.push_str(&format!("DROP {kind} IF EXISTS {} CASCADE;\n", quoted(name)));
        }
    }
    for object in objects(connection).await?.iter().filter(|object| before.schemas.contains(&object.schema)) {
        script.push_str(&format!("DROP {} IF EXISTS {} CASCADE;\n", object.kind.to_uppercase(), object.name));
    }
    script.push_str("COMMIT;");
    let outcome = connection.execute_plain(&script).await;
    if outcome.is_err() {
        // The error itself is what counts; the connection ends with this anyway.
        let _ = connection.execute_plain("ROLLBACK").await;
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_created_as_its_source_was() {
        let settings = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let libc =
            settings(&[("encoding", "UTF8"), ("collate", "C.UTF-8"), ("ctype", "C.UTF-8"), ("locale_provider", "c")]);
        assert_eq!(
            definition(&Version::parse("15.1"), &libc),
            " TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8' LOCALE_PROVIDER libc"
        );
        assert_eq!(
            definition(&Version::parse("14.1"), &libc),
            " TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"
        );
        let icu = settings(&[("locale_provider", "i"), ("locale", "en-US")]);
        assert_eq!(
            definition(&Version::parse("16.0"), &icu),
            " TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
        );
        assert_eq!(definition(&Version::parse("16.0"), &BTreeMap::new()), " TEMPLATE template0");
    }
}
