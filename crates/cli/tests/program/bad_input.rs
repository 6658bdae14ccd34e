//! What is wrong with a database's address is said in a line, with the next step, the documented code and no password.

use crate::support::{Project, Run};
use dbkeep_testkit::{Kind, Server, server};

/// The run's text with what differs between machines replaced.
fn told(run: &Run, project: &Project, server: &Server) -> String {
    run.told(project).replace(&server.port().to_string(), "<port>").replace("@'127.0.0.1'", "@'localhost'")
}

fn on(kind: Kind) {
    let Some(server) = server(kind) else { return };
    let database = server.fresh_database();
    let project = Project::new();
    let (user, password, name) = (server.user(), server.password(), database.name());
    let good = server.url(name);
    let nobody_there = good.replace(&format!(":{}/", server.port()), ":1/");
    let other_scheme = match kind {
        Kind::Postgres => "postgers",
        _ => "mysqll",
    };
    let scheme = good.split(':').next().unwrap();
    let cases = [
        ("wrong scheme", good.replacen(scheme, other_scheme, 1), 3),
        ("wrong host", server.url_as(user, password, "nowhere.invalid", name) + "?connect_attempts=1", 4),
        ("wrong port", nobody_there.clone() + "?connect_attempts=1", 4),
        ("wrong port, tried again", nobody_there, 4),
        ("port that is none", good.replace(&format!(":{}/", server.port()), ":port/"), 3),
        ("wrong password", server.url_as(user, "hunter2", server.host(), name), 4),
        ("no password", good.replacen(&good[good.find("//").unwrap() + 2..good.find('@').unwrap()], user, 1), 4),
        ("wrong user", server.url_as("nobody", "hunter2", server.host(), name), 4),
        ("wrong database", server.url("no_such_database"), 4),
        ("no database", server.url(""), 3),
        ("tls mode that is none", good.clone() + "?tls=maybe", 3),
        ("untrusted certificate", format!("{good}?tls=verify-full&tls_ca={}", server.other_ca_file().display()), 4),
        (
            "certificate of another host",
            format!(
                "{}?tls=verify-full&tls_ca={}",
                server.url_as(user, password, "127.0.0.2", name),
                server.ca_file().display()
            ),
            4,
        ),
        ("certificate file that is not there", format!("{good}?tls=verify-full&tls_ca=/nowhere/ca.pem"), 4),
        ("parameter that is none", good.clone() + "?conect_attempts=1", 3),
        ("socket that is not there", format!("{good}?socket=/nowhere/sock&connect_attempts=1"), 4),
    ];
    let mut all = String::new();
    for (what, url, code) in cases {
        let mut run = project.run(&["query", "SELECT 1", "--url", &url]).expect(code);
        // Where there is no such account, MySQL asks for a plugin that it takes at random, once for each name.
        for number in 0..100 {
            if !run.stderr.contains("asks for the authentication plugin sha256_password") {
                break;
            }
            assert!(run.stderr.contains("help: check the user's name"), "{}", run.stderr);
            let other = format!("nobody{number}");
            run = project.run(&["query", "SELECT 1", "--url", &url.replace("nobody", &other)]).expect(code);
            run.stderr = run.stderr.replace(&other, "nobody");
        }
        assert_eq!(run.stdout, "", "{what}");
        all.push_str(&format!("{what}\n{}\n", told(&run, &project, &server).replace(name, "<database>")));
        for arguments in
            [&["-vvv", "query", "SELECT 1", "--url", &url][..], &["-vvv", "--json", "backup", "--url", &url]]
        {
            let loud = project.run(arguments).expect(code);
            // Neither typed nor written as in a URL.
            for secret in ["hunter2", password, "k3ep%3As%40fe%2F99%25", "k3ep"] {
                assert!(!loud.stdout.contains(secret), "{what}: {}", loud.stdout);
                assert!(!loud.stderr.contains(secret), "{what}: {}", loud.stderr);
            }
            if arguments.contains(&"--json") {
                let error = &loud.json()["error"];
                assert!(error["hint"].is_string(), "{what}: {error}");
                assert_eq!(error["code"], if code == 3 { "configuration" } else { "cannot_connect" }, "{what}");
            }
        }
    }
    // And what is right is.
    let trusted = format!("{good}?tls=verify-full&tls_ca={}", server.ca_file().display());
    project.run(&["query", "SELECT 1", "--url", &trusted]).expect(0);
    project.run(&["query", "SELECT 1", "--url", &database.socket_url()]).expect(0);
    insta::assert_snapshot!(format!("bad_addresses_of_{kind}"), all);
}

#[test]
fn wrong_addresses_of_mariadb() {
    on(Kind::Mariadb);
}

#[test]
fn wrong_addresses_of_mysql() {
    on(Kind::Mysql);
}

#[test]
fn wrong_addresses_of_postgres() {
    on(Kind::Postgres);
}

#[test]
fn wrong_addresses_of_sqlite() {
    let project = Project::new();
    project.write("text.db", "this is a text and no database, however long it may be");
    project.write("folder/x", "");
    let mut all = String::new();
    for (url, code) in [
        ("sqlite:nowhere/a.db", 4),
        ("sqlite:text.db", 7),
        ("sqlite:folder", 4),
        ("sqlite:a.db?mode=sideways", 3),
        ("sqlite:gone.db?mode=ro", 4),
        ("sqllite:a.db", 3),
        ("a.db", 3),
        ("", 3),
    ] {
        let run = project.run(&["query", "SELECT 1", "--url", url]).expect(code);
        all.push_str(&format!("{url}\n{}\n", run.told(&project)));
    }
    insta::assert_snapshot!(all);
    for name in ["nowhere", "gone.db", "a.db"] {
        assert!(!project.path(name).exists(), "{name} was made");
    }
}

#[test]
fn a_server_of_another_kind_is_not_waited_for_without_end() {
    let (Some(mysql), Some(postgres)) = (server(Kind::Mysql), server(Kind::Postgres)) else { return };
    let project = Project::new();
    for (scheme, server) in [("mysql", &postgres), ("postgres", &mysql)] {
        let url =
            format!("{scheme}://app:hunter2@127.0.0.1:{}/app?connect_attempts=1&connect_timeout=1", server.port());
        let run = project.run(&["query", "SELECT 1", "--url", &url]).expect(4);
        assert!(run.stderr.contains("help: ") && !run.stderr.contains("hunter2"), "{}", run.stderr);
    }
}
