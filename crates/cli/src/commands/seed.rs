//! `dbkeep seed`

use super::{Context, database_name, with_open};
use crate::args::Seed;
use crate::config::Config;
use crate::confirm::confirm;
use crate::error::{Error, Location, Result};
use crate::exit_code::ExitCode;
use crate::output::Output;
use crate::table::{number, table};
use comfy_table::Cell;
use dbkeep::seed::{ErrorKind, Mode, Progress, Report, Run, SeedInfo, SeedReport, Seeds};
use owo_colors::OwoColorize;
use std::sync::Arc;

pub(super) async fn run(context: &Context, args: &Seed) -> Result<ExitCode> {
    let config = context.config()?;
    let seeds = seeds(&config)?.progress(Arc::new(Shown { output: context.output }));
    with_open(context, config.settings()?.clone(), async |database| {
        work(context, &config, args, &seeds, database).await
    })
    .await?;
    Ok(ExitCode::Done)
}

async fn work(
    context: &Context,
    config: &Config,
    args: &Seed,
    seeds: &Seeds,
    database: &dbkeep::Database,
) -> Result<()> {
    if args.list {
        return list(context, &seeds.list(database.server())?);
    }
    let mut options = Run::default();
    if !args.names.is_empty() {
        options = options.only(args.names.iter().cloned());
    }
    if args.fresh {
        let name = database_name(config)?;
        confirm(&context.output, config, &context.consent, &format!("empty the seeded tables of {name} first"), &name)?;
        options = options.fresh();
    }
    let report = seeds.run(&mut *database.acquire().await?, &options).await?;
    print(context, &report)
}

impl From<dbkeep::seed::Error> for Error {
    fn from(error: dbkeep::seed::Error) -> Self {
        let below = error.engine().map(|engine| Error::from(dbkeep::engine::Error::new(engine.kind(), "")).code);
        let code = match error.kind() {
            ErrorKind::Locked => ExitCode::Locked,
            ErrorKind::Target => ExitCode::Usage,
            _ => below.unwrap_or(ExitCode::Failed),
        };
        let mut out = Error::new(code, error.message());
        out.hint = error.hint().map(str::to_owned);
        out.location = error.location().map(|at| {
            Box::new(Location {
                file: at.file.display().to_string(),
                line: at.line,
                column: at.column,
                // A seed's line may hold a password; of a table in CSV it is not known.
                text: (!at.text.is_empty() && !at.text.contains("argon2") && !at.text.to_lowercase().contains("pass"))
                    .then(|| at.text.clone()),
            })
        });
        match std::error::Error::source(&error) {
            Some(source) => out.caused_by(source),
            None => out,
        }
    }
}

/// The seeds of a configuration.
pub(super) fn seeds(config: &Config) -> Result<Seeds> {
    let folder = &config.seeds.dir;
    if !folder.is_dir() {
        return Err(Error::configuration(format!("there is no folder {}", folder.display()))
            .hint("dbkeep init makes one, and seeds.dir in dbkeep.toml says where it is"));
    }
    Ok(Seeds::from_directory(folder).env(config.variables.all()))
}

/// Shows how a run goes on.
struct Shown {
    output: Output,
}

impl Progress for Shown {
    fn waiting(&self, holder: Option<&str>) {
        let holder = holder.map(|holder| format!(", held by {holder}")).unwrap_or_default();
        self.output.note(format_args!("waiting for another run to end{holder}"));
    }

    fn rows_done(&self, name: &str, rows: u64) {
        if self.output.verbose > 0 {
            self.output.note(format_args!("{name}: {rows} rows"));
        }
    }

    fn seed_finished(&self, report: &SeedReport) {
        if self.output.verbose > 0 {
            self.output.note(format_args!("{} {}", "✓".green(), report.name));
        }
    }
}

fn list(context: &Context, seeds: &[SeedInfo]) -> Result<()> {
    if context.output.json {
        return context.output.document(&seeds);
    }
    if seeds.is_empty() {
        context.output.line("no seeds yet");
    }
    let mut rows = table(["seed", "table", "mode"]);
    for seed in seeds {
        let mode = match seed.mode {
            Some(Mode::Upsert) => "upsert",
            Some(Mode::InsertMissing) => "insert-missing",
            _ => "script",
        };
        rows.add_row([seed.name.as_str(), seed.table.as_deref().unwrap_or(""), mode]);
    }
    if !seeds.is_empty() {
        context.output.line(rows);
    }
    Ok(())
}

fn print(context: &Context, report: &Report) -> Result<()> {
    if context.output.json {
        return context.output.document(report);
    }
    if report.seeders.is_empty() {
        context.output.line("no seeds yet");
        return Ok(());
    }
    let mut rows = table(["seed", "inserted", "updated", "unchanged"]);
    let count = |count: Option<u64>| number(count.map_or_else(|| "?".to_owned(), |count| count.to_string()));
    for seed in &report.seeders {
        rows.add_row([Cell::new(&seed.name), count(seed.inserted), count(seed.updated), count(seed.unchanged)]);
    }
    context.output.line(rows);
    Ok(())
}
