//! Ordercast: a real-time order tracking hub. This file is the map; read it first.
//!
//! **The idea.** The database's event log per order is the truth: every change of an order appends one event with the
//! next dense `seq` of that order, in the same transaction as the order row, the audit row and the queued jobs. Everything
//! live (rooms, sockets, polls, Redis) is a fast copy of that log. A copy may be late, repeated or lost; the `seq` tells,
//! and the log heals it.
//!
//! **The ladder.** The modules below stand on each other: each may use only those listed above it. Two edges at the bottom
//! let the world in, [`background`] (clock and queue) and [`web`] (requests and sockets); everything between knows neither
//! HTTP nor time-tables. `tests/it/house.rs` enforces this and the other rules of the house.
//!
//! **Walk 1: a status is posted, the customer's browser changes.** [`web::dialects`] or [`web::orders`] reads the request
//! and calls [`orders::Orders::advance`], the one door. [`orders::commit`] takes whatever waits, thinks each change through
//! (`orders::advance`, by the tables of [`orders::status`]) and commits the group. Then it hands the events to
//! [`live::Live`], which publishes them on the [`bus`]; every instance puts them, encoded once, into the rooms of its
//! workers, and from there onto sockets. The reply says how many watching customers got it.
//!
//! **Walk 2: a letter goes out.** The commit of walk 1 queued a [`jobs::Job`]; [`background::jobs`] claims it,
//! [`notify`] renders and delivers it, and what came of it is booked: done, again later, or dead.
//!
//! **Walk 3: a customer comes back after a loss.** The client says the last `seq` it saw. The live part joins the room
//! first, so that from then on nothing is missed, then reads the log after that `seq`, merges both by number, and goes on
//! live. A publish that a crash or a lost link swallowed is found the same way: every instance compares its rooms'
//! positions with the log, now and then and whenever the bus comes back.

pub mod base;
pub mod config;
pub mod telemetry;
pub mod db;
pub mod bus;
pub mod audit;
pub mod jobs;
pub mod idempotency;
pub mod accounts;
pub mod wallet;
pub mod orders;
pub mod webhooks;
pub mod notify;
pub mod live;
pub mod background;
pub mod web;
pub mod app;
