//! diesel. Its statements are types, and there are two parts to making one ready to run: the text, and its values in the form
//! that goes over the wire. Where it keeps prepared statements by the type of the query, the text is made only once for each
//! connection (libpq, libmysqlclient); diesel-async makes it each time.

use super::given::{Given, NewUser};
use diesel::backend::Backend;
use diesel::connection::statement_cache::StatementCacheKey;
use diesel::dsl::{count_star, sum};
use diesel::mysql::Mysql;
use diesel::pg::{Pg, PgMetadataLookup, PgTypeMetadata};
use diesel::prelude::*;
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{QueryBuilder, QueryFragment, QueryId};
use diesel::sql_types::TypeMetadata;

diesel::table! {
    users (id) {
        id -> BigInt,
        name -> Text,
        email -> Text,
        age -> Integer,
        role -> Text,
        active -> Bool,
        created_at -> Timestamp,
        deleted_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    orders (id) {
        id -> BigInt,
        user_id -> BigInt,
        total -> Integer,
    }
}

diesel::joinable!(orders -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(orders, users);

pub fn select(given: Given) -> impl QueryFragment<Pg> + QueryFragment<Mysql> + QueryId {
    users::table
        .select((users::id, users::name, users::email))
        .filter(users::age.ge(given.age))
        .filter(users::role.eq(given.role))
        .filter(users::deleted_at.is_null())
        .order(users::created_at.desc())
        .limit(given.most)
}

pub fn join(given: Given) -> impl QueryFragment<Pg> + QueryFragment<Mysql> + QueryId {
    users::table
        .inner_join(orders::table)
        .filter(orders::total.ge(given.age))
        .group_by(users::role)
        .having(count_star().gt(given.most))
        .select((users::role, count_star(), sum(orders::total)))
        .order(users::role)
}

pub fn insert_one(row: &NewUser) -> impl QueryFragment<Pg> + QueryFragment<Mysql> + QueryId {
    diesel::insert_into(users::table).values(row)
}

pub fn insert(rows: &[NewUser]) -> impl QueryFragment<Pg> + QueryFragment<Mysql> + QueryId {
    diesel::insert_into(users::table).values(rows)
}

/// Nothing here is of a type the server would have to be asked about.
struct KnownTypes;

impl PgMetadataLookup for KnownTypes {
    fn lookup_type(&mut self, name: &str, _: Option<&str>) -> PgTypeMetadata {
        unreachable!("{name} is no type of these tables")
    }
}

/// A backend whose values are bytes.
pub trait Bytes: for<'b> Backend<BindCollector<'b> = RawBytesBindCollector<Self>> + TypeMetadata + Default {
    fn with_lookup<T>(work: impl FnOnce(&mut Self::MetadataLookup) -> T) -> T;
}

impl Bytes for Pg {
    fn with_lookup<T>(work: impl FnOnce(&mut Self::MetadataLookup) -> T) -> T {
        work(&mut KnownTypes)
    }
}

impl Bytes for Mysql {
    fn with_lookup<T>(work: impl FnOnce(&mut Self::MetadataLookup) -> T) -> T {
        work(&mut ())
    }
}

fn values<DB: Bytes>(query: &impl QueryFragment<DB>) -> RawBytesBindCollector<DB> {
    let mut values = RawBytesBindCollector::new();
    DB::with_lookup(|lookup| query.collect_binds(&mut values, lookup, &DB::default())).expect("values");
    values
}

/// Text and values, as whoever has no such statement prepared needs them.
pub fn whole<DB: Bytes<QueryBuilder: Default>>(query: impl QueryFragment<DB>) -> (String, RawBytesBindCollector<DB>) {
    let mut text = DB::QueryBuilder::default();
    query.to_sql(&mut text, &DB::default()).expect("a statement");
    (text.finish(), values(&query))
}

/// Whether it is kept by the type of the query. An INSERT never is.
pub fn is_kept<Q: QueryId>(_: Q) -> bool {
    Q::query_id().is_some()
}

/// The key of a prepared statement and values, as whoever has it prepared needs them.
pub fn prepared<DB: Bytes<QueryBuilder: Default>, Q: QueryFragment<DB> + QueryId>(
    query: Q,
) -> (bool, StatementCacheKey<DB>, RawBytesBindCollector<DB>)
where
    DB::TypeMetadata: Clone,
{
    let values = values(&query);
    let key = StatementCacheKey::for_source(Q::query_id(), &query, &values.metadata, &DB::default());
    (query.is_safe_to_cache_prepared(&DB::default()).expect("a statement"), key.expect("a key"), values)
}
