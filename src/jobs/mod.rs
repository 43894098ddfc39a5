//! The durable queue: work that must happen after a change, written in the change's own transaction.
//!
//! What is here: what a job is, queueing it, claiming it with a lease, finishing it, and giving up on it. What is not:
//! doing it; that is `background::jobs`. A job may be done twice (a lease that runs out, a crash after the work), so the
//! work must bear it.

pub mod backoff;
mod store;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::base::id::{AccountId, HeldId, JobId, KycId, OrderId};
use crate::base::{Clock, Error, Result};
use crate::db::{Conn, Db};

/// Work to be done. Holds plain ids; what it needs it reads when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    /// Tell the customer by mail that the order has reached a status. `seq` is the event's number.
    StatusLetter {
        /// The order.
        order: OrderId,
        /// Its event.
        seq: i64,
    },
    /// Send the customer a fresh tracking link.
    LinkLetter {
        /// The order.
        order: OrderId,
    },
    /// Make the one-time code that was asked for, and mail it. The code itself stands in no row of the queue.
    CodeLetter {
        /// Whom it is for.
        account: AccountId,
        /// What it proves.
        purpose: CodePurpose,
    },
    /// Tell the owner of an address that somebody has tried to sign up with it.
    TakenLetter {
        /// The owner.
        account: AccountId,
    },
    /// Confirm by mail that a company's papers have come in.
    KycReceivedLetter {
        /// What was handed in.
        submission: KycId,
    },
    /// Tell by mail what was decided about a company's papers.
    KycDecidedLetter {
        /// What was handed in.
        submission: KycId,
    },
    /// Ask the customer by mail to confirm a move.
    ConfirmationLetter {
        /// The move that waits.
        held: HeldId,
    },
    /// Queue a letter for each person who may approve a move.
    ApprovalLetters {
        /// The move that waits.
        held: HeldId,
    },
    /// Ask one person by mail to approve a move.
    ApprovalLetter {
        /// The move that waits.
        held: HeldId,
        /// Who is asked.
        account: AccountId,
    },
    /// Tell by mail what was decided about a move, to whoever asked for it.
    ApprovalDecidedLetter {
        /// The move.
        held: HeldId,
    },
}

/// What a one-time code proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodePurpose {
    /// That an address belongs to whoever signed up with it.
    Verify,
    /// That whoever forgot the password reads the account's mail.
    Reset,
    /// That whoever was invited reads the mail.
    Invite,
}

impl CodePurpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Verify, Self::Reset, Self::Invite];

    /// As it is stored.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::Invite => "invite",
        }
    }
}

impl Job {
    fn kind(&self) -> &'static str {
        match self {
            Self::StatusLetter { .. } => "status_letter",
            Self::LinkLetter { .. } => "link_letter",
            Self::CodeLetter { .. } => "code_letter",
            Self::TakenLetter { .. } => "taken_letter",
            Self::KycReceivedLetter { .. } => "kyc_received_letter",
            Self::KycDecidedLetter { .. } => "kyc_decided_letter",
            Self::ConfirmationLetter { .. } => "confirmation_letter",
            Self::ApprovalLetters { .. } => "approval_letters",
            Self::ApprovalLetter { .. } => "approval_letter",
            Self::ApprovalDecidedLetter { .. } => "approval_decided_letter",
        }
    }

    /// At most one such job waits at a time.
    fn dedupe_key(&self) -> Option<String> {
        match self {
            Self::StatusLetter { order, seq } => Some(format!("status_letter:{order}:{seq}")),
            Self::LinkLetter { .. } | Self::CodeLetter { .. } | Self::TakenLetter { .. } => None,
            Self::KycReceivedLetter { submission } => Some(format!("kyc_received_letter:{submission}")),
            Self::KycDecidedLetter { submission } => Some(format!("kyc_decided_letter:{submission}")),
            Self::ConfirmationLetter { held }
            | Self::ApprovalLetters { held }
            | Self::ApprovalDecidedLetter { held } => Some(format!("{}:{held}", self.kind())),
            Self::ApprovalLetter { held, account } => Some(format!("approval_letter:{held}:{account}")),
        }
    }
}

/// A job taken for the time of its lease.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Its identifier.
    pub id: JobId,
    /// What to do.
    pub job: Job,
    /// How often it was tried before.
    pub attempts: u32,
}

/// What came of trying a job.
#[derive(Debug)]
pub enum Verdict {
    /// It is done.
    Done,
    /// It failed in a way that may pass.
    Retry(Error),
    /// Trying again is of no use.
    GiveUp(Error),
}

/// How many jobs are waiting, and how many were given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting or being done.
    pub queued: i64,
    /// Given up; kept for a person to look at.
    pub dead: i64,
}

/// The queue. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    db: Db,
    clock: Clock,
}

/// How long a claimed job is left alone before another instance may take it.
const LEASE: SignedDuration = SignedDuration::from_secs(120);

/// Queues jobs in the transaction of the change that causes them.
///
/// # Errors
/// `Unavailable` or `Internal`; the transaction must not be committed.
pub async fn enqueue(conn: &mut Conn, jobs: &[Job], now: Timestamp) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    store::insert(conn, jobs, now).await
}

impl Jobs {
    /// The queue in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Queues one job by itself.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn push(&self, job: Job) -> Result<()> {
        let now = self.clock.now();
        self.db.transact(move |conn| Box::pin(async move { enqueue(conn, &[job], now).await })).await
    }

    /// Takes at most `limit` jobs that are due; no other instance gets them while the lease lasts.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn claim(&self, limit: i64) -> Result<Vec<Claimed>> {
        let now = self.clock.now();
        let until = now.checked_add(LEASE).map_err(Error::internal)?;
        let taken = self.db.transact(move |conn| Box::pin(store::claim(conn, now, until, limit))).await?;
        let mut claimed = Vec::with_capacity(taken.len());
        for (id, payload, attempts) in taken {
            let attempts = u32::try_from(attempts).unwrap_or_default();
            match serde_json::from_str(&payload) {
                Ok(job) => claimed.push(Claimed { id, job, attempts }),
                // Of a newer instance, perhaps: it must not keep the others waiting, and may be understood later.
                Err(error) => self.book(id, "unknown", attempts + 1, Verdict::Retry(Error::internal(error))).await?,
            }
        }
        Ok(claimed)
    }

    /// Books what came of a job: gone, due again later, or dead.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach; the lease then runs out and the job is tried again.
    pub async fn settle(&self, claimed: &Claimed, verdict: Verdict) -> Result<()> {
        self.book(claimed.id, claimed.job.kind(), claimed.attempts + 1, verdict).await
    }

    async fn book(&self, id: JobId, kind: &'static str, attempts: u32, verdict: Verdict) -> Result<()> {
        let now = self.clock.now();
        let (error, delay) = match verdict {
            Verdict::Done => return self.db.transact(move |conn| Box::pin(store::delete(conn, id))).await,
            Verdict::Retry(error) => (error, backoff::delay(attempts)),
            Verdict::GiveUp(error) => (error, None),
        };
        let run_at = delay.map(|delay| later(now, delay)).transpose()?;
        tracing::warn!(job.id = %id, job.kind = kind, attempts, %error, dead = run_at.is_none(), "job failed");
        let error = error.to_string();
        let attempts = i32::try_from(attempts).unwrap_or(i32::MAX);
        self.db
            .transact(move |conn| Box::pin(async move { store::fail(conn, id, attempts, run_at, &error).await }))
            .await
    }

    /// How many jobs there are.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn counts(&self) -> Result<Counts> {
        self.db.read(|conn| Box::pin(store::counts(conn))).await
    }
}

fn later(now: Timestamp, delay: Duration) -> Result<Timestamp> {
    now.checked_add(delay).map_err(Error::internal)
}
