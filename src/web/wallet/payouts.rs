//! Payouts: asked for by vendors, decided by those who run the platform, paid from a file.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{csv_file, paged, place, platform, purse};
use crate::accounts::Companies;
use crate::base::id::PayoutId;
use crate::base::{Error, Money, Result};
use crate::wallet::Payouts;
use crate::wallet::payouts::{Decision, Payout};
use crate::web::PublicUrl;
use crate::web::auth::{Administer, Caller};
use crate::web::body::Incoming;
use crate::web::error::{Answer, ProblemView};
use crate::web::idempotency::Asked;
use crate::web::orders::target::segment;
use crate::web::query::Query;

/// A payout.
#[derive(Serialize, ToSchema)]
#[schema(as = Payout)]
pub struct PayoutView {
    id: Uuid,
    company: Uuid,
    company_name: String,
    /// Minor units.
    #[schema(example = 90_000)]
    amount: i64,
    #[schema(example = "USD")]
    currency: String,
    /// `requested`, `approved`, `refused` or `paid`.
    #[schema(example = "requested")]
    state: &'static str,
    requested_by: String,
    requested_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_at: Option<Timestamp>,
    /// Why it was refused, or what the bank calls the transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl From<Payout> for PayoutView {
    fn from(payout: Payout) -> Self {
        Self {
            id: payout.id.0,
            company: payout.company.0,
            company_name: payout.company_name,
            amount: payout.money.amount,
            currency: payout.money.currency,
            state: payout.state.code(),
            requested_by: payout.requested_by,
            requested_at: payout.requested_at,
            decided_by: payout.decided_by,
            decided_at: payout.decided_at,
            paid_at: payout.paid_at,
            note: payout.note,
        }
    }
}

/// A page of payouts.
#[derive(Serialize, ToSchema)]
#[schema(as = PayoutPage)]
pub struct PayoutPageView {
    /// Newest first.
    data: Vec<PayoutView>,
    /// Send it back as `after`; null at the end.
    next: Option<String>,
}

/// What is to be paid out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestPayout {
    /// Minor units: 90000 of USD is $900.
    #[schema(example = 90_000, minimum = 1)]
    amount: i64,
    #[schema(example = "USD")]
    currency: String,
    /// Slug or id; for those who run the platform.
    company: Option<String>,
}

/// Why a payout is refused.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusePayout {
    #[schema(example = "The bank account is not confirmed", max_length = 500)]
    reason: String,
}

/// That a payout was paid.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PayoutPaid {
    /// What the bank calls the transfer.
    #[schema(example = "SEPA 2026-11-24/17", max_length = 500)]
    note: Option<String>,
}

/// Asks for a payout of what is available.
#[utoipa::path(post, path = "/api/v1/wallet/payouts", tag = "Wallet", request_body = RequestPayout,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 201, description = "Asked for; the amount is set aside", body = PayoutView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden),
        (status = 409, description = "`not_enough_available`", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn request_payout(incoming: Incoming, companies: Data<Companies>, payouts: Data<Payouts>) -> Answer {
    let request = incoming.request.clone();
    // Who may not, is told so whatever the body says.
    super::holder(&request).await?;
    let (request_id, asked) = (incoming.request_id(), Asked::of(&request));
    let body: RequestPayout = incoming.json().await?;
    let (actor, company) = purse(&request, body.company.as_deref(), &companies).await?;
    // A request that comes again names the payout it made the first time.
    let id = asked.and_then(|asked| Uuid::from_slice(&asked.part("payout").0[..16]).ok()).map(PayoutId);
    let money = Money { amount: body.amount, currency: body.currency };
    let payout = payouts.request(actor, company, money, id.unwrap_or_default(), request_id).await?;
    Ok(HttpResponse::Created().json(PayoutView::from(payout)))
}

/// Lists a wallet's payouts.
#[utoipa::path(get, path = "/api/v1/wallet/payouts", tag = "Wallet",
    params(("company" = Option<String>, Query, description = "Slug or id; for those who run the platform"),
        ("state" = Option<String>, Query, description = "`requested`, `approved`, `refused` or `paid`"),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 200, description = "Payouts in a page; 50 when left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before")),
    responses((status = 200, description = "Newest first", body = PayoutPageView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn list_own_payouts(
    request: HttpRequest,
    companies: Data<Companies>,
    payouts: Data<Payouts>,
    home: Data<PublicUrl>,
) -> Answer {
    let query = Query::of(&request, &["company", "state", "limit", "after"])?;
    let (_, company) = purse(&request, query.one("company")?, &companies).await?;
    let state = query.one("state")?.map(str::parse).transpose()?;
    let (after, limit) = place(&query)?;
    let page = payouts.list(Some(company), state, after, limit).await?;
    let next = page.next.map(|next| next.encode());
    let data = page.data.into_iter().map(PayoutView::from).collect();
    Ok(paged(&home, &request, &PayoutPageView { data, next: next.clone() }, next.as_deref()))
}

/// Lists payouts of all companies. For those who run the platform.
#[utoipa::path(get, path = "/api/v1/admin/payouts", tag = "Platform",
    params(("company" = Option<String>, Query, description = "Slug or id"),
        ("state" = Option<String>, Query, description = "`requested`, `approved`, `refused` or `paid`"),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 200, description = "Payouts in a page; 50 when left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before")),
    responses((status = 200, description = "Newest first", body = PayoutPageView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn list_payouts(
    request: HttpRequest,
    caller: Caller<Administer>,
    companies: Data<Companies>,
    payouts: Data<Payouts>,
    home: Data<PublicUrl>,
) -> Answer {
    platform(&caller)?;
    let query = Query::of(&request, &["company", "state", "limit", "after"])?;
    let company = crate::web::company::chosen(&caller, query.one("company")?, &companies).await?;
    let state = query.one("state")?.map(str::parse).transpose()?;
    let (after, limit) = place(&query)?;
    let page = payouts.list(company, state, after, limit).await?;
    let next = page.next.map(|next| next.encode());
    let data = page.data.into_iter().map(PayoutView::from).collect();
    Ok(paged(&home, &request, &PayoutPageView { data, next: next.clone() }, next.as_deref()))
}

/// Reads the payout file: what is approved and not paid, oldest first, as CSV with amounts in major units.
#[utoipa::path(get, path = "/api/v1/admin/payouts.csv", tag = "Platform",
    responses((status = 200, description = "CSV", body = String, content_type = "text/csv"),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn get_payout_file(caller: Caller<Administer>, payouts: Data<Payouts>) -> Answer {
    platform(&caller)?;
    Ok(csv_file("payouts", payouts.file().await?))
}

/// The payout a path names.
fn named(request: &HttpRequest) -> Result<PayoutId> {
    segment(request, "id")?.parse().map_err(|_| Error::NotFound("Payout"))
}

/// Approves a payout: it goes into the payout file.
#[utoipa::path(post, path = "/api/v1/admin/payouts/{id}/approve", tag = "Platform",
    params(("id" = Uuid, Path, description = "The payout")),
    responses((status = 200, description = "The payout as it stands now", body = PayoutView),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound),
        (status = 409, description = "`payout_decided`", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn approve_payout(request: HttpRequest, caller: Caller<Administer>, payouts: Data<Payouts>) -> Answer {
    let (actor, request_id) = (platform(&caller)?, crate::web::request_id(&request));
    let decided = payouts.decide(actor, named(&request)?, Decision::Approve, request_id).await?;
    Ok(HttpResponse::Ok().json(PayoutView::from(decided)))
}

/// Refuses a payout: the money is available again.
#[utoipa::path(post, path = "/api/v1/admin/payouts/{id}/refuse", tag = "Platform", request_body = RefusePayout,
    params(("id" = Uuid, Path, description = "The payout")),
    responses((status = 200, description = "The payout as it stands now", body = PayoutView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound),
        (status = 409, description = "`payout_decided`", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn refuse_payout(incoming: Incoming, caller: Caller<Administer>, payouts: Data<Payouts>) -> Answer {
    let (actor, request_id) = (platform(&caller)?, incoming.request_id());
    let id = named(&incoming.request)?;
    let body: RefusePayout = incoming.json().await?;
    let decided = payouts.decide(actor, id, Decision::Refuse(body.reason), request_id).await?;
    Ok(HttpResponse::Ok().json(PayoutView::from(decided)))
}

/// Says that an approved payout was paid.
#[utoipa::path(post, path = "/api/v1/admin/payouts/{id}/paid", tag = "Platform", request_body = PayoutPaid,
    params(("id" = Uuid, Path, description = "The payout")),
    responses((status = 200, description = "The payout as it stands now", body = PayoutView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound),
        (status = 409, description = "`payout_decided`", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn pay_payout(incoming: Incoming, caller: Caller<Administer>, payouts: Data<Payouts>) -> Answer {
    let (actor, request_id) = (platform(&caller)?, incoming.request_id());
    let id = named(&incoming.request)?;
    let body: PayoutPaid = incoming.json().await?;
    let decided = payouts.decide(actor, id, Decision::Paid(body.note), request_id).await?;
    Ok(HttpResponse::Ok().json(PayoutView::from(decided)))
}
