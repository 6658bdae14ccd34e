//! Numbers about a database's state.

use super::beside;
use super::errors;
use super::session::Session;
use crate::{Measurement, Result, Unit};

pub(super) fn read(session: &mut Session) -> Result<Vec<Measurement>> {
    let pragma = |name: &str| -> Result<f64> {
        let number: i64 = session.connection.pragma_query_value(None, name, |row| row.get(0)).map_err(errors::of)?;
        Ok(number as f64)
    };
    let page_size = pragma("page_size")?;
    let pages = pragma("page_count")?;
    let mut measurements = vec![
        Measurement::new("database_size", pages * page_size, Unit::Bytes),
        Measurement::new("free_space", pragma("freelist_count")? * page_size, Unit::Bytes),
        Measurement::new("max_database_size", pragma("max_page_count")? * page_size, Unit::Bytes),
    ];
    if let Some(file) = &session.file {
        // Only its length is looked at; nobody but SQLite opens it.
        let log = std::fs::metadata(beside(file, "-wal")).map_or(0, |found| found.len());
        measurements.push(Measurement::new("wal_size", log as f64, Unit::Bytes));
    }
    Ok(measurements)
}
