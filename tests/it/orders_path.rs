//! The way of one update: what is refused at the door, what is written when it is let in, and who hears of it.

use std::time::Duration;

use jiff::Timestamp;
use ordercast::accounts::tokens::NewToken;
use ordercast::audit;
use ordercast::base::{Actor, Clock};
use ordercast::orders::{Event, NewOrder, Order};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::dialects::{NUMBER, SCOPES, at_the_example, post, update};
use crate::exchange::send;
use crate::rows::{number, written};

const TESTS: Actor = Actor::System("tests");

/// The log of an order, as clients get it.
async fn log(app: &TestApp, order: &Order) -> Vec<Value> {
    let events: Vec<Event> = app.parts.timeline.events_since(order.id, 0, 1000).await.expect("the log");
    events.iter().map(|event| serde_json::from_str(&event.body).expect("JSON in the log")).collect()
}

#[tokio::test]
async fn bytes_that_are_no_request_are_refused_and_change_nothing() {
    let (app, _, token, _) = at_the_example().await;
    let before = written(&app.parts.db).await;
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes();
    let field = |name: &str, value: &str| format!(r#"{{"orderId":"{NUMBER}","status":"processing","{name}":{value}}}"#);
    let mut bodies: Vec<Vec<u8>> =
        ["", " ", "{", "}", "nonsense", "[]", "null", "5", "\"text\"", "{}x", "{} {}", "'{}'", "{,}", "[{}]", "\u{0}"]
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect();
    bodies.push(field("notes", "\"a\"").trim_end_matches('}').into());
    bodies.push(format!("\u{feff}{}", field("notes", "\"a\"")).into());
    bodies.push(format!("{}{}", field("notes", "\"a\""), field("notes", "\"a\"")).into());
    bodies.push(field("notes", "NaN").into());
    bodies.push(field("notes", r#""\ud800""#).into());
    bodies.push(field("notes", "\"a\u{0}b\"").into());
    bodies.push(field("status", "\"shipped\"").into());
    bodies.push([field("notes", "\"").as_bytes(), b"\xff\xfe\"}"].concat());
    // A field that is passed over must still be text.
    bodies.push([b"{\"orderId\":\"ORD-12345678\",\"status\":\"processing\",\"x\":\"\xc3\x28\"}".as_slice()].concat());
    bodies.push(deep(""));
    bodies.push(field("orderId2", &"[".repeat(100_000)).into());
    bodies.push(field("carrier", &String::from_utf8(deep("1")).expect("text")).into());
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
        let reply = post(&app, &token, body).await;
        assert_eq!(reply.status, 400, "{shown}: {reply:?}");
        assert!(!reply.error().is_empty());
    }
    assert_eq!(written(&app.parts.db).await, before);
}

#[tokio::test]
async fn values_of_wrong_type_length_or_content_are_refused_and_change_nothing() {
    let (app, _, token, _) = at_the_example().await;
    let before = written(&app.parts.db).await;
    let long = |most: usize| "ä".repeat(most + 1);
    let mut cases: Vec<(&str, Value, &str)> = vec![
        ("carrier", json!("A\u{0}B"), "carrier must not contain control characters"),
        ("carrier", json!(long(100)), "carrier may have at most 100 characters"),
        ("trackingNumber", json!("1\u{7f}2"), "trackingNumber must not contain control characters"),
        ("trackingNumber", json!(long(100)), "trackingNumber may have at most 100 characters"),
        ("trackingUrl", json!(format!("https://a.example/{}", "b".repeat(2000))), "trackingUrl may have at most 2000"),
        ("notes", json!("a\u{0}b"), "notes must not contain control characters"),
        ("notes", json!(long(2000)), "notes may have at most 2000 characters"),
        ("cancellationReason", json!(long(1000)), "cancellationReason may have at most 1000 characters"),
        ("cancellationReason", json!("\u{1b}[2J"), "cancellationReason must not contain control characters"),
        ("estimatedDelivery", json!("tomorrow"), "estimatedDelivery must be a day"),
        ("orderId", json!("a\u{0}b"), "Invalid order ID format"),
        ("orderId", json!(" ORD-12345678"), "Invalid order ID format"),
        ("orderId", json!(long(64)), "Invalid order ID format"),
        ("status", json!("processing\u{0}"), "Invalid status: status must be one of"),
        ("status", json!(long(1000)), "Invalid status: status must be one of"),
    ];
    for url in ["javascript:alert(1)", "data:text/html,x", "ftp://a.example/", "//a.example", "parcel 7", "https://"] {
        cases.push(("trackingUrl", json!(url), "trackingUrl must be an address that begins with https:// or http://"));
    }
    for field in ["status", "carrier", "trackingUrl", "notes", "cancellationReason", "estimatedDelivery"] {
        for value in [json!(5), json!(true), json!([]), json!({}), json!(["processing"])] {
            cases.push((field, value, "Invalid request format: invalid type"));
        }
    }
    for field in ["orderId", "trackingNumber"] {
        for value in [json!(-5), json!(1.5), json!(true), json!([NUMBER]), json!({})] {
            cases.push((field, value, "Invalid request format: data did not match"));
        }
    }
    for value in [json!("2"), json!(1.5), json!([]), json!(1e30)] {
        cases.push(("expectedSeq", value, "Invalid request format: invalid"));
    }
    for (field, value, sentence) in cases {
        let mut body = json!({"orderId": NUMBER, "status": "processing"});
        body[field] = value;
        let reply = update(&app, &token, &body).await;
        assert_eq!(reply.status, 400, "{field}: {reply:?}");
        assert!(reply.error().starts_with(sentence), "{field}: {reply:?}");
    }
    assert_eq!(written(&app.parts.db).await, before);
}

#[tokio::test]
async fn texts_at_their_limit_in_any_script_are_kept_as_they_are() {
    let (app, order, token, _) = at_the_example().await;
    let (notes, reason, carrier) = ("\u{1f4e6}\n".repeat(1000), "ß".repeat(1000), "পাঠাও".repeat(20));
    let body = json!({"orderId": NUMBER, "status": "cancelled", "notes": notes, "cancellationReason": reason,
        "carrier": carrier, "trackingNumber": "'; DROP TABLE orders; --", "unknown": {"deep": [[[[]]]]}});
    let reply = update(&app, &token, &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let kept = app.parts.timeline.get_order(&TESTS, &order.id.to_string().parse().expect("an id")).await;
    let kept = kept.expect("the order");
    assert_eq!((kept.notes.as_ref(), kept.cancellation_reason.as_ref()), (Some(&notes), Some(&reason)));
    assert_eq!(
        (kept.carrier.as_ref(), kept.tracking_number.as_deref()),
        (Some(&carrier), Some("'; DROP TABLE orders; --"))
    );
    assert_eq!(reply.json()["order"]["trackingUrl"], json!(kept.tracking_url));
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_with_and_without_its_length() {
    let app = TestApp::with(&["--max-body=5000"], Clock::System).await;
    let token = app.token(SCOPES).await;
    let (order, _) = app.order(NewOrder::default()).await;
    let before = written(&app.parts.db).await;
    let body = |length: usize| {
        let head = format!(r#"{{"orderId":"{}","status":"processing","x":""#, order.number);
        format!("{head}{}\"}}", "x".repeat(length - head.len() - 2))
    };
    let reply = post(&app, &token, body(5001).into()).await;
    assert_eq!((reply.status, reply.error().as_str()), (413, "The request body may have at most 5000 bytes"));
    let chunks =
        body(5001).into_bytes().chunks(700).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let chunked = app.http.post(format!("{}/api/update-order", app.url)).bearer_auth(&token).body(stream).send().await;
    assert_eq!(chunked.expect("an answer").status().as_u16(), 413);
    assert_eq!(written(&app.parts.db).await, before);
    let reply = post(&app, &token, body(5000).into()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn a_token_of_another_company_learns_nothing_not_even_that_the_order_exists() {
    let (app, order, token, _) = at_the_example().await;
    let other = app.parts.companies.ensure("other", "Another shop").await.expect("a company").id;
    let new = NewToken {
        name: "foreign".into(),
        scopes: format!("{SCOPES},admin").parse().expect("scopes"),
        company: Some(other),
        expires_at: None,
    };
    let foreign = app.parts.tokens.generate(TESTS, new).await.expect("a token").1.expose().to_owned();
    let before = written(&app.parts.db).await;
    let ask = |order: String| json!({"orderId": order, "status": "delivered", "expectedSeq": 1});
    let unknown = update(&app, &foreign, &ask("ORD-00000000".into())).await;
    for id in [NUMBER.to_owned(), order.id.to_string(), order.id.to_string().to_uppercase()] {
        let reply = update(&app, &foreign, &ask(id)).await;
        assert_eq!((reply.status, &reply.body), (404, &unknown.body));
    }
    assert_eq!(written(&app.parts.db).await, before);

    // The same number in both companies: each token means its own, one that sees both must say which.
    let own = NewOrder { company: other, number: Some(NUMBER.into()), ..NewOrder::default() };
    app.parts.orders.create(TESTS, own, None).await.expect("an order");
    let reply = update(&app, &foreign, &json!({"orderId": NUMBER, "status": "processing"})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(log(&app, &order).await.len(), 1, "the namesake of the first company has not moved");
    let unclear = update(&app, &token, &json!({"orderId": NUMBER, "status": "processing"})).await;
    assert_eq!(unclear.status, 400, "{unclear:?}");
    let by_id = update(&app, &token, &json!({"orderId": order.id.to_string(), "status": "processing"})).await;
    assert_eq!((by_id.status, &by_id.json()["order"]["id"]), (200, &json!(NUMBER)));
}

#[tokio::test]
async fn a_token_fails_from_the_moment_it_expires_or_is_revoked() {
    let (app, _, token, clock) = at_the_example().await;
    let end: Timestamp = "2024-01-15T11:00:00Z".parse().expect("a time");
    let scopes = SCOPES.parse().expect("scopes");
    let new = NewToken { name: "short".into(), scopes, company: None, expires_at: Some(end) };
    let short = app.parts.tokens.generate(TESTS, new).await.expect("a token").1.expose().to_owned();
    clock.advance(Duration::from_secs(30 * 60 - 1));
    let body = json!({"orderId": NUMBER, "status": "processing"});
    assert_eq!(update(&app, &short, &body).await.status, 200);
    clock.advance(Duration::from_secs(1));
    let body = json!({"orderId": NUMBER, "status": "shipped", "carrier": "UPS"});
    let before = written(&app.parts.db).await;
    let reply = update(&app, &short, &body).await;
    assert_eq!((reply.status, reply.error().as_str()), (401, "Invalid or missing authentication token"));
    app.parts.tokens.revoke(TESTS, "admin-token").await.expect("revoked");
    let reply = update(&app, &token, &body).await;
    assert_eq!((reply.status, reply.error().as_str()), (401, "Invalid or missing authentication token"));
    assert_eq!(written(&app.parts.db).await, before);
}

#[tokio::test]
async fn other_methods_and_a_flood_are_turned_away_in_words() {
    let app = TestApp::with(&["--rate-api=3", "--rate-guess=2"], Clock::manual(Timestamp::UNIX_EPOCH)).await;
    let token = app.token(SCOPES).await;
    let (order, _) = app.order(NewOrder::default()).await;
    let bearer = format!("Bearer {token}");
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let reply = send(&app, method.clone(), "/api/update-order", &[], Vec::new()).await;
        assert_eq!((reply.status, reply.header("allow")), (405, "POST, OPTIONS"), "{method}");
        assert_eq!(reply.error(), format!("{method} is not possible on this path"));
    }
    let body = json!({"orderId": order.number, "status": "paid"}).to_string();
    let headers = [("Authorization", bearer.as_str())];
    let mut replies = Vec::new();
    while replies.last().is_none_or(|status| *status == 200) && replies.len() < 10 {
        replies.push(send(&app, Method::POST, "/api/update-order", &headers, body.clone().into()).await.status);
    }
    assert_eq!(replies.last(), Some(&429), "{replies:?}");
    let reply = send(&app, Method::POST, "/api/update-order", &headers, body.into()).await;
    assert!(reply.error().starts_with("Too many requests. Please wait "), "{reply:?}");
    assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=60).contains(&seconds)), "{reply:?}");
    assert_eq!((reply.header("ratelimit-limit"), reply.header("ratelimit-remaining")), ("3", "0"));
}

#[tokio::test]
async fn an_update_leaves_one_event_and_one_audit_record_with_all_it_said() {
    let (app, order, token, clock) = at_the_example().await;
    clock.advance(Duration::from_secs(60));
    let body = json!({"orderId": NUMBER, "status": "shipped", "carrier": "FedEx", "trackingNumber": "1234567890123",
        "notes": "Left the warehouse", "estimatedDelivery": "2024-01-18"});
    let bearer = format!("Bearer {token}");
    let id = "11111111-2222-4333-8444-555555555555";
    let headers = [("Authorization", bearer.as_str()), ("X-Request-Id", id)];
    let reply = send(&app, Method::POST, "/api/update-order", &headers, body.to_string().into()).await;
    assert_eq!((reply.status, reply.header("x-request-id")), (200, id));
    let url = "https://www.fedex.com/fedextrack/?tracknumbers=1234567890123";
    assert_eq!(
        log(&app, &order).await,
        [
            json!({"seq": 1, "type": "order_created", "status": "paid", "occurred_at": "2024-01-15T10:30:00Z"}),
            json!({"seq": 2, "type": "status_changed", "status": "shipped", "previous_status": "paid", "carrier": "FedEx",
                "tracking_number": "1234567890123", "tracking_url": url, "estimated_delivery": "2024-01-18",
                "note": "Left the warehouse", "occurred_at": "2024-01-15T10:31:00Z"}),
        ]
    );
    let trail = audit::history(&app.parts.db, "order", order.id.to_string()).await.expect("the trail");
    assert_eq!(
        trail.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(),
        ["order.created", "order.status_changed"]
    );
    let entry = &trail[1];
    assert_eq!((entry.actor_kind.as_str(), entry.actor_name.as_str()), ("token", "admin-token"));
    assert_eq!(entry.at.to_string(), "2024-01-15T10:31:00Z");
    assert_eq!(entry.request_id.as_deref(), Some(id));
    assert_eq!(
        entry.detail,
        json!({"seq": 2, "from": "paid", "to": "shipped", "override": false, "fields": {"status": "shipped",
            "carrier": "FedEx", "tracking_number": "1234567890123", "notes": "Left the warehouse",
            "estimated_delivery": "2024-01-18"}})
    );
    let admin = app.token("admin").await;
    assert_eq!(update(&app, &admin, &json!({"orderId": NUMBER, "status": "pending"})).await.status, 200);
    let trail = audit::history(&app.parts.db, "order", order.id.to_string()).await.expect("the trail");
    assert_eq!(trail[2].detail["override"], true, "{:?}", trail[2]);
    assert_eq!(trail[2].detail["from"], "shipped");
}

#[tokio::test]
async fn details_that_change_without_a_move_are_told_as_such() {
    let (app, order, token, _) = at_the_example().await;
    let with =
        |number: &str| json!({"orderId": NUMBER, "status": "shipped", "carrier": "UPS", "trackingNumber": number});
    assert_eq!(update(&app, &token, &with("1")).await.status, 200);
    let second = update(&app, &token, &with("2")).await;
    assert_eq!(second.json()["order"]["trackingUrl"], "https://www.ups.com/track?tracknum=2");
    let log = log(&app, &order).await;
    assert_eq!(log.len(), 3);
    assert_eq!((&log[2]["type"], &log[2]["status"]), (&json!("details_changed"), &json!("shipped")));
    assert_eq!(log[2].get("previous_status"), None);
    assert_eq!(
        number(&app.parts.db, "SELECT count(*) AS n FROM audit_log WHERE action = 'order.details_changed'").await,
        1
    );
}
