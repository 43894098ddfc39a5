//! `Idempotency-Key`: a request that is sent again gets the first one's reply. Handlers need not know.
//!
//! It stands in front of a route, not around the whole server: it proves the caller first, or a key would still open a
//! kept reply after its token was revoked. A request without the header, or without a good credential, passes by.

use std::collections::BTreeMap;

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, LINK, LOCATION, RETRY_AFTER};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError as _};
use sha2::{Digest as _, Sha256};

use super::auth::who;
use super::body;
use super::error::{Problem, status_of};
use super::guard::routed_path;
use crate::base::{Error, Result};
use crate::idempotency::{Claim, Idempotency, Key, Reply};

/// The request's header.
const KEY: &str = "Idempotency-Key";
/// Marks a reply that was kept.
const HIT: &str = "Idempotency-Hit";
/// What is kept of a reply besides status and body.
const KEPT: [HeaderName; 3] = [CONTENT_TYPE, LOCATION, LINK];

/// The middleware, for `actix_web::middleware::from_fn`.
///
/// # Errors
/// What the service behind it fails with.
pub async fn carry_out_once<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if request.method().is_safe()
        || !request.headers().contains_key(KEY)
        || has_secret_reply(routed_path(request.request()))
    {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    match claim(&mut request).await {
        Ok(None) => Ok(next.call(request).await?.map_into_boxed_body()),
        Ok(Some((key, keys, Claim::Fresh))) => {
            // A caller who goes away meanwhile is the very one who will ask again: its reply must still be kept.
            let task = actix_web::rt::spawn(carry_out(request, next, key, keys));
            task.await.map_err(|error| Problem(Error::internal(error)))?
        }
        Ok(Some((_, _, claim))) => {
            let reply = answer(&request, claim);
            Ok(request.into_response(reply))
        }
        Err(error) => {
            let reply = refuse(&request, error);
            Ok(request.into_response(reply))
        }
    }
}

/// Replies that hold a person's tokens, or a secret that is shown to one asker once, are kept nowhere, sealed or not.
fn has_secret_reply(path: &str) -> bool {
    ["/api/v1/users/auth/", "/api/v1/users/kyc/token", "/api/v1/users/kyc/secret"]
        .iter()
        .any(|start| path.starts_with(start))
}

/// What tells a request with a key from all others, for handlers that make things without a name.
#[derive(Clone, Copy)]
pub struct Asked(pub [u8; 32]);

impl Asked {
    /// That of a request with a key.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().copied()
    }

    /// What tells a part of it from its other parts.
    #[must_use]
    pub fn part(self, which: &str) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(which).finalize().into())
    }
}

type Claimed = (Key, Data<Idempotency>, Claim);

/// Claims the key of a request; `None` when nobody proven sends it.
async fn claim(request: &mut ServiceRequest) -> Result<Option<Claimed>> {
    let missing = || Error::internal("no keys are set up");
    let keys = request.app_data::<Data<Idempotency>>().cloned().ok_or_else(missing)?;
    let who = match who(request.request()).await {
        // The route itself will say what is wrong with it.
        Err(Error::Unauthenticated(_) | Error::Forbidden(_)) => return Ok(None),
        who => who?,
    };
    let key = Key { caller: who.id(), text: key_text(request)? };
    let payload = request.take_payload();
    let bytes = body::read(request.request(), payload).await?;
    let fingerprint = fingerprint(request, &bytes);
    request.set_payload(payload_of(bytes));
    request.extensions_mut().insert(Asked(fingerprint).part(&format!("{} {}", key.caller, key.text)));
    let claim = keys.claim(key.clone(), fingerprint).await?;
    Ok(Some((key, keys, claim)))
}

fn key_text(request: &ServiceRequest) -> Result<String> {
    let bad = || Error::invalid("bad_idempotency_key", "Idempotency-Key must be 1 to 255 visible ASCII characters");
    let mut values = request.headers().get_all(KEY);
    let text = values.next().and_then(|value| value.to_str().ok()).map(str::trim).ok_or_else(bad)?;
    let fits = (1..=255).contains(&text.len()) && values.next().is_none();
    fits.then(|| text.to_owned()).ok_or_else(bad)
}

/// What makes a request another one: method, path, query (but for the credential in it), media type, body.
fn fingerprint(request: &ServiceRequest, body: &[u8]) -> [u8; 32] {
    let query = url::form_urlencoded::parse(request.query_string().as_bytes()).filter(|(name, _)| name != "token");
    let query: BTreeMap<_, _> = query.collect();
    let path = routed_path(request.request()).trim_end_matches('/');
    let head = format!("{} {path} {query:?} {}\n", request.method(), body::media_type(request.request()));
    Sha256::new().chain_update(head).chain_update(body).finalize().into()
}

fn payload_of(bytes: Bytes) -> Payload {
    let (_, mut payload) = actix_http::h1::Payload::create(true);
    payload.unread_data(bytes);
    Payload::from(payload)
}

/// Calls the service and keeps its reply.
async fn carry_out<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
    key: Key,
    keys: Data<Idempotency>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let response = match next.call(request).await {
        Ok(response) => response,
        Err(error) => {
            note(keys.release(key).await);
            return Err(error);
        }
    };
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let bytes = to_bytes(body).await.map_err(|_| Problem(Error::internal("a reply's body broke off")))?;
    match str::from_utf8(&bytes).ok().filter(|_| is_final(response.status())) {
        Some(text) => note(keys.keep(key, kept(&response, text)).await),
        None => note(keys.release(key).await),
    }
    Ok(ServiceResponse::new(request, response.set_body(bytes).map_into_boxed_body()))
}

/// Whether a reply would be the same next time. What may pass (a failure of ours, a limit, a lacking scope) is not kept.
fn is_final(status: StatusCode) -> bool {
    !status.is_server_error()
        && !matches!(
            status,
            StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_MANY_REQUESTS
        )
}

fn kept(response: &HttpResponse<()>, body: &str) -> Reply {
    let value = |name: &HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
    let headers = KEPT.iter().filter_map(|name| Some((name.to_string(), value(name)?.to_owned()))).collect();
    Reply { status: response.status().as_u16(), headers, body: body.to_owned() }
}

/// The change is made and its reply goes out, whether it could be kept or not.
fn note(kept: Result<()>) {
    kept.unwrap_or_else(|error| tracing::warn!(%error, "a reply could not be kept under its idempotency key"));
}

/// The reply to a request that is not carried out.
fn answer(request: &ServiceRequest, claim: Claim) -> HttpResponse {
    let (code, message) = match claim {
        Claim::Done(reply) => return replay(reply),
        Claim::Other => {
            let message = "This Idempotency-Key was used for another request; choose a new one for each request";
            return refuse(request, Error::Unprocessable(message.into()));
        }
        Claim::UnderWay | Claim::Fresh => {
            ("idempotency_under_way", "The first request with this Idempotency-Key is under way; ask again in a moment")
        }
    };
    let mut response = refuse(request, Error::conflict(code, message));
    response.headers_mut().insert(RETRY_AFTER, actix_web::http::header::HeaderValue::from_static("1"));
    response
}

fn replay(reply: Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponseBuilder::new(status);
    for (name, value) in reply.headers {
        response.insert_header((name, value));
    }
    response.insert_header((HIT, "true")).body(reply.body)
}

/// The error in the shape the path's clients know.
fn refuse(request: &ServiceRequest, error: Error) -> HttpResponse {
    if routed_path(request.request()).starts_with("/api/v1/") {
        return Problem(error).error_response();
    }
    let (status, _) = status_of(&error);
    HttpResponse::build(status).json(serde_json::json!({ "error": error.to_string() }))
}
