//! The commands, one file each.

mod backup;
mod completions;
mod config;
mod demo;
mod health;
mod init;
mod migrate;
mod query;
mod restore;
mod schema;
mod seed;

use crate::args::Command;
use crate::config::{Chosen, Config, Connection, NOTHING_SAID, Variables, load};
use crate::confirm::Consent;
use crate::error::{Error, Result, connecting};
use crate::exit_code::ExitCode;
use crate::interrupt::Stop;
use crate::output::Output;
use dbkeep::{Database, Settings};
use std::path::PathBuf;
use std::time::Duration;

/// What every command has to hand.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) output: Output,
    pub(crate) chosen: Chosen,
    pub(crate) consent: Consent,
    /// The folder commands work in; the current one when absent.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) stop: Stop,
}

impl Context {
    pub(crate) fn new(output: Output, chosen: Chosen, consent: Consent) -> Self {
        Self { output, chosen, consent, folder: None, stop: Stop::default() }
    }

    /// The folder commands work in.
    pub(crate) fn here(&self) -> Result<PathBuf> {
        match &self.folder {
            Some(folder) => Ok(folder.clone()),
            None => std::env::current_dir().map_err(|error| Error::io("the current folder cannot be found", error)),
        }
    }

    /// The configuration, every source taken into account.
    pub(crate) fn config(&self) -> Result<Config> {
        load(&self.chosen, Variables::of_process(), &self.here()?)
    }
}

impl Config {
    /// The connection that is meant.
    pub(crate) fn connection(&self) -> Result<&Connection> {
        self.connections
            .get(&self.default)
            .ok_or_else(|| Error::configuration(format!("there is no connection named {:?}", self.default)))
    }

    /// The settings of the connection that is meant, ready to connect with.
    pub(crate) fn settings(&self) -> Result<&Settings> {
        let settings = &self.connection()?.settings;
        let options = &settings.options;
        if options.engine.location() != dbkeep::engine::Location::File && options.database.is_empty() {
            let (what, hint) = match self.connection()?.origin.as_str() {
                "DB_CONNECTION" => ("DB_CONNECTION is set, but DB_DATABASE is not".to_owned(), "set it to its name"),
                flag @ ("--url" | "DATABASE_URL") => {
                    (format!("the URL given by {flag} names no database"), "add its name at the end, as in …@host/name")
                }
                _ => (
                    format!("the URL of connection {:?} names no database", settings.name),
                    "add its name at the end, as in …@host/name",
                ),
            };
            return Err(Error::configuration(what).hint(hint));
        }
        Ok(settings)
    }

    /// The settings of the connection that is meant, where the database must be there: who only reads it makes no empty
    /// file where a path is wrong or the command runs in another folder than was meant.
    pub(crate) fn settings_of_existing(&self) -> Result<Settings> {
        let mut settings = self.settings()?.clone();
        let options = &mut settings.options;
        if options.engine.location() == dbkeep::engine::Location::File && options.database != ":memory:" {
            options.create = false;
            if !std::path::Path::new(&options.database).exists() {
                let hint = match self.connection()?.origin.as_str() {
                    NOTHING_SAID => {
                        "no dbkeep.toml lies here or above: change into the project's folder, or name one with --config"
                    }
                    _ => "is its path right? `dbkeep migrate` makes a new one",
                };
                return Err(Error::new(ExitCode::CannotConnect, format!("there is no database {}", options.target()))
                    .hint(hint));
            }
        }
        Ok(settings)
    }

    /// Opens the database that is meant, for work that needs no closing.
    pub(crate) async fn open(&self) -> Result<Database> {
        open(self.settings()?.clone()).await
    }
}

/// The name of the database that is meant, as it must be typed in production: a file's name without its folders.
pub(crate) fn database_name(config: &Config) -> Result<String> {
    let options = &config.settings()?.options;
    let path = std::path::Path::new(&options.database);
    Ok(match options.engine.location() {
        dbkeep::engine::Location::File => {
            path.file_name().map_or_else(|| options.database.clone(), |name| name.to_string_lossy().into_owned())
        }
        _ => options.database.clone(),
    })
}

/// The name of this machine, for records.
pub(crate) fn hostname() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// Opens a database for a command: one that ends soon, and so needs few connections.
pub(crate) async fn open(mut settings: Settings) -> Result<Database> {
    settings.pool.min = settings.pool.min.min(1);
    let target = settings.options.target();
    Database::open(settings).await.map_err(|error| connecting(error, &target))
}

/// How long a connection may take to cancel what it was doing, once the work was stopped.
const FAREWELL: Duration = Duration::from_secs(5);

/// Opens a database, works with it and closes it, whatever came of the work. When the program is asked to stop, the work is
/// dropped where it is, and closing the connection cancels the statement on the server, which would run on otherwise
/// and keep its locks.
pub(crate) async fn with_open<T>(
    context: &Context,
    settings: Settings,
    work: impl AsyncFnOnce(&Database) -> Result<T>,
) -> Result<T> {
    let database = open(settings).await?;
    let listening = context.stop.listen();
    let outcome = tokio::select! {
        biased;
        outcome = work(&database) => outcome,
        () = context.stop.token().cancelled() => Err(Error::new(ExitCode::Interrupted, "stopped")),
    };
    match context.stop.token().is_cancelled() {
        // Whoever does not answer is left to find out by itself.
        true => _ = tokio::time::timeout(FAREWELL, database.close()).await,
        false => _ = database.close().await,
    }
    drop(listening);
    outcome
}

/// Runs a command.
pub(crate) async fn run(context: &Context, command: Command) -> Result<ExitCode> {
    match command {
        Command::Init(args) => init::run(context, &args),
        Command::Query(args) => query::run(context, &args).await,
        Command::Schema(args) => schema::run(context, args.command).await,
        Command::Health(args) => health::run(context, &args).await,
        Command::Config(args) => config::run(context, args.command),
        Command::Completions(args) => completions::run(context, &args),
        Command::Migrate(args) => migrate::run(context, args).await,
        Command::Backup(args) => backup::run(context, args).await,
        Command::Restore(args) => restore::run(context, &args).await,
        Command::Seed(args) => seed::run(context, &args).await,
        Command::Demo(args) => Box::pin(demo::run(context, &args)).await,
    }
}
