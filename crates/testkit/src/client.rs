//! A server's stock command line client and dump program: a second opinion that shares no code with dbkeep.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use crate::tools::Tools;
use crate::{Kind, Server};

/// Runs SQL through `mariadb`, `mysql` or `psql` as the account that may do everything.
///
/// Calls block. Rows come back as lines with tabs between the values, NULL as `NULL`, without column names.
#[derive(Debug, Clone)]
pub struct Client {
    server: Server,
}

/// What a client said when it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientError {
    /// Its error output.
    pub message: String,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.trim_end())
    }
}

impl std::error::Error for ClientError {}

impl Client {
    pub(crate) fn new(server: &Server) -> Client {
        Client { server: server.clone() }
    }

    /// Runs statements, separated by semicolons, in a database (empty: none, or the one that always exists), and returns
    /// what the client printed.
    ///
    /// # Panics
    ///
    /// When a statement fails, with the client's message.
    pub fn run(&self, database: &str, sql: &str) -> String {
        self.try_run(database, sql).unwrap_or_else(|error| panic!("{} refused {sql:?}: {error}", self.server.kind()))
    }

    /// As [`run`](Client::run), for statements that may fail. The statements after the first that fails are not run.
    ///
    /// # Errors
    ///
    /// The client's message.
    pub fn try_run(&self, database: &str, sql: &str) -> Result<String, ClientError> {
        finish(feed(self.query_command(database), sql.as_bytes()))
    }

    /// Runs a file of SQL, as large as it may be, in a database; one that ends in `.gz` is unpacked on the way.
    ///
    /// # Panics
    ///
    /// When the file cannot be read or a statement fails.
    pub fn load(&self, database: &str, file: &Path) {
        let input = File::open(file).unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()));
        let mut command = self.query_command(database);
        let mut unpacking = None;
        if file.extension().is_some_and(|extension| extension == "gz") {
            let mut gzip = Command::new("gzip");
            gzip.arg("-dc").stdin(input).stdout(Stdio::piped());
            let mut gzip = gzip.spawn().unwrap_or_else(|error| panic!("cannot run gzip: {error}"));
            command.stdin(gzip.stdout.take().map_or_else(Stdio::null, Stdio::from));
            unpacking = Some(gzip);
        } else {
            command.stdin(input);
        }
        let output = command.output();
        let output = output.unwrap_or_else(|error| panic!("cannot run the client of {}: {error}", self.server.kind()));
        // The client keeps its end of the pipe open as long as the command stands.
        drop(command);
        let unpacked = unpacking.is_none_or(|mut gzip| gzip.wait().is_ok_and(|status| status.success()));
        finish(output).unwrap_or_else(|error| panic!("{} refused {}: {error}", self.server.kind(), file.display()));
        assert!(unpacked, "gzip could not unpack {}", file.display());
    }

    /// Everything in a database as text: tables with their rows in a fixed order, views, indexes, triggers, routines. Two
    /// databases hold the same exactly when their texts are equal.
    ///
    /// # Panics
    ///
    /// When the dump program fails.
    pub fn dump(&self, database: &str) -> String {
        let output = self.dump_command(database).output();
        let output =
            output.unwrap_or_else(|error| panic!("cannot run the dump program of {}: {error}", self.server.kind()));
        let text = finish(output).unwrap_or_else(|error| panic!("cannot dump {database}: {error}"));
        match self.server.kind() {
            Kind::Mariadb | Kind::Mysql => text,
            Kind::Postgres => comparable(&text),
        }
    }

    fn query_command(&self, database: &str) -> Command {
        let mut command = Command::new(&self.tools().client);
        match self.server.kind() {
            Kind::Mariadb | Kind::Mysql => {
                self.reach(&mut command);
                command.args(["--batch", "--skip-column-names", "--default-character-set=utf8mb4"]);
                if !database.is_empty() {
                    command.arg(format!("--database={database}"));
                }
            }
            Kind::Postgres => {
                self.reach(&mut command);
                command
                    .args(["--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--field-separator=\t"])
                    .args(["--set=ON_ERROR_STOP=1", "--pset=null=NULL"])
                    .arg(format!("--dbname={}", self.database_or_default(database)));
            }
        }
        command
    }

    fn dump_command(&self, database: &str) -> Command {
        let mut command = Command::new(&self.tools().dump);
        self.reach(&mut command);
        match self.server.kind() {
            Kind::Mariadb | Kind::Mysql => {
                command
                    .args(["--single-transaction", "--order-by-primary", "--skip-extended-insert", "--skip-comments"])
                    .args(["--routines", "--triggers", "--events", "--hex-blob", "--no-tablespaces"])
                    .arg("--default-character-set=utf8mb4");
                if self.server.kind() == Kind::Mysql {
                    command.arg("--set-gtid-purged=OFF");
                }
            }
            Kind::Postgres => {}
        }
        command.arg(self.database_or_default(database)).stdin(Stdio::null());
        command
    }

    /// How to get to the server: the socket where there is one, the password in the environment and not among the arguments.
    fn reach(&self, command: &mut Command) {
        let server = &self.server;
        match server.kind() {
            Kind::Mariadb | Kind::Mysql => {
                command.arg("--no-defaults").arg(format!("--user={}", server.user()));
                match server.socket() {
                    Some(socket) => command.arg(format!("--socket={}", socket.display())),
                    None => command.arg(format!("--host={}", server.host())).arg(format!("--port={}", server.port())),
                };
                command.env("MYSQL_PWD", server.password());
            }
            Kind::Postgres => {
                let host = server.socket().map_or_else(|| server.host().into(), |socket| socket.display().to_string());
                command
                    .arg(format!("--host={host}"))
                    .arg(format!("--port={}", server.port()))
                    .arg(format!("--username={}", server.user()))
                    .env("PGPASSWORD", server.password())
                    .env("PGCLIENTENCODING", "UTF8")
                    // Notices of what a script drops are not errors.
                    .env("PGOPTIONS", "--client-min-messages=warning");
            }
        }
    }

    fn database_or_default<'a>(&self, database: &'a str) -> &'a str {
        if database.is_empty() { self.server.kind().maintenance_database() } else { database }
    }

    fn tools(&self) -> &'static Tools {
        Tools::of(self.server.kind()).unwrap_or_else(|| panic!("{} is not installed", self.server.kind()))
    }
}

/// Runs a command with bytes as its input, read and written at the same time so that neither side waits for the other.
pub(crate) fn feed(mut command: Command, input: &[u8]) -> Output {
    let name = command.get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {name}: {error}"));
    let (mut to, mut from, mut errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            // A client that stops at an error closes its input; its error output tells why.
            let _ = to.take().map(|mut to| to.write_all(input));
        });
        scope.spawn(|| errors.as_mut().map(|errors| errors.read_to_end(&mut stderr)));
        let _ = from.as_mut().map(|from| from.read_to_end(&mut stdout));
    });
    let status = child.wait().unwrap_or_else(|error| panic!("cannot wait for {name}: {error}"));
    Output { status, stdout, stderr }
}

/// The text a program printed, or its complaint.
pub(crate) fn finish(output: Output) -> Result<String, ClientError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(ClientError { message: String::from_utf8_lossy(&output.stderr).into_owned() })
}

/// A PostgreSQL dump without what differs between two equal databases: comments with dates, the random words that fence the
/// script, and the order in which rows lie in a table.
fn comparable(dump: &str) -> String {
    let mut text = String::with_capacity(dump.len());
    let mut lines = dump.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("--")
            || line.starts_with("\\restrict")
            || line.starts_with("\\unrestrict")
            || line.is_empty()
        {
            continue;
        }
        text.push_str(line);
        text.push('\n');
        if line.starts_with("COPY ") && line.ends_with(" FROM stdin;") {
            let mut rows: Vec<&str> = lines.by_ref().take_while(|line| *line != "\\.").collect();
            rows.sort_unstable();
            rows.push("\\.");
            for row in rows {
                text.push_str(row);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::comparable;

    #[test]
    fn a_postgres_dump_is_compared_without_dates_and_row_order() {
        let dump = "-- Dumped at noon\n\\restrict abc\nCREATE TABLE t (a integer);\n\nCOPY public.t (a) FROM stdin;\n2\n1\n\\.\n\\unrestrict abc\n";
        assert_eq!(comparable(dump), "CREATE TABLE t (a integer);\nCOPY public.t (a) FROM stdin;\n1\n2\n\\.\n");
    }
}
