//! Passwords over HTTP: forgotten, set anew by a code, changed.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Deserialize;
use utoipa::ToSchema;

use super::sign_up::{DetailView, RequestOtp};
use crate::accounts::People;
use crate::base::Secret;
use crate::web::auth::people::AnySignIn;
use crate::web::body::Incoming;
use crate::web::error::{Answer, ProblemView};

/// A new password, with the code that was mailed.
#[derive(Deserialize, ToSchema)]
pub struct ResetPassword {
    #[schema(example = "john@example.com", format = Email)]
    email: String,
    #[schema(example = "123456")]
    otp: String,
    /// 8 to 128 characters.
    #[schema(example = "a-better-password", min_length = 8, max_length = 128, format = Password)]
    password: String,
}

/// A new password in place of the old one.
#[derive(Deserialize, ToSchema)]
pub struct ChangePassword {
    #[schema(example = "securepassword123", format = Password)]
    old_password: String,
    /// 8 to 128 characters.
    #[schema(example = "a-better-password", min_length = 8, max_length = 128, format = Password)]
    new_password: String,
}

/// Mails a code for a new password, if somebody has the address. The reply is always the same.
#[utoipa::path(post, path = "/api/v1/users/auth/password/forgot", tag = "Accounts", request_body = RequestOtp,
    responses((status = 202, description = "Always the same", body = DetailView), (status = 400, response = crate::web::api::BadRequest)),
    security(()))]
pub async fn forgot_password(incoming: Incoming, people: Data<People>) -> Answer {
    let body: RequestOtp = incoming.json().await?;
    people.forgot_password(&body.email);
    let detail = "If there is an account with this address, we have mailed a code to it.";
    Ok(HttpResponse::Accepted().json(DetailView { detail }))
}

/// Sets a new password by the code that was mailed, also that of an invitation. Ends every sign-in of the person.
#[utoipa::path(post, path = "/api/v1/users/auth/password/reset", tag = "Accounts", request_body = ResetPassword,
    responses((status = 200, description = "Log in with the new password", body = DetailView),
        (status = 400, description = "`bad_otp`, `bad_password`", body = ProblemView, content_type = "application/problem+json")),
    security(()))]
pub async fn reset_password(incoming: Incoming, people: Data<People>) -> Answer {
    let request_id = incoming.request_id();
    let body: ResetPassword = incoming.json().await?;
    people.reset_password(&body.email, &body.otp, Secret::new(body.password), request_id).await?;
    Ok(HttpResponse::Ok().json(DetailView { detail: "Password changed. Please log in." }))
}

/// Changes one's own password. Ends one's other sign-ins.
#[utoipa::path(post, path = "/api/v1/users/auth/password/change", tag = "Accounts", request_body = ChangePassword,
    responses((status = 200, description = "It is changed", body = DetailView),
        (status = 400, description = "`wrong_password`, `bad_password`", body = ProblemView, content_type = "application/problem+json"),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("onboarding" = []), ("cookie" = [])))]
pub async fn change_password(incoming: Incoming, caller: AnySignIn, people: Data<People>) -> Answer {
    let request_id = incoming.request_id();
    let body: ChangePassword = incoming.json().await?;
    let (old, new) = (Secret::new(body.old_password), Secret::new(body.new_password));
    people.change_password(&caller.login, old, new, request_id).await?;
    Ok(HttpResponse::Ok().json(DetailView { detail: "Password changed." }))
}
