//! `GET /live/ws`: the upgrade to the native protocol.

use std::rc::Rc;

use actix_http::ws;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{self, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::outlet::{Held, Socket, Tcp};
use super::problem;
use super::transport::TakeOver;
use crate::accounts::sessions::is_access_token;
use crate::base::Secret;
use crate::live::access::{Caller, Denied};
use crate::live::conn::Kind;
use crate::live::protocol::SUBPROTOCOL;
use crate::live::worker::Arrival;
use crate::live::{Live, Worker};
use crate::web::auth::cookies;

/// What the address may carry. All of it is secret and never logged.
#[derive(Deserialize)]
pub struct Address {
    token: Option<String>,
    pass: Option<String>,
}

/// Answers the upgrade and hands the socket over to its own task.
pub async fn open_socket(
    request: HttpRequest,
    payload: web::Payload,
    address: Query<Address>,
    worker: web::Data<Rc<Worker>>,
) -> HttpResponse {
    let live = worker.live();
    if !may_come_from(request.headers(), &live.settings().allowed_origins) {
        return problem::denied(Denied::Forbidden);
    }
    let mut answer = match ws::handshake(request.head()) {
        Ok(answer) => answer,
        Err(error) => return problem::handshake(error),
    };
    let Some(take_over) = request.conn_data::<TakeOver>() else {
        return problem::denied(Denied::Unavailable);
    };
    if live.is_draining()
        || live.stats().connections() >= i64::try_from(live.settings().max_connections).unwrap_or(i64::MAX)
    {
        return problem::crowded();
    }
    let protocols = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    if protocols.flat_map(|list| list.split(',')).any(|one| one.trim() == SUBPROTOCOL) {
        answer.insert_header((header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL));
    }
    let Address { token, pass } = address.into_inner();
    let token = bearer(request.headers()).or(token_in_address(token)).map(Secret::new);
    let caller = if token.is_none() { browser(&request, live).await } else { None };
    let arrival = Arrival { caller, token, pass: pass.map(Secret::new) };
    let worker = Rc::clone(&worker);
    let send_buffer = live.settings().send_buffer;
    let body = take_over.body(payload, move |stream| {
        let tcp = Tcp::new(stream, send_buffer);
        // A drain that began in this very moment closes the socket unread.
        if let Ok(conn) = worker.open(Kind::Socket, Rc::clone(&tcp) as _, arrival) {
            actix_web::rt::spawn(Socket::new(Held { conn, worker }, tcp));
        }
    });
    match answer.message_body(body) {
        Ok(response) => HttpResponse::from(response.map_into_boxed_body()),
        Err(error) => {
            tracing::error!(%error, "the upgrade could not be answered");
            problem::denied(Denied::Unavailable)
        }
    }
}

/// The token of an `Authorization: Bearer` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// A person's token never travels in an address; only an API token may.
fn token_in_address(token: Option<String>) -> Option<String> {
    token.filter(|token| !is_access_token(token))
}

/// Who has signed in with this browser. A page of another origin cannot use that, whatever origins may open sockets; a
/// sign-in that has ended is as good as none, for a customer may watch all the same.
async fn browser(request: &HttpRequest, live: &Live) -> Option<Rc<Caller>> {
    let token = cookies::access_token(request).filter(|_| cookies::is_from_own_page(request))?;
    live.access().token(&token).await.ok().map(Rc::new)
}

/// Whether a page of this origin may open a socket. Browsers always send `Origin`, so its absence means that no page can
/// misuse a visitor's session; the server's own origin and the configured ones are allowed.
fn may_come_from(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_own = origin.split_once("://").is_some_and(|(scheme, host)| {
        matches!(scheme, "http" | "https") && own.is_some_and(|own| own.eq_ignore_ascii_case(host))
    });
    is_own || allowed.iter().any(|one| one == "*" || one.trim_end_matches('/').eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_own_and_allowed_origins_may_come_and_programs_without_one() {
        let allowed = ["https://shop.example/".to_owned()];
        let check = |origin: Option<&str>| {
            let request = TestRequest::default().insert_header(("Host", "track.example:8080"));
            let request = match origin {
                Some(origin) => request.insert_header(("Origin", origin)),
                None => request,
            };
            may_come_from(request.to_http_request().headers(), &allowed)
        };
        for good in
            [None, Some("http://track.example:8080"), Some("https://TRACK.example:8080"), Some("https://shop.example")]
        {
            assert!(check(good), "{good:?}");
        }
        for bad in [
            "http://track.example",
            "https://evil.example",
            "null",
            "file://track.example:8080",
            "https://shop.example.evil",
        ] {
            assert!(!check(Some(bad)), "{bad}");
        }
    }
}
