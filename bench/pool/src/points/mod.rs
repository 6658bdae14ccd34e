//! Point queries on a real server: acquire, one row by its primary key with a prepared statement, give back. Under as many
//! pools as there are for it, the same driver; besides, what brings a pool and a driver of its own.

mod mariadb;
mod postgres;
mod relay;
mod round;
mod whole;

use bench_measure::points::{Ask, table};
use bench_measure::{Goal, Ground, Report, Wanted, median, runtime};
use relay::Relay;
use round::{Round, round};
use std::future::Future;
use url::Url;

/// Connections in every pool.
const SIZE: usize = 16;
const TASKS: usize = 64;

/// Ours against the fastest of the others, noise allowed for: this is what a pool and the ease of `Database` may cost.
const SPEED: f64 = 0.97;
/// A connection that only now is opened, or prepares its statement, in the middle of counting is no habit.
const TRIPS: f64 = 1.005;
const OURS: [&str; 2] = ["Database", "dbkeep-pool"];

/// A server and who asks it.
struct Case {
    name: &'static str,
    /// The environment variable with the server's URL.
    url: &'static str,
    /// What keeps the planner from learning about the table in the middle of a round.
    analyze: &'static str,
    subjects: fn() -> Vec<Subject>,
}

const CASES: [Case; 2] = [
    Case {
        name: "point queries, MariaDB",
        url: "DBKEEP_TEST_MARIADB_URL",
        analyze: "ANALYZE TABLE points",
        subjects: mariadb::subjects,
    },
    Case {
        name: "point queries, PostgreSQL",
        url: "DBKEEP_TEST_POSTGRES_URL",
        analyze: "ANALYZE points",
        subjects: postgres::subjects,
    },
];

/// A round at this address, its round trips counted if there is a relay.
type Run = dyn Fn(&Url, Option<&Relay>) -> Round;

/// A pool and how it is measured.
struct Subject {
    name: &'static str,
    run: Box<Run>,
}

fn subject<A: Ask, F>(name: &'static str, make: impl Fn(Url) -> F + 'static) -> Subject
where
    F: Future<Output = A> + 'static,
{
    let run = move |url: &Url, relay: Option<&Relay>| {
        let runtime = runtime();
        let pool = runtime.block_on(make(url.clone()));
        let counter = relay.map(Relay::counter);
        runtime.block_on(runtime.spawn(round(pool, counter))).expect("a round that ends")
    };
    Subject { name, run: Box::new(run) }
}

/// # Errors
/// Which server cannot be reached or does not take the table.
pub fn run(wanted: &Wanted, report: &Report) -> Result<(), String> {
    let mut is_headed = false;
    for case in CASES.iter().filter(|case| wanted.case(case.name)) {
        let subjects: Vec<Subject> =
            (case.subjects)().into_iter().filter(|subject| wanted.subject(subject.name)).collect();
        if subjects.is_empty() {
            continue;
        }
        let Some(url) = std::env::var(case.url).ok().filter(|url| !url.is_empty()) else {
            eprintln!("{}: left out, {} names no server (scripts/servers start gives one)", case.name, case.url);
            continue;
        };
        let [create, insert] = &table();
        let ground =
            Ground::make(&url, &[create, insert, case.analyze]).map_err(|error| format!("{}: {error}", case.name))?;
        if !std::mem::replace(&mut is_headed, true) {
            report.head(&["kops/s", "p50 us", "p99 us", "p99.9 us", "trips"]);
        }
        measure(case, &subjects, &ground, wanted.rounds, report);
    }
    Ok(())
}

fn measure(case: &Case, subjects: &[Subject], ground: &Ground, rounds: usize, report: &Report) {
    let mut results: Vec<Vec<Round>> = subjects.iter().map(|_| Vec::new()).collect();
    // In turns, so that what else the machine does meets all alike.
    for _ in 0..rounds {
        for (subject, results) in subjects.iter().zip(&mut results) {
            results.push((subject.run)(ground.url(), None));
        }
    }
    // Counted apart, as the way through the relay takes its time.
    let relay = Relay::to(ground.url());
    let mut all = Vec::new();
    for (subject, rounds) in subjects.iter().zip(results) {
        let of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value).collect());
        let wait = |part: f64| of(&|round| round.waits.micros(part));
        let speed = of(&|round| round.per_second / 1e3);
        let trips = (subject.run)(relay.url(), Some(&relay)).trips;
        let n = rounds.len();
        let figures = [
            (speed, "kops/s", n),
            (wait(0.5), "p50 us", n),
            (wait(0.99), "p99 us", n),
            (wait(0.999), "p99.9 us", n),
            (trips, "round trips per operation", 1),
        ];
        report.row(case.name, subject.name, &figures);
        all.push((subject.name, speed, trips));
    }
    judge(case, &all, report);
}

fn judge(case: &Case, all: &[(&str, f64, f64)], report: &Report) {
    let peers = all.iter().filter(|(name, ..)| !OURS.contains(name)).map(|(_, speed, _)| *speed);
    let best = peers.max_by(f64::total_cmp);
    for (subject, speed, trips) in all.iter().filter(|(name, ..)| OURS.contains(name)) {
        let goal = |what, number, measured: f64, target, met| {
            report.goal(&Goal { case: case.name, subject, what, number, measured, target, met });
        };
        if let Some(best) = best {
            let ratio = speed / best;
            goal("operations per second against the best peer", "ratio", ratio, SPEED, ratio >= SPEED);
        }
        goal("round trips per operation", "value", *trips, 1.0, *trips <= TRIPS);
    }
}
