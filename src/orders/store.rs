//! SQL of writing orders and their events.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::model::{Customer, Event, Order};
use super::status::Status;
use crate::base::id::{CompanyId, EventId, OrderId};
use crate::base::{Actor, Error, Money, Result};
use crate::db::schema::{order_events, orders};
use crate::db::types::{At, Id, Instant};
use crate::db::{Conn, Fixed};
use crate::{execute, insert_many, load, unnest};

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
    category: Option<String>,
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
            category: row.category,
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
            category: order.category,
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

/// What [`update_one`] does, for all rows at once.
const UPDATE_ALL: &str = "UPDATE orders SET status = new.status, seq = new.seq, carrier = new.carrier, \
     tracking_number = new.tracking_number, tracking_url = new.tracking_url, \
     estimated_delivery = new.estimated_delivery, original_estimated_delivery = new.original_estimated_delivery, \
     shipment_status = new.shipment_status, shipment_reason = new.shipment_reason, notes = new.notes, \
     cancellation_reason = new.cancellation_reason, shipped_at = new.shipped_at, delivered_at = new.delivered_at, \
     updated_at = new.updated_at \
     FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) AS new (id, status, seq, carrier, \
     tracking_number, tracking_url, estimated_delivery, original_estimated_delivery, shipment_status, \
     shipment_reason, notes, cancellation_reason, shipped_at, delivered_at, updated_at) WHERE orders.id = new.id";

/// Writes what a change can touch of orders that are held by [`lock_orders`].
pub(super) async fn update_orders(conn: &mut Conn, changed: &[&Order]) -> Result<()> {
    let rows = changed.iter().map(|order| OrderRow::try_from(*order)).collect::<Result<Vec<_>>>()?;
    match conn {
        Conn::Postgres(conn) => {
            let query = unnest!(UPDATE_ALL, rows, {
                id: Id, status: Text, seq: BigInt, carrier: Nullable<Text>, tracking_number: Nullable<Text>,
                tracking_url: Nullable<Text>, estimated_delivery: Nullable<Text>,
                original_estimated_delivery: Nullable<Text>, shipment_status: Nullable<Text>,
                shipment_reason: Nullable<Text>, notes: Nullable<Text>, cancellation_reason: Nullable<Text>,
                shipped_at: Nullable<Instant>, delivered_at: Nullable<Instant>, updated_at: Instant,
            });
            diesel_async::RunQueryDsl::execute(Fixed(query), &mut **conn).await?;
        }
        Conn::Sqlite(conn) => {
            for row in rows {
                diesel::RunQueryDsl::execute(Fixed(update_one(row)), &mut **conn)?;
            }
        }
    }
    Ok(())
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

/// Writes what [`update_orders`] leaves alone: the updates of every day need not carry it.
pub(super) async fn update_details(conn: &mut Conn, changed: &[&Order]) -> Result<(), diesel::result::Error> {
    for order in changed {
        let row = OrderRow::try_from(*order);
        let row = row.map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))?;
        let query = diesel::update(orders::table.find(row.id)).set((
            orders::external_id.eq(row.external_id),
            orders::customer_name.eq(row.customer_name),
            orders::customer_phone.eq(row.customer_phone),
            orders::customer_email.eq(row.customer_email),
            orders::customer_locale.eq(row.customer_locale),
            orders::address.eq(row.address),
            orders::item_summary.eq(row.item_summary),
            orders::items.eq(row.items),
            orders::total_amount.eq(row.total_amount),
            orders::total_currency.eq(row.total_currency),
        ));
        execute!(&mut *conn, query)?;
    }
    Ok(())
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
    actor_id: Option<String>,
    actor_role: Option<&'static str>,
}

const INSERT_EVENTS: &str = "INSERT INTO order_events (order_id, seq, id, company_id, \"type\", status, previous_status, \
     body, actor_kind, actor_name, occurred_at, actor_id, actor_role) \
     SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

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
        actor_id: entry.actor.id(),
        actor_role: entry.actor.role(),
    };
    let rows: Vec<EventRow> = entries.iter().map(row).collect();
    match conn {
        Conn::Postgres(conn) => {
            let query = unnest!(INSERT_EVENTS, rows, {
                order_id: Id, seq: BigInt, id: Id, company_id: Id, kind: Text, status: Text,
                previous_status: Nullable<Text>, body: Text, actor_kind: Text, actor_name: Text, occurred_at: Instant,
                actor_id: Nullable<Text>, actor_role: Nullable<Text>,
            });
            diesel_async::RunQueryDsl::execute(Fixed(query), &mut **conn).await?;
        }
        Conn::Sqlite(conn) => {
            for row in rows {
                let query = diesel::insert_into(order_events::table).values(row);
                diesel::RunQueryDsl::execute(query, &mut **conn)?;
            }
        }
    }
    Ok(())
}
