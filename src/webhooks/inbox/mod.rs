//! The inbox: every body that was sent in, as it came, with what was made of it.
//!
//! What is here: keeping, finding, booking a verdict, clearing away. What is not: making something of a body; that is
//! `inbound`. A body is kept before anything is made of it, so that a crash in between loses nothing.

mod store;

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::accounts::Source;
use crate::audit::{self, Record};
use crate::base::id::{CompanyId, InboxId, OrderId};
use crate::base::page::{Cursor, Page};
use crate::base::{Asker, Clock, Error, Result};
use crate::db::{Conn, Db};

/// What was made of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Kept, and nothing yet.
    Received,
    /// A new order.
    Created,
    /// An order was changed.
    Updated,
    /// The order was so already.
    Unchanged,
    /// Its status is a word nobody knows; everything else of it was taken.
    Unmapped,
    /// Later news about the same had come already.
    Stale,
    /// It belongs to an order that is not known yet.
    Waiting,
    /// It is about something else than orders.
    Ignored,
    /// It breaks a rule.
    Refused,
    /// It cannot be read.
    Unreadable,
    /// It failed again and again, by our fault.
    Failed,
    /// Its content was deleted with a customer's personal data.
    Purged,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 12] = [
        Self::Received,
        Self::Created,
        Self::Updated,
        Self::Unchanged,
        Self::Unmapped,
        Self::Stale,
        Self::Waiting,
        Self::Ignored,
        Self::Refused,
        Self::Unreadable,
        Self::Failed,
        Self::Purged,
    ];

    /// The code: `unmapped`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Unmapped => "unmapped",
            Self::Stale => "stale",
            Self::Waiting => "waiting",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
            Self::Failed => "failed",
            Self::Purged => "purged",
        }
    }

    /// Whether the same body, sent again, is to be tried again.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Received | Self::Refused | Self::Unreadable | Self::Failed)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Verdict {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.code() == text).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|verdict| verdict.code()).collect();
            Error::invalid_field("verdict", "unknown_verdict", format!("verdict must be one of: {}", known.join(", ")))
        })
    }
}

/// One body, without its content.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its identifier.
    pub id: InboxId,
    /// Who sent it.
    pub company: CompanyId,
    /// What kind of system sent it.
    pub source: Source,
    /// What the sender calls its kind: `orders/create`.
    pub topic: Option<String>,
    /// What it is about, in the sender's words.
    pub subject: Option<String>,
    /// When it was so, by the sender's clock.
    pub occurred_at: Option<Timestamp>,
    /// Headers as JSON pairs, without secrets and signatures.
    pub headers: Value,
    /// What was made of it.
    pub verdict: Verdict,
    /// How, in detail.
    pub result: Value,
    /// The order it is about.
    pub order: Option<OrderId>,
    /// How often something was made of it.
    pub runs: i32,
    /// When it came.
    pub received_at: Timestamp,
    /// When something was last made of it.
    pub processed_at: Option<Timestamp>,
}

/// A body to be kept.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "as in `Entry`")]
pub struct NewEntry {
    pub company: CompanyId,
    pub source: Source,
    pub topic: Option<String>,
    pub subject: Option<String>,
    pub occurred_at: Option<Timestamp>,
    pub headers: String,
    pub body: Bytes,
    /// The customer's e-mail address or telephone number, as `orders::customers` has it.
    pub contact: Option<String>,
    /// What tells a repeat.
    pub sameness: Sameness,
}

/// What makes a body a repeat of one that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// A body of this key.
    Key(String),
    /// A body of this key, or of the one that the same content had a while ago.
    Lately {
        /// Its key now.
        key: String,
        /// Its key then.
        earlier: String,
    },
    /// The newest body about the same subject, if it has this content: with another in between, the same again is news.
    Newest(String),
}

/// What was made of a body, to be booked.
#[derive(Clone, Debug)]
pub struct Booking {
    /// In a word.
    pub verdict: Verdict,
    /// In detail.
    pub result: Value,
    /// The order.
    pub order: Option<OrderId>,
}

/// Which bodies are meant.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "as in `Entry`")]
pub struct Filter {
    pub company: Option<CompanyId>,
    pub source: Option<Source>,
    pub verdict: Option<Verdict>,
    pub topic: Option<String>,
    pub order: Option<OrderId>,
    /// Received at or after this moment.
    pub from: Option<Timestamp>,
    /// Received before this moment.
    pub to: Option<Timestamp>,
}

/// What else is known about the same subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Later {
    /// A body that is later by the sender's clock.
    pub by_clock: bool,
    /// A body that came later.
    pub by_arrival: bool,
}

/// How long a body is left to whoever received it before it counts as forgotten in a crash.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// Kept bodies. Cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    db: Db,
    clock: Clock,
}

impl Inbox {
    /// The inbox in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Keeps a body. Says whether it is new; a repeat gives the entry there is.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn keep(&self, new: NewEntry) -> Result<(Entry, bool)> {
        let now = self.clock.now();
        self.db.transact(move |conn| Box::pin(async move { store::keep(conn, new, now).await })).await
    }

    /// Books what was made of a body. One that was purged meanwhile stays so.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn book(&self, id: InboxId, booking: Booking) -> Result<()> {
        let now = self.clock.now();
        self.db.transact(move |conn| Box::pin(async move { store::book(conn, id, &booking, now).await })).await
    }

    /// Writes into the trail that somebody had a body run again, and what came of it.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn note_rerun(&self, asker: &Asker, id: InboxId, verdict: Verdict) -> Result<()> {
        self.note(asker.clone(), id, "inbox.rerun", &serde_json::json!({"verdict": verdict})).await
    }

    async fn note(&self, by: Asker, id: InboxId, action: &'static str, detail: &serde_json::Value) -> Result<()> {
        let (at, detail) = (self.clock.now(), audit::detail(detail)?);
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let Some((entry, _)) = store::find(conn, None, id).await? else { return Ok(()) };
                    let record = Record {
                        actor: by.actor,
                        at,
                        company: Some(entry.company),
                        subject: "inbox",
                        subject_id: id.to_string(),
                        action,
                        request_id: by.request_id,
                        detail,
                    };
                    audit::record(conn, vec![record]).await
                })
            })
            .await
    }

    /// Counts a run before it begins.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn begin(&self, id: InboxId) -> Result<()> {
        self.db.transact(move |conn| Box::pin(store::count_run(conn, id))).await
    }

    /// One entry and its body; of a company, or of any.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn get(&self, company: Option<CompanyId>, id: InboxId) -> Result<(Entry, Vec<u8>)> {
        let found = self.db.read(move |conn| Box::pin(store::find(conn, company, id))).await?;
        found.ok_or(Error::NotFound("Webhook"))
    }

    /// As [`Inbox::get`], for somebody to read: who is not of the company leaves a row in its trail, for bodies hold
    /// what customers entrust to their shop.
    ///
    /// # Errors
    /// `NotFound` when there is none that the asker may see.
    pub async fn open(&self, asker: Asker, id: InboxId) -> Result<(Entry, Vec<u8>)> {
        let own = asker.actor.company();
        let found = self.get(own, id).await?;
        if own.is_none() {
            self.note(asker, id, "inbox.read", &serde_json::json!({})).await?;
        }
        Ok(found)
    }

    /// A page of entries, the newest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list(&self, filter: Filter, after: Option<Cursor>, limit: usize) -> Result<Page<Entry>> {
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut data = self
            .db
            .read(move |conn| Box::pin(async move { store::list(conn, &filter, after, one_more).await }))
            .await?;
        let has_more = data.len() > limit;
        data.truncate(limit);
        let next = data.last().filter(|_| has_more).map(|last| Cursor { at: last.received_at, id: last.id.0 });
        Ok(Page { data, next })
    }

    /// Identifiers of entries after a place, the oldest first: for running them again in the order they came.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list_ascending(&self, filter: Filter, after: Option<Cursor>, limit: usize) -> Result<Page<InboxId>> {
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let list = self
            .db
            .read(move |conn| Box::pin(async move { store::list_ascending(conn, &filter, after, one_more).await }));
        let mut rows = list.await?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|(id, at)| Cursor { at: *at, id: id.0 });
        Ok(Page { data: rows.into_iter().map(|(id, _)| id).collect(), next })
    }

    /// Whether other bodies about the same subject are later than this one.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn later(&self, entry: &Entry) -> Result<Later> {
        let Some(subject) = entry.subject.clone() else { return Ok(Later::default()) };
        let (company, source, id, at) = (entry.company, entry.source, entry.id, entry.occurred_at);
        let others = self
            .db
            .read(move |conn| Box::pin(async move { store::list_of_subject(conn, company, source, &subject).await }));
        let (own, mut later) = ((entry.received_at, id), Later::default());
        for (other, occurred_at, received_at, verdict) in others.await? {
            let counts = other != id && !matches!(verdict, Verdict::Refused | Verdict::Unreadable | Verdict::Ignored);
            later.by_clock |= counts && at.is_some() && occurred_at > at;
            later.by_arrival |= counts && (received_at, other) > own;
        }
        Ok(later)
    }

    /// Entries that wait for this order of the sender's, the oldest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn waiting(&self, company: CompanyId, source: Source, order: String) -> Result<Vec<InboxId>> {
        self.db
            .read(move |conn| Box::pin(async move { store::list_waiting(conn, company, source, &order).await }))
            .await
    }

    /// Entries of which nothing was made and which nobody is at any more, the oldest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn forgotten(&self, limit: i64) -> Result<Vec<InboxId>> {
        let before = self.clock.now().checked_sub(FORGOTTEN_AFTER).map_err(Error::internal)?;
        self.db.read(move |conn| Box::pin(store::list_forgotten(conn, before, limit))).await
    }

    /// Deletes entries received before a moment; says how many.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn delete_before(&self, moment: Timestamp) -> Result<usize> {
        self.db.transact(move |conn| Box::pin(store::delete_before(conn, moment))).await
    }
}

/// Empties the entries of a customer and of these orders, in the transaction of the purge; says how many.
///
/// # Errors
/// `Unavailable` or `Internal`; the transaction must not be committed.
pub async fn purge(conn: &mut Conn, company: CompanyId, contact: &str, orders: &[OrderId]) -> Result<usize> {
    store::purge(conn, company, contact, orders).await
}
