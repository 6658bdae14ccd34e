//! New migrations: a name, and a text to begin with.

use super::name::FileName;
use super::{Error, ErrorKind, Name, Result};
use dbkeep_sql::{Dialect, Ident, Schema};
use jiff::{Span, Timestamp, Zoned, tz::TimeZone};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Writes a new migration into a directory, which is made if need be, and gives the path of the file.
///
/// The text fits the name: `create_users` and `create_users_table` make a table, `drop_users` and `drop_users_table` drop
/// one, `add_age_to_users` and `remove_age_from_users` change one; any other name gets an empty file, about `table` where
/// that is given. `dialect` spells what engines spell differently. `now` becomes the time in the name, in UTC; it is moved
/// on to be later than every migration there is, so that the new one runs last.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// use dbkeep::{Database, migrate};
///
/// let directory = tempfile::tempdir()?;
/// let db = Database::connect("sqlite::memory:").await?;
/// let now = "2026-11-22T12:00:00Z".parse()?;
/// let file = migrate::create(directory.path(), "create_users", None, db.dialect(), now)?;
/// assert!(file.ends_with("2026_11_22_120000_create_users.sql"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `File` when the name is none, `Exists` when a migration has it, `Io`.
pub fn create(
    directory: &Path,
    title: &str,
    table: Option<&str>,
    dialect: &dyn Dialect,
    now: Timestamp,
) -> Result<PathBuf> {
    let words = title.split('_').all(|word| !word.is_empty());
    let letters = title.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !words || !letters || title.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Error::new(ErrorKind::File, format!("{title:?} is no name for a migration")).with_hint(format!(
            "say what it does in lower-case letters, digits and single underscores: {}",
            suggest(title)
        )));
    }
    let cannot = |what: &str, path: &Path, error: std::io::Error| {
        Error::new(ErrorKind::Io, format!("cannot {what} {}", path.display())).with_source(error)
    };
    std::fs::create_dir_all(directory).map_err(|error| cannot("create", directory, error))?;
    let mut newest: Option<Name> = None;
    for entry in std::fs::read_dir(directory).map_err(|error| cannot("read", directory, error))? {
        let path = entry.map_err(|error| cannot("read", directory, error))?.path();
        // What is no migration is the next run's to complain about.
        let Ok(Some(FileName { name, .. })) = FileName::parse(&path, |_| true) else { continue };
        if name.title() == title {
            return Err(Error::new(ErrorKind::Exists, format!("a migration {title} exists: {}", path.display()))
                .with_hint("choose a name that says what the new one does besides"));
        }
        newest = newest.max(Some(name));
    }
    let mut time = now.to_zoned(TimeZone::UTC);
    if let Some(newest) = newest.filter(|newest| newest.version() >= version(&time).as_str()) {
        time = after(&newest).unwrap_or(time);
    }
    let path = directory.join(format!("{}_{title}.sql", version(&time)));
    let text = text(title, table, dialect)?;
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(&path).map_err(|error| cannot("create", &path, error))?;
    file.write_all(text.as_bytes()).map_err(|error| cannot("write", &path, error))?;
    Ok(path)
}

fn version(time: &Zoned) -> String {
    time.strftime("%Y_%m_%d_%H%M%S").to_string()
}

/// The second after a migration's own.
fn after(name: &Name) -> Option<Zoned> {
    let time = jiff::civil::DateTime::strptime("%Y_%m_%d_%H%M%S", name.version()).ok()?;
    time.checked_add(Span::new().seconds(1)).ok()?.to_zoned(TimeZone::UTC).ok()
}

/// The nearest name there can be.
fn suggest(title: &str) -> String {
    let mut out = String::new();
    for c in title.chars() {
        if c.is_ascii_uppercase() && out.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) {
            out.push('_');
        }
        match c {
            c if c.is_ascii_alphanumeric() => out.push(c.to_ascii_lowercase()),
            _ if out.ends_with('_') => {}
            _ => out.push('_'),
        }
    }
    let out = out.trim_matches(|c: char| c == '_' || c.is_ascii_digit());
    if out.is_empty() { "create_users".to_owned() } else { out.to_owned() }
}

/// What a name says that the migration does.
#[derive(Debug, PartialEq, Eq)]
enum Intent<'t> {
    Create(&'t str),
    Drop(&'t str),
    Add { column: &'t str, table: &'t str },
    Remove { column: &'t str, table: &'t str },
    Other(Option<&'t str>),
}

impl<'t> Intent<'t> {
    /// Reads a name; a table that was given outweighs the one in the name.
    fn read(title: &'t str, table: Option<&'t str>) -> Self {
        let named = |rest: &'t str| table.unwrap_or_else(|| rest.strip_suffix("_table").unwrap_or(rest));
        let pair = |rest: &'t str, between: &str| rest.rsplit_once(between).map(|(column, rest)| (column, named(rest)));
        let column = |words: &'t str| words.strip_suffix("_column").unwrap_or(words);
        if let Some(rest) = title.strip_prefix("create_") {
            return Intent::Create(named(rest));
        }
        if let Some((words, table)) = title.strip_prefix("add_").and_then(|rest| pair(rest, "_to_")) {
            return Intent::Add { column: column(words), table };
        }
        let removes = title.strip_prefix("remove_").or_else(|| title.strip_prefix("drop_"));
        if let Some((words, table)) = removes.and_then(|rest| pair(rest, "_from_")) {
            return Intent::Remove { column: column(words), table };
        }
        match title.strip_prefix("drop_") {
            Some(rest) => Intent::Drop(named(rest)),
            None => Intent::Other(table),
        }
    }
}

fn text(title: &str, table: Option<&str>, dialect: &dyn Dialect) -> Result<String> {
    let name = |name: &str| quoted(name, dialect);
    Ok(match Intent::read(title, table) {
        Intent::Create(table) => {
            let create = create_statement(table, dialect)?;
            format!("-- migrate:up\n{create};\n\n-- migrate:down\nDROP TABLE {};\n", name(table)?)
        }
        Intent::Drop(table) => format!(
            "-- migrate:up\nDROP TABLE {};\n\n-- migrate:down\n-- Make the table again as it was.\n",
            name(table)?
        ),
        Intent::Add { column, table } => {
            let (add, drop) = add_and_drop(&name(column)?, &name(table)?);
            format!("-- migrate:up\n{add}\n\n-- migrate:down\n{drop}\n")
        }
        Intent::Remove { column, table } => {
            let (add, drop) = add_and_drop(&name(column)?, &name(table)?);
            format!("-- migrate:up\n{drop}\n\n-- migrate:down\n{add}\n")
        }
        Intent::Other(Some(table)) => {
            let table = name(table)?;
            format!("-- migrate:up\n-- ALTER TABLE {table} …;\n\n-- migrate:down\n-- ALTER TABLE {table} …;\n")
        }
        Intent::Other(None) => "-- migrate:up\n\n-- migrate:down\n".to_owned(),
    })
}

fn add_and_drop(column: &str, table: &str) -> (String, String) {
    (
        format!("ALTER TABLE {table} ADD COLUMN {column} VARCHAR(255);"),
        format!("ALTER TABLE {table} DROP COLUMN {column};"),
    )
}

/// A name as it stands in SQL; one with a schema has its parts quoted each.
fn quoted(name: &str, dialect: &dyn Dialect) -> Result<String> {
    let mut out = String::new();
    for part in name.split('.') {
        let part = Ident::new(part).map_err(|error| {
            Error::new(ErrorKind::File, format!("{name:?} is no name for a table or column")).with_source(error)
        })?;
        if !out.is_empty() {
            out.push('.');
        }
        dialect.write_ident(&mut out, &part);
    }
    Ok(out)
}

fn create_statement(table: &str, dialect: &dyn Dialect) -> Result<String> {
    let mut schema = Schema::new();
    schema.create(table, |t| {
        t.id();
        t.string("name", 255);
        t.timestamp("created_at").use_current();
    });
    let compiled = schema.compile(dialect).map_err(|error| {
        Error::new(ErrorKind::File, format!("{table:?} is no name for a table"))
            .with_hint(error.hint())
            .with_source(error)
    })?;
    let statements: Vec<String> = compiled.into_iter().map(|ddl| ddl.sql).collect();
    Ok(statements.join(";\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dbkeep_sql::Ansi;

    fn at(directory: &Path, title: &str, table: Option<&str>) -> Result<PathBuf> {
        create(directory, title, table, &Ansi, "2026-11-22T12:00:00Z".parse().unwrap())
    }

    fn name(path: Result<PathBuf>) -> String {
        path.unwrap().file_name().unwrap().to_string_lossy().into_owned()
    }

    #[test]
    fn the_text_fits_the_name() {
        let directory = tempfile::tempdir().unwrap();
        let text = |title, table| std::fs::read_to_string(at(directory.path(), title, table).unwrap()).unwrap();
        assert_eq!(
            text("create_users_table", None),
            "-- migrate:up\nCREATE TABLE \"users\" (\n  \"id\" BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,\n  \
             \"name\" VARCHAR(255) NOT NULL,\n  \"created_at\" TIMESTAMP(6) WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP\n);\n\n\
             -- migrate:down\nDROP TABLE \"users\";\n"
        );
        assert_eq!(
            text("add_age_to_users", None),
            "-- migrate:up\nALTER TABLE \"users\" ADD COLUMN \"age\" VARCHAR(255);\n\n-- migrate:down\nALTER TABLE \"users\" DROP COLUMN \"age\";\n"
        );
        assert_eq!(
            text("drop_users", None),
            "-- migrate:up\nDROP TABLE \"users\";\n\n-- migrate:down\n-- Make the table again as it was.\n"
        );
        assert_eq!(text("index_by_name", None), "-- migrate:up\n\n-- migrate:down\n");
        assert_eq!(
            text("index_by_age", Some("users")),
            "-- migrate:up\n-- ALTER TABLE \"users\" …;\n\n-- migrate:down\n-- ALTER TABLE \"users\" …;\n"
        );
    }

    #[test]
    fn names_are_read_for_what_the_migration_does() {
        assert_eq!(Intent::read("create_a", Some("b")), Intent::Create("b"));
        assert_eq!(Intent::read("drop_a_column_from_b_table", None), Intent::Remove { column: "a", table: "b" });
        assert_eq!(Intent::read("add_to_do_to_lists", None), Intent::Add { column: "to_do", table: "lists" });
        assert_eq!(Intent::read("dropping", None), Intent::Other(None));
    }

    #[test]
    fn each_new_migration_is_the_latest() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(name(at(directory.path(), "one", None)), "2026_11_22_120000_one.sql");
        assert_eq!(name(at(directory.path(), "two", None)), "2026_11_22_120001_two.sql");
        std::fs::write(directory.path().join("2027_12_31_235959_late.up.sql"), "SELECT 1").unwrap();
        assert_eq!(name(at(directory.path(), "three", None)), "2028_01_01_000000_three.sql");
    }

    #[test]
    fn bad_and_taken_names_are_refused_with_a_better_one() {
        let directory = tempfile::tempdir().unwrap();
        at(directory.path(), "one", None).unwrap();
        let error = at(directory.path(), "one", None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exists);
        assert!(error.to_string().ends_with("2026_11_22_120000_one.sql"), "{error}");
        for (bad, better) in [
            ("CreateUsers", "create_users"),
            ("create users!", "create_users"),
            ("../../etc/passwd", "etc_passwd"),
            ("1st", "st"),
            ("", "create_users"),
            ("a__b", "a_b"),
        ] {
            let error = at(directory.path(), bad, None).unwrap_err();
            assert_eq!(error.to_string(), format!("{bad:?} is no name for a migration"));
            assert_eq!(
                error.hint(),
                Some(
                    format!("say what it does in lower-case letters, digits and single underscores: {better}").as_str()
                )
            );
        }
    }
}
