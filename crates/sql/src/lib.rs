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
mod feature;
mod ident;
mod literal;
mod path;
mod query;
mod schema;
mod script;
mod text;
mod value;
mod write;

pub use value::{Bits, Value};

pub use datetime::{Date, DateTime, Interval, ParseDateTimeError, Time};
pub use decimal::{Decimal, ParseDecimalError};
pub use text::Text;

pub use convert::{FromValue, FromValueError};

pub use ident::{Ident, IdentError};
pub use path::{Name, Path};

pub use expr::{
    Bound, Case, CastType, ColumnExpr, Comparison, DateNode, DatePart, DateUnit, Expr, JsonNode, JsonPath,
    JsonQuestion, JsonStep, Over, ParseComparisonError, Search, SearchMode, SelectItem, Spelled, Window, abs, all, any,
    avg, case, char_length, coalesce, col, count, count_all, count_distinct, cume_dist, current_date,
    current_timestamp, date_add, date_of, date_part, date_sub, dense_rank, exists, first_value, function, json_of, lag,
    last_value, lead, lower, matches, max, min, new_value, not, nth_value, ntile, nullif, percent_rank, random, rank,
    raw, raw_with, replace, round, row, row_number, seconds_between, string_agg, substring, sum, trim, upper, val,
    window,
};

pub use change::{Conflict, Delete, Insert, Truncate, Update, delete_from, insert_into, truncate, update};
pub use query::{
    AliasedSelect, AtMost, Cte, IndexHint, JoinKind, Lock, LockWait, Nulls, Order, Select, SetOperation, TableRef, cte,
    select, table,
};

pub use schema::{
    Action, AlterTable, Alteration, Blueprint, Change, CheckDef, ColumnDef, ColumnType, CreateTable, Ddl, DdlWriter,
    DropTable, ForeignKeyDef, Generation, Impact, IndexDef, IndexKey, IndexKind, IndexPart, IndexParts, IndexRef,
    LockClass, Method, Names, Position, RenameTable, Schema, SchemaDialect, SchemaOperation, StandardSchema,
    TableOption, TableOptions, foreign_key_name, type_check_name,
};

pub use compile::{Compile, CompileError, Compiled, Explain, Problem, explain};

pub use ansi::Ansi;
pub use dialect::{Dialect, Placeholder};
pub use feature::{Feature, Unsupported};
pub use write::{NewRow, SqlWriter};

pub use script::{Lexicon, ScriptError, Splitter, Statement, split};
