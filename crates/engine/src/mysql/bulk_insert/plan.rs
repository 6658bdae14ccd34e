//! What does the server take, and what are the columns?

use super::super::errors::of_driver;
use super::line::Class;
use crate::{BulkTarget, Error, ErrorKind, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

/// How the rows of one bulk insert get to the server.
pub(super) struct Plan {
    /// What each column is to LOAD DATA; `None` where all rows go by INSERT.
    pub(super) load: Option<Load>,
    /// `INSERT INTO t (…) VALUES `.
    pub(super) insert: String,
    pub(super) columns: usize,
    pub(super) longest_packet: usize,
    /// A transaction is open, of which the rows become a part.
    pub(super) joins: bool,
    /// Statements that leave the session as it was before.
    pub(super) put_back: String,
}

/// The road of LOAD DATA.
pub(super) struct Load {
    pub(super) sql: String,
    pub(super) classes: Vec<Class>,
}

/// What the server says of itself and of the table.
const FACTS: &str = "SELECT @@local_infile, @@SESSION.sql_mode, @@SESSION.net_read_timeout, @@SESSION.sql_notes, \
    (SELECT t.ENGINE FROM information_schema.TABLES t JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
     WHERE t.TABLE_SCHEMA = COALESCE(?, DATABASE()) AND t.TABLE_NAME = ? AND e.TRANSACTIONS <> 'YES')";

type Facts = (i64, String, u64, i64, Option<String>);

/// Looks before anything is changed. Whatever stands in the way of an INSERT into the columns is found here: no such table or column,
/// a generated one, one that is named twice.
pub(super) async fn make(conn: &mut Conn, target: &BulkTarget, joins: bool, longest_packet: usize) -> Result<Plan> {
    let insert = format!("{} VALUES ", target.insert());
    let marks = vec!["?"; target.columns().len()].join(",");
    let probe = conn.prep(format!("{insert}({marks})")).await.map_err(of_driver)?;
    conn.close(probe).await.map_err(of_driver)?;
    let described = describe(conn, target).await?;
    let parts: Vec<&str> = target.parts().collect();
    let schema = parts.len().checked_sub(2).and_then(|at| parts.get(at).copied());
    // The last thing that is asked: the driver takes what answers a Prepare for what tells of the transaction.
    let facts: Option<Facts> = conn.exec_first(FACTS, (schema, parts.last().copied())).await.map_err(of_driver)?;
    let (local, mode, patience, notes, bad_engine) =
        facts.ok_or_else(|| Error::new(ErrorKind::Unavailable, "the server did not say how it is set"))?;
    if let Some(engine) = bad_engine {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "{} is stored by {engine}, which knows no transactions: all rows or none cannot be had",
                target.table()
            ),
        )
        .with_hint("ALTER TABLE … ENGINE=InnoDB, or insert the rows one by one"));
    }
    // In this mode an empty text as a parameter becomes NULL, and one that is loaded does not.
    let is_plain = !mode.contains("EMPTY_STRING_IS_NULL");
    let load = described.filter(|_| local != 0 && is_plain);
    let mut put_back = format!("SET SESSION net_read_timeout = {patience}, sql_notes = {notes}");
    for (at, _) in load.iter().flat_map(|load| load.classes.iter().enumerate().filter(|(_, class)| class.is_told())) {
        put_back.push_str(&format!(", {} = NULL", variable(at)));
    }
    Ok(Plan { load, insert, columns: target.columns().len(), longest_packet, joins, put_back })
}

/// The columns, as far as the account may know.
async fn describe(conn: &mut Conn, target: &BulkTarget) -> Result<Option<Load>> {
    let columns = target.columns().join(", ");
    // Prepared and never run: it begins no snapshot.
    let described = match conn.prep(format!("SELECT {columns} FROM {}", target.table())).await {
        Ok(statement) => statement,
        // May insert, may not select.
        Err(mysql_async::Error::Server(error)) if matches!(error.code, 1142 | 1143) => return Ok(None),
        Err(error) => return Err(of_driver(error)),
    };
    let classes: Vec<Class> = described.columns().iter().map(Class::of).collect();
    conn.close(described).await.map_err(of_driver)?;
    if classes.len() != target.columns().len() {
        return Ok(None);
    }
    Ok(Some(Load { sql: statement(target, &classes), classes }))
}

/// The variable that holds the text of a column that has to be told what its text is.
fn variable(at: usize) -> String {
    format!("@dbkeep_{at}")
}

fn statement(target: &BulkTarget, classes: &[Class]) -> String {
    let (mut targets, mut sets) = (Vec::new(), Vec::new());
    for (at, (name, class)) in target.columns().iter().zip(classes).enumerate() {
        let variable = variable(at);
        match class {
            Class::Binary => sets.push(format!("{name} = UNHEX({variable})")),
            Class::Bits => sets.push(format!("{name} = CAST({variable} AS UNSIGNED)")),
            _ => {
                targets.push(name.clone());
                continue;
            }
        }
        targets.push(variable);
    }
    let sets = if sets.is_empty() { String::new() } else { format!(" SET {}", sets.join(", ")) };
    // The marks in hexadecimal: what a backslash in quotes means is up to the session's mode.
    format!(
        "LOAD DATA LOCAL INFILE 'dbkeep' INTO TABLE {} CHARACTER SET utf8mb4 FIELDS TERMINATED BY 0x09 ESCAPED BY 0x5C \
         LINES TERMINATED BY 0x0A ({}){sets}",
        target.table(),
        targets.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::dialect::{Flavor, MySqlDialect};
    use super::*;

    #[test]
    fn columns_that_must_be_told_are_converted() {
        let dialect = MySqlDialect::new(Flavor::MySql, (8, 4, 0));
        let target = BulkTarget::new(&dialect, "shop.t", ["a", "b`", "c"]).unwrap();
        assert_eq!(
            statement(&target, &[Class::Text, Class::Binary, Class::Bits]),
            "LOAD DATA LOCAL INFILE 'dbkeep' INTO TABLE `shop`.`t` CHARACTER SET utf8mb4 FIELDS TERMINATED BY 0x09 \
             ESCAPED BY 0x5C LINES TERMINATED BY 0x0A (`a`, @dbkeep_1, @dbkeep_2) \
             SET `b``` = UNHEX(@dbkeep_1), `c` = CAST(@dbkeep_2 AS UNSIGNED)"
        );
    }
}
