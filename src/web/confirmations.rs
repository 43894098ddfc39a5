//! The customer's word: given or refused with the tracking pass, and the disputes that come of it.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::approvals::{Asked, held_of};
use super::auth::Staff;
use super::body::Incoming;
use super::error::{Answer, ProblemView};
use super::held::{HeldPageView, HeldView};
use super::track::{admitted, sent_pass};
use crate::orders::confirmation::Outcome;
use crate::orders::workflow::{Gate, Held, Seeking, State};
use crate::orders::{Approvals, Confirmations, Passes, Status};

/// What an order asks its customer.
#[derive(Serialize, ToSchema)]
#[schema(as = Confirmation)]
pub struct ConfirmationView {
    /// Whether an answer is waited for.
    open: bool,
    /// Whether an objection of the customer is being looked at.
    disputed: bool,
    /// What the shop says has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    /// When no answer counts as a yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    /// Six digits to tell whoever brings the parcel, once it is there.
    #[schema(example = "048153")]
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

fn view(confirmations: &Confirmations, held: Option<&Held>) -> ConfirmationView {
    let waiting = held.filter(|held| held.state == State::Waiting);
    ConfirmationView {
        open: waiting.is_some(),
        disputed: held.is_some_and(|held| held.state == State::Disputed),
        status: waiting.map(|held| held.to),
        due_at: waiting.map(|held| held.due_at),
        code: waiting.map(|held| confirmations.code(held.id).expose().to_owned()),
    }
}

/// What the order of a pass asks its customer.
#[utoipa::path(get, path = "/api/v1/track/confirmation", tag = "Customers",
    responses((status = 200, description = "What is asked", body = ConfirmationView),
        (status = 401, response = super::api::Unauthorized), (status = 404, response = super::api::NotFound),
        (status = 410, description = "`expired` or `revoked`", body = ProblemView, content_type = "application/problem+json")),
    security(("pass" = [])))]
pub async fn get_confirmation(
    request: HttpRequest,
    passes: Data<Passes>,
    confirmations: Data<Confirmations>,
) -> Answer {
    let pass = admitted(&passes, sent_pass(&request)?.expose()).await?;
    let held = confirmations.open(pass.order).await?;
    Ok(HttpResponse::Ok().json(view(&confirmations, held.as_ref())))
}

/// The customer's answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerConfirmation {
    /// Whether what the shop says is so.
    received: bool,
    /// What is wrong; needed when it is not so.
    #[schema(example = "The box was empty.", max_length = 1000)]
    reason: Option<String>,
}

/// Confirms what the shop says, or objects to it. An objection holds the order, and its money, until it is decided.
#[utoipa::path(post, path = "/api/v1/track/confirmation", tag = "Customers", request_body = AnswerConfirmation,
    responses((status = 200, description = "As it is now", body = ConfirmationView),
        (status = 400, response = super::api::BadRequest), (status = 401, response = super::api::Unauthorized),
        (status = 404, response = super::api::NotFound),
        (status = 409, description = "`already_decided`, `disputed` or `moved_on`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 410, description = "`expired` or `revoked`", body = ProblemView, content_type = "application/problem+json")),
    security(("pass" = [])))]
pub async fn answer_confirmation(
    incoming: Incoming,
    passes: Data<Passes>,
    confirmations: Data<Confirmations>,
) -> Answer {
    let pass = admitted(&passes, sent_pass(&incoming.request)?.expose()).await?;
    let request_id = incoming.request_id();
    let body: AnswerConfirmation = incoming.json().await?;
    if body.received {
        confirmations.confirm(pass.order, request_id).await?;
    } else {
        confirmations.dispute(pass.order, body.reason.unwrap_or_default(), request_id).await?;
    }
    let held = confirmations.open(pass.order).await?;
    Ok(HttpResponse::Ok().json(view(&confirmations, held.as_ref())))
}

/// Lists what customers object to.
#[utoipa::path(get, path = "/api/v1/admin/disputes", tag = "Workflows",
    params(("state" = Option<Vec<State>>, Query, explode = false, description = "In one of these; `disputed` when left out"),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 200, description = "50 when left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before")),
    responses((status = 200, description = "The newest first", body = HeldPageView),
        (status = 400, response = super::api::BadRequest), (status = 401, response = super::api::Unauthorized),
        (status = 403, response = super::api::Forbidden)),
    security(("person" = []), ("cookie" = [])))]
pub async fn list_disputes(request: HttpRequest, person: Staff, approvals: Data<Approvals>) -> Answer {
    let asked = Asked::read(&request, State::Disputed)?;
    let seeking = Seeking { gate: Some(Gate::Confirmation), states: asked.states, ..Seeking::default() };
    let page = approvals.list(&person.actor(), seeking, asked.after, asked.limit).await?;
    Ok(HttpResponse::Ok().json(HeldPageView::from(page)))
}

/// What is decided about a dispute.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveDispute {
    /// `upheld`: the customer is right, and the order stays where it is. `dismissed`: the step is made after all.
    outcome: OutcomeView,
    #[schema(example = "The courier has shown the signature.", min_length = 1, max_length = 1000)]
    reason: String,
}

/// For whom it is decided.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DisputeOutcome)]
pub enum OutcomeView {
    /// For the customer.
    Upheld,
    /// For the shop.
    Dismissed,
}

/// Decides about what a customer objects to.
#[utoipa::path(post, path = "/api/v1/admin/disputes/{id}/resolve", tag = "Workflows", request_body = ResolveDispute,
    params(("id" = String, Path, description = "Its identifier"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 200, description = "As it is now", body = HeldView),
        (status = 400, response = super::api::BadRequest), (status = 401, response = super::api::Unauthorized),
        (status = 403, response = super::api::Forbidden), (status = 404, response = super::api::NotFound),
        (status = 409, description = "`already_decided` or `moved_on`", body = ProblemView,
            content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = [])))]
pub async fn resolve_dispute(incoming: Incoming, person: Staff, confirmations: Data<Confirmations>) -> Answer {
    let (id, request_id) = (held_of(&incoming.request, "Dispute")?, incoming.request_id());
    let body: ResolveDispute = incoming.json().await?;
    let outcome = match body.outcome {
        OutcomeView::Upheld => Outcome::Upheld,
        OutcomeView::Dismissed => Outcome::Dismissed,
    };
    let held = confirmations.resolve(person.actor(), id, outcome, body.reason, request_id).await?;
    Ok(HttpResponse::Ok().json(HeldView::from(held)))
}
