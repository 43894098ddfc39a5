//! What happens when a commit and its answer part ways: nothing twice, nothing lost, and whoever asks again gets it said.

use ordercast::base::Clock;
use ordercast::orders::{NewOrder, Order};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::{Answer, Caller, send};
use crate::app::cutter::{Cutter, Loss};
use crate::app::postgres::Cluster;
use crate::app::watcher::Watcher;
use crate::rows::number;

const ALL: &str = "orders:read,orders:write,orders:update_status";
const MARK: &str = "the van has left the yard";

// The cutter must go on while a test's own thread waits for its instance to stop: hence the threads.

/// An instance on PostgreSQL behind a cutter, whatever the stack of this run: SQLite has no answer to lose.
async fn behind_a_cutter() -> (TestApp, Cutter) {
    let cutter = Cutter::to(&Cluster::shared().database().await).await;
    let flag = format!("--database-url={}", cutter.url);
    (TestApp::with(&[&flag, "--log-check=1"], Clock::System).await, cutter)
}

async fn keyed(api: &Caller<'_>, path: &str, body: &Value) -> Answer {
    send(api.request(Method::POST, path).header("Idempotency-Key", "k").json(body)).await
}

async fn seqs(app: &TestApp, order: &Order) -> Vec<i64> {
    let events = app.parts.timeline.events_since(order.id, 0, 100).await.expect("the log");
    events.iter().map(|event| event.seq).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_whose_answer_is_lost_is_made_once_and_asking_again_is_a_repeat() {
    for (loss, made) in [(Loss::Answer, vec![1, 2]), (Loss::Commit, vec![1])] {
        let (app, cutter) = behind_a_cutter().await;
        let api = Caller::with(&app, ALL).await;
        let (order, pass) = app.order(NewOrder::default()).await;
        let (mut watcher, _) = Watcher::subscribe(&app.url, "", &json!({"pass": pass})).await;
        let path = format!("/api/v1/orders/{}/status", order.id);
        let body = json!({"status": "confirmed", "notes": MARK});

        cutter.cut(loss, MARK);
        let first = keyed(&api, &path, &body).await;
        assert!(!cutter.is_waiting(), "{loss:?}");
        assert_eq!(first.problem(), (503, "unavailable"), "{loss:?}");
        assert_eq!(first.header("retry-after"), "1");
        assert_eq!(seqs(&app, &order).await, made, "{loss:?}");

        let again = keyed(&api, &path, &body).await;
        assert_eq!((again.status, &again.body["order"]["status"]), (200, &json!("confirmed")), "{again:?}");
        assert_eq!(again.body["event"].is_object(), loss == Loss::Commit, "{loss:?}: {again:?}");
        let third = keyed(&api, &path, &body).await;
        assert_eq!((third.header("idempotency-hit"), &third.body["order"]), ("true", &again.body["order"]));
        assert_eq!(seqs(&app, &order).await, [1, 2], "{loss:?}");

        // What nobody announced is found in the log, before anything later is shown.
        assert_eq!(watcher.seqs(1).await, [2], "{loss:?}");
        app.note(&order, 1, "later").await;
        assert_eq!(watcher.seqs(1).await, [3], "{loss:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_answer_is_lost_is_made_once_whether_it_was_given_a_number_or_not() {
    for (loss, answered) in [(Loss::Answer, 200), (Loss::Commit, 201)] {
        for number in [None, Some("MB1031")] {
            let (app, cutter) = behind_a_cutter().await;
            let api = Caller::with(&app, ALL).await;
            let customer = json!({"email": "customer@shop.example"});
            let mut body = json!({"notes": MARK, "customer": customer, "total": {"amount": 950, "currency": "USD"}});
            let mut other = json!({"notes": "another order", "customer": customer});
            if let Some(number) = number {
                (body["number"], other["number"]) = (json!(number), json!(number));
            }
            cutter.cut(loss, MARK);
            assert_eq!(keyed(&api, "/api/v1/orders", &body).await.problem(), (503, "unavailable"), "{loss:?}");
            let again = keyed(&api, "/api/v1/orders", &body).await;
            assert_eq!(again.status, answered, "{loss:?}: {again:?}");
            let third = keyed(&api, "/api/v1/orders", &body).await;
            assert_eq!((third.header("idempotency-hit"), &third.body), ("true", &again.body));
            assert_eq!(number_of_orders(&app).await, 1, "{loss:?}");
            let other =
                send(api.request(Method::POST, "/api/v1/orders").header("Idempotency-Key", "l").json(&other)).await;
            assert_eq!(other.status, if number.is_some() { 409 } else { 201 }, "another order is no repeat: {other:?}");
        }
    }
}

async fn number_of_orders(app: &TestApp) -> i64 {
    number(&app.parts.db, "SELECT count(*) AS n FROM orders").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_earlier_system_s_update_is_made_once_too() {
    let (app, cutter) = behind_a_cutter().await;
    let token = app.token(ALL).await;
    let (order, _) = app.order(NewOrder::default()).await;
    let body = json!({"orderId": order.number, "status": "processing", "notes": MARK});
    cutter.cut(Loss::Answer, MARK);
    let (status, error) = app.post("/api/update-order", &token, &body).await;
    assert_eq!((status, error["error"].is_string(), cutter.is_waiting()), (503, true, false));
    let (status, again) = app.post("/api/update-order", &token, &body).await;
    assert_eq!((status, &again["order"]["status"]), (200, &json!("processing")), "{again}");
    assert_eq!(seqs(&app, &order).await, [1, 2]);
    let jobs = "SELECT count(*) AS n FROM audit_log WHERE subject = 'order' AND action LIKE '%status%'";
    assert_eq!(number(&app.parts.db, jobs).await, 1, "one change, one audit row");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_request_is_under_way_its_key_is_taken() {
    let cluster = Cluster::shared();
    let url = cluster.database().await;
    let app = TestApp::with(&[&format!("--database-url={url}")], Clock::System).await;
    let api = Caller::with(&app, ALL).await;
    let (order, _) = app.order(NewOrder::default()).await;
    let path = format!("/api/v1/orders/{}/status", order.id);
    let body = json!({"status": "confirmed"});

    // Somebody else holds the order's row, so that the first request cannot get on.
    let (holder, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a connection");
    let driver = tokio::spawn(connection);
    holder.batch_execute("BEGIN; SELECT id FROM orders FOR UPDATE").await.expect("the rows are held");
    let mut first = Box::pin(keyed(&api, &path, &body));
    let waiting =
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    tokio::select! {
        early = &mut first => panic!("answered while the order was held: {early:?}"),
        () = async { while number(&app.parts.db, waiting).await == 0 {} } => {}
    }
    tokio::select! {
        early = &mut first => panic!("answered while the order was held: {early:?}"),
        second = keyed(&api, &path, &body) => {
            assert_eq!(second.problem(), (409, "idempotency_under_way"));
            assert_eq!(second.header("retry-after"), "1");
        }
    }
    holder.batch_execute("COMMIT").await.expect("the rows are free");
    let first = first.await;
    assert_eq!((first.status, &first.body["order"]["status"]), (200, &json!("confirmed")), "{first:?}");
    let third = keyed(&api, &path, &body).await;
    assert_eq!((third.header("idempotency-hit"), &third.body), ("true", &first.body));
    assert_eq!(seqs(&app, &order).await, [1, 2]);
    drop(holder);
    driver.await.expect("the driver ends").expect("the connection ended well");
}
