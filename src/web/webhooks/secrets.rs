//! The secrets webhooks are signed with: list, make, replace, take back.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{company_in_query, company_of};
use crate::accounts::{Companies, Source, WebhookSecret, WebhookSecrets};
use crate::base::{Error, Secret};
use crate::web::auth::{Caller, ManageWebhooks};
use crate::web::body::{self, Incoming};
use crate::web::error::Answer;
use crate::web::orders::target::segment;

/// A secret; its text is not shown.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookSecret)]
pub struct WebhookSecretView {
    id: Uuid,
    /// What signs with it.
    source: Source,
    /// The last four characters of its text.
    #[schema(example = "aB3=")]
    last_four: String,
    created_at: Timestamp,
    /// When it ends, once it has been replaced.
    expires_at: Option<Timestamp>,
    /// To about a minute.
    last_used_at: Option<Timestamp>,
}

/// A secret with its text.
#[derive(Serialize, ToSchema)]
#[schema(as = NewWebhookSecret)]
pub struct NewWebhookSecretView {
    /// The secret itself: shown this once. Absent when a platform has made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_…")]
    secret: Option<String>,
    #[serde(flatten)]
    about: WebhookSecretView,
}

/// The secrets that work.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookSecretList)]
pub struct WebhookSecretListView {
    /// Newest first.
    data: Vec<WebhookSecretView>,
}

/// A secret to be taken or made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetWebhookSecret {
    /// `shopify` or `woocommerce` with their secret; `ordercast`, or nothing, to have one made.
    source: Option<Source>,
    /// The platform's signing secret. It cannot be read back.
    secret: Option<String>,
    /// Slug or id; your own when left out.
    company: Option<String>,
}

/// A secret to be replaced. The body may be left out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateWebhookSecret {
    /// Slug or id; your own when left out.
    company: Option<String>,
}

impl From<WebhookSecret> for WebhookSecretView {
    fn from(secret: WebhookSecret) -> Self {
        Self {
            id: secret.id.0,
            source: secret.source,
            last_four: secret.last_four,
            created_at: secret.created_at,
            expires_at: secret.expires_at,
            last_used_at: secret.last_used_at,
        }
    }
}

/// Lists the secrets that work.
#[utoipa::path(get, path = "/api/v1/company/webhook-secrets", tag = "Webhooks received",
    params(("company" = Option<String>, Query, description = "Slug or id; your own when left out")),
    responses((status = 200, description = "Newest first", body = WebhookSecretListView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("bearer" = ["webhooks:manage"]), ("api_key" = []), ("query_token" = [])))]
pub async fn list_webhook_secrets(
    request: HttpRequest,
    caller: Caller<ManageWebhooks>,
    companies: Data<Companies>,
    secrets: Data<WebhookSecrets>,
) -> Answer {
    let company = company_in_query(&request, &caller, &companies, &["company"]).await?;
    let data = secrets.list(company).await?.into_iter().map(WebhookSecretView::from).collect();
    Ok(HttpResponse::Ok().json(WebhookSecretListView { data }))
}

/// Takes a platform's signing secret, or makes the first one of ours.
///
/// Where there is one of the kind already, it works for 24 hours more. Ours are replaced by `rotate`.
#[utoipa::path(post, path = "/api/v1/company/webhook-secrets", tag = "Webhooks received", request_body = SetWebhookSecret,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 201, description = "The secret", body = NewWebhookSecretView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden),
        (status = 409, description = "`secret_exists`", body = crate::web::error::ProblemView, content_type = "application/problem+json")),
    security(("bearer" = ["webhooks:manage"]), ("api_key" = []), ("query_token" = [])))]
pub async fn create_webhook_secret(
    incoming: Incoming,
    caller: Caller<ManageWebhooks>,
    companies: Data<Companies>,
    secrets: Data<WebhookSecrets>,
) -> Answer {
    let body: SetWebhookSecret = incoming.json().await?;
    let company = company_of(&caller, body.company.as_deref(), &companies).await?;
    let source = body.source.unwrap_or(Source::Ordercast);
    let reply = match (source, body.secret.map(Secret::new)) {
        (Source::Ordercast, None) => {
            if secrets.list(company).await?.iter().any(|known| known.source == Source::Ordercast) {
                let message = "There is a secret already; replace it by POST /api/v1/company/webhook-secrets/rotate.";
                return Err(Error::conflict("secret_exists", message).into());
            }
            let (known, secret) = secrets.rotate(caller.asker(), company).await?;
            NewWebhookSecretView { secret: Some(secret.expose().to_owned()), about: known.into() }
        }
        (Source::Ordercast, Some(_)) => {
            let message = "secrets of our own are made here; leave `secret` out";
            return Err(Error::invalid_field("secret", "bad_secret", message).into());
        }
        (source, secret) => {
            let known = secrets.set(caller.asker(), company, source, &secret.unwrap_or_default()).await?;
            NewWebhookSecretView { secret: None, about: known.into() }
        }
    };
    Ok(HttpResponse::Created().json(reply))
}

/// Makes a new secret in place of the present one, which works for 24 hours more. Its text is in this reply and nowhere
/// else.
#[utoipa::path(post, path = "/api/v1/company/webhook-secrets/rotate", tag = "Webhooks received",
    request_body = Option<RotateWebhookSecret>,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a retry harmless for 24 hours")),
    responses((status = 201, description = "The new secret", body = NewWebhookSecretView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("bearer" = ["webhooks:manage"]), ("api_key" = []), ("query_token" = [])))]
pub async fn rotate_webhook_secret(
    incoming: Incoming,
    caller: Caller<ManageWebhooks>,
    companies: Data<Companies>,
    secrets: Data<WebhookSecrets>,
) -> Answer {
    let bytes = incoming.bytes().await?;
    let body = if bytes.is_empty() { None } else { body::parse::<Option<RotateWebhookSecret>>(&bytes)? };
    let body = body.unwrap_or_default();
    let company = company_of(&caller, body.company.as_deref(), &companies).await?;
    let (known, secret) = secrets.rotate(caller.asker(), company).await?;
    let view = NewWebhookSecretView { secret: Some(secret.expose().to_owned()), about: known.into() };
    Ok(HttpResponse::Created().json(view))
}

/// Ends a secret at once: for one that has become known.
#[utoipa::path(delete, path = "/api/v1/company/webhook-secrets/{id}", tag = "Webhooks received",
    params(("id" = String, Path, description = "The secret's id"),
        ("company" = Option<String>, Query, description = "Slug or id; your own when left out")),
    responses((status = 204, description = "It is good for nothing from now on"),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound)),
    security(("bearer" = ["webhooks:manage"]), ("api_key" = []), ("query_token" = [])))]
pub async fn revoke_webhook_secret(
    request: HttpRequest,
    caller: Caller<ManageWebhooks>,
    companies: Data<Companies>,
    secrets: Data<WebhookSecrets>,
) -> Answer {
    let company = company_in_query(&request, &caller, &companies, &["company"]).await?;
    let id = segment(&request, "id")?.parse().map_err(|_| Error::NotFound("Webhook secret"))?;
    secrets.revoke(caller.asker(), company, id).await?;
    Ok(HttpResponse::NoContent().finish())
}
