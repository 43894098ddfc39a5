//! Which order a path means.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use percent_encoding::percent_decode_str;

use crate::base::{Error, Result};
use crate::orders::OrderRef;
use crate::web::error::Problem;

/// The order that `{id}` of a path names: a UUID, or a number within what the caller may see.
pub struct Target(pub OrderRef);

impl FromRequest for Target {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let target = segment(request, "id").and_then(|text| text.parse());
        ready(target.map(Self).map_err(Problem::from))
    }
}

/// A segment of a path. Routing leaves an encoded `%`, `/` and `+` as they are, so that is undone here.
///
/// # Errors
/// `Invalid` when it is not UTF-8.
pub fn segment(request: &HttpRequest, name: &str) -> Result<String> {
    let raw = request.match_info().get(name).unwrap_or_default();
    let text = percent_decode_str(raw).decode_utf8();
    text.map(String::from).map_err(|_| Error::invalid("bad_path", "The path is not UTF-8"))
}
