//! Pools side by side: acquire and release of a connection that costs nothing, so that only the pool is seen.

mod spike;
mod subjects;

use hdrhistogram::Histogram;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use subjects::Subject;
use tokio::sync::Barrier;

/// Connections in every pool.
pub const SIZE: usize = 8;

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

struct Round {
    per_second: f64,
    waits: Histogram<u64>,
    /// How many times as often the luckiest task was served as the unluckiest, when the first one was done.
    spread: f64,
}

/// One of so many acquires is timed: reading the clock costs as much as the fastest pool.
const TIMED: u64 = 16;

async fn round<S: Subject>(pool: S, case: Case, operations: u64) -> Round {
    let each = operations / case.tasks as u64;
    let start = Arc::new(Barrier::new(case.tasks + 1));
    // How far every task is when the first one has done its part: what fairness is measured by.
    let first = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..case.tasks)
        .map(|_| {
            let (pool, start, first) = (pool.clone(), Arc::clone(&start), Arc::clone(&first));
            tokio::spawn(async move {
                let mut waits = Histogram::<u64>::new(2).expect("two digits are possible");
                let mut served_by_then = None;
                start.wait().await;
                let began = Instant::now();
                for operation in 0..each {
                    let asked = (operation % TIMED == 0).then(Instant::now);
                    let held = pool.acquire().await;
                    if let Some(asked) = asked {
                        waits.record(asked.elapsed().as_nanos() as u64).expect("a histogram that grows");
                        if served_by_then.is_none() && first.load(Ordering::Relaxed) {
                            served_by_then = Some(operation);
                        }
                    }
                    if case.yields {
                        tokio::task::yield_now().await;
                    }
                    drop(held);
                }
                first.store(true, Ordering::Relaxed);
                (served_by_then.unwrap_or(each), waits, began, Instant::now())
            })
        })
        .collect();
    start.wait().await;
    let (mut began, mut ended) = (None, None);
    let mut waits = Histogram::<u64>::new(2).expect("two digits are possible");
    let mut served = Vec::new();
    for task in tasks {
        let (count, of_task, from, to) = task.await.expect("a task that ends");
        began = Some(began.map_or(from, |began: Instant| began.min(from)));
        ended = ended.max(Some(to));
        served.push(count);
        waits.add(&of_task).expect("histograms of one kind");
    }
    let took = ended.zip(began).map_or(f64::NAN, |(ended, began)| (ended - began).as_secs_f64());
    let (least, most) = (served.iter().min(), served.iter().max());
    Round {
        per_second: (each * case.tasks as u64) as f64 / took,
        waits,
        spread: most.map_or(0.0, |&most| most as f64) / least.map_or(1.0, |&least| least.max(1) as f64),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

type Runner = Box<dyn Fn(Case, u64) -> Round>;

fn runner<S: Subject, F: Future<Output = S> + 'static>(make: impl Fn() -> F + 'static) -> Runner {
    Box::new(move |case, operations| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let pool = runtime.block_on(make());
        runtime.block_on(runtime.spawn(round(pool, case, operations))).expect("a round that ends")
    })
}

/// What this pool is to be against deadpool, by case: how many times the operations per second.
const GOALS: [(&str, f64); 3] = [("1 task", 3.0), ("64 tasks, yielding", 1.25), ("512 tasks, yielding", 1.25)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let wanted: Vec<&String> = arguments.iter().filter(|argument| *argument != "--json").collect();
    let only = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str()));
    let rounds: usize = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(15);
    let subjects: Vec<(&str, Runner)> = subjects::all().into_iter().filter(|(name, _)| only(name)).collect();
    if !json {
        println!(
            "{:<22} {:<10} {:>10} {:>9} {:>9} {:>9} {:>10}",
            "case", "pool", "kops/s", "p50 us", "p99 us", "p99.9 us", "spread"
        );
    }
    for case in CASES {
        let mut results: Vec<Vec<Round>> = subjects.iter().map(|_| Vec::new()).collect();
        // In turns, so that what else the machine does meets all alike.
        for _ in 0..rounds {
            for (at, (_, run)) in subjects.iter().enumerate() {
                results[at].push(run(case, case.operations));
            }
        }
        let mut speeds = Vec::new();
        for ((name, _), rounds) in subjects.iter().zip(results) {
            let of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value).collect());
            let wait = |part: f64| of(&|round| round.waits.value_at_quantile(part) as f64 / 1e3);
            let (speed, spread) = (of(&|round| round.per_second / 1e3), of(&|round| round.spread));
            speeds.push((*name, speed));
            let figures = [
                (speed, "kops/s"),
                (wait(0.5), "p50 us"),
                (wait(0.99), "p99 us"),
                (wait(0.999), "p99.9 us"),
                (spread, "spread"),
            ];
            if json {
                for (value, unit) in figures {
                    println!(
                        r#"{{"bench":"pool","case":"{}","subject":"{name}","value":{value},"unit":"{unit}","n":{}}}"#,
                        case.name,
                        rounds.len()
                    );
                }
            } else {
                let [speed, p50, p99, p999, spread] = figures.map(|(value, _)| value);
                println!("{:<22} {name:<10} {speed:>10.0} {p50:>9.2} {p99:>9.2} {p999:>9.2} {spread:>10.2}", case.name);
            }
        }
        let speed = |name: &str| speeds.iter().find(|(subject, _)| *subject == name).map(|(_, speed)| *speed);
        let goal = GOALS.iter().find(|(name, _)| *name == case.name);
        if let (Some((_, target)), Some(ours), Some(theirs)) = (goal, speed("dbkeep"), speed("deadpool")) {
            let (ratio, met) = (ours / theirs, ours >= theirs * target);
            if json {
                println!(
                    r#"{{"bench":"pool","case":"{}","goal":"operations per second against deadpool","ratio":{ratio:.3},"target":{target},"met":{met}}}"#,
                    case.name
                );
            } else {
                println!(
                    "{:<22} {ratio:.2} x deadpool, wanted {target} x: {}",
                    "",
                    if met { "met" } else { "not met" }
                );
            }
        }
    }
    spike(json);
}

fn spike(json: bool) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    if !json {
        println!("\nspike: 50 callers at once, 5 connections there, 50 allowed; opening takes 150 ms, a query 2 ms");
        println!("{:<10} {:>18} {:>12}", "pool", "opened besides", "all served");
    }
    for (name, opened, took) in runtime.block_on(spike::all()) {
        let millis = took.as_secs_f64() * 1e3;
        if json {
            println!(
                r#"{{"bench":"pool","case":"spike","subject":"{name}","value":{opened},"unit":"connections","n":1}}"#
            );
            println!(r#"{{"bench":"pool","case":"spike","subject":"{name}","value":{millis:.1},"unit":"ms","n":1}}"#);
        } else {
            println!("{name:<10} {opened:>18} {millis:>9.1} ms");
        }
    }
}
