//! Answers in gzip for whoever takes it: pages, lists, documents. What is small gains nothing and stays as it is; what is
//! live must leave at once; embedded files are packed once and for all (`pages::assets`).

use actix_http::encoding::Encoder;
use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ContentEncoding, ETAG, HeaderMap, HeaderValue, VARY,
};

/// Smaller bodies fit into one packet with their head, packed or not.
const WORTH_IT: u64 = 1024;

/// Kinds of text; pictures and fonts are packed already.
const TEXTS: [&str; 6] = [
    "text/",
    "application/json",
    "application/problem+json",
    "application/yaml",
    "application/javascript",
    "application/openmetrics-text",
];

/// A response as the guard hands it on.
type Response<B> = ServiceResponse<EitherBody<B, BoxBody>>;

/// Packs an answer if that is worth it and the caller takes gzip; its head says so.
pub fn pack<B: MessageBody + 'static>(response: Response<B>) -> Response<B> {
    if response.request().path().starts_with("/live/") || !is_worth_it(&response) {
        return response;
    }
    let is_wanted = takes_gzip(response.request().headers());
    response.map_body(|head, body| {
        if is_wanted {
            return EitherBody::right(BoxBody::new(Encoder::response(ContentEncoding::Gzip, head, body)));
        }
        // The encoder says the same of what it packs, and a file has said so itself.
        if !head.headers().get_all(VARY).any(|names| names.as_bytes().eq_ignore_ascii_case(b"accept-encoding")) {
            head.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
        }
        body
    })
}

fn is_worth_it<B: MessageBody + 'static>(response: &Response<B>) -> bool {
    let headers = response.headers();
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // A strong tag names these very bytes (RFC 9110 section 8.8.1).
    let is_free = headers.get(ETAG).is_none_or(|tag| tag.as_bytes().starts_with(b"W/"));
    let is_large = matches!(response.response().body().size(), BodySize::Sized(size) if size >= WORTH_IT);
    is_large && is_free && TEXTS.iter().any(|text| kind.starts_with(text)) && !headers.contains_key(CONTENT_ENCODING)
}

/// Whether a request lets us answer in gzip (RFC 9110 section 12.5.3); without the header nothing is packed.
#[must_use]
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        named && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        let takes = |accepted: &'static str| {
            takes_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accepted))]))
        };
        assert!(takes("br, gzip;q=0.5") && takes("GZIP"));
        assert!(!takes("gzip;q=0, br") && !takes("") && !takes("identity") && !takes_gzip(&HeaderMap::new()));
    }
}
