//! The people of the caller's own company.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{PersonView, id};
use crate::accounts::{People, Role};
use crate::web::auth::Merchant;
use crate::web::body::Incoming;
use crate::web::error::{Answer, ProblemView};

/// Somebody to work for the company.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    #[schema(example = "ayesha@juniper.example", format = Email)]
    email: String,
    #[schema(example = "Ayesha", max_length = 100)]
    name: String,
}

/// What is to be changed about a colleague.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeColleague {
    #[schema(example = "Ayesha", max_length = 100)]
    name: Option<String>,
    /// A suspended person cannot sign in.
    suspended: Option<bool>,
}

/// People.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonList)]
pub struct PersonListView {
    /// Longest there first.
    data: Vec<PersonView>,
}

/// Lists the people of one's company.
#[utoipa::path(get, path = "/api/v1/company/people", tag = "Accounts",
    responses((status = 200, description = "Longest there first", body = PersonListView),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = [])))]
pub async fn list_colleagues(caller: Merchant, people: Data<People>) -> Answer {
    let data = people.list_colleagues(caller.company).await?.into_iter().map(PersonView::from).collect();
    Ok(HttpResponse::Ok().json(PersonListView { data }))
}

/// Invites somebody into one's company: a mailed code lets it choose a password.
///
/// The reply is the same when the address is somebody else's, who gets a mail that says so. At most 50 invitations a day.
#[utoipa::path(post, path = "/api/v1/company/people", tag = "Accounts", request_body = Invite,
    responses((status = 201, description = "The invitation is on its way", body = PersonView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 409, description = "`email_taken`: by a colleague", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = [])))]
pub async fn invite_colleague(incoming: Incoming, caller: Merchant, people: Data<People>) -> Answer {
    let body: Invite = incoming.json().await?;
    let invited = people.invite(caller.asker(), Some(caller.company), Role::Vendor, &body.email, &body.name).await?;
    Ok(HttpResponse::Created().json(PersonView::from(invited)))
}

/// Mails an invitation again, at most once a minute.
#[utoipa::path(post, path = "/api/v1/company/people/{id}/invitation", tag = "Accounts",
    params(("id" = Uuid, Path, description = "The person")),
    responses((status = 202, description = "It is on its way"), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound),
        (status = 409, description = "`already_in`", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = [])))]
pub async fn invite_colleague_again(request: HttpRequest, caller: Merchant, people: Data<People>) -> Answer {
    people.invite_again(caller.asker(), caller.company, id(&request, "Person")?).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// Renames, suspends or restores a colleague.
#[utoipa::path(patch, path = "/api/v1/company/people/{id}", tag = "Accounts", request_body = ChangeColleague,
    params(("id" = Uuid, Path, description = "The person")),
    responses((status = 200, description = "The person as it stands now", body = PersonView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound),
        (status = 409, description = "`last_person`", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = [])))]
pub async fn change_colleague(incoming: Incoming, caller: Merchant, people: Data<People>) -> Answer {
    let account = id(&incoming.request, "Person")?;
    let mut member = people.get_colleague(caller.company, account).await?;
    let body: ChangeColleague = incoming.json().await?;
    if let Some(name) = &body.name {
        member = people.rename(caller.asker(), account, name).await?;
    }
    if let Some(suspended) = body.suspended {
        member = people.suspend_colleague(caller.asker(), caller.company, account, suspended).await?;
    }
    Ok(HttpResponse::Ok().json(PersonView::from(member)))
}

/// Removes a colleague: it signs in no more, its live connections end within a second.
#[utoipa::path(delete, path = "/api/v1/company/people/{id}", tag = "Accounts",
    params(("id" = Uuid, Path, description = "The person")),
    responses((status = 204, description = "The person is out"), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound),
        (status = 409, description = "`last_person`", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = [])))]
pub async fn remove_colleague(request: HttpRequest, caller: Merchant, people: Data<People>) -> Answer {
    people.remove_colleague(caller.asker(), caller.company, id(&request, "Person")?).await?;
    Ok(HttpResponse::NoContent().finish())
}
