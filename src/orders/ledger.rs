//! The orders of one group while its wishes are thought through one after the other, and the writing of what came of it.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::advance::{Advanced, Change, Decision, decide};
use super::commit::Reach;
use super::intake::NewOrder;
use super::model::{Order, OrderRef};
use super::policy;
use super::status::Status;
use super::store::{self, Entry};
use super::timeline::pick_one;
use super::wish::{Outcome, What, Wish};
use super::workflow::Patience;
use super::workflow::ways::Ways;
use super::written::Written;
use crate::audit;
use crate::base::id::{CompanyId, OrderId};
use crate::base::{Actor, Error, Money, Result};
use crate::db::{Conn, is_taken};
use crate::jobs::{self, Job};
use crate::wallet::till::{Cause, Scope};
use crate::wallet::{Credited, Terms, Till};

/// The orders of a group as they stand while its wishes are thought through one after the other.
#[derive(Clone, Default)]
struct Ledger {
    orders: HashMap<OrderId, Order>,
    by_number: HashMap<String, Vec<(CompanyId, OrderId)>>,
    by_external_id: HashMap<(CompanyId, String), OrderId>,
    created: Vec<OrderId>,
    changed: Vec<OrderId>,
    /// Those of them whose customer, address or content is another.
    detailed: Vec<OrderId>,
    written: Vec<Written>,
    /// What vendors get for orders that are delivered.
    till: Till,
    /// What companies' own workflows have to say.
    ways: Ways,
}

/// Thinks a group of wishes through and writes what came of them. What is refused spoils nothing for the other wishes.
///
/// # Errors
/// `Unavailable` or `Internal`, and `Conflict` when another instance took a number first; nothing must be committed then.
pub(super) async fn write_group(
    conn: &mut Conn,
    wishes: &[Wish],
    terms: (Terms, Patience),
    now: Timestamp,
) -> Result<Vec<Vec<Outcome>>> {
    let mut ledger = Ledger::read(conn, wishes, terms).await?;
    let outcomes = wishes.iter().enumerate().map(|(at, wish)| ledger.think_wish(at, wish, now)).collect();
    ledger.write(conn, wishes, now).await?;
    Ok(outcomes)
}

impl Ledger {
    /// Finds and locks every order the wishes mean.
    async fn read(conn: &mut Conn, wishes: &[Wish], (terms, patience): (Terms, Patience)) -> Result<Self> {
        let (mut ids, mut numbers, mut external_ids) = (Vec::new(), Vec::new(), Vec::new());
        for what in wishes.iter().flat_map(|wish| &wish.rows) {
            match what {
                What::Change(OrderRef::Id(id), _) => ids.push(*id),
                What::Change(OrderRef::Number(number), _) => numbers.push(number.clone()),
                What::Create(new) => {
                    numbers.extend(new.known_number());
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
        let scope = ledger.money_in_scope(wishes, terms.commission_on_confirmation);
        if scope != Scope::default() {
            ledger.till = Till::open(conn, terms, scope).await?;
            Ways::hold_back(conn, &mut ledger.till).await?;
        }
        ledger.ways = Ways::read(conn, wishes, &ids, patience).await?;
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

    /// All rows of a wish, or none: after a refusal the orders stand as they did before it.
    fn think_wish(&mut self, at: usize, wish: &Wish, now: Timestamp) -> Vec<Outcome> {
        let before = (wish.is_dry_run || wish.rows.len() > 1).then(|| self.clone());
        let rows = wish.rows.iter().enumerate();
        let mut outcomes: Vec<Outcome> = rows.map(|(row, what)| self.think((at, row), wish, what, now)).collect();
        if let Some(before) = before.filter(|_| wish.is_dry_run || outcomes.iter().any(Result::is_err)) {
            *self = before;
            outcomes.iter_mut().flatten().for_each(|advanced| advanced.event = None);
        }
        outcomes
    }

    fn think(&mut self, place: (usize, usize), wish: &Wish, what: &What, now: Timestamp) -> Outcome {
        let cause = Cause { actor: &wish.actor, request_id: wish.request_id.as_deref(), reason: None, at: now };
        match what {
            What::Create(new) => self.think_create(place, cause, new),
            What::Change(target, change) => self.think_change(place, cause, target, change),
        }
    }

    fn think_change(&mut self, place: (usize, usize), cause: Cause<'_>, target: &OrderRef, change: &Change) -> Outcome {
        let id = self.find(cause.actor, target)?;
        let order = self.orders.get(&id).ok_or(Error::NotFound("Order"))?;
        let previous_status = order.status;
        match decide(order, cause.actor, change, &self.ways, cause.at)? {
            Decision::Same => {
                let same = Advanced::unchanged(order.clone());
                self.accept(place, cause, change)?;
                Ok(same)
            }
            Decision::Held(gate) => {
                if change.status == Some(Status::Delivered) {
                    // Nobody is asked about what could not be done; what is done by itself then counts.
                    let mut till = self.till.clone();
                    till.confirm(cause, || order.sale())?;
                    till.deliver(cause, &order.sale())?;
                }
                let held = self.ways.hold(place, order, (cause.actor, change, gate), cause.at)?;
                Ok(Advanced { held: Some(Box::new(held)), ..Advanced::unchanged(order.clone()) })
            }
            Decision::Changed { order, event, is_override } => {
                let to = order.status;
                let from = Some(previous_status);
                let credited = self.settle(cause, from, &order, change.allow_negative)?;
                self.accept(place, cause, change)?;
                self.written.push(Written { cause: place, event: event.clone(), from, to, is_override });
                if !self.changed.contains(&id) && !self.created.contains(&id) {
                    self.changed.push(id);
                }
                if change.details.is_some() && !self.detailed.contains(&id) && !self.created.contains(&id) {
                    self.detailed.push(id);
                }
                self.orders.insert(id, (*order).clone());
                let warnings = order.parcel_warnings();
                let reach = Reach::default();
                Ok(Advanced {
                    order: *order,
                    event: Some(event),
                    previous_status,
                    reach,
                    warnings,
                    credited,
                    held: None,
                })
            }
        }
    }

    /// Books the word that a move has waited for.
    fn accept(&mut self, place: (usize, usize), cause: Cause<'_>, change: &Change) -> Result<()> {
        let Some(leave) = &change.leave else { return Ok(()) };
        self.ways.settle(place, cause, leave, &mut self.till)
    }

    fn find(&self, actor: &Actor, target: &OrderRef) -> Result<OrderId> {
        match target {
            OrderRef::Id(id) => Ok(*id),
            OrderRef::Number(number) => {
                let all = self.by_number.get(number).map(Vec::as_slice).unwrap_or_default();
                let seen: Vec<OrderId> =
                    all.iter().filter(|(company, _)| policy::reaches(actor, *company)).map(|(_, id)| *id).collect();
                pick_one(&seen)
            }
        }
    }

    fn think_create(&mut self, place: (usize, usize), cause: Cause<'_>, new: &NewOrder) -> Outcome {
        let known = new.external_id.clone().and_then(|id| self.by_external_id.get(&(new.company, id)));
        if let Some(order) = known.and_then(|id| self.orders.get(id)) {
            return Ok(Advanced::unchanged(order.clone()));
        }
        let same_number = new.known_number().and_then(|number| self.by_number.get(&number));
        let same = same_number.into_iter().flatten().find(|(company, _)| *company == new.company);
        if let Some(order) = same.and_then(|(_, id)| self.orders.get(id)) {
            return if new.has_made(order) { Ok(Advanced::unchanged(order.clone())) } else { Err(number_taken()) };
        }
        let status = new.status.or_else(|| self.ways.initial(new.company));
        let (order, event) = NewOrder { status, ..new.clone() }.into_order(cause.at)?;
        let credited = self.settle(cause, None, &order, false)?;
        self.ways.begin(&order);
        self.name(order.id, order.company, order.number.clone(), order.external_id.clone());
        self.created.push(order.id);
        self.orders.insert(order.id, order.clone());
        let to = order.status;
        self.written.push(Written { cause: place, event: event.clone(), from: None, to, is_override: false });
        let warnings = order.parcel_warnings();
        Ok(Advanced {
            previous_status: to,
            order,
            event: Some(event),
            reach: Reach::default(),
            warnings,
            credited,
            held: None,
        })
    }

    /// Moves the money that a change of status moves.
    fn settle(
        &mut self,
        cause: Cause<'_>,
        from: Option<Status>,
        order: &Order,
        allow_negative: bool,
    ) -> Result<Option<Credited>> {
        if from == Some(order.status) {
            return Ok(None);
        }
        if from == Some(Status::Delivered) {
            self.till.take_back(cause, order.id, allow_negative && cause.actor.is_admin())?;
        }
        if is_confirmed(order.status) {
            self.till.confirm(cause, || order.sale())?;
        }
        if order.status == Status::Delivered { self.till.deliver(cause, &order.sale()) } else { Ok(None) }
    }

    /// The orders and wallets whose money the wishes may move.
    fn money_in_scope(&self, wishes: &[Wish], is_automatic: bool) -> Scope {
        let counts = |status: Status| status == Status::Delivered || (is_automatic && is_confirmed(status));
        let rows = || wishes.iter().flat_map(|wish| &wish.rows);
        let may_deliver = rows().any(|row| matches!(row, What::Change(_, change) if change.status.is_some_and(counts)));
        let mut scope = Scope::default();
        for row in rows() {
            match row {
                What::Create(new) if may_deliver || new.status.is_some_and(counts) => {
                    scope.purses.extend(new.total.as_ref().map(|total| (new.company, purse(total))));
                }
                What::Create(_) => {}
                What::Change(target, change) => {
                    let Some(to) = change.status else { continue };
                    let told = self.meant(target).filter(|order| counts(to) || order.status == Status::Delivered);
                    scope.orders.extend(told.map(|order| order.id));
                }
            }
        }
        if !scope.orders.is_empty() {
            let purses = rows().flat_map(|row| self.purses(row, &scope.orders)).collect::<Vec<_>>();
            scope.purses.extend(purses);
        }
        scope
    }

    /// The wallets of the orders among these that a row means: of their totals, and of the one it brings.
    fn purses(&self, row: &What, orders: &BTreeSet<OrderId>) -> Vec<(CompanyId, String)> {
        let What::Change(target, change) = row else { return Vec::new() };
        let told = change.details.as_ref().and_then(|details| details.total.as_ref());
        let meant = self.meant(target).filter(|order| orders.contains(&order.id));
        meant
            .flat_map(|order| told.into_iter().chain(&order.total).map(|total| (order.company, purse(total))))
            .collect()
    }

    /// Every order a name may mean.
    fn meant<'a>(&'a self, target: &'a OrderRef) -> impl Iterator<Item = &'a Order> {
        let (by_id, same_number) = match target {
            OrderRef::Id(id) => (Some(id), None),
            OrderRef::Number(number) => (None, self.by_number.get(number)),
        };
        let same_number = same_number.into_iter().flatten().map(|(_, id)| id);
        by_id.into_iter().chain(same_number).filter_map(|id| self.orders.get(id))
    }

    async fn write(mut self, conn: &mut Conn, wishes: &[Wish], now: Timestamp) -> Result<()> {
        let ways = std::mem::take(&mut self.ways);
        if self.written.is_empty() {
            if !self.till.is_unchanged() {
                self.till.write(conn).await?;
            }
            return ways.write(conn, wishes, now).await;
        }
        let rows = |ids: &[OrderId]| ids.iter().filter_map(|id| self.orders.get(id)).collect::<Vec<_>>();
        let taken = |error| if is_taken(&error) { number_taken() } else { error.into() };
        if !self.created.is_empty() {
            store::insert_orders(conn, &rows(&self.created)).await.map_err(taken)?;
        }
        if !self.changed.is_empty() {
            store::update_orders(conn, &rows(&self.changed)).await?;
        }
        if !self.detailed.is_empty() {
            store::update_details(conn, &rows(&self.detailed)).await.map_err(taken)?;
        }
        let entries: Vec<Entry<'_>> = self.written.iter().map(|written| written.entry(wishes, now)).collect();
        store::insert_events(conn, &entries).await?;
        let records = self.written.iter().map(|written| written.record(wishes, now));
        audit::record(conn, records.collect::<Result<_>>()?).await?;
        let letters: Vec<Job> = self.written.iter().filter_map(|written| self.letter(written)).collect();
        jobs::enqueue(conn, &letters, now).await?;
        if !self.till.is_unchanged() {
            self.till.write(conn).await?;
        }
        ways.write(conn, wishes, now).await
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

impl Advanced {
    fn unchanged(order: Order) -> Self {
        Self {
            previous_status: order.status,
            event: None,
            reach: Reach::default(),
            warnings: order.parcel_warnings(),
            order,
            credited: None,
            held: None,
        }
    }
}

/// The currency of a wallet an amount belongs to.
fn purse(total: &Money) -> String {
    total.currency.to_ascii_uppercase()
}

/// From the payment on, and not given up: what the marketplace calls confirmed.
fn is_confirmed(status: Status) -> bool {
    (Status::Paid.facts().rank..=Status::Delivered.facts().rank).contains(&status.facts().rank)
}

fn number_taken() -> Error {
    Error::conflict("number_taken", "The company has an order of this number already; change that one, or use another.")
}
