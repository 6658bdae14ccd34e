//! `dbkeep config check` and `dbkeep config show`

use super::Context;
use crate::args::ConfigAction;
use crate::config::{Config, NOTHING_SAID, PassphraseSource};
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use dbkeep::engine::Location;
use dbkeep::pool::WhenDown;
use serde_json::{Map, Value, json};

pub(super) fn run(context: &Context, action: ConfigAction) -> Result<ExitCode> {
    let config = context.config()?;
    match action {
        ConfigAction::Check => check(context, &config),
        ConfigAction::Show => context.output.document(&show(&config)),
    }?;
    Ok(ExitCode::Done)
}

fn check(context: &Context, config: &Config) -> Result<()> {
    config.settings()?;
    if config.backup.encryption && config.backup.passphrase.is_none() {
        return Err(Error::configuration("backup.encryption is true, but there is no passphrase")
            .hint("set DBKEEP_BACKUP_PASSPHRASE, DBKEEP_BACKUP_PASSPHRASE_FILE or DBKEEP_BACKUP_PASSPHRASE_COMMAND"));
    }
    for connection in config.connections.values() {
        let options = &connection.settings.options;
        for (key, file) in [("tls_ca", &options.tls_ca), ("tls_cert", &options.tls_cert), ("tls_key", &options.tls_key)]
        {
            if let Some(file) = file.as_ref().filter(|file| !file.is_file()) {
                return Err(Error::configuration(format!(
                    "connection {:?}: {key} {} is no file",
                    connection.settings.name,
                    file.display()
                )));
            }
        }
    }
    if context.output.json {
        return context.output.document(&json!({ "ok": true, "file": config.file, "notes": config.notes }));
    }
    for note in &config.notes {
        context.output.warn(note);
    }
    let place =
        config.file.as_ref().map_or_else(|| "no dbkeep.toml, defaults".to_owned(), |file| file.display().to_string());
    context.output.line(format_args!("configuration is fine ({place})"));
    for (name, connection) in &config.connections {
        let options = &connection.settings.options;
        let default = if *name == config.default { ", the default" } else { "" };
        let origin = match connection.origin.as_str() {
            NOTHING_SAID => "since nothing names another".to_owned(),
            origin => format!("from {origin}{default}"),
        };
        context.output.line(format_args!("{name}: {} {}, {origin}", options.engine.name(), options.target()));
    }
    Ok(())
}

/// Everything that holds, secrets masked, as JSON for people and programs alike.
fn show(config: &Config) -> Value {
    let connections: Map<String, Value> = config
        .connections
        .iter()
        .map(|(name, connection)| {
            let (settings, options) = (&connection.settings, &connection.settings.options);
            let seconds = |length: std::time::Duration| length.as_secs_f64();
            let mut shown = Map::new();
            let mut put = |key: &str, value: Value| _ = shown.insert(key.to_owned(), value);
            put("origin", json!(connection.origin));
            put("engine", json!(options.engine.name()));
            put("database", json!(options.database));
            if let Location::Server { default_port } = options.engine.location() {
                put("host", json!(options.host));
                put("port", json!(options.port.unwrap_or(default_port)));
                put("socket", json!(options.socket));
                put("user", json!(options.user));
                put("password", json!(options.password.as_ref().map(|_| "********")));
                put(
                    "tls",
                    json!(dbkeep::TlsMode::NAMES.iter().find(|(_, mode)| *mode == options.tls).map(|(name, _)| *name)),
                );
                put("tls_ca", json!(options.tls_ca));
            }
            put("slow_query_seconds", json!(settings.slow_query.map(seconds)));
            put("log_queries", json!(settings.log_queries));
            put(
                "pool",
                json!({
                    "max": settings.pool.max,
                    "auto_size": settings.pool.auto_size,
                    "min": settings.pool.min,
                    "acquire_timeout_seconds": seconds(settings.pool.acquire_timeout),
                    "idle_timeout_seconds": seconds(settings.pool.idle_timeout),
                    "max_lifetime_seconds": seconds(settings.pool.max_lifetime),
                    "validate_after_seconds": seconds(settings.pool.validate_after),
                    "keepalive_seconds": seconds(settings.pool.keepalive),
                    "leak_threshold_seconds": seconds(settings.pool.leak_threshold),
                    "max_waiters": settings.pool.max_waiters,
                    "when_down": if settings.pool.when_down == WhenDown::Wait { "wait" } else { "fail" },
                }),
            );
            (name.clone(), Value::Object(shown))
        })
        .collect();
    let passphrase = config.backup.passphrase.as_ref().map(|source| match source {
        PassphraseSource::Given(_) => "********".to_owned(),
        PassphraseSource::File(path) => format!("from file {}", path.display()),
        PassphraseSource::Command(_) => "from a command".to_owned(),
    });
    let monitor = &config.monitor;
    json!({
        "file": config.file,
        "root": config.root,
        "environment": config.environment.name(),
        "default": config.default,
        "connections": connections,
        "migrations": { "dir": config.migrations.dir, "table": config.migrations.table },
        "seeds": { "dir": config.seeds.dir },
        "backup": {
            "path": config.backup.path,
            "compression": config.backup.compression,
            "encryption": config.backup.encryption,
            "passphrase": passphrase,
        },
        "monitor": {
            "interval_seconds": monitor.interval.as_secs_f64(),
            "max_response_time_ms": monitor.max_response_time.as_secs_f64() * 1_000.0,
            "max_failed_connections": monitor.max_failed_connections,
            "max_pool_utilization": monitor.max_pool_utilization,
            "max_query_time_ms": monitor.max_query_time.as_secs_f64() * 1_000.0,
            "min_available_connections": monitor.min_available_connections,
        },
        "state": { "path": config.state },
        "notes": config.notes,
    })
}
