//! What a customer sees: the pages in Chromium, with scripts and without, by mouse and by keyboard, and through a cut of
//! the network and back.

use ordercast::base::Actor;
use ordercast::orders::{Change, Customer, NewOrder, Order, OrderRef, Status};
use serde_json::{Value, json};
use thirtyfour::{By, Key};

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

/// An order with everything on its page, moved to a status, and its pass.
async fn full_order(app: &TestApp, status: Status) -> (Order, String) {
    let customer = Customer {
        name: Some("Ayesha Rahman".into()),
        email: Some("ayesha@mail.example".into()),
        ..Customer::default()
    };
    let new = NewOrder { customer, item_summary: Some("2x Oat soap".into()), ..NewOrder::default() };
    let (order, pass) = app.order(NewOrder { address: Some("12 Sample Road".into()), ..new }).await;
    for status in [Status::Confirmed, Status::Packed, Status::Shipped, status] {
        let shipped = status == Status::Shipped;
        let change = Change {
            status: Some(status),
            carrier: shipped.then(|| "FedEx".into()),
            tracking_number: shipped.then(|| "986578788855".into()),
            notes: Some(format!("It is {status} now.")),
            ..Change::default()
        };
        app.parts.orders.advance(Actor::System("tests"), OrderRef::Id(order.id), change, None).await.expect("a change");
    }
    (order, pass)
}

/// A script that names what is wider than the window.
const TOO_WIDE: &str =
    "return document.documentElement.scrollWidth > innerWidth ? document.documentElement.scrollWidth : 0";

#[tokio::test]
async fn every_page_is_accessible_fits_its_window_and_keeps_to_itself() {
    let app = TestApp::start().await;
    let (_, moving) = full_order(&app, Status::OutForDelivery).await;
    let (_, ended) = full_order(&app, Status::Delivered).await;
    let link = app.parts.admins.setup_link().await.expect("a link").expect("no admin yet");
    let pages = [
        ("home", "/".to_owned()),
        ("lookup", "/track".to_owned()),
        ("setup", format!("/setup/{}", link.expose())),
        ("moving", format!("/track/{moving}")),
        ("ended", format!("/track/{ended}")),
        ("french", format!("/track/{moving}?lang=fr")),
        ("arabic", format!("/track/{ended}?lang=ar")),
        ("gone", "/track/nonsense".to_owned()),
        ("nowhere", "/nowhere".to_owned()),
    ];
    let browser = Browser::open().await;
    for (name, path) in pages {
        browser.driver.goto(format!("{}{path}", app.url)).await.expect("the page opens");
        browser.until("the theme switch is there", "!document.querySelector('#theme').hidden").await;
        for (width, scheme) in [(320, "light"), (1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")] {
            browser.look(width, scheme).await;
            let too_wide = browser.driver.execute(TOO_WIDE, vec![]).await.expect("a width");
            assert_eq!(too_wide.json(), &json!(0), "{name} {width}");
            browser.shot(&format!("{name}-{width}-{scheme}")).await;
            if width == 320 {
                continue;
            }
            let faults = browser.accessibility_faults().await;
            assert!(faults.is_empty(), "{name} {width} {scheme}: {faults:#?}");
        }
        browser.force_colours(true).await;
        browser.shot(&format!("{name}-forced")).await;
        browser.force_colours(false).await;
        // That a page which is not there answers 404 is what it should do; Chromium's console calls it an error.
        let mut misdeeds = browser.misdeeds(&app.url).await;
        misdeeds.retain(|said| !said.contains("404 (Not Found)") || !matches!(name, "gone" | "nowhere"));
        assert!(misdeeds.is_empty(), "{name}: {misdeeds:#?}");
    }
    browser.close().await;
}

#[tokio::test]
async fn without_scripts_the_last_state_is_there_and_so_are_the_switch_and_the_earlier_updates() {
    let app = TestApp::start().await;
    let (order, pass) = full_order(&app, Status::OutForDelivery).await;
    let browser = Browser::open().await;
    browser.let_scripts_run(false).await;
    browser.driver.goto(format!("{}/track/{pass}", app.url)).await.expect("the page opens");
    let text =
        async |css: &str| browser.driver.find(By::Css(css.to_owned())).await.expect(css).text().await.expect("text");
    assert_eq!(text("h1").await, "Arriving today");
    assert!(text("noscript").await.contains("Reload the page to see newer updates."));
    assert!(!text("#earlier").await.contains("Order received"));
    browser.driver.find(By::Css("#earlier summary")).await.expect("a summary").click().await.expect("a click");
    assert!(text("#earlier").await.contains("Order received"));
    let hidden = browser.driver.find(By::Css("#theme")).await.expect("the theme switch");
    assert!(!hidden.is_displayed().await.expect("whether it is seen"), "what needs a script is not shown");

    browser.driver.find(By::Css("#mail button")).await.expect("the switch").click().await.expect("a click");
    let said =
        "document.querySelector('#mail').innerText.includes('No emails about this order go to a•••@mail.example')";
    browser.until("mail is off", said).await;
    assert!(!app.parts.preferences.wants_mail(order.id).await.expect("a choice"));
    browser.close().await;
}

#[tokio::test]
async fn the_switches_work_in_place_and_say_so_when_they_could_not() {
    let app = TestApp::start().await;
    let relay = Relay::to(&app.url).await;
    let (order, pass) = full_order(&app, Status::Shipped).await;
    let browser = Browser::open().await;
    browser.driver.goto(format!("{}/track/{pass}", relay.url)).await.expect("the page opens");
    browser.until("the script has taken over", "!document.querySelector('#theme').hidden").await;
    let switch = browser.driver.find(By::Css("#mail button")).await.expect("the switch");
    let says = |state: bool| format!("document.querySelector('#mail button[aria-checked={state}]:not([aria-busy])')");
    switch.click().await.expect("a click");
    browser.until("mail is off", &says(false)).await;
    assert!(!app.parts.preferences.wants_mail(order.id).await.expect("a choice"));
    relay.set_whole(false);
    switch.click().await.expect("a click");
    browser
        .until(
            "it says that it failed",
            "document.querySelector('.toast b')?.innerText.startsWith('This could not be saved')",
        )
        .await;
    browser.until("mail is still off", &says(false)).await;
    relay.set_whole(true);

    let theme = browser.driver.find(By::Css("#theme")).await.expect("the theme switch");
    for chosen in ["light", "dark"] {
        theme.click().await.expect("a click");
        browser.until("the theme is chosen", &format!("document.documentElement.dataset.theme === '{chosen}'")).await;
    }
    browser.driver.refresh().await.expect("the page again");
    browser.until("and kept", "document.documentElement.dataset.theme === 'dark'").await;
    browser.close().await;
}

/// Where the focus is, and whether it can be seen there: within the window, below the sticky bar, with a ring.
const FOCUS: &str = "
    const it = document.activeElement, box = it.getBoundingClientRect(), bar = document.querySelector('.top').getBoundingClientRect();
    const free = !!it.closest('.top') || it.matches('.skip') || box.top >= bar.bottom - 1;
    const style = getComputedStyle(it);
    return [it.id || it.getAttribute('href') || it.tagName, box.bottom <= innerHeight + 1 && box.top >= 0 && free, style.outlineStyle !== 'none'];";

#[tokio::test]
async fn a_keyboard_reaches_everything_in_order_and_sees_where_it_is() {
    let app = TestApp::start().await;
    let (_, pass) = full_order(&app, Status::OutForDelivery).await;
    let browser = Browser::open().await;
    browser.look(390, "light").await;
    browser.driver.goto(format!("{}/track/{pass}", app.url)).await.expect("the page opens");
    browser.until("the script has taken over", "!document.querySelector('#theme').hidden").await;
    let press = async |key: Key| browser.driver.action_chain().send_keys(key).perform().await.expect("a key");
    let mut walked = Vec::new();
    for _ in 0..7 {
        press(Key::Tab).await;
        browser.until("motion is over", "document.getAnimations().every(a => a.effect.getTiming().iterations === Infinity || a.playState === 'finished')").await;
        let focus = browser.driver.execute(FOCUS, vec![]).await.expect("a focus");
        let [name, is_seen, has_ring] = focus.json().as_array().expect("a list").clone().try_into().expect("three");
        assert_eq!((&is_seen, &has_ring), (&Value::Bool(true), &Value::Bool(true)), "{name} after {walked:?}");
        walked.push(name.as_str().expect("a name").to_owned());
    }
    assert_eq!(walked, ["#main", "theme", "SUMMARY", "carrier-site", "copy", "BUTTON", "INPUT"]);
    browser.close().await;
}

#[tokio::test]
async fn a_form_that_was_filled_in_wrong_leads_to_what_is_wrong() {
    let app = TestApp::start().await;
    let browser = Browser::open().await;
    browser.driver.goto(format!("{}/track", app.url)).await.expect("the page opens");
    browser.until("the script has taken over", "!document.querySelector('#theme').hidden").await;
    browser.driver.execute("document.querySelector('form').noValidate = true", vec![]).await.expect("a script");
    let email = browser.driver.find(By::Id("email")).await.expect("a field");
    email.send_keys("nobody").await.expect("typed");
    email.send_keys(Key::Enter + "").await.expect("sent");
    browser.until("the first bad field has the focus", "document.activeElement.id === 'number'").await;
    browser
        .until("the summary is read aloud", "document.querySelector('.wrongs[role=alert] a[href=\"#email\"]')")
        .await;
    for (width, scheme) in [(1280, "light"), (390, "dark")] {
        browser.look(width, scheme).await;
        let faults = browser.accessibility_faults().await;
        assert!(faults.is_empty(), "{width} {scheme}: {faults:#?}");
        browser.shot(&format!("wrong-{width}-{scheme}")).await;
    }
    browser.close().await;
}
