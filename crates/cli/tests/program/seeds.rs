//! `seed`.

use crate::support::{Project, fields};

fn clubs() -> Project {
    let project = Project::sqlite();
    project.write(
        "migrations/2026_01_01_000000_clubs.sql",
        "-- migrate:up\nCREATE TABLE clubs (code TEXT PRIMARY KEY, name TEXT, fee DECIMAL(6,2));\nCREATE TABLE members (email TEXT PRIMARY KEY, club TEXT REFERENCES clubs (code));\n-- migrate:down\nDROP TABLE members;\nDROP TABLE clubs;\n",
    );
    project.write("seeds/10_clubs.csv", "code,name,fee\nR,Rockets,129.90\nS,Stars,99.00\n");
    project.write("seeds/20_members.yaml", "rows:\n  - {email: ada@club.example, club: R}\n");
    project.run(&["migrate", "-q"]).expect(0);
    project
}

#[test]
fn seeds_fill_once_and_then_change_only_what_differs() {
    let project = clubs();
    let first = project.run(&["seed", "--json"]).expect(0).json();
    assert_eq!(fields(&first), ["seeders"]);
    assert_eq!(fields(&first["seeders"][0])[..4], ["name", "inserted", "updated", "unchanged"]);
    assert_eq!(first["seeders"][0]["inserted"], 2);
    assert_eq!(
        project.run(&["seed"]).told(&project),
        " seed  inserted  updated  unchanged\n─\n 10_clubs  0  0  2\n 20_members  0  0  1\n-> 0\n"
    );
    project.write_query("UPDATE clubs SET fee = 1 WHERE code = 'S'");
    assert_eq!(project.run(&["seed", "--json"]).expect(0).json()["seeders"][0]["updated"], 1);
    assert_eq!(project.csv("SELECT fee FROM clubs ORDER BY code"), "129.90\n99.00\n");
}

#[test]
fn seeds_are_listed_and_run_by_name() {
    let project = clubs();
    assert_eq!(
        project.run(&["seed", "--list"]).told(&project),
        " seed  table  mode\n─\n 10_clubs  clubs  upsert\n 20_members  members  upsert\n-> 0\n"
    );
    let list = project.run(&["seed", "--list", "--json"]).expect(0).json();
    assert_eq!((list[0]["name"].as_str(), list[0]["table"].as_str()), (Some("10_clubs"), Some("clubs")));
    let only = project.run(&["seed", "clubs", "--json"]).expect(0).json();
    assert_eq!(only["seeders"].as_array().unwrap().len(), 1);
    assert_eq!(project.csv("SELECT count(*) FROM members"), "0\n");
    let run = project.run(&["seed", "clubbs"]).expect(2);
    assert!(run.stderr.contains("clubbs"), "{}", run.stderr);
}

#[test]
fn fresh_empties_the_seeded_tables_first_and_asks() {
    let project = clubs();
    project.run(&["seed"]).expect(0);
    project.write_query("INSERT INTO clubs VALUES ('X', 'by hand', 1)");
    let run = project.run(&["seed", "--fresh"]).expect(5);
    assert_eq!(
        run.told(&project),
        "--- stderr\n  x this would empty the seeded tables of dbkeep.db first\n  help: without a terminal to ask on, give --yes\n-> 5\n"
    );
    assert_eq!(project.csv("SELECT count(*) FROM clubs"), "3\n");
    project.run(&["seed", "--fresh", "--yes"]).expect(0);
    assert_eq!(project.csv("SELECT code FROM clubs ORDER BY code"), "R\nS\n");
}

#[test]
fn a_seed_that_fails_names_its_place_and_leaves_nothing_behind() {
    let project = clubs();
    project.write(
        "seeds/20_members.yaml",
        "rows:\n  - {email: ada@club.example, club: R}\n  - {email: bob@club.example, club: nowhere}\n",
    );
    let run = project.run(&["seed", "--json"]).expect(1);
    let error = &run.json()["error"];
    assert!(error["location"]["file"].as_str().unwrap().ends_with("seeds/20_members.yaml"), "{error}");
    assert_eq!(project.csv("SELECT count(*) FROM clubs"), "0\n");
    project.write("seeds/20_members.yaml", "rows:\n  - {email: ada@club.example, clubb: R}\n");
    let error = &project.run(&["seed", "--json"]).expect(1).json()["error"];
    assert!(error["message"].as_str().unwrap().contains("clubb"), "{error}");
    assert!(error["location"]["line"].is_number(), "{error}");
}

#[test]
fn a_password_in_a_seed_is_never_shown() {
    let project = clubs();
    project.write(
        "seeds/20_members.yaml",
        "rows:\n  - {email: ada@club.example, club: nowhere, password: {argon2: hunter2}}\n",
    );
    for arguments in [&["seed", "-vvv"][..], &["seed", "-vvv", "--json"]] {
        let run = project.run(arguments).expect(1);
        assert!(!run.stdout.contains("hunter2") && !run.stderr.contains("hunter2"), "{run:?}");
    }
}
