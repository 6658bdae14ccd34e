//! One server process: started, signalled, killed, started again in the same data directory.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Kind;
use crate::guard::Guard;
use crate::tools::{Tools, script};

/// How long a server may take to come up before the test fails: a loaded machine with two cores initialising MySQL for the
/// first time takes half a minute.
const START_LIMIT: Duration = Duration::from_secs(180);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// A server with a folder of its own. The folder goes with it.
#[derive(Debug)]
pub(crate) struct Process {
    kind: Kind,
    folder: PathBuf,
    port: u16,
    options: Vec<String>,
    child: Option<Child>,
    guard: Guard,
}

enum Failure {
    PortTaken,
    /// Children of the killed server still hold its memory.
    NotGoneYet,
    Other(String),
}

impl Process {
    /// Starts a new server with empty data on a free port.
    pub(crate) fn new(kind: Kind, options: &[&str]) -> Process {
        let folder = tempfile::Builder::new()
            .prefix("dbkeep-")
            .tempdir()
            .unwrap_or_else(|error| panic!("cannot create a temporary folder: {error}"))
            .keep();
        let guard = Guard::over(&folder);
        // The server may run as another user.
        fs::set_permissions(&folder, Permissions::from_mode(0o755))
            .unwrap_or_else(|error| panic!("cannot open {} to all: {error}", folder.display()));
        let options = options.iter().map(ToString::to_string).collect();
        let mut process = Process { kind, folder, port: free_port(), options, child: None, guard };
        process.start();
        process
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The folder that holds the socket, the data and the certificates.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.join("server")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Starts the server again where it was, and waits until it answers.
    pub(crate) fn start(&mut self) {
        if self.child.is_some() {
            return;
        }
        // Only the first start may choose: later, tests hold on to the port.
        let movable = !self.home().join("data").exists();
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match self.try_start(deadline) {
                Ok(()) => return,
                Err(Failure::PortTaken) if movable && Instant::now() < deadline => self.port = free_port(),
                Err(Failure::PortTaken | Failure::NotGoneYet) if Instant::now() < deadline => thread::sleep(PAUSE * 5),
                Err(Failure::PortTaken) => panic!("{} cannot start: port {} is taken", self.kind, self.port),
                Err(Failure::NotGoneYet) => panic!("{} cannot start: the killed server lives on", self.kind),
                Err(Failure::Other(log)) => panic!("{} did not start:\n{log}", self.kind),
            }
        }
    }

    fn try_start(&mut self, deadline: Instant) -> Result<(), Failure> {
        let log = File::create(self.log()).unwrap_or_else(|error| panic!("cannot create a log: {error}"));
        let output = log.try_clone().unwrap_or_else(|error| panic!("cannot share a log: {error}"));
        let mut child = Command::new(script())
            .args(["run", self.kind.name()])
            .arg(self.home())
            .arg(self.port.to_string())
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", script().display()));
        self.guard.watch(Some(child.id()));
        loop {
            let ended = child.try_wait().unwrap_or_else(|error| panic!("cannot wait for {}: {error}", self.kind));
            if ended.is_some() {
                self.guard.watch(None);
                return Err(Failure::read(&self.log()));
            }
            if answers(self.kind, &self.home(), self.port) {
                self.child = Some(child);
                // PostgreSQL goes on with one of its two addresses when the other is taken.
                if matches!(Failure::read(&self.log()), Failure::PortTaken) {
                    self.kill();
                    return Err(Failure::PortTaken);
                }
                return Ok(());
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Failure::Other(format!("no answer in {START_LIMIT:?}\n{}", tail(&self.log()))));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Stops the server in the orderly way, without waiting for its clients.
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // PostgreSQL's TERM waits until every client has left.
        let signal = if self.kind == Kind::Postgres { Signal::INT } else { Signal::TERM };
        send(&child, signal);
        send(&child, Signal::CONT);
        let deadline = Instant::now() + STOP_LIMIT;
        while matches!(child.try_wait(), Ok(None)) {
            assert!(Instant::now() < deadline, "{} did not stop in {STOP_LIMIT:?}:\n{}", self.kind, tail(&self.log()));
            thread::sleep(PAUSE);
        }
        self.guard.watch(None);
    }

    /// Kills the server and every process it made, as a crash of the machine would: no goodbye to clients, no clean-up.
    pub(crate) fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // Stopped first, so that it makes no new children while the others are counted.
        send(&child, Signal::STOP);
        let children = children_of(child.id());
        let _ = child.kill();
        let _ = child.wait();
        for process in children {
            // It may have ended with its parent.
            let _ = kill_process(process, Signal::KILL);
        }
        self.guard.watch(None);
    }

    /// Stops the server's clock: connections stay open and nothing is answered until [`resume`](Process::resume).
    pub(crate) fn pause(&mut self) {
        self.signal_all(Signal::STOP);
    }

    pub(crate) fn resume(&mut self) {
        self.signal_all(Signal::CONT);
    }

    fn signal_all(&mut self, signal: Signal) {
        let child = self.child.as_ref().unwrap_or_else(|| panic!("{} does not run", self.kind));
        send(child, signal);
        for process in children_of(child.id()) {
            let _ = kill_process(process, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.guard.finish();
    }
}

impl Failure {
    fn read(log: &Path) -> Failure {
        let text = tail(log);
        let lower = text.to_lowercase();
        if lower.contains("address already in use") || lower.contains("bind on tcp/ip port") {
            Failure::PortTaken
        } else if lower.contains("shared memory block") || lower.contains("unable to lock") {
            Failure::NotGoneYet
        } else {
            Failure::Other(text)
        }
    }
}

fn send(child: &Child, signal: Signal) {
    if let Some(process) = pid(child.id()) {
        // We have not waited for it yet, so the number is still its own.
        let _ = kill_process(process, signal);
    }
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

/// The children of a process, from /proc: field 4 of `stat`, counted after the name, which may hold anything.
fn children_of(parent: u32) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let id: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let (_, after_name) = stat.rsplit_once(')')?;
            let found: u32 = after_name.split_whitespace().nth(1)?.parse().ok()?;
            (found == parent).then(|| pid(id)).flatten()
        })
        .collect()
}

/// Whether the server takes connections, asked through its socket with its own tool. A refused login is an answer.
fn answers(kind: Kind, home: &Path, port: u16) -> bool {
    let Some(tools) = Tools::of(kind) else { return false };
    let mut command = Command::new(&tools.admin);
    match kind {
        Kind::Mariadb | Kind::Mysql => {
            let socket = home.join("mysqld.sock");
            if !socket.exists() {
                return false;
            }
            command
                .args(["--no-defaults", "--connect-timeout=2"])
                .arg(format!("--socket={}", socket.display()))
                .arg("ping")
        }
        Kind::Postgres => command.arg("-q").arg("-h").arg(home).args(["-p", &port.to_string()]),
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A port nobody listens on, below the range that outgoing connections get theirs from. Another process may be quicker; then
/// the server says so and the next port is tried.
fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(10_000..30_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The end of a log.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}
