//! The customer's word: by link, by code, by silence, and the objection that holds the order.

use std::time::Duration;

use futures_util::future::join_all;
use ordercast::base::Money;
use ordercast::orders::{Change, Details, Order, OrderRef, Status};
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::{Answer, Caller};
use crate::app::crew::{Crew, still};
use crate::app::people::with_mail;
use crate::app::post_office;
use crate::rows::{number, written};
use crate::wallet::{Market, admin};

const STEPS: [&str; 2] = ["shipped delivered?", "shipped returned"];
const CONFIRMATION: &str = "/api/v1/track/confirmation";
const DAY: u64 = 24 * 3600;

async fn code(crew: &Crew<'_>, order: &Order, code: &str) -> Answer {
    crew.owner.post(&format!("/api/v1/vendor/orders/{}/confirmation-code", order.id), &json!({"code": code})).await
}

/// An order whose customer is asked.
async fn asked<'a>(app: &'a TestApp, crew: &Crew<'_>) -> (Order, Caller<'a>, Value) {
    let (order, pass) = crew.order(None).await;
    let held = crew.held(&order, &json!({"status": "delivered"})).await;
    (order, Caller::bearing(app, Some(&pass)), held)
}

#[tokio::test]
async fn the_letter_leads_to_the_question_and_its_code_and_the_link_confirms_once() {
    let (app, mut office, _) = with_mail().await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    let (order, customer, held) = asked(&app, &crew).await;
    assert_eq!((&held["gate"], &held["due_at"]), (&json!("confirmation"), &json!("2026-11-28T09:00:00Z")));
    // Letters are sent side by side: either may come first.
    let (one, other) = (office.next().await, office.next().await);
    let is_code = one.header("Subject") == Some("Your code to verify your e-mail address");
    let (code, mail) = if is_code { (one, other) } else { (other, one) };
    assert_eq!(code.header("Subject"), Some("Your code to verify your e-mail address"), "of the sign-up");
    assert_eq!(mail.header("Subject"), Some(format!("Please confirm your order {}", order.number).as_str()));
    let told = customer.get(CONFIRMATION).await.body;
    assert_eq!((&told["open"], &told["status"]), (&json!(true), &json!("delivered")));
    let code = told["code"].as_str().expect("a code");
    let pass = post_office::pass(mail.parts()[0], &app.url).to_owned();
    assert!(mail.parts()[0].contains(&format!("/track/{pass}/confirm")), "{}", mail.text);
    assert!(mail.parts().iter().all(|part| part.contains(code)), "{}", mail.text);
    let by_link = Caller::bearing(&app, Some(&pass));
    assert_eq!(crew.position(&order).await, ("shipped".into(), 1));
    let answer = by_link.post(CONFIRMATION, &json!({"received": true})).await;
    assert_eq!((answer.status, &answer.body), (200, &json!({"open": false, "disputed": false})), "{answer:?}");
    assert_eq!(crew.position(&order).await, ("delivered".into(), 2));
    let before = written(&app.parts.db).await;
    assert_eq!(by_link.post(CONFIRMATION, &json!({"received": true})).await.status, 200, "said again");
    assert_eq!(written(&app.parts.db).await, before);
    let late = by_link.post(CONFIRMATION, &json!({"received": false, "reason": "Broken"})).await;
    assert_eq!(late.problem(), (409, "already_decided"));
}

#[tokio::test]
async fn the_code_confirms_within_five_tries_and_the_link_goes_on_working_after_them() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    for wrong in [4, 5] {
        let (order, customer, _) = asked(&app, &crew).await;
        let right = customer.get(CONFIRMATION).await.body["code"].as_str().expect("a code").to_owned();
        let other = if right == "000000" { "000001" } else { "000000" };
        for _ in 0..wrong {
            assert_eq!(code(&crew, &order, other).await.problem(), (400, "wrong_code"));
        }
        let said = format!("{} {}", &right[..3], &right[3..]);
        let done = code(&crew, &order, &said).await;
        if wrong < 5 {
            assert_eq!((done.status, &done.body["moved"]), (200, &json!(true)), "{done:?}");
            assert_eq!(code(&crew, &order, &right).await.problem(), (409, "already_decided"));
        } else {
            assert_eq!(done.problem(), (409, "code_spent"));
            assert_eq!(crew.position(&order).await, ("shipped".into(), 1));
            assert_eq!(customer.post(CONFIRMATION, &json!({"received": true})).await.status, 200);
        }
        assert_eq!(crew.position(&order).await, ("delivered".into(), 2));
    }
    let (order, _) = crew.order(None).await;
    assert_eq!(code(&crew, &order, "000000").await.problem(), (404, "not_found"), "nothing is asked");
}

#[tokio::test]
async fn two_codes_are_never_told_by_the_database() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    let (_, customer, held) = asked(&app, &crew).await;
    let code = customer.get(CONFIRMATION).await.body["code"].as_str().expect("a code").to_owned();
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    assert!(!held.to_string().contains(&code), "whoever asks is not told");
    assert_eq!(customer.get(CONFIRMATION).await.body["code"], code, "it stays the same");
}

#[tokio::test]
async fn silence_confirms_after_the_days_once_on_two_instances() {
    let (app, clock) = still().await;
    let twin = app.beside(&[], clock.clone()).await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    let (order, ..) = asked(&app, &crew).await;
    let steps = json!({"initial": "shipped", "edges": [{"from": "shipped", "to": "delivered", "confirmation": true}], "auto_confirm_days": 8});
    assert_eq!(crew.owner.send(reqwest::Method::PUT, "/api/v1/workflows", &steps).await.status, 200);
    let (later, ..) = asked(&app, &crew).await;
    clock.advance(Duration::from_secs(7 * DAY - 1));
    app.parts.confirmations.sweep().await.expect("a sweep");
    let crew = crew.back(&app, "juniper").await;
    assert_eq!(crew.position(&order).await, ("shipped".into(), 1), "a second before its time");
    clock.advance(Duration::from_secs(1));
    let (one, two) = tokio::join!(app.parts.confirmations.sweep(), twin.parts.confirmations.sweep());
    one.expect("a sweep");
    two.expect("a sweep");
    assert_eq!(crew.position(&order).await, ("delivered".into(), 2));
    assert_eq!(crew.position(&later).await, ("shipped".into(), 1), "its company waits a day longer");
    let trail = ordercast::audit::history(&app.parts.db, "order", order.id.to_string()).await.expect("the trail");
    assert_eq!(trail.iter().filter(|entry| entry.action == "order.move_confirmed").count(), 1);
}

#[tokio::test]
async fn orders_that_cannot_be_delivered_keep_none_behind_them_from_being_confirmed() {
    let market = Market::open(&[]).await;
    market.ask_customers().await;
    let orders = &market.app.parts.orders;
    // More than a sweep reads at once, of which the last one is as old as the first one.
    let stuck = join_all((0..201).map(|_| market.order(Status::Shipped, None))).await;
    let rows = |change: Change| stuck.iter().map(|order| (OrderRef::Id(order.id), change.clone())).collect();
    let delivered = rows(Change { status: Some(Status::Delivered), ..Change::default() });
    let asked = orders.advance_all(market.vendor.clone(), delivered, false, None).await.expect("outcomes");
    assert!(asked.iter().all(|one| one.as_ref().is_ok_and(|one| one.held.is_some())), "{asked:?}");
    // They get a total, and nobody calculates a commission of it.
    let details = Details { total: Money::new(1000, "USD"), ..Details::default() };
    let priced = rows(Change { details: Some(Box::new(details)), ..Change::default() });
    let priced = orders.advance_all(admin(), priced, false, None).await.expect("outcomes");
    assert!(priced.iter().all(Result::is_ok), "{priced:?}");
    market.wait_days(1);
    let good = market.order(Status::Shipped, None).await.id;
    market.set(market.vendor.clone(), good, Status::Delivered).await.expect("asked");
    market.wait_days(8);
    market.app.parts.confirmations.sweep().await.expect("a sweep");
    let order = market.app.parts.timeline.get_order(&admin(), &OrderRef::Id(good)).await.expect("an order");
    assert_eq!(order.status, Status::Delivered);
    let waiting = "SELECT count(*) AS n FROM held_moves WHERE state = 'waiting'";
    assert_eq!(number(&market.app.parts.db, waiting).await, 201, "the others wait for their commissions");
}

#[tokio::test]
async fn an_objection_holds_the_order_until_whoever_runs_the_platform_decides() {
    let (app, clock) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    for (outcome, expected) in [("upheld", ("shipped".to_owned(), 1)), ("dismissed", ("delivered".to_owned(), 2))] {
        let crew = Crew::hire(&app, outcome).await;
        crew.follow(&STEPS).await;
        let (order, customer, held) = asked(&app, &crew).await;
        assert_eq!(customer.post(CONFIRMATION, &json!({"received": false})).await.problem(), (400, "required"));
        let objection = json!({"received": false, "reason": "The box was empty"});
        for _ in 0..2 {
            let told = customer.post(CONFIRMATION, &objection).await;
            assert_eq!((told.status, &told.body), (200, &json!({"open": false, "disputed": true})));
        }
        assert_eq!(customer.post(CONFIRMATION, &json!({"received": true})).await.problem(), (409, "disputed"));
        assert_eq!(code(&crew, &order, "000000").await.problem(), (409, "disputed"));
        assert_eq!(crew.step(&order, &json!({"status": "returned"})).await.problem(), (409, "disputed"));
        clock.advance(Duration::from_secs(8 * DAY));
        app.parts.confirmations.sweep().await.expect("a sweep");
        let crew = crew.back(&app, outcome).await;
        assert_eq!(crew.position(&order).await, ("shipped".into(), 1), "silence confirms nothing any more");

        let disputes = crew.staff.get("/api/v1/admin/disputes").await.body;
        assert_eq!((&disputes["data"][0]["id"], &disputes["data"][0]["reason"]), (&held["id"], &objection["reason"]));
        let resolve = format!("/api/v1/admin/disputes/{}/resolve", held["id"].as_str().expect("an id"));
        let decision = json!({"outcome": outcome, "reason": "The courier has a picture"});
        assert_eq!(crew.owner.post(&resolve, &decision).await.problem(), (403, "forbidden"));
        let resolved = crew.staff.post(&resolve, &decision).await;
        assert_eq!((resolved.status, &resolved.body["state"]), (200, &json!(outcome)), "{resolved:?}");
        assert_eq!(crew.position(&order).await, expected);
        let again = crew.staff.post(&resolve, &json!({"outcome": "upheld", "reason": "x"})).await;
        assert_eq!(again.problem(), (409, "already_decided"));
        assert_eq!(crew.staff.get("/api/v1/admin/disputes").await.body["data"], json!([]));
    }
}

#[tokio::test]
async fn a_courier_who_delivers_meanwhile_needs_no_word() {
    let (app, clock) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    let (order, customer, _) = asked(&app, &crew).await;
    let status = format!("/api/v1/orders/{}/status", order.id);
    assert_eq!(crew.staff.post(&status, &json!({"status": "delivered"})).await.status, 200);
    assert_eq!(customer.get(CONFIRMATION).await.body, json!({"open": false, "disputed": false}));
    clock.advance(Duration::from_secs(8 * DAY));
    app.parts.confirmations.sweep().await.expect("a sweep");
    let crew = crew.back(&app, "juniper").await;
    assert_eq!(crew.position(&order).await, ("delivered".into(), 2), "nothing is written twice");
}

/// A browser without scripts: what a page says, or where it sends on to.
async fn browse(app: &TestApp, path: &str, form: Option<&[(&str, &str)]>) -> (u16, String) {
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a browser");
    let address = format!("{}{path}", app.url);
    let request = match form {
        Some(fields) => {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            browser.post(address).header("Content-Type", "application/x-www-form-urlencoded").body(body)
        }
        None => browser.get(address),
    };
    let answer = request.header("Accept", "text/html").send().await.expect("an answer");
    let status = answer.status().as_u16();
    match answer.headers().get("Location") {
        Some(place) => (status, place.to_str().expect("text").to_owned()),
        None => (status, answer.text().await.expect("a page")),
    }
}

#[tokio::test]
async fn the_pages_ask_and_take_the_answer_without_scripts() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    for is_fine in [true, false] {
        let (order, pass) = crew.order(None).await;
        let track = format!("/track/{pass}");
        let ask = format!("{track}/confirm");
        assert_eq!(browse(&app, &ask, None).await, (303, track.clone()), "nothing is asked yet");
        let (_, page) = browse(&app, &track, None).await;
        assert!(!page.contains("Yes, I have received it"), "{page}");
        crew.held(&order, &json!({"status": "delivered"})).await;
        let told = Caller::bearing(&app, Some(&pass)).get(CONFIRMATION).await.body;
        let (_, page) = browse(&app, &track, None).await;
        assert!(page.contains("Yes, I have received it") && page.contains(told["code"].as_str().expect("a code")));
        let (status, page) = browse(&app, &ask, None).await;
        assert!(status == 200 && page.contains("Saturday, 28 November"), "{page}");
        assert_eq!(crew.position(&order).await.1, 1, "a link that is opened decides nothing");
        let (_, german) = browse(&app, &format!("{ask}?lang=de"), None).await;
        assert!(german.contains("Ja, ich "), "{german}");
        if is_fine {
            assert_eq!(browse(&app, &ask, Some(&[("answer", "yes")])).await, (303, track.clone()));
            assert_eq!(crew.position(&order).await, ("delivered".into(), 2));
            assert_eq!(browse(&app, &ask, Some(&[("answer", "yes")])).await, (303, track.clone()), "said again");
            let late = browse(&app, &ask, Some(&[("answer", "no"), ("reason", "Late")])).await;
            assert_eq!(late, (303, ask.clone()));
            assert_eq!(browse(&app, &ask, None).await, (303, track), "it is decided");
        } else {
            let (status, page) = browse(&app, &ask, Some(&[("answer", "no"), ("reason", " ")])).await;
            assert!(status == 400 && page.contains("Say what is wrong."), "{page}");
            let wrong = [("answer", "no"), ("reason", "The box\r\nwas empty")];
            assert_eq!(browse(&app, &ask, Some(&wrong)).await, (303, ask.clone()));
            for path in [&ask, &track] {
                let (_, page) = browse(&app, path, None).await;
                assert!(page.contains("We are looking at it"), "{page}");
            }
            let disputes = crew.staff.get("/api/v1/admin/disputes").await.body;
            assert_eq!(disputes["data"][0]["reason"], "The box\nwas empty");
        }
    }
    assert_eq!(browse(&app, "/track/nonsense/confirm", None).await.0, 404);
    assert_eq!(browse(&app, "/track/nonsense/confirm", Some(&[("answer", "yes")])).await.0, 404);
}

#[tokio::test]
async fn a_customer_who_is_forgotten_leaves_no_words_behind() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    let (order, pass) = crew.order(None).await;
    let wish = json!({"status": "delivered", "notes": "Left with Jane"});
    crew.held(&order, &wish).await;
    let customer = Caller::bearing(&app, Some(&pass));
    let objection = json!({"received": false, "reason": "Jane is not my neighbour"});
    assert_eq!(customer.post(CONFIRMATION, &objection).await.status, 200);
    let count = "SELECT count(*) AS n FROM held_moves WHERE reason LIKE '%Jane%' AND wish LIKE '%Jane%'";
    assert_eq!(number(&app.parts.db, count).await, 1);
    let id = app.parts.webhooks.customers().numbers(std::slice::from_ref(&order)).await.expect("a number")[0];
    let forgotten = crew.owner.delete(&format!("/api/v1/customers/{id}/personal-data")).await;
    assert!(forgotten.status < 300, "{forgotten:?}");
    let left = "SELECT count(*) AS n FROM held_moves WHERE reason LIKE '%Jane%' OR wish LIKE '%Jane%'";
    assert_eq!(number(&app.parts.db, left).await, 0);
}
