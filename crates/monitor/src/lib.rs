//! Checks of a database's health, judged against thresholds.
