//! `migrate` and what belongs to it.

use std::process::Child;

use crate::support::{Project, Run, fields, on_every_server};
use dbkeep_testkit::{Kind, TestDatabase};

fn with_two() -> Project {
    let project = Project::sqlite();
    project.write(
        "migrations/2026_01_01_000000_create_clubs.sql",
        "-- migrate:up\nCREATE TABLE clubs (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\nINSERT INTO clubs VALUES (1, 'Rockets');\n-- migrate:down\nDROP TABLE clubs;\n",
    );
    project.write(
        "migrations/2026_01_02_000000_add_motto_to_clubs.sql",
        "-- migrate:up\nALTER TABLE clubs ADD COLUMN motto TEXT;\n-- migrate:down\nALTER TABLE clubs DROP COLUMN motto;\n",
    );
    project
}

#[test]
fn a_dry_run_prints_the_sql_and_changes_nothing() {
    let project = with_two();
    assert_eq!(
        project.run(&["migrate", "--dry-run"]).expect(0).stdout,
        "-- 2026_01_01_000000_create_clubs (in one transaction)\n\
         CREATE TABLE clubs (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n\
         INSERT INTO clubs VALUES (1, 'Rockets');\n\n\
         -- 2026_01_02_000000_add_motto_to_clubs (in one transaction)\n\
         ALTER TABLE clubs ADD COLUMN motto TEXT;\n\n"
    );
    let plan = project.run(&["migrate", "--dry-run", "--json", "--steps", "1"]).expect(0).json();
    assert_eq!(plan.as_array().unwrap().len(), 1);
    assert_eq!(plan[0]["migration"], "2026_01_01_000000_create_clubs");
    assert_eq!(plan[0]["statements"][1]["sql"], "INSERT INTO clubs VALUES (1, 'Rockets')");
    assert_eq!(project.csv("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite%'"), "");
    project.run(&["migrate", "status", "--check"]).expect(10);
}

#[test]
fn migrations_go_up_in_a_batch_and_down_again() {
    let project = with_two();
    let report = project.run(&["migrate", "--json", "-q"]).expect(0);
    let json = report.json();
    assert_eq!(fields(&json), ["batch", "migrations"]);
    assert_eq!(json["batch"], 1);
    assert_eq!(fields(&json["migrations"][0]), ["migration", "duration_ms"]);
    assert_eq!(json["migrations"][1]["migration"], "2026_01_02_000000_add_motto_to_clubs");
    assert_eq!(report.stderr, "");
    assert_eq!(project.run(&["migrate"]).expect(0).stdout, "nothing to migrate\n");
    project.run(&["migrate", "status", "--check"]).expect(0);
    let undone = project.run(&["migrate", "rollback"]).expect(0);
    assert!(undone.stdout.starts_with("1 migration undone"), "{}", undone.stdout);
    assert_eq!(project.csv("SELECT name FROM pragma_table_info('clubs')"), "id\nname\n");
    let status = project.run(&["migrate", "status", "--json"]).expect(0).json();
    assert_eq!(fields(&status[0])[..6], ["migration", "applied", "batch", "executed_at", "duration_ms", "drift"]);
    assert_eq!((status[0]["applied"].as_bool(), status[1]["applied"].as_bool()), (Some(true), Some(false)));
    assert!(status[0]["executed_at"].as_str().unwrap().ends_with('Z'));
    assert!(status[1]["executed_at"].is_null() && status[1]["batch"].is_null());
}

#[test]
fn the_status_is_a_table() {
    let project = with_two();
    project.run(&["migrate", "--steps", "1"]).expect(0);
    assert_eq!(
        project.run(&["migrate", "status"]).told(&project),
        " migration  state  batch  when  took  drift\n─\n <now>_create_clubs  applied  1  <when>  <took>\n \
         <now>_add_motto_to_clubs  pending\n-> 0\n"
    );
    let empty = Project::sqlite();
    assert_eq!(
        empty.run(&["migrate", "status"]).told(&empty),
        "no migrations yet\n--- stderr\nnext: dbkeep migrate create create_users_table\n-> 0\n"
    );
}

#[test]
fn steps_and_to_bound_what_is_applied() {
    let project = with_two();
    project.run(&["migrate", "up", "--steps", "1"]).expect(0);
    project.run(&["migrate", "up", "--to", "2026_01_02_000000"]).expect(0);
    let batches = project.run(&["migrate", "status", "--json"]).expect(0).json();
    assert_eq!((batches[0]["batch"].as_u64(), batches[1]["batch"].as_u64()), (Some(1), Some(2)));
    project.run(&["migrate", "rollback", "--all", "--yes"]).expect(0);
    project.run(&["migrate", "--to", "2026_01_01_000000_create_clubs"]).expect(0);
    project.run(&["migrate", "status", "--check"]).expect(10);
    let run = project.run(&["migrate", "--to", "2027"]).expect(2);
    assert!(run.stderr.contains("2027"), "{}", run.stderr);
}

#[test]
fn undoing_more_than_one_asks_and_without_a_terminal_needs_yes() {
    let project = with_two();
    project.run(&["migrate"]).expect(0);
    for arguments in [
        &["migrate", "rollback", "--batch"][..],
        &["migrate", "rollback", "--all"],
        &["migrate", "rollback", "--steps", "2"],
    ] {
        assert_eq!(
            project.run(arguments).told(&project),
            "--- stderr\n  x this would undo <now>_add_motto_to_clubs, <now>_create_clubs\n  help: without a terminal to ask on, give --yes\n-> 5\n"
        );
    }
    let refused = project.run(&["--json", "migrate", "rollback", "--all"]).expect(5).json();
    assert_eq!(refused["error"]["code"], "refused");
    project.run(&["migrate", "status", "--check"]).expect(0);
    // A dry run asks nothing.
    let plan = project.run(&["migrate", "rollback", "--all", "--dry-run"]).expect(0);
    assert!(plan.stdout.contains("DROP TABLE clubs;"), "{}", plan.stdout);
    project.run(&["migrate", "rollback", "--batch", "--yes"]).expect(0);
    assert_eq!(project.run(&["migrate", "rollback", "--all", "--yes"]).expect(0).stdout, "nothing to undo\n");
}

#[test]
fn on_a_terminal_the_question_is_asked_and_the_answer_holds() {
    use crate::output::on_a_terminal_typing as typing;
    let project = with_two();
    project.run(&["migrate"]).expect(0);
    let Some((said, code)) = typing(&project, "migrate rollback --all", &[], "n\n") else { return };
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("Go on? [y/N]") && said.contains("nothing was done"), "{said}");
    let (said, code) = typing(&project, "migrate rollback --all", &[], "\n").unwrap();
    assert_eq!(code, 5, "{said}");
    let (said, code) = typing(&project, "migrate rollback --all", &[], "y\n").unwrap();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("2 migrations undone"), "{said}");
}

#[test]
fn a_changed_or_missing_file_is_told_and_refused() {
    let project = with_two();
    project.run(&["migrate", "--steps", "1"]).expect(0);
    project.write(
        "migrations/2026_01_01_000000_create_clubs.sql",
        "-- migrate:up\nCREATE TABLE clubs (id INTEGER PRIMARY KEY, name TEXT);\n-- migrate:down\nDROP TABLE clubs;\n",
    );
    let status = project.run(&["migrate", "status", "--json"]).expect(0).json();
    assert_eq!(status[0]["drift"], "changed");
    let run = project.run(&["migrate"]).expect(5);
    assert!(run.stderr.contains("--allow-changed"), "{}", run.stderr);
    project.run(&["migrate", "--allow-changed"]).expect(0);
    std::fs::remove_file(project.path("migrations/2026_01_01_000000_create_clubs.sql")).unwrap();
    let status = project.run(&["migrate", "status", "--json"]).expect(0).json();
    assert_eq!(status[0]["drift"], "missing");
}

#[test]
fn a_backup_is_made_before_migrating_where_that_is_asked_for() {
    let project = with_two();
    project.run(&["migrate", "--steps", "1"]).expect(0);
    let run = project.run(&["migrate", "--backup"]).expect(0);
    assert!(run.stderr.contains("backed up first: "), "{}", run.stderr);
    let listed = project.run(&["backup", "list", "--json"]).expect(0).json();
    assert_eq!(listed[0]["tag"], "before-migrate");
    project.run(&["restore", "latest", "--into", "sqlite:before.db"]).expect(0);
    let before =
        project.run(&["--url", "sqlite:before.db", "query", "--csv", "SELECT name FROM pragma_table_info('clubs')"]);
    assert_eq!(before.expect(0).stdout, "name\nid\nname\n");
    // Nothing to migrate, nothing to back up.
    project.run(&["migrate", "--backup"]).expect(0);
    assert_eq!(project.backups().len(), 1);
    // No backup, no migration.
    project.run(&["migrate", "rollback"]).expect(0);
    std::fs::remove_dir_all(project.path("storage/backups")).unwrap();
    project.write("storage/backups", "in the way");
    let run = project.run(&["migrate", "--backup"]).expect(3);
    assert!(run.stderr.contains("nothing was migrated: the backup before it failed"), "{}", run.stderr);
    project.run(&["migrate", "status", "--check"]).expect(10);
}

#[test]
fn names_that_cannot_be_and_folders_that_are_not_there_are_said() {
    let project = Project::sqlite();
    let run = project.run(&["migrate", "create", "Add Users!"]).expect(2);
    assert!(
        run.stderr.contains("\"Add Users!\" is no name for a migration") && run.stderr.contains("add_users"),
        "{}",
        run.stderr
    );
    project.run(&["migrate", "create", "create_clubs"]).expect(0);
    let run = project.run(&["migrate", "create", "create_clubs"]).expect(5);
    assert!(run.stderr.contains("create_clubs exists"), "{}", run.stderr);
    std::fs::remove_dir_all(project.path("migrations")).unwrap();
    let run = project.run(&["migrate"]).expect(3);
    assert!(run.stderr.contains("there is no folder") && run.stderr.contains("dbkeep init"), "{}", run.stderr);
}

#[test]
fn a_syntax_error_names_file_line_and_column_on_sqlite() {
    let project = Project::sqlite();
    project.write(
        "migrations/2026_01_01_000000_clubs.sql",
        "-- migrate:up\nCREATE TABLE clubs (\n    id INTEGER PRIMARY KEY,\n    name TEXTT NOT NUL,\n    motto TEXT\n);\n-- migrate:down\nDROP TABLE clubs;\n",
    );
    let run = project.run(&["migrate"]).expect(1);
    insta::assert_snapshot!(run.told(&project));
    let error = &project.run(&["migrate", "--json"]).expect(1).json()["error"];
    let at = &error["location"];
    assert!(at["file"].as_str().unwrap().ends_with("migrations/2026_01_01_000000_clubs.sql"), "{at}");
    assert_eq!((at["line"].as_u64(), at["column"].as_u64()), (Some(4), Some(20)), "{error}");
}

#[test]
fn a_syntax_error_names_file_line_and_column_on_every_server() {
    for database in on_every_server() {
        let kind = database.server().kind();
        let project = Project::on(&database.url());
        project.write(
            "migrations/2026_01_01_000000_clubs.sql",
            "-- migrate:up\nCREATE TABLE clubs (\n    id INTEGER PRIMARY KEY,\n    name VARCHAR(40) NOT NUL,\n    motto TEXT\n);\n-- migrate:down\nDROP TABLE clubs;\n",
        );
        let run = project.run(&["migrate", "--json"]).expect(1);
        let error = &run.json()["error"];
        let at = &error["location"];
        assert!(at["file"].as_str().unwrap().ends_with("migrations/2026_01_01_000000_clubs.sql"), "{at}");
        // MySQL and MariaDB tell the line, PostgreSQL the character.
        assert_eq!(at["line"], 4, "{kind}: {error}");
        if kind == Kind::Postgres {
            assert_eq!(at["column"], 26, "{error}");
        }
        let text = project.run(&["migrate"]).expect(1).stderr;
        assert!(text.contains("2026_01_01_000000_clubs.sql:4:"), "{kind}: {text}");
        assert!(text.contains("name VARCHAR(40) NOT NUL,"), "{kind}: {text}");
        // Corrected, it runs.
        project.write(
            "migrations/2026_01_01_000000_clubs.sql",
            "-- migrate:up\nCREATE TABLE clubs (id INTEGER PRIMARY KEY);\n-- migrate:down\nDROP TABLE clubs;\n",
        );
        project.run(&["migrate"]).expect(0);
        project.run(&["migrate", "status", "--check"]).expect(0);
    }
}

/// A run of the program that is in the middle of a migration and holds the lock, until it is killed.
fn one_that_takes_its_time(project: &Project, database: &TestDatabase) -> Child {
    let slow = match database.server().kind() {
        Kind::Postgres => "SELECT pg_sleep(120)",
        _ => "DO SLEEP(120)",
    };
    project.write(
        "migrations/2026_01_01_000000_slow.sql",
        format!("-- migrate:up\n{slow};\n-- migrate:down\nSELECT 1;\n"),
    );
    let child = project.command(&["migrate"]).spawn().unwrap();
    let running = match database.server().kind() {
        Kind::Postgres => {
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(120)%' AND state = 'active' AND datname = current_database()"
        }
        _ => "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'DO SLEEP(120)%' AND db = database()",
    };
    crate::support::wait_until("the slow statement runs", || database.sql(running).trim() == "1");
    child
}

#[test]
fn another_run_that_holds_the_lock_is_code_6_after_the_wait() {
    for database in on_every_server() {
        let project = Project::on(&database.url());
        // The wait is the lock's; a configured one keeps the test short.
        project.write(
            "dbkeep.toml",
            std::fs::read_to_string(project.path("dbkeep.toml"))
                .unwrap()
                .replace("# log_queries", "lock_timeout = \"1s\"\n# log_queries"),
        );
        let mut child = one_that_takes_its_time(&project, &database);
        let run = project.run(&["migrate", "--json"]);
        child.kill().unwrap();
        child.wait().unwrap();
        let run = run.expect(6);
        let error = &run.json()["error"];
        assert_eq!(error["code"], "locked", "{error}");
        assert!(error["message"].as_str().unwrap().contains("another run holds the lock ("), "{error}");
        assert!(run.stderr.contains("waiting for another run to end, held by "), "{run:?}");
    }
}

#[test]
fn ctrl_c_ends_a_migration_with_130_and_frees_the_lock() {
    for database in on_every_server() {
        let kind = database.server().kind();
        let project = Project::on(&database.url());
        let child = one_that_takes_its_time(&project, &database);
        crate::support::interrupt(&child);
        let run = Run::of(child.wait_with_output().unwrap(), &["migrate"]).expect(130);
        assert!(run.stderr.contains("stopped by Ctrl-C"), "{kind}: {}", run.stderr);
        // No session of it is left to hold anything.
        let left = match kind {
            Kind::Postgres => {
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            }
            _ => "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
        };
        crate::support::wait_until("its sessions end", || database.sql(left).trim() == "0");
        project.run(&["migrate", "status", "--check"]).expect(10);
        if kind == Kind::Postgres {
            // It never happened, so the file may be another.
            project.write(
                "migrations/2026_01_01_000000_slow.sql",
                "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n",
            );
            project.run(&["migrate"]).expect(0);
        } else {
            // Where a schema change cannot be undone, the ledger remembers what was cut off, and asks.
            let after = project.run(&["migrate"]).expect(5);
            assert!(
                after.stderr.contains("2026_01_01_000000_slow was under way when an earlier run was cut off"),
                "{}",
                after.stderr
            );
            assert!(after.stderr.contains("--in-doubt done"), "{}", after.stderr);
            project.run(&["migrate", "--in-doubt", "done"]).expect(0);
        }
        project.run(&["migrate", "status", "--check"]).expect(0);
    }
}
