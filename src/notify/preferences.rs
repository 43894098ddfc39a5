//! What customers want to hear of: mail about an order, on until its customer switches it off.

use super::store;
use crate::audit::{self, Record};
use crate::base::id::{OrderId, PassId};
use crate::base::{Actor, Clock, Error, Result};
use crate::db::Db;
use crate::db::types::At;

/// The customers' choices. Cheap to clone.
#[derive(Clone)]
pub struct Preferences {
    db: Db,
    clock: Clock,
}

impl Preferences {
    /// The choices in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Whether mail about an order is sent to its customer.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn wants_mail(&self, order: OrderId) -> Result<bool> {
        Ok(!self.db.read(move |conn| Box::pin(store::is_stopped(conn, order))).await?)
    }

    /// Switches mail about an order on or off, for whoever holds this pass of it; the choice and its audit row are
    /// written together. Choosing what is so already changes nothing.
    ///
    /// # Errors
    /// `NotFound` when there is no such order, `Unavailable` when the database is out of reach.
    pub async fn set_mail(&self, order: OrderId, on: bool, pass: PassId, request_id: Option<String>) -> Result<()> {
        let at = self.clock.now();
        let detail = audit::detail(&serde_json::json!({"mail": on, "pass": pass}))?;
        let write = self.db.transact(move |conn| {
            Box::pin(async move {
                let company = store::find_company(&mut *conn, order).await?.ok_or(Error::NotFound("Order"))?;
                let changed = if on {
                    store::resume(&mut *conn, order).await?
                } else {
                    store::stop(&mut *conn, order, At(at)).await?
                };
                let record = changed.then(|| Record {
                    actor: Actor::System("customer"),
                    at,
                    company: Some(company),
                    subject: "order",
                    subject_id: order.to_string(),
                    action: if on { "order.mail_resumed" } else { "order.mail_stopped" },
                    request_id,
                    detail,
                });
                audit::record(conn, record.into_iter().collect()).await
            })
        });
        write.await
    }
}
