//! Building statements, without any I/O: from the values to the text and the parameters that a driver takes, and dropping both.

mod by_constant_text;
mod by_dbkeep;
mod by_diesel;
mod by_sea_query;
mod by_write;
mod given;

use crate::allocations::{Allocations, count};
use bench_measure::{Goal, Report, Wanted, median};
use by_diesel::{is_kept, prepared, whole};
use diesel::mysql::Mysql;
use diesel::pg::Pg;
use given::{NewUser, given, new_users};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Whose SQL is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    MySql,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL",
        }
    }
}

/// How long a subject builds in a round, about.
const TURN: Duration = Duration::from_millis(20);
/// Statements whose allocations are counted.
const COUNTED: u32 = 100;

/// Ours against a peer: how many times as fast, by subject.
const FASTER: [(&str, &str, f64); 2] =
    [("sea-query", "times as fast as sea-query", 5.0), ("diesel", "times as fast as diesel", 2.0)];
/// Ours against `write!` by hand: how many times its time.
const BY_HAND: f64 = 3.0;

/// Something that builds a statement.
struct Subject {
    name: &'static str,
    /// Builds it so often.
    build: Box<dyn Fn(u32)>,
    /// The text it builds, if it builds one.
    text: Box<dyn Fn() -> Option<String>>,
}

fn subject<T>(
    name: &'static str,
    build: impl Fn() -> T + Copy + 'static,
    text: impl Fn(T) -> Option<String> + 'static,
) -> Subject {
    Subject {
        name,
        build: Box::new(move |times| {
            for _ in 0..times {
                drop(black_box(build()));
            }
        }),
        text: Box::new(move || text(build())),
    }
}

/// A statement for an engine, and who builds it.
struct Case {
    name: String,
    subjects: Vec<Subject>,
}

/// The cases of an engine; a macro, as diesel's statements have types that nobody can name.
macro_rules! cases {
    ($engine:expr, $backend:ty, [$($name:literal: $with:expr =>
        $dbkeep:expr, $sea_query:expr, $diesel:expr, $by_write:expr, $by_constant_text:expr;)*]) => {
        [$(Case {
            name: format!("{}, {}", $name, $engine.name()),
            subjects: {
                let with = $with;
                let kept = is_kept($diesel(with()))
                    .then(|| subject("diesel, kept", move || prepared::<$backend, _>($diesel(with())), |_| None));
                [
                    subject("dbkeep", move || $dbkeep(black_box($engine), with()), |built| Some(built.sql)),
                    subject("sea-query", move || $sea_query(black_box($engine), with()), |built| Some(built.0)),
                    subject("diesel", move || whole::<$backend>($diesel(with())), |built| Some(built.0)),
                    subject("write!", move || $by_write(black_box($engine), with()), |built| Some(built.0)),
                    subject("constant text", move || $by_constant_text(black_box($engine), with()), |built| Some(built.0)),
                ]
                .into_iter()
                .chain(kept)
                .collect()
            },
        }),*]
    };
}

macro_rules! all_cases {
    ($engine:expr, $backend:ty, $rows:expr) => {{
        let rows: &'static [NewUser] = $rows;
        cases!($engine, $backend, [
            "SELECT": given => by_dbkeep::select, by_sea_query::select, by_diesel::select, by_write::select, by_constant_text::select;
            "join": given => by_dbkeep::join, by_sea_query::join, by_diesel::join, by_write::join, by_constant_text::join;
            "INSERT, 1 row": move || black_box(&rows[0]) =>
                by_dbkeep::insert_one, by_sea_query::insert_one, by_diesel::insert_one, by_write::insert_one, by_constant_text::insert_one;
            "INSERT, 100 rows": move || black_box(rows) =>
                by_dbkeep::insert, by_sea_query::insert, by_diesel::insert, by_write::insert, by_constant_text::insert;
        ])
    }};
}

fn cases() -> Vec<Case> {
    // For as long as the program runs, so that everybody only borrows them.
    let rows: &'static [NewUser] = Vec::leak(new_users(100));
    let postgres = all_cases!(Engine::Postgres, Pg, rows);
    postgres.into_iter().chain(all_cases!(Engine::MySql, Mysql, rows)).collect()
}

pub fn run(wanted: &Wanted, report: &Report) {
    let mut is_headed = false;
    for mut case in cases().into_iter().filter(|case| wanted.case(&case.name)) {
        case.subjects.retain(|subject| wanted.subject(subject.name));
        if case.subjects.is_empty() {
            continue;
        }
        if !std::mem::replace(&mut is_headed, true) {
            report.head(&["ns", "allocations", "bytes"]);
        }
        compare(&case);
        measure(&case, wanted.rounds, report);
    }
}

fn measure(case: &Case, rounds: usize, report: &Report) {
    let times: Vec<u32> = case.subjects.iter().map(in_a_turn).collect();
    let mut took: Vec<Vec<f64>> = case.subjects.iter().map(|_| Vec::new()).collect();
    // In turns, so that what else the machine does meets all alike.
    for _ in 0..rounds {
        for ((subject, times), took) in case.subjects.iter().zip(&times).zip(&mut took) {
            took.push(time(subject, *times).as_secs_f64() * 1e9 / f64::from(*times));
        }
    }
    for (subject, took) in case.subjects.iter().zip(&took) {
        let Allocations { calls, bytes } = count(|| (subject.build)(COUNTED));
        let each = |count: u64| count as f64 / f64::from(COUNTED);
        let figures =
            [(median(took.clone()), "ns", rounds), (each(calls), "allocations", 1), (each(bytes), "bytes", 1)];
        report.row(&case.name, subject.name, &figures);
    }
    judge(case, &took, report);
}

/// How often a subject builds in a turn.
fn in_a_turn(subject: &Subject) -> u32 {
    let mut times = 100;
    loop {
        let took = time(subject, times);
        if took >= TURN / 4 {
            return (f64::from(times) * TURN.as_secs_f64() / took.as_secs_f64()) as u32;
        }
        times *= 2;
    }
}

fn time(subject: &Subject, times: u32) -> Duration {
    let began = Instant::now();
    (subject.build)(times);
    began.elapsed()
}

fn judge(case: &Case, took: &[Vec<f64>], report: &Report) {
    let of = |name: &str| case.subjects.iter().position(|subject| subject.name == name).map(|at| &took[at]);
    let Some(ours) = of("dbkeep") else { return };
    // Within each round, as both met the same machine there.
    let ratio =
        |over: &[f64], under: &[f64]| median(over.iter().zip(under).map(|(over, under)| over / under).collect());
    let goal = |what, measured, target, met| {
        report.goal(&Goal { case: &case.name, subject: "dbkeep", what, number: "ratio", measured, target, met });
    };
    for (peer, what, target) in FASTER {
        if let Some(theirs) = of(peer) {
            let ratio = ratio(theirs, ours);
            goal(what, ratio, target, ratio >= target);
        }
    }
    if let Some(by_hand) = of("write!") {
        let ratio = ratio(ours, by_hand);
        goal("times what write! takes, at most", ratio, BY_HAND, ratio <= BY_HAND);
    }
}

/// Whoever builds something else is not to be compared.
fn compare(case: &Case) {
    let mut texts = case.subjects.iter().filter_map(|subject| Some((subject.name, (subject.text)()?)));
    let Some((_, first)) = texts.next() else { return };
    for (name, text) in texts {
        assert!(plain(&text) == plain(&first), "{}: {name} builds another statement:\n{text}\n{first}", case.name);
    }
}

/// A statement without what is a matter of style: quotes, spaces, parentheses, upper case, whose columns they are, `ASC`, `INNER`.
fn plain(sql: &str) -> String {
    let sql: String = sql.chars().filter(|c| !"\"`()".contains(*c)).collect();
    let sql = sql.replace("users.", "").replace("orders.", "").replace(" ASC", "").replace("INNER ", "");
    sql.split_whitespace().collect::<String>().to_lowercase()
}
