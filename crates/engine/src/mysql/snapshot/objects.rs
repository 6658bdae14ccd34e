//! Definitions as SQL that the servers' own clients load as well.

use super::super::dialect::Flavor;
use super::super::quoted;
use super::tables::Found;
use super::{cell, definer, qualified, texts};
use crate::{Error, ErrorKind, Result};
use mysql_async::Conn;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const HEADER: &str = "SET NAMES utf8mb4;\n\
                      SET SESSION foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';\n";

/// What a restore needs to know of the database itself.
pub(super) async fn settings(conn: &mut Conn, flavor: Flavor) -> Result<BTreeMap<String, String>> {
    let rows = texts(conn, "SELECT @@character_set_database, @@collation_database").await?;
    let row = rows.first().map(Vec::as_slice).unwrap_or_default();
    let flavor = if flavor == Flavor::MariaDb { "MariaDB" } else { "MySQL" };
    Ok([("charset", cell(row, 0)), ("collation", cell(row, 1)), ("flavor", flavor)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into())
}

/// Tables and sequences.
pub(super) async fn before(conn: &mut Conn, found: &Found, database: &str) -> Result<String> {
    let mut out = HEADER.to_owned();
    for name in &found.sequences {
        let name = quoted(name);
        let rows = texts(conn, &format!("SHOW CREATE SEQUENCE {name}")).await?;
        let _ = writeln!(out, "\n{};", definition(&rows, 1, &name)?);
        let rows = texts(conn, &format!("SELECT next_not_cached_value, cycle_count FROM {name}")).await?;
        if let Some(row) = rows.first() {
            let _ = writeln!(out, "DO SETVAL({name}, {}, 0, {});", cell(row, 0), cell(row, 1));
        }
    }
    // Those that show other tables' rows come last: they name them.
    for table in found.tables.iter().map(|table| &table.name).chain(&found.elsewhere) {
        let name = quoted(table);
        let rows = texts(conn, &format!("SHOW CREATE TABLE {name}"))
            .await
            .map_err(|error| error.context(format_args!("the definition of table {name}")))?;
        let _ = writeln!(out, "\n{};", qualified::strip(definition(&rows, 1, &name)?, database));
    }
    Ok(out)
}

/// Routines, views, triggers and events, in an order in which each finds what it needs.
pub(super) async fn after(
    conn: &mut Conn,
    settings: &BTreeMap<String, String>,
    database: &str,
    warnings: &mut Vec<String>,
) -> Result<After> {
    let mut script = Script { out: HEADER.to_owned(), collation: settings["collation"].clone(), definers: false };
    libraries(conn, &mut script).await?;
    let has_functions = routines(conn, &mut script).await?;
    views(conn, &mut script, database, warnings).await?;
    let has_triggers = triggers(conn, &mut script).await?;
    events(conn, &mut script).await?;
    if script.definers {
        warnings.push(
            "views, triggers, routines and events are kept without their DEFINER: whoever restores them becomes it"
                .to_owned(),
        );
    }
    hidden(conn, warnings).await?;
    Ok(After { script: script.out, needs_trust: has_functions || has_triggers })
}

/// What comes after the rows.
pub(super) struct After {
    pub(super) script: String,
    /// Whether it makes what a server with a binary log lets only trusted accounts make.
    pub(super) needs_trust: bool,
}

/// Text under way.
struct Script {
    out: String,
    /// The database's collation, from which an object's may differ.
    collation: String,
    definers: bool,
}

impl Script {
    /// Adds an object in the settings it was made under, which decide how its body is read.
    fn add(&mut self, mode: &str, connection: &str, database: &str, zone: Option<&str>, definition: &str) {
        let text = definer::strip(definition);
        self.definers |= text != definition;
        // One server keeps the semicolon that ended the statement, the next one drops it.
        let text = text.trim_end().trim_end_matches(';').trim_end();
        // The text is UTF-8 whatever the maker's client spoke.
        let _ = write!(self.out, "\nSET SESSION sql_mode = '{mode}', collation_connection = '{connection}'");
        if let Some(zone) = zone {
            let _ = write!(self.out, ", time_zone = '{zone}'");
        }
        self.out.push_str(";\n");
        let differs = !database.is_empty() && database != self.collation;
        if differs {
            let _ = writeln!(self.out, "ALTER DATABASE COLLATE {database};");
        }
        let delimiter = [";;", "$$", "//", "~~~~"].into_iter().find(|mark| !text.contains(mark)).unwrap_or("~~~~");
        let _ = writeln!(self.out, "DELIMITER {delimiter}\n{text}\n{delimiter}\nDELIMITER ;");
        if differs {
            let _ = writeln!(self.out, "ALTER DATABASE COLLATE {};", self.collation);
        }
    }
}

/// Code that routines import: MySQL 9.2 and later.
async fn libraries(conn: &mut Conn, script: &mut Script) -> Result<()> {
    let known = texts(
        conn,
        "SELECT 1 FROM information_schema.tables WHERE table_schema = 'information_schema' AND table_name = 'LIBRARIES'",
    )
    .await?;
    if known.is_empty() {
        return Ok(());
    }
    let mut rows =
        texts(conn, "SELECT library_name FROM information_schema.libraries WHERE library_schema = DATABASE()").await?;
    rows.sort();
    for row in &rows {
        let name = quoted(cell(row, 0));
        let made = texts(conn, &format!("SHOW CREATE LIBRARY {name}")).await?;
        let text = definition(&made, 2, &name)?;
        let collation = script.collation.clone();
        script.add(cell(&made[0], 1), &collation, "", None, text);
    }
    Ok(())
}

/// Adds the routines and tells whether any is a function.
async fn routines(conn: &mut Conn, script: &mut Script) -> Result<bool> {
    let mut rows = texts(
        conn,
        "SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = DATABASE()",
    )
    .await?;
    rows.sort();
    for row in &rows {
        let (kind, name) = (cell(row, 0), quoted(cell(row, 1)));
        let made = texts(conn, &format!("SHOW CREATE {kind} {name}")).await?;
        let text = definition(&made, 2, &name)?;
        script.add(cell(&made[0], 1), cell(&made[0], 4), cell(&made[0], 5), None, text);
    }
    Ok(rows.iter().any(|row| cell(row, 0) != "PROCEDURE"))
}

/// Adds the triggers and tells whether there are any.
async fn triggers(conn: &mut Conn, script: &mut Script) -> Result<bool> {
    // The head is written anew: SHOW CREATE TRIGGER repeats what its maker typed, with the name of a database perhaps, and
    // would then make the trigger there.
    let rows = texts(
        conn,
        "SELECT trigger_name, action_timing, event_manipulation, event_object_table, action_statement, sql_mode, \
         collation_connection, database_collation FROM information_schema.triggers WHERE trigger_schema = DATABASE() \
         ORDER BY event_object_table, action_timing, event_manipulation, action_order",
    )
    .await?;
    for row in &rows {
        let name = quoted(cell(row, 0));
        let body = definition(std::slice::from_ref(row), 4, &name)?;
        let (timing, event, table) = (cell(row, 1), cell(row, 2), quoted(cell(row, 3)));
        let text = format!("CREATE TRIGGER {name} {timing} {event} ON {table} FOR EACH ROW {body}");
        script.definers = true;
        script.add(cell(row, 5), cell(row, 6), cell(row, 7), None, &text);
    }
    Ok(!rows.is_empty())
}

async fn events(conn: &mut Conn, script: &mut Script) -> Result<()> {
    let mut rows =
        texts(conn, "SELECT event_name FROM information_schema.events WHERE event_schema = DATABASE()").await?;
    rows.sort();
    for row in &rows {
        let name = quoted(cell(row, 0));
        let made = texts(conn, &format!("SHOW CREATE EVENT {name}")).await?;
        let text = definition(&made, 3, &name)?;
        script.add(cell(&made[0], 1), cell(&made[0], 5), cell(&made[0], 6), Some(cell(&made[0], 2)), text);
    }
    if !rows.is_empty() {
        script.out.push_str("\nSET SESSION time_zone = '+00:00';\n");
    }
    Ok(())
}

async fn views(conn: &mut Conn, script: &mut Script, database: &str, warnings: &mut Vec<String>) -> Result<()> {
    let mut names =
        texts(conn, "SELECT table_name FROM information_schema.views WHERE table_schema = DATABASE()").await?;
    names.sort();
    let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let rows = texts(
        conn,
        "SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.views v \
         ON v.table_schema = c.table_schema AND v.table_name = c.table_name \
         WHERE c.table_schema = DATABASE() ORDER BY c.table_name, c.ordinal_position",
    )
    .await?;
    for row in &rows {
        columns.entry(cell(row, 0).to_owned()).or_default().push(cell(row, 1).to_owned());
    }
    let mut views = Vec::new();
    for row in &names {
        let name = cell(row, 0).to_owned();
        let made = texts(conn, &format!("SHOW CREATE VIEW {}", quoted(&name)))
            .await
            .map_err(|error| error.context(format_args!("the definition of view {name}")))?;
        let text = qualified::strip(definition(&made, 1, &name)?, database);
        // A view over what is gone has no columns. To restore it would fail, to lose it would be worse: it stays as a comment.
        if !columns.contains_key(&name) {
            warnings.push(format!("view {name} refers to what does not exist any more: it is kept as a comment"));
            for line in text.lines() {
                let _ = writeln!(script.out, "-- {line}");
            }
            continue;
        }
        views.push(View { name, text, connection: cell(&made[0], 3).to_owned() });
    }
    let (order, circular) = order(&views);
    for at in circular {
        // Each needs another one first, or seems to: a stand-in with the same columns, replaced below.
        let view = &views[at];
        let parts: Vec<_> = columns[&view.name].iter().map(|column| format!("1 AS {}", quoted(column))).collect();
        let _ = writeln!(script.out, "\nCREATE VIEW {} AS SELECT {};", quoted(&view.name), parts.join(", "));
    }
    for at in order {
        let View { text, connection, .. } = &views[at];
        let text = match text.strip_prefix("CREATE ") {
            Some(rest) => format!("CREATE OR REPLACE {rest}"),
            None => text.clone(),
        };
        script.add("", connection, "", None, &text);
    }
    Ok(())
}

struct View {
    name: String,
    text: String,
    connection: String,
}

/// An order in which every view comes after those it names, and the views for which there is none.
fn order(views: &[View]) -> (Vec<usize>, Vec<usize>) {
    let needs: Vec<Vec<usize>> = views
        .iter()
        .enumerate()
        .map(|(at, view)| {
            let names = |(other, named): (usize, &View)| {
                (other != at && view.text.contains(&quoted(&named.name))).then_some(other)
            };
            views.iter().enumerate().filter_map(names).collect()
        })
        .collect();
    let mut order = Vec::new();
    let mut done = vec![false; views.len()];
    let mut circular = Vec::new();
    while order.len() < views.len() {
        let ready = (0..views.len()).find(|&at| !done[at] && needs[at].iter().all(|&need| done[need]));
        let next = match ready {
            Some(next) => next,
            None => {
                let Some(next) = done.iter().position(|done| !done) else { break };
                if circular.is_empty() {
                    circular = (0..views.len()).filter(|&at| !done[at]).collect();
                }
                next
            }
        };
        done[next] = true;
        order.push(next);
    }
    (order, circular)
}

/// The definition in a column of the only row.
fn definition<'r>(rows: &'r [Vec<Option<String>>], at: usize, name: &str) -> Result<&'r str> {
    match rows.first().map(|row| cell(row, at)) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(Error::new(ErrorKind::PermissionDenied, format!("the definition of {name} may not be read")).with_hint(
            "the account needs SHOW VIEW, TRIGGER and EVENT on the database, and SHOW_ROUTINE (MySQL) or SELECT on mysql.proc (MariaDB)",
        )),
    }
}

/// Warns of rights without which triggers and events do not show at all.
async fn hidden(conn: &mut Conn, warnings: &mut Vec<String>) -> Result<()> {
    let grants = texts(conn, "SHOW GRANTS FOR CURRENT_USER()").await?;
    let all: String = grants.iter().map(|row| cell(row, 0).to_ascii_uppercase() + "\n").collect();
    for (right, what) in [("TRIGGER", "triggers"), ("EVENT", "events")] {
        if !all.contains("ALL PRIVILEGES") && !all.contains(right) {
            warnings.push(format!("the account was not granted {right}: if there are {what}, they are not included"));
        }
    }
    if !all.lines().any(shows_routines) {
        warnings.push(
            "the account was granted neither SHOW_ROUTINE (MySQL) nor SELECT on mysql.proc (MariaDB): if there are routines \
             of others, they are not included"
                .to_owned(),
        );
    }
    Ok(())
}

/// Whether a grant, in capitals, lets the account see routines that others made. What it may only call, it sees without a
/// body, which is an error of its own.
fn shows_routines(grant: &str) -> bool {
    let (rights, on) = grant.split_once(" ON ").unwrap_or((grant, ""));
    let everywhere = ["*.*", "`MYSQL`.*", "`MYSQL`.`PROC`"].iter().any(|place| on.starts_with(place));
    ["ALL PRIVILEGES", "SHOW_ROUTINE", "SHOW CREATE ROUTINE"].iter().any(|right| rights.contains(right))
        || (rights.contains("SELECT") && everywhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routines_of_others_are_seen_with_few_rights_only() {
        for (grant, seen) in [
            ("GRANT ALL PRIVILEGES ON `SHOP`.* TO `A`@`%`", true),
            ("GRANT SHOW_ROUTINE ON *.* TO `A`@`%`", true),
            ("GRANT SELECT, RELOAD ON *.* TO `A`@`%`", true),
            ("GRANT SELECT ON `MYSQL`.`PROC` TO `A`@`%`", true),
            ("GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `SHOP`.* TO `A`@`%`", false),
            ("GRANT USAGE ON *.* TO `A`@`%`", false),
        ] {
            assert_eq!(shows_routines(grant), seen, "{grant}");
        }
    }

    #[test]
    fn views_come_after_those_they_name() {
        let view =
            |name: &str, text: &str| View { name: name.to_owned(), text: text.to_owned(), connection: String::new() };
        let views = [
            view("a", "CREATE VIEW `a` AS select `c`.`x` from `c`"),
            view("b", "CREATE VIEW `b` AS select 1"),
            view("c", "CREATE VIEW `c` AS select 1 from `b`"),
        ];
        assert_eq!(order(&views), (vec![1, 2, 0], vec![]));
        let circular = [view("a", "CREATE VIEW `a` AS select `b`"), view("b", "CREATE VIEW `b` AS select `a`")];
        assert_eq!(order(&circular), (vec![0, 1], vec![0, 1]));
    }
}
