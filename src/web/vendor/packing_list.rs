//! What is to be packed: orders grouped by where they go, each with its items, and all items counted together.

use std::borrow::Cow;
use std::collections::BTreeMap;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::safe_csv;
use crate::base::page::Cursor;
use crate::base::{Error, Result};
use crate::orders::{Filter, Item, Order, Status, Timeline};
use crate::web::auth::Merchant;
use crate::web::error::Answer;
use crate::web::orders::listing;
use crate::web::query::Query;

/// Orders of one packing list.
const USUAL: i64 = 200;
const MOST: i64 = 500;

/// What is packed when no status is named: what has come in and stands on no cart yet.
const TO_PACK: [Status; 4] = [Status::Pending, Status::Paid, Status::Confirmed, Status::Processing];

/// What is to be packed.
#[derive(Serialize, ToSchema)]
#[schema(as = PackingList)]
pub struct PackingListView {
    /// Orders that go to the same person at the same address lie in one group.
    groups: Vec<PackingGroupView>,
    /// All items of the list, for one way through the shelves.
    totals: Vec<PackingTotalView>,
    /// How many orders there are.
    orders: usize,
    /// Send it back as `after` for the next page; null at the end.
    next: Option<String>,
}

/// Orders that go to one place.
#[derive(Serialize, ToSchema)]
#[schema(as = PackingGroup)]
struct PackingGroupView {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    orders: Vec<PackingOrderView>,
}

/// One order to pack.
#[derive(Serialize, ToSchema)]
#[schema(as = PackingOrder)]
struct PackingOrderView {
    id: Uuid,
    #[schema(example = "MB1031")]
    number: String,
    status: Status,
    seq: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<String>,
    items: Vec<PackingItemView>,
    /// Its content in one line, for orders without items.
    #[serde(skip_serializing_if = "Option::is_none")]
    item_summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
}

/// One line of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = PackingItem)]
struct PackingItemView {
    #[schema(example = "Widget")]
    name: String,
    qty: u32,
}

/// How often an item is on the list.
#[derive(Serialize, ToSchema)]
#[schema(as = PackingTotal)]
struct PackingTotalView {
    #[schema(example = "Widget")]
    name: String,
    qty: u64,
    /// In how many orders.
    orders: usize,
}

/// What is to be packed, as JSON or as CSV with a line for each item.
#[utoipa::path(get, path = "/api/v1/vendor/packing-list", tag = "Vendors",
    params(("status" = Option<Vec<Status>>, Query, explode = false,
            description = "Orders in one of these; pending, paid, confirmed and processing when left out"),
        ("q" = Option<String>, Query, description = "As in the list of orders"),
        ("carrier" = Option<String>, Query, description = "This carrier, any letter case"),
        ("updated_since" = Option<String>, Query, format = DateTime, description = "Changed at or after this time (RFC 3339)"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 500, description = "Orders in a list; 200 when left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("format" = Option<String>, Query, description = "`json` or `csv`; `json` when left out")),
    responses((status = 200, description = "What is to be packed; of CSV the header `X-Next` is `next`",
            content((PackingListView = "application/json"), (String = "text/csv"))),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = [])))]
pub async fn get_packing_list(request: HttpRequest, person: Merchant, timeline: Data<Timeline>) -> Answer {
    let query = Query::of(&request, &["status", "q", "carrier", "updated_since", "limit", "after", "format"])?;
    let limit = usize::try_from(query.number("limit", USUAL, 1..=MOST)?).map_err(Error::internal)?;
    let after = query.one("after")?.map(Cursor::decode).transpose()?;
    let is_csv = is_csv(&query)?;
    let wanted = listing::filter(&query)?;
    let statuses = if wanted.statuses.is_empty() { TO_PACK.to_vec() } else { wanted.statuses };
    let page = timeline.list(&person.actor(), Filter { statuses, ..wanted }, after, limit).await?;
    let next = page.next.map(|cursor| cursor.encode());
    let mut reply = HttpResponse::Ok();
    // Names and addresses: nobody between keeps them.
    reply.insert_header((CACHE_CONTROL, "no-store"));
    if !is_csv {
        return Ok(reply.json(list(page.data, next)));
    }
    reply.insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"));
    reply.insert_header((CONTENT_DISPOSITION, "attachment; filename=\"packing-list.csv\""));
    if let Some(next) = next {
        reply.insert_header(("X-Next", next));
    }
    Ok(reply.body(csv(&grouped(page.data))))
}

fn is_csv(query: &Query) -> Result<bool> {
    match query.one("format")? {
        None | Some("json") => Ok(false),
        Some("csv") => Ok(true),
        Some(_) => Err(Error::invalid_field("format", "bad_parameter", "format must be json or csv")),
    }
}

/// Orders by where they go, in the order in which the first of each came in.
fn grouped(mut orders: Vec<Order>) -> Vec<Vec<Order>> {
    orders.sort_by_key(|order| order.id);
    let mut groups: Vec<Vec<Order>> = Vec::new();
    let place = |order: &Order| {
        let plain = |text: &Option<String>| text.as_deref().map(|text| text.trim().to_lowercase());
        let customer = &order.customer;
        (plain(&customer.name), plain(&customer.phone), plain(&order.address))
    };
    let mut known = BTreeMap::new();
    for order in orders {
        let place = place(&order);
        // Orders that do not say where they go have nothing in common.
        let at = match &place {
            (_, _, None) => groups.len(),
            _ => *known.entry(place).or_insert(groups.len()),
        };
        match groups.get_mut(at) {
            Some(group) => group.push(order),
            None => groups.push(vec![order]),
        }
    }
    groups
}

fn list(orders: Vec<Order>, next: Option<String>) -> PackingListView {
    let mut counted = BTreeMap::<String, (u64, usize)>::new();
    for order in &orders {
        let mut own = BTreeMap::<&str, u64>::new();
        for Item { name, qty, .. } in &order.items {
            *own.entry(name).or_default() += u64::from(*qty);
        }
        for (name, qty) in own {
            let total = counted.entry(name.to_owned()).or_default();
            *total = (total.0 + qty, total.1 + 1);
        }
    }
    let totals = counted.into_iter().map(|(name, (qty, orders))| PackingTotalView { name, qty, orders }).collect();
    let count = orders.len();
    PackingListView { groups: grouped(orders).into_iter().map(group).collect(), totals, orders: count, next }
}

fn group(orders: Vec<Order>) -> PackingGroupView {
    let to = orders.first().cloned();
    let (customer, address) = to.map(|order| (order.customer, order.address)).unwrap_or_default();
    let order = |order: Order| PackingOrderView {
        id: order.id.0,
        number: order.number,
        status: order.status,
        seq: order.seq,
        carrier: order.carrier,
        items: order.items.into_iter().map(|item| PackingItemView { name: item.name, qty: item.qty }).collect(),
        item_summary: order.item_summary,
        notes: order.notes,
    };
    PackingGroupView {
        name: customer.name,
        phone: customer.phone,
        address,
        orders: orders.into_iter().map(order).collect(),
    }
}

/// A line for each item; an order without items has one for its content in a line.
fn csv(groups: &[Vec<Order>]) -> String {
    let header = ["group", "order", "status", "name", "phone", "address", "item", "qty", "carrier", "notes"];
    let mut lines: Vec<Vec<Cow<'_, str>>> = vec![header.map(Cow::from).to_vec()];
    for (at, group) in groups.iter().enumerate() {
        for order in group {
            let text = |text: &'_ Option<String>| Cow::from(text.clone().unwrap_or_default());
            let line = |item: Cow<'static, str>, qty: String| {
                vec![
                    (at + 1).to_string().into(),
                    order.number.clone().into(),
                    order.status.code().into(),
                    text(&order.customer.name),
                    text(&order.customer.phone),
                    text(&order.address),
                    item,
                    qty.into(),
                    text(&order.carrier),
                    text(&order.notes),
                ]
            };
            if order.items.is_empty() {
                lines.push(line(order.item_summary.clone().unwrap_or_default().into(), String::new()));
            }
            lines.extend(order.items.iter().map(|item| line(item.name.clone().into(), item.qty.to_string())));
        }
    }
    safe_csv::write(lines)
}
