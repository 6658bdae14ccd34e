//! `dbkeep restore`

use super::backup::{plain_name, short, vault};
use super::{Context, database_name};
use crate::args::Restore;
use crate::config::Config;
use crate::confirm::confirm;
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use crate::progress::Progress;
use crate::table::{bytes, counted, milliseconds, number, table};
use comfy_table::Cell;
use dbkeep::Settings;
use dbkeep_backup::{RestorePlan, RestoreReport, RestoreRun, find};
use owo_colors::OwoColorize;
use serde_json::json;
use std::sync::Arc;

pub(super) async fn run(context: &Context, args: &Restore) -> Result<ExitCode> {
    let config = context.config()?;
    let target = target(&config, args)?;
    let vault = vault(&config, false).await?;
    let backup = find(&vault, &args.id, &config.connection()?.settings).await?;
    let plan = RestorePlan::new(&backup, &target)?;
    if args.dry_run {
        print_plan(context, &plan, &target)?;
        return Ok(ExitCode::Done);
    }
    if args.into.is_none() && args.database.is_none() {
        // Into the configured database itself. It must be empty, so nothing can be lost; but it may not be what was meant.
        let name = database_name(&config)?;
        confirm(
            &context.output,
            &config,
            &context.consent,
            &format!(
                "restore backup {} of {} into {name}",
                short(&plan.id().to_string()),
                plain_name(&plan.manifest().database, &plan.manifest().source)
            ),
            &name,
        )?;
    }
    let report = restore(context, &vault, plan, !args.no_verify).await?;
    if context.output.json {
        context.output.document(&report)?;
    } else {
        print_report(context, &report);
    }
    Ok(ExitCode::Done)
}

/// Carries a plan out, showing progress.
pub(super) async fn restore(
    context: &Context,
    vault: &dbkeep_backup::vault::Vault,
    plan: RestorePlan,
    verify: bool,
) -> Result<RestoreReport> {
    let progress = Arc::new(Progress::new(context.output, "restoring", Some(plan.bytes())));
    let shown = progress.clone();
    let mut run = RestoreRun::default();
    run.verify = verify;
    run.progress = Some(Arc::new(move |done| shown.set(done)));
    run.stop = context.stop.token().clone();
    let listening = context.stop.listen();
    let report = plan.apply(vault, run).await;
    drop(listening);
    progress.finish();
    Ok(report?)
}

fn target(config: &Config, args: &Restore) -> Result<Settings> {
    match (&args.into, &args.database) {
        (Some(url), _) => {
            let settings = Settings::from_url(url)
                .map_err(|error| Error::from(error).context("the URL given by --into is wrong"))?;
            if settings.options.database.is_empty() {
                return Err(Error::usage("the URL given by --into names no database"));
            }
            Ok(settings)
        }
        (None, Some(name)) => {
            let settings = &config.connection()?.settings;
            Ok(Settings::new(settings.options.with_database(name.as_str())).named(&settings.name))
        }
        (None, None) => Ok(config.settings()?.clone()),
    }
}

fn print_plan(context: &Context, plan: &RestorePlan, target: &Settings) -> Result<()> {
    let manifest = plan.manifest();
    if context.output.json {
        return context.output.document(&json!({
            "id": plan.id().to_string(),
            "target": target.options.target(),
            "database": manifest.database,
            "product": manifest.product,
            "version": manifest.version,
            "started_at": manifest.started_at,
            "tables": manifest.tables,
            "rows": manifest.rows(),
            "bytes": plan.bytes(),
        }));
    }
    context.output.line(format_args!(
        "restore backup {} ({} {} of {}, {:.0}) into {}: {}, {}, {}",
        short(&plan.id().to_string()).bold(),
        manifest.product,
        manifest.version,
        manifest.database,
        manifest.started_at,
        target.options.target(),
        counted(manifest.tables.len() as u64, "table"),
        counted(manifest.rows(), "row"),
        bytes(plan.bytes()),
    ));
    let mut rows = table(["table", "rows"]);
    for stored in &manifest.tables {
        let name =
            stored.schema.as_ref().map_or_else(|| stored.name.clone(), |schema| format!("{schema}.{}", stored.name));
        rows.add_row([Cell::new(name), number(stored.rows)]);
    }
    context.output.line(rows);
    Ok(())
}

fn print_report(context: &Context, report: &RestoreReport) {
    let proven = match report.digests_match {
        Some(true) => "; read back and equal",
        _ => "; not read back",
    };
    context.output.line(format_args!(
        "{} restored {} into {}: {}, {}, {}{proven}",
        "✓".green(),
        short(&report.id).bold(),
        report.target,
        counted(report.tables, "table"),
        counted(report.rows, "row"),
        milliseconds(report.duration_ms),
    ));
}
