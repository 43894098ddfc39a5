//! API tokens: list, make, revoke.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Administer, Caller};
use super::body::Incoming;
use super::company;
use super::error::{Answer, ProblemView};
use super::orders::target::segment;
use crate::accounts::tokens::NewToken;
use crate::accounts::{Companies, Scopes, Token, Tokens};
use crate::base::{Error, Result};

/// What a new token is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GenerateToken {
    /// Unique among tokens that are not revoked; replies call the caller by it.
    #[schema(example = "warehouse", max_length = 100)]
    name: String,
    /// What it may do.
    #[schema(example = json!(["orders:read", "orders:update_status"]))]
    scopes: Vec<String>,
    /// Slug or id of the company whose orders it reaches; all when left out.
    company: Option<String>,
    /// When it ends by itself.
    expires_at: Option<Timestamp>,
}

/// A token; its text is not kept.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenView {
    id: Uuid,
    name: String,
    /// The last four characters of its text.
    last_four: String,
    scopes: Vec<String>,
    /// The company it is bound to; null reaches all.
    company: Option<Uuid>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// To about a minute.
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

/// A token with its text.
#[derive(Serialize, ToSchema)]
#[schema(as = NewToken)]
pub struct NewTokenView {
    /// The token itself: shown this once.
    token: String,
    #[serde(flatten)]
    about: TokenView,
}

/// All tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenList)]
pub struct TokenListView {
    /// Newest first, revoked ones too.
    data: Vec<TokenView>,
}

/// Lists API tokens.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "Tokens",
    responses((status = 200, description = "Newest first", body = TokenListView),
        (status = 401, response = super::api::Unauthorized), (status = 403, response = super::api::Forbidden)),
    security(("bearer" = ["admin"]), ("api_key" = []), ("query_token" = [])))]
pub async fn list_tokens(caller: Caller<Administer>, tokens: Data<Tokens>) -> Answer {
    let all = tokens.list().await?;
    let data = all.into_iter().filter(|token| may_manage(&caller, token)).map(TokenView::from).collect();
    Ok(HttpResponse::Ok().json(TokenListView { data }))
}

/// Whoever belongs to a company manages that company's tokens only.
fn may_manage(caller: &Caller<Administer>, token: &Token) -> bool {
    let own = caller.actor().company();
    own.is_none() || own == token.company
}

/// Makes an API token. Its text is in this reply and nowhere else.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "Tokens", request_body = GenerateToken,
    responses((status = 201, description = "The token", body = NewTokenView), (status = 400, response = super::api::BadRequest),
        (status = 401, response = super::api::Unauthorized), (status = 403, response = super::api::Forbidden),
        (status = 409, description = "`name_taken`", body = ProblemView, content_type = "application/problem+json")),
    security(("bearer" = ["admin"]), ("api_key" = []), ("query_token" = [])))]
pub async fn generate_token(
    incoming: Incoming,
    caller: Caller<Administer>,
    tokens: Data<Tokens>,
    companies: Data<Companies>,
) -> Answer {
    let body: GenerateToken = incoming.json().await?;
    let company = company::chosen(&caller, body.company.as_deref(), &companies).await?;
    let new = NewToken { name: body.name, scopes: read_scopes(&body.scopes)?, company, expires_at: body.expires_at };
    let (token, text) = tokens.generate(caller.asker(), new).await?;
    Ok(HttpResponse::Created().json(NewTokenView { token: text.expose().to_owned(), about: token.into() }))
}

fn read_scopes(codes: &[String]) -> Result<Scopes> {
    codes.join(",").parse()
}

/// Revokes an API token: requests with it fail at once, its live connections end within a second.
#[utoipa::path(delete, path = "/api/v1/tokens/{name}", tag = "Tokens",
    params(("name" = String, Path, description = "The token's name", example = "warehouse")),
    responses((status = 204, description = "It is good for nothing from now on"), (status = 401, response = super::api::Unauthorized),
        (status = 403, response = super::api::Forbidden), (status = 404, response = super::api::NotFound)),
    security(("bearer" = ["admin"]), ("api_key" = []), ("query_token" = [])))]
pub async fn revoke_token(request: HttpRequest, caller: Caller<Administer>, tokens: Data<Tokens>) -> Answer {
    let name = segment(&request, "name")?;
    if caller.actor().company().is_some() {
        let all = tokens.list().await?;
        let is_own = all.iter().any(|token| token.name == name && may_manage(&caller, token));
        is_own.then_some(()).ok_or(Error::NotFound("API token"))?;
    }
    tokens.revoke(caller.asker(), &name).await?;
    Ok(HttpResponse::NoContent().finish())
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        Self {
            id: token.id.0,
            name: token.name,
            last_four: token.last_four,
            scopes: token.scopes.to_string().split(',').map(str::to_owned).collect(),
            company: token.company.map(|company| company.0),
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            revoked_at: token.revoked_at,
        }
    }
}
