//! `dbkeep completions SHELL`

use super::Context;
use crate::args::{Cli, Completions};
use crate::error::Result;
use crate::exit_code::ExitCode;
use clap::CommandFactory;
use std::io::Write;

pub(super) fn run(context: &Context, args: &Completions) -> Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dbkeep", &mut text);
    let _ = context.output.stdout().write_all(&text);
    Ok(ExitCode::Done)
}
