//! `dbkeep init`

use super::Context;
use crate::args::Init;
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use serde_json::json;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file that `init` writes: every key, with its default.
pub(super) const TEMPLATE: &str = include_str!("../../assets/dbkeep.toml");

pub(super) fn run(context: &Context, args: &Init) -> Result<ExitCode> {
    // `.` leaves no trace in what is shown.
    let folder: PathBuf = context.here()?.join(&args.folder).components().collect();
    let url = context.chosen.url.as_deref();
    if let Some(url) = url {
        // What is written into a file should be right, and hold no password.
        let options: dbkeep::ConnectOptions = url.parse()?;
        if options.password.is_some() {
            return Err(Error::refused("this URL holds a password, which dbkeep.toml should not")
                .hint("write ${DB_PASSWORD} in its place, and put the password into .env or the environment"));
        }
    }
    let written = write(&folder, url)?;
    if context.output.json {
        context.output.document(&json!({ "folder": folder, "written": written }))?;
    } else {
        for path in &written {
            context.output.line(format_args!("wrote {path}"));
        }
        context.output.note("next: dbkeep migrate create create_users_table, then dbkeep migrate");
    }
    Ok(ExitCode::Done)
}

/// Writes dbkeep.toml and the folders; an existing dbkeep.toml is never touched.
pub(super) fn write(folder: &Path, url: Option<&str>) -> Result<Vec<String>> {
    let make = |path: &Path| {
        fs::create_dir_all(path)
            .map_err(|error| Error::io(format_args!("the folder {} cannot be made", path.display()), error))
    };
    make(folder)?;
    let file = folder.join("dbkeep.toml");
    let text = match url {
        Some(url) => TEMPLATE.replacen("sqlite://dbkeep.db", &url.replace('\\', "\\\\").replace('"', "\\\""), 1),
        None => TEMPLATE.to_owned(),
    };
    let mut out =
        fs::OpenOptions::new().write(true).create_new(true).open(&file).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Error::refused(format!("{} is there already", file.display()))
                .hint("edit it, or remove it to start over"),
            _ => Error::io(format_args!("{} cannot be written", file.display()), error),
        })?;
    out.write_all(text.as_bytes())
        .map_err(|error| Error::io(format_args!("{} cannot be written", file.display()), error))?;
    make(&folder.join("migrations"))?;
    make(&folder.join("seeds"))?;
    Ok(["dbkeep.toml", "migrations/", "seeds/"].map(str::to_owned).to_vec())
}
