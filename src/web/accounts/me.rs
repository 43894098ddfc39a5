//! One's own profile and sign-ins.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{CompanyView, id};
use crate::accounts::{Login, People, Person, Sessions};
use crate::web::auth::people::AnySignIn;
use crate::web::body::Incoming;
use crate::web::error::Answer;
use crate::web::request_id;

/// Who has signed in.
#[derive(Serialize, ToSchema)]
#[schema(as = Me)]
pub struct MeView {
    id: Uuid,
    #[schema(example = "john@example.com")]
    email: String,
    #[schema(example = "John")]
    name: String,
    /// `vendor`, `admin` or `super_admin`.
    #[schema(example = "vendor")]
    role: &'static str,
    /// Null for those who run the platform.
    company: Option<CompanyView>,
    /// `full`, or `onboarding` while the company waits for its approval.
    #[schema(example = "full")]
    access: &'static str,
}

impl MeView {
    fn new(person: Person, login: Login) -> Self {
        Self {
            id: person.id.0,
            email: person.email,
            name: person.name,
            role: person.role.code(),
            company: login.company.map(CompanyView::from),
            access: login.kind.code(),
        }
    }
}

/// What is to be changed about oneself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeMe {
    #[schema(example = "John", max_length = 100)]
    name: String,
}

/// A sign-in.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    id: Uuid,
    /// Whether it is the one that asks.
    current: bool,
    created_at: Timestamp,
    /// To about a minute.
    last_used_at: Timestamp,
    /// Unless it is refreshed before.
    expires_at: Timestamp,
    /// The browser or program, in its own words.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")]
    user_agent: Option<String>,
}

/// All sign-ins.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionList)]
pub struct SessionListView {
    /// Newest first.
    data: Vec<SessionView>,
}

/// Tells who has signed in.
#[utoipa::path(get, path = "/api/v1/users/me", tag = "Accounts",
    responses((status = 200, description = "You", body = MeView), (status = 401, response = crate::web::api::Unauthorized)),
    security(("person" = []), ("onboarding" = []), ("cookie" = [])))]
pub async fn get_me(caller: AnySignIn) -> Answer {
    Ok(HttpResponse::Ok().json(MeView::new(caller.login.person.clone(), caller.login)))
}

/// Changes the name one goes by.
#[utoipa::path(patch, path = "/api/v1/users/me", tag = "Accounts", request_body = ChangeMe,
    responses((status = 200, description = "You", body = MeView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("onboarding" = []), ("cookie" = [])))]
pub async fn change_me(incoming: Incoming, caller: AnySignIn, people: Data<People>) -> Answer {
    let body: ChangeMe = incoming.json().await?;
    let member = people.rename(caller.asker(), caller.login.person.id, &body.name).await?;
    Ok(HttpResponse::Ok().json(MeView::new(member.person, caller.login)))
}

/// Lists one's sign-ins that are good.
#[utoipa::path(get, path = "/api/v1/users/me/sessions", tag = "Accounts",
    responses((status = 200, description = "Newest first", body = SessionListView), (status = 401, response = crate::web::api::Unauthorized)),
    security(("person" = []), ("onboarding" = []), ("cookie" = [])))]
pub async fn list_sessions(caller: AnySignIn, sessions: Data<Sessions>) -> Answer {
    let own = caller.login.id;
    let view = |login: Login| SessionView {
        id: login.id.0,
        current: login.id == own,
        created_at: login.created_at,
        last_used_at: login.last_used_at,
        expires_at: login.expires_at,
        user_agent: login.user_agent,
    };
    let data = sessions.list(caller.login.person.id).await?.into_iter().map(view).collect();
    Ok(HttpResponse::Ok().json(SessionListView { data }))
}

/// Ends one of one's sign-ins, for instance that of a lost telephone.
#[utoipa::path(delete, path = "/api/v1/users/me/sessions/{id}", tag = "Accounts",
    params(("id" = Uuid, Path, description = "The sign-in")),
    responses((status = 204, description = "It has ended"), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound)),
    security(("person" = []), ("onboarding" = []), ("cookie" = [])))]
pub async fn end_session(request: HttpRequest, caller: AnySignIn, sessions: Data<Sessions>) -> Answer {
    let session = id(&request, "Session")?;
    sessions.end(caller.login.person, session, request_id(&request)).await?;
    Ok(HttpResponse::NoContent().finish())
}
