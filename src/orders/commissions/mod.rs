//! Calculating what the platform keeps of orders: one, or many at once, before they are delivered.
//!
//! What is here: which orders, and that none is calculated anew once its vendor was credited. What is not: the
//! arithmetic and the rates (`wallet`).

mod store;

use jiff::Timestamp;

use super::model::{Order, OrderRef};
use super::status::Status;
use super::{Timeline, policy};
use crate::audit;
use crate::base::id::{CompanyId, OrderId};
use crate::base::{Actor, Clock, Error, Result};
use crate::db::{Conn, Db};
use crate::wallet::commission::{Rate, Uncalculable, calculate};
use crate::wallet::till::Cause;
use crate::wallet::{self, Commission, Credit};

/// Most orders of one [`Commissions::calculate_all`].
pub const MOST_ORDERS: usize = 500;

/// Which orders to calculate, of those that have a total, are not at their end, and have no commission of this total.
#[derive(Clone, Debug, Default)]
pub struct Lacking {
    /// Of this company.
    pub company: Option<CompanyId>,
    /// In one of these statuses; in any when empty.
    pub statuses: Vec<Status>,
}

/// The money of an order.
#[derive(Clone, Debug)]
pub struct Priced {
    /// The order.
    pub order: Order,
    /// Its commission, if it was calculated.
    pub commission: Option<Commission>,
    /// What its delivery has brought the vendor, if it has.
    pub credit: Option<Credit>,
}

/// The commissions of orders. Cheap to clone.
#[derive(Clone)]
pub struct Commissions {
    db: Db,
    clock: Clock,
    timeline: Timeline,
}

impl Commissions {
    /// The commissions in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock, timeline: Timeline) -> Self {
        Self { db, clock, timeline }
    }

    /// The money of an order the actor may see.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn get(&self, actor: &Actor, target: &OrderRef) -> Result<Priced> {
        let order = self.timeline.get_order(actor, target).await?;
        let id = order.id;
        let read = self.db.read(move |conn| {
            Box::pin(async move {
                let commission = wallet::till::find_commissions(conn, &[id]).await?.remove(&id);
                Ok((commission, wallet::till::find_credits(conn, &[id]).await?.remove(&id)))
            })
        });
        let (commission, credit) = read.await?;
        Ok(Priced { order, commission, credit })
    }

    /// The money of many orders.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn of(&self, orders: Vec<Order>) -> Result<Vec<Priced>> {
        let ids: Vec<OrderId> = orders.iter().map(|order| order.id).collect();
        let read = self.db.read(move |conn| {
            Box::pin(async move {
                let commissions = wallet::till::find_commissions(conn, &ids).await?;
                Ok((commissions, wallet::till::find_credits(conn, &ids).await?))
            })
        });
        let (mut commissions, mut credits) = read.await?;
        let priced = |order: Order| {
            let (commission, credit) = (commissions.remove(&order.id), credits.remove(&order.id));
            Priced { order, commission, credit }
        };
        Ok(orders.into_iter().map(priced).collect())
    }

    /// Calculates an order's commission, or calculates it anew.
    ///
    /// # Errors
    /// `NotFound` when there is no such order for the actor; `Conflict` when it is delivered, has no total, or no rate
    /// holds for it.
    pub async fn calculate(&self, actor: Actor, target: &OrderRef, request_id: Option<String>) -> Result<Priced> {
        let id = self.timeline.resolve(&actor, target).await?;
        let mut done = self.calculate_ids(actor, vec![id], request_id).await?;
        done.pop().unwrap_or_else(|| Err(Error::NotFound("Order")))
    }

    /// Calculates the commissions of orders; each stands for itself. At most [`MOST_ORDERS`].
    ///
    /// # Errors
    /// `Invalid` when there are too many, `Unavailable` when the database is out of reach.
    pub async fn calculate_all(
        &self,
        actor: Actor,
        targets: Vec<OrderRef>,
        request_id: Option<String>,
    ) -> Result<Vec<Result<Priced>>> {
        if targets.len() > MOST_ORDERS {
            return Err(Error::invalid("too_many_rows", format!("At most {MOST_ORDERS} orders at a time")));
        }
        let mut results = Vec::with_capacity(targets.len());
        for target in &targets {
            results.push(self.timeline.resolve(&actor, target).await);
        }
        let ids = results.iter().filter_map(|id| id.as_ref().ok().copied()).collect();
        let mut done = self.calculate_ids(actor, ids, request_id).await?.into_iter();
        let lost = || Err(Error::internal("an order without an outcome"));
        Ok(results.into_iter().map(|id| id.and_then(|_| done.next().unwrap_or_else(lost))).collect())
    }

    /// Calculates the commissions of up to [`MOST_ORDERS`] orders that lack one, the oldest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn calculate_lacking(
        &self,
        actor: Actor,
        lacking: Lacking,
        request_id: Option<String>,
    ) -> Result<Vec<(OrderId, Result<Priced>)>> {
        let company = actor.company().or(lacking.company);
        let most = i64::try_from(MOST_ORDERS).unwrap_or(i64::MAX);
        let list = self.db.read(move |conn| Box::pin(store::list_lacking(conn, company, lacking.statuses, most)));
        let ids = list.await?;
        let done = self.calculate_ids(actor, ids.clone(), request_id).await?;
        Ok(ids.into_iter().zip(done).collect())
    }

    async fn calculate_ids(
        &self,
        actor: Actor,
        ids: Vec<OrderId>,
        request_id: Option<String>,
    ) -> Result<Vec<Result<Priced>>> {
        let now = self.clock.now();
        self.db
            .transact(move |conn| Box::pin(async move { calculate_within(conn, &actor, &ids, request_id, now).await }))
            .await
    }
}

async fn calculate_within(
    conn: &mut Conn,
    actor: &Actor,
    ids: &[OrderId],
    request_id: Option<String>,
    now: Timestamp,
) -> Result<Vec<Result<Priced>>> {
    let orders = super::store::lock_orders(conn, ids).await?;
    let mut credits = wallet::till::find_credits(conn, ids).await?;
    let rates = wallet::rates::all(conn).await?;
    let cause = Cause { actor, request_id: request_id.as_deref(), reason: None, at: now };
    let (mut done, mut records) = (Vec::with_capacity(ids.len()), Vec::new());
    for id in ids {
        let order = orders.get(id).filter(|order| policy::may_touch(actor, order));
        let priced = order.ok_or(Error::NotFound("Order")).and_then(|order| {
            let (credit, order) = (credits.remove(id), order.clone());
            price(order, credit, &rates, now)
        });
        if let Ok(Priced { order, commission: Some(commission), .. }) = &priced {
            wallet::till::put_commission(conn, order.id, commission).await?;
            records.push(wallet::till::calculated(cause, order.company, order.id, commission)?);
        }
        done.push(priced);
    }
    audit::record(conn, records).await?;
    Ok(done)
}

fn price(order: Order, credit: Option<Credit>, rates: &[Rate], now: Timestamp) -> Result<Priced> {
    if order.status == Status::Delivered || credit.as_ref().is_some_and(Credit::is_open) {
        let message = "The order is delivered: its commission stays as it was calculated before.";
        return Err(Error::conflict("commission_settled", message));
    }
    let commission = calculate(&order.sale(), rates, now).map_err(|why| {
        let code = match why {
            Uncalculable::NoTotal => "no_total",
            Uncalculable::NoRate(_) => "no_commission_rate",
        };
        Error::conflict(code, why.to_string())
    })?;
    Ok(Priced { order, commission: Some(commission), credit })
}
