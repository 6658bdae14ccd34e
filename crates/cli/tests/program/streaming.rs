//! However many rows a query has, they pass through in bounded memory.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;

use crate::support::{Project, interrupt, on_every_server, wait_until};
use dbkeep_testkit::Kind;

const KIB: u64 = 1024;
/// The program itself takes about 30 MiB.
const BOUND: u64 = 48 * KIB * KIB;
/// What a row with a number and a short text takes in memory, at least: two values, a text, and what holds them together.
const ROW: u64 = 128;

/// The most memory a running process ever had, in bytes; `None` of one that has just ended.
fn peak(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * KIB)
}

/// Runs a query and reads all it prints; gives the lines counted, the bytes, and the most memory it took.
fn streamed(project: &Project, arguments: &[&str]) -> (u64, u64, u64) {
    let mut child = project.command(arguments).spawn().unwrap();
    let mut reader = BufReader::with_capacity(1 << 20, child.stdout.take().unwrap());
    let (mut lines, mut bytes, mut most) = (0, 0, 0);
    loop {
        let buffer = reader.fill_buf().unwrap();
        if buffer.is_empty() {
            break;
        }
        let length = buffer.len();
        lines += buffer.iter().filter(|byte| **byte == b'\n').count() as u64;
        reader.consume(length);
        bytes += length as u64;
        // Read while it lives: afterwards there is nothing to read. It only grows, so that the last one counts.
        if child.try_wait().unwrap().is_none() {
            most = peak(&child).unwrap_or(most);
        }
    }
    let run = crate::support::Run::of(child.wait_with_output().unwrap(), arguments).expect(0);
    assert_eq!(run.stdout, "");
    (lines, bytes, most)
}

fn numbers(kind: Option<Kind>, count: u64, more: &str) -> String {
    match kind {
        Some(Kind::Postgres) => format!("SELECT i{more} FROM generate_series(1, {count}) AS n (i)"),
        Some(Kind::Mariadb) => format!("SELECT seq AS i{} FROM seq_1_to_{count}", more.replace("(i", "(seq")),
        // The server would count to ten million in memory; a join of a small table with itself does without.
        Some(Kind::Mysql) => {
            let digits = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 \
                          UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
            let places = (count - 1).ilog10() + 1;
            let tables: Vec<_> = (0..places).map(|place| format!("{digits} AS t{place}")).collect();
            let sum: Vec<_> = (0..places).map(|place| format!("t{place}.d * {}", 10_u64.pow(place))).collect();
            let number = format!("({} + 1)", sum.join(" + "));
            let more = more.replace("(i", &format!("({number}"));
            format!("SELECT {number} AS i{more} FROM {} WHERE {number} <= {count}", tables.join(" CROSS JOIN "))
        }
        None => format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i{more} FROM n"
        ),
    }
}

/// Streams so many rows, and looks at the memory it took.
fn check(project: &Project, kind: Option<Kind>, count: u64, format: &str) {
    let more = match kind {
        Some(Kind::Mysql | Kind::Mariadb) => ", CONCAT('row ', (i)) AS name",
        _ => ", 'row ' || (i) AS name",
    };
    let (lines, bytes, most) = streamed(project, &["query", format, &numbers(kind, count, more)]);
    let frame = if format == "--json" { 2 } else { 1 };
    assert_eq!(lines, count + frame, "{kind:?} {format}");
    // Held in memory, it would show.
    assert!(bytes > count * 15 && count * ROW > BOUND, "{bytes}");
    assert!(most > 0 && most < BOUND, "{kind:?} {format}: {count} rows took {} KiB", most / KIB);
}

#[test]
fn ten_million_rows_stream_from_sqlite() {
    check(&Project::sqlite(), None, 10_000_000, "--csv");
}

#[test]
fn long_results_stream_in_every_format_from_sqlite() {
    let project = Project::sqlite();
    check(&project, None, 500_000, "--json");
    // A table for people goes on in pieces.
    let (lines, _, most) = streamed(&project, &["query", "-q", &numbers(None, 100_000, "")]);
    assert!(lines >= 100_000 && most < BOUND, "{lines} lines, {} KiB", most / KIB);
}

/// As when the reader of a pipe stands still.
#[test]
fn a_second_ctrl_c_ends_a_query_whose_output_nobody_takes() {
    let project = Project::sqlite();
    let mut child = project.command(&["query", "--csv", &numbers(None, 1_000_000, "")]).spawn().unwrap();
    let mut first = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    wait_until("the query has ended", || {
        interrupt(&child);
        child.try_wait().unwrap().is_some()
    });
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn long_results_stream_from_every_server() {
    for database in on_every_server() {
        let kind = database.server().kind();
        check(&Project::on(&database.url()), Some(kind), 500_000, "--csv");
    }
}

/// `cargo test -p dbkeep-cli --test program -- --ignored ten_million` runs it; a few minutes.
#[test]
#[ignore = "ten million rows from each server, twice, take minutes; long_results_stream_from_every_server asks the same of half a million"]
fn ten_million_rows_stream_from_every_server_in_every_format() {
    check(&Project::sqlite(), None, 10_000_000, "--json");
    for database in on_every_server() {
        let kind = database.server().kind();
        let project = Project::on(&database.url());
        for format in ["--csv", "--json"] {
            check(&project, Some(kind), 10_000_000, format);
        }
    }
}
