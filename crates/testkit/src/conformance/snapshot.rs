//! Snapshots under writers, and restores of them.

use super::open;
use super::product::{Product, count, make_table};
use async_trait::async_trait;
use bytes::Bytes;
use dbkeep_engine::{
    ByteSink, ByteSource, ConnectOptions, Connection, Digesting, Error, ErrorKind, RestoreOptions, SnapshotInfo,
    SnapshotOptions, StreamSpec,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// A snapshot read to its end.
struct Stored {
    info: SnapshotInfo,
    streams: Vec<(StreamSpec, Vec<u8>)>,
    row_counts: BTreeMap<String, u64>,
}

impl Stored {
    /// What must be equal for equal databases: rows in any order, whole streams byte by byte.
    fn content(&self) -> BTreeMap<&str, Vec<Vec<u8>>> {
        let pieces = |spec: &StreamSpec, bytes: &[u8]| match spec.digesting {
            Digesting::Whole => vec![bytes.to_vec()],
            Digesting::Rows => {
                let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
                lines.sort_unstable();
                lines
            }
        };
        self.streams.iter().map(|(spec, bytes)| (spec.name.as_str(), pieces(spec, bytes))).collect()
    }
}

#[derive(Default)]
struct Memory(Vec<u8>);

#[async_trait]
impl ByteSink for Memory {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.0.extend_from_slice(&bytes);
        Ok(())
    }
}

/// Gives bytes in pieces of an awkward size, so that no reader relies on lines or pages being whole.
struct Pieces<'b>(&'b [u8]);

#[async_trait]
impl ByteSource for Pieces<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (piece, rest) = self.0.split_at(self.0.len().min(7_919));
        self.0 = rest;
        Ok(Some(Bytes::copy_from_slice(piece)))
    }
}

async fn take(options: &ConnectOptions) -> Stored {
    let engine = options.engine;
    let mut snapshot = engine.snapshot(options, &SnapshotOptions::default()).await.expect("a snapshot");
    let info = snapshot.info().clone();
    let mut streams = Vec::new();
    // Backwards: streams may be read in any order.
    for index in (0..info.streams.len()).rev() {
        let mut memory = Memory::default();
        let spec = info.streams[index].clone();
        snapshot.read(index, &mut memory).await.unwrap_or_else(|error| panic!("{}: {error:?}", spec.name));
        streams.insert(0, (spec, memory.0));
    }
    let row_counts = snapshot.row_counts().await.expect("row counts");
    snapshot.finish().await.expect("a good end");
    Stored { info, streams, row_counts }
}

async fn put_back(stored: &Stored, target: &ConnectOptions) -> Result<u64, Error> {
    let engine = target.engine;
    let mut restore = engine.restore(target, &RestoreOptions::new(stored.info.settings.clone())).await?;
    let mut rows = 0;
    for (spec, bytes) in &stored.streams {
        match restore.load(spec, &mut Pieces(bytes)).await {
            Ok(loaded) => rows += loaded,
            Err(error) => {
                restore.abort().await.expect("nothing is left");
                return Err(error);
            }
        }
    }
    restore.finish().await?;
    Ok(rows)
}

fn copy_of(options: &ConnectOptions) -> ConnectOptions {
    options.with_database(format!("{}_copy", options.database))
}

const ACCOUNTS: i64 = 100;
const EACH: i64 = 1_000;

async fn bank(options: &ConnectOptions) -> Connection {
    let mut connection = open(options).await;
    make_table(&mut connection, "conf_accounts", "id INTEGER NOT NULL PRIMARY KEY, balance BIGINT NOT NULL").await;
    make_table(&mut connection, "conf_transfers", "id INTEGER NOT NULL PRIMARY KEY, amount BIGINT NOT NULL").await;
    let rows: Vec<String> = (0..ACCOUNTS).map(|id| format!("({id}, {EACH})")).collect();
    connection
        .execute(&format!("INSERT INTO conf_accounts (id, balance) VALUES {}", rows.join(", ")), &[])
        .await
        .expect("accounts");
    connection
}

/// Moves money between accounts until told to stop; each transfer is one transaction in two tables.
async fn transfers(options: ConnectOptions, stop: Arc<AtomicBool>, done: Arc<AtomicU32>) {
    let mut connection = open(&options).await;
    while !stop.load(Relaxed) {
        let (from, to) = (fastrand::i64(..ACCOUNTS), fastrand::i64(..ACCOUNTS));
        let number = done.load(Relaxed);
        let outcome = async {
            let mut transaction = connection.transaction().await?;
            let sql =
                |change: &str, id| format!("UPDATE conf_accounts SET balance = balance {change} 1 WHERE id = {id}");
            transaction.execute(&sql("-", from), &[]).await?;
            transaction.execute(&sql("+", to), &[]).await?;
            transaction.execute(&format!("INSERT INTO conf_transfers VALUES ({number}, 1)"), &[]).await?;
            transaction.commit().await
        };
        match outcome.await {
            Ok(()) => {
                done.fetch_add(1, Relaxed);
            }
            Err(error) if error.is_retryable() || error.is_timeout() => {}
            Err(error) => panic!("a transfer failed: {error:?}"),
        }
        tokio::task::yield_now().await;
    }
}

/// A snapshot that is taken while money moves holds every cent once, restores, and gives the same content when it is taken of the
/// copy.
pub async fn snapshots_are_consistent_under_writers(options: &ConnectOptions) {
    let engine = options.engine;
    let copy = copy_of(options);
    engine.drop_database(&copy).await.expect("nothing left over");
    let mut connection = bank(options).await;
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let writer = tokio::spawn(transfers(options.clone(), Arc::clone(&stop), Arc::clone(&done)));
    while done.load(Relaxed) < 5 {
        assert!(!writer.is_finished(), "the writer ended early");
        tokio::task::yield_now().await;
    }
    for round in 0..3 {
        let before = done.load(Relaxed);
        let stored = take(options).await;
        let after = done.load(Relaxed);
        engine.drop_database(&copy).await.expect("nothing left over");
        put_back(&stored, &copy).await.unwrap_or_else(|error| panic!("round {round}: {error:?}"));
        let mut restored = open(&copy).await;
        let row = restored.query_one("SELECT SUM(balance) AS total FROM conf_accounts", &[]).await.expect("a total");
        assert_eq!(row.get::<i64>("total").expect("a number"), ACCOUNTS * EACH, "money was lost or made");
        let moved = count(&mut restored, "conf_transfers").await;
        assert!(
            (i64::from(before)..=i64::from(after) + 1).contains(&moved),
            "the snapshot shows {moved} transfers, between {before} and {after} were made"
        );
        if let Some(rows) = stored.row_counts.get("conf_transfers") {
            assert_eq!(i64::try_from(*rows).expect("few"), moved);
        }
        restored.close().await.expect("a farewell");
        assert!(
            stored.content() == take(&copy).await.content(),
            "round {round}: the copy's snapshot has other content"
        );
    }
    stop.store(true, Relaxed);
    writer.await.expect("the writer");
    let (first, second) = (take(options).await, take(options).await);
    assert!(first.content() == second.content(), "two snapshots of an unchanged database differ");
    let streams: Vec<&str> = first.info.streams.iter().map(|stream| stream.name.as_str()).collect();
    let mut unique = streams.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), streams.len(), "names of streams are unique: {streams:?}");
    assert!(!first.info.method.is_empty());
    connection.ping().await.expect("the database is unhurt");
    engine.drop_database(&copy).await.expect("it goes");
}

/// Every kind of value, a view, a trigger, keys and awkward rows survive a backup and a restore.
pub async fn restores_bring_everything_back(options: &ConnectOptions) {
    let engine = options.engine;
    let copy = copy_of(options);
    engine.drop_database(&copy).await.expect("nothing left over");
    let mut connection = open(options).await;
    let product = Product::of(connection.server());
    // The tables of other tests of this suite, with whatever they hold.
    super::values_round_trip(options).await;
    super::errors_have_kinds(options).await;
    let (key, text) = (product.counted_key(), product.long_text());
    make_table(&mut connection, "conf_awkward", &format!("id {key}, note {text}, more {text}")).await;
    let insert = super::product::numbered(&connection, "INSERT INTO conf_awkward (note, more) VALUES (?, ?)");
    for note in [
        "",
        "\\N",
        "\\.",
        "NULL",
        "tab\tnew\nline\r\\back\\slash",
        "'quote' \"double\" `back`",
        "\u{1a}\u{8}",
        "🦀",
        ",;:",
        " x ",
    ] {
        connection.execute(&insert, &dbkeep_engine::sql::params![note, None::<&str>]).await.expect("a row");
    }
    connection
        .script("DROP VIEW IF EXISTS conf_long; CREATE VIEW conf_long AS SELECT id FROM conf_awkward WHERE id > 3;")
        .await
        .expect("a view");
    let stored = take(options).await;
    put_back(&stored, &copy).await.unwrap_or_else(|error| panic!("{error:?}"));

    let mut restored = open(&copy).await;
    let all = "SELECT id, note, more FROM conf_awkward ORDER BY id";
    let (original, found) =
        (connection.query(all, &[]).await.expect("rows"), restored.query(all, &[]).await.expect("rows"));
    assert_eq!(found, original);
    assert_eq!(count(&mut restored, "conf_long").await, count(&mut connection, "conf_long").await);
    let next = "INSERT INTO conf_awkward (note) VALUES ('next')";
    connection.execute(next, &[]).await.expect("a row");
    restored.execute(next, &[]).await.expect("the key goes on counting");
    let error =
        restored.execute("INSERT INTO conf_child (id, parent_id, amount) VALUES (9, 9, 1)", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignKeyViolation, "foreign keys are back");
    let error = restored.execute("INSERT INTO conf_parent (id, email) VALUES (9, 'a@b')", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UniqueViolation, "unique keys are back");
    let mut catalogs = Vec::new();
    for connection in [&mut connection, &mut restored] {
        let mut wanted = dbkeep_engine::CatalogOptions::default();
        wanted.sizes = false;
        let mut catalog = connection.catalog(&wanted).await.expect("a catalog");
        for table in &mut catalog.tables {
            // A counter's present value may stand among the options.
            table.options = None;
        }
        catalogs.push(catalog);
    }
    let [original, found] = catalogs.as_slice() else { panic!("two catalogs") };
    assert_eq!(found.tables, original.tables);
    assert_eq!(
        found.views.iter().map(|view| &view.name).collect::<Vec<_>>(),
        original.views.iter().map(|view| &view.name).collect::<Vec<_>>()
    );
    assert_eq!(found.triggers.len(), original.triggers.len());
    restored.close().await.expect("a farewell");
    engine.drop_database(&copy).await.expect("it goes");
}

/// A target that holds anything is refused and stays as it was; a restore that is given up leaves nothing.
pub async fn restores_refuse_a_target_that_holds_anything(options: &ConnectOptions) {
    let engine = options.engine;
    let copy = copy_of(options);
    engine.drop_database(&copy).await.expect("nothing left over");
    drop(bank(options).await);
    let stored = take(options).await;

    engine.create_database(&copy).await.expect("an empty database");
    let mut connection = open(&copy).await;
    make_table(&mut connection, "conf_there", "n INTEGER").await;
    connection.execute("INSERT INTO conf_there VALUES (7)", &[]).await.expect("a row");
    let error = put_back(&stored, &copy).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotEmpty, "{error:?}");
    assert!(error.hint().is_some());
    assert_eq!(count(&mut connection, "conf_there").await, 1, "it stays as it was");
    connection.query("SELECT * FROM conf_accounts", &[]).await.expect_err("nothing was added");
    connection.close().await.expect("a farewell");
    engine.drop_database(&copy).await.expect("it goes");

    // Given up half-way: nothing is left, and the next restore succeeds.
    let mut restore = engine
        .restore(&copy, &RestoreOptions::new(stored.info.settings.clone()))
        .await
        .expect("a missing database is created");
    let (spec, bytes) = &stored.streams[0];
    restore.load(spec, &mut Pieces(bytes)).await.expect("the first stream");
    restore.abort().await.expect("nothing is left");
    assert!(!engine.database_exists(&copy).await.expect("an answer"), "the restore had created it");

    // Bytes that end too early, or are of another form, are an error and leave nothing.
    let (spec, bytes) = stored.streams.iter().max_by_key(|(_, bytes)| bytes.len()).expect("streams");
    let mut restore =
        engine.restore(&copy, &RestoreOptions::new(stored.info.settings.clone())).await.expect("a target");
    let mut wrong = spec.clone();
    wrong.encoding = "conf-nonsense/9".to_owned();
    restore.load(&wrong, &mut Pieces(bytes)).await.expect_err("nobody knows this form");
    restore.abort().await.expect("nothing is left");

    engine.create_database(&copy).await.expect("an empty database");
    put_back(&stored, &copy).await.expect("an empty database may be restored into");
    let mut connection = open(&copy).await;
    assert_eq!(count(&mut connection, "conf_accounts").await, ACCOUNTS);
    connection.close().await.expect("a farewell");
    engine.drop_database(&copy).await.expect("it goes");
}
