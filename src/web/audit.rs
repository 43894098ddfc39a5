//! The audit trail over HTTP: who changed what, when, from what to what.

use actix_web::http::header::LINK;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::PublicUrl;
use super::auth::{Caller, ReadAudit};
use super::company;
use super::error::Answer;
use super::orders::listing::next_link;
use super::query::Query;
use crate::accounts::Companies;
use crate::audit::{self, Seeking};
use crate::base::Error;
use crate::base::page::Cursor;
use crate::db::Db;

/// A page of the audit trail.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub struct AuditPageView {
    /// Newest first.
    data: Vec<AuditRowView>,
    /// Send it back as `after` for the next page; null at the end.
    next: Option<String>,
}

/// One thing that was done, to whatever it was done to.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditRow)]
struct AuditRowView {
    id: Uuid,
    at: Timestamp,
    /// The kind of party: `admin`, `vendor`, `token`, `webhook`, `courier`, `system`.
    #[schema(example = "admin")]
    actor_kind: String,
    /// The party's account or token; null when it has none.
    actor_id: Option<String>,
    /// The party's name.
    #[schema(example = "Rina")]
    actor_name: String,
    /// The company it concerns, if one.
    company: Option<Uuid>,
    /// The kind of thing it was done to.
    #[schema(example = "order")]
    subject: String,
    /// Which one.
    #[schema(example = "772f9111-b38c-45a1-9234-112233445566")]
    subject_id: String,
    #[schema(example = "order.status_changed")]
    action: String,
    /// The request that asked for it.
    request_id: Option<String>,
    /// From, to, the fields that were sent, whether it was an override.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

impl From<audit::Entry> for AuditRowView {
    fn from(entry: audit::Entry) -> Self {
        Self {
            id: entry.id.0,
            at: entry.at,
            actor_kind: entry.actor_kind,
            actor_id: entry.actor_id,
            actor_name: entry.actor_name,
            company: entry.company.map(|company| company.0),
            subject: entry.subject,
            subject_id: entry.subject_id,
            action: entry.action,
            request_id: entry.request_id,
            detail: entry.detail,
        }
    }
}

const NAMES: [&str; 10] =
    ["subject", "subject_id", "actor", "actor_kind", "action", "company", "from", "to", "limit", "after"];

/// Lists the audit trail, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "Audit",
    params(("subject" = Option<String>, Query, description = "The kind of thing it was done to: `order`, `api_token`, `account`…"),
        ("subject_id" = Option<String>, Query, description = "Which one, by its UUID"),
        ("actor" = Option<String>, Query, description = "The party's name or identifier"),
        ("actor_kind" = Option<String>, Query, description = "`admin`, `vendor`, `token`, `webhook`, `courier`, `system`"),
        ("action" = Option<String>, Query, description = "What was done: `order.status_changed`"),
        ("company" = Option<String>, Query, description = "Slug or id; your own, or all there are, when left out"),
        ("from" = Option<String>, Query, format = DateTime, description = "Done at or after this time"),
        ("to" = Option<String>, Query, format = DateTime, description = "Done before this time"),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 200, description = "Rows in a page; 50 when left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before")),
    responses((status = 200, description = "A page", body = AuditPageView,
            headers(("Link" = Option<String>, description = "`<…>; rel=\"next\"` when there is a next page"))),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("bearer" = ["audit:read"]), ("api_key" = []), ("query_token" = [])))]
pub async fn list_audit(
    request: HttpRequest,
    caller: Caller<ReadAudit>,
    companies: Data<Companies>,
    db: Data<Db>,
    home: Data<PublicUrl>,
) -> Answer {
    let query = Query::of(&request, &NAMES)?;
    let limit = usize::try_from(query.number("limit", 50, 1..=200)?).map_err(Error::internal)?;
    let after = query.one("after")?.map(Cursor::decode).transpose()?;
    let time = "must be a time with its zone, as 2026-11-24T18:00:00Z";
    let text = |name| query.one(name).map(|value| value.map(str::to_owned));
    let wanted = Seeking {
        company: company::chosen(&caller, query.one("company")?, &companies).await?,
        subject: text("subject")?,
        subject_id: text("subject_id")?,
        actor_kind: text("actor_kind")?,
        actor: text("actor")?,
        action: text("action")?,
        since: query.parsed("from", time)?,
        until: query.parsed("to", time)?,
    };
    let page = audit::list(&db, wanted, after, limit).await?;
    let next = page.next.map(|cursor| cursor.encode());
    let mut reply = HttpResponse::Ok();
    if let Some(next) = &next {
        reply.insert_header((LINK, next_link(&home, &request, "after", next)));
    }
    Ok(reply.json(AuditPageView { data: page.data.into_iter().map(AuditRowView::from).collect(), next }))
}
