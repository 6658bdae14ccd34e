//! `dbkeep completions SHELL`

use super::Context;
use crate::args::{Cli, Completions};
use crate::error::Result;
use crate::exit_code::ExitCode;
use clap::CommandFactory;

pub(super) fn run(context: &Context, args: &Completions) -> Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dbkeep", &mut text);
    context.output.bytes(&text);
    Ok(ExitCode::Done)
}
