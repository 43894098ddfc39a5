//! SQL of customers' numbers, and of forgetting them.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use jiff::Timestamp;

use super::Numbered;
use crate::base::id::{CompanyId, OrderId};
use crate::base::{Error, Result};
use crate::db::Conn;
use crate::db::letters::lower_letters;
use crate::db::schema::{customers, held_moves, order_events, orders};
use crate::db::types::At;
use crate::orders::model::EventBody;
use crate::{execute, find, load};

/// The numbers of these customers, and perhaps of others: a company's with the contact of another's.
pub(super) async fn find_numbers(
    conn: &mut Conn,
    wanted: &[(CompanyId, String)],
) -> Result<HashMap<(CompanyId, String), i64>> {
    // The index begins with the company.
    let companies: Vec<CompanyId> = wanted.iter().map(|(company, _)| *company).collect();
    let contacts: Vec<&str> = wanted.iter().map(|(_, contact)| contact.as_str()).collect();
    let theirs = customers::company_id.eq_any(companies).and(customers::contact.eq_any(contacts));
    let query = customers::table.filter(theirs).select((customers::company_id, customers::contact, customers::id));
    let rows = load!(conn, (CompanyId, String, i64), query)?;
    Ok(rows.into_iter().map(|(company, contact, id)| ((company, contact), id)).collect())
}

/// Gives numbers to those who have none.
pub(super) async fn insert(conn: &mut Conn, new: &[(CompanyId, String)], now: Timestamp) -> Result<()> {
    for (company, contact) in new {
        let values =
            (customers::company_id.eq(*company), customers::contact.eq(contact), customers::created_at.eq(At(now)));
        execute!(&mut *conn, diesel::insert_into(customers::table).values(values).on_conflict_do_nothing())?;
    }
    Ok(())
}

pub(super) async fn find(conn: &mut Conn, id: i64) -> Result<Option<Numbered>> {
    let query = customers::table.find(id).select((customers::id, customers::company_id, customers::contact));
    let row = find!(conn, (i64, CompanyId, String), query)?;
    Ok(row.map(|(id, company, contact)| Numbered { id, company, contact }))
}

/// The orders of a customer: by e-mail address or, where there is none, by telephone number.
pub(super) async fn list_orders(conn: &mut Conn, company: CompanyId, contact: &str) -> Result<Vec<OrderId>> {
    let wanted = || lower_letters(Some(contact).into_sql::<Nullable<Text>>());
    let by_phone = orders::customer_email.is_null().and(lower_letters(orders::customer_phone).eq(wanted()));
    let query = orders::table
        .filter(orders::company_id.eq(company))
        .filter(lower_letters(orders::customer_email).eq(wanted()).or(by_phone))
        .order(orders::id)
        .select(orders::id);
    Ok(load!(conn, OrderId, query)?)
}

/// Takes out who the orders were for, where they went, and what was written to the customer.
pub(super) async fn empty_orders(conn: &mut Conn, ids: &[OrderId]) -> Result<()> {
    const NOTHING: Option<String> = None;
    let query = diesel::update(orders::table.filter(orders::id.eq_any(ids))).set((
        orders::customer_name.eq(NOTHING),
        orders::customer_phone.eq(NOTHING),
        orders::customer_email.eq(NOTHING),
        orders::customer_locale.eq(NOTHING),
        orders::address.eq(NOTHING),
        orders::notes.eq(NOTHING),
    ));
    execute!(conn, query)?;
    Ok(())
}

/// Takes out what was written to the customer, or by the customer, about moves that wait or waited.
pub(super) async fn empty_moves(conn: &mut Conn, ids: &[OrderId]) -> Result<()> {
    let rows = held_moves::table.filter(held_moves::order_id.eq_any(ids));
    let set = (held_moves::reason.eq(None::<String>), held_moves::wish.eq("{}"));
    execute!(conn, diesel::update(rows).set(set))?;
    Ok(())
}

/// Takes the notes out of the orders' events.
pub(super) async fn empty_notes(conn: &mut Conn, ids: &[OrderId]) -> Result<()> {
    let noted = order_events::table
        .filter(order_events::order_id.eq_any(ids))
        .filter(order_events::body.like("%\"note\":%"))
        .select((order_events::order_id, order_events::seq, order_events::body));
    for (order, seq, body) in load!(&mut *conn, (OrderId, i64, String), noted)? {
        let event: EventBody = serde_json::from_str(&body).map_err(Error::internal)?;
        let body = serde_json::to_string(&EventBody { note: None, ..event }).map_err(Error::internal)?;
        let row = order_events::table.find((order, seq));
        execute!(&mut *conn, diesel::update(row).set(order_events::body.eq(body)))?;
    }
    Ok(())
}

pub(super) async fn rename(conn: &mut Conn, id: i64, contact: &str) -> Result<()> {
    execute!(conn, diesel::update(customers::table.find(id)).set(customers::contact.eq(contact)))?;
    Ok(())
}
