//! Proves the ledger: what is written in one place is compared with what follows from another, down to the first wrong row.
//!
//! Postings balance by their shape (each takes from one account what it gives to another), so what can be wrong is: a
//! balance that is not the sum of its postings, a posting in a foreign currency, a credit that its transactions do not
//! bear out, an order that was delivered and not credited once, or credited and not delivered.

mod store;

use crate::base::{Error, Result};
use crate::db::Db;

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Accounts whose balances are right.
    pub accounts: i64,
    /// Transactions that are borne out.
    pub transactions: i64,
    /// Credits that stand.
    pub credits: i64,
}

/// The code of what is wrong.
pub const LEDGER_WRONG: &str = "ledger_wrong";

/// Looks at everything, as of one moment.
///
/// # Errors
/// `Conflict` with the code [`LEDGER_WRONG`] that names the first wrong row; `Unavailable` when the database is out of reach.
pub async fn verify(db: &Db) -> Result<Report> {
    db.transact(|conn| {
        Box::pin(async move {
            super::store::hold_moment(conn).await?;
            for (question, check) in store::CHECKS {
                if let Some(wrong) = store::first_wrong(conn, check).await? {
                    let message =
                        format!("{question} {}: {} is there, {} is right.", wrong.which, wrong.found, wrong.right);
                    return Err(Error::conflict(LEDGER_WRONG, message));
                }
            }
            store::count(conn).await
        })
    })
    .await
}
