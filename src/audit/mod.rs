//! The audit trail: who changed what, when, from what to what. Append-only, and chained so that whoever changes it
//! afterwards is found out.
//!
//! What is here: the record and its writing inside the transaction of the change, reading, examining and exporting the
//! trail. What is not: what customers see of an order; that is its event log (`orders::timeline`).
//!
//! Records are gathered while a transaction runs and written at its very end, each transaction's into one chain
//! ([`chain`]): the end of a chain is locked last, for no longer than the commit takes, and another that is free is
//! taken when somebody holds it. So transactions wait neither for each other nor in a circle.

pub mod chain;
pub mod examine;
mod store;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::Serialize;

use crate::base::id::{AuditId, CompanyId};
use crate::base::page::{Cursor, Page};
use crate::base::{Actor, Error, Result};
use crate::db::{Conn, Db, Last};

/// One thing that was done.
#[derive(Clone)]
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
    /// The party's identifier, if it has one.
    pub actor_id: Option<String>,
    /// The party's name.
    pub actor_name: String,
    /// The company it concerns, if one.
    pub company: Option<CompanyId>,
    /// The kind of thing.
    pub subject: String,
    /// Which one.
    pub subject_id: String,
    /// What was done.
    pub action: String,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// From, to, fields.
    pub detail: serde_json::Value,
}

/// Which records are asked for; all that are named must be so.
#[derive(Clone, Debug, Default)]
pub struct Seeking {
    /// Of this company only.
    pub company: Option<CompanyId>,
    /// About this kind of thing.
    pub subject: Option<String>,
    /// About this one.
    pub subject_id: Option<String>,
    /// By this kind of party.
    pub actor_kind: Option<String>,
    /// By the party of this name or identifier.
    pub actor: Option<String>,
    /// This was done.
    pub action: Option<String>,
    /// At or after.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// What a transaction has done so far, written at its end.
#[derive(Default)]
struct Gathered(Vec<Record>);

impl Last for Gathered {
    fn write<'c>(self: Box<Self>, conn: &'c mut Conn) -> BoxFuture<'c, Result<()>> {
        Box::pin(store::append(conn, self.0))
    }
}

/// Writes records in the transaction of the changes they tell of, at its end.
///
/// # Errors
/// `Unavailable` or `Internal`; the transaction must not be committed.
pub async fn record(conn: &mut Conn, records: Vec<Record>) -> Result<()> {
    if !records.is_empty() {
        conn.last::<Gathered>()?.0.extend(records);
    }
    Ok(())
}

/// Gives the records of a time before there were chains their places, once. Called at every start.
///
/// # Errors
/// `Unavailable` when the database is out of reach.
pub async fn seal_earlier(db: &Db) -> Result<()> {
    let ends = db.read(|conn| Box::pin(store::ends(conn))).await?;
    if ends.iter().any(|end| end.hash.is_empty()) && db.transact(|conn| Box::pin(store::seal_earlier(conn))).await? {
        tracing::info!("the audit trail of before is chained");
    }
    Ok(())
}

/// A page of records, the newest first.
///
/// # Errors
/// `Unavailable` when the database is out of reach.
pub async fn list(db: &Db, wanted: Seeking, after: Option<Cursor>, limit: usize) -> Result<Page<Entry>> {
    let rows = i64::try_from(limit + 1).map_err(Error::internal)?;
    let before = after.map(|cursor| AuditId(cursor.id));
    let mut data = db.read(move |conn| Box::pin(async move { store::list(conn, &wanted, before, rows).await })).await?;
    let has_more = data.len() > limit;
    data.truncate(limit);
    let next = data.last().filter(|_| has_more).map(|entry| Cursor { at: entry.at, id: entry.id.0 });
    Ok(Page { data, next })
}

/// The records of one subject, oldest first, at most 1000.
///
/// # Errors
/// `Unavailable` when the database is out of reach.
pub async fn history(db: &Db, subject: &'static str, subject_id: String) -> Result<Vec<Entry>> {
    db.read(move |conn| Box::pin(async move { store::list_of(conn, subject, &subject_id).await })).await
}

/// The detail of a record.
///
/// # Errors
/// `Internal` when it cannot be written as JSON.
pub fn detail(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}
