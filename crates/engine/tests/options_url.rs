//! Connection URLs: what each part of one means, and what is said of one that is wrong, never with the password in it.
#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::{ConnectOptions, Error, ErrorKind, Secret, TlsMode};
use proptest::prelude::*;
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn read(url: &str) -> ConnectOptions {
    url.parse().unwrap_or_else(|error: Error| panic!("{url}: {error}"))
}

fn refused(url: &str) -> Error {
    match url.parse::<ConnectOptions>() {
        Ok(options) => panic!("{url} was taken for {options:?}"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Options, "{url}");
            error
        }
    }
}

/// Engine, user, password, host, port, database: the parts every server's URL has.
fn parts(url: &str) -> (&'static str, Option<String>, Option<String>, String, Option<u16>, String) {
    let ConnectOptions { engine, user, password, host, port, database, .. } = read(url);
    (engine.name(), user, password.map(|secret| secret.expose().to_owned()), host, port, database)
}

#[test]
fn the_parts_of_a_servers_url_are_read_and_decoded() {
    let some = |text: &str| Some(text.to_owned());
    let host = |host: &str| host.to_owned();
    for (url, expected) in [
        (
            "mysql://app:secret@db.internal:3307/shop",
            ("mysql", some("app"), some("secret"), host("db.internal"), Some(3307), host("shop")),
        ),
        ("mariadb://app@db/shop", ("mysql", some("app"), None, host("db"), None, host("shop"))),
        ("postgres://db", ("postgres", None, None, host("db"), None, host(""))),
        ("postgresql://db/", ("postgres", None, None, host("db"), None, host(""))),
        ("pgsql:///shop", ("postgres", None, None, host("localhost"), None, host("shop"))),
        ("PostgreSQL://db/Shop", ("postgres", None, None, host("db"), None, host("Shop"))),
        // An IPv6 address stands in brackets in the URL and nowhere else.
        ("mysql://app@[::1]:3306/shop", ("mysql", some("app"), None, host("::1"), Some(3306), host("shop"))),
        ("postgres://[2001:db8::2]/shop", ("postgres", None, None, host("2001:db8::2"), None, host("shop"))),
        // %XX means the character, everywhere.
        (
            "mysql://a%40b:p%40ss%2Fw%3A%23%3F%25%20d@db/sh%2Fop%20%C3%BC",
            ("mysql", some("a@b"), some("p@ss/w:#?% d"), host("db"), None, host("sh/op ü")),
        ),
        // The last @ ends the password, so that one more needs no %40.
        ("mysql://app:p@ss@db/shop", ("mysql", some("app"), some("p@ss"), host("db"), None, host("shop"))),
        ("mysql://app:pä$$,;!*'()@db/x", ("mysql", some("app"), some("pä$$,;!*'()"), host("db"), None, host("x"))),
        // An empty password is none.
        ("mysql://app:@db/shop", ("mysql", some("app"), None, host("db"), None, host("shop"))),
        ("mysql://:secret@db/shop", ("mysql", None, some("secret"), host("db"), None, host("shop"))),
        ("mysql://app:secret@/shop", ("mysql", some("app"), some("secret"), host("localhost"), None, host("shop"))),
        ("mysql://db:/shop", ("mysql", None, None, host("db"), None, host("shop"))),
    ] {
        assert_eq!(parts(url), expected, "{url}");
    }
}

#[test]
fn a_unix_socket_is_a_parameter_or_the_host() {
    let socket = |url: &str| (read(url).socket, read(url).host);
    let path = |path: &str| Some(PathBuf::from(path));
    let local = || "localhost".to_owned();
    assert_eq!(socket("mysql://app@localhost/shop?socket=/run/mysqld.sock"), (path("/run/mysqld.sock"), local()));
    assert_eq!(socket("mysql://app@h/shop?unix_socket=%2Frun%2Fa%20b.sock"), (path("/run/a b.sock"), "h".to_owned()));
    assert_eq!(socket("postgres://app@%2Fvar%2Frun%2Fpostgresql/shop"), (path("/var/run/postgresql"), local()));
    assert_eq!(socket("postgres:///shop?host=/var/run/postgresql"), (path("/var/run/postgresql"), local()));
    assert_eq!(socket("postgres://app@/shop?host=/tmp"), (path("/tmp"), local()));
    assert_eq!(socket("postgres:///shop?host=db.internal"), (None, "db.internal".to_owned()));
}

#[test]
fn a_files_url_is_its_path() {
    let file = |url: &str| {
        let options = read(url);
        (options.database, options.read_only, options.create)
    };
    for (url, path, read_only, create) in [
        ("sqlite://shop.db", "shop.db", false, true),
        ("sqlite:shop.db", "shop.db", false, true),
        ("sqlite3:data/shop.db", "data/shop.db", false, true),
        ("sqlite:///var/lib/shop.db", "/var/lib/shop.db", false, true),
        ("sqlite:/var/lib/shop.db", "/var/lib/shop.db", false, true),
        ("sqlite://my%20shop%3F.db?mode=ro", "my shop?.db", true, false),
        ("sqlite://shop.db?mode=rw", "shop.db", false, false),
        ("sqlite://shop.db?mode=rwc", "shop.db", false, true),
        ("sqlite://shop#1.db", "shop#1.db", false, true),
        ("sqlite::memory:", ":memory:", false, true),
        ("sqlite://:memory:", ":memory:", false, true),
        ("sqlite://?mode=memory", ":memory:", false, true),
    ] {
        assert_eq!(file(url), (path.to_owned(), read_only, create), "{url}");
    }
    assert_eq!(read("sqlite://shop.db?busy_timeout=250ms").session.lock_timeout, Some(Duration::from_millis(250)));
}

#[test]
fn every_parameter_is_read_under_each_of_its_names() {
    let url = |parameter: &str| read(&format!("mysql://db/shop?{parameter}"));
    let path = |path: &str| Some(PathBuf::from(path));
    let text = |text: &str| Some(text.to_owned());
    for (name, mode) in TlsMode::NAMES {
        for parameter in ["tls", "sslmode", "ssl-mode", "ssl_mode"] {
            assert_eq!(url(&format!("{parameter}={name}")).tls, mode);
            assert_eq!(url(&format!("{parameter}={}", name.to_uppercase().replace('-', "_"))).tls, mode);
        }
    }
    for (name, mode) in [
        ("DISABLED", TlsMode::Disable),
        ("PREFERRED", TlsMode::Prefer),
        ("allow", TlsMode::Prefer),
        ("REQUIRED", TlsMode::Require),
        ("VERIFY_IDENTITY", TlsMode::VerifyFull),
    ] {
        assert_eq!(url(&format!("ssl-mode={name}")).tls, mode);
    }
    for (ours, theirs) in [("tls_ca", "sslrootcert"), ("tls_ca", "ssl-ca"), ("tls_ca", "ssl_ca")] {
        assert_eq!(
            (url(&format!("{ours}=a/b")).tls_ca, url(&format!("{theirs}=a/b")).tls_ca),
            (path("a/b"), path("a/b"))
        );
    }
    for name in ["tls_cert", "sslcert", "ssl-cert", "ssl_cert"] {
        assert_eq!(url(&format!("{name}=/c.pem")).tls_cert, path("/c.pem"));
    }
    for name in ["tls_key", "sslkey", "ssl-key", "ssl_key"] {
        assert_eq!(url(&format!("{name}=/k.pem")).tls_key, path("/k.pem"));
    }
    assert_eq!(url("charset=latin1").session.charset, text("latin1"));
    assert_eq!(url("client_encoding=UTF8").session.charset, text("UTF8"));
    assert_eq!(url("collation=utf8mb4_bin").session.collation, text("utf8mb4_bin"));
    assert_eq!(url("sql_mode=ANSI,TRADITIONAL").session.sql_mode, text("ANSI,TRADITIONAL"));
    assert_eq!(url("time_zone=%2B02:00").session.time_zone, text("+02:00"));
    assert_eq!(url("timezone=+02:00").session.time_zone, text("+02:00"), "a plus is a plus");
    assert_eq!(url("wait_timeout=1h").session.wait_timeout, Some(Duration::from_secs(3600)));
    assert_eq!(url("statement_timeout=0").session.statement_timeout, Some(Duration::ZERO));
    assert_eq!(url("lock_timeout=5m").session.lock_timeout, Some(Duration::from_secs(300)));
    assert_eq!(url("connect_timeout=3").connect_timeout, Duration::from_secs(3));
    assert_eq!(url("connect_attempts=1").connect_attempts, 1);
    assert_eq!(url("application_name=shop%20web").session.application_name, text("shop web"));
    assert_eq!(url("statement_cache=0").statement_cache, 0);
    assert_eq!(url("statement-cache-capacity=7").statement_cache, 7);
    assert!(url("mode=ro").read_only && !url("mode=rw").read_only);
    let many = url("&tls=require&&connect_timeout=1d&tls=disable&");
    assert_eq!((many.tls, many.connect_timeout), (TlsMode::Disable, Duration::from_secs(86_400)), "the last one holds");
}

#[test]
fn a_password_may_lie_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let plain = file("plain", "hunter2\n");
    assert_eq!(read(&format!("mysql://app@db/shop?password_file={plain}")).password, Some(Secret::new("hunter2")));
    let windows = file("windows", "hunter2\r\nmore\r\n");
    assert_eq!(
        read(&format!("mysql://app:old@db/shop?password_file={windows}")).password,
        Some(Secret::new("hunter2"))
    );
    let empty = file("empty", "\nhunter2\n");
    let error = refused(&format!("mysql://app@db/shop?password_file={empty}"));
    assert_eq!(error.to_string(), format!("the password file {empty} is empty"));
    let error = refused("mysql://app@db/shop?password_file=/nowhere/at/all");
    assert_eq!(error.to_string(), "the password file /nowhere/at/all cannot be read");
    assert!(error.source().is_some());
}

const ALL: &str = "the parameters are: tls, tls_ca, tls_cert, tls_key, socket, host, password_file, charset, collation, \
    sql_mode, time_zone, wait_timeout, statement_timeout, lock_timeout, connect_timeout, connect_attempts, \
    application_name, statement_cache, mode";
const SCHEMES: &str = "the schemes are: mysql, mariadb, postgres, postgresql, pgsql, sqlite, sqlite3";
const SCHEMES_OR_FILE: &str = "the schemes are: mysql, mariadb, postgres, postgresql, pgsql, sqlite, sqlite3; \
    a database in a file is written sqlite:shop.db";
const FORM: &str = "as in scheme://user:password@host:port/database";
const ESCAPES: &str = "as in scheme://user:password@host:port/database; special characters in the password are written %XX: \
    @ as %40, : as %3A, / as %2F, # as %23, ? as %3F";

#[test]
fn a_wrong_url_is_explained() {
    for (url, message, hint) in [
        ("", "this is no connection URL: it does not begin with a scheme and a colon", SCHEMES_OR_FILE),
        ("shop.db", "this is no connection URL: it does not begin with a scheme and a colon", SCHEMES_OR_FILE),
        ("oracle://db/shop", r#"the URL scheme "oracle" is not known"#, SCHEMES),
        ("app:hunter2@db/shop", r#"the URL scheme "app" is not known"#, SCHEMES),
        ("hunter2@x:y", r#"the URL scheme "…" is not known"#, SCHEMES),
        ("://", r#"the URL scheme "…" is not known"#, SCHEMES),
        ("mysql:db/shop", "the URL lacks // after its scheme", FORM),
        ("mysql:/shop", "the URL lacks // after its scheme", FORM),
        ("mysql://db:port/shop", "this is no connection URL: invalid port number", ESCAPES),
        ("mysql://db:70000/shop", "this is no connection URL: invalid port number", ESCAPES),
        ("mysql://db:0/shop", "port 0 cannot be connected to", ""),
        ("mysql://d b/shop", "this is no connection URL: invalid domain character", ESCAPES),
        ("mysql://[::1/shop", "this is no connection URL: invalid IPv6 address", ESCAPES),
        // A password whose special characters were not written %XX.
        ("mysql://app:hunter2/x@db/shop", "this is no connection URL: invalid port number", ESCAPES),
        ("mysql://app:hunter2#x@db/shop", "this is no connection URL: invalid port number", ESCAPES),
        (
            "mysql://app:12/hunter2@db/shop",
            "the URL's path holds more than the name of a database",
            "in a name, / is written %2F; in a password, too",
        ),
        ("mysql://app:12#hunter2@db/shop", "the URL holds a #", "in a password or a name, # is written %23"),
        (
            "mysql://app:12?hunter2@db/shop",
            "the URL holds a ? before its @",
            "in a password, ? is written %3F and @ is written %40",
        ),
        (
            "mysql://app:12?tls=hunter2@db/shop",
            "tls=… is not known",
            "tls is one of disable, prefer, require, verify-ca, verify-full",
        ),
        ("mysql://app:12?password_file=hunter2@db/shop", "the password file … cannot be read", ""),
        (
            "mysql://app:hun\nter2@db/shop",
            "the URL holds a line break, a tab or another control character",
            "in a password or a name, write it %XX",
        ),
        ("mysql://app:%ff@db/shop", "the URL's password is not UTF-8 once its %XX are decoded", ""),
        ("mysql://app:%00@db/shop", "the URL's password holds a NUL character", ""),
        ("mysql://db/sh%00op", "the URL's database holds a NUL character", ""),
        ("mysql://db/shop?tsl=require", r#"the URL's parameter "tsl" is not known"#, ALL),
        ("mysql://db/shop?tls", "the URL's parameter tls has no value", ""),
        (
            "mysql://db/shop?tls=maybe",
            "tls=maybe is not known",
            "tls is one of disable, prefer, require, verify-ca, verify-full",
        ),
        ("mysql://db/shop?mode=rwc", "mode=rwc is not known", "mode is ro or rw"),
        ("mysql://db/shop?wait_timeout=1y", "wait_timeout=1y is not a duration", "as in 500ms, 30s, 5m, 1h"),
        ("mysql://db/shop?lock_timeout=-1", "lock_timeout=-1 is not a duration", "as in 500ms, 30s, 5m, 1h"),
        ("mysql://db/shop?lock_timeout=1.5s", "lock_timeout=1.5s is not a duration", "as in 500ms, 30s, 5m, 1h"),
        (
            "mysql://db/shop?statement_timeout=99999999999999999999d",
            "statement_timeout=99999999999999999999d is not a duration",
            "as in 500ms, 30s, 5m, 1h",
        ),
        (
            "mysql://db/shop?statement_timeout=9999999999999d",
            "statement_timeout=9999999999999d is not a duration",
            "as in 500ms, 30s, 5m, 1h",
        ),
        ("mysql://db/shop?connect_timeout=0", "connect_timeout=0 leaves no time to connect", "the default is 10s"),
        ("mysql://db/shop?connect_attempts=0", "connect_attempts=0 is not a number from 1 to 100", "the default is 3"),
        (
            "mysql://db/shop?connect_attempts=many",
            "connect_attempts=many is not a number from 1 to 100",
            "the default is 3",
        ),
        (
            "mysql://db/shop?statement_cache=-1",
            "statement_cache=-1 is not a number of statements from 0 to 65535",
            "the default is 100",
        ),
        ("sqlite:", "the URL names no file", "as in sqlite://shop.db, or sqlite::memory:"),
        ("sqlite://", "the URL names no file", "as in sqlite://shop.db, or sqlite::memory:"),
        ("sqlite://shop.db?mode=x", "mode=x is not known", "mode is ro, rw, rwc or memory"),
        ("sqlite://shop.db?mode", "mode= is not known", "mode is ro, rw, rwc or memory"),
        ("sqlite://%ff", "the URL's path is not UTF-8 once its %XX are decoded", ""),
    ] {
        let error = refused(url);
        assert_eq!((error.to_string().as_str(), error.hint().unwrap_or("")), (message, hint), "{url:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn options_say_where_they_lead_and_keep_the_password_to_themselves() {
    for (url, target) in [
        ("mysql://app:hunter2@db/shop", "shop on db:3306"),
        ("postgres://app:hunter2@db:6432/shop", "shop on db:6432"),
        ("postgres://app:hunter2@[::1]/shop", "shop on [::1]:5432"),
        ("mysql://app:hunter2@db", "db:3306"),
        ("mysql://app:hunter2@db/shop?socket=/run/my.sock", "shop on /run/my.sock"),
        ("sqlite:///var/shop.db", "/var/shop.db"),
        ("sqlite::memory:", ":memory:"),
    ] {
        let options = read(url);
        assert_eq!(options.target(), target);
        assert!(!format!("{options:?} {options:#?}").contains("hunter2"));
        assert_eq!(options.with_database("other").database, "other");
    }
    let defaults = read("mysql://db/shop");
    assert_eq!((defaults.tls, defaults.connect_attempts, defaults.statement_cache), (TlsMode::Prefer, 3, 100));
    assert_eq!((defaults.connect_timeout, defaults.user, defaults.socket), (Duration::from_secs(10), None, None));
    assert!(defaults.tls_ca.as_deref().map(Path::exists).is_none() && defaults.create && !defaults.read_only);
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_reading_a_url_panic(text in "\\PC{0,60}") {
        let _ = text.parse::<ConnectOptions>();
    }

    #[test]
    fn nothing_after_a_scheme_makes_reading_panic(
        scheme in prop::sample::select(vec!["mysql:", "mysql://", "postgres://", "sqlite:", "sqlite://"]),
        rest in "[a-z0-9:/@?#%&=.\\[\\]\\\\ +\\-_é\t\n\u{0}]{0,40}",
    ) {
        let _ = format!("{scheme}{rest}").parse::<ConnectOptions>();
    }

    #[test]
    fn every_name_and_password_comes_back_from_its_encoded_form(
        user in "[^\u{0}]{1,12}", password in "[^\u{0}]{1,12}", database in "[^\u{0}]{1,12}",
    ) {
        let url = format!("postgres://{}:{}@db/{}", encoded(&user), encoded(&password), encoded(&database));
        let options: ConnectOptions = url.parse().unwrap();
        prop_assert_eq!(options.user.as_deref(), Some(user.as_str()));
        prop_assert_eq!(options.password.as_ref().map(Secret::expose), Some(password.as_str()));
        prop_assert_eq!(options.database, database);
    }

    /// A password pasted into a URL as it is, with whatever it holds, is never repeated by the error that follows.
    #[test]
    fn no_error_ever_holds_the_password(tail in "[a-zA-Z0-9:/@?#%&=.\\[\\]\\\\ +\\-_]{0,12}", before in "[0-9:/@?#&=]{0,3}") {
        const SECRET: &str = "Xyzzy7Plugh";
        for rest in [format!("{before}{SECRET}{tail}"), format!("{before}{tail}{SECRET}")] {
            for scheme in ["mysql", "postgres"] {
                if let Err(error) = format!("{scheme}://app:{rest}@db.internal/shop").parse::<ConnectOptions>() {
                    let shown = format!("{error} {error:?} {}", error.hint().unwrap_or(""));
                    prop_assert!(!shown.contains(SECRET), "{}", shown);
                }
            }
        }
    }
}
