//! What those who run the platform set for a company's money: marketplace or not, days of hold, adjustments.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::platform;
use crate::base::id::{CompanyId, TransactionId};
use crate::base::{Error, Money, Result};
use crate::wallet::sellers::{Selling, Terms};
use crate::wallet::{Sellers, Wallets};
use crate::web::auth::{Administer, Caller};
use crate::web::body::Incoming;
use crate::web::error::{Answer, ProblemView};
use crate::web::idempotency::Asked;
use crate::web::orders::target::segment;

/// A company where money is concerned.
#[derive(Serialize, ToSchema)]
#[schema(as = CompanyTerms)]
pub struct SellingView {
    company: Uuid,
    /// Whether orders that are delivered now are credited to its wallet.
    is_marketplace: bool,
    /// Since when.
    marketplace_since: Option<Timestamp>,
    /// Its own days between a credit and its release; null for those of the deployment.
    hold_days: Option<i32>,
}

impl From<Selling> for SellingView {
    fn from(selling: Selling) -> Self {
        Self {
            company: selling.company.0,
            is_marketplace: selling.marketplace_since.is_some(),
            marketplace_since: selling.marketplace_since,
            hold_days: selling.hold_days,
        }
    }
}

/// What is to be changed about a company. What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeCompany {
    /// A vendor of the marketplace, or the platform's own.
    is_marketplace: Option<bool>,
    /// Its own days between a credit and its release; null for those of the deployment.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i32>, minimum = 0, maximum = 3650)]
    hold_days: Option<Option<i32>>,
}

/// Tells null from nothing.
fn given<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Option<i32>>, D::Error> {
    Option::deserialize(input).map(Some)
}

/// What a wallet is put right by.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdjustWallet {
    /// Minor units; below zero to take away.
    #[schema(example = 500)]
    amount: i64,
    #[schema(example = "USD")]
    currency: String,
    #[schema(example = "Damaged in our depot", max_length = 500)]
    reason: String,
}

/// The company a path names.
fn named(request: &HttpRequest) -> Result<CompanyId> {
    segment(request, "id")?.parse().map_err(|_| Error::NotFound("Company"))
}

/// Reads what holds for a company's money.
#[utoipa::path(get, path = "/api/v1/admin/companies/{id}", tag = "Platform",
    params(("id" = Uuid, Path, description = "The company")),
    responses((status = 200, description = "The company", body = SellingView),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound)),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn get_company_terms(request: HttpRequest, caller: Caller<Administer>, sellers: Data<Sellers>) -> Answer {
    platform(&caller)?;
    Ok(HttpResponse::Ok().json(SellingView::from(sellers.get(named(&request)?).await?)))
}

/// Changes what holds for a company's money. Orders that are delivered already stay as they are.
#[utoipa::path(patch, path = "/api/v1/admin/companies/{id}", tag = "Platform", request_body = ChangeCompany,
    params(("id" = Uuid, Path, description = "The company")),
    responses((status = 200, description = "The company as it stands now", body = SellingView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound)),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn change_company_terms(incoming: Incoming, caller: Caller<Administer>, sellers: Data<Sellers>) -> Answer {
    let (actor, request_id) = (platform(&caller)?, incoming.request_id());
    let company = named(&incoming.request)?;
    let body: ChangeCompany = incoming.json().await?;
    let terms = Terms { is_marketplace: body.is_marketplace, hold_days: body.hold_days };
    Ok(HttpResponse::Ok().json(SellingView::from(sellers.set(actor, company, terms, request_id).await?)))
}

/// Puts a wallet right by hand: adds to what is available or takes from it, against the platform's commission.
#[utoipa::path(post, path = "/api/v1/admin/companies/{id}/wallet-adjustments", tag = "Platform", request_body = AdjustWallet,
    params(("id" = Uuid, Path, description = "The company"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 204, description = "Done"), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound),
        (status = 409, description = "`wallet_too_low`", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn adjust_wallet(incoming: Incoming, caller: Caller<Administer>, wallets: Data<Wallets>) -> Answer {
    let (actor, request_id) = (platform(&caller)?, incoming.request_id());
    let (company, asked) = (named(&incoming.request)?, Asked::of(&incoming.request));
    let body: AdjustWallet = incoming.json().await?;
    // A request that comes again, because its answer was lost, names the adjustment it made the first time.
    let id = asked.and_then(|asked| Uuid::from_slice(&asked.part("adjustment").0[..16]).ok()).map(TransactionId);
    let money = Money { amount: body.amount, currency: body.currency };
    wallets.adjust(actor, company, money, body.reason, id.unwrap_or_default(), request_id).await?;
    Ok(HttpResponse::NoContent().finish())
}
