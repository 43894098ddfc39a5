//! Companies where money is concerned: whether they sell on the marketplace, and how long their credits are held.

mod store;

use jiff::Timestamp;

use crate::audit::{self, Record};
use crate::base::id::CompanyId;
use crate::base::{Actor, Clock, Error, Result};
use crate::db::Db;

/// A company where money is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selling {
    /// The company.
    pub company: CompanyId,
    /// Since when the orders it delivers are credited to its wallet.
    pub marketplace_since: Option<Timestamp>,
    /// Its own days between a credit and its release.
    pub hold_days: Option<i32>,
}

/// What is to be changed. What is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// Whether it sells on the marketplace.
    pub is_marketplace: Option<bool>,
    /// Its own days of hold, or those of the deployment.
    pub hold_days: Option<Option<i32>>,
}

/// The longest hold, in days.
pub const LONGEST_HOLD: i32 = 3650;

/// The companies of a deployment where money is concerned. Cheap to clone.
#[derive(Clone)]
pub struct Sellers {
    db: Db,
    clock: Clock,
}

impl Sellers {
    /// The companies in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// A company.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, company: CompanyId) -> Result<Selling> {
        let found = self.db.read(move |conn| Box::pin(store::find(conn, company, false))).await?;
        found.ok_or(Error::NotFound("Company"))
    }

    /// Changes what holds for a company. Orders that are delivered already stay as they are.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` when the hold is too long.
    pub async fn set(
        &self,
        actor: Actor,
        company: CompanyId,
        terms: Terms,
        request_id: Option<String>,
    ) -> Result<Selling> {
        if terms.hold_days.flatten().is_some_and(|days| !(0..=LONGEST_HOLD).contains(&days)) {
            let message = format!("hold_days must be from 0 to {LONGEST_HOLD}");
            return Err(Error::invalid_field("hold_days", "out_of_range", message));
        }
        let clock = self.clock.clone();
        let work = self.db.transact(move |conn| {
            Box::pin(async move {
                let before = store::find(conn, company, true).await?.ok_or(Error::NotFound("Company"))?;
                // Read behind the lock: what is delivered under the old rule has been delivered before this moment.
                let now = clock.now();
                let since = match (terms.is_marketplace, before.marketplace_since) {
                    (Some(true), None) => Some(now),
                    (Some(false), _) => None,
                    (_, since) => since,
                };
                let hold_days = terms.hold_days.unwrap_or(before.hold_days);
                let after = Selling { company, marketplace_since: since, hold_days };
                if after == before {
                    return Ok(before);
                }
                store::update(conn, &after).await?;
                let detail = serde_json::json!({
                    "is_marketplace": {"from": before.marketplace_since.is_some(), "to": since.is_some()},
                    "hold_days": {"from": before.hold_days, "to": hold_days},
                });
                let record = Record {
                    actor,
                    at: now,
                    company: Some(company),
                    subject: "company",
                    subject_id: company.to_string(),
                    action: "company.selling_changed",
                    request_id,
                    detail: audit::detail(&detail)?,
                };
                audit::record(conn, vec![record]).await?;
                Ok(after)
            })
        });
        work.await
    }
}
