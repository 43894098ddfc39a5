//! Reference/003 as its clients know it: each example and each line of its checklist.

use ordercast::accounts::Role;
use ordercast::base::Actor;
use ordercast::base::id::OrderId;
use ordercast::orders::Status;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::people::{log_in, merchant, staff};
use crate::exchange::{Reply, replay, send};
use crate::rows::number;
use crate::wallet::{Market, admin, transactions};

/// The moment of the reference's example.
const MOMENT: &str = "2024-01-15T10:30:00.000Z";

async fn market() -> Market {
    Market::at(MOMENT, &[]).await
}

/// The access token of a person.
async fn token(market: &Market, email: &str) -> String {
    log_in(&market.app, email).await.pair.access.expose().to_owned()
}

/// The access token of somebody who runs the platform.
async fn staff_token(market: &Market, role: Role) -> String {
    let email = format!("{}@ordercast.example", role.code().replace('_', "-"));
    staff(&market.app, role, &email).await;
    token(market, &email).await
}

async fn set(market: &Market, token: &str, order: &str, body: &Value) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
    let path = format!("/api/vendor/orders/{order}/status");
    send(&market.app, Method::POST, &path, &headers, body.to_string().into_bytes()).await
}

async fn get(market: &Market, token: &str, path: &str) -> Value {
    let bearer = format!("Bearer {token}");
    let reply = send(&market.app, Method::GET, path, &[("Authorization", bearer.as_str())], Vec::new()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

/// The status and sentence of a refusal; its body holds nothing else.
fn refusal(reply: &Reply) -> (u16, String) {
    assert_eq!(reply.header("content-type"), "application/json", "{reply:?}");
    let body = reply.json();
    let keys: Vec<_> = body.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(keys, ["success", "message"], "{reply:?}");
    assert_eq!(body["success"], false);
    (reply.status, body["message"].as_str().expect("a sentence").to_owned())
}

/// Sends the request of a golden file about an order as somebody.
async fn golden(market: &Market, text: &str, order: &str, token: &str) {
    replay(&market.app, &text.replace("ORDER_ID", order), token).await;
}

macro_rules! example {
    ($name:literal) => {
        include_str!(concat!("golden/vendor_fulfilment/", $name, ".http"))
    };
}

#[tokio::test]
async fn the_example_of_a_step_is_answered_field_by_field() {
    let market = market().await;
    let order = market.order(Status::Packed, None).await.id.to_string();
    let vendor = token(&market, market.email).await;
    golden(&market, example!("shipped"), &order, &vendor).await;
    golden(&market, example!("already_shipped"), &order, &vendor).await;
}

#[tokio::test]
async fn the_example_of_a_delivery_is_answered_with_what_the_wallet_got() {
    let market = market().await;
    // What the wallet of the example holds before: 3600.51, then 899.99 are added.
    let earlier = market.priced(Status::Shipped, (400_057, "USD")).await;
    market.set(admin(), earlier, Status::Delivered).await.expect("delivered");
    let order = market.priced(Status::Shipped, (99_999, "USD")).await.to_string();
    golden(&market, example!("delivered"), &order, &token(&market, market.email).await).await;
}

#[tokio::test]
async fn every_error_example_is_answered_to_the_letter() {
    let market = market().await;
    let vendor = token(&market, market.email).await;
    let packed = market.order(Status::Packed, None).await.id.to_string();
    golden(&market, example!("missing_status"), &packed, &vendor).await;
    golden(&market, example!("invalid_order_id"), &packed, &vendor).await;
    golden(&market, example!("order_not_found"), &OrderId::new().to_string(), &vendor).await;
    golden(&market, example!("invalid_transition"), &packed, &vendor).await;
    let unpriced = market.order(Status::Shipped, Some((1000, "USD"))).await.id.to_string();
    golden(&market, example!("commission_not_calculated"), &unpriced, &vendor).await;
    merchant(&market.app, "owner@other.example").await;
    let other = token(&market, "owner@other.example").await;
    golden(&market, example!("unauthorized"), &packed, &other).await;
}

#[tokio::test]
async fn a_vendor_takes_each_step_of_its_table_and_no_other() {
    let market = market().await;
    let vendor = token(&market, market.email).await;
    let allowed = |from: Status| match from {
        Status::Pending | Status::Paid | Status::Confirmed => "PACKED",
        Status::Packed | Status::Processing => "SHIPPED",
        Status::Shipped => "DELIVERED",
        _ => "none",
    };
    for from in Status::ALL {
        for to in ["PACKED", "SHIPPED", "DELIVERED"] {
            let order = market.order(from, None).await.id.to_string();
            let reply = set(&market, &vendor, &order, &json!({"status": to})).await;
            let now = from.code().to_uppercase();
            if now == to {
                let same =
                    json!({"success": true, "message": format!("Order status is already {to}"), "currentStatus": to});
                assert_eq!((reply.status, reply.json()), (200, same));
            } else if allowed(from) == to {
                assert_eq!((reply.status, &reply.json()["previousStatus"]), (200, &json!(now)), "{reply:?}");
            } else {
                let sentence = format!(
                    "Invalid status transition. Cannot change from {now} to {to}. Allowed transitions: {}",
                    allowed(from)
                );
                assert_eq!(refusal(&reply), (400, sentence));
            }
        }
    }
}

#[tokio::test]
async fn admins_and_super_admins_set_any_status_of_any_order() {
    let market = market().await;
    for role in [Role::Admin, Role::SuperAdmin] {
        let staff = staff_token(&market, role).await;
        let order = market.priced(Status::Pending, (1000, "USD")).await.to_string();
        // Pending to delivered skips everything; shipped to packed goes back.
        for (to, before) in
            [("DELIVERED", "PENDING"), ("SHIPPED", "DELIVERED"), ("PACKED", "SHIPPED"), ("CANCELLED", "PACKED")]
        {
            let reply = set(&market, &staff, &order, &json!({"status": to})).await;
            let body = reply.json();
            assert_eq!(
                (reply.status, &body["currentStatus"], &body["previousStatus"]),
                (200, &json!(to), &json!(before))
            );
            let credit = if to == "DELIVERED" {
                json!({"credited": true, "vendorAmount": 9, "walletBalance": 9})
            } else {
                Value::Null
            };
            assert_eq!(body["walletCredit"], credit, "{body}");
        }
    }
}

#[tokio::test]
async fn the_history_tells_who_in_which_role_did_what_and_when() {
    let market = market().await;
    let vendor = token(&market, market.email).await;
    let (admin, super_admin) = (staff_token(&market, Role::Admin).await, staff_token(&market, Role::SuperAdmin).await);
    let order = market.priced(Status::Confirmed, (1000, "USD")).await.to_string();
    for (token, status) in [(&vendor, "PACKED"), (&admin, "SHIPPED"), (&super_admin, "PACKED"), (&vendor, "PACKED")] {
        assert_eq!(set(&market, token, &order, &json!({"status": status})).await.status, 200);
    }
    let view = get(&market, &vendor, &format!("/api/vendor/orders/{order}")).await;
    assert_eq!(view["success"], true);
    let history = view["order"]["statusHistory"].as_array().expect("a history");
    let told: Vec<_> = history.iter().map(|entry| (entry["status"].as_str(), entry["updatedBy"].as_str())).collect();
    let expected =
        [(Some("PACKED"), Some("vendor")), (Some("SHIPPED"), Some("admin")), (Some("PACKED"), Some("super-admin"))];
    assert_eq!(told, expected, "a repeat is not logged");
    assert!(history.iter().all(|entry| entry["updatedAt"] == MOMENT), "{history:?}");
    let Actor::Vendor { account, .. } = &market.vendor else { panic!("a vendor") };
    assert_eq!(history[0]["updatedByUserId"], account.to_string());
    let list = get(&market, &vendor, "/api/vendor/orders?status=packed").await;
    assert_eq!(list["orders"], json!([view["order"]]));
    let commission = &view["order"]["commission"];
    assert_eq!(
        (&commission["amount"], &commission["vendorAmount"], &commission["walletCredited"]),
        (&json!(1), &json!(9), &json!(false))
    );
}

#[tokio::test]
async fn however_often_and_at_once_it_is_delivered_the_wallet_is_credited_once() {
    let market = market().await;
    let vendor = token(&market, market.email).await;
    let order = market.priced(Status::Shipped, (1000, "USD")).await.to_string();
    let body = json!({"status": "DELIVERED"});
    let replies = futures_util::future::join_all((0..16).map(|_| set(&market, &vendor, &order, &body))).await;
    let credited = replies.iter().filter(|reply| reply.json()["walletCredit"]["credited"] == true).count();
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    assert_eq!((credited, transactions(&market.app, "credit").await), (1, 1));
    let view = get(&market, &vendor, &format!("/api/vendor/orders/{order}")).await;
    assert_eq!(view["order"]["commission"]["walletCredited"], true);
}

#[tokio::test]
async fn nobody_else_comes_in_and_nothing_else_is_understood() {
    let market = market().await;
    let order = market.order(Status::Packed, None).await.id.to_string();
    let body = json!({"status": "SHIPPED"});
    for credential in ["", "nonsense"] {
        assert_eq!(set(&market, credential, &order, &body).await.status, 401);
        assert_eq!(refusal(&set(&market, credential, &order, &body).await).0, 401);
    }
    let reader = market.app.token("orders:read").await;
    assert_eq!(refusal(&set(&market, &reader, &order, &body).await).0, 403);
    let vendor = token(&market, market.email).await;
    let wrong = (400, "Status must be one of: PACKED, SHIPPED, DELIVERED".to_owned());
    for status in [json!("LOST"), json!("CONFIRMED"), json!(""), json!(7), Value::Null] {
        assert_eq!(refusal(&set(&market, &vendor, &order, &json!({"status": status})).await), wrong);
    }
    let unread = (400, "Invalid order ID format".to_owned());
    for id in ["%20", "%00", &"9".repeat(65)] {
        assert_eq!(refusal(&set(&market, &vendor, id, &body).await), unread);
    }
    let number_of_nobody = set(&market, &vendor, "ORD-NOBODY", &body).await;
    assert_eq!(refusal(&number_of_nobody), (404, "Order not found".to_owned()));
    let events = "SELECT count(*) AS n FROM order_events WHERE type = 'status_changed'";
    assert_eq!(number(&market.app.parts.db, events).await, 0);
}
