//! What every request passes: a request id, rate limits, security headers, and the count of what came of it.
//!
//! Limits are counted per API token once it has proved good, and per address until then, so that made-up tokens neither
//! escape the limit nor fill memory. Wrong tokens and look-ups by number and e-mail have a narrow limit of their own,
//! live connections a wide one.

use std::net::IpAddr;
use std::sync::Arc;

use actix_cors::Cors;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _};
use tracing::Instrument as _;
use uuid::Uuid;

use super::auth::{cookies, credential};
use super::client::{Proxies, counted_as};
use super::error::{PROBLEM_TYPE, PlainError, Problem, ProblemView};
use super::methods::{Bodiless, read_head_as_get};
use super::packing::pack;
use super::pages::trouble::{self, Trouble};
use super::pages::{Pages, Wish};
use super::rate::{Allowance, Buckets, WINDOW_SECONDS};
use crate::base::{self, Clock, Secret};
use crate::telemetry::{self, Metrics};

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
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Where pages do not say otherwise, a reply may load, run and be framed by nothing.
const STRICT: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// The API's readers bring their own scripts and styles, all of them ours.
const DOCS: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'";

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

    fn secure(&self, path: &str, headers: &mut HeaderMap) {
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
        if self.is_https {
            set(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
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
    guard.secure(&path, headers);
    if let Some(allowance) = allowance {
        tell(allowance, headers);
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

/// Which origins' pages may read our replies: these, or every one for `*`. Never with cookies: callers from elsewhere
/// bring a token or a pass.
pub fn cors(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([
            "authorization",
            "content-type",
            "idempotency-key",
            "last-event-id",
            "x-api-key",
            "x-request-id",
        ])
        .expose_headers([
            "link",
            "retry-after",
            "x-request-id",
            "idempotency-hit",
            "ratelimit-limit",
            "ratelimit-remaining",
            "ratelimit-reset",
            "ratelimit-policy",
        ])
        // Whoever is not listed is served, but a browser keeps the answer from the page: only browsers send Origin
        // truthfully, and our own pages send it too.
        .block_on_origin_mismatch(false)
        .max_age(600);
    if origins.iter().any(|origin| origin == "*") {
        return cors.allow_any_origin().send_wildcard();
    }
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
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

/// What costs next to nothing, or must always answer, is not counted.
fn is_free(path: &str) -> bool {
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
fn is_guess(method: &Method, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    method == Method::POST
        && (matches!(path, "/track" | "/api/v1/track/lookup")
            || GUESSES.contains(&path)
            || path.starts_with("/setup/")
            || (path.starts_with("/track/") && path.ends_with("/renew")))
}

/// Where connections are made that stay: a pass cannot be guessed, and everybody behind one address comes back at once
/// when the network does.
fn is_live(path: &str) -> bool {
    path.starts_with("/live/")
}

/// Where a credential is an API token. Customers bring passes, and readers of the documents nothing; they are counted by
/// address.
fn is_tokened(path: &str) -> bool {
    path.starts_with("/api/") && !["/api/v1/track", "/api/v1/docs"].iter().any(|open| path.starts_with(open))
}

/// What a caller is counted by: its token, or the browser's own.
fn counted_credential(request: &HttpRequest) -> Option<Secret> {
    credential(request).or_else(|| cookies::access_token(request))
}

/// Where merchants' systems send webhooks in.
fn is_webhook(path: &str) -> bool {
    path.trim_end_matches('/') == "/api/v1/webhook" || path.starts_with("/api/v1/webhook/")
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

fn tell(allowance: Allowance, headers: &mut HeaderMap) {
    headers.insert(LIMIT, allowance.limit.into());
    headers.insert(REMAINING, allowance.remaining.into());
    headers.insert(RESET, allowance.reset.into());
    if let Ok(policy) = HeaderValue::from_str(&format!("{};w={WINDOW_SECONDS}", allowance.limit)) {
        headers.insert(POLICY, policy);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::http::header::AUTHORIZATION;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::web::{get, post};
    use actix_web::{App, web};

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

    #[actix_web::test]
    async fn an_origin_that_is_not_listed_is_served_but_may_not_read() {
        for (origin, seen) in [("https://shop.example", "https://shop.example"), ("https://evil.example", "")] {
            let app = App::new().wrap(cors(&["https://shop.example".into()])).route("/", get().to(HttpResponse::Ok));
            let app = init_service(app).await;
            let response = call_service(&app, TestRequest::get().insert_header(("Origin", origin)).to_request()).await;
            assert_eq!(response.status(), 200);
            let allowed = response.headers().get("access-control-allow-origin");
            assert_eq!(allowed.map_or("", |value| value.to_str().unwrap()), seen);
        }
    }
}
