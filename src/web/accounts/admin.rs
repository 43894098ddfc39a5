//! What those do who run the platform: companies and people barred and let in, roles.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{CompanyView, PersonView, id};
use crate::accounts::people::staff::{Listed, Seeking};
use crate::accounts::{People, Role};
use crate::base::Error;
use crate::base::id::{AccountId, CompanyId};
use crate::base::page::{Cursor, Page};
use crate::web::auth::{Staff, SuperAdmin};
use crate::web::body::Incoming;
use crate::web::error::{Answer, ProblemView};
use crate::web::query::Query;

/// A company, as those see it who run the platform.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedCompany)]
pub struct ListedCompanyView {
    #[serde(flatten)]
    company: CompanyView,
    created_at: Timestamp,
}

/// Companies.
#[derive(Serialize, ToSchema)]
#[schema(as = CompanyPage)]
pub struct CompanyPageView {
    /// Newest first.
    data: Vec<ListedCompanyView>,
    /// Send it back as `after`; null at the end.
    next: Option<String>,
}

/// People.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonPage)]
pub struct PersonPageView {
    /// Newest first.
    data: Vec<PersonView>,
    /// Send it back as `after`; null at the end.
    next: Option<String>,
}

/// Somebody to run the platform.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteStaff {
    #[schema(example = "noor@ordercast.example", format = Email)]
    email: String,
    #[schema(example = "Noor", max_length = 100)]
    name: String,
    /// `admin` or `super_admin`.
    #[schema(example = "admin")]
    role: String,
}

/// What is to be changed about a person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePerson {
    /// A suspended person cannot sign in.
    suspended: Option<bool>,
    /// `vendor`, `admin` or `super_admin`; for super admins to give.
    #[schema(example = "admin")]
    role: Option<String>,
    /// The company of a person that becomes a vendor; with `role` only.
    company: Option<Uuid>,
}

impl From<Listed> for ListedCompanyView {
    fn from(listed: Listed) -> Self {
        Self { company: listed.company.into(), created_at: listed.created_at }
    }
}

const USUAL_PAGE: i64 = 50;
const LARGEST_PAGE: i64 = 200;

fn place(query: &Query) -> Result<(Option<Cursor>, usize), Error> {
    let limit = usize::try_from(query.number("limit", USUAL_PAGE, 1..=LARGEST_PAGE)?).map_err(Error::internal)?;
    Ok((query.one("after")?.map(Cursor::decode).transpose()?, limit))
}

fn split<T, V: From<T>>(page: Page<T>) -> (Vec<V>, Option<String>) {
    (page.data.into_iter().map(V::from).collect(), page.next.map(|next| next.encode()))
}

/// Lists companies.
#[utoipa::path(get, path = "/api/v1/admin/companies", tag = "Platform",
    params(("state" = Option<String>, Query, description = "`pending`, `active` or `suspended`"),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 200, description = "Companies in a page; 50 when left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before")),
    responses((status = 200, description = "Newest first", body = CompanyPageView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = [])))]
pub async fn list_companies(request: HttpRequest, _: Staff, people: Data<People>) -> Answer {
    let query = Query::of(&request, &["state", "limit", "after"])?;
    let state = query.one("state")?.map(str::parse).transpose()?;
    let (after, limit) = place(&query)?;
    let (data, next) = split(people.list_companies(state, after, limit).await?);
    Ok(HttpResponse::Ok().json(CompanyPageView { data, next }))
}

/// Bars a company: its people are signed out and cannot sign in, its systems deliver nothing.
#[utoipa::path(post, path = "/api/v1/admin/companies/{id}/suspend", tag = "Platform",
    params(("id" = Uuid, Path, description = "The company")),
    responses((status = 200, description = "The company as it stands now", body = ListedCompanyView),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound),
        (status = 409, description = "`company_pending`", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = [])))]
pub async fn suspend_company(request: HttpRequest, caller: Staff, people: Data<People>) -> Answer {
    set_barred(&request, &caller, &people, true).await
}

/// Lets a company in again.
#[utoipa::path(post, path = "/api/v1/admin/companies/{id}/restore", tag = "Platform",
    params(("id" = Uuid, Path, description = "The company")),
    responses((status = 200, description = "The company as it stands now", body = ListedCompanyView),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound),
        (status = 409, description = "`company_pending`", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = [])))]
pub async fn restore_company(request: HttpRequest, caller: Staff, people: Data<People>) -> Answer {
    set_barred(&request, &caller, &people, false).await
}

async fn set_barred(request: &HttpRequest, caller: &Staff, people: &People, is_barred: bool) -> Answer {
    let listed = people.suspend_company(caller.asker(), id(request, "Company")?, is_barred).await?;
    Ok(HttpResponse::Ok().json(ListedCompanyView::from(listed)))
}

/// Lists people.
#[utoipa::path(get, path = "/api/v1/admin/people", tag = "Platform",
    params(("q" = Option<String>, Query, description = "Name or address contains this"),
        ("role" = Option<String>, Query, description = "`vendor`, `admin` or `super_admin`"),
        ("company" = Option<Uuid>, Query, description = "Of this company"),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 200, description = "People in a page; 50 when left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before")),
    responses((status = 200, description = "Newest first", body = PersonPageView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = [])))]
pub async fn list_people(request: HttpRequest, _: Staff, people: Data<People>) -> Answer {
    let query = Query::of(&request, &["q", "role", "company", "limit", "after"])?;
    let seeking = Seeking {
        text: query.one("q")?.map(|text| text.chars().take(200).collect()),
        role: query.one("role")?.map(str::parse).transpose()?,
        company: query.parsed("company", "must be the id of a company")?,
    };
    let (after, limit) = place(&query)?;
    let (data, next) = split(people.list(seeking, after, limit).await?);
    Ok(HttpResponse::Ok().json(PersonPageView { data, next }))
}

/// Invites somebody to run the platform: a mailed code lets it choose a password. For super admins.
#[utoipa::path(post, path = "/api/v1/admin/people", tag = "Platform", request_body = InviteStaff,
    responses((status = 201, description = "The invitation is on its way", body = PersonView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 409, description = "`email_taken`", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = [])))]
pub async fn invite_staff(incoming: Incoming, caller: SuperAdmin, people: Data<People>) -> Answer {
    let body: InviteStaff = incoming.json().await?;
    let role: Role = body.role.parse()?;
    if !role.is_staff() {
        let message = "role must be admin or super_admin; vendors are invited by their company";
        return Err(Error::invalid_field("role", "not_staff", message).into());
    }
    let invited = people.invite(caller.asker(), None, role, &body.email, &body.name).await?;
    Ok(HttpResponse::Created().json(PersonView::from(invited)))
}

/// Suspends or restores a person, or gives it another role. Its sign-ins end with either.
///
/// There is always a super admin who can sign in: the last one stays.
#[utoipa::path(patch, path = "/api/v1/admin/people/{id}", tag = "Platform", request_body = ChangePerson,
    params(("id" = Uuid, Path, description = "The person")),
    responses((status = 200, description = "The person as it stands now", body = PersonView), (status = 400, response = crate::web::api::BadRequest),
        (status = 401, response = crate::web::api::Unauthorized), (status = 403, response = crate::web::api::Forbidden),
        (status = 404, response = crate::web::api::NotFound),
        (status = 409, description = "`last_super_admin`", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = []), ("cookie" = [])))]
pub async fn change_person(incoming: Incoming, caller: Staff, people: Data<People>) -> Answer {
    let account: AccountId = id(&incoming.request, "Person")?;
    let body: ChangePerson = incoming.json().await?;
    if body.role.is_none() && body.company.is_some() {
        let message = "role is required with company: it is where a vendor works";
        return Err(Error::invalid_field("role", "role_required", message).into());
    }
    let mut member = people.get(account).await?;
    if let Some(role) = &body.role {
        let company = body.company.map(CompanyId);
        member = people.set_role(caller.asker(), account, role.parse()?, company).await?;
    }
    if let Some(suspended) = body.suspended {
        member = people.suspend_person(caller.asker(), account, suspended).await?;
    }
    Ok(HttpResponse::Ok().json(PersonView::from(member)))
}
