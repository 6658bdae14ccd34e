//! Many rows a part at a time: pages by number, pages by key, chunks by key.

use super::TableQuery;
use crate::{Error, Result};
use dbkeep_engine::{ErrorKind, Row};
use dbkeep_sql::{Compile, Path, Value, col};
use futures_util::future::{Either, ready};
use futures_util::{FutureExt as _, TryFutureExt as _};
use serde::de::DeserializeOwned;
use std::future::Future;
use std::panic::Location;

/// One page of a result, and how many there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// Its number, from 1.
    pub page: u64,
    /// How many rows a page has.
    pub per_page: u64,
    /// How many rows there are on all pages.
    pub total: u64,
}

impl<T> Page<T> {
    /// How many pages there are.
    pub fn pages(&self) -> u64 {
        self.total.div_ceil(self.per_page.max(1))
    }

    /// Whether there is a page after this one.
    pub fn has_more(&self) -> bool {
        self.page < self.pages()
    }
}

/// One page of a result in its order, and where the next one begins.
#[derive(Debug, Clone, PartialEq)]
pub struct KeysetPage {
    /// Its rows.
    pub rows: Vec<Row>,
    /// The values of the order's columns in its last row, to be given for the next page; `None` on the last page.
    pub next: Option<Vec<Value>>,
}

impl<'d> TableQuery<'d> {
    /// A page of so many rows by its number, from 1, and how many rows there are in all: two statements. Say an order, or the
    /// engine may show a row on two pages. A far page costs as much as all before it; see
    /// [`keyset_page`](TableQuery::keyset_page).
    ///
    /// # Errors
    /// As [`get`](TableQuery::get); `InvalidValue` when `page` or `per_page` is 0.
    #[track_caller]
    pub fn paginate(&self, page: u64, per_page: u64) -> impl Future<Output = Result<Page<Row>>> + Send + use<'d> {
        let total = self.count();
        let query = self.query.clone().limit(per_page).offset(page.saturating_sub(1).saturating_mul(per_page));
        let rows = self.on.rows(query.compile(self.on.dialect()));
        if page == 0 || per_page == 0 {
            let error =
                invalid("a page is number 0 or has 0 rows", "pages are counted from 1, and have at least one row");
            return Either::Left(ready(Err(error)));
        }
        Either::Right(total.and_then(move |total| rows.map_ok(move |rows| Page { rows, page, per_page, total })))
    }

    /// As [`paginate`](TableQuery::paginate), each row a struct, a tuple, a map or, with one column, a value.
    ///
    /// # Errors
    /// As [`paginate`](TableQuery::paginate) and [`get_as`](TableQuery::get_as).
    #[track_caller]
    pub fn paginate_as<T: DeserializeOwned>(
        &self,
        page: u64,
        per_page: u64,
    ) -> impl Future<Output = Result<Page<T>>> + Send + use<'d, T> {
        self.paginate(page, per_page).map(|page| {
            let Page { rows, page, per_page, total } = page?;
            let rows = rows.iter().map(Row::decode).collect::<Result<_, _>>()?;
            Ok(Page { rows, page, per_page, total })
        })
    }

    /// The next so many rows of the order behind the one whose values of the order's columns are `after`; the first ones for
    /// `None`. However far, a page costs the same, and rows that come or go in the meantime shift nothing.
    ///
    /// The query must be ordered by columns that it reads, that never hold NULL, and that together tell any two rows apart: end
    /// the order with the key.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
    /// use dbkeep::{Database, col, params};
    ///
    /// let db = Database::connect("sqlite::memory:").await?;
    /// db.script("CREATE TABLE news (id INTEGER PRIMARY KEY, day TEXT NOT NULL)").await?;
    /// db.table("news").insert_many(["day"], (0..25).map(|n| params![format!("2026-11-{:02}", 1 + n / 2)])).await?;
    ///
    /// let query = db.table("news").order_by(col("day").desc()).order_by("id");
    /// let (mut after, mut ids) = (None, Vec::new());
    /// loop {
    ///     let page = query.keyset_page(10, after).await?;
    ///     ids.extend(page.rows.iter().map(|row| row.get::<i64>("id")).collect::<Result<Vec<_>, _>>()?);
    ///     after = page.next;
    ///     if after.is_none() {
    ///         break;
    ///     }
    /// }
    /// assert_eq!(ids.len(), 25);
    /// assert_eq!(ids[..3], [25, 23, 24]);
    /// # Ok::<(), dbkeep::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`get`](TableQuery::get); when there is no order, `after` does not fit it, or a column of the order is not read.
    #[track_caller]
    pub fn keyset_page(
        &self,
        rows: u64,
        after: Option<Vec<Value>>,
    ) -> impl Future<Output = Result<KeysetPage>> + Send + use<'d> {
        let keys = self.query.order_columns();
        // Behind the last page, there may be rows that no page can begin at.
        let behind = after.as_ref().and_then(|_| self.query.behind_all(self.on.dialect()));
        let behind =
            behind.map(|behind| self.on.rows(self.query.clone().filter(behind).to_exists().compile(self.on.dialect())));
        let problem = keys.iter().flatten().find_map(|key| Some((key.name().to_owned(), self.query.key_problem(key)?)));
        let query = match after {
            Some(after) => self.query.clone().after(after),
            None => self.query.clone(),
        };
        // One more tells whether there is a next page.
        let found = self.on.rows(query.limit(rows.saturating_add(1)).compile(self.on.dialect()));
        async move {
            if rows == 0 {
                return Err(invalid("a page has 0 rows", "say how many rows a page has"));
            }
            let keys = keys.filter(|keys| !keys.is_empty()).ok_or_else(|| {
                invalid("pages by key need an order of columns", "say order_by(…) with columns by name, and read them")
            })?;
            if let Some((key, problem)) = problem {
                return Err(unread(&key, problem));
            }
            let mut found = found.await?;
            let has_more = found.len() as u64 > rows;
            found.truncate(usize::try_from(rows).unwrap_or(usize::MAX));
            let next = match found.last() {
                Some(last) if has_more => Some(keys.iter().map(|key| key_of(last, key)).collect::<Result<_>>()?),
                _ => None,
            };
            if let (None, Some(behind)) = (&next, behind)
                && has_row(&behind.await?)?
            {
                return Err(null_behind());
            }
            Ok(KeysetPage { rows: found, next })
        }
    }

    /// All rows in chunks of so many, in the order of a key: each chunk is a query of its own that begins behind the last key of the
    /// one before, so nothing is held between two, and rows may be changed or deleted on the way. An order, limit or offset said
    /// before is not heeded.
    ///
    /// The key must be unique, never NULL, and among the columns that are read.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
    /// use dbkeep::{Database, col, params};
    ///
    /// let db = Database::connect("sqlite::memory:").await?;
    /// db.script("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)").await?;
    /// db.table("users").insert_many(["name"], (0..250).map(|n| params![format!("user {n}")])).await?;
    ///
    /// let users = db.table("users");
    /// let mut chunks = users.chunk_by_id("id", 100);
    /// while let Some(rows) = chunks.next().await? {
    ///     let ids: Vec<i64> = rows.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?;
    ///     db.table("users").filter(col("id").in_list(ids)).delete().await?;
    /// }
    /// assert_eq!(users.count().await?, 0);
    /// # Ok::<(), dbkeep::Error>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn chunk_by_id(&self, key: impl Into<Path>, rows: u64) -> Chunks<'d> {
        Chunks {
            query: self.clone(),
            key: key.into(),
            rows,
            after: None,
            is_over: false,
            may_lack_keys: false,
            caller: Location::caller(),
        }
    }
}

/// The rows of a query in chunks; see [`TableQuery::chunk_by_id`].
#[derive(Debug)]
#[must_use = "chunks come when they are asked for"]
pub struct Chunks<'d> {
    query: TableQuery<'d>,
    key: Path,
    rows: u64,
    after: Option<Value>,
    is_over: bool,
    /// Rows without a key come last, and it was not asked whether there are any.
    may_lack_keys: bool,
    caller: &'static Location<'static>,
}

impl Chunks<'_> {
    /// The next chunk, or `None` after the last.
    ///
    /// # Errors
    /// As [`TableQuery::get`]; when the key is not among the columns, or is NULL in a row. After an error the same chunk comes again.
    ///
    /// # Cancellation
    /// Dropped before it is done, it loses no chunk.
    pub async fn next(&mut self) -> Result<Option<Vec<Row>>> {
        let whole = || self.query.query.clone().clear_order().clear_limit().order_by(col(self.key.clone()));
        if self.is_over {
            if self.may_lack_keys
                && let Some(behind) = whole().behind_all(self.query.on.dialect())
            {
                let compiled = whole().filter(behind).to_exists().compile(self.query.on.dialect())?;
                let mut held = self.query.on.hold_to_read().await?;
                if has_row(&held.on_behalf_of(self.caller).query(&compiled.sql, &compiled.params).await?)? {
                    return Err(null_behind());
                }
                self.may_lack_keys = false;
            }
            return Ok(None);
        }
        if self.rows == 0 {
            return Err(invalid("a chunk has 0 rows", "say how many rows a chunk has"));
        }
        if let Some(problem) = self.query.query.key_problem(&self.key) {
            return Err(unread(self.key.name(), problem));
        }
        let mut query = whole().limit(self.rows);
        if let Some(after) = &self.after {
            query = query.filter(col(self.key.clone()).gt(after.clone()));
        }
        let compiled = query.compile(self.query.on.dialect())?;
        let mut held = self.query.on.hold_to_read().await?;
        let rows = held.on_behalf_of(self.caller).query(&compiled.sql, &compiled.params).await?;
        self.may_lack_keys = self.after.is_some();
        let Some(last) = rows.last() else {
            self.is_over = true;
            return Box::pin(self.next()).await;
        };
        let key = key_of(last, &self.key)?;
        if key.is_null() {
            return Err(invalid("the key of the chunks is NULL in a row", "cut by a column that never holds NULL"));
        }
        self.after = Some(key);
        self.is_over = (rows.len() as u64) < self.rows;
        Ok(Some(rows))
    }

    /// The next chunk, each row a struct, a tuple, a map or, with one column, a value; `None` after the last.
    ///
    /// # Errors
    /// As [`next`](Chunks::next) and [`TableQuery::get_as`].
    pub async fn next_as<T: DeserializeOwned>(&mut self) -> Result<Option<Vec<T>>> {
        match self.next().await? {
            Some(rows) => Ok(Some(rows.iter().map(Row::decode).collect::<Result<_, _>>()?)),
            None => Ok(None),
        }
    }
}

/// The value of a key's column in a row.
fn key_of(row: &Row, key: &Path) -> Result<Value> {
    let name = key.name();
    if row.columns().iter().filter(|column| column.name == name).count() > 1 {
        return Err(unread(name, "is not the only column of that name that is read"));
    }
    Ok(row.get(name)?)
}

fn has_row(answer: &[Row]) -> Result<bool> {
    Ok(answer.first().map_or(Ok(false), |row| row.get(0))?)
}

fn unread(key: &str, problem: &str) -> Error {
    let message = format!("the column {key} of the order {problem}");
    dbkeep_engine::Error::new(ErrorKind::InvalidValue, message)
        .with_hint("select it by its table and name, and give others of the same name an alias")
        .into()
}

fn null_behind() -> Error {
    invalid(
        "there are rows with NULL in a column of the order, which come last and were not given",
        "order by columns that are never NULL, or leave such rows out: filter(col(…).is_not_null())",
    )
}

fn invalid(message: &'static str, hint: &'static str) -> Error {
    dbkeep_engine::Error::new(ErrorKind::InvalidValue, message).with_hint(hint).into()
}
