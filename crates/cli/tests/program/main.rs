//! The program as its users meet it: the real binary, run in folders of its own, on real databases.
#![allow(clippy::unwrap_used)]

mod arguments;
mod backups;
mod bad_input;
mod copies;
mod damage;
mod demo;
mod health;
mod killed;
mod killed_servers;
mod migrations;
mod output;
mod production;
mod queries;
mod seeds;
mod settings;
mod stock_restic;
mod streaming;
mod support;
mod values;
