//! What customers may ask without an account: their order by its pass, and a link by number and e-mail.

use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::bearer;
use super::body::Incoming;
use super::error::{Answer, ProblemView};
use crate::base::id::OrderId;
use crate::base::{Error, Result, Secret};
use crate::jobs::{Job, Jobs};
use crate::notify::Preferences;
use crate::orders::tracking::Admission;
use crate::orders::tracking::Pass;
use crate::orders::{Event, EventBody, Passes, Snapshot, Timeline};

/// Events that are read at a time.
const STEP: usize = 1000;

/// The order of a tracking pass: where it stands, and everything that led there.
#[utoipa::path(get, path = "/api/v1/track", tag = "Customers",
    responses((status = 200, description = "The customer's view; personal data is masked", body = TrackedView),
        (status = 401, response = super::api::Unauthorized), (status = 404, response = super::api::NotFound),
        (status = 410, description = "`expired` or `revoked`", body = ProblemView, content_type = "application/problem+json")),
    security(("pass" = [])))]
pub async fn get_tracked_order(request: HttpRequest, passes: Data<Passes>, timeline: Data<Timeline>) -> Answer {
    let (_, tracked) = tracked(&passes, &timeline, sent_pass(&request)?.expose()).await?;
    let mut reply = HttpResponse::Ok();
    reply.insert_header(ContentType::json()).insert_header((CACHE_CONTROL, "no-store"));
    Ok(reply.body(tracked))
}

/// The pass that came with a request.
pub(super) fn sent_pass(request: &HttpRequest) -> Result<Secret> {
    let missing = || Error::Unauthenticated("Send the tracking pass as Authorization: Bearer".into());
    bearer(request).ok_or_else(missing)
}

/// What a pass shows, and it as JSON: `{"order", "seq", "events"}`.
///
/// # Errors
/// `Gone` when the pass opened an order once, `NotFound` when it is none of ours.
pub(super) async fn tracked(passes: &Passes, timeline: &Timeline, pass: &str) -> Result<(OrderId, String)> {
    let order = admitted(passes, pass).await?.order;
    Ok((order, shown(timeline, order).await?))
}

/// What a customer sees of an order, as JSON.
///
/// # Errors
/// `NotFound` when there is no such order.
pub(super) async fn shown(timeline: &Timeline, order: OrderId) -> Result<String> {
    let snapshot = timeline.snapshot(order).await?;
    let events = all_events(timeline, &snapshot).await?;
    Ok(render(&snapshot, &events))
}

/// The pass of a text that opens an order.
///
/// # Errors
/// `Gone` when it did once, `NotFound` when it is none of ours.
pub(super) async fn admitted(passes: &Passes, text: &str) -> Result<Pass> {
    match passes.admit(text).await? {
        Admission::Welcome(pass) => Ok(pass),
        Admission::Expired(_) => Err(Error::gone("expired", "This link has expired. Ask for a new one.")),
        Admission::Revoked(_) => Err(Error::gone("revoked", "This link was withdrawn.")),
        Admission::Unknown => Err(Error::NotFound("Order")),
    }
}

/// The events up to the snapshot's own: what came after it was read is for the next reading.
async fn all_events(timeline: &Timeline, snapshot: &Snapshot) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    loop {
        let since = events.last().map_or(0, |last: &Event| last.seq);
        let more = timeline.events_since(snapshot.order, since, STEP).await?;
        let is_last = more.len() < STEP;
        events.extend(more.into_iter().filter(|event| event.seq <= snapshot.seq));
        if is_last || events.last().is_none_or(|last| last.seq >= snapshot.seq) {
            return Ok(events);
        }
    }
}

/// The texts are JSON already, as every transport sends them.
fn render(snapshot: &Snapshot, events: &[Event]) -> String {
    let events: Vec<&str> = events.iter().map(|event| event.body.as_str()).collect();
    format!("{{\"order\":{},\"seq\":{},\"events\":[{}]}}", snapshot.body, snapshot.seq, events.join(","))
}

/// What a customer sees of an order.
#[derive(ToSchema)]
#[schema(as = TrackedOrder)]
#[expect(dead_code, reason = "describes what is sent as text that is JSON already")]
pub struct TrackedView {
    /// The order with personal data masked. The same object everywhere: here, in SSE, poll and WebSocket messages.
    #[schema(value_type = Object, example = json!({"id": "019aa1b2-0000-7000-8000-000000000000", "number": "MB1031",
        "shop": {"name": "Juniper & Co."}, "status": "shipped", "seq": 4, "carrier": "FedEx",
        "customer": {"name": "Ayesha R.", "email": "a•••@mail.com"}, "created_at": "2026-11-20T08:00:00Z",
        "updated_at": "2026-11-21T09:12:00Z"}))]
    order: (),
    /// The number of the newest event that is in it.
    seq: i64,
    /// All events, ascending.
    events: Vec<EventBody>,
}

/// What a customer wants to hear of.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Preferences)]
pub struct PreferencesView {
    /// Whether mail about this order is sent.
    #[schema(example = false)]
    mail: bool,
}

/// What the customer of a pass wants to hear of.
#[utoipa::path(get, path = "/api/v1/track/preferences", tag = "Customers",
    responses((status = 200, description = "The choices", body = PreferencesView),
        (status = 401, response = super::api::Unauthorized), (status = 404, response = super::api::NotFound),
        (status = 410, description = "`expired` or `revoked`", body = ProblemView, content_type = "application/problem+json")),
    security(("pass" = [])))]
pub async fn get_preferences(request: HttpRequest, passes: Data<Passes>, preferences: Data<Preferences>) -> Answer {
    let pass = admitted(&passes, sent_pass(&request)?.expose()).await?;
    Ok(HttpResponse::Ok().json(PreferencesView { mail: preferences.wants_mail(pass.order).await? }))
}

/// Switches mail about the order of a pass off or on.
#[utoipa::path(patch, path = "/api/v1/track/preferences", tag = "Customers", request_body = PreferencesView,
    responses((status = 200, description = "As it is now", body = PreferencesView), (status = 400, response = super::api::BadRequest),
        (status = 401, response = super::api::Unauthorized), (status = 404, response = super::api::NotFound),
        (status = 410, description = "`expired` or `revoked`", body = ProblemView, content_type = "application/problem+json")),
    security(("pass" = [])))]
pub async fn set_preferences(incoming: Incoming, passes: Data<Passes>, preferences: Data<Preferences>) -> Answer {
    let pass = admitted(&passes, sent_pass(&incoming.request)?.expose()).await?;
    let request_id = incoming.request_id();
    let wish: PreferencesView = incoming.json().await?;
    preferences.set_mail(pass.order, wish.mail, pass.id, request_id).await?;
    Ok(HttpResponse::Ok().json(wish))
}

/// What a customer knows of an order.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookUpOrder {
    #[schema(example = "MB1031")]
    number: String,
    #[schema(example = "ayesha@mail.com")]
    email: String,
}

/// The answer to every look-up.
#[derive(Serialize, ToSchema)]
#[schema(as = LookedUp)]
pub struct LookedUpView {
    #[schema(example = "If these details match an order, we have sent you a link.")]
    message: &'static str,
}

/// Sends a tracking link by mail to the customer of an order.
///
/// The answer is the same whether such an order exists or not.
#[utoipa::path(post, path = "/api/v1/track/lookup", tag = "Customers", request_body = LookUpOrder,
    responses((status = 202, description = "Always the same", body = LookedUpView), (status = 400, response = super::api::BadRequest)),
    security(()))]
pub async fn look_up_order(incoming: Incoming, passes: Data<Passes>, jobs: Data<Jobs>) -> Answer {
    let body: LookUpOrder = incoming.json().await?;
    let found = passes.look_up(&body.number, &body.email).await?;
    // Queueing goes on behind the reply, or the time it takes would tell whether there was anything to queue.
    actix_web::rt::spawn(async move {
        for order in found {
            let queued = jobs.push(Job::LinkLetter { order }).await;
            queued.unwrap_or_else(|error| tracing::error!(%error, order.id = %order, "a link could not be queued"));
        }
    });
    Ok(HttpResponse::Accepted()
        .json(LookedUpView { message: "If these details match an order, we have sent you a link." }))
}
