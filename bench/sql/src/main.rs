//! Statements side by side: what it costs to build them, without a server ([`building`]), and what is left of it before a
//! database ([`points`]).

mod allocations;
mod building;
mod points;

use bench_measure::{Report, Wanted};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn main() -> ExitCode {
    let wanted = match Wanted::read() {
        Ok(wanted) => wanted,
        Err(code) => return code,
    };
    let report = Report::new(wanted.json, "sql", "builder");
    building::run(&wanted, &report);
    if let Err(error) = points::run(&wanted, &report) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    if report.is_empty() {
        eprintln!("nothing was measured: there is no builder with such a name in such a case, or no server for it");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}
