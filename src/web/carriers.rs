//! What a tracking number says about its carrier.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Caller, Read};
use super::error::Answer;
use super::query::Query;
use crate::base::Error;
use crate::orders::shipping;

/// Carriers a number may belong to.
#[derive(Serialize, ToSchema)]
#[schema(as = CarrierGuesses)]
pub struct GuessesView {
    /// Likeliest first; empty when the number looks like none.
    data: Vec<GuessView>,
}

/// One carrier a number may belong to.
#[derive(Serialize, ToSchema)]
#[schema(as = CarrierGuess)]
struct GuessView {
    #[schema(example = "UPS")]
    carrier: &'static str,
    /// 1 to 99, for ranking only.
    #[schema(example = 97)]
    confidence: u8,
    /// Where the parcel could be followed.
    #[schema(example = "https://www.ups.com/track?tracknum=1Z5R89390357567127")]
    tracking_url: Option<String>,
    /// What looks mistyped.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

/// Guesses the carrier of a tracking number. Formats overlap: choose from the list, and choose again later.
#[utoipa::path(get, path = "/api/v1/carriers/guess", tag = "Carriers",
    params(("number" = String, Query, description = "The tracking number", example = "1Z5R89390357567127")),
    responses((status = 200, description = "Likeliest first", body = GuessesView), (status = 400, response = super::api::BadRequest),
        (status = 401, response = super::api::Unauthorized), (status = 403, response = super::api::Forbidden)),
    security(("bearer" = ["orders:read"]), ("api_key" = []), ("query_token" = [])))]
pub async fn guess_carriers(request: HttpRequest, _: Caller<Read>) -> Answer {
    let query = Query::of(&request, &["number"])?;
    let number = query.one("number")?.filter(|number| number.chars().count() <= 100);
    let missing =
        || Error::invalid_field("number", "required", "number must be a tracking number of 1 to 100 characters");
    let number = number.ok_or_else(missing)?;
    let view = |guess: shipping::Guess| GuessView {
        carrier: guess.carrier,
        confidence: guess.confidence,
        tracking_url: shipping::tracking_url(guess.carrier, number),
        warning: shipping::verdict(guess.carrier, number).map(|warning| warning.message()),
    };
    Ok(HttpResponse::Ok().json(GuessesView { data: shipping::guess(number).into_iter().map(view).collect() }))
}
