//! Steps that wait for a second person: listed, approved, refused.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::SignedIn;
use super::body::Incoming;
use super::error::{Answer, ProblemView};
use super::held::{HeldPageView, HeldView, MadeView};
use super::orders::target::segment;
use super::query::Query;
use crate::base::id::HeldId;
use crate::base::page::Cursor;
use crate::base::{Error, Result};
use crate::orders::Approvals;
use crate::orders::workflow::{Gate, Seeking, State};

/// Moves in a page.
const USUAL_PAGE: i64 = 50;
const LARGEST_PAGE: i64 = 200;

/// The move a path names; one that cannot be is one that is not there.
pub(super) fn held_of(request: &HttpRequest, noun: &'static str) -> Result<HeldId> {
    segment(request, "id")?.parse().map_err(|_| Error::NotFound(noun))
}

/// What a page of moves was asked for.
pub(super) struct Asked {
    pub states: Vec<State>,
    pub after: Option<Cursor>,
    pub limit: usize,
}

impl Asked {
    /// Reads it; without a state it is those that wait in `usual`.
    pub fn read(request: &HttpRequest, usual: State) -> Result<Self> {
        let query = Query::of(request, &["state", "limit", "after"])?;
        let mut states = query.many("state").into_iter().map(str::parse).collect::<Result<Vec<State>>>()?;
        if states.is_empty() {
            states.push(usual);
        }
        let limit = usize::try_from(query.number("limit", USUAL_PAGE, 1..=LARGEST_PAGE)?).map_err(Error::internal)?;
        Ok(Self { states, after: query.one("after")?.map(Cursor::decode).transpose()?, limit })
    }
}

/// A decision in words.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    #[schema(example = "The payment has come in.", max_length = 1000)]
    reason: Option<String>,
}

/// Why not.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    #[schema(example = "The address is not complete.", min_length = 1, max_length = 1000)]
    reason: String,
}

/// Lists steps that wait for a second person, of the company or of all.
#[utoipa::path(get, path = "/api/v1/approvals", tag = "Workflows",
    params(("state" = Option<Vec<State>>, Query, explode = false, description = "In one of these; `waiting` when left out"),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 200, description = "50 when left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before")),
    responses((status = 200, description = "The newest first", body = HeldPageView),
        (status = 400, response = super::api::BadRequest), (status = 401, response = super::api::Unauthorized),
        (status = 403, response = super::api::Forbidden)),
    security(("person" = []), ("cookie" = [])))]
pub async fn list_approvals(request: HttpRequest, person: SignedIn, approvals: Data<Approvals>) -> Answer {
    let asked = Asked::read(&request, State::Waiting)?;
    let seeking = Seeking { gate: Some(Gate::Approval), states: asked.states, ..Seeking::default() };
    let page = approvals.list(&person.actor(), seeking, asked.after, asked.limit).await?;
    Ok(HttpResponse::Ok().json(HeldPageView::from(page)))
}

/// Reads a step that waits for a second person, or waited.
#[utoipa::path(get, path = "/api/v1/approvals/{id}", tag = "Workflows",
    params(("id" = String, Path, description = "Its identifier")),
    responses((status = 200, description = "The step", body = HeldView), (status = 401, response = super::api::Unauthorized),
        (status = 403, response = super::api::Forbidden), (status = 404, response = super::api::NotFound)),
    security(("person" = []), ("cookie" = [])))]
pub async fn get_approval(request: HttpRequest, person: SignedIn, approvals: Data<Approvals>) -> Answer {
    let id = held_of(&request, "Approval")?;
    let held = approvals.get(&person.actor(), id, Gate::Approval).await?;
    Ok(HttpResponse::Ok().json(HeldView::from(held)))
}

/// Approves a step and makes it. Whoever asked for it cannot.
#[utoipa::path(post, path = "/api/v1/approvals/{id}/approve", tag = "Workflows", request_body = Approve,
    params(("id" = String, Path, description = "Its identifier"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 200, description = "The order as it stands now", body = MadeView),
        (status = 400, response = super::api::BadRequest), (status = 401, response = super::api::Unauthorized),
        (status = 403, response = super::api::Forbidden), (status = 404, response = super::api::NotFound),
        (status = 409, description = "`already_decided`, `expired` or `moved_on`", body = ProblemView,
            content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = [])))]
pub async fn approve_move(incoming: Incoming, person: SignedIn, approvals: Data<Approvals>) -> Answer {
    let (id, request_id) = (held_of(&incoming.request, "Approval")?, incoming.request_id());
    let body: Approve = incoming.json().await?;
    let made = approvals.approve(person.actor(), id, body.reason, request_id).await?;
    Ok(HttpResponse::Ok().json(MadeView::from(made)))
}

/// Refuses a step, or takes back what one has asked for.
#[utoipa::path(post, path = "/api/v1/approvals/{id}/refuse", tag = "Workflows", request_body = Refuse,
    params(("id" = String, Path, description = "Its identifier"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 200, description = "The step as it stands now", body = HeldView),
        (status = 400, response = super::api::BadRequest), (status = 401, response = super::api::Unauthorized),
        (status = 403, response = super::api::Forbidden), (status = 404, response = super::api::NotFound),
        (status = 409, description = "`already_decided` or `expired`", body = ProblemView,
            content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = [])))]
pub async fn refuse_move(incoming: Incoming, person: SignedIn, approvals: Data<Approvals>) -> Answer {
    let (id, request_id) = (held_of(&incoming.request, "Approval")?, incoming.request_id());
    let body: Refuse = incoming.json().await?;
    let held = approvals.refuse(person.actor(), id, body.reason, request_id).await?;
    Ok(HttpResponse::Ok().json(HeldView::from(held)))
}
