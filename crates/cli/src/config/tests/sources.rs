//! Which of the sources wins, and what each can say.

use super::*;
use dbkeep::TlsMode;
use dbkeep::engine::Location;
use std::path::Path;

#[test]
fn with_nothing_there_is_a_file_in_the_current_folder() {
    let (config, folder) = Given::default().try_load().unwrap();
    let connection = &config.connections["default"];
    assert_eq!((config.default.as_str(), connection.origin.as_str()), ("default", "default"));
    assert_eq!(connection.settings.options.target(), folder.path().join("dbkeep.db").display().to_string());
    let pool = &connection.settings.pool;
    assert_eq!((pool.max, pool.min, pool.acquire_timeout), (10, 2, Duration::from_secs(30)));
    assert_eq!((pool.idle_timeout, pool.max_lifetime), (Duration::from_secs(300), Duration::from_secs(3600)));
    assert_eq!(
        (connection.settings.slow_query, connection.settings.log_queries),
        (Some(Duration::from_secs(1)), false)
    );
    assert_eq!((config.environment, &config.file), (Environment::Development, &None));
    assert_eq!(config.migrations.dir, folder.path().join("migrations"));
    assert_eq!(config.migrations.table, "dbkeep_migrations");
    assert_eq!(config.seeds.dir, folder.path().join("seeds"));
    assert_eq!(config.backup.path, folder.path().join("storage/backups"));
    assert_eq!((config.backup.compression, config.backup.encryption), (true, false));
    assert!(config.backup.passphrase.is_none() && config.notes.is_empty());
    assert_eq!(config.monitor, Monitor::default());
    assert_eq!(config.state, folder.path().join(".dbkeep/state.db"));
}

const FULL: &str = r#"
default = "app"
environment = "staging"

[connections.app]
url = "mysql://app:${APP_DB_PASSWORD}@db.internal/app"
read = []
tls = "verify-full"
tls_ca = "tls/ca.pem"
charset = "utf8mb4"
collation = "utf8mb4_bin"
sql_mode = "ANSI"
time_zone = "+02:00"
wait_timeout = 28800
statement_timeout = "1m"
lock_timeout = "5s"
application_name = "shop"
slow_query = "250ms"
log_queries = true

[connections.app.pool]
max = 20
min = 5
acquire_timeout = "3s"
idle_timeout = 0
max_lifetime = "1d"
validate_after = "2s"
keepalive = "1m"
leak_threshold = "10m"
max_waiters = 50
when_down = "wait"

[connections.log]
url = "sqlite://data/log.db"

[migrations]
dir = "db/migrations"
table = "history"

[seeds]
dir = "db/seeds"

[backup]
path = "backups"
compression = false
encryption = true

[monitor]
interval = "1m"
max_response_time = "2s"
max_failed_connections = 5
max_pool_utilization = 92.5
max_query_time = "1m"
min_available_connections = 0

[state]
path = "/var/lib/dbkeep/state.db"
"#;

#[test]
fn every_key_of_the_file_is_read() {
    let given = toml(FULL).with("APP_DB_PASSWORD", "p@ss/w:rd").with("DBKEEP_BACKUP_PASSPHRASE", "x");
    let (config, folder) = given.try_load().unwrap();
    let at = |path: &str| folder.path().join(path);
    assert_eq!((config.default.as_str(), config.environment), ("app", Environment::Staging));
    assert_eq!((config.root.as_path(), config.file.as_deref()), (folder.path(), Some(at("dbkeep.toml").as_path())));
    let app = &config.connections["app"].settings;
    assert_eq!((app.name.as_str(), app.options.target().as_str()), ("app", "app on db.internal:3306"));
    assert_eq!(app.options.password, Some(Secret::new("p@ss/w:rd")), "encoded on its way into the URL");
    assert_eq!(
        (app.options.tls, app.options.tls_ca.as_deref()),
        (TlsMode::VerifyFull, Some(at("tls/ca.pem").as_path()))
    );
    let session = &app.options.session;
    let texts =
        [&session.charset, &session.collation, &session.sql_mode, &session.time_zone, &session.application_name];
    assert_eq!(texts.map(|text| text.as_deref().unwrap()), ["utf8mb4", "utf8mb4_bin", "ANSI", "+02:00", "shop"]);
    let limits = [session.wait_timeout, session.statement_timeout, session.lock_timeout, app.slow_query];
    assert_eq!(limits.map(|limit| limit.unwrap().as_millis()), [28_800_000, 60_000, 5_000, 250]);
    assert!(app.log_queries);
    assert_eq!((app.pool.max, app.pool.min, app.pool.acquire_timeout), (20, 5, Duration::from_secs(3)));
    assert_eq!((app.pool.idle_timeout, app.pool.max_lifetime), (Duration::ZERO, Duration::from_secs(86_400)));
    let pool = &app.pool;
    let times = [pool.validate_after, pool.keepalive, pool.leak_threshold];
    assert_eq!(times.map(|time| time.as_secs()), [2, 60, 600]);
    assert_eq!((pool.max_waiters, pool.when_down), (Some(50), dbkeep::pool::WhenDown::Wait));
    let log = &config.connections["log"];
    assert_eq!(
        (log.settings.options.target(), log.origin.as_str()),
        (at("data/log.db").display().to_string(), "dbkeep.toml")
    );
    assert_eq!((config.migrations.dir, config.migrations.table.as_str()), (at("db/migrations"), "history"));
    assert_eq!((config.seeds.dir, config.backup.path), (at("db/seeds"), at("backups")));
    assert_eq!((config.backup.compression, config.backup.encryption), (false, true));
    let monitor = config.monitor;
    assert_eq!((monitor.interval, monitor.max_response_time), (Duration::from_secs(60), Duration::from_secs(2)));
    assert_eq!((monitor.max_failed_connections, monitor.max_pool_utilization), (5, 92.5));
    assert_eq!((monitor.max_query_time, monitor.min_available_connections), (Duration::from_secs(60), 0));
    assert_eq!(config.state, Path::new("/var/lib/dbkeep/state.db"));
}

#[test]
fn the_file_is_searched_upwards_and_relative_paths_count_from_it() {
    let given = Given { below: "src/deep", ..toml("[connections.app]\nurl = \"sqlite://shop.db\"") };
    let (config, folder) = given.try_load().unwrap();
    assert_eq!((config.root.as_path(), config.default.as_str()), (folder.path(), "app"), "the only one is the default");
    assert_eq!(
        config.connections["app"].settings.options.database,
        folder.path().join("shop.db").display().to_string()
    );
    // What is typed counts from where it is typed.
    let typed = given.url("sqlite://other.db").default_connection();
    assert_eq!((typed.settings.options.database.as_str(), typed.origin.as_str()), ("other.db", "--url"));
}

#[test]
fn the_file_may_be_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("other.toml"), "environment = \"test\"").unwrap();
    let load = |chosen: &Chosen, pairs: &[(&str, &str)]| load(chosen, Variables::of(pairs), folder.path());
    let by_flag = Chosen { config: Some("other.toml".into()), ..Chosen::default() };
    assert_eq!(load(&by_flag, &[("DBKEEP_CONFIG", "none.toml")]).unwrap().environment, Environment::Test);
    assert_eq!(load(&Chosen::default(), &[("DBKEEP_CONFIG", "other.toml")]).unwrap().environment, Environment::Test);
    for (chosen, pairs, by) in [
        (Chosen { config: Some("none.toml".into()), ..Chosen::default() }, [("A", "b")], "--config"),
        (Chosen::default(), [("DBKEEP_CONFIG", "none.toml")], "DBKEEP_CONFIG"),
    ] {
        let error = load(&chosen, &pairs).unwrap_err();
        assert_eq!(
            told(&error).replace(&format!("{}/", folder.path().display()), ""),
            format!("there is no file none.toml, named by {by}\n? dbkeep init writes a dbkeep.toml to begin with")
        );
    }
}

#[test]
fn flag_over_environment_over_dotenv_over_file_over_default() {
    let file = "[connections.app]\nurl = \"sqlite://file.db\"";
    let origin = |given: &Given| {
        let connection = given.default_connection();
        let path = Path::new(&connection.settings.options.database).file_name().unwrap().to_owned();
        (path.into_string().unwrap(), connection.origin)
    };
    let found = |path: &str, origin: &str| (path.to_owned(), origin.to_owned());
    let url = |name: &str| format!("DATABASE_URL=sqlite://{name}.db\n");
    let all =
        || toml(file).dotenv(&url("dotenv")).with("DATABASE_URL", "sqlite://environment.db").url("sqlite://flag.db");
    assert_eq!(origin(&all()), found("flag.db", "--url"));
    let mut given = all();
    given.chosen.url = None;
    assert_eq!(origin(&given), found("environment.db", "DATABASE_URL"));
    given.variables.clear();
    assert_eq!(origin(&given), found("dotenv.db", "DATABASE_URL"));
    // An empty variable counts as absent.
    given = given.with("DATABASE_URL", "");
    assert_eq!(origin(&given), found("dotenv.db", "DATABASE_URL"));
    given.dotenv = Some("DATABASE_URL=".to_owned());
    assert_eq!(origin(&given), found("file.db", "dbkeep.toml"));
    given.toml = None;
    assert_eq!(origin(&given), found("dbkeep.db", "default"));
    // The parts in the process's environment go before a URL in .env, and a URL beside them before the parts.
    let parts = |given: Given| given.with("DB_CONNECTION", "sqlite").with("DB_DATABASE", "parts.db");
    assert_eq!(origin(&parts(Given::default().dotenv(&url("dotenv")))), found("parts.db", "DB_CONNECTION"));
    let both = parts(Given::default()).with("DATABASE_URL", "sqlite://url.db");
    assert_eq!(origin(&both), found("url.db", "DATABASE_URL"));
    let dotenv = Given::default().dotenv("DB_CONNECTION=sqlite\nDB_DATABASE=a.db\nDATABASE_URL=sqlite://b.db");
    assert_eq!(origin(&dotenv), found("b.db", "DATABASE_URL"));

    let numbers = |given: Given| given.default_connection().settings.pool.max;
    let with_pool = || toml("[connections.app]\nurl = \"sqlite://a.db\"\n[connections.app.pool]\nmax = 20");
    assert_eq!(numbers(toml(file)), 10);
    assert_eq!(numbers(with_pool()), 20);
    assert_eq!(numbers(with_pool().dotenv("DB_POOL_MAX_CONNECTIONS=30")), 30);
    assert_eq!(numbers(with_pool().dotenv("DB_POOL_MAX_CONNECTIONS=30").with("DB_POOL_MAX_CONNECTIONS", "40")), 40);
}

#[test]
fn a_connection_is_chosen_by_name() {
    let two = "default = \"a\"\n[connections.a]\nurl = \"sqlite://a.db\"\n[connections.b]\nurl = \"sqlite://b.db\"";
    assert_eq!(toml(two).load().default, "a");
    assert_eq!(toml(two).connection("b").load().default, "b");
    // Named on the command line, it is the file's and not the environment's.
    let named = toml(two).connection("b").with("DATABASE_URL", "sqlite://c.db");
    assert_eq!(named.default_connection().origin, "dbkeep.toml");
    let replaced = toml(two).with("DATABASE_URL", "sqlite://c.db").load();
    assert_eq!(
        (replaced.connections["a"].origin.as_str(), replaced.connections["b"].origin.as_str()),
        ("DATABASE_URL", "dbkeep.toml")
    );
    assert_eq!(
        toml(two).connection("c").complaint(),
        "there is no connection named \"c\"\n? the connections are: a, b"
    );
    let none = two.replace("default = \"a\"\n", "");
    assert_eq!(toml(&none).complaint(), "there is no connection named \"default\"\n? the connections are: a, b");
    let anew = Given::default().connection("new").url("sqlite://new.db").load();
    assert_eq!((anew.default.as_str(), anew.connections.len()), ("new", 1));
}

#[test]
fn a_url_of_the_environment_leaves_the_rest_of_the_file_in_force() {
    let file = "[connections.app]\nurl = \"mysql://db/app\"\ntls = \"verify-full\"\nslow_query = \"5s\"\n[connections.app.pool]\nmax = 3";
    let settings = toml(file).with("DATABASE_URL", "mysql://other/app").default_connection().settings;
    assert_eq!(
        (settings.options.host.as_str(), settings.options.tls, settings.pool.max),
        ("other", TlsMode::VerifyFull, 3)
    );
    assert_eq!(settings.slow_query, Some(Duration::from_secs(5)));
    let settings = toml(file).with("DATABASE_URL", "mysql://other/app?tls=disable").default_connection().settings;
    assert_eq!(settings.options.tls, TlsMode::Disable);
    let settings = toml(file).with("DATABASE_URL", "postgres://other/app").default_connection().settings;
    assert_eq!(settings.options.tls, TlsMode::Prefer, "another engine's settings are not these");
}

#[test]
fn the_names_of_a_laravel_style_environment_are_known() {
    let parts = |pairs: &[(&'static str, &'static str)]| variables(pairs).default_connection().settings.options;
    let options = parts(&[
        ("DB_CONNECTION", "mysql"),
        ("DB_HOST", "db.internal"),
        ("DB_PORT", " 3307 "),
        ("DB_DATABASE", "the shop"),
        ("DB_USERNAME", "app@web"),
        ("DB_PASSWORD", "p@ss:w/rd#?%41 ü"),
    ]);
    assert_eq!((options.engine.name(), options.target().as_str()), ("mysql", "the shop on db.internal:3307"));
    assert_eq!((options.user.as_deref(), options.password), (Some("app@web"), Some(Secret::new("p@ss:w/rd#?%41 ü"))));
    for (name, engine) in [("mysql", "mysql"), ("mariadb", "mysql"), ("pgsql", "postgres"), ("sqlite", "sqlite")] {
        assert_eq!(parts(&[("DB_CONNECTION", name)]).engine.name(), engine);
    }
    assert_eq!(parts(&[("DB_CONNECTION", "pgsql")]).target(), "127.0.0.1:5432");
    for host in ["::1", "[::1]"] {
        assert_eq!(
            parts(&[("DB_CONNECTION", "pgsql"), ("DB_HOST", host), ("DB_DATABASE", "a")]).target(),
            "a on [::1]:5432"
        );
    }
    let socket = parts(&[("DB_CONNECTION", "mysql"), ("DB_SOCKET", "/run/a b.sock"), ("DB_DATABASE", "shop")]);
    assert_eq!(socket.target(), "shop on /run/a b.sock");
    assert_eq!(parts(&[("DB_CONNECTION", "sqlite"), ("DB_DATABASE", "/var/a b?.db")]).database, "/var/a b?.db");
    assert_eq!(parts(&[("DB_CONNECTION", "sqlite"), ("DB_DATABASE", ":memory:")]).database, ":memory:");
    assert_eq!(parts(&[("DB_CONNECTION", "sqlite")]).engine.location(), Location::File);
    for (pairs, complaint) in [
        (
            vec![("DB_CONNECTION", "oracle")],
            "DB_CONNECTION=oracle is not known\n? it is one of mysql, mariadb, pgsql, sqlite",
        ),
        (
            vec![("DB_CONNECTION", "mysql"), ("DB_PORT", "0")],
            "DB_PORT=0 is not a port\n? a port is a number from 1 to 65535",
        ),
        (
            vec![("DB_CONNECTION", "mysql"), ("DB_PORT", "x")],
            "DB_PORT=x is not a port\n? a port is a number from 1 to 65535",
        ),
        (
            vec![("DB_CONNECTION", "mysql"), ("DB_HOST", "db:3306")],
            "DB_HOST=db:3306 is not a host\n? the port has a variable of its own, DB_PORT",
        ),
        (
            vec![("DB_CONNECTION", "mysql"), ("DB_PASSWORD", "hunter2")],
            "DB_PASSWORD is set, but DB_USERNAME is not\n? set DB_USERNAME to the account the password belongs to",
        ),
    ] {
        assert_eq!(variables(&pairs).complaint(), complaint);
    }
    // Without DB_CONNECTION they mean nothing, and that is said.
    let config = variables(&[("DB_HOST", "db"), ("DB_PASSWORD", "hunter2")]).load();
    assert_eq!(config.notes, ["DB_HOST, DB_PASSWORD are set but not used, since DB_CONNECTION is not set"]);
    assert_eq!(config.connections["default"].origin, "default");
}

#[test]
fn every_number_of_the_environment_is_read() {
    let config = variables(&[
        ("DB_POOL_MAX_CONNECTIONS", "12"),
        ("DB_POOL_MIN_CONNECTIONS", "3"),
        ("DB_POOL_TIMEOUT", "5"),
        ("DB_POOL_IDLE_TIMEOUT", "60"),
        ("DB_POOL_MAX_LIFETIME", "600"),
        ("DB_MONITOR_MAX_RESPONSE_TIME", "1500"),
        ("DB_MONITOR_MAX_FAILED_CONNECTIONS", "7"),
        ("DB_MONITOR_MAX_POOL_UTIL", "90"),
        ("DB_MONITOR_MAX_QUERY_TIME", "2500"),
        ("DB_MONITOR_MIN_AVAILABLE_CONNECTIONS", "1"),
        ("DB_MONITOR_ENABLE_EMAIL_ALERTS", "false"),
        ("DB_BACKUP_PATH", "elsewhere"),
        ("DB_BACKUP_RETENTION_DAYS", "14"),
        ("DB_BACKUP_COMPRESSION", "no"),
        ("DB_BACKUP_ENCRYPTION", "TRUE"),
        ("DBKEEP_BACKUP_PASSPHRASE_FILE", "pass.txt"),
    ])
    .load();
    let pool = &config.connections["default"].settings.pool;
    assert_eq!((pool.max, pool.min), (12, 3));
    assert_eq!([pool.acquire_timeout, pool.idle_timeout, pool.max_lifetime].map(|limit| limit.as_secs()), [5, 60, 600]);
    let monitor = config.monitor;
    assert_eq!(
        (monitor.max_response_time, monitor.max_query_time),
        (Duration::from_millis(1500), Duration::from_millis(2500))
    );
    assert_eq!((monitor.max_failed_connections, monitor.min_available_connections), (7, 1));
    assert_eq!(monitor.max_pool_utilization, 90.0);
    assert_eq!((config.backup.path, config.backup.compression), (config.root.join("elsewhere"), false));
    assert!(config.backup.encryption);
    assert!(
        matches!(config.backup.passphrase, Some(PassphraseSource::File(path)) if path == config.root.join("pass.txt"))
    );
    assert_eq!(config.notes, ["DB_BACKUP_RETENTION_DAYS=14 is read, but this version removes no backups"]);
    let auto = variables(&[("DB_POOL_MAX_CONNECTIONS", "auto")]).default_connection().settings.pool.clone();
    assert_eq!((auto.auto_size, auto.max, auto.min), (true, 100, 2));
    // A maximum below the usual minimum lowers that.
    assert_eq!(variables(&[("DB_POOL_MAX_CONNECTIONS", "1")]).default_connection().settings.pool.min, 1);
    for (name, value, complaint) in [
        (
            "DB_POOL_MAX_CONNECTIONS",
            "many",
            "the pool of connection \"default\" cannot be set up: DB_POOL_MAX_CONNECTIONS=many is not a whole number",
        ),
        (
            "DB_POOL_MAX_CONNECTIONS",
            "0",
            "the pool of connection \"default\" cannot be set up: pool setting max is 0: a pool needs room for at least one connection",
        ),
        (
            "DB_POOL_MIN_CONNECTIONS",
            "11",
            "the pool of connection \"default\" cannot be set up: pool setting min 11 is more than max 10: the pool could never keep that many open; raise max or lower min",
        ),
        (
            "DB_POOL_TIMEOUT",
            "soon",
            "the pool of connection \"default\" cannot be set up: DB_POOL_TIMEOUT=soon is not a number of seconds",
        ),
        (
            "DB_POOL_TIMEOUT",
            "0",
            "the pool of connection \"default\" cannot be set up: pool setting acquire_timeout is 0: everything would time out before it started",
        ),
        ("DB_MONITOR_MAX_POOL_UTIL", "101", "DB_MONITOR_MAX_POOL_UTIL=101 is not a percentage"),
        ("DB_MONITOR_MAX_QUERY_TIME", "-1", "DB_MONITOR_MAX_QUERY_TIME=-1 is not a whole number"),
        ("DB_MONITOR_ENABLE_EMAIL_ALERTS", "maybe", "DB_MONITOR_ENABLE_EMAIL_ALERTS=maybe is neither true nor false"),
        ("DB_BACKUP_RETENTION_DAYS", "month", "DB_BACKUP_RETENTION_DAYS=month is not a whole number"),
        ("DB_BACKUP_COMPRESSION", "gzip", "DB_BACKUP_COMPRESSION=gzip is neither true nor false"),
        (
            "DB_BACKUP_PATH",
            "s3://bucket/prefix",
            "backup.path \"s3://bucket/prefix\" is not a folder\n? this version keeps backups in a local folder only; object stores come later",
        ),
    ] {
        assert_eq!(variables(&[(name, value)]).complaint(), complaint);
    }
}

#[test]
fn a_passphrase_is_taken_from_the_first_source_that_has_one() {
    let passphrase = |pairs: &[(&'static str, &'static str)]| variables(pairs).load().backup.passphrase;
    let (given, file, command) = (
        ("DBKEEP_BACKUP_PASSPHRASE", "hunter2"),
        ("DBKEEP_BACKUP_PASSPHRASE_FILE", "/run/secrets/pass"),
        ("DBKEEP_BACKUP_PASSPHRASE_COMMAND", "pass show backup"),
    );
    assert!(
        matches!(passphrase(&[command, file, given]), Some(PassphraseSource::Given(secret)) if secret == Secret::new("hunter2"))
    );
    assert!(
        matches!(passphrase(&[command, file]), Some(PassphraseSource::File(path)) if path == Path::new("/run/secrets/pass"))
    );
    assert!(matches!(passphrase(&[command]), Some(PassphraseSource::Command(text)) if text == "pass show backup"));
    let config = variables(&[given]).load();
    assert_eq!(config.notes, [UNUSED_PASSPHRASE]);
    assert!(!format!("{config:?}").contains("hunter2"), "a configuration does not show its secrets");
}

#[test]
fn production_is_recognised_and_never_talked_away_by_accident() {
    let environment = |given: &Given| given.load().environment;
    for (name, expected) in [
        ("production", Environment::Production),
        ("Prod", Environment::Production),
        ("staging", Environment::Staging),
        ("testing", Environment::Test),
        ("local", Environment::Development),
    ] {
        assert_eq!(environment(&toml(&format!("environment = {name:?}"))), expected);
        assert_eq!(environment(&Given::default().dotenv(&format!("APP_ENV={name}"))), expected);
        assert_eq!(environment(&Given::default().dotenv(&format!("DBKEEP_ENV={name}"))), expected);
    }
    // The application's own variable may raise the guards, not lower them.
    let file = || toml("environment = \"production\"");
    assert_eq!(environment(&file().with("APP_ENV", "local")), Environment::Production);
    assert_eq!(environment(&file().with("APP_ENV", "preview")), Environment::Production);
    assert_eq!(environment(&toml("environment = \"test\"").with("APP_ENV", "production")), Environment::Production);
    assert_eq!(environment(&file().with("DBKEEP_ENV", "test").with("APP_ENV", "production")), Environment::Test);
    assert_eq!(environment(&toml("environment = \"test\"").with("APP_ENV", "preview")), Environment::Test);
    assert_eq!(
        variables(&[("APP_ENV", "preview")]).complaint(),
        "APP_ENV=preview is not a known environment\n? set DBKEEP_ENV to development, test, staging or production"
    );
    assert_eq!(
        variables(&[("DBKEEP_ENV", "preview")]).complaint(),
        "DBKEEP_ENV=preview is not a known environment\n? it is one of development, test, staging, production"
    );
}

#[test]
fn a_dotenv_file_may_begin_with_a_mark_of_its_encoding() {
    let given = toml("").dotenv("\u{feff}DATABASE_URL=sqlite://marked.db\n");
    let database = &given.default_connection().settings.options.database;
    assert!(database.ends_with("marked.db"), "{database}");
}
