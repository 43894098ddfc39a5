//! Papers of companies over HTTP: handed in by the company, looked through and decided on by staff.

pub mod desk;
pub mod review;
pub mod sent;
pub mod view;

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Merchant, Onboarding};
use super::body::Incoming;
use super::error::{Answer, ProblemView};
use crate::accounts::kyc::{Application, State};
use crate::accounts::sessions::Entrance;
use crate::accounts::{Kyc, Sessions, WebhookSecrets};
use crate::base::{Error, Secret};
use desk::Desk;
use view::{StatusView, SubmissionView};

/// What is sent to sign in for handing in papers.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenOnboarding {
    #[schema(example = "john@example.com")]
    email: String,
    #[schema(example = "securepassword123", format = Password)]
    password: String,
}

/// A token that is good for handing in papers only.
#[derive(Serialize, ToSchema)]
#[schema(as = OnboardingToken)]
pub struct OnboardingTokenView {
    /// Send it as `Authorization: Bearer`.
    access: String,
}

/// Signs a person in whose company waits for approval: the token opens `/api/v1/users/kyc` and nothing else.
#[utoipa::path(post, path = "/api/v1/users/kyc/token", tag = "KYC", request_body = OpenOnboarding,
    responses((status = 200, description = "The token", body = OnboardingTokenView), (status = 400, response = super::api::BadRequest),
        (status = 401, description = "No account with this address and password", body = ProblemView, content_type = "application/problem+json"),
        (status = 403, description = "`account_not_verified`, `account_suspended`, or `account_active`: log in the usual way", body = ProblemView,
            content_type = "application/problem+json")),
    security(()))]
pub async fn open_onboarding(incoming: Incoming, sessions: Data<Sessions>) -> Answer {
    let origin = super::origin(&incoming.request);
    let body: OpenOnboarding = incoming.json().await?;
    let opened = sessions.log_in(&body.email, Secret::new(body.password), Entrance::Onboarding, origin).await?;
    Ok(HttpResponse::Ok().json(OnboardingTokenView { access: opened.pair.access.expose().to_owned() }))
}

/// The form as the document describes it; it is read as it streams in.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a form that is read by hand")]
pub struct SubmitKyc {
    /// As in the register.
    #[schema(example = "Juniper & Co. Ltd", max_length = 200)]
    legal_name: String,
    #[schema(example = "HRB 20931", max_length = 64)]
    registration_number: String,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "DE")]
    country: String,
    #[schema(example = "1 Long Road, Berlin", max_length = 500)]
    address: String,
    #[schema(example = "https://juniper.example")]
    website: Option<String>,
    #[schema(example = "+49 30 123456")]
    phone: Option<String>,
    /// PDF, PNG or JPEG, at most 5 MiB each; at most five files in all, at least one.
    #[schema(value_type = Option<Vec<String>>, format = Binary)]
    registration: (),
    /// As `registration`.
    #[schema(value_type = Option<Vec<String>>, format = Binary)]
    identity: (),
    /// As `registration`.
    #[schema(value_type = Option<Vec<String>>, format = Binary)]
    proof_of_address: (),
    /// As `registration`.
    #[schema(value_type = Option<Vec<String>>, format = Binary)]
    other: (),
}

/// Hands in business details and documents for approval.
///
/// What a document is, its content tells, not its name. A company whose papers were rejected hands in again.
#[utoipa::path(post, path = "/api/v1/users/kyc", tag = "KYC",
    request_body(content = SubmitKyc, content_type = "multipart/form-data"),
    responses((status = 201, description = "It waits for a decision", body = SubmissionView), (status = 400, response = super::api::BadRequest),
        (status = 401, response = super::api::Unauthorized), (status = 403, response = super::api::Forbidden),
        (status = 408, description = "`body_too_slow`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`kyc_under_review`, or `kyc_not_needed`", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "Too many send documents right now", body = ProblemView, content_type = "application/problem+json")),
    security(("onboarding" = []), ("person" = [])))]
pub async fn submit_kyc(incoming: Incoming, who: Onboarding, kyc: Data<Kyc>, desk: Data<Desk>) -> Answer {
    let request_id = incoming.request_id();
    let mut received = desk.receive(&kyc, who.company.id, incoming).await?;
    let uploads = std::mem::take(&mut received.sent.uploads);
    let application =
        Application::check(&received.sent.business, uploads, kyc.limits()).map_err(Error::InvalidFields)?;
    let id = kyc.submit(who.actor(), application, request_id).await?;
    Ok(HttpResponse::Created().json(SubmissionView::from(kyc.get(id).await?)))
}

/// Where the caller's company stands, and everything it has handed in.
#[utoipa::path(get, path = "/api/v1/users/kyc", tag = "KYC",
    responses((status = 200, description = "Newest first", body = StatusView), (status = 401, response = super::api::Unauthorized),
        (status = 403, response = super::api::Forbidden)),
    security(("onboarding" = []), ("person" = [])))]
pub async fn get_kyc(who: Onboarding, kyc: Data<Kyc>) -> Answer {
    let submissions = kyc.history(who.company.id).await?;
    let state = submissions.first().map_or("not_submitted", |newest| State::code(newest.state));
    let submissions = submissions.into_iter().map(SubmissionView::from).collect();
    Ok(HttpResponse::Ok().json(StatusView { state, submissions }))
}

/// A webhook secret, shown once.
#[derive(Serialize, ToSchema)]
#[schema(as = ShownSecret)]
pub struct ShownSecretView {
    /// What webhooks are signed with.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

/// Shows the webhook secret that the approval made: once, to whoever of the company asks first.
#[utoipa::path(post, path = "/api/v1/users/kyc/secret", tag = "KYC",
    responses((status = 200, description = "The secret; it is not shown again", body = ShownSecretView),
        (status = 401, response = super::api::Unauthorized), (status = 403, response = super::api::Forbidden),
        (status = 410, description = "`already_shown`: rotate it to get a new one", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = [])))]
pub async fn show_webhook_secret(who: Merchant, secrets: Data<WebhookSecrets>) -> Answer {
    let shown = secrets.reveal(who.asker(), who.company).await?;
    let gone = || Error::gone("already_shown", "The secret was shown before. Make a new one to see one again.");
    let secret = shown.ok_or_else(gone)?.expose().to_owned();
    Ok(HttpResponse::Ok().json(ShownSecretView { secret }))
}
