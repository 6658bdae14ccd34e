//! The schema: tables as they shall be, what changes them, and what each change does to those who use the table.
//!
//! Read it in this order: [`column_type`] and [`column`] (what a column is), [`blueprint`] (a table to be made), [`alteration`]
//! (a table to be changed), [`operation`] (the values a program keeps), [`dialect`] (how an engine spells them), [`impact`].

mod alteration;
mod blueprint;
mod column;
mod column_type;
mod columns;
mod dialect;
mod foreign;
mod impact;
mod index;
mod naming;
mod operation;
mod options;
mod write;

pub use alteration::{Alteration, Change};
pub use blueprint::Blueprint;
pub use column::{ColumnDef, Generation, Position};
pub use column_type::ColumnType;
pub use dialect::{SchemaDialect, StandardSchema, type_check_name};
pub use foreign::{Action, CheckDef, ForeignKeyDef, Names};
pub use impact::{Ddl, Impact, LockClass, Method};
pub use index::{IndexDef, IndexKey, IndexKind, IndexPart, IndexParts, IndexRef};
pub use naming::foreign_key_name;
pub use operation::{AlterTable, CreateTable, DropTable, RenameTable, Schema, SchemaOperation};
pub use options::{TableOption, TableOptions};
pub use write::DdlWriter;
