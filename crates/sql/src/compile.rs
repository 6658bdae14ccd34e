//! From a statement to text and parameters, or to everything that is wrong with it.

use crate::{Dialect, IdentError, SqlWriter, Unsupported, Value};
use std::fmt;

/// A statement as a dialect spells it, and its parameters in the order of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    /// The text, with a placeholder for each parameter.
    pub sql: String,
    /// The parameters.
    pub params: Vec<Value>,
}

/// Anything that can be compiled for a dialect.
pub trait Compile {
    /// Appends the statement; what is wrong with it is collected there.
    fn write_sql(&self, out: &mut SqlWriter<'_>);

    /// The statement as this dialect spells it.
    ///
    /// # Errors
    /// [`CompileError`] with everything that is wrong: names no database takes, clauses this one does not know, an update
    /// or delete without a condition. Nothing is ever left out instead.
    fn compile(&self, dialect: &dyn Dialect) -> Result<Compiled, CompileError> {
        let mut out = SqlWriter::new(dialect);
        self.write_sql(&mut out);
        out.finish()
    }

    /// The statement with its values written into the text, for reading and for logs a developer asks for. Never run it:
    /// parameters are what keeps values from becoming SQL.
    ///
    /// # Errors
    /// As [`compile`](Compile::compile).
    fn to_raw_sql(&self, dialect: &dyn Dialect) -> Result<String, CompileError> {
        let mut out = SqlWriter::with_literals(dialect);
        self.write_sql(&mut out);
        Ok(out.finish()?.sql)
    }
}

/// Everything that is wrong with a statement, found before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileError {
    problems: Vec<Problem>,
}

impl CompileError {
    /// There is at least one problem.
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// Each thing that is wrong, in the order of the text; there is at least one.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// The first clause that the dialect does not know, if that is what is wrong.
    pub fn unsupported(&self) -> Option<&Unsupported> {
        self.problems().find_map(|problem| match problem {
            Problem::Unsupported(unsupported) => Some(unsupported),
            _ => None,
        })
    }

    /// What to do about the first thing that is wrong; empty where the message says it.
    pub fn hint(&self) -> &'static str {
        let Some(first) = self.problems.first() else { return "" };
        match first {
            Problem::Name(_) => "give the table, column or alias a name that the database takes",
            Problem::Unsupported(unsupported) => unsupported.hint,
            Problem::NoCondition { .. } => "add filter(…), or say all_rows() where all rows are meant",
            Problem::TooManyParameters { .. } => "send fewer values at once; an insert has batches(…) for that",
            Problem::Raw { .. } => "give raw(…) one value for each ? and write ?? for a question mark itself",
            // What to do stands behind the colon already.
            Problem::Invalid { problem, .. } if problem.contains(": ") => "",
            Problem::Invalid { .. } => "complete the statement",
        }
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problems.iter().enumerate().try_for_each(|(at, problem)| {
            if at > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)
        })
    }
}

impl std::error::Error for CompileError {}

/// One thing that is wrong with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A text that can be no name.
    Name(IdentError),
    /// A clause the dialect does not know.
    Unsupported(Unsupported),
    /// An update or delete of a whole table that does not say so.
    NoCondition {
        /// `UPDATE` or `DELETE`.
        statement: &'static str,
    },
    /// More parameters than one statement may have.
    TooManyParameters {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A piece of raw SQL that is not complete.
    Raw {
        /// Its beginning.
        sql: String,
        /// What is wrong.
        problem: String,
    },
    /// A statement that is not complete.
    Invalid {
        /// Which, as SQL spells it.
        statement: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Name(error) => error.fmt(f),
            Problem::Unsupported(unsupported) => unsupported.fmt(f),
            Problem::NoCondition { statement } => write!(f, "{statement} has no condition"),
            Problem::TooManyParameters { count, limit } => {
                write!(f, "the statement has {count} parameters, and there may be {limit}")
            }
            Problem::Raw { sql, problem } => write!(f, "the raw SQL {sql:?} {problem}"),
            Problem::Invalid { statement, problem } => write!(f, "{statement} {problem}"),
        }
    }
}

/// A statement in front of which stands the question how it is run; see [`explain`].
#[derive(Debug, Clone, Copy)]
#[must_use = "a plan is made when the statement is run"]
pub struct Explain<'s, S: ?Sized> {
    statement: &'s S,
    analyze: bool,
}

/// Asks how the engine would run a statement, without running it.
///
/// ```
/// use dbkeep_sql::{Ansi, Compile, explain, select};
/// assert_eq!(explain(&select().from("users")).compile(&Ansi)?.sql, r#"EXPLAIN SELECT * FROM "users""#);
/// # Ok::<(), dbkeep_sql::CompileError>(())
/// ```
pub fn explain<S: Compile + ?Sized>(statement: &S) -> Explain<'_, S> {
    Explain { statement, analyze: false }
}

impl<S: Compile + ?Sized> Explain<'_, S> {
    /// Runs the statement, what it changes included, and says how it was run and how long that took.
    pub fn analyze(mut self) -> Self {
        self.analyze = true;
        self
    }
}

impl<S: Compile + ?Sized> Compile for Explain<'_, S> {
    fn write_sql(&self, out: &mut SqlWriter<'_>) {
        let dialect = out.dialect();
        dialect.write_explain(out, self.analyze);
        self.statement.write_sql(out);
    }
}
