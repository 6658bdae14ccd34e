//! Where a connection stands, and how it finds back: after dropped futures, dropped transactions and failed statements.

use crate::ending::{Ending, Fate};
use crate::watch::Watcher;
use crate::{Connection, Error, ErrorKind, Result, TransactionState};
use std::time::Instant;

/// What the connection remembers between two calls. Whether a transaction is open is not here: the server says that.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Set while an answer is outstanding. Found set, it tells of a dropped future.
    pub(crate) in_flight: bool,
    /// An error came whose effect on the transaction was not looked at yet.
    pub(crate) shaken: bool,
    /// Levels open: 1 is the transaction, each further one a savepoint.
    pub(crate) depth: u32,
    /// The outermost level that was dropped without an end.
    pub(crate) abandoned: Option<u32>,
    /// The server rolled the open transaction back after an error; its statements must not go on outside of it.
    pub(crate) undone: bool,
    /// What ended the open transaction: COMMIT as text, or a schema change on servers that commit before it. Its further
    /// statements must not go on outside of it.
    pub(crate) ended: Option<Ending>,
    /// What the statement under way, or the last one, may do to the open transaction.
    pub(crate) ending: Option<Ending>,
    /// Several statements that count as one are under way: the first may end the transaction, and the rest is to follow.
    pub(crate) together: bool,
    /// An error of the open transaction said that running it again may help.
    pub(crate) retry_may_help: bool,
    pub(crate) broken: bool,
    /// What puts the session back after a change of the schema whose future was dropped.
    pub(crate) restore: Option<&'static str>,
    /// When the server last answered, with an error or without.
    pub(crate) answered: Option<Instant>,
}

impl Standing {
    /// Takes note of an error.
    pub(crate) fn failed(&mut self, error: &Error) {
        // What failed does not do to the transaction what its text says, but for what the server commits before it begins.
        // After a deadlock the server has rolled back, whatever it was.
        if error.is_retryable() || error.is_timeout() {
            self.ending = None;
        }
        self.ending =
            self.ending.take().filter(|ending| ending.implicit || ending.among_others || ending.fate == Fate::Unclear);
        if !error.is_connection_lost() {
            self.answered = Some(Instant::now());
        }
        self.broken |= error.is_connection_lost();
        self.retry_may_help |= error.is_retryable();
        self.shaken = true;
    }
}

impl Connection {
    /// Makes sure that a statement may run now, and that it runs in the transaction it is meant for.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        self.clean_up().await?;
        if self.standing.undone {
            return Err(Error::new(
                ErrorKind::Statement,
                "the server rolled this transaction back after an earlier error",
            )
            .with_hint("end it and run the whole transaction again"));
        }
        if self.standing.ended.is_none() && self.is_transaction_gone() {
            // A stream, which tells of its end when nobody listens.
            self.standing.ended = Some(self.standing.ending.take().unwrap_or_else(Ending::unknown));
        }
        match &self.standing.ended {
            Some(ending) if !self.standing.together => Err(Error::new(
                ErrorKind::Statement,
                format!("not run: its transaction was ended by {}; {}", ending.statement, ending.told()),
            )
            .with_hint(ending.hint())),
            _ => Ok(()),
        }
    }

    /// Takes note of what is about to be sent.
    pub(crate) fn sends(&mut self, sql: &str) {
        if self.standing.depth > 0 {
            let commits_first = !self.server().capabilities.transactional_ddl;
            self.standing.ending = Ending::of(sql, || self.driver.dialect().lexicon(), commits_first);
        }
        self.standing.in_flight = true;
    }

    /// Takes note of an answer.
    pub(crate) fn landed<T>(&mut self, outcome: Result<T>) -> Result<T> {
        self.standing.in_flight = false;
        self.tell_lock_wait();
        match &outcome {
            Err(error) => {
                self.standing.failed(error);
                self.look_again();
            }
            Ok(_) => {
                self.standing.answered = Some(Instant::now());
                let ending = self.standing.ending.take();
                let begins_another = ending.as_ref().is_some_and(|ending| ending.begins_another);
                let gone = self.is_transaction_gone() || self.standing.depth > 0 && begins_another;
                if gone && !self.standing.undone && self.standing.ended.is_none() {
                    self.standing.ended = Some(ending.unwrap_or_else(Ending::unknown));
                }
            }
        }
        outcome
    }

    /// Cleans up after dropped futures and transactions.
    pub(crate) async fn clean_up(&mut self) -> Result<()> {
        if self.standing.broken {
            return Err(given_up());
        }
        if self.standing.in_flight {
            if let Err(error) = self.driver.recover().await {
                self.standing.broken = true;
                return Err(error);
            }
            self.standing.in_flight = false;
            self.standing.shaken = true;
        }
        if self.standing.shaken {
            self.look_again();
        }
        if let Some(level) = self.standing.abandoned {
            self.unwind(level).await?;
        }
        self.restore().await
    }

    /// After an error or an interruption: does the transaction still stand?
    fn look_again(&mut self) {
        let ending = self.standing.ending.take();
        if self.is_transaction_gone() && !self.standing.undone && self.standing.ended.is_none() {
            self.standing.undone = ending.is_none();
            self.standing.ended = ending;
        }
        self.standing.shaken = false;
    }

    fn is_transaction_gone(&self) -> bool {
        self.standing.depth > 0 && self.driver.transaction_state() == TransactionState::Idle
    }

    /// Rolls back to before `level` was entered.
    async fn unwind(&mut self, level: u32) -> Result<()> {
        // Until it is done, a dropped future leaves it to be done again: rolling back twice does no harm.
        self.standing.abandoned = Some(level);
        let open =
            self.driver.transaction_state() != TransactionState::Idle && (level <= 1 || self.standing.ended.is_none());
        if level <= 1 {
            if open {
                self.run("ROLLBACK").await?;
            }
            (self.standing.undone, self.standing.ended) = (false, None);
        } else if open {
            let name = savepoint(level);
            if let Err(error) = self.run(&format!("ROLLBACK TO SAVEPOINT {name}")).await {
                if self.standing.broken {
                    return Err(error);
                }
                // The savepoint is not there: its release was interrupted, too late to stop it. What it protected cannot
                // be told from the rest any more, so that nothing of the transaction may be kept.
                tracing::debug!(%error, "a savepoint cannot be rolled back to, so the whole transaction is");
                self.run("ROLLBACK").await?;
                self.standing.undone = true;
            }
        }
        self.standing.abandoned = None;
        self.standing.depth = level.saturating_sub(1);
        if level > 1 && open && !self.standing.undone {
            // Only now: whether an interrupted release took place does not matter, since a name used again hides the old.
            self.run(&format!("RELEASE SAVEPOINT {}", savepoint(level))).await?;
        }
        Ok(())
    }

    /// Ends the transaction or savepoint of this level.
    pub(crate) async fn leave(&mut self, level: u32, commit: bool, watcher: Watcher) -> Result<()> {
        self.clean_up().await?;
        let below = level - 1;
        if self.standing.depth < level {
            return Err(Error::new(ErrorKind::Statement, "the transaction ended when the connection was reset"));
        }
        if self.standing.undone {
            self.standing.depth = below;
            self.standing.undone = below > 0;
            return match commit {
                true => Err(Error::new(
                    ErrorKind::Statement,
                    "nothing was committed: the server had rolled this transaction back after an earlier error",
                )
                .with_hint("run the whole transaction again")),
                false => Ok(()),
            };
        }
        if self.standing.ended.is_some() || self.driver.transaction_state() == TransactionState::Idle {
            let ending = self.standing.ended.clone().unwrap_or_else(Ending::unknown);
            if level == 1 {
                // Nor may what a statement began in its place be taken for it.
                self.unwind(level).await?;
            } else {
                self.standing.depth = below;
                self.standing.ended = Some(ending.clone());
            }
            return Err(left_early(&ending, commit));
        }
        if !commit {
            let sql =
                if level == 1 { "ROLLBACK".to_owned() } else { format!("ROLLBACK TO SAVEPOINT {}", savepoint(level)) };
            let watch = watcher.started(&sql);
            let outcome = self.unwind(level).await;
            watch.ended(&outcome, |()| 0);
            return outcome;
        }
        if self.driver.transaction_state() == TransactionState::Failed {
            // PostgreSQL answers COMMIT of a failed transaction with a rollback and no error.
            self.unwind(level).await?;
            return Err(Error::new(
                ErrorKind::Statement,
                "the transaction had failed and was rolled back instead of committed",
            )
            .with_hint("end a transaction after the first error that it does not expect"));
        }
        let sql = if level == 1 { "COMMIT".to_owned() } else { format!("RELEASE SAVEPOINT {}", savepoint(level)) };
        let watch = watcher.started(&sql);
        let outcome = self.run(&sql).await;
        watch.ended(&outcome, |()| 0);
        outcome?;
        self.standing.depth = below;
        Ok(())
    }

    /// Remembers that this level was dropped without an end.
    pub(crate) fn abandon(&mut self, level: u32) {
        let standing = &mut self.standing;
        if standing.depth >= level {
            standing.abandoned = Some(standing.abandoned.map_or(level, |outer| outer.min(level)));
        }
    }

    /// Runs a statement of our own.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<()> {
        self.standing.in_flight = true;
        let outcome = self.driver.script(sql).await;
        self.standing.in_flight = false;
        self.tell_lock_wait();
        if let Err(error) = &outcome {
            self.standing.failed(error);
            self.look_again();
        }
        outcome
    }
}

pub(crate) fn savepoint(level: u32) -> String {
    format!("dbkeep_{level}")
}

/// What to say at the end of a transaction that a statement ended before.
fn left_early(ending: &Ending, commit: bool) -> Error {
    let what = if commit { "nothing is left to commit" } else { "nothing is left to roll back" };
    let Ending { statement, .. } = ending;
    Error::new(
        ErrorKind::Statement,
        format!("{what}: the transaction was ended before, by {statement}; {}", ending.told()),
    )
    .with_hint(ending.hint())
}

fn given_up() -> Error {
    Error::new(
        ErrorKind::ConnectionLost,
        "this connection was given up after an earlier error or a cancelled statement",
    )
    .with_hint("open a new connection")
}

#[cfg(test)]
mod tests;
