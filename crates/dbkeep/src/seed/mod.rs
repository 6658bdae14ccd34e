//! Seeds: rows that an application needs, as files that can be run any number of times.
