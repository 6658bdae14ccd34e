//! The one door for text that is SQL.

use super::{Expr, Node, val};
use crate::{Text, Value};

/// SQL as the program wrote it, and what stands in place of its question marks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Raw {
    pub(crate) sql: Text,
    pub(crate) arguments: Vec<Expr>,
}

/// A piece of SQL as it is, with a parameter for each `?` outside of strings, names and comments; `??` stands for a
/// question mark itself.
///
/// This, [`raw_with`], and [`sql!`](crate::sql), which takes only literals of the program, are the only ways for text to become SQL.
/// Nothing in it is checked but that its parameters, quotes and parentheses are complete: never build it from input.
///
/// ```
/// use dbkeep_sql::{Ansi, Compile, col, params, raw, select, sql};
///
/// let query = select().from("users").filter(raw("lower(name) = lower(?)", params!["Ada"]).and(col("age").gt(18)));
/// let compiled = query.compile(&Ansi)?;
/// assert_eq!(compiled.sql, r#"SELECT * FROM "users" WHERE (lower(name) = lower(?)) AND "age" > ?"#);
/// assert_eq!(compiled.params, params!["Ada", 18]);
///
/// // Names that are known only when the program runs go in as columns, quoted.
/// let by_sound = select().from("users").filter(sql!("soundex(?) = soundex(?)", col("user name"), "Ada"));
/// assert_eq!(
///     by_sound.compile(&Ansi)?.sql,
///     r#"SELECT * FROM "users" WHERE soundex("user name") = soundex(?)"#
/// );
/// # Ok::<(), dbkeep_sql::CompileError>(())
/// ```
pub fn raw(sql: impl Into<Text>, params: impl IntoIterator<Item = Value>) -> Expr {
    raw_with(sql, params.into_iter().map(val))
}

/// As [`raw`], with an expression for each `?`: a value, which becomes a parameter, a column, or anything made of them.
pub fn raw_with(sql: impl Into<Text>, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    Expr(Node::Raw(Box::new(Raw { sql: sql.into(), arguments: arguments.into_iter().collect() })))
}

/// A piece of SQL that is a literal of the program, with a value or an expression for each `?`:
/// `sql!("lower(?) = ?", col("name"), "ada")`. See [`raw`](crate::raw()).
#[macro_export]
macro_rules! sql {
    ($sql:literal $(,)?) => { $crate::raw_with($sql, []) };
    ($sql:literal, $($argument:expr),+ $(,)?) => { $crate::raw_with($sql, [$($crate::Expr::from($argument)),+]) };
}
