//! The statements of the golden table: one for every method and function of the language, by topic.

mod changes;
mod expressions;
mod json;
mod names;
mod queries;
mod sets;
mod times;
mod windows;

use dbkeep_sql::*;

/// What comes of a statement when it is run on tables that fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It runs, wherever the engine knows what it asks for.
    Runs,
    /// It runs, and ends the open transaction on some engines.
    EndsTransaction,
    /// It asks for a table or column that is not there, by a name that not every engine takes.
    NoSuchName,
    /// It is refused before it is sent, at least on some engines, for what it is.
    Refused,
}

/// One statement of the table.
pub(crate) struct Case {
    pub(crate) title: &'static str,
    pub(crate) statement: Box<dyn Compile>,
    pub(crate) outcome: Outcome,
}

#[derive(Default)]
pub(crate) struct Cases(Vec<Case>);

impl Cases {
    fn add(&mut self, title: &'static str, statement: impl Compile + 'static) {
        self.with(title, statement, Outcome::Runs);
    }

    fn with(&mut self, title: &'static str, statement: impl Compile + 'static, outcome: Outcome) {
        self.0.push(Case { title, statement: Box::new(statement), outcome });
    }
}

/// The statements, in the order of the table.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Cases::default();
    queries::add_to(&mut cases);
    expressions::add_to(&mut cases);
    json::add_to(&mut cases);
    times::add_to(&mut cases);
    windows::add_to(&mut cases);
    sets::add_to(&mut cases);
    changes::add_to(&mut cases);
    names::add_to(&mut cases);
    cases.0
}

fn users() -> Select {
    select().from("users")
}
