//! The sample application: a science club with its users, courses, holiday programs and attendance.

use super::place::Place;
use crate::error::{Error, Result};
use dbkeep::Database;
use dbkeep::seed::{Run, Seeds};
use std::fmt::Write;
use std::fs;
use std::path::Path;

pub(super) const TABLES: [&str; 4] = ["users", "courses", "holiday_programs", "attendance"];
pub(super) const COURSES: u64 = 4;
const PROGRAMS: u64 = 4;
pub(super) const MEMBERS: u64 = 12;
const STAFF: u64 = 4;
const DAYS: u64 = 30;
/// Each member is in one course that meets on every one of the days.
pub(super) const ATTENDANCE: u64 = MEMBERS * DAYS;

/// Rows of all tables once seeded.
pub(super) fn rows() -> u64 {
    STAFF + MEMBERS + COURSES + PROGRAMS + ATTENDANCE
}

macro_rules! migrations {
    ($engine:literal) => {
        [
            (
                "2026_01_05_090000_create_users.sql",
                include_str!(concat!("../../../assets/demo/", $engine, "/2026_01_05_090000_create_users.sql")),
            ),
            (
                "2026_01_05_091000_create_courses.sql",
                include_str!(concat!("../../../assets/demo/", $engine, "/2026_01_05_091000_create_courses.sql")),
            ),
            (
                "2026_01_05_092000_create_holiday_programs.sql",
                include_str!(concat!(
                    "../../../assets/demo/",
                    $engine,
                    "/2026_01_05_092000_create_holiday_programs.sql"
                )),
            ),
            (
                "2026_01_05_093000_create_attendance.sql",
                include_str!(concat!("../../../assets/demo/", $engine, "/2026_01_05_093000_create_attendance.sql")),
            ),
            (
                "2026_01_05_094000_create_attendance_summary.sql",
                include_str!(concat!(
                    "../../../assets/demo/",
                    $engine,
                    "/2026_01_05_094000_create_attendance_summary.sql"
                )),
            ),
        ]
    };
}

/// Writes the project's folder.
pub(super) fn write_project(folder: &Path, place: &Place) -> Result<()> {
    crate::commands::init::write(folder, Some(&place.url))?;
    let migrations: [(&str, &str); 5] = match place.engine() {
        "mysql" => migrations!("mysql"),
        "postgres" => migrations!("postgres"),
        _ => migrations!("sqlite"),
    };
    for (name, text) in migrations {
        write(&folder.join("migrations").join(name), text)?;
    }
    for (name, text) in [
        ("10_users.yaml", users()),
        ("20_courses.yaml", include_str!("../../../assets/demo/20_courses.yaml").to_owned()),
        ("30_holiday_programs.yaml", include_str!("../../../assets/demo/30_holiday_programs.yaml").to_owned()),
        ("40_attendance.csv", attendance()),
    ] {
        write(&folder.join("seeds").join(name), &text)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| Error::io(format_args!("{} cannot be written", path.display()), error))
}

const CODES: [&str; COURSES as usize] = ["ROCKET", "ROBOT", "STARS", "CRYSTAL"];

const NAMES: [&str; MEMBERS as usize] = [
    "Ada",
    "Blaise",
    "Chien-Shiung",
    "Dorothy",
    "Emmy",
    "Fritz",
    "Grace",
    "Hedy",
    "Ida",
    "Johannes",
    "Katherine",
    "Lise",
];

/// The members' part is the same for each, so it is made; the rest is written by hand.
fn users() -> String {
    let mut out = include_str!("../../../assets/demo/10_users.yaml").to_owned();
    for (index, name) in NAMES.iter().enumerate() {
        let (email, year) = (name.to_lowercase(), 2010 + index % 6);
        let _ = write!(
            out,
            "  - email: {email}@club.example\n    name: {name}\n    role: member\n    password_hash: {{argon2: \"{email}-likes-science\"}}\n    \
             settings: {{json: {{theme: light, newsletter: {}}}}}\n    born_on: {year}-03-{:02}\n",
            index % 2 == 0,
            index + 1
        );
    }
    out
}

/// Thirty days of attendance, drawn from a fixed seed.
fn attendance() -> String {
    let mut random = fastrand::Rng::with_seed(20_260_105);
    let mut out = include_str!("../../../assets/demo/40_attendance.csv").to_owned();
    for day in 1..=DAYS {
        for (index, name) in NAMES.iter().enumerate() {
            let state = match random.u8(..100) {
                0..80 => "present",
                80..90 => "late",
                _ => "absent",
            };
            let _ = writeln!(
                out,
                "{}@club.example,{},2026-06-{day:02},{state}",
                name.to_lowercase(),
                CODES[index % CODES.len()]
            );
        }
    }
    out
}

/// A file of a megabyte for each program, drawn from a fixed seed: as incompressible as a picture.
pub(super) fn flyers() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let mut random = fastrand::Rng::with_seed(20_260_106);
    ["Summer launch", "Autumn maze", "Perseids", "Winter lab"].into_iter().map(move |name| {
        let mut flyer = vec![0; 1 << 20];
        random.fill(&mut flyer);
        (name, flyer)
    })
}

/// What a seeding did, all seeders together.
#[derive(Debug, Default)]
pub(super) struct Seeded {
    pub(super) inserted: u64,
    pub(super) updated: u64,
    pub(super) unchanged: u64,
}

/// Runs every seeder.
pub(super) async fn seed(database: &Database, seeds: &Seeds) -> Result<Seeded> {
    let report = seeds.run(&mut *database.acquire().await?, &Run::default()).await?;
    Ok(report.seeders.iter().fold(Seeded::default(), |sum, one| Seeded {
        inserted: sum.inserted + one.inserted.unwrap_or_default(),
        updated: sum.updated + one.updated.unwrap_or_default(),
        unchanged: sum.unchanged + one.unchanged.unwrap_or_default(),
    }))
}
