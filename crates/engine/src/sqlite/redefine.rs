//! What the definition of a table says after a change.

use super::SqliteDialect;
use super::table_sql::{Clause, ClauseKind, ColumnSql, Item, ItemKind, TableSql};
use crate::schema::unspeakable;
use crate::{Error, ErrorKind, Result};
use dbkeep_sql::{Change, ColumnDef, ColumnType, DdlWriter, Impact, Name, Path, SchemaDialect as _, SqlWriter};

/// Changes the definition of one table.
pub(super) struct Redefine<'a> {
    pub(super) dialect: &'a SqliteDialect,
    pub(super) table: &'a Path,
    /// The table's name, for messages.
    pub(super) name: &'a str,
}

impl Redefine<'_> {
    /// Makes the change in the definition.
    pub(super) fn edit(&self, table: &mut TableSql, change: &Change) -> Result<()> {
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
                let check = dbkeep_sql::type_check_name(self.table, &column.name);
                let has_key = has_primary_key(table);
                let new = Clause::of_column(&text);
                let Some(item) = table.column_mut(column.name.as_str()) else {
                    return Err(missing("column", column.name.as_str(), self.name));
                };
                item.edit(|old| {
                    let kept = std::mem::take(&mut old.clauses).into_iter().filter(|clause| match clause.kind {
                        ClauseKind::PrimaryKey | ClauseKind::Unique | ClauseKind::ForeignKey | ClauseKind::Other => {
                            true
                        }
                        ClauseKind::Check => clause.name != check.as_str(),
                        _ => false,
                    });
                    old.type_name = new.type_name;
                    old.clauses = new.clauses;
                    old.clauses.retain(|clause| clause.kind != ClauseKind::PrimaryKey || !has_key);
                    old.clauses.extend(kept);
                });
                let is_it = |item: &Item| matches!(&item.kind, ItemKind::Constraint(clause) if clause.kind == ClauseKind::Check && clause.name == check.as_str());
                table.items.retain(|item| !is_it(item));
            }
            Change::SetDefault(name, default) => {
                let text = match default {
                    Some(default) => Some(self.fragment(|out| {
                        out.sql("DEFAULT ");
                        let column = ColumnDef::new(name.clone(), ColumnType::Text);
                        self.dialect.write_default(out, &column, default);
                    })?),
                    None => None,
                };
                let Some(item) = table.column_mut(name.as_str()) else {
                    return Err(missing("column", name.as_str(), self.name));
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
            Change::DropPrimary => drop_primary(table, self.name)?,
            Change::AddForeign(key) => {
                let text = self.fragment(|out| out.foreign_key(self.table, key))?;
                table.add_constraint(&text);
            }
            Change::AddCheck(check) => {
                let text = self.fragment(|out| out.check(check))?;
                table.add_constraint(&text);
            }
            Change::DropForeign(name) if !drop_clause(table, ClauseKind::ForeignKey, name.as_str(), self.table) => {
                return Err(missing("foreign key", name.as_str(), self.name));
            }
            Change::DropCheck(name) if !drop_clause(table, ClauseKind::Check, name.as_str(), self.table) => {
                return Err(missing("check", name.as_str(), self.name));
            }
            _ => {}
        }
        Ok(())
    }

    /// A piece of a definition as the dialect writes it.
    pub(super) fn fragment(&self, write: impl FnOnce(&mut SqlWriter<'_>)) -> Result<String> {
        let mut ddl = DdlWriter::new(self.dialect);
        ddl.statement(Impact::unknown(), |out| write(out));
        let written = ddl.finish().map_err(unspeakable)?;
        Ok(written.into_iter().map(|ddl| ddl.sql).collect())
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

pub(super) fn missing(what: &str, name: &str, table: &str) -> Error {
    let blank = if name.is_empty() { "" } else { " " };
    Error::new(ErrorKind::NotFound, format!("the table {table} has no {what}{blank}{name}"))
        .with_hint("the catalog lists what it has")
}
