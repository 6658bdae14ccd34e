//! Public sample databases.

use std::path::PathBuf;

use crate::tools::{missing, project_root};

/// The folder of the public sample databases: `DBKEEP_DATA`, else `../shared/data` next to the project. `None`, with a notice,
/// when there is none and `DBKEEP_REQUIRE` does not name `data`.
pub fn data_dir() -> Option<PathBuf> {
    let folder = std::env::var_os("DBKEEP_DATA").map_or_else(|| project_root().join("../shared/data"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    missing("data", &format!("there is no folder {}; set DBKEEP_DATA", folder.display()));
    None
}

/// One file of the sample data. `None`, with a notice, when it is not there.
pub fn data_file(path: &str) -> Option<PathBuf> {
    let file = data_dir()?.join(path);
    if file.is_file() {
        return Some(file);
    }
    missing("data", &format!("there is no file {}", file.display()));
    None
}
