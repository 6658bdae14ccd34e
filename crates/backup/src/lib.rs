//! Backups that are proven to restore.
