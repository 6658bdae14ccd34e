//! A SQLite file, and those who ask it from a program of their own: two versions of SQLite cannot be linked into one program, and
//! ours wants a newer one than sqlx and diesel do.

use super::Subject;
use bench_measure::points::Round;
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use std::ffi::OsStr;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use url::Url;

pub struct File {
    url: Url,
    /// Whoever is the last to close the file or the first to open it locks it, and not everybody waits for that.
    _open: SqliteConnection,
    _folder: TempDir,
}

impl File {
    /// # Errors
    /// When there is no place for it, or the other program cannot make the table.
    pub fn make() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("no folder for the file: {error}"))?;
        let path = folder.path().join("points.db");
        let mut url = Url::parse("sqlite://").map_err(|error| error.to_string())?;
        url.set_path(path.to_str().ok_or("the temporary folder has no name in Unicode")?);
        other([OsStr::new("make"), path.as_os_str()])?;
        let mut open = SqliteConnection::establish(url.path()).map_err(|error| error.to_string())?;
        diesel::sql_query("SELECT 1 FROM points LIMIT 1").execute(&mut open).map_err(|error| error.to_string())?;
        Ok(Self { url, _open: open, _folder: folder })
    }

    pub fn url(&self) -> &Url {
        &self.url
    }
}

/// Whoever asks from the other program under this name.
pub fn subject(name: &'static str) -> Subject {
    let run = move |url: &Url, tasks: usize| -> Round {
        let tasks = tasks.to_string();
        let round = other([name, url.path(), &tasks].map(OsStr::new)).and_then(|round| round.parse());
        round.unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    Subject { name, run: Box::new(run) }
}

/// What the other program says.
fn other<'a>(arguments: impl IntoIterator<Item = &'a OsStr>) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?.with_file_name("bench-sqlite");
    let output = Command::new(&program).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{} does not start: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!("{} fails with {}", program.display(), output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}
