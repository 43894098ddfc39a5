//! The cookies of a browser that has signed in, and which requests they may speak for.
//!
//! `oc_session` holds the refresh token, `oc_access` the short-lived one; scripts can read neither. A browser sends them
//! by itself, so on a request that changes something, and on the upgrade to a socket, they count only when the browser
//! also says that the request comes from a page of ours.

use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::header::{HOST, HeaderMap, HeaderValue, ORIGIN, SET_COOKIE};
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use jiff::Timestamp;

use crate::accounts::sessions::Pair;
use crate::base::Secret;
use crate::web::PublicUrl;

/// The cookie of the refresh token.
pub const SESSION: &str = "oc_session";
/// The cookie of the access token.
pub const ACCESS: &str = "oc_access";

/// An access token made while this request was on its way in, in place of the one its cookie holds.
#[derive(Clone)]
pub(super) struct Renewed(pub Secret);

/// The two cookies of a sign-in.
#[must_use]
pub fn signed_in(pair: &Pair, home: &PublicUrl, now: Timestamp) -> [Cookie<'static>; 2] {
    let cookie = |name: &'static str, value: &Secret, until: Timestamp| {
        let age = time::Duration::seconds(until.duration_since(now).as_secs().max(0));
        blank(name, value.expose().to_owned(), home).max_age(age).finish()
    };
    [cookie(SESSION, &pair.refresh, pair.refresh_until), cookie(ACCESS, &pair.access, pair.access_until)]
}

/// Sends cookies with a reply that is finished already.
pub fn give(reply: &mut HttpResponse, cookies: &[Cookie<'static>]) {
    for cookie in cookies {
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            reply.headers_mut().append(SET_COOKIE, value);
        }
    }
}

/// What takes both away.
#[must_use]
pub fn signed_out(home: &PublicUrl) -> [Cookie<'static>; 2] {
    [SESSION, ACCESS].map(|name| blank(name, String::new(), home).max_age(time::Duration::ZERO).finish())
}

fn blank(name: &'static str, value: String, home: &PublicUrl) -> actix_web::cookie::CookieBuilder<'static> {
    let is_https = home.0.starts_with("https://");
    Cookie::build(name, value).path("/").http_only(true).same_site(SameSite::Lax).secure(is_https)
}

/// The refresh token of a request's cookie.
#[must_use]
pub fn refresh_token(request: &HttpRequest) -> Option<Secret> {
    text(request, SESSION)
}

/// The access token of a request's cookies, be it good or not.
#[must_use]
pub fn access_token(request: &HttpRequest) -> Option<Secret> {
    let renewed = request.extensions().get::<Renewed>().map(|renewed| renewed.0.clone());
    renewed.or_else(|| text(request, ACCESS))
}

fn text(request: &HttpRequest, name: &str) -> Option<Secret> {
    let cookie = request.cookie(name)?;
    (!cookie.value().is_empty()).then(|| Secret::new(cookie.value()))
}

/// Whether the browser says that a page of ours sends this request. Programs say nothing of the kind, and bring no
/// cookies.
#[must_use]
pub fn is_from_own_page(request: &HttpRequest) -> bool {
    let headers = request.headers();
    match headers.get(ORIGIN) {
        Some(origin) => {
            let home = request.app_data::<Data<PublicUrl>>().map(|home| home.0.as_str());
            origin.to_str().is_ok_and(|origin| is_own_origin(headers, home, origin))
        }
        None => headers.get("Sec-Fetch-Site").is_some_and(|site| site == "same-origin"),
    }
}

/// Whether an origin is this server's, by its public address or as the request itself names the server.
fn is_own_origin(headers: &HeaderMap, home: Option<&str>, origin: &str) -> bool {
    let is_home = home
        .and_then(|home| url::Url::parse(home).ok())
        .is_some_and(|home| home.origin().ascii_serialization().eq_ignore_ascii_case(origin));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let is_host = origin.split_once("://").is_some_and(|(scheme, at)| {
        matches!(scheme, "http" | "https") && host.is_some_and(|host| host.eq_ignore_ascii_case(at))
    });
    is_home || is_host
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn is_own(headers: &[(&str, &str)]) -> bool {
        let home = Data::new(PublicUrl("https://track.example".into()));
        let request = TestRequest::default().app_data(home).insert_header(("Host", "10.0.0.7:8080"));
        let request = headers.iter().fold(request, |request, header| request.insert_header(*header));
        is_from_own_page(&request.to_http_request())
    }

    #[test]
    fn only_a_page_of_ours_may_use_the_cookies() {
        for own in [
            ("Origin", "https://track.example"),
            ("Origin", "https://TRACK.example"),
            ("Origin", "http://10.0.0.7:8080"),
            ("Sec-Fetch-Site", "same-origin"),
        ] {
            assert!(is_own(&[own]), "{own:?}");
        }
        for other in [
            ("Origin", "https://evil.example"),
            ("Origin", "http://track.example"),
            ("Origin", "https://track.example.evil"),
            ("Origin", "null"),
            ("Origin", ""),
            ("Origin", "file://10.0.0.7:8080"),
            ("Sec-Fetch-Site", "same-site"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "none"),
        ] {
            assert!(!is_own(&[other]), "{other:?}");
        }
        assert!(!is_own(&[]));
        assert!(!is_own(&[("Origin", "https://evil.example"), ("Sec-Fetch-Site", "same-origin")]));
    }

    #[test]
    fn cookies_are_hidden_from_scripts_and_kept_to_https_where_there_is_https() {
        for (home, secure) in [("https://track.example", true), ("http://127.0.0.1:8080", false)] {
            for cookie in signed_out(&PublicUrl(home.into())) {
                let text = cookie.to_string();
                assert_eq!(text.contains("Secure"), secure, "{text}");
                for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=0"] {
                    assert!(text.contains(part), "{text}");
                }
            }
        }
    }
}
