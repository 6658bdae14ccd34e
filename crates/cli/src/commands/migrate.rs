//! `dbkeep migrate …`

use super::backup::before_migrating;
use super::{Context, with_open};
use crate::args::{InDoubtArg, Migrate, MigrateCommand, MigrateCreate, MigrateRollback, MigrateStatus, MigrateUp};
use crate::config::{Config, Environment};
use crate::confirm::confirm;
use crate::error::{Error, Location, Result};
use crate::exit_code::ExitCode;
use crate::output::Output;
use crate::table::{counted, duration, milliseconds, number, table};
use comfy_table::Cell;
use dbkeep::Ident;
use dbkeep::migrate::{
    Allow, ErrorKind, InDoubt, MigrationStarted, Migrator, Plan, Progress, Report, Rollback, StatementFinished, Status,
    Up, create,
};
use jiff::Timestamp;
use owo_colors::OwoColorize;
use serde_json::json;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) async fn run(context: &Context, args: Migrate) -> Result<ExitCode> {
    match args.command {
        None => up(context, &args.up).await,
        Some(MigrateCommand::Up(args)) => up(context, &args).await,
        Some(MigrateCommand::Rollback(args)) => rollback(context, &args).await,
        Some(MigrateCommand::Status(args)) => status(context, &args).await,
        Some(MigrateCommand::Create(args)) => create_file(context, &args),
    }
}

impl From<dbkeep::migrate::Error> for Error {
    fn from(error: dbkeep::migrate::Error) -> Self {
        let below = error.engine().map(|engine| Error::from(dbkeep::engine::Error::new(engine.kind(), "")).code);
        let code = match error.kind() {
            ErrorKind::Locked => ExitCode::Locked,
            ErrorKind::Target => ExitCode::Usage,
            ErrorKind::Drift | ErrorKind::Unfinished | ErrorKind::NoDown | ErrorKind::Exists => ExitCode::Refused,
            _ => below.unwrap_or(ExitCode::Failed),
        };
        let mut out = Error::new(code, error.message());
        out.hint = error.hint().map(str::to_owned);
        out.location = error.location().map(place).map(Box::new);
        match std::error::Error::source(&error) {
            Some(source) => out.caused_by(source),
            None => out,
        }
    }
}

fn place(at: &dbkeep::migrate::Location) -> Location {
    Location { file: at.file.display().to_string(), line: at.line, column: at.column, text: Some(at.text.clone()) }
}

impl From<InDoubtArg> for InDoubt {
    fn from(argument: InDoubtArg) -> Self {
        match argument {
            InDoubtArg::Done => InDoubt::Done,
            InDoubtArg::Again => InDoubt::Again,
        }
    }
}

/// The migrator of a configuration, and what it shows of a run.
pub(super) fn migrator(context: &Context, config: &Config) -> Result<(Migrator, Arc<Shown>)> {
    let folder = &config.migrations.dir;
    if !folder.is_dir() {
        return Err(Error::configuration(format!("there is no folder {}", folder.display()))
            .hint("dbkeep init makes one, and migrations.dir in dbkeep.toml says where it is"));
    }
    let ledger = Ident::new(&config.migrations.table)
        .map_err(|error| Error::configuration("migrations.table is wrong").caused_by(&error))?;
    let user = config.variables.get("USER").or_else(|| config.variables.get("LOGNAME")).unwrap_or("unknown");
    let migrator = Migrator::from_directory(folder);
    // How long a statement waits for a lock is also how long a run waits for another one.
    let migrator = match config.settings()?.options.session.lock_timeout {
        Some(wait) => migrator.lock_timeout(wait),
        None => migrator,
    };
    let shown = Arc::new(Shown { output: context.output, took: Mutex::default() });
    let migrator = migrator.table(ledger).executed_by(format!("{user}@{}", super::hostname())).progress(shown.clone());
    Ok((migrator, shown))
}

/// Shows how a run goes on.
pub(super) struct Shown {
    output: Output,
    /// How long its migrations took, all in all.
    took: Mutex<Duration>,
}

impl Shown {
    fn took(&self) -> Duration {
        *self.took.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Shown {
    fn waiting(&self, holder: Option<&str>) {
        let holder = holder.map(|holder| format!(", held by {holder}")).unwrap_or_default();
        self.output.note(format_args!("waiting for another run to end{holder}"));
    }

    fn migration_started(&self, migration: &MigrationStarted<'_>) {
        if migration.done_before > 0 {
            self.output.note(format_args!(
                "{}: going on after statement {} of {}",
                migration.migration, migration.done_before, migration.statements
            ));
        }
    }

    fn statement_finished(&self, statement: &StatementFinished<'_>) {
        if self.output.verbose > 0 {
            let first = statement.sql.lines().next().unwrap_or("");
            self.output.note(format_args!(
                "  {}/{} line {}: {} {}",
                statement.number,
                statement.statements,
                statement.line,
                first.dimmed(),
                duration(statement.duration)
            ));
        }
    }

    fn migration_finished(&self, migration: &str, took: Duration) {
        *self.took.lock().unwrap_or_else(PoisonError::into_inner) += took;
        self.output.note(format_args!("{} {migration} {}", "✓".green(), duration(took).dimmed()));
    }
}

async fn up(context: &Context, args: &MigrateUp) -> Result<ExitCode> {
    let config = context.config()?;
    let (migrator, shown) = migrator(context, &config)?;
    let mut options = Up::default();
    options.to = args.to.clone();
    options.steps = args.steps.map(|steps| steps as usize);
    let mut allow = Allow::default();
    allow.out_of_order = args.allow_out_of_order;
    allow.changed = args.allow_changed;
    allow.missing = args.allow_missing;
    options.allow = allow;
    options.in_doubt = args.in_doubt.in_doubt.map(InDoubt::from);
    with_open(context, config.settings()?.clone(), async |database| {
        let mut connection = database.acquire().await?;
        // Only where it is needed: the run itself plans under the lock, after another run has ended.
        if args.dry_run || args.backup {
            let plan = migrator.plan(&mut connection, &options).await?;
            if args.dry_run {
                return print_plan(context, &plan);
            }
            if !plan.migrations.is_empty() {
                before_migrating(context, &config).await?;
            }
        }
        let report = migrator.up(&mut connection, &options).await?;
        drop(connection);
        print_report(context, &report, shown.took(), "applied", "nothing to migrate")
    })
    .await?;
    Ok(ExitCode::Done)
}

async fn rollback(context: &Context, args: &MigrateRollback) -> Result<ExitCode> {
    let config = context.config()?;
    let (migrator, shown) = migrator(context, &config)?;
    let mut options = match (args.all, args.batch) {
        (true, _) => Rollback::all(),
        (_, true) => Rollback::batch(),
        _ => Rollback::steps(args.steps as usize),
    };
    options.in_doubt = args.in_doubt.in_doubt.map(InDoubt::from);
    with_open(context, config.settings()?.clone(), async |database| {
        let mut connection = database.acquire().await?;
        // Asked in production, and for more than one step: a single rollback is everyday work in development.
        let always = config.environment == Environment::Production || args.all || args.batch;
        if args.dry_run || always || args.steps > 1 {
            let plan = migrator.plan_rollback(&mut connection, &options).await?;
            if args.dry_run {
                return print_plan(context, &plan);
            }
            let names: Vec<_> = plan.migrations.iter().map(|migration| migration.migration.as_str()).collect();
            if names.len() > 1 || (always && !names.is_empty()) {
                let what = format!("undo {}", names.join(", "));
                confirm(&context.output, &config, &context.consent, &what, &super::database_name(&config)?)?;
            }
        }
        let report = migrator.rollback(&mut connection, &options).await?;
        drop(connection);
        print_report(context, &report, shown.took(), "undone", "nothing to undo")
    })
    .await?;
    Ok(ExitCode::Done)
}

fn print_plan(context: &Context, plan: &Plan) -> Result<()> {
    if context.output.json {
        return context.output.document(&plan.migrations);
    }
    if plan.migrations.is_empty() {
        context.output.line("nothing to do");
    }
    for migration in &plan.migrations {
        let transaction =
            if migration.transaction { "in one transaction" } else { "statement by statement, no transaction" };
        context.output.line(format_args!("-- {} ({transaction})", migration.migration));
        for statement in &migration.statements {
            context.output.line(format_args!("{};", statement.sql.trim_end().trim_end_matches(';')));
        }
        context.output.line("");
    }
    Ok(())
}

fn print_report(context: &Context, report: &Report, took: Duration, done: &str, nothing: &str) -> Result<()> {
    if context.output.json {
        return context.output.document(report);
    }
    match report.migrations.len() {
        0 => context.output.line(nothing),
        count => {
            let batch = report.batch.map(|batch| format!(" in batch {batch}")).unwrap_or_default();
            let plural = if count == 1 { "migration" } else { "migrations" };
            context.output.line(format_args!("{count} {plural} {done}{batch}, {}", duration(took)));
        }
    }
    Ok(())
}

async fn status(context: &Context, args: &MigrateStatus) -> Result<ExitCode> {
    let config = context.config()?;
    let (migrator, _) = migrator(context, &config)?;
    let all = with_open(context, config.settings()?.clone(), async |database| {
        Ok(migrator.status(&mut *database.acquire().await?).await?)
    })
    .await?;
    if context.output.json {
        context.output.document(&all)?;
    } else {
        print_status(&context.output, &all);
    }
    let pending = all.iter().any(|status| !status.applied);
    Ok(if args.check && pending { ExitCode::Pending } else { ExitCode::Done })
}

fn print_status(output: &Output, all: &[Status]) {
    if all.is_empty() {
        output.line("no migrations yet");
        output.note("next: dbkeep migrate create create_users_table");
        return;
    }
    let mut rows = table(["migration", "state", "batch", "when", "took", "drift"]);
    for status in all {
        let state = match (&status.halfway, status.applied) {
            (Some(halfway), _) => {
                format!("{} after {}", "stopped".red(), counted(halfway.statements_done, "statement"))
            }
            (None, true) => "applied".green().to_string(),
            (None, false) => "pending".yellow().to_string(),
        };
        rows.add_row([
            Cell::new(&status.migration),
            Cell::new(state),
            number(status.batch.map(|batch| batch.to_string()).unwrap_or_default()),
            Cell::new(status.executed_at.map(|when| format!("{when:.0}")).unwrap_or_default()),
            number(status.duration_ms.map(milliseconds).unwrap_or_default()),
            Cell::new(status.drift.map(|drift| drift.as_str().replace('_', " ")).unwrap_or_default()),
        ]);
    }
    output.line(rows);
    for status in all {
        if let Some(error) = status.halfway.as_ref().and_then(|halfway| halfway.error.as_ref()) {
            output.line(format_args!("{}: {error}", status.migration));
        }
    }
}

fn create_file(context: &Context, args: &MigrateCreate) -> Result<ExitCode> {
    let config = context.config()?;
    let dialect = config.connection()?.settings.options.engine.dialect();
    let path = create(&config.migrations.dir, &args.name, args.table.as_deref(), &*dialect, Timestamp::now()).map_err(
        |error| {
            let is_name = error.kind() == ErrorKind::File;
            let error = Error::from(error);
            if is_name { Error { code: ExitCode::Usage, ..error } } else { error }
        },
    )?;
    let here = context.here()?;
    let shown = path.strip_prefix(&here).unwrap_or(Path::new(&path)).display().to_string();
    if context.output.json {
        context.output.document(&json!({ "file": shown }))?;
    } else {
        context.output.line(shown);
    }
    Ok(ExitCode::Done)
}
