//! What is in the database that a snapshot has to carry, and what it cannot.

use super::super::connection::PostgresConnection;
use super::super::session::{literal, quoted};
use crate::{Digesting, Driver, Error, ErrorKind, Result, Row, SnapshotOptions, StreamKind, StreamSpec};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Tables whose definition must hold still, quoted, with their identity. Those of extensions included: theirs is a
/// definition too.
pub(super) const LOCKABLE: &str = "
SELECT c.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY c.oid";

/// Whether table `$oid` spreads its rows over partitions by a hash of what may hold an enum. That hash is of the label's
/// number in its database, so that in another one the same row belongs elsewhere.
/// <https://github.com/postgres/postgres/blob/REL_16_STABLE/src/bin/pg_dump/pg_dump.c> `forcePartitionRootLoad`
macro_rules! scattered {
    ($oid:literal) => {
        concat!(
            "EXISTS (SELECT FROM pg_catalog.pg_partitioned_table h JOIN pg_catalog.pg_opclass o ON o.oid = ANY (h.partclass) ",
            "WHERE h.partstrat = 'h' AND o.opcname IN ('enum_ops', 'array_ops', 'record_ops', 'range_ops', 'multirange_ops') ",
            "AND h.partrelid = ", $oid, ")"
        )
    };
}

/// Tables with rows of their own, partitions leaf by leaf except where their rows have to find them anew. An extension's
/// tables are filled by the extension, except for what it declares to be configuration.
/// <https://www.postgresql.org/docs/current/extend-extensions.html#EXTEND-EXTENSIONS-CONFIG-TABLES>
const TABLES: &str = concat!(
    "
SELECT n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS partitioned,
  coalesce((SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''), '{}') AS columns,
  CASE c.relkind WHEN 'p' THEN (SELECT sum(pg_catalog.pg_relation_size(t.relid))::bigint
    FROM pg_catalog.pg_partition_tree(c.oid) t) ELSE pg_catalog.pg_relation_size(c.oid) END AS bytes, x.condition
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend e
  ON e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e'
LEFT JOIN LATERAL (SELECT o.extcondition[pg_catalog.array_position(o.extconfig, c.oid)] AS condition
  FROM pg_catalog.pg_extension o WHERE o.oid = e.refobjid AND c.oid = ANY (o.extconfig)) x ON true
WHERE (c.relkind = 'r' OR c.relkind = 'p' AND ",
    scattered!("c.oid"),
    ") AND NOT (c.relispartition AND EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) a (above)
    WHERE a.above <> c.oid AND ",
    scattered!("a.above"),
    "))
  AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND (e.objid IS NULL OR x.condition IS NOT NULL)
ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\""
);

#[derive(Deserialize)]
struct TableRow {
    schema: String,
    name: String,
    partitioned: bool,
    columns: Vec<String>,
    bytes: Option<u64>,
    condition: Option<String>,
}

/// The tables' streams, each with the COPY that reads it.
pub(super) async fn tables(connection: &mut PostgresConnection) -> Result<Vec<(StreamSpec, String)>> {
    let rows = connection.query(TABLES, &[]).await?;
    let mut names = BTreeSet::new();
    let mut tables = Vec::with_capacity(rows.len());
    for row in &rows {
        let table: TableRow = row.decode()?;
        let mut name = format!("data/{}.{}.copy", table.schema, table.name);
        // A dot in a name makes "a.b"."c" and "a"."b.c" look alike.
        while !names.insert(name.clone()) {
            name.insert(name.len() - ".copy".len(), '~');
        }
        let copy = copy_out(&table);
        let mut spec = StreamSpec::new(name, StreamKind::Rows, "pg-copy/1", Digesting::Rows);
        spec.schema = Some(table.schema);
        spec.table = Some(table.name);
        spec.columns = table.columns;
        spec.estimated_bytes = table.bytes;
        tables.push((spec, copy));
    }
    Ok(tables)
}

/// COPY of a table reads that table alone, not those that inherit from it; one that only has partitions it does not read.
fn copy_out(table: &TableRow) -> String {
    let name = format!("{}.{}", quoted(&table.schema), quoted(&table.name));
    let columns: Vec<_> = table.columns.iter().map(|column| quoted(column)).collect();
    match table.condition.as_deref().unwrap_or_default() {
        condition if table.partitioned => {
            format!("COPY (SELECT {} FROM {name} {condition}) TO STDOUT", columns.join(", "))
        }
        "" => format!("COPY {name}{} TO STDOUT", column_list(&table.columns)),
        condition => format!("COPY (SELECT {} FROM ONLY {name} {condition}) TO STDOUT", columns.join(", ")),
    }
}

/// The columns in parentheses; nothing for a table without any, whose list would be no SQL.
pub(in crate::postgres) fn column_list(columns: &[String]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    let columns: Vec<_> = columns.iter().map(|column| quoted(column)).collect();
    format!(" ({})", columns.join(", "))
}

const SEQUENCES: &str = "
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
    WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

/// Where every sequence stands, as statements. Sequences know no snapshot: read after it, they are never behind its rows.
pub(super) async fn sequences(connection: &mut PostgresConnection) -> Result<String> {
    let names: Vec<(String, String)> =
        connection.query(SEQUENCES, &[]).await?.iter().map(Row::decode).collect::<Result<_>>()?;
    let mut out = String::new();
    for some in names.chunks(100) {
        let parts: Vec<_> = some
            .iter()
            .enumerate()
            .map(|(at, (schema, name))| {
                format!("SELECT {at} AS at, last_value, is_called FROM {}.{}", quoted(schema), quoted(name))
            })
            .collect();
        let rows = connection.query(&format!("{} ORDER BY at", parts.join(" UNION ALL ")), &[]).await?;
        for ((schema, name), row) in some.iter().zip(&rows) {
            let (_, value, called): (i64, i64, bool) = row.decode()?;
            let sequence = literal(&format!("{}.{}", quoted(schema), quoted(name)));
            out.push_str(&format!("SELECT pg_catalog.setval({sequence}, {value}, {called});\n"));
        }
    }
    Ok(out)
}

/// Blobs outside of tables are not carried, and losing them in silence is not for a backup.
pub(super) async fn refuse_large_objects(connection: &mut PostgresConnection) -> Result<()> {
    let rows = connection.query("SELECT count(*) FROM pg_catalog.pg_largeobject_metadata", &[]).await?;
    match rows.first().map(|row| row.get::<i64>(0)).transpose()? {
        None | Some(0) => Ok(()),
        Some(count) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("the database holds {count} large objects, which cannot be backed up here"),
        )
        .with_hint("move their contents into bytea columns and remove them with lo_unlink, or back them up with pg_dump --large-objects")),
    }
}

/// What a restore needs to make a database like this one.
pub(super) async fn settings(connection: &mut PostgresConnection) -> Result<BTreeMap<String, String>> {
    // The columns have other names from version to version.
    let (provider, locale) = match connection.server().version.major {
        17.. => ("datlocprovider", "datlocale"),
        15.. => ("datlocprovider", "daticulocale"),
        _ => ("'c'", "NULL"),
    };
    let sql = format!(
        "SELECT pg_catalog.pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype,
           {provider}::text AS locale_provider, {locale}::text AS locale,
           CASE WHEN pg_catalog.to_regnamespace('public') IS NULL THEN 'absent' END AS public_schema
         FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()"
    );
    let rows = connection.query(&sql, &[]).await?;
    let row = rows.first().ok_or_else(|| Error::new(ErrorKind::NotFound, "the database describes itself no more"))?;
    let found: BTreeMap<String, Option<String>> = row.decode()?;
    Ok(found.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

const LIMITS: &str = "
SELECT
  (SELECT count(*) FROM pg_catalog.pg_class WHERE relkind = 'f'),
  (SELECT count(*) FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
    WHERE d.datname = pg_catalog.current_database()),
  (SELECT count(*) FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
    WHERE d.datname = pg_catalog.current_database())";

/// What the snapshot does not carry, in words.
pub(super) async fn warnings(connection: &mut PostgresConnection, snapshot: &SnapshotOptions) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    if snapshot.schema {
        warnings.push("owners and privileges are not included; restored objects belong to whoever restores".to_owned());
    }
    let rows = connection.query(LIMITS, &[]).await?;
    let Some((foreign, subscriptions, settings)) =
        rows.first().map(|row| row.decode::<(u64, u64, u64)>()).transpose()?
    else {
        return Ok(warnings);
    };
    if foreign > 0 && snapshot.data {
        warnings.push(format!("the rows of {foreign} foreign tables lie elsewhere and are not included"));
    }
    if subscriptions > 0 && snapshot.schema {
        warnings.push(format!("{subscriptions} subscriptions are not included"));
    }
    if settings > 0 && snapshot.schema {
        warnings.push("settings made with ALTER DATABASE … SET are not included".to_owned());
    }
    Ok(warnings)
}
