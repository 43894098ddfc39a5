//! Commission rates: what the platform keeps, by company and category, each from a moment on.
//!
//! A rate is never changed or taken away: a new one of the same scope takes its place from its moment on, so that it can
//! always be told which rate held when.

mod store;

use jiff::Timestamp;

use super::commission::{Rate, WHOLE, percent};
use crate::audit::{self, Record};
use crate::base::id::{CompanyId, RateId};
use crate::base::page::{Cursor, Page};
use crate::base::{Actor, Clock, Error, Result};
use crate::db::Db;

pub use store::all;

/// A rate as it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetRate {
    /// Its identifier.
    pub id: RateId,
    /// What it says.
    pub rate: Rate,
    /// When it was set.
    pub created_at: Timestamp,
    /// Who set it.
    pub created_by: String,
}

/// The rates of a deployment. Cheap to clone.
#[derive(Clone)]
pub struct Rates {
    db: Db,
    clock: Clock,
}

impl Rates {
    /// The rates in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Sets a rate; from now on when no moment is given. One that holds from an earlier moment is a mistake put right: it
    /// counts for commissions that are calculated from now on.
    ///
    /// # Errors
    /// `Invalid` when it is not between 0 and 10,000 basis points, or the category is none.
    pub async fn set(
        &self,
        actor: Actor,
        company: Option<CompanyId>,
        category: Option<String>,
        basis_points: i32,
        holds_from: Option<Timestamp>,
        request_id: Option<String>,
    ) -> Result<SetRate> {
        if !(0..=WHOLE).contains(&basis_points) {
            let message = "basis_points must be from 0 to 10000: 1250 is 12.5%";
            return Err(Error::invalid_field("basis_points", "out_of_range", message));
        }
        category.as_deref().map_or(Ok(()), check_category)?;
        let now = self.clock.now();
        let rate = Rate { company, category, basis_points, holds_from: holds_from.unwrap_or(now) };
        let set = SetRate { id: RateId::new(), rate, created_at: now, created_by: actor.name().to_owned() };
        let detail = serde_json::json!({
            "rate": set.id, "category": set.rate.category, "basis_points": basis_points,
            "percent": percent(basis_points), "holds_from": set.rate.holds_from,
        });
        let record = Record {
            actor,
            at: now,
            company,
            subject: "commission_rate",
            subject_id: set.id.to_string(),
            action: "commission_rate.set",
            request_id,
            detail: audit::detail(&detail)?,
        };
        let new = set.clone();
        let write = self.db.transact(move |conn| {
            Box::pin(async move {
                store::insert(conn, &new).await?;
                audit::record(conn, vec![record]).await
            })
        });
        write.await?;
        Ok(set)
    }

    /// A page of all rates ever set, the newest first; or those of one company.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list(&self, company: Option<CompanyId>, after: Option<Cursor>, limit: usize) -> Result<Page<SetRate>> {
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut data = self.db.read(move |conn| Box::pin(store::list(conn, company, after, one_more))).await?;
        let has_more = data.len() > limit;
        data.truncate(limit);
        let next = data.last().filter(|_| has_more).map(|last| Cursor { at: last.created_at, id: last.id.0 });
        Ok(Page { data, next })
    }
}

/// Refuses what is no name of a category.
///
/// # Errors
/// `Invalid` when it is empty, longer than 64 characters, has spaces at its ends or control characters.
pub fn check_category(text: &str) -> Result<()> {
    let fits = (1..=64).contains(&text.chars().count()) && text.trim() == text && !text.chars().any(char::is_control);
    if fits {
        return Ok(());
    }
    let message = "category must be 1 to 64 printable characters without spaces at its ends";
    Err(Error::invalid_field("category", "bad_category", message))
}
