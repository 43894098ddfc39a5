//! What every request passes, tried on a running instance: limits, ids, headers, sizes, and the count of it all.

use std::time::Duration;

use ordercast::base::Clock;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::TestApp;

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("a readable header"))
}

async fn look_up(app: &TestApp) -> Response {
    let request = app.http.post(format!("{}/api/v1/track/lookup", app.url)).header("Origin", "https://shop.example");
    let body = serde_json::json!({"number": "MB1031", "email": "ayesha@mail.example"});
    request.json(&body).send().await.expect("an answer")
}

#[tokio::test]
async fn whoever_tries_out_numbers_must_wait_and_is_told_how_long() {
    let clock = Clock::manual("2026-11-21T09:12:00Z".parse().expect("a time"));
    let app = TestApp::with(&["--rate-guess", "2"], clock.clone()).await;
    assert_eq!(header(&look_up(&app).await, "ratelimit-remaining"), "1");
    assert_eq!(look_up(&app).await.status(), 202);
    let refused = look_up(&app).await;
    assert_eq!(refused.status(), 429);
    for (name, value) in [
        ("retry-after", "30"),
        ("ratelimit-limit", "2"),
        ("ratelimit-remaining", "0"),
        ("ratelimit-policy", "2;w=60"),
        ("content-type", "application/problem+json"),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(header(&refused, name), value, "{name}");
    }
    let page = app.http.post(format!("{}/track", app.url)).body("number=1&email=a@b.example").send().await;
    let page = page.expect("a page");
    assert_eq!((page.status().as_u16(), header(&page, "content-type")), (429, "text/html; charset=utf-8"));
    clock.advance(Duration::from_secs(30));
    assert_eq!(look_up(&app).await.status(), 202);
}

#[tokio::test]
async fn needless_encoding_of_an_address_changes_nothing() {
    let clock = Clock::manual("2026-11-21T09:12:00Z".parse().expect("a time"));
    let app = TestApp::with(&["--rate-guess", "3"], clock).await;
    let post = async |path: &str, body: serde_json::Value| {
        let request = app.http.post(format!("{}{path}", app.url)).json(&body);
        request.send().await.expect("an answer")
    };
    let (number, login) = (
        serde_json::json!({"number": "MB1031", "email": "a@mail.example"}),
        serde_json::json!({"email": "a@mail.example", "password": "a-good-long-one"}),
    );
    assert_eq!(post("/api/v1/track/%6Cookup", number.clone()).await.status(), 202);
    assert_eq!(post("/%61pi/v1/users/auth/lo%67in/", login.clone()).await.status(), 401);
    assert_eq!(header(&post("/api/v1/track/lookup", number.clone()).await, "ratelimit-remaining"), "0");
    for (path, body) in [("/api/v1/track/loo%6Bup", number), ("/api/v1/users/auth/log%69n", login)] {
        assert_eq!(post(path, body).await.status(), 429, "{path}");
    }
    let kept = app.http.get(format!("{}/%61pi/v1/orders", app.url)).send().await.expect("an answer");
    assert_eq!((kept.status().as_u16(), header(&kept, "cache-control")), (401, "no-store"));
}

#[tokio::test]
async fn an_address_with_a_nul_is_refused() {
    let app = TestApp::start().await;
    let token = app.token("orders:read").await;
    for path in ["/api/v1/orders/a%00b", "/api/v1/orders?carrier=a%00b", "/api/v1/orders?a%00b=1"] {
        let request = app.http.get(format!("{}{path}", app.url)).bearer_auth(&token);
        assert_eq!(request.send().await.expect("an answer").status(), 400, "{path}");
    }
}

#[tokio::test]
async fn a_request_keeps_its_id_down_to_the_audit_trail() {
    let app = TestApp::start().await;
    let token = app.token("orders:write,orders:read,audit:read").await;
    let create = app.http.post(format!("{}/api/v1/orders", app.url)).bearer_auth(&token);
    let create = create.header("X-Request-Id", "erp-42").json(&serde_json::json!({"number": "MB1031"}));
    let created = create.send().await.expect("an answer");
    assert_eq!((created.status().as_u16(), header(&created, "x-request-id")), (201, "erp-42"));
    let audit = app.http.get(format!("{}/api/v1/orders/MB1031/audit", app.url)).bearer_auth(&token);
    let audit = audit.send().await.expect("an answer").text().await.expect("a text");
    assert!(audit.contains("\"erp-42\""), "{audit}");
}

#[tokio::test]
async fn what_cannot_be_served_is_a_problem_with_words() {
    let app = TestApp::with(&["--max-body", "64"], Clock::System).await;
    let token = app.token("orders:write").await;
    let large = serde_json::json!({"number": "x".repeat(100)});
    let (status, problem) = app.post("/api/v1/orders", &token, &large).await;
    assert_eq!((status, problem["code"].as_str()), (413, Some("body_too_large")));
    let nowhere = app.http.get(format!("{}/nowhere", app.url)).send().await.expect("an answer");
    assert_eq!((nowhere.status().as_u16(), header(&nowhere, "content-type")), (404, "application/problem+json"));
    assert_eq!(header(&nowhere, "x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn metrics_tell_what_happened_and_no_names() {
    let app = TestApp::start().await;
    let (order, pass) = app.order(ordercast::orders::NewOrder::default()).await;
    let page = app.http.get(format!("{}/track/{pass}", app.url)).send().await.expect("a page");
    assert_eq!(page.status(), 200);
    let text =
        app.http.get(format!("{}/metrics", app.url)).send().await.expect("metrics").text().await.expect("a text");
    for line in [
        "ordercast_http_requests_total{route=\"/track/{pass}\",method=\"GET\",class=\"2xx\"} 1",
        "ordercast_order_updates_total{outcome=\"changed\"} 1",
        "ordercast_events_total 1",
        "ordercast_bus_up 1",
        "ordercast_jobs{state=\"dead\"} 0",
        "ordercast_live_connections{transport=\"websocket\"} 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(&pass) && !text.contains(&order.number));
}

#[tokio::test]
async fn a_problem_names_its_request_and_an_earlier_system_s_error_stays_as_it_was() {
    let app = TestApp::start().await;
    let ask = async |method: Method, path: &str| {
        let request = app.http.request(method, format!("{}{path}", app.url)).header("X-Request-Id", "erp-42");
        let answer = request.send().await.expect("an answer");
        assert_eq!(header(&answer, "x-request-id"), "erp-42", "{path}");
        answer.json::<Value>().await.expect("JSON")
    };
    for (method, path, code) in [
        (Method::GET, "/nowhere", "not_found"),
        (Method::GET, "/api/v1/orders", "unauthenticated"),
        (Method::PUT, "/api/v1/orders", "method_not_allowed"),
        (Method::GET, "/live/sse?pass=nonsense", "not_found"),
        (Method::GET, "/live/ws", "bad_handshake"),
    ] {
        let problem = ask(method, path).await;
        assert_eq!((&problem["code"], &problem["request_id"]), (&json!(code), &json!("erp-42")), "{path}");
        assert_eq!(problem["type"], format!("/problems/{code}"), "{path}");
    }
    let plain = ask(Method::POST, "/api/update-order").await;
    assert_eq!(plain.as_object().expect("an object").keys().collect::<Vec<_>>(), ["error"]);
    let token = app.token("orders:write").await;
    let keyed = async |id: &str| {
        let request = app.http.post(format!("{}/api/v1/orders", app.url)).bearer_auth(&token).body("[]");
        let request = request.header("Content-Type", "application/json").header("Idempotency-Key", "k");
        let answer = request.header("X-Request-Id", id).send().await.expect("an answer");
        (header(&answer, "idempotency-hit").to_owned(), answer.json::<Value>().await.expect("JSON"))
    };
    assert_eq!(keyed("one").await.1["request_id"], "one");
    let (hit, again) = keyed("two").await;
    assert_eq!((hit.as_str(), &again["request_id"]), ("true", &json!("two")), "a kept reply answers this request");
}

#[tokio::test]
async fn head_answers_like_get_without_a_body_and_options_names_the_methods() {
    // Pages tell how long ago things were.
    let app = TestApp::with(&[], Clock::manual("2026-11-21T09:12:00Z".parse().expect("a time"))).await;
    let token = app.token("orders:read,audit:read,admin").await;
    let (order, pass) = app.order(ordercast::orders::NewOrder::default()).await;
    let ask = async |method: Method, path: &str| {
        let request = app.http.request(method, format!("{}{path}", app.url));
        // There the pass in the address counts, and would not beside a token.
        let request = if path.starts_with("/live/") { request } else { request.bearer_auth(&token) };
        request.send().await.expect("an answer")
    };
    let id = order.id;
    for (path, methods) in [
        ("/".to_owned(), "GET, HEAD, OPTIONS"),
        ("/healthz".to_owned(), "GET, HEAD, OPTIONS"),
        ("/readyz".to_owned(), "GET, HEAD, OPTIONS"),
        ("/track".to_owned(), "GET, POST, HEAD, OPTIONS"),
        (format!("/track/{pass}"), "GET, HEAD, OPTIONS"),
        ("/widget/v1/order-tracker.js".to_owned(), "GET, HEAD, OPTIONS"),
        ("/api/v1/docs/openapi.json".to_owned(), "GET, HEAD, OPTIONS"),
        ("/api/v1/docs/redoc".to_owned(), "GET, HEAD, OPTIONS"),
        ("/api/v1/orders".to_owned(), "POST, GET, HEAD, OPTIONS"),
        (format!("/api/v1/orders/{id}"), "GET, PATCH, HEAD, OPTIONS"),
        ("/api/v1/orders/NO-SUCH".to_owned(), "GET, PATCH, HEAD, OPTIONS"),
        (format!("/live/poll?pass={pass}&wait=0"), "GET, HEAD, OPTIONS"),
        (format!("/live/sse?pass={pass}"), "GET, HEAD, OPTIONS"),
        ("/live/ws".to_owned(), "GET, HEAD, OPTIONS"),
    ] {
        let (head, get) = (ask(Method::HEAD, &path).await, ask(Method::GET, &path).await);
        for name in ["content-type", "content-length", "etag", "cache-control", "content-security-policy"] {
            assert_eq!(header(&head, name), header(&get, name), "{name} of {path}");
        }
        assert_eq!(head.status(), get.status(), "{path}");
        assert_eq!(head.bytes().await.expect("an end").len(), 0, "{path}");
        let options = ask(Method::OPTIONS, &path).await;
        assert_eq!((options.status().as_u16(), header(&options, "allow")), (204, methods), "{path}");
        let refused = ask(Method::PUT, &path).await;
        assert_eq!((refused.status().as_u16(), header(&refused, "allow")), (405, methods), "{path}");
    }
    let options = ask(Method::OPTIONS, "/api/update-order").await;
    assert_eq!((options.status().as_u16(), header(&options, "allow")), (204, "POST, OPTIONS"));
    assert_eq!(ask(Method::OPTIONS, "/nowhere").await.status(), 404);
    while app.parts.live.stats().connections() > 0 {
        tokio::task::yield_now().await;
    }
    let counted = ask(Method::GET, "/metrics").await.text().await.expect("a text");
    let line = "ordercast_http_requests_total{route=\"/healthz\",method=\"HEAD\",class=\"2xx\"} 1";
    assert!(counted.lines().any(|other| other == line), "{counted}");
}

#[tokio::test]
async fn a_head_request_never_becomes_a_socket() {
    let app = TestApp::start().await;
    let request = app.http.head(format!("{}/live/ws", app.url)).header("Connection", "Upgrade");
    let request = request.header("Upgrade", "websocket").header("Sec-WebSocket-Version", "13");
    let answer = request.header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==").send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), app.parts.live.stats().connections()), (400, 0));
}

#[tokio::test]
async fn what_is_large_and_text_is_packed_for_whoever_takes_it() {
    let app = TestApp::with(&[], Clock::manual("2026-11-21T09:12:00Z".parse().expect("a time"))).await;
    let (_, pass) = app.order(ordercast::orders::NewOrder::default()).await;
    let token = app.token("orders:read").await;
    for _ in 0..10 {
        app.order(ordercast::orders::NewOrder::default()).await;
    }
    let ask = async |method: Method, path: &str, accepted: Option<&str>| {
        let request = app.http.request(method, format!("{}{path}", app.url));
        let request = if path.starts_with("/live/") { request } else { request.bearer_auth(&token) };
        let request =
            accepted.into_iter().fold(request, |request, accepted| request.header("Accept-Encoding", accepted));
        request.send().await.expect("an answer")
    };
    for path in ["/".to_owned(), format!("/track/{pass}"), "/api/v1/orders".into(), "/api/v1/docs/openapi.json".into()]
    {
        let plain = ask(Method::GET, &path, None).await;
        assert_eq!(header(&plain, "content-encoding"), "", "{path}");
        let packed = ask(Method::GET, &path, Some("br, gzip")).await;
        assert_eq!((header(&packed, "content-encoding"), packed.status()), ("gzip", plain.status()), "{path}");
        for name in ["content-type", "content-security-policy", "cache-control"] {
            assert_eq!(header(&packed, name), header(&plain, name), "{name} of {path}");
        }
        for answer in [&plain, &packed] {
            let varies = header(answer, "vary").to_ascii_lowercase();
            assert_eq!(varies.matches("accept-encoding").count(), 1, "{path}: {varies}");
            assert!(varies.contains("origin"), "{path}: {varies}");
        }
        let head = ask(Method::HEAD, &path, Some("gzip")).await;
        assert_eq!(
            (header(&head, "content-encoding"), header(&head, "content-type")),
            ("gzip", header(&plain, "content-type"))
        );
        let (plain, packed) = (plain.bytes().await.expect("a body"), packed.bytes().await.expect("a body"));
        let mut unpacked = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut unpacked).expect("gzip");
        assert!(packed.len() < plain.len() / 2, "{path}: {} of {}", packed.len(), plain.len());
        assert_eq!(unpacked, plain, "{path}");
        let refused = ask(Method::GET, &path, Some("gzip;q=0")).await;
        assert_eq!(header(&refused, "content-encoding"), "", "{path}");
    }
    for small in ["/healthz", "/nowhere"] {
        assert_eq!(header(&ask(Method::GET, small, Some("gzip")).await, "content-encoding"), "", "{small}");
    }
    let poll = ask(Method::GET, &format!("/live/poll?pass={pass}&since=0&wait=0"), Some("gzip")).await;
    assert_eq!((poll.status().as_u16(), header(&poll, "content-encoding")), (200, ""));
    // A file's tag is the same packed or not, and known again either way.
    let widget = ask(Method::GET, "/widget/v1/order-tracker.js", Some("gzip")).await;
    let plain = ask(Method::GET, "/widget/v1/order-tracker.js", None).await;
    assert_eq!((header(&widget, "content-encoding"), header(&plain, "content-encoding")), ("gzip", ""));
    assert_eq!(header(&widget, "etag"), header(&plain, "etag"));
    assert!(header(&plain, "etag").starts_with("W/"));
    let known =
        app.http.get(format!("{}/widget/v1/order-tracker.js", app.url)).header("If-None-Match", header(&plain, "etag"));
    let known = known.header("Accept-Encoding", "gzip").send().await.expect("an answer");
    assert_eq!(known.status(), 304);
    for answer in [&widget, &plain, &known] {
        let varies = header(answer, "vary").to_ascii_lowercase();
        assert_eq!(varies.matches("accept-encoding").count(), 1, "{varies}");
    }
}
