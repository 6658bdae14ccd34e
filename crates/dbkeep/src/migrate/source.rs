//! Where migrations come from, and which of their files are for this server.

use super::file::{Part, Parts, SqlFile, parts};
use super::name::FileName;
use super::{Error, ErrorKind, Name, Result, checksum};
use dbkeep_engine::{ServerInfo, engines, schemes};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where migrations come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Directory(PathBuf),
    /// Files compiled into the program.
    Embedded(Vec<(PathBuf, String)>),
}

/// One migration as it applies to one server.
#[derive(Debug, Clone)]
pub struct Migration {
    pub(crate) name: Name,
    pub(crate) up: Part,
    pub(crate) down: Option<Part>,
    pub(crate) checksum: String,
}

impl Migration {
    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The file its up part stands in.
    pub fn path(&self) -> &Path {
        &self.up.file.path
    }

    /// The checksum of its up part, in hexadecimal. Line ends and trailing white space do not count; nor does the down
    /// part, so that it can be corrected after the migration was applied.
    pub fn checksum(&self) -> &str {
        &self.checksum
    }

    /// Whether it can be undone.
    pub fn has_down(&self) -> bool {
        self.down.is_some()
    }
}

impl Source {
    /// Reads every migration that is for this server, in order.
    pub(crate) fn read(&self, server: &Names) -> Result<Vec<Migration>> {
        let mut files = Vec::new();
        let mut add = |path: &Path, text: &dyn Fn() -> Result<String>| {
            if let Some(name) = FileName::parse(path, Names::is_known)? {
                files.push(Candidate { name, file: SqlFile::new(path, text()?) });
            }
            Ok(())
        };
        match self {
            Source::Directory(directory) => {
                for path in self::files(directory)? {
                    add(&path, &|| std::fs::read_to_string(&path).map_err(|error| cannot_read(&path, error)))?;
                }
            }
            Source::Embedded(embedded) => {
                for (path, text) in embedded {
                    add(path, &|| Ok(text.clone()))?;
                }
            }
        }
        assemble(files, server)
    }
}

/// The files of a directory, by name. Directories within it are left alone.
pub(crate) fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory).map_err(|error| {
        cannot_read(directory, error).with_hint("is this the right directory? `init` makes those a project needs")
    })?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| cannot_read(directory, error))?.path();
        // Reading a link to nowhere says what is wrong, where leaving it out would be silent.
        if path.is_file() || (path.is_symlink() && !path.is_dir()) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn cannot_read(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot read {}", path.display())).with_source(error)
}

/// The words by which a file may say that it is for this server, the most exact first.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    exact: Vec<String>,
    /// Every scheme of this engine: other products of it, and other spellings.
    family: Vec<String>,
}

impl Names {
    pub(crate) fn of(server: &ServerInfo) -> Self {
        let mut exact = vec![server.product.to_ascii_lowercase()];
        if server.engine != exact[0] {
            exact.push(server.engine.to_owned());
        }
        let engine = engines().iter().find(|engine| engine.name() == server.engine);
        let family = engine.map(|engine| engine.schemes().iter().map(|s| (*s).to_owned()).collect());
        Self { exact, family: family.unwrap_or_default() }
    }

    /// Whether a word names an engine of any kind.
    pub(crate) fn is_known(word: &str) -> bool {
        schemes().any(|scheme| scheme == word) || engines().iter().any(|engine| engine.name() == word)
    }

    /// How well a file fits: less is better, `None` is not at all.
    pub(crate) fn rank(&self, engine: Option<&str>) -> Option<usize> {
        match engine {
            None => Some(self.exact.len()),
            Some(engine) => self.exact.iter().position(|name| name == engine),
        }
    }
}

struct Candidate {
    name: FileName,
    file: Arc<SqlFile>,
}

/// Chooses among the files of each migration and puts their parts together.
fn assemble(files: Vec<Candidate>, server: &Names) -> Result<Vec<Migration>> {
    let mut by_name: BTreeMap<Name, Vec<Candidate>> = BTreeMap::new();
    for file in files {
        by_name.entry(file.name.name.clone()).or_default().push(file);
    }
    let mut migrations: Vec<Migration> = Vec::new();
    let mut previous: Option<Name> = None;
    for (name, candidates) in by_name {
        if let Some(previous) = previous.filter(|previous| previous.version() == name.version()) {
            return Err(Error::new(ErrorKind::File, format!("{previous} and {name} have the same time"))
                .with_hint("give one of them another time: it decides which runs first"));
        }
        previous = Some(name.clone());
        if let Some(migration) = choose(name, candidates, server)? {
            migrations.push(migration);
        }
    }
    Ok(migrations)
}

/// The parts of one migration that fit this server best; `None` when it is for other engines only.
fn choose(name: Name, candidates: Vec<Candidate>, server: &Names) -> Result<Option<Migration>> {
    let mut fitting: BTreeMap<usize, Parts> = BTreeMap::new();
    let mut relative = None;
    for Candidate { name: file_name, file } in candidates {
        let engine = file_name.engine.as_deref();
        let Some(rank) = server.rank(engine) else {
            relative = relative.or(file_name.engine.filter(|engine| server.family.contains(engine)));
            continue;
        };
        let found = parts(&file, file_name.direction)?;
        let parts = fitting.entry(rank).or_default();
        for (slot, found) in [(&mut parts.up, found.up), (&mut parts.down, found.down)] {
            if let (Some(one), Some(other)) = (&*slot, &found) {
                return Err(Error::new(ErrorKind::File, format!("the migration {name} has a part in two files"))
                    .with_hint(format!(
                        "take it out of {} or {}",
                        one.file.path.display(),
                        other.file.path.display()
                    )));
            }
            *slot = found.or(slot.take());
        }
    }
    let Some(best) = fitting.iter().find(|(_, parts)| parts.up.is_some()).map(|(rank, _)| *rank) else {
        if let Some(orphan) = fitting.into_values().find_map(|parts| parts.down) {
            return Err(Error::new(ErrorKind::File, format!("the migration {name} has a down part and no up part"))
                .at(orphan.start()));
        }
        return match relative {
            // Left out in silence it would be missing on a server that may well be meant.
            Some(word) => Err(Error::new(
                ErrorKind::File,
                format!("the migration {name} has a file for {word:?}, but none for this server"),
            )
            .with_hint(format!(
                "name it for this server (.{}.sql), or add a file without such a word",
                server.exact[0]
            ))),
            None => Ok(None),
        };
    };
    let Parts { up, down } = fitting.remove(&best).unwrap_or_default();
    let Some(up) = up else { return Ok(None) };
    // A down part of its own file serves every engine that has none better.
    let is_named = |part: &Part| part.file.path != up.file.path;
    let down = down.or_else(|| {
        fitting.into_values().find_map(|parts| parts.down.filter(|part| is_named(part) && parts.up.is_none()))
    });
    let checksum = checksum::of(up.text());
    Ok(Some(Migration { name, up, down, checksum }))
}

#[cfg(test)]
impl Names {
    pub(crate) fn fake() -> Self {
        Self { exact: vec!["plus".to_owned(), "base".to_owned()], family: vec!["base".to_owned(), "minus".to_owned()] }
    }
}

/// Migrations from names and texts, for tests.
#[cfg(test)]
pub(crate) fn embedded(files: &[(&str, &str)]) -> Result<Vec<Migration>> {
    let files = files.iter().map(|(name, text)| {
        let path = Path::new(name);
        let known = |word: &str| ["plus", "base", "minus", "other"].contains(&word);
        let name = FileName::parse(path, known)?.ok_or_else(|| Error::new(ErrorKind::File, "no file of ours"))?;
        Ok(Candidate { name, file: SqlFile::new(path, *text) })
    });
    assemble(files.collect::<Result<_>>()?, &Names::fake())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const UP: &str = "-- migrate:up\nSELECT 1;\n";
    const BOTH: &str = "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n";

    fn chosen(files: &[(&str, &str)]) -> Vec<String> {
        let file = |part: &Part| part.file.path.display().to_string();
        let show = |m: Migration| format!("{} {}", file(&m.up), m.down.as_ref().map_or("-".to_owned(), file));
        embedded(files).unwrap().into_iter().map(show).collect()
    }

    fn error(files: &[(&str, &str)]) -> String {
        embedded(files).unwrap_err().to_string()
    }

    #[test]
    fn the_most_exact_file_for_the_server_is_taken() {
        let (any, base, plus, other) = (
            ("2026_01_01_000000_a.sql", BOTH),
            ("2026_01_01_000000_a.base.sql", BOTH),
            ("2026_01_01_000000_a.plus.sql", UP),
            ("2026_01_01_000000_a.other.sql", UP),
        );
        assert_eq!(chosen(&[other, any]), [format!("{} {}", any.0, any.0)]);
        assert_eq!(chosen(&[other, base, any]), [format!("{} {}", base.0, base.0)]);
        // The down part of another file does not undo this one.
        assert_eq!(chosen(&[other, base, plus, any]), [format!("{} -", plus.0)]);
        assert!(chosen(&[other]).is_empty());
    }

    #[test]
    fn parts_in_files_of_their_own_come_together() {
        let (up, down) = (("2026_01_01_000000_a.up.sql", "SELECT 1"), ("2026_01_01_000000_a.down.sql", "SELECT 2"));
        let plus = ("2026_01_01_000000_a.plus.up.sql", "SELECT 3");
        assert_eq!(chosen(&[up, down]), [format!("{} {}", up.0, down.0)]);
        assert_eq!(chosen(&[down, plus]), [format!("{} {}", plus.0, down.0)]);
        assert_eq!(
            error(&[down]),
            "2026_01_01_000000_a.down.sql:1:1: the migration 2026_01_01_000000_a has a down part and no up part"
        );
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        assert_eq!(
            error(&[("2026_01_01_000000_b.sql", UP), ("2026_01_01_000000_a.sql", UP)]),
            "2026_01_01_000000_a and 2026_01_01_000000_b have the same time"
        );
        assert_eq!(
            error(&[("2026_01_01_000000_a.sql", UP), ("2026_01_01_000000_a.up.sql", "SELECT 1")]),
            "the migration 2026_01_01_000000_a has a part in two files"
        );
        assert_eq!(
            error(&[("2026_01_01_000000_a.minus.sql", UP)]),
            "the migration 2026_01_01_000000_a has a file for \"minus\", but none for this server"
        );
    }
}
