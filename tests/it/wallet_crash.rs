//! The ledger under load, under `kill -9`, and under a forger's hands.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use ordercast::base::id::OrderId;
use ordercast::base::{Clock, Error};
use ordercast::orders::{Change, OrderRef, Status};
use ordercast::wallet::verify::{LEDGER_WRONG, verify};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::app::TestApp;
use crate::app::instance::Deployment;
use crate::rows::{number, run};
use crate::wallet::{Market, admin, balance};

const ORDERS: i64 = 200;
const TASKS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_tasks_that_deliver_and_revert_the_same_orders_on_two_instances_leave_the_sums_right() {
    let (one, two) = TestApp::pair().await;
    let market = Market::on(one, Clock::System).await;
    let orders = join_all((0..ORDERS).map(|at| market.priced(Status::Shipped, (1000 + at * 10, "USD")))).await;
    let (orders, apps) = (Arc::new(orders), [market.app.parts.orders.clone(), two.parts.orders.clone()]);
    let storm = (0..TASKS).map(|task| {
        let (orders, apps) = (Arc::clone(&orders), apps.clone());
        tokio::spawn(async move {
            let mut random = rand::rngs::StdRng::seed_from_u64(task as u64);
            let mut mine: Vec<OrderId> = orders.to_vec();
            mine.shuffle(&mut random);
            let mut credited = 0;
            for (at, order) in mine.into_iter().enumerate() {
                let to = [Status::Delivered, Status::Shipped][random.random_range(0..2)];
                let change = Change { status: Some(to), ..Change::default() };
                let done = apps[(task + at) % 2].advance(admin(), OrderRef::Id(order), change, None).await;
                let done = done.expect("an admin may");
                assert_eq!(done.credited.is_some(), done.event.is_some() && to == Status::Delivered);
                credited += i64::from(done.credited.is_some());
            }
            credited
        })
    });
    let told: i64 = join_all(storm).await.into_iter().map(|task| task.expect("a task")).sum();
    let db = &market.app.parts.db;
    let (mut held, mut delivered) = (0, 0);
    for (at, order) in (0..).zip(orders.iter()) {
        let now = market.app.parts.timeline.get_order(&admin(), &OrderRef::Id(*order)).await.expect("an order");
        if now.status == Status::Delivered {
            held += (1000 + at * 10) * 9 / 10;
            delivered += 1;
        }
    }
    assert_eq!(market.balance("held", "USD").await, held);
    assert_eq!(balance(&market.app, "world/USD").await, -held * 10 / 9);
    let count = async |kind: &str| {
        number(db, &format!("SELECT count(*) AS n FROM ledger_transactions WHERE kind = '{kind}'")).await
    };
    let (credits, reversals) = (count("credit").await, count("reversal").await);
    assert_eq!((credits, credits - reversals), (told, delivered));
    assert!(credits > ORDERS, "{credits}: orders were delivered again and again");
    let report = verify(db).await.expect("the ledger is right");
    assert_eq!((report.credits, report.transactions), (delivered, credits + reversals));
}

/// What a forger does, how it is undone, and the words that find it.
type Case = (String, String, String);

/// Balances, postings and transactions.
fn with_the_ledger(held: &str) -> Vec<Case> {
    let is_world = "WHERE id = 'world/USD'";
    vec![
        (
            format!("UPDATE ledger_accounts SET balance = balance + 1 {is_world}"),
            format!("UPDATE ledger_accounts SET balance = balance - 1 {is_world}"),
            "The sum of all balances in USD: 1 is there, 0 is right.".into(),
        ),
        (
            format!(
                "UPDATE ledger_accounts SET balance = balance + CASE id WHEN '{held}' THEN 1 WHEN 'world/USD' THEN -1 ELSE 0 END"
            ),
            format!(
                "UPDATE ledger_accounts SET balance = balance - CASE id WHEN '{held}' THEN 1 WHEN 'world/USD' THEN -1 ELSE 0 END"
            ),
            format!("The balance of {held}: 901 is there, 900 is right."),
        ),
        (
            "UPDATE ledger_postings SET amount = amount + 1 WHERE amount = 100 AND credit_account = 'commission/USD'"
                .into(),
            "UPDATE ledger_postings SET amount = amount - 1 WHERE amount = 101 AND credit_account = 'commission/USD'"
                .into(),
            "The balance of commission/USD: 100 is there, 102 is right.".into(),
        ),
        (
            "UPDATE ledger_transactions SET currency = 'EUR' WHERE kind = 'reversal'".into(),
            "UPDATE ledger_transactions SET currency = 'USD' WHERE kind = 'reversal'".into(),
            "The currency of transaction".into(),
        ),
    ]
}

/// Where a credit stands, and the commission behind it.
fn with_the_credit(order: OrderId, of_mine: &str) -> Vec<Case> {
    vec![
        (
            format!("UPDATE order_credits SET vendor_amount = 901 {of_mine}"),
            format!("UPDATE order_credits SET vendor_amount = 900 {of_mine}"),
            format!("The vendor's part of the credit of order {order}: 900 is there, 901 is right."),
        ),
        (
            format!("UPDATE order_credits SET commission_amount = 99 {of_mine}"),
            format!("UPDATE order_credits SET commission_amount = 100 {of_mine}"),
            format!("The platform's part of the credit of order {order}: 100 is there, 99 is right."),
        ),
        (
            format!("UPDATE order_credits SET state = 'reversed' {of_mine}"),
            format!("UPDATE order_credits SET state = 'held' {of_mine}"),
            format!("What was taken back of order {order}: 0 is there, 1000 is right."),
        ),
        (
            format!("UPDATE order_credits SET state = 'available' {of_mine}"),
            format!("UPDATE order_credits SET state = 'held' {of_mine}"),
            format!("The transactions of order {order}: 1 is there, 2 is right."),
        ),
        (
            format!("UPDATE order_commissions SET amount = 90 {of_mine}"),
            format!("UPDATE order_commissions SET amount = 100 {of_mine}"),
            format!("The amounts credited for order {order}: 900 and 100 is there, 910 and 90 is right."),
        ),
    ]
}

/// Orders past the one door.
fn with_the_orders(order: OrderId, mine: &str, free: OrderId, free_id: &str) -> Vec<Case> {
    vec![
        (
            format!("UPDATE orders SET status = 'delivered', delivered_at = updated_at WHERE id = {free_id}"),
            format!("UPDATE orders SET status = 'shipped', delivered_at = NULL WHERE id = {free_id}"),
            format!("The open credits of the delivered order {free}: 0 is there, 1 is right."),
        ),
        (
            format!("UPDATE orders SET status = 'packed' WHERE id = {mine}"),
            format!("UPDATE orders SET status = 'delivered' WHERE id = {mine}"),
            format!("The status of the credited order {order}: packed is there, delivered is right."),
        ),
    ]
}

#[tokio::test]
async fn whoever_tampers_with_the_ledger_is_found_by_the_row() {
    let market = Market::open(&[]).await;
    let db = &market.app.parts.db;
    let order = market.priced(Status::Shipped, (1000, "USD")).await;
    let other = market.priced(Status::Shipped, (1000, "USD")).await;
    let third = market.order(Status::Shipped, Some((1000, "USD"))).await;
    market.set(admin(), order, Status::Delivered).await.expect("delivered");
    market.set(admin(), other, Status::Delivered).await.expect("delivered");
    market.set(admin(), other, Status::Shipped).await.expect("moved back");
    verify(db).await.expect("right");
    let is_sqlite = db.engine() == "sqlite";
    for table in ["ledger_postings", "ledger_transactions"] {
        let open = if is_sqlite {
            format!("DROP TRIGGER {table}_stay")
        } else {
            format!("ALTER TABLE {table} DISABLE TRIGGER USER")
        };
        run(db, &open).await;
    }
    let id = |order: OrderId| if is_sqlite { format!("x'{}'", order.0.simple()) } else { format!("'{order}'") };
    let cases = with_the_ledger(&format!("{}/USD/held", market.company))
        .into_iter()
        .chain(with_the_credit(order, &format!("WHERE order_id = {}", id(order))))
        .chain(with_the_orders(order, &id(order), third.id, &id(third.id)));
    for (tamper, undo, words) in cases {
        run(db, &tamper).await;
        let found = verify(db).await;
        let Err(Error::Conflict(wrong)) = found else { panic!("{tamper}: {found:?}") };
        assert_eq!(wrong.code, LEDGER_WRONG);
        assert!(wrong.message.starts_with(&words), "{tamper}: {}", wrong.message);
        run(db, &undo).await;
        verify(db).await.unwrap_or_else(|error| panic!("{undo}: {error}"));
    }
}

const CRASHES: usize = 5;

/// Only a broken server needs this long.
const DEADLINE: Duration = Duration::from_secs(180);

async fn call(address: &str, token: &str, method: &str, path: &str, body: Value) -> Value {
    let url = format!("http://{address}{path}");
    let request = reqwest::Client::new().request(method.parse().expect("a method"), url).bearer_auth(token);
    let request = if body.is_null() { request } else { request.json(&body) };
    let answer = request.send().await.expect("an answer").error_for_status().expect("success");
    answer.json().await.expect("JSON")
}

/// Delivers and reverts orders at random until told to stop; says how often it got through.
async fn write(
    addresses: Vec<String>,
    token: String,
    orders: Vec<String>,
    done: Arc<std::sync::atomic::AtomicUsize>,
    stop: watch::Receiver<bool>,
) {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().expect("a client");
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    while !*stop.borrow() {
        pace.tick().await;
        let (at, order, to) = {
            let mut random = rand::rng();
            let to = ["delivered", "shipped", "returned"][random.random_range(0..3)];
            (random.random_range(0..addresses.len()), random.random_range(0..orders.len()), to)
        };
        let url = format!("http://{}/api/v1/orders/{}/status", addresses[at], orders[order]);
        let body = json!({"status": to, "carrier": "FedEx"});
        // No answer and a 5xx leave open whether it was done; that is what the ledger must bear.
        if let Ok(answer) = http.post(url).bearer_auth(&token).json(&body).send().await {
            let code = answer.status().as_u16();
            assert!(code == 200 || code >= 500, "{code} {}", answer.text().await.unwrap_or_default());
            done.fetch_add(usize::from(code == 200), std::sync::atomic::Ordering::SeqCst);
        }
    }
}

#[tokio::test]
async fn after_instances_were_killed_while_money_moved_the_ledger_is_right() {
    let mut deployment = Deployment::on_this_stack().await;
    let (addresses, token) = (deployment.addresses(), deployment.token("admin"));
    let first = addresses[0].clone();
    let ask = async |method: &str, path: &str, body: Value| call(&first, &token, method, path, body).await;
    ask("POST", "/api/v1/commission-rates", json!({"basis_points": 1000})).await;
    let new = |at: i64| json!({"total": {"amount": 1000 + at * 10, "currency": "USD"}, "status": "shipped"});
    let made = ask("POST", "/api/v1/orders/batch", json!({"orders": (0..ORDERS).map(new).collect::<Vec<_>>()})).await;
    let made = made["results"].as_array().expect("results");
    let orders: Vec<String> = made.iter().map(|row| row["order"]["id"].as_str().expect("an id").to_owned()).collect();
    let company = made[0]["order"]["company"].as_str().expect("a company").to_owned();
    let terms = ask("PATCH", &format!("/api/v1/admin/companies/{company}"), json!({"is_marketplace": true})).await;
    assert_eq!(terms["is_marketplace"], true);
    let priced = ask("POST", "/api/v1/orders/commission", json!({})).await;
    assert_eq!(priced["calculated"], ORDERS, "{priced}");

    let (stop, stopped) = watch::channel(false);
    let done = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let writers: Vec<_> = (0..TASKS)
        .map(|_| {
            tokio::spawn(write(addresses.clone(), token.clone(), orders.clone(), Arc::clone(&done), stopped.clone()))
        })
        .collect();
    let count = || done.load(std::sync::atomic::Ordering::SeqCst);
    for crash in 0..=CRASHES {
        let target = count() + rand::rng().random_range(50..400);
        let mut look = tokio::time::interval(Duration::from_millis(2));
        let flowing = async {
            while count() < target {
                look.tick().await;
            }
        };
        tokio::time::timeout(DEADLINE, flowing).await.expect("updates go on");
        if crash < CRASHES {
            let nth = crash % addresses.len();
            deployment.kill(nth);
            // On PostgreSQL the other instance may be at work; the ledger is right at every moment.
            let proof = deployment.run(&["wallet", "verify"]);
            assert!(proof.status.success(), "{}", String::from_utf8_lossy(&proof.stderr));
            deployment.start_instance(nth);
        }
    }
    stop.send(true).expect("writers listen");
    for writer in writers {
        writer.await.expect("it wrote");
    }
    let proof = deployment.run(&["wallet", "verify"]);
    assert!(proof.status.success(), "{}", String::from_utf8_lossy(&proof.stderr));
    let mut held = 0;
    for (at, order) in (0..).zip(&orders) {
        let now = ask("GET", &format!("/api/v1/orders/{order}"), Value::Null).await;
        held += if now["status"] == "delivered" { (1000 + at * 10) * 9 / 10 } else { 0 };
    }
    let wallet = ask("GET", &format!("/api/v1/wallet?company={company}"), Value::Null).await;
    assert_eq!(wallet["balances"][0]["held"], held, "{wallet}");
}
