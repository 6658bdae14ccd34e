//! `dbkeep backup create`, `list` and `verify`

use super::{Context, hostname};
use crate::args::{Backup, BackupCommand, BackupCreate, BackupKind, BackupVerify};
use crate::config::{Config, PassphraseSource, UNUSED_PASSPHRASE};
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use crate::progress::Progress;
use crate::state::State;
use crate::table::{bytes, counted, milliseconds, number, table};
use comfy_table::Cell;
use dbkeep_backup::vault::{
    BackupId, Listing, Passphrase, Vault, VaultErrorKind, VaultOptions, VerifyOptions, VerifyReport,
};
use dbkeep_backup::{BackupError, CreateOptions, Kind, Summary, blocking, create, find};
use jiff::Timestamp;
use owo_colors::OwoColorize;
use serde::Serialize;
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

pub(super) async fn run(context: &Context, args: Backup) -> Result<ExitCode> {
    match args.command {
        None => make(context, &args.create).await,
        Some(BackupCommand::Create(args)) => make(context, &args).await,
        Some(BackupCommand::List) => list(context).await,
        Some(BackupCommand::Verify(args)) => verify(context, &args).await,
    }
}

impl From<BackupError> for Error {
    fn from(error: BackupError) -> Self {
        let code = match (error.engine(), error.vault()) {
            _ if error.is_damage() => ExitCode::Damaged,
            _ if error.is_stopped() => ExitCode::Interrupted,
            (Some(engine), _) => match Error::from(dbkeep::engine::Error::new(engine.kind(), "")).code {
                // The connection stood, and broke in the middle of the work.
                ExitCode::CannotConnect if !error.is_connecting() => ExitCode::Failed,
                code => code,
            },
            (_, Some(vault)) => match vault.kind() {
                VaultErrorKind::NotAVault | VaultErrorKind::WrongPassphrase => ExitCode::Configuration,
                VaultErrorKind::Locked => ExitCode::Locked,
                VaultErrorKind::NotFound => ExitCode::Usage,
                _ => ExitCode::Failed,
            },
            _ => ExitCode::Refused,
        };
        let mut out = Error::new(code, error.to_string());
        out.hint = error.hint().map(str::to_owned);
        match std::error::Error::source(&error) {
            Some(source) => out.caused_by(source),
            None => out,
        }
    }
}

/// Opens the vault of a configuration; makes it first where `make` allows that.
pub(super) async fn vault(config: &Config, make: bool) -> Result<Vault> {
    let passphrase = passphrase(config)?;
    let path = config.backup.path.clone();
    let options = VaultOptions::default().compression(config.backup.compression);
    Ok(blocking(move || {
        Ok(if make {
            Vault::open_or_init(path, &passphrase, &options)?
        } else {
            Vault::open(path, &passphrase, &options)?
        })
    })
    .await?)
}

fn passphrase(config: &Config) -> Result<Passphrase> {
    if !config.backup.encryption {
        return Ok(Passphrase::none());
    }
    let source = config.backup.passphrase.as_ref().ok_or_else(|| {
        Error::configuration("backup.encryption is true, but there is no passphrase")
            .hint("set DBKEEP_BACKUP_PASSPHRASE, DBKEEP_BACKUP_PASSPHRASE_FILE or DBKEEP_BACKUP_PASSPHRASE_COMMAND")
    })?;
    let text = match source {
        PassphraseSource::Given(secret) => secret.expose().to_owned(),
        PassphraseSource::File(path) => std::fs::read_to_string(path).map_err(|error| {
            Error::configuration(format!("the passphrase file {} cannot be read", path.display())).caused_by(&error)
        })?,
        PassphraseSource::Command(command) => from_command(command)?,
    };
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(Error::configuration("the backup passphrase is empty")
            .hint("an empty passphrase protects nothing; with backup.encryption = false none is needed")),
        text => Ok(Passphrase::new(text)),
    }
}

/// What a command of the user's own prints, as a password manager does.
fn from_command(command: &str) -> Result<String> {
    let failed = |why: &str| Error::configuration(format!("DBKEEP_BACKUP_PASSPHRASE_COMMAND failed{why}"));
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed("").caused_by(&error))?;
    if !output.status.success() {
        return Err(failed(&format!(": it ended with {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| failed(": what it printed is not UTF-8"))
}

async fn make(context: &Context, args: &BackupCreate) -> Result<ExitCode> {
    let config = context.config()?;
    if config.backup.passphrase.is_some() && !config.backup.encryption {
        context.output.warn(UNUSED_PASSPHRASE);
    }
    let summary = back_up(context, &config, args).await?;
    if context.output.json {
        context.output.document(&summary)?;
    } else {
        print_summary(context, &summary);
    }
    Ok(ExitCode::Done)
}

/// The backup that `migrate --backup` makes first.
pub(super) async fn before_migrating(context: &Context, config: &Config) -> Result<()> {
    let args = BackupCreate { kind: BackupKind::Full, tag: Some("before-migrate".to_owned()) };
    let summary = back_up(context, config, &args)
        .await
        .map_err(|error| error.context("nothing was migrated: the backup before it failed"))?;
    context.output.note(format_args!("backed up first: {}", short(&summary.id)));
    Ok(())
}

/// Backs the database up, showing progress.
pub(super) async fn back_up(context: &Context, config: &Config, args: &BackupCreate) -> Result<Summary> {
    let settings = config.settings_of_existing()?;
    let vault = vault(config, true).await?;
    let progress: Arc<OnceLock<Progress>> = Arc::default();
    let (output, shown, sized) = (context.output, progress.clone(), progress.clone());
    let mut options = CreateOptions::default();
    options.kind = match args.kind {
        BackupKind::Full => Kind::Full,
        BackupKind::Incremental => Kind::Incremental,
    };
    options.tag = args.tag.clone();
    options.hostname = hostname();
    options.on_size = Some(Arc::new(move |size| {
        _ = sized.set(Progress::new(output, "backing up", (size > 0).then_some(size)));
    }));
    options.progress = Some(Arc::new(move |now| {
        if let Some(progress) = shown.get() {
            progress.set(now.bytes_read);
        }
    }));
    options.stop = context.stop.token().clone();
    let listening = context.stop.listen();
    let summary = Box::pin(create(&vault, &settings, options)).await;
    drop(listening);
    if let Some(progress) = progress.get() {
        progress.finish();
    }
    Ok(summary?)
}

/// A database's name: of one that is a file, which alone is its own place, without its folders.
pub(super) fn plain_name<'n>(database: &'n str, source: &str) -> &'n str {
    if database != source {
        return database;
    }
    database.rsplit(['/', '\\']).next().filter(|name| !name.is_empty()).unwrap_or(database)
}

pub(super) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

fn print_summary(context: &Context, summary: &Summary) {
    context.output.line(format_args!(
        "{} {} backup {} of {}: {}, {}, {} read, {} stored, {}",
        "✓".green(),
        summary.kind,
        short(&summary.id).bold(),
        summary.database,
        counted(summary.tables, "table"),
        counted(summary.rows, "row"),
        bytes(summary.bytes_read),
        bytes(summary.bytes_stored),
        milliseconds(summary.duration_ms),
    ));
    for warning in &summary.warnings {
        context.output.warn(warning);
    }
    if summary.tables == 0 {
        context.output.warn("the database has no tables: is it the one that is meant?");
    }
}

/// A backup as `backup list --json` shows it.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    summary: Summary,
    verified_at: Option<Timestamp>,
    /// Always null in this version, which has no restore test yet.
    tested_at: Option<Timestamp>,
}

/// Whether nothing was ever backed up to this place, which is no error of who asks what there is.
fn is_absent(path: &Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

async fn add_verified(config: &Config, all: &mut [Listed]) -> Result<()> {
    if let Some(state) = State::open_if_there(config).await? {
        for listed in all {
            listed.verified_at = state.verified_at(&listed.summary.id).await?;
        }
    }
    Ok(())
}

async fn list(context: &Context) -> Result<ExitCode> {
    let config = context.config()?;
    let listing = match is_absent(&config.backup.path) {
        true => Listing::default(),
        false => {
            let vault = vault(&config, false).await?;
            blocking(move || Ok(vault.list()?)).await?
        }
    };
    let mut all = Vec::new();
    for record in &listing.backups {
        all.push(Listed { summary: Summary::of(record)?, verified_at: None, tested_at: None });
    }
    // What backups there are is wanted most when the machine is in trouble: it is told whatever becomes of the rest.
    if let Err(error) = add_verified(&config, &mut all).await {
        context.output.warn(format_args!("when backups were verified is not known: {}", error.message));
    }
    for damaged in &listing.damaged {
        context.output.warn(format_args!(
            "backup {} cannot be read: {}",
            short(&damaged.id.to_string()),
            damaged.error
        ));
    }
    if context.output.json {
        context.output.document(&all)?;
    } else if all.is_empty() {
        context.output.line("no backups yet");
        context.output.note("next: dbkeep backup");
    } else {
        let mut rows = table([
            "backup", "type", "database", "when", "tables", "rows", "read", "stored", "took", "verified", "tag",
        ]);
        // Where one name stands for several databases, the place is part of it.
        fn name(summary: &Summary) -> &str {
            plain_name(&summary.database, &summary.source)
        }
        let is_ambiguous = |summary: &Summary| {
            let same_name = |other: &&Listed| name(&other.summary) == name(summary);
            all.iter().filter(same_name).any(|other| other.summary.source != summary.source)
        };
        for Listed { summary, verified_at, .. } in &all {
            let database = match is_ambiguous(summary) {
                true => summary.source.as_str(),
                false => name(summary),
            };
            rows.add_row([
                Cell::new(short(&summary.id)),
                Cell::new(&summary.kind),
                Cell::new(database),
                Cell::new(format!("{:.0}", summary.started_at)),
                number(summary.tables),
                number(summary.rows),
                number(bytes(summary.bytes_read)),
                number(bytes(summary.bytes_stored)),
                number(milliseconds(summary.duration_ms)),
                Cell::new(verified_at.map(|when| format!("{when:.0}")).unwrap_or_default()),
                Cell::new(summary.tag.as_deref().unwrap_or("")),
            ]);
        }
        context.output.line(rows);
    }
    Ok(if listing.damaged.is_empty() { ExitCode::Done } else { ExitCode::Damaged })
}

/// Reads stored bytes back and records which backups were found intact; says how many were looked at.
pub(super) async fn read_back(
    context: &Context,
    config: &Config,
    which: Option<&str>,
) -> Result<(VerifyReport, usize)> {
    let vault = vault(config, false).await?;
    let output = context.output;
    let mut options = VerifyOptions::default();
    if let Some(which) = which {
        options.backup = Some(find(&vault, which, &config.connection()?.settings).await?.id);
    }
    let (ids, report) = blocking(move || {
        let ids = match options.backup {
            Some(id) => vec![id],
            None => vault.list()?.backups.iter().map(|backup| backup.id).collect(),
        };
        let progress = Arc::new(OnceLock::<Progress>::new());
        options.progress = Some(Arc::new(move |done, total| {
            progress.get_or_init(|| Progress::new(output, "verifying", Some(total))).set(done);
        }));
        Ok((ids, vault.verify(&options)?))
    })
    .await?;
    if report.is_ok() && !ids.is_empty() {
        // What was found holds, also where it cannot be written down: backups may lie on a medium that is read-only.
        if let Err(error) = record(config, &ids).await {
            context.output.warn(format_args!("that they were verified is not recorded: {}", error.message));
        }
    }
    Ok((report, ids.len()))
}

async fn record(config: &Config, verified: &[BackupId]) -> Result<()> {
    let state = State::open(config).await?;
    for id in verified {
        state.record_verified(&id.to_string(), Timestamp::now()).await?;
    }
    Ok(())
}

async fn verify(context: &Context, args: &BackupVerify) -> Result<ExitCode> {
    let config = context.config()?;
    let (report, count) = read_back(context, &config, args.id.as_deref()).await?;
    let ok = report.is_ok();
    let errors: Vec<String> = report.errors.iter().map(ToString::to_string).collect();
    let checked_bytes = report.checked_bytes;
    if !context.output.json {
        // Told before anything else is tried, which may fail.
        for error in &errors {
            context.output.line(format_args!("{} {error}", "✗".red()));
        }
    }
    let repaired = match args.repair && !ok {
        true => {
            let vault = vault(&config, false).await?;
            Some(blocking(move || Ok(vault.repair(&report)?)).await?)
        }
        false => None,
    };
    if context.output.json {
        let mut document = json!({ "ok": ok, "checked_bytes": checked_bytes, "errors": errors });
        if let Some(repaired) = repaired {
            document["repaired"] =
                json!({ "packs": repaired.packs, "blocks_saved": repaired.saved, "blocks_lost": repaired.lost });
        }
        context.output.document(&document)?;
    } else if ok {
        if count == 0 {
            context.output.warn("there are no backups in this vault");
        }
        context.output.line(format_args!(
            "{} {} intact, {} read back",
            "✓".green(),
            counted(count as u64, "backup"),
            bytes(checked_bytes)
        ));
    } else {
        match repaired {
            Some(repaired) => {
                context.output.line(format_args!(
                    "repaired: no new backup relies on {} any more; {} saved, {} lost",
                    counted(repaired.packs, "pack"),
                    counted(repaired.saved, "block"),
                    counted(repaired.lost, "block"),
                ));
                context.output.note(
                    "next: dbkeep backup, which stores what the database still has of what is lost, for earlier backups \
                     as well; then dbkeep backup verify. And look at the disk the vault is on",
                );
            }
            None => context.output.note(
                "help: look at the disk the vault is on, run dbkeep backup verify --repair, and then make a new backup: \
                 until it is repaired, new backups rely on what is damaged, too",
            ),
        }
    }
    Ok(if ok { ExitCode::Done } else { ExitCode::Damaged })
}

#[cfg(test)]
mod tests {
    use super::plain_name;

    #[test]
    fn only_the_name_of_a_file_loses_its_folders() {
        assert_eq!(plain_name("/srv/shop/shop.db", "/srv/shop/shop.db"), "shop.db");
        assert_eq!(plain_name("odd/x=1", "odd/x=1 on db.internal:5432"), "odd/x=1");
        assert_eq!(plain_name("shop", "shop on db.internal:3306"), "shop");
    }
}
