//! Second persons: who asked for a step that needs one is named, and somebody else of the company, or who runs the
//! platform, approves or refuses it before it expires. The step itself goes through the one door, as the approver.

use super::commit::Orders;
use super::policy;
use super::workflow::held::{Held, Leave, State};
use super::workflow::store::{self, Decided};
use super::workflow::{Gate, Seeking, record};
use super::{Advanced, OrderRef};
use crate::audit;
use crate::base::id::HeldId;
use crate::base::page::{Cursor, Page};
use crate::base::{Actor, Clock, Error, Result};
use crate::db::Db;
use crate::jobs::{self, Job};

/// Decides about steps that wait for approval. Cheap to clone.
#[derive(Clone)]
pub struct Approvals {
    db: Db,
    clock: Clock,
    orders: Orders,
}

/// Longest reason, in characters.
pub const LONGEST_REASON: usize = 1000;

/// Steps that expire in one sweep's turn.
const AT_ONCE: i64 = 200;

impl Approvals {
    /// The approvals in this database; approved steps are made through `orders`.
    #[must_use]
    pub fn new(db: Db, clock: Clock, orders: Orders) -> Self {
        Self { db, clock, orders }
    }

    /// A page of moves that wait or waited, of those the caller may see, the newest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list(
        &self,
        actor: &Actor,
        seeking: Seeking,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Held>> {
        let seeking = Seeking { company: actor.company().or(seeking.company), ..seeking };
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let list = self.db.read(move |conn| Box::pin(store::list_held(conn, seeking, after, one_more)));
        let mut data = list.await?;
        let has_more = data.len() > limit;
        data.truncate(limit);
        let next = data.last().filter(|_| has_more).map(|last| Cursor { at: last.asked_at, id: last.id.0 });
        Ok(Page { data, next })
    }

    /// A move the caller may see.
    ///
    /// # Errors
    /// `NotFound` when there is none of this word.
    pub async fn get(&self, actor: &Actor, id: HeldId, gate: Gate) -> Result<Held> {
        let found = self.db.read(move |conn| Box::pin(store::find_held(conn, id))).await?;
        let noun = if gate == Gate::Approval { "Approval" } else { "Confirmation" };
        found.filter(|held| held.gate == gate && policy::reaches(actor, held.company)).ok_or(Error::NotFound(noun))
    }

    /// Approves a step and makes it. Approved again by the same person it is success and writes nothing.
    ///
    /// # Errors
    /// `Forbidden` to whoever asked for it, `Conflict` when it was decided, has expired, or the order has moved on.
    pub async fn approve(
        &self,
        actor: Actor,
        id: HeldId,
        reason: Option<String>,
        request_id: Option<String>,
    ) -> Result<Advanced> {
        super::advance::check_text(reason.as_deref(), "reason", LONGEST_REASON)?;
        let held = self.get(&actor, id, Gate::Approval).await?;
        let change = held.change(Leave::Approved { held: id, reason });
        self.orders.advance(actor, OrderRef::Id(held.order), change, request_id).await
    }

    /// Refuses a step, or takes back what one has asked for. Refused again it is as it was.
    ///
    /// # Errors
    /// `Invalid` without a reason, `Conflict` when it was decided otherwise.
    pub async fn refuse(&self, actor: Actor, id: HeldId, reason: String, request_id: Option<String>) -> Result<Held> {
        super::advance::check_text(Some(&reason), "reason", LONGEST_REASON)?;
        if reason.trim().is_empty() {
            return Err(Error::invalid_field("reason", "required", "Say why, so that whoever asked can do better."));
        }
        let held = self.get(&actor, id, Gate::Approval).await?;
        if held.state == State::Refused && held.decided_by.as_deref() == Some(actor.name()) {
            return Ok(held);
        }
        let at = self.clock.now();
        if held.state == State::Waiting && held.due_at <= at {
            return Err(Error::conflict("expired", "Nobody decided in time; the move must be asked for again."));
        }
        let decided = Decided { state: State::Refused, by: actor.name().to_owned(), at, reason: Some(reason) };
        self.close(actor, held, decided, request_id).await
    }

    async fn close(&self, actor: Actor, held: Held, decided: Decided, request_id: Option<String>) -> Result<Held> {
        let write = self.db.transact(move |conn| {
            Box::pin(async move {
                if !store::decide(conn, held.id, State::Waiting, &decided).await? {
                    let now = store::find_held(conn, held.id).await?.unwrap_or(held);
                    return Err(now.decided());
                }
                let (state, by, at) = (decided.state, Some(decided.by), decided.at);
                let held = Held { state, decided_by: by, decided_at: Some(at), reason: decided.reason, ..held };
                audit::record(conn, vec![record(actor, &held, request_id, at)?]).await?;
                jobs::enqueue(conn, &[Job::ApprovalDecidedLetter { held: held.id }], at).await?;
                Ok(held)
            })
        });
        write.await
    }

    /// Lets what nobody decided about in time expire; says how many there were. On many instances at once each expires
    /// once.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn sweep(&self) -> Result<usize> {
        let now = self.clock.now();
        let due = self.db.read(move |conn| Box::pin(store::list_due(conn, Gate::Approval, now, None, AT_ONCE))).await?;
        let mut expired = 0;
        for held in due {
            let actor = Actor::System("expiry");
            let decided = Decided { state: State::Expired, by: actor.name().to_owned(), at: now, reason: None };
            match self.close(actor, held, decided, None).await {
                Ok(_) => expired += 1,
                Err(Error::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(expired)
    }
}
