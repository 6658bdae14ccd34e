//! A million rows into an empty table: by `bulk_insert`, and by the program that each engine brings for it, from a file.

use bench_measure::{Ground, Report, Wanted, median, options};
use dbkeep::{Database, Settings, params};
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;
use url::Url;

const ROWS: i64 = 1_000_000;
const CREATE: &str = "CREATE TABLE bulk (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(40) NOT NULL, score INTEGER NOT NULL, note VARCHAR(80))";

type Outcome<T> = Result<T, Box<dyn Error>>;

/// An engine, and the program that loads files into it.
struct Engine {
    name: &'static str,
    /// The environment variable that names a server; SQLite has none.
    variable: &'static str,
    loader: &'static str,
    load: fn(&Place, &Path) -> Command,
}

/// Where the rows go.
struct Place {
    url: Url,
    /// Dropped with it: the database, or the folder of the file.
    _ground: Option<Ground>,
    _folder: Option<tempfile::TempDir>,
}

const ENGINES: [Engine; 4] = [
    Engine { name: "SQLite", variable: "", loader: "sqlite3 .import", load: sqlite },
    Engine { name: "PostgreSQL", variable: "DBKEEP_TEST_POSTGRES_URL", loader: "psql \\copy", load: psql },
    Engine { name: "MariaDB", variable: "DBKEEP_TEST_MARIADB_URL", loader: "LOAD DATA LOCAL", load: mariadb },
    Engine { name: "MySQL", variable: "DBKEEP_TEST_MYSQL_URL", loader: "LOAD DATA LOCAL", load: mysql },
];

fn main() -> ExitCode {
    let wanted = match Wanted::read() {
        Ok(wanted) => wanted,
        Err(code) => return code,
    };
    let report = Report::new(wanted.json, "bulk", "by");
    if let Err(error) = run(&wanted, &report) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    if report.is_empty() {
        eprintln!("nothing was measured: there is no such case, or no server for it");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

fn run(wanted: &Wanted, report: &Report) -> Outcome<()> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), text())?;
    report.head(&["s", "krows/s", "times"]);
    for engine in ENGINES {
        let case = format!("1,000,000 rows, {}", engine.name);
        if !wanted.case(&case) {
            continue;
        }
        let Some(place) = stand(&engine)? else { continue };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..wanted.rounds {
            ours.push(by_dbkeep(&place)?);
            theirs.push(by_loader(&engine, &place, file.path())?);
        }
        // Within each round, as both met the same machine there.
        let ratio = median(ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect());
        for (subject, took, ratio) in [("bulk_insert", &ours, ratio), (engine.loader, &theirs, 1.0)] {
            let (seconds, n) = (median(took.clone()), took.len());
            let thousands = ROWS as f64 / seconds / 1e3;
            report.row(&case, subject, &[(seconds, "s", n), (thousands, "krows/s", n), (ratio, "times", n)]);
        }
    }
    Ok(())
}

fn values(id: i64) -> (String, i64, Option<String>) {
    (format!("Ada Lovelace {id}"), id * 7 % 1_000, (id % 3 > 0).then(|| format!("what there is to say of number {id}")))
}

/// The rows as the loaders take them.
fn text() -> String {
    let mut text = String::with_capacity(64 << 20);
    for id in 1..=ROWS {
        let (name, score, note) = values(id);
        let note = note.as_deref().unwrap_or("\\N");
        writeln!(text, "{id}\t{name}\t{score}\t{note}").expect("a text that grows");
    }
    text
}

fn stand(engine: &Engine) -> Outcome<Option<Place>> {
    if engine.variable.is_empty() {
        let folder = tempfile::tempdir()?;
        let mut url = Url::parse("sqlite://")?;
        url.set_path(folder.path().join("bulk.db").to_str().ok_or("a folder without a name in Unicode")?);
        url.set_query(Some("mode=rwc"));
        return Ok(Some(Place { url, _ground: None, _folder: Some(folder) }));
    }
    let Some(url) = std::env::var(engine.variable).ok().filter(|url| !url.is_empty()) else {
        eprintln!("{}: left out, {} names no server (scripts/servers start gives one)", engine.name, engine.variable);
        return Ok(None);
    };
    // Off by default, and without it neither does what is measured.
    let on: &[&str] = if engine.name == "MySQL" { &["SET GLOBAL local_infile = ON"] } else { &[] };
    let ground = Ground::make(&url, on).map_err(|error| format!("{}: {error}", engine.name))?;
    Ok(Some(Place { url: ground.url().clone(), _ground: Some(ground), _folder: None }))
}

/// An empty table.
async fn emptied(place: &Place) -> dbkeep::Result<Database> {
    let database = Database::open(Settings::new(options(&place.url)?).pool_size(1, 1)).await?;
    database.script(&format!("DROP TABLE IF EXISTS bulk; {CREATE}")).await?;
    Ok(database)
}

fn by_dbkeep(place: &Place) -> Outcome<f64> {
    bench_measure::runtime().block_on(async {
        let database = emptied(place).await?;
        let rows = (1..=ROWS).map(|id| {
            let (name, score, note) = values(id);
            params![id, name, score, note]
        });
        let began = Instant::now();
        let inserted = database.table("bulk").bulk_insert(["id", "name", "score", "note"], rows).await?;
        let took = began.elapsed().as_secs_f64();
        assert_eq!(inserted, ROWS as u64);
        database.close().await;
        Ok(took)
    })
}

fn by_loader(engine: &Engine, place: &Place, file: &Path) -> Outcome<f64> {
    bench_measure::runtime().block_on(async {
        emptied(place).await?.close().await;
        Ok::<_, dbkeep::Error>(())
    })?;
    let began = Instant::now();
    let status = (engine.load)(place, file).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let took = began.elapsed().as_secs_f64();
    let status = status.map_err(|error| format!("{} does not start: {error}", engine.loader))?;
    if !status.success() {
        return Err(format!("{} fails with {status}", engine.loader).into());
    }
    let count = bench_measure::runtime().block_on(async {
        let database = Database::open(Settings::new(options(&place.url)?)).await?;
        database.table("bulk").count().await
    })?;
    assert_eq!(count, ROWS as u64, "{} loads other rows", engine.loader);
    Ok(took)
}

fn sqlite(place: &Place, file: &Path) -> Command {
    let mut command = Command::new("sqlite3");
    command.args([place.url.path(), ".mode tabs", &format!(".import {} bulk", file.display())]);
    command
}

fn psql(place: &Place, file: &Path) -> Command {
    let mut command = Command::new("psql");
    let mut url = place.url.clone();
    let password = password(&url);
    url.set_password(None).expect("a URL of a server");
    command.env("PGPASSWORD", password).env("PGSSLMODE", "disable");
    command.args(["-qX", url.as_str(), "-c", &format!("\\copy bulk FROM '{}'", file.display())]);
    command
}

fn mariadb(place: &Place, file: &Path) -> Command {
    load_data(Path::new("mariadb"), place, file)
}

fn mysql(place: &Place, file: &Path) -> Command {
    let client = std::env::var_os("MYSQL_CLIENT").map_or_else(|| PathBuf::from("mysql"), PathBuf::from);
    load_data(&client, place, file)
}

fn load_data(client: &Path, place: &Place, file: &Path) -> Command {
    let url = &place.url;
    let mut command = Command::new(client);
    command.env("MYSQL_PWD", password(url));
    command.args(["--no-defaults", "--local-infile=1", "--protocol=tcp"]);
    command.args(["-h", url.host_str().unwrap_or("127.0.0.1"), "-P", &url.port().unwrap_or(3306).to_string()]);
    command.args(["-u", url.username(), url.path().trim_start_matches('/'), "-e"]);
    command.arg(format!("LOAD DATA LOCAL INFILE '{}' INTO TABLE bulk CHARACTER SET utf8mb4", file.display()));
    command
}

/// The password that the URL holds, as it is typed.
fn password(url: &Url) -> String {
    percent_encoding::percent_decode_str(url.password().unwrap_or_default()).decode_utf8_lossy().into_owned()
}
