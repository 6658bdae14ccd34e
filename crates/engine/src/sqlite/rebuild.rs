//! Changes that SQLite's ALTER TABLE does not know: the table is built anew from its definition, as the manual says
//! (<https://www.sqlite.org/lang_altertable.html#otheralter>).
//!
//! A new table beside the old one, the rows into it, the old one dropped, the new one renamed, indexes and triggers made again.
//! Views and what other tables say of this one stay as they are written, which is why the last rename is the old kind that touches
//! nothing else. Whoever runs the plan does so in one transaction and with foreign keys off: see [`guard`].

use super::SqliteDialect;
use super::definition::tokens;
use super::session::Session;
use super::table_sql::{Clause, ClauseKind, ColumnSql, Item, ItemKind, TableSql};
use crate::schema::unspeakable;
use crate::{Error, ErrorKind, Guard, Result};
use dbkeep_sql::{
    AlterTable, Change, Ddl, DdlWriter, Impact, IndexDef, LockClass, Method, Name, Path, SchemaDialect as _,
    SchemaOperation, SqlWriter, Value,
};

const SOURCE: &str = "https://www.sqlite.org/lang_altertable.html#otheralter";

/// The statements of a change, for the database as it is.
pub(super) fn plan(session: &mut Session, dialect: SqliteDialect, operation: &SchemaOperation) -> Result<Vec<Ddl>> {
    match operation {
        SchemaOperation::AlterTable(alter) if needs_connection(dialect, alter) => {
            Plan::of(dialect, alter)?.write(session)
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
        problems: Some("PRAGMA foreign_key_check"),
        after: "PRAGMA legacy_alter_table = OFF; PRAGMA foreign_keys = ON",
    }))
}

fn foreign_keys_are_on(session: &mut Session) -> Result<bool> {
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
        // As everywhere, a new column that points somewhere is indexed.
        for change in &plan.inside {
            let Change::AddForeign(key) = change else { continue };
            let is_new = plan
                .inside
                .iter()
                .any(|other| matches!(other, Change::AddColumn(column) if key.columns.first() == Some(&column.name)));
            let is_served =
                alter.changes.iter().any(|other| matches!(other, Change::AddIndex(index) if index.serves(key)));
            if is_new && !is_served {
                plan.after.push(Change::AddIndex(IndexDef::serving(key)));
            }
        }
        Ok(plan)
    }

    /// What comes before the new table is tried and undone, since the new one depends on it.
    fn write(&self, session: &mut Session) -> Result<Vec<Ddl>> {
        if self.before.is_empty() {
            return self.write_on(session);
        }
        session.script("SAVEPOINT dbkeep_plan")?;
        let planned = self.write_on(session);
        let undone = session.script("ROLLBACK TO dbkeep_plan; RELEASE dbkeep_plan");
        let planned = planned?;
        undone.map(|()| planned)
    }

    fn write_on(&self, session: &mut Session) -> Result<Vec<Ddl>> {
        let before = self.direct(session, &self.before)?;
        for ddl in &before {
            session.script(&ddl.sql)?;
        }
        let there = There::read(session, &self.name)?;
        let mut all = before;
        all.extend(self.changed(session, &there)?);
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
        let quoted = self.fragment(|out| out.name(to))?;
        let create = format!("{}{quoted}{}", &sql[..name.start], &sql[name.start + name.text.len()..]);
        let impact = self.dialect.impact(&Change::RenameIndex { from: from.clone(), to: to.clone() });
        Ok([Ddl { sql: format!("DROP INDEX {}", quote(from.as_str())), impact }, Ddl { sql: create, impact }])
    }

    /// The changes of the definition: by ALTER TABLE where that is enough, by a new table otherwise.
    fn changed(&self, session: &mut Session, there: &There) -> Result<Vec<Ddl>> {
        if self.inside.is_empty() {
            return Ok(Vec::new());
        }
        let mut new = there.table.clone();
        for change in &self.inside {
            self.edit(&mut new, change)?;
        }
        if let Some(direct) = self.altered(there, &new)? {
            return Ok(direct);
        }
        if !session.connection.is_autocommit() && foreign_keys_are_on(session)? {
            there.refuse_if_referenced(session)?;
        }
        Ok(self.rebuilt(there, &new))
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
            let check = self.type_check_name(&column.name)?;
            let rest = |column: &ColumnSql| -> Vec<(ClauseKind, String)> {
                let mut rest: Vec<_> = column
                    .clauses
                    .iter()
                    .filter(|clause| !matches!(clause.kind, ClauseKind::NotNull | ClauseKind::Null))
                    .filter(|clause| clause.kind != ClauseKind::Check || clause.name != check)
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
                let is_it = |clause: &&Clause| clause.kind == ClauseKind::Check && clause.name == check;
                in_column.chain(in_table).find(is_it).map(|clause| clause.text.clone())
            };
            let (old_check, new_check) = (of_type(&there.table, before), of_type(new, after));
            if old_check != new_check {
                if old_check.is_some() {
                    alter(format!("DROP CONSTRAINT {}", quote(&check)));
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

    /// The new table in place of the old one.
    fn rebuilt(&self, there: &There, new: &TableSql) -> Vec<Ddl> {
        let impact = Impact {
            locks: LockClass::Writes,
            rewrites: Some(true),
            method: Method::Copy,
            note: "the table is built anew, with foreign keys off meanwhile; without WAL, readers wait as well",
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

    fn edit(&self, table: &mut TableSql, change: &Change) -> Result<()> {
        match change {
            Change::AddColumn(column) => {
                let text = self.fragment(|out| {
                    out.examine(column);
                    self.dialect.write_column(out, self.table, column);
                })?;
                table.add_column(&text);
            }
            Change::ChangeColumn(column) => {
                let text = self.fragment(|out| {
                    out.examine(column);
                    self.dialect.write_column(out, self.table, column);
                })?;
                let check = self.type_check_name(&column.name)?;
                let has_key = has_primary_key(table);
                let new = Clause::of_column(&text);
                let Some(item) = table.column_mut(column.name.as_str()) else {
                    return Err(missing("column", column.name.as_str(), &self.name));
                };
                item.edit(|old| {
                    let kept = std::mem::take(&mut old.clauses).into_iter().filter(|clause| match clause.kind {
                        ClauseKind::PrimaryKey | ClauseKind::Unique | ClauseKind::ForeignKey | ClauseKind::Other => {
                            true
                        }
                        ClauseKind::Check => clause.name != check,
                        _ => false,
                    });
                    old.type_name = new.type_name;
                    old.clauses = new.clauses;
                    old.clauses.retain(|clause| clause.kind != ClauseKind::PrimaryKey || !has_key);
                    old.clauses.extend(kept);
                });
                let is_it = |item: &Item| matches!(&item.kind, ItemKind::Constraint(clause) if clause.kind == ClauseKind::Check && clause.name == check);
                table.items.retain(|item| !is_it(item));
            }
            Change::SetDefault(name, default) => {
                let text = match default {
                    Some(default) => Some(self.fragment(|out| {
                        out.sql("DEFAULT ");
                        let column = dbkeep_sql::ColumnDef::new(name.clone(), dbkeep_sql::ColumnType::Text);
                        self.dialect.write_default(out, &column, default);
                    })?),
                    None => None,
                };
                let Some(item) = table.column_mut(name.as_str()) else {
                    return Err(missing("column", name.as_str(), &self.name));
                };
                item.edit(|column| {
                    column.clauses.retain(|clause| clause.kind != ClauseKind::Default);
                    column.clauses.extend(text.map(|text| Clause::of(&text)));
                });
            }
            Change::AddPrimary(columns) => {
                if has_primary_key(table) {
                    return Err(Error::new(
                        ErrorKind::AlreadyExists,
                        format!("the table {} has a primary key", self.name),
                    )
                    .with_hint("drop it first, in the same alteration"));
                }
                let text = self.fragment(|out| {
                    if columns.is_empty() {
                        out.invalid("PRIMARY KEY", "names no columns");
                    }
                    out.sql("PRIMARY KEY ");
                    out.names(columns);
                })?;
                table.add_constraint(&text);
            }
            Change::DropPrimary => drop_primary(table, &self.name)?,
            Change::AddForeign(key) => {
                let text = self.fragment(|out| out.foreign_key(self.table, key))?;
                table.add_constraint(&text);
            }
            Change::AddCheck(check) => {
                let text = self.fragment(|out| out.check(check))?;
                table.add_constraint(&text);
            }
            Change::DropForeign(name) if !drop_clause(table, ClauseKind::ForeignKey, name.as_str(), self.table) => {
                return Err(missing("foreign key", name.as_str(), &self.name));
            }
            Change::DropCheck(name) if !drop_clause(table, ClauseKind::Check, name.as_str(), self.table) => {
                return Err(missing("check", name.as_str(), &self.name));
            }
            _ => {}
        }
        Ok(())
    }

    fn type_check_name(&self, column: &Name) -> Result<String> {
        let quoted = self.fragment(|out| out.type_check_name(self.table, column))?;
        Ok(tokens(&quoted).first().map(super::definition::Token::name).unwrap_or_default())
    }

    /// A piece of a definition as the dialect writes it.
    fn fragment(&self, write: impl FnOnce(&mut SqlWriter<'_>)) -> Result<String> {
        let mut ddl = DdlWriter::new(&self.dialect);
        ddl.statement(Impact::unknown(), |out| write(out));
        let written = ddl.finish().map_err(unspeakable)?;
        Ok(written.into_iter().map(|ddl| ddl.sql).collect())
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
            "SELECT name FROM temp.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE",
            &[Value::from(name.as_str())],
        )?;
        if !temporary.is_empty() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("the table {name} has a temporary trigger, which would be lost when it is built anew"),
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

impl Clause {
    /// A column of a text of its own.
    fn of_column(text: &str) -> ColumnSql {
        let table = TableSql::parse(&format!("({text})"));
        let column = table.and_then(|table| table.items.into_iter().next()).and_then(|item| match item.kind {
            ItemKind::Column(column) => Some(column),
            ItemKind::Constraint(_) => None,
        });
        column.unwrap_or_default()
    }
}

fn has_primary_key(table: &TableSql) -> bool {
    table.items.iter().any(|item| match &item.kind {
        ItemKind::Column(column) => column.clauses.iter().any(|clause| clause.kind == ClauseKind::PrimaryKey),
        ItemKind::Constraint(clause) => clause.kind == ClauseKind::PrimaryKey,
    })
}

fn drop_primary(table: &mut TableSql, name: &str) -> Result<()> {
    if !has_primary_key(table) {
        return Err(missing("primary key", "", name));
    }
    if table.is_without_rowid() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("the rows of {name} are kept by its primary key: it is WITHOUT ROWID"),
        )
        .with_hint("make a new table and move the rows"));
    }
    let mut columns = Vec::new();
    table.items.retain(|item| match &item.kind {
        ItemKind::Constraint(clause) if clause.kind == ClauseKind::PrimaryKey => {
            columns.clone_from(&clause.columns);
            false
        }
        _ => true,
    });
    for item in &mut table.items {
        let ItemKind::Column(column) = &item.kind else { continue };
        let was_key = column.clauses.iter().any(|clause| clause.kind == ClauseKind::PrimaryKey)
            || columns.iter().any(|name| name.eq_ignore_ascii_case(&column.name));
        if was_key {
            // What was a key stays without NULL.
            item.edit(|column| {
                column.clauses.retain(|clause| !matches!(clause.kind, ClauseKind::PrimaryKey | ClauseKind::Null));
                if !column.is_not_null() {
                    column.clauses.push(Clause::of("NOT NULL"));
                }
            });
        }
    }
    Ok(())
}

/// Drops a constraint by its name; a foreign key without one also by the name that it would have been given.
fn drop_clause(table: &mut TableSql, kind: ClauseKind, name: &str, path: &Path) -> bool {
    let is_it = |clause: &Clause, columns: &[String]| {
        let made = || {
            let columns: Vec<Name> = columns.iter().map(Name::from).collect();
            dbkeep_sql::foreign_key_name(path, &columns)
        };
        clause.kind == kind
            && (clause.name.eq_ignore_ascii_case(name)
                || clause.name.is_empty()
                    && kind == ClauseKind::ForeignKey
                    && made().as_str().eq_ignore_ascii_case(name))
    };
    let before = table.items.len();
    table.items.retain(|item| !matches!(&item.kind, ItemKind::Constraint(clause) if is_it(clause, &clause.columns)));
    if table.items.len() < before {
        return true;
    }
    let mut found = false;
    for item in &mut table.items {
        let ItemKind::Column(column) = &item.kind else { continue };
        let own = [column.name.clone()];
        if column.clauses.iter().any(|clause| is_it(clause, &own)) {
            found = true;
            item.edit(|column| column.clauses.retain(|clause| !is_it(clause, &own)));
        }
    }
    found
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

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn missing(what: &str, name: &str, table: &str) -> Error {
    let blank = if name.is_empty() { "" } else { " " };
    Error::new(ErrorKind::NotFound, format!("the table {table} has no {what}{blank}{name}"))
        .with_hint("the catalog lists what it has")
}

fn unreadable(what: &str, name: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the definition of the {what} {name} is written in a way unknown here"))
        .with_hint("make a new table and move the rows")
}
