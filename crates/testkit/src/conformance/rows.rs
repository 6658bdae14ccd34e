//! Rows as Rust types.

use super::open;
use super::product::{make_table, numbered};
use dbkeep_engine::ConnectOptions;
use dbkeep_engine::ErrorKind;
use dbkeep_engine::sql::{Date, Decimal, params};
use serde::Deserialize;

#[derive(Debug, PartialEq, Deserialize)]
struct Course {
    id: i64,
    title: String,
    fee: Decimal,
    starts: Date,
    room: Option<String>,
}

/// Structs by name, tuples by position, single values, and errors that name the column.
pub async fn rows_become_rust_types(options: &ConnectOptions) {
    let mut connection = open(options).await;
    let columns = "id INTEGER NOT NULL PRIMARY KEY, title VARCHAR(60) NOT NULL, fee DECIMAL(10,2) NOT NULL, starts DATE NOT NULL, room VARCHAR(20)";
    make_table(&mut connection, "conf_courses", columns).await;
    let insert =
        numbered(&connection, "INSERT INTO conf_courses (id, title, fee, starts, room) VALUES (?, ?, ?, ?, ?)");
    let fee: Decimal = "129.90".parse().expect("a decimal");
    let starts = Date::new(2024, 2, 29);
    connection.execute(&insert, &params![1, "Robots", fee.clone(), starts, None::<String>]).await.expect("a row");
    connection.execute(&insert, &params![2, "Rockets", fee.clone(), starts, "B 12"]).await.expect("a row");

    let all = "SELECT room, starts, fee, title, id FROM conf_courses ORDER BY id";
    let courses: Vec<Course> = connection.query_as(all, &[]).await.expect("structs");
    let course = |id, title: &str, room: Option<&str>| Course {
        id,
        title: title.to_owned(),
        fee: fee.clone(),
        starts,
        room: room.map(str::to_owned),
    };
    assert_eq!(courses, [course(1, "Robots", None), course(2, "Rockets", Some("B 12"))]);
    let pairs: Vec<(i64, String)> =
        connection.query_as("SELECT id, title FROM conf_courses ORDER BY id", &[]).await.expect("tuples");
    assert_eq!(pairs, [(1, "Robots".to_owned()), (2, "Rockets".to_owned())]);
    let titles: Vec<String> =
        connection.query_as("SELECT title FROM conf_courses ORDER BY id", &[]).await.expect("values");
    assert_eq!(titles, ["Robots", "Rockets"]);

    let row = connection.query_one("SELECT id, title FROM conf_courses WHERE id = 1", &[]).await.expect("a row");
    let error = row.get::<i64>("title").unwrap_err();
    assert_eq!(error.to_string(), r#"column "title": wanted i64, found text"#);
    let error = row.get::<i64>("nowhere").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = connection.query_as::<Course>("SELECT id FROM conf_courses", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    for (sql, found) in
        [("SELECT id FROM conf_courses", "several"), ("SELECT id FROM conf_courses WHERE id = 9", "none")]
    {
        let error = connection.query_one(sql, &[]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RowCount, "{found}");
    }
    let none = connection.query_opt("SELECT id FROM conf_courses WHERE id = 9", &[]).await.expect("no error");
    assert!(none.is_none());
}
