//! Connections to MySQL, MariaDB, PostgreSQL and SQLite behind one contract.
