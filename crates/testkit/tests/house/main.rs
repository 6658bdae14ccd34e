//! The rules of the house, held against the tree: who may import whom, and what must never be. Offenders are named by path.

#![allow(clippy::unwrap_used)]

mod source;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

/// Each crate and the crates of this workspace it may depend on. `testkit` may be a dev-dependency of all.
const DOWNWARDS: &[(&str, &[&str])] = &[
    ("sql", &[]),
    ("pool", &[]),
    ("engine", &["sql"]),
    ("dbkeep", &["sql", "engine", "pool"]),
    ("backup", &["sql", "engine", "pool", "dbkeep"]),
    ("monitor", &["sql", "engine", "pool", "dbkeep"]),
    ("cli", &["sql", "engine", "pool", "dbkeep", "backup", "monitor"]),
    ("testkit", &["sql", "engine"]),
    ("guide", &["dbkeep"]),
];

/// Dependencies with one home: the crate, and who may depend on it.
const AT_HOME: &[(&str, &[&str])] = &[
    ("mysql_async", &["engine"]),
    ("tokio-postgres", &["engine"]),
    ("tokio-postgres-rustls", &["engine"]),
    ("rusqlite", &["engine"]),
    ("rustic_core", &["backup"]),
    ("rustic_backend", &["backup"]),
    ("object_store", &["backup"]),
    ("lettre", &["monitor", "cli"]),
    ("reqwest", &["monitor", "cli"]),
    ("hyper", &["monitor", "cli"]),
    ("axum", &["cli"]),
    ("clap", &["cli"]),
    ("anyhow", &["cli"]),
    ("eyre", &["cli"]),
    ("miette", &["cli"]),
];

const LIBRARIES: &[&str] = &["sql", "pool", "engine", "dbkeep", "backup", "monitor"];

/// The folders in `crates/engine/src`, and the names each may use.
const ENGINES: &[(&str, &[&str])] =
    &[("mysql", &["mysql", "mariadb"]), ("postgres", &["postgres"]), ("sqlite", &["sqlite"])];
const ENGINE_NAMES: &[&str] = &["mysql", "mariadb", "postgres", "sqlite"];

/// Names that only look like an engine's: the file, and the text with the name.
const NOT_AN_ENGINE: &[(&str, &str)] = &[
    // A SQL mode of MariaDB's.
    ("crates/engine/src/mysql/session.rs", "\"POSTGRESQL\""),
];

/// Files that are about all engines: the table of URL schemes.
const SCHEME_TABLE: &str = "crates/engine/src/scheme.rs";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every Rust file in a folder of the tree, tests apart.
fn sources(folder: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if name != "tests" {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let shown = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                sources.push(Source::new(shown, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

/// What breaks a rule.
#[derive(Default)]
struct Offenders(Vec<String>);

impl Offenders {
    fn add(&mut self, source: &Source, line: usize, what: impl AsRef<str>) {
        self.0.push(format!("{}:{line}: {}", source.path, what.as_ref()));
    }

    #[track_caller]
    fn none(mut self, rule: &str) {
        self.0.dedup();
        let mut message = format!("{rule}, but:\n");
        for offender in &self.0 {
            let _ = writeln!(message, "  {offender}");
        }
        assert!(self.0.is_empty(), "{message}");
    }
}

fn words(offenders: &mut Offenders, source: &Source, forbidden: &[&str]) {
    for word in forbidden {
        for line in source.lines_with_word(word) {
            offenders.add(source, line, *word);
        }
    }
}

fn members(offenders: &mut Offenders, source: &Source, module: &str, forbidden: &[&str]) {
    for (line, member) in source.members_of(module) {
        if forbidden.contains(&member.as_str()) {
            offenders.add(source, line, format!("{module}::{member}"));
        }
    }
}

/// The names a manifest's tables of dependencies name, those for development apart.
fn dependencies(manifest: &toml::Table, development: bool) -> BTreeSet<String> {
    let kinds: &[&str] = if development { &["dev-dependencies"] } else { &["dependencies", "build-dependencies"] };
    let mut tables = vec![manifest];
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    tables.extend(targets.into_iter().flat_map(|targets| targets.values().filter_map(toml::Value::as_table)));
    let mut names = BTreeSet::new();
    for table in tables {
        for kind in kinds {
            for (name, value) in table.get(*kind).and_then(toml::Value::as_table).into_iter().flatten() {
                let package = value.get("package").and_then(toml::Value::as_str);
                names.insert(package.unwrap_or(name).to_owned());
            }
        }
    }
    names
}

fn manifests() -> Vec<(String, toml::Table)> {
    let mut manifests: Vec<_> = fs::read_dir(root().join("crates"))
        .unwrap()
        .filter_map(|entry| {
            let folder = entry.unwrap().path();
            let text = fs::read_to_string(folder.join("Cargo.toml")).ok()?;
            Some((folder.file_name().unwrap().to_str().unwrap().to_owned(), text.parse().unwrap()))
        })
        .collect();
    manifests.sort_by(|one, other| one.0.cmp(&other.0));
    manifests
}

fn package_name(folder: &str) -> String {
    if folder == "dbkeep" { "dbkeep".to_owned() } else { format!("dbkeep-{folder}") }
}

#[test]
fn crates_depend_downwards_only() {
    let mut offenders = Offenders::default();
    for (folder, manifest) in manifests() {
        let path = format!("crates/{folder}/Cargo.toml");
        let Some((_, allowed)) = DOWNWARDS.iter().find(|(name, _)| *name == folder) else {
            offenders.0.push(format!("{path}: a crate the house does not know"));
            continue;
        };
        let name = manifest["package"]["name"].as_str().unwrap();
        if name != package_name(&folder) {
            offenders.0.push(format!("{path}: is named {name}"));
        }
        for development in [false, true] {
            for dependency in dependencies(&manifest, development) {
                let Some(other) = DOWNWARDS.iter().find(|(other, _)| package_name(other) == dependency) else {
                    continue;
                };
                // A crate may depend on itself to test itself with other features.
                let for_tests = development && (other.0 == "testkit" || other.0 == folder);
                if !allowed.contains(&other.0) && !for_tests {
                    offenders.0.push(format!("{path}: depends on {dependency}"));
                }
            }
        }
    }
    offenders.none("crates depend on those below them");
}

#[test]
fn drivers_and_heavy_crates_stay_in_their_rooms() {
    let mut offenders = Offenders::default();
    for (folder, manifest) in manifests() {
        for dependency in dependencies(&manifest, false) {
            let home = AT_HOME.iter().find(|(name, _)| *name == dependency);
            if home.is_some_and(|(_, homes)| !homes.contains(&folder.as_str())) {
                offenders.0.push(format!("crates/{folder}/Cargo.toml: depends on {dependency}"));
            }
        }
    }
    offenders.none("drivers, stores, HTTP, mail and argument parsing have one room each");
}

#[test]
fn the_language_does_no_io_and_nothing_async() {
    let mut offenders = Offenders::default();
    for source in sources("crates/sql/src") {
        members(&mut offenders, &source, "std", &["fs", "net", "process", "os", "io", "thread"]);
        words(&mut offenders, &source, &["tokio", "async", "await"]);
    }
    offenders.none("crates/sql does no I/O and nothing async");
}

#[test]
fn the_pool_knows_no_sql() {
    let mut offenders = Offenders::default();
    for source in sources("crates/pool/src") {
        for (at, word) in source.words() {
            let word = String::from_utf8_lossy(word).into_owned();
            // As in "failures in a row".
            let parts = parts_of_name(&word.replace("in_a_row", ""));
            if let Some(part) = parts.iter().find(|part| ["sql", "row", "rows", "query"].contains(&part.as_str())) {
                offenders.add(&source, source.line(at), format!("{word} names {part}"));
            }
        }
    }
    offenders.none("crates/pool knows no SQL and no row");
}

/// `RowStream`, `row_stream` and `ROW_STREAM` are made of `row` and `stream`.
fn parts_of_name(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut previous_lower = false;
    for letter in name.chars() {
        if letter == '_' || (letter.is_uppercase() && previous_lower) {
            parts.push(String::new());
        }
        if letter != '_' {
            parts.last_mut().unwrap().extend(letter.to_lowercase());
        }
        previous_lower = letter.is_lowercase();
    }
    parts
}

#[test]
fn no_engine_imports_another() {
    let mut offenders = Offenders::default();
    for (folder, _) in ENGINES {
        for source in sources(&format!("crates/engine/src/{folder}")) {
            for (at, word) in source.words() {
                let other = ENGINES.iter().any(|(other, _)| other != folder && other.as_bytes() == word);
                if other && source.is_path_segment(at, word.len()) {
                    offenders.add(&source, source.line(at), String::from_utf8_lossy(word));
                }
            }
        }
    }
    offenders.none("one engine's folder does not import another's");
}

#[test]
fn engines_are_named_in_their_own_folders_only() {
    let mut offenders = Offenders::default();
    for library in LIBRARIES {
        for source in sources(&format!("crates/{library}/src")) {
            if source.path == SCHEME_TABLE {
                continue;
            }
            let own = ENGINES.iter().find(|(folder, _)| {
                source.path.starts_with(&format!("crates/engine/src/{folder}/"))
                    || source.path == format!("crates/engine/src/{folder}.rs")
            });
            for name in ENGINE_NAMES {
                if own.is_some_and(|(_, names)| names.contains(name)) {
                    continue;
                }
                for (line, text) in source.lines_with_text(name) {
                    let excepted = NOT_AN_ENGINE.iter().any(|(path, part)| *path == source.path && text.contains(part));
                    // A folder is made part of its crate somewhere.
                    if !excepted && text != format!("mod {name};") {
                        offenders.add(&source, line, text);
                    }
                }
            }
        }
    }
    offenders.none(
        "an engine's name stands in its own folder and in the table of URL schemes (ask for capabilities instead)",
    );
}

#[test]
fn libraries_neither_print_nor_exit_nor_read_the_environment() {
    let mut offenders = Offenders::default();
    for library in LIBRARIES {
        for source in sources(&format!("crates/{library}/src")) {
            members(&mut offenders, &source, "std", &["env"]);
            members(&mut offenders, &source, "process", &["exit", "abort"]);
            words(&mut offenders, &source, &["clap", "anyhow", "eyre", "miette"]);
            for (at, word) in source.words() {
                let (_, after) = source.around(at, word.len());
                let prints =
                    ["print", "println", "eprint", "eprintln", "dbg"].iter().any(|name| name.as_bytes() == word);
                if prints && after.starts_with('!') {
                    offenders.add(&source, source.line(at), format!("{}!", String::from_utf8_lossy(word)));
                }
            }
        }
    }
    offenders.none("a library does not print, exit, read the environment or know the command line");
}

#[test]
fn the_vault_knows_no_engine() {
    let mut offenders = Offenders::default();
    for source in sources("crates/backup/src/vault") {
        words(&mut offenders, &source, &["dbkeep", "dbkeep_engine", "dbkeep_sql", "dbkeep_pool"]);
    }
    offenders.none("the vault stores named streams of bytes and knows no database");
}

#[test]
fn secrets_are_never_shown() {
    let mut offenders = Offenders::default();
    let is_secret = |name: &str| ["Secret", "Password", "Passphrase"].iter().any(|end| name.ends_with(end));
    for library in LIBRARIES.iter().chain(&["cli"]) {
        for source in sources(&format!("crates/{library}/src")) {
            for (at, word) in source.words() {
                let name = String::from_utf8_lossy(word).into_owned();
                if !is_secret(&name) {
                    continue;
                }
                let (before, _) = source.around(at, word.len());
                if before.ends_with("Display for") {
                    offenders.add(&source, source.line(at), format!("implements Display for {name}"));
                }
                if let Some(before) = before.strip_suffix("struct") {
                    // The attributes of this item: back to the end of the one before it.
                    let attributes = before.rsplit([';', '}']).next().unwrap_or_default();
                    if attributes.contains("#[derive") && attributes.contains("Debug") {
                        offenders.add(&source, source.line(at), format!("derives Debug for {name}"));
                    }
                }
            }
        }
    }
    offenders.none("a secret has no Display and a Debug that hides it");
}

// ------------------------------------------------------------------------------------------------ the reading of source

#[test]
fn comments_and_documentation_are_not_code() {
    let source =
        Source::new("a.rs", "//! tokio\n/// tokio\nfn a() {} // tokio\n/* tokio /* tokio */ tokio */ fn b() {}\n");
    assert_eq!(source.lines_with_word("tokio"), [] as [usize; 0]);
    assert_eq!(source.lines_with_word("fn"), [3, 4]);
}

#[test]
fn strings_are_no_words_but_are_text() {
    let source = Source::new(
        "a.rs",
        "let a = \"tokio \\\" // tokio\"; let b = r#\"tokio\"tokio\"#; let c = '\"'; let d: &'a str = b\"x\";\n",
    );
    assert_eq!(source.lines_with_word("tokio"), [] as [usize; 0]);
    assert_eq!(source.lines_with_word("d"), [1]);
    assert_eq!(source.lines_with_text("tokio").len(), 1);
}

#[test]
fn test_modules_and_conditions_are_not_code() {
    let text = "#[cfg(feature = \"sqlite\")]\nmod a;\n#[cfg(test)]\nmod tests {\n    fn sqlite() { let brace = '}'; }\n}\nfn sqlite() {}\n#[cfg(test)]\nmod sqlite;\n";
    let source = Source::new("a.rs", text);
    assert_eq!(source.lines_with_text("sqlite"), [(7, "fn sqlite() {}".to_owned())]);
}

#[test]
fn modules_are_found_in_groups() {
    let source =
        Source::new("a.rs", "use std::{fs, io::{Read, env}, net::*};\nfn a() { std::env::var(\"A\") }\nenv!(\"B\");\n");
    let members: Vec<String> =
        source.members_of("std").into_iter().map(|(line, name)| format!("{line} {name}")).collect();
    assert_eq!(members, ["1 fs", "1 io", "1 net", "2 env"]);
}

#[test]
fn names_are_taken_apart() {
    assert_eq!(parts_of_name("RowStream"), ["row", "stream"]);
    assert_eq!(parts_of_name("row_count"), ["row", "count"]);
    assert_eq!(parts_of_name("MAX_ROWS"), ["max", "rows"]);
    assert_eq!(parts_of_name("grow"), ["grow"]);
}
