//! What a company's people do with their own orders, step by step: find them, see what comes next, do it, pack.
//!
//! What is here: the list (this file), [`steps`] (what comes next, of one order and of many), [`packing_list`]. What is
//! not: rules; which step may follow which is the company's workflow or the vendor's fixed table (`orders`).

pub mod packing_list;
mod safe_csv;
pub mod steps;

use actix_web::HttpRequest;
use actix_web::web::Data;

use super::PublicUrl;
use super::auth::Merchant;
use super::error::Answer;
use super::orders::listing;
use super::orders::view::OrderPageView;
use crate::orders::{Status, Timeline};

/// Lists your company's own orders, newest change first.
#[utoipa::path(get, path = "/api/v1/vendor/orders", tag = "Vendors",
    params(("status" = Option<Vec<Status>>, Query, explode = false, description = "One of these: separated by commas, or given again and again"),
        ("q" = Option<String>, Query, description = "Number, external id, tracking number, name, e-mail or telephone contains this"),
        ("carrier" = Option<String>, Query, description = "This carrier, any letter case"),
        ("updated_since" = Option<String>, Query, format = DateTime, description = "Changed at or after this time (RFC 3339)"),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 200, description = "Orders in a page; 50 when left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before")),
    responses((status = 200, description = "A page", body = OrderPageView,
            headers(("Link" = Option<String>, description = "`<…>; rel=\"next\"` when there is a next page"))),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("person" = []), ("cookie" = [])))]
pub async fn list_vendor_orders(
    request: HttpRequest,
    person: Merchant,
    timeline: Data<Timeline>,
    home: Data<PublicUrl>,
) -> Answer {
    listing::reply(&request, &person.actor(), &timeline, &home).await
}
