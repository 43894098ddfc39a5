//! The canonical orders API, as a merchant's system uses it.

use ordercast::accounts::tokens::NewToken;
use ordercast::base::{Actor, Clock};
use ordercast::orders::NewOrder;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::{Caller, send};

const ALL: &str = "orders:read,orders:write,orders:update_status,audit:read";

/// A token that reaches one company only.
async fn token_of_company(app: &TestApp, slug: &str, scopes: &str) -> String {
    let company = app.parts.companies.ensure(slug, slug).await.unwrap().id;
    let new =
        NewToken { name: slug.to_owned(), scopes: scopes.parse().unwrap(), company: Some(company), expires_at: None };
    app.parts.tokens.generate(Actor::System("tests"), new).await.unwrap().1.expose().to_owned()
}

#[tokio::test]
async fn an_order_is_created_read_changed_and_moved() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    let full = json!({"number": "MB1031", "external_id": "shop-7", "status": "paid",
        "customer": {"name": "Ayesha Rahman", "email": "ayesha@mail.com", "phone": "+880 1700", "locale": "bn"},
        "address": "Road 1234, Dhanmondi", "item_summary": "1x Widget",
        "items": [{"name": "Widget", "qty": 1, "unit_price": {"amount": 1200, "currency": "USD"}}],
        "total": {"amount": 3350, "currency": "USD"}, "courier": {"account": "main", "courier_id": "c-9"},
        "estimated_delivery": "2026-11-24", "notes": "Ring twice"});
    let made = api.post("/api/v1/orders", &full).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(made.header("location"), format!("/api/v1/orders/{id}"));
    for (field, value) in full.as_object().unwrap() {
        assert_eq!(&made.body[field], value, "{field}");
    }
    assert_eq!(made.body["seq"], 1);
    for path in ["/api/v1/orders/MB1031", &format!("/api/v1/orders/{id}/")] {
        assert_eq!(api.get(path).await.body, made.body, "{path}");
    }
    let change = json!({"carrier": "fedex", "tracking_number": "986578788856", "estimated_delivery": "2026-11-26"});
    let changed = api.send(Method::PATCH, "/api/v1/orders/MB1031", &change).await;
    assert_eq!((changed.status, &changed.body["seq"], &changed.body["delayed"]), (200, &json!(2), &json!(true)));
    assert_eq!(changed.body["original_estimated_delivery"], "2026-11-24");
    assert_eq!(changed.body["warnings"].as_array().unwrap().len(), 1, "the check digit is wrong: {changed:?}");
    let moved = api.post("/api/v1/orders/MB1031/status", &json!({"status": "SHIPPED", "expectedSeq": 2})).await;
    assert_eq!((moved.status, &moved.body["previous_status"]), (200, &json!("paid")), "{moved:?}");
    assert_eq!(moved.body["event"]["type"], "status_changed");
    assert_eq!(moved.body["live"], json!({"watchers": 0, "delivered": 0}));
    let again = api.post("/api/v1/orders/MB1031/status", &json!({"status": "shipped"})).await;
    assert_eq!((again.status, again.body.get("event"), &again.body["order"]["seq"]), (200, None, &json!(3)));
}

#[tokio::test]
async fn a_repeat_is_a_repeat_and_a_taken_number_is_refused() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    let first = api.post("/api/v1/orders", &json!({"number": "A/1", "external_id": "x"})).await;
    let repeat = api.post("/api/v1/orders", &json!({"external_id": "x"})).await;
    assert_eq!((repeat.status, &repeat.body["id"]), (200, &first.body["id"]));
    assert_eq!(api.post("/api/v1/orders", &json!({"number": "A/1"})).await.problem(), (409, "number_taken"));
    let nameless = api.post("/api/v1/orders", &json!({})).await;
    assert!(nameless.body["number"].as_str().unwrap().starts_with("ORD-"), "{nameless:?}");
    assert_eq!(api.get("/api/v1/orders/A%2F1").await.body["id"], first.body["id"], "a slash may stand in a number");
}

#[tokio::test]
async fn a_bad_request_is_told_what_is_wrong_and_where() {
    let app = TestApp::with(&["--max-body=1000"], Default::default()).await;
    let api = Caller::with(&app, ALL).await;
    let (order, _) = app.order(NewOrder::default()).await;
    let status = format!("/api/v1/orders/{}/status", order.id);
    let refused = async |body: Value| api.post(&status, &body).await;
    assert_eq!(refused(json!({})).await.problem(), (400, "bad_field"));
    assert_eq!(refused(json!(["paid"])).await.problem(), (400, "bad_field"), "a list is no object");
    assert_eq!(refused(json!({"status": "lost"})).await.problem(), (400, "bad_field"));
    assert_eq!(refused(json!({"status": "paid", "colour": 1})).await.problem(), (400, "bad_field"));
    assert_eq!(refused(json!({"status": "shipped"})).await.problem(), (400, "carrier_required"));
    assert_eq!(refused(json!({"status": "cancelled"})).await.problem(), (400, "cancellation_reason_required"));
    assert_eq!(refused(json!({"status": "incomplete"})).await.problem(), (400, "transition_refused"));
    assert_eq!(refused(json!({"status": "paid", "expected_seq": 7})).await.problem(), (409, "seq_mismatch"));
    let typed = |kind: &'static str, body: &[u8]| {
        send(api.request(Method::POST, &status).header("content-type", kind).body(body.to_vec()))
    };
    assert_eq!(typed("application/json", b"{").await.problem(), (400, "bad_json"));
    assert_eq!(typed("application/json", b"{\"status\": \"\xff\"}").await.problem(), (400, "not_utf8"));
    assert_eq!(typed("application/json", "[".repeat(900).as_bytes()).await.problem().0, 400);
    assert_eq!(typed("text/plain", b"{}").await.problem(), (415, "unsupported_media_type"));
    assert_eq!(typed("application/json", &[b' '; 1001]).await.problem(), (413, "body_too_large"));
    let unchanged = api.get(&format!("/api/v1/orders/{}", order.id)).await;
    assert_eq!(unchanged.body["seq"], 1);
}

#[tokio::test]
async fn what_a_caller_may_not_see_looks_like_what_is_not_there() {
    let app = TestApp::start().await;
    let (order, _) = app.order(NewOrder { number: Some("S-1".into()), ..NewOrder::default() }).await;
    let token = token_of_company(&app, "other", ALL).await;
    let other = Caller::bearing(&app, Some(&token));
    let own = other.post("/api/v1/orders", &json!({"number": "S-1"})).await;
    assert_eq!(own.status, 201, "a number is unique within its company only");
    assert_eq!(other.get("/api/v1/orders/S-1").await.body["id"], own.body["id"]);
    let foreign = format!("/api/v1/orders/{}", order.id);
    let unknown = format!("/api/v1/orders/{}", uuid::Uuid::now_v7());
    let nothing = json!({});
    for tail in ["", "/events", "/audit", "/tracking-pass"] {
        let ask = |path: String| other.request(Method::GET, &path).header("X-Request-Id", "same");
        let hidden = send(ask(format!("{foreign}{tail}"))).await;
        let missing = send(ask(format!("{unknown}{tail}"))).await;
        assert_eq!((hidden.problem(), &hidden.body), ((404, "not_found"), &missing.body), "{tail}");
    }
    for (method, tail, body) in [
        (Method::PATCH, "", &nothing),
        (Method::POST, "/status", &json!({"status": "paid"})),
        (Method::POST, "/tracking-pass", &nothing),
    ] {
        let ask = |path: String| other.request(method.clone(), &path).header("X-Request-Id", "same").json(body);
        let hidden = send(ask(format!("{foreign}{tail}"))).await;
        let missing = send(ask(format!("{unknown}{tail}"))).await;
        assert_eq!((hidden.problem(), &hidden.body), ((404, "not_found"), &missing.body), "{tail}");
    }
    for shop in ["shop", "nobody"] {
        let refused = other.post("/api/v1/orders", &json!({"company": shop})).await;
        assert_eq!(refused.problem(), (403, "forbidden"), "{shop}");
    }
    let all = Caller::with(&app, ALL).await;
    assert_eq!(all.get("/api/v1/orders/S-1").await.problem(), (409, "ambiguous_number"));
    assert_eq!(all.post("/api/v1/orders", &json!({"company": "nobody"})).await.problem(), (400, "unknown_company"));
    let placed = all.post("/api/v1/orders", &json!({"company": "other"})).await;
    assert_eq!(placed.body["company"], own.body["company"]);
}

#[tokio::test]
async fn no_endpoint_serves_a_caller_without_its_scope() {
    let app = TestApp::with(&["--rate-guess=0", "--rate-public=0"], Clock::System).await;
    app.order(NewOrder { number: Some("S-1".into()), ..NewOrder::default() }).await;
    let nobody = Caller::bearing(&app, None);
    let powerless = Caller::with(&app, "couriers:check").await;
    let document = nobody.get("/api/v1/docs/openapi.json").await.body;
    let mut tried = 0;
    for (method, path, _) in ordercast::web::api::TABLE {
        let schemes = document["paths"][path][method]["security"].as_array().expect("who may");
        let has = |name: &str| schemes.iter().any(|scheme| scheme.get(name).is_some());
        // A customer's pass opens what nothing else does, and some endpoints are for everybody.
        if has("pass") || schemes.iter().any(|scheme| scheme.as_object().is_some_and(serde_json::Map::is_empty)) {
            continue;
        }
        let path = path.replace("{id}", "S-1").replace("{pass_id}", "x").replace("{name}", "x");
        let (method, body): (Method, _) = (method.to_uppercase().parse().unwrap(), json!({"nonsense": true}));
        assert_eq!(nobody.send(method.clone(), &path, &body).await.problem(), (401, "unauthenticated"), "{path}");
        // What only people may do knows no tokens at all.
        let refusal = if has("bearer") { (403, "forbidden") } else { (401, "unauthenticated") };
        assert_eq!(powerless.send(method, &path, &body).await.problem(), refusal, "{path}");
        tried += 1;
    }
    assert!(tried > 30, "{tried}");
}

#[tokio::test]
async fn a_list_is_filtered_searched_and_read_page_by_page() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    for at in 0..7 {
        let status = if at % 2 == 0 { "paid" } else { "packed" };
        let customer = json!({"name": format!("Person {at}"), "email": format!("p{at}@mail.com")});
        let order = json!({"number": format!("L-{at}"), "status": status, "customer": customer, "carrier": "UPS"});
        assert_eq!(api.post("/api/v1/orders", &order).await.status, 201);
    }
    let mut path = "/api/v1/orders?limit=3&status=paid,packed".to_owned();
    let mut numbers = Vec::new();
    loop {
        let page = api.get(&path).await;
        assert_eq!(page.status, 200, "{page:?}");
        numbers.extend(page.body["data"].as_array().unwrap().iter().map(|order| order["number"].clone()));
        let Some(link) = page.headers.get("link") else {
            assert_eq!(page.body["next"], Value::Null);
            break;
        };
        let link = link.to_str().unwrap().strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
        assert!(link.contains(page.body["next"].as_str().unwrap()));
        path = link.strip_prefix(&app.url).unwrap().to_owned();
    }
    let newest_first: Vec<Value> = (0..7).rev().map(|at| json!(format!("L-{at}"))).collect();
    assert_eq!(numbers, newest_first);
    let count = async |query: &str| {
        let page = api.get(&format!("/api/v1/orders?{query}")).await;
        page.body["data"].as_array().unwrap_or_else(|| panic!("{query}: {page:?}")).len()
    };
    assert_eq!(count("status=paid").await, 4);
    assert_eq!(count("status=paid&status=PACKED").await, 7);
    assert_eq!(count("q=P3%40MAIL").await, 1);
    assert_eq!(count("q=%25").await, 0, "a wildcard is a letter like any other");
    assert_eq!(count("carrier=ups").await, 7);
    assert_eq!(count("updated_since=2999-01-01T00:00:00Z").await, 0);
    for (query, code) in [
        ("status=lost", "unknown_status"),
        ("limit=0", "out_of_range"),
        ("limit=201", "out_of_range"),
        ("after=x", "bad_cursor"),
        ("updated_since=yesterday", "bad_parameter"),
        ("statsu=paid", "unknown_parameter"),
    ] {
        assert_eq!(api.get(&format!("/api/v1/orders?{query}")).await.problem(), (400, code), "{query}");
    }
}

#[tokio::test]
async fn the_history_has_every_event_once_and_the_audit_trail_says_who() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    api.post("/api/v1/orders", &json!({"number": "H-1"})).await;
    for status in ["paid", "confirmed", "packed"] {
        assert_eq!(api.post("/api/v1/orders/H-1/status", &json!({"status": status})).await.status, 200);
    }
    let page = api.get("/api/v1/orders/H-1/events?since=1&limit=2").await;
    let seqs = |page: &Value| page["data"].as_array().unwrap().iter().map(|e| e["seq"].clone()).collect::<Vec<_>>();
    assert_eq!((seqs(&page.body), &page.body["next"]), (vec![json!(2), json!(3)], &json!(3)));
    assert!(page.header("link").contains("since=3"), "{page:?}");
    let rest = api.get("/api/v1/orders/H-1/events?since=3").await;
    assert_eq!((seqs(&rest.body), &rest.body["next"]), (vec![json!(4)], &Value::Null));
    let request = api.request(Method::POST, "/api/v1/orders/H-1/status").header("X-Request-Id", "erp-17");
    send(request.json(&json!({"status": "cancelled", "cancellation_reason": "Sold out"}))).await;
    let trail = api.get("/api/v1/orders/H-1/audit").await;
    let last = trail.body["data"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["action"], &last["actor_kind"]), (&json!("order.status_changed"), &json!("token")));
    assert_eq!((&last["detail"]["from"], &last["detail"]["to"]), (&json!("packed"), &json!("cancelled")));
    assert_eq!(last["request_id"], "erp-17");
}

#[tokio::test]
async fn text_that_can_be_no_order_is_told_apart_from_an_order_that_is_not_there() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    for text in ["%20x", "a%00b", &"9".repeat(65), "%0A"] {
        let refused = api.get(&format!("/api/v1/orders/{text}")).await;
        assert_eq!(refused.problem(), (400, "bad_order_id"), "{text}");
        assert_eq!(refused.body["detail"], "Invalid order ID format");
    }
    assert_eq!(api.get("/api/v1/orders/%FF").await.status / 100, 4);
    assert_eq!(api.get("/api/v1/orders/nope").await.problem(), (404, "not_found"));
    let refused = send(api.request(Method::PUT, "/api/v1/orders/nope")).await;
    assert_eq!(
        (refused.problem(), refused.header("allow")),
        ((405, "method_not_allowed"), "GET, PATCH, HEAD, OPTIONS")
    );
}
