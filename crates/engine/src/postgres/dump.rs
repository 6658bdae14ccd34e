//! The schema as SQL, by PostgreSQL's own `pg_dump`: nothing else knows every kind of object of every version.

use super::socket;
use crate::{ConnectOptions, Error, ErrorKind, Result, TlsMode, Version};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// Where distributions put the programs of each version, by folder and what follows the version in it.
const FOLDERS: [(&str, &str); 4] =
    [("/usr/lib/postgresql", "bin"), ("/usr/pgsql-", "bin"), ("/usr/local/pgsql", "bin"), ("/opt/homebrew/opt", "bin")];

/// How long pg_dump waits for a table. Whoever asks for a dump holds the tables already, so that it only waits where
/// somebody else waits to alter one: that ends with us alone.
const LOCK_WAIT: Duration = Duration::from_secs(3);

/// The two halves of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// What must be there before the rows.
    Before,
    /// What comes after the rows: indexes, keys, triggers, contents of materialised views.
    After,
}

/// A `pg_dump` that fits the server.
pub(super) struct PgDump {
    program: PathBuf,
    version: Version,
}

impl PgDump {
    /// Finds the oldest `pg_dump` that is not older than the server: a newer one writes settings that the server's own
    /// version may not read back.
    ///
    /// # Errors
    /// `Unsupported` when there is none, naming the package to install.
    pub(super) async fn find(server: &Version) -> Result<Self> {
        let mut found = Vec::new();
        for program in candidates() {
            if let Some(version) = version_of(&program).await {
                found.push(Self { program, version });
            }
        }
        found.sort_by_key(|dump| (dump.version.major, std::cmp::Reverse(dump.version.minor)));
        let newest = found.last().map(|dump| dump.version.major);
        found.into_iter().find(|dump| dump.version.major >= server.major).ok_or_else(|| {
            let message = match newest {
                Some(newest) => {
                    format!("the newest pg_dump here is of version {newest}, the server of {}", server.major)
                }
                None => "there is no pg_dump here, which writes the schema".to_owned(),
            };
            Error::new(ErrorKind::Unsupported, message)
                .with_hint(format!("install the package postgresql-client-{} (or a later one)", server.major))
        })
    }

    /// Writes one half of the schema as it was in an exported snapshot.
    ///
    /// # Errors
    /// With what pg_dump said.
    pub(super) async fn section(&self, options: &ConnectOptions, snapshot: &str, section: Section) -> Result<String> {
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Io, format!("{} cannot be run", self.program.display())).with_source(error)
        };
        let mut command = Command::new(&self.program);
        command
            .arg(match section {
                Section::Before => "--section=pre-data",
                Section::After => "--section=post-data",
            })
            .arg(format!("--snapshot={snapshot}"))
            .args(["--no-owner", "--no-privileges", "--no-subscriptions", "--no-tablespaces"])
            .args(["--no-password", "--encoding=UTF8"])
            .arg(format!("--lock-wait-timeout={}ms", LOCK_WAIT.as_millis()));
        // Held until the program has ended.
        let _password = reach(&mut command, options, &self.version)?;
        let since = Instant::now();
        let output = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(failed)?;
        let said = String::from_utf8_lossy(&output.stderr);
        // What the server says may be in any language; the statement is quoted by pg_dump.
        if !output.status.success() && said.contains("LOCK TABLE ") && since.elapsed() >= LOCK_WAIT {
            return Err(Error::new(
                ErrorKind::LockTimeout,
                "another program waits to alter a table while pg_dump locks it",
            )
            .with_hint("try again when no migration runs"));
        }
        if !output.status.success() {
            return Err(Error::new(
                ErrorKind::Statement,
                format!("pg_dump failed ({}): {}", output.status, said.trim()),
            ));
        }
        for line in said.lines() {
            tracing::debug!(target: "dbkeep::notice", "{line}");
        }
        let text = String::from_utf8(output.stdout)
            .map_err(|error| Error::new(ErrorKind::Damaged, "pg_dump wrote what is not UTF-8").with_source(error))?;
        Ok(tidy(&text))
    }
}

/// Leaves out what differs from run to run or belongs to psql, so that equal schemas give equal text. All of it stands in the
/// head, before the encoding is set, and in the last line: in between, the same words may be part of a function or a comment.
fn tidy(text: &str) -> String {
    let noise = |line: &&str| {
        line.starts_with("\\restrict ")
            || line.starts_with("-- Dumped from database version ")
            || line.starts_with("-- Dumped by pg_dump version ")
            // Written by version 17, unknown to older servers.
            || line.trim_end() == "SET transaction_timeout = 0;"
    };
    let (head, rest) = text.split_at(text.find("\nSET client_encoding = ").map_or(0, |at| at + 1));
    let end = match rest.trim_end().rsplit_once('\n') {
        Some((before, last)) if last.starts_with("\\unrestrict ") => before.len() + 1,
        _ => rest.len(),
    };
    head.split_inclusive('\n').filter(|line| !noise(line)).chain([&rest[..end]]).collect()
}

fn candidates() -> BTreeSet<PathBuf> {
    // A bare name is looked up in the search path.
    let mut programs = BTreeSet::from([PathBuf::from("pg_dump")]);
    for (start, end) in FOLDERS {
        let start = PathBuf::from(start);
        let (folder, prefix) = match start.is_dir() {
            true => (start.clone(), String::new()),
            false => match (start.parent(), start.file_name()) {
                (Some(folder), Some(prefix)) => (folder.to_owned(), prefix.to_string_lossy().into_owned()),
                _ => continue,
            },
        };
        programs.insert(start.join(end).join("pg_dump"));
        // A folder that is not there holds nothing.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                programs.insert(entry.path().join(end).join("pg_dump"));
            }
        }
    }
    programs.retain(|program| program.components().count() == 1 || program.is_file());
    programs
}

async fn version_of(program: &PathBuf) -> Option<Version> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).kill_on_drop(true).output().await.ok()?;
    let version = Version::parse(String::from_utf8_lossy(&output.stdout).trim());
    (output.status.success() && version.major > 0).then_some(version)
}

/// Tells a program of PostgreSQL's where the server is, through its environment; the password through a file that only
/// we may read, which lasts as long as what is returned.
fn reach(
    command: &mut Command,
    options: &ConnectOptions,
    version: &Version,
) -> Result<Option<tempfile::NamedTempFile>> {
    // What the caller's environment says about other servers must not count here.
    for name in [
        "PGHOSTADDR",
        "PGSERVICE",
        "PGSERVICEFILE",
        "PGOPTIONS",
        "PGPASSWORD",
        "PGPASSFILE",
        "PGREQUIREAUTH",
        "PGSSLCERT",
        "PGSSLKEY",
        "PGSSLROOTCERT",
        "PGSSLCRL",
        "PGSSLNEGOTIATION",
        "PGCHANNELBINDING",
        "PGTARGETSESSIONATTRS",
        "PGUSER",
    ] {
        command.env_remove(name);
    }
    let port = match &options.socket {
        Some(socket) => {
            let (directory, port) = socket::socket_directory(socket, options.port);
            command.env("PGHOST", directory);
            port
        }
        None => {
            command.env("PGHOST", &options.host);
            options.port.unwrap_or(socket::DEFAULT_PORT)
        }
    };
    command
        .env("PGPORT", port.to_string())
        .env("PGDATABASE", &options.database)
        .env("PGAPPNAME", "dbkeep pg_dump")
        .env("PGGSSENCMODE", "disable")
        .env("PGCONNECT_TIMEOUT", options.connect_timeout.as_secs().max(2).to_string())
        // Messages in English, so that they read the same in every report.
        .env("LC_MESSAGES", "C");
    if let Some(user) = &options.user {
        command.env("PGUSER", user);
    }
    let name = TlsMode::NAMES.iter().find(|(_, mode)| *mode == options.tls).map_or("prefer", |(name, _)| *name);
    command.env("PGSSLMODE", name);
    if matches!(options.tls, TlsMode::VerifyCa | TlsMode::VerifyFull) {
        match &options.tls_ca {
            Some(ca) => command.env("PGSSLROOTCERT", ca),
            None if version.major >= 16 => command.env("PGSSLROOTCERT", "system"),
            None => {
                return Err(Error::new(ErrorKind::Tls, "pg_dump of version 15 and before knows no public authorities")
                    .with_hint("name the authority's certificate with tls_ca, or install a later postgresql-client"));
            }
        };
    }
    if let (Some(cert), Some(key)) = (&options.tls_cert, &options.tls_key) {
        command.env("PGSSLCERT", cert).env("PGSSLKEY", key);
    }
    let Some(password) = &options.password else { return Ok(None) };
    let failed = |error| Error::new(ErrorKind::Io, "the password cannot be handed to pg_dump").with_source(error);
    let mut file = tempfile::Builder::new().prefix("dbkeep-").tempfile().map_err(failed)?;
    let escaped = password.expose().replace('\\', "\\\\").replace(':', "\\:");
    writeln!(file, "*:*:*:*:{escaped}").map_err(failed)?;
    file.flush().map_err(failed)?;
    command.env("PGPASSFILE", file.path());
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_left_out() {
        let text = "--\n\n\\restrict abc\n-- Dumped from database version 15.18\nSET transaction_timeout = 0;\nSET client_encoding = 'UTF8';\nCREATE TABLE t ();\n\n\\unrestrict abc\n\n";
        assert_eq!(tidy(text), "--\n\nSET client_encoding = 'UTF8';\nCREATE TABLE t ();\n\n");
    }

    #[test]
    fn what_only_looks_like_it_stays_to_the_last_byte() {
        let body = "\nSET client_encoding = 'UTF8';\nCOMMENT ON TABLE t IS 'a\r\nSET transaction_timeout = 0;\n-- Dumped by pg_dump version 9\n\\unrestrict x\n';\n";
        assert_eq!(tidy(body), body);
    }

    #[tokio::test]
    async fn a_server_from_the_future_is_refused_with_the_package_to_install() {
        let error = PgDump::find(&Version::parse("99.1")).await.err().map(|error| error.hint().map(str::to_owned));
        assert_eq!(error.flatten().as_deref(), Some("install the package postgresql-client-99 (or a later one)"));
    }
}
