//! What every request passes: a request id, rate limits, security headers, and the count of what came of it.
//!
//! Limits are counted per API token once it has proved good, and per address until then, so that made-up tokens neither
//! escape the limit nor fill memory. Wrong tokens and look-ups by number and e-mail have a narrow limit of their own,
//! live connections a wide one. What is here: the guard itself. What a path counts as is told by [`classes`], headers are
//! [`headers`], pages of other origins [`mod@cors`].

mod classes;
mod cors;
mod headers;

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _};
use tracing::Instrument as _;
use uuid::Uuid;

use self::classes::{is_free, is_guess, is_live, is_tokened, is_webhook};
pub use self::cors::cors;

use crate::base::{self, Clock, Secret};
use crate::telemetry::{self, Metrics};
use crate::web::auth::{cookies, credential};
use crate::web::client::{Proxies, counted_as};
use crate::web::error::{PROBLEM_TYPE, PlainError, Problem, ProblemView};
use crate::web::methods::{Bodiless, read_head_as_get};
use crate::web::packing::pack;
use crate::web::pages::trouble::{self, Trouble};
use crate::web::pages::{Pages, Wish};
use crate::web::rate::{Allowance, Buckets};

/// Requests per minute; 0 stands for no limit.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For each good API token.
    pub api: u32,
    /// For each address, without a credential.
    pub public: u32,
    /// For each address: live connections and polls.
    pub live: u32,
    /// For each address: look-ups, and tokens that were wrong.
    pub guess: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { api: 6_000, public: 300, live: 6_000, guess: 10 }
    }
}

/// What the guard needs to know. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Guard {
    limits: Limits,
    proxies: Arc<Proxies>,
    is_https: bool,
    buckets: Arc<Buckets>,
    clock: Clock,
    metrics: Metrics,
}

/// Who is counted.
#[derive(Debug, Hash)]
enum Key<'a> {
    Token(&'a str),
    Public(IpAddr),
    Live(IpAddr),
    Guess(IpAddr),
}

/// The address a request came from, for handlers and the audit trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: &str = "x-forwarded-for";
impl Guard {
    /// `is_https` says whether customers reach us by https, so that browsers may be told to keep to it.
    #[must_use]
    pub fn new(limits: Limits, proxies: Proxies, is_https: bool, clock: Clock, metrics: Metrics) -> Self {
        Self { limits, proxies: Arc::new(proxies), is_https, buckets: Arc::default(), clock, metrics }
    }

    fn client(&self, request: &ServiceRequest) -> IpAddr {
        let values = request.headers().get_all(FORWARDED_FOR);
        let forwarded: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
        self.proxies.client(request.peer_addr().map(|peer| peer.ip()), &forwarded)
    }

    /// Counts a request before it is handled.
    fn admit(&self, request: &ServiceRequest, client: IpAddr, token: Option<&Secret>) -> Option<Allowance> {
        let path = routed_path(request.request());
        if is_free(path) {
            return None;
        }
        let (client, now) = (counted_as(client), self.clock.now());
        let take = |key: Key<'_>, limit| self.buckets.take(&key, limit, now);
        if is_guess(request.method(), path) {
            return take(Key::Guess(client), self.limits.guess);
        }
        if is_live(path) {
            return take(Key::Live(client), self.limits.live);
        }
        let Some(token) = token else { return take(Key::Public(client), self.limits.public) };
        if self.buckets.knows(&Key::Token(token.expose())) {
            return take(Key::Token(token.expose()), self.limits.api);
        }
        let guesses = self.buckets.peek(&Key::Guess(client), self.limits.guess, now);
        guesses.filter(|guesses| !guesses.allowed).or_else(|| take(Key::Public(client), self.limits.public))
    }

    /// Learns from the answer whether the token was good.
    fn learn(&self, client: IpAddr, token: &Secret, status: StatusCode) {
        let now = self.clock.now();
        let key = Key::Token(token.expose());
        if status == StatusCode::UNAUTHORIZED {
            self.buckets.forget(&key);
            self.buckets.take(&Key::Guess(counted_as(client)), self.limits.guess, now);
        } else if !self.buckets.knows(&key) && status.is_success() {
            self.buckets.take(&key, self.limits.api, now);
        }
    }
}

/// The path a request is routed by: needless percent-encoding undone. What is told from a path must be told from this
/// one, or `/%6Cogin` would be served as `/login` and guarded as something else.
#[must_use]
pub fn routed_path(request: &HttpRequest) -> &str {
    request.match_info().get_ref().path()
}

/// Wraps the whole app: `App::new().app_data(Data::new(guard)).wrap(from_fn(guard::watch))`.
///
/// # Errors
/// Passes on what the services inside it could not turn into a response.
pub async fn watch<B: MessageBody + 'static>(
    guard: Data<Guard>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let (started, method) = (guard.clock.now(), method_name(request.method()));
    let is_head = read_head_as_get(&mut request);
    let id = request_id(request.headers());
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let client = guard.client(&request);
    request.extensions_mut().insert(ClientAddress(client));
    let token = match routed_path(request.request()) {
        path if is_webhook(path) => Some(webhook_sender(&request, client)),
        path if is_tokened(path) => counted_credential(request.request()),
        _ => None,
    };
    let allowance = guard.admit(&request, client, token.as_ref());
    let path = routed_path(request.request()).to_owned();
    let span = telemetry::request_span(id.to_str().unwrap_or_default(), method, &path);
    let mut response = match allowance.filter(|allowance| !allowance.allowed) {
        Some(allowance) => {
            let refusal = refuse(request.request(), allowance.retry_after);
            request.into_response(refusal.map_into_right_body())
        }
        None => next.call(request).instrument(span.clone()).await?.map_into_left_body(),
    };
    let status = response.status();
    if let Some(token) = token.filter(|_| allowance.is_none_or(|allowance| allowance.allowed)) {
        guard.learn(client, &token, status);
    }
    let headers = response.headers_mut();
    let is_problem = headers.get(CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_TYPE);
    headers.insert(REQUEST_ID, id.clone());
    headers::secure(&path, guard.is_https, headers);
    if let Some(allowance) = allowance {
        headers::tell(allowance, headers);
    }
    let seconds = guard.clock.now().duration_since(started).as_secs_f64().max(0.0);
    let route = response.request().match_pattern();
    guard.metrics.request_answered(route.as_deref().unwrap_or("unmatched"), method, status.as_u16(), seconds);
    span.in_scope(|| tracing::debug!(http.status = status.as_u16(), duration_ms = seconds * 1000.0, "answered"));
    let response = pack(response.map_body(|_, body| if is_problem { name_request(body, &id) } else { body }));
    Ok(response.map_body(|_, body| if is_head { EitherBody::right(BoxBody::new(Bodiless(body.size()))) } else { body }))
}

/// The body of a problem with the request named in it, for whoever keeps bodies and no headers.
fn name_request<B: MessageBody + 'static>(body: EitherBody<B, BoxBody>, id: &HeaderValue) -> EitherBody<B, BoxBody> {
    body.try_into_bytes().map_or_else(
        |body| body,
        |bytes| {
            let named = ProblemView::named(&bytes, id.to_str().unwrap_or_default()).unwrap_or(bytes);
            EitherBody::right(BoxBody::new(named))
        },
    )
}

/// An id that came with the request if it is short and harmless, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_sane = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=128).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte))
    };
    headers.get(REQUEST_ID).filter(is_sane).cloned().unwrap_or_else(|| {
        HeaderValue::from_str(&Uuid::now_v7().to_string()).unwrap_or(HeaderValue::from_static("none"))
    })
}

/// A method as metrics and spans name it, so that made-up ones do not add series.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// What a caller is counted by: its token, or the browser's own.
fn counted_credential(request: &HttpRequest) -> Option<Secret> {
    credential(request).or_else(|| cookies::access_token(request))
}

/// Who sends webhooks counts as a token does once a signature was right: together with the address, so that nobody
/// elsewhere uses up what a merchant is allowed by using its name.
fn webhook_sender(request: &ServiceRequest, client: IpAddr) -> Secret {
    let email = request.headers().get("X-Customer-Email").map(HeaderValue::as_bytes).unwrap_or_default();
    let path = routed_path(request.request()).trim_end_matches('/');
    Secret::new(format!("webhook {client} {path} {}", String::from_utf8_lossy(email)))
}

/// 429 in the words and the shape of whoever asks.
fn refuse(request: &HttpRequest, retry_after: u64) -> HttpResponse {
    let (path, error) = (request.path(), base::Error::TooMany { retry_after });
    match request.app_data::<Data<Pages>>() {
        Some(pages) if trouble::wants_page(request) => {
            trouble::reply(pages, Trouble::RateLimited(retry_after), path, &Wish::of(request))
        }
        _ if path.starts_with("/api/update-order") => PlainError(error).error_response(),
        _ => Problem(error).error_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::http::header::{AUTHORIZATION, CONTENT_SECURITY_POLICY};
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::web::{get, post};
    use actix_web::{App, web};

    use super::headers::STRICT;
    use super::*;

    /// Answers 401 unless the token is "good".
    async fn guarded(request: HttpRequest) -> HttpResponse {
        match credential(&request) {
            Some(token) if token.expose() == "good" => HttpResponse::Ok().body(request.headers().len().to_string()),
            _ => HttpResponse::Unauthorized().finish(),
        }
    }

    fn routes(cfg: &mut web::ServiceConfig) {
        cfg.route("/api/v1/orders", get().to(guarded))
            .route("/api/update-order", post().to(guarded))
            .route("/api/v1/track/lookup", post().to(HttpResponse::Accepted))
            .route("/track/{pass}", get().to(async |client: web::ReqData<ClientAddress>| client.0.to_string()))
            .route("/live/sse", get().to(HttpResponse::Ok))
            .route("/healthz", get().to(HttpResponse::Ok))
            .route(
                "/page",
                get().to(async || {
                    HttpResponse::Ok().insert_header((CONTENT_SECURITY_POLICY, "default-src 'self'")).finish()
                }),
            );
    }

    struct Got {
        status: u16,
        headers: HeaderMap,
        body: String,
    }

    impl Got {
        fn header(&self, name: &str) -> &str {
            self.headers.get(name).map_or("", |value| value.to_str().unwrap())
        }
    }

    async fn send(guard: &Guard, request: TestRequest) -> Got {
        let app = App::new().app_data(Data::new(guard.clone())).wrap(from_fn(watch)).wrap(cors(&["*".into()]));
        let app = init_service(app.configure(routes)).await;
        let response = call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Got { status, headers, body: String::from_utf8(read_body(response).await.to_vec()).unwrap() }
    }

    fn guard(limits: Limits) -> Guard {
        let clock = Clock::manual("2026-11-21T09:12:00Z".parse().unwrap());
        let proxies = Proxies::parse(&["10.0.0.0/8".into()]).unwrap();
        Guard::new(limits, proxies, true, clock, Metrics::new())
    }

    const LIMITS: Limits = Limits { api: 4, public: 3, live: 5, guess: 2 };

    fn with_token(token: &str) -> TestRequest {
        TestRequest::get().uri("/api/v1/orders").insert_header((AUTHORIZATION, format!("Bearer {token}")))
    }

    #[actix_web::test]
    async fn every_reply_is_named_and_locked_down() {
        let guard = guard(Limits::default());
        let got = send(&guard, with_token("good").insert_header(("X-Request-Id", "erp-42"))).await;
        assert_eq!((got.status, got.header("x-request-id")), (200, "erp-42"));
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", STRICT),
            ("cross-origin-resource-policy", "same-origin"),
            ("strict-transport-security", "max-age=31536000"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(got.header(name), value, "{name}");
        }
        let long = "x".repeat(129);
        for bad in ["", "a b", "é", "<script>", long.as_str()] {
            let got = send(&guard, TestRequest::get().uri("/page").insert_header(("X-Request-Id", bad))).await;
            assert!(got.header("x-request-id").parse::<Uuid>().is_ok(), "{bad}");
            assert_eq!(got.header("content-security-policy"), "default-src 'self'");
        }
        assert_eq!(send(&guard, TestRequest::get().uri("/nowhere")).await.header("x-content-type-options"), "nosniff");
        let text = guard.metrics.encode().unwrap();
        assert!(text.contains("route=\"/api/v1/orders\",method=\"GET\",class=\"2xx\"} 1"), "{text}");
        assert!(text.contains("route=\"unmatched\",method=\"GET\",class=\"4xx\"} 1"), "{text}");
    }

    #[actix_web::test]
    async fn a_good_token_has_its_own_limit_and_is_told_of_it() {
        let guard = guard(LIMITS);
        // The first request still counts for the address; from then on the token is known.
        assert_eq!(send(&guard, with_token("good")).await.header("ratelimit-limit"), "3");
        for left in ["2", "1", "0"] {
            let got = send(&guard, with_token("good")).await;
            assert_eq!(
                (got.status, got.header("ratelimit-limit"), got.header("ratelimit-remaining")),
                (200, "4", left)
            );
            assert_eq!(got.header("ratelimit-policy"), "4;w=60");
        }
        let got = send(&guard, with_token("good")).await;
        assert_eq!((got.status, got.header("retry-after"), got.header("ratelimit-reset")), (429, "15", "60"));
        assert!(got.body.contains("\"code\":\"rate_limited\""), "{}", got.body);
        assert_eq!(got.header("access-control-allow-origin"), "");
        guard.clock.advance(Duration::from_secs(15));
        assert_eq!(send(&guard, with_token("good")).await.status, 200);
    }

    #[actix_web::test]
    async fn wrong_tokens_run_into_the_narrow_limit_and_good_ones_go_on() {
        let guard = guard(Limits { public: 100, ..LIMITS });
        assert_eq!(send(&guard, with_token("good")).await.status, 200);
        for status in [401, 401, 429, 429] {
            assert_eq!(send(&guard, with_token(&format!("wrong{status}"))).await.status, status);
        }
        assert_eq!(send(&guard, with_token("good")).await.status, 200);
        let lookup = TestRequest::post().uri("/api/v1/track/lookup");
        assert_eq!(send(&guard, lookup).await.status, 429);
        guard.clock.advance(Duration::from_secs(30));
        assert_eq!(send(&guard, with_token("wrong")).await.status, 401);
    }

    #[actix_web::test]
    async fn an_address_without_a_token_has_the_public_limit() {
        let guard = guard(LIMITS);
        let page = |client: &'static str| {
            let proxy = "10.0.0.1:99".parse().unwrap();
            TestRequest::get().uri("/track/abc").peer_addr(proxy).insert_header(("X-Forwarded-For", client))
        };
        for _ in 0..3 {
            let got = send(&guard, page("203.0.113.9")).await;
            assert_eq!((got.status, got.body.as_str()), (200, "203.0.113.9"));
        }
        assert_eq!(send(&guard, page("203.0.113.9")).await.status, 429);
        assert_eq!(send(&guard, page("198.51.100.2, 203.0.113.9")).await.status, 429);
        assert_eq!(send(&guard, page("203.0.113.10")).await.status, 200);
        for _ in 0..9 {
            let got = send(&guard, TestRequest::get().uri("/healthz")).await;
            assert_eq!((got.status, got.header("ratelimit-limit")), (200, ""));
        }
    }

    #[actix_web::test]
    async fn live_connections_are_counted_by_themselves() {
        let guard = guard(LIMITS);
        let live = || send(&guard, TestRequest::get().uri("/live/sse"));
        let page = || send(&guard, TestRequest::get().uri("/track/abc"));
        for _ in 0..3 {
            assert_eq!(page().await.status, 200);
        }
        assert_eq!(page().await.status, 429);
        for left in ["4", "3", "2", "1", "0"] {
            let got = live().await;
            assert_eq!(
                (got.status, got.header("ratelimit-limit"), got.header("ratelimit-remaining")),
                (200, "5", left)
            );
        }
        let got = live().await;
        assert_eq!((got.status, got.header("retry-after")), (429, "12"));
        assert_eq!(got.header("content-type"), "application/problem+json");
    }

    #[actix_web::test]
    async fn without_limits_nobody_is_counted() {
        let guard = guard(Limits { api: 0, public: 0, live: 0, guess: 0 });
        for token in ["good", "good", "wrong", "wrong", "wrong"] {
            let got = send(&guard, with_token(token)).await;
            assert_eq!((got.status, got.header("ratelimit-limit")), (if token == "good" { 200 } else { 401 }, ""));
        }
        let guard = self::guard(Limits { api: 0, public: 1, live: 0, guess: 0 });
        for _ in 0..9 {
            assert_eq!(send(&guard, with_token("good")).await.status, 200);
        }
    }

    #[actix_web::test]
    async fn an_earlier_system_s_clients_are_refused_in_their_shape() {
        let guard = guard(Limits { public: 1, ..LIMITS });
        let update = || TestRequest::post().uri("/api/update-order");
        assert_eq!(send(&guard, update()).await.status, 401);
        let got = send(&guard, update()).await;
        assert_eq!((got.status, got.header("retry-after")), (429, "60"));
        assert_eq!(got.body, "{\"error\":\"Too many requests. Please wait 60 seconds.\"}");
    }

    #[actix_web::test]
    async fn pages_of_other_origins_may_read_replies_but_never_with_cookies() {
        let guard = guard(Limits { public: 1, ..LIMITS });
        let from = |request: TestRequest| request.insert_header(("Origin", "https://shop.example"));
        for status in [200, 429] {
            let got = send(&guard, from(TestRequest::get().uri("/track/abc"))).await;
            assert_eq!((got.status, got.header("access-control-allow-origin")), (status, "*"));
            assert_eq!(got.header("access-control-allow-credentials"), "");
        }
        let ask = TestRequest::with_uri("/api/v1/track").method(Method::OPTIONS);
        let ask = ask.insert_header(("Access-Control-Request-Method", "GET"));
        let got = send(&guard, from(ask.insert_header(("Access-Control-Request-Headers", "authorization")))).await;
        assert_eq!((got.status, got.header("access-control-max-age")), (200, "600"));
        assert!(got.header("access-control-allow-headers").contains("authorization"));
    }
}
