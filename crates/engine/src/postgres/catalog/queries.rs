//! The statements that read the system catalogs. `$1` is a schema or null, `$2` names of tables and views, all when empty.

/// What is ours to show: relation `c` in schema `n`.
macro_rules! wanted {
    () => {
        "n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND ($1::text IS NULL OR n.nspname = $1::text)
  AND (pg_catalog.cardinality($2::text[]) = 0 OR c.relname = ANY ($2::text[]))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
    WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e')"
    };
}

/// A text as the server writes expressions, its literals as the standard has them: with `standard_conforming_strings` off, the
/// server doubles their backslashes.
macro_rules! conforming {
    ($sql:literal) => {
        concat!(
            "CASE pg_catalog.current_setting('standard_conforming_strings') WHEN 'off' THEN pg_catalog.replace(",
            $sql,
            ", pg_catalog.repeat(pg_catalog.chr(92), 2), pg_catalog.chr(92)) ELSE ",
            $sql,
            " END"
        )
    };
}

pub(super) const RELATIONS: &str = concat!(
    "
SELECT c.oid AS id, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relispartition AS is_partition,
  CASE WHEN $3::boolean THEN c.reltuples::double precision END AS estimated_rows,
  CASE WHEN $3::boolean AND c.relkind <> 'v' THEN pg_catalog.pg_total_relation_size(c.oid) END AS size_bytes,
  pg_catalog.obj_description(c.oid, 'pg_class') AS comment,
  CASE WHEN c.relkind IN ('v', 'm') THEN ",
    conforming!("pg_catalog.pg_get_viewdef(c.oid)"),
    " END AS definition,
  nullif(pg_catalog.concat_ws(' ',
    CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED' END,
    'PARTITION BY ' || CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END,
    pg_catalog.pg_get_expr(c.relpartbound, c.oid),
    'WITH (' || pg_catalog.array_to_string(c.reloptions, ', ') || ')',
    CASE WHEN c.relrowsecurity THEN 'ROW LEVEL SECURITY' END), '') AS options
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND ",
    wanted!(),
    "
ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\""
);

pub(super) const COLUMNS: &str = concat!(
    "
SELECT a.attrelid AS relation, a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_name,
  NOT a.attnotnull AS nullable, ",
    conforming!("pg_catalog.pg_get_expr(d.adbin, d.adrelid)"),
    " AS expression, a.attgenerated AS generated,
  a.attidentity <> '' OR coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') LIKE 'nextval(%' AS auto_increment,
  CASE WHEN a.attcollation <> t.typcollation THEN l.collname END AS collation,
  pg_catalog.col_description(a.attrelid, a.attnum) AS comment
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND ",
    wanted!(),
    "
ORDER BY a.attrelid, a.attnum"
);

pub(super) const INDEXES: &str = concat!(
    "
SELECT x.indrelid AS relation, i.relname AS name, x.indisunique AS is_unique, x.indisprimary AS is_primary,
  m.amname AS method, ",
    conforming!("pg_catalog.pg_get_expr(x.indpred, x.indrelid)"),
    " AS predicate,
  a.attname AS \"column\", ",
    conforming!("pg_catalog.pg_get_indexdef(x.indexrelid, k.at, true)"),
    " AS expression,
  coalesce(pg_catalog.pg_index_column_has_property(x.indexrelid, k.at, 'desc'), false) AS descending
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = i.relam
JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.generate_series(1, x.indnkeyatts::integer) k(at)
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[k.at - 1] AND a.attnum > 0
WHERE c.relkind IN ('r', 'p') AND ",
    wanted!(),
    "
ORDER BY x.indrelid, i.relname COLLATE \"C\", k.at"
);

pub(super) const CONSTRAINTS: &str = concat!(
    "
SELECT o.conrelid AS relation, o.conname AS name, o.contype AS kind,
  ",
    conforming!("pg_catalog.pg_get_expr(o.conbin, o.conrelid)"),
    " AS expression,
  (SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.at) FROM pg_catalog.unnest(o.conkey) WITH ORDINALITY k(number, at)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.number) AS columns,
  fn.nspname AS referenced_schema, f.relname AS referenced_table,
  (SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.at) FROM pg_catalog.unnest(o.confkey) WITH ORDINALITY k(number, at)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = k.number) AS referenced_columns,
  o.confdeltype AS on_delete, o.confupdtype AS on_update
FROM pg_catalog.pg_constraint o
JOIN pg_catalog.pg_class c ON c.oid = o.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class f ON f.oid = o.confrelid
LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
WHERE o.contype IN ('f', 'c') AND ",
    wanted!(),
    "
ORDER BY o.conrelid, o.conname COLLATE \"C\""
);

pub(super) const TRIGGERS: &str = concat!(
    "
SELECT n.nspname AS schema, t.tgname AS name, c.relname AS table, t.tgtype::bigint AS kind,
  ",
    conforming!("pg_catalog.pg_get_triggerdef(t.oid)"),
    " AS definition
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND ",
    wanted!(),
    "
ORDER BY n.nspname COLLATE \"C\", t.tgname COLLATE \"C\", c.relname COLLATE \"C\""
);

pub(super) const ROUTINES: &str = "
SELECT n.nspname AS schema, p.proname AS name, p.prokind AS kind,
  pg_catalog.pg_get_function_identity_arguments(p.oid) AS arguments,
  CASE WHEN p.prokind <> 'a' THEN pg_catalog.pg_get_functiondef(p.oid) END AS definition
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND ($1::text IS NULL OR n.nspname = $1::text)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
    WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND e.objid = p.oid AND e.deptype = 'e')
ORDER BY n.nspname COLLATE \"C\", p.proname COLLATE \"C\",
  pg_catalog.pg_get_function_identity_arguments(p.oid) COLLATE \"C\"";

pub(super) const SEQUENCES: &str = "
SELECT n.nspname AS schema, c.relname AS name, pg_catalog.format_type(s.seqtypid, NULL) AS type_name, s.seqstart AS start,
  s.seqincrement AS increment, s.seqmin AS minimum, s.seqmax AS maximum, s.seqcycle AS cycle
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND ($1::text IS NULL OR n.nspname = $1::text)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
    WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype IN ('e', 'i'))
ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";
