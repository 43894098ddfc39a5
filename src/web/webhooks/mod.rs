//! Webhooks that merchants' systems send in, and what a merchant sees and sets of them.
//!
//! What is here: reception (this file), [`secrets`] they are signed with, the [`inbox`] they are kept in, [`statuses`] as
//! the merchant's systems call them, [`customers`] who wish to be forgotten. What is not: what is made of a body
//! (`webhooks`).

pub mod customers;
pub mod inbox;
pub mod secrets;
pub mod statuses;

use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Caller, ManageWebhooks};
use super::body::{self, Incoming};
use super::company;
use super::dialects::my_order_fellow::{OrderReceptionView, SendOrder, view};
use super::error::Answer;
use super::orders::target::segment;
use crate::accounts::{Companies, Source};
use crate::base::id::CompanyId;
use crate::base::{Result, Secret};
use crate::webhooks::sign::Stamp;
use crate::webhooks::{Delivery, Proof, Sender, Verdict, Webhooks};

/// What became of a platform's webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTaken)]
pub struct TakenView {
    /// What was made of it; anything but an error is success, and sending it again is of no use.
    verdict: Verdict,
    /// The order it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<Uuid>,
}

/// Receives an order, or news of one.
///
/// A known `order_number` or `external_id` updates that order; the same body again, or the same `webhook-id`, is a
/// repeat. Signed in one of three ways: `X-Webhook-Signature` with the secret itself; the same header with `sha256=` and
/// the HMAC-SHA256 of the body in hexadecimal digits, keyed with the secret's text; or `webhook-id`, `webhook-timestamp`
/// and `webhook-signature` by Standard Webhooks 1.0.
#[utoipa::path(post, path = "/api/v1/webhook", tag = "Webhooks received", request_body = SendOrder,
    params(("X-Customer-Email" = Option<String>, Header, description = "The address you sign in with: it tells whose orders these are"),
        ("X-Webhook-Signature" = Option<String>, Header, description = "The secret, or `sha256=` and an HMAC"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same twice is a repeat, where there is no `webhook-id`"),
        ("webhook-id" = Option<String>, Header, description = "Standard Webhooks: the same for every attempt"),
        ("webhook-timestamp" = Option<String>, Header, description = "Standard Webhooks: seconds since 1970, within five minutes of ours"),
        ("webhook-signature" = Option<String>, Header, description = "Standard Webhooks: one or more signatures")),
    responses((status = 201, description = "A new order", body = OrderReceptionView),
        (status = 200, description = "A known order as it stands now", body = OrderReceptionView),
        (status = 400, response = super::api::BadRequest), (status = 401, response = super::api::Unauthorized),
        (status = 409, response = super::api::Moved)),
    security(("webhook" = [])))]
pub async fn receive_webhook(incoming: Incoming, webhooks: Data<Webhooks>) -> Answer {
    let sender = Sender::Account(header(incoming.request.headers(), "X-Customer-Email").unwrap_or_default());
    receive_own(incoming, sender, &webhooks).await
}

/// Receives an order, or news of one, for a company named in the address.
///
/// As `/api/v1/webhook`, for systems that can send no `X-Customer-Email`.
#[utoipa::path(post, path = "/api/v1/webhook/{company}", tag = "Webhooks received", request_body = SendOrder,
    params(("company" = String, Path, description = "Slug or id", example = "juniper"),
        ("X-Webhook-Signature" = Option<String>, Header, description = "The secret, or `sha256=` and an HMAC"),
        ("webhook-id" = Option<String>, Header, description = "Standard Webhooks: the same for every attempt"),
        ("webhook-timestamp" = Option<String>, Header, description = "Standard Webhooks: seconds since 1970"),
        ("webhook-signature" = Option<String>, Header, description = "Standard Webhooks: one or more signatures")),
    responses((status = 201, description = "A new order", body = OrderReceptionView),
        (status = 200, description = "A known order as it stands now", body = OrderReceptionView),
        (status = 400, response = super::api::BadRequest), (status = 401, response = super::api::Unauthorized),
        (status = 409, response = super::api::Moved)),
    security(("webhook" = [])))]
pub async fn receive_company_webhook(incoming: Incoming, webhooks: Data<Webhooks>) -> Answer {
    let sender = Sender::Company(segment(&incoming.request, "company")?);
    receive_own(incoming, sender, &webhooks).await
}

async fn receive_own(incoming: Incoming, sender: Sender, webhooks: &Webhooks) -> Answer {
    let headers = incoming.request.headers().clone();
    let stamp = stamp(&headers);
    let id = stamp.as_ref().map(|stamp| stamp.id.clone()).or_else(|| header(&headers, "Idempotency-Key"));
    let plain = || header(&headers, "X-Webhook-Signature").map(|text| Proof::Plain(Secret::new(text)));
    let delivery = Delivery {
        sender,
        proof: stamp.map(Proof::Standard).or_else(plain),
        source: Source::Ordercast,
        topic: None,
        id,
        headers: kept(&headers),
        body: incoming.bytes().await?,
    };
    let received = webhooks.receive(delivery).await?;
    if let Some(refusal) = received.refusal {
        return Err(refusal.into());
    }
    let Some(order) = received.order else {
        return Ok(HttpResponse::Ok().json(TakenView { verdict: received.verdict, order: None }));
    };
    let mut reply = if received.is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(reply.json(view(webhooks.customers(), order).await?))
}

/// Receives Shopify's webhooks: orders/create, orders/updated, orders/cancelled, fulfillments/create,
/// fulfillments/update, fulfillment_events/create.
///
/// Signed by Shopify with the secret set at `/api/v1/company/webhook-secrets`. Whatever order they come in, the newest
/// counts, and none is made twice.
#[utoipa::path(post, path = "/api/v1/webhook/shopify/{company}", tag = "Webhooks received",
    request_body(content = Object, description = "Shopify's payload"),
    params(("company" = String, Path, description = "Slug or id", example = "juniper"),
        ("X-Shopify-Topic" = Option<String>, Header, description = "As `orders/create`"),
        ("X-Shopify-Hmac-Sha256" = Option<String>, Header, description = "Base64 HMAC-SHA256 of the body"),
        ("X-Shopify-Event-Id" = Option<String>, Header, description = "The same twice is a repeat")),
    responses((status = 200, description = "Kept, and made of it what could be made", body = TakenView),
        (status = 401, response = super::api::Unauthorized)),
    security(("shopify" = [])))]
pub async fn receive_shopify_webhook(incoming: Incoming, webhooks: Data<Webhooks>) -> Answer {
    let names = ["X-Shopify-Topic", "X-Shopify-Event-Id", "X-Shopify-Hmac-Sha256"];
    receive_platform(incoming, Source::Shopify, names, &webhooks).await
}

/// Receives WooCommerce's webhooks: order created, updated, deleted, restored.
///
/// Signed by WooCommerce with the secret set at `/api/v1/company/webhook-secrets`; its first, form-encoded ping is
/// answered and nothing else.
#[utoipa::path(post, path = "/api/v1/webhook/woocommerce/{company}", tag = "Webhooks received",
    request_body(content = Object, description = "WooCommerce's payload"),
    params(("company" = String, Path, description = "Slug or id", example = "juniper"),
        ("X-WC-Webhook-Topic" = Option<String>, Header, description = "As `order.created`"),
        ("X-WC-Webhook-Signature" = Option<String>, Header, description = "Base64 HMAC-SHA256 of the body"),
        ("X-WC-Webhook-Delivery-ID" = Option<String>, Header, description = "The same twice is a repeat")),
    responses((status = 200, description = "Kept, and made of it what could be made", body = TakenView),
        (status = 401, response = super::api::Unauthorized)),
    security(("woocommerce" = [])))]
pub async fn receive_woocommerce_webhook(incoming: Incoming, webhooks: Data<Webhooks>) -> Answer {
    let names = ["X-WC-Webhook-Topic", "X-WC-Webhook-Delivery-ID", "X-WC-Webhook-Signature"];
    receive_platform(incoming, Source::Woocommerce, names, &webhooks).await
}

async fn receive_platform(
    incoming: Incoming,
    source: Source,
    [topic, id, signature]: [&str; 3],
    webhooks: &Webhooks,
) -> Answer {
    let headers = incoming.request.headers().clone();
    let company = segment(&incoming.request, "company")?;
    let is_form = body::media_type(&incoming.request) == "application/x-www-form-urlencoded";
    let body = incoming.bytes().await?;
    if source == Source::Woocommerce && is_form && is_ping(&body) {
        // Sent unsigned when the webhook is saved; the answer tells nothing, whoever asks.
        return Ok(HttpResponse::Ok().json(TakenView { verdict: Verdict::Ignored, order: None }));
    }
    let delivery = Delivery {
        sender: Sender::Company(company),
        proof: header(&headers, signature).map(Proof::Platform),
        source,
        topic: header(&headers, topic),
        id: header(&headers, id),
        headers: kept(&headers),
        body,
    };
    // Platforms switch a webhook off that is refused again and again; the merchant finds what was wrong in the inbox.
    let received = webhooks.receive(delivery).await?;
    let order = received.order.map(|order| order.id.0);
    Ok(HttpResponse::Ok().json(TakenView { verdict: received.verdict, order }))
}

fn is_ping(body: &[u8]) -> bool {
    let digits = body.strip_prefix(b"webhook_id=");
    digits.is_some_and(|digits| (1..=20).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit))
}

/// A header's text, if it is short enough to be what it should be.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (1..=1024).contains(&text.len()).then(|| text.to_owned())
}

/// What a webhook says about itself by Standard Webhooks; all three headers, or it says nothing.
fn stamp(headers: &HeaderMap) -> Option<Stamp> {
    Some(Stamp {
        id: header(headers, "webhook-id").filter(|id| id.len() <= 255)?,
        timestamp: header(headers, "webhook-timestamp")?,
        signatures: header(headers, "webhook-signature")?,
    })
}

/// The headers that are kept: none that may hold a secret, and not more than a reasonable sender has.
fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    const SECRET: [&str; 8] = ["signature", "hmac", "secret", "token", "auth", "cookie", "key", "forwarded"];
    let is_harmless = |name: &HeaderName| !SECRET.iter().any(|word| name.as_str().contains(word));
    let all = headers.iter().filter(|(name, _)| is_harmless(name));
    let texts =
        all.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.chars().take(500).collect())));
    texts.take(50).collect()
}

/// The company whose webhooks a caller manages: its own, the one that is named, or the first there is.
async fn company_of(caller: &Caller<ManageWebhooks>, name: Option<&str>, companies: &Companies) -> Result<CompanyId> {
    match company::chosen(caller, name, companies).await? {
        Some(company) => Ok(company),
        None => Ok(companies.first().await?.id),
    }
}

/// The same for a request that names it in its query.
async fn company_in_query(
    request: &HttpRequest,
    caller: &Caller<ManageWebhooks>,
    companies: &Companies,
    known: &[&'static str],
) -> Result<CompanyId> {
    let query = super::query::Query::of(request, known)?;
    company_of(caller, query.one("company")?, companies).await
}
