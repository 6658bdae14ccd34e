//! Queries put together: UNION, INTERSECT, EXCEPT.

use super::Select;

/// How the rows of two queries are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetOperation {
    /// The rows of both, each once.
    Union,
    /// The rows of both, as often as they come.
    UnionAll,
    /// The rows that are in both, each once.
    Intersect,
    /// The rows that are in both, as often as they are in the one that has fewer.
    IntersectAll,
    /// The rows of the first that are not in the second, each once.
    Except,
    /// The rows of the first, each as often as the second lacks it.
    ExceptAll,
}

impl SetOperation {
    pub(crate) const fn as_sql(self) -> &'static str {
        match self {
            SetOperation::Union => " UNION ",
            SetOperation::UnionAll => " UNION ALL ",
            SetOperation::Intersect => " INTERSECT ",
            SetOperation::IntersectAll => " INTERSECT ALL ",
            SetOperation::Except => " EXCEPT ",
            SetOperation::ExceptAll => " EXCEPT ALL ",
        }
    }
}

/// Two queries put together; the first may be put together, too.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Combined {
    pub(crate) first: Select,
    pub(crate) operation: SetOperation,
    pub(crate) second: Select,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $operation:ident;)*) => {
        /// Putting queries together. What is said before belongs to the first query, and what an order, a limit or an
        /// offset says after that, to the rows of both. Operations are worked out in the order they are said.
        ///
        /// ```
        /// use dbkeep_sql::{Ansi, Compile, select};
        ///
        /// let names = |table: &str| select().column("name").from(table);
        /// let query = names("staff").union(names("guests")).except(names("banned")).order_by("name").limit(10);
        /// assert_eq!(
        ///     query.compile(&Ansi)?.sql,
        ///     "SELECT \"name\" FROM \"staff\" UNION SELECT \"name\" FROM \"guests\" \
        ///      EXCEPT SELECT \"name\" FROM \"banned\" ORDER BY \"name\" LIMIT ?"
        /// );
        /// # Ok::<(), dbkeep_sql::CompileError>(())
        /// ```
        impl Select {
            $(
                $(#[$doc])*
                pub fn $name(self, other: impl Into<Select>) -> Self {
                    self.combine(SetOperation::$operation, other.into())
                }
            )*
        }
    };
}

operations! {
    /// The rows of both queries, each once.
    union = Union;
    /// The rows of both queries, as often as they come.
    union_all = UnionAll;
    /// The rows that are in both queries, each once.
    intersect = Intersect;
    /// The rows that are in both queries, as often as they are in the one that has fewer.
    intersect_all = IntersectAll;
    /// The rows that are not in the other query, each once.
    except = Except;
    /// The rows, each as often as the other query lacks it.
    except_all = ExceptAll;
}

impl Select {
    fn combine(mut self, operation: SetOperation, second: Select) -> Self {
        let mut whole = Select::default();
        // Queries named in front belong to the whole, so that both sides can read them.
        let ctes = std::mem::take(&mut self.more_mut().ctes);
        self.tidy();
        let more = whole.more_mut();
        more.ctes = ctes;
        more.combined = Some(Combined { first: self, operation, second });
        whole
    }
}
