//! Claims jobs and does them: one `match` over what a job is.

use futures_util::future::join_all;

use crate::base::Result;
use crate::jobs::{Claimed, Job, Jobs};
use crate::notify::{ApprovalMail, Notify, PeopleMail};

/// Does queued work. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    jobs: Jobs,
    notify: Notify,
    people: PeopleMail,
    approvals: ApprovalMail,
}

/// Jobs claimed at a time and done at once: one that waited for others while its lease ran out would be done twice.
const AT_ONCE: i64 = 8;

impl Worker {
    /// Takes its work from the queue.
    #[must_use]
    pub fn new(jobs: Jobs, notify: Notify, people: PeopleMail, approvals: ApprovalMail) -> Self {
        Self { jobs, notify, people, approvals }
    }

    /// Does every job that is due, and says how many there were.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach; what was claimed is tried again when its lease has run out.
    pub async fn run_due(&self) -> Result<usize> {
        let mut all = 0;
        loop {
            match self.run_some().await? {
                0 => return Ok(all),
                done => all += done,
            }
        }
    }

    /// Does a few jobs that are due, side by side, and says how many there were.
    ///
    /// # Errors
    /// As [`Worker::run_due`].
    pub async fn run_some(&self) -> Result<usize> {
        let claimed = self.jobs.claim(AT_ONCE).await?;
        let settled = join_all(claimed.into_iter().map(|claimed| self.run_one(claimed))).await;
        let count = settled.len();
        settled.into_iter().collect::<Result<()>>()?;
        Ok(count)
    }

    async fn run_one(&self, claimed: Claimed) -> Result<()> {
        let verdict = match claimed.job {
            Job::StatusLetter { order, seq } => self.notify.status_letter(claimed.id, order, seq).await,
            Job::LinkLetter { order } => self.notify.link_letter(claimed.id, order).await,
            Job::CodeLetter { account, purpose } => self.people.code(claimed.id, account, purpose).await,
            Job::TakenLetter { account } => self.people.taken(claimed.id, account).await,
            Job::KycReceivedLetter { submission } => self.people.kyc_received(claimed.id, submission).await,
            Job::KycDecidedLetter { submission } => self.people.kyc_decided(claimed.id, submission).await,
            Job::ConfirmationLetter { held } => self.notify.confirmation_letter(claimed.id, held).await,
            Job::ApprovalLetters { held } => self.approvals.queue(held).await,
            Job::ApprovalLetter { held, account } => self.approvals.wanted(claimed.id, held, account).await,
            Job::ApprovalDecidedLetter { held } => self.approvals.decided(claimed.id, held).await,
        };
        self.jobs.settle(&claimed, verdict).await
    }
}
