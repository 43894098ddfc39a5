//! The review of a company's business (KYC): it hands in papers, an admin approves or rejects, all of it is kept.
//!
//! What is here: who may hand in when, the decision, and what follows of it in the same transaction: the company becomes
//! active, its webhook secret is made, a letter is queued. Documents are sealed with the deployment's key and lie in the
//! database, where every instance finds them and no web server looks. What is not here: how a document gets here
//! (`web::kyc`), the letters (`notify`).
//!
//! The webhook secret is in no letter: a person of the company asks for it once ([`WebhookSecrets::reveal`]), and the
//! trail tells who did.

pub mod application;
pub mod business;
pub mod countries;
pub mod papers;
mod store;

use jiff::{SignedDuration, Timestamp};

pub use application::{Application, DocumentKind, Limits, Upload};
pub use business::Business;
pub use papers::Media;

use super::WebhookSecrets;
use crate::audit::{self, Record};
use crate::base::id::{AccountId, CompanyId, DocumentId, KycId};
use crate::base::page::{Cursor, Page};
use crate::base::{Actor, Clock, Error, Keys, Result};
use crate::db::Db;
use crate::jobs::{self, Job};

/// Where a submission stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for a decision.
    Submitted,
    /// The company may send and read orders.
    Approved,
    /// Something has to be better.
    Rejected,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Submitted, Self::Approved, Self::Rejected];

    /// Its stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    /// Reads a code.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// A document as lists show it; its bytes are read by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its identifier.
    pub id: DocumentId,
    /// What it is to show.
    pub kind: DocumentKind,
    /// A harmless name.
    pub name: String,
    /// What it is.
    pub media: Media,
    /// Bytes.
    pub size: u64,
}

/// What a company handed in, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Its identifier.
    pub id: KycId,
    /// Whose business it is.
    pub company: CompanyId,
    /// The company's name.
    pub company_name: String,
    /// Where it stands.
    pub state: State,
    /// What the company says.
    pub business: Business,
    /// The person who handed it in.
    pub submitted_by: AccountId,
    /// When.
    pub submitted_at: Timestamp,
    /// Who decided, by name.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// Its documents, in the order they were sent.
    pub documents: Vec<Document>,
}

impl Submission {
    /// How long it has waited at a moment, or had to wait, for its decision.
    #[must_use]
    pub fn waited(&self, now: Timestamp) -> SignedDuration {
        self.decided_at.unwrap_or(now).duration_since(self.submitted_at)
    }
}

/// What a letter about a submission has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// Where the letter goes.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// The company's name.
    pub company: String,
    /// Where the submission stands now.
    pub state: State,
    /// Why it was rejected.
    pub reason: Option<String>,
}

/// Takes papers in and decides on them. Cheap to clone.
#[derive(Clone)]
pub struct Kyc {
    db: Db,
    clock: Clock,
    keys: Keys,
    secrets: WebhookSecrets,
    limits: Limits,
}

/// Longest reason in characters.
const LONGEST_REASON: usize = 1000;

impl Kyc {
    /// The reviews of this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock, keys: Keys, secrets: WebhookSecrets, limits: Limits) -> Self {
        Self { db, clock, keys, secrets, limits }
    }

    /// What may be handed in at a time.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Refuses a company that may hand nothing in now, before anything it sends is read. [`Kyc::submit`] decides.
    ///
    /// # Errors
    /// `Conflict` as [`Kyc::submit`].
    pub async fn check_open(&self, company: CompanyId) -> Result<()> {
        let look = self.db.read(move |conn| {
            Box::pin(async move {
                let is_pending = store::is_pending_company(conn, company).await?;
                Ok((is_pending, store::is_under_review(conn, company).await?))
            })
        });
        match look.await? {
            (false, _) => Err(not_needed()),
            (true, true) => Err(under_review()),
            (true, false) => Ok(()),
        }
    }

    /// Takes in what a person of a pending company sends.
    ///
    /// # Errors
    /// `Conflict` `kyc_under_review` while the last one waits, `kyc_not_needed` when the company is not pending.
    pub async fn submit(&self, by: Actor, sent: Application, request_id: Option<String>) -> Result<KycId> {
        let Actor::Vendor { account, company, .. } = by else {
            return Err(Error::Forbidden("Only people of a company hand in its papers.".into()));
        };
        let (id, now) = (KycId::new(), self.clock.now());
        let detail = serde_json::json!({"documents": sent.papers.len()});
        let record = record(by, company, id, "kyc.submitted", now, request_id, &detail)?;
        let seal = |paper: &application::Paper| self.keys.seal(&seal_of(company), &paper.content);
        let sealed = sent.papers.iter().map(seal).collect::<Result<Vec<_>>>()?;
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    if !store::hold_pending_company(conn, company).await? {
                        return Err(not_needed());
                    }
                    if store::is_under_review(conn, company).await? {
                        return Err(under_review());
                    }
                    store::insert(conn, id, company, account, &sent, sealed, now).await?;
                    audit::record(conn, vec![record]).await?;
                    jobs::enqueue(conn, &[Job::KycReceivedLetter { submission: id }], now).await?;
                    Ok(id)
                })
            })
            .await
    }

    /// Submissions in a state, oldest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list(&self, state: State, after: Option<Cursor>, limit: usize) -> Result<Page<Submission>> {
        let most = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
        let mut data = self.db.read(move |conn| Box::pin(store::list_in_state(conn, state, after, most))).await?;
        let has_more = data.len() > limit;
        data.truncate(limit);
        let last = data.last().filter(|_| has_more);
        let next = last.map(|last| Cursor { at: last.submitted_at, id: last.id.0 });
        Ok(Page { data, next })
    }

    /// How many wait for a decision.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn waiting(&self) -> Result<u64> {
        self.db.read(|conn| Box::pin(store::count_waiting(conn))).await
    }

    /// The submission that has waited longest.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn next_in_queue(&self) -> Result<Option<KycId>> {
        let page = self.list(State::Submitted, None, 1).await?;
        Ok(page.data.first().map(|first| first.id))
    }

    /// One submission.
    ///
    /// # Errors
    /// `NotFound` when there is none of this identifier.
    pub async fn get(&self, id: KycId) -> Result<Submission> {
        let found = self.db.read(move |conn| Box::pin(store::find(conn, id))).await?;
        found.ok_or(Error::NotFound("Submission"))
    }

    /// Everything a company has handed in, newest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn history(&self, company: CompanyId) -> Result<Vec<Submission>> {
        self.db.read(move |conn| Box::pin(store::list_of_company(conn, company))).await
    }

    /// A document with its bytes; that it was read stands in the trail.
    ///
    /// # Errors
    /// `NotFound` when the submission has no such document.
    pub async fn open_document(
        &self,
        by: Actor,
        submission: KycId,
        document: DocumentId,
        request_id: Option<String>,
    ) -> Result<(Document, Vec<u8>)> {
        let now = self.clock.now();
        let found = self.db.transact(move |conn| {
            Box::pin(async move {
                let missing = || Error::NotFound("Document");
                let (company, document, sealed) =
                    store::find_document(conn, submission, document).await?.ok_or_else(missing)?;
                let detail = serde_json::json!({"document": document.id.to_string(), "name": document.name});
                let record = record(by, company, submission, "kyc.document_read", now, request_id, &detail)?;
                audit::record(conn, vec![record]).await?;
                Ok((company, document, sealed))
            })
        });
        let (company, document, sealed) = found.await?;
        let content = self.keys.unseal(&seal_of(company), &sealed);
        let content = content.ok_or_else(|| Error::internal("a document cannot be unsealed: its key is not set"))?;
        Ok((document, content))
    }

    /// Approves: the company becomes active and gets its webhook secret. Of two admins who decide at once one wins.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` `kyc_decided` when it was decided before.
    pub async fn approve(&self, by: Actor, id: KycId, request_id: Option<String>) -> Result<()> {
        let (now, secrets) = (self.clock.now(), self.secrets.clone());
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let company = decide(conn, id, State::Approved, &by, None, now).await?;
                    if !store::activate_company(conn, company).await? {
                        let message = "This company does not wait for approval any more.";
                        return Err(Error::conflict("kyc_not_needed", message));
                    }
                    secrets.mint(conn, company).await?;
                    let detail = serde_json::json!({});
                    audit::record(conn, vec![record(by, company, id, "kyc.approved", now, request_id, &detail)?])
                        .await?;
                    jobs::enqueue(conn, &[Job::KycDecidedLetter { submission: id }], now).await
                })
            })
            .await
    }

    /// Rejects with a reason, which is mailed; the company may hand in again.
    ///
    /// # Errors
    /// `Invalid` without a reason, `NotFound`, `Conflict` `kyc_decided` when it was decided before.
    pub async fn reject(&self, by: Actor, id: KycId, reason: &str, request_id: Option<String>) -> Result<()> {
        let reason = reason.trim().replace("\r\n", "\n");
        let is_text = !reason.contains(|c: char| c.is_control() && c != '\n');
        if !(1..=LONGEST_REASON).contains(&reason.chars().count()) || !is_text {
            let message = format!("Say why, in at most {LONGEST_REASON} characters; the company reads it.");
            return Err(Error::invalid_field("reason", "bad_reason", message));
        }
        let now = self.clock.now();
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let company = decide(conn, id, State::Rejected, &by, Some(&reason), now).await?;
                    let detail = serde_json::json!({"reason": reason});
                    audit::record(conn, vec![record(by, company, id, "kyc.rejected", now, request_id, &detail)?])
                        .await?;
                    jobs::enqueue(conn, &[Job::KycDecidedLetter { submission: id }], now).await
                })
            })
            .await
    }

    /// Whom a letter about a submission goes to, and what it is about.
    ///
    /// # Errors
    /// `NotFound` when the submission or its sender is gone.
    pub async fn addressee(&self, id: KycId) -> Result<Addressee> {
        let found = self.db.read(move |conn| Box::pin(store::find_addressee(conn, id))).await?;
        found.ok_or(Error::NotFound("Submission"))
    }
}

fn not_needed() -> Error {
    Error::conflict("kyc_not_needed", "This company does not wait for approval.")
}

fn under_review() -> Error {
    Error::conflict("kyc_under_review", "What you have sent is being reviewed. We will write to you.")
}

/// What documents are sealed for: they open as their own company's only.
fn seal_of(company: CompanyId) -> String {
    format!("kyc-document:{company}")
}

/// Moves a submission out of the queue; says whose it is.
async fn decide(
    conn: &mut crate::db::Conn,
    id: KycId,
    to: State,
    by: &Actor,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<CompanyId> {
    if let Some(company) = store::decide(conn, id, to, by.name(), reason, now).await? {
        return Ok(company);
    }
    let found = store::find(conn, id).await?.ok_or(Error::NotFound("Submission"))?;
    let who = found.decided_by.unwrap_or_default();
    Err(Error::conflict("kyc_decided", format!("{who} has {} this submission already.", found.state.code())))
}

fn record(
    actor: Actor,
    company: CompanyId,
    id: KycId,
    action: &'static str,
    at: Timestamp,
    request_id: Option<String>,
    detail: &serde_json::Value,
) -> Result<Record> {
    let detail = audit::detail(detail)?;
    Ok(Record {
        actor,
        at,
        company: Some(company),
        subject: "kyc",
        subject_id: id.to_string(),
        action,
        request_id,
        detail,
    })
}
