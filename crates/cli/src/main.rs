//! The `dbkeep` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    dbkeep_cli::main(std::env::args_os())
}
