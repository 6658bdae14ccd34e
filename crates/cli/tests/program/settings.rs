//! `init` and `config`: what is written, what holds, and what is said of a configuration that is wrong.

use std::fs;

use crate::support::{Project, fields};

#[test]
fn init_writes_a_project_that_works_at_once() {
    let project = Project::new();
    assert_eq!(
        project.run(&["init"]).told(&project),
        "wrote dbkeep.toml\nwrote migrations/\nwrote seeds/\n--- stderr\nnext: dbkeep migrate create create_users_table, then dbkeep migrate\n-> 0\n"
    );
    assert_eq!(
        project.run(&["config", "check"]).told(&project),
        "configuration is fine (<folder>/dbkeep.toml)\napp: sqlite <folder>/dbkeep.db, from dbkeep.toml, the default\n-> 0\n"
    );
    assert_eq!(project.run(&["migrate"]).expect(0).stdout, "nothing to migrate\n");
    assert_eq!(project.run(&["seed"]).expect(0).stdout, "no seeds yet\n");
    let made = project.run(&["migrate", "create", "create_users_table"]).expect(0).stdout;
    assert!(fs::read_to_string(project.path(made.trim())).unwrap().contains("CREATE TABLE"));
    assert!(project.run(&["migrate"]).expect(0).stdout.starts_with("1 migration applied in batch 1"));
}

#[test]
fn init_touches_nothing_that_is_there() {
    let project = Project::new();
    project.write("dbkeep.toml", "# mine\n");
    assert_eq!(
        project.run(&["init"]).told(&project),
        "--- stderr\n  x <folder>/dbkeep.toml is there already\n  help: edit it, or remove it to start over\n-> 5\n"
    );
    assert_eq!(fs::read_to_string(project.path("dbkeep.toml")).unwrap(), "# mine\n");
    let json = project.run(&["init", "other", "--json"]).expect(0).json();
    assert_eq!(fields(&json), ["folder", "written"]);
}

#[test]
fn init_writes_the_url_it_is_given_and_never_a_password() {
    let project = Project::new();
    project.run(&["init", "--url", "postgres://app@db.internal/app"]).expect(0);
    assert!(
        fs::read_to_string(project.path("dbkeep.toml")).unwrap().contains("url = \"postgres://app@db.internal/app\"")
    );
    let run = project.run(&["init", "two", "--url", "postgres://app:hunter2@db.internal/app"]).expect(5);
    assert!(!project.path("two/dbkeep.toml").exists());
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
}

#[test]
fn every_key_of_the_written_file_is_known() {
    let project = Project::sqlite();
    let text = fs::read_to_string(project.path("dbkeep.toml")).unwrap();
    // Every example taken out of its comment.
    let all: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key) if key.contains(" = ") && !key.starts_with("tls_ca") => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    assert!(all.contains("\nmax_lifetime = ") && all.contains("\nmin_available_connections = "));
    project.write("dbkeep.toml", all);
    project.run(&["config", "check"]).expect(0);
}

#[test]
fn what_holds_is_shown_with_secrets_masked() {
    let project = Project::new().with("APP_PASSWORD", "hun/ter2");
    project.write(
        "dbkeep.toml",
        "default = \"app\"\n[connections.app]\nurl = \"mysql://app:${APP_PASSWORD}@db.internal/shop\"\ntls = \"verify-full\"\n",
    );
    let run = project.run(&["config", "show"]).expect(0);
    let json = run.json();
    let app = &json["connections"]["app"];
    assert_eq!((app["host"].as_str(), app["port"].as_u64()), (Some("db.internal"), Some(3306)));
    assert_eq!(app["database"], "shop");
    for secret in ["hun/ter2", "hun%2Fter2"] {
        assert!(!run.stdout.contains(secret), "{}", run.stdout);
    }
    let check = project.run(&["config", "check", "--json"]).expect(0);
    assert_eq!(fields(&check.json()), ["ok", "file", "notes"]);
}

#[test]
fn the_file_is_found_from_folders_below() {
    let project = Project::sqlite();
    project.write("deep/er/x", "");
    let mut command = project.command(&["config", "check"]);
    let output = command.current_dir(project.path("deep/er")).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("dbkeep.toml"), "{output:?}");
    // And what it names counts from where it is.
    let mut command = project.command(&["query", "--write", "CREATE TABLE a (id INTEGER)"]);
    assert!(command.current_dir(project.path("deep/er")).status().unwrap().success());
    assert!(project.path("dbkeep.db").is_file());
}

#[test]
fn a_flag_wins_over_the_environment_over_dotenv_over_the_file() {
    let origin = |project: &Project, arguments: &[&str]| {
        let json = project.run(&[&["config", "show"][..], arguments].concat()).expect(0).json();
        let app = &json["connections"]["app"];
        (
            app["origin"].as_str().unwrap().to_owned(),
            app["database"].as_str().unwrap().rsplit('/').next().unwrap().to_owned(),
        )
    };
    let pair = |one: &str, two: &str| (one.to_owned(), two.to_owned());
    let project = Project::sqlite();
    assert_eq!(origin(&project, &[]), pair("dbkeep.toml", "dbkeep.db"));
    project.write(".env", "DATABASE_URL=sqlite:dotenv.db\n");
    assert_eq!(origin(&project, &[]), pair("DATABASE_URL", "dotenv.db"));
    let project = project.with("DATABASE_URL", "sqlite:process.db");
    assert_eq!(origin(&project, &[]), pair("DATABASE_URL", "process.db"));
    assert_eq!(origin(&project, &["--url", "sqlite:flag.db"]), pair("--url", "flag.db"));
}

#[test]
fn a_laravel_style_environment_is_understood() {
    let project = Project::new();
    project.write(
        ".env",
        "DB_CONNECTION=mysql\nDB_HOST=db.internal\nDB_PORT=3307\nDB_DATABASE=shop\nDB_USERNAME=app\nDB_PASSWORD='p@ss:w/rd#'\nDB_POOL_MAX_CONNECTIONS=4\nDB_BACKUP_PATH=kept\n",
    );
    let run = project.run(&["config", "show"]).expect(0);
    let json = run.json();
    let connection = &json["connections"]["default"];
    assert_eq!(connection["host"], "db.internal");
    assert_eq!(connection["port"], 3307);
    assert_eq!(connection["database"], "shop");
    assert_eq!(connection["pool"]["max"], 4);
    assert!(json["backup"]["path"].as_str().unwrap().ends_with("/kept"));
    assert!(!run.stdout.contains("p@ss") && !run.stdout.contains("p%40ss"), "{}", run.stdout);
}

#[test]
fn a_mistake_in_the_file_is_named_with_its_line_and_the_nearest_key() {
    let project = Project::sqlite();
    let mut all = String::new();
    for text in [
        "[connections.app]\nurl = \"sqlite:a.db\"\n\n[conections.b]\n",
        "[connections.app]\nurl = \"sqlite:a.db\"\nslow_qery = \"1s\"\n",
        "[backup]\nencription = true\n",
        "[migrations]\nfolder = \"x\"\n",
        "[connections.app\nurl = 1\n",
        "environment = \"live\"\n",
        "[connections.app]\nurl = \"sqlite:a.db\"\npool = { max = 0 }\n",
        "[connections.app]\nurl = \"sqlite:a.db\"\nslow_query = \"soon\"\n",
        "[connections.app]\nurl = 7\n",
        "[connections.app]\nurl = \"mysql://app:${NOWHERE}@db/x\"\n",
        "[connections.app]\nurl = \"mysql://app:hunter2@db:99999/x\"\n",
        "[connections.app]\nread = [\"mysql://app@db/x\"]\nurl = \"mysql://app:hunter2@db/x\"\n",
        "[connections.app]\ntls = \"maybe\"\nurl = \"mysql://app:hunter2@db/x\"\n",
        "default = \"web\"\n[connections.app]\nurl = \"sqlite:a.db\"\n",
        "[backup]\npath = \"s3://bucket/prefix\"\n",
    ] {
        project.write("dbkeep.toml", text);
        let run = project.run(&["query", "SELECT 1"]).expect(3);
        assert_eq!(run.stdout, "");
        assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
        all.push_str(&format!("{text}{}\n", run.told(&project)));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_mistake_in_the_file_has_its_place_in_json() {
    let project = Project::new();
    project.write("dbkeep.toml", "[backup]\nencription = true\n");
    let error = &project.run(&["--json", "health"]).expect(3).json()["error"];
    assert_eq!(error["code"], "configuration");
    assert_eq!(error["hint"], "did you mean \"encryption\"?");
    assert_eq!((error["location"]["line"].as_u64(), error["location"]["column"].as_u64()), (Some(2), Some(1)));
    assert!(error["location"]["file"].as_str().unwrap().ends_with("/dbkeep.toml"));
}

#[test]
fn mistakes_in_the_environment_are_configuration_errors() {
    let mut all = String::new();
    for (name, value) in [
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "oracle://app:hunter2@db/x"),
        ("DB_CONNECTION", "oracle"),
        ("DB_POOL_MAX_CONNECTIONS", "many"),
        ("DB_BACKUP_ENCRYPTION", "perhaps"),
        ("DB_MONITOR_MAX_POOL_UTIL", "101"),
        ("DBKEEP_CONFIG", "nowhere.toml"),
        ("APP_ENV", "live"),
    ] {
        let project = Project::new().with(name, value);
        let run = project.run(&["config", "check"]).expect(3);
        assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
        all.push_str(&format!("{name}={}\n{}\n", value.replace("hunter2", "…"), run.told(&project)));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_file_that_is_named_and_missing_is_an_error_and_none_at_all_is_not() {
    let project = Project::new();
    let run = project.run(&["--config", "nowhere.toml", "config", "check"]).expect(3);
    assert!(run.stderr.contains("nowhere.toml, named by --config"), "{}", run.stderr);
    let run = project.run(&["query", "SELECT 1"]).expect(0);
    assert_eq!(run.stderr, "1 row\n");
    assert!(project.path("dbkeep.db").is_file());
    let project = Project::sqlite();
    let run = project.run(&["--connection", "web", "query", "SELECT 1"]).expect(3);
    assert!(
        run.stderr.contains("there is no connection named \"web\"") && run.stderr.contains("app"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_connection_that_is_named_and_not_known_is_never_replaced_by_another() {
    for project in [Project::new(), Project::new().with("DATABASE_URL", "sqlite:other.db"), Project::sqlite()] {
        let run = project.run(&["--connection", "nope", "query", "SELECT 1"]).expect(3);
        assert!(run.stderr.contains("there is no connection named \"nope\""), "{}", run.stderr);
    }
}

#[test]
fn a_database_without_a_name_is_asked_for_where_it_would_stand() {
    let laravel = Project::new().with("DB_CONNECTION", "mysql");
    let run = laravel.run(&["config", "check"]).expect(3);
    assert!(run.stderr.contains("DB_CONNECTION is set, but DB_DATABASE is not"), "{}", run.stderr);
    let run = Project::new().run(&["--url", "mysql://app@localhost", "query", "SELECT 1"]).expect(3);
    assert!(run.stderr.contains("the URL given by --url names no database"), "{}", run.stderr);
}
