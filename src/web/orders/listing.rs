//! The list of orders: filters, search, cursor pages.

use actix_web::http::header::LINK;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use url::form_urlencoded;

use super::view::{OrderPageView, OrderView};
use crate::base::page::Cursor;
use crate::base::{Actor, Error, Result};
use crate::orders::{Filter, Status, Timeline};
use crate::web::PublicUrl;
use crate::web::auth::{Caller, Read};
use crate::web::error::Answer;
use crate::web::query::Query;

const NAMES: [&str; 6] = ["status", "q", "carrier", "updated_since", "limit", "after"];
const USUAL_PAGE: i64 = 50;
const LARGEST_PAGE: i64 = 200;

/// Lists orders, newest change first.
#[utoipa::path(get, path = "/api/v1/orders", tag = "Orders",
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
    security(("bearer" = ["orders:read"]), ("api_key" = []), ("query_token" = [])))]
pub async fn list_orders(
    request: HttpRequest,
    caller: Caller<Read>,
    timeline: Data<Timeline>,
    home: Data<PublicUrl>,
) -> Answer {
    reply(&request, &caller.actor(), &timeline, &home).await
}

/// The page of orders a request asks for, of those the caller may see.
pub(in crate::web) async fn reply(
    request: &HttpRequest,
    actor: &Actor,
    timeline: &Timeline,
    home: &PublicUrl,
) -> Answer {
    let query = Query::of(request, &NAMES)?;
    let limit = usize::try_from(query.number("limit", USUAL_PAGE, 1..=LARGEST_PAGE)?).map_err(Error::internal)?;
    let after = query.one("after")?.map(Cursor::decode).transpose()?;
    let page = timeline.list(actor, filter(&query)?, after, limit).await?;
    let next = page.next.map(|cursor| cursor.encode());
    let mut reply = HttpResponse::Ok();
    if let Some(next) = &next {
        reply.insert_header((LINK, next_link(home, request, "after", next)));
    }
    Ok(reply.json(OrderPageView { data: page.data.into_iter().map(OrderView::from).collect(), next }))
}

/// What a query asks for.
///
/// # Errors
/// `Invalid` that names the parameter.
pub(in crate::web) fn filter(query: &Query) -> Result<Filter> {
    let status = |text: &str| {
        text.parse::<Status>()
            .map_err(|unknown| Error::invalid_field("status", "unknown_status", format!("{text:?}: {unknown}")))
    };
    let search = query.one("q")?.map(str::to_owned);
    if search.as_ref().is_some_and(|words| words.chars().count() > 200) {
        return Err(Error::invalid_field("q", "too_long", "q may have at most 200 characters"));
    }
    Ok(Filter {
        statuses: query.many("status").into_iter().map(status).collect::<Result<_>>()?,
        carrier: query.one("carrier")?.map(str::to_owned),
        updated_since: query.parsed("updated_since", "must be a time with its zone, as 2026-11-24T18:00:00Z")?,
        search,
    })
}

/// The way to the next page: this request with one value put in. A credential in the query is left out.
pub(in crate::web) fn next_link(home: &PublicUrl, request: &HttpRequest, name: &str, value: &str) -> String {
    let kept = form_urlencoded::parse(request.query_string().as_bytes());
    let kept = kept.filter(|(known, _)| known != name && known != "token");
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).append_pair(name, value).finish();
    format!("<{}{}?{query}>; rel=\"next\"", home.0, request.path())
}
