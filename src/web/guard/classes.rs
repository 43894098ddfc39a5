//! What a path is, as far as limits go: who is counted, how strictly, and what is not counted at all. Pure.

use actix_web::http::Method;

/// What costs next to nothing, or must always answer, is not counted.
pub(super) fn is_free(path: &str) -> bool {
    ["/assets/", "/widget/"].iter().any(|start| path.starts_with(start))
        || matches!(path, "/healthz" | "/readyz" | "/metrics")
}

/// Where someone could try out passwords and codes, or make us write letters.
const GUESSES: [&str; 14] = [
    "/api/v1/users/auth/register",
    "/api/v1/users/verify-otp",
    "/api/v1/users/request-otp",
    "/api/v1/users/auth/login",
    "/api/v1/users/auth/password/forgot",
    "/api/v1/users/auth/password/reset",
    "/api/v1/users/auth/password/change",
    "/api/v1/users/kyc/token",
    "/login",
    "/signup",
    "/signup/verify",
    "/signup/resend",
    "/forgot",
    "/reset",
];

/// Where someone could try out numbers, addresses or passwords.
pub(super) fn is_guess(method: &Method, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    method == Method::POST
        && (matches!(path, "/track" | "/api/v1/track/lookup")
            || GUESSES.contains(&path)
            || path.starts_with("/setup/")
            || (path.starts_with("/track/") && path.ends_with("/renew")))
}

/// Where connections are made that stay: a pass cannot be guessed, and everybody behind one address comes back at once
/// when the network does.
pub(super) fn is_live(path: &str) -> bool {
    path.starts_with("/live/")
}

/// Where a credential is an API token. Customers bring passes, and readers of the documents nothing; they are counted by
/// address.
pub(super) fn is_tokened(path: &str) -> bool {
    path.starts_with("/api/") && !["/api/v1/track", "/api/v1/docs"].iter().any(|open| path.starts_with(open))
}

/// Where merchants' systems send webhooks in.
pub(super) fn is_webhook(path: &str) -> bool {
    path.trim_end_matches('/') == "/api/v1/webhook" || path.starts_with("/api/v1/webhook/")
}
