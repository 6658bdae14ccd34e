//! What changes of the schema do to others on MySQL and MariaDB.
//!
//! <https://dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html>,
//! <https://mariadb.com/kb/en/innodb-online-ddl-operations-with-the-instant-alter-algorithm/>,
//! <https://mariadb.com/kb/en/innodb-online-ddl-operations-with-the-nocopy-alter-algorithm/>

use super::dialect::{Flavor, MySqlDialect};
use dbkeep_sql::{
    Change, ColumnDef, CreateTable, Impact, IndexKey, IndexKind, LockClass, Method, Position, TableOption,
};

const MYSQL: &str = "https://dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html";
const MARIADB: &str = "https://mariadb.com/kb/en/innodb-online-ddl-overview/";
const ONLINE_COPY: &str = "https://mariadb.com/kb/en/online-schema-change/";

impl MySqlDialect {
    fn source(&self) -> &'static str {
        match self.flavor() {
            Flavor::MySql => MYSQL,
            Flavor::MariaDb => MARIADB,
        }
    }

    fn instant(&self) -> Impact {
        Impact::instant(self.source())
    }

    /// In place beside those who read and write.
    fn in_place(&self, rewrites: bool) -> Impact {
        Impact {
            locks: LockClass::Nothing,
            rewrites: Some(rewrites),
            method: Method::InPlace,
            note: "",
            source: self.source(),
        }
    }

    /// By copy, which keeps writers out; from 11.2 on, MariaDB lets them in.
    fn copy(&self) -> Impact {
        let online = self.knows((u32::MAX, 0, 0), Some((11, 2, 1)));
        Impact {
            locks: if online { LockClass::Nothing } else { LockClass::Writes },
            rewrites: Some(true),
            method: Method::Copy,
            note: "",
            source: if online { ONLINE_COPY } else { self.source() },
        }
    }

    pub(super) fn impact_of(&self, change: &Change) -> Impact {
        match change {
            Change::AddColumn(column) => self.added(column),
            Change::DropColumn(_) if self.knows((8, 0, 29), Some((10, 4, 0))) => {
                self.instant().note("a column that an index holds is dropped with a rebuild in place")
            }
            Change::DropColumn(_) => self.in_place(true),
            Change::RenameColumn { .. } => {
                let note = "programs that use the old name fail at once";
                if self.knows((8, 0, 28), Some((10, 3, 2))) {
                    self.instant().note(note)
                } else {
                    self.in_place(false).note(note)
                }
            }
            Change::SetDefault(..) => self.instant(),
            Change::ChangeColumn(_) => Impact {
                rewrites: None,
                ..self.copy().note(
                    "another type is a copy; NULL or not a rebuild in place; a longer VARCHAR is done in place unless it \
                     crosses 255 bytes",
                )
            },
            Change::AddIndex(index) if index.kind == IndexKind::FullText => Impact {
                locks: LockClass::Writes,
                rewrites: None,
                ..self.in_place(false).note("the first full-text index of a table rebuilds it")
            },
            Change::AddIndex(index) if index.parts.iter().any(|part| matches!(part.key, IndexKey::Expression(_))) => {
                let note = "the expression becomes a hidden column: index a generated column of your own to let writers in";
                Impact { locks: LockClass::Writes, ..self.in_place(false).note(note) }
            }
            Change::AddIndex(index) if index.kind == IndexKind::Unique => {
                self.in_place(false).note("fails at its end where two rows agree")
            }
            Change::AddIndex(_) | Change::DropIndex(_) => self.in_place(false),
            Change::RenameIndex { .. } if self.flavor() == Flavor::MariaDb => self.instant(),
            Change::RenameIndex { .. } => self.in_place(false),
            Change::AddPrimary(_) => self.in_place(true),
            Change::DropPrimary => self.copy(),
            Change::AddForeign(_) => {
                self.copy().note("in place with foreign_key_checks = 0, which then does not look at the rows that are there")
            }
            Change::DropForeign(_) => self.in_place(false),
            Change::AddCheck(_) => self.copy(),
            Change::DropCheck(_) => self.in_place(false),
            Change::SetOption(TableOption::Comment(_)) => self.in_place(false),
            Change::SetOption(TableOption::Charset(..)) => Impact { rewrites: None, ..self.in_place(false) },
            Change::SetOption(_) => self.copy(),
            _ => Impact::unknown(),
        }
    }

    fn added(&self, column: &ColumnDef) -> Impact {
        if let Some(generation) = &column.generated {
            return if generation.stored { self.copy() } else { self.instant() };
        }
        if column.auto_increment {
            return Impact { locks: LockClass::Writes, ..self.in_place(true) };
        }
        let is_last = column.position.is_none();
        let is_first = matches!(column.position, Some(Position::First));
        let constant = column.default.as_ref().is_none_or(|default| default.as_value().is_some());
        if !constant {
            return Impact { rewrites: None, ..self.copy().note("a default that is no constant may write every row") };
        }
        let anywhere = self.knows((8, 0, 29), Some((10, 4, 0)));
        if anywhere || (is_last && !is_first && self.knows((8, 0, 12), Some((10, 3, 2)))) {
            let note = match self.flavor() {
                Flavor::MySql => {
                    "a table takes 64 such changes (255 from 9.1 on), then one rebuilds it; so does one with a full-text index"
                }
                Flavor::MariaDb => "a table with a full-text index is rebuilt",
            };
            if column.default.is_none() && !column.nullable {
                return self.instant().note("rows that are there get 0, an empty text or the like");
            }
            return self.instant().note(note);
        }
        self.in_place(true)
    }
}

/// The impact of a statement that does both.
pub(super) fn worse(one: Impact, other: Impact) -> Impact {
    let rewrites = match (one.rewrites, other.rewrites) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (None, _) | (_, None) => None,
        _ => Some(false),
    };
    let note = if one.note.is_empty() { other.note } else { one.note };
    let source = if one.method >= other.method { one.source } else { other.source };
    Impact { locks: one.locks.max(other.locks), rewrites, method: one.method.max(other.method), note, source }
}

pub(super) fn create(create: &CreateTable) -> Impact {
    let impact = Impact::instant("https://dev.mysql.com/doc/refman/8.4/en/create-table.html");
    if create.blueprint.foreign_keys.is_empty() {
        return impact;
    }
    impact.note("waits for those who change the tables that its foreign keys point to")
}

pub(super) fn rename() -> Impact {
    Impact::instant("https://dev.mysql.com/doc/refman/8.4/en/rename-table.html")
        .note("programs that use the old name fail at once")
}

pub(super) fn drop() -> Impact {
    Impact::instant("https://dev.mysql.com/doc/refman/8.4/en/drop-table.html")
        .note("the rows are gone for good; of a big table, freeing the space slows others down")
}
