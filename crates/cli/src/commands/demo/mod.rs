//! `dbkeep demo`: the whole life of a database, each step checked for what it claims.

mod club;
mod compare;
mod place;

use super::{Context, backup, health, open};
use crate::args::{BackupCreate, BackupKind, Demo};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use crate::table::{bytes, duration};
use compare::{Compared, compare};
use dbkeep::migrate::{Migrator, Rollback, Up};
use dbkeep::seed::Seeds;
use dbkeep::{Database, Decimal, col, params};
use dbkeep_backup::{RestorePlan, Summary, find};
use dbkeep_monitor::{Status, check_open};
use owo_colors::OwoColorize;
use place::Place;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub(super) async fn run(context: &Context, args: &Demo) -> Result<ExitCode> {
    let since = Instant::now();
    let folder = context.here()?.join(&args.folder);
    let place = Place::choose(context, &folder)?;
    club::write_project(&folder, &place)?;
    let mut inside = context.clone();
    inside.folder = Some(folder.clone());
    inside.chosen = place.chosen(&folder);
    let mut told = Told { context: inside.clone(), steps: Vec::new() };
    told.step(since, "project", format!("wrote {}: dbkeep.toml, 5 migrations, 4 seeds", args.folder.display()));
    let listening = context.stop.listen();
    let outcome = tokio::select! {
        outcome = life(&inside, &place, &mut told) => outcome,
        () = context.stop.token().cancelled() => Err(Error::new(ExitCode::Interrupted, "the demo was stopped")),
    };
    // Also after a failure: what a demo made on a server does not stay there.
    let tidied = place.tidy_up().await;
    drop(listening);
    match (outcome, tidied) {
        (outcome, Ok(())) => outcome?,
        (Ok(()), Err(left)) => return Err(left),
        (Err(mut error), Err(left)) => {
            error.causes.push(left.message);
            return Err(error);
        }
    }
    if context.output.json {
        let total = since.elapsed().as_secs_f64() * 1_000.0;
        context.output.document(&json!({ "ok": true, "folder": folder, "duration_ms": total, "steps": told.steps }))?;
    } else {
        context.output.line(format_args!("{} in {}", "all of it worked".green().bold(), duration(since.elapsed())));
        context.output.note(place.next(&args.folder));
    }
    Ok(ExitCode::Done)
}

/// What was done so far.
struct Told {
    context: Context,
    steps: Vec<Value>,
}

impl Told {
    fn step(&mut self, since: Instant, name: &str, what: impl Into<String>) {
        let (took, what) = (since.elapsed(), what.into());
        if !self.context.output.json {
            self.context.output.line(format_args!("{} {name:<12} {what} {}", "✓".green(), duration(took).dimmed()));
        }
        self.steps.push(json!({ "step": name, "done": what, "duration_ms": took.as_secs_f64() * 1_000.0 }));
    }
}

/// A claim that turned out to be false.
fn false_claim(what: impl Into<String>) -> Error {
    Error::failed(what)
        .context("the demo's own check failed")
        .or_hint("this is a fault of dbkeep: please report it with this output")
}

fn demand(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(false_claim(what())) }
}

async fn life(context: &Context, place: &Place, told: &mut Told) -> Result<()> {
    let since = Instant::now();
    place.create().await?;
    let config = context.config()?;
    let database = config.open().await?;
    let server = database.server();
    told.step(since, "connect", format!("{} {}", server.product, server.version));
    let outcome = keep(context, place, told, &config, &database).await;
    database.close().await;
    outcome
}

async fn keep(context: &Context, place: &Place, told: &mut Told, config: &Config, database: &Database) -> Result<()> {
    let mut quiet = context.clone();
    quiet.output.quiet = true;
    let (migrator, _) = super::migrate::migrator(&quiet, config)?;
    let seeds = super::seed::seeds(config)?;
    shape(told, database, &migrator).await?;
    fill(told, database, &seeds).await?;
    again(told, database, &migrator, &seeds).await?;
    store_flyers(told, database).await?;
    ask(told, database).await?;
    let full = save(&quiet, told, config, BackupKind::Full).await?;
    change(told, database).await?;
    let incremental = save(&quiet, told, config, BackupKind::Incremental).await?;
    demand(incremental.bytes_stored < full.bytes_stored, || {
        format!("the incremental backup stored {} bytes, the full one {}", incremental.bytes_stored, full.bytes_stored)
    })?;
    verify(context, told, config).await?;
    restore(&quiet, told, config, place, database, &incremental).await?;
    watch(told, config, database).await
}

async fn shape(told: &mut Told, database: &Database, migrator: &Migrator) -> Result<()> {
    let since = Instant::now();
    let report = migrator.up(&mut *database.acquire().await?, &Up::default()).await?;
    let catalog = database.acquire().await?.catalog(&Default::default()).await?;
    for table in club::TABLES {
        demand(catalog.table(table).is_some(), || format!("there is no table {table} after migrating"))?;
    }
    demand(catalog.view("attendance_summary").is_some(), || "there is no view after migrating".to_owned())?;
    demand(catalog.triggers.iter().any(|trigger| trigger.name == "attendance_last_seen"), || {
        "there is no trigger after migrating".to_owned()
    })?;
    let batch = report.batch.unwrap_or_default();
    told.step(
        since,
        "migrate",
        format!("{} migrations in batch {batch}: 4 tables, a view, a trigger", report.migrations.len()),
    );
    Ok(())
}

async fn fill(told: &mut Told, database: &Database, seeds: &Seeds) -> Result<()> {
    let since = Instant::now();
    let first = club::seed(database, seeds).await?;
    demand(first.inserted == club::rows() && first.updated == 0, || {
        format!("the first seeding inserted {} rows, not {}", first.inserted, club::rows())
    })?;
    told.step(since, "seed", format!("{} rows inserted, passwords hashed with argon2", first.inserted));
    let since = Instant::now();
    let second = club::seed(database, seeds).await?;
    demand(second.inserted == 0 && second.updated == 0, || {
        format!("the second seeding inserted {} and updated {} rows", second.inserted, second.updated)
    })?;
    told.step(since, "seed again", format!("nothing changed, {} rows compared", second.unchanged));
    Ok(())
}

async fn again(told: &mut Told, database: &Database, migrator: &Migrator, seeds: &Seeds) -> Result<()> {
    let since = Instant::now();
    let undone = migrator.rollback(&mut *database.acquire().await?, &Rollback::all()).await?;
    let catalog = database.acquire().await?.catalog(&Default::default()).await?;
    for table in club::TABLES {
        demand(catalog.table(table).is_none(), || format!("there is still a table {table} after rolling back"))?;
    }
    told.step(since, "rollback", format!("{} migrations undone, the tables are gone", undone.migrations.len()));
    let since = Instant::now();
    migrator.up(&mut *database.acquire().await?, &Up::default()).await?;
    let filled = club::seed(database, seeds).await?;
    demand(filled.inserted == club::rows(), || format!("seeding after a rollback inserted {} rows", filled.inserted))?;
    told.step(since, "migrate", format!("migrated and seeded again, {} rows", filled.inserted));
    Ok(())
}

/// Stores a file for each program: enough bytes that a backup of what changed can be told from a full one.
async fn store_flyers(told: &mut Told, database: &Database) -> Result<()> {
    let since = Instant::now();
    let mut stored = 0;
    for (name, flyer) in club::flyers() {
        stored += flyer.len() as u64;
        let program = database.table("holiday_programs").filter(col("name").eq(name));
        program.update([("flyer", dbkeep::Value::from(flyer.clone()))]).await?;
        let read: Option<Vec<u8>> = program.value("flyer").await?;
        demand(read.as_deref() == Some(&*flyer), || format!("the flyer of {name} came back changed"))?;
    }
    told.step(since, "store", format!("a flyer for each program, {} as bound bytes, read back equal", bytes(stored)));
    Ok(())
}

async fn ask(told: &mut Told, database: &Database) -> Result<()> {
    let since = Instant::now();
    let members = database.table("users").filter(col("role").eq("member")).count().await?;
    demand(members == club::MEMBERS, || format!("{members} members are counted, not {}", club::MEMBERS))?;
    let fees: Vec<(String, Decimal)> = database
        .table("courses")
        .select(["courses.code", "courses.fee"])
        .join("users", col("users.id").eq(col("courses.mentor_id")))
        .filter(col("users.role").eq("mentor"))
        .order_by("courses.code")
        .get_as()
        .await?;
    let fee = fees.iter().find(|(code, _)| code == "ROCKET").map(|(_, fee)| fee.as_str());
    demand(fee == Some("129.90"), || format!("the course ROCKET costs {fee:?}, not 129.90"))?;
    // Sixteen tasks share the pool's connections.
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.table("attendance").filter(col("state").ne("absent")).count().await })
        })
        .collect();
    let mut counts = Vec::new();
    for task in tasks {
        counts.push(task.await.map_err(|error| false_claim(format!("a query's task ended: {error}")))??);
    }
    counts.dedup();
    demand(counts.len() == 1, || "sixteen equal queries gave different answers".to_owned())?;
    let kept: Result<(), dbkeep::Error> = database
        .transaction(async |tx| {
            tx.execute("DELETE FROM attendance", &[]).await?;
            Err(dbkeep::Error::settings("rolled back on purpose"))
        })
        .await;
    demand(kept.is_err(), || "a transaction that failed was committed".to_owned())?;
    let still = database.table("attendance").count().await?;
    demand(still == club::ATTENDANCE, || format!("after a rollback there are {still} rows of attendance"))?;
    let stats = database.pool_stats();
    told.step(
        since,
        "query",
        format!("{} courses with mentors, 16 tasks on {} connections, a rollback", fees.len(), stats.size()),
    );
    Ok(())
}

async fn save(context: &Context, told: &mut Told, config: &Config, kind: BackupKind) -> Result<Summary> {
    let since = Instant::now();
    let args = BackupCreate { kind, tag: Some("demo".to_owned()) };
    let summary = backup::back_up(context, config, &args).await?;
    let what = format!(
        "{} {}: {} rows, {} read, {} stored",
        summary.kind,
        backup::short(&summary.id),
        summary.rows,
        bytes(summary.bytes_read),
        bytes(summary.bytes_stored)
    );
    told.step(since, "backup", what);
    Ok(summary)
}

async fn change(told: &mut Told, database: &Database) -> Result<()> {
    let since = Instant::now();
    let (late, gone) = database
        .transaction(async |tx| {
            let late = tx
                .execute("UPDATE attendance SET note = 'bus was late' WHERE state = 'late'", &[])
                .await?
                .rows_affected;
            let gone = tx
                .execute("DELETE FROM attendance WHERE state = 'absent' AND user_id = (SELECT MAX(id) FROM users)", &[])
                .await?
                .rows_affected;
            Ok::<_, dbkeep::Error>((late, gone))
        })
        .await?;
    let fee: Decimal = "139.90".parse().map_err(|_| false_claim("139.90 is a decimal"))?;
    let changed =
        database.table("courses").filter(col("code").eq("ROCKET")).update([("fee", dbkeep::Value::from(fee))]).await?;
    demand(changed == 1 && late > 0 && gone > 0, || {
        format!("{changed} courses, {late} late and {gone} absent rows were changed")
    })?;
    told.step(since, "change", format!("{late} rows of attendance updated, {gone} deleted, a fee raised"));
    Ok(())
}

async fn verify(context: &Context, told: &mut Told, config: &Config) -> Result<()> {
    let since = Instant::now();
    let mut silent = context.clone();
    silent.output.quiet = true;
    let (report, count) = backup::read_back(&silent, config, None).await?;
    demand(report.is_ok(), || format!("the vault is damaged: {:?}", report.errors))?;
    told.step(since, "verify", format!("{count} backups intact, {} read back", bytes(report.checked_bytes)));
    Ok(())
}

async fn restore(
    context: &Context,
    told: &mut Told,
    config: &Config,
    place: &Place,
    original: &Database,
    summary: &Summary,
) -> Result<()> {
    let since = Instant::now();
    let target = place.copy(config.settings()?);
    let vault = backup::vault(config, false).await?;
    let plan = RestorePlan::new(&find(&vault, &summary.id, config.settings()?).await?, &target)?;
    let report = super::restore::restore(context, &vault, plan, true).await?;
    demand(report.digests_match == Some(true), || "the restored database was not proven".to_owned())?;
    told.step(since, "restore", format!("into {}, {} rows, read back and equal", place.copy_name(), report.rows));
    let since = Instant::now();
    let copy = open(target).await?;
    let compared = compare(original, &copy).await;
    copy.close().await;
    let Compared { tables, rows, objects } = compared?;
    let fee: String = config
        .open()
        .await?
        .table("courses")
        .filter(col("code").eq("ROCKET"))
        .value::<Decimal>("fee")
        .await?
        .map(|fee| fee.to_string())
        .unwrap_or_default();
    demand(fee == "139.90", || format!("the fee is {fee}"))?;
    told.step(
        since,
        "compare",
        format!("{tables} tables, {rows} rows value by value, {objects} views, triggers, indexes and keys: equal"),
    );
    Ok(())
}

async fn watch(told: &mut Told, config: &Config, database: &Database) -> Result<()> {
    let since = Instant::now();
    let health = check_open(database, &health::thresholds(config)).await;
    let troubles: Vec<_> = health
        .checks
        .iter()
        .filter(|check| check.status != Status::Ok)
        .map(|check| format!("{}: {}", check.name, check.message))
        .collect();
    demand(health.status != Status::Critical, || troubles.join("; "))?;
    let latency =
        health.response_time_ms.map(|taken| duration(Duration::from_secs_f64(taken / 1_000.0))).unwrap_or_default();
    let verdict = if troubles.is_empty() { "all ok".to_owned() } else { troubles.join("; ") };
    told.step(since, "health", format!("{} checks, {verdict}, one round trip {latency}", health.checks.len()));
    // The sum of what was asked, from the observer behind every statement.
    let asked = database.query_one("SELECT COUNT(*) AS n FROM attendance_summary", params![]).await?;
    demand(asked.get::<u64>("n")? == club::COURSES, || "the view has not a row for each course".to_owned())
}
