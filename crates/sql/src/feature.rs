//! What not every engine knows.

use std::fmt;

/// What a statement may ask for that not every engine knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// INSERT … RETURNING.
    InsertReturning,
    /// UPDATE … RETURNING.
    UpdateReturning,
    /// DELETE … RETURNING.
    DeleteReturning,
    /// What happens to a row whose key is taken, in one statement.
    Upsert,
    /// RIGHT JOIN.
    RightJoin,
    /// FULL JOIN.
    FullJoin,
    /// SELECT … FOR UPDATE and FOR SHARE.
    RowLocks,
    /// … NOWAIT.
    NoWait,
    /// … SKIP LOCKED.
    SkipLocked,
    /// … FOR UPDATE OF some tables.
    LockOf,
    /// WITH in front of a query.
    With,
    /// WITH … AS MATERIALIZED.
    Materialized,
    /// DISTINCT ON.
    DistinctOn,
    /// LATERAL.
    Lateral,
    /// INTERSECT and EXCEPT.
    Intersect,
    /// INTERSECT ALL and EXCEPT ALL.
    IntersectAll,
    /// Functions OVER a window.
    Windows,
    /// Frames that count GROUPS.
    GroupsFrame,
    /// A frame of a function that looks at the whole window, whatever its frame.
    IdleFrame,
    /// What LAG and LEAD give where there is no row.
    ShiftDefault,
    /// FILTER of an aggregate.
    AggregateFilter,
    /// string_agg() over a window.
    StringAggOver,
    /// ORDER BY within the call of an aggregate.
    AggregateOrder,
    /// An upsert that changes the row there only on a condition.
    UpsertWhere,
}

/// A clause the engine does not know, found before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// What was asked for, as SQL spells it.
    pub clause: &'static str,
    /// The engine that lacks it.
    pub engine: &'static str,
    /// The version that has it, where one has.
    pub since: Option<&'static str>,
    /// What to do instead.
    pub hint: &'static str,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not know {}", self.engine, self.clause)?;
        match self.since {
            Some(since) => write!(f, " (known since {since})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Unsupported {}
