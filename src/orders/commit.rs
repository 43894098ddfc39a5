//! THE ONE DOOR, its acting half: changes are committed in groups, then announced in the order they were committed.
//!
//! Callers queue; one task takes whatever waits, thinks each change through against the locked rows, and writes order
//! rows, events, audit rows and jobs of the whole group in one transaction. A change that is refused spoils nothing for
//! the others; a group that fails as a whole is tried again one by one. What survives a crash: everything that was
//! answered. The announcement may be lost in one; every reader of the log heals that by its position (see `live`).

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::advance::{Advanced, Change, Decision, decide};
use super::intake::NewOrder;
use super::model::{Event, Order, OrderRef};
use super::status::Status;
use super::store::{self, Entry};
use super::timeline::pick_one;
use crate::audit::{self, Record};
use crate::base::id::{CompanyId, OrderId};
use crate::base::{Actor, Clock, Error, Result};
use crate::db::group::{Grouped, Waiting};
use crate::db::{Conn, Db, is_taken};
use crate::jobs::{self, Job};

/// How many watching customers there were, and how many got the event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Reach {
    /// Live connections in the order's room on all instances.
    pub watchers: u64,
    /// Those the event was handed to.
    pub delivered: u64,
}

/// Tells the world about committed events, in this order. Resolves when they are on their way; each inner future when
/// it is known whom the event has reached.
pub type Announce = Arc<dyn Fn(Vec<Event>) -> BoxFuture<'static, Vec<BoxFuture<'static, Reach>>> + Send + Sync>;

/// The writing half of orders. Cheap to clone.
#[derive(Clone)]
pub struct Orders {
    queue: Grouped<Wish, Advanced>,
}

/// What a caller wants done.
struct Wish {
    actor: Actor,
    request_id: Option<String>,
    what: What,
}

enum What {
    Create(Box<NewOrder>),
    Change(OrderRef, Box<Change>),
}

/// What came of one wish of a group, before it is announced.
type Outcome = Result<Advanced>;
type Answer = tokio::sync::oneshot::Sender<Outcome>;

impl Orders {
    /// Starts the committing and the announcing task. At most `most` changes share a transaction; at most `room` wait.
    #[must_use]
    pub fn start(db: Db, clock: Clock, announce: Announce, most: usize, room: usize) -> Self {
        let runtime = db.runtime().clone();
        let (committed, to_announce) = mpsc::channel(64);
        runtime.spawn(announce_all(to_announce, announce));
        let queue = Grouped::start(&runtime, room, most, move |group| {
            let (db, now, committed) = (db.clone(), clock.now(), committed.clone());
            Box::pin(async move {
                let answered = serve(&db, group, now).await;
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
        self.queue.ask(Wish { actor, request_id, what: What::Change(target, Box::new(change)) }).await
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
        self.queue.ask(Wish { actor, request_id, what: What::Create(Box::new(new)) }).await
    }
}

/// Publishes groups one after the other, so that events of an order leave in the order of their numbers, and answers
/// each caller as soon as it is known whom its event has reached.
async fn announce_all(mut groups: mpsc::Receiver<Vec<(Outcome, Answer)>>, announce: Announce) {
    while let Some(group) = groups.recv().await {
        let events = group.iter().filter_map(|(outcome, _)| outcome.as_ref().ok()?.event.clone()).collect::<Vec<_>>();
        let mut reaches = if events.is_empty() { Vec::new() } else { announce(events).await }.into_iter();
        for (outcome, answer) in group {
            match outcome {
                Ok(mut advanced) if advanced.event.is_some() => {
                    let reach = reaches.next();
                    tokio::spawn(async move {
                        if let Some(reach) = reach {
                            advanced.reach = reach.await;
                        }
                        reply(answer, Ok(advanced));
                    });
                }
                other => reply(answer, other),
            }
        }
    }
}

/// A caller who has gone away needs no answer; what it asked for is done.
fn reply(answer: Answer, outcome: Outcome) {
    answer.send(outcome).unwrap_or_default();
}

async fn serve(db: &Db, group: Vec<Waiting<Wish, Advanced>>, now: Timestamp) -> Vec<(Outcome, Answer)> {
    let (wishes, answers): (Vec<Wish>, Vec<_>) = group.into_iter().map(|waiting| (waiting.ask, waiting.answer)).unzip();
    let wishes = Arc::new(wishes);
    let all = 0..wishes.len();
    let outcomes = match commit(db, wishes.clone(), all.clone(), now).await {
        Ok(outcomes) => outcomes,
        Err(error) if all.len() == 1 => vec![Err(error)],
        Err(error) => {
            tracing::warn!(%error, changes = all.len(), "a group could not be committed; trying its changes one by one");
            one_by_one(db, wishes, now).await
        }
    };
    outcomes.into_iter().zip(answers).collect()
}

async fn one_by_one(db: &Db, wishes: Arc<Vec<Wish>>, now: Timestamp) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(wishes.len());
    for at in 0..wishes.len() {
        let alone = commit(db, wishes.clone(), at..at + 1, now).await;
        outcomes.push(alone.and_then(|mut one| one.pop().unwrap_or_else(|| Err(Error::internal("no outcome")))));
    }
    outcomes
}

async fn commit(
    db: &Db,
    wishes: Arc<Vec<Wish>>,
    which: std::ops::Range<usize>,
    now: Timestamp,
) -> Result<Vec<Outcome>> {
    db.transact(move |conn| Box::pin(async move { write_group(conn, &wishes[which], now).await })).await
}

/// The orders of a group as they stand while its wishes are thought through one after the other.
#[derive(Default)]
struct Ledger {
    orders: HashMap<OrderId, Order>,
    by_number: HashMap<String, Vec<(CompanyId, OrderId)>>,
    by_external_id: HashMap<(CompanyId, String), OrderId>,
    created: Vec<OrderId>,
    changed: Vec<OrderId>,
    written: Vec<Written>,
}

/// An event to be written, and what its rows need beside it.
struct Written {
    wish: usize,
    event: Event,
    from: Option<Status>,
    to: Status,
    is_override: bool,
}

async fn write_group(conn: &mut Conn, wishes: &[Wish], now: Timestamp) -> Result<Vec<Outcome>> {
    let mut ledger = Ledger::read(conn, wishes).await?;
    let outcomes = wishes.iter().enumerate().map(|(at, wish)| ledger.think(at, wish, now)).collect();
    ledger.write(conn, wishes, now).await?;
    Ok(outcomes)
}

impl Ledger {
    /// Finds and locks every order the wishes mean.
    async fn read(conn: &mut Conn, wishes: &[Wish]) -> Result<Self> {
        let (mut ids, mut numbers, mut external_ids) = (Vec::new(), Vec::new(), Vec::new());
        for wish in wishes {
            match &wish.what {
                What::Change(OrderRef::Id(id), _) => ids.push(*id),
                What::Change(OrderRef::Number(number), _) => numbers.push(number.clone()),
                What::Create(new) => {
                    numbers.extend(new.number.clone());
                    external_ids.extend(new.external_id.clone());
                }
            }
        }
        let mut ledger = Self::default();
        if !(numbers.is_empty() && external_ids.is_empty()) {
            for (id, company, number, external_id) in store::find_names(conn, numbers, external_ids).await? {
                ledger.name(id, company, number, external_id);
                ids.push(id);
            }
        }
        ids.sort_unstable();
        ids.dedup();
        if !ids.is_empty() {
            ledger.orders = store::lock_orders(conn, &ids).await?;
        }
        Ok(ledger)
    }

    fn name(&mut self, id: OrderId, company: CompanyId, number: String, external_id: Option<String>) {
        let same = self.by_number.entry(number).or_default();
        if !same.contains(&(company, id)) {
            same.push((company, id));
        }
        if let Some(external_id) = external_id {
            self.by_external_id.insert((company, external_id), id);
        }
    }

    fn think(&mut self, at: usize, wish: &Wish, now: Timestamp) -> Outcome {
        match &wish.what {
            What::Create(new) => self.think_create(at, new, now),
            What::Change(target, change) => self.think_change(at, &wish.actor, target, change, now),
        }
    }

    fn think_change(
        &mut self,
        at: usize,
        actor: &Actor,
        target: &OrderRef,
        change: &Change,
        now: Timestamp,
    ) -> Outcome {
        let id = self.find(actor, target)?;
        let order = self.orders.get(&id).ok_or(Error::NotFound("Order"))?;
        let previous_status = order.status;
        match decide(order, actor, change, now)? {
            Decision::Same => Ok(Advanced::unchanged(order.clone())),
            Decision::Changed { order, event, is_override } => {
                let to = order.status;
                let from = Some(previous_status);
                self.written.push(Written { wish: at, event: event.clone(), from, to, is_override });
                if !self.changed.contains(&id) && !self.created.contains(&id) {
                    self.changed.push(id);
                }
                self.orders.insert(id, (*order).clone());
                let warnings = order.parcel_warnings();
                Ok(Advanced { order: *order, event: Some(event), previous_status, reach: Reach::default(), warnings })
            }
        }
    }

    fn find(&self, actor: &Actor, target: &OrderRef) -> Result<OrderId> {
        match target {
            OrderRef::Id(id) => Ok(*id),
            OrderRef::Number(number) => {
                let all = self.by_number.get(number).map(Vec::as_slice).unwrap_or_default();
                let seen: Vec<OrderId> = all
                    .iter()
                    .filter(|(company, _)| super::policy::reaches(actor, *company))
                    .map(|(_, id)| *id)
                    .collect();
                pick_one(&seen)
            }
        }
    }

    fn think_create(&mut self, at: usize, new: &NewOrder, now: Timestamp) -> Outcome {
        let known = new.external_id.clone().and_then(|id| self.by_external_id.get(&(new.company, id)));
        if let Some(order) = known.and_then(|id| self.orders.get(id)) {
            return Ok(Advanced::unchanged(order.clone()));
        }
        let same_number = new.number.as_ref().and_then(|number| self.by_number.get(number));
        if same_number.is_some_and(|same| same.iter().any(|(company, _)| *company == new.company)) {
            return Err(number_taken());
        }
        let (order, event) = new.clone().into_order(now)?;
        self.name(order.id, order.company, order.number.clone(), order.external_id.clone());
        self.created.push(order.id);
        self.orders.insert(order.id, order.clone());
        let to = order.status;
        self.written.push(Written { wish: at, event: event.clone(), from: None, to, is_override: false });
        let warnings = order.parcel_warnings();
        Ok(Advanced { previous_status: to, order, event: Some(event), reach: Reach::default(), warnings })
    }

    async fn write(self, conn: &mut Conn, wishes: &[Wish], now: Timestamp) -> Result<()> {
        if self.written.is_empty() {
            return Ok(());
        }
        let rows = |ids: &[OrderId]| ids.iter().filter_map(|id| self.orders.get(id)).collect::<Vec<_>>();
        let taken = |error| if is_taken(&error) { number_taken() } else { error.into() };
        if !self.created.is_empty() {
            store::insert_orders(conn, &rows(&self.created)).await.map_err(taken)?;
        }
        if !self.changed.is_empty() {
            store::update_orders(conn, &rows(&self.changed)).await?;
        }
        let entries: Vec<Entry<'_>> = self.written.iter().map(|written| written.entry(wishes, now)).collect();
        store::insert_events(conn, &entries).await?;
        let records = self.written.iter().map(|written| written.record(&wishes[written.wish], now));
        audit::record(conn, records.collect::<Result<_>>()?).await?;
        let letters: Vec<Job> = self.written.iter().filter_map(|written| self.letter(written)).collect();
        jobs::enqueue(conn, &letters, now).await
    }

    /// The letter an event causes: reference/004 names four statuses.
    fn letter(&self, written: &Written) -> Option<Job> {
        let is_told =
            matches!(written.to, Status::Processing | Status::Shipped | Status::Delivered | Status::Cancelled);
        let has_moved = written.from.is_some_and(|from| from != written.to);
        let order = self.orders.get(&written.event.order)?;
        order.customer.email.as_ref()?;
        (is_told && has_moved).then_some(Job::StatusLetter { order: order.id, seq: written.event.seq })
    }
}

impl Written {
    fn kind(&self) -> &'static str {
        match self.from {
            None => "order_created",
            Some(from) if from != self.to => "status_changed",
            Some(_) => "details_changed",
        }
    }

    fn entry<'a>(&'a self, wishes: &'a [Wish], at: Timestamp) -> Entry<'a> {
        let previous_status = self.from.filter(|from| *from != self.to);
        let actor = &wishes[self.wish].actor;
        Entry { event: &self.event, kind: self.kind(), status: self.to, previous_status, actor, at }
    }

    fn record(&self, wish: &Wish, at: Timestamp) -> Result<Record> {
        let fields = match &wish.what {
            What::Change(_, change) => serde_json::to_value(change).map_err(Error::internal)?,
            What::Create(new) => serde_json::json!({"number": new.number, "external_id": new.external_id}),
        };
        let detail = serde_json::json!({
            "seq": self.event.seq, "from": self.from, "to": self.to, "override": self.is_override, "fields": fields,
        });
        Ok(Record {
            actor: wish.actor.clone(),
            at,
            company: Some(self.event.company),
            subject: "order",
            subject_id: self.event.order.to_string(),
            action: match self.kind() {
                "order_created" => "order.created",
                "status_changed" => "order.status_changed",
                _ => "order.details_changed",
            },
            request_id: wish.request_id.clone(),
            detail: audit::detail(&detail)?,
        })
    }
}

impl Advanced {
    fn unchanged(order: Order) -> Self {
        Self {
            previous_status: order.status,
            event: None,
            reach: Reach::default(),
            warnings: order.parcel_warnings(),
            order,
        }
    }
}

fn number_taken() -> Error {
    Error::conflict("number_taken", "The company has an order of this number already; change that one, or use another.")
}
