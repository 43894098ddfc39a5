//! The inbox: what is kept, running it again after a change of mapping or a crash, and deleting it.

use std::time::Duration;

use ordercast::base::Clock;
use ordercast::orders::{Customer, NewOrder};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::Caller;
use crate::app::merchant::Merchant;
use crate::rows::{number, run, written};

fn order(number: &str, status: &str) -> Value {
    json!({"order_number": number, "tracking_status": status, "customer_details": {"name": "Jane Doe", "email": "jane@example.com"}})
}

fn count(list: &Value) -> usize {
    list["data"].as_array().expect("a list").len()
}

#[tokio::test]
async fn a_body_is_kept_as_it_came_without_what_must_stay_secret() {
    let app = TestApp::start().await;
    let (shop, other) = (Merchant::new(&app, "keeps").await, Merchant::new(&app, "other").await);
    let body = order("K-1", "PENDING").to_string();
    let headers = [
        ("X-Customer-Email", shop.email.as_str()),
        ("X-Webhook-Signature", shop.secret.as_str()),
        ("User-Agent", "till/7"),
        ("Cookie", "oc_session=abc"),
        ("X-Api-Token", "hush"),
    ];
    assert_eq!(shop.post("/api/v1/webhook/", &headers, body.as_bytes()).await.status, 201);
    let entry = shop.inbox().await.remove(0);
    assert_eq!(
        (&entry["verdict"], &entry["source"], &entry["subject"]),
        (&json!("created"), &json!("ordercast"), &json!("K-1"))
    );
    let path = format!("/api/v1/inbox/{}", entry["id"].as_str().expect("an id"));
    let full = shop.api().get(&path).await;
    assert_eq!((full.status, &full.body["body"], &full.body["body_encoding"]), (200, &json!(body), &json!("utf-8")));
    let kept = full.body["headers"].to_string();
    assert!(kept.contains("till/7") && kept.contains("application/json"), "{kept}");
    for secret in [shop.secret.as_str(), "abc", "hush"] {
        assert!(!kept.contains(secret), "{kept}");
    }
    for answer in [other.api().get(&path).await, other.api().post(&format!("{path}/rerun"), &json!({})).await] {
        assert_eq!(answer.problem(), (404, "not_found"));
    }
    assert_eq!(other.inbox().await.len(), 0);
    let admin = Caller::with(&app, "admin").await;
    assert_eq!(count(&admin.get("/api/v1/inbox").await.body), 1);
    assert_eq!(count(&admin.get("/api/v1/inbox?company=other").await.body), 0);
    assert_eq!(Caller::with(&app, "orders:read").await.get("/api/v1/inbox").await.problem(), (403, "forbidden"));
    for nonsense in ["nonsense", "019a0000-0000-7000-8000-000000000000"] {
        assert_eq!(shop.api().get(&format!("/api/v1/inbox/{nonsense}")).await.problem(), (404, "not_found"));
    }
}

#[tokio::test]
async fn the_inbox_is_filtered_and_paged() {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse().expect("a time"));
    let app = TestApp::with(&[], clock.clone()).await;
    let shop = Merchant::new(&app, "filters").await;
    for n in 0..5 {
        let status = if n == 3 { "STRANGE" } else { "PENDING" };
        assert_eq!(shop.send(&order(&format!("F-{n}"), status)).await.status, 201);
        clock.advance(Duration::from_secs(60));
    }
    shop.woocommerce("product.updated", "d1", &json!({"id": 1})).await;
    let get = async |query: &str| shop.api().get(&format!("/api/v1/inbox{query}")).await;
    assert_eq!(count(&get("").await.body), 6);
    assert_eq!(count(&get("?source=woocommerce").await.body), 1);
    assert_eq!(count(&get("?verdict=unmapped").await.body), 1);
    assert_eq!(count(&get("?topic=product.updated").await.body), 1);
    assert_eq!(count(&get("?from=2026-11-21T09:01:00Z&to=2026-11-21T09:03:00Z").await.body), 2);
    let id = shop.order("F-2").await["id"].as_str().expect("an id").to_owned();
    assert_eq!(count(&get(&format!("?order={id}")).await.body), 1);
    let first = get("?limit=4").await;
    assert!(first.header("link").contains("rel=\"next\""));
    let second = get(&format!("?limit=4&after={}", first.body["next"].as_str().expect("a cursor"))).await;
    assert_eq!((count(&first.body), count(&second.body), &second.body["next"]), (4, 2, &Value::Null));
    for (query, code) in [
        ("?verdict=x", "unknown_verdict"),
        ("?source=x", "unknown_source"),
        ("?order=x", "bad_parameter"),
        ("?x=1", "unknown_parameter"),
    ] {
        assert_eq!(get(query).await.problem(), (400, code));
    }
}

#[tokio::test]
async fn an_unknown_status_is_kept_mapped_and_run_again() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "maps").await;
    let api = shop.api();
    let made = shop.send(&order("M-1", "Awaiting Pickup")).await;
    assert_eq!((made.status, &made.body["tracking_status"]), (201, &json!("PENDING")), "everything else was taken");
    assert_eq!(made.body["customer_details"]["email"], "jane@example.com");
    shop.send(&order("M-2", "awaiting pickup")).await;
    let entry = shop.inbox().await.remove(1);
    assert_eq!((&entry["verdict"], &entry["result"]["unmapped"]), (&json!("unmapped"), &json!(["awaiting pickup"])));
    let set = json!({"theirs": " AWAITING pickup ", "ours": "packed"});
    let mapped = api.send(Method::PUT, "/api/v1/inbound-statuses", &set).await;
    assert_eq!(
        (mapped.status, &mapped.body["theirs"], &mapped.body["source"]),
        (200, &json!("awaiting pickup"), &json!("ordercast"))
    );
    assert_eq!(count(&api.get("/api/v1/inbound-statuses").await.body), 1);
    let path = format!("/api/v1/inbox/{}/rerun", entry["id"].as_str().expect("an id"));
    let rerun = api.post(&path, &json!({})).await;
    assert_eq!(
        (rerun.status, &rerun.body["verdict"], &rerun.body["runs"]),
        (200, &json!("updated"), &json!(2)),
        "{rerun:?}"
    );
    assert_eq!(shop.order("M-1").await["status"], "packed");
    assert_eq!(api.post(&path, &json!({})).await.body["verdict"], "unchanged", "twice is harmless");
    let range = json!({"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "verdict": "unmapped"});
    let all = api.post("/api/v1/inbox/rerun", &range).await;
    assert_eq!(
        (count(&all.body), &all.body["data"][0]["verdict"], &all.body["next"]),
        (1, &json!("updated"), &Value::Null),
        "{all:?}"
    );
    assert_eq!(shop.order("M-2").await["status"], "packed");
    // The trail tells of each run that somebody asked for: two of the first, and one of each in the range.
    let asked = "SELECT count(*) AS n FROM audit_log WHERE action = 'inbox.rerun' AND request_id IS NOT NULL \
         AND actor_kind = 'token' AND company_id IS NOT NULL";
    assert_eq!(number(&app.parts.db, asked).await, 3);
    assert_eq!(shop.send(&order("M-3", "awaiting pickup")).await.body["tracking_status"], "PACKED");
    // A company's own meaning goes before the usual one, also for a platform's words.
    api.send(
        Method::PUT,
        "/api/v1/inbound-statuses",
        &json!({"source": "woocommerce", "theirs": "completed", "ours": "delivered"}),
    )
    .await;
    let done = json!({"id": 5, "number": "W-5", "status": "completed", "currency": "USD", "total": "1.00"});
    shop.woocommerce("order.created", "d1", &done).await;
    assert_eq!(shop.order("W-5").await["status"], "delivered");
    api.send(Method::PUT, "/api/v1/inbound-statuses", &json!({"theirs": "internal", "ours": null})).await;
    shop.send(&order("M-4", "internal")).await;
    assert_eq!(shop.inbox().await[0]["verdict"], "created", "a word that means nothing is no riddle");
    let other = Merchant::new(&app, "elsewhere").await;
    assert_eq!(count(&other.api().get("/api/v1/inbound-statuses").await.body), 0);
    assert_eq!(other.api().delete("/api/v1/inbound-statuses?theirs=internal").await.problem(), (404, "not_found"));
    assert_eq!(api.delete("/api/v1/inbound-statuses?theirs=Internal").await.status, 204);
    assert_eq!(api.delete("/api/v1/inbound-statuses").await.problem(), (400, "required"));
    for bad in [json!({"theirs": "", "ours": "packed"}), json!({"theirs": "x".repeat(101), "ours": "packed"})] {
        assert_eq!(api.send(Method::PUT, "/api/v1/inbound-statuses", &bad).await.problem(), (400, "bad_word"));
    }
}

#[tokio::test]
async fn running_an_old_body_again_does_not_bring_old_details_back() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "old").await;
    let first = json!({"order_number": "O-1", "address": "Road 1", "tracking_status": "odd", "customer_details": {"email": "a@b.example"}});
    shop.send(&first).await;
    shop.send(&json!({"order_number": "O-1", "address": "Road 2"})).await;
    let api = shop.api();
    api.send(Method::PUT, "/api/v1/inbound-statuses", &json!({"theirs": "odd", "ours": "confirmed"})).await;
    let entry = shop.inbox().await.remove(1);
    let path = format!("/api/v1/inbox/{}/rerun", entry["id"].as_str().expect("an id"));
    assert_eq!(api.post(&path, &json!({})).await.body["verdict"], "updated");
    let order = shop.order("O-1").await;
    assert_eq!((&order["address"], &order["status"]), (&json!("Road 2"), &json!("confirmed")));
}

#[tokio::test]
async fn what_was_so_before_is_news_when_something_else_came_in_between() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "again").await;
    let at = |road: &str| json!({"order_number": "N-1", "address": road, "customer_details": {"email": "a@b.example"}});
    for (road, kept) in [("Road 1", 1), ("Road 2", 2), ("Road 1", 3), ("Road 1", 3), ("Road 2", 4)] {
        let answer = shop.send(&at(road)).await;
        assert_eq!((&answer.body["address"], shop.inbox().await.len()), (&json!(road), kept), "{answer:?}");
    }
    // The same at once is one, also where something else was in between.
    let body = at("Road 1");
    let answers = futures_util::future::join_all((0..20).map(|_| shop.send(&body))).await;
    assert!(
        answers.iter().all(|answer| (answer.status, &answer.body["address"]) == (200, &json!("Road 1"))),
        "{answers:?}"
    );
    assert_eq!(shop.inbox().await.len(), 5);
    // What is told of another order in between is nothing in between.
    assert_eq!(shop.send(&order("N-2", "PENDING")).await.status, 201);
    assert_eq!((shop.send(&body).await.status, shop.inbox().await.len()), (200, 6));
}

#[tokio::test]
async fn a_crash_between_keeping_and_taking_in_is_healed() {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse().expect("a time"));
    let app = TestApp::with(&[], clock.clone()).await;
    let shop = Merchant::new(&app, "crash").await;
    let nameless = json!({"customer_details": {"email": "jane@example.com"}, "item_summary": "1x Milk"});
    for body in [&nameless, &order("C-2", "PENDING")] {
        assert_eq!(shop.send(body).await.status, 201);
    }
    // As a crash leaves them: kept and not taken in, or taken in and not booked.
    run(&app.parts.db, "UPDATE inbox SET verdict = 'received', order_id = NULL, processed_at = NULL, result = '{}'")
        .await;
    let before = written(&app.parts.db).await;
    let webhooks = &app.parts.webhooks;
    assert_eq!(webhooks.heal().await.expect("a look"), 0, "whoever received it may still be at it");
    clock.advance(Duration::from_secs(31));
    webhooks.heal().await.expect("healed");
    assert_eq!(number(&app.parts.db, "SELECT count(*) AS n FROM inbox WHERE verdict = 'received'").await, 0);
    assert_eq!(written(&app.parts.db).await, before, "what had been made is not made again");
    // The same bodies, sent again meanwhile, are the same orders.
    run(&app.parts.db, "UPDATE inbox SET verdict = 'received', order_id = NULL, processed_at = NULL").await;
    assert_eq!(shop.send(&nameless).await.status, 200);
    assert_eq!(written(&app.parts.db).await, before);
    let sql = if app.parts.db.engine() == "sqlite" { "CAST(body AS text)" } else { "convert_from(body, 'UTF8')" };
    let new = order("C-3", "PENDING").to_string();
    let body = if app.parts.db.engine() == "sqlite" {
        format!("CAST('{new}' AS blob)")
    } else {
        format!("convert_to('{new}', 'UTF8')")
    };
    run(&app.parts.db, &format!("UPDATE inbox SET body = {body}, verdict = 'received' WHERE {sql} LIKE '%C-2%'")).await;
    clock.advance(Duration::from_secs(31));
    webhooks.heal().await.expect("healed");
    assert_eq!(shop.order("C-3").await["status"], "pending");
}

#[tokio::test]
async fn bodies_are_kept_as_long_as_the_setting_says() {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse().expect("a time"));
    let app = TestApp::with(&["--inbox-days=30"], clock.clone()).await;
    let shop = Merchant::new(&app, "sweeps").await;
    shop.send(&order("D-1", "PENDING")).await;
    clock.advance(Duration::from_secs(30 * 24 * 3600));
    shop.send(&order("D-2", "PENDING")).await;
    assert_eq!(app.parts.webhooks.sweep().await.expect("swept"), 0);
    clock.advance(Duration::from_secs(1));
    assert_eq!(app.parts.webhooks.sweep().await.expect("swept"), 1);
    assert_eq!(shop.inbox().await.len(), 1);
    assert_eq!(shop.order("D-1").await["number"], "D-1", "the order stays");
}

#[tokio::test]
async fn a_customer_who_wishes_to_be_forgotten_is() {
    let app = TestApp::start().await;
    let (shop, other) = (Merchant::new(&app, "forgets").await, Merchant::new(&app, "remembers").await);
    let full = json!({"order_number": "P-1", "tracking_status": "CONFIRMED", "address": "Secret Street 5", "item_summary": "1x Widget",
        "notes": "Ring at Doe's", "customer_details": {"name": "Jane Doe", "phone": "+1234567", "email": "Jane@example.com"}});
    let made = shop.send(&full).await;
    shop.send(&json!({"order_number": "P-1", "notes": "Ring at Doe's twice"})).await;
    shop.send(&json!({"order_number": "P-2", "customer_details": {"name": "John", "email": "john@example.com"}})).await;
    let theirs = other.send(&full).await;
    let id = made.body["customer_details"]["id"].as_i64().expect("a number");
    let path = format!("/api/v1/customers/{id}/personal-data");
    assert_eq!(other.api().delete(&path).await.problem(), (404, "not_found"));
    assert_eq!(shop.api().delete("/api/v1/customers/999999/personal-data").await.problem(), (404, "not_found"));
    assert_eq!(Caller::with(&app, "orders:read").await.delete(&path).await.problem(), (403, "forbidden"));
    let done = shop.api().delete(&path).await;
    assert_eq!((done.status, &done.body), (200, &json!({"orders": 1, "webhooks": 2})), "{done:?}");
    let order = shop.order("P-1").await;
    assert_eq!((&order["customer"], order.get("address"), order.get("notes")), (&json!({}), None, None));
    assert_eq!(
        (&order["status"], &order["item_summary"], &order["seq"]),
        (&json!("confirmed"), &json!("1x Widget"), &json!(2))
    );
    let events = shop.api().get("/api/v1/orders/P-1/events").await.body;
    assert_eq!(count(&events), 2, "nobody who follows along misses one");
    assert!(!events.to_string().contains("Doe"), "{events}");
    let personal = ["Jane", "Secret Street", "+1234567", "Jane@example.com"];
    for entry in shop.inbox().await {
        let full = shop.api().get(&format!("/api/v1/inbox/{}", entry["id"].as_str().expect("an id"))).await;
        assert!(personal.iter().all(|text| !full.body.to_string().contains(text)), "{full:?}");
        if entry["order"] == order["id"] {
            assert_eq!((&entry["verdict"], &full.body["body"]), (&json!("purged"), &json!("")));
            let rerun = shop
                .api()
                .post(&format!("/api/v1/inbox/{}/rerun", entry["id"].as_str().expect("an id")), &json!({}))
                .await;
            assert_eq!(rerun.problem(), (410, "purged"));
        }
    }
    assert_eq!(shop.order("P-2").await["customer"]["name"], "John", "others stay");
    let kept =
        other.api().get(&format!("/api/v1/orderreceptions/{}", theirs.body["id"].as_str().expect("an id"))).await;
    assert_eq!(kept.body, theirs.body, "another company's customer is another");
    let again = shop.api().delete(&path).await;
    assert_eq!((again.status, &again.body), (200, &json!({"orders": 0, "webhooks": 0})));
    let audits = "SELECT count(*) AS n FROM audit_log WHERE action = 'customer.forgotten'";
    assert_eq!(number(&app.parts.db, audits).await, 1);
    let back = shop.send(&json!({"order_number": "P-3", "customer_details": {"email": "jane@example.com"}})).await;
    assert_ne!(back.body["customer_details"]["id"], id, "who comes back is somebody new");
    let customer = Customer { email: Some("admin-made@example.com".into()), ..Customer::default() };
    app.order(NewOrder { customer, ..NewOrder::default() }).await;
    assert_eq!(
        number(&app.parts.db, "SELECT count(*) AS n FROM audit_log WHERE detail LIKE '%Secret Street%'").await,
        0
    );
}
