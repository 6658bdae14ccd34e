//! The command line: help, usage errors, completions, names from other tools.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{Project, fields};

const COMMANDS: [&[&str]; 22] = [
    &[],
    &["init"],
    &["demo"],
    &["migrate"],
    &["migrate", "up"],
    &["migrate", "rollback"],
    &["migrate", "status"],
    &["migrate", "create"],
    &["seed"],
    &["query"],
    &["schema"],
    &["schema", "show"],
    &["backup"],
    &["backup", "create"],
    &["backup", "list"],
    &["backup", "verify"],
    &["restore"],
    &["health"],
    &["config"],
    &["config", "check"],
    &["config", "show"],
    &["completions"],
];

/// The lines of a help text that are not the global options, which are the same everywhere.
fn without_global_options(help: &str) -> String {
    let end = help.find("\nGlobal options:").unwrap_or(help.len());
    help[..end].trim_end().to_owned()
}

#[test]
fn help_shows_every_command_that_works_and_no_other() {
    let project = Project::new();
    let mut all = String::new();
    for command in COMMANDS {
        let run = project.run(&[command, &["-h"]].concat()).expect(0);
        assert_eq!(run.stderr, "");
        let help = if command.is_empty() { run.stdout } else { without_global_options(&run.stdout) };
        all.push_str(&format!("$ dbkeep {}\n{help}\n\n", command.join(" ")));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn commands_of_later_versions_are_unknown_and_not_pretended() {
    let project = Project::new();
    for command in [
        &["report"][..],
        &["pool"],
        &["alert", "list"],
        &["schedule", "list"],
        &["serve"],
        &["schema", "dump"],
        &["backup", "test"],
        &["backup", "cleanup"],
        &["backup", "export", "latest"],
        &["backup", "key", "list"],
        &["backup", "status"],
        &["backup", "show", "latest"],
        &["migrate", "resume"],
        &["migrate", "fresh"],
        &["backup", "--type", "schema"],
    ] {
        let run = project.run(command).expect(2);
        assert_eq!(run.stdout, "", "{command:?}");
    }
}

#[test]
fn a_wrong_command_line_is_code_2_on_standard_error() {
    let project = Project::new();
    let run = project.run(&["bakcup"]).expect(2);
    assert_eq!(run.stdout, "");
    assert_eq!(
        run.stderr,
        "error: unrecognized subcommand 'bakcup'\n\n  tip: a similar subcommand exists: 'backup'\n\nUsage: dbkeep [OPTIONS] <COMMAND>\n\nFor more information, try '--help'.\n"
    );
    for wrong in [
        &["migrate", "--steps", "0"][..],
        &["migrate", "--steps", "two"],
        &["migrate", "--steps", "1", "--to", "x"],
        &["migrate", "rollback", "--all", "--batch"],
        &["query"],
        &["query", "SELECT 1", "--csv", "--json"],
        &["restore", "latest", "--into", "sqlite:x", "--database", "y"],
        &["seed", "--list", "--fresh"],
        &["health", "--color", "sometimes"],
        &["completions", "tcsh"],
        &["--nonsense"],
        &["query", "SELECT 1", "extra"],
    ] {
        let run = project.run(wrong).expect(2);
        assert!(run.stderr.starts_with("error: ") || wrong.contains(&"--json"), "{wrong:?}: {}", run.stderr);
    }
    let without = project.run(&[]).expect(2);
    assert!(without.stderr.contains("Usage: dbkeep [OPTIONS] <COMMAND>"), "{}", without.stderr);
}

#[test]
fn a_wrong_command_line_with_json_is_a_json_document_on_standard_output() {
    let project = Project::new();
    for arguments in [
        &["--json", "bakcup"][..],
        &["query", "--json"],
        &["health", "--json", "--color", "x"],
        &["backup", "--json", "--tags", "x"],
    ] {
        let run = project.run(arguments).expect(2);
        let error = &run.json()["error"];
        assert_eq!(fields(error), ["code", "message", "hint", "location"]);
        assert_eq!(error["code"], "usage");
        assert_eq!(run.stderr, "");
    }
    assert_eq!(
        project.run(&["--json", "bakcup"]).stdout,
        "{\"error\":{\"code\":\"usage\",\"message\":\"unrecognized subcommand 'bakcup'\",\"hint\":\"a similar subcommand exists: 'backup'\",\"location\":null}}\n"
    );
    assert_eq!(
        project.run(&["query", "--json"]).stdout,
        "{\"error\":{\"code\":\"usage\",\"message\":\"the following required arguments were not provided: <SQL>\",\"hint\":\"Usage: dbkeep query --json <SQL>\",\"location\":null}}\n"
    );
}

#[test]
fn the_word_json_as_a_value_is_no_wish_for_json() {
    let project = Project::sqlite();
    // After `--` and as another option's value it is data.
    let run = project.run(&["query", "--nonsense", "--", "--json"]).expect(2);
    assert_eq!(run.stdout, "");
    let run = project.run(&["query", "SELECT ?", "--param", "--json"]).expect(0);
    assert!(run.stdout.contains("--json") && !run.stdout.contains('{'), "{}", run.stdout);
}

#[test]
fn the_version_is_the_crates() {
    let run = Project::new().run(&["--version"]).expect(0);
    assert_eq!(run.stdout, format!("dbkeep {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_are_written_for_every_shell_and_bash_takes_them() {
    let project = Project::new();
    for (shell, sign) in [
        ("bash", "complete -F _dbkeep"),
        ("zsh", "#compdef dbkeep"),
        ("fish", "complete -c dbkeep"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let run = project.run(&["completions", shell]).expect(0);
        assert!(run.stdout.contains(sign) && run.stdout.contains("rollback"), "{shell}: {}", run.stdout);
        assert_eq!(run.stderr, "");
    }
    let script = project.run(&["completions", "bash"]).stdout;
    let mut bash = Command::new("bash")
        .args(["--noprofile", "--norc"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let ask = "COMP_WORDS=(dbkeep backup \"\"); COMP_CWORD=2; _dbkeep dbkeep \"\" backup; echo \"${COMPREPLY[@]}\"\n";
    bash.stdin.take().unwrap().write_all(format!("{script}\n{ask}").as_bytes()).unwrap();
    let said = String::from_utf8(bash.wait_with_output().unwrap().stdout).unwrap();
    for word in ["create", "list", "verify", "--tag"] {
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn colon_names_do_what_the_commands_do() {
    let project = Project::sqlite();
    let made = project.run(&["migrate:create", "create_clubs_table"]).expect(0);
    assert!(made.stdout.ends_with("_create_clubs_table.sql\n"), "{}", made.stdout);
    let made = project.run(&["make:migration", "add_motto", "clubs"]).expect(0);
    let text = std::fs::read_to_string(project.path(made.stdout.trim())).unwrap();
    assert!(text.contains("clubs"), "{text}");
    // What the template leaves to its author.
    project.write(made.stdout.trim(), "-- migrate:up\nALTER TABLE clubs ADD COLUMN motto TEXT;\n-- migrate:down\nALTER TABLE clubs DROP COLUMN motto;\n");
    assert!(project.run(&["db:migrate"]).expect(0).stdout.starts_with("2 migrations applied in batch 1"));
    assert!(project.run(&["migrate:rollback", "2", "--yes"]).expect(0).stdout.starts_with("2 migrations undone"));
    assert_eq!(project.run(&["migrate:status", "--check"]).expect(10).stderr, "");
    project.run(&["migrate:up"]).expect(0);
    project.write("seeds/clubs.csv", "id,name\n1,Rockets\n");
    project.run(&["db:seed"]).expect(0);
    project.run(&["db:query", "SELECT 1"]).expect(0);
    assert!(project.run(&["db:table", "clubs"]).expect(0).stdout.contains("motto"));
    assert!(project.run(&["db:show"]).expect(0).stdout.contains("clubs"));
    let backup = project.run(&["--json", "db:backup", "--tag", "first"]).expect(0).json();
    assert_eq!(backup["tag"], "first");
    assert_eq!(project.run(&["backup:list"]).expect(0).stdout.matches("first").count(), 1);
    project.run(&["backup:verify"]).expect(0);
    project.run(&["db:restore", "latest", "--into", "sqlite:copy.db"]).expect(0);
    project.run(&["db:health"]).expect(0);
    project.run(&["config:check"]).expect(0);
    project.run(&["config:show"]).expect(0);
}
