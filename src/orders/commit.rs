//! THE ONE DOOR, its acting half: changes are committed in groups, then announced in the order they were committed.
//!
//! Callers queue; one task takes whatever waits, thinks each change through against the locked rows, and writes order
//! rows, events, audit rows and jobs of the whole group in one transaction. A change that is refused spoils nothing for
//! the others; a group that fails as a whole is tried again, then one by one, unless the database is away. What survives a
//! crash: everything that was answered. The announcement may be lost in one; every reader of the log heals that by its
//! position (see `live`).

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::advance::{Advanced, Change};
use super::intake::NewOrder;
use super::ledger::write_group;
use super::model::{Event, OrderRef};
use super::wish::{Outcome, What, Wish};
use super::workflow::Patience;
use crate::base::{Actor, Clock, Error, Result};
use crate::db::group::{Grouped, Waiting};
use crate::db::{Db, was_rolled_back};
use crate::telemetry::{Metrics, OutcomeLabel};
use crate::wallet::Terms;

/// How many watching customers there were, and how many got the event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Reach {
    /// Live connections in the order's room on all instances.
    pub watchers: u64,
    /// Those the event was handed to.
    pub delivered: u64,
}

/// Most orders of one [`Orders::advance_all`].
pub const MOST_ROWS: usize = 500;

/// Is told whom each of a caller's events has reached, once: on whatever thread learns it, so it must be quick.
pub type Told = Box<dyn FnOnce(Vec<Reach>) + Send>;

/// The committed events of one caller, at least one.
pub struct Telling {
    /// The events.
    pub events: Vec<Event>,
    /// Whom to tell about their reach.
    pub told: Told,
}

/// Tells the world about committed events, in this order. Resolves when they are on their way.
pub type Announce = Arc<dyn Fn(Vec<Telling>) -> BoxFuture<'static, ()> + Send + Sync>;

/// The writing half of orders. Cheap to clone.
#[derive(Clone)]
pub struct Orders {
    queue: Grouped<Wish, Vec<Outcome>>,
}

/// What came of one wish: of each of its rows, or of the whole group it was written with.
type Outcomes = Result<Vec<Outcome>>;
type Answer = tokio::sync::oneshot::Sender<Outcomes>;

impl Orders {
    /// Starts the committing and the announcing task. At most `most` changes share a transaction; at most `room` wait.
    /// With the terms of money comes how long moves wait for somebody's word where their company does not say.
    #[must_use]
    pub fn start(
        db: Db,
        clock: Clock,
        announce: Announce,
        metrics: Metrics,
        terms: (Terms, Patience),
        (most, room): (usize, usize),
    ) -> Self {
        let runtime = db.runtime().clone();
        let (committed, to_announce) = mpsc::channel(64);
        runtime.spawn(announce_all(to_announce, announce, metrics));
        let queue = Grouped::start(&runtime, room, most, move |group| {
            let (db, now, committed) = (db.clone(), clock.now(), committed.clone());
            Box::pin(async move {
                let answered = serve(&db, group, terms, now).await;
                // The receiver lives as long as this sender; were it gone, dropping the answers tells the callers.
                committed.send(answered).await.unwrap_or_default();
            })
        });
        Self { queue }
    }

    /// Changes an order: status, details, or both. Asking for what is so already is success and writes nothing.
    ///
    /// # Errors
    /// `NotFound` when there is no such order for the actor, `Invalid` when a rule is broken, `Conflict` when it has
    /// moved on, `Unavailable` when it could not be committed: then nothing was changed, or, when the connection broke
    /// at the very commit, all of it was, and asking again is answered as a repeat.
    pub async fn advance(
        &self,
        actor: Actor,
        target: OrderRef,
        change: Change,
        request_id: Option<String>,
    ) -> Result<Advanced> {
        self.ask_one(actor, request_id, What::Change(target, Box::new(change))).await
    }

    /// Changes several orders in one transaction: all of them or, when one is refused, none. The outcomes stand in the
    /// order of the rows. After a refusal, and on a dry run, the others tell what they would have been; nothing is
    /// written then and none has an event. At most [`MOST_ROWS`] rows.
    ///
    /// # Errors
    /// `Invalid` when there are too many rows, `Unavailable` as [`Orders::advance`]; of a single row its outcome tells.
    pub async fn advance_all(
        &self,
        actor: Actor,
        changes: Vec<(OrderRef, Change)>,
        is_dry_run: bool,
        request_id: Option<String>,
    ) -> Result<Vec<Result<Advanced>>> {
        if changes.len() > MOST_ROWS {
            return Err(Error::invalid("too_many_rows", format!("At most {MOST_ROWS} rows at a time")));
        }
        let rows = changes.into_iter().map(|(target, change)| What::Change(target, Box::new(change))).collect();
        self.queue.ask(Wish { actor, request_id, rows, is_dry_run }).await
    }

    /// Makes an order known. A repeat (same company and external id) gives the order there is, without an event.
    ///
    /// # Errors
    /// `Invalid` when a field breaks a rule, `Conflict` when the number is taken, `Unavailable` as [`Orders::advance`].
    pub async fn create(&self, actor: Actor, new: NewOrder, request_id: Option<String>) -> Result<Advanced> {
        new.check()?;
        if !super::policy::reaches(&actor, new.company) {
            return Err(Error::Forbidden("This credential belongs to another company".into()));
        }
        self.ask_one(actor, request_id, What::Create(Box::new(new))).await
    }

    async fn ask_one(&self, actor: Actor, request_id: Option<String>, what: What) -> Result<Advanced> {
        let mut outcomes = self.queue.ask(Wish { actor, request_id, rows: vec![what], is_dry_run: false }).await?;
        outcomes.pop().unwrap_or_else(|| Err(Error::internal("no outcome")))
    }
}

/// Publishes groups one after the other, so that events of an order leave in the order of their numbers; each caller is
/// answered as soon as it is known whom its events have reached.
async fn announce_all(mut groups: mpsc::Receiver<Vec<(Outcomes, Answer)>>, announce: Announce, metrics: Metrics) {
    while let Some(group) = groups.recv().await {
        count(&metrics, &group);
        let mut tellings = Vec::with_capacity(group.len());
        for (mut outcomes, answer) in group {
            let rows = outcomes.iter().flatten().flatten();
            let events: Vec<Event> = rows.filter_map(|advanced| advanced.event.clone()).collect();
            if events.is_empty() {
                reply(answer, outcomes);
                continue;
            }
            let told = Box::new(move |reaches: Vec<Reach>| {
                let rows = outcomes.iter_mut().flatten().flatten();
                let rows = rows.filter(|advanced| advanced.event.is_some());
                rows.zip(reaches).for_each(|(advanced, reach)| advanced.reach = reach);
                reply(answer, outcomes);
            });
            tellings.push(Telling { events, told });
        }
        if !tellings.is_empty() {
            announce(tellings).await;
        }
    }
}

/// Counts what came of a group, each kind at once.
fn count(metrics: &Metrics, group: &[(Outcomes, Answer)]) {
    let (mut changed, mut same, mut refused) = (0, 0, 0);
    for (outcomes, _) in group {
        let Ok(rows) = outcomes else {
            refused += 1;
            continue;
        };
        for row in rows {
            match row {
                Ok(advanced) if advanced.event.is_some() => changed += 1,
                Ok(_) => same += 1,
                Err(_) => refused += 1,
            }
        }
    }
    metrics.events.inc_by(changed);
    for (outcome, count) in [("changed", changed), ("same", same), ("refused", refused)] {
        if count > 0 {
            metrics.updates.get_or_create(&OutcomeLabel { outcome }).inc_by(count);
        }
    }
}

/// A caller who has gone away needs no answer; what it asked for is done.
fn reply(answer: Answer, outcomes: Outcomes) {
    answer.send(outcomes).unwrap_or_default();
}

async fn serve(
    db: &Db,
    group: Vec<Waiting<Wish, Vec<Outcome>>>,
    terms: (Terms, Patience),
    now: Timestamp,
) -> Vec<(Outcomes, Answer)> {
    let (wishes, answers): (Vec<Wish>, Vec<_>) = group.into_iter().map(|waiting| (waiting.ask, waiting.answer)).unzip();
    let wishes = Arc::new(wishes);
    let all = 0..wishes.len();
    let mut outcomes = commit(db, wishes.clone(), all.clone(), terms, now).await;
    if outcomes.as_ref().is_err_and(was_crossed) {
        outcomes = commit(db, wishes.clone(), all.clone(), terms, now).await;
    }
    let outcomes = match outcomes {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        // It may have been committed, the answer alone lost. Trying again here could make an order twice, or refuse by its
        // position what has just been done: the callers decide.
        Err(error @ Error::Unavailable(..)) if !was_rolled_back(&error) => {
            tracing::warn!(%error, cause = std::error::Error::source(&error), changes = all.len(), "a group could not be committed");
            all.map(|_| Err(Error::Unavailable("The database".into(), None))).collect()
        }
        Err(error) if all.len() == 1 => vec![Err(error)],
        Err(error) => {
            tracing::warn!(%error, changes = all.len(), "could not be committed; trying again one by one");
            one_by_one(db, wishes, terms, now).await
        }
    };
    outcomes.into_iter().zip(answers).collect()
}

/// Whether a group failed only for what another group or instance did meanwhile: it took a name between our look and our
/// writing, or each waited for the other. Looking again finds its order, which is what a repeat wants, or tells that the
/// number is taken.
fn was_crossed(error: &Error) -> bool {
    matches!(error, Error::Conflict(_)) || was_rolled_back(error)
}

async fn one_by_one(db: &Db, wishes: Arc<Vec<Wish>>, terms: (Terms, Patience), now: Timestamp) -> Vec<Outcomes> {
    let mut outcomes = Vec::with_capacity(wishes.len());
    for at in 0..wishes.len() {
        let mut alone = commit(db, wishes.clone(), at..at + 1, terms, now).await;
        if alone.as_ref().is_err_and(was_crossed) {
            alone = commit(db, wishes.clone(), at..at + 1, terms, now).await;
        }
        outcomes.push(alone.and_then(|mut one| one.pop().ok_or_else(|| Error::internal("no outcome"))));
    }
    outcomes
}

async fn commit(
    db: &Db,
    wishes: Arc<Vec<Wish>>,
    which: std::ops::Range<usize>,
    terms: (Terms, Patience),
    now: Timestamp,
) -> Result<Vec<Vec<Outcome>>> {
    db.transact(move |conn| Box::pin(async move { write_group(conn, &wishes[which], terms, now).await })).await
}
