//! Queries: what is read, from where, in which order.

mod combine;
mod cte;
mod keyset;
mod order;
mod select;
mod table;

pub use combine::SetOperation;
pub use cte::{Cte, cte};
pub use order::{Lock, LockWait, Nulls, Order};
pub use select::{AtMost, Select, select};
pub use table::{AliasedSelect, IndexHint, JoinKind, TableRef, table};

pub(crate) use combine::Combined;
pub(crate) use select::{Conditions, add_alternative, add_condition};
pub(crate) use table::{Join, JoinOn, Source};
