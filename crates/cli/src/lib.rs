//! The dbkeep program: keep an application's database from the command line.
