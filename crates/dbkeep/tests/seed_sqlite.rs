//! Seeds run, run again, and refused, on SQLite.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used)]

use dbkeep::ConnectOptions;
use dbkeep::engine::{Connection, connect};
use dbkeep::seed::{Error, ErrorKind, Progress, Run, SeedReport, Seeds};
use std::sync::{Arc, Mutex};

const SCHEMA: &str = "
    CREATE TABLE users (
        id INTEGER PRIMARY KEY, email VARCHAR(100) NOT NULL UNIQUE, name TEXT NOT NULL, fee DECIMAL(10,2), password TEXT,
        settings JSON, joined DATE, created_at DATETIME, mentor_id INTEGER REFERENCES users (id), active BOOLEAN NOT NULL DEFAULT 1
    );
    CREATE TABLE courses (code TEXT PRIMARY KEY, title TEXT NOT NULL CHECK (length(title) < 20), teacher INTEGER REFERENCES users (id));
";

async fn database() -> Connection {
    let mut connection = connect(&"sqlite::memory:".parse::<ConnectOptions>().unwrap()).await.unwrap();
    connection.script(SCHEMA).await.unwrap();
    connection
}

/// `name inserted/updated/unchanged` of each seed.
async fn run(connection: &mut Connection, seeds: &Seeds) -> String {
    let report = seeds.run(connection, &Run::default()).await.unwrap();
    let count = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
    let line = |seed: &SeedReport| {
        format!("{} {}/{}/{}", seed.name, count(seed.inserted), count(seed.updated), count(seed.unchanged))
    };
    report.seeders.iter().map(line).collect::<Vec<_>>().join(", ")
}

async fn text(connection: &mut Connection, sql: &str) -> String {
    let rows = connection.query(sql, &[]).await.unwrap();
    let cell = |value: &dbkeep::Value| match value {
        dbkeep::Value::Null => "NULL".to_owned(),
        dbkeep::Value::Text(text) | dbkeep::Value::Json(text) => text.to_string(),
        dbkeep::Value::Int(number) => number.to_string(),
        dbkeep::Value::Decimal(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    rows.iter().map(|row| row.values().iter().map(cell).collect::<Vec<_>>().join("|")).collect::<Vec<_>>().join("\n")
}

fn shown(error: &Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}\n{}", error.hint().unwrap_or("-"))
}

async fn refused(connection: &mut Connection, file: &str, content: &str) -> Error {
    Seeds::embedded([(file, content)]).run(connection, &Run::default()).await.unwrap_err()
}

const USERS: &str = "key: [email]
rows:
  - email: bob@x
    name: Bob
    mentor_id: {ref: {table: users, key: {email: ada@x}}}
  - email: ada@x
    name: Ada
    fee: 129.90
    password: {argon2: \"correct horse\"}
    settings: {theme: dark, tags: [1, two]}
    joined: {days_ago: 7}
    created_at: {now: true}
";

#[tokio::test]
async fn the_second_run_changes_nothing_and_a_third_only_what_differs() {
    let mut connection = database().await;
    let seeds = |text: &str| Seeds::embedded([("010_users.yml", text)]).now("2026-11-22T12:30:00Z".parse().unwrap());
    assert_eq!(run(&mut connection, &seeds(USERS)).await, "010_users 2/0/0");
    let before = text(&mut connection, "SELECT * FROM users ORDER BY email").await;
    assert_eq!(run(&mut connection, &seeds(USERS)).await, "010_users 0/0/2");
    assert_eq!(text(&mut connection, "SELECT * FROM users ORDER BY email").await, before);

    let row = text(
        &mut connection,
        "SELECT email, fee, settings, CAST(joined AS TEXT), CAST(created_at AS TEXT) FROM users WHERE name = 'Ada'",
    )
    .await;
    assert_eq!(row, "ada@x|129.90|{\"theme\":\"dark\",\"tags\":[1,\"two\"]}|2026-11-15|2026-11-22 12:30:00");
    let mentor =
        text(&mut connection, "SELECT m.email FROM users u JOIN users m ON m.id = u.mentor_id WHERE u.email = 'bob@x'")
            .await;
    assert_eq!(mentor, "ada@x");

    // A day later the date has moved, the time of creation has not; another password gives another hash.
    let tomorrow = seeds(&USERS.replace("correct", "wrong")).now("2026-11-23T00:00:00Z".parse().unwrap());
    assert_eq!(run(&mut connection, &tomorrow).await, "010_users 0/1/1");
    let row =
        text(&mut connection, "SELECT CAST(joined AS TEXT), CAST(created_at AS TEXT) FROM users WHERE name = 'Ada'")
            .await;
    assert_eq!(row, "2026-11-16|2026-11-22 12:30:00");
    let hashes = text(&mut connection, "SELECT password FROM users WHERE name = 'Ada'").await;
    assert!(!before.contains(&hashes));

    // What was changed by hand is put right; columns the seed does not fill are not touched.
    connection.script("UPDATE users SET name = 'Eve', active = 0 WHERE email = 'bob@x'").await.unwrap();
    assert_eq!(run(&mut connection, &tomorrow).await, "010_users 0/1/1");
    assert_eq!(
        text(&mut connection, "SELECT name, CAST(active AS INTEGER) FROM users WHERE email = 'bob@x'").await,
        "Bob|0"
    );
}

#[tokio::test]
async fn the_report_is_json_with_stable_names() {
    let mut connection = database().await;
    let seeds = Seeds::embedded([("010_courses.yml", "- {code: R1, title: Robots}"), ("020_more.sql", "SELECT 1;")]);
    let mut report = seeds.run(&mut connection, &Run::default()).await.unwrap();
    report.seeders.iter_mut().for_each(|seed| seed.duration_ms = 0);
    assert_eq!(
        serde_json::to_string(&report).unwrap(),
        "{\"seeders\":[{\"name\":\"010_courses\",\"inserted\":1,\"updated\":0,\"unchanged\":0,\"duration_ms\":0},\
         {\"name\":\"020_more\",\"inserted\":null,\"updated\":null,\"unchanged\":null,\"duration_ms\":0}]}"
    );
}

#[tokio::test]
async fn csv_fills_a_table_with_references_and_nulls() {
    let mut connection = database().await;
    let courses =
        "# key: code\n# ref: teacher = users.email\ncode,title,teacher\nR1,\"Robots, small\",ada@x\nR2,Rockets,\\N\n";
    // Before the users by name, after them by need.
    let seeds = Seeds::embedded([("010_courses.csv", courses), ("020_users.yml", USERS)]);
    assert_eq!(run(&mut connection, &seeds).await, "020_users 2/0/0, 010_courses 2/0/0");
    assert_eq!(run(&mut connection, &seeds).await, "020_users 0/0/2, 010_courses 0/0/2");
    let joined = "SELECT code, title, email FROM courses LEFT JOIN users ON users.id = teacher ORDER BY code";
    assert_eq!(text(&mut connection, joined).await, "R1|Robots, small|ada@x\nR2|Rockets|NULL");
}

#[tokio::test]
async fn a_long_table_is_read_and_looked_up_in_pieces() {
    let mut connection = database().await;
    connection.script("CREATE TABLE points (x INTEGER, y INTEGER, label TEXT, PRIMARY KEY (x, y))").await.unwrap();
    let line = |n: u32| format!("{},{},p{n}\n", n / 7, n % 7);
    let table = |rows: std::ops::Range<u32>| format!("x,y,label\n{}", rows.map(line).collect::<String>());
    let seeds = |rows| Seeds::embedded([("points.csv", table(rows))]);
    assert_eq!(run(&mut connection, &seeds(0..1_300)).await, "points 1300/0/0");
    connection.script("UPDATE points SET label = 'odd' WHERE x = 100 AND y < 2").await.unwrap();
    assert_eq!(run(&mut connection, &seeds(0..1_301)).await, "points 1/2/1298");
    let sums = "SELECT count(*), count(DISTINCT label) FROM points";
    assert_eq!(text(&mut connection, sums).await, "1301|1301");
}

#[tokio::test]
async fn rows_that_are_there_are_left_alone_where_the_seed_says_so() {
    let mut connection = database().await;
    let seeds = Seeds::embedded([(
        "courses.yml",
        "mode: insert-missing\nrows:\n- {code: R1, title: Robots}\n- {code: R2, title: Rockets}\n",
    )]);
    connection.script("INSERT INTO courses VALUES ('R1', 'Changed by a user', NULL)").await.unwrap();
    assert_eq!(run(&mut connection, &seeds).await, "courses 1/0/1");
    assert_eq!(text(&mut connection, "SELECT title FROM courses ORDER BY code").await, "Changed by a user\nRockets");
}

#[tokio::test]
async fn a_key_the_server_takes_for_the_same_is_the_same_row() {
    let mut connection = database().await;
    connection.script("CREATE TABLE tags (name TEXT COLLATE NOCASE PRIMARY KEY, color TEXT)").await.unwrap();
    connection.script("INSERT INTO tags VALUES ('RED', '#f00'), ('blue', '#000')").await.unwrap();
    let seeds = Seeds::embedded([("tags.csv", "name,color\nred,#f00\nblue,#00f\n")]);
    assert_eq!(run(&mut connection, &seeds).await, "tags 0/2/0");
    assert_eq!(text(&mut connection, "SELECT * FROM tags ORDER BY name").await, "blue|#00f\nred|#f00");
}

#[tokio::test]
async fn a_column_that_keeps_less_than_it_is_given_is_not_changed_for_ever() {
    let mut connection = database().await;
    connection.script("CREATE TABLE codes (id INTEGER PRIMARY KEY, code TEXT)").await.unwrap();
    connection
        .script("CREATE TRIGGER trim AFTER UPDATE ON codes BEGIN UPDATE codes SET code = trim(code) WHERE id = new.id AND code <> trim(code); END;
                 CREATE TRIGGER trim_new AFTER INSERT ON codes BEGIN UPDATE codes SET code = trim(code) WHERE id = new.id; END;")
        .await
        .unwrap();
    let seeds = Seeds::embedded([("codes.csv", "id,code\n1,a  \n")]);
    assert_eq!(run(&mut connection, &seeds).await, "codes 1/0/0");
    assert_eq!(run(&mut connection, &seeds).await, "codes 0/0/1");
}

#[tokio::test]
async fn variables_are_the_callers_and_their_absence_is_said() {
    let mut connection = database().await;
    let file = "- {code: R1, title: {env: TITLE}}\n";
    let error = refused(&mut connection, "courses.yml", file).await;
    assert_eq!(
        shown(&error),
        "courses.yml:1:21: row 1, column title: the variable TITLE is not set\nset TITLE and run the seed again"
    );
    let seeds = Seeds::embedded([("courses.yml", file)]).env([("TITLE", "Robots")]);
    assert_eq!(run(&mut connection, &seeds).await, "courses 1/0/0");
    assert_eq!(text(&mut connection, "SELECT title FROM courses").await, "Robots");
}

#[tokio::test]
async fn a_refused_row_is_named_and_nothing_of_the_run_stays() {
    let mut connection = database().await;
    let good = ("010_users.yml", USERS);
    let bad = ("020_courses.csv", "code,title\nR1,Robots\nR2,\\N\nR3,Rockets\n");
    let error = Seeds::embedded([good, bad]).run(&mut connection, &Run::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Row);
    assert_eq!((error.row(), error.column()), (Some(2), Some("title")));
    assert!(
        shown(&error).starts_with(
            "020_courses.csv:3:1: row 2, column title: the row could not be inserted into courses: NOT NULL constraint failed: courses.title"
        ),
        "{}",
        shown(&error)
    );
    assert_eq!(text(&mut connection, "SELECT count(*) FROM users").await, "0");
    // Nothing is left open, and the lock is free.
    assert_eq!(run(&mut connection, &Seeds::embedded([good])).await, "010_users 2/0/0");

    let update = "key: code\nrows:\n  - code: R9\n    title: much too long a title for this column\n";
    connection.script("INSERT INTO courses VALUES ('R9', 'Rain', NULL)").await.unwrap();
    let error = refused(&mut connection, "courses.yml", update).await;
    assert_eq!((error.row(), error.location().unwrap().line), (Some(1), 4));
    assert!(error.to_string().ends_with("the row could not be changed in courses"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_right_is_refused_before_anything_is_written() {
    let mut connection = database().await;
    for (file, content, complaint) in [
        (
            "nowhere.yml",
            "- {a: 1}",
            "nowhere.yml:1:1: there is no table nowhere\nhave the migrations run? or is the table of this seed called something else (table: …)?",
        ),
        (
            "courses.yml",
            "- {code: R1, titel: Robots}",
            "courses.yml:1:1: the table courses has no column titel\nits columns are: code, title, teacher",
        ),
        (
            "courses.yml",
            "- {title: Robots}",
            "courses.yml:1:1: it is not clear which columns tell the rows of courses apart\nsay it: key: [email], and in CSV a first line # key: email",
        ),
        (
            "courses.yml",
            "- {code: R1, title: a}\n- {title: b}",
            "courses.yml:2:1: row 2: the row has no code, which is of the key\n-",
        ),
        (
            "courses.yml",
            "- {code: R1, title: a}\n- {code: R1, title: b}",
            "courses.yml:2:1: row 2: row 1 has the same key\ntake one of them out, or choose a key that tells them apart",
        ),
        (
            "courses.yml",
            "- {code: ~, title: a}",
            "courses.yml:1:10: row 1, column code: a column of the key cannot be NULL\n-",
        ),
        (
            "users.csv",
            "id,email,name,fee\n1,a@x,A,12.345\n",
            "users.csv:2:1: row 1, column fee: this has more than the 2 digits after the point that the column keeps\n-",
        ),
        (
            "users.csv",
            "id,email,name,joined\n1,a@x,A,22.11.2026\n",
            "users.csv:2:1: row 1, column joined: this is not a date (2026-11-22)\n-",
        ),
        (
            "users.yml",
            "- {id: 1, email: a, name: {nwo: true}}",
            "users.yml:1:27: row 1, column name: a map (nwo: …) is no value for a column that takes a text\nwrite {json: …} to store it as JSON; computed values are: argon2, now, days_ago, env, json, ref",
        ),
        (
            "users.yml",
            "- {id: 1, email: a, name: b, mentor_id: {ref: {table: users, key: {email: none}}}}",
            "users.yml:1:41: row 1, column mentor_id: the row this refers to does not exist\nis its key right? rows of other tables must be seeded before this one",
        ),
        ("more.sql", "SELECT 1;\nCOMMIT;", "more.sql:2:1: seeds run in a transaction already\ntake COMMIT out"),
    ] {
        assert_eq!(shown(&refused(&mut connection, file, content).await), complaint);
    }
    assert_eq!(
        text(&mut connection, "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM courses)").await,
        "0"
    );
}

#[tokio::test]
async fn a_failed_script_names_file_line_and_column() {
    let mut connection = database().await;
    let error = refused(&mut connection, "more.sql", "SELECT 1;\n  INSRT INTO users;\n").await;
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Statement, "more.sql:2:3: statement 2 of 2 failed")
    );
}

#[tokio::test]
async fn a_password_stands_in_no_message() {
    let mut connection = database().await;
    let file = "- {id: 1, email: a@x, name: ~, password: {argon2: \"correct horse\"}}\n";
    let error = refused(&mut connection, "users.yml", file).await;
    let everything = format!("{error:?} {error} {:?} {}", error.location(), shown(&error));
    assert!(!everything.contains("correct horse"), "{everything}");
    assert_eq!(error.location().unwrap().text, "");
}

#[tokio::test]
async fn a_fresh_run_empties_the_tables_first() {
    let mut connection = database().await;
    let seeds = Seeds::embedded([
        ("010_users.yml", USERS),
        ("020_courses.yml", "- {code: R1, title: Robots, teacher: {ref: {table: users, key: {email: ada@x}}}}"),
    ]);
    run(&mut connection, &seeds).await;
    connection
        .script("INSERT INTO users (email, name, mentor_id) SELECT 'eve@x', 'Eve', id FROM users WHERE name = 'Bob'")
        .await
        .unwrap();
    let report = seeds.run(&mut connection, &Run::default().fresh()).await.unwrap();
    assert_eq!(report.seeders.iter().map(|seed| seed.inserted).collect::<Vec<_>>(), [Some(2), Some(1)]);
    assert_eq!(
        text(&mut connection, "SELECT group_concat(name) FROM (SELECT name FROM users ORDER BY name)").await,
        "Ada,Bob"
    );

    let error = seeds.run(&mut connection, &Run::default().only(["users"]).fresh()).await.unwrap_err();
    assert_eq!(
        error.hint(),
        Some("rows of a table without a seed point to it: empty that table first, or seed without emptying")
    );
}

#[tokio::test]
async fn seeds_are_listed_and_chosen_by_name() {
    let mut connection = database().await;
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("010_users.yml", USERS),
        ("020_courses.json", "[\n\t{\"code\": \"R1\", \"title\": \"Robots\"}\n]"),
        ("030_more.sqlite.sql", "INSERT OR IGNORE INTO courses VALUES ('R2', 'Rockets', NULL);"),
        ("030_more.mysql.sql", "this is for others"),
        ("_draft.yml", "nonsense: ["),
        ("README.md", "nothing"),
    ] {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    let seeds = Seeds::from_directory(directory.path());
    // A build without the other engines does not know their names.
    if dbkeep::engine::engine_for("mysql").is_none() {
        std::fs::remove_file(directory.path().join("030_more.mysql.sql")).unwrap();
    }
    let listed = seeds.list(connection.server()).unwrap();
    let names: Vec<_> = listed.iter().map(|seed| (seed.name.as_str(), seed.table.as_deref())).collect();
    assert_eq!(names, [("010_users", Some("users")), ("020_courses", Some("courses")), ("030_more", None)]);
    let report = seeds.run(&mut connection, &Run::default().only(["courses", "030_more"])).await.unwrap();
    assert_eq!(report.seeders.iter().map(|seed| seed.name.as_str()).collect::<Vec<_>>(), ["020_courses", "030_more"]);
    assert_eq!(text(&mut connection, "SELECT count(*) FROM courses").await, "2");
    let error = seeds.run(&mut connection, &Run::default().only(["curses"])).await.unwrap_err();
    assert_eq!(shown(&error), "there is no seed \"curses\"\nthe seeds are: 010_users, 020_courses, 030_more");
}

#[tokio::test]
async fn progress_hears_of_every_seed() {
    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);
    impl Progress for Heard {
        fn seed_started(&self, name: &str) {
            self.0.lock().unwrap().push(format!("{name} starts"));
        }
        fn rows_done(&self, name: &str, rows: u64) {
            self.0.lock().unwrap().push(format!("{name}: {rows} rows"));
        }
        fn seed_finished(&self, report: &SeedReport) {
            self.0.lock().unwrap().push(format!("{} done", report.name));
        }
    }
    let heard = Arc::new(Heard::default());
    let mut connection = database().await;
    let rows: String = (0..501).map(|n| format!("R{n},t\n")).collect();
    let seeds = Seeds::embedded([("courses.csv", format!("code,title\n{rows}"))]).progress(heard.clone());
    seeds.run(&mut connection, &Run::default()).await.unwrap();
    assert_eq!(*heard.0.lock().unwrap(), ["courses starts", "courses: 500 rows", "courses: 501 rows", "courses done"]);
}
