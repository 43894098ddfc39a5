//! What comes next for an order, and doing it in one call: of one order, or of up to 500.

use actix_web::HttpResponse;
use actix_web::web::Data;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::base::{Actor, Error, Result};
use crate::orders::commit::MOST_ROWS;
use crate::orders::workflow::{Gate, Step};
use crate::orders::{Advanced, Change, Confirmations, OrderRef, Orders, Status, Timeline, Workflows};
use crate::web::auth::Merchant;
use crate::web::body::{self, Incoming};
use crate::web::error::Answer;
use crate::web::held::{HeldView, MadeView};
use crate::web::orders::rows::BulkStatusView;
use crate::web::orders::target::Target;
use crate::web::orders::view::StatusSetView;

/// What may come next for an order.
#[derive(Serialize, ToSchema)]
#[schema(as = NextSteps)]
pub struct NextStepsView {
    id: Uuid,
    #[schema(example = "MB1031")]
    number: String,
    status: Status,
    /// The number of its newest event; send it back as `expected_seq`.
    seq: i64,
    /// In the order of the statuses; empty when nothing follows.
    next: Vec<NextStepView>,
    /// The move that waits for somebody's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<HeldView>,
}

/// One step.
#[derive(Serialize, ToSchema)]
#[schema(as = NextStep)]
pub struct NextStepView {
    status: Status,
    /// What customers will read.
    #[schema(example = "Shipped")]
    label: &'static str,
    /// What may go with it.
    fields: Vec<FieldView>,
    /// Whose word it will wait for.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<Gate>,
}

/// What may go with a step.
#[derive(Serialize, ToSchema)]
#[schema(as = StepField)]
pub struct FieldView {
    #[schema(example = "carrier")]
    name: &'static str,
    /// Whether the step is refused without it.
    required: bool,
}

impl From<Step> for NextStepView {
    fn from(step: Step) -> Self {
        let fields: &[&'static str] = match step.to {
            Status::Shipped => &["carrier", "tracking_number"],
            Status::Cancelled => &["cancellation_reason"],
            _ => &[],
        };
        Self {
            status: step.to,
            label: step.to.facts().label,
            fields: fields.iter().map(|name| FieldView { name, required: false }).collect(),
            waits_for: step.gate,
        }
    }
}

/// What may come next for an order of your company, what goes with it, and who must agree.
#[utoipa::path(get, path = "/api/v1/vendor/orders/{id}/next-steps", tag = "Vendors",
    params(("id" = String, Path, description = "UUID or number", example = "MB1031")),
    responses((status = 200, description = "The steps", body = NextStepsView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound)),
    security(("person" = []), ("cookie" = [])))]
pub async fn list_next_steps(
    person: Merchant,
    target: Target,
    timeline: Data<Timeline>,
    workflows: Data<Workflows>,
) -> Answer {
    let order = timeline.get_order(&person.actor(), &target.0).await?;
    let steps = workflows.steps(std::slice::from_ref(&order)).await?.pop().unwrap_or_default();
    let waiting = workflows.waiting(&order).await?.map(HeldView::from);
    Ok(HttpResponse::Ok().json(NextStepsView {
        id: order.id.0,
        number: order.number,
        status: order.status,
        seq: order.seq,
        next: steps.into_iter().map(NextStepView::from).collect(),
        waiting,
    }))
}

/// The next step of an order. Everything may be left out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeNextStep {
    /// Which one; the only one when left out.
    status: Option<Status>,
    #[schema(example = "FedEx", max_length = 100)]
    carrier: Option<String>,
    #[schema(example = "986578788855", max_length = 100)]
    tracking_number: Option<String>,
    /// Shown to the customer.
    #[schema(max_length = 2000)]
    notes: Option<String>,
    #[schema(max_length = 1000)]
    cancellation_reason: Option<String>,
    /// Refuse unless the order's newest event has this number.
    #[schema(minimum = 1)]
    expected_seq: Option<i64>,
}

/// What a step without a name comes to: the only one there is, if nobody else takes one at the same moment.
async fn plan(
    (timeline, workflows): (&Timeline, &Workflows),
    actor: &Actor,
    target: &OrderRef,
    body: TakeNextStep,
) -> Result<Change> {
    let mut change = Change {
        status: body.status,
        expected_seq: body.expected_seq,
        carrier: body.carrier,
        tracking_number: body.tracking_number,
        notes: body.notes,
        cancellation_reason: body.cancellation_reason,
        ..Change::default()
    };
    if change.status.is_none() {
        let order = timeline.get_order(actor, target).await?;
        let steps = workflows.steps(std::slice::from_ref(&order)).await?.pop().unwrap_or_default();
        change.status = Some(the_only(&steps, order.status)?);
        change.expected_seq = change.expected_seq.or(Some(order.seq));
    }
    Ok(change)
}

fn the_only(steps: &[Step], from: Status) -> Result<Status> {
    match steps {
        [] => Err(Error::conflict("no_next_step", format!("Nothing follows {from} that your company may do."))),
        [one] => Ok(one.to),
        many => {
            let names: Vec<&str> = many.iter().map(|step| step.to.code()).collect();
            let message = format!("Several steps may follow {from}; say which: {}.", names.join(", "));
            Err(Error::invalid_field("status", "status_required", message))
        }
    }
}

/// Takes the next step of an order: the one that is named, or the only one there is.
///
/// A step that needs somebody's word is answered with 202 and `held`: what waits, and for whom. Asked for again it is
/// the same.
#[utoipa::path(post, path = "/api/v1/vendor/orders/{id}/next-step", tag = "Vendors", request_body = TakeNextStep,
    params(("id" = String, Path, description = "UUID or number", example = "MB1031"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 200, description = "The order, its event, and whom it has reached", body = StatusSetView),
        (status = 202, description = "It waits for somebody's word; see `held`", body = StatusSetView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound),
        (status = 409, response = crate::web::api::Moved)),
    security(("person" = []), ("cookie" = [])))]
pub async fn take_next_step(
    incoming: Incoming,
    person: Merchant,
    target: Target,
    orders: Data<Orders>,
    parts: (Data<Timeline>, Data<Workflows>),
) -> Answer {
    let request_id = incoming.request_id();
    let body: TakeNextStep = incoming.json().await?;
    let change = plan((&parts.0, &parts.1), &person.actor(), &target.0, body).await?;
    let advanced = orders.advance(person.actor(), target.0, change, request_id).await?;
    StatusSetView::reply(advanced)
}

/// The next steps of up to 500 orders.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeNextSteps {
    #[schema(value_type = Vec<NextStepRow>, max_items = 500)]
    rows: Vec<Value>,
    /// Say what would become of each row, and change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// The next step of one order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the rows, each of which is read by itself")]
pub struct NextStepRow {
    /// UUID or number.
    #[schema(example = "MB1031")]
    id: String,
    #[schema(inline)]
    #[serde(flatten)]
    step: TakeNextStep,
}

/// Takes the next step of up to 500 orders. Each row is judged by itself and has its own result.
#[utoipa::path(post, path = "/api/v1/vendor/orders/next-steps", tag = "Vendors", request_body = TakeNextSteps,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 200, description = "What became of each row, in the order of the rows", body = BulkStatusView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = [])))]
pub async fn take_next_steps(
    incoming: Incoming,
    person: Merchant,
    orders: Data<Orders>,
    timeline: Data<Timeline>,
    workflows: Data<Workflows>,
) -> Answer {
    let request_id = incoming.request_id();
    let body: TakeNextSteps = incoming.json().await?;
    if body.rows.len() > MOST_ROWS {
        return Err(Error::invalid("too_many_rows", format!("At most {MOST_ROWS} rows at a time")).into());
    }
    let actor = person.actor();
    let (names, rows): (Vec<_>, Vec<_>) = body.rows.into_iter().map(row).unzip();
    let take = async |row: Result<(OrderRef, TakeNextStep)>| {
        let (target, step) = row?;
        let change = plan((&timeline, &workflows), &actor, &target, step).await?;
        if !body.dry_run {
            return orders.advance(actor.clone(), target, change, request_id.clone()).await;
        }
        let mut tried = orders.advance_all(actor.clone(), vec![(target, change)], true, None).await?;
        tried.pop().unwrap_or_else(|| Err(Error::internal("a row without an outcome")))
    };
    let outcomes: Vec<Result<Advanced>> = join_all(rows.into_iter().map(take)).await;
    let rows = names.into_iter().zip(outcomes).collect();
    Ok(HttpResponse::Ok().json(BulkStatusView::new(rows, body.dry_run, false)))
}

/// The name of a row's order, and the step that is wished for.
fn row(mut row: Value) -> (Option<String>, Result<(OrderRef, TakeNextStep)>) {
    let id = row.as_object_mut().and_then(|fields| fields.remove("id"));
    let name = id.as_ref().and_then(Value::as_str).map(str::to_owned);
    let read = || {
        let missing = || Error::invalid_field("id", "required", "id: every row needs the UUID or number of its order");
        Ok((name.as_deref().ok_or_else(missing)?.parse()?, body::parse_value(row)?))
    };
    let read = read();
    (name, read)
}

/// The code a customer has told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmByCode {
    #[schema(example = "048153")]
    code: String,
}

/// Confirms an order by the six digits its customer tells whoever brings the parcel. Five tries.
#[utoipa::path(post, path = "/api/v1/vendor/orders/{id}/confirmation-code", tag = "Vendors", request_body = ConfirmByCode,
    params(("id" = String, Path, description = "UUID or number", example = "MB1031")),
    responses((status = 200, description = "The order as it stands now", body = MadeView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound),
        (status = 409, response = crate::web::api::Moved)),
    security(("person" = []), ("cookie" = [])))]
pub async fn confirm_by_code(
    incoming: Incoming,
    person: Merchant,
    target: Target,
    timeline: Data<Timeline>,
    confirmations: Data<Confirmations>,
) -> Answer {
    let request_id = incoming.request_id();
    let body: ConfirmByCode = incoming.json().await?;
    let order = timeline.resolve(&person.actor(), &target.0).await?;
    let made = confirmations.confirm_by_code(person.actor(), order, &body.code, request_id).await?;
    Ok(HttpResponse::Ok().json(MadeView::from(made)))
}
