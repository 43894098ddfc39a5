//! Tracking passes: a signed link to one order, read-only, that ends some days after the order and can be revoked.
//!
//! The text holds the pass's identifier and a 128-bit signature; the row says which order it opens, so that nothing
//! about the order can be read from a link, and revoking a link works at once.

mod store;

use jiff::{SignedDuration, Timestamp};

use super::status::Status;
use crate::base::id::{OrderId, PassId};
use crate::base::{Clock, Error, Keys, Result};
use crate::db::Db;
use crate::db::types::At;
use store::PassRow;

/// Makes, checks and revokes passes. Cheap to clone.
#[derive(Clone)]
pub struct Passes {
    db: Db,
    clock: Clock,
    keys: Keys,
    days: u32,
}

/// A pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Its identifier.
    pub id: PassId,
    /// The order it opens.
    pub order: OrderId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; unknown until the order has ended, unless it was made with an end of its own.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What a pass is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It opens this order, until then if the end is known.
    Welcome(Pass),
    /// It was good once.
    Expired(Pass),
    /// It was taken back.
    Revoked(Pass),
    /// It is none of ours.
    Unknown,
}

const PURPOSE: &str = "tracking-pass";

impl Passes {
    /// `days` is how long a pass goes on working after its order has ended.
    #[must_use]
    pub fn new(db: Db, clock: Clock, keys: Keys, days: u32) -> Self {
        Self { db, clock, keys, days }
    }

    /// Makes a pass; `expires_at` ends it earlier than the order would. Returns it with its text.
    ///
    /// # Errors
    /// `Invalid` when the end has passed already; `Unavailable` when the database is out of reach.
    pub async fn create(&self, order: OrderId, expires_at: Option<Timestamp>) -> Result<(Pass, String)> {
        let now = self.clock.now();
        if expires_at.is_some_and(|end| end <= now) {
            return Err(Error::invalid_field("expires_at", "in_the_past", "expires_at must lie in the future"));
        }
        let pass = Pass { id: PassId::new(), order, created_at: now, expires_at, revoked_at: None };
        self.insert(&pass).await?;
        let text = self.text(pass.id);
        Ok((pass, text))
    }

    /// The text of the order's pass with this identifier, which is made unless it is there: a letter that is tried again
    /// carries the link of its first try. Should that one work no more, it is a fresh one.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn named(&self, id: PassId, order: OrderId) -> Result<String> {
        let pass = Pass { id, order, created_at: self.clock.now(), expires_at: None, revoked_at: None };
        let is_good = self.insert(&pass).await?
            || matches!(self.admit_id(id).await?, Admission::Welcome(found) if found.order == order);
        if is_good { Ok(self.text(id)) } else { Ok(self.create(order, None).await?.1) }
    }

    async fn insert(&self, pass: &Pass) -> Result<bool> {
        let row = PassRow {
            id: pass.id,
            order_id: pass.order,
            created_at: At(pass.created_at),
            expires_at: pass.expires_at.map(At),
            revoked_at: None,
        };
        self.db.transact(move |conn| Box::pin(async move { store::insert_pass(conn, &row).await })).await
    }

    fn text(&self, id: PassId) -> String {
        self.keys.sign(PURPOSE, id.0)
    }

    /// What a text is good for right now.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach: never "unknown" for a pass that may be good.
    pub async fn admit(&self, text: &str) -> Result<Admission> {
        let Some(id) = self.keys.open(PURPOSE, text).map(PassId) else { return Ok(Admission::Unknown) };
        self.admit_id(id).await
    }

    /// What a pass is good for right now.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn admit_id(&self, id: PassId) -> Result<Admission> {
        let found = self.db.read(move |conn| Box::pin(store::find_pass(conn, id))).await?;
        let Some((row, status, updated_at)) = found else { return Ok(Admission::Unknown) };
        let has_ended = status.parse::<Status>().is_ok_and(Status::is_terminal);
        let by_order = has_ended.then(|| {
            updated_at.0.max(row.created_at.0).saturating_add(SignedDuration::from_hours(24 * i64::from(self.days)))
        });
        let by_order = by_order.transpose().map_err(Error::internal)?;
        let mut pass = to_pass(row);
        pass.expires_at = [pass.expires_at, by_order].into_iter().flatten().min();
        Ok(match (pass.revoked_at, pass.expires_at) {
            (Some(_), _) => Admission::Revoked(pass),
            (None, Some(end)) if end <= self.clock.now() => Admission::Expired(pass),
            _ => Admission::Welcome(pass),
        })
    }

    /// The order a text opens.
    ///
    /// # Errors
    /// `NotFound` for an unknown or revoked text, `Forbidden` for one that has expired.
    pub async fn open(&self, text: &str) -> Result<OrderId> {
        match self.admit(text).await? {
            Admission::Welcome(pass) => Ok(pass.order),
            Admission::Expired(_) => Err(Error::Forbidden("This link has expired".into())),
            Admission::Revoked(_) | Admission::Unknown => Err(Error::NotFound("Order")),
        }
    }

    /// The passes of an order, newest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list(&self, order: OrderId) -> Result<Vec<Pass>> {
        let rows = self.db.read(move |conn| Box::pin(store::list_passes(conn, order))).await?;
        Ok(rows.into_iter().map(to_pass).collect())
    }

    /// Takes a pass back; its live connections are closed within a second.
    ///
    /// # Errors
    /// `NotFound` when the order has no such pass that still works.
    pub async fn revoke(&self, order: OrderId, id: PassId) -> Result<()> {
        let now = At(self.clock.now());
        let was_live = self.db.transact(move |conn| Box::pin(store::revoke_pass(conn, order, id, now))).await?;
        if was_live { Ok(()) } else { Err(Error::NotFound("Tracking pass")) }
    }

    /// Passes revoked at or after a moment, for those who hold connections open.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn revoked_since(&self, since: Timestamp) -> Result<Vec<PassId>> {
        self.db.read(move |conn| Box::pin(store::list_revoked_passes(conn, At(since)))).await
    }

    /// Orders of this number whose customer has this address.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn look_up(&self, number: &str, email: &str) -> Result<Vec<OrderId>> {
        let (number, email) = (number.trim().to_owned(), email.trim().to_owned());
        if [&number, &email].into_iter().any(|text| text.contains(char::is_control)) {
            // No order has such a number and no customer such an address; PostgreSQL refuses to look for a NUL.
            return Ok(Vec::new());
        }
        self.db.read(move |conn| Box::pin(async move { store::find_by_contact(conn, &number, &email).await })).await
    }
}

fn to_pass(row: PassRow) -> Pass {
    Pass {
        id: row.id,
        order: row.order_id,
        created_at: row.created_at.0,
        expires_at: row.expires_at.map(|at| at.0),
        revoked_at: row.revoked_at.map(|at| at.0),
    }
}
