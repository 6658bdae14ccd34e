//! Pools side by side: what they cost alone ([`lending`]), what they cost before a server ([`points`]), and what they do when
//! many come at once ([`spike`]).

mod lending;
mod points;
mod pools;
mod spike;

use bench_measure::{Report, Wanted};
use std::process::ExitCode;

fn main() -> ExitCode {
    let wanted = match Wanted::read() {
        Ok(wanted) => wanted,
        Err(code) => return code,
    };
    let report = Report::new(wanted.json, "pool", "pool");
    lending::run(&wanted, &report);
    if let Err(error) = points::run(&wanted, &report) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    spike::run(&wanted, &report);
    if report.is_empty() {
        eprintln!("nothing was measured: there is no pool with such a name in such a case, or no server for it");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}
