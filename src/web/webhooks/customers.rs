//! Customers who wish to be forgotten.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::base::Error;
use crate::web::auth::{Caller, Write};
use crate::web::error::Answer;
use crate::web::orders::target::segment;
use crate::webhooks::Webhooks;

/// What was deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = Forgotten)]
pub struct ForgottenView {
    /// Orders whose personal data is gone: customer, address, notes.
    orders: usize,
    /// Webhooks of the inbox whose content is gone.
    webhooks: usize,
}

/// Deletes a customer's personal data: from orders, their histories, and the inbox.
///
/// The orders stay, without a person. A second time finds nothing and is success.
#[utoipa::path(delete, path = "/api/v1/customers/{id}/personal-data", tag = "Webhooks received",
    params(("id" = i64, Path, description = "`customer_details.id` of the customer's orders", example = 1)),
    responses((status = 200, description = "What was deleted", body = ForgottenView),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound)),
    security(("bearer" = ["orders:write"]), ("api_key" = []), ("query_token" = [])))]
pub async fn forget_customer(request: HttpRequest, caller: Caller<Write>, webhooks: Data<Webhooks>) -> Answer {
    let id = segment(&request, "id")?.parse().map_err(|_| Error::NotFound("Customer"))?;
    let actor = caller.actor();
    let own = actor.company();
    let forgotten = webhooks.forget(actor, own, id, crate::web::request_id(&request)).await?;
    Ok(HttpResponse::Ok().json(ForgottenView { orders: forgotten.orders, webhooks: forgotten.webhooks }))
}
