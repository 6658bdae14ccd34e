//! The language of dbkeep: values, identifiers, expressions, statements and the [`Dialect`] trait.
//!
//! Text and parameters come out; nothing here does I/O or waits. A statement is a value: it is built without a connection,
//! cloned, kept and printed, and compiled for the dialect of the connection that will run it.
//!
//! ```
//! use dbkeep_sql::{Ansi, Compile, Dialect, col, count_all, delete_from, insert_into, params, select, update};
//!
//! // Values are always parameters, names are always quoted.
//! let insert = insert_into("users").set("name", "Ada").set("age", 36).compile(&Ansi)?;
//! assert_eq!(insert.sql, r#"INSERT INTO "users" ("name", "age") VALUES (?, ?)"#);
//! assert_eq!(insert.params, params!["Ada", 36]);
//!
//! // AND and OR keep their groups, an empty list is a condition like any other.
//! let adults = col("age").ge(18).and(col("role").eq("admin").or(col("role").in_list(Vec::<String>::new())));
//! let query = select().columns(["id", "name"]).from("users").filter(adults).order_by(col("age").desc()).limit(10);
//! assert_eq!(
//!     query.compile(&Ansi)?.sql,
//!     "SELECT \"id\", \"name\" FROM \"users\" WHERE \"age\" >= ? AND (\"role\" = ? OR 1 = 0) ORDER BY \"age\" DESC LIMIT ?"
//! );
//!
//! // Counting a limited or grouped query counts its rows.
//! assert_eq!(
//!     select().from("users").group_by("role").column("role").to_count().compile(&Ansi)?.sql,
//!     "SELECT COUNT(*) AS \"count\" FROM (SELECT \"role\" FROM \"users\" GROUP BY \"role\") AS \"counted\""
//! );
//!
//! // What is wrong comes out as an error when the statement is compiled, and never as broken SQL.
//! let error = update("users").set("", 1).compile(&Ansi).unwrap_err();
//! assert_eq!(error.to_string(), "the name \"\" is empty; UPDATE has no condition");
//! assert!(delete_from("users").all_rows().compile(&Ansi).is_ok());
//! # Ok::<(), dbkeep_sql::CompileError>(())
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod ansi;
mod change;
mod compile;
mod convert;
mod datetime;
mod decimal;
mod dialect;
mod expr;
mod function;
mod ident;
mod insert;
mod literal;
mod order;
mod path;
mod schema;
mod script;
mod select;
mod table;
mod value;
mod write_expr;
mod write_statement;
mod writer;

pub use value::{Bits, Value};

pub use datetime::{Date, DateTime, Interval, ParseDateTimeError, Time};
pub use decimal::{Decimal, ParseDecimalError};

pub use convert::{FromValue, FromValueError};

pub use ident::{Ident, IdentError};
pub use path::{Name, Path};

pub use expr::{ColumnExpr, Comparison, Expr, ParseComparisonError, SelectItem, all, any, col, exists, not, raw, val};
pub use function::{
    Case, abs, avg, case, coalesce, count, count_all, count_distinct, current_timestamp, function, lower, max, min,
    nullif, sum, trim, upper,
};

pub use change::{Delete, Update, delete_from, update};
pub use insert::{Conflict, Insert, insert_into};
pub use order::{Lock, LockWait, Nulls, Order};
pub use select::{Select, select};
pub use table::{AliasedSelect, JoinKind, TableRef, table};

pub use schema::{Column, ColumnType, CreateTable, DropTable, SchemaOperation, column, create_table, drop_table};

pub use compile::{Compile, CompileError, Compiled, Problem};

pub use ansi::Ansi;
pub use dialect::{Dialect, Feature, Lexicon, Unsupported};
pub use writer::SqlWriter;

pub use script::{ScriptError, Splitter, Statement, split};
