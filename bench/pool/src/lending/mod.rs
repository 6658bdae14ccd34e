//! Acquire and release of a connection that costs nothing, so that only the pool is seen.

mod round;
mod threads;

use crate::pools::{self, Lend, Nothing};
use bench_measure::{Goal, Report, Wanted, median, runtime};
use round::{Effort, Round, round};
use std::future::Future;

/// Connections in every pool.
const SIZE: usize = 8;

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    tasks: usize,
    /// Whether a borrower gives way to other tasks while it holds the connection.
    yields: bool,
    operations: u64,
}

const CASES: [Case; 4] = [
    Case { name: "1 task", tasks: 1, yields: false, operations: 1_000_000 },
    Case { name: "8 tasks", tasks: 8, yields: false, operations: 1_000_000 },
    Case { name: "64 tasks, yielding", tasks: 64, yields: true, operations: 200_000 },
    Case { name: "512 tasks, yielding", tasks: 512, yields: true, operations: 200_000 },
];

/// What this pool is to be against deadpool, by case: how many times the operations per second.
const GOALS: [(&str, f64); 3] = [("1 task", 3.0), ("64 tasks, yielding", 1.25), ("512 tasks, yielding", 1.25)];

/// A pool and how it is measured.
struct Subject {
    name: &'static str,
    /// The slow ones do one in so many of a case's operations, so that all are done in minutes. What a task does in a round
    /// is also the most that the spread can come to: 48 in the largest case for those that do an eighth.
    share: u64,
    run: Box<dyn Fn(Case, Effort) -> Round>,
}

fn subjects() -> Vec<Subject> {
    vec![
        subject("dbkeep", 1, || async { pools::dbkeep::pool(Nothing, SIZE) }),
        subject("deadpool", 1, || async { pools::deadpool::pool(Nothing, SIZE) }),
        subject("bb8", 1, || pools::bb8::pool(Nothing, SIZE)),
        subject("fast_pool", 1, || async { pools::fast_pool::pool(Nothing, SIZE) }),
        subject("mobc", 8, || async { pools::mobc::pool(Nothing, SIZE) }),
        subject("sqlx", 8, || pools::sqlite::pool(SIZE)),
        // Unfair, so that it needs more operations than the other slow ones to show how much.
        Subject {
            name: "r2d2",
            share: 2,
            run: Box::new(|case, effort| threads::round(&pools::r2d2::pool(SIZE), case, effort)),
        },
    ]
}

fn subject<S: Lend, F>(name: &'static str, share: u64, make: impl Fn() -> F + 'static) -> Subject
where
    F: Future<Output = S> + 'static,
{
    let run = move |case, effort| {
        let runtime = runtime();
        let pool = runtime.block_on(make());
        runtime.block_on(runtime.spawn(round(pool, case, effort))).expect("a round that ends")
    };
    Subject { name, share, run: Box::new(run) }
}

pub fn run(wanted: &Wanted, report: &Report) {
    let subjects: Vec<Subject> = subjects().into_iter().filter(|subject| wanted.subject(subject.name)).collect();
    let cases: Vec<Case> = CASES.into_iter().filter(|case| wanted.case(case.name)).collect();
    if cases.is_empty() || subjects.is_empty() {
        return;
    }
    report.head(&["kops/s", "p50 us", "p99 us", "p99.9 us", "spread"]);
    for case in cases {
        let mut results: Vec<Vec<Round>> = subjects.iter().map(|_| Vec::new()).collect();
        // In turns, so that what else the machine does meets all alike.
        for _ in 0..wanted.rounds {
            for (subject, results) in subjects.iter().zip(&mut results) {
                results.push((subject.run)(case, Effort::of(case, subject.share)));
            }
        }
        let mut speeds = Vec::new();
        for (subject, rounds) in subjects.iter().zip(results) {
            let of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value).collect());
            let wait = |part: f64| of(&|round| round.waits.micros(part));
            let speed = of(&|round| round.per_second / 1e3);
            let n = rounds.len();
            let mut figures = vec![
                (speed, "kops/s", n),
                (wait(0.5), "p50 us", n),
                (wait(0.99), "p99 us", n),
                (wait(0.999), "p99.9 us", n),
            ];
            // Who never has to wait is served by the runtime as it pleases, which says nothing of the pool.
            if case.tasks > SIZE {
                figures.push((of(&|round| round.spread), "spread", n));
            }
            report.row(case.name, subject.name, &figures);
            speeds.push((subject.name, speed));
        }
        judge(case, &speeds, report);
    }
}

fn judge(case: Case, speeds: &[(&str, f64)], report: &Report) {
    let speed = |name: &str| speeds.iter().find(|(subject, _)| *subject == name).map(|(_, speed)| *speed);
    let goal = GOALS.iter().find(|(name, _)| *name == case.name);
    if let (Some((_, target)), Some(ours), Some(theirs)) = (goal, speed("dbkeep"), speed("deadpool")) {
        report.goal(&Goal {
            case: case.name,
            subject: "dbkeep",
            what: "operations per second against deadpool",
            number: "ratio",
            measured: ours / theirs,
            target: *target,
            met: ours >= theirs * target,
        });
    }
}
