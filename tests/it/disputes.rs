//! The money of an order whose customer objects: it is kept until somebody has decided, whichever comes first.

use std::time::Duration;

use ordercast::base::id::OrderId;
use ordercast::base::{Clock, Money};
use ordercast::orders::{NewOrder, Order, OrderRef, Status};
use ordercast::wallet::verify::verify;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::Caller;
use crate::app::crew::{Crew, still};
use crate::wallet::{admin, balance};

const CONFIRMATION: &str = "/api/v1/track/confirmation";

/// A vendor whose deliveries its customers confirm, at ten percent.
async fn shop<'a>(app: &'a TestApp, name: &str) -> Crew<'a> {
    let crew = Crew::hire(app, name).await;
    crew.follow(&["shipped delivered?", "shipped returned"]).await;
    app.parts.money.rates.set(admin(), None, None, 1000, None, None).await.expect("a rate");
    crew
}

/// An order whose commission is calculated and whose customer is asked; who asks, and the question.
async fn asked<'a>(app: &'a TestApp, crew: &Crew<'a>) -> (Order, Caller<'a>, Value) {
    let total = Money::new(1000, "USD");
    let new = NewOrder { company: crew.company, total, status: Some(Status::Shipped), ..NewOrder::default() };
    let order = app.parts.orders.create(admin(), new, None).await.expect("an order").order;
    app.parts.money.commissions.calculate(admin(), &OrderRef::Id(order.id), None).await.expect("a commission");
    let (_, pass) = app.parts.passes.create(order.id, None).await.expect("a pass");
    let held = crew.held(&order, &json!({"status": "delivered"})).await;
    (order, Caller::bearing(app, Some(&pass)), held)
}

async fn object(customer: &Caller<'_>) {
    let objection = json!({"received": false, "reason": "The box was empty"});
    assert_eq!(customer.post(CONFIRMATION, &objection).await.status, 200);
}

async fn set(crew: &Crew<'_>, order: &Order, status: &str) {
    let answer = crew.staff.post(&format!("/api/v1/orders/{}/status", order.id), &json!({"status": status})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn decide(crew: &Crew<'_>, held: &Value, outcome: &str) {
    let path = format!("/api/v1/admin/disputes/{}/resolve", held["id"].as_str().expect("an id"));
    let answer = crew.staff.post(&path, &json!({"outcome": outcome, "reason": "There is a picture"})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// What is held and what is available.
async fn purse(app: &TestApp, crew: &Crew<'_>) -> (i64, i64) {
    let of = |which: &str| format!("{}/USD/{which}", crew.company);
    (balance(app, &of("held")).await, balance(app, &of("available")).await)
}

/// The days of hold go by; what may be released is. The people of the shop, signed in anew.
async fn wait<'a>(app: &'a TestApp, clock: &Clock, crew: Crew<'a>, name: &str) -> Crew<'a> {
    clock.advance(Duration::from_secs(8 * 24 * 3600));
    app.parts.money.wallets.release_due().await.expect("a sweep");
    verify(&app.parts.db).await.expect("the ledger is right");
    crew.back(app, name).await
}

/// What the audit trail says of an order's money.
async fn trail(app: &TestApp, crew: &Crew<'_>, order: OrderId) -> Vec<String> {
    let all = ordercast::audit::history(&app.parts.db, "wallet", crew.company.to_string()).await.expect("the trail");
    let own = all.into_iter().filter(|entry| entry.detail["order"] == order.to_string());
    own.map(|entry| entry.action).collect()
}

#[tokio::test]
async fn an_objection_to_a_delivered_order_freezes_its_credit_until_it_is_dismissed() {
    let (app, clock) = still().await;
    let crew = shop(&app, "juniper").await;
    // The courier has brought it while the customer is still being asked.
    let (order, customer, held) = asked(&app, &crew).await;
    set(&crew, &order, "delivered").await;
    assert_eq!(purse(&app, &crew).await, (900, 0));
    for _ in 0..2 {
        object(&customer).await;
    }
    let crew = wait(&app, &clock, crew, "juniper").await;
    assert_eq!(purse(&app, &crew).await, (900, 0), "its days are over, and it is not released");
    let confirmed = customer.post(CONFIRMATION, &json!({"received": true})).await;
    assert_eq!(confirmed.problem(), (409, "disputed"));
    decide(&crew, &held, "dismissed").await;
    assert_eq!(crew.position(&order).await, ("delivered".into(), 2), "it was delivered already");
    let crew = wait(&app, &clock, crew, "juniper").await;
    assert_eq!(purse(&app, &crew).await, (0, 900));
    let told = ["wallet.credited", "wallet.frozen", "wallet.unfrozen", "wallet.released"];
    assert_eq!(trail(&app, &crew, order.id).await, told);
}

#[tokio::test]
async fn what_is_delivered_while_the_customer_objects_is_held_from_the_first_moment() {
    let (app, clock) = still().await;
    let crew = shop(&app, "juniper").await;
    let (order, customer, held) = asked(&app, &crew).await;
    object(&customer).await;
    assert_eq!(purse(&app, &crew).await, (0, 0));
    set(&crew, &order, "delivered").await;
    let crew = wait(&app, &clock, crew, "juniper").await;
    assert_eq!(purse(&app, &crew).await, (900, 0));
    decide(&crew, &held, "upheld").await;
    let crew = wait(&app, &clock, crew, "juniper").await;
    assert_eq!(purse(&app, &crew).await, (900, 0), "the customer is right: the vendor does not get it");
    set(&crew, &order, "returned").await;
    assert_eq!(purse(&app, &crew).await, (0, 0));
    verify(&app.parts.db).await.expect("the ledger is right");
    assert_eq!(trail(&app, &crew, order.id).await, ["wallet.credited", "wallet.frozen", "wallet.reversed"]);
}

#[tokio::test]
async fn a_dismissed_objection_delivers_and_its_credit_is_released_when_its_days_are_over() {
    let (app, clock) = still().await;
    let crew = shop(&app, "juniper").await;
    let (order, customer, held) = asked(&app, &crew).await;
    object(&customer).await;
    decide(&crew, &held, "dismissed").await;
    assert_eq!(crew.position(&order).await, ("delivered".into(), 2));
    assert_eq!(purse(&app, &crew).await, (900, 0), "the customer did not say to have it");
    let crew = wait(&app, &clock, crew, "juniper").await;
    assert_eq!(purse(&app, &crew).await, (0, 900));
}

#[tokio::test]
async fn staff_freezes_unfreezes_and_releases_by_hand_and_says_why() {
    let (app, clock) = still().await;
    let crew = shop(&app, "juniper").await;
    let (order, ..) = asked(&app, &crew).await;
    let path = format!("/api/v1/admin/orders/{}/credit", order.id);
    let act = async |crew: &Crew<'_>, act: &str| {
        crew.staff.post(&path, &json!({"act": act, "reason": "The customer has called"})).await
    };
    assert_eq!(act(&crew, "freeze").await.problem(), (409, "not_held"), "nothing is credited yet");
    set(&crew, &order, "delivered").await;
    assert_eq!(crew.owner.post(&path, &json!({"act": "release", "reason": "x"})).await.problem(), (403, "forbidden"));
    assert_eq!(crew.staff.post(&path, &json!({"act": "release", "reason": " "})).await.problem(), (400, "bad_reason"));
    for _ in 0..2 {
        let frozen = act(&crew, "freeze").await;
        assert_eq!((frozen.status, &frozen.body["credit"]["held_by_dispute"]), (200, &json!(true)), "{frozen:?}");
    }
    assert_eq!(act(&crew, "release").await.problem(), (409, "not_held"), "it is in dispute");
    let crew = wait(&app, &clock, crew, "juniper").await;
    assert_eq!(purse(&app, &crew).await, (900, 0));
    assert_eq!(act(&crew, "unfreeze").await.body["credit"]["held_by_dispute"], false);
    for _ in 0..2 {
        let released = act(&crew, "release").await;
        assert_eq!((released.status, &released.body["credit"]["state"]), (200, &json!("available")), "{released:?}");
    }
    assert_eq!(purse(&app, &crew).await, (0, 900));
    assert_eq!(act(&crew, "freeze").await.problem(), (409, "not_held"), "too late");
    let told = ["wallet.credited", "wallet.frozen", "wallet.unfrozen", "wallet.released"];
    assert_eq!(trail(&app, &crew, order.id).await, told);
    let all = ordercast::audit::history(&app.parts.db, "wallet", crew.company.to_string()).await.expect("the trail");
    let why = all.iter().filter(|entry| entry.detail["reason"] == "The customer has called").count();
    assert_eq!(why, 3, "{all:?}");
    verify(&app.parts.db).await.expect("the ledger is right");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_an_objection_and_a_delivery_at_the_same_moment_neither_misses_the_other() {
    let (app, clock) = still().await;
    let twin = app.beside(&["--rate-guess=0", "--rate-public=0", "--rate-api=0"], clock.clone()).await;
    let crew = shop(&app, "juniper").await;
    let mut orders = Vec::new();
    for _ in 0..12 {
        let (order, customer, _) = asked(&app, &crew).await;
        let (path, there) = (format!("/api/v1/orders/{}/status", order.id), crew.staff.at(&twin));
        let body = json!({"status": "delivered"});
        let (delivered, ()) = tokio::join!(there.post(&path, &body), object(&customer));
        assert_eq!(delivered.status, 200, "{delivered:?}");
        orders.push(order);
    }
    let crew = wait(&app, &clock, crew, "juniper").await;
    assert_eq!(purse(&app, &crew).await, (12 * 900, 0), "all of it is kept");
}
