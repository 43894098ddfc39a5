//! Many orders in one request: each row has its own result, and an atomic request is carried out whole or not at all.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::{Caller, send};

const ALL: &str = "orders:read,orders:write,orders:update_status,audit:read";

async fn make(api: &Caller<'_>, count: usize) {
    let orders: Vec<Value> = (0..count).map(|at| json!({"number": format!("B-{at}")})).collect();
    let made = api.post("/api/v1/orders/batch", &json!({"orders": orders})).await;
    assert_eq!((made.status, &made.body["succeeded"], &made.body["failed"]), (200, &json!(count), &json!(0)));
}

async fn position(api: &Caller<'_>, number: &str) -> (Value, Value) {
    let order = api.get(&format!("/api/v1/orders/{number}")).await.body;
    (order["status"].clone(), order["seq"].clone())
}

fn codes(answer: &Value) -> Vec<&str> {
    let code = |row: &'_ Value| row["problem"]["code"].is_null();
    let rows = answer["results"].as_array().unwrap();
    rows.iter().map(|row| if code(row) { "ok" } else { row["problem"]["code"].as_str().unwrap() }).collect()
}

#[tokio::test]
async fn five_hundred_orders_are_made_and_moved_in_one_request_each() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    make(&api, 500).await;
    for (atomic, status) in [(false, "paid"), (true, "packed")] {
        let updates: Vec<Value> = (0..500).map(|at| json!({"id": format!("B-{at}"), "status": status})).collect();
        let moved = api.post("/api/v1/orders/bulk-status", &json!({"updates": updates, "atomic": atomic})).await;
        assert_eq!((moved.status, &moved.body["succeeded"]), (200, &json!(500)), "{atomic}");
    }
    for at in [0, 250, 499] {
        assert_eq!(position(&api, &format!("B-{at}")).await, (json!("packed"), json!(3)));
    }
    let too_many: Vec<Value> = (0..501).map(|at| json!({"id": format!("B-{at}"), "status": "shipped"})).collect();
    let refused = api.post("/api/v1/orders/bulk-status", &json!({"updates": too_many})).await;
    assert_eq!(refused.problem(), (400, "too_many_rows"));
}

#[tokio::test]
async fn a_refused_row_spoils_nothing_for_the_others() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    make(&api, 3).await;
    let updates = json!([{"id": "B-0", "status": "paid"}, {"id": "nope", "status": "paid"}, {"status": "paid"},
        {"id": "B-1", "status": "lost"}, {"id": "B-1", "status": "shipped"}, {"id": "B-2", "status": "paid", "x": 1},
        {"id": " ", "status": "paid"}, {"id": "B-2", "status": "pending"}, 7]);
    let moved = api.post("/api/v1/orders/bulk-status", &json!({"updates": updates})).await;
    assert_eq!(
        codes(&moved.body),
        ["ok", "not_found", "required", "bad_field", "carrier_required", "bad_field", "bad_order_id", "ok", "required"]
    );
    assert_eq!((&moved.body["succeeded"], &moved.body["failed"]), (&json!(2), &json!(7)));
    assert_eq!(moved.body["results"][0]["previous_status"], "pending");
    assert_eq!(position(&api, "B-0").await, (json!("paid"), json!(2)));
    assert_eq!(position(&api, "B-2").await, (json!("pending"), json!(1)), "it had that status already");
}

#[tokio::test]
async fn an_atomic_request_is_carried_out_whole_or_not_at_all() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    make(&api, 3).await;
    for spoiler in [json!({"id": "B-2", "status": "shipped"}), json!({"id": "B-2", "status": "lost"})] {
        let updates = json!([{"id": "B-0", "status": "paid"}, {"id": "B-1", "status": "paid"}, spoiler]);
        let refused = api.post("/api/v1/orders/bulk-status", &json!({"updates": updates, "atomic": true})).await;
        assert_eq!(codes(&refused.body)[..2], ["not_applied", "not_applied"]);
        for number in ["B-0", "B-1", "B-2"] {
            assert_eq!(position(&api, number).await, (json!("pending"), json!(1)), "{number}");
        }
    }
    let trail = api.get("/api/v1/orders/B-0/audit").await;
    assert_eq!(trail.body["data"].as_array().unwrap().len(), 1, "what did not happen leaves no trace");
    let updates = json!([{"id": "B-0", "status": "paid"}, {"id": "B-0", "status": "packed"}]);
    let moved = api.post("/api/v1/orders/bulk-status", &json!({"updates": updates, "atomic": true})).await;
    assert_eq!(codes(&moved.body), ["ok", "ok"]);
    assert_eq!(position(&api, "B-0").await, (json!("packed"), json!(3)));
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    make(&api, 2).await;
    let updates = json!([{"id": "B-0", "status": "paid"}, {"id": "B-1", "status": "shipped"}]);
    for (atomic, expected) in [(false, ["ok", "carrier_required"]), (true, ["not_applied", "carrier_required"])] {
        let body = json!({"updates": updates, "dry_run": true, "atomic": atomic});
        let tried = api.post("/api/v1/orders/bulk-status", &body).await;
        assert_eq!((codes(&tried.body), &tried.body["dry_run"]), (expected.to_vec(), &json!(true)));
    }
    assert_eq!(position(&api, "B-0").await, (json!("pending"), json!(1)));
}

#[tokio::test]
async fn a_spreadsheet_moves_orders_too() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    make(&api, 2).await;
    let csv = "id,status,carrier,tracking_number,notes,expected_seq\r\n\
        B-0,Shipped,FedEx,986578788855,\"Left, at \"\"9\"\"\",1\r\nB-1,paid,,,,9\r\n";
    let post = |path: &str, body: &str| {
        send(api.request(Method::POST, path).header("content-type", "text/csv; charset=utf-8").body(body.to_owned()))
    };
    let tried = post("/api/v1/orders/bulk-status?dry_run=true", csv).await;
    assert_eq!(codes(&tried.body), ["ok", "seq_mismatch"]);
    let moved = post("/api/v1/orders/bulk-status", csv).await;
    assert_eq!(codes(&moved.body), ["ok", "seq_mismatch"]);
    let order = api.get("/api/v1/orders/B-0").await.body;
    assert_eq!((&order["notes"], &order["status"]), (&json!("Left, at \"9\""), &json!("shipped")));
    assert_eq!(post("/api/v1/orders/bulk-status", "id,id\nB-0,B-1").await.problem(), (400, "bad_csv"));
    assert_eq!(post("/api/v1/orders/bulk-status?atomic=perhaps", csv).await.problem(), (400, "bad_parameter"));
}

#[tokio::test]
async fn a_batch_makes_what_it_can() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    let orders = json!([{"number": "N-1", "external_id": "e"}, {"external_id": "e"}, {"number": "N-1"},
        {"number": 5}, {"company": "nobody"}, {"customer": {"email": "none"}}]);
    let made = api.post("/api/v1/orders/batch", &json!({"orders": orders})).await;
    assert_eq!(codes(&made.body), ["ok", "ok", "number_taken", "bad_field", "unknown_company", "bad_email"]);
    let created: Vec<&Value> = made.body["results"].as_array().unwrap().iter().map(|row| &row["created"]).collect();
    assert_eq!(created, [&json!(true), &json!(false), &json!(false), &json!(false), &json!(false), &json!(false)]);
}
