//! SQL of orders, their events and passes.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text};

use super::model::{Customer, Event, Order};
use super::status::Status;
use super::timeline::Filter;
use crate::base::id::{CompanyId, EventId, OrderId, PassId};
use crate::base::page::Cursor;
use crate::base::{Actor, Error, Money, Result};
use crate::db::schema::{companies, order_events, orders, tracking_passes};
use crate::db::types::{At, Id, Instant};
use crate::db::{Conn, Fixed};
use crate::{execute, find, insert_many, load};

/// A row of `orders`, in the order of its columns.
#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = orders, treat_none_as_default_value = false)]
pub(super) struct OrderRow {
    id: OrderId,
    company_id: CompanyId,
    number: String,
    external_id: Option<String>,
    status: String,
    seq: i64,
    customer_name: Option<String>,
    customer_phone: Option<String>,
    customer_email: Option<String>,
    customer_locale: Option<String>,
    address: Option<String>,
    item_summary: Option<String>,
    items: Option<String>,
    total_amount: Option<i64>,
    total_currency: Option<String>,
    carrier: Option<String>,
    tracking_number: Option<String>,
    tracking_url: Option<String>,
    estimated_delivery: Option<String>,
    original_estimated_delivery: Option<String>,
    shipment_status: Option<String>,
    shipment_reason: Option<String>,
    courier_account: Option<String>,
    courier_id: Option<String>,
    notes: Option<String>,
    cancellation_reason: Option<String>,
    shipped_at: Option<At>,
    delivered_at: Option<At>,
    created_at: At,
    updated_at: At,
}

impl TryFrom<OrderRow> for Order {
    type Error = Error;

    fn try_from(row: OrderRow) -> Result<Self> {
        let items = row.items.as_deref().map(serde_json::from_str).transpose().map_err(Error::internal)?;
        Ok(Self {
            id: row.id,
            company: row.company_id,
            number: row.number,
            external_id: row.external_id,
            status: row.status.parse().map_err(Error::internal)?,
            seq: row.seq,
            customer: Customer {
                name: row.customer_name,
                phone: row.customer_phone,
                email: row.customer_email,
                locale: row.customer_locale,
            },
            address: row.address,
            item_summary: row.item_summary,
            items: items.unwrap_or_default(),
            total: row.total_amount.zip(row.total_currency).map(|(amount, currency)| Money { amount, currency }),
            carrier: row.carrier,
            tracking_number: row.tracking_number,
            tracking_url: row.tracking_url,
            estimated_delivery: row.estimated_delivery.as_deref().map(str::parse).transpose()?,
            original_estimated_delivery: row.original_estimated_delivery.as_deref().map(str::parse).transpose()?,
            shipment_status: row.shipment_status,
            shipment_reason: row.shipment_reason,
            courier_account: row.courier_account,
            courier_id: row.courier_id,
            notes: row.notes,
            cancellation_reason: row.cancellation_reason,
            shipped_at: row.shipped_at.map(|at| at.0),
            delivered_at: row.delivered_at.map(|at| at.0),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

impl TryFrom<&Order> for OrderRow {
    type Error = Error;

    fn try_from(order: &Order) -> Result<Self> {
        let order = order.clone();
        let items = (!order.items.is_empty()).then(|| serde_json::to_string(&order.items)).transpose();
        let (total_amount, total_currency) = order.total.map(|total| (total.amount, total.currency)).unzip();
        Ok(Self {
            id: order.id,
            company_id: order.company,
            number: order.number,
            external_id: order.external_id,
            status: order.status.code().to_owned(),
            seq: order.seq,
            customer_name: order.customer.name,
            customer_phone: order.customer.phone,
            customer_email: order.customer.email,
            customer_locale: order.customer.locale,
            address: order.address,
            item_summary: order.item_summary,
            items: items.map_err(Error::internal)?,
            total_amount,
            total_currency,
            carrier: order.carrier,
            tracking_number: order.tracking_number,
            tracking_url: order.tracking_url,
            estimated_delivery: order.estimated_delivery.map(String::from),
            original_estimated_delivery: order.original_estimated_delivery.map(String::from),
            shipment_status: order.shipment_status,
            shipment_reason: order.shipment_reason,
            courier_account: order.courier_account,
            courier_id: order.courier_id,
            notes: order.notes,
            cancellation_reason: order.cancellation_reason,
            shipped_at: order.shipped_at.map(At),
            delivered_at: order.delivered_at.map(At),
            created_at: At(order.created_at),
            updated_at: At(order.updated_at),
        })
    }
}

/// Which identifiers the numbers and external ids stand for, in all companies.
pub(super) async fn find_names(
    conn: &mut Conn,
    numbers: Vec<String>,
    external_ids: Vec<String>,
) -> Result<Vec<(OrderId, CompanyId, String, Option<String>)>> {
    let columns = (orders::id, orders::company_id, orders::number, orders::external_id);
    let mut found = Vec::new();
    if !numbers.is_empty() {
        let query = orders::table.filter(orders::number.eq_any(numbers)).select(columns);
        found = load!(&mut *conn, (OrderId, CompanyId, String, Option<String>), query)?;
    }
    if !external_ids.is_empty() {
        let query = orders::table.filter(orders::external_id.eq_any(external_ids)).select(columns);
        found.extend(load!(&mut *conn, (OrderId, CompanyId, String, Option<String>), query)?);
    }
    Ok(found)
}

/// Reads orders and holds them until the transaction ends. On PostgreSQL they are locked in one order, or two groups
/// that overlap would wait for each other; on SQLite the transaction already has the only write lock.
pub(super) async fn lock_orders(conn: &mut Conn, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>> {
    let wanted = orders::table.filter(orders::id.eq_any(ids)).select(orders::all_columns);
    let rows = match conn {
        Conn::Postgres(conn) => {
            let query = wanted.order(orders::id).for_update();
            diesel_async::RunQueryDsl::load::<OrderRow>(query, &mut **conn).await?
        }
        Conn::Sqlite(conn) => diesel::RunQueryDsl::load::<OrderRow>(wanted, &mut **conn)?,
    };
    rows.into_iter().map(|row| Ok((row.id, Order::try_from(row)?))).collect()
}

/// Writes new orders.
pub(super) async fn insert_orders(conn: &mut Conn, new: &[&Order]) -> Result<(), diesel::result::Error> {
    let rows = new.iter().map(|order| OrderRow::try_from(*order)).collect::<Result<Vec<_>>>();
    let rows = rows.map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))?;
    insert_many!(conn, orders::table, &rows)?;
    Ok(())
}

/// Writes what a change can touch of orders that are held by [`lock_orders`].
pub(super) async fn update_orders(conn: &mut Conn, changed: &[&Order]) -> Result<()> {
    let rows = changed.iter().map(|order| OrderRow::try_from(*order)).collect::<Result<Vec<_>>>()?;
    match conn {
        Conn::Postgres(conn) => {
            let query = update_all_at_once(rows);
            diesel_async::RunQueryDsl::execute(query, &mut **conn).await?;
        }
        Conn::Sqlite(conn) => {
            for row in rows {
                diesel::RunQueryDsl::execute(Fixed(update_one(row)), &mut **conn)?;
            }
        }
    }
    Ok(())
}

/// One prepared statement, whatever the number of rows: each column travels as one array.
fn update_all_at_once(rows: Vec<OrderRow>) -> impl diesel_async::methods::ExecuteDsl<diesel_async::AsyncPgConnection> {
    macro_rules! column {
        ($field:ident) => {
            rows.iter().map(|row| row.$field.clone()).collect::<Vec<_>>()
        };
    }
    type Texts = Array<Nullable<Text>>;
    type Times = Array<Nullable<Instant>>;
    let sql = "UPDATE orders SET status = new.status, seq = new.seq, carrier = new.carrier, \
         tracking_number = new.tracking_number, tracking_url = new.tracking_url, \
         estimated_delivery = new.estimated_delivery, original_estimated_delivery = new.original_estimated_delivery, \
         shipment_status = new.shipment_status, shipment_reason = new.shipment_reason, notes = new.notes, \
         cancellation_reason = new.cancellation_reason, shipped_at = new.shipped_at, \
         delivered_at = new.delivered_at, updated_at = new.updated_at \
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) AS new (id, status, seq, \
         carrier, tracking_number, tracking_url, estimated_delivery, original_estimated_delivery, shipment_status, \
         shipment_reason, notes, cancellation_reason, shipped_at, delivered_at, updated_at) WHERE orders.id = new.id";
    let query = diesel::sql_query(sql)
        .bind::<Array<Id>, _>(column!(id))
        .bind::<Array<Text>, _>(column!(status))
        .bind::<Array<BigInt>, _>(column!(seq))
        .bind::<Texts, _>(column!(carrier))
        .bind::<Texts, _>(column!(tracking_number))
        .bind::<Texts, _>(column!(tracking_url))
        .bind::<Texts, _>(column!(estimated_delivery))
        .bind::<Texts, _>(column!(original_estimated_delivery))
        .bind::<Texts, _>(column!(shipment_status))
        .bind::<Texts, _>(column!(shipment_reason))
        .bind::<Texts, _>(column!(notes))
        .bind::<Texts, _>(column!(cancellation_reason))
        .bind::<Times, _>(column!(shipped_at))
        .bind::<Times, _>(column!(delivered_at))
        .bind::<Array<Instant>, _>(column!(updated_at));
    Fixed(query)
}

/// The same columns for one row.
fn update_one(row: OrderRow) -> impl diesel::query_builder::QueryFragment<diesel::sqlite::Sqlite> {
    diesel::update(orders::table.find(row.id)).set((
        orders::status.eq(row.status),
        orders::seq.eq(row.seq),
        orders::carrier.eq(row.carrier),
        orders::tracking_number.eq(row.tracking_number),
        orders::tracking_url.eq(row.tracking_url),
        orders::estimated_delivery.eq(row.estimated_delivery),
        orders::original_estimated_delivery.eq(row.original_estimated_delivery),
        orders::shipment_status.eq(row.shipment_status),
        orders::shipment_reason.eq(row.shipment_reason),
        orders::notes.eq(row.notes),
        orders::cancellation_reason.eq(row.cancellation_reason),
        orders::shipped_at.eq(row.shipped_at),
        orders::delivered_at.eq(row.delivered_at),
        orders::updated_at.eq(row.updated_at),
    ))
}

#[derive(Insertable)]
#[diesel(table_name = order_events, treat_none_as_default_value = false)]
struct EventRow {
    order_id: OrderId,
    seq: i64,
    id: EventId,
    company_id: CompanyId,
    kind: String,
    status: String,
    previous_status: Option<String>,
    body: String,
    actor_kind: String,
    actor_name: String,
    occurred_at: At,
}

/// An event with what its row says beside the body.
pub(super) struct Entry<'a> {
    pub event: &'a Event,
    pub kind: &'static str,
    pub status: Status,
    pub previous_status: Option<Status>,
    pub actor: &'a Actor,
    pub at: jiff::Timestamp,
}

/// Appends events to their orders' logs.
pub(super) async fn insert_events(conn: &mut Conn, entries: &[Entry<'_>]) -> Result<(), diesel::result::Error> {
    let row = |entry: &Entry<'_>| EventRow {
        order_id: entry.event.order,
        seq: entry.event.seq,
        id: entry.event.id,
        company_id: entry.event.company,
        kind: entry.kind.to_owned(),
        status: entry.status.code().to_owned(),
        previous_status: entry.previous_status.map(|status| status.code().to_owned()),
        body: entry.event.body.clone(),
        actor_kind: entry.actor.kind().to_owned(),
        actor_name: entry.actor.name().to_owned(),
        occurred_at: At(entry.at),
    };
    let rows: Vec<EventRow> = entries.iter().map(row).collect();
    insert_many!(conn, order_events::table, &rows)?;
    Ok(())
}

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
            query = query.filter(lower(orders::carrier).eq(carrier.to_lowercase()));
        }
        if let Some(since) = filter.updated_since {
            query = query.filter(orders::updated_at.ge(At(since)));
        }
        if let Some(words) = filter.search {
            let pattern = contains(&words);
            query = query.filter(
                lower(orders::number.nullable()).like(pattern.clone()).escape('!')
                    .or(lower(orders::external_id).like(pattern.clone()).escape('!'))
                    .or(lower(orders::tracking_number).like(pattern.clone()).escape('!'))
                    .or(lower(orders::customer_name).like(pattern.clone()).escape('!'))
                    .or(lower(orders::customer_email).like(pattern.clone()).escape('!'))
                    .or(lower(orders::customer_phone).like(pattern).escape('!')),
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

#[diesel::declare_sql_function]
extern "SQL" {
    /// Lower case; on SQLite of ASCII letters only, which is what numbers, mail addresses and most names need.
    fn lower(text: Nullable<Text>) -> Nullable<Text>;
}

/// The LIKE pattern for texts that contain the words, with `!` as the escape character.
fn contains(words: &str) -> String {
    let mut pattern = String::from("%");
    for letter in words.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// A tracking pass as stored.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = tracking_passes, treat_none_as_default_value = false)]
pub(super) struct PassRow {
    pub id: PassId,
    pub order_id: OrderId,
    pub created_at: At,
    pub expires_at: Option<At>,
    pub revoked_at: Option<At>,
}

/// Writes a new pass.
pub(super) async fn insert_pass(conn: &mut Conn, pass: &PassRow) -> Result<()> {
    execute!(conn, diesel::insert_into(tracking_passes::table).values(pass))?;
    Ok(())
}

/// A pass with the status of its order and when the order was last changed.
pub(super) async fn find_pass(conn: &mut Conn, id: PassId) -> Result<Option<(PassRow, String, At)>> {
    let query = tracking_passes::table
        .inner_join(orders::table.on(orders::id.eq(tracking_passes::order_id)))
        .filter(tracking_passes::id.eq(id))
        .select((tracking_passes::all_columns, orders::status, orders::updated_at));
    Ok(find!(conn, (PassRow, String, At), query)?)
}

/// The passes of an order, newest first.
pub(super) async fn list_passes(conn: &mut Conn, order: OrderId) -> Result<Vec<PassRow>> {
    let query = tracking_passes::table
        .filter(tracking_passes::order_id.eq(order))
        .order((tracking_passes::created_at.desc(), tracking_passes::id.desc()))
        .select(tracking_passes::all_columns);
    Ok(load!(conn, PassRow, query)?)
}

/// Revokes a pass of an order; says whether there was one that still worked.
pub(super) async fn revoke_pass(conn: &mut Conn, order: OrderId, id: PassId, at: At) -> Result<bool> {
    let live = tracking_passes::table
        .filter(tracking_passes::id.eq(id))
        .filter(tracking_passes::order_id.eq(order))
        .filter(tracking_passes::revoked_at.is_null());
    Ok(execute!(conn, diesel::update(live).set(tracking_passes::revoked_at.eq(Some(at))))? > 0)
}

/// Passes revoked at or after a moment.
pub(super) async fn list_revoked_passes(conn: &mut Conn, since: At) -> Result<Vec<PassId>> {
    let query = tracking_passes::table.filter(tracking_passes::revoked_at.ge(since)).select(tracking_passes::id);
    Ok(load!(conn, PassId, query)?)
}

/// Orders with this number whose customer has this e-mail address (any letter case): at most ten.
pub(super) async fn find_by_contact(conn: &mut Conn, number: &str, email: &str) -> Result<Vec<OrderId>> {
    let query = orders::table
        .filter(orders::number.eq(number))
        .filter(lower(orders::customer_email).eq(email.to_lowercase()))
        .order(orders::id)
        .limit(10)
        .select(orders::id);
    Ok(load!(conn, OrderId, query)?)
}
