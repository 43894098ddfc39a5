//! The inbox: what was sent in, what was made of it, and making it anew.

use actix_web::http::header::LINK;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::{Companies, Source};
use crate::base::id::{InboxId, OrderId};
use crate::base::page::Cursor;
use crate::base::{Error, Result};
use crate::web::PublicUrl;
use crate::web::auth::{Caller, ManageWebhooks};
use crate::web::body::Incoming;
use crate::web::company;
use crate::web::error::Answer;
use crate::web::orders::listing::next_link;
use crate::web::orders::target::segment;
use crate::web::query::Query;
use crate::webhooks::inbox::{Entry, Filter};
use crate::webhooks::{Verdict, Webhooks};

/// A webhook that was sent in.
#[derive(Serialize, ToSchema)]
#[schema(as = InboxEntry)]
pub struct EntryView {
    id: Uuid,
    company: Uuid,
    source: Source,
    /// What the sender calls its kind.
    #[schema(example = "orders/create")]
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    /// What it is about, in the sender's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// When it was so, by the sender's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<Timestamp>,
    verdict: Verdict,
    /// What was made of it in detail: `status`, words that are `unmapped`, `notes`, the `problem`.
    #[schema(value_type = Object)]
    result: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<Uuid>,
    /// How often something was made of it.
    runs: i32,
    received_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    processed_at: Option<Timestamp>,
}

/// A webhook with its content.
#[derive(Serialize, ToSchema)]
#[schema(as = InboxEntryInFull)]
pub struct FullEntryView {
    #[serde(flatten)]
    about: EntryView,
    /// Pairs of name and value; no secret and no signature is kept.
    #[schema(value_type = Vec<Vec<String>>)]
    headers: Value,
    /// The body as it came.
    body: String,
    /// `utf-8`, or `base64` for bytes that are no text.
    #[schema(example = "utf-8")]
    body_encoding: &'static str,
}

/// A page of the inbox.
#[derive(Serialize, ToSchema)]
#[schema(as = InboxPage)]
pub struct InboxPageView {
    /// Newest first.
    data: Vec<EntryView>,
    /// Send it back as `after` for the next page; null at the end.
    next: Option<String>,
}

/// Which webhooks to run again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunWebhooks {
    /// Received at or after this time.
    from: Timestamp,
    /// Received before this time.
    to: Timestamp,
    source: Option<Source>,
    verdict: Option<Verdict>,
    /// Slug or id; your own, or all there are, when left out.
    company: Option<String>,
    /// `next` of the reply before.
    after: Option<String>,
}

/// What was made of a webhook this time.
#[derive(Serialize, ToSchema)]
#[schema(as = Rerun)]
struct RerunView {
    id: Uuid,
    verdict: Verdict,
}

/// What was made of webhooks this time.
#[derive(Serialize, ToSchema)]
#[schema(as = RerunPage)]
pub struct RerunPageView {
    /// In the order they came; at most 200.
    data: Vec<RerunView>,
    /// Send it back as `after` to go on; null at the end.
    next: Option<String>,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id.0,
            company: entry.company.0,
            source: entry.source,
            topic: entry.topic,
            subject: entry.subject,
            occurred_at: entry.occurred_at,
            verdict: entry.verdict,
            result: entry.result,
            order: entry.order.map(|order| order.0),
            runs: entry.runs,
            received_at: entry.received_at,
            processed_at: entry.processed_at,
        }
    }
}

impl FullEntryView {
    fn new(mut entry: Entry, body: Vec<u8>) -> Self {
        let headers = entry.headers.take();
        let (body, body_encoding) = match String::from_utf8(body) {
            Ok(text) => (text, "utf-8"),
            Err(error) => (STANDARD.encode(error.as_bytes()), "base64"),
        };
        Self { about: entry.into(), headers, body, body_encoding }
    }
}

/// Lists the webhooks that were sent in, newest first.
#[utoipa::path(get, path = "/api/v1/inbox", tag = "Webhooks received",
    params(("source" = Option<Source>, Query, description = "What kind of system sent it"),
        ("verdict" = Option<Verdict>, Query, description = "What was made of it"),
        ("topic" = Option<String>, Query, description = "What the sender calls its kind"),
        ("order" = Option<Uuid>, Query, description = "The order it is about, by UUID"),
        ("from" = Option<String>, Query, format = DateTime, description = "Received at or after this time"),
        ("to" = Option<String>, Query, format = DateTime, description = "Received before this time"),
        ("company" = Option<String>, Query, description = "Slug or id; your own, or all there are, when left out"),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 200, description = "Webhooks in a page; 50 when left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before")),
    responses((status = 200, description = "A page", body = InboxPageView,
            headers(("Link" = Option<String>, description = "`<…>; rel=\"next\"` when there is a next page"))),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("bearer" = ["webhooks:manage"]), ("api_key" = []), ("query_token" = [])))]
pub async fn list_inbox(
    request: HttpRequest,
    caller: Caller<ManageWebhooks>,
    companies: Data<Companies>,
    webhooks: Data<Webhooks>,
    home: Data<PublicUrl>,
) -> Answer {
    let known = ["source", "verdict", "topic", "order", "from", "to", "company", "limit", "after"];
    let query = Query::of(&request, &known)?;
    let limit = usize::try_from(query.number("limit", 50, 1..=200)?).map_err(Error::internal)?;
    let after = query.one("after")?.map(Cursor::decode).transpose()?;
    let time = "must be a time with its zone, as 2026-11-24T18:00:00Z";
    let filter = Filter {
        company: company::chosen(&caller, query.one("company")?, &companies).await?,
        source: query.one("source")?.map(str::parse).transpose()?,
        verdict: query.one("verdict")?.map(str::parse).transpose()?,
        topic: query.one("topic")?.map(str::to_owned),
        order: query.parsed::<OrderId>("order", "must be a UUID")?,
        from: query.parsed("from", time)?,
        to: query.parsed("to", time)?,
    };
    let page = webhooks.inbox().list(filter, after, limit).await?;
    let next = page.next.map(|cursor| cursor.encode());
    let mut reply = HttpResponse::Ok();
    if let Some(next) = &next {
        reply.insert_header((LINK, next_link(&home, &request, "after", next)));
    }
    Ok(reply.json(InboxPageView { data: page.data.into_iter().map(EntryView::from).collect(), next }))
}

fn inbox_id(request: &HttpRequest) -> Result<InboxId> {
    segment(request, "id")?.parse().map_err(|_| Error::NotFound("Webhook"))
}

/// Shows a webhook with its body and headers. That of another company leaves a row in the audit trail.
#[utoipa::path(get, path = "/api/v1/inbox/{id}", tag = "Webhooks received",
    params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook", body = FullEntryView),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound)),
    security(("bearer" = ["webhooks:manage"]), ("api_key" = []), ("query_token" = [])))]
pub async fn get_inbox_entry(request: HttpRequest, caller: Caller<ManageWebhooks>, webhooks: Data<Webhooks>) -> Answer {
    let (entry, body) = webhooks.inbox().open(caller.asker(), inbox_id(&request)?).await?;
    Ok(HttpResponse::Ok().json(FullEntryView::new(entry, body)))
}

/// Makes anew of a webhook what can be made of it now, as after a change of mapping. Twice is harmless.
#[utoipa::path(post, path = "/api/v1/inbox/{id}/rerun", tag = "Webhooks received",
    params(("id" = String, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook with its new verdict", body = FullEntryView),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound),
        (status = 410, description = "`purged`: its content was deleted", body = crate::web::error::ProblemView, content_type = "application/problem+json")),
    security(("bearer" = ["webhooks:manage"]), ("api_key" = []), ("query_token" = [])))]
pub async fn rerun_inbox_entry(
    request: HttpRequest,
    caller: Caller<ManageWebhooks>,
    webhooks: Data<Webhooks>,
) -> Answer {
    let (own, id) = (caller.actor().company(), inbox_id(&request)?);
    webhooks.rerun(&caller.asker(), own, id).await?;
    let (entry, body) = webhooks.inbox().get(own, id).await?;
    Ok(HttpResponse::Ok().json(FullEntryView::new(entry, body)))
}

/// Runs the webhooks of a time again, in the order they came: at most 200 at a time.
#[utoipa::path(post, path = "/api/v1/inbox/rerun", tag = "Webhooks received", request_body = RerunWebhooks,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 200, description = "Their new verdicts, and where to go on", body = RerunPageView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("bearer" = ["webhooks:manage"]), ("api_key" = []), ("query_token" = [])))]
pub async fn rerun_inbox(
    incoming: Incoming,
    caller: Caller<ManageWebhooks>,
    companies: Data<Companies>,
    webhooks: Data<Webhooks>,
) -> Answer {
    let body: RerunWebhooks = incoming.json().await?;
    let filter = Filter {
        company: company::chosen(&caller, body.company.as_deref(), &companies).await?,
        source: body.source,
        verdict: body.verdict,
        from: Some(body.from),
        to: Some(body.to),
        ..Filter::default()
    };
    let after = body.after.as_deref().map(Cursor::decode).transpose()?;
    let page = webhooks.rerun_all(&caller.asker(), filter, after).await?;
    let data = page.data.into_iter().map(|(id, verdict)| RerunView { id: id.0, verdict }).collect();
    Ok(HttpResponse::Ok().json(RerunPageView { data, next: page.next.map(|cursor| cursor.encode()) }))
}
