//! A small application: a science club with its members, courses and who came when.
//!
//! `cargo run -p dbkeep --example club` runs it on SQLite in memory; with the URL of an empty database after `--`, on that:
//! `cargo run -p dbkeep --example club -- mysql://app@localhost/club`.

// An example speaks.
#![allow(clippy::print_stdout)]

use dbkeep::migrate::{Migrator, Rollback, Up};
use dbkeep::seed::{Run, Seeds};
use dbkeep::sql::{count_all, insert_into, raw, select, sum, update};
use dbkeep::{ConnectionExt as _, Database, Date, Decimal, Error, ErrorKind, Settings, col, params};
use serde::Deserialize;
use std::time::Duration;

/// The schema, as `dbkeep migrate` would find it in migrations/. A program that is one file carries it along.
const MIGRATIONS: [(&str, &str); 2] = [
    (
        "2026_01_05_090000_create_users.sql",
        "-- migrate:up
         CREATE TABLE users (
           id INTEGER PRIMARY KEY,
           name VARCHAR(100) NOT NULL,
           email VARCHAR(190) NOT NULL UNIQUE
         );
         -- migrate:down
         DROP TABLE users;",
    ),
    (
        "2026_01_05_091000_create_courses.sql",
        "-- migrate:up
         CREATE TABLE courses (
           id INTEGER PRIMARY KEY,
           code VARCHAR(20) NOT NULL UNIQUE,
           fee DECIMAL(8,2) NOT NULL,
           places INTEGER NOT NULL,
           mentor_id INTEGER NOT NULL REFERENCES users (id)
         );
         CREATE TABLE attendance (
           course_id INTEGER NOT NULL REFERENCES courses (id),
           user_id INTEGER NOT NULL REFERENCES users (id),
           held_on DATE NOT NULL,
           PRIMARY KEY (course_id, user_id, held_on)
         );
         -- migrate:down
         DROP TABLE attendance;
         DROP TABLE courses;",
    ),
];

/// What the application needs to be there, as `dbkeep seed` would find it in seeds/.
const SEEDS: [(&str, &str); 2] = [
    (
        "10_users.yaml",
        "key: [email]
rows:
  - {id: 1, name: Mae, email: mae@club.example}
  - {id: 2, name: Galileo, email: galileo@club.example}
",
    ),
    (
        "20_courses.csv",
        "# key: code
# ref: mentor_id = users.email
id,code,fee,places,mentor_id
1,ROCKET,129.90,2,mae@club.example
2,STARS,79.50,20,galileo@club.example
",
    ),
];

/// A row of `courses`: fields go by the columns' names.
#[derive(Debug, PartialEq, Deserialize)]
struct Course {
    code: String,
    fee: Decimal,
    places: u32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // One `Database` for the whole program: it is a pool, and cheap to clone.
    let url = std::env::args().nth(1).unwrap_or_else(|| "sqlite::memory:".to_owned());
    let mut settings = Settings::from_url(&url)?.named("club");
    settings.pool.acquire_timeout = Duration::from_secs(5);
    settings.slow_query = Some(Duration::from_millis(200));
    let db = Database::open(settings).await?;
    println!("connected to {} {}", db.server().product, db.server().version);

    prepare(&db).await?;
    ask(&db).await?;
    enrol(&db).await?;
    fill(&db).await?;
    stream(&db).await?;
    refuse(&db).await;

    let health = db.health().await?;
    let totals = db.stats();
    println!("{:?}, {} statements, {} failed", health.role, totals.statements, totals.failed);

    let mut lease = db.acquire().await?;
    let undone = Migrator::embedded(MIGRATIONS).rollback(&mut lease, &Rollback::all()).await?;
    println!("undone: {} migrations", undone.migrations.len());
    drop(lease);
    db.close().await;
    Ok(())
}

/// Brings the schema up to date and the rows that must be there in. Both may run at every start: they take a lock, and what
/// is done is not done again.
async fn prepare(db: &Database) -> Result<(), Box<dyn std::error::Error>> {
    let mut lease = db.acquire().await?;
    let applied = Migrator::embedded(MIGRATIONS).executed_by("club").up(&mut lease, &Up::default()).await?;
    println!("applied: {} migrations in batch {:?}", applied.migrations.len(), applied.batch);
    for seed in Seeds::embedded(SEEDS).run(&mut lease, &Run::default()).await?.seeders {
        println!("{}: {:?} new, {:?} as they were", seed.name, seed.inserted, seed.unchanged);
    }
    Ok(())
}

/// Reads: with the builder, as structs, tuples and single values, and with SQL.
async fn ask(db: &Database) -> Result<(), Error> {
    let courses: Vec<Course> = db
        .table("courses")
        .select(["code", "fee", "places"])
        .filter(col("fee").lt(100))
        .order_by("code")
        .get_as()
        .await?;
    println!("below 100: {courses:?}");

    let mentors: Vec<(String, String)> = db
        .table("courses")
        .join("users", col("users.id").eq(col("courses.mentor_id")))
        .select(["courses.code", "users.name"])
        .order_by("courses.code")
        .get_as()
        .await?;
    println!("mentors: {mentors:?}");

    let codes: Vec<String> = db.table("courses").order_by(col("fee").desc()).pluck("code").await?;
    let dearest: Option<Decimal> = db.table("courses").order_by(col("fee").desc()).value("fee").await?;
    let any = db.table("users").filter(col("email").ends_with("@club.example")).exists().await?;
    println!("{codes:?}, dearest {dearest:?}, members {any}");

    // A statement is a value: built anywhere, run where there is a database.
    let load = select().from("courses").columns([count_all().alias("courses"), sum("places").alias("places")]);
    let (courses, places): (u32, u32) = match db.fetch(&load).await?.first() {
        Some(row) => (row.get("courses")?, row.get("places")?),
        None => (0, 0),
    };
    println!("{courses} courses, {places} places");

    // SQL of one's own, in a condition (values at ?, whatever the engine's placeholder is) or as a whole.
    let name: Option<String> = db.table("users").filter(raw("lower(name) = ?", params!["mae"])).value("name").await?;
    let newest: u32 = db.query_one("SELECT max(id) AS newest FROM users", params![]).await?.get("newest")?;
    println!("{name:?} is there, the newest is number {newest}");
    Ok(())
}

/// Writes in a transaction: all of it or nothing, run again after a deadlock.
async fn enrol(db: &Database) -> Result<(), Error> {
    let columns = ["id", "name", "email"];
    let members = [params![3, "Ada", "ada@club.example"], params![4, "Grace", "grace@club.example"]];
    let inserted = db.table("users").insert_many(columns, members.clone()).await?;
    db.table("users").upsert(columns, members, ["email"]).await?;
    println!("{inserted} members are new, and still there after an upsert: {}", db.table("users").count().await?);

    let day = Date::new(2026, 1, 12);
    // The place is taken only while one is left, whoever else takes places meanwhile.
    let take = update("courses").increment("places", -1).filter(col("id").eq(1).and(col("places").gt(0)));
    let come = |user: i64| insert_into("attendance").set("course_id", 1).set("user_id", user).set("held_on", day);
    let came: u32 = db
        .transaction(async |tx| {
            let mut came = 0;
            for user in [3, 4] {
                if tx.run(&take).await?.rows_affected == 0 {
                    break;
                }
                tx.run(&come(user)).await?;
                came += 1;
            }
            Ok::<_, Error>(came)
        })
        .await?;
    let left: Option<u32> = db.table("courses").filter(col("id").eq(1)).value("places").await?;
    println!("{came} came on {day}, {left:?} places are left");

    let changed = db.table("courses").filter(col("code").eq("ROCKET")).update([("places", 4)]).await?;
    println!("{changed} course has more places now");
    Ok(())
}

/// Many rows at once, all or none, by the engine's own bulk road.
async fn fill(db: &Database) -> Result<(), Error> {
    let weeks = (1..=4).map(|week| params![2, 1, Date::new(2026, 2, 7 * week)]);
    let stored = db.bulk_insert("attendance", ["course_id", "user_id", "held_on"], weeks).await?;
    println!("{stored} evenings are noted down");
    Ok(())
}

/// Rows as they come: memory stays flat however many there are.
async fn stream(db: &Database) -> Result<(), Error> {
    let query = db.table("attendance").join("users", col("users.id").eq(col("attendance.user_id")));
    let query = query.select(["users.name", "attendance.held_on"]).order_by("users.name").to_sql()?;
    let mut lease = db.acquire_read().await?;
    let mut rows = lease.stream(&query.sql, &query.params).await?;
    while let Some(row) = rows.next().await.transpose()? {
        let (name, day): (String, Date) = row.decode()?;
        println!("{name} came on {day}");
    }
    Ok(())
}

/// Errors are asked what they are, never searched for words.
async fn refuse(db: &Database) {
    let users = db.table("users");
    match users.insert([("id", 9.into()), ("name", "Mae".into()), ("email", "mae@club.example".into())]).await {
        Err(error) if error.kind() == Some(ErrorKind::UniqueViolation) => println!("that address is taken"),
        other => println!("unexpected: {other:?}"),
    }
    let everything = users.delete().await;
    println!(
        "without a condition: {}",
        everything.map_or_else(|error| error.to_string(), |rows| format!("{rows} rows gone"))
    );
}
