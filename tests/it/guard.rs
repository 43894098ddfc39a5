//! What every request passes, tried on a running instance: limits, ids, headers, sizes, and the count of it all.

use std::time::Duration;

use ordercast::base::Clock;
use reqwest::Response;

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
