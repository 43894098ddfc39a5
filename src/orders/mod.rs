//! The heart: orders, their event log, and the one door through which they change.
//!
//! The cast: [`Orders`] writes (create and advance, committed in groups), [`Timeline`] reads (snapshots, history, feed),
//! [`Passes`] lets customers in. [`status`] says who may go from where to where; [`advance`] decides a change without
//! any I/O; [`commit`] makes it last: order row, event, audit row and jobs in one transaction, then the announcement.
//! [`workflow`] holds companies' own steps; [`approvals`] and [`confirmation`] give the word that some of them wait for.
//! What is not here: how an event reaches a screen (`live`), how a letter is sent (`notify`), HTTP (`web`).

pub mod advance;
pub mod approvals;
pub mod commissions;
pub mod commit;
pub mod confirmation;
pub mod customer_view;
pub mod customers;
pub mod details;
pub mod intake;
mod ledger;
pub mod model;
pub mod policy;
pub mod shipping;
pub mod status;
mod store;
pub mod timeline;
pub mod tracking;
mod wish;
pub mod workflow;
mod written;

pub use advance::{Advanced, Change};
pub use approvals::Approvals;
pub use commissions::Commissions;
pub use commit::{Announce, Orders, Reach, Telling, Told};
pub use confirmation::Confirmations;
pub use customers::Customers;
pub use details::Details;
pub use intake::NewOrder;
pub use model::{Customer, Estimate, Event, EventBody, Item, Order, OrderRef};
pub use status::Status;
pub use timeline::{Filter, Snapshot, Timeline};
pub use tracking::Passes;
pub use workflow::Workflows;
