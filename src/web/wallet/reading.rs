//! A wallet as its vendor reads it: balances, movements, statements.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{csv_file, paged, place, purse};
use crate::accounts::Companies;
use crate::base::{Error, Money, Result};
use crate::orders::Timeline;
use crate::wallet::books::{self, Balance, LONGEST_STATEMENT, Movement, Statement, Wanted};
use crate::wallet::{Posting, Sellers, Wallets};
use crate::web::PublicUrl;
use crate::web::error::Answer;
use crate::web::query::Query;

/// What is in a wallet.
#[derive(Serialize, ToSchema)]
#[schema(as = Wallet)]
pub struct WalletView {
    company: Uuid,
    /// By currency.
    balances: Vec<BalanceView>,
    /// Whether orders that are delivered now are credited.
    is_marketplace: bool,
    /// Days between a credit and its release.
    hold_days: i64,
}

/// What is in a wallet in one currency, in minor units.
#[derive(Serialize, ToSchema)]
#[schema(as = WalletBalance)]
struct BalanceView {
    #[schema(example = "USD")]
    currency: String,
    /// Earned, and not to be had yet.
    #[schema(example = 89_999)]
    held: i64,
    /// What a payout may be asked of. Below zero after money was taken back that had been paid out.
    #[schema(example = 120_000)]
    available: i64,
    /// Asked for and not paid yet.
    #[schema(example = 0)]
    payout: i64,
}

impl From<Balance> for BalanceView {
    fn from(balance: Balance) -> Self {
        let Balance { currency, held, available, payout } = balance;
        Self { currency, held, available, payout }
    }
}

/// One movement of a wallet.
#[derive(Serialize, ToSchema)]
#[schema(as = Movement)]
struct MovementView {
    id: Uuid,
    at: Timestamp,
    /// `credit`, `reversal`, `release`, `payout_request`, `payout_paid`, `payout_refused` or `adjustment`.
    #[schema(example = "credit")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_number: Option<String>,
    /// How often the order has been credited, this time counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    round: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payout: Option<Uuid>,
    #[schema(example = "USD")]
    currency: String,
    /// By how much the vendor's money rose or fell, in minor units; nothing when it only moved within the wallet.
    #[schema(example = 89_999)]
    change: i64,
    /// What the platform kept, or gave back, in minor units.
    #[schema(example = 10_000)]
    commission: i64,
    /// The postings, from account to account.
    postings: Vec<PostingView>,
    /// Who caused it.
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// An amount from one account to another.
#[derive(Serialize, ToSchema)]
#[schema(as = Posting)]
struct PostingView {
    #[schema(example = "world/USD")]
    debit: String,
    #[schema(example = "0193a1b2-0000-7000-8000-000000000000/USD/held")]
    credit: String,
    #[schema(example = 89_999)]
    amount: i64,
}

impl From<Movement> for MovementView {
    fn from(movement: Movement) -> Self {
        let (change, commission) = (movement.change(), movement.commission());
        let (order, order_number, round) = match movement.order {
            Some((order, number, round)) => (Some(order.0), Some(number), Some(round)),
            None => (None, None, None),
        };
        let posting =
            |posting: Posting| PostingView { debit: posting.debit.0, credit: posting.credit.0, amount: posting.amount };
        Self {
            id: movement.id.0,
            at: movement.at,
            kind: movement.kind.code(),
            order,
            order_number,
            round,
            payout: movement.payout.map(|payout| payout.0),
            currency: movement.currency,
            change,
            commission,
            postings: movement.postings.into_iter().map(posting).collect(),
            actor: movement.actor,
            reason: movement.reason,
        }
    }
}

/// A page of movements.
#[derive(Serialize, ToSchema)]
#[schema(as = MovementPage)]
pub struct MovementPageView {
    /// Newest first.
    data: Vec<MovementView>,
    /// Send it back as `after`; null at the end.
    next: Option<String>,
}

/// What happened in a wallet over a period.
#[derive(Serialize, ToSchema)]
#[schema(as = Statement)]
pub struct StatementView {
    company: Uuid,
    currency: String,
    from: Timestamp,
    until: Timestamp,
    /// The vendor's money at the beginning, in minor units.
    opening: i64,
    /// The vendor's money at the end: the opening and all changes.
    closing: i64,
    /// Oldest first; releases are left out, for they move nothing in or out.
    movements: Vec<MovementView>,
}

/// Reads what is in a wallet.
#[utoipa::path(get, path = "/api/v1/wallet", tag = "Wallet",
    params(("company" = Option<String>, Query, description = "Slug or id; for those who run the platform")),
    responses((status = 200, description = "Balances by currency", body = WalletView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn get_wallet(
    request: HttpRequest,
    companies: Data<Companies>,
    wallets: Data<Wallets>,
    sellers: Data<Sellers>,
) -> Answer {
    let query = Query::of(&request, &["company"])?;
    let (_, company) = purse(&request, query.one("company")?, &companies).await?;
    let selling = sellers.get(company).await?;
    let usual = i64::from(wallets.terms().hold_days);
    Ok(HttpResponse::Ok().json(WalletView {
        company: company.0,
        balances: wallets.balances(company).await?.into_iter().map(BalanceView::from).collect(),
        is_marketplace: selling.marketplace_since.is_some(),
        hold_days: selling.hold_days.map_or(usual, i64::from),
    }))
}

const FILTERS: [&str; 8] = ["company", "kind", "currency", "order", "from", "until", "limit", "after"];

/// What a query asks for of a wallet.
async fn wanted(query: &Query, actor: &crate::base::Actor, timeline: &Timeline) -> Result<Wanted> {
    let order = match query.one("order")? {
        Some(order) => Some(timeline.resolve(actor, &order.parse()?).await?),
        None => None,
    };
    Ok(Wanted {
        kind: query.one("kind")?.map(str::parse).transpose()?,
        currency: query.one("currency")?.map(currency).transpose()?,
        order,
        from: query.parsed("from", A_TIME)?,
        until: query.parsed("until", A_TIME)?,
    })
}

const A_TIME: &str = "must be a time with its zone, as 2026-11-24T18:00:00Z";

fn currency(text: &str) -> Result<String> {
    let known = Money::new(0, text).map(|money| money.currency);
    known.ok_or_else(|| Error::invalid_field("currency", "unknown_currency", "currency must be an ISO 4217 code"))
}

/// Lists what moved in a wallet, newest first.
#[utoipa::path(get, path = "/api/v1/wallet/ledger", tag = "Wallet",
    params(("company" = Option<String>, Query, description = "Slug or id; for those who run the platform"),
        ("kind" = Option<String>, Query, description = "`credit`, `reversal`, `release`, `payout_request`, `payout_paid`, `payout_refused` or `adjustment`"),
        ("currency" = Option<String>, Query, description = "ISO 4217"),
        ("order" = Option<String>, Query, description = "UUID or number of an order"),
        ("from" = Option<String>, Query, format = DateTime, description = "At or after this time (RFC 3339)"),
        ("until" = Option<String>, Query, format = DateTime, description = "Before this time (RFC 3339)"),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 200, description = "Movements in a page; 50 when left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before")),
    responses((status = 200, description = "A page", body = MovementPageView,
            headers(("Link" = Option<String>, description = "`<…>; rel=\"next\"` when there is a next page"))),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound)),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn list_ledger(
    request: HttpRequest,
    companies: Data<Companies>,
    wallets: Data<Wallets>,
    timeline: Data<Timeline>,
    home: Data<PublicUrl>,
) -> Answer {
    let query = Query::of(&request, &FILTERS)?;
    let (actor, company) = purse(&request, query.one("company")?, &companies).await?;
    let (after, limit) = place(&query)?;
    let page = wallets.list(company, wanted(&query, &actor, &timeline).await?, after, limit).await?;
    let next = page.next.map(|next| next.encode());
    let data = page.data.into_iter().map(MovementView::from).collect();
    Ok(paged(&home, &request, &MovementPageView { data, next: next.clone() }, next.as_deref()))
}

/// Reads what moved in a wallet as CSV, newest first, with amounts in major units; at most 50,000 lines.
#[utoipa::path(get, path = "/api/v1/wallet/ledger.csv", tag = "Wallet",
    params(("company" = Option<String>, Query, description = "Slug or id; for those who run the platform"),
        ("kind" = Option<String>, Query, description = "As in the list"), ("currency" = Option<String>, Query, description = "ISO 4217"),
        ("order" = Option<String>, Query, description = "UUID or number of an order"),
        ("from" = Option<String>, Query, format = DateTime, description = "At or after this time (RFC 3339)"),
        ("until" = Option<String>, Query, format = DateTime, description = "Before this time (RFC 3339)")),
    responses((status = 200, description = "CSV", body = String, content_type = "text/csv"),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound)),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn get_ledger_csv(
    request: HttpRequest,
    companies: Data<Companies>,
    wallets: Data<Wallets>,
    timeline: Data<Timeline>,
) -> Answer {
    let query = Query::of(&request, &FILTERS[..6])?;
    let (actor, company) = purse(&request, query.one("company")?, &companies).await?;
    let page = wallets.list(company, wanted(&query, &actor, &timeline).await?, None, LONGEST_STATEMENT).await?;
    Ok(csv_file("ledger", books::movements_csv(&page.data)))
}

async fn statement(request: &HttpRequest, companies: &Companies, wallets: &Wallets) -> Result<Statement> {
    let query = Query::of(request, &["company", "currency", "from", "until"])?;
    let (_, company) = purse(request, query.one("company")?, companies).await?;
    let missing = |field: &'static str| Error::invalid_field(field, "required", format!("{field} is required"));
    let currency = currency(query.one("currency")?.ok_or_else(|| missing("currency"))?)?;
    let from = query.parsed("from", A_TIME)?.ok_or_else(|| missing("from"))?;
    let until = query.parsed("until", A_TIME)?.ok_or_else(|| missing("until"))?;
    wallets.statement(company, currency, from, until).await
}

/// Reads what happened in a wallet over a period, in one currency.
#[utoipa::path(get, path = "/api/v1/wallet/statement", tag = "Wallet",
    params(("company" = Option<String>, Query, description = "Slug or id; for those who run the platform"),
        ("currency" = String, Query, description = "ISO 4217", example = "USD"),
        ("from" = String, Query, format = DateTime, description = "At or after this time (RFC 3339)", example = "2026-11-01T00:00:00Z"),
        ("until" = String, Query, format = DateTime, description = "Before this time (RFC 3339)", example = "2026-12-01T00:00:00Z")),
    responses((status = 200, description = "Opening, movements, closing", body = StatementView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn get_statement(request: HttpRequest, companies: Data<Companies>, wallets: Data<Wallets>) -> Answer {
    let statement = statement(&request, &companies, &wallets).await?;
    Ok(HttpResponse::Ok().json(StatementView {
        company: statement.company.0,
        currency: statement.currency,
        from: statement.from,
        until: statement.until,
        opening: statement.opening,
        closing: statement.closing,
        movements: statement.movements.into_iter().map(MovementView::from).collect(),
    }))
}

/// Reads the same statement as CSV, with amounts in major units.
#[utoipa::path(get, path = "/api/v1/wallet/statement.csv", tag = "Wallet",
    params(("company" = Option<String>, Query, description = "Slug or id; for those who run the platform"),
        ("currency" = String, Query, description = "ISO 4217", example = "USD"),
        ("from" = String, Query, format = DateTime, description = "At or after this time (RFC 3339)", example = "2026-11-01T00:00:00Z"),
        ("until" = String, Query, format = DateTime, description = "Before this time (RFC 3339)", example = "2026-12-01T00:00:00Z")),
    responses((status = 200, description = "CSV", body = String, content_type = "text/csv"),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn get_statement_csv(request: HttpRequest, companies: Data<Companies>, wallets: Data<Wallets>) -> Answer {
    let statement = statement(&request, &companies, &wallets).await?;
    Ok(csv_file("statement", books::statement_csv(&statement)))
}
