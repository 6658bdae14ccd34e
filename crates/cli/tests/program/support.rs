//! Folders to run the program in, what it said, and texts that are the same on every run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use dbkeep_testkit::{Kind, Server, TestDatabase, server};
use regex::Regex;
use serde_json::Value;

/// The binary under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_dbkeep");

/// A folder of its own to run the program in, with nothing of the machine's environment.
pub(crate) struct Project {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// How a run of the program ended and what it said.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    arguments: String,
}

impl Project {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// A folder with what `init` writes, for this database.
    pub(crate) fn on(url: &str) -> Self {
        let project = Self::new().with("DB_URL_FOR_TEST", url);
        project.run(&["init"]).expect(0);
        let file = project.path("dbkeep.toml");
        let text = fs::read_to_string(&file).unwrap().replace("sqlite://dbkeep.db", "${DB_URL_FOR_TEST}");
        fs::write(file, text).unwrap();
        project
    }

    /// A folder with what `init` writes.
    pub(crate) fn sqlite() -> Self {
        let project = Self::new();
        project.run(&["init"]).expect(0);
        project
    }

    /// One more variable of the environment.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// The program, about to be run here.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(self.folder())
            .env_clear()
            .env("HOME", self.folder())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap(), arguments)
    }

    /// Runs SQL that may change anything.
    pub(crate) fn write_query(&self, sql: &str) {
        self.run(&["query", "--write", sql]).expect(0);
    }

    /// The rows of a query as CSV without its header.
    pub(crate) fn csv(&self, sql: &str) -> String {
        let run = self.run(&["query", "--csv", sql]).expect(0);
        run.stdout.split_once('\n').unwrap_or_default().1.to_owned()
    }

    /// The ids of the backups in its vault, by `backup list`.
    pub(crate) fn backups(&self) -> Vec<String> {
        let run = self.run(&["backup", "list", "--json"]).expect(0);
        run.json().as_array().unwrap().iter().map(|backup| backup["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Run {
    pub(crate) fn of(output: Output, arguments: &[&str]) -> Self {
        Self {
            // 128 and the signal's number, as a shell counts.
            code: output.status.code().unwrap_or_else(|| {
                use std::os::unix::process::ExitStatusExt;
                128 + output.status.signal().unwrap_or_default()
            }),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            arguments: arguments.join(" "),
        }
    }

    /// This run, if it ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "dbkeep {}\n{}{}", self.arguments, self.stdout, self.stderr);
        self
    }

    /// The one JSON document on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("dbkeep {}: {error} in {:?}\n{}", self.arguments, self.stdout, self.stderr))
    }

    /// Standard output and standard error, what changes from run to run replaced.
    pub(crate) fn both(&self, project: &Project) -> String {
        let mut out = redacted(&self.stdout, project);
        if !self.stderr.is_empty() {
            out.push_str("--- stderr\n");
            out.push_str(&redacted(&self.stderr, project));
        }
        out
    }

    /// `both` and the exit code.
    pub(crate) fn told(&self, project: &Project) -> String {
        format!("{}-> {}\n", self.both(project), self.code)
    }
}

/// A text with times, durations, sizes, ids and the folder's name replaced, and its columns moved together.
pub(crate) fn redacted(text: &str, project: &Project) -> String {
    static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        [
            (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "<when>"),
            (r"\b\d{4}_\d\d_\d\d_\d{6}_", "<now>_"),
            (r"\b\d+(\.\d+)? (ms|s)\b", "<took>"),
            (r"\b\d+(\.\d+)? ([KMG]i)?B\b", "<size>"),
            (r"\b[0-9a-f]{64}\b", "<id>"),
            (r"\b[0-9a-f]{8}\b", "<id>"),
            (r"\b3\.\d+\.\d+\b", "<version>"),
            (" {2,}", "  "),
            (" +\n", "\n"),
            ("─+", "─"),
        ]
        .map(|(pattern, with)| (Regex::new(pattern).unwrap(), with))
        .into()
    });
    let real = fs::canonicalize(project.folder()).unwrap();
    let mut out = text.to_owned();
    for folder in [real.as_path(), project.folder()] {
        out = out.replace(&folder.display().to_string(), "<folder>");
    }
    PATTERNS.iter().fold(out, |text, (pattern, with)| pattern.replace_all(&text, *with).into_owned())
}

/// The field names of a JSON object in their order.
pub(crate) fn fields(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A database on each server there is.
pub(crate) fn on_every_server() -> impl Iterator<Item = TestDatabase> {
    Kind::ALL.into_iter().filter_map(server).map(|server| server.fresh_database())
}

/// The name of a database that does not exist yet, dropped at the end.
pub(crate) struct Unmade {
    pub(crate) server: Server,
    pub(crate) name: String,
}

impl Unmade {
    pub(crate) fn beside(database: &TestDatabase) -> Self {
        Self { server: database.server().clone(), name: format!("{}_copy", database.name()) }
    }

    pub(crate) fn dump(&self) -> String {
        self.server.client().dump(&self.name)
    }
}

impl Drop for Unmade {
    fn drop(&mut self) {
        // It may not have been made.
        let _ = self.server.client().try_run("", &format!("DROP DATABASE {}", self.name));
    }
}

/// Looks again and again, until it is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = std::time::Instant::now();
    while !is_so() {
        assert!(since.elapsed().as_secs() < 120, "never came: {what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Ctrl-C.
pub(crate) fn interrupt(child: &std::process::Child) {
    signal(child, rustix::process::Signal::INT);
}

pub(crate) fn signal(child: &std::process::Child, signal: rustix::process::Signal) {
    let process = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(process, signal).unwrap();
}
