//! What a customer sees: the tracking page in Chromium, through a cut of the network and back.

use ordercast::orders::NewOrder;
use serde_json::json;

use crate::app::TestApp;
use crate::app::chromium::Browser;
use crate::app::relay::Relay;

/// A script condition: the first heading says this.
fn headline(text: &str) -> String {
    format!("document.querySelector('h1').innerText === {text:?}")
}

/// A script condition: the timeline holds this note exactly once.
fn noted_once(note: &str) -> String {
    format!("document.querySelector('#timeline').innerText.split({note:?}).length === 2")
}

#[tokio::test]
async fn a_tracking_page_follows_its_order_through_a_cut_of_the_network() {
    let app = TestApp::start().await;
    let relay = Relay::to(&app.url).await;
    let token = app.token("admin").await;
    let new = NewOrder { item_summary: Some("2x Oat soap".into()), ..NewOrder::default() };
    let (order, pass) = app.order(new).await;
    let update = async |status: &str, note: &str| {
        let path = format!("/api/v1/orders/{}/status", order.id);
        let (code, answer) = app.post(&path, &token, &json!({"status": status, "notes": note})).await;
        assert_eq!(code, 200, "{answer}");
    };

    let browser = Browser::open().await;
    browser.driver.goto(format!("{}/track/{pass}", relay.url)).await.expect("the page opens");
    browser.until("the first state is there", &headline("We have your order")).await;

    update("confirmed", "Paid and confirmed.").await;
    browser.until("the page changes by itself", &headline("Your order is confirmed")).await;
    browser.until("and says why", &noted_once("Paid and confirmed.")).await;

    relay.set_whole(false);
    update("packed", "In its box.").await;
    update("shipped", "On the van.").await;
    relay.set_whole(true);
    browser.until("the page has caught up", &headline("On its way")).await;
    for note in ["Paid and confirmed.", "In its box.", "On the van."] {
        browser.until("nothing is missing or doubled", &noted_once(note)).await;
    }

    for (width, scheme) in [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")] {
        browser.look(width, scheme).await;
        browser.shot(&format!("track-{width}-{scheme}")).await;
        let faults = browser.accessibility_faults().await;
        assert!(faults.is_empty(), "{width} {scheme}: {faults:#?}");
    }
    browser.close().await;
}
