//! A customer who wishes to be forgotten: orders, their notes, and every body that told of them.

use serde_json::json;

use super::inbox;
use crate::audit::{self, Record};
use crate::base::id::CompanyId;
use crate::base::{Actor, Clock, Result};
use crate::db::Db;
use crate::orders::Customers;
use crate::orders::customers::forget;

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Orders whose personal data is gone.
    pub orders: usize,
    /// Bodies of the inbox whose content is gone.
    pub webhooks: usize,
}

/// Deletes a customer's personal data; of a company's customer, or of any. A second time finds nothing and is no error.
///
/// # Errors
/// `NotFound` when there is no such customer.
pub(super) async fn purge(
    db: &Db,
    clock: &Clock,
    customers: &Customers,
    by: Actor,
    company: Option<CompanyId>,
    customer: i64,
    request_id: Option<String>,
) -> Result<Forgotten> {
    let customer = customers.get(company, customer).await?;
    let at = clock.now();
    db.transact(move |conn| {
        Box::pin(async move {
            let orders = forget(conn, &customer).await?;
            let webhooks = inbox::purge(conn, customer.company, &customer.contact, &orders).await?;
            let forgotten = Forgotten { orders: orders.len(), webhooks };
            if forgotten != Forgotten::default() {
                let detail = json!({"orders": orders, "webhooks": webhooks});
                let record = Record {
                    actor: by,
                    at,
                    company: Some(customer.company),
                    subject: "customer",
                    subject_id: customer.id.to_string(),
                    action: "customer.forgotten",
                    request_id,
                    detail: audit::detail(&detail)?,
                };
                audit::record(conn, vec![record]).await?;
            }
            Ok(forgotten)
        })
    })
    .await
}
