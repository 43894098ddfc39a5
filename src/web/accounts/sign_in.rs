//! Signing in and out with a password, in the shapes of reference/001; beside them the refresh of tokens.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::Sessions;
use crate::accounts::sessions::Entrance;
use crate::base::{Error, Secret};
use crate::web::auth::cookies;
use crate::web::body::{self, Incoming};
use crate::web::error::{Answer, ProblemView};
use crate::web::{PublicUrl, origin, request_id};

/// An address and its password.
#[derive(Deserialize, ToSchema)]
pub struct LogIn {
    #[schema(example = "john@example.com", format = Email)]
    email: String,
    #[schema(example = "securepassword123", format = Password)]
    password: String,
}

/// The reply to a login.
#[derive(Serialize, ToSchema)]
#[schema(as = LoggedIn)]
pub struct LoggedInView {
    /// Good once, for the next pair of tokens.
    refresh: String,
    /// Shown with every request as `Authorization: Bearer`; works for minutes.
    access: String,
    id: Uuid,
    /// Null for those who run the platform.
    #[schema(example = "johndoe")]
    company_name: Option<String>,
    #[schema(example = "john@example.com")]
    email: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
pub struct RefreshToken {
    refresh: String,
}

/// The next tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenPair)]
pub struct PairView {
    /// Shown with every request as `Authorization: Bearer`.
    access: String,
    /// In place of the one that was sent, which works no more.
    refresh: String,
}

/// Opens a sign-in with an address and a password.
///
/// A wrong pair is always answered alike. With the right one, 403 says what is missing: `account_not_verified` (the code
/// that was mailed), `account_not_active` (the approval of the company's papers), `account_suspended`.
#[utoipa::path(post, path = "/api/v1/users/auth/login", tag = "Accounts", request_body = LogIn,
    responses((status = 200, description = "The tokens", body = LoggedInView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, description = "`account_not_verified`, `account_not_active` or `account_suspended`", body = ProblemView, content_type = "application/problem+json")),
    security(()))]
pub async fn log_in(incoming: Incoming, sessions: Data<Sessions>) -> Answer {
    let origin = origin(&incoming.request);
    let body: LogIn = incoming.json().await?;
    let opened = sessions.log_in(&body.email, Secret::new(body.password), Entrance::Account, origin).await?;
    let (login, pair) = (opened.login, opened.pair);
    Ok(HttpResponse::Ok().json(LoggedInView {
        refresh: pair.refresh.expose().to_owned(),
        access: pair.access.expose().to_owned(),
        id: login.person.id.0,
        company_name: login.company.map(|company| company.name),
        email: login.person.email,
    }))
}

/// Trades a refresh token for the next pair of tokens.
///
/// A refresh token works once. The one before the current is answered again for ten seconds, with the same successor;
/// any other repeat ends the sign-in, for then two parties hold the token.
#[utoipa::path(post, path = "/api/v1/users/auth/refresh", tag = "Accounts", request_body = RefreshToken,
    responses((status = 200, description = "The next pair", body = PairView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized)),
    security(()))]
pub async fn refresh_tokens(incoming: Incoming, sessions: Data<Sessions>) -> Answer {
    let request_id = incoming.request_id();
    let body: RefreshToken = incoming.json().await?;
    let pair = sessions.refresh(&body.refresh, request_id).await?.pair;
    let view = PairView { access: pair.access.expose().to_owned(), refresh: pair.refresh.expose().to_owned() };
    Ok(HttpResponse::Ok().json(view))
}

/// Ends a sign-in: none of its tokens works any more, its live connections end within a second.
///
/// A browser's own sign-in is ended without a body. The same twice is no error.
#[utoipa::path(post, path = "/api/v1/users/auth/logout", tag = "Accounts", request_body = RefreshToken,
    responses((status = 204, description = "It has ended"), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden)),
    security(()))]
pub async fn log_out(incoming: Incoming, sessions: Data<Sessions>, home: Data<PublicUrl>) -> Answer {
    let request = incoming.request.clone();
    let bytes = incoming.bytes().await?;
    let token =
        if bytes.is_empty() { own_token(&request)? } else { Secret::new(body::parse::<RefreshToken>(&bytes)?.refresh) };
    sessions.log_out(token.expose(), request_id(&request)).await?;
    let mut reply = HttpResponse::NoContent();
    if cookies::refresh_token(&request).is_some_and(|own| own == token) {
        for cookie in cookies::signed_out(&home) {
            reply.cookie(cookie);
        }
    }
    Ok(reply.finish())
}

/// The refresh token of the browser's cookie, for a page of ours.
fn own_token(request: &HttpRequest) -> Result<Secret, Error> {
    let missing = || Error::invalid_field("refresh", "required", "Send the refresh token as {\"refresh\": …}.");
    let token = cookies::refresh_token(request).ok_or_else(missing)?;
    if cookies::is_from_own_page(request) {
        return Ok(token);
    }
    Err(Error::Forbidden("This request does not come from a page of this site; send it from there.".into()))
}
