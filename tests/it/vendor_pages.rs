//! The pages merchants move their orders on: in Chromium, and as a browser without scripts gets them.

use ordercast::base::id::CompanyId;
use ordercast::base::{Actor, Money};
use ordercast::orders::{Customer, Item, NewOrder, Order, Status};

use crate::app::TestApp;
use crate::app::chromium::Browser;
use crate::app::people::merchant;
use crate::merchant_journey::{fill, headline, log_in, look_at, press};
use crate::merchant_pages::Reader;

const SHOP: &str = "owner@shop.example";

/// An order of this company.
async fn order(app: &TestApp, company: CompanyId, number: &str, status: Status) -> Order {
    let customer = Customer {
        name: Some("Ayesha Rahman".into()),
        email: Some("ayesha@mail.example".into()),
        phone: Some("+8801712345678".into()),
        ..Customer::default()
    };
    let euros = |amount| Some(Money { amount, currency: "EUR".into() });
    let item = Item { name: "Oat soap".into(), qty: 2, unit_price: euros(1675), image_url: None };
    let new = NewOrder {
        company,
        number: Some(number.into()),
        status: Some(status),
        customer,
        address: Some("12 Sample Road, Dhaka".into()),
        items: vec![item],
        total: euros(3350),
        ..NewOrder::default()
    };
    app.parts.orders.create(Actor::System("tests"), new, None).await.expect("an order").order
}

#[tokio::test]
async fn a_merchant_takes_each_order_one_step_on_by_plain_forms() {
    let app = TestApp::with(&["--rate-guess=0"], ordercast::base::Clock::System).await;
    let (_, company) = merchant(&app, SHOP).await;
    let (_, other) = merchant(&app, "owner@other.example").await;
    let mine = order(&app, company, "MB1031", Status::Confirmed).await;
    let theirs = order(&app, other, "MB2000", Status::Confirmed).await;
    let mut shop = Reader::new(&app);
    assert_eq!(shop.get("/vendor/orders").await.location, "/login?next=%2Fvendor%2Forders");
    assert_eq!(shop.log_in(SHOP, "/vendor/orders").await.location, "/vendor/orders");
    let list = shop.get("/vendor/orders").await.text;
    assert!(list.contains("MB1031") && list.contains("Mark as packed") && !list.contains("MB2000"), "{list}");
    for (view, is_there) in [("open", true), ("delivered", false)] {
        let list = shop.get(&format!("/vendor/orders?view={view}&q=mb10")).await.text;
        assert_eq!((list.contains("MB1031"), list.contains("Nothing matches")), (is_there, !is_there), "{view}");
    }

    let path = format!("/vendor/orders/{}", mine.id);
    let step = format!("{path}/step");
    let skipped = shop.post(&step, &[("status", "delivered"), ("seq", "1")]).await;
    assert_eq!(skipped.status, 400);
    assert!(skipped.text.contains("Cannot go from Confirmed to Delivered. Next step: Packed."), "{}", skipped.text);
    let packed = shop.post(&step, &[("status", "packed"), ("seq", "1"), ("back", "/vendor/orders?view=open")]).await;
    assert_eq!((packed.status, packed.location), (303, format!("/vendor/orders?view=open&done={}&n=0", mine.id)));
    let list = shop.get(&format!("/vendor/orders?view=open&done={}&n=0", mine.id)).await.text;
    assert!(list.contains("MB1031 is now Packed · Nobody is watching right now"), "{list}");
    let stale = shop.post(&step, &[("status", "shipped"), ("seq", "1")]).await;
    assert!(
        stale.status == 409 && stale.text.contains("It has moved on meanwhile: it is Packed now."),
        "{}",
        stale.text
    );
    let parcel = [("status", "shipped"), ("seq", "2"), ("carrier", "FedEx"), ("tracking_number", "986578788855")];
    let shipped = shop.post(&step, &parcel).await;
    assert_eq!(shipped.location, format!("{path}?done={}&n=0", mine.id));
    let page = shop.get(&path).await.text;
    for part in ["986578788855", "Mark as delivered", "Ayesha Rahman", "ayesha@mail.example", "€33.50"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let linked = shop.post(&format!("{path}/link"), &[]).await;
    assert!(linked.status == 200 && linked.text.contains("track/<wbr>"), "{}", linked.text);

    let foreign = format!("/vendor/orders/{}", theirs.id);
    assert_eq!(shop.get(&foreign).await.status, 404);
    for verb in ["step", "link"] {
        assert_eq!(shop.post(&format!("{foreign}/{verb}"), &[("status", "packed")]).await.status, 404, "{verb}");
    }
    for back in ["https://evil.example/", "//evil.example", "/login"] {
        let again = shop.post(&step, &[("status", "shipped"), ("back", back)]).await;
        assert!(again.location.starts_with(&path), "{back}: {}", again.location);
    }
}

#[tokio::test]
async fn a_merchant_works_through_the_list_in_a_browser() {
    let app = TestApp::with(&["--rate-guess=0", "--rate-public=0"], ordercast::base::Clock::System).await;
    let (_, company) = merchant(&app, SHOP).await;
    let browser = Browser::open().await;
    browser.look(1280, "light").await;
    log_in(&browser, &app, SHOP).await;
    browser.until("the shop is in", &headline("Getting started")).await;
    press(&browser, ".nav a[href='/vendor/orders']").await;
    browser.until("there is nothing yet", "document.querySelector('.empty h2')?.innerText === 'No orders yet'").await;
    look_at(&browser, "orders-empty").await;
    for (number, status) in [
        ("MB1048", Status::Cancelled),
        ("MB1049", Status::Delivered),
        ("MB1050", Status::DeliveryFailed),
        ("MB1051", Status::Processing),
        ("MB1052", Status::Shipped),
        ("MB1053", Status::Pending),
        ("MB1054", Status::Packed),
    ] {
        order(&app, company, number, status).await;
    }
    browser.driver.refresh().await.expect("the page opens");
    browser.until("they are listed", "document.querySelectorAll('tbody tr').length === 7").await;
    look_at(&browser, "orders").await;
    press(&browser, "tbody tr:first-child [popovertarget]").await;
    browser.until("the carrier is asked for", "document.activeElement.name === 'carrier'").await;
    browser.shot("orders-ship-1280-light").await;
    assert!(browser.accessibility_faults().await.is_empty(), "the window breaks no rule");
    let carrier = browser.driver.active_element().await.expect("a focus");
    carrier.send_keys("FedEx\u{e004}986578788855\u{e007}").await.expect("typing");
    let said = "document.querySelector('[role=status]')?.innerText.startsWith('MB1054 is now Shipped')";
    browser.until("it is said that it was done", said).await;
    look_at(&browser, "orders-done").await;
    fill(&browser, "q", "MB1053\u{e007}").await;
    browser.until("one is found", "document.querySelectorAll('tbody tr').length === 1").await;
    press(&browser, "tbody a.o").await;
    browser.until("its page opens", &headline("MB1053")).await;
    look_at(&browser, "order").await;
    press(&browser, ".nx [type=submit]").await;
    browser.until("it is packed", "document.querySelector('.pill').innerText.includes('Packed')").await;
    press(&browser, "[action$='/link'] [type=submit]").await;
    browser.until("a link is made", "document.querySelector('#link')?.innerText.includes('/track/')").await;
    look_at(&browser, "order-link").await;
    let misdeeds = browser.misdeeds(&app.url).await;
    assert!(misdeeds.is_empty(), "{misdeeds:#?}");
    browser.close().await;
}
