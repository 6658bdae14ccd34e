//! Stock programs that look at what dbkeep wrote: `restic` at a vault, `sqlite3` at a database file.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::ClientError;
use crate::client::{feed, finish};
use crate::tools::missing;

/// The stock `restic` program on one repository.
#[derive(Debug, Clone)]
pub struct Restic {
    repository: PathBuf,
    password: String,
}

/// Looks at a repository in a folder with stock `restic`. `None`, with a notice, when that is not installed and
/// `DBKEEP_REQUIRE` does not name `restic`.
pub fn restic(repository: &Path, password: &str) -> Option<Restic> {
    installed("restic", "version").then(|| Restic { repository: repository.to_owned(), password: password.to_owned() })
}

impl Restic {
    /// Runs a subcommand with its arguments and returns what it did, also when it failed.
    pub fn output(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("restic");
        // The machine's own settings point at other repositories.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RESTIC_") {
                command.env_remove(name);
            }
        }
        command
            .arg("--repo")
            .arg(&self.repository)
            .arg("--no-cache")
            .args(arguments)
            .env("RESTIC_PASSWORD", &self.password)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("cannot run restic: {error}"))
    }

    /// Runs a subcommand and returns the bytes it printed.
    ///
    /// # Panics
    ///
    /// When it fails, with what it said.
    pub fn bytes(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.output(arguments);
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "restic {} failed: {stderr}{stdout}", arguments.join(" "));
        output.stdout
    }

    /// Runs a subcommand and returns the text it printed.
    ///
    /// # Panics
    ///
    /// When it fails, with what it said.
    pub fn run(&self, arguments: &[&str]) -> String {
        String::from_utf8_lossy(&self.bytes(arguments)).into_owned()
    }
}

/// Runs SQL or dot commands on a database file through the stock `sqlite3` program and returns what it printed: values with
/// tabs between them, NULL as `NULL`, a line a row. `.dump` gives everything in it as text. `None`, with a notice, when the
/// program is not installed and `DBKEEP_REQUIRE` does not name `sqlite3`.
///
/// # Panics
///
/// When a statement fails.
pub fn sqlite3(file: &Path, sql: &str) -> Option<String> {
    if !installed("sqlite3", "--version") {
        return None;
    }
    let mut command = Command::new("sqlite3");
    command.args(["-batch", "-bail", "-init", "/dev/null", "-tabs", "-nullvalue", "NULL"]).arg(file);
    let result: Result<String, ClientError> = finish(feed(command, sql.as_bytes()));
    Some(result.unwrap_or_else(|error| panic!("sqlite3 refused {sql:?}: {error}")))
}

fn installed(program: &str, version: &str) -> bool {
    let found =
        Command::new(program).arg(version).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        missing(program, "it is not installed; `scripts/servers install` does that");
    }
    found
}
