//! What customers may ask without an account: their order by a pass, and a link by number and e-mail.

use std::time::Duration;

use jiff::Timestamp;
use ordercast::base::Clock;
use ordercast::orders::{Customer, NewOrder};
use serde_json::json;

use crate::app::TestApp;
use crate::app::caller::Caller;

const ALL: &str = "orders:read,orders:write,orders:update_status";

fn order(number: &str) -> NewOrder {
    let customer = Customer {
        name: Some("Ayesha Rahman".into()),
        email: Some("ayesha@mail.com".into()),
        phone: Some("01700000000".into()),
        ..Customer::default()
    };
    let address = Some("Road 1234, Dhanmondi".into());
    NewOrder { number: Some(number.into()), customer, address, ..NewOrder::default() }
}

#[tokio::test]
async fn a_pass_shows_the_order_masked_and_all_its_events() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    app.order(order("T-1")).await;
    let pass = api.post("/api/v1/orders/T-1/tracking-pass", &json!({})).await;
    assert_eq!((pass.status, &pass.body["expires_at"]), (201, &json!(null)));
    let text = pass.body["pass"].as_str().unwrap();
    assert_eq!(pass.body["url"], format!("{}/track/{text}", app.url));
    api.post("/api/v1/orders/T-1/status", &json!({"status": "packed"})).await;
    let customer = Caller::bearing(&app, Some(text));
    let seen = customer.get("/api/v1/track").await;
    assert_eq!((seen.status, &seen.body["seq"], seen.header("cache-control")), (200, &json!(2), "no-store"));
    assert_eq!(seen.body["order"]["status"], "packed");
    assert_eq!(seen.body["events"].as_array().unwrap().len(), 2);
    assert_eq!(
        seen.body["order"]["customer"],
        json!({"name": "Ayesha R.", "email": "a•••@mail.com", "address": "Road 12••, Dhanmondi"})
    );
    for private in ["Rahman", "ayesha@", "1234", "01700000000"] {
        assert!(!seen.body.to_string().contains(private), "{private}");
    }
    assert_eq!(customer.get("/api/v1/orders/T-1").await.problem(), (401, "unauthenticated"), "a pass is no token");
}

#[tokio::test]
async fn a_pass_that_is_none_was_revoked_or_has_ended_is_told_apart() {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse::<Timestamp>().unwrap());
    let app = TestApp::with(&[], clock.clone()).await;
    let api = Caller::with(&app, ALL).await;
    app.order(order("T-1")).await;
    assert_eq!(Caller::bearing(&app, None).get("/api/v1/track").await.problem(), (401, "unauthenticated"));
    assert_eq!(Caller::bearing(&app, Some("nonsense")).get("/api/v1/track").await.problem(), (404, "not_found"));
    let wish = json!({"expires_at": "2026-11-21T10:00:00Z"});
    let short = api.post("/api/v1/orders/T-1/tracking-pass", &wish).await;
    let long = api.post("/api/v1/orders/T-1/tracking-pass", &json!({})).await;
    let path = format!("/api/v1/orders/T-1/tracking-pass/{}", short.body["id"].as_str().unwrap());
    clock.advance(Duration::from_secs(3600));
    let seen = async |pass: &serde_json::Value| {
        let answer = Caller::bearing(&app, pass["pass"].as_str()).get("/api/v1/track").await;
        (answer.status, answer.body["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(seen(&short.body).await, (410, "expired".into()));
    assert_eq!(seen(&long.body).await, (200, String::new()));
    assert_eq!(api.delete(&path).await.status, 204);
    assert_eq!(seen(&short.body).await, (410, "revoked".into()));
    assert_eq!(api.delete(&path).await.problem(), (404, "not_found"));
    assert_eq!(api.delete("/api/v1/orders/T-1/tracking-pass/x").await.problem(), (400, "bad_pass_id"));
    let list = api.get("/api/v1/orders/T-1/tracking-pass").await;
    assert_eq!(list.body["data"].as_array().unwrap().len(), 3, "the fixture made one too");
    let text = short.body["pass"].as_str().unwrap();
    assert!(!list.body.to_string().contains(text), "a pass is shown once");
    let past = api.post("/api/v1/orders/T-1/tracking-pass", &json!({"expires_at": "2020-01-01T00:00:00Z"})).await;
    assert_eq!(past.problem(), (400, "in_the_past"));
}

#[tokio::test]
async fn a_look_up_answers_the_same_whoever_asks() {
    let app = TestApp::start().await;
    app.order(order("T-1")).await;
    let nobody = Caller::bearing(&app, None);
    let mut answers = Vec::new();
    for (number, email) in [("T-1", "AYESHA@mail.com"), ("T-1", "other@mail.com"), ("T-2", "ayesha@mail.com"), ("", "")]
    {
        let answer = nobody.post("/api/v1/track/lookup", &json!({"number": number, "email": email})).await;
        answers.push((answer.status, answer.body));
    }
    assert_eq!(answers[0].0, 202);
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
    assert_eq!(nobody.post("/api/v1/track/lookup", &json!({"number": 1})).await.problem(), (400, "bad_field"));
}

#[tokio::test]
async fn carriers_are_guessed_from_a_number() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    let guesses = api.get("/api/v1/carriers/guess?number=1Z5R89390357567127").await;
    assert_eq!(guesses.body["data"][0]["carrier"], "UPS");
    assert_eq!(api.get("/api/v1/carriers/guess?number=hello").await.body["data"], json!([]));
    assert_eq!(api.get("/api/v1/carriers/guess").await.problem(), (400, "required"));
}
