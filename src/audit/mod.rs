//! The audit trail: who changed what, when, from what to what. Append-only.
//!
//! What is here: the record and its writing inside the transaction of the change. What is not: what customers see of an
//! order; that is its event log (`orders::timeline`).

mod store;

use jiff::Timestamp;
use serde::Serialize;

use crate::base::id::{AuditId, CompanyId};
use crate::base::{Actor, Error, Result};
use crate::db::{Conn, Db};

/// One thing that was done.
pub struct Record {
    /// By whom.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// The company it concerns, if one.
    pub company: Option<CompanyId>,
    /// What kind of thing was changed: `order`, `api_token`.
    pub subject: &'static str,
    /// Which one.
    pub subject_id: String,
    /// What was done: `order.status_changed`.
    pub action: &'static str,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// Everything else as JSON: from, to, fields, whether it was an override.
    pub detail: String,
}

/// A record as it is read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its identifier.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// The kind of party: `admin`, `token`.
    pub actor_kind: String,
    /// The party's name.
    pub actor_name: String,
    /// What was done.
    pub action: String,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// From, to, fields.
    pub detail: serde_json::Value,
}

/// Writes records in the transaction of the changes they tell of.
///
/// # Errors
/// `Unavailable` or `Internal`; the transaction must not be committed.
pub async fn record(conn: &mut Conn, records: Vec<Record>) -> Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    store::insert(conn, records).await
}

/// The records of one subject, oldest first, at most 1000.
///
/// # Errors
/// `Unavailable` when the database is out of reach.
pub async fn history(db: &Db, subject: &'static str, subject_id: String) -> Result<Vec<Entry>> {
    db.read(move |conn| Box::pin(async move { store::list(conn, subject, &subject_id).await })).await
}

/// The detail of a record.
///
/// # Errors
/// `Internal` when it cannot be written as JSON.
pub fn detail(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}
