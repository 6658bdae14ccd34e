//! `demo`: the whole life of a database, and what is left of it.

use crate::copies::{assert_same, comparable};
use crate::support::{Project, fields, redacted};
use dbkeep_testkit::{Kind, Server, server, sqlite3};

#[test]
fn the_demo_lives_a_whole_life_on_sqlite_and_its_folder_works_afterwards() {
    let project = Project::new();
    let run = project.run(&["demo"]).expect(0);
    // How many connections sixteen tasks share is chance.
    let text = redacted(&run.stdout, &project);
    let (before, after) = text.split_once("16 tasks on ").unwrap();
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
    insta::assert_snapshot!(format!("{before}16 tasks on <some>{after}"));
    let inside = |arguments: &[&str]| {
        let mut command = project.command(arguments);
        let output = command.current_dir(project.path("dbkeep-demo")).output().unwrap();
        crate::support::Run::of(output, arguments)
    };
    // The copy, table by table and object by object, as the engine's own program sees it.
    let dump = |name: &str| sqlite3(&project.path("dbkeep-demo").join(name), ".dump");
    if let Some(original) = dump("club.db") {
        let made = original.contains("CREATE TRIGGER attendance_last_seen");
        assert!(made && original.contains("CREATE VIEW attendance_summary"));
        assert_same(&dump("club-restored.db").unwrap(), &original);
    }
    inside(&["migrate", "status", "--check"]).expect(0);
    assert_eq!(inside(&["backup", "list", "--json"]).expect(0).json().as_array().unwrap().len(), 2);
    inside(&["backup", "verify"]).expect(0);
    inside(&["health"]).expect(0);
    inside(&["seed"]).expect(0);
    inside(&["config", "check"]).expect(0);
    inside(&["restore", "--into", "sqlite:third.db"]).expect(0);
    inside(&["migrate", "rollback", "--all", "--yes"]).expect(0);
    inside(&["migrate"]).expect(0);
    if let Some(copy) = dump("club-restored.db") {
        assert_same(&dump("third.db").unwrap(), &copy);
    }
}

#[test]
fn the_demo_touches_no_folder_that_holds_anything() {
    let project = Project::new();
    project.write("dbkeep-demo/mine.txt", "mine");
    let run = project.run(&["demo"]).expect(5);
    assert!(run.stderr.contains("is there already and is not an empty folder"), "{}", run.stderr);
    assert!(!project.path("dbkeep-demo/dbkeep.toml").exists());
    std::fs::create_dir(project.path("empty")).unwrap();
    let json = project.run(&["demo", "empty", "--json"]).expect(0);
    assert_eq!(fields(&json.json()), ["ok", "folder", "duration_ms", "steps"]);
    assert_eq!(json.stderr, "");
}

fn databases(server: &Server) -> Vec<String> {
    let sql = match server.kind() {
        Kind::Postgres => "SELECT datname FROM pg_database",
        _ => "SHOW DATABASES",
    };
    // Other tests come and go on the same server, also with demos of their own.
    server.client().run("", sql).lines().map(str::to_owned).collect()
}

fn on_a_server(kind: Kind) {
    let Some(server) = server(kind) else { return };
    let project = Project::new();
    let run = project.run(&["demo", "--url", &server.admin_url()]).expect(0);
    assert_eq!(run.stdout.lines().count(), 17, "{}", run.stdout);
    assert!(run.stdout.contains("all of it worked in"), "{}", run.stdout);
    let toml = std::fs::read_to_string(project.path("dbkeep-demo/dbkeep.toml")).unwrap();
    let name = toml[toml.find("dbkeep_demo_").unwrap()..].split(['"', '?']).next().unwrap().to_owned();
    assert!(!databases(&server).iter().any(|database| database.starts_with(&name)), "{name} is left behind");
    for text in [&toml, &run.stdout, &run.stderr] {
        assert!(!text.contains(server.password()) && !text.contains("k3ep%3As%40fe%2F99%25"), "{text}");
    }
    assert!(toml.contains("${DB_PASSWORD}"), "{toml}");
    // The project's backups, restored into a new database, are a project that works.
    let inside = |arguments: &[&str]| {
        let mut command = project.command(arguments);
        let output =
            command.current_dir(project.path("dbkeep-demo")).env("DB_PASSWORD", server.password()).output().unwrap();
        crate::support::Run::of(output, arguments)
    };
    assert_eq!(inside(&["backup", "list", "--json"]).expect(0).json().as_array().unwrap().len(), 2);
    inside(&["restore", "--yes"]).expect(0);
    inside(&["migrate", "status", "--check"]).expect(0);
    inside(&["health"]).expect(0);
    let count = server.client().run(&name, "SELECT COUNT(*) FROM attendance_summary");
    // The demo compares with its own means. Here, what it made and a copy of it are compared by the engine's own program.
    let copy = format!("{name}_again");
    inside(&["backup"]).expect(0);
    inside(&["restore", "--database", &copy]).expect(0);
    let dumps = [&name, &copy].map(|database| comparable(&server.client().dump(database), [&copy, &name]));
    server.client().run("", &format!("DROP DATABASE {name}"));
    server.client().run("", &format!("DROP DATABASE {copy}"));
    assert_eq!(count.trim(), "4");
    assert!(dumps[0].contains("attendance_summary") && dumps[0].contains("attendance_last_seen"), "{}", dumps[0]);
    assert_same(&dumps[1], &dumps[0]);
}

#[test]
fn the_demo_lives_a_whole_life_on_mariadb() {
    on_a_server(Kind::Mariadb);
}

#[test]
fn the_demo_lives_a_whole_life_on_mysql() {
    on_a_server(Kind::Mysql);
}

#[test]
fn the_demo_lives_a_whole_life_on_postgres() {
    on_a_server(Kind::Postgres);
}

#[test]
fn a_demo_that_is_stopped_leaves_nothing_on_the_server() {
    for kind in Kind::ALL {
        let Some(server) = server(kind) else { continue };
        let project = Project::new();
        let child = project.command(&["demo", "--url", &server.admin_url()]).spawn().unwrap();
        crate::support::wait_until("the demo's database is there", || {
            std::fs::read_to_string(project.path("dbkeep-demo/dbkeep.toml")).is_ok_and(|toml| {
                let name = toml.split("dbkeep_demo_").nth(1).and_then(|rest| rest.get(..8));
                name.is_some_and(|name| databases(&server).contains(&format!("dbkeep_demo_{name}")))
            })
        });
        crate::support::interrupt(&child);
        let run = crate::support::Run::of(child.wait_with_output().unwrap(), &["demo"]).expect(130);
        assert!(run.stderr.contains("stopped by Ctrl-C"), "{}", run.stderr);
        let toml = std::fs::read_to_string(project.path("dbkeep-demo/dbkeep.toml")).unwrap();
        let name = format!("dbkeep_demo_{}", &toml.split("dbkeep_demo_").nth(1).unwrap()[..8]);
        assert!(
            !databases(&server).iter().any(|database| database.starts_with(&name)),
            "{kind}: {name} is left behind"
        );
    }
}
