//! The command line.

use crate::output::Color;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Keeps an application's database: migrate, seed, query, back up, verify, restore, check health.
#[derive(Debug, Parser)]
#[command(name = "dbkeep", version, propagate_version = true, arg_required_else_help = true, max_term_width = 100)]
#[command(
    after_help = "Without a configuration, commands work on sqlite://dbkeep.db. Start with `dbkeep init`, or see the whole with `dbkeep demo`."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Configuration file [default: dbkeep.toml, searched upwards]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Connection of the configuration to use
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) connection: Option<String>,
    /// Database to use instead, as in mysql://user@host/name (a password here shows in the list of processes)
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Write the result as JSON to standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Answer yes to questions
    #[arg(long, short = 'y', global = true)]
    pub(crate) yes: bool,
    /// Name of the database, to confirm a destructive command in production
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    /// No notes and no progress
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// More notes; twice for every statement
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Colours
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) color: Color,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented dbkeep.toml, migrations/ and seeds/
    Init(Init),
    /// The whole life of a database, in a new folder
    Demo(Demo),
    /// Apply and undo migrations
    Migrate(Migrate),
    /// Fill tables from seed files, as often as you like
    Seed(Seed),
    /// Run one statement and print its rows
    Query(Query),
    /// Show what tables, columns and indexes there are
    Schema(Schema),
    /// Make, list and verify backups
    Backup(Backup),
    /// Restore a backup into an empty database
    Restore(Restore),
    /// Check the health of every connection
    Health(Health),
    /// Check or show the configuration
    Config(ConfigCommand),
    /// Print completions for a shell
    Completions(Completions),
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Folder to write into
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Folder to make for the demo's project; it must not exist or be empty
    #[arg(default_value = "dbkeep-demo", value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Migrate {
    #[command(flatten)]
    pub(crate) up: MigrateUp,
    #[command(subcommand)]
    pub(crate) command: Option<MigrateCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Apply pending migrations in one batch
    Up(MigrateUp),
    /// Undo migrations, the last first
    Rollback(MigrateRollback),
    /// Show each migration: applied or pending, batch, when, duration, drift
    Status(MigrateStatus),
    /// Make a migration file with a template that fits its name
    Create(MigrateCreate),
}

#[derive(Debug, Args)]
pub(crate) struct MigrateUp {
    /// Stop after this migration (its version or its whole name)
    #[arg(long, value_name = "VERSION", conflicts_with = "steps")]
    pub(crate) to: Option<String>,
    /// Apply at most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) steps: Option<u32>,
    /// Print the SQL and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Back the database up first
    #[arg(long)]
    pub(crate) backup: bool,
    /// Apply migrations that are older than the newest applied one
    #[arg(long)]
    pub(crate) allow_out_of_order: bool,
    /// Go on although files of applied migrations were changed
    #[arg(long)]
    pub(crate) allow_changed: bool,
    /// Go on although files of applied migrations are gone
    #[arg(long)]
    pub(crate) allow_missing: bool,
    #[command(flatten)]
    pub(crate) in_doubt: InDoubtArgs,
}

#[derive(Debug, Args)]
pub(crate) struct InDoubtArgs {
    /// What became of the statement that was under way when an earlier run was cut off: it took effect, or run it again
    #[arg(long, value_name = "WHAT")]
    pub(crate) in_doubt: Option<InDoubtArg>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum InDoubtArg {
    /// It took effect: go on with the next
    Done,
    /// It did not: run it again
    Again,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateRollback {
    /// How many to undo
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) steps: u32,
    /// Undo the whole last batch
    #[arg(long, conflicts_with_all = ["steps", "all"])]
    pub(crate) batch: bool,
    /// Undo all
    #[arg(long, conflicts_with = "steps")]
    pub(crate) all: bool,
    /// Print the SQL and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) in_doubt: InDoubtArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateStatus {
    /// Exit with code 10 when any is pending
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateCreate {
    /// What it does, as in create_users_table or add_age_to_users
    pub(crate) name: String,
    /// The table it is about, where the name does not say it
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Seed {
    /// Seeders to run; all when none is named
    pub(crate) names: Vec<String>,
    /// List the seeders and run none
    #[arg(long)]
    pub(crate) list: bool,
    /// Empty the seeders' tables first
    #[arg(long, conflicts_with = "list")]
    pub(crate) fresh: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Query {
    /// The statement; - reads it from standard input
    pub(crate) sql: String,
    /// Values for the statement's placeholders, in order; each is a text that the database converts, or after `json:` a
    /// value as JSON, as in json:5, json:true or json:null
    #[arg(long = "param", short = 'p', value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) params: Vec<String>,
    /// Print CSV with a header
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    /// Allow the statement to change data
    #[arg(long)]
    pub(crate) write: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    #[command(subcommand)]
    pub(crate) command: SchemaCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SchemaCommand {
    /// Show tables, or the columns, indexes and keys of the named ones
    Show {
        /// Tables and views to show in full
        tables: Vec<String>,
    },
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Backup {
    #[command(flatten)]
    pub(crate) create: BackupCreate,
    #[command(subcommand)]
    pub(crate) command: Option<BackupCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Back the database up
    Create(BackupCreate),
    /// List the backups
    List,
    /// Read stored bytes back and check every hash
    Verify(BackupVerify),
}

#[derive(Debug, Args)]
pub(crate) struct BackupCreate {
    /// What to store
    #[arg(long = "type", value_enum, default_value_t, value_name = "TYPE")]
    pub(crate) kind: BackupKind,
    /// A word to know it by in `backup list`
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
}

/// Kinds of backup. An incremental one reads everything, stores what the vault does not hold yet, and is restored by
/// itself like a full one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum BackupKind {
    /// Schema and data
    #[default]
    Full,
    /// As full; stores only what changed since the last backup
    Incremental,
}

#[derive(Debug, Args)]
pub(crate) struct BackupVerify {
    /// A backup's id or its beginning, or latest; all when absent
    pub(crate) id: Option<String>,
    /// Keep new backups from relying on what is found damaged, and save what is sound beside it
    #[arg(long)]
    pub(crate) repair: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// A backup's id or its beginning
    #[arg(default_value = "latest")]
    pub(crate) id: String,
    /// Server or file to restore into, as a URL; it must be empty or not exist
    #[arg(long, value_name = "URL")]
    pub(crate) into: Option<String>,
    /// Name of the database to restore into, on the connection's own server
    #[arg(long, value_name = "NAME", conflicts_with = "into")]
    pub(crate) database: Option<String>,
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not read the restored data back to compare it with the backup
    #[arg(long)]
    pub(crate) no_verify: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Health {
    /// Check again and again, as often as `monitor.interval` says, until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigCommand {
    #[command(subcommand)]
    pub(crate) command: ConfigAction,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ConfigAction {
    /// Say what is wrong and where
    Check,
    /// Show what holds and where it comes from, secrets masked
    Show,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
