//! A company's people and their own orders: found, moved step by step, packed, and followed live.

use ordercast::base::Actor;
use ordercast::orders::{Customer, Item, NewOrder, Status};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::Caller;
use crate::app::crew::{Crew, still};
use crate::app::people::{merchant, signed_in};
use crate::rows::written;

const TESTS: Actor = Actor::System("tests");
const BULK: &str = "/api/v1/vendor/orders/next-steps";

async fn other(app: &TestApp) -> (Caller<'_>, String) {
    let (_, company) = merchant(app, "owner@laurel.example").await;
    let new = NewOrder { company, number: Some("L-1".into()), ..NewOrder::default() };
    let order = app.parts.orders.create(TESTS, new, None).await.expect("an order").order;
    (signed_in(app, "owner@laurel.example").await.0, order.id.to_string())
}

#[tokio::test]
async fn people_see_their_own_orders_in_pages_and_systems_do_not_come_this_way() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    let (stranger, _) = other(&app).await;
    for _ in 0..5 {
        crew.order(Some(Status::Paid)).await;
    }
    crew.order(Some(Status::Packed)).await;
    let mut found = Vec::new();
    let mut path = "/api/v1/vendor/orders?status=paid&limit=2".to_owned();
    loop {
        let page = crew.owner.get(&path).await.body;
        found.extend(page["data"].as_array().expect("a page").iter().map(|order| order["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/vendor/orders?status=paid&limit=2&after={next}");
    }
    found.sort_by_key(Value::to_string);
    found.dedup();
    assert_eq!(found.len(), 5);
    assert_eq!(stranger.get("/api/v1/vendor/orders").await.body["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(crew.staff.get("/api/v1/vendor/orders").await.problem(), (403, "forbidden"));
    let system = Caller::with(&app, "admin,orders:read").await;
    assert_eq!(system.get("/api/v1/vendor/orders").await.problem(), (401, "unauthenticated"));
}

#[tokio::test]
async fn the_next_step_is_told_and_taken_in_one_call() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    let (order, _) = crew.order(None).await;
    let steps = format!("/api/v1/vendor/orders/{}/next-steps", order.id);
    let told = crew.owner.get(&steps).await.body;
    assert_eq!(told["next"], json!([{"status": "packed", "label": "Packed", "fields": []}]));
    let taken = crew.step(&order, &json!({})).await;
    assert_eq!((taken.status, &taken.body["order"]["status"]), (200, &json!("packed")));
    let told = crew.owner.get(&steps).await.body;
    assert_eq!((&told["seq"], &told["next"][0]["fields"][0]["name"]), (&json!(2), &json!("carrier")));
    let parcel = json!({"carrier": "FedEx", "tracking_number": "986578788855", "expected_seq": 2});
    assert_eq!(crew.step(&order, &parcel).await.body["order"]["carrier"], "FedEx");
    assert_eq!(crew.step(&order, &parcel).await.problem(), (409, "seq_mismatch"), "not two steps by a double click");
    assert_eq!(crew.step(&order, &json!({"status": "pending"})).await.problem(), (400, "transition_refused"));
    assert_eq!(crew.step(&order, &json!({"status": "shipped"})).await.status, 200, "it has that status");
    assert_eq!(crew.step(&order, &json!({"status": "lost"})).await.status, 400);
    assert_eq!(crew.position(&order).await, ("shipped".into(), 3));
    crew.follow(&["pending packed", "pending cancelled", "packed delivered"]).await;
    let (order, _) = crew.order(None).await;
    assert_eq!(crew.step(&order, &json!({})).await.problem(), (400, "status_required"), "there are two");
    let cancelled = json!({"status": "cancelled", "cancellation_reason": "Out of stock"});
    assert_eq!(crew.step(&order, &cancelled).await.body["order"]["cancellation_reason"], "Out of stock");
    assert_eq!(crew.step(&order, &json!({})).await.problem(), (409, "no_next_step"));
}

#[tokio::test]
async fn of_two_who_take_the_only_step_at_once_one_takes_it() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    for _ in 0..10 {
        let (order, _) = crew.order(None).await;
        let path = format!("/api/v1/vendor/orders/{}/next-step", order.id);
        let body = json!({"expected_seq": 1});
        let (one, two) = tokio::join!(crew.owner.post(&path, &body), crew.colleague.post(&path, &body));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        assert_eq!(crew.position(&order).await, ("packed".into(), 2));
    }
}

#[tokio::test]
async fn five_hundred_next_steps_are_taken_in_one_request_each_row_by_itself() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    let (_, foreign) = other(&app).await;
    let orders: Vec<Value> = (0..500).map(|at| json!({"number": format!("V-{at}")})).collect();
    let made = crew.owner.post("/api/v1/orders/batch", &json!({"orders": orders})).await;
    assert_eq!(made.body["succeeded"], 500, "{made:?}");
    let before = written(&app.parts.db).await;
    let rows: Vec<Value> = (0..500).map(|at| json!({"id": format!("V-{at}")})).collect();
    let tried = crew.owner.post(BULK, &json!({"rows": rows, "dry_run": true})).await;
    assert_eq!((&tried.body["succeeded"], &tried.body["dry_run"]), (&json!(500), &json!(true)), "{tried:?}");
    assert_eq!(tried.body["results"][0]["status"], "packed", "what would be");
    assert_eq!(written(&app.parts.db).await, before);
    let done = crew.owner.post(BULK, &json!({"rows": rows})).await;
    assert_eq!((&done.body["succeeded"], &done.body["failed"]), (&json!(500), &json!(0)));
    let after = written(&app.parts.db).await;
    assert_eq!((after.events, after.audits), (before.events + 500, before.audits + 500));
    let mixed = json!([{"id": "V-0"}, {"id": foreign}, {"id": "nope"}, {"status": "packed"}, {"id": "V-1", "status": "paid"},
        {"id": "V-2", "expected_seq": 1}, {"id": "V-3", "x": 1}, 7]);
    let done = crew.owner.post(BULK, &json!({"rows": mixed})).await;
    let codes: Vec<&str> = done.body["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|row| row["problem"]["code"].as_str().unwrap_or("ok"))
        .collect();
    assert_eq!(
        codes,
        ["ok", "not_found", "not_found", "required", "transition_refused", "seq_mismatch", "bad_field", "required"]
    );
    let many: Vec<Value> = (0..501).map(|at| json!({"id": format!("V-{at}")})).collect();
    assert_eq!(crew.owner.post(BULK, &json!({"rows": many})).await.problem(), (400, "too_many_rows"));
}

#[tokio::test]
async fn a_bulk_row_that_must_wait_says_for_whom() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&["pending packed!", "packed delivered"]).await;
    let (order, _) = crew.order(None).await;
    let rows = json!({"rows": [{"id": order.id}], "dry_run": true});
    let tried = crew.owner.post(BULK, &rows).await.body["results"][0].clone();
    assert_eq!((&tried["ok"], &tried["held"]["gate"]), (&json!(true), &json!("approval")));
    assert_eq!(crew.owner.get("/api/v1/approvals").await.body["data"], json!([]), "nothing waits by a dry run");
    let done = crew.owner.post(BULK, &json!({"rows": [{"id": order.id}]})).await.body["results"][0].clone();
    assert_eq!((&done["status"], &done["held"]["state"]), (&json!("pending"), &json!("waiting")));
    assert_eq!(crew.owner.get("/api/v1/approvals").await.body["data"][0], done["held"]);
}

async fn to_pack(app: &TestApp, crew: &Crew<'_>, number: &str, to: &str, items: &[(&str, u32)]) {
    let item = |(name, qty): &(&str, u32)| Item {
        name: (*name).to_owned(),
        qty: *qty,
        unit_price: None,
        image_url: None,
        category: None,
    };
    let new = NewOrder {
        company: crew.company,
        number: Some(number.into()),
        status: Some(Status::Paid),
        customer: Customer { name: Some(to.into()), phone: Some("+8801711".into()), ..Customer::default() },
        address: Some("Road 1, Dhaka".into()),
        items: items.iter().map(item).collect(),
        ..NewOrder::default()
    };
    app.parts.orders.create(TESTS, new, None).await.expect("an order");
}

#[tokio::test]
async fn the_packing_list_groups_by_place_counts_items_and_is_harmless_in_a_spreadsheet() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    other(&app).await;
    to_pack(&app, &crew, "P-1", "Jane", &[("Lamp", 2), ("=cmd|'/C calc'!A0", 1)]).await;
    to_pack(&app, &crew, "P-2", "Ali", &[("Lamp", 1)]).await;
    to_pack(&app, &crew, "P-3", "jane ", &[("Lamp", 3), ("Lamp", 1)]).await;
    crew.order(Some(Status::Shipped)).await;
    let list = crew.owner.get("/api/v1/vendor/packing-list").await.body;
    let groups: Vec<Vec<&str>> = list["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .map(|group| {
            group["orders"].as_array().expect("orders").iter().map(|one| one["number"].as_str().unwrap()).collect()
        })
        .collect();
    assert_eq!(groups, [vec!["P-1", "P-3"], vec!["P-2"]]);
    assert_eq!(list["orders"], 3);
    let lamps = json!({"name": "Lamp", "qty": 7, "orders": 3});
    assert!(list["totals"].as_array().expect("totals").contains(&lamps), "{list}");
    let answer =
        crew.owner.request(Method::GET, "/api/v1/vendor/packing-list?format=csv").send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    let text = answer.text().await.expect("text");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "group,order,status,name,phone,address,item,qty,carrier,notes");
    assert_eq!(lines[1], "1,P-1,paid,Jane,\"'+8801711\",\"Road 1, Dhaka\",Lamp,2,,");
    assert_eq!(lines[2], "1,P-1,paid,Jane,\"'+8801711\",\"Road 1, Dhaka\",\"'=cmd|'/C calc'!A0\",1,,");
    assert_eq!(lines.len(), 6, "{text}");
    let packed = crew.owner.get("/api/v1/vendor/packing-list?status=shipped").await.body;
    assert_eq!(packed["orders"], 1);
    assert_eq!(crew.owner.get("/api/v1/vendor/packing-list?format=xml").await.problem(), (400, "bad_parameter"));
    let first = crew.owner.get("/api/v1/vendor/packing-list?limit=2").await.body;
    let next = first["next"].as_str().expect("more");
    let rest = crew.owner.get(&format!("/api/v1/vendor/packing-list?limit=2&after={next}")).await.body;
    assert_eq!((&rest["orders"], &rest["next"]), (&json!(1), &Value::Null));
}

#[tokio::test]
async fn the_live_feed_of_people_tells_their_own_orders_only() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    let (stranger, foreign) = other(&app).await;
    let (order, _) = crew.order(None).await;
    let mut feed = crew.feed().await;
    let path = format!("/api/v1/vendor/orders/{foreign}/next-step");
    assert_eq!(stranger.post(&path, &json!({})).await.status, 200);
    assert_eq!(crew.step(&order, &json!({})).await.status, 200);
    let event = feed.next_of("event").await;
    assert_eq!((&event["order"], &event["event"]["status"]), (&json!(order.id), &json!("packed")), "{event}");
}
