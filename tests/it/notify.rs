//! Letters to customers: from an update, through the durable queue and a real conversation with a mail server.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use ordercast::app::App;
use ordercast::base::Clock;
use ordercast::jobs::Counts;
use ordercast::orders::tracking::Admission;
use ordercast::orders::{Change, Customer, NewOrder, OrderRef, Status};
use serde_json::json;

use crate::app::TestApp;
use crate::app::post_office::{PostOffice, pass};
use crate::dialects::{SCOPES, update};
use crate::rows::{number, run};
use crate::still_app::{Ground, TESTS, order};

const HOME: &str = "https://track.example";

fn with_email(email: &str) -> NewOrder {
    let customer = Customer { name: Some("Ayesha".into()), email: Some(email.into()), ..Customer::default() };
    NewOrder { status: Some(Status::Paid), customer, ..NewOrder::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_four_letters_of_the_reference_reach_the_customer_with_a_link_that_opens() {
    let mut office = PostOffice::open();
    let app = TestApp::with(&[&office.flag(), "--public-url", HOME], Clock::System).await;
    let token = app.token(SCOPES).await;
    let parcel = "https://www.fedex.com/fedextrack/?tracknumbers=986578788855";
    for (status, subject, told) in [
        ("processing", "Your order is being processed", vec![]),
        ("shipped", "Your order has shipped!", vec!["FedEx", "986578788855", parcel]),
        ("delivered", "Your order has been delivered!", vec![]),
        ("cancelled", "Your order has been cancelled", vec!["Out of stock"]),
    ] {
        let (order, _) = app.order(with_email("ayesha@mail.example")).await;
        let mut body = json!({"orderId": order.number, "status": status});
        match status {
            "shipped" => {
                body["carrier"] = json!("fed ex");
                body["trackingNumber"] = json!("986578788855");
            }
            "cancelled" => body["cancellationReason"] = json!("Out of stock"),
            _ => {}
        }
        let reply = update(&app, &token, &body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let mail = office.next().await;
        assert_eq!((mail.header("Subject"), mail.to.as_str()), (Some(subject), "ayesha@mail.example"));
        assert_eq!(mail.header("To"), Some("Ayesha <ayesha@mail.example>"));
        for part in mail.parts() {
            assert!(part.contains(&order.number), "{part}");
            for word in &told {
                assert!(part.contains(word), "{word} is not in {part}");
            }
            let page = format!("{}/track/{}", app.url, pass(part, HOME));
            let opened = app.http.get(&page).send().await.expect("an answer");
            assert_eq!(opened.status().as_u16(), 200, "{page}");
            assert!(opened.text().await.expect("a page").contains(&order.number));
        }
    }
}

/// Winds a clock on and on, as fast as other tasks let it.
async fn wind(clock: &Clock) {
    loop {
        clock.advance(Duration::from_millis(10));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_running_instance_tries_a_refused_letter_again_by_itself() {
    let (mut office, clock) = (PostOffice::open(), noon());
    let app = TestApp::with(&[&office.flag()], clock.clone()).await;
    let token = app.token(SCOPES).await;
    let (order, _) = app.order(with_email("a@mail.example")).await;
    office.refuse(Some("450 come back later"));
    update(&app, &token, &json!({"orderId": order.number, "status": "processing"})).await;
    assert_eq!(office.next().await.refused, Some("450 come back later"));
    office.refuse(None);
    // The refusal is booked after it was heard; wind the clock until the next attempt is due and made.
    let mail = tokio::select! {
        mail = office.next() => mail,
        () = wind(&clock) => unreachable!("the clock is wound for ever"),
    };
    assert_eq!((mail.header("Subject"), mail.refused), (Some("Your order is being processed"), None));
}

#[tokio::test]
async fn a_new_link_for_one_that_has_ended_opens_the_order_again() {
    let (mut office, clock) = (PostOffice::open(), noon());
    let app = TestApp::with(&[&office.flag(), "--public-url", HOME], clock.clone()).await;
    let token = app.token(SCOPES).await;
    let (order, ended) = app.order(with_email("a@mail.example")).await;
    update(&app, &token, &json!({"orderId": order.number, "status": "delivered"})).await;
    assert_eq!(office.next().await.header("Subject"), Some("Your order has been delivered!"));
    clock.advance(Duration::from_secs(31 * 24 * 3600));
    let admitted = app.parts.passes.admit(&ended).await.expect("an answer");
    assert!(matches!(admitted, Admission::Expired(_)), "{admitted:?}");
    let renew = format!("{}/track/{ended}/renew", app.url);
    assert_eq!(app.http.post(renew).send().await.expect("an answer").status(), 202);
    let mail = office.next().await;
    assert_eq!(mail.header("Subject"), Some(format!("Your tracking link for order {}", order.number).as_str()));
    let page = format!("{}/track/{}", app.url, pass(&mail.text, HOME));
    assert_eq!(app.http.get(page).send().await.expect("a page").status(), 200);
}

/// Moves an order to a status as the system does.
async fn advance(app: &App, id: &OrderRef, status: Status) {
    let change = Change {
        status: Some(status),
        carrier: Some("UPS".into()),
        cancellation_reason: Some("Out of stock".into()),
        ..Change::default()
    };
    app.parts.orders.advance(TESTS, id.clone(), change, None).await.expect("advanced");
}

async fn counts(app: &App) -> (i64, i64) {
    let Counts { queued, dead } = app.parts.jobs.counts().await.expect("counts");
    (queued, dead)
}

fn noon() -> Clock {
    Clock::manual("2026-11-21T12:00:00Z".parse::<Timestamp>().expect("a time"))
}

#[tokio::test(flavor = "multi_thread")]
async fn only_news_that_has_a_letter_and_a_reader_is_queued() {
    let ground = Ground::lay().await;
    let app = ground.build(&[], noon()).await;
    let told = OrderRef::Id(order(&app, with_email("a@mail.example")).await.id);
    let untold = OrderRef::Id(order(&app, NewOrder::default()).await.id);
    for (status, queued) in [
        (Status::Confirmed, 0),
        (Status::Processing, 1),
        (Status::Processing, 1),
        (Status::Packed, 1),
        (Status::Shipped, 2),
        (Status::OutForDelivery, 2),
        (Status::DeliveryFailed, 2),
        (Status::Delivered, 3),
        (Status::Delivered, 3),
    ] {
        advance(&app, &untold, status).await;
        advance(&app, &told, status).await;
        assert_eq!(counts(&app).await, (queued, 0), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_tried_again_later_and_given_up_in_the_end_but_kept() {
    let mut office = PostOffice::open();
    let ground = Ground::lay().await;
    let clock = noon();
    let app = ground.build(&[&office.flag(), "--public-url", HOME], clock.clone()).await;
    let id = OrderRef::Id(order(&app, with_email("a@mail.example")).await.id);
    let passes = async || number(&app.parts.db, "SELECT count(*) AS n FROM tracking_passes").await;
    office.refuse(Some("450 later"));
    advance(&app, &id, Status::Processing).await;
    assert_eq!(app.worker.run_due().await.expect("a run"), 1);
    assert_eq!(counts(&app).await, (1, 0));
    assert_eq!(app.worker.run_due().await.expect("a run"), 0, "not before its time");
    assert_eq!(number(&app.parts.db, "SELECT CAST(attempts AS bigint) AS n FROM jobs").await, 1);
    assert_eq!((office.next().await.refused, passes().await), (Some("450 later"), 1));
    office.refuse(None);
    clock.advance(Duration::from_secs(6));
    assert_eq!(app.worker.run_due().await.expect("a run"), 1);
    assert_eq!(counts(&app).await, (0, 0));
    let mail = office.next().await;
    assert_eq!(mail.header("Subject"), Some("Your order is being processed"));
    assert_eq!(passes().await, 1, "the link of the first try is the link of all");
    let admitted = app.parts.passes.admit(pass(&mail.text, HOME)).await.expect("an answer");
    assert!(matches!(&admitted, Admission::Welcome(pass) if OrderRef::Id(pass.order) == id), "{admitted:?}");

    // What is refused for good is dead at once, what is put off for days in the end; the order knows nothing of it.
    office.refuse(Some("550 no such user"));
    advance(&app, &id, Status::Shipped).await;
    assert_eq!(app.worker.run_due().await.expect("a run"), 1);
    assert_eq!(counts(&app).await, (0, 1));
    assert_eq!(office.next().await.refused, Some("550 no such user"));
    office.refuse(Some("450 later"));
    advance(&app, &id, Status::Delivered).await;
    let mut tries = 0;
    while counts(&app).await.0 == 1 && tries < 50 {
        tries += app.worker.run_due().await.expect("a run");
        clock.advance(Duration::from_secs(36 * 3600));
    }
    assert_eq!((tries, counts(&app).await), (11, (0, 2)));
    for _ in 0..tries {
        assert_eq!(office.next().await.refused, Some("450 later"));
    }
    assert_eq!(passes().await, 3, "one for each letter");
    let kept = "SELECT count(*) AS n FROM jobs WHERE state = 'dead' AND last_error LIKE '%Mail server%'";
    assert_eq!(number(&app.parts.db, kept).await, 2);
    office.refuse(None);
    assert_eq!(app.worker.run_due().await.expect("a run"), 0, "nobody tries a dead one again");
    assert!(office.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_claimed_by_an_instance_that_died_is_sent_by_another() {
    let mut office = PostOffice::open();
    let ground = Ground::lay().await;
    let clock = noon();
    let flag = office.flag();
    let (one, two) = (ground.build(&[&flag], clock.clone()).await, ground.build(&[&flag], clock.clone()).await);
    let id = OrderRef::Id(order(&one, with_email("a@mail.example")).await.id);
    advance(&one, &id, Status::Processing).await;
    let claimed = one.parts.jobs.claim(10).await.expect("claimed");
    assert_eq!(claimed.len(), 1);
    assert_eq!(two.worker.run_due().await.expect("a run"), 0, "it is in somebody's hands");
    clock.advance(Duration::from_secs(121));
    assert_eq!(two.worker.run_due().await.expect("a run"), 1);
    assert_eq!(office.next().await.header("Subject"), Some("Your order is being processed"));
    assert_eq!(counts(&one).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_share_the_letters_and_send_each_once() {
    let mut office = PostOffice::open();
    let ground = Ground::lay().await;
    let flag = office.flag();
    let (one, two) = (ground.build(&[&flag], noon()).await, ground.build(&[&flag], noon()).await);
    for turn in 0..40 {
        let id = OrderRef::Id(order(&one, with_email(&format!("c{turn}@mail.example"))).await.id);
        advance(&one, &id, Status::Processing).await;
    }
    let (first, second) = tokio::join!(one.worker.run_due(), two.worker.run_due());
    assert_eq!(first.expect("a run") + second.expect("a run"), 40);
    let mut readers = BTreeSet::new();
    for _ in 0..40 {
        let to = office.next().await.to;
        assert!(readers.insert(to.clone()), "{to} got it twice");
    }
    assert!(office.is_empty());
    assert_eq!(counts(&two).await, (0, 0));
}

/// A row of the queue that another version wrote must neither be lost nor keep the letters behind it waiting.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_be_read_keeps_no_other_waiting() {
    let mut office = PostOffice::open();
    let ground = Ground::lay().await;
    let app = ground.build(&[&office.flag(), "--public-url", HOME], noon()).await;
    let id = OrderRef::Id(order(&app, with_email("a@mail.example")).await.id);
    advance(&app, &id, Status::Processing).await;
    run(&app.parts.db, r#"UPDATE jobs SET kind = 'gift_card', payload = '{"kind": "gift_card"}', dedupe_key = NULL"#)
        .await;
    advance(&app, &id, Status::Shipped).await;
    assert_eq!(app.worker.run_due().await.expect("a run"), 1);
    assert_eq!(office.next().await.header("Subject"), Some("Your order has shipped!"));
    assert_eq!(counts(&app).await, (1, 0));
    let put_off = "SELECT count(*) AS n FROM jobs WHERE kind = 'gift_card' AND attempts = 1 AND last_error IS NOT NULL";
    assert_eq!(number(&app.parts.db, put_off).await, 1);
}
