//! What the file may say, and what is said of its mistakes.

use super::*;

#[test]
fn a_pool_may_find_its_size_by_itself() {
    let text = "[connections.app]\nurl = \"mysql://db/app\"\npool = { max = \"auto\", min = 4 }";
    let pool = toml(text).default_connection().settings.pool;
    assert_eq!((pool.auto_size, pool.max, pool.min), (true, 100, 4));
}

#[test]
fn variables_are_filled_into_values() {
    let url = |text: &str| toml(&format!("[connections.app]\nurl = {text:?}"));
    let options = url("mysql://${USER_NAME}:${PW}@${HOST:-db}/app")
        .with("USER_NAME", "a@b")
        .with("PW", "p@$${x}%")
        .default_connection();
    let options = options.settings.options;
    assert_eq!((options.user.as_deref(), options.host.as_str()), (Some("a@b"), "db"));
    assert_eq!(options.password, Some(Secret::new("p@$${x}%")), "what is filled in is not filled in again");
    let whole = url("${APP_URL}").with("APP_URL", "mysql://app:p%40ss@db/app").default_connection().settings.options;
    assert_eq!(whole.password, Some(Secret::new("p@ss")), "a whole URL is taken as it stands");
    let options = url("mysql://app:${PW}@db/app").dotenv("PW='$HOME#x'").default_connection().settings.options;
    assert_eq!(options.password, Some(Secret::new("$HOME#x")));
    assert_eq!(
        url("mysql://app:${APP_PW}@db/app").complaint(),
        "dbkeep.toml:2:7: connections.app.url cannot be filled in: the variable APP_PW is not set\n? set it in the environment or in .env"
    );
    assert_eq!(
        url("mysql://app:x${hunter2 @db/app").complaint(),
        "dbkeep.toml:2:7: connections.app.url cannot be filled in: a ${ without its }\n? set it in the environment or in .env"
    );
    assert_eq!(
        url("mysql://app:${hunter2!}@db/app").complaint(),
        "dbkeep.toml:2:7: connections.app.url cannot be filled in: a ${…} that names no variable\n? set it in the environment or in .env"
    );
}

#[test]
fn a_password_file_is_found_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("dbkeep.toml"),
        "[connections.app]\nurl = \"mysql://app@db/app\"\npassword_file = \"secret/pw\"",
    )
    .unwrap();
    let load = || load(&Chosen::default(), Variables::of(&[]), folder.path());
    let error = load().unwrap_err();
    assert_eq!(
        (error.message.as_str(), error.location.unwrap().line),
        ("connections.app.password_file cannot be read", 3)
    );
    fs::create_dir(folder.path().join("secret")).unwrap();
    fs::write(folder.path().join("secret/pw"), "\n").unwrap();
    assert_eq!(load().unwrap_err().message, "connections.app.password_file is empty");
    fs::write(folder.path().join("secret/pw"), "hunter2\n").unwrap();
    assert_eq!(load().unwrap().connections["app"].settings.options.password, Some(Secret::new("hunter2")));
}

#[test]
fn mistakes_in_the_file_are_shown_with_their_line() {
    let app = "[connections.app]\nurl = \"sqlite://a.db\"\n";
    for (text, complaint) in [
        // Unknown keys, with the nearest known one.
        (
            "defualt = \"a\"",
            "dbkeep.toml:1:1: the key \"defualt\" is not known in dbkeep.toml\n| defualt = \"a\"\n? did you mean \"default\"?",
        ),
        (
            &format!("{app}slow_querry = \"1s\""),
            "dbkeep.toml:3:1: the key \"slow_querry\" is not known in [connections.app]\n| slow_querry = \"1s\"\n? did you mean \"slow_query\"?",
        ),
        (
            &format!("{app}[connections.app.pool]\nsize = 3"),
            "dbkeep.toml:4:1: the key \"size\" is not known in [connections.app.pool]\n| size = 3\n? the keys are: max, min, acquire_timeout, idle_timeout, max_lifetime, validate_after, keepalive, leak_threshold, max_waiters, when_down",
        ),
        (
            "# ünïcode before it\n[backup]\n  retension = {}",
            "dbkeep.toml:3:3: the key \"retension\" is not known in [backup]\n|   retension = {}\n? did you mean \"retention\"?",
        ),
        (
            "[backup.retention]\nday = 3",
            "dbkeep.toml:2:1: the key \"day\" is not known in [backup.retention]\n| day = 3\n? did you mean \"days\"?",
        ),
        (
            "[monitor]\nintervall = 3",
            "dbkeep.toml:2:1: the key \"intervall\" is not known in [monitor]\n| intervall = 3\n? did you mean \"interval\"?",
        ),
        (
            "[schedule]\nnightly = \"\"",
            "dbkeep.toml:2:1: the key \"nightly\" is not known in [schedule]\n| nightly = \"\"\n? the keys are: full, incremental, cleanup, test",
        ),
        (
            "[migrations]\ndirectory = \"\"",
            "dbkeep.toml:2:1: the key \"directory\" is not known in [migrations]\n| directory = \"\"\n? the keys are: dir, table",
        ),
        // A value that may be a secret is not shown.
        (
            "[backup]\npasword = \"hunter2\"",
            "dbkeep.toml:2:1: the key \"pasword\" is not known in [backup]\n? the keys are: path, compression, encryption, retention",
        ),
        (
            "[backup]\npwd = \"hunter2\"",
            "dbkeep.toml:2:1: the key \"pwd\" is not known in [backup]\n? the keys are: path, compression, encryption, retention",
        ),
        // Wrong types.
        ("default = 1", "dbkeep.toml:1:11: default must be a text in quotes, not integer\n| default = 1"),
        ("connections = []", "dbkeep.toml:1:15: connections must be a table, not array\n| connections = []"),
        ("[connections]\napp = \"x\"", "dbkeep.toml:2:7: connections.app must be a table, not string\n| app = \"x\""),
        (
            &format!("{app}log_queries = \"yes\""),
            "dbkeep.toml:3:15: connections.app.log_queries must be true or false, not string\n| log_queries = \"yes\"",
        ),
        (
            &format!("{app}slow_query = true"),
            "dbkeep.toml:3:14: connections.app.slow_query must be a duration such as \"30s\", not boolean\n| slow_query = true",
        ),
        (
            &format!("{app}pool = {{ max = \"ten\" }}"),
            "dbkeep.toml:3:16: connections.app.pool.max must be a whole number without quotes, or \"auto\"\n| pool = { max = \"ten\" }",
        ),
        (
            &format!("{app}read = \"x\""),
            "dbkeep.toml:3:8: connections.app.read must be a list, not string\n| read = \"x\"",
        ),
        (
            "[monitor]\nmax_pool_utilization = \"80\"",
            "dbkeep.toml:2:24: monitor.max_pool_utilization must be a number, not string\n| max_pool_utilization = \"80\"",
        ),
        // Wrong values.
        (
            "environment = \"live\"",
            "dbkeep.toml:1:15: environment \"live\" is not known\n| environment = \"live\"\n? it is one of development, test, staging, production",
        ),
        (
            "[connections.app]\ntls = \"require\"",
            "the connection \"app\" has no url\n? add url = \"…\" under [connections.app]",
        ),
        (
            "[connections.app]\nurl = \"oracle://app:hunter2@db/x\"",
            "dbkeep.toml:2:7: connections.app.url is wrong: the URL scheme \"oracle\" is not known\n? the schemes are: mysql, mariadb, postgres, postgresql, pgsql, sqlite, sqlite3",
        ),
        (
            "[connections.app]\nurl = \"mysql://app:hunter2/x@db/x\"",
            "dbkeep.toml:2:7: connections.app.url is wrong: this is no connection URL: invalid port number\n? as in scheme://user:password@host:port/database; special characters in the password are written %XX: @ as %40, : as %3A, / as %2F, # as %23, ? as %3F",
        ),
        (
            &format!("{app}tls = \"maybe\""),
            "dbkeep.toml:3:7: connections.app.tls \"maybe\" is not known\n| tls = \"maybe\"\n? it is one of disable, prefer, require, verify-ca, verify-full",
        ),
        (
            &format!("{app}read = [\"sqlite://b.db\"]"),
            "dbkeep.toml:3:8: connections.app.read names replicas, but this version does not route reads to replicas\n? remove the key; all statements go to url",
        ),
        (
            &format!("{app}slow_query = \"soon\""),
            "dbkeep.toml:3:14: connections.app.slow_query is not a duration\n| slow_query = \"soon\"\n? as in \"500ms\", \"30s\", \"5m\", \"1h\"",
        ),
        (
            &format!("{app}wait_timeout = -1"),
            "dbkeep.toml:3:16: connections.app.wait_timeout is not a duration\n| wait_timeout = -1\n? as in \"500ms\", \"30s\", \"5m\", \"1h\"",
        ),
        (
            &format!("{app}pool.max = 0"),
            "dbkeep.toml:3:12: connections.app.pool.max must be a whole number from 1 up\n| pool.max = 0",
        ),
        (
            &format!("{app}pool.min = 11"),
            "dbkeep.toml:3:12: connections.app.pool.min does not fit: min is 11, max is 10\n| pool.min = 11",
        ),
        (
            &format!("{app}pool.acquire_timeout = 0"),
            "the pool of connection \"app\" cannot be set up: pool setting acquire_timeout is 0: everything would time out before it started",
        ),
        (
            "[monitor]\nmax_pool_utilization = 101",
            "dbkeep.toml:2:24: monitor.max_pool_utilization must be a percentage from 0 to 100\n| max_pool_utilization = 101",
        ),
        (
            "[monitor]\nmax_pool_utilization = nan",
            "dbkeep.toml:2:24: monitor.max_pool_utilization must be a percentage from 0 to 100\n| max_pool_utilization = nan",
        ),
        ("[alerts.ops]\nurl = \"x\"", "dbkeep.toml:1:1: alerts.ops has no type\n| [alerts.ops]"),
        (
            "[backup]\npath = \"s3://bucket\"",
            "backup.path \"s3://bucket\" is not a folder\n? this version keeps backups in a local folder only; object stores come later",
        ),
        // What is no TOML.
        (
            "default = ",
            "dbkeep.toml:1:11: the configuration is not valid TOML: string values must be quoted, expected literal string\n| default = ",
        ),
        (
            "default = \"a\"\ndefault = \"b\"",
            "dbkeep.toml:2:1: the configuration is not valid TOML: duplicate key\n| default = \"b\"",
        ),
        (
            "[connections.app\nurl = \"x\"",
            "dbkeep.toml:1:17: the configuration is not valid TOML: unclosed table, expected `]`\n| [connections.app",
        ),
        (
            "[connections.app]\npassword = hunter2",
            "dbkeep.toml:2:12: the configuration is not valid TOML: string values must be quoted, expected literal string",
        ),
        (
            "[alerts.ops]\nrouting_key = \"hunter2",
            "dbkeep.toml:2:23: the configuration is not valid TOML: invalid basic string, expected `\"`",
        ),
    ] {
        assert_eq!(toml(text).complaint(), complaint, "\n{text}");
    }
}

#[test]
fn numbers_may_be_written_in_every_notation_of_toml() {
    let config = toml("[connections.app]\nurl = \"sqlite://a.db\"\nslow_query = 0x10\npool = { max = 1_0, acquire_timeout = 0b11 }\n[monitor]\nmax_pool_utilization = 0x32").load();
    let settings = &config.connections["app"].settings;
    assert_eq!((settings.slow_query, settings.pool.max), (Some(Duration::from_secs(16)), 10));
    assert_eq!((settings.pool.acquire_timeout, config.monitor.max_pool_utilization), (Duration::from_secs(3), 50.0));
}

#[test]
fn what_later_versions_do_is_understood_and_said() {
    let config = toml("[backup.retention]\ndays = 30\n[schedule]\nfull = \"0 2 * * *\"\n[alerts.ops]\ntype = \"slack\"\nurl = \"${SLACK_URL:-x}\"").load();
    assert_eq!(
        config.notes,
        [
            "[backup.retention] is read, but this version removes no backups",
            "[schedule] is read, but this version runs nothing by itself",
            "[alerts] is read, but this version sends no alerts",
        ]
    );
}

#[test]
fn a_dotenv_file_that_cannot_be_read_names_its_line_and_not_what_stands_there() {
    let complaint = Given::default().dotenv("A=1\nB=hunter2 hunter2\n").complaint();
    assert!(complaint.starts_with(".env:2:"), "{complaint}");
    assert!(
        complaint.contains(".env is not a list of NAME=value\n? put values with spaces or # in quotes"),
        "{complaint}"
    );
    let config = Given::default().dotenv("# note\nexport DATABASE_URL='mysql://app:p%40ss@db/app'\n\nEMPTY=\n").load();
    assert_eq!(config.connections["default"].settings.options.target(), "app on db:3306");
}

#[test]
fn a_url_that_is_wrong_names_its_source_and_not_itself() {
    let wrong = "mysql://app:hunter2/x@db/x";
    let message = |by| {
        format!(
            "the URL given by {by} is wrong: this is no connection URL: invalid port number\n? as in scheme://user:password@host:port/database; \
         special characters in the password are written %XX: @ as %40, : as %3A, / as %2F, # as %23, ? as %3F"
        )
    };
    assert_eq!(Given::default().url(wrong).complaint(), message("--url"));
    assert_eq!(variables(&[("DATABASE_URL", wrong)]).complaint(), message("DATABASE_URL"));
}
