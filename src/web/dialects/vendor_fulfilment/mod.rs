//! `/api/vendor/orders` of reference/003: vendors move their orders step by step, those who run the platform as they like.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Number, Value, json};

use crate::base::page::Cursor;
use crate::base::{Actor, Error, Money, Result};
use crate::orders::commissions::Priced;
use crate::orders::timeline::Moved;
use crate::orders::{Advanced, Change, Commissions, Item, OrderRef, Orders, Status, Timeline};
use crate::wallet::Credit;
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusUpdated {
    success: bool,
    message: String,
    current_status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet_credit: Option<WalletCredit>,
}

/// Amounts are in major units, as numbers: `899.99`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WalletCredit {
    credited: bool,
    vendor_amount: Number,
    wallet_balance: Number,
}

/// Moves an order.
pub async fn set_vendor_order_status(
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

fn updated(advanced: Advanced) -> StatusUpdated {
    let current = upper(advanced.order.status);
    if let Some(held) = advanced.held {
        // A step of the company's own workflow, which the reference does not know.
        let message = format!("Order status {} waits for {}", upper(held.to), held.gate.code());
        let (previous_status, wallet_credit) = (None, None);
        return StatusUpdated { success: true, message, current_status: current, previous_status, wallet_credit };
    }
    if advanced.event.is_none() {
        let message = format!("Order status is already {current}");
        let (previous_status, wallet_credit) = (None, None);
        return StatusUpdated { success: true, message, current_status: current, previous_status, wallet_credit };
    }
    let is_delivered = advanced.order.status == Status::Delivered;
    let message = if is_delivered {
        "Order status updated to DELIVERED successfully"
    } else {
        "Order status updated successfully"
    };
    let credit = advanced.credited.map_or_else(
        || WalletCredit { credited: false, vendor_amount: Number::from(0), wallet_balance: Number::from(0) },
        |credited| WalletCredit {
            credited: true,
            vendor_amount: major(&credited.vendor_amount),
            wallet_balance: major(&credited.balance),
        },
    );
    StatusUpdated {
        success: true,
        message: message.to_owned(),
        current_status: current,
        previous_status: Some(upper(advanced.previous_status)),
        wallet_credit: is_delivered.then_some(credit),
    }
}

fn upper(status: Status) -> String {
    status.code().to_ascii_uppercase()
}

/// An amount in major units as a number, as old clients read it: 899.99.
fn major(money: &Money) -> Number {
    let text = money.to_decimal();
    let whole = text.strip_suffix(&format!(".{}", "0".repeat(money.decimals() as usize))).unwrap_or(&text);
    let number = whole.parse::<i64>().ok().map(Number::from);
    number.or_else(|| Number::from_f64(text.parse().ok()?)).unwrap_or_else(|| Number::from(0))
}

/// `2024-01-15T10:30:00.000Z`, as the reference writes times.
fn to_the_millisecond(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderView {
    id: String,
    order_number: String,
    vendor_id: String,
    order_status: String,
    status_history: Vec<MovedView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_amount: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commission: Option<CommissionView>,
    items: Vec<ItemView>,
    carrier: Option<String>,
    tracking_number: Option<String>,
    shipped_at: Option<String>,
    delivered_at: Option<String>,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MovedView {
    status: String,
    updated_by: String,
    updated_by_user_id: Option<String>,
    updated_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CommissionView {
    amount: Number,
    rate: String,
    vendor_amount: Number,
    calculated_at: String,
    wallet_credited: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemView {
    name: String,
    quantity: u32,
    unit_price: Option<Number>,
}

impl From<Item> for ItemView {
    fn from(item: Item) -> Self {
        Self { name: item.name, quantity: item.qty, unit_price: item.unit_price.as_ref().map(major) }
    }
}

impl From<Moved> for MovedView {
    fn from(moved: Moved) -> Self {
        Self {
            status: upper(moved.status),
            updated_by: moved.by.replace('_', "-"),
            updated_by_user_id: moved.actor_id,
            updated_at: to_the_millisecond(moved.at),
        }
    }
}

impl OrderView {
    fn new(priced: Priced, history: Vec<Moved>) -> Self {
        let Priced { order, commission, credit } = priced;
        let commission = commission.map(|commission| {
            let money = |amount| major(&Money { amount, currency: commission.currency.clone() });
            CommissionView {
                amount: money(commission.amount),
                vendor_amount: money(commission.vendor_amount()),
                rate: commission.rate.clone(),
                calculated_at: to_the_millisecond(commission.calculated_at),
                wallet_credited: credit.as_ref().is_some_and(Credit::is_open),
            }
        });
        Self {
            id: order.id.to_string(),
            order_number: order.number,
            vendor_id: order.company.to_string(),
            order_status: upper(order.status),
            status_history: history.into_iter().map(MovedView::from).collect(),
            total_amount: order.total.as_ref().map(major),
            currency: order.total.map(|total| total.currency),
            commission,
            items: order.items.into_iter().map(ItemView::from).collect(),
            carrier: order.carrier,
            tracking_number: order.tracking_number,
            shipped_at: order.shipped_at.map(to_the_millisecond),
            delivered_at: order.delivered_at.map(to_the_millisecond),
            created_at: to_the_millisecond(order.created_at),
            updated_at: to_the_millisecond(order.updated_at),
        }
    }
}

/// Reads an order with its history.
pub async fn get_vendor_order(
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
    Ok(HttpResponse::Ok().json(json!({"success": true, "order": OrderView::new(priced, history)})))
}

/// Lists orders, newest change first: the vendor's own, or all for those who run the platform.
pub async fn list_vendor_orders(
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
    let views: Vec<OrderView> = priced
        .map(|priced| {
            let history = history.remove(&priced.order.id).unwrap_or_default();
            OrderView::new(priced, history)
        })
        .collect();
    let next = page.next.map(|cursor| cursor.encode());
    Ok(HttpResponse::Ok().json(json!({"success": true, "orders": views, "next": next})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_numbers_in_major_units() {
        let text = |amount, currency| major(&Money::new(amount, currency).unwrap()).to_string();
        assert_eq!(text(89_999, "USD"), "899.99");
        assert_eq!(text(450_050, "USD"), "4500.5");
        assert_eq!(text(90_000, "USD"), "900");
        assert_eq!(text(-5, "USD"), "-0.05");
        assert_eq!(text(900, "JPY"), "900");
        assert_eq!(text(900_125, "KWD"), "900.125");
        assert_eq!(text((1 << 52) - 1, "USD"), "45035996273704.95");
    }

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
