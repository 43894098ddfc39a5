//! Companies' own steps: checked, versioned, kept by the orders that began with them, and binding nobody else. And every
//! door through which a status changes, once each in history, audit trail and feed.

use std::collections::HashMap;

use ordercast::audit;
use ordercast::base::Actor;
use ordercast::orders::{Change, Order, OrderRef, Status};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::{Answer, Caller};
use crate::app::crew::{Crew, still};
use crate::app::people::{merchant, signed_in};
use crate::app::watcher::Watcher;
use crate::rows::number;

const WORKFLOWS: &str = "/api/v1/workflows";

#[tokio::test]
async fn a_workflow_is_checked_and_versioned_and_orders_keep_the_one_they_began_with() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    let (fixed, _) = crew.order(None).await;
    let refused = crew.follow(&["pending packed", "packed pending", "paid delivered"]).await;
    assert_eq!(refused.status, 400);
    let told: Vec<&str> =
        refused.body["errors"].as_array().expect("errors").iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(told, ["no_end", "second_initial", "no_end", "unreachable"], "{refused:?}");
    assert_eq!(crew.owner.get(WORKFLOWS).await.body, json!({"current": null, "data": []}));

    let first = crew.follow(&["paid processing", "processing delivered"]).await;
    assert_eq!((first.status, &first.body["version"]), (200, &json!(1)), "{first:?}");
    let again = crew.follow(&["paid processing", "processing delivered"]).await;
    assert_eq!(again.body, first.body, "what is so already makes no version");
    let (one, _) = crew.order(None).await;
    assert_eq!(one.status, Status::Paid, "it begins where the workflow does");
    assert_eq!(crew.follow(&["pending shipped", "shipped delivered", "shipped returned"]).await.body["version"], 2);
    let (two, _) = crew.order(None).await;
    assert_eq!(crew.owner.delete(WORKFLOWS).await.status, 204);
    assert_eq!(crew.owner.delete(WORKFLOWS).await.problem(), (404, "not_found"));
    let (three, _) = crew.order(None).await;

    for (order, allowed) in [(&fixed, "PACKED"), (&one, "PROCESSING"), (&two, "SHIPPED"), (&three, "PACKED")] {
        let refused = crew.step(order, &json!({"status": "returned"})).await;
        assert_eq!(refused.problem(), (400, "transition_refused"));
        let told = refused.body["detail"].as_str().expect("words").to_owned();
        assert!(told.ends_with(&format!("Allowed transitions: {allowed}")), "{told}");
        let stepped = crew.step(order, &json!({})).await;
        assert_eq!((stepped.status, &stepped.body["order"]["status"]), (200, &json!(allowed.to_lowercase())));
    }
    let listed = crew.owner.get(WORKFLOWS).await.body;
    assert_eq!(listed["current"], Value::Null);
    let versions: Vec<&Value> = listed["data"].as_array().expect("a list").iter().map(|one| &one["version"]).collect();
    assert_eq!(versions, [2, 1]);
    let rows = "SELECT count(*) AS n FROM audit_log WHERE subject = 'workflow'";
    assert_eq!(number(&app.parts.db, rows).await, 3, "set, set, given up");
}

#[tokio::test]
async fn whose_workflow_it_is_nobody_else_reads_or_sets() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    merchant(&app, "owner@laurel.example").await;
    let (other, _) = signed_in(&app, "owner@laurel.example").await;
    let steps = json!({"company": crew.company.to_string(), "initial": "pending", "edges": [{"from": "pending", "to": "delivered"}]});
    let path = format!("{WORKFLOWS}?company={}", crew.company);
    for answer in [
        other.send(Method::PUT, WORKFLOWS, &steps).await,
        other.get(&path).await,
        other.delete(&path).await,
        other.get(&format!("{WORKFLOWS}?company=nobody")).await,
    ] {
        assert_eq!(answer.problem(), (403, "forbidden"));
    }
    let system = Caller::with(&app, "admin").await;
    assert_eq!(system.send(Method::PUT, WORKFLOWS, &steps).await.status, 401, "people only");
    assert_eq!(crew.staff.send(Method::PUT, WORKFLOWS, &steps).await.status, 200);
    assert_eq!(crew.staff.get(&path).await.body["current"], 1);
    assert_eq!(crew.staff.get(WORKFLOWS).await.problem(), (400, "required"));
}

#[tokio::test]
async fn a_workflow_binds_the_people_of_its_company_and_nobody_else() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&["pending packed!", "packed shipped", "shipped delivered?"]).await;
    let system = Caller::with(&app, "orders:read,orders:write,orders:update_status").await;
    let set = async |caller: &Caller<'_>, id: String, body: Value| {
        let answer = caller.post(&format!("/api/v1/orders/{id}/status"), &body).await;
        (answer.status, answer.body["order"]["status"].as_str().unwrap_or_default().to_owned())
    };
    let (order, _) = crew.order(None).await;
    assert_eq!(set(&crew.owner, order.id.to_string(), json!({"status": "shipped"})).await.0, 400, "no such step");
    let path = format!("/api/vendor/orders/{}/status", order.id);
    let held = crew.owner.post(&path, &json!({"status": "PACKED"})).await;
    let told =
        json!({"success": true, "message": "Order status PACKED waits for approval", "currentStatus": "PENDING"});
    assert_eq!((held.status, held.body), (202, told), "the path of the reference does not go past a gate");
    assert_eq!(set(&system, order.id.to_string(), json!({"status": "packed"})).await, (200, "packed".into()));
    assert_eq!(set(&system, order.id.to_string(), json!({"status": "pending"})).await.0, 400, "forward by rank only");
    assert_eq!(set(&system, order.id.to_string(), json!({"status": "shipped"})).await.0, 400, "a carrier is required");
    assert_eq!(set(&crew.owner, order.id.to_string(), json!({"status": "shipped"})).await, (200, "shipped".into()));
    let courier = Actor::Courier("steadfast".into());
    let change = |status| Change { status: Some(status), ..Change::default() };
    let refused = app.parts.orders.advance(courier.clone(), OrderRef::Id(order.id), change(Status::Packed), None).await;
    assert!(refused.is_err(), "a courier never moves back");
    let done = app.parts.orders.advance(courier, OrderRef::Id(order.id), change(Status::Delivered), None).await;
    assert_eq!(done.expect("delivered").order.status, Status::Delivered);
    assert_eq!(
        set(&system, order.id.to_string(), json!({"status": "returned"})).await.0,
        400,
        "never out of delivered"
    );
    assert_eq!(set(&crew.staff, order.id.to_string(), json!({"status": "packed"})).await, (200, "packed".into()));
}

/// Every door a status can change through, on an order of its own: what each leaves behind in history, audit trail and
/// the feed of the company's people.
#[tokio::test]
async fn a_status_changed_through_any_door_is_told_once_in_history_audit_and_feed() {
    let (app, clock) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    let steps = ["pending packed", "packed shipped!", "shipped delivered?", "pending delivered?"];
    assert_eq!(crew.follow(&steps).await.status, 200);
    let mut feed = crew.feed().await;

    let mut orders = HashMap::new();
    for door in DOORS {
        orders.insert(door, crew.order((door == "courier").then_some(Status::Shipped)).await);
    }
    let order = |door: &str| &orders[door].0;
    let system = Caller::with(&app, "orders:read,orders:write,orders:update_status").await;

    ok(crew.staff.post(&format!("/api/v1/orders/{}/status", order("admin").id), &json!({"status": "shipped"})).await);
    ok(crew.owner.post(&format!("/api/v1/orders/{}/status", order("vendor").id), &json!({"status": "packed"})).await);
    let path = format!("/api/vendor/orders/{}/status", order("reference/003").id);
    ok(crew.owner.post(&path, &json!({"status": "PACKED"})).await);
    ok(crew.step(order("next step"), &json!({"status": "packed"})).await);
    let rows = json!({"rows": [{"id": order("next steps").id, "status": "packed"}]});
    ok(crew.owner.post("/api/v1/vendor/orders/next-steps", &rows).await);
    let updates = json!({"updates": [{"id": order("bulk").id, "status": "packed"}]});
    ok(crew.owner.post("/api/v1/orders/bulk-status", &updates).await);
    let update = json!({"orderId": order("update-order").id, "status": "confirmed"});
    ok(system.post("/api/update-order", &update).await);
    ok(system.post(&format!("/api/v1/orders/{}/status", order("token").id), &json!({"status": "paid"})).await);
    let change = |status| Change { status: Some(status), ..Change::default() };
    let webhook = Actor::Webhook { company: crew.company, source: "ordercast" };
    let courier = Actor::Courier("steadfast".into());
    for (door, actor, status) in [("webhook", webhook, Status::Shipped), ("courier", courier, Status::OutForDelivery)] {
        let done = app.parts.orders.advance(actor, OrderRef::Id(order(door).id), change(status), None).await;
        done.expect("a change");
    }
    ok(crew.step(order("approval"), &json!({"status": "packed"})).await);
    let held = crew.held(order("approval"), &json!({})).await;
    let path = format!("/api/v1/approvals/{}/approve", held["id"].as_str().expect("an id"));
    ok(crew.colleague.post(&path, &json!({})).await);
    by_customers(&app, &crew, &orders).await;
    clock.advance(std::time::Duration::from_secs(8 * 24 * 3600));
    app.parts.confirmations.sweep().await.expect("a sweep");
    are_told_once(&app, &orders, &mut feed).await;
}

type Orders = HashMap<&'static str, (Order, String)>;

/// The doors that open by a customer's word.
async fn by_customers(app: &TestApp, crew: &Crew<'_>, orders: &Orders) {
    let order = |door: &str| &orders[door].0;
    let pass = |door: &str| Caller::bearing(app, Some(&orders[door].1));
    for door in ["confirmation", "code", "dispute", "auto-confirm"] {
        crew.held(order(door), &json!({"status": "delivered"})).await;
    }
    ok(pass("confirmation").post("/api/v1/track/confirmation", &json!({"received": true})).await);
    let code = pass("code").get("/api/v1/track/confirmation").await.body["code"].clone();
    let path = format!("/api/v1/vendor/orders/{}/confirmation-code", order("code").id);
    ok(crew.owner.post(&path, &json!({"code": code})).await);
    ok(pass("dispute").post("/api/v1/track/confirmation", &json!({"received": false, "reason": "Empty"})).await);
    let disputes = crew.staff.get("/api/v1/admin/disputes").await;
    let path = format!("/api/v1/admin/disputes/{}/resolve", disputes.body["data"][0]["id"].as_str().expect("an id"));
    ok(crew.staff.post(&path, &json!({"outcome": "dismissed", "reason": "It was weighed"})).await);
}

/// Every event of these orders came once, and in its place, to the history, the audit trail and the feed.
async fn are_told_once(app: &TestApp, orders: &Orders, feed: &mut Watcher) {
    let mut told = HashMap::<String, Vec<i64>>::new();
    let expected: i64 = DOORS.iter().map(|door| 1 + moves(door)).sum();
    for _ in 0..expected {
        let event = feed.next_of("event").await;
        let id = event["order"].as_str().expect("an order").to_owned();
        told.entry(id).or_default().push(event["event"]["seq"].as_i64().expect("a seq"));
    }
    for door in DOORS {
        let (order, last) = (&orders[door].0, 1 + moves(door));
        let seqs: Vec<i64> = (1..=last).collect();
        let log = app.parts.timeline.events_since(order.id, 0, 100).await.expect("the log");
        assert_eq!(log.iter().map(|event| event.seq).collect::<Vec<_>>(), seqs, "{door}: history");
        let trail = audit::history(&app.parts.db, "order", order.id.to_string()).await.expect("the trail");
        let moved: Vec<i64> = trail
            .iter()
            .filter(|entry| matches!(entry.action.as_str(), "order.created" | "order.status_changed"))
            .map(|entry| entry.detail["seq"].as_i64().expect("a seq"))
            .collect();
        assert_eq!(moved, seqs, "{door}: audit");
        assert_eq!(told.remove(&order.id.to_string()), Some(seqs), "{door}: feed");
    }
    assert!(told.is_empty(), "{told:?}");
}

const DOORS: [&str; 15] = [
    "reference/003",
    "admin",
    "vendor",
    "next step",
    "next steps",
    "bulk",
    "update-order",
    "token",
    "webhook",
    "courier",
    "approval",
    "confirmation",
    "code",
    "dispute",
    "auto-confirm",
];

fn ok(answer: Answer) {
    assert!(answer.status < 300, "{answer:?}");
}

/// How often the order of a door is moved.
fn moves(door: &str) -> i64 {
    if door == "approval" { 2 } else { 1 }
}
