//! What companies' own workflows have to say about a group of wishes, and what the wishes leave behind there: the part of
//! the one door that knows them. Nothing is read for a group that neither makes an order nor comes from a vendor.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::graph::Gate;
use super::held::{Held, How, Leave, State, Wished};
use super::store::{self, Decided};
use super::{Patience, Version, Workflow};
use crate::audit::{self, Record};
use crate::base::id::{AccountId, CompanyId, HeldId, OrderId};
use crate::base::{Actor, Error, Result};
use crate::db::Conn;
use crate::jobs::{self, Job};
use crate::orders::advance::Change;
use crate::orders::model::Order;
use crate::orders::status::{Move, Rules, Status, judge};
use crate::orders::wish::{What, Wish};
use crate::wallet::{Till, till};

/// Which row of which wish.
type Cause = (usize, usize);

/// The workflows of a group, and what came of its wishes so far.
#[derive(Clone, Default)]
pub(in crate::orders) struct Ways {
    patience: Patience,
    /// What new orders of a company begin with.
    current: HashMap<CompanyId, Arc<Workflow>>,
    /// What an order began with.
    followed: HashMap<OrderId, Arc<Workflow>>,
    /// What an order waits for.
    open: HashMap<OrderId, HeldId>,
    known: HashMap<HeldId, Held>,
    /// Those of them whose order has changed its status since.
    moved: HashSet<HeldId>,
    begun: Vec<(OrderId, CompanyId, Version)>,
    asked: Vec<(Cause, HeldId)>,
    /// With the state they were in.
    settled: Vec<(Cause, HeldId, State)>,
}

impl Ways {
    /// Reads what the wishes need; `orders` are those they mean.
    pub async fn read(conn: &mut Conn, wishes: &[Wish], orders: &[OrderId], patience: Patience) -> Result<Self> {
        let mut ways = Self { patience, ..Self::default() };
        let (mut companies, mut given, mut is_vendors) = (Vec::new(), Vec::new(), false);
        for wish in wishes {
            is_vendors |= Rules::from(&wish.actor) == Rules::Vendor;
            for what in &wish.rows {
                match what {
                    What::Create(new) => companies.push(new.company),
                    What::Change(_, change) => given.extend(change.leave.as_ref().map(Leave::held)),
                }
            }
        }
        if !companies.is_empty() {
            companies.sort_unstable();
            companies.dedup();
            let current = store::find_current(conn, companies).await?;
            ways.current = current.into_iter().map(|(company, one)| (company, Arc::new(one))).collect();
        }
        if is_vendors {
            let followed = store::find_followed(conn, orders.to_vec()).await?;
            ways.followed = followed.into_iter().map(|(order, one)| (order, Arc::new(one))).collect();
        }
        if !(ways.followed.is_empty() && given.is_empty()) {
            ways.read_held(conn, given).await?;
        }
        Ok(ways)
    }

    async fn read_held(&mut self, conn: &mut Conn, given: Vec<HeldId>) -> Result<()> {
        for held in store::find_open(conn, self.followed.keys().copied().collect(), given).await? {
            if store::has_moved(conn, held.order, held.seq).await? {
                self.moved.insert(held.id);
            }
            if matches!(held.state, State::Waiting | State::Disputed) {
                self.open.insert(held.order, held.id);
            }
            self.known.insert(held.id, held);
        }
        Ok(())
    }

    /// Has the money of orders whose customers object kept from being released. Nothing is read where no vendor of the
    /// marketplace is concerned.
    pub async fn hold_back(conn: &mut Conn, till: &mut Till) -> Result<()> {
        if !till.orders().is_empty() {
            let disputed = store::find_disputed(conn, till.orders()).await?;
            till.hold_back(disputed);
        }
        Ok(())
    }

    /// Where an order of the company begins that comes without a status.
    pub fn initial(&self, company: CompanyId) -> Option<Status> {
        self.current.get(&company).map(|workflow| workflow.graph.initial)
    }

    /// Keeps what a new order begins with.
    pub fn begin(&mut self, order: &Order) {
        if let Some(workflow) = self.current.get(&order.company) {
            self.begun.push((order.id, order.company, workflow.version));
            self.followed.insert(order.id, Arc::clone(workflow));
        }
    }

    /// Judges a wish to change the status: by the leave that comes with it, else by the actor's rules, which are the
    /// company's own for its people.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden` or `Conflict` when the leave is none; `Conflict` while a customer's objection is open.
    pub fn judge(&self, order: &Order, actor: &Actor, change: &Change, to: Status, now: Timestamp) -> Result<Move> {
        if let Some(leave) = &change.leave {
            let held = self.known.get(&leave.held()).filter(|held| held.order == order.id);
            let held = held.ok_or(Error::NotFound("Waiting move"))?;
            return held.judge(order, actor, leave, self.moved.contains(&held.id), now);
        }
        let rules = Rules::from(actor);
        let Some(workflow) = self.followed.get(&order.id).filter(|_| rules == Rules::Vendor) else {
            return Ok(judge(rules, order.status, to));
        };
        let verdict = workflow.graph.judge(order.status, to);
        match self.waiting(order) {
            Some(held) if held.state == State::Disputed && verdict != Move::Same => Err(held.decided()),
            _ => Ok(verdict),
        }
    }

    fn waiting(&self, order: &Order) -> Option<&Held> {
        self.known.get(self.open.get(&order.id)?)
    }

    /// Lets a move wait for somebody's word. Asked for again, it is the one that waits already.
    ///
    /// # Errors
    /// `Conflict` when the order waits for another; `Forbidden` when no person asks.
    pub fn hold(
        &mut self,
        cause: Cause,
        order: &Order,
        (actor, change, gate): (&Actor, &Change, Gate),
        now: Timestamp,
    ) -> Result<Held> {
        let to = change.status.unwrap_or(order.status);
        if let Some(held) = self.waiting(order).cloned() {
            let is_over = self.moved.contains(&held.id) || held.from != order.status;
            if !is_over && held.to == to && held.gate == gate {
                return Ok(held);
            }
            if !is_over {
                let message = format!("The order waits already: a move to {} was asked for.", held.to);
                return Err(Error::conflict("move_waiting", message));
            }
            self.close(cause, held.id, State::Superseded, None, now);
        }
        let held = self.new_held(order, actor, change, to, gate, now)?;
        self.open.insert(order.id, held.id);
        self.known.insert(held.id, held.clone());
        self.asked.push((cause, held.id));
        Ok(held)
    }

    fn new_held(
        &self,
        order: &Order,
        actor: &Actor,
        change: &Change,
        to: Status,
        gate: Gate,
        now: Timestamp,
    ) -> Result<Held> {
        let asked_by = person(actor)?;
        let graph = self.followed.get(&order.id).map(|workflow| &workflow.graph);
        let hours = match gate {
            Gate::Approval => graph.and_then(|graph| graph.approval_hours).unwrap_or(self.patience.approval_hours),
            Gate::Confirmation => {
                24 * graph.and_then(|graph| graph.auto_confirm_days).unwrap_or(self.patience.auto_confirm_days)
            }
        };
        let due_at = now.checked_add(SignedDuration::from_hours(i64::from(hours))).map_err(Error::internal)?;
        Ok(Held {
            id: HeldId::new(),
            order: order.id,
            company: order.company,
            gate,
            from: order.status,
            to,
            wish: Wished::from(change),
            seq: order.seq,
            asked_by,
            asked_by_name: actor.name().to_owned(),
            asked_at: now,
            due_at,
            state: State::Waiting,
            tries: 0,
            decided_by: None,
            decided_at: None,
            reason: None,
        })
    }

    /// Books the word that was given for a move which is made now, and what it means for the order's money.
    ///
    /// # Errors
    /// `Internal` when it cannot be put in words for the audit trail.
    pub fn settle(&mut self, place: Cause, cause: till::Cause<'_>, leave: &Leave, till: &mut Till) -> Result<()> {
        let fresh = self.known.get(&leave.held()).filter(|held| held.state != leave.state());
        let Some(order) = fresh.map(|held| held.order) else { return Ok(()) };
        match leave {
            Leave::Confirmed { how, .. } if *how != How::Time => till.release(cause, order),
            Leave::Dismissed { .. } => till.unfreeze(cause, order)?,
            Leave::Confirmed { .. } | Leave::Approved { .. } => {}
        }
        self.close(place, leave.held(), leave.state(), Some((cause.actor, leave.reason())), cause.at);
        Ok(())
    }

    fn close(&mut self, cause: Cause, id: HeldId, to: State, by: Option<(&Actor, Option<String>)>, now: Timestamp) {
        let Some(held) = self.known.get_mut(&id) else { return };
        self.settled.push((cause, id, held.state));
        held.state = to;
        held.decided_at = Some(now);
        if let Some((actor, reason)) = by {
            held.decided_by = Some(actor.name().to_owned());
            held.reason = reason;
        }
        if self.open.get(&held.order) == Some(&id) {
            self.open.remove(&held.order);
        }
    }

    /// Writes what came of the wishes, in their transaction, after the orders.
    ///
    /// # Errors
    /// `Conflict` when somebody else has decided meanwhile; nothing must be committed then.
    pub async fn write(self, conn: &mut Conn, wishes: &[Wish], now: Timestamp) -> Result<()> {
        if !self.begun.is_empty() {
            store::insert_begun(conn, &self.begun).await?;
        }
        let (mut records, mut letters) = (Vec::new(), Vec::new());
        for (cause, id, from) in &self.settled {
            let Some(held) = self.known.get(id) else { continue };
            let by = held.decided_by.clone().unwrap_or_default();
            let decided = Decided { state: held.state, by, at: now, reason: held.reason.clone() };
            if !store::decide(conn, *id, *from, &decided).await? {
                return Err(Error::conflict("already_decided", "Somebody else has decided about this meanwhile."));
            }
            records.push(record(&wishes[cause.0], held, now)?);
            if held.state == State::Approved {
                letters.push(Job::ApprovalDecidedLetter { held: held.id });
            }
        }
        let asked: Vec<Held> = self.asked.iter().filter_map(|(_, id)| self.known.get(id)).cloned().collect();
        if !asked.is_empty() {
            store::insert_held(conn, &asked).await?;
        }
        for ((cause, _), held) in self.asked.iter().zip(&asked) {
            records.push(record(&wishes[cause.0], held, now)?);
            letters.push(match held.gate {
                Gate::Approval => Job::ApprovalLetters { held: held.id },
                Gate::Confirmation => Job::ConfirmationLetter { held: held.id },
            });
        }
        audit::record(conn, records).await?;
        jobs::enqueue(conn, &letters, now).await
    }
}

/// The person who asks for a move that must wait.
fn person(actor: &Actor) -> Result<AccountId> {
    match actor {
        Actor::Vendor { account, .. } | Actor::Admin { account, .. } => Ok(*account),
        _ => Err(Error::Forbidden("Only a person can ask for this.".into())),
    }
}

fn record(wish: &Wish, held: &Held, now: Timestamp) -> Result<Record> {
    super::record(wish.actor.clone(), held, wish.request_id.clone(), now)
}
