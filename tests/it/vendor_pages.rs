//! The pages merchants move their orders on: in Chromium, and as a browser without scripts gets them.

use ordercast::accounts::Role;
use ordercast::base::id::CompanyId;
use ordercast::base::{Actor, Money};
use ordercast::orders::{Change, Customer, Item, NewOrder, Order, OrderRef, Status};
use ordercast::wallet::books::Act;

use crate::app::TestApp;
use crate::app::chromium::Browser;
use crate::app::people::{merchant, staff};
use crate::merchant_journey::{fill, headline, log_in, look_at, press};
use crate::merchant_pages::Reader;
use crate::wallet::by;

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
    let item = Item { name: "Oat soap".into(), qty: 2, unit_price: euros(1675), image_url: None, category: None };
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

/// Staff sets a rate on its page, and the delivery of the order brings its merchant money.
async fn earn(app: &TestApp, shop: &mut Reader<'_>, order: &Order) {
    let path = format!("/vendor/orders/{}", order.id);
    let delivered = [("status", "delivered"), ("seq", "3")];
    let early = shop.post(&format!("{path}/step"), &delivered).await;
    assert!(early.status == 400 && early.text.contains("Commission is not calculated yet"), "{}", early.text);

    assert_eq!(shop.get("/admin/commission").await.status, 404, "it is for staff");
    staff(app, Role::Admin, "rina@host.example").await;
    let mut staff = Reader::new(app);
    staff.log_in("rina@host.example", "").await;
    assert!(staff.get("/admin/commission").await.text.contains("No rate is set yet"));
    let wrong = staff.post("/admin/commission", &[("percent", "12.345"), ("company", "juniper")]).await;
    assert!(wrong.status == 400 && wrong.text.contains("Enter a rate from 0 to 100") && wrong.text.contains("juniper"));
    let nobody = staff.post("/admin/commission", &[("percent", "12.5"), ("company", "nobody")]).await;
    assert!(nobody.status == 400 && nobody.text.contains("There is no such company."), "{}", nobody.text);
    let set = staff.post("/admin/commission", &[("percent", "10"), ("holds_from", "2026-01-01")]).await;
    assert_eq!((set.status, set.location.as_str()), (303, "/admin/commission?said=set"));
    let rates = staff.get("/admin/commission?said=set").await.text;
    assert!(rates.contains("10%") && rates.contains("1 Jan") && rates.contains("The rate is set."), "{rates}");

    let by = Actor::System("tests");
    app.parts.money.commissions.calculate(by, &OrderRef::Id(order.id), None).await.expect("a commission");
    let done = shop.post(&format!("{path}/step"), &delivered).await;
    assert_eq!(done.location, format!("{path}?done={}&n=0", order.id));
    let said = shop.get(&done.location).await.text;
    assert!(said.contains("Delivered. €30.15 added to your wallet."), "{said}");
    get_paid(app, shop, &mut staff, order).await;
}

/// The merchant asks for what is released, once however often the form is sent; staff refuses, approves and pays.
async fn get_paid(app: &TestApp, shop: &mut Reader<'_>, staff: &mut Reader<'_>, order: &Order) {
    let purse = shop.get("/vendor/wallet").await.text;
    assert!(purse.contains("€30.15") && purse.contains("MB1031") && !purse.contains(r#"name="amount""#), "{purse}");
    app.parts.money.wallets.act(by(Actor::System("tests")), order.id, Act::Release).await.expect("a release");
    let ask = async |shop: &mut Reader<'_>, id: &str, amount: &str| {
        shop.post("/vendor/wallet/payout", &[("id", id), ("amount", amount), ("currency", "EUR")]).await
    };
    let purse = shop.get("/vendor/wallet").await.text;
    let at = purse.find(r#"name="id" value=""#).expect("a form") + r#"name="id" value=""#.len();
    let id = &purse[at..at + 36];
    let much = ask(shop, id, "40").await;
    assert!(much.status == 409 && much.text.contains("at most €30.15"), "{}", much.text);
    assert_eq!(ask(shop, id, "a lot").await.status, 400);
    for _ in 0..2 {
        assert_eq!(ask(shop, id, "20.00").await.location, "/vendor/wallet?said=asked");
    }
    let purse = shop.get("/vendor/wallet?said=asked").await.text;
    assert!(purse.contains("€10.15") && purse.contains("Your request is on its way."), "{purse}");
    assert_eq!(shop.get("/api/v1/wallet/ledger.csv").await.status, 200);

    assert_eq!(shop.get("/admin/payouts").await.status, 404, "it is for staff");
    assert_eq!(shop.post(&format!("/admin/payouts/{id}/approve"), &[]).await.status, 404);
    let queue = staff.get("/admin/payouts").await.text;
    assert!(queue.contains("€20.00") && queue.contains(SHOP), "{queue}");
    let mute = staff.post(&format!("/admin/payouts/{id}/refuse"), &[("reason", " ")]).await;
    assert!(mute.status == 400 && mute.text.contains("Say why"), "{}", mute.text);
    let early = staff.post(&format!("/admin/payouts/{id}/paid"), &[]).await;
    assert_eq!(early.status, 409, "{}", early.text);
    for (what, said) in [("approve", "Approved"), ("paid", "Paid")] {
        let decided = staff.post(&format!("/admin/payouts/{id}/{what}"), &[]).await;
        assert_eq!(decided.location, format!("/admin/payouts?done={id}"));
        let page = staff.get(&decided.location).await.text;
        assert!(page.contains(&format!("€20.00 is now {said}.")), "{page}");
    }
    assert_eq!(staff.get("/api/v1/admin/payouts.csv").await.status, 200);
    assert!(shop.get("/vendor/wallet").await.text.contains("Paid out"));
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
    assert!(
        list.contains(r#"Open <span class="n num">1</span>"#) && list.contains(r#"All <span class="n num">1</span>"#)
    );
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
    earn(&app, &mut shop, &mine).await;
    let linked = shop.post(&format!("{path}/link"), &[]).await;
    assert!(linked.status == 200 && linked.text.contains("track/<wbr>"), "{}", linked.text);

    let foreign = format!("/vendor/orders/{}", theirs.id);
    assert_eq!(shop.get(&foreign).await.status, 404);
    for verb in ["step", "link"] {
        assert_eq!(shop.post(&format!("{foreign}/{verb}"), &[("status", "packed")]).await.status, 404, "{verb}");
    }
    for back in ["https://evil.example/", "//evil.example", "/login"] {
        let again = shop.post(&step, &[("status", "delivered"), ("back", back)]).await;
        assert!(again.location.starts_with(&path), "{back}: {}", again.location);
    }
}

/// What others do shows in the list by itself: a row changes in its place, a new order waits until it is asked for.
async fn follow_live(app: &TestApp, browser: &Browser, company: CompanyId) {
    browser.until("the list is live", "!document.querySelector('#live').hidden").await;
    let change = Change { status: Some(Status::Packed), ..Change::default() };
    let target = OrderRef::Number("MB1051".into());
    app.parts.orders.advance(Actor::System("tests"), target, change, None).await.expect("a change");
    let row = "[...document.querySelectorAll('tbody tr')].find(row => row.innerText.includes('MB1051'))";
    browser.until("the row changes", &format!("{row}.querySelector('.pill').innerText === 'Packed'")).await;
    browser.until("its old button is gone", &format!("!{row}.querySelector('[popovertarget]')")).await;
    order(app, company, "MB1055", Status::Pending).await;
    browser.until("a new one is told of", "document.querySelector('#fresh').innerText === 'Show new orders (1)'").await;
    browser.shot("orders-live-1280-light").await;
    assert!(browser.accessibility_faults().await.is_empty(), "what came live breaks no rule");
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
        ("MB1049", Status::Returned),
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
    follow_live(&app, &browser, company).await;
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
    browser.close().await;
}
