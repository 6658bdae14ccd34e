//! Point queries on a real database: a statement is built, a connection is borrowed, one row is read by its primary key, and
//! the connection goes back. Beside it the same driver by hand, its statement prepared, and what else builds statements.

mod by_diesel;
mod by_hand;
mod by_sea_orm;
mod by_sqlx;
mod file;
mod ours;

use bench_measure::points::{Ask, Round, round, table};
use bench_measure::{Goal, Ground, Report, Wanted, median};
use file::File;
use std::future::Future;
use url::Url;

/// Connections of everybody.
const SIZE: usize = 16;
const TASKS: [(usize, &str); 2] = [(1, "1 task"), (64, "64 tasks")];

/// What the pool and the builder may cost on a server: how many times the latency of the driver by hand.
const SERVER: f64 = 1.05;
/// The same on a file with one task: 15 µs where the call itself takes 8.
const FILE: f64 = 15.0 / 8.0;

/// Who asks.
pub struct Subject {
    name: &'static str,
    /// A round against the database of this URL with so many tasks.
    run: Box<dyn Fn(&Url, usize) -> Round>,
}

fn subject<A: Ask, F>(name: &'static str, make: impl Fn(Url) -> F + 'static) -> Subject
where
    F: Future<Output = A>,
{
    Subject { name, run: Box::new(move |url, tasks| round(tasks, || make(url.clone()))) }
}

/// A database and who asks it.
struct Database {
    name: &'static str,
    place: Place,
    /// Who asks by hand, against whom ours is measured.
    by_hand: &'static str,
    subjects: fn() -> Vec<Subject>,
}

enum Place {
    /// On the server that this environment variable names. The statement keeps the planner from learning about the table in
    /// the middle of a round.
    Server {
        url: &'static str,
        analyze: &'static str,
    },
    File,
}

/// Where the table is, for as long as it is asked.
enum Standing {
    Server(Ground),
    File(File),
}

impl Standing {
    fn url(&self) -> &Url {
        match self {
            Self::Server(ground) => ground.url(),
            Self::File(file) => file.url(),
        }
    }
}

const DATABASES: [Database; 3] = [
    Database {
        name: "MariaDB",
        place: Place::Server { url: "DBKEEP_TEST_MARIADB_URL", analyze: "ANALYZE TABLE points" },
        by_hand: "mysql_async",
        subjects: || {
            vec![
                subject("dbkeep", |url| async move { ours::Built::open(&url).await }),
                subject("dbkeep, text", |url| async move { ours::Text::open(&url, by_hand::MARIADB).await }),
                subject("mysql_async", |url| async move { by_hand::mariadb(&url).await }),
                subject("sqlx", |url| async move { by_sqlx::mariadb(&url).await }),
                subject("sea-orm", |url| async move { by_sea_orm::mariadb(&url).await }),
                subject("diesel-async", |url| async move { by_diesel::mariadb(&url) }),
            ]
        },
    },
    Database {
        name: "PostgreSQL",
        place: Place::Server { url: "DBKEEP_TEST_POSTGRES_URL", analyze: "ANALYZE points" },
        by_hand: "tokio-postgres",
        subjects: || {
            vec![
                subject("dbkeep", |url| async move { ours::Built::open(&url).await }),
                subject("dbkeep, text", |url| async move { ours::Text::open(&url, by_hand::POSTGRES).await }),
                subject("tokio-postgres", |url| async move { by_hand::postgres(&url).await }),
                subject("sqlx", |url| async move { by_sqlx::postgres(&url).await }),
                subject("sea-orm", |url| async move { by_sea_orm::postgres(&url).await }),
                subject("diesel-async", |url| async move { by_diesel::postgres(&url) }),
            ]
        },
    },
    Database {
        name: "SQLite",
        place: Place::File,
        by_hand: "rusqlite",
        subjects: || {
            vec![
                file::subject("dbkeep"),
                file::subject("dbkeep, text"),
                file::subject("rusqlite"),
                file::subject("rusqlite, hop"),
                subject("sqlx", |url| async move { by_sqlx::sqlite(&url).await }),
                subject("sea-orm", |url| async move { by_sea_orm::sqlite(&url).await }),
                subject("diesel-async", |url| async move { by_diesel::sqlite(&url) }),
            ]
        },
    },
];

/// # Errors
/// Which database cannot be reached or does not take the table.
pub fn run(wanted: &Wanted, report: &Report) -> Result<(), String> {
    let mut is_headed = false;
    for database in DATABASES {
        let cases = TASKS.map(|(tasks, text)| (tasks, format!("point, {}, {text}", database.name)));
        let cases: Vec<(usize, String)> = cases.into_iter().filter(|(_, name)| wanted.case(name)).collect();
        let mut subjects = (database.subjects)();
        subjects.retain(|subject| wanted.subject(subject.name));
        if cases.is_empty() || subjects.is_empty() {
            continue;
        }
        let Some(standing) = stand(&database)? else { continue };
        if !std::mem::replace(&mut is_headed, true) {
            report.head(&["p50 us", "p99 us", "kops/s"]);
        }
        for (tasks, case) in cases {
            measure(
                &Case { name: &case, tasks, database: &database },
                &subjects,
                standing.url(),
                wanted.rounds,
                report,
            );
        }
    }
    Ok(())
}

/// Makes the table, where there is a place for it.
fn stand(database: &Database) -> Result<Option<Standing>, String> {
    let name = database.name;
    Ok(Some(match database.place {
        Place::File => Standing::File(File::make().map_err(|error| format!("{name}: {error}"))?),
        Place::Server { url: variable, analyze } => {
            let Some(url) = std::env::var(variable).ok().filter(|url| !url.is_empty()) else {
                eprintln!("{name}: left out, {variable} names no server (scripts/servers start gives one)");
                return Ok(None);
            };
            let [create, insert] = &table();
            let ground = Ground::make(&url, &[create, insert, analyze]);
            Standing::Server(ground.map_err(|error| format!("{name}: {error}"))?)
        }
    }))
}

struct Case<'a> {
    name: &'a str,
    tasks: usize,
    database: &'a Database,
}

fn measure(case: &Case<'_>, subjects: &[Subject], url: &Url, rounds: usize, report: &Report) {
    let mut results: Vec<Vec<Round>> = subjects.iter().map(|_| Vec::new()).collect();
    // In turns, so that what else the machine does meets all alike.
    for _ in 0..rounds {
        for (subject, results) in subjects.iter().zip(&mut results) {
            results.push((subject.run)(url, case.tasks));
        }
    }
    for (subject, rounds) in subjects.iter().zip(&results) {
        let of = |value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
        let n = rounds.len();
        let figures = [
            (of(|round| round.p50), "p50 us", n),
            (of(|round| round.p99), "p99 us", n),
            (of(|round| round.per_second) / 1e3, "kops/s", n),
        ];
        report.row(case.name, subject.name, &figures);
    }
    judge(case, subjects, &results, report);
}

fn judge(case: &Case<'_>, subjects: &[Subject], results: &[Vec<Round>], report: &Report) {
    let of = |name: &str| subjects.iter().position(|subject| subject.name == name).map(|at| &results[at]);
    let target = match case.database.place {
        Place::Server { .. } => SERVER,
        Place::File if case.tasks == 1 => FILE,
        // Calls that wait for nothing and tasks that outnumber the cores say nothing of what one call costs.
        Place::File => return,
    };
    let (Some(ours), Some(by_hand)) = (of("dbkeep"), of(case.database.by_hand)) else { return };
    // Within each round, as both met the same machine there.
    let ratio = median(ours.iter().zip(by_hand).map(|(ours, by_hand)| ours.p50 / by_hand.p50).collect());
    report.goal(&Goal {
        case: case.name,
        subject: "dbkeep",
        what: "times the median of the driver by hand, at most",
        number: "ratio",
        measured: ratio,
        target,
        met: ratio <= target,
    });
}
