//! `POST /api/update-order` of reference/004: its fields, its replies, its errors.

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::base::{Error, Result};
use crate::orders::{Advanced, Change, OrderRef, Orders, Reach, Status};
use crate::web::auth::{Caller, UpdateOrder};
use crate::web::body::{Incoming, text};
use crate::web::error::{PlainError, Problem, WRONG_METHOD};

/// The request, as its clients send it. Fields it never had are passed over, as the earlier system did.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateOrderRequest {
    /// Number or UUID of the order.
    #[schema(example = "ORD-12345678", value_type = String)]
    #[serde(default, deserialize_with = "text_or_number")]
    order_id: Option<String>,
    /// The new status.
    #[schema(example = "shipped", value_type = String)]
    status: Option<String>,
    /// Required for `shipped`.
    #[schema(example = "FedEx")]
    carrier: Option<String>,
    /// The carrier's number.
    #[schema(example = "1234567890123")]
    #[serde(default, deserialize_with = "text_or_number")]
    tracking_number: Option<String>,
    /// Made from carrier and number when left out.
    tracking_url: Option<String>,
    /// Shown to the customer.
    notes: Option<String>,
    /// Required for `cancelled`.
    cancellation_reason: Option<String>,
    /// A day or an RFC 3339 time.
    estimated_delivery: Option<String>,
    /// Refuse unless the order is at this event.
    #[schema(minimum = 1)]
    expected_seq: Option<i64>,
}

/// The answer to an update: the order as it is now, and whom the update has reached.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderUpdated {
    message: &'static str,
    order: UpdatedOrder,
    /// The name of the caller's token.
    authenticated_as: String,
    /// Customers who were watching, and how many of them got it.
    live: LiveView,
    /// Things that look mistyped but were accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct UpdatedOrder {
    id: String,
    order_number: String,
    status: String,
    carrier: Option<String>,
    tracking_number: Option<String>,
    tracking_url: Option<String>,
    shipped_at: Option<String>,
    delivered_at: Option<String>,
    cancellation_reason: Option<String>,
    notes: Option<String>,
    updated_at: String,
}

/// Whom an update has reached, over all instances.
#[derive(Serialize, utoipa::ToSchema)]
pub struct LiveView {
    /// Live connections that watch the order.
    pub watchers: u64,
    /// Those the event was handed to.
    pub delivered: u64,
}

impl From<Reach> for LiveView {
    fn from(reach: Reach) -> Self {
        Self { watchers: reach.watchers, delivered: reach.delivered }
    }
}

/// Updates the status of an order.
#[utoipa::path(post, path = "/api/update-order", tag = "Order Update API", operation_id = "update_order",
    request_body = UpdateOrderRequest,
    responses((status = 200, description = "The order after the update", body = OrderUpdated), (status = 400, description = "`{\"error\": …}`: a field is missing or breaks a rule"),
        (status = 401, description = "`{\"error\": …}`: no good token"), (status = 403, description = "`{\"error\": …}`: the token lacks a permission"),
        (status = 404, description = "`{\"error\": …}`: no such order"), (status = 413, description = "`{\"error\": …}`: the body is too large"), (status = 500, description = "`{\"error\": …}`: server error")),
    security(("bearer" = []), ("api_key" = []), ("query_token" = [])))]
pub async fn update_order(
    caller: Result<Caller<UpdateOrder>, Problem>,
    incoming: Incoming,
    orders: Data<Orders>,
) -> Result<HttpResponse, PlainError> {
    let caller = caller?;
    let request_id = incoming.request_id();
    let (target, change) = read(&incoming.bytes().await?)?;
    let advanced = orders.advance(caller.actor(), target, change, request_id).await.map_err(in_camel_case)?;
    Ok(HttpResponse::Ok().json(reply(advanced, caller.who.name().to_owned())))
}

/// The answer to any other method.
pub async fn only_post(request: HttpRequest) -> HttpResponse {
    let message = format!("{} is not possible on this path", request.method());
    let mut response = match *request.method() {
        Method::OPTIONS => HttpResponse::NoContent().finish(),
        _ => PlainError(Error::invalid(WRONG_METHOD, message)).error_response(),
    };
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    response
}

fn read(body: &[u8]) -> Result<(OrderRef, Change)> {
    // As text first: the reader would not look into values of fields it passes over.
    let request: UpdateOrderRequest = serde_json::from_str(text(body)?)
        .map_err(|error| Error::invalid("bad_json", format!("Invalid request format: {error}")))?;
    let missing = |field| Error::invalid_field(field, "required", format!("Missing required field: {field}"));
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let target = filled(request.order_id).ok_or_else(|| missing("orderId"))?.parse()?;
    let status = filled(request.status).ok_or_else(|| missing("status"))?;
    let status: Status = status
        .parse()
        .map_err(|unknown| Error::invalid_field("status", "unknown_status", format!("Invalid status: {unknown}")))?;
    let carrier = filled(request.carrier);
    let cancellation_reason = filled(request.cancellation_reason);
    if status == Status::Shipped && carrier.is_none() {
        return Err(Error::invalid_field("carrier", "carrier_required", "carrier is required for shipped status"));
    }
    if status == Status::Cancelled && cancellation_reason.is_none() {
        let message = "cancellationReason is required for cancelled status";
        return Err(Error::invalid_field("cancellationReason", "cancellation_reason_required", message));
    }
    let change = Change {
        status: Some(status),
        expected_seq: request.expected_seq,
        carrier,
        tracking_number: filled(request.tracking_number),
        tracking_url: filled(request.tracking_url),
        estimated_delivery: filled(request.estimated_delivery)
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(in_camel_case)?,
        notes: filled(request.notes),
        cancellation_reason,
        ..Change::default()
    };
    Ok((target, change))
}

/// The refusal of a field, with the field named as this dialect names it.
fn in_camel_case(error: Error) -> Error {
    const NAMES: [(&str, &str); 4] = [
        ("tracking_number", "trackingNumber"),
        ("tracking_url", "trackingUrl"),
        ("cancellation_reason", "cancellationReason"),
        ("estimated_delivery", "estimatedDelivery"),
    ];
    match error {
        Error::Invalid(mut invalid) => {
            if let Some((ours, theirs)) = NAMES.into_iter().find(|(ours, _)| invalid.field == Some(*ours)) {
                invalid.field = Some(theirs);
                invalid.message = invalid.message.replace(ours, theirs);
            }
            Error::Invalid(invalid)
        }
        other => other,
    }
}

fn reply(advanced: Advanced, authenticated_as: String) -> OrderUpdated {
    let order = advanced.order;
    OrderUpdated {
        message: "Order updated successfully",
        order: UpdatedOrder {
            id: order.number.clone(),
            order_number: order.number,
            status: order.status.code().to_owned(),
            carrier: order.carrier,
            tracking_number: order.tracking_number,
            tracking_url: order.tracking_url,
            shipped_at: order.shipped_at.map(to_the_second),
            delivered_at: order.delivered_at.map(to_the_second),
            cancellation_reason: order.cancellation_reason,
            notes: order.notes,
            updated_at: to_the_second(order.updated_at),
        },
        authenticated_as,
        live: advanced.reach.into(),
        warnings: advanced.warnings,
    }
}

/// `2024-01-15T10:30:00Z`, as the reference writes times.
fn to_the_second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Clients of a language without types send identifiers as numbers now and then.
fn text_or_number<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u64),
    }
    Ok(Option::<Either>::deserialize(input)?.map(|either| match either {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        read(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn the_rules_of_the_reference_are_told_apart() {
        assert!(refusal("").starts_with("Invalid request format"));
        assert!(refusal("[]").starts_with("Invalid request format"));
        assert_eq!(refusal("{}"), "Missing required field: orderId");
        assert_eq!(refusal(r#"{"orderId": "ORD-1"}"#), "Missing required field: status");
        assert!(
            refusal(r#"{"orderId": "ORD-1", "status": "lost"}"#).starts_with("Invalid status: status must be one of")
        );
        assert_eq!(refusal(r#"{"orderId": "ORD-1", "status": "shipped"}"#), "carrier is required for shipped status");
        assert_eq!(
            refusal(r#"{"orderId": "ORD-1", "status": "cancelled", "cancellationReason": " "}"#),
            "cancellationReason is required for cancelled status"
        );
        assert!(refusal(r#"{"orderId": {}, "status": "paid"}"#).starts_with("Invalid request format"));
        let (target, change) = read(br#"{"orderId": 17, "status": "PAID", "extra": 1, "notes": null}"#).unwrap();
        assert_eq!(target, OrderRef::Number("17".into()));
        assert_eq!(change, Change { status: Some(Status::Paid), ..Change::default() });
    }
}
