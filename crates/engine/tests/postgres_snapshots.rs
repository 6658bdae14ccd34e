//! Snapshots and restores on PostgreSQL, judged by its own pg_dump.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used)]

use async_trait::async_trait;
use bytes::Bytes;
use dbkeep_engine::{
    ByteSink, ByteSource, ConnectOptions, Connection, Engine, Error, ErrorKind, Restore, RestoreOptions, Result,
    Snapshot, SnapshotOptions, StreamKind, StreamSpec, connect, engine_for,
};
use dbkeep_testkit::{Kind, Server, TestDatabase, data_file, private_server, server};

#[derive(Default)]
struct Held(Vec<u8>);

#[async_trait]
impl ByteSink for Held {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.0.extend_from_slice(&bytes);
        Ok(())
    }
}

/// Gives bytes in small pieces, then an end or an error.
struct Pieces {
    bytes: Bytes,
    error: Option<Error>,
}

impl Pieces {
    fn of(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), error: None }
    }
}

#[async_trait]
impl ByteSource for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.bytes.is_empty() {
            return self.error.take().map_or(Ok(None), Err);
        }
        let size = self.bytes.len().min(1000);
        Ok(Some(self.bytes.split_to(size)))
    }
}

fn engine() -> &'static dyn Engine {
    engine_for("postgres").unwrap()
}

/// A database to restore into, dropped with its handle.
struct Target {
    options: ConnectOptions,
    server: Server,
}

impl Target {
    fn on(server: &Server, name: &str) -> Self {
        let options = server.url(&format!("{name}_{}", std::process::id())).parse().unwrap();
        Self { options, server: server.clone() }
    }

    fn dump(&self) -> String {
        self.server.client().dump(&self.options.database)
    }

    fn sql(&self, sql: &str) -> String {
        self.server.client().run(&self.options.database, sql)
    }

    async fn exists(&self) -> bool {
        engine().database_exists(&self.options).await.unwrap()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self
            .server
            .client()
            .try_run("", &format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.options.database));
    }
}

fn source(database: &TestDatabase) -> ConnectOptions {
    database.url().parse().unwrap()
}

async fn snapshot(options: &ConnectOptions) -> Box<dyn Snapshot> {
    engine().snapshot(options, &SnapshotOptions::default()).await.unwrap()
}

async fn read(snapshot: &mut dyn Snapshot) -> Vec<(StreamSpec, Vec<u8>)> {
    let specs = snapshot.info().streams.clone();
    let mut streams = Vec::new();
    for (index, spec) in specs.into_iter().enumerate() {
        let mut held = Held::default();
        snapshot.read(index, &mut held).await.unwrap_or_else(|error| panic!("{}: {error:?}", spec.name));
        streams.push((spec, held.0));
    }
    streams
}

async fn load(mut restore: Box<dyn Restore>, streams: &[(StreamSpec, Vec<u8>)]) -> u64 {
    let mut rows = 0;
    for (spec, bytes) in streams {
        let loaded = restore.load(spec, &mut Pieces::of(bytes.clone())).await;
        rows += loaded.unwrap_or_else(|error| panic!("{}: {error:?}", spec.name));
    }
    restore.finish().await.unwrap();
    rows
}

/// Takes a snapshot and restores it beside; the copy's snapshot must be the same, byte by byte.
async fn round_trip(database: &TestDatabase, name: &str) -> (Target, u64) {
    let mut first = snapshot(&source(database)).await;
    let settings = first.info().settings.clone();
    let streams = read(&mut *first).await;
    first.finish().await.unwrap();
    let target = Target::on(database.server(), name);
    let rows =
        load(engine().restore(&target.options, &RestoreOptions::new(settings.clone())).await.unwrap(), &streams).await;

    let mut second = snapshot(&target.options).await;
    assert_eq!(second.info().settings, settings);
    let again = read(&mut *second).await;
    second.finish().await.unwrap();
    let sorted = |bytes: &[u8]| {
        let mut lines: Vec<_> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        lines.sort();
        lines
    };
    assert_eq!(again.len(), streams.len());
    for ((spec, bytes), (copy, copied)) in streams.iter().zip(&again) {
        assert_eq!(spec.name, copy.name);
        match spec.kind {
            StreamKind::Rows => assert_eq!(sorted(bytes), sorted(copied), "{}", spec.name),
            _ => assert_eq!(String::from_utf8_lossy(bytes), String::from_utf8_lossy(copied), "{}", spec.name),
        }
    }
    (target, rows)
}

#[tokio::test]
async fn sakila_comes_back_whole() {
    let Some(server) = server(Kind::Postgres) else { return };
    let (Some(schema), Some(data)) =
        (data_file("sakila/postgres-schema.sql.gz"), data_file("sakila/postgres-data.sql.gz"))
    else {
        return;
    };
    let database = server.fresh_database();
    database.load(&schema);
    database.load(&data);
    let (target, rows) = round_trip(&database, "sakila_copy").await;
    assert_eq!(rows, 46_273);
    // Owners and privileges are not carried; the sample names some.
    let without_grants = |text: String| {
        let is_carried = |line: &&str| {
            !["GRANT ", "REVOKE ", "--"].iter().any(|start| line.starts_with(start)) && !line.contains(" OWNER TO ")
        };
        text.lines().filter(is_carried).filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_grants(target.dump()), without_grants(database.dump()));
}

#[tokio::test]
async fn chinook_comes_back_whole() {
    let Some(server) = server(Kind::Postgres) else { return };
    let Some(file) = data_file("chinook/Chinook_PostgreSql.sql") else { return };
    let database = server.fresh_database();
    let script = std::fs::read_to_string(file).unwrap();
    // The script makes a database of its own.
    let tables = &script[script.find("CREATE TABLE").unwrap()..];
    connect(&source(&database)).await.unwrap().script(tables).await.unwrap();
    let (target, rows) = round_trip(&database, "chinook_copy").await;
    assert_eq!(rows, 15_607);
    assert_eq!(target.dump(), database.dump());
}

const EVERYTHING: &str = r#"
CREATE SCHEMA "odd.schema";
CREATE SCHEMA odd;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN even AS integer CHECK (value % 2 = 0);
CREATE TABLE "odd.schema"."t" (a integer);
CREATE TABLE odd."schema.t" (a integer);
INSERT INTO "odd.schema"."t" VALUES (1);
INSERT INTO odd."schema.t" VALUES (2), (3);
CREATE TABLE "Tabelle ""mit"" ünicode" ("Spalte, 1" text, "order" integer GENERATED ALWAYS AS IDENTITY, half numeric GENERATED ALWAYS AS (2.5) STORED);
INSERT INTO "Tabelle ""mit"" ünicode" ("Spalte, 1") VALUES (E'tab\tnew\nline\\ back\r'), (NULL), (''), ('\N'), ('é🦀');
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE only_computed (c integer GENERATED ALWAYS AS (1) STORED);
INSERT INTO only_computed DEFAULT VALUES;
CREATE TABLE dropped (a integer, b integer, c integer);
ALTER TABLE dropped DROP b;
INSERT INTO dropped VALUES (1, 3);
CREATE TABLE values_of_all_kinds (f real, d double precision, t timestamptz, i interval, b bytea, m mood, e even, a integer[], j json, r numrange, p money, c regclass, x xml);
INSERT INTO values_of_all_kinds VALUES
  (0.1, 0.1, '2024-02-29 12:00:00.000001+05:30', '-1 mons +2 days -03:00:00.5', '\x00ff', 'happy', 4, '[2:3]={1,NULL}', '{"b":  1}', '[1.50,)', 1234.5, 'dropped', '<a/>'),
  ('NaN', '-Infinity', '0044-03-15 BC', '1 year', '', NULL, NULL, '{}', 'null', 'empty', -0.01, 'pg_class', NULL);
CREATE TABLE parents (id serial PRIMARY KEY, "group" integer UNIQUE) ;
CREATE TABLE children (parent integer REFERENCES parents DEFERRABLE INITIALLY DEFERRED) INHERITS (parents);
INSERT INTO parents ("group") SELECT g FROM generate_series(1, 10) g;
INSERT INTO children ("group", parent) VALUES (1, 10);
CREATE TABLE measured (at date NOT NULL, v integer) PARTITION BY RANGE (at);
CREATE TABLE measured_2023 PARTITION OF measured FOR VALUES FROM ('2023-01-01') TO ('2024-01-01') PARTITION BY HASH (v);
CREATE TABLE measured_2023_0 PARTITION OF measured_2023 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE measured_2023_1 PARTITION OF measured_2023 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE measured_rest PARTITION OF measured DEFAULT;
INSERT INTO measured SELECT '2023-06-01'::date + n, n FROM generate_series(0, 500) n;
CREATE SEQUENCE untouched START 5;
CREATE SEQUENCE "Odd Sequence" INCREMENT 5;
SELECT nextval('"Odd Sequence"'), nextval('"Odd Sequence"');
SELECT setval('untouched', 77, false);
CREATE MATERIALIZED VIEW summed AS SELECT sum(v) FROM measured;
CREATE MATERIALIZED VIEW summed_again AS SELECT * FROM summed;
CREATE INDEX on_summed ON summed (sum);
CREATE MATERIALIZED VIEW not_filled AS SELECT 1 AS n WITH NO DATA;
CREATE FUNCTION atomic(a integer) RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT a; SELECT CASE WHEN a > 1 THEN 2 ELSE 3 END; END;
CREATE FUNCTION tricky() RETURNS text LANGUAGE plpgsql AS $outer$ BEGIN RETURN $$a;b$$ || 'c;
COPY x FROM stdin;
\.
'; END $outer$;
CREATE TRIGGER never BEFORE UPDATE ON parents FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE RULE log AS ON DELETE TO dropped DO ALSO (INSERT INTO nothing DEFAULT VALUES; SELECT 1);
ALTER TABLE parents ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON parents USING (id > 0);
CREATE STATISTICS dependent ON at, v FROM measured;
CREATE PUBLICATION everything FOR TABLE parents;
COMMENT ON FUNCTION tricky() IS 'it''s
two lines';
CREATE UNLOGGED TABLE passing (n integer);
INSERT INTO passing VALUES (1);
"#;

#[tokio::test]
async fn everything_else_comes_back_too() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    database.sql(EVERYTHING);
    let (target, _) = round_trip(&database, "everything_copy").await;
    assert_eq!(target.dump(), database.dump());
    for question in [
        "SELECT count(*) FROM nothing",
        "SELECT * FROM summed_again",
        "SELECT relispopulated FROM pg_class WHERE relname = 'not_filled'",
        "SELECT nextval('\"Odd Sequence\"'), nextval('untouched'), nextval('parents_id_seq')",
        "SELECT * FROM \"odd.schema\".t, odd.\"schema.t\" ORDER BY 2",
    ] {
        assert_eq!(target.sql(question), database.sql(question), "{question}");
    }
}

#[tokio::test]
async fn the_streams_are_named_in_the_order_of_a_restore() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    database.sql("CREATE SCHEMA s; CREATE TABLE s.t (a integer, g integer GENERATED ALWAYS AS (1) STORED, b text); CREATE TABLE u (id serial PRIMARY KEY)");
    let mut options = source(&database);
    let mut taken = snapshot(&options).await;
    let info = taken.info().clone();
    let names: Vec<_> = info.streams.iter().map(|spec| (spec.name.as_str(), spec.encoding.as_str())).collect();
    assert_eq!(
        names,
        [
            ("schema/10-before.sql", "sql/1"),
            ("data/public.u.copy", "pg-copy/1"),
            ("data/s.t.copy", "pg-copy/1"),
            ("schema/50-sequences.sql", "sql/1"),
            ("schema/90-after.sql", "sql/1"),
        ]
    );
    assert_eq!(info.streams[2].columns, ["a", "b"]);
    assert_eq!(info.settings["encoding"], "UTF8");
    let position = info.position.unwrap();
    assert_eq!((position.kind.as_str(), position.exact), ("lsn", false));
    assert_eq!(info.warnings, ["owners and privileges are not included; restored objects belong to whoever restores"]);
    let streams = read(&mut *taken).await;
    assert_eq!(
        String::from_utf8_lossy(&streams[3].1),
        "SELECT pg_catalog.setval('\"public\".\"u_id_seq\"', 1, false);\n"
    );
    taken.finish().await.unwrap();

    // A session that would be limited is not limited here.
    options.read_only = true;
    options.session.statement_timeout = Some(std::time::Duration::from_millis(1));
    let taken = engine().snapshot(&options, &SnapshotOptions::default().data_only()).await.unwrap();
    let names: Vec<_> = taken.info().streams.iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, ["data/public.u.copy", "data/s.t.copy", "schema/50-sequences.sql"]);
    taken.finish().await.unwrap();
}

#[tokio::test]
async fn a_snapshot_shows_one_moment_and_holds_definitions_still() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    database.sql(
        "CREATE TABLE a (n integer); CREATE TABLE b (n integer); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)",
    );
    let mut taken = snapshot(&source(&database)).await;
    database.sql("INSERT INTO a VALUES (2); DELETE FROM b; CREATE TABLE c (n integer)");
    let mut other = source(&database);
    other.session.lock_timeout = Some(std::time::Duration::from_millis(50));
    let error = connect(&other).await.unwrap().execute("ALTER TABLE b ADD m integer", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockTimeout);
    let streams = read(&mut *taken).await;
    let text =
        |name: &str| String::from_utf8(streams.iter().find(|(spec, _)| spec.name == name).unwrap().1.clone()).unwrap();
    assert_eq!((text("data/public.a.copy").as_str(), text("data/public.b.copy").as_str()), ("1\n", "1\n"));
    assert!(!text("schema/10-before.sql").contains("CREATE TABLE public.c"));
    taken.finish().await.unwrap();
    connect(&other).await.unwrap().execute("ALTER TABLE b ADD m integer", &[]).await.unwrap();
}

/// Waits until so many sessions wait for a lock in this database.
async fn waiting(connection: &mut Connection, sessions: i64) {
    let sql = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
               WHERE NOT l.granted AND d.datname = current_database()";
    while connection.query_one(sql, &[]).await.unwrap().get::<i64>(0).unwrap() != sessions {
        tokio::task::yield_now().await;
    }
}

/// pg_dump would wait behind who waits for our locks, and we for pg_dump.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_to_alter_a_table_does_not_keep_pg_dump_from_it() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    database.sql("CREATE TABLE a (n integer); INSERT INTO a VALUES (1)");
    let (mut holder, mut watcher) =
        (connect(&source(&database)).await.unwrap(), connect(&source(&database)).await.unwrap());
    holder.script("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let options = source(&database);
    let taken = tokio::spawn(async move { snapshot(&options).await });
    waiting(&mut watcher, 1).await;
    let mut altering = connect(&source(&database)).await.unwrap();
    let altered = tokio::spawn(async move { altering.execute("ALTER TABLE a ADD m integer DEFAULT 7", &[]).await });
    waiting(&mut watcher, 2).await;
    holder.script("COMMIT").await.unwrap();
    let mut taken = taken.await.unwrap();
    altered.await.unwrap().unwrap();
    let streams = read(&mut *taken).await;
    let rows = streams.iter().find(|(spec, _)| spec.name == "data/public.a.copy").unwrap();
    assert_eq!((rows.0.columns.join(" ").as_str(), rows.1.as_slice()), ("n m", &b"1\t7\n"[..]));
    taken.finish().await.unwrap();
}

#[tokio::test]
async fn extensions_bring_their_own_tables_and_keep_their_configuration() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    database.sql("CREATE EXTENSION hstore; CREATE TABLE t (h hstore); INSERT INTO t VALUES ('a=>1, b=>NULL')");
    let (target, rows) = round_trip(&database, "extension_copy").await;
    assert_eq!(rows, 1);
    assert_eq!(target.dump(), database.dump());
}

/// The hash of an enum is that of its label's number, which every database gives out anew.
#[tokio::test]
async fn rows_partitioned_by_the_hash_of_an_enum_find_their_new_partition() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    database.sql(
        "CREATE TYPE letter AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j');
         CREATE DOMAIN initial AS letter;
         CREATE TABLE direct (l letter, twice integer GENERATED ALWAYS AS (n * 2) STORED, n integer) PARTITION BY HASH (l);
         CREATE TABLE direct_0 PARTITION OF direct FOR VALUES WITH (MODULUS 3, REMAINDER 0);
         CREATE TABLE direct_1 PARTITION OF direct FOR VALUES WITH (MODULUS 3, REMAINDER 1);
         CREATE TABLE direct_2 PARTITION OF direct FOR VALUES WITH (MODULUS 3, REMAINDER 2) PARTITION BY LIST (n);
         CREATE TABLE direct_2_rest PARTITION OF direct_2 DEFAULT;
         INSERT INTO direct (l, n) SELECT unnest(enum_range(NULL::letter)), 7;
         CREATE TABLE nested (n integer, l initial, ls letter[]) PARTITION BY RANGE (n);
         CREATE TABLE nested_low PARTITION OF nested FOR VALUES FROM (0) TO (10) PARTITION BY HASH (n, ls, l);
         CREATE TABLE nested_high PARTITION OF nested FOR VALUES FROM (10) TO (20);
         CREATE TABLE nested_low_0 PARTITION OF nested_low FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE nested_low_1 PARTITION OF nested_low FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         INSERT INTO nested SELECT n, l, ARRAY[l] FROM generate_series(5, 12) n, unnest(enum_range(NULL::letter)) l",
    );
    let (target, rows) = round_trip(&database, "hashed_enum_copy").await;
    assert_eq!(rows, 90);
    let question = "SELECT * FROM direct ORDER BY l; SELECT * FROM nested ORDER BY n, l";
    assert_eq!(target.sql(question), database.sql(question));
}

#[tokio::test]
async fn bytes_in_a_database_without_an_encoding_come_back_as_they_are() {
    let Some(server) = server(Kind::Postgres) else { return };
    let original = Target::on(&server, "without_encoding");
    let mut admin = connect(&server.admin_url().parse().unwrap()).await.unwrap();
    let create = format!(
        "CREATE DATABASE {} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
        original.options.database
    );
    admin.execute(&create, &[]).await.unwrap();
    original.sql(r"CREATE TABLE t (v text); INSERT INTO t VALUES (E'caf\351'), (E'\377\376'), ('plain')");
    let mut taken = snapshot(&original.options).await;
    let settings = taken.info().settings.clone();
    let streams = read(&mut *taken).await;
    taken.finish().await.unwrap();
    let rows = &streams.iter().find(|(spec, _)| spec.kind == StreamKind::Rows).unwrap().1;
    assert_eq!(rows, b"caf\xe9\n\xff\xfe\nplain\n");

    let target = Target::on(&server, "without_encoding_copy");
    load(engine().restore(&target.options, &RestoreOptions::new(settings)).await.unwrap(), &streams).await;
    let question = "SELECT encode(v::bytea, 'hex') FROM t";
    assert_eq!(target.sql(question), original.sql(question));
}

#[tokio::test]
async fn the_targets_settings_do_not_change_what_is_loaded() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    database.sql(r"CREATE TABLE t (a text[], d date, i interval); INSERT INTO t VALUES ('{NULL,b}', '2024-03-04', '-1 day 2 hours')");
    let mut taken = snapshot(&source(&database)).await;
    let streams = read(&mut *taken).await;
    taken.finish().await.unwrap();
    let target = Target::on(&server, "with_settings");
    let mut admin = connect(&server.admin_url().parse().unwrap()).await.unwrap();
    let name = &target.options.database;
    admin.execute(&format!("CREATE DATABASE {name}"), &[]).await.unwrap();
    for setting in [
        "array_nulls = off",
        "DateStyle = 'SQL, DMY'",
        "IntervalStyle = 'sql_standard'",
        "standard_conforming_strings = off",
        "default_transaction_read_only = on",
    ] {
        admin.execute(&format!("ALTER DATABASE {name} SET {setting}"), &[]).await.unwrap();
    }
    load(engine().restore(&target.options, &RestoreOptions::default()).await.unwrap(), &streams).await;
    let question = "SELECT a[1] IS NULL, a[2], d = '2024-03-04', i = '-22 hours' FROM t";
    assert_eq!(target.sql(question), database.sql(question));
}

#[tokio::test]
async fn large_objects_are_not_lost_in_silence() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    database.sql("SELECT lo_create(0)");
    let error = engine().snapshot(&source(&database), &SnapshotOptions::default()).await.err().unwrap();
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Unsupported, "the database holds 1 large objects, which cannot be backed up here")
    );
}

#[tokio::test]
async fn a_target_that_holds_anything_is_refused_and_unchanged() {
    let Some(server) = server(Kind::Postgres) else { return };
    for (contents, what) in [
        ("CREATE TABLE t ()", "1 table"),
        ("CREATE TABLE t (id serial); CREATE TABLE u (); CREATE VIEW v AS SELECT 1", "1 sequence, 2 tables, 1 view"),
        ("CREATE TYPE mood AS ENUM ()", "1 type"),
        ("CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "1 routine"),
        ("CREATE SCHEMA s; CREATE SEQUENCE s.q", "1 sequence"),
        ("SELECT lo_create(0)", "1 large object"),
    ] {
        let database = server.fresh_database();
        database.sql(contents);
        let before = database.dump();
        let error = engine().restore(&source(&database), &RestoreOptions::default()).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::NotEmpty);
        assert_eq!(error.message(), format!("the database {} is not empty: it holds {what}", database.name()));
        assert_eq!(database.dump(), before);
    }
    let target = Target::on(&server, "not_there");
    let error = engine().restore(&target.options, &RestoreOptions::default()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::UnknownDatabase);
    assert!(!target.exists().await);
}

/// Restores all but the last stream, then fails in it.
async fn broken(mut restore: Box<dyn Restore>, streams: &[(StreamSpec, Vec<u8>)]) -> Box<dyn Restore> {
    for (spec, bytes) in streams {
        restore.load(spec, &mut Pieces::of(bytes.clone())).await.unwrap();
    }
    let spec = streams.iter().map(|(spec, _)| spec).find(|spec| spec.kind == StreamKind::Rows).unwrap();
    // Far more than is sent before the server's refusal is heard.
    let many = "not a number\n".repeat(200_000);
    let error = restore.load(spec, &mut Pieces::of(many)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidValue, Some("22P02")));
    assert!(error.message().starts_with(&format!("{}: ", spec.name)), "{error}");
    let mut source =
        Pieces { bytes: Bytes::from_static(b"5\n6\n"), error: Some(Error::new(ErrorKind::Damaged, "a hole")) };
    let error = restore.load(spec, &mut source).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    restore
}

#[tokio::test]
async fn a_restore_that_fails_leaves_nothing_behind() {
    let Some(server) = server(Kind::Postgres) else { return };
    let database = server.fresh_database();
    database.sql(
        "CREATE SCHEMA s; CREATE TABLE s.t (n integer); CREATE TABLE u (id serial PRIMARY KEY); CREATE TYPE mood AS ENUM ('a');
         CREATE FUNCTION f(m mood) RETURNS integer LANGUAGE sql AS 'SELECT 1'; CREATE VIEW v AS SELECT * FROM u;
         CREATE EXTENSION hstore; CREATE TABLE h (h hstore); CREATE DOMAIN d AS integer; CREATE PUBLICATION p FOR ALL TABLES;
         INSERT INTO s.t VALUES (1), (2)",
    );
    let mut taken = snapshot(&source(&database)).await;
    let streams: Vec<_> =
        read(&mut *taken).await.into_iter().filter(|(spec, _)| spec.name != "data/public.h.copy").collect();
    let numbers: Vec<_> = streams.iter().filter(|(spec, _)| !spec.name.contains("public.u")).cloned().collect();
    let settings = taken.info().settings.clone();
    taken.finish().await.unwrap();

    let target = Target::on(&server, "half");
    let restore = engine().restore(&target.options, &RestoreOptions::new(settings.clone())).await.unwrap();
    broken(restore, &numbers).await.abort().await.unwrap();
    assert!(!target.exists().await, "what was created for the restore goes with it");

    let empty = server.fresh_database();
    empty.sql("CREATE SCHEMA kept; CREATE EXTENSION citext");
    let before = empty.dump();
    let restore = engine().restore(&source(&empty), &RestoreOptions::new(settings.clone())).await.unwrap();
    broken(restore, &numbers).await.abort().await.unwrap();
    assert_eq!(empty.dump(), before);
    // And it takes a restore after all.
    let restore = engine().restore(&source(&empty), &RestoreOptions::new(settings)).await.unwrap();
    assert_eq!(load(restore, &streams).await, 2);
}

#[tokio::test]
async fn a_server_killed_while_it_is_read_is_an_error() {
    let Some(server) = private_server(Kind::Postgres, &[]) else { return };
    server.client().run("postgres", "CREATE TABLE t AS SELECT n, repeat('x', 1000) FROM generate_series(1, 50000) n");
    let mut taken = snapshot(&server.url("postgres").parse().unwrap()).await;

    /// Kills the server once the first bytes are there.
    struct Killer(Option<Server>);

    #[async_trait]
    impl ByteSink for Killer {
        async fn write(&mut self, _: Bytes) -> Result<()> {
            if let Some(server) = self.0.take() {
                server.kill9();
            }
            Ok(())
        }
    }

    let index = taken.info().streams.iter().position(|spec| spec.name == "data/public.t.copy").unwrap();
    let error = taken.read(index, &mut Killer(Some(server))).await.unwrap_err();
    assert!(error.is_connection_lost(), "{error:?}");
    assert!(error.message().starts_with("data/public.t.copy: "), "{error}");
    let error = taken.finish().await.unwrap_err();
    assert!(error.is_connection_lost(), "{error:?}");
}

#[tokio::test]
async fn a_wrong_ca_stops_pg_dump_as_it_stops_us() {
    let Some(server) = private_server(Kind::Postgres, &[]) else { return };
    let mut options: ConnectOptions = server.url("postgres").parse().unwrap();
    options.tls = dbkeep_engine::TlsMode::VerifyFull;
    options.tls_ca = Some(server.ca_file().into());
    let mut taken = snapshot(&options).await;
    read(&mut *taken).await;
    taken.finish().await.unwrap();
}
