//! Log lines of the libraries, on stderr.

use crate::output::Output;
use tracing_subscriber::EnvFilter;

/// Starts logging: errors, and what a restore warns of, by default; more with `-v`; whatever `RUST_LOG` says above all. Log
/// lines never hold parameters or passwords.
pub(crate) fn start(output: &Output) {
    let level = match (output.quiet, output.verbose) {
        (true, _) => "error",
        // A command's own statements may take as long as they take; what a restore has to say is for everybody.
        (false, 0) => "dbkeep::restore=warn,dbkeep=error",
        (false, 1) => "dbkeep=info",
        (false, 2) => "dbkeep=debug",
        (false, _) => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    // A second start, as in tests that run the program twice, changes nothing.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(output.colors_on_stderr())
        .compact()
        .try_init();
}
