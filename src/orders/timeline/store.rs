//! SQL of reading orders and their logs.

use diesel::prelude::*;

use super::{Filter, Moved};
use crate::base::id::{CompanyId, EventId, OrderId};
use crate::base::page::Cursor;
use crate::base::{Error, Result};
use crate::db::Conn;
use crate::db::letters::{lower_letters, lowered};
use crate::db::schema::{companies, order_events, orders};
use crate::db::types::At;
use crate::orders::model::{Event, Order};
use crate::orders::store::OrderRow;
use crate::{find, load};

/// The order with this identifier, and its company's name.
pub(super) async fn find_order(conn: &mut Conn, id: OrderId) -> Result<Option<(Order, String)>> {
    let query = orders::table
        .inner_join(companies::table.on(companies::id.eq(orders::company_id)))
        .filter(orders::id.eq(id))
        .select((orders::all_columns, companies::name));
    let row = find!(conn, (OrderRow, String), query)?;
    row.map(|(row, shop)| Ok((row.try_into()?, shop))).transpose()
}

/// The orders with this number, in one company or in all; at most two, which is enough to see that it is not one.
pub(super) async fn find_by_number(conn: &mut Conn, number: &str, company: Option<CompanyId>) -> Result<Vec<OrderId>> {
    Ok(load!(conn, OrderId, DB => {
        let mut query = orders::table.filter(orders::number.eq(number)).select(orders::id).limit(2).into_boxed::<DB>();
        if let Some(company) = company {
            query = query.filter(orders::company_id.eq(company));
        }
        query
    })?)
}

/// The order of a company with this external id or, failing that, with this number.
pub(super) async fn find_named(
    conn: &mut Conn,
    company: CompanyId,
    number: Option<String>,
    external_id: Option<String>,
) -> Result<Option<Order>> {
    let own = || orders::table.filter(orders::company_id.eq(company)).select(orders::all_columns);
    if let Some(external_id) = external_id {
        let found = find!(&mut *conn, OrderRow, own().filter(orders::external_id.eq(external_id)))?;
        if let Some(row) = found {
            return Ok(Some(row.try_into()?));
        }
    }
    let Some(number) = number else { return Ok(None) };
    find!(conn, OrderRow, own().filter(orders::number.eq(number)))?.map(Order::try_from).transpose()
}

type EventColumns = (OrderId, CompanyId, String, EventId, i64, String);

/// What an [`Event`] is read from.
const EVENT_COLUMNS: (
    order_events::order_id,
    order_events::company_id,
    orders::number,
    order_events::id,
    order_events::seq,
    order_events::body,
) = (
    order_events::order_id,
    order_events::company_id,
    orders::number,
    order_events::id,
    order_events::seq,
    order_events::body,
);

fn to_event((order, company, number, id, seq, body): EventColumns) -> Event {
    Event { order, company, number, id, seq, body }
}

/// Events of an order after `since`, ascending.
pub(super) async fn list_events(conn: &mut Conn, order: OrderId, since: i64, limit: i64) -> Result<Vec<Event>> {
    let query = order_events::table
        .inner_join(orders::table.on(orders::id.eq(order_events::order_id)))
        .filter(order_events::order_id.eq(order))
        .filter(order_events::seq.gt(since))
        .order(order_events::seq)
        .limit(limit)
        .select(EVENT_COLUMNS);
    Ok(load!(conn, EventColumns, query)?.into_iter().map(to_event).collect())
}

/// The statuses of the orders that were changed last, of one company or of all.
pub(super) async fn list_statuses(conn: &mut Conn, company: Option<CompanyId>, limit: i64) -> Result<Vec<String>> {
    Ok(load!(conn, String, DB => {
        let newest = orders::table.order((orders::updated_at.desc(), orders::id.desc())).select(orders::status);
        let mut query = newest.limit(limit).into_boxed::<DB>();
        if let Some(company) = company {
            query = query.filter(orders::company_id.eq(company));
        }
        query
    })?)
}

type MoveColumns = (OrderId, String, String, Option<String>, Option<String>, At);

/// Every change of status of these orders, ascending.
pub(super) async fn list_moves(conn: &mut Conn, orders: Vec<OrderId>) -> Result<Vec<(OrderId, Moved)>> {
    let query = order_events::table
        .filter(order_events::order_id.eq_any(orders))
        .filter(order_events::kind.eq("status_changed"))
        .order((order_events::order_id, order_events::seq))
        .select((
            order_events::order_id,
            order_events::status,
            order_events::actor_kind,
            order_events::actor_role,
            order_events::actor_id,
            order_events::occurred_at,
        ));
    let moved = |(order, status, kind, role, actor_id, at): MoveColumns| {
        let status = status.parse().map_err(Error::internal)?;
        Ok((order, Moved { status, by: role.unwrap_or(kind), actor_id, at: at.0 }))
    };
    load!(conn, MoveColumns, query)?.into_iter().map(moved).collect()
}

/// Events of all orders (or one company's) after `since` in the order of their ids, ascending.
pub(super) async fn list_feed(
    conn: &mut Conn,
    company: Option<CompanyId>,
    since: EventId,
    limit: i64,
) -> Result<Vec<Event>> {
    let rows = load!(conn, EventColumns, DB => {
        let mut query = order_events::table
            .inner_join(orders::table.on(orders::id.eq(order_events::order_id)))
            .filter(order_events::id.gt(since))
            .order(order_events::id)
            .limit(limit)
            .select(EVENT_COLUMNS)
            .into_boxed::<DB>();
        if let Some(company) = company {
            query = query.filter(order_events::company_id.eq(company));
        }
        query
    })?;
    Ok(rows.into_iter().map(to_event).collect())
}

/// The newest event's id, or `None` in an empty log.
pub(super) async fn newest_event(conn: &mut Conn) -> Result<Option<EventId>> {
    Ok(find!(conn, EventId, order_events::table.select(order_events::id).order(order_events::id.desc()).limit(1))?)
}

/// The newest `seq` of each order that exists.
pub(super) async fn list_positions(conn: &mut Conn, ids: Vec<OrderId>) -> Result<Vec<(OrderId, i64)>> {
    let query = orders::table.filter(orders::id.eq_any(ids)).select((orders::id, orders::seq));
    Ok(load!(conn, (OrderId, i64), query)?)
}

/// A page of orders, newest change first.
pub(super) async fn list_orders(
    conn: &mut Conn,
    company: Option<CompanyId>,
    filter: Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Order>> {
    let rows = load!(conn, OrderRow, DB => {
        let mut query = orders::table.select(orders::all_columns).into_boxed::<DB>();
        if let Some(company) = company {
            query = query.filter(orders::company_id.eq(company));
        }
        if !filter.statuses.is_empty() {
            let codes: Vec<&'static str> = filter.statuses.iter().map(|status| status.code()).collect();
            query = query.filter(orders::status.eq_any(codes));
        }
        if let Some(carrier) = filter.carrier {
            query = query.filter(lower_letters(orders::carrier).eq(lowered(&carrier)));
        }
        if let Some(since) = filter.updated_since {
            query = query.filter(orders::updated_at.ge(At(since)));
        }
        if let Some(words) = filter.search {
            let pattern = contains(&words);
            query = query.filter(
                lower_letters(orders::number.nullable()).like(pattern.clone()).escape('!')
                    .or(lower_letters(orders::external_id).like(pattern.clone()).escape('!'))
                    .or(lower_letters(orders::tracking_number).like(pattern.clone()).escape('!'))
                    .or(lower_letters(orders::customer_name).like(pattern.clone()).escape('!'))
                    .or(lower_letters(orders::customer_email).like(pattern.clone()).escape('!'))
                    .or(lower_letters(orders::customer_phone).like(pattern).escape('!')),
            );
        }
        if let Some(Cursor { at, id }) = after {
            let earlier = orders::updated_at.lt(At(at));
            query = query.filter(earlier.or(orders::updated_at.eq(At(at)).and(orders::id.lt(OrderId(id)))));
        }
        query.order((orders::updated_at.desc(), orders::id.desc())).limit(limit)
    })?;
    rows.into_iter().map(Order::try_from).collect()
}

/// The LIKE pattern for texts that contain the words, with `!` as the escape character.
fn contains(words: &str) -> String {
    let mut pattern = String::from("%");
    for letter in lowered(words).chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}
