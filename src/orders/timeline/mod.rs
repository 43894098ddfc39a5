//! Reading: where an order stands, everything since N, and the feed of all orders. Only what a customer may see has a
//! `seq`; the rest is in the audit trail.

mod store;

use std::collections::HashMap;

use jiff::Timestamp;

use super::customer_view;
use super::model::{Event, Order, OrderRef};
use super::policy;
use super::status::Status;
use crate::base::id::{CompanyId, EventId, OrderId};
use crate::base::page::{Cursor, Page};
use crate::base::{Actor, Error, Result};
use crate::db::Db;

/// The reading half of orders. Cheap to clone.
#[derive(Clone)]
pub struct Timeline {
    db: Db,
}

/// An order as a customer sees it, with the position it was read at: one row, one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The order's identifier.
    pub order: OrderId,
    /// Its company.
    pub company: CompanyId,
    /// Its number.
    pub number: String,
    /// Its status.
    pub status: Status,
    /// The newest event that is in it.
    pub seq: i64,
    /// The snapshot as every client gets it: JSON, personal data masked.
    pub body: String,
}

/// Which orders a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// One of these; all when empty.
    pub statuses: Vec<Status>,
    /// This carrier, any letter case.
    pub carrier: Option<String>,
    /// Changed at or after this moment.
    pub updated_since: Option<Timestamp>,
    /// Number, external id, tracking number, name, e-mail or telephone contains this, any letter case.
    pub search: Option<String>,
}

/// One change of an order's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The status it went to.
    pub status: Status,
    /// Who did it: a person's role (`vendor`, `admin`, `super_admin`), or the kind of another party (`token`, `courier`).
    pub by: String,
    /// The party's account or token.
    pub actor_id: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Timeline {
    /// Reads from this database.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// The order a caller means, if it may see it.
    ///
    /// # Errors
    /// `NotFound` when there is none or the caller may not know of it; `Conflict` when several companies have such a number.
    pub async fn resolve(&self, actor: &Actor, target: &OrderRef) -> Result<OrderId> {
        match target {
            OrderRef::Id(id) => self.get_order(actor, target).await.map(|_| *id),
            OrderRef::Number(number) => {
                let (number, company) = (number.clone(), actor.company());
                let find = self
                    .db
                    .read(move |conn| Box::pin(async move { store::find_by_number(conn, &number, company).await }));
                pick_one(&find.await?)
            }
        }
    }

    /// An order, if the caller may see it.
    ///
    /// # Errors
    /// As [`Timeline::resolve`].
    pub async fn get_order(&self, actor: &Actor, target: &OrderRef) -> Result<Order> {
        let id = match target {
            OrderRef::Id(id) => *id,
            OrderRef::Number(_) => Box::pin(self.resolve(actor, target)).await?,
        };
        let found = self.db.read(move |conn| Box::pin(store::find_order(conn, id))).await?;
        found.map(|(order, _)| order).filter(|order| policy::may_touch(actor, order)).ok_or(Error::NotFound("Order"))
    }

    /// The company's order that its own system calls so, or people do; the system's word goes first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn find_named(
        &self,
        company: CompanyId,
        number: Option<String>,
        external_id: Option<String>,
    ) -> Result<Option<Order>> {
        self.db.read(move |conn| Box::pin(store::find_named(conn, company, number, external_id))).await
    }

    /// What a customer sees of an order, and at which position.
    ///
    /// # Errors
    /// `NotFound` when there is no such order.
    pub async fn snapshot(&self, id: OrderId) -> Result<Snapshot> {
        let found = self.db.read(move |conn| Box::pin(store::find_order(conn, id))).await?;
        let (order, shop) = found.ok_or(Error::NotFound("Order"))?;
        Ok(Snapshot {
            order: order.id,
            company: order.company,
            number: order.number.clone(),
            status: order.status,
            seq: order.seq,
            body: customer_view::render(&order, &shop)?,
        })
    }

    /// At most `limit` events of an order after `since`, ascending, none left out.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn events_since(&self, id: OrderId, since: i64, limit: usize) -> Result<Vec<Event>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.db.read(move |conn| Box::pin(store::list_events(conn, id, since, limit))).await
    }

    /// Every change of status of these orders, ascending.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn moves(&self, orders: Vec<OrderId>) -> Result<HashMap<OrderId, Vec<Moved>>> {
        let mut by_order: HashMap<OrderId, Vec<Moved>> = HashMap::new();
        for (order, moved) in self.db.read(move |conn| Box::pin(store::list_moves(conn, orders))).await? {
            by_order.entry(order).or_default().push(moved);
        }
        Ok(by_order)
    }

    /// The newest `seq` of each of these orders that exists. Ask for at most 500 at a time.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn positions(&self, ids: Vec<OrderId>) -> Result<Vec<(OrderId, i64)>> {
        self.db.read(move |conn| Box::pin(store::list_positions(conn, ids))).await
    }

    /// At most `limit` events of all orders, or of one company's, after `since`, by id.
    ///
    /// An id is made a moment before its commit, so ids of events that commit at the same time may appear out of
    /// order: a reader goes back a little and passes over what it has seen.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn feed_since(&self, company: Option<CompanyId>, since: EventId, limit: usize) -> Result<Vec<Event>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.db.read(move |conn| Box::pin(store::list_feed(conn, company, since, limit))).await
    }

    /// The id of the newest event of all, or the nil id in an empty log: where a new feed begins.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn newest(&self) -> Result<EventId> {
        let newest = self.db.read(|conn| Box::pin(store::newest_event(conn))).await?;
        Ok(newest.unwrap_or(EventId(uuid::Uuid::nil())))
    }

    /// A page of the orders the caller may see, newest change first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Order>> {
        let company = actor.company();
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let list = self.db.read(move |conn| Box::pin(store::list_orders(conn, company, filter, after, one_more)));
        let mut data = list.await?;
        let has_more = data.len() > limit;
        data.truncate(limit);
        let next = data.last().filter(|_| has_more).map(|last| Cursor { at: last.updated_at, id: last.id.0 });
        Ok(Page { data, next })
    }

    /// How many orders of each status the caller may see, of the `most` that were changed last; and whether these are all
    /// there are. No index is kept for it: every move of an order would have to pay for that.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn count(&self, actor: &Actor, most: usize) -> Result<(HashMap<Status, u64>, bool)> {
        let company = actor.company();
        let one_more = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
        let statuses = self.db.read(move |conn| Box::pin(store::list_statuses(conn, company, one_more))).await?;
        let mut by_status = HashMap::new();
        for status in statuses.iter().take(most) {
            *by_status.entry(status.parse().map_err(Error::internal)?).or_default() += 1;
        }
        Ok((by_status, statuses.len() <= most))
    }
}

/// The one order of a number; several companies may have given it.
pub(super) fn pick_one(found: &[OrderId]) -> Result<OrderId> {
    match found {
        [] => Err(Error::NotFound("Order")),
        [one] => Ok(*one),
        _ => Err(Error::conflict("ambiguous_number", "Several companies have an order of this number; use its UUID.")),
    }
}
