//! The requests, replies and errors of the earlier systems, exactly as their documents give them.

use jiff::Timestamp;
use ordercast::accounts::tokens::NewToken;
use ordercast::base::{Actor, Clock};
use ordercast::orders::{Customer, NewOrder, Order, Status};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::exchange::{Reply, replay, send};
use crate::rows::{number, run, written};

/// The number all examples of reference/004 use.
pub const NUMBER: &str = "ORD-12345678";
/// The scopes it asks for.
pub const SCOPES: &str = "orders:read,orders:write,orders:update_status";
const PATH: &str = "/api/update-order";

/// An instance at the moment of the reference's example, its order, and a token of the example's name.
pub async fn at_the_example() -> (TestApp, Order, String, Clock) {
    let clock = Clock::manual("2024-01-15T10:30:00Z".parse::<Timestamp>().expect("a time"));
    let app = TestApp::with(&[], clock.clone()).await;
    let new = NewToken {
        name: "admin-token".into(),
        scopes: SCOPES.parse().expect("scopes"),
        company: None,
        expires_at: None,
    };
    let token = app.parts.tokens.generate(Actor::System("tests"), new).await.expect("a token").1.expose().to_owned();
    let customer = Customer { email: Some("ayesha@mail.example".into()), ..Customer::default() };
    let new = NewOrder { number: Some(NUMBER.into()), status: Some(Status::Paid), customer, ..NewOrder::default() };
    let (order, _) = app.order(new).await;
    (app, order, token, clock)
}

/// Posts a body to the update endpoint with a token.
pub async fn update(app: &TestApp, token: &str, body: &Value) -> Reply {
    post(app, token, body.to_string().into_bytes()).await
}

/// Posts any bytes to the update endpoint with a token.
pub async fn post(app: &TestApp, token: &str, body: Vec<u8>) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
    send(app, Method::POST, PATH, &headers, body).await
}

macro_rules! golden {
    ($($name:ident: $file:literal;)+) => {$(
        #[tokio::test]
        async fn $name() {
            let (app, _, token, _) = at_the_example().await;
            replay(&app, include_str!(concat!("golden/order_update/", $file, ".http")), &token).await;
        }
    )+};
}

golden! {
    the_example_of_the_request_format_is_answered: "request_format";
    the_example_of_a_success_is_answered_field_by_field: "success_response";
    the_example_update_to_processing_is_answered: "update_to_processing";
    the_example_mark_as_shipped_is_answered: "mark_as_shipped";
    the_example_mark_as_delivered_is_answered: "mark_as_delivered";
    the_example_cancel_order_is_answered: "cancel_order";
}

#[tokio::test]
async fn the_token_travels_in_three_ways_and_no_other() {
    let (app, _, token, _) = at_the_example().await;
    let body = json!({"orderId": NUMBER, "status": "processing"}).to_string();
    let bearer = format!("Bearer {token}");
    let lower = format!("bearer {token}");
    let query = format!("{PATH}?token={token}");
    let json = ("Content-Type", "application/json");
    for (path, headers) in [
        (PATH, vec![json, ("Authorization", bearer.as_str())]),
        (PATH, vec![json, ("Authorization", lower.as_str())]),
        (PATH, vec![json, ("X-API-Key", token.as_str())]),
        (query.as_str(), vec![json]),
        ("/api/update-order/", vec![json, ("Authorization", bearer.as_str())]),
    ] {
        let reply = send(&app, Method::POST, path, &headers, body.clone().into()).await;
        assert_eq!((reply.status, &reply.json()["authenticatedAs"]), (200, &json!("admin-token")), "{headers:?}");
    }
    let cookie = format!("token={token}");
    let basic = format!("Basic {token}");
    let elsewhere = format!("{PATH}?key={token}");
    let in_body = json!({"orderId": NUMBER, "status": "shipped", "carrier": "UPS", "token": token}).to_string();
    let before = written(&app.parts.db).await;
    for (path, headers, body) in [
        (PATH, vec![json], &body),
        (PATH, vec![json], &in_body),
        (PATH, vec![json, ("Cookie", cookie.as_str())], &body),
        (PATH, vec![json, ("Authorization", basic.as_str())], &body),
        (PATH, vec![json, ("Authorization", token.as_str())], &body),
        (elsewhere.as_str(), vec![json], &body),
    ] {
        let reply = send(&app, Method::POST, path, &headers, body.clone().into()).await;
        assert_eq!(reply.status, 401, "{headers:?}");
        assert_eq!(reply.error(), "Invalid or missing authentication token");
    }
    assert_eq!(written(&app.parts.db).await, before);
}

#[tokio::test]
async fn each_of_the_seven_statuses_is_reached_and_told_in_lower_case() {
    let (app, _, token, clock) = at_the_example().await;
    let admin = app.token("admin").await;
    // Only an admin goes back to the start; from there a token walks forward.
    assert_eq!(update(&app, &token, &json!({"orderId": NUMBER, "status": "incomplete"})).await.status, 400);
    for (token, status) in [
        (&admin, "incomplete"),
        (&token, "pending"),
        (&token, "paid"),
        (&token, "processing"),
        (&token, "shipped"),
        (&token, "delivered"),
    ] {
        clock.advance(std::time::Duration::from_secs(60));
        let body = json!({"orderId": NUMBER, "status": status, "carrier": "DHL"});
        let reply = update(&app, token, &body).await;
        assert_eq!((reply.status, &reply.json()["order"]["status"]), (200, &json!(status)), "{reply:?}");
    }
    let order = update(&app, &token, &json!({"orderId": NUMBER, "status": "delivered"})).await.json()["order"].clone();
    assert_eq!(order["shippedAt"], "2024-01-15T10:35:00Z", "the fifth minute, and it stays");
    assert_eq!(order["deliveredAt"], "2024-01-15T10:36:00Z");
    assert_eq!(order["updatedAt"], "2024-01-15T10:36:00Z");
    let (second, _) = app.order(NewOrder::default()).await;
    let body = json!({"orderId": second.number, "status": "CANCELLED", "cancellationReason": "Out of stock"});
    let reply = update(&app, &token, &body).await;
    assert_eq!((reply.status, &reply.json()["order"]["status"]), (200, &json!("cancelled")), "{reply:?}");
}

#[tokio::test]
async fn tracking_addresses_of_the_four_carriers_are_made_as_documented() {
    let (app, _, token, _) = at_the_example().await;
    for (carrier, number, url) in [
        ("FedEx", "1234567890123", "https://www.fedex.com/fedextrack/?tracknumbers=1234567890123"),
        ("UPS", "1Z999AA10123456784", "https://www.ups.com/track?tracknum=1Z999AA10123456784"),
        (
            "USPS",
            "9400100000000000000000",
            "https://tools.usps.com/go/TrackConfirmAction?qtc_tLabels1=9400100000000000000000",
        ),
        ("DHL", "1234567890", "https://www.dhl.com/en/express/tracking.html?AWB=1234567890"),
        ("fedex", "a b&c=d", "https://www.fedex.com/fedextrack/?tracknumbers=a%20b%26c%3Dd"),
    ] {
        let (order, _) = app.order(NewOrder::default()).await;
        let body = json!({"orderId": order.number, "status": "shipped", "carrier": carrier, "trackingNumber": number});
        let reply = update(&app, &token, &body).await;
        assert_eq!((reply.status, &reply.json()["order"]["trackingUrl"]), (200, &json!(url)), "{reply:?}");
        assert_eq!(reply.json()["order"]["carrier"], carrier, "the carrier is told as it was given");
    }
    let (order, _) = app.order(NewOrder::default()).await;
    let own = "https://parcels.example/77?a=b";
    let body = json!({"orderId": order.number, "status": "shipped", "carrier": "UPS", "trackingNumber": "77", "trackingUrl": own});
    assert_eq!(update(&app, &token, &body).await.json()["order"]["trackingUrl"], own);
}

#[tokio::test]
async fn every_error_has_its_code_its_sentence_and_nothing_else() {
    let (app, _, token, _) = at_the_example().await;
    let reads = app.token("orders:read,orders:update_status").await;
    let writes = app.token("orders:read,orders:write").await;
    let before = written(&app.parts.db).await;
    for (body, status, sentence) in [
        (json!({"status": "paid"}), 400, "Missing required field: orderId"),
        (json!({"orderId": "  ", "status": "paid"}), 400, "Missing required field: orderId"),
        (json!({"orderId": NUMBER}), 400, "Missing required field: status"),
        (json!({"orderId": NUMBER, "status": null}), 400, "Missing required field: status"),
        (
            json!({"orderId": NUMBER, "status": "lost"}),
            400,
            "Invalid status: status must be one of: incomplete, pending, paid, confirmed, processing, packed, shipped, \
             out_for_delivery, delivery_failed, delivered, cancelled, returned",
        ),
        (json!({"orderId": NUMBER, "status": "shipped"}), 400, "carrier is required for shipped status"),
        (
            json!({"orderId": NUMBER, "status": "cancelled", "notes": "x"}),
            400,
            "cancellationReason is required for cancelled status",
        ),
        (
            json!({"orderId": NUMBER, "status": "pending"}),
            400,
            "Invalid status transition. Cannot change from PAID to PENDING. Allowed transitions: CONFIRMED, PROCESSING, \
             PACKED, SHIPPED, OUT_FOR_DELIVERY, DELIVERY_FAILED, DELIVERED, CANCELLED, RETURNED",
        ),
        (
            json!({"orderId": NUMBER, "status": "processing", "expectedSeq": 7}),
            // The reference knows no 409.
            400,
            "The order has moved on: it is at seq 1 (paid), not 7. Read it again and decide anew.",
        ),
        (json!({"orderId": "ORD-00000000", "status": "paid"}), 404, "Order not found"),
        (json!({"orderId": "019a0000-0000-7000-8000-000000000000", "status": "paid"}), 404, "Order not found"),
    ] {
        let reply = update(&app, &token, &body).await;
        assert_eq!((reply.status, reply.error().as_str()), (status, sentence), "{body}");
    }
    let body = json!({"orderId": NUMBER, "status": "processing"});
    for (token, status, sentence) in [
        ("", 401, "Invalid or missing authentication token"),
        ("nonsense", 401, "Invalid or missing authentication token"),
        (reads.as_str(), 403, "Token lacks required permission: orders:write"),
        (writes.as_str(), 403, "Token lacks required permission: orders:update_status"),
    ] {
        let reply = update(&app, token, &body).await;
        assert_eq!((reply.status, reply.error().as_str()), (status, sentence));
        assert_eq!(reply.header("www-authenticate"), if status == 401 { "Bearer" } else { "" });
    }
    assert_eq!(written(&app.parts.db).await, before);
}

#[tokio::test]
async fn a_failure_of_ours_is_500_tells_nothing_of_its_cause_and_leaves_nothing_behind() {
    let (app, order, token, _) = at_the_example().await;
    let db = &app.parts.db;
    let before = written(db).await;
    run(db, "ALTER TABLE audit_log RENAME TO audit_log_elsewhere").await;
    let body = json!({"orderId": NUMBER, "status": "processing"});
    let reply = update(&app, &token, &body).await;
    run(db, "ALTER TABLE audit_log_elsewhere RENAME TO audit_log").await;
    assert_eq!((reply.status, reply.error().as_str()), (500, "Server error"));
    assert_eq!(written(db).await, before);
    let reply = update(&app, &token, &body).await;
    assert_eq!((reply.status, &reply.json()["order"]["status"]), (200, &json!("processing")));
    let events = app.parts.timeline.events_since(order.id, 0, 10).await.expect("the log");
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn asking_for_what_is_so_already_is_success_and_writes_nothing() {
    let (app, _, token, clock) = at_the_example().await;
    let body = json!({"orderId": NUMBER, "status": "shipped", "carrier": "FedEx", "trackingNumber": "1234567890123"});
    let first = update(&app, &token, &body).await;
    let before = written(&app.parts.db).await;
    clock.advance(std::time::Duration::from_secs(5));
    let second = update(&app, &token, &body).await;
    assert_eq!((second.status, second.json()), (200, first.json()), "the very same reply, the time of the first in it");
    assert_eq!(written(&app.parts.db).await, before);
    // The position may be checked on the way.
    let with_seq = |seq: i64| json!({"orderId": NUMBER, "status": "delivered", "expectedSeq": seq});
    assert_eq!(update(&app, &token, &with_seq(1)).await.status, 400);
    assert_eq!(update(&app, &token, &with_seq(2)).await.status, 200);
    assert_eq!(update(&app, &token, &with_seq(2)).await.status, 400, "it has moved on since");
    assert_eq!(number(&app.parts.db, "SELECT count(*) AS n FROM order_events").await, 3);
}
