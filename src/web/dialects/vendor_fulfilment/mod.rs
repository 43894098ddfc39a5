//! `/api/vendor/orders` of reference/003: vendors move their orders step by step, those who run the platform as they like.
//!
//! What is here: the three endpoints and their refusals; [`view`], the shapes. What is not: rules; see `orders`.

mod view;

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use self::view::{OrderView, StatusUpdated, updated};

use crate::base::page::Cursor;
use crate::base::{Actor, Error, Result};
use crate::orders::{Change, Commissions, OrderRef, Orders, Status, Timeline};
use crate::web::auth::{Caller, Read, UpdateStatus};
use crate::web::body::{Incoming, text};
use crate::web::error::Problem;
use crate::web::orders::listing::filter;
use crate::web::orders::target::Target;
use crate::web::query::Query;

const NAMES: [&str; 6] = ["status", "q", "carrier", "updated_since", "limit", "after"];
/// The steps of a vendor.
const STEPS: [Status; 3] = [Status::Packed, Status::Shipped, Status::Delivered];
const WRONG_STATUS: &str = "Status must be one of: PACKED, SHIPPED, DELIVERED";

/// A failure in the shape of reference/003: `{"success": false, "message": "…"}`.
#[derive(Debug)]
pub struct Refused(Problem);

impl<E: Into<Problem>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let body = json!({"success": false, "message": self.0.to_string()}).to_string();
        let mut response = self.0.error_response().map_body(|_, _| body).map_into_boxed_body();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

type Answer = Result<HttpResponse, Refused>;

/// A failure.
#[derive(ToSchema)]
#[schema(as = FulfilmentRefusal)]
#[expect(dead_code, reason = "describes what `Refused` writes")]
pub struct RefusalView {
    /// False.
    success: bool,
    #[schema(example = "Order not found")]
    message: String,
}

/// The status an order is to have.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `wished` reads")]
pub struct SetFulfilmentStatus {
    /// `PACKED`, `SHIPPED` or `DELIVERED`; who runs the platform may name any status.
    #[schema(example = "SHIPPED")]
    status: String,
}

/// An order.
#[derive(Serialize, ToSchema)]
pub struct FulfilmentOrderFound {
    success: bool,
    order: OrderView,
}

/// A page of orders.
#[derive(Serialize, ToSchema)]
pub struct FulfilmentOrderPage {
    success: bool,
    /// Newest change first.
    orders: Vec<OrderView>,
    /// Send it back as `after` for the next page; null at the end.
    next: Option<String>,
}

/// Moves an order: vendors their own by one step, those who run the platform any order to any status.
///
/// The status it has already is success and writes nothing. `DELIVERED` credits the vendor's wallet in the same
/// transaction, once for ever; the order's commission must be calculated before.
#[utoipa::path(post, path = "/api/vendor/orders/{id}/status", tag = "Order fulfilment", request_body = SetFulfilmentStatus,
    params(("id" = String, Path, description = "UUID or number", example = "MB1031")),
    responses((status = 200, description = "So it is", body = StatusUpdated),
        (status = 202, description = "A step of the company's own workflow waits for somebody's word", body = StatusUpdated),
        (status = 400, description = "The status, the identifier, the step, or the missing commission", body = RefusalView),
        (status = 401, description = "No good access token", body = RefusalView),
        (status = 403, description = "Another vendor's order, or no right to move any", body = RefusalView),
        (status = 404, description = "`Order not found`", body = RefusalView),
        (status = 409, description = "The money was paid out already, or the customer objects", body = RefusalView)),
    security(("person" = []), ("bearer" = ["orders:update_status"]), ("api_key" = []), ("query_token" = [])))]
pub async fn set_fulfilment_status(
    caller: Result<Caller<UpdateStatus>, Problem>,
    target: Result<Target, Problem>,
    incoming: Incoming,
    orders: Data<Orders>,
    timeline: Data<Timeline>,
) -> Answer {
    let actor = caller?.actor();
    let target = target?.0;
    let request_id = incoming.request_id();
    let status = wished(&incoming.bytes().await?, &actor)?;
    let change = Change { status: Some(status), ..Change::default() };
    let advanced = match orders.advance(actor.clone(), target.clone(), change, request_id).await {
        Err(Error::NotFound(_)) => return Err(unseen(&actor, &target, &timeline).await.into()),
        advanced => advanced?,
    };
    let mut reply = if advanced.held.is_some() { HttpResponse::Accepted() } else { HttpResponse::Ok() };
    Ok(reply.json(updated(advanced)))
}

/// The status a body asks for. Vendors have three; who runs the platform may name any.
fn wished(body: &[u8], actor: &Actor) -> Result<Status> {
    let refuse = || Error::invalid_field("status", "unknown_status", WRONG_STATUS);
    let body = text(body)?;
    let body: Value = if body.trim().is_empty() {
        Value::Null
    } else {
        serde_json::from_str(body)
            .map_err(|error| Error::invalid("bad_json", format!("The request body is not JSON: {error}")))?
    };
    let status: Status = body["status"].as_str().and_then(|text| text.trim().parse().ok()).ok_or_else(refuse)?;
    if actor.is_admin() || STEPS.contains(&status) { Ok(status) } else { Err(refuse()) }
}

/// What to say of an order the actor may not touch: of one that is another's, reference/003 says so.
async fn unseen(actor: &Actor, target: &OrderRef, timeline: &Timeline) -> Error {
    let is_named = matches!(target, OrderRef::Id(_)) && actor.company().is_some();
    if is_named && timeline.get_order(&Actor::System("vendor api"), target).await.is_ok() {
        return Error::Forbidden("You are not authorized to update this order".into());
    }
    Error::NotFound("Order")
}

/// Reads an order with its history.
#[utoipa::path(get, path = "/api/vendor/orders/{id}", tag = "Order fulfilment",
    params(("id" = String, Path, description = "UUID or number", example = "MB1031")),
    responses((status = 200, description = "The order", body = FulfilmentOrderFound),
        (status = 400, description = "`Invalid order ID format`", body = RefusalView),
        (status = 401, description = "No good access token", body = RefusalView),
        (status = 403, description = "Another vendor's order, or no right to read any", body = RefusalView),
        (status = 404, description = "`Order not found`", body = RefusalView),
        (status = 409, description = "Several companies have an order of this number", body = RefusalView)),
    security(("person" = []), ("bearer" = ["orders:read"]), ("api_key" = []), ("query_token" = [])))]
pub async fn get_fulfilment_order(
    caller: Result<Caller<Read>, Problem>,
    target: Result<Target, Problem>,
    timeline: Data<Timeline>,
    commissions: Data<Commissions>,
) -> Answer {
    let (actor, target) = (caller?.actor(), target?.0);
    let priced = match commissions.get(&actor, &target).await {
        Err(Error::NotFound(_)) => return Err(unseen(&actor, &target, &timeline).await.into()),
        priced => priced?,
    };
    let mut history = timeline.moves(vec![priced.order.id]).await?;
    let history = history.remove(&priced.order.id).unwrap_or_default();
    Ok(HttpResponse::Ok().json(FulfilmentOrderFound { success: true, order: OrderView::new(priced, history) }))
}

/// Lists orders with their histories, newest change first: the vendor's own, or all for those who run the platform.
#[utoipa::path(get, path = "/api/vendor/orders", tag = "Order fulfilment",
    params(("status" = Option<Vec<Status>>, Query, explode = false, description = "One of these: separated by commas, or given again and again"),
        ("q" = Option<String>, Query, description = "Number, external id, tracking number, name, e-mail or telephone contains this"),
        ("carrier" = Option<String>, Query, description = "This carrier, any letter case"),
        ("updated_since" = Option<String>, Query, format = DateTime, description = "Changed at or after this time (RFC 3339)"),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 200, description = "Orders in a page; 50 when left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before")),
    responses((status = 200, description = "A page", body = FulfilmentOrderPage),
        (status = 400, description = "A parameter that is not known, or not so", body = RefusalView),
        (status = 401, description = "No good access token", body = RefusalView),
        (status = 403, description = "No right to read orders", body = RefusalView)),
    security(("person" = []), ("bearer" = ["orders:read"]), ("api_key" = []), ("query_token" = [])))]
pub async fn list_fulfilment_orders(
    request: HttpRequest,
    caller: Result<Caller<Read>, Problem>,
    timeline: Data<Timeline>,
    commissions: Data<Commissions>,
) -> Answer {
    let actor = caller?.actor();
    let query = Query::of(&request, &NAMES)?;
    let limit = usize::try_from(query.number("limit", 50, 1..=200)?).map_err(Error::internal)?;
    let after = query.one("after")?.map(Cursor::decode).transpose()?;
    let page = timeline.list(&actor, filter(&query)?, after, limit).await?;
    let mut history = timeline.moves(page.data.iter().map(|order| order.id).collect()).await?;
    let priced = commissions.of(page.data).await?.into_iter();
    let orders: Vec<OrderView> = priced
        .map(|priced| {
            let history = history.remove(&priced.order.id).unwrap_or_default();
            OrderView::new(priced, history)
        })
        .collect();
    let next = page.next.map(|cursor| cursor.encode());
    Ok(HttpResponse::Ok().json(FulfilmentOrderPage { success: true, orders, next }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_names_one_of_three_statuses_and_an_admin_any() {
        let vendor = Actor::Webhook { company: Default::default(), source: "tests" };
        let admin = Actor::Admin { account: Default::default(), name: "A".into(), is_super: false };
        let wish = |body: &str, actor: &Actor| wished(body.as_bytes(), actor).map_err(|error| error.to_string());
        assert_eq!(wish(r#"{"status": "SHIPPED"}"#, &vendor), Ok(Status::Shipped));
        assert_eq!(wish(r#"{"status": "CANCELLED"}"#, &admin), Ok(Status::Cancelled));
        for body in ["", "{}", "[]", "null", r#"{"status": null}"#, r#"{"status": 5}"#, r#"{"status": "LOST"}"#] {
            assert_eq!(wish(body, &admin).unwrap_err(), WRONG_STATUS, "{body}");
        }
        assert_eq!(wish(r#"{"status": "CANCELLED"}"#, &vendor).unwrap_err(), WRONG_STATUS);
        assert!(wish("{", &admin).unwrap_err().starts_with("The request body is not JSON"));
    }
}
