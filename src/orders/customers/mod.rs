//! Customers as merchants' systems number them, and the wish of one to be forgotten.
//!
//! A customer is who has an e-mail address or, without one, a telephone number, within one company. Numbers are given
//! when they are first asked for, and never twice.

mod store;

use std::collections::HashMap;

use super::model::Order;
use crate::base::id::{CompanyId, OrderId};
use crate::base::{Clock, Error, Result};
use crate::db::{Conn, Db};

/// The customers of all companies. Cheap to clone.
#[derive(Clone)]
pub struct Customers {
    db: Db,
    clock: Clock,
}

/// A customer who has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The number.
    pub id: i64,
    /// Whose customer it is.
    pub company: CompanyId,
    /// The lower-case e-mail address or the telephone number.
    pub contact: String,
}

/// Begins the contact of a customer who was forgotten: no address or telephone number begins so.
const FORGOTTEN: &str = "forgotten:";
/// Begins the contact that stands for an order without any.
const NOBODY: &str = "order:";

/// An e-mail address or a telephone number as the tables of customers and of the inbox have it. `None` when it cannot
/// be stored.
#[must_use]
pub fn contact(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    ((1..=254).contains(&text.chars().count()) && !text.chars().any(char::is_control)).then_some(text)
}

fn contact_of(order: &Order) -> String {
    let said = order.customer.email.as_deref().or(order.customer.phone.as_deref());
    said.and_then(contact).unwrap_or_else(|| format!("{NOBODY}{}", order.id))
}

impl Customers {
    /// The customers in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// The numbers of these orders' customers, in the same order; who has none yet is given one.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn numbers(&self, orders: &[Order]) -> Result<Vec<i64>> {
        let wanted: Vec<(CompanyId, String)> = orders.iter().map(|order| (order.company, contact_of(order))).collect();
        let asked = wanted.clone();
        let find = self.db.read(move |conn| Box::pin(async move { store::find_numbers(conn, &asked).await }));
        let mut known = find.await?;
        let is_known = |known: &HashMap<_, _>| wanted.iter().all(|customer| known.contains_key(customer));
        if !is_known(&known) {
            let mut missing: Vec<_> = wanted.iter().filter(|customer| !known.contains_key(customer)).cloned().collect();
            // In one order, or two who number the same customers at once would wait for each other.
            missing.sort();
            missing.dedup();
            let (now, asked) = (self.clock.now(), wanted.clone());
            let number = self.db.transact(move |conn| {
                Box::pin(async move {
                    store::insert(conn, &missing, now).await?;
                    store::find_numbers(conn, &asked).await
                })
            });
            known = number.await?;
        }
        let number = |customer| known.get(customer).copied();
        wanted.iter().map(number).collect::<Option<_>>().ok_or_else(|| Error::internal("a customer has no number"))
    }

    /// The customer of a number; of a company, or of any.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn get(&self, company: Option<CompanyId>, id: i64) -> Result<Numbered> {
        let found = self.db.read(move |conn| Box::pin(store::find(conn, id))).await?;
        let seen = found.filter(|customer| company.is_none_or(|company| company == customer.company));
        seen.ok_or(Error::NotFound("Customer"))
    }
}

/// Takes a customer's personal data out of orders, their logs and the table of numbers, in the transaction of the purge.
/// Returns the orders that were the customer's: none when it has been done before.
///
/// The orders' events keep their numbers and lose their notes: nobody who follows along misses one.
///
/// # Errors
/// `Unavailable` or `Internal`; the transaction must not be committed.
pub async fn forget(conn: &mut Conn, customer: &Numbered) -> Result<Vec<OrderId>> {
    if customer.contact.starts_with(FORGOTTEN) {
        return Ok(Vec::new());
    }
    let orders = match customer.contact.strip_prefix(NOBODY) {
        Some(id) => id.parse().into_iter().collect(),
        None => store::list_orders(conn, customer.company, &customer.contact).await?,
    };
    super::store::lock_orders(conn, &orders).await?;
    store::empty_orders(conn, &orders).await?;
    store::empty_notes(conn, &orders).await?;
    store::empty_moves(conn, &orders).await?;
    store::rename(conn, customer.id, &format!("{FORGOTTEN}{}", customer.id)).await?;
    Ok(orders)
}
