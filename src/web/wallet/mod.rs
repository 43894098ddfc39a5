//! Wallets: what a vendor has earned, movements, statements, payouts; and what those do who run the platform.
//!
//! What is here: whose wallet a request means (this file), reading it ([`reading`]), payouts from both sides
//! ([`payouts`]), commissions ([`commission`]), single credits ([`credit`]), and settings of companies ([`selling`]). What is not: rules (`wallet`).

pub mod commission;
pub mod credit;
pub mod payouts;
pub mod reading;
pub mod selling;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::PublicUrl;
use super::auth::{Administer, Caller, Who, who};
use super::orders::listing::next_link;
use super::query::Query;
use crate::accounts::{Companies, Role};
use crate::base::id::CompanyId;
use crate::base::page::Cursor;
use crate::base::{Actor, Error, Result};

/// Who may look into a wallet at all.
async fn holder(request: &HttpRequest) -> Result<Actor> {
    let who = who(request).await?;
    let actor = who.actor();
    let is_vendor = matches!(&who, Who::Person(login) if login.person.role == Role::Vendor);
    if is_vendor || actor.is_admin() {
        return Ok(actor);
    }
    Err(Error::Forbidden("Wallets are for people of a company and for those who run the platform.".into()))
}

/// Whose wallet a request means: a vendor's own; for those who run the platform, the company they name.
async fn purse(request: &HttpRequest, named: Option<&str>, companies: &Companies) -> Result<(Actor, CompanyId)> {
    let actor = holder(request).await?;
    let found = match named {
        None => None,
        Some(name) => match companies.get(name).await {
            Err(Error::NotFound(_)) => Some(None),
            found => Some(Some(found?.id)),
        },
    };
    match (actor.company(), found) {
        (Some(own), None) => Ok((actor, own)),
        (Some(own), Some(Some(named))) if own == named => Ok((actor, own)),
        (Some(_), Some(_)) => Err(Error::Forbidden("This credential belongs to another company".into())),
        (None, Some(Some(named))) => Ok((actor, named)),
        (None, _) => {
            let message = "company must be the slug or id of a company";
            Err(Error::invalid_field("company", "unknown_company", message))
        }
    }
}

/// Who runs the whole platform; a credential that belongs to one company does not.
fn platform(caller: &Caller<Administer>) -> Result<Actor> {
    let actor = caller.actor();
    if actor.company().is_some() {
        return Err(Error::Forbidden("This credential belongs to another company".into()));
    }
    Ok(actor)
}

/// Where a page begins and how long it is.
fn place(query: &Query) -> Result<(Option<Cursor>, usize)> {
    let limit = usize::try_from(query.number("limit", 50, 1..=200)?).map_err(Error::internal)?;
    Ok((query.one("after")?.map(Cursor::decode).transpose()?, limit))
}

/// A page as a reply, with the way to the next.
fn paged<V: Serialize>(home: &PublicUrl, request: &HttpRequest, body: &V, next: Option<&str>) -> HttpResponse {
    let mut reply = HttpResponse::Ok();
    if let Some(next) = next {
        reply.insert_header((LINK, next_link(home, request, "after", next)));
    }
    reply.json(body)
}

/// CSV as a file to keep.
fn csv_file(name: &str, text: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")))
        .body(text)
}
