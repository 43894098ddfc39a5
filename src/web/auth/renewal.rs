//! Keeps browsers signed in: when the access cookie has run out, the session cookie gets the next pair, unasked.
//!
//! Pages come from the server, so no script could refresh for them. A request without cookies passes by untouched.

use actix_web::body::MessageBody;
use actix_web::cookie::Cookie;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HeaderValue, SET_COOKIE};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _};

use super::cookies::{self, Renewed};
use crate::accounts::Sessions;
use crate::base::{self, Clock};
use crate::web::guard::routed_path;
use crate::web::{PublicUrl, request_id};

/// Wraps the whole app, inside the guard: `App::new().wrap(from_fn(renewal::renew))`.
///
/// # Errors
/// Passes on what the services inside it could not turn into a response.
pub async fn renew<B: MessageBody + 'static>(
    sessions: Data<Sessions>,
    clock: Data<Clock>,
    home: Data<PublicUrl>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if !needs_renewal(&request, &sessions) {
        return next.call(request).await;
    }
    let Some(token) = cookies::refresh_token(request.request()) else { return next.call(request).await };
    let fresh = match sessions.refresh(token.expose(), request_id(request.request())).await {
        Ok(opened) => {
            request.extensions_mut().insert(Renewed(opened.pair.access.clone()));
            Some(cookies::signed_in(&opened.pair, &home, clock.now()))
        }
        Err(base::Error::Unauthenticated(_)) if sessions.knows_key_of(token.expose()) => {
            Some(cookies::signed_out(&home))
        }
        // Another instance may know the key, or the database is away: the request will say so, and the cookies are tried
        // again with the next one.
        Err(_) => None,
    };
    let mut response = next.call(request).await?;
    for cookie in fresh.into_iter().flatten() {
        add(&mut response, &cookie);
    }
    Ok(response)
}

/// Whether only the session cookie is good any more. Files need nobody to be signed in.
fn needs_renewal(request: &ServiceRequest, sessions: &Sessions) -> bool {
    let path = routed_path(request.request());
    let is_plain = ["/assets/", "/widget/"].iter().any(|start| path.starts_with(start))
        || matches!(path, "/healthz" | "/readyz" | "/metrics");
    if is_plain || request.headers().contains_key(AUTHORIZATION) {
        return false;
    }
    let access = cookies::access_token(request.request());
    access.is_none_or(|access| !sessions.is_current(access.expose()))
}

/// A handler that has set the cookie itself, by a sign-in or a sign-out, knows better.
fn add<B>(response: &mut ServiceResponse<B>, cookie: &Cookie<'_>) {
    let start = format!("{}=", cookie.name());
    let is_set = |value: &HeaderValue| value.as_bytes().starts_with(start.as_bytes());
    if response.headers().get_all(SET_COOKIE).any(is_set) {
        return;
    }
    if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}
