//! The embedded widget in a real browser, on a shop of another origin whose policy allows nothing but it.

use std::net::TcpListener;

use ordercast::orders::{NewOrder, Order};
use ordercast::web::pages::demo_shop;
use serde_json::json;

use crate::app::TestApp;
use crate::app::chromium::Browser;
use crate::app::relay::Relay;

/// A script condition about the first, full-size widget.
fn full(condition: &str) -> String {
    format!("(full => {condition})(document.querySelector('order-tracker[size=full]'))")
}

/// A script condition: both widgets show this.
fn both_show(text: &str) -> String {
    format!(
        "[...document.querySelectorAll('order-tracker')].every(one => one.shadowRoot.textContent.includes({text:?}))"
    )
}

async fn update(app: &TestApp, token: &str, order: &Order, status: &str) {
    let path = format!("/api/v1/orders/{}/status", order.id);
    let (code, answer) = app.post(&path, token, &json!({"status": status})).await;
    assert_eq!(code, 200, "{answer}");
}

/// Opens the shop, which asks for its widget through the relay.
async fn open_shop(app: &TestApp, relay: &Relay, pass: String) -> Browser {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let shop = format!("http://{}", listener.local_addr().expect("its address"));
    tokio::spawn(demo_shop::serve(app.parts.pages.clone(), listener, relay.url.clone(), pass));
    let browser = Browser::open().await;
    browser.driver.goto(&shop).await.expect("the shop opens");
    browser
}

#[tokio::test]
async fn a_widget_in_another_shop_follows_its_order_through_a_cut_and_its_own_removal() {
    let app = TestApp::start().await;
    let relay = Relay::to(&app.url).await;
    let token = app.token("admin").await;
    let (order, pass) = app.order(NewOrder { item_summary: Some("2x Oat soap".into()), ..NewOrder::default() }).await;
    let browser = open_shop(&app, &relay, pass).await;
    // Both must be in the window: what nobody sees connects only when it is looked at.
    browser.look(1280, "light").await;
    browser.until("the first state is there", &both_show("Order received")).await;
    browser.until("it is live", &full("full.connection === 'live' && full.matches(':state(live)')")).await;

    let listen =
        "window.told = []; document.addEventListener('order-update', e => told.push(e.detail.status)); return 1";
    browser.driver.execute(listen, vec![]).await.expect("a listener");
    update(&app, &token, &order, "confirmed").await;
    browser.until("both change by themselves", &both_show("Confirmed")).await;
    browser.until("and tell the page", "told.join() === 'confirmed,confirmed'").await;

    // A busy browser reports being out of sight and in sight again in one go: the last word holds.
    let look_twice = "window.IntersectionObserver = class {
            constructor(tell) { this.tell = tell; }
            observe() { this.tell([{ isIntersecting: false }, { isIntersecting: true }]); }
            disconnect() {}
        };
        const mini = document.querySelector('order-tracker[size=mini]'); mini.before(mini); return 1";
    browser.driver.execute(look_twice, vec![]).await.expect("both are in place");

    relay.set_whole(false);
    browser.until("it says that it is cut off", &full("full.connection !== 'live'")).await;
    update(&app, &token, &order, "packed").await;
    update(&app, &token, &order, "shipped").await;
    // Long enough that other ways were tried, too.
    relay.has_refused(6).await;
    relay.set_whole(true);
    browser.until("both have caught up", &both_show("Shipped")).await;
    browser.until("nothing was passed over", &full("full.order.seq === 4")).await;

    let take_out = "window.kept = document.querySelector('order-tracker[size=full]'); kept.remove(); return 1";
    browser.driver.execute(take_out, vec![]).await.expect("it is gone");
    update(&app, &token, &order, "out_for_delivery").await;
    browser.until("the other goes on", &both_show("Out for delivery")).await;
    let put_back = "document.querySelector('main').append(kept); return 1";
    browser.driver.execute(put_back, vec![]).await.expect("it is back");
    browser.until("what was moved catches up", &both_show("Out for delivery")).await;

    for (transport, status) in [("sse", "delivery_failed"), ("poll", "delivered"), ("ws", "returned")] {
        let set = format!("kept.setAttribute('transport', '{transport}'); return 1");
        browser.driver.execute(set, vec![]).await.expect("another way");
        browser.until(&format!("{transport} is live"), &full("full.connection === 'live'")).await;
        let (seq, told) = (browser.driver.execute("return kept.order.seq", vec![]).await, format!("{transport} tells"));
        let seq = seq.expect("a position").json().as_i64().expect("a number");
        update(&app, &token, &order, status).await;
        browser
            .until(&told, &full(&format!("full.order.seq === {} && full.order.status === '{status}'", seq + 1)))
            .await;
    }

    for (width, scheme) in [(1280, "light"), (1280, "dark"), (390, "light"), (320, "dark")] {
        browser.look(width, scheme).await;
        browser.shot(&format!("shop-{width}-{scheme}")).await;
        let faults = browser.accessibility_faults().await;
        assert!(faults.is_empty(), "{width} {scheme}: {faults:#?}");
    }
    browser.close().await;
}
