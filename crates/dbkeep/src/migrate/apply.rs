//! Runs the statements of one migration and records how far it came.

use super::checksum::Chain;
use super::error::During as _;
use super::file::{Part, Step};
use super::ledger::{Entry, Ledger, State};
use super::name::Direction;
use super::progress::{MigrationStarted, Progress, StatementFinished};
use super::{Error, ErrorKind, InDoubt, Name, Result};
use dbkeep_engine::{self as engine, Connection, Transaction, TransactionState};
use dbkeep_sql::Lexicon;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// One part of one migration, ready to run.
#[derive(Debug)]
pub(crate) struct Task<'m> {
    pub(crate) name: &'m Name,
    pub(crate) direction: Direction,
    part: &'m Part,
    pub(crate) steps: Vec<Step>,
    /// Whether all of it, and its record, is one transaction.
    pub(crate) atomic: bool,
    /// How many statements took effect in an earlier run.
    pub(crate) done_before: usize,
    /// Whether the one after them may have taken effect, too, and is run again all the same.
    doubtful: bool,
    /// The row as it is to be when the part took effect.
    entry: Entry,
    recorded: bool,
}

impl<'m> Task<'m> {
    /// Cuts the part into statements and finds where to begin. Nothing has run when this fails.
    ///
    /// `recorded` is the migration's row, where it has one; `entry` the row to write for an up part.
    pub(crate) fn new(
        name: &'m Name,
        direction: Direction,
        part: &'m Part,
        server: &Server,
        entry: Entry,
        recorded: Option<&Entry>,
        in_doubt: Option<InDoubt>,
    ) -> Result<Self> {
        let steps = part.steps(&server.lexicon)?;
        if steps.is_empty() {
            let which = direction.as_str();
            return Err(Error::new(ErrorKind::File, format!("the {which} part of {name} holds no statement"))
                .at(part.start())
                .with_hint("write `SELECT 1;` where there is really nothing to do"));
        }
        let atomic = server.transactional_ddl && part.transaction;
        if atomic && let Some(step) = steps.iter().find(|step| step.controls_transaction()) {
            return Err(Error::new(ErrorKind::File, format!("{name} runs in a transaction already"))
                .at(part.location(step, None))
                .with_hint(format!(
                    "take {} out, or add a line `-- migrate:no-transaction` to let the file see to it",
                    step.verb()
                )));
        }
        let halfway = recorded.filter(|row| row.state.is_halfway(direction));
        let done_before = match halfway {
            Some(row) => resume(name, part, &steps, row, in_doubt)?,
            None => 0,
        };
        let doubtful = in_doubt == Some(InDoubt::Again) && halfway.is_some_and(is_cut_off);
        Ok(Self { name, direction, part, steps, atomic, done_before, doubtful, entry, recorded: recorded.is_some() })
    }

    /// Runs it and records it; says how long it took.
    pub(crate) async fn run(
        mut self,
        connection: &mut Connection,
        ledger: &Ledger,
        progress: &dyn Progress,
    ) -> Result<Duration> {
        let started = Instant::now();
        progress.migration_started(&MigrationStarted {
            migration: self.name.as_str(),
            down: self.direction == Direction::Down,
            statements: self.steps.len(),
            done_before: self.done_before,
        });
        if self.atomic && self.done_before == 0 {
            self.run_in_transaction(connection, ledger, progress, started).await?;
        } else {
            self.run_in_steps(connection, ledger, progress, started).await?;
        }
        let duration = started.elapsed();
        progress.migration_finished(self.name.as_str(), duration);
        Ok(duration)
    }

    async fn run_in_transaction(
        &mut self,
        connection: &mut Connection,
        ledger: &Ledger,
        progress: &dyn Progress,
        started: Instant,
    ) -> Result<()> {
        let mut transaction =
            connection.transaction().await.during(format_args!("begin the transaction of {}", self.name))?;
        for (at, step) in self.steps.iter().enumerate() {
            if let Err(error) = self.run_step(&mut transaction, at, step, progress).await {
                // The first failure is the one to tell of; the server rolls back in any case.
                undo(transaction).await;
                let hint = if wants_no_transaction(&error) {
                    "nothing of it was kept: this statement cannot run in a transaction; add a line \
                     `-- migrate:no-transaction` to the file"
                } else {
                    "nothing of it was kept: correct the file and run it again"
                };
                return Err(self.failure(at, error, hint));
            }
        }
        self.finish(&mut transaction, ledger, started).await?;
        transaction.commit().await.map_err(|error| {
            Error::new(ErrorKind::Statement, format!("{} could not be committed", self.name))
                .at(self.part.start())
                .with_source(error)
                .with_hint("nothing of it took effect, unless the connection was lost; `migrate status` tells")
        })
    }

    async fn run_in_steps(
        &mut self,
        connection: &mut Connection,
        ledger: &Ledger,
        progress: &dyn Progress,
        started: Instant,
    ) -> Result<()> {
        let mut chain = Chain::default();
        self.steps[..self.done_before].iter().for_each(|step| chain.add(&step.sql));
        let mut entry = Entry {
            state: match self.direction {
                Direction::Up => State::UpRunning,
                Direction::Down => State::DownRunning,
            },
            statements_done: count(self.done_before),
            done_checksum: chain.checksum(),
            error: None,
            ..self.entry.clone()
        };
        if self.recorded {
            ledger.update(connection, &entry).await?;
        } else {
            ledger.insert(connection, &entry).await?;
        }
        for (at, step) in self.steps.iter().enumerate().skip(self.done_before) {
            chain.add(&step.sql);
            entry.statements_done = count(at + 1);
            entry.done_checksum = chain.checksum();
            let outcome = self.run_recorded(connection, ledger, progress, &entry, at, step).await;
            match outcome {
                Ok(()) => {}
                Err(Failure::Record(error)) => return Err(error),
                Err(Failure::Statement(error)) => {
                    // A transaction that the file itself began is undone, and with it the record of its statements.
                    if !error.is_connection_lost() && connection.transaction_state() != TransactionState::Idle {
                        connection.execute("ROLLBACK", &[]).await.during("roll back what the file began")?;
                    }
                    return Err(self.record_failure(connection, ledger, entry, at, error, started).await);
                }
            }
        }
        if connection.transaction_state() != TransactionState::Idle {
            connection.execute("ROLLBACK", &[]).await.during("roll back what the file left open")?;
            let error = engine::Error::new(engine::ErrorKind::Statement, "the file leaves a transaction open")
                .with_hint("end it with COMMIT");
            let last = self.steps.len() - 1;
            return Err(self.record_failure(connection, ledger, entry, last, error, started).await);
        }
        self.recorded = true;
        self.finish(connection, ledger, started).await
    }

    /// Runs a statement and records it. Where it only changes rows both are one transaction: then a run that is cut off
    /// leaves no doubt about it.
    async fn run_recorded(
        &self,
        connection: &mut Connection,
        ledger: &Ledger,
        progress: &dyn Progress,
        entry: &Entry,
        at: usize,
        step: &Step,
    ) -> Result<(), Failure> {
        if connection.transaction_state() != TransactionState::Idle || !step.changes_rows() {
            self.run_step(connection, at, step, progress).await.map_err(Failure::Statement)?;
            return ledger.advance(connection, entry).await.map_err(Failure::Record);
        }
        let mut transaction = connection.transaction().await.map_err(Failure::Statement)?;
        let outcome = match self.run_step(&mut transaction, at, step, progress).await {
            Ok(()) => ledger.advance(&mut transaction, entry).await.map_err(Failure::Record),
            Err(error) => Err(Failure::Statement(error)),
        };
        match outcome {
            Ok(()) => transaction.commit().await.map_err(Failure::Statement),
            Err(failure) => {
                undo(transaction).await;
                Err(failure)
            }
        }
    }

    async fn run_step(
        &self,
        connection: &mut Connection,
        at: usize,
        step: &Step,
        progress: &dyn Progress,
    ) -> engine::Result<()> {
        let started = Instant::now();
        connection.script(&step.script()).await?;
        progress.statement_finished(&StatementFinished {
            migration: self.name.as_str(),
            number: at + 1,
            statements: self.steps.len(),
            sql: &step.sql,
            line: step.line,
            duration: started.elapsed(),
        });
        Ok(())
    }

    /// Writes the row of a part that took effect, or takes it away.
    async fn finish(&self, connection: &mut Connection, ledger: &Ledger, started: Instant) -> Result<()> {
        if self.direction == Direction::Down {
            return ledger.delete(connection, self.name.as_str()).await;
        }
        let mut chain = Chain::default();
        self.steps.iter().for_each(|step| chain.add(&step.sql));
        let entry = Entry {
            state: State::Applied,
            executed_at: Timestamp::now(),
            duration_ms: self.entry.duration_ms + millis(started),
            statements_done: count(self.steps.len()),
            done_checksum: chain.checksum(),
            error: None,
            ..self.entry.clone()
        };
        if self.recorded { ledger.update(connection, &entry).await } else { ledger.insert(connection, &entry).await }
    }

    /// Records that a statement failed, and says how to go on.
    async fn record_failure(
        &self,
        connection: &mut Connection,
        ledger: &Ledger,
        entry: Entry,
        at: usize,
        error: engine::Error,
        started: Instant,
    ) -> Error {
        let command = match self.direction {
            Direction::Up => "migrate",
            Direction::Down => "migrate rollback",
        };
        if self.doubtful && at == self.done_before {
            // That it fails now may be just because it took effect then: the row goes on saying that it was under way.
            let hint = format!(
                "it is in doubt still: if it took effect in the run that was cut off, go on after it with `{command} --in-doubt \
                 done`; if not, correct the file and run it again with `--in-doubt again`"
            );
            return self.failure(at, error, &hint);
        }
        let done = match self.write_failure(connection, ledger, entry, &error, started).await {
            Ok(done) => done,
            // The first failure is the one to tell of. With the connection gone there is nobody to write to: the row
            // says then that the statement was under way, which is the truth.
            Err(record) => {
                tracing::warn!(target: "dbkeep::migrate", error = %record, "a failed statement could not be recorded");
                let hint = format!("it could not be recorded how far it came: see `migrate status` before `{command}`");
                return self.failure(at, error, &hint);
            }
        };
        let hint = match self.steps.get(done) {
            Some(next) if done > 0 => format!(
                "{} before it took effect and {}: correct the file from line {} on, leave what is above it, and run \
                 `{command}` again, which goes on there",
                plural(done, "statement"),
                if done == 1 { "stays" } else { "stay" },
                next.line,
            ),
            _ => format!("nothing of it took effect: correct the file and run `{command}` again"),
        };
        self.failure(at, error, &hint)
    }

    /// Writes a failure into the migration's row; says how many statements took effect and stay.
    async fn write_failure(
        &self,
        connection: &mut Connection,
        ledger: &Ledger,
        mut entry: Entry,
        error: &engine::Error,
        started: Instant,
    ) -> Result<usize> {
        // What the row says, not what we counted: a transaction of the file's own may have been undone.
        let row = ledger.read(connection).await?.into_iter().find(|row| row.migration == entry.migration);
        let done = row.map_or(0, |row| row.statements_done);
        match self.direction {
            Direction::Up if done == 0 => ledger.delete(connection, &entry.migration).await?,
            Direction::Down if done == 0 => ledger.update(connection, &self.entry).await?,
            direction => {
                entry.state = match direction {
                    Direction::Up => State::UpFailed,
                    Direction::Down => State::DownFailed,
                };
                if direction == Direction::Up {
                    entry.duration_ms += millis(started);
                }
                entry.error = Some(error.to_string().chars().take(1000).collect());
                ledger.fail(connection, &entry).await?;
            }
        }
        Ok(usize::try_from(done).unwrap_or(0))
    }

    /// The error of a statement, with its place in the file; what the server advises comes before what we do.
    fn failure(&self, at: usize, error: engine::Error, hint: &str) -> Error {
        let message = format!(
            "{}{} failed at statement {} of {}",
            if self.direction == Direction::Down { "the rollback of " } else { "" },
            self.name,
            at + 1,
            self.steps.len()
        );
        let hint = error.hint().map_or_else(|| hint.to_owned(), |advice| format!("{advice}; {hint}"));
        let location = self.part.location(&self.steps[at], error.position());
        Error::new(ErrorKind::Statement, message).at(location).with_hint(hint).with_source(error)
    }
}

/// Rolls back after a failure that is told of elsewhere.
async fn undo(transaction: Transaction<'_>) {
    if let Err(error) = transaction.rollback().await {
        // Some servers end a transaction on their own after an error; then there is nothing to undo.
        tracing::debug!(target: "dbkeep::migrate", %error, "a rollback after a failed statement failed");
    }
}

/// Whether a statement was refused for being in a transaction: SQLSTATE 25001, or the words of engines without one.
fn wants_no_transaction(error: &engine::Error) -> bool {
    error.code() == Some("25001") || error.message().contains("within a transaction")
}

/// What a task needs to know of the server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) lexicon: Lexicon,
    pub(crate) transactional_ddl: bool,
}

impl Server {
    pub(crate) fn of(connection: &Connection) -> Self {
        Self {
            lexicon: connection.dialect().lexicon(),
            transactional_ddl: connection.server().capabilities.transactional_ddl,
        }
    }
}

/// What failed of a recorded statement.
enum Failure {
    Statement(engine::Error),
    Record(Error),
}

impl State {
    /// Whether a part in this direction did not come to its end.
    fn is_halfway(self, direction: Direction) -> bool {
        match direction {
            Direction::Up => matches!(self, State::UpRunning | State::UpFailed),
            Direction::Down => matches!(self, State::DownRunning | State::DownFailed),
        }
    }
}

/// How many statements of a part that stopped halfway need not run again.
fn resume(name: &Name, part: &Part, steps: &[Step], row: &Entry, in_doubt: Option<InDoubt>) -> Result<usize> {
    let done = usize::try_from(row.statements_done).unwrap_or(0);
    let mut chain = Chain::default();
    steps.iter().take(done).for_each(|step| chain.add(&step.sql));
    if done > 0 && (done > steps.len() || chain.checksum() != row.done_checksum) {
        return Err(Error::new(
            ErrorKind::Drift,
            format!(
                "the first {} of {name} took effect, and the file has changed there since",
                plural(done, "statement")
            ),
        )
        .at(part.start())
        .with_hint("put them back as they were; what follows them may be changed"));
    }
    match (is_cut_off(row), steps.get(done), in_doubt) {
        (false, ..) | (true, None, _) | (true, _, Some(InDoubt::Again)) => Ok(done),
        (true, Some(_), Some(InDoubt::Done)) => Ok(done + 1),
        (true, Some(step), None) => Err(Error::new(
            ErrorKind::Unfinished,
            format!(
                "statement {} of {} of {name} was under way when an earlier run was cut off, and may have taken effect",
                done + 1,
                steps.len()
            ),
        )
        .at(part.location(step, None))
        .with_hint(
            "look in the database: if it took effect, go on after it with `--in-doubt done`, if not, run it again with \
             `--in-doubt again`",
        )),
    }
}

/// Whether a statement was under way when the run ended.
fn is_cut_off(row: &Entry) -> bool {
    matches!(row.state, State::UpRunning | State::DownRunning)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn millis(started: Instant) -> i64 {
    i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX)
}

fn plural(number: usize, noun: &str) -> String {
    if number == 1 { format!("{number} {noun}") } else { format!("{number} {noun}s") }
}
