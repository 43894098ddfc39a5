//! What a customer wants to hear of: mail about an order, switched off and on with its pass.

use ordercast::audit;
use ordercast::base::Clock;
use ordercast::orders::{Customer, NewOrder, Order, Status};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::Caller;
use crate::app::post_office::PostOffice;

const CHOICE: &str = "/api/v1/track/preferences";

async fn order(app: &TestApp) -> (Order, String) {
    let customer = Customer { email: Some("ayesha@mail.example".into()), ..Customer::default() };
    app.order(NewOrder { status: Some(Status::Paid), customer, ..NewOrder::default() }).await
}

/// What the audit trail says of the choices made.
async fn choices(app: &TestApp, order: &Order) -> Vec<(String, Value)> {
    let trail = audit::history(&app.parts.db, "order", order.id.to_string()).await.expect("the trail");
    let about_mail = trail.into_iter().filter(|entry| entry.action.starts_with("order.mail"));
    about_mail.map(|entry| (entry.action, entry.detail["mail"].clone())).collect()
}

#[tokio::test]
async fn who_wants_no_mail_about_an_order_gets_none_until_it_is_wanted_again() {
    let mut office = PostOffice::open();
    let app = TestApp::with(&[&office.flag()], Clock::System).await;
    let (order, pass) = order(&app).await;
    let (customer, system) = (Caller::bearing(&app, Some(&pass)), Caller::with(&app, "admin").await);
    let path = format!("/api/v1/orders/{}/status", order.id);

    assert_eq!(customer.get(CHOICE).await.body, json!({"mail": true}));
    for _ in 0..2 {
        let done = customer.send(Method::PATCH, CHOICE, &json!({"mail": false})).await;
        assert_eq!((done.status, done.body), (200, json!({"mail": false})));
    }
    assert_eq!(customer.get(CHOICE).await.body, json!({"mail": false}));
    assert_eq!(system.post(&path, &json!({"status": "processing"})).await.status, 200);
    // The letter that is not to be sent must have been thought of before the choice is taken back.
    while app.parts.jobs.counts().await.expect("counts").queued > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(customer.send(Method::PATCH, CHOICE, &json!({"mail": true})).await.status, 200);
    assert_eq!(system.post(&path, &json!({"status": "shipped", "carrier": "FedEx"})).await.status, 200);
    let mail = office.next().await;
    assert_eq!(mail.header("Subject"), Some("Your order has shipped!"));
    assert!(mail.text.contains("/mail"), "{}", mail.text);
    assert_eq!(mail.header("List-Unsubscribe-Post"), Some("List-Unsubscribe=One-Click"));
    assert!(office.is_empty());

    let trail = [("order.mail_stopped".to_owned(), json!(false)), ("order.mail_resumed".to_owned(), json!(true))];
    assert_eq!(choices(&app, &order).await, trail, "and a repeat is not written down");
    for bad in [json!({}), json!({"mail": "no"}), json!({"mail": true, "sms": true})] {
        assert_eq!(customer.send(Method::PATCH, CHOICE, &bad).await.status, 400, "{bad}");
    }
    assert_eq!(Caller::bearing(&app, None).get(CHOICE).await.status, 401);
    assert_eq!(Caller::bearing(&app, Some("nonsense")).get(CHOICE).await.status, 404);
}

#[tokio::test]
async fn the_mail_switch_works_as_a_form_and_for_mail_programs() {
    let app = TestApp::start().await;
    let (order, pass) = order(&app).await;
    let path = format!("{}/track/{pass}/mail", app.url);
    let send = async |body: &'static str| {
        let request = app.http.post(&path).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(body).send().await.expect("an answer");
        (answer.status().as_u16(), answer.url().path().to_owned(), answer.text().await.expect("text"))
    };
    let page = format!("/track/{pass}");
    let (status, at, shown) = send("mail=off").await;
    assert_eq!((status, at), (200, page.clone()), "back on the page");
    assert!(shown.contains(r#"aria-checked="false""#) && shown.contains("No emails about this order"), "{shown}");
    let (status, at, shown) = send("mail=on").await;
    assert_eq!((status, at), (200, page.clone()));
    assert!(shown.contains(r#"aria-checked="true""#), "{shown}");

    // Opening the link of a letter switches nothing off; the mail program's one click does, and is led nowhere.
    let opened = app.http.get(&path).send().await.expect("an answer");
    assert_eq!((opened.status().as_u16(), opened.url().path()), (200, page.as_str()));
    assert!(app.parts.preferences.wants_mail(order.id).await.expect("a choice"));
    let (status, at, body) = send("List-Unsubscribe=One-Click").await;
    assert_eq!((status, at, body.as_str()), (200, format!("{page}/mail"), ""));
    assert!(!app.parts.preferences.wants_mail(order.id).await.expect("a choice"));

    let passes = app.parts.passes.list(order.id).await.expect("passes");
    app.parts.passes.revoke(order.id, passes[0].id).await.expect("revoked");
    let (status, _, refused) = send("mail=on").await;
    assert_eq!(status, 410);
    assert!(refused.contains("This link no longer works"), "{refused}");
    assert!(!app.parts.preferences.wants_mail(order.id).await.expect("a choice"));
}
