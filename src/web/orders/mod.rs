//! Orders of the canonical API: create, find, read, change.
//!
//! What is here: [`requests`] and [`view`] (what goes in and out), single orders (this file), [`bulk`] (many at once),
//! [`history`] (events and audit trail), [`passes`] (links for customers). What is not: rules; those are in `orders`.

pub mod bulk;
mod csv;
pub mod history;
pub mod listing;
pub mod passes;
pub mod requests;
pub(in crate::web) mod rows;
pub mod target;
pub mod view;

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::Data;

use self::requests::{ChangeOrder, CreateOrder, SetStatus};
use self::target::Target;
use self::view::{OrderView, StatusSetView};
use super::auth::{Caller, Needs, Read, UpdateStatus, Write};
use super::body::Incoming;
use super::company;
use super::error::{Answer, ProblemView};
use super::idempotency::Asked;
use crate::accounts::Companies;
use crate::base::Result;
use crate::base::id::CompanyId;
use crate::orders::{Orders, Timeline};

/// Creates an order.
///
/// A repeat (same company and `external_id`, or the same Idempotency-Key) is answered with the order there is, and 200.
#[utoipa::path(post, path = "/api/v1/orders", tag = "Orders", request_body = CreateOrder,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 201, description = "The new order", body = OrderView, headers(("Location" = String, description = "The order's path"))),
        (status = 200, description = "A repeat: the order there is", body = OrderView),
        (status = 400, response = super::api::BadRequest), (status = 401, response = super::api::Unauthorized),
        (status = 403, response = super::api::Forbidden),
        (status = 409, description = "`number_taken`", body = ProblemView, content_type = "application/problem+json")),
    security(("bearer" = ["orders:write"]), ("api_key" = []), ("query_token" = [])))]
pub async fn create_order(
    incoming: Incoming,
    caller: Caller<Write>,
    orders: Data<Orders>,
    companies: Data<Companies>,
) -> Answer {
    let (request_id, asked) = (incoming.request_id(), Asked::of(&incoming.request));
    let body: CreateOrder = incoming.json().await?;
    let company = company_of(&caller, body.company.as_deref(), &companies).await?;
    let created = orders.create(caller.actor(), body.into_order(company, asked), request_id).await?;
    let place = (LOCATION, format!("/api/v1/orders/{}", created.order.id));
    let mut reply = if created.event.is_some() { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(reply.insert_header(place).json(OrderView::from(created.order)))
}

/// The company a new order belongs to: the caller's own, the one that is named, or the first there is.
async fn company_of<N: Needs>(caller: &Caller<N>, name: Option<&str>, companies: &Companies) -> Result<CompanyId> {
    match company::chosen(caller, name, companies).await? {
        Some(company) => Ok(company),
        None => Ok(companies.first().await?.id),
    }
}

/// Reads an order.
#[utoipa::path(get, path = "/api/v1/orders/{id}", tag = "Orders",
    params(("id" = String, Path, description = "UUID or number", example = "MB1031")),
    responses((status = 200, description = "The order", body = OrderView),
        (status = 400, response = super::api::BadRequest), (status = 401, response = super::api::Unauthorized),
        (status = 403, response = super::api::Forbidden), (status = 404, response = super::api::NotFound)),
    security(("bearer" = ["orders:read"]), ("api_key" = []), ("query_token" = [])))]
pub async fn get_order(caller: Caller<Read>, target: Target, timeline: Data<Timeline>) -> Answer {
    let order = timeline.get_order(&caller.actor(), &target.0).await?;
    Ok(HttpResponse::Ok().json(OrderView::from(order)))
}

/// Changes details of an order: carrier, number, estimate, notes.
///
/// Customers who watch see the change at once. What is so already is success and writes nothing.
#[utoipa::path(patch, path = "/api/v1/orders/{id}", tag = "Orders", request_body = ChangeOrder,
    params(("id" = String, Path, description = "UUID or number", example = "MB1031"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 200, description = "The order as it stands now", body = OrderView),
        (status = 400, response = super::api::BadRequest), (status = 401, response = super::api::Unauthorized),
        (status = 403, response = super::api::Forbidden), (status = 404, response = super::api::NotFound),
        (status = 409, response = super::api::Moved)),
    security(("bearer" = ["orders:write"]), ("api_key" = []), ("query_token" = [])))]
pub async fn change_order(incoming: Incoming, caller: Caller<Write>, target: Target, orders: Data<Orders>) -> Answer {
    let request_id = incoming.request_id();
    let body: ChangeOrder = incoming.json().await?;
    let changed = orders.advance(caller.actor(), target.0, body.into(), request_id).await?;
    Ok(HttpResponse::Ok().json(OrderView::from(changed.order)))
}

/// Moves an order to a status.
///
/// Forward only, `cancelled` from anything that has not ended; a token with the `admin` scope may do anything, and what
/// leaves the usual order is marked in the audit trail. The status it has already is success and writes nothing.
#[utoipa::path(post, path = "/api/v1/orders/{id}/status", tag = "Orders", request_body(content = SetStatus,
        example = json!({"status": "shipped", "carrier": "FedEx", "tracking_number": "986578788855"})),
    params(("id" = String, Path, description = "UUID or number", example = "MB1031"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 200, description = "The order, its event, and whom it has reached", body = StatusSetView),
        (status = 202, description = "It waits for somebody's word; see `held`", body = StatusSetView),
        (status = 400, response = super::api::BadRequest), (status = 401, response = super::api::Unauthorized),
        (status = 403, response = super::api::Forbidden), (status = 404, response = super::api::NotFound),
        (status = 409, response = super::api::Moved)),
    security(("bearer" = ["orders:update_status"]), ("api_key" = []), ("query_token" = [])))]
pub async fn set_order_status(
    incoming: Incoming,
    caller: Caller<UpdateStatus>,
    target: Target,
    orders: Data<Orders>,
) -> Answer {
    let request_id = incoming.request_id();
    let body: SetStatus = incoming.json().await?;
    let advanced = orders.advance(caller.actor(), target.0, body.into(), request_id).await?;
    StatusSetView::reply(advanced)
}
