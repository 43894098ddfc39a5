//! What has happened to an order: its events, as customers see them, and its audit trail.

use actix_web::http::header::LINK;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::listing::next_link;
use super::target::Target;
use super::view::{EventPageView, event_body};
use crate::audit;
use crate::base::{Error, Result};
use crate::db::Db;
use crate::orders::Timeline;
use crate::web::PublicUrl;
use crate::web::auth::{Caller, Read, ReadAudit};
use crate::web::error::Answer;
use crate::web::query::Query;

const LARGEST_PAGE: i64 = 1000;

/// Reads an order's history, ascending, with no event left out.
#[utoipa::path(get, path = "/api/v1/orders/{id}/events", tag = "Orders",
    params(("id" = String, Path, description = "UUID or number", example = "MB1031"),
        ("since" = Option<i64>, Query, minimum = 0, description = "Events after this number; all when left out"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "Events in a page; 200 when left out")),
    responses((status = 200, description = "Events after `since`", body = EventPageView,
            headers(("Link" = Option<String>, description = "`<…>; rel=\"next\"` when there are more"))),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound)),
    security(("bearer" = ["orders:read"]), ("api_key" = []), ("query_token" = [])))]
pub async fn list_order_events(
    request: HttpRequest,
    caller: Caller<Read>,
    target: Target,
    timeline: Data<Timeline>,
    home: Data<PublicUrl>,
) -> Answer {
    let query = Query::of(&request, &["since", "limit"])?;
    let since = query.number("since", 0, 0..=i64::MAX)?;
    let limit = usize::try_from(query.number("limit", 200, 1..=LARGEST_PAGE)?).map_err(Error::internal)?;
    let id = timeline.resolve(&caller.actor(), &target.0).await?;
    let mut events = timeline.events_since(id, since, limit + 1).await?;
    let has_more = events.len() > limit;
    events.truncate(limit);
    let next = events.last().filter(|_| has_more).map(|event| event.seq);
    let mut reply = HttpResponse::Ok();
    if let Some(next) = next {
        reply.insert_header((LINK, next_link(&home, &request, "since", &next.to_string())));
    }
    Ok(reply.json(EventPageView { data: events.iter().map(event_body).collect::<Result<_>>()?, next }))
}

/// An order's audit trail.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditTrail)]
pub struct AuditView {
    /// Oldest first, at most 1000.
    data: Vec<AuditEntryView>,
}

/// One thing that was done.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
struct AuditEntryView {
    id: Uuid,
    at: Timestamp,
    /// The kind of party: `admin`, `vendor`, `token`, `webhook`, `courier`, `system`.
    #[schema(example = "token")]
    actor_kind: String,
    /// The party's name.
    #[schema(example = "warehouse")]
    actor_name: String,
    #[schema(example = "order.status_changed")]
    action: String,
    /// The request that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// From, to, the fields that were sent, whether it was an override.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

/// Reads an order's audit trail: who changed what, when, from what to what.
#[utoipa::path(get, path = "/api/v1/orders/{id}/audit", tag = "Orders",
    params(("id" = String, Path, description = "UUID or number", example = "MB1031")),
    responses((status = 200, description = "Oldest first", body = AuditView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound)),
    security(("bearer" = ["audit:read"]), ("api_key" = []), ("query_token" = [])))]
pub async fn list_order_audit(
    caller: Caller<ReadAudit>,
    target: Target,
    timeline: Data<Timeline>,
    db: Data<Db>,
) -> Answer {
    let id = timeline.resolve(&caller.actor(), &target.0).await?;
    let entries = audit::history(&db, "order", id.to_string()).await?;
    Ok(HttpResponse::Ok().json(AuditView { data: entries.into_iter().map(AuditEntryView::from).collect() }))
}

impl From<audit::Entry> for AuditEntryView {
    fn from(entry: audit::Entry) -> Self {
        Self {
            id: entry.id.0,
            at: entry.at,
            actor_kind: entry.actor_kind,
            actor_name: entry.actor_name,
            action: entry.action,
            request_id: entry.request_id,
            detail: entry.detail,
        }
    }
}
