//! What vendors are owed: commissions, an append-only double-entry ledger, and payouts.
//!
//! The cast: [`Till`] credits and reverses inside the transaction in which an order changes its status, at most one open
//! credit an order; [`Rates`] says what the platform keeps, [`commission`] does the arithmetic; [`Wallets`] reads and
//! releases, [`Payouts`] pays, [`mod@verify`] proves. Money lies on accounts
//! (held, available, payout; the platform's commission; the world outside) and moves by postings that are never changed.
//! An account's balance is kept in the same transaction, its row locked; rows are locked in one order everywhere (orders,
//! credits, accounts by name), so that nobody waits in a circle. What is not here: orders; they call this part.

pub mod books;
pub mod commission;
mod csv;
pub mod entries;
pub mod payouts;
pub mod rates;
pub mod sellers;
mod store;
pub mod till;
pub mod verify;

pub use books::Wallets;
pub use commission::{Commission, Rate, Sale, Sold};
pub use entries::{Account, Credit, CreditState, Kind, Posting, Transaction};
pub use payouts::Payouts;
pub use rates::Rates;
pub use sellers::Sellers;
pub use till::{Credited, Till};

/// The rules of a deployment.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Days between a credit and its release, for companies that have no rule of their own.
    pub hold_days: u32,
    /// How often is looked for credits whose days are over.
    pub release_every: std::time::Duration,
    /// Credits released in one transaction.
    pub release_at_once: u32,
    /// Most payouts of one payout file.
    pub payout_file_rows: u32,
    /// Whether an order's commission is calculated by itself when the order is confirmed.
    pub commission_on_confirmation: bool,
    /// Whether the customer's confirmation ends the hold. A vendor makes links to its customers' pages, and can so give
    /// their word itself: only for deployments that trust their vendors with it.
    pub release_on_confirmation: bool,
}
