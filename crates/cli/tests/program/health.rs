//! `health`, whose exit codes are those of a monitoring plugin.

use crate::support::{Project, Run, fields, on_every_server};
use serde_json::Value;

fn check<'j>(json: &'j Value, name: &str) -> &'j Value {
    json["connections"][0]["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn a_healthy_database_is_code_0_on_every_engine() {
    let mut urls = vec![("sqlite", "sqlite:healthy.db".to_owned())];
    let databases: Vec<_> = on_every_server().collect();
    urls.extend(databases.iter().map(|database| (database.server().kind().name(), database.url())));
    for (engine, url) in urls {
        let project = Project::on(&url);
        project.write_query("CREATE TABLE a (id INTEGER)");
        let run = project.run(&["health", "--json"]).expect(0);
        let json = run.json();
        assert_eq!(fields(&json), ["status", "checked_at", "connections"]);
        assert_eq!(json["status"], "ok");
        let connection = &json["connections"][0];
        assert_eq!(fields(connection), ["name", "engine", "version", "role", "status", "response_time_ms", "checks"]);
        // MariaDB is a flavor of the engine; which it is, its version tells.
        assert_eq!(connection["engine"], if engine == "mariadb" { "mysql" } else { engine });
        assert_eq!(connection["role"], "primary");
        let check = check(&json, "response_time");
        assert_eq!(fields(check), ["name", "status", "value", "unit", "warning", "critical", "message"]);
        assert!(check["value"].as_f64().unwrap() > 0.0);
        assert_eq!(run.stderr, "");
    }
}

#[test]
fn health_is_a_table_for_people() {
    let project = Project::sqlite();
    project.write_query("CREATE TABLE a (id INTEGER)");
    insta::assert_snapshot!(project.run(&["health"]).told(&project));
}

#[test]
fn a_threshold_that_is_passed_is_a_warning_and_code_1() {
    let project = Project::sqlite();
    project.write_query("CREATE TABLE a (id INTEGER)");
    let file = project.path("dbkeep.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replace("# nothing", "min_available_connections = 2")
            .replace("# max_pool_utilization = 80 ", "max_pool_utilization = 0 "),
    )
    .unwrap();
    let json = project.run(&["health", "--json"]).expect(1).json();
    assert_eq!(json["status"], "warning");
    assert_eq!(check(&json, "pool_utilization")["status"], "warning");
}

#[test]
fn a_database_that_does_not_answer_is_critical_and_code_2_and_the_others_are_still_checked() {
    let project = Project::new();
    project.write(
        "dbkeep.toml",
        "default = \"up\"\n[connections.up]\nurl = \"sqlite:up.db\"\n[connections.down]\nurl = \"mysql://app:hunter2@127.0.0.1:1/app?connect_attempts=1\"\n",
    );
    project.run(&["query", "--write", "CREATE TABLE a (id INTEGER)"]).expect(0);
    let run = project.run(&["health", "--json"]).expect(2);
    let json = run.json();
    assert_eq!(json["status"], "critical");
    let states: Vec<_> = json["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["status"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("down", "critical"), ("up", "ok")]);
    assert!(!run.stdout.contains("hunter2") && !run.stderr.contains("hunter2"));
    // One alone, by name.
    project.run(&["health", "--connection", "up"]).expect(0);
    let text = project.run(&["health", "--connection", "down"]).expect(2);
    assert!(text.stdout.contains("nothing answers") || text.stdout.contains("refused"), "{}", text.stdout);
}

#[test]
fn a_file_that_is_gone_is_critical_and_not_made_anew() {
    let project = Project::sqlite();
    let run = project.run(&["health"]).expect(2);
    assert!(run.stdout.contains("there is no file"), "{}", run.stdout);
    assert!(!project.path("dbkeep.db").exists());
}

#[test]
fn a_configuration_that_cannot_be_read_is_unknown_and_code_3() {
    let project = Project::new();
    project.write("dbkeep.toml", "nonsense");
    project.run(&["health"]).expect(3);
}

#[test]
fn watching_goes_on_until_ctrl_c() {
    let project = Project::sqlite();
    project.write_query("CREATE TABLE a (id INTEGER)");
    let file = project.path("dbkeep.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("# interval = \"30s\"", "interval = \"10ms\"")).unwrap();
    use std::io::BufRead;
    let mut child = project.command(&["health", "--watch", "--json"]).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    // One document per line, so that a stream of them can be read.
    for _ in 0..3 {
        let line = lines.next().unwrap().unwrap();
        let json: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["status"], "ok");
    }
    crate::support::interrupt(&child);
    drop(lines);
    Run::of(child.wait_with_output().unwrap(), &["health", "--watch"]).expect(130);
}
