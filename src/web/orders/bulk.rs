//! Many orders at once: a batch of new ones, and a bulk change of status as JSON or CSV.

use std::collections::HashMap;

use actix_web::HttpResponse;
use actix_web::web::Data;
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::requests::{CreateOrder, SetStatus};
use super::rows::{BatchView, BulkStatusView, left_undone};
use super::{company_of, csv};
use crate::accounts::Companies;
use crate::base::id::CompanyId;
use crate::base::{Actor, Error, Result};
use crate::orders::commit::MOST_ROWS;
use crate::orders::{Advanced, Change, OrderRef, Orders};
use crate::web::auth::{Caller, UpdateStatus, Write};
use crate::web::body::{self, Incoming, is_json, media_type, wrong_type};
use crate::web::error::Answer;
use crate::web::idempotency::Asked;
use crate::web::query::Query;

/// Up to 500 new orders.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateOrders {
    #[schema(value_type = Vec<CreateOrder>, max_items = 500)]
    orders: Vec<Value>,
}

/// Creates up to 500 orders. Each stands for itself: a refused one spoils nothing for the others.
#[utoipa::path(post, path = "/api/v1/orders/batch", tag = "Orders", request_body = CreateOrders,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 200, description = "What became of each, in the order of the rows", body = BatchView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("bearer" = ["orders:write"]), ("api_key" = []), ("query_token" = [])))]
pub async fn create_orders(
    incoming: Incoming,
    caller: Caller<Write>,
    orders: Data<Orders>,
    companies: Data<Companies>,
) -> Answer {
    let (request_id, asked) = (incoming.request_id(), Asked::of(&incoming.request));
    let rows = limited(incoming.json::<CreateOrders>().await?.orders)?;
    let rows = rows.into_iter().map(body::parse_value).collect::<Vec<Result<CreateOrder>>>();
    let shops = companies_of(&caller, &rows, &companies).await;
    let create = async |(at, row): (usize, Result<CreateOrder>)| {
        let (row, asked) = (row?, asked.map(|asked| asked.part(&at.to_string())));
        let company = match shops.get(&row.company) {
            Some(Ok(company)) => *company,
            _ => company_of(&caller, row.company.as_deref(), &companies).await?,
        };
        orders.create(caller.actor(), row.into_order(company, asked), request_id.clone()).await
    };
    Ok(HttpResponse::Ok().json(BatchView::new(join_all(rows.into_iter().enumerate().map(create)).await)))
}

/// Each company that rows name, looked up once.
async fn companies_of(
    caller: &Caller<Write>,
    rows: &[Result<CreateOrder>],
    companies: &Companies,
) -> HashMap<Option<String>, Result<CompanyId>> {
    let mut found = HashMap::new();
    for row in rows.iter().flatten() {
        if !found.contains_key(&row.company) {
            found.insert(row.company.clone(), company_of(caller, row.company.as_deref(), companies).await);
        }
    }
    found
}

fn limited<T>(rows: Vec<T>) -> Result<Vec<T>> {
    if rows.len() > MOST_ROWS {
        return Err(Error::invalid("too_many_rows", format!("At most {MOST_ROWS} rows at a time")));
    }
    Ok(rows)
}

/// A change of status of up to 500 orders.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetStatuses {
    #[schema(value_type = Vec<SetStatusRow>, max_items = 500)]
    updates: Vec<Value>,
    /// Say what would become of each row, and change nothing.
    #[serde(default)]
    dry_run: bool,
    /// All rows or, when one is refused, none.
    #[serde(default)]
    atomic: bool,
}

/// A new status of one order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the rows, each of which is read by itself")]
pub struct SetStatusRow {
    /// UUID or number.
    #[schema(example = "MB1031")]
    id: String,
    #[schema(inline)]
    #[serde(flatten)]
    change: SetStatus,
}

/// Moves up to 500 orders to a status, as JSON or as CSV with a header row (`id,status,carrier,…`).
///
/// Each row is judged like a single change and has its own result. For CSV, `dry_run` and `atomic` stand in the query.
#[utoipa::path(post, path = "/api/v1/orders/bulk-status", tag = "Orders",
    request_body(content((SetStatuses = "application/json"), (String = "text/csv"))),
    params(("dry_run" = Option<bool>, Query, description = "For CSV: say what would become of each row, and change nothing"),
        ("atomic" = Option<bool>, Query, description = "For CSV: all rows or none"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 200, description = "What became of each row, in the order of the rows", body = BulkStatusView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("bearer" = ["orders:update_status"]), ("api_key" = []), ("query_token" = [])))]
pub async fn set_order_statuses(incoming: Incoming, caller: Caller<UpdateStatus>, orders: Data<Orders>) -> Answer {
    let request_id = incoming.request_id();
    let SetStatuses { updates, dry_run, atomic } = read(incoming).await?;
    let (names, wishes): (Vec<_>, Vec<_>) = limited(updates)?.into_iter().map(row).unzip();
    let outcomes = if dry_run || atomic {
        together(&orders, caller.actor(), wishes, dry_run, atomic, request_id).await?
    } else {
        one_by_one(&orders, caller.actor(), wishes, request_id).await
    };
    let rows = names.into_iter().zip(outcomes).collect();
    Ok(HttpResponse::Ok().json(BulkStatusView::new(rows, dry_run, atomic)))
}

type Wish = Result<(OrderRef, Change)>;

async fn read(incoming: Incoming) -> Result<SetStatuses> {
    let query = Query::of(&incoming.request, &["dry_run", "atomic"])?;
    let (dry_run, atomic) = (query.flag("dry_run")?, query.flag("atomic")?);
    let given = media_type(&incoming.request);
    match given.as_str() {
        "text/csv" => {
            let bytes = incoming.bytes().await?;
            let updates = csv::read(body::text(&bytes)?, &["expected_seq"], MOST_ROWS)?;
            Ok(SetStatuses { updates, dry_run, atomic })
        }
        given if is_json(given) => {
            let body: SetStatuses = incoming.json().await?;
            Ok(SetStatuses { dry_run: body.dry_run || dry_run, atomic: body.atomic || atomic, ..body })
        }
        given => Err(wrong_type(given, "application/json or text/csv")),
    }
}

/// The name of a row's order, and what is wished for it.
fn row(mut row: Value) -> (Option<String>, Wish) {
    let id = row.as_object_mut().and_then(|fields| fields.remove("id"));
    let name = id.as_ref().and_then(Value::as_str).map(str::to_owned);
    let wish = || {
        let missing = || Error::invalid_field("id", "required", "id: every row needs the UUID or number of its order");
        let target = name.as_deref().ok_or_else(missing)?.parse()?;
        Ok((target, body::parse_value::<SetStatus>(row)?.into()))
    };
    let wish = wish();
    (name, wish)
}

async fn one_by_one(
    orders: &Orders,
    actor: Actor,
    wishes: Vec<Wish>,
    request_id: Option<String>,
) -> Vec<Result<Advanced>> {
    let advance = |wish: Wish| {
        let (actor, request_id) = (actor.clone(), request_id.clone());
        async move {
            let (target, change) = wish?;
            orders.advance(actor, target, change, request_id).await
        }
    };
    join_all(wishes.into_iter().map(advance)).await
}

/// All of them in one transaction, or none of them.
async fn together(
    orders: &Orders,
    actor: Actor,
    wishes: Vec<Wish>,
    dry_run: bool,
    atomic: bool,
    request_id: Option<String>,
) -> Result<Vec<Result<Advanced>>> {
    let is_dry = dry_run || wishes.iter().any(Result::is_err);
    let mut changes = Vec::with_capacity(wishes.len());
    let places: Vec<Result<()>> = wishes.into_iter().map(|wish| wish.map(|change| changes.push(change))).collect();
    let mut outcomes = orders.advance_all(actor, changes, is_dry, request_id).await?.into_iter();
    let lost = || Err(Error::internal("a row without an outcome"));
    let mut all: Vec<Result<Advanced>> =
        places.into_iter().map(|place| place.and_then(|()| outcomes.next().unwrap_or_else(lost))).collect();
    if atomic && all.iter().any(Result::is_err) {
        all.iter_mut().filter(|outcome| outcome.is_ok()).for_each(|outcome| *outcome = Err(left_undone()));
    }
    Ok(all)
}
