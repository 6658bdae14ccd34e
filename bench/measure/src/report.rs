//! Figures as a table to read or as lines of JSON.

use std::cell::Cell;

pub struct Report {
    pub json: bool,
    /// The benchmark's name.
    bench: &'static str,
    /// What its subjects are, in one word.
    kind: &'static str,
    is_empty: Cell<bool>,
}

/// A value, its unit, and of how many measurements it is the median.
pub type Figure = (f64, &'static str, usize);

/// What was to be reached, by whom, and what was.
pub struct Goal<'a> {
    pub case: &'a str,
    pub subject: &'a str,
    /// The goal in words.
    pub what: &'a str,
    /// What the measured number is called in JSON.
    pub number: &'a str,
    pub measured: f64,
    pub target: f64,
    pub met: bool,
}

impl Report {
    /// A report of this benchmark, whose subjects are of this kind.
    pub fn new(json: bool, bench: &'static str, kind: &'static str) -> Self {
        Self { json, bench, kind, is_empty: Cell::new(true) }
    }

    /// Whether there was nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.is_empty.get()
    }

    /// The head of a table whose rows have figures of these units.
    pub fn head(&self, units: &[&str]) {
        if !self.json {
            let units: String = units.iter().map(|unit| format!(" {unit:>10}")).collect();
            println!("\n{:<28} {:<16}{units}", "case", self.kind);
        }
    }

    /// The figures of one subject in one case.
    pub fn row(&self, case: &str, subject: &str, figures: &[Figure]) {
        self.is_empty.set(false);
        let bench = self.bench;
        if self.json {
            for (value, unit, n) in figures {
                println!(
                    r#"{{"bench":"{bench}","case":"{case}","subject":"{subject}","value":{value},"unit":"{unit}","n":{n}}}"#
                );
            }
        } else {
            let figures: String =
                figures.iter().map(|(value, unit, _)| format!(" {:>10}", short(*value, unit))).collect();
            println!("{case:<28} {subject:<16}{figures}");
        }
    }

    pub fn goal(&self, goal: &Goal<'_>) {
        let Goal { case, subject, what, number, measured, target, met } = goal;
        let bench = self.bench;
        if self.json {
            println!(
                r#"{{"bench":"{bench}","case":"{case}","subject":"{subject}","goal":"{what}","{number}":{measured:.3},"target":{target},"met":{met}}}"#
            );
        } else {
            let met = if *met { "met" } else { "not met" };
            println!("{:<28} {subject}: {what}: {measured:.3}, wanted {target}: {met}", "");
        }
    }
}

fn short(value: f64, unit: &str) -> String {
    let decimals = match value {
        _ if unit == "connections" => 0,
        1000.0.. => 0,
        100.0.. => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
