//! `dbkeep health`

use super::Context;
use crate::args::Health;
use crate::config::Config;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::output::Output;
use crate::table::{bytes, number, table};
use comfy_table::Cell;
use dbkeep::engine::{Location, Unit};
use dbkeep_monitor::{Check, ConnectionHealth, Status, Thresholds, check};
use jiff::Timestamp;
use owo_colors::OwoColorize;
use serde_json::json;

pub(super) async fn run(context: &Context, args: &Health) -> Result<ExitCode> {
    // As a monitoring plugin, health reports "unknown" where other commands have codes of their own.
    let config = match context.config() {
        Ok(config) => config,
        Err(mut error) => {
            context.output.error(&error);
            error.code = ExitCode::Done;
            return Ok(of(Status::Unknown));
        }
    };
    loop {
        let status = once(context, &config, args.watch).await?;
        if !args.watch {
            return Ok(of(status));
        }
        tokio::time::sleep(config.monitor.interval).await;
    }
}

/// The exit codes of a monitoring plugin happen to be numbers that mean other things in other commands.
fn of(status: Status) -> ExitCode {
    match status {
        Status::Ok => ExitCode::Done,
        Status::Warning => ExitCode::Failed,
        Status::Critical => ExitCode::Usage,
        Status::Unknown => ExitCode::Configuration,
    }
}

/// The thresholds of a configuration.
pub(super) fn thresholds(config: &Config) -> Thresholds {
    let mut thresholds = Thresholds::default();
    thresholds.max_response_time = config.monitor.max_response_time;
    thresholds.max_failed_connections = config.monitor.max_failed_connections;
    thresholds.max_pool_utilization = config.monitor.max_pool_utilization;
    thresholds.min_available_connections = config.monitor.min_available_connections;
    thresholds
}

async fn once(context: &Context, config: &Config, watched: bool) -> Result<Status> {
    let checked_at = Timestamp::now();
    let thresholds = thresholds(config);
    let named = context.chosen.connection.is_some() || context.chosen.url.is_some();
    let mut all = Vec::new();
    for (name, connection) in &config.connections {
        if !named || *name == config.default {
            let mut settings = connection.settings.clone();
            let options = &mut settings.options;
            // A file that is gone is critical: it is not made anew, and found to be fine.
            if options.engine.location() == Location::File && options.database != ":memory:" {
                options.create = false;
            }
            all.push(check(&settings, &thresholds).await);
        }
    }
    let status = Status::worst(all.iter().map(|health| health.status));
    if context.output.json {
        let document = json!({ "status": status, "checked_at": checked_at, "connections": all });
        match watched {
            // A line each, so that they can be told apart.
            true => context.output.line(document),
            false => context.output.document(&document)?,
        }
    } else {
        all.iter().for_each(|health| print(&context.output, health));
    }
    Ok(status)
}

fn painted(status: Status) -> String {
    match status {
        Status::Ok => status.green().to_string(),
        Status::Warning => status.yellow().to_string(),
        Status::Critical => status.red().bold().to_string(),
        Status::Unknown => status.magenta().to_string(),
    }
}

pub(super) fn print(output: &Output, health: &ConnectionHealth) {
    let version = health.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let role = health.role.as_deref().map(|role| format!(", {role}")).unwrap_or_default();
    output.line(format_args!("{} {}: {}{version}{role}", painted(health.status), health.name.bold(), health.engine));
    let mut rows = table(["check", "status", "value", "warning", "critical", ""]);
    for check in &health.checks {
        rows.add_row([
            Cell::new(&check.name),
            Cell::new(painted(check.status)),
            number(value(check, check.value)),
            number(value(check, check.warning)),
            number(value(check, check.critical)),
            Cell::new(&check.message),
        ]);
    }
    output.line(rows);
}

fn value(check: &Check, number: Option<f64>) -> String {
    match (number, check.unit) {
        (None, _) => String::new(),
        (Some(number), Some(Unit::Bytes)) => bytes(number as u64),
        (Some(number), Some(Unit::Milliseconds)) if number < 10.0 => format!("{number:.2} ms"),
        (Some(number), Some(Unit::Milliseconds)) => format!("{number:.0} ms"),
        (Some(number), Some(Unit::Percent)) => format!("{number:.0} %"),
        (Some(number), Some(Unit::Seconds)) => format!("{number:.0} s"),
        (Some(number), _) => format!("{number}"),
    }
}
