//! What a run would do, decided from the files and the ledger alone.

use super::ledger::{Entry, State};
use super::{Drift, Error, ErrorKind, Migration, Result};
use std::collections::HashMap;

/// What to apply.
///
/// ```
/// use dbkeep::migrate::Up;
///
/// let everything = Up::default();
/// let carefully = Up::default().steps(1);
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Up {
    /// Up to this migration and no further: its name, its time, or the part of its name after the time.
    pub to: Option<String>,
    /// At most so many.
    pub steps: Option<usize>,
    /// Which disagreements between files and ledger to accept.
    pub allow: Allow,
    /// What is known about a statement that was under way when an earlier run was cut off.
    pub in_doubt: Option<InDoubt>,
}

impl Up {
    /// Up to this migration and no further.
    #[must_use]
    pub fn to(mut self, migration: impl Into<String>) -> Self {
        self.to = Some(migration.into());
        self
    }

    /// At most so many.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = Some(steps);
        self
    }

    /// Accepts these disagreements between files and ledger.
    #[must_use]
    pub fn allow(mut self, allow: Allow) -> Self {
        self.allow = allow;
        self
    }

    /// Says what became of the statement that was under way when an earlier run was cut off.
    #[must_use]
    pub fn in_doubt(mut self, in_doubt: InDoubt) -> Self {
        self.in_doubt = Some(in_doubt);
        self
    }
}

/// Which disagreements between files and ledger to accept. By default none: each is an error that names the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Allow {
    /// A file was changed after it was applied.
    pub changed: bool,
    /// The file of an applied migration is gone.
    pub missing: bool,
    /// A pending migration is older than one that was applied.
    pub out_of_order: bool,
}

impl Allow {
    /// Accepts every disagreement.
    pub fn everything() -> Self {
        Self { changed: true, missing: true, out_of_order: true }
    }

    /// Accepts pending migrations that are older than applied ones.
    #[must_use]
    pub fn out_of_order(mut self) -> Self {
        self.out_of_order = true;
        self
    }
}

/// What became of the statement that was under way when a run was cut off (killed, connection lost, cancelled). The
/// ledger cannot know it; whoever looked at the database can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InDoubt {
    /// It took effect: go on with the next.
    Done,
    /// It did not: run it again.
    Again,
}

/// What to roll back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rollback {
    /// How much of it.
    pub scope: Scope,
    /// What is known about a statement that was under way when an earlier run was cut off.
    pub in_doubt: Option<InDoubt>,
}

/// How much to roll back, from the last applied migration backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// So many migrations.
    Steps(usize),
    /// Everything the last run applied.
    Batch,
    /// Everything.
    All,
}

impl Rollback {
    /// The last so many migrations.
    pub fn steps(steps: usize) -> Self {
        Self { scope: Scope::Steps(steps), in_doubt: None }
    }

    /// Everything the last run applied.
    pub fn batch() -> Self {
        Self { scope: Scope::Batch, in_doubt: None }
    }

    /// Everything.
    pub fn all() -> Self {
        Self { scope: Scope::All, in_doubt: None }
    }

    /// Says what became of the statement that was under way when an earlier run was cut off.
    #[must_use]
    pub fn in_doubt(mut self, in_doubt: InDoubt) -> Self {
        self.in_doubt = Some(in_doubt);
        self
    }
}

/// The pending migrations to apply, in order, as positions in `files`.
pub(crate) fn pending(files: &[Migration], ledger: &[Entry], up: &Up) -> Result<Vec<usize>> {
    if let Some(entry) = ledger.iter().find(|e| matches!(e.state, State::DownRunning | State::DownFailed)) {
        return Err(Error::new(ErrorKind::Unfinished, format!("{} is rolled back halfway", entry.migration))
            .with_hint("go on with `migrate rollback`"));
    }
    refuse_drift(files, ledger, up.allow)?;
    let applied: HashMap<&str, State> = ledger.iter().map(|e| (e.migration.as_str(), e.state)).collect();
    let is_pending = |m: &Migration| applied.get(m.name.as_str()) != Some(&State::Applied);
    let last = match &up.to {
        Some(wanted) => find(files, wanted)?,
        None => files.len(),
    };
    let wanted = files.iter().enumerate().filter(|(at, migration)| *at <= last && is_pending(migration));
    Ok(wanted.map(|(at, _)| at).take(up.steps.unwrap_or(usize::MAX)).collect())
}

/// The position of the migration with this name, time or title.
fn find(files: &[Migration], wanted: &str) -> Result<usize> {
    let fits = |m: &Migration| [m.name.as_str(), m.name.version(), m.name.title()].contains(&wanted);
    let mut found = files.iter().enumerate().filter(|(_, migration)| fits(migration));
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Ok(at),
        (None, _) => Err(Error::new(ErrorKind::Target, format!("there is no migration {wanted:?}"))
            .with_hint("`migrate status` lists them")),
        (Some((_, one)), Some((_, other))) => {
            Err(Error::new(ErrorKind::Target, format!("several migrations are called {wanted:?}"))
                .with_hint(format!("give the whole name: {} or {}", one.name, other.name)))
        }
    }
}

/// How each migration's file and row disagree, by name.
pub(crate) fn drift<'a>(files: &'a [Migration], ledger: &'a [Entry]) -> Vec<(&'a str, Drift)> {
    let checksums: HashMap<&str, &str> = files.iter().map(|m| (m.name.as_str(), m.checksum.as_str())).collect();
    let rows: HashMap<&str, State> = ledger.iter().map(|e| (e.migration.as_str(), e.state)).collect();
    let applied = ledger.iter().filter(|entry| entry.state == State::Applied);
    let newest = applied.clone().map(|entry| entry.migration.as_str()).max();
    let of_rows = ledger.iter().filter_map(|entry| match checksums.get(entry.migration.as_str()) {
        None => Some((entry.migration.as_str(), Drift::Missing)),
        // Of an unfinished one the rest of the file may and often must be changed.
        Some(checksum) if entry.state == State::Applied && *checksum != entry.checksum => {
            Some((entry.migration.as_str(), Drift::Changed))
        }
        Some(_) => None,
    });
    let of_files = files.iter().map(|m| m.name.as_str()).filter_map(|name| {
        (!rows.contains_key(name) && newest.is_some_and(|newest| name < newest)).then_some((name, Drift::OutOfOrder))
    });
    of_rows.chain(of_files).collect()
}

fn refuse_drift(files: &[Migration], ledger: &[Entry], allow: Allow) -> Result<()> {
    let found = drift(files, ledger);
    for (kind, allowed, what, hint) in [
        (
            Drift::Changed,
            allow.changed,
            "changed after it was applied",
            "put the file back as it was and make the change in a new migration, or allow it (--allow-changed)",
        ),
        (
            Drift::Missing,
            allow.missing,
            "was applied, and its file is gone",
            "put the file back (is this the branch that was deployed?), or allow it (--allow-missing)",
        ),
        (
            Drift::OutOfOrder,
            allow.out_of_order,
            "is older than a migration that was applied",
            "rename it to a later time, or allow it to run now (--allow-out-of-order)",
        ),
    ] {
        let names: Vec<&str> =
            found.iter().filter(|(_, drift)| *drift == kind && !allowed).map(|(name, _)| *name).collect();
        let Some((first, more)) = names.split_first() else { continue };
        let others = if more.is_empty() { String::new() } else { format!("; so with {}", more.join(", ")) };
        return Err(Error::new(ErrorKind::Drift, format!("{first} {what}{others}")).with_hint(hint));
    }
    Ok(())
}

/// The migrations to roll back, the last applied first, as positions in `ledger` and `files`.
pub(crate) fn rollback(files: &[Migration], ledger: &[Entry], scope: Scope) -> Result<Vec<(usize, usize)>> {
    if let Some(entry) = ledger.iter().find(|e| matches!(e.state, State::UpRunning | State::UpFailed)) {
        return Err(Error::new(ErrorKind::Unfinished, format!("{} is applied halfway", entry.migration)).with_hint(
            "finish it with `migrate` first; statements of it that did not run yet may be taken out of its file",
        ));
    }
    let last_batch = ledger.iter().map(|entry| entry.batch).max();
    let mut rows: Vec<usize> = (0..ledger.len()).collect();
    rows.sort_by_key(|at| std::cmp::Reverse(ledger[*at].id));
    match scope {
        Scope::Steps(steps) => rows.truncate(steps),
        Scope::Batch => rows.retain(|at| Some(ledger[*at].batch) == last_batch),
        Scope::All => {}
    }
    let mut found = Vec::new();
    for row in rows {
        let name = ledger[row].migration.as_str();
        let Some(file) = files.iter().position(|migration| migration.name.as_str() == name) else {
            return Err(Error::new(ErrorKind::NoDown, format!("{name} cannot be rolled back: its file is gone"))
                .with_hint("put the file back; nothing was rolled back"));
        };
        if files[file].down.is_none() {
            return Err(Error::new(ErrorKind::NoDown, format!("{name} cannot be rolled back: it has no down part"))
                .at(files[file].up.start())
                .with_hint("add the statements that undo it after a line `-- migrate:down`; nothing was rolled back"));
        }
        found.push((row, file));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::source::embedded;
    use super::*;

    const SQL: &str = "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n";
    const A: &str = "2026_01_01_000000_a";
    const B: &str = "2026_01_02_000000_b";
    const C: &str = "2026_01_03_000000_c";

    fn files(names: &[&str]) -> Vec<Migration> {
        let names: Vec<_> = names.iter().map(|name| format!("{name}.sql")).collect();
        embedded(&names.iter().map(|name| (name.as_str(), SQL)).collect::<Vec<_>>()).unwrap()
    }

    fn applied(files: &[Migration], names: &[(&str, i64)]) -> Vec<Entry> {
        let checksum = files.first().map_or("", |m| m.checksum.as_str());
        let entry = |(at, (name, batch)): (usize, &(&str, i64))| Entry::applied(at as i64 + 1, *batch, name, checksum);
        names.iter().enumerate().map(entry).collect()
    }

    fn error<T: std::fmt::Debug>(result: Result<T>) -> String {
        let error = result.unwrap_err();
        format!("{error} | {}", error.hint().unwrap_or("-"))
    }

    #[test]
    fn what_is_not_in_the_ledger_is_pending_in_the_order_of_names() {
        let all = files(&[C, A, B]);
        assert_eq!(pending(&all, &[], &Up::default()).unwrap(), [0, 1, 2]);
        let ledger = applied(&all, &[(A, 1)]);
        assert_eq!(pending(&all, &ledger, &Up::default()).unwrap(), [1, 2]);
        assert_eq!(pending(&all, &ledger, &Up::default().steps(1)).unwrap(), [1]);
        for to in [B, "b", "2026_01_02_000000"] {
            assert_eq!(pending(&all, &[], &Up::default().to(to)).unwrap(), [0, 1]);
        }
        assert!(pending(&all, &ledger, &Up::default().to("a")).unwrap().is_empty());
        assert_eq!(
            error(pending(&all, &ledger, &Up::default().to("d"))),
            "there is no migration \"d\" | `migrate status` lists them"
        );
    }

    #[test]
    fn files_and_ledger_that_disagree_are_named_and_refused() {
        let all = files(&[A, B, C]);
        let mut ledger = applied(&all, &[(A, 1), (B, 1)]);
        ledger[1].checksum = "other".to_owned();
        assert_eq!(
            error(pending(&all, &ledger, &Up::default())),
            "2026_01_02_000000_b changed after it was applied | put the file back as it was and make the change in a new \
             migration, or allow it (--allow-changed)"
        );
        let ledger = applied(&all, &[(B, 1), (A, 1)]);
        assert_eq!(
            error(pending(&files(&[C]), &ledger, &Up::default())),
            "2026_01_02_000000_b was applied, and its file is gone; so with 2026_01_01_000000_a | put the file back (is this \
             the branch that was deployed?), or allow it (--allow-missing)"
        );
        let ledger = applied(&all, &[(B, 1)]);
        assert_eq!(
            error(pending(&all, &ledger, &Up::default())),
            "2026_01_01_000000_a is older than a migration that was applied | rename it to a later time, or allow it to run now \
             (--allow-out-of-order)"
        );
        let up = Up::default().allow(Allow::default().out_of_order());
        assert_eq!(pending(&all, &ledger, &up).unwrap(), [0, 2]);
    }

    #[test]
    fn a_rollback_goes_back_in_the_order_of_application() {
        let all = files(&[A, B, C]);
        let ledger = applied(&all, &[(B, 1), (A, 2), (C, 2)]);
        let names = |scope| -> Vec<String> {
            let found = rollback(&all, &ledger, scope).unwrap();
            found.into_iter().map(|(_, file)| all[file].name.title().to_owned()).collect()
        };
        assert_eq!(names(Scope::Steps(1)), ["c"]);
        assert_eq!(names(Scope::Steps(9)), ["c", "a", "b"]);
        assert_eq!(names(Scope::Batch), ["c", "a"]);
        assert_eq!(names(Scope::All), ["c", "a", "b"]);
        assert!(rollback(&all, &[], Scope::All).unwrap().is_empty());
    }

    #[test]
    fn a_rollback_that_cannot_go_all_the_way_does_not_begin() {
        let mut all = files(&[A, B]);
        all[0].down = None;
        let ledger = applied(&all, &[(A, 1), (B, 1)]);
        assert_eq!(
            error(rollback(&all, &ledger, Scope::All)),
            "2026_01_01_000000_a.sql:2:1: 2026_01_01_000000_a cannot be rolled back: it has no down part | add the statements that \
             undo it after a line `-- migrate:down`; nothing was rolled back"
        );
        assert_eq!(
            error(rollback(&all[..1], &ledger, Scope::All)),
            "2026_01_02_000000_b cannot be rolled back: its file is gone | put the file back; nothing was rolled back"
        );
    }

    #[test]
    fn an_unfinished_migration_blocks_the_other_way() {
        let all = files(&[A, B]);
        let mut ledger = applied(&all, &[(A, 1)]);
        ledger[0].state = State::UpFailed;
        assert_eq!(pending(&all, &ledger, &Up::default()).unwrap(), [0, 1]);
        assert_eq!(
            error(rollback(&all, &ledger, Scope::All)),
            "2026_01_01_000000_a is applied halfway | finish it with `migrate` first; statements of it that did not run yet may \
             be taken out of its file"
        );
        ledger[0].state = State::DownRunning;
        assert_eq!(
            error(pending(&all, &ledger, &Up::default())),
            "2026_01_01_000000_a is rolled back halfway | go on with `migrate rollback`"
        );
    }
}
