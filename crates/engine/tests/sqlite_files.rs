//! SQLite's files: opened, refused, locked, copied and put back.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used)]

use async_trait::async_trait;
use bytes::Bytes;
use dbkeep_engine::{
    ByteSink, ByteSource, ConnectOptions, Connection, Error, ErrorKind, RestoreOptions, Role, SnapshotOptions,
    StreamSpec, connect, connect_once,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

fn options(path: &Path) -> ConnectOptions {
    let mut options: ConnectOptions = "sqlite::memory:".parse().unwrap();
    options.database = path.to_str().unwrap().to_owned();
    options
}

fn names(directory: &TempDir) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_cannot_be_opened_says_why_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(
        at("text.db"),
        "this is a text of more than a hundred bytes, which no database is, whatever its name says of it; and so on",
    )
    .unwrap();
    std::fs::create_dir(at("folder.db")).unwrap();
    let missing = |path: PathBuf| {
        let mut options = options(&path);
        options.create = false;
        options
    };
    for (options, kind, text, hint) in [
        (
            missing(at("missing.db")),
            ErrorKind::UnknownDatabase,
            format!("there is no file {}", at("missing.db").display()),
            "is the path right? ?mode=rwc in the URL creates the file",
        ),
        (
            options(&at("nowhere/shop.db")),
            ErrorKind::UnknownDatabase,
            format!("there is no directory {}", at("nowhere").display()),
            "create the directory first, or correct the path",
        ),
        (
            options(&at("folder.db")),
            ErrorKind::UnknownDatabase,
            format!("{} is a directory", at("folder.db").display()),
            "name the database file inside it",
        ),
        (
            options(&at("text.db")),
            ErrorKind::Damaged,
            format!("opening {}: file is not a database (26)", at("text.db").display()),
            "the file is no SQLite database, or its first page is damaged or encrypted",
        ),
    ] {
        let error = connect(&options).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string(), error.hint()), (kind, text, Some(hint)));
        assert!(!error.is_transient());
    }
    assert_eq!(names(&directory), ["folder.db", "text.db"], "nothing was created in passing");
}

#[tokio::test]
async fn odd_names_are_names_and_no_uris() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["with space.db", "file:a?mode=memory", "100%.db", "ä🦀.db", "a'b\"c.db"] {
        let mut connection = connect(&options(&directory.path().join(name))).await.unwrap();
        connection.script("CREATE TABLE t (n INTEGER)").await.unwrap();
        assert!(connection.lock("x", Duration::ZERO).await.unwrap());
        connection.close().await.unwrap();
        assert!(directory.path().join(name).is_file(), "{name}");
        let mut snapshot = connection_snapshot(&directory.path().join(name)).await;
        assert_eq!(snapshot.row_counts().await.unwrap(), BTreeMap::from([("t".to_owned(), 0)]));
    }
}

async fn connection_snapshot(path: &Path) -> Box<dyn dbkeep_engine::Snapshot> {
    let options = options(path);
    options.engine.snapshot(&options, &SnapshotOptions::default()).await.unwrap()
}

#[tokio::test]
async fn a_write_protected_file_is_opened_for_reading_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    let mut connection = connect(&options(&path)).await.unwrap();
    connection.script("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1);").await.unwrap();
    connection.close().await.unwrap();
    let mut read_only = options(&path);
    read_only.read_only = true;
    let mut connection = connect(&read_only).await.unwrap();
    assert_eq!(connection.role().await.unwrap(), Role::ReadOnly);
    let error = connection.execute("INSERT INTO t VALUES (2)", &[]).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::ReadOnly, "attempt to write a readonly database (8)")
    );
    let mut transaction = connection.transaction().await.unwrap();
    assert_eq!(transaction.query("SELECT * FROM t", &[]).await.unwrap().len(), 1);
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn a_directory_that_may_not_be_written_to_is_said_to_be_one() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let set_mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let path = directory.path().join("shop.db");
    filled(&path).await.close().await.unwrap();
    set_mode(directory.path(), 0o555);
    if std::fs::write(directory.path().join("probe"), "").is_ok() {
        // The superuser may write anywhere.
        return;
    }
    let error = connect(&options(&directory.path().join("new.db"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let error = connect(&options(&path)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert_eq!(
        error.hint(),
        Some("SQLite writes files next to the database: this user must be able to write to its directory")
    );
    set_mode(directory.path(), 0o755);
    set_mode(&path, 0o000);
    let error = connect(&options(&path)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    set_mode(&path, 0o444);
    let mut connection = connect(&options(&path)).await.unwrap();
    assert_eq!(connection.role().await.unwrap(), Role::ReadOnly);
    let error = connection.execute("DELETE FROM t", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
}

#[tokio::test]
async fn connections_that_open_a_new_file_together_all_succeed() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory.path().join("shop.db"));
    let opened: Vec<_> = (0..16)
        .map(|_| {
            let options = options.clone();
            tokio::spawn(async move { connect_once(&options).await.unwrap() })
        })
        .collect();
    for connection in opened {
        let mut connection = connection.await.unwrap();
        let mode: String = connection.query_one("PRAGMA journal_mode", &[]).await.unwrap().get(0).unwrap();
        assert_eq!(mode, "wal");
        connection.close().await.unwrap();
    }
    assert_eq!(names(&directory), ["shop.db"], "the last one to leave clears up");
}

#[tokio::test]
async fn a_lock_names_its_holder_and_a_killed_holder_leaves_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    let mut first = connect(&options(&path)).await.unwrap();
    let mut second = connect(&options(&path)).await.unwrap();
    assert!(first.lock("migrations", Duration::ZERO).await.unwrap());
    let holder = second.lock_holder("migrations").await.unwrap().unwrap();
    assert!(holder.starts_with(&format!("process {} on ", std::process::id())), "{holder}");
    assert!(holder.ends_with(" UTC"), "{holder}");
    assert!(first.lock("migrations", Duration::ZERO).await.unwrap(), "one's own lock is there to be had again");
    first.unlock("migrations").await.unwrap();
    assert!(!second.lock("migrations", Duration::ZERO).await.unwrap(), "and is to be given back as often");
    first.unlock("migrations").await.unwrap();
    let error = first.unlock("migrations").await.unwrap_err();
    assert_eq!(error.to_string(), "this connection does not hold the lock \"migrations\"");
    assert!(!names(&directory).iter().any(|name| name.contains("lock")), "{:?}", names(&directory));

    // What a killed process leaves behind: the file with its name, without the lock.
    let file = directory.path().join("shop.db.dbkeep-lock-migrations");
    std::fs::write(&file, "process 1 on elsewhere").unwrap();
    assert_eq!(first.lock_holder("migrations").await.unwrap(), None);
    assert!(first.lock("migrations", Duration::ZERO).await.unwrap());
    assert!(!second.lock("migrations", Duration::ZERO).await.unwrap());
    first.reset().await.unwrap();
    assert!(second.lock("migrations", Duration::ZERO).await.unwrap());

    // Another process, as the operating system sees it: the lock belongs to the open file.
    second.unlock("migrations").await.unwrap();
    let foreign = std::fs::File::create(&file).unwrap();
    foreign.lock().unwrap();
    assert!(!second.lock("migrations", Duration::ZERO).await.unwrap());
    drop(foreign);
    assert!(second.lock("migrations", Duration::ZERO).await.unwrap());
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

#[async_trait]
impl ByteSource for Memory {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let bytes = std::mem::take(&mut self.0);
        Ok((!bytes.is_empty()).then(|| bytes.into()))
    }
}

struct Copy {
    spec: StreamSpec,
    settings: BTreeMap<String, String>,
    bytes: Vec<u8>,
}

async fn copy(path: &Path) -> Copy {
    let mut snapshot = connection_snapshot(path).await;
    let mut memory = Memory::default();
    snapshot.read(0, &mut memory).await.unwrap();
    let info = snapshot.info().clone();
    snapshot.finish().await.unwrap();
    Copy { spec: info.streams[0].clone(), settings: info.settings, bytes: memory.0 }
}

async fn restore(copy: &Copy, path: &Path) -> Result<(), Error> {
    let options = options(path);
    let mut restore = options.engine.restore(&options, &RestoreOptions::new(copy.settings.clone())).await?;
    restore.load(&copy.spec, &mut Memory(copy.bytes.clone())).await?;
    restore.finish().await
}

async fn filled(path: &Path) -> Connection {
    let mut connection = connect(&options(path)).await.unwrap();
    connection
        .script(
            "PRAGMA user_version = 7;
             CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO t SELECT i, hex(i) || ' text' FROM n;
             DELETE FROM t WHERE id % 3 = 0;
             CREATE VIRTUAL TABLE words USING fts5(body);
             INSERT INTO words VALUES ('a few words');
             CREATE TABLE flat (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
             INSERT INTO flat VALUES ('a', 1), ('b', x'00ff');",
        )
        .await
        .unwrap();
    connection
}

#[tokio::test]
async fn an_unchanged_database_gives_the_same_bytes_in_every_state_of_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let mut connection = filled(&at("shop.db")).await;
    let in_log = copy(&at("shop.db")).await;
    assert_eq!(in_log.spec.estimated_bytes, Some(in_log.bytes.len() as u64));
    assert_eq!(in_log.settings["journal_mode"], "wal");
    assert_eq!(in_log.settings["user_version"], "7");
    connection.script("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    assert!(copy(&at("shop.db")).await.bytes == in_log.bytes, "checkpointed");
    connection.close().await.unwrap();
    assert!(copy(&at("shop.db")).await.bytes == in_log.bytes, "closed");

    restore(&in_log, &at("copy.db")).await.unwrap();
    assert!(copy(&at("copy.db")).await.bytes == in_log.bytes, "restored");
    let mut restored = connect(&options(&at("copy.db"))).await.unwrap();
    assert!(copy(&at("copy.db")).await.bytes == in_log.bytes, "opened");
    restored.script("PRAGMA journal_mode = DELETE").await.unwrap();
    let without_log = copy(&at("copy.db")).await;
    assert!(without_log.bytes == in_log.bytes, "in another journal mode");
    assert_eq!(without_log.settings["journal_mode"], "delete");
    let row = restored
        .query_one("SELECT count(*), (SELECT count(*) FROM words WHERE words MATCH 'few') FROM t", &[])
        .await
        .unwrap();
    assert_eq!(row.decode::<(i64, i64)>().unwrap(), (3334, 1));
    restored.close().await.unwrap();

    restore(&without_log, &at("plain.db")).await.unwrap();
    let plain = std::fs::read(at("plain.db")).unwrap();
    assert_eq!(plain[18..20], [1, 1], "the journal mode is the original's");
    let mut snapshot = connection_snapshot(&at("plain.db")).await;
    assert_eq!(snapshot.row_counts().await.unwrap(), BTreeMap::from([("t".to_owned(), 3334), ("flat".to_owned(), 2)]));
    drop(snapshot);
    assert_eq!(names(&directory), ["copy.db", "plain.db", "shop.db"], "nothing is left lying about");
}

#[tokio::test]
async fn a_restore_checks_what_it_got_before_the_target_exists() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    filled(&at("shop.db")).await.close().await.unwrap();
    let good = copy(&at("shop.db")).await;

    for (what, damage) in [("a page", 3 * 4096 + 100), ("the schema", 110), ("the header", 3)] {
        let mut bad = copy(&at("shop.db")).await;
        for byte in &mut bad.bytes[damage..damage + 300] {
            *byte ^= 0x5a;
        }
        let error = restore(&bad, &at("bad.db")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{what}: {error}");
    }
    let mut short = copy(&at("shop.db")).await;
    short.bytes.truncate(good.bytes.len() / 2);
    let error = restore(&short, &at("bad.db")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    short.bytes.clear();
    let error = restore(&short, &at("bad.db")).await.unwrap_err();
    assert_eq!(error.to_string(), "the pages were not loaded to their end");
    assert_eq!(names(&directory), ["shop.db"]);

    // Left by a restore that was killed, and by a database of this name that is gone.
    for left_over in ["new.db.dbkeep-restore", "new.db-wal", "new.db-shm", "new.db-journal"] {
        std::fs::write(at(left_over), vec![7; 10_000]).unwrap();
    }
    restore(&good, &at("new.db")).await.unwrap();
    assert_eq!(names(&directory), ["new.db", "shop.db"]);
    assert_eq!(std::fs::metadata(at("new.db")).unwrap().permissions().mode() & 0o777, 0o600);

    let running = options(&at("other.db"));
    let half = running.engine.restore(&running, &RestoreOptions::default()).await;
    assert_eq!(half.err().unwrap().kind(), ErrorKind::UnknownDatabase, "it may not create the file");
    let running_restore = running.engine.restore(&running, &RestoreOptions::new(BTreeMap::new())).await.unwrap();
    let error = restore(&good, &at("other.db")).await.unwrap_err();
    assert_eq!(error.to_string(), "another restore into this file is running");
    drop(running_restore);
    assert_eq!(names(&directory), ["new.db", "shop.db"], "a dropped restore leaves nothing");

    std::fs::write(at("notes.txt"), "no database").unwrap();
    let error = restore(&good, &at("notes.txt")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotEmpty, "{error}");
    assert_eq!(std::fs::read_to_string(at("notes.txt")).unwrap(), "no database");

    // A table that stands in the write-ahead log alone counts, too.
    let mut open = connect(&options(&at("used.db"))).await.unwrap();
    open.script("CREATE TABLE t (n INTEGER)").await.unwrap();
    assert_eq!(restore(&good, &at("used.db")).await.unwrap_err().kind(), ErrorKind::NotEmpty);
    let memory: ConnectOptions = "sqlite::memory:".parse().unwrap();
    let error = memory.engine.snapshot(&memory, &SnapshotOptions::default()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[cfg(unix)]
#[tokio::test]
async fn a_restore_through_a_link_fills_what_it_points_to() {
    use std::os::unix::fs::symlink;
    let directory = TempDir::new().unwrap();
    let source = directory.path().join("source.db");
    drop(filled(&source).await);
    let copy = copy(&source).await;
    let elsewhere = directory.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let (link, second) = (directory.path().join("link.db"), directory.path().join("second.db"));
    symlink("elsewhere/real.db", &link).unwrap();
    symlink(&link, &second).unwrap();
    restore(&copy, &second).await.unwrap();
    for link in [&link, &second] {
        assert!(std::fs::symlink_metadata(link).unwrap().is_symlink());
    }
    assert!(elsewhere.join("real.db").is_file());
    let error = restore(&copy, &link).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotEmpty);

    let circle = directory.path().join("circle.db");
    symlink(&circle, &circle).unwrap();
    assert!(restore(&copy, &circle).await.is_err());
}

#[tokio::test]
async fn a_copy_left_by_a_killed_process_is_removed_by_the_next_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    filled(&path).await.close().await.unwrap();
    // No process has this number: Linux counts to 4194304 at most.
    let left_over = directory.path().join(".shop.db.dbkeep-copy-4194305-abcdef");
    std::fs::write(&left_over, "half a copy").unwrap();
    let ours = directory.path().join(format!(".shop.db.dbkeep-copy-{}-abcdef", std::process::id()));
    std::fs::write(&ours, "a copy in the making").unwrap();
    let snapshot = connection_snapshot(&path).await;
    assert!(!left_over.exists());
    assert!(ours.exists());
    snapshot.finish().await.unwrap();
    std::fs::remove_file(ours).unwrap();
    assert_eq!(names(&directory), ["shop.db"]);
}

/// A connection without the collation could not even look at such an index, and one with another order would find it damaged.
#[tokio::test]
async fn an_index_in_the_order_of_decimals_is_sound_after_a_restart_in_a_copy_and_when_put_back() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let mut connection = connect(&options(&at("shop.db"))).await.unwrap();
    connection
        .schema()
        .create("t", |t| {
            t.decimal("price", 10, 2).unique();
            t.integer("n");
        })
        .await
        .unwrap();
    connection
        .script(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2000)
             INSERT INTO t SELECT printf('%d.%02d', n * 7919 % 2003, n % 100), n FROM numbers",
        )
        .await
        .unwrap();
    connection.close().await.unwrap();
    let mut snapshot = connection_snapshot(&at("shop.db")).await;
    assert!(snapshot.info().warnings.is_empty(), "{:?}", snapshot.info().warnings);
    assert_eq!(snapshot.row_counts().await.unwrap()["t"], 2000);
    snapshot.finish().await.unwrap();
    restore(&copy(&at("shop.db")).await, &at("restored.db")).await.unwrap();
    for name in ["shop.db", "restored.db"] {
        let mut connection = connect(&options(&at(name))).await.unwrap();
        let found = connection.query_one("PRAGMA integrity_check", &[]).await.unwrap();
        assert_eq!(found.get::<String>(0).unwrap(), "ok");
        let all = "SELECT group_concat(n) FROM (SELECT n FROM t INDEXED BY t_price_unique ORDER BY price)";
        let by_number = "SELECT group_concat(n) FROM (SELECT n FROM t ORDER BY CAST(price AS REAL))";
        let one: String = connection.query_one(all, &[]).await.unwrap().get(0).unwrap();
        let other: String = connection.query_one(by_number, &[]).await.unwrap().get(0).unwrap();
        assert_eq!(one, other);
        connection.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_odd_about_a_database_is_told_and_what_is_damaged_is_not_backed_up() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    // What an application with a collation and a function of its own leaves behind, and rows older than the rules they break.
    let odd = rusqlite::Connection::open(at("odd.db")).unwrap();
    odd.create_collation("ours", |one: &str, two: &str| two.cmp(one)).unwrap();
    odd.create_scalar_function("ours", 1, rusqlite::functions::FunctionFlags::SQLITE_DETERMINISTIC, |context| {
        context.get::<i64>(0)
    })
    .unwrap();
    odd.execute_batch(
        "CREATE TABLE t (name TEXT COLLATE ours PRIMARY KEY, n CHECK (ours(n) > 0)) WITHOUT ROWID;
         INSERT INTO t VALUES ('a', 1), ('b', 2);",
    )
    .unwrap();
    drop(odd);
    let strict = rusqlite::Connection::open(at("strict.db")).unwrap();
    strict
        .execute_batch(
            "PRAGMA foreign_keys = OFF; CREATE TABLE p (a); CREATE TABLE t (a, b REFERENCES p (a)); INSERT INTO t VALUES (NULL, 5);
             PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a NOT NULL, b REFERENCES p (a))' WHERE name = 't';
             CREATE INDEX gone ON p (a);
             DELETE FROM sqlite_schema WHERE name = 'gone';",
        )
        .unwrap();
    drop(strict);
    for (name, told) in [
        (
            "odd.db",
            &["the database cannot be looked through without its application: no such collation sequence: ours (257)"]
                [..],
        ),
        (
            "strict.db",
            &[
                "*** in database main ***\nPage 4: never used",
                "NULL value in t.a",
                "foreign keys cannot be looked through: foreign key mismatch - \"t\" referencing \"p\" (1)",
            ],
        ),
    ] {
        let mut snapshot = connection_snapshot(&at(name)).await;
        assert_eq!(snapshot.info().warnings, told, "{name}");
        assert!(snapshot.row_counts().await.unwrap()["t"] > 0, "{name}");
        snapshot.finish().await.unwrap();
        restore(&copy(&at(name)).await, &at("restored.db")).await.unwrap();
        assert!(copy(&at("restored.db")).await.bytes == copy(&at(name)).await.bytes, "{name}");
        std::fs::remove_file(at("restored.db")).unwrap();
    }

    filled(&at("shop.db")).await.close().await.unwrap();
    let mut bytes = std::fs::read(at("shop.db")).unwrap();
    for byte in &mut bytes[4 * 4096 + 8..4 * 4096 + 100] {
        *byte ^= 0x5a;
    }
    std::fs::write(at("shop.db"), bytes).unwrap();
    let options = options(&at("shop.db"));
    let error = options.engine.snapshot(&options, &SnapshotOptions::default()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(error.to_string().starts_with("the database is damaged: *** in database main ***"), "{error}");
}

#[tokio::test]
async fn a_file_that_lost_its_name_is_noticed_by_a_ping() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    let mut connection = filled(&path).await;
    connection.ping().await.unwrap();
    std::fs::rename(&path, directory.path().join("old.db")).unwrap();
    let error = connection.ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionLost);
    assert!(error.to_string().ends_with("shop.db was moved, removed or replaced"), "{error}");
    assert_eq!(connection.condition(), dbkeep_engine::Condition::Broken);
}
