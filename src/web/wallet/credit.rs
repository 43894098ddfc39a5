//! What those who run the platform do about an order's credit by hand: freeze it in a dispute, end that, release it.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Deserialize;
use utoipa::ToSchema;

use super::commission::PricedView;
use super::platform;
use crate::base::Error;
use crate::orders::Commissions;
use crate::wallet::Wallets;
use crate::wallet::books::{Act, Caused};
use crate::web::auth::{Administer, Caller};
use crate::web::body::Incoming;
use crate::web::error::{Answer, ProblemView};
use crate::web::orders::target::Target;

/// What is to be done about a credit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActOnCredit {
    act: ActView,
    #[schema(example = "The customer has called: the box was empty", max_length = 500)]
    reason: String,
}

/// What can be done about a credit that is held.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CreditAct)]
pub enum ActView {
    /// It is not released while the delivery is in dispute.
    Freeze,
    /// The dispute is over: it is released when its time has come.
    Unfreeze,
    /// It is released now.
    Release,
}

/// Freezes, unfreezes or releases what an order's delivery has brought its vendor. Twice is harmless.
#[utoipa::path(post, path = "/api/v1/admin/orders/{id}/credit", tag = "Platform", request_body = ActOnCredit,
    params(("id" = String, Path, description = "UUID or number", example = "MB1031"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 200, description = "The order's money as it stands now", body = PricedView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound),
        (status = 409, description = "`not_held`: there is no credit to do this with", body = ProblemView,
            content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = []), ("bearer" = ["admin"])))]
pub async fn act_on_credit(
    incoming: Incoming,
    caller: Caller<Administer>,
    target: Target,
    wallets: Data<Wallets>,
    commissions: Data<Commissions>,
) -> Answer {
    let (actor, request_id) = (platform(&caller)?, incoming.request_id());
    let body: ActOnCredit = incoming.json().await?;
    let act = match body.act {
        ActView::Freeze => Act::Freeze,
        ActView::Unfreeze => Act::Unfreeze,
        ActView::Release => Act::Release,
    };
    let order = commissions.get(&actor, &target.0).await?.order.id;
    let caused = Caused { actor: actor.clone(), request_id, reason: Some(body.reason) };
    let is_so = wallets.act(caused, order, act).await?;
    let priced = commissions.get(&actor, &target.0).await?;
    let is_repeat =
        act == Act::Release && priced.credit.as_ref().is_some_and(|credit| credit.state.code() == "available");
    if !(is_so || is_repeat) {
        let message = "The order has brought nothing that is held, or it is in dispute.";
        return Err(Error::conflict("not_held", message).into());
    }
    Ok(HttpResponse::Ok().json(PricedView::from(priced)))
}
