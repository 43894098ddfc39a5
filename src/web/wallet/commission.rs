//! Commissions: rates, and what the platform keeps of orders, with the arithmetic.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{paged, place, platform};
use crate::accounts::Companies;
use crate::base::{Error, Money, Result};
use crate::orders::commissions::{Lacking, MOST_ORDERS, Priced};
use crate::orders::{Commissions, OrderRef, Status};
use crate::wallet::commission::{Line, percent};
use crate::wallet::rates::SetRate;
use crate::wallet::{Credit, Rates};
use crate::web::PublicUrl;
use crate::web::auth::{Administer, Caller, Read};
use crate::web::body::Incoming;
use crate::web::company;
use crate::web::error::{Answer, ProblemView};
use crate::web::orders::target::Target;
use crate::web::query::Query;

/// A commission rate.
#[derive(Serialize, ToSchema)]
#[schema(as = CommissionRate)]
pub struct RateView {
    id: Uuid,
    /// Only sales of this company; all when null.
    company: Option<Uuid>,
    /// Only this category; all when null.
    #[schema(example = "lamps")]
    category: Option<String>,
    /// Hundredths of a percent.
    #[schema(example = 1250)]
    basis_points: i32,
    #[schema(example = "12.5%")]
    percent: String,
    /// Holds for orders made at or after this time, until a newer one of the same company and category does.
    holds_from: Timestamp,
    created_at: Timestamp,
    created_by: String,
}

impl From<SetRate> for RateView {
    fn from(set: SetRate) -> Self {
        Self {
            id: set.id.0,
            company: set.rate.company.map(|company| company.0),
            category: set.rate.category,
            basis_points: set.rate.basis_points,
            percent: percent(set.rate.basis_points),
            holds_from: set.rate.holds_from,
            created_at: set.created_at,
            created_by: set.created_by,
        }
    }
}

/// A page of rates.
#[derive(Serialize, ToSchema)]
#[schema(as = CommissionRatePage)]
pub struct RatePageView {
    /// Newest first.
    data: Vec<RateView>,
    /// Send it back as `after`; null at the end.
    next: Option<String>,
}

/// A new rate. The most specific holds: company and category, company, category, platform.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCommissionRate {
    /// Slug or id; every company when left out.
    company: Option<String>,
    /// Every category when left out.
    #[schema(example = "lamps", max_length = 64)]
    category: Option<String>,
    /// Hundredths of a percent: 1250 is 12.5%.
    #[schema(example = 1250, minimum = 0, maximum = 10_000)]
    basis_points: i32,
    /// For orders made at or after this time; now when left out.
    holds_from: Option<Timestamp>,
}

/// The money of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderCommission)]
pub struct PricedView {
    order: Uuid,
    number: String,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<Money>,
    /// Absent until it is calculated.
    #[serde(skip_serializing_if = "Option::is_none")]
    commission: Option<CommissionView>,
    /// Absent until the order is delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    credit: Option<CreditView>,
}

/// What the platform keeps of an order, in minor units.
#[derive(Serialize, ToSchema)]
#[schema(as = Commission)]
struct CommissionView {
    #[schema(example = 10_000)]
    amount: i64,
    /// What is left for the vendor.
    #[schema(example = 89_999)]
    vendor_amount: i64,
    /// The total it was calculated on.
    #[schema(example = 99_999)]
    of_total: i64,
    #[schema(example = "USD")]
    currency: String,
    #[schema(example = "10%")]
    rate: String,
    /// The arithmetic: the parts of the total by category, each rounded half to even; they sum to the whole.
    lines: Vec<Line>,
    calculated_at: Timestamp,
}

/// What an order's delivery has brought its vendor.
#[derive(Serialize, ToSchema)]
#[schema(as = Credit)]
struct CreditView {
    /// `held`, `available` or `reversed`.
    #[schema(example = "held")]
    state: &'static str,
    /// How often the order has been credited.
    #[schema(example = 1)]
    round: i32,
    #[schema(example = 89_999)]
    vendor_amount: i64,
    credited_at: Timestamp,
    /// When it is released by itself.
    release_at: Timestamp,
    /// Whether the customer disputes the delivery: then it is not released.
    held_by_dispute: bool,
}

impl From<Credit> for CreditView {
    fn from(credit: Credit) -> Self {
        Self {
            state: credit.state.code(),
            round: credit.round,
            vendor_amount: credit.vendor_amount,
            credited_at: credit.credited_at,
            release_at: credit.release_at,
            held_by_dispute: credit.disputed_at.is_some(),
        }
    }
}

impl From<Priced> for PricedView {
    fn from(priced: Priced) -> Self {
        let commission = priced.commission.map(|commission| CommissionView {
            amount: commission.amount,
            vendor_amount: commission.vendor_amount(),
            of_total: commission.total,
            currency: commission.currency,
            rate: commission.rate,
            lines: commission.lines,
            calculated_at: commission.calculated_at,
        });
        Self {
            order: priced.order.id.0,
            number: priced.order.number,
            status: priced.order.status,
            total: priced.order.total,
            commission,
            credit: priced.credit.map(CreditView::from),
        }
    }
}

/// Which orders to calculate: those named, or those that lack a commission.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalculateCommissions {
    /// UUIDs or numbers; when left out, up to 500 orders that have a total, are not at their end, and lack a commission.
    #[schema(value_type = Option<Vec<String>>, max_items = 500)]
    orders: Option<Vec<String>>,
    /// Slug or id; only orders of this company.
    company: Option<String>,
    /// Only orders in these statuses.
    #[serde(default)]
    statuses: Vec<Status>,
}

/// What became of each order.
#[derive(Serialize, ToSchema)]
#[schema(as = CommissionsCalculated)]
pub struct CalculatedView {
    results: Vec<CalculatedRow>,
    /// How many were calculated.
    calculated: usize,
    /// Whether as many as can be done at once were found: there may be more.
    may_be_more: bool,
}

/// What became of one order.
#[derive(Serialize, ToSchema)]
#[schema(as = CommissionCalculated)]
struct CalculatedRow {
    /// As it was named.
    order: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<PricedView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemView>,
}

impl CalculatedRow {
    fn new(order: String, done: Result<Priced>) -> Self {
        match done {
            Ok(priced) => Self { order, ok: true, result: Some(priced.into()), problem: None },
            Err(error) => Self { order, ok: false, result: None, problem: Some(ProblemView::logged(&error)) },
        }
    }
}

/// Lists commission rates, newest first. For those who run the platform.
#[utoipa::path(get, path = "/api/v1/commission-rates", tag = "Commissions",
    params(("company" = Option<String>, Query, description = "Slug or id: only this company's own"),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 200, description = "Rates in a page; 50 when left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before")),
    responses((status = 200, description = "Every rate ever set", body = RatePageView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn list_commission_rates(
    request: HttpRequest,
    caller: Caller<Administer>,
    companies: Data<Companies>,
    rates: Data<Rates>,
    home: Data<PublicUrl>,
) -> Answer {
    platform(&caller)?;
    let query = Query::of(&request, &["company", "limit", "after"])?;
    let company = company::chosen(&caller, query.one("company")?, &companies).await?;
    let (after, limit) = place(&query)?;
    let page = rates.list(company, after, limit).await?;
    let next = page.next.map(|next| next.encode());
    let data = page.data.into_iter().map(RateView::from).collect();
    Ok(paged(&home, &request, &RatePageView { data, next: next.clone() }, next.as_deref()))
}

/// Sets a commission rate. Earlier ones stay: a rate holds from a time on, until a newer one of its scope does.
#[utoipa::path(post, path = "/api/v1/commission-rates", tag = "Commissions", request_body = SetCommissionRate,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 201, description = "The rate", body = RateView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn set_commission_rate(
    incoming: Incoming,
    caller: Caller<Administer>,
    companies: Data<Companies>,
    rates: Data<Rates>,
) -> Answer {
    let (actor, request_id) = (platform(&caller)?, incoming.request_id());
    let body: SetCommissionRate = incoming.json().await?;
    let company = company::chosen(&caller, body.company.as_deref(), &companies).await?;
    let set = rates.set(actor, company, body.category, body.basis_points, body.holds_from, request_id).await?;
    Ok(HttpResponse::Created().json(RateView::from(set)))
}

/// Reads an order's commission and what its delivery has brought the vendor.
#[utoipa::path(get, path = "/api/v1/orders/{id}/commission", tag = "Commissions",
    params(("id" = String, Path, description = "UUID or number", example = "MB1031")),
    responses((status = 200, description = "The money of the order", body = PricedView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound)),
    security(("bearer" = ["orders:read"]), ("api_key" = []), ("query_token" = [])))]
pub async fn get_order_commission(caller: Caller<Read>, target: Target, commissions: Data<Commissions>) -> Answer {
    Ok(HttpResponse::Ok().json(PricedView::from(commissions.get(&caller.actor(), &target.0).await?)))
}

/// Calculates an order's commission, or calculates it anew; not after the delivery.
#[utoipa::path(post, path = "/api/v1/orders/{id}/commission", tag = "Commissions",
    params(("id" = String, Path, description = "UUID or number", example = "MB1031")),
    responses((status = 200, description = "The money of the order", body = PricedView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound),
        (status = 409, description = "`commission_settled`, `no_total`, `no_commission_rate`", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn calculate_order_commission(
    request: HttpRequest,
    caller: Caller<Administer>,
    target: Target,
    commissions: Data<Commissions>,
) -> Answer {
    let request_id = crate::web::request_id(&request);
    let priced = commissions.calculate(caller.actor(), &target.0, request_id).await?;
    Ok(HttpResponse::Ok().json(PricedView::from(priced)))
}

/// Calculates the commissions of many orders. Each stands for itself: a refused one spoils nothing for the others.
#[utoipa::path(post, path = "/api/v1/orders/commission", tag = "Commissions", request_body = CalculateCommissions,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 200, description = "What became of each", body = CalculatedView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn calculate_commissions(
    incoming: Incoming,
    caller: Caller<Administer>,
    companies: Data<Companies>,
    commissions: Data<Commissions>,
) -> Answer {
    let request_id = incoming.request_id();
    let body: CalculateCommissions = incoming.json().await?;
    let (results, may_be_more) = match body.orders {
        Some(names) => {
            if body.company.is_some() || !body.statuses.is_empty() {
                let message = "Name orders, or say which to look for by company and statuses; not both";
                return Err(Error::invalid_field("orders", "one_of_two", message).into());
            }
            let targets = names.iter().map(|name| name.parse()).collect::<Result<Vec<OrderRef>>>()?;
            let done = commissions.calculate_all(caller.actor(), targets, request_id).await?;
            (names.into_iter().zip(done).collect::<Vec<_>>(), false)
        }
        None => {
            let company = company::chosen(&caller, body.company.as_deref(), &companies).await?;
            let lacking = Lacking { company, statuses: body.statuses };
            let done = commissions.calculate_lacking(caller.actor(), lacking, request_id).await?;
            let is_full = done.len() == MOST_ORDERS;
            (done.into_iter().map(|(id, done)| (id.to_string(), done)).collect(), is_full)
        }
    };
    let results: Vec<_> = results.into_iter().map(|(order, done)| CalculatedRow::new(order, done)).collect();
    let calculated = results.iter().filter(|row| row.ok).count();
    Ok(HttpResponse::Ok().json(CalculatedView { results, calculated, may_be_more }))
}
