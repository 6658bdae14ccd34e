//! The `dbkeep` program as a library: arguments, configuration, terminal text and exit codes.

mod aliases;
mod args;
mod commands;
mod config;
mod confirm;
mod error;
mod exit_code;
mod interrupt;
mod logging;
mod output;
mod progress;
mod state;
mod table;

use crate::commands::Context;
use crate::config::Chosen;
use crate::confirm::Consent;
use crate::output::{Color, Output};
use clap::Parser;
use std::ffi::OsString;

pub use exit_code::ExitCode;

/// Runs the program with these arguments, the first being its own name, and says how it ended.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> std::process::ExitCode {
    let arguments = aliases::expand(arguments);
    // Wanted before the arguments are known to be right, so that complaints about them are JSON, too.
    let json = arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    match args::Cli::try_parse_from(arguments) {
        Ok(cli) => run(cli).into(),
        Err(error) if json && error.use_stderr() => {
            Output::new(true, false, 0, Color::Never).error(&usage(&error.render().to_string()));
            ExitCode::Usage.into()
        }
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() { ExitCode::Usage.into() } else { ExitCode::Done.into() }
        }
    }
}

/// A complaint about the command line, which was written for people, taken apart: what is wrong, and the tip or the usage.
fn usage(text: &str) -> error::Error {
    let mut paragraphs = text
        .split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|paragraph| !paragraph.is_empty());
    let first = paragraphs.next().unwrap_or_else(|| "the command line is wrong".to_owned());
    let out = error::Error::usage(first.strip_prefix("error: ").unwrap_or(&first));
    let rest: Vec<String> = paragraphs.collect();
    let tip = rest.iter().find_map(|paragraph| paragraph.strip_prefix("tip: "));
    let usage = || rest.iter().find(|paragraph| paragraph.starts_with("Usage: "));
    match tip.map(str::to_owned).or_else(|| usage().cloned()) {
        Some(hint) => out.hint(hint),
        None => out,
    }
}

fn run(cli: args::Cli) -> ExitCode {
    let global = &cli.global;
    let output = Output::new(global.json, global.quiet, global.verbose, global.color);
    logging::start(&output);
    let chosen = Chosen {
        config: global.config.clone(),
        connection: global.connection.clone(),
        url: global.url.clone(),
        ..Chosen::default()
    };
    let consent = Consent { yes: global.yes, name: global.confirm.clone() };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.error(&error::Error::io("the asynchronous runtime cannot be started", error));
            return ExitCode::Failed;
        }
    };
    let context = Context::new(output, chosen, consent);
    let outcome = runtime.block_on(interrupt::until_interrupted(&context.stop, commands::run(&context, cli.command)));
    // What still runs in the background has nothing to say any more.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    let outcome = match (outcome, output::unwritten()) {
        (Ok(_), Some(error)) => Err(error),
        (outcome, _) => outcome,
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            output.error(&error);
            error.code
        }
    }
}
