//! The one integration test binary: real parts, no sleeps, every test written once and run on both stacks.
//!
//! `tests/run` starts it twice: `ORDERCAST_TEST_STACK=sqlite` (SQLite, in-process bus; also what a plain `cargo test`
//! does) and `ORDERCAST_TEST_STACK=postgres` (PostgreSQL, Redis). Each file is named after the part it tests.

#![cfg(test)]

mod account_attacks;
mod account_races;
mod accounts;
mod app;
mod approvals;
mod audit;
mod browser;
mod bulk;
mod bombs;
mod bus;
mod crash;
mod command_line;
mod commission;
mod commits;
mod confirmations;
mod contract;
mod database;
mod dialects;
mod disputes;
mod docs;
mod doors;
mod exchange;
mod framing;
mod guard;
mod house;
mod house_proof;
mod idempotency;
mod inbox;
mod invitations;
mod keys;
mod kyc;
mod kyc_desk;
mod live;
mod live_limits;
mod lost_answers;
mod merchant_journey;
mod merchant_pages;
mod notify;
mod money_pages;
mod nul;
mod orders;
mod orders_path;
mod pages;
mod platforms;
mod postgres_tls;
mod preferences;
mod readme;
mod reception;
mod redis_tls;
mod rows;
mod rust_source;
mod sessions;
mod tokens;
mod tenants;
mod track;
mod still_app;
mod stopping;
mod two_instances;
mod vendor;
mod vendor_fulfilment;
mod vendor_pages;
mod wallet;
mod wallet_api;
mod wallet_crash;
mod webhooks;
mod workflows;
mod widget;
