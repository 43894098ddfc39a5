//! Shopify and WooCommerce: their own payloads and signatures, in every order they may come.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use ordercast::base::Clock;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::merchant::{Merchant, hmac};
use crate::rows::{number, written};

fn payload(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn shopify_order() -> Value {
    payload(include_str!("payloads/shopify_order.json"))
}

fn fulfillment() -> Value {
    payload(include_str!("payloads/shopify_fulfillment.json"))
}

fn fulfillment_event() -> Value {
    payload(include_str!("payloads/shopify_fulfillment_event.json"))
}

fn woocommerce_order() -> Value {
    payload(include_str!("payloads/woocommerce_order.json"))
}

/// The payload with some fields set.
fn with(mut payload: Value, fields: Value) -> Value {
    payload.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    payload
}

#[tokio::test]
async fn a_shopify_order_is_read_field_by_field() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "atelier").await;
    let taken = shop.shopify("orders/create", "e1", &shopify_order()).await;
    assert_eq!((taken.status, &taken.body["verdict"]), (200, &json!("created")), "{taken:?}");
    let order = shop.order("#1001").await;
    assert_eq!(order["id"], taken.body["order"]);
    for (field, value) in [
        ("external_id", json!("820982911946154508")),
        ("status", json!("paid")),
        (
            "customer",
            json!({"name": "Amélie Tremblay", "phone": "+15145550123", "email": "amelie@mail.example", "locale": "fr-CA"}),
        ),
        ("address", json!("Café du Coin, 12 rue des Érables, Apt 4, Montréal, Québec H2X 1Y4, Canada")),
        ("item_summary", json!("2x Tasse en grès - bleu, 1x Théière")),
        ("total", json!({"amount": 13567, "currency": "CAD"})),
        ("notes", json!("Laisser chez le voisin, s'il vous plaît")),
        (
            "items",
            json!([
                {"name": "Tasse en grès - bleu", "qty": 2, "unit_price": {"amount": 2400, "currency": "CAD"}},
                {"name": "Théière", "qty": 1, "unit_price": {"amount": 7000, "currency": "CAD"}},
            ]),
        ),
    ] {
        assert_eq!(order[field], value, "{field}");
    }
    let entry = &shop.inbox().await[0];
    assert_eq!(
        (&entry["topic"], &entry["source"], &entry["occurred_at"]),
        (&json!("orders/create"), &json!("shopify"), &json!("2026-11-20T14:12:01Z"))
    );
}

#[tokio::test]
async fn a_parcel_goes_its_way_by_fulfilments_and_their_events() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "parcels").await;
    shop.shopify("orders/create", "e1", &shopify_order()).await;
    let taken = shop.shopify("fulfillments/create", "e2", &fulfillment()).await;
    assert_eq!(taken.body["verdict"], "updated", "{taken:?}");
    let order = shop.order("#1001").await;
    assert_eq!((&order["status"], &order["carrier"]), (&json!("shipped"), &json!("Canada Post")));
    assert_eq!(order["tracking_number"], "0073938000549297");
    let moved = json!({"shipment_status": "in_transit", "updated_at": "2026-11-21T12:00:00-05:00"});
    assert_eq!(shop.shopify("fulfillments/update", "e3", &with(fulfillment(), moved)).await.body["verdict"], "updated");
    assert_eq!(shop.order("#1001").await["shipment_status"], "in_transit");
    assert_eq!(shop.shopify("fulfillment_events/create", "e4", &fulfillment_event()).await.body["verdict"], "updated");
    let order = shop.order("#1001").await;
    assert_eq!((&order["status"], &order["shipment_status"]), (&json!("out_for_delivery"), &json!("out_for_delivery")));
    assert_eq!(
        (&order["estimated_delivery"], &order["notes"]),
        (&json!("2026-11-22T23:00:00Z"), &json!("Out for delivery in Montréal"))
    );
    let failed =
        json!({"status": "attempted_delivery", "happened_at": "2026-11-22T15:00:00-05:00", "message": "Nobody home"});
    shop.shopify("fulfillment_events/create", "e5", &with(fulfillment_event(), failed)).await;
    assert_eq!(shop.order("#1001").await["status"], "delivery_failed");
    let done = json!({"status": "delivered", "happened_at": "2026-11-23T10:00:00-05:00", "message": "Delivered"});
    shop.shopify("fulfillment_events/create", "e6", &with(fulfillment_event(), done)).await;
    assert_eq!(shop.order("#1001").await["status"], "delivered");
    // An order's snapshot of that moment still says fulfilled: the status does not go back, the details are taken.
    let snapshot = json!({"fulfillment_status": "fulfilled", "updated_at": "2026-11-23T10:01:00-05:00", "phone": "+15145559999",
        "fulfillments": [fulfillment()]});
    let taken = shop.shopify("orders/updated", "e7", &with(shopify_order(), snapshot)).await;
    assert_eq!((taken.status, &taken.body["verdict"]), (200, &json!("updated")));
    let order = shop.order("#1001").await;
    assert_eq!((&order["status"], &order["customer"]["phone"]), (&json!("delivered"), &json!("+15145559999")));
    assert_eq!(
        shop.inbox().await[0]["result"]["notes"],
        json!(["the order has gone further already; its status was left alone"])
    );
}

#[tokio::test]
async fn shopify_may_deliver_late_twice_and_in_any_order() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "anyhow").await;
    // What carriers and parcels tell comes before the order.
    assert_eq!(shop.shopify("fulfillment_events/create", "e4", &fulfillment_event()).await.body["verdict"], "waiting");
    assert_eq!(shop.shopify("fulfillments/create", "e2", &fulfillment()).await.body["verdict"], "waiting");
    assert_eq!(written(&app.parts.db).await.orders, 0);
    // So does an update.
    let address = json!({"name": "Amélie Tremblay", "address1": "99 rue Neuve", "city": "Laval", "country": "Canada"});
    let newer = with(shopify_order(), json!({"updated_at": "2026-11-20T10:00:00-05:00", "shipping_address": address}));
    let taken = shop.shopify("orders/updated", "e3", &newer).await;
    assert_eq!(taken.body["verdict"], "created", "{taken:?}");
    let order = shop.order("#1001").await;
    assert_eq!(
        (&order["status"], &order["carrier"]),
        (&json!("out_for_delivery"), &json!("Canada Post")),
        "what waited was taken"
    );
    let inbox = shop.inbox().await;
    assert!(inbox.iter().all(|entry| entry["verdict"] != "waiting"), "{inbox:?}");
    // The order as it was made comes last.
    assert_eq!(shop.shopify("orders/create", "e1", &shopify_order()).await.body["verdict"], "stale");
    assert_eq!(shop.order("#1001").await["address"], "99 rue Neuve, Laval, Canada");
    // Everything once more: nothing changes.
    let before = written(&app.parts.db).await;
    let again = [
        ("orders/create", "e1", shopify_order()),
        ("orders/updated", "e3", newer),
        ("fulfillments/create", "e2", fulfillment()),
        ("fulfillment_events/create", "e4", fulfillment_event()),
    ];
    for (topic, event, body) in &again {
        assert_eq!(shop.shopify(topic, event, body).await.status, 200);
    }
    assert_eq!(written(&app.parts.db).await, before);
    assert_eq!(shop.inbox().await.len(), 4);
}

#[tokio::test]
async fn one_shopify_event_twenty_times_at_once_makes_one_order() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "storm").await;
    let body = shopify_order();
    let answers = join_all((0..20).map(|_| shop.shopify("orders/create", "e1", &body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    // And as twenty deliveries of their own.
    let events: Vec<String> = (0..20).map(|n| format!("own-{n}")).collect();
    let answers = join_all(events.iter().map(|event| shop.shopify("orders/updated", event, &body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let written = written(&app.parts.db).await;
    assert_eq!((written.orders, written.events), (1, 1), "one order, changed by nobody");
    assert_eq!(number(&app.parts.db, "SELECT count(*) AS n FROM inbox").await, 21);
}

#[tokio::test]
async fn cancellations_and_refunds_say_why() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "ends").await;
    let ended = async |n: i64, before: Value, after: Value| {
        let name = json!({"id": n, "name": format!("#{n}"), "updated_at": "2026-11-20T10:00:00Z"});
        let made = with(with(shopify_order(), name.clone()), before);
        shop.shopify("orders/create", &format!("c{n}"), &made).await;
        let later = json!({"updated_at": "2026-11-20T11:00:00Z"});
        let taken = shop.shopify("orders/cancelled", &format!("u{n}"), &with(with(made, later), after)).await;
        assert_eq!(taken.status, 200, "{taken:?}");
        let order = shop.order(&format!("#{n}")).await;
        (
            order["status"].as_str().expect("a status").to_owned(),
            order["cancellation_reason"].as_str().unwrap_or("").to_owned(),
        )
    };
    let cancelled = |reason: &str| json!({"cancelled_at": "2026-11-20T11:00:00Z", "cancel_reason": reason});
    let is = |status: &str, reason: &str| (status.to_owned(), reason.to_owned());
    let nothing = || json!({});
    assert_eq!(ended(1, nothing(), cancelled("customer")).await, is("cancelled", "Cancelled by the customer"));
    assert_eq!(ended(2, nothing(), cancelled("inventory")).await, is("cancelled", "Not in stock"));
    assert_eq!(
        ended(3, nothing(), cancelled("fraud")).await,
        is("cancelled", "Cancelled by the shop"),
        "customers are not called frauds"
    );
    assert_eq!(ended(4, nothing(), json!({"financial_status": "refunded"})).await, is("cancelled", "Refunded"));
    let shipped = || json!({"fulfillment_status": "fulfilled", "fulfillments": [fulfillment()]});
    let back = json!([{"id": 1, "refund_line_items": [{"id": 2, "quantity": 1, "restock_type": "return"}], "transactions": []}]);
    assert_eq!(ended(5, shipped(), json!({"financial_status": "refunded", "refunds": back})).await, is("returned", ""));
    let kept = json!([{"id": 1, "refund_line_items": [{"id": 2, "quantity": 1, "restock_type": "no_restock"}]}]);
    assert_eq!(
        ended(6, shipped(), json!({"financial_status": "refunded", "refunds": kept})).await,
        is("shipped", ""),
        "the parcel goes on"
    );
    assert_eq!(
        ended(7, json!({"financial_status": "pending"}), json!({"financial_status": "voided"})).await.0,
        "cancelled"
    );
}

#[tokio::test]
async fn currencies_without_and_with_three_decimals_are_minor_units() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "yen").await;
    let line = json!([{"id": 1, "name": "茶", "title": "茶", "quantity": 3, "price": "1100"}]);
    let yen = json!({"currency": "JPY", "total_price": "3300", "current_total_price": "3300", "line_items": line, "name": "#1"});
    shop.shopify("orders/create", "e1", &with(shopify_order(), yen)).await;
    let order = shop.order("#1").await;
    assert_eq!(order["total"], json!({"amount": 3300, "currency": "JPY"}));
    assert_eq!(order["items"][0]["unit_price"], json!({"amount": 1100, "currency": "JPY"}));
    shop.woocommerce("order.created", "d1", &woocommerce_order()).await;
    assert_eq!(shop.order("727").await["total"], json!({"amount": 29350, "currency": "KWD"}));
}

#[tokio::test]
async fn a_woocommerce_order_is_read_field_by_field_and_goes_its_way() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "woo").await;
    let taken = shop.woocommerce("order.created", "d1", &woocommerce_order()).await;
    assert_eq!((taken.status, &taken.body["verdict"]), (200, &json!("created")), "{taken:?}");
    let order = shop.order("727").await;
    for (field, value) in [
        ("external_id", json!("727")),
        ("status", json!("processing")),
        (
            "customer",
            json!({"name": "Noura Al-Sabah", "phone": "+965 2222 0000", "email": "noura@mail.example", "locale": "ar"}),
        ),
        ("address", json!("Block 4, Street 20, House 7, Salmiya, HA 22001, KW")),
        ("item_summary", json!("2x Woo Single #1, 1x Ship Your Idea – Color: Black")),
        ("notes", json!("Please call before you come")),
        (
            "items",
            json!([
                {"name": "Woo Single #1", "qty": 2, "unit_price": {"amount": 3000, "currency": "KWD"}, "image_url": "https://shop.example/wp-content/uploads/single.jpg"},
                {"name": "Ship Your Idea – Color: Black", "qty": 1, "unit_price": {"amount": 21500, "currency": "KWD"}},
            ]),
        ),
    ] {
        assert_eq!(order[field], value, "{field}");
    }
    let parcel = json!([{"key": "_wc_shipment_tracking_items", "value": [{"tracking_provider": "Aramex", "tracking_number": "30123456789",
        "custom_tracking_provider": "", "custom_tracking_link": "", "date_shipped": "1763683200", "tracking_id": "a1"}]}]);
    let sent = json!({"status": "completed", "date_modified_gmt": "2026-11-21T10:00:00", "meta_data": parcel});
    assert_eq!(
        shop.woocommerce("order.updated", "d2", &with(woocommerce_order(), sent)).await.body["verdict"],
        "updated"
    );
    let order = shop.order("727").await;
    assert_eq!(
        (&order["status"], &order["carrier"], &order["tracking_number"]),
        (&json!("shipped"), &json!("Aramex"), &json!("30123456789"))
    );
    let older = json!({"status": "on-hold", "date_modified_gmt": "2026-11-20T20:00:00"});
    assert_eq!(
        shop.woocommerce("order.updated", "d3", &with(woocommerce_order(), older)).await.body["verdict"],
        "stale"
    );
    let refunds = json!([{"id": 900, "reason": "Did not fit", "total": "-29.350"}]);
    let back = json!({"status": "refunded", "date_modified_gmt": "2026-11-22T10:00:00", "refunds": refunds});
    shop.woocommerce("order.updated", "d4", &with(woocommerce_order(), back)).await;
    let order = shop.order("727").await;
    assert_eq!((&order["status"], &order["cancellation_reason"]), (&json!("returned"), &json!("Did not fit")));
}

#[tokio::test]
async fn woocommerce_pings_deletes_and_repeats() {
    let app = TestApp::with(&["--rate-guess=0"], Clock::System).await;
    let shop = Merchant::new(&app, "pings").await;
    let ping = |path: &'static str, body: &'static str| {
        let request = app.http.post(format!("{}{path}", app.url)).body(body);
        crate::app::caller::send(request.header("Content-Type", "application/x-www-form-urlencoded"))
    };
    for path in ["/api/v1/webhook/woocommerce/pings", "/api/v1/webhook/woocommerce/nobody/"] {
        let answer = ping(path, "webhook_id=12").await;
        assert_eq!((answer.status, &answer.body), (200, &json!({"verdict": "ignored"})), "{path}");
        for body in ["webhook_id=", "webhook_id=x", "webhook_id=1&order=2", "id=1"] {
            assert_eq!(ping(path, body).await.status, 401, "{body}");
        }
    }
    assert_eq!(shop.inbox().await.len(), 0);
    shop.woocommerce("order.created", "same-second", &woocommerce_order()).await;
    // One identifier for all that is sent within a second: another order must not be taken for a repeat.
    let other = with(woocommerce_order(), json!({"id": 728, "number": "728"}));
    assert_eq!(shop.woocommerce("order.created", "same-second", &other).await.body["verdict"], "created");
    let before = written(&app.parts.db).await;
    shop.woocommerce("order.created", "same-second", &other).await;
    assert_eq!((written(&app.parts.db).await, shop.inbox().await.len()), (before, 2));
    assert_eq!(shop.woocommerce("order.deleted", "d9", &json!({"id": 728})).await.body["verdict"], "updated");
    let order = shop.order("728").await;
    assert_eq!((&order["status"], &order["cancellation_reason"]), (&json!("cancelled"), &json!("Deleted in the shop")));
    assert_eq!(shop.woocommerce("order.deleted", "d10", &json!({"id": 999})).await.body["verdict"], "waiting");
    assert_eq!(shop.woocommerce("product.updated", "d11", &json!({"id": 1})).await.body["verdict"], "ignored");
    let paid_back = with(woocommerce_order(), json!({"id": 730, "number": "730", "status": "pending"}));
    shop.woocommerce("order.created", "d12", &paid_back).await;
    let paid_back = with(paid_back, json!({"status": "refunded", "date_modified_gmt": "2026-11-21T10:00:00"}));
    shop.woocommerce("order.updated", "d13", &paid_back).await;
    assert_eq!(shop.order("730").await["status"], "cancelled", "what never left cannot have come back");
}

#[tokio::test]
async fn a_platform_is_believed_by_its_own_secret_over_the_very_bytes_only() {
    let app = TestApp::with(&["--rate-guess=0"], Clock::System).await;
    let (shop, other) = (Merchant::new(&app, "proves").await, Merchant::new(&app, "elsewhere").await);
    app.parts
        .webhook_secrets
        .set(
            ordercast::base::Actor::System("tests"),
            other.company,
            ordercast::accounts::Source::Shopify,
            &ordercast::base::Secret::new("another-secret-of-another-shop"),
        )
        .await
        .expect("set");
    let body = shopify_order().to_string().into_bytes();
    let right = STANDARD.encode(hmac(shop.platform_secret, &body));
    let own = STANDARD.encode(hmac(&shop.secret, &body));
    let foreign = STANDARD.encode(hmac("another-secret-of-another-shop", &body));
    let before = written(&app.parts.db).await;
    let topic = ("X-Shopify-Topic", "orders/create");
    let path = "/api/v1/webhook/shopify/proves";
    let changed = [&body[..], b" "].concat();
    for (path, header, signature, body) in [
        (path, "X-Shopify-Hmac-Sha256", right.as_str(), &changed),
        (path, "X-Shopify-Hmac-Sha256", own.as_str(), &body),
        (path, "X-Shopify-Hmac-Sha256", foreign.as_str(), &body),
        (path, "X-Shopify-Hmac-Sha256", shop.platform_secret, &body),
        (path, "X-WC-Webhook-Signature", right.as_str(), &body),
        (path, "X-Webhook-Signature", shop.secret.as_str(), &body),
        ("/api/v1/webhook/shopify/nobody", "X-Shopify-Hmac-Sha256", right.as_str(), &body),
    ] {
        let answer = shop.post(path, &[topic, (header, signature)], body).await;
        assert_eq!(answer.problem(), (401, "unauthenticated"), "{path} {header} {signature}");
    }
    assert_eq!(written(&app.parts.db).await, before);
    assert_eq!(shop.post(path, &[topic, ("X-Shopify-Hmac-Sha256", &right)], &body).await.status, 200);
    // What is wrong in a body that is proven is told in the inbox, or the platform would switch the webhook off.
    for (n, body) in
        [json!({"id": {}}), json!([]), json!({"id": 5, "name": "x".repeat(65), "email": 7})].iter().enumerate()
    {
        let answer = shop.shopify("orders/create", &format!("bad{n}"), body).await;
        assert_eq!((answer.status, &answer.body["verdict"]), (200, &json!("unreadable")), "{body}");
    }
}
