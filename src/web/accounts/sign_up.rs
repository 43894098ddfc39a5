//! Signing up and proving the address, in the shapes of reference/001.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::People;
use crate::accounts::people::register::SignUp;
use crate::base::Secret;
use crate::web::body::Incoming;
use crate::web::error::Answer;

/// Somebody who signs a company up. Further fields are passed over.
#[derive(Deserialize, ToSchema)]
pub struct Register {
    #[schema(example = "johndoe", max_length = 100)]
    company_name: String,
    #[schema(example = "john@example.com", format = Email)]
    email: String,
    /// 8 to 128 characters.
    #[schema(example = "securepassword123", min_length = 8, max_length = 128, format = Password)]
    password: String,
}

/// The reply to a sign-up.
#[derive(Serialize, ToSchema)]
#[schema(as = Registered)]
pub struct RegisteredView {
    #[schema(example = "550e8400-e29b-41d4-a716-446655440000")]
    id: Uuid,
    #[schema(example = "johndoe")]
    company_name: String,
    #[schema(example = "john@example.com")]
    email: String,
}

/// An address and the code that was mailed there.
#[derive(Deserialize, ToSchema)]
pub struct VerifyOtp {
    #[schema(example = "john@example.com", format = Email)]
    email: String,
    /// Six digits.
    #[schema(example = "123456")]
    otp: String,
}

/// An address; a text that is none is nobody's.
#[derive(Deserialize, ToSchema)]
pub struct RequestOtp {
    #[schema(example = "john@example.com")]
    pub(super) email: String,
}

/// A sentence.
#[derive(Serialize, ToSchema)]
#[schema(as = Detail)]
pub struct DetailView {
    #[schema(example = "OTP verified successfully.")]
    pub(super) detail: &'static str,
}

/// What is said whether or not a code was sent.
const SENT: &str = "OTP sent to your email.";

/// Signs a company and its first person up, and mails a code to the address.
///
/// The reply is the same for an address that is taken; its owner gets a mail that says so. The account logs in once the
/// address is verified and the company's papers are approved.
#[utoipa::path(post, path = "/api/v1/users/auth/register", tag = "Accounts", request_body = Register,
    responses((status = 201, description = "A code is on its way", body = RegisteredView), (status = 400, response = crate::web::api::BadRequest)),
    security(()))]
pub async fn register(incoming: Incoming, people: Data<People>) -> Answer {
    let request_id = incoming.request_id();
    let body: Register = incoming.json().await?;
    let new = SignUp { company_name: body.company_name, email: body.email, password: Secret::new(body.password) };
    let done = people.register(new, request_id).await?;
    let view = RegisteredView { id: done.id.0, company_name: done.company_name, email: done.email };
    Ok(HttpResponse::Created().json(view))
}

/// Proves an address by the code that was mailed there.
#[utoipa::path(post, path = "/api/v1/users/verify-otp", tag = "Accounts", request_body = VerifyOtp,
    responses((status = 200, description = "The address is verified", body = DetailView),
        (status = 400, description = "`bad_otp`: wrong, used, run out, tried too often, or nobody's", body = crate::web::error::ProblemView, content_type = "application/problem+json")),
    security(()))]
pub async fn verify_otp(incoming: Incoming, people: Data<People>) -> Answer {
    let request_id = incoming.request_id();
    let body: VerifyOtp = incoming.json().await?;
    people.verify(&body.email, &body.otp, request_id).await?;
    Ok(HttpResponse::Ok().json(DetailView { detail: "OTP verified successfully." }))
}

/// Mails a new code to an address that waits for one; an earlier code is void from then on.
///
/// At most once a minute and ten times a day. The reply is always the same.
#[utoipa::path(post, path = "/api/v1/users/request-otp", tag = "Accounts", request_body = RequestOtp,
    responses((status = 200, description = "Always the same", body = String, content_type = "application/json", example = json!(SENT)), (status = 400, response = crate::web::api::BadRequest)),
    security(()))]
pub async fn request_otp(incoming: Incoming, people: Data<People>) -> Answer {
    let body: RequestOtp = incoming.json().await?;
    people.request_code(&body.email);
    Ok(HttpResponse::Ok().json(SENT))
}
