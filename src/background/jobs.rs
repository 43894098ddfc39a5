//! Claims jobs and does them: one `match` over what a job is.

use futures_util::stream::{self, StreamExt as _};

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

/// Jobs claimed at a time, and how many of them are done at once.
const CLAIM: i64 = 32;
const AT_ONCE: usize = 8;

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
        let mut done = 0;
        loop {
            let claimed = self.jobs.claim(CLAIM).await?;
            if claimed.is_empty() {
                return Ok(done);
            }
            done += claimed.len();
            let settled = stream::iter(claimed).map(|claimed| self.run_one(claimed)).buffer_unordered(AT_ONCE);
            settled.collect::<Vec<_>>().await.into_iter().collect::<Result<()>>()?;
        }
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
