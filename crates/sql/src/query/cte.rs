//! Queries named in front of another: WITH.

use super::Select;
use crate::Name;

/// A query with a name, to be read like a table; see [`Select::with`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a named query belongs in front of a query, with with()"]
pub struct Cte {
    pub(crate) name: Name,
    pub(crate) columns: Vec<Name>,
    pub(crate) query: Select,
    pub(crate) recursive: bool,
    pub(crate) materialized: Option<bool>,
}

/// Names a query.
///
/// ```
/// use dbkeep_sql::{Ansi, Compile, col, cte, select};
///
/// // Everybody below number 1, however deep.
/// let boss = select().columns(["id", "boss_id"]).from("staff").filter(col("id").eq(1));
/// let below = select().columns(["staff.id", "staff.boss_id"]).from("staff").join("tree", col("staff.boss_id").eq(col("tree.id")));
/// let query = select().from("tree").with(cte("tree", boss.union_all(below)).recursive());
/// assert_eq!(
///     query.compile(&Ansi)?.sql,
///     "WITH RECURSIVE \"tree\" AS (SELECT \"id\", \"boss_id\" FROM \"staff\" WHERE \"id\" = ? \
///      UNION ALL SELECT \"staff\".\"id\", \"staff\".\"boss_id\" FROM \"staff\" \
///      INNER JOIN \"tree\" ON \"staff\".\"boss_id\" = \"tree\".\"id\") SELECT * FROM \"tree\""
/// );
/// # Ok::<(), dbkeep_sql::CompileError>(())
/// ```
pub fn cte(name: impl Into<Name>, query: impl Into<Select>) -> Cte {
    Cte { name: name.into(), columns: Vec::new(), query: query.into(), recursive: false, materialized: None }
}

impl Cte {
    /// Its columns have these names rather than the query's.
    pub fn columns<T: Into<Name>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.columns = columns.into_iter().map(Into::into).collect();
        self
    }

    /// It may read itself: the second part of a [`union_all`](Select::union_all) goes on from the rows there are.
    pub fn recursive(mut self) -> Self {
        self.recursive = true;
        self
    }

    /// It is worked out once, as written, even where it would be quicker as a part of the query.
    pub fn materialized(mut self) -> Self {
        self.materialized = Some(true);
        self
    }

    /// It is treated as a part of the query.
    pub fn not_materialized(mut self) -> Self {
        self.materialized = Some(false);
        self
    }
}
