//! Where the stock programs of a server are, and what a test does when they are missing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::Kind;

/// The stock programs of one kind of server, and what its private servers have in common.
pub(crate) struct Tools {
    pub(crate) client: PathBuf,
    pub(crate) dump: PathBuf,
    pub(crate) admin: PathBuf,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) ca: PathBuf,
    pub(crate) other_ca: PathBuf,
}

/// The root of the source tree.
pub(crate) fn project_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The script that knows how each server is installed, configured and started.
pub(crate) fn script() -> PathBuf {
    project_root().join("scripts/servers")
}

impl Tools {
    /// The programs of a kind, looked up once per process. `None` when the server is not installed.
    pub(crate) fn of(kind: Kind) -> Option<&'static Tools> {
        static FOUND: [OnceLock<Option<Tools>>; 3] = [const { OnceLock::new() }; 3];
        FOUND[kind as usize].get_or_init(|| Tools::find(kind)).as_ref()
    }

    fn find(kind: Kind) -> Option<Tools> {
        let output = Command::new(script())
            .args(["tools", kind.name()])
            .output()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", script().display()));
        if !output.status.success() {
            return None;
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let value = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            value.unwrap_or_else(|| panic!("scripts/servers tools {kind} names no {name}")).to_owned()
        };
        Some(Tools {
            client: value("client").into(),
            dump: value("dump").into(),
            admin: value("admin").into(),
            user: value("user"),
            password: value("password"),
            ca: value("ca").into(),
            other_ca: value("other_ca").into(),
        })
    }
}

/// Whether tests on this kind can run. When they cannot: a panic if `DBKEEP_REQUIRE` names the kind, a notice otherwise.
pub(crate) fn available(kind: Kind) -> bool {
    let reason = if std::env::var_os("DBKEEP_NO_SERVERS").is_some_and(|value| !value.is_empty() && value != "0") {
        "DBKEEP_NO_SERVERS is set"
    } else if Tools::of(kind).is_none() {
        "it is not installed; `scripts/servers install` does that"
    } else {
        return true;
    };
    missing(kind.name(), reason);
    false
}

/// Says that something is missing and the test is skipped, or fails the test when `DBKEEP_REQUIRE` names it.
#[allow(clippy::print_stderr, reason = "the notice of a skipped test")]
pub(crate) fn missing(name: &str, reason: &str) {
    let required = std::env::var("DBKEEP_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|required| required.trim() == name),
        "{name} is required by DBKEEP_REQUIRE, but {reason}"
    );
    eprintln!("skipped: needs {name}, and {reason}");
}
