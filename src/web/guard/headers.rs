//! The headers every reply carries: what a browser may do with it, and how many requests are left.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};

use crate::web::rate::{Allowance, WINDOW_SECONDS};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Where pages do not say otherwise, a reply may load, run and be framed by nothing.
pub(super) const STRICT: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// The API's readers bring their own scripts and styles, all of them ours.
const DOCS: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'";

/// Keeps a browser from doing with a reply what no page of ours asks for; what a handler has set stays.
pub(super) fn secure(path: &str, is_https: bool, headers: &mut HeaderMap) {
    let mut set = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(REFERRER_POLICY, "no-referrer");
    set(RESOURCE_POLICY, "same-origin");
    set(CONTENT_SECURITY_POLICY, if path.starts_with("/api/v1/docs") { DOCS } else { STRICT });
    if path.starts_with("/api/") {
        set(CACHE_CONTROL, "no-store");
    }
    if is_https {
        set(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}

/// Says how many requests are left.
pub(super) fn tell(allowance: Allowance, headers: &mut HeaderMap) {
    headers.insert(LIMIT, allowance.limit.into());
    headers.insert(REMAINING, allowance.remaining.into());
    headers.insert(RESET, allowance.reset.into());
    if let Ok(policy) = HeaderValue::from_str(&format!("{};w={WINDOW_SECONDS}", allowance.limit)) {
        headers.insert(POLICY, policy);
    }
}
