//! The pages about money and about the customer's word in Chromium: wallet, payouts, rates, the question to the customer.

use ordercast::accounts::Role;
use ordercast::base::id::OrderId;
use ordercast::base::{Clock, Money};
use ordercast::orders::{Customer, Item, NewOrder, Order, Status};
use ordercast::wallet::books::Act;
use serde_json::json;

use crate::app::TestApp;
use crate::app::chromium::Browser;
use crate::app::crew::Crew;
use crate::app::people::staff;
use crate::merchant_journey::{fill, headline, log_in, look_at, press};
use crate::wallet::{Market, admin, by};

async fn go(browser: &Browser, app: &TestApp, path: &str, title: &str) {
    browser.driver.goto(format!("{}{path}", app.url)).await.expect("the page opens");
    browser.until("the page is there", &headline(title)).await;
}

/// A window over the page: it fits, and breaks no rule.
async fn look_into(browser: &Browser, name: &str) {
    for (width, scheme) in [(1280, "light"), (390, "dark")] {
        browser.look(width, scheme).await;
        browser.shot(&format!("{name}-{width}-{scheme}")).await;
        let faults = browser.accessibility_faults().await;
        assert!(faults.is_empty(), "{name} {width} {scheme}: {faults:#?}");
    }
    browser.look(1280, "light").await;
}

/// Orders of the vendor in two currencies: credited, released, taken back.
async fn trade(market: &Market) {
    for (nth, (amount, currency)) in
        [(129_900, "USD"), (4_500, "USD"), (899_950, "USD"), (12_000, "JPY"), (1_250, "USD")].into_iter().enumerate()
    {
        let order = market.priced(Status::Shipped, (amount, currency)).await;
        market.set(admin(), order, Status::Delivered).await.expect("delivered");
        if nth < 2 {
            market.app.parts.money.wallets.act(by(admin()), order, Act::Release).await.expect("released");
        }
        if nth == 4 {
            market.set(admin(), order, Status::Returned).await.expect("returned");
        }
    }
}

#[tokio::test]
async fn a_merchant_sees_what_was_earned_and_asks_for_it_and_staff_pays() {
    let app = TestApp::with(&["--rate-guess=0", "--rate-public=0"], Clock::System).await;
    let market = Market::on(app, Clock::System).await;
    let app = &market.app;
    let browser = Browser::open().await;
    browser.look(1280, "light").await;
    log_in(&browser, app, market.email).await;
    browser.until("the shop is in", &headline("Getting started")).await;
    go(&browser, app, "/vendor/wallet", "Wallet").await;
    look_at(&browser, "wallet-empty").await;
    trade(&market).await;
    go(&browser, app, "/vendor/wallet", "Wallet").await;
    look_at(&browser, "wallet").await;
    press(&browser, "[popovertarget='payout-USD']").await;
    browser.until("it asks how much", "document.activeElement.name === 'amount'").await;
    look_into(&browser, "wallet-ask").await;
    let amount = browser.driver.active_element().await.expect("a focus");
    amount.clear().await.expect("cleared");
    amount.send_keys("700.50\u{e007}").await.expect("typing");
    browser.until("it is asked for", "document.querySelector('[role=status]')?.innerText.includes('on its way')").await;
    look_at(&browser, "wallet-asked").await;

    staff(app, Role::Admin, "rina@host.example").await;
    let desk = Browser::open().await;
    desk.look(1280, "light").await;
    log_in(&desk, app, "rina@host.example").await;
    desk.until("staff is in", "location.pathname.startsWith('/admin')").await;
    go(&desk, app, "/admin/commission", "Commission").await;
    look_at(&desk, "commission").await;
    go(&desk, app, "/admin/payouts", "Payouts").await;
    look_at(&desk, "payouts").await;
    press(&desk, "button[popovertarget^='refuse-']").await;
    desk.until("it asks why", "document.activeElement.name === 'reason'").await;
    look_into(&desk, "payouts-refuse").await;
    press(&desk, ":popover-open [popovertargetaction]").await;
    press(&desk, "form[action$='/approve'] button").await;
    desk.until("it is approved", "document.querySelector('[role=status]')?.innerText.includes('is now Approved')")
        .await;
    look_at(&desk, "payouts-approved").await;
    go(&desk, app, "/admin/payouts?state=approved", "Payouts").await;
    press(&desk, "form[action$='/paid'] button").await;
    desk.until("it is paid", "document.querySelector('[role=status]')?.innerText.includes('is now Paid')").await;
    go(&browser, app, "/vendor/wallet", "Wallet").await;
    browser.until("the shop sees it", "document.querySelector('main').innerText.includes('Paid out')").await;
    look_at(&browser, "wallet-paid").await;
    desk.close().await;
    browser.close().await;
}

/// An order with everything a page shows.
async fn full(app: &TestApp, crew: &Crew<'_>) -> Order {
    let dollars = |amount| Money::new(amount, "USD");
    let item = |name: &str, qty, price| Item {
        name: name.into(),
        qty,
        unit_price: dollars(price),
        image_url: None,
        category: None,
    };
    let new = NewOrder {
        company: crew.company,
        number: Some("MB1031".into()),
        status: Some(Status::Shipped),
        customer: Customer {
            name: Some("Ayesha Rahman".into()),
            email: Some("ayesha@mail.example".into()),
            ..Customer::default()
        },
        address: Some("12 Sample Road, Dhaka".into()),
        items: vec![item("Oat soap", 2, 1675), item("Brass lamp with a very long name for a small screen", 1, 12_900)],
        total: dollars(16_250),
        ..NewOrder::default()
    };
    app.parts.orders.create(admin(), new, None).await.expect("an order").order
}

async fn calculate(app: &TestApp, order: OrderId) {
    let target = ordercast::orders::OrderRef::Id(order);
    app.parts.money.commissions.calculate(admin(), &target, None).await.expect("a commission");
}

#[tokio::test]
async fn the_customer_is_asked_on_a_page_and_the_merchant_sees_what_it_waits_for_and_brings() {
    let app = TestApp::with(&["--rate-guess=0", "--rate-public=0", "--rate-api=0"], Clock::System).await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&["shipped delivered?", "shipped returned"]).await;
    app.parts.money.rates.set(admin(), None, None, 1250, None, None).await.expect("a rate");
    let order = full(&app, &crew).await;
    calculate(&app, order.id).await;
    let (_, pass) = app.parts.passes.create(order.id, None).await.expect("a pass");
    let browser = Browser::open().await;
    browser.look(1280, "light").await;
    log_in(&browser, &app, "owner@juniper.example").await;
    browser.until("the shop is in", "location.pathname !== '/login'").await;
    go(&browser, &app, &format!("/vendor/orders/{}", order.id), "MB1031").await;
    press(&browser, ".nx form[action$='/step'] [type=submit]").await;
    browser.until("it waits", "document.querySelector('.nx').innerText.includes('customer')").await;
    look_at(&browser, "order-waits").await;
    press(&browser, "[popovertarget=code]").await;
    browser.until("it asks for the code", "document.activeElement.name === 'code'").await;
    look_into(&browser, "order-code").await;
    let digits = browser.driver.active_element().await.expect("a focus");
    digits.send_keys("not it\u{e007}").await.expect("typing");
    browser.until("it was another", "document.body.innerText.includes('This is not the customer’s code.')").await;

    let customer = Browser::open().await;
    customer.look(1280, "light").await;
    customer.driver.goto(format!("{}/track/{pass}/confirm", app.url)).await.expect("the page opens");
    customer.until("it asks", "document.querySelector('[name=answer]')").await;
    look_at(&customer, "confirm").await;
    customer.driver.goto(format!("{}/track/{pass}", app.url)).await.expect("the page opens");
    customer.until("it asks here too", "document.body.innerText.includes('Yes, I have received it')").await;
    look_at(&customer, "confirm-track").await;
    customer.driver.goto(format!("{}/track/{pass}/confirm", app.url)).await.expect("the page opens");
    customer.until("it asks", "document.querySelector('[name=answer]')").await;
    fill(&customer, "reason", "The box was empty").await;
    press(&customer, "form:has([value=no]) [type=submit]").await;
    customer.until("it is looked at", "document.body.innerText.includes('We are looking at it')").await;
    look_at(&customer, "confirm-disputed").await;
    customer.close().await;

    let disputes = crew.staff.get("/api/v1/admin/disputes").await.body;
    let path = format!("/api/v1/admin/disputes/{}/resolve", disputes["data"][0]["id"].as_str().expect("an id"));
    let decision = json!({"outcome": "dismissed", "reason": "There is a picture"});
    assert_eq!(crew.staff.post(&path, &decision).await.status, 200);
    go(&browser, &app, &format!("/vendor/orders/{}?done={}&n=0", order.id, order.id), "MB1031").await;
    browser.until("it has earned", "document.querySelector('[role=status]').innerText.includes('$142.19')").await;
    look_at(&browser, "order-delivered").await;
    browser.close().await;
}
