//! What customers watch: one hub over all transports, one position (`seq`), nothing lost, nothing doubled.
//!
//! The cast. [`Live`] is the instance: it publishes committed events to the bus, hears those of all instances and hands
//! them to the workers that have watchers. A [`Worker`] is one thread's share: its [`hub`] knows who watches which order
//! and judges every event by the member's position; [`link`] is the bounded way to one connection; [`session`] judges what a client
//! says, [`requests`] does it, [`reading`] reads the log for whoever misses something. [`topics`] is the one table the
//! workers share. [`presence`] and [`reach`] count.
//!
//! What survives what: a lost push, a full mailbox, a broken bus or a slow reader all end the same way, by reading the
//! event log from the member's position. The log is the truth; everything here only makes it fast.
//! What is not here: sockets and HTTP (`web::live`).

pub mod access;
pub mod conn;
mod delivery;
pub mod event;
mod fanout;
pub mod feed;
pub mod frame;
pub mod hub;
#[cfg(test)]
mod hub_proof;
mod instance;
pub mod link;
mod mailbox;
pub mod member;
pub mod plain;
pub mod presence;
pub mod protocol;
pub mod reach;
mod reading;
mod requests;
pub mod resume;
mod revocation;
pub mod session;
pub mod settings;
pub mod stats;
pub mod topics;
pub mod worker;

pub use access::Access;
pub use instance::Live;
pub use settings::LiveSettings;
pub use worker::Worker;
