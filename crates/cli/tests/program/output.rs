//! Where words go: results on standard output, notes on standard error, colours where they are wanted.

use serde_json::json;
use std::io::{BufRead, BufReader, Read};

use crate::support::{Project, Run, fields};

const MIGRATION: &str = "-- migrate:up\nCREATE TABLE a (id INTEGER PRIMARY KEY);\n-- migrate:down\nDROP TABLE a;\n";

fn project() -> Project {
    let project = Project::sqlite();
    project.write("migrations/2026_01_01_000000_a.sql", MIGRATION);
    project
}

#[test]
fn results_go_to_standard_output_and_notes_to_standard_error() {
    let project = project();
    assert_eq!(
        project.run(&["migrate"]).told(&project),
        "1 migration applied in batch 1, <took>\n--- stderr\n✓ 2026_01_01_000000_a <took>\n-> 0\n"
            .replace("2026_01_01_000000_", "<now>_")
    );
    assert_eq!(project.run(&["query", "SELECT 1 AS one"]).told(&project), " one\n─\n  1\n--- stderr\n1 row\n-> 0\n");
    assert_eq!(
        project.run(&["backup", "list"]).told(&project),
        "no backups yet\n--- stderr\nnext: dbkeep backup\n-> 0\n"
    );
}

#[test]
fn quiet_leaves_results_and_errors() {
    let project = project();
    let run = project.run(&["-q", "migrate"]).expect(0);
    assert_eq!(run.stderr, "");
    assert!(run.stdout.starts_with("1 migration applied"));
    let run = project.run(&["query", "--quiet", "SELECT 1 AS one"]).expect(0);
    assert_eq!(run.stderr, "");
    let run = project.run(&["-q", "query", "SELECT missing"]).expect(1);
    assert!(run.stderr.contains("no such column: missing"), "{}", run.stderr);
    assert_eq!(run.stdout, "");
}

#[test]
fn verbose_shows_statements_and_twice_what_is_sent() {
    let project = project();
    let run = project.run(&["-v", "migrate"]).expect(0);
    assert!(run.stderr.contains("1/1 line 2: CREATE TABLE a (id INTEGER PRIMARY KEY)"), "{}", run.stderr);
    let run = project.run(&["-vv", "query", "SELECT 'a secret' AS x WHERE ? = 'b'", "-p", "another secret"]).expect(0);
    assert!(run.stderr.contains("DEBUG"), "{}", run.stderr);
    assert!(!run.stderr.contains("another secret"), "{}", run.stderr);
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let project = project();
    let escape = '\u{1b}';
    for arguments in [&["migrate", "status"][..], &["query", "SELECT nothing"], &["health"]] {
        let plain = project.run(arguments);
        assert!(!plain.stdout.contains(escape) && !plain.stderr.contains(escape));
        let always = project.run(&[arguments, &["--color", "always"]].concat());
        assert!(always.stdout.contains(escape) || always.stderr.contains(escape), "{always:?}");
        let never = project.run(&[arguments, &["--color=never"]].concat());
        assert!(!never.stdout.contains(escape) && !never.stderr.contains(escape));
    }
}

#[test]
fn on_a_terminal_colours_show_and_no_color_takes_them_away() {
    let project = project();
    let escape = '\u{1b}';
    let Some(said) = on_a_terminal(&project, "migrate status", &[]) else { return };
    assert!(said.contains(escape) && said.contains("pending"), "{said:?}");
    let said = on_a_terminal(&project, "migrate status", &[("NO_COLOR", "1")]).unwrap();
    assert!(!said.contains(escape) && said.contains("pending"), "{said:?}");
    // An empty NO_COLOR means nothing (no-color.org).
    let said = on_a_terminal(&project, "migrate status", &[("NO_COLOR", "")]).unwrap();
    assert!(said.contains(escape), "{said:?}");
    let said = on_a_terminal(&project, "query nonsense", &[("NO_COLOR", "1")]).unwrap();
    assert!(!said.contains(escape) && said.contains("syntax error"), "{said:?}");
}

/// Runs the program on a pseudo-terminal, which util-linux's `script` makes; nothing where that is missing.
pub(crate) fn on_a_terminal(project: &Project, line: &str, variables: &[(&str, &str)]) -> Option<String> {
    on_a_terminal_typing(project, line, variables, "").map(|(said, _)| said)
}

/// As above, with something typed; the exit code, too.
pub(crate) fn on_a_terminal_typing(
    project: &Project,
    line: &str,
    variables: &[(&str, &str)],
    typed: &str,
) -> Option<(String, i32)> {
    use std::io::Write;
    if std::process::Command::new("script").arg("--version").output().is_err() {
        return None;
    }
    let program = crate::support::PROGRAM;
    let mut command = std::process::Command::new("script");
    command
        .args(["--quiet", "--return", "--flush", "--command", &format!("{program} {line}"), "/dev/null"])
        .current_dir(project.folder())
        .env_clear()
        .env("HOME", project.folder())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .envs(variables.iter().copied())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(typed.as_bytes()).unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    drop(input);
    let code = child.wait().unwrap().code().unwrap_or(-1);
    Some((said, code))
}

#[test]
fn an_error_is_one_json_document_on_standard_output_with_json() {
    let project = project();
    let run = project.run(&["--json", "query", "SELECT\n  missing"]).expect(1);
    assert_eq!(run.stderr, "");
    let error = run.json();
    assert_eq!(fields(&error), ["error"]);
    assert_eq!(
        error["error"],
        json!({
            "code": "failed",
            "message": "no such column: missing (1)",
            "hint": null,
            "location": {"file": "statement", "line": 2, "column": 3}
        })
    );
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let project = project();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    for format in ["--csv", "--json", "--quiet"] {
        let mut child = project.command(&["query", format, endless]).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        assert!(!first.is_empty());
        drop(lines);
        let run = Run::of(child.wait_with_output().unwrap(), &["query", format]).expect(0);
        assert_eq!(run.stderr, "", "{format}");
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let project = project();
    project.write_query("CREATE TABLE words (word TEXT)");
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    for arguments in [
        &["query", "SELECT 1"][..],
        &["query", "--csv", "SELECT 1"],
        &["query", "--json", "SELECT 1"],
        &["config", "show"],
        &["migrate", "status", "--json"],
        &["schema", "show"],
        &["completions", "bash"],
    ] {
        let output = project.command(arguments).stdout(full()).output().unwrap();
        let run = Run::of(output, arguments).expect(1);
        assert!(run.stderr.contains("No space left on device"), "{arguments:?}: {}", run.stderr);
    }
}
