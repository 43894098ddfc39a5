//! Letters to customers: from an update over HTTP to a mail server, tried again when it is refused.

use std::time::Duration;

use ordercast::base::Clock;
use ordercast::orders::tracking::Admission;
use ordercast::orders::{Customer, NewOrder, Order, Status};
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::post_office::{Arrived, PostOffice};

const SCOPES: &str = "orders:read,orders:write,orders:update_status";

/// An instance that sends its mail to a post office, and an order in it.
struct Shop {
    app: TestApp,
    office: PostOffice,
    clock: Clock,
    order: Order,
    pass: String,
    token: String,
}

impl Shop {
    async fn open() -> Self {
        let office = PostOffice::open();
        let clock = Clock::manual("2026-11-21T09:12:00Z".parse().expect("a time"));
        let app = TestApp::with(&[&office.flag()], clock.clone()).await;
        let customer = Customer {
            name: Some("Ayesha Rahman".into()),
            email: Some("ayesha@mail.example".into()),
            ..Customer::default()
        };
        let new =
            NewOrder { number: Some("MB1031".into()), status: Some(Status::Paid), customer, ..NewOrder::default() };
        let (order, pass) = app.order(new).await;
        let token = app.token(SCOPES).await;
        Self { app, office, clock, order, pass, token }
    }

    async fn update(&self, mut body: Value) {
        body["orderId"] = json!("MB1031");
        let (status, reply) = self.app.post("/api/update-order", &self.token, &body).await;
        assert_eq!(status, 200, "{reply}");
    }

    async fn ship(&self) {
        self.update(json!({"status": "shipped", "carrier": "fed ex", "trackingNumber": "986578788855"})).await;
    }

    async fn dead_jobs(&self) -> i64 {
        self.app.parts.jobs.counts().await.expect("counts").dead
    }
}

fn assert_subject(mail: &Arrived, subject: &str) {
    assert_eq!(mail.header("Subject"), Some(subject));
    assert_eq!(mail.to, "ayesha@mail.example");
}

#[tokio::test]
async fn each_of_the_four_statuses_sends_its_letter() {
    let mut shop = Shop::open().await;
    shop.update(json!({"status": "processing"})).await;
    assert_subject(&shop.office.next().await, "Your order is being processed");
    shop.ship().await;
    let shipped = shop.office.next().await;
    assert_subject(&shipped, "Your order has shipped!");
    for part in [
        "Carrier: FedEx",
        "Tracking number: 986578788855",
        "https://www.fedex.com/fedextrack/?tracknumbers=986578788855",
        "multipart/alternative",
    ] {
        assert!(shipped.text.contains(part), "{part} is not in\n{}", shipped.text);
    }
    let admitted = shop.app.parts.passes.admit(shipped.pass()).await.expect("an answer");
    assert!(matches!(&admitted, Admission::Welcome(pass) if pass.order == shop.order.id), "{admitted:?}");
    shop.update(json!({"status": "delivered"})).await;
    assert_subject(&shop.office.next().await, "Your order has been delivered!");

    let mut shop = Shop::open().await;
    shop.update(json!({"status": "cancelled", "cancellationReason": "Out of stock"})).await;
    let cancelled = shop.office.next().await;
    assert_subject(&cancelled, "Your order has been cancelled");
    assert!(cancelled.text.contains("Reason: Out of stock"), "{}", cancelled.text);
}

#[tokio::test]
async fn a_letter_that_is_refused_for_now_is_sent_later_under_the_same_name() {
    let mut shop = Shop::open().await;
    shop.office.refuse_next("450 come back later");
    shop.ship().await;
    assert_eq!(shop.office.next().await.refused, Some("450 come back later"));
    // The refusal is booked after it was heard; wind the clock until the next attempt is due and made.
    let mail = tokio::select! {
        mail = shop.office.next() => mail,
        () = wind(&shop.clock) => unreachable!("the clock is wound for ever"),
    };
    assert_subject(&mail, "Your order has shipped!");
    assert_eq!(shop.dead_jobs().await, 0);
}

/// Winds a clock on and on, as fast as other tasks let it.
async fn wind(clock: &Clock) {
    loop {
        clock.advance(Duration::from_millis(10));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_letter_that_is_refused_for_good_is_kept_for_a_person_to_look_at() {
    let mut shop = Shop::open().await;
    shop.office.refuse_next("550 5.1.1 no such user");
    shop.ship().await;
    assert_eq!(shop.office.next().await.refused, Some("550 5.1.1 no such user"));
    // The next letter is sent after the refusal was booked or beside it; what came of the first is then asked for.
    shop.update(json!({"status": "delivered"})).await;
    assert_subject(&shop.office.next().await, "Your order has been delivered!");
    while shop.dead_jobs().await == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(shop.dead_jobs().await, 1);
}

#[tokio::test]
async fn a_new_link_for_one_that_has_ended_opens_the_order_again() {
    let mut shop = Shop::open().await;
    shop.ship().await;
    shop.update(json!({"status": "delivered"})).await;
    for _ in 0..2 {
        shop.office.next().await;
    }
    shop.clock.advance(Duration::from_secs(31 * 24 * 3600));
    let admitted = shop.app.parts.passes.admit(&shop.pass).await.expect("an answer");
    assert!(matches!(admitted, Admission::Expired(_)), "{admitted:?}");
    let renew = format!("{}/track/{}/renew", shop.app.url, shop.pass);
    assert_eq!(shop.app.http.post(renew).send().await.expect("an answer").status(), 202);
    let mail = shop.office.next().await;
    assert_subject(&mail, "Your tracking link for order MB1031");
    let page = shop.app.http.get(format!("{}/track/{}", shop.app.url, mail.pass())).send().await.expect("a page");
    assert_eq!(page.status(), 200);
}
