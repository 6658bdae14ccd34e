//! One suite for every engine: each function here takes the options of an empty database, uses it through the public contract,
//! and panics where an engine does not keep it.
//!
//! [`conformance_tests!`](crate::conformance_tests) makes a test of each:
//!
//! ```text
//! // A database for one test, and whatever must live as long as it; `None` skips, where the server is not installed.
//! fn database() -> Option<(ConnectOptions, impl Sized)> { … }
//!
//! dbkeep_testkit::conformance_tests!(database);
//! ```
//!
//! What only one product can do is decided by its capabilities; product names stand in `product.rs` and `types.rs` alone, for the
//! spellings a suite cannot avoid. Tables of the suite are called `conf_…` and replaced by each function that uses them.

#![allow(clippy::unwrap_used)]

mod bulk;
mod cancellation;
mod catalog;
mod errors;
mod product;
mod rows;
mod session;
mod snapshot;
mod statements;
mod streaming;
mod transactions;
mod types;
mod values;

pub use bulk::*;
pub use cancellation::*;
pub use catalog::*;
pub use errors::*;
pub use rows::*;
pub use session::*;
pub use snapshot::*;
pub use statements::*;
pub use streaming::*;
pub use transactions::*;
pub use values::*;

use dbkeep_engine::{ConnectOptions, Connection, connect};

/// A connection, or a failed test.
async fn open(options: &ConnectOptions) -> Connection {
    connect(options).await.unwrap_or_else(|error| panic!("cannot connect to {}: {error}", options.target()))
}

/// Makes a test of every function of the suite. The first argument is a function without parameters that gives
/// `Option<(ConnectOptions, guard)>`: an empty database, and what keeps it alive. What follows goes to `#[tokio::test]`; by
/// default it is a runtime of two threads.
#[macro_export]
macro_rules! conformance_tests {
    ($database:path) => {
        $crate::conformance_tests!($database, flavor = "multi_thread", worker_threads = 2);
    };
    ($database:path, $($runtime:tt)+) => {
        $crate::conformance_tests! { @all $database; [$($runtime)+]
            values_round_trip
            null_round_trips_in_every_type
            awkward_text_is_kept_or_refused
            zero_dates_are_kept_or_refused
            literals_keep_their_values
            wrong_parameters_are_refused
            transactions_commit_and_roll_back
            savepoints_nest
            dropped_transactions_roll_back
            an_error_in_a_transaction_leaves_it_to_be_rolled_back
            a_transaction_undone_by_the_server_refuses_further_statements
            interrupted_transactions_leave_nothing_open
            read_only_transactions_refuse_writes
            streams_give_every_row
            streams_hold_little_memory
            dropped_streams_leave_no_rows_behind
            streams_report_errors_in_the_middle
            dropped_queries_never_mix_with_the_next
            dropped_queries_stop
            more_statements_than_the_cache_holds
            statements_survive_a_changed_table
            scripts_run_until_the_first_error
            executed_statements_say_what_they_did
            rows_become_rust_types
            errors_have_kinds
            locked_rows_time_out
            wrong_addresses_are_told_apart
            databases_are_created_and_dropped
            bulk_rows_are_stored_as_parameters_store_them
            bulk_inserts_take_any_number_of_rows
            bulk_inserts_keep_all_rows_or_none
            bulk_inserts_join_a_transaction
            dropped_bulk_inserts_leave_no_rows
            bulk_rows_are_taken_as_the_server_takes_them
            bulk_inserts_are_told_of
            a_read_only_connection_refuses_bulk_inserts
            reset_forgets_the_session
            locks_exclude_each_other
            a_read_only_connection_refuses_writes
            the_session_answers_for_itself
            the_catalog_tells_what_exists
            snapshots_are_consistent_under_writers
            restores_bring_everything_back
            restores_refuse_a_target_that_holds_anything
        }
    };
    (@all $database:path; $runtime:tt $($name:ident)+) => {
        $($crate::conformance_tests! { @one $database; $runtime $name })+
    };
    (@one $database:path; [$($runtime:tt)+] $name:ident) => {
        #[tokio::test($($runtime)+)]
        async fn $name() {
            if let Some((options, _guard)) = $database() {
                $crate::conformance::$name(&options).await;
            }
        }
    };
}
