//! Changes that SQLite's ALTER TABLE does not know: the table is built anew from its definition, as the manual says
//! (<https://www.sqlite.org/lang_altertable.html#otheralter>).
//!
//! A new table beside the old one, the rows into it, the old one dropped, the new one renamed, indexes and triggers made again.
//! Views and what other tables say of this one stay as they are written, which is why the last rename is the old kind that touches
//! nothing else. Whoever runs the plan does so in one transaction and with foreign keys off: see [`guard`].

use super::SqliteDialect;
use super::definition::tokens;
use super::redefine::{Redefine, missing};
use super::session::{Rebuilt, Session};
use super::table_sql::{Clause, ClauseKind, ColumnSql, ItemKind, TableSql};
use super::{drop_column, referring, rewritten};
use crate::schema::unspeakable;
use crate::{Error, ErrorKind, Guard, Result};
use dbkeep_sql::{
    AlterTable, Change, Ddl, Impact, LockClass, Method, Name, Path, SchemaDialect as _, SchemaOperation, Value,
};

const SOURCE: &str = "https://www.sqlite.org/lang_altertable.html#otheralter";

/// Which of the statements that build a table anew copies its rows.
const COPY: usize = 1;

/// The statements of a change, for the database as it is.
pub(super) fn plan(session: &mut Session, dialect: SqliteDialect, operation: &SchemaOperation) -> Result<Vec<Ddl>> {
    match operation {
        SchemaOperation::AlterTable(alter) => {
            let alter = drop_column::with_indexes(session, alter)?;
            if needs_connection(dialect, &alter) {
                return Plan::of(dialect, &alter)?.write(session);
            }
            SchemaOperation::from(alter.into_owned()).compile(&dialect).map_err(unspeakable)
        }
        SchemaOperation::DropTable(drop) => {
            let statements = operation.compile(&dialect).map_err(unspeakable)?;
            referring::refuse_drop(session, &drop.table)?;
            Ok(statements)
        }
        _ => operation.compile(&dialect).map_err(unspeakable),
    }
}

/// What has to stand around these changes: no foreign keys while tables come and go, and a look at them afterwards.
pub(super) fn guard(
    session: &mut Session,
    dialect: SqliteDialect,
    operations: &[SchemaOperation],
) -> Result<Option<Guard>> {
    let is_alter = |operation: &SchemaOperation| matches!(operation, SchemaOperation::AlterTable(alter) if needs_connection(dialect, alter));
    if !operations.iter().any(is_alter) {
        return Ok(None);
    }
    // In a transaction, the setting cannot change: https://www.sqlite.org/pragma.html#pragma_foreign_keys
    if !session.connection.is_autocommit() || !foreign_keys_are_on(session)? {
        const LEGACY: &str = "PRAGMA legacy_alter_table = OFF";
        return Ok(Some(Guard { before: LEGACY, problems: None, after: LEGACY }));
    }
    Ok(Some(Guard {
        before: "PRAGMA foreign_keys = OFF",
        // Keys are counted, since their numbers change with the table.
        problems: Some(
            "SELECT \"table\", rowid AS \"row\", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2, 3",
        ),
        after: "PRAGMA legacy_alter_table = OFF; PRAGMA foreign_keys = ON",
    }))
}

pub(super) fn foreign_keys_are_on(session: &mut Session) -> Result<bool> {
    let rows = session.query("PRAGMA foreign_keys", &[])?;
    Ok(rows.first().and_then(|row| row.values().first()) == Some(&Value::Int(1)))
}

/// Whether the statements depend on what is there.
fn needs_connection(dialect: SqliteDialect, alter: &AlterTable) -> bool {
    let adds_key_alone = |at: usize| match (&alter.changes[at], at.checked_sub(1).map(|before| &alter.changes[before]))
    {
        (Change::AddForeign(key), Some(Change::AddColumn(column))) => {
            key.columns != [column.name.clone()] || !super::ddl::may_be_added_with_key(column)
        }
        (Change::AddForeign(_), _) => true,
        _ => false,
    };
    (0..alter.changes.len()).any(|at| dialect.needs_rebuild(&alter.changes[at]).is_some() || adds_key_alone(at))
}

/// An alteration, cut into what comes before the new table, what makes it, and what comes after it.
struct Plan<'a> {
    dialect: SqliteDialect,
    table: &'a Path,
    name: String,
    before: Vec<Change>,
    inside: Vec<&'a Change>,
    after: Vec<Change>,
}

impl<'a> Plan<'a> {
    fn of(dialect: SqliteDialect, alter: &'a AlterTable) -> Result<Self> {
        let parts: Vec<&str> = alter.table.parts().collect();
        let name = match parts.as_slice() {
            [name] => (*name).to_owned(),
            [schema, name] if schema.eq_ignore_ascii_case("main") => (*name).to_owned(),
            _ => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "the table {} is not in the main database, and this change builds it anew",
                        parts.join(".")
                    ),
                )
                .with_hint("open its file as a database of its own"));
            }
        };
        let mut plan =
            Self { dialect, table: &alter.table, name, before: Vec::new(), inside: Vec::new(), after: Vec::new() };
        for (at, change) in alter.changes.iter().enumerate() {
            if let Change::SetOption(_) = change {
                // Nothing can do that here.
                let alone = AlterTable { table: alter.table.clone(), changes: vec![change.clone()] };
                SchemaOperation::from(alone).compile(&dialect).map_err(unspeakable)?;
            }
            // These make no new definition; what else ALTER TABLE knows can as well go into the new table.
            let stays_out = matches!(
                change,
                Change::RenameColumn { .. }
                    | Change::DropColumn(_)
                    | Change::AddIndex(_)
                    | Change::DropIndex(_)
                    | Change::RenameIndex { .. }
            );
            let next_is_key = matches!(alter.changes.get(at + 1), Some(Change::AddForeign(_)));
            let is_simple = dialect.needs_rebuild(change).is_none()
                && !matches!(change, Change::AddForeign(_))
                && !(next_is_key && matches!(change, Change::AddColumn(_)));
            let is_direct = stays_out || (is_simple && plan.inside.is_empty());
            match (is_direct, plan.inside.is_empty()) {
                (true, true) => plan.before.push(change.clone()),
                (true, false) => plan.after.push(change.clone()),
                (false, _) => {
                    let moves = |change: &Change| matches!(change, Change::RenameColumn { .. } | Change::DropColumn(_));
                    if plan.after.iter().any(moves) {
                        return Err(Error::new(
                            ErrorKind::Unsupported,
                            "columns are renamed or dropped between changes that build the table anew",
                        )
                        .with_hint("make two alterations of it: one up to there, one for the rest"));
                    }
                    plan.inside.push(change);
                }
            }
        }
        Ok(plan)
    }

    /// What comes before the new table is tried and undone, since the new one depends on it.
    fn write(&self, session: &mut Session) -> Result<Vec<Ddl>> {
        let in_transaction = !session.connection.is_autocommit();
        if self.before.is_empty() {
            return self.write_on(session, in_transaction);
        }
        session.script("SAVEPOINT dbkeep_plan")?;
        let planned = self.write_on(session, in_transaction);
        let undone = session.script("ROLLBACK TO dbkeep_plan; RELEASE dbkeep_plan");
        if undone.is_err() && !in_transaction && !session.connection.is_autocommit() {
            // Nothing else is in it, and whoever comes next must not find it open.
            session.script("ROLLBACK")?;
        }
        let planned = planned?;
        undone.map(|()| planned)
    }

    fn write_on(&self, session: &mut Session, in_transaction: bool) -> Result<Vec<Ddl>> {
        let before = self.direct(session, &self.before)?;
        for ddl in &before {
            session.script(&ddl.sql)?;
        }
        let there = There::read(session, &self.name)?;
        let mut all = before;
        all.extend(self.changed(session, &there, in_transaction)?);
        all.extend(self.direct(session, &self.after)?);
        Ok(all)
    }

    /// Changes that are statements of their own.
    fn direct(&self, session: &mut Session, changes: &[Change]) -> Result<Vec<Ddl>> {
        let mut all = Vec::new();
        for change in changes {
            if let Change::RenameIndex { from, to } = change {
                all.extend(self.renamed_index(session, from, to)?);
                continue;
            }
            let alone = AlterTable { table: self.table.clone(), changes: vec![change.clone()] };
            all.extend(SchemaOperation::from(alone).compile(&self.dialect).map_err(unspeakable)?);
        }
        Ok(all)
    }

    fn renamed_index(&self, session: &mut Session, from: &Name, to: &Name) -> Result<[Ddl; 2]> {
        let rows = session.query(
            "SELECT sql FROM main.sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND name = ?1 COLLATE NOCASE \
             AND tbl_name = ?2 COLLATE NOCASE",
            &[Value::from(from.as_str()), Value::from(self.name.as_str())],
        )?;
        let sql: String = match rows.first() {
            Some(row) => row.get(0)?,
            None => return Err(missing("index", from.as_str(), &self.name)),
        };
        let all = tokens(&sql);
        let on = all.iter().position(|token| token.is("ON")).unwrap_or(0);
        let Some(name) = on.checked_sub(1).and_then(|at| all.get(at)) else {
            return Err(unreadable("index", from.as_str()));
        };
        let quoted = self.redefine().fragment(|out| out.name(to))?;
        let create = format!("{}{quoted}{}", &sql[..name.start], &sql[name.start + name.text.len()..]);
        let impact = self.dialect.impact(&Change::RenameIndex { from: from.clone(), to: to.clone() });
        Ok([Ddl { sql: format!("DROP INDEX {}", quote(from.as_str())), impact }, Ddl { sql: create, impact }])
    }

    /// The changes of the definition: by ALTER TABLE where that is enough, by a new table otherwise.
    fn changed(&self, session: &mut Session, there: &There, in_transaction: bool) -> Result<Vec<Ddl>> {
        if self.inside.is_empty() {
            return Ok(Vec::new());
        }
        let mut new = there.table.clone();
        for change in &self.inside {
            self.redefine().edit(&mut new, change)?;
        }
        if let Some(direct) = self.altered(there, &new)? {
            return Ok(direct);
        }
        if in_transaction && foreign_keys_are_on(session)? {
            there.refuse_if_referenced(session)?;
        }
        // Before the rows are copied rather than afterwards, in the transaction in which they are.
        rewritten::refuse(session, &there.name, &there.table, &new)?;
        let statements = self.rebuilt(there, &new);
        session.rebuilt = statements.get(COPY).map(|ddl| Rebuilt {
            copy: ddl.sql.clone(),
            meanwhile: there.free_name.clone(),
            name: there.name.clone(),
        });
        Ok(statements)
    }

    /// Where only NULL or not and checks of types differ, what ALTER TABLE does since 3.53.
    fn altered(&self, there: &There, new: &TableSql) -> Result<Option<Vec<Ddl>>> {
        if self.dialect.version() < (3, 53, 0) {
            return Ok(None);
        }
        let mut all = Vec::new();
        let scan = super::ddl::SCAN;
        let mut alter =
            |action: String| all.push(Ddl { sql: format!("ALTER TABLE {} {action}", quote(&self.name)), impact: scan });
        for change in &self.inside {
            let Change::ChangeColumn(column) = change else { return Ok(None) };
            let (Some(before), Some(after)) =
                (there.table.column(column.name.as_str()), new.column(column.name.as_str()))
            else {
                return Ok(None);
            };
            let check = dbkeep_sql::type_check_name(self.table, &column.name);
            let rest = |column: &ColumnSql| -> Vec<(ClauseKind, String)> {
                let mut rest: Vec<_> = column
                    .clauses
                    .iter()
                    .filter(|clause| !matches!(clause.kind, ClauseKind::NotNull | ClauseKind::Null))
                    .filter(|clause| clause.kind != ClauseKind::Check || clause.name != check.as_str())
                    .map(|clause| (clause.kind, clause.text.clone()))
                    .collect();
                rest.sort_by(|one, other| one.1.cmp(&other.1));
                rest
            };
            if !before.type_name.eq_ignore_ascii_case(&after.type_name) || rest(before) != rest(after) {
                return Ok(None);
            }
            let named = quote(column.name.as_str());
            let of_type = |table: &TableSql, column: &ColumnSql| {
                let in_column = column.clauses.iter();
                let in_table = table.items.iter().filter_map(|item| match &item.kind {
                    ItemKind::Constraint(clause) => Some(clause),
                    ItemKind::Column(_) => None,
                });
                let is_it = |clause: &&Clause| clause.kind == ClauseKind::Check && clause.name == check.as_str();
                in_column.chain(in_table).find(is_it).map(|clause| clause.text.clone())
            };
            let (old_check, new_check) = (of_type(&there.table, before), of_type(new, after));
            if old_check != new_check {
                if old_check.is_some() {
                    alter(format!("DROP CONSTRAINT {}", quote(check.as_str())));
                }
                if let Some(new_check) = new_check {
                    alter(format!("ADD {new_check}"));
                }
            }
            match (before.is_not_null(), after.is_not_null()) {
                (false, true) => alter(format!("ALTER COLUMN {named} SET NOT NULL")),
                (true, false) => alter(format!("ALTER COLUMN {named} DROP NOT NULL")),
                _ => {}
            }
        }
        Ok(Some(all))
    }

    fn redefine(&self) -> Redefine<'_> {
        Redefine { dialect: &self.dialect, table: self.table, name: &self.name }
    }

    /// The new table in place of the old one.
    fn rebuilt(&self, there: &There, new: &TableSql) -> Vec<Ddl> {
        let impact = Impact {
            locks: LockClass::Writes,
            rewrites: Some(true),
            method: Method::Copy,
            note: "the table is built anew, with foreign keys off meanwhile; without WAL, readers wait as well; ANALYZE it afterwards",
            source: SOURCE,
        };
        let (old_name, new_name) = (quote(&self.name), quote(&there.free_name));
        let names = columns_to_copy(&there.table, new);
        let (into, from) = match hidden_row_number(&there.table, new) {
            Some(hidden) => (format!("{hidden}, {names}"), format!("{hidden}, {names}")),
            None => (names.clone(), names),
        };
        let mut all = vec![new.create(&new_name)];
        // OR ABORT, since a constraint may say otherwise for itself, and rows would be left out in silence.
        all.push(format!("INSERT OR ABORT INTO {new_name} ({into}) SELECT {from} FROM {old_name}"));
        if there.table.is_autoincrement() && new.is_autoincrement() {
            let (old_text, new_text) = (literal(&self.name), literal(&there.free_name));
            all.push(format!("DELETE FROM sqlite_sequence WHERE name = {new_text}"));
            all.push(format!(
                "INSERT INTO sqlite_sequence (name, seq) SELECT {new_text}, seq FROM sqlite_sequence WHERE name = {old_text}"
            ));
        }
        all.push(format!("DROP TABLE {old_name}"));
        // https://www.sqlite.org/pragma.html#pragma_legacy_alter_table: views and triggers speak of a table that is not there
        // for this moment.
        all.push("PRAGMA legacy_alter_table = ON".to_owned());
        all.push(format!("ALTER TABLE {new_name} RENAME TO {old_name}"));
        all.push("PRAGMA legacy_alter_table = OFF".to_owned());
        all.extend(there.indexes.iter().cloned());
        all.extend(there.triggers.iter().cloned());
        all.into_iter().map(|sql| Ddl { sql, impact }).collect()
    }
}

/// What is there, of the table that changes.
struct There {
    name: String,
    table: TableSql,
    indexes: Vec<String>,
    triggers: Vec<String>,
    /// A name that nothing has.
    free_name: String,
}

impl There {
    fn read(session: &mut Session, name: &str) -> Result<Self> {
        let objects = session
            .query("SELECT type, name, tbl_name, sql FROM main.sqlite_schema ORDER BY type = 'trigger', rowid", &[])?;
        let mut taken = Vec::new();
        let (mut table, mut indexes, mut triggers) = (None, Vec::new(), Vec::new());
        for row in &objects {
            let (kind, own, of): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let sql: Option<String> = row.get(3)?;
            if of.eq_ignore_ascii_case(name) {
                match kind.as_str() {
                    "table" => table = sql.map(|sql| (own.clone(), sql)),
                    "index" => indexes.extend(sql),
                    "trigger" => triggers.extend(sql),
                    _ => {}
                }
            }
            taken.push(own);
        }
        let Some((name, sql)) = table else {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no table {name}"))
                .with_hint("see with has_table(…), or in the catalog, what tables there are"));
        };
        if tokens(&sql).iter().take(3).any(|token| token.is("VIRTUAL")) {
            return Err(Error::new(ErrorKind::Unsupported, format!("the table {name} is made up by a module"))
                .with_hint("make a new virtual table and move the rows"));
        }
        let temporary = session.query(
            "SELECT type FROM temp.sqlite_schema WHERE name = ?1 COLLATE NOCASE \
             OR type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE",
            &[Value::from(name.as_str())],
        )?;
        if let Some(row) = temporary.first() {
            let kind: String = row.get(0)?;
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("a temporary {kind} stands in the way of building the table {name} anew"),
            )
            .with_hint("drop it before, and make it again afterwards"));
        }
        let table = TableSql::parse(&sql).ok_or_else(|| unreadable("table", &name))?;
        let is_free = |free: &String| !taken.iter().any(|taken| taken.eq_ignore_ascii_case(free));
        let candidates =
            (0..).map(|at| if at == 0 { format!("{name}_rebuilt") } else { format!("{name}_rebuilt_{at}") });
        let free_name = candidates.take(taken.len() + 1).find(is_free).unwrap_or_default();
        Ok(Self { name, table, indexes, triggers, free_name })
    }

    /// With foreign keys on, dropping the table deletes its rows first, and what points to them goes along.
    fn refuse_if_referenced(&self, session: &mut Session) -> Result<()> {
        let rows = session.query(
            "SELECT t.name FROM main.sqlite_schema t JOIN pragma_foreign_key_list(t.name, 'main') f \
             WHERE t.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE LIMIT 1",
            &[Value::from(self.name.as_str())],
        )?;
        let Some(row) = rows.first() else { return Ok(()) };
        let by: String = row.get(0)?;
        Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the table {} must be built anew, and in an open transaction the foreign key of {by} would delete rows meanwhile",
                self.name
            ),
        )
        .with_hint("make this change outside of a transaction: it opens its own"))
    }
}

/// The columns that both have and that are not computed, in the order of the new table.
fn columns_to_copy(old: &TableSql, new: &TableSql) -> String {
    let copied = new.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Column(column) if !column.is_generated() => {
            old.column(&column.name).filter(|old| !old.is_generated()).map(|column| quote(&column.name))
        }
        _ => None,
    });
    copied.collect::<Vec<_>>().join(", ")
}

/// The name by which row numbers are copied where no column is the row number. A table that uses all three names for
/// columns has numbers that nobody can see.
fn hidden_row_number(old: &TableSql, new: &TableSql) -> Option<&'static str> {
    if old.is_without_rowid() || new.is_without_rowid() || new.row_number().is_some() {
        return None;
    }
    let is_free = |name: &&str| old.column(name).is_none() && new.column(name).is_none();
    ["rowid", "_rowid_", "oid"].into_iter().find(is_free)
}

pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn unreadable(what: &str, name: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the definition of the {what} {name} is written in a way unknown here"))
        .with_hint("make a new table and move the rows")
}
