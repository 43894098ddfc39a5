//! Accounts over HTTP: signing up and in, one's own profile, a company's people, and what those do who run the platform.
//!
//! The shapes of sign-up, verification, login and logout are those of reference/001. What is not here: who may do what
//! (`accounts`), the pages with the same verbs (`web::pages`).

pub mod admin;
pub mod me;
pub mod passwords;
pub mod people;
pub mod sign_in;
pub mod sign_up;

use actix_web::HttpRequest;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::orders::target::segment;
use crate::accounts::{Company, Member};
use crate::base::{Error, Result};

/// A company, as its people see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Company)]
pub struct CompanyView {
    id: Uuid,
    #[schema(example = "Juniper & Co.")]
    name: String,
    /// Its name in addresses.
    #[schema(example = "juniper-co")]
    slug: String,
    /// `pending` until its papers are approved, `active`, or `suspended`.
    #[schema(example = "active")]
    state: &'static str,
}

impl From<Company> for CompanyView {
    fn from(company: Company) -> Self {
        Self { id: company.id.0, name: company.name, slug: company.slug, state: company.state.code() }
    }
}

/// A person, as colleagues and admins see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Person)]
pub struct PersonView {
    id: Uuid,
    #[schema(example = "ayesha@juniper.example")]
    email: String,
    #[schema(example = "Ayesha")]
    name: String,
    /// `vendor`, `admin` or `super_admin`.
    #[schema(example = "vendor")]
    role: &'static str,
    /// The company the person works for; null for those who run the platform.
    company: Option<Uuid>,
    /// `unverified` until the address is proven by the mailed code, `active`, or `suspended`.
    #[schema(example = "active")]
    state: &'static str,
    created_at: Timestamp,
}

impl From<Member> for PersonView {
    fn from(member: Member) -> Self {
        let state = match (member.suspended_at, member.is_verified) {
            (Some(_), _) => "suspended",
            (None, true) => "active",
            (None, false) => "unverified",
        };
        let person = member.person;
        Self {
            id: person.id.0,
            email: person.email,
            name: person.name,
            role: person.role.code(),
            company: person.company.map(|company| company.0),
            state,
            created_at: member.created_at,
        }
    }
}

/// The identifier in the path; one that is none names nothing.
fn id<T: From<Uuid>>(request: &HttpRequest, what: &'static str) -> Result<T> {
    Uuid::parse_str(&segment(request, "id")?).map(T::from).map_err(|_| Error::NotFound(what))
}
