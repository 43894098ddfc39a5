//! A company's own words for statuses.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{company_in_query, company_of};
use crate::accounts::{Companies, Source};
use crate::base::Error;
use crate::orders::Status;
use crate::web::auth::{Caller, ManageWebhooks};
use crate::web::body::Incoming;
use crate::web::error::Answer;
use crate::web::query::Query;
use crate::webhooks::Webhooks;
use crate::webhooks::statuses::Mapping;

/// What a word means.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetInboundStatus {
    /// Which of your systems says it; `ordercast`, our own format, when left out.
    source: Option<Source>,
    /// The word, in any letter case.
    #[schema(example = "awaiting-pickup", min_length = 1, max_length = 100)]
    theirs: String,
    /// What it means here; null for a word that means nothing to customers.
    ours: Option<Status>,
    /// Slug or id; your own when left out.
    company: Option<String>,
}

/// A word and what it means.
#[derive(Serialize, ToSchema)]
#[schema(as = InboundStatus)]
pub struct InboundStatusView {
    source: Source,
    #[schema(example = "awaiting-pickup")]
    theirs: String,
    ours: Option<Status>,
    updated_at: Timestamp,
}

/// A company's words.
#[derive(Serialize, ToSchema)]
#[schema(as = InboundStatusList)]
pub struct InboundStatusListView {
    /// By source and word.
    data: Vec<InboundStatusView>,
}

impl From<Mapping> for InboundStatusView {
    fn from(mapping: Mapping) -> Self {
        Self { source: mapping.source, theirs: mapping.theirs, ours: mapping.ours, updated_at: mapping.updated_at }
    }
}

/// Lists your own words for statuses. What is not here means what its platform usually means.
#[utoipa::path(get, path = "/api/v1/inbound-statuses", tag = "Webhooks received",
    params(("company" = Option<String>, Query, description = "Slug or id; your own when left out")),
    responses((status = 200, description = "By source and word", body = InboundStatusListView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("bearer" = ["webhooks:manage"]), ("api_key" = []), ("query_token" = [])))]
pub async fn list_inbound_statuses(
    request: HttpRequest,
    caller: Caller<ManageWebhooks>,
    companies: Data<Companies>,
    webhooks: Data<Webhooks>,
) -> Answer {
    let company = company_in_query(&request, &caller, &companies, &["company"]).await?;
    let data = webhooks.statuses().list(company).await?.into_iter().map(InboundStatusView::from).collect();
    Ok(HttpResponse::Ok().json(InboundStatusListView { data }))
}

/// Sets what a word means from now on. What came before is run again from the inbox.
#[utoipa::path(put, path = "/api/v1/inbound-statuses", tag = "Webhooks received", request_body = SetInboundStatus,
    responses((status = 200, description = "The word", body = InboundStatusView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("bearer" = ["webhooks:manage"]), ("api_key" = []), ("query_token" = [])))]
pub async fn set_inbound_status(
    incoming: Incoming,
    caller: Caller<ManageWebhooks>,
    companies: Data<Companies>,
    webhooks: Data<Webhooks>,
) -> Answer {
    let body: SetInboundStatus = incoming.json().await?;
    let company = company_of(&caller, body.company.as_deref(), &companies).await?;
    let source = body.source.unwrap_or(Source::Ordercast);
    let mapping = webhooks.statuses().set(caller.asker(), company, source, &body.theirs, body.ours).await?;
    Ok(HttpResponse::Ok().json(InboundStatusView::from(mapping)))
}

/// Forgets a word: it means what its platform usually means again.
#[utoipa::path(delete, path = "/api/v1/inbound-statuses", tag = "Webhooks received",
    params(("theirs" = String, Query, description = "The word"),
        ("source" = Option<Source>, Query, description = "`ordercast` when left out"),
        ("company" = Option<String>, Query, description = "Slug or id; your own when left out")),
    responses((status = 204, description = "It is forgotten"), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound)),
    security(("bearer" = ["webhooks:manage"]), ("api_key" = []), ("query_token" = [])))]
pub async fn delete_inbound_status(
    request: HttpRequest,
    caller: Caller<ManageWebhooks>,
    companies: Data<Companies>,
    webhooks: Data<Webhooks>,
) -> Answer {
    let query = Query::of(&request, &["company", "source", "theirs"])?;
    let company = company_of(&caller, query.one("company")?, &companies).await?;
    let source = query.one("source")?.map_or(Ok(Source::Ordercast), str::parse)?;
    let missing = || Error::invalid_field("theirs", "required", "theirs names the word to forget");
    let theirs = query.one("theirs")?.ok_or_else(missing)?;
    webhooks.statuses().remove(caller.asker(), company, source, theirs).await?;
    Ok(HttpResponse::NoContent().finish())
}
