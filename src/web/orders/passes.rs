//! Tracking passes of an order: links for its customer.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::target::{Target, segment};
use crate::base::Error;
use crate::base::id::PassId;
use crate::orders::tracking::Pass;
use crate::orders::{Passes, Timeline};
use crate::web::PublicUrl;
use crate::web::auth::{Caller, Read, Write};
use crate::web::body::{self, Incoming};
use crate::web::error::Answer;

/// What a new pass is to be. The body may be left out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePass {
    /// Ends the pass earlier than the order would (30 days after it has ended).
    expires_at: Option<Timestamp>,
}

/// A new pass.
#[derive(Serialize, ToSchema)]
#[schema(as = NewPass)]
pub struct NewPassView {
    id: Uuid,
    /// Opens the order, read-only, to whoever has it.
    pass: String,
    /// The customer's page.
    #[schema(example = "https://track.example.com/track/…")]
    url: String,
    created_at: Timestamp,
    /// Null as long as the order has not ended, unless it was given.
    expires_at: Option<Timestamp>,
}

/// A pass; its text is not kept.
#[derive(Serialize, ToSchema)]
#[schema(as = Pass)]
struct PassView {
    id: Uuid,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

/// The passes of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = PassList)]
pub struct PassListView {
    /// Newest first.
    data: Vec<PassView>,
}

/// Makes a tracking pass.
#[utoipa::path(post, path = "/api/v1/orders/{id}/tracking-pass", tag = "Tracking passes", request_body = Option<CreatePass>,
    params(("id" = String, Path, description = "UUID or number", example = "MB1031"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 201, description = "The pass; its text is shown this once", body = NewPassView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound)),
    security(("bearer" = ["orders:write"]), ("api_key" = []), ("query_token" = [])))]
pub async fn create_tracking_pass(
    incoming: Incoming,
    caller: Caller<Write>,
    target: Target,
    timeline: Data<Timeline>,
    passes: Data<Passes>,
    home: Data<PublicUrl>,
) -> Answer {
    let order = timeline.resolve(&caller.actor(), &target.0).await?;
    let bytes = incoming.bytes().await?;
    let wish: CreatePass = if bytes.is_empty() { CreatePass::default() } else { body::parse(&bytes)? };
    let (pass, text) = passes.create(order, wish.expires_at).await?;
    Ok(HttpResponse::Created().json(NewPassView {
        id: pass.id.0,
        url: home.track(&text),
        pass: text,
        created_at: pass.created_at,
        expires_at: pass.expires_at,
    }))
}

/// Lists an order's tracking passes.
#[utoipa::path(get, path = "/api/v1/orders/{id}/tracking-pass", tag = "Tracking passes",
    params(("id" = String, Path, description = "UUID or number", example = "MB1031")),
    responses((status = 200, description = "Newest first", body = PassListView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound)),
    security(("bearer" = ["orders:read"]), ("api_key" = []), ("query_token" = [])))]
pub async fn list_tracking_passes(
    caller: Caller<Read>,
    target: Target,
    timeline: Data<Timeline>,
    passes: Data<Passes>,
) -> Answer {
    let order = timeline.resolve(&caller.actor(), &target.0).await?;
    let data = passes.list(order).await?.into_iter().map(PassView::from).collect();
    Ok(HttpResponse::Ok().json(PassListView { data }))
}

/// Revokes a tracking pass; live connections that use it are closed within a second.
#[utoipa::path(delete, path = "/api/v1/orders/{id}/tracking-pass/{pass_id}", tag = "Tracking passes",
    params(("id" = String, Path, description = "UUID or number of the order", example = "MB1031"),
        ("pass_id" = Uuid, Path, description = "The pass's id")),
    responses((status = 204, description = "It opens nothing from now on"),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound)),
    security(("bearer" = ["orders:write"]), ("api_key" = []), ("query_token" = [])))]
pub async fn revoke_tracking_pass(
    request: HttpRequest,
    caller: Caller<Write>,
    target: Target,
    timeline: Data<Timeline>,
    passes: Data<Passes>,
) -> Answer {
    let order = timeline.resolve(&caller.actor(), &target.0).await?;
    let bad_id = |_| Error::invalid_field("pass_id", "bad_pass_id", "Invalid pass ID format");
    let id: PassId = segment(&request, "pass_id")?.parse().map_err(bad_id)?;
    passes.revoke(order, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

impl From<Pass> for PassView {
    fn from(pass: Pass) -> Self {
        Self { id: pass.id.0, created_at: pass.created_at, expires_at: pass.expires_at, revoked_at: pass.revoked_at }
    }
}
