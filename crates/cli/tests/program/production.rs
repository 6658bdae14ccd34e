//! In production, the name of the database is wanted before anything is destroyed.

use crate::support::Project;

fn in_production() -> Project {
    let project = Project::sqlite();
    let file = project.path("dbkeep.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text.replace("environment = \"development\"", "environment = \"production\"")).unwrap();
    project.write(
        "migrations/2026_01_01_000000_clubs.sql",
        "-- migrate:up\nCREATE TABLE clubs (code TEXT PRIMARY KEY);\n-- migrate:down\nDROP TABLE clubs;\n",
    );
    project.write("seeds/clubs.csv", "code\nR\n");
    project.run(&["migrate"]).expect(0);
    project.run(&["seed"]).expect(0);
    project
}

#[test]
fn yes_is_not_enough_in_production() {
    let project = in_production();
    for command in [&["migrate", "rollback"][..], &["migrate", "rollback", "--all"], &["seed", "--fresh"]] {
        let run = project.run(&[command, &["--yes"]].concat()).expect(5);
        assert!(run.stderr.contains("the environment is production"), "{}", run.stderr);
        assert!(run.stderr.contains("give --confirm dbkeep.db"), "{}", run.stderr);
        let run = project.run(&[command, &["--confirm", "other.db"]].concat()).expect(5);
        assert!(
            run.stderr.contains("nothing was done: the database is named \"dbkeep.db\", not \"other.db\""),
            "{}",
            run.stderr
        );
    }
    assert_eq!(project.csv("SELECT count(*) FROM clubs"), "1\n");
    project.run(&["seed", "--fresh", "--confirm", "dbkeep.db"]).expect(0);
    project.run(&["migrate", "rollback", "--confirm", "dbkeep.db"]).expect(0);
    project.run(&["migrate", "status", "--check"]).expect(10);
}

#[test]
fn a_restore_into_the_configured_database_wants_its_name_in_production() {
    let project = in_production();
    project.run(&["backup"]).expect(0);
    std::fs::remove_file(project.path("dbkeep.db")).unwrap();
    project.run(&["restore", "--yes"]).expect(5);
    assert!(!project.path("dbkeep.db").exists());
    project.run(&["restore", "--confirm", "dbkeep.db"]).expect(0);
    assert_eq!(project.csv("SELECT code FROM clubs"), "R\n");
}

#[test]
fn the_environment_says_production_too_and_wins_over_the_file() {
    let project = Project::sqlite().with("DBKEEP_ENV", "production");
    project.write("seeds/clubs.csv", "code\nR\n");
    let create = "CREATE TABLE clubs (code TEXT PRIMARY KEY)";
    project.run(&["query", "--write", "--yes", create]).expect(5);
    project.run(&["query", "--write", "--confirm", "dbkeep.db", create]).expect(0);
    project.run(&["query", "SELECT * FROM clubs"]).expect(0);
    project.run(&["seed", "--fresh", "--yes"]).expect(5);
}

#[test]
fn on_a_terminal_the_name_is_typed() {
    use crate::output::on_a_terminal_typing as typing;
    let project = in_production();
    let Some((said, code)) = typing(&project, "migrate rollback --yes", &[], "yes\n") else { return };
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("Type the name of the database (dbkeep.db) to go on"), "{said}");
    let (said, code) = typing(&project, "migrate rollback", &[], "dbkeep.db\n").unwrap();
    assert_eq!(code, 0, "{said}");
}
