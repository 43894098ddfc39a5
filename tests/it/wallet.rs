//! Vendors' wallets: what is credited, taken back and released, and that the ledger stays as it was written.

use std::time::Duration;

use futures_util::future::join_all;
use ordercast::accounts::Role;
use ordercast::base::id::{AccountId, CompanyId, OrderId, PayoutId};
use ordercast::base::{Actor, Clock, Error, Money};
use ordercast::orders::{Advanced, Change, Details, Item, NewOrder, Order, OrderRef, Status};
use ordercast::wallet::Credited;
use ordercast::wallet::books::{Act, Caused};
use ordercast::wallet::sellers::Terms;
use ordercast::wallet::verify::verify;
use serde_json::json;

use crate::app::TestApp;
use crate::app::caller::Caller;
use crate::app::people::{merchant, signed_in, staff};
use crate::rows::{number, run};

const TESTS: Actor = Actor::System("tests");

/// Who runs the platform, called directly.
pub fn admin() -> Actor {
    Actor::Admin { account: AccountId::new(), name: "Rina".into(), is_super: false }
}

/// Somebody who acts about a credit by hand.
pub fn by(actor: Actor) -> Caused {
    Caused { actor, request_id: None, reason: None }
}

/// A deployment with a vendor of the marketplace and a platform-wide rate of ten percent.
pub struct Market {
    pub app: TestApp,
    clock: Clock,
    pub company: CompanyId,
    pub vendor: Actor,
    pub email: &'static str,
}

impl Market {
    pub async fn open(flags: &[&str]) -> Self {
        Self::at("2026-11-21T09:00:00Z", flags).await
    }

    pub async fn at(time: &str, flags: &[&str]) -> Self {
        let clock = Clock::manual(time.parse().expect("a time"));
        let app = TestApp::with(flags, clock.clone()).await;
        Self::on(app, clock).await
    }

    pub async fn on(app: TestApp, clock: Clock) -> Self {
        let email = "owner@vendor.example";
        let (account, company) = merchant(&app, email).await;
        app.parts.money.rates.set(TESTS, None, None, 1000, Some(clock.now()), None).await.expect("a rate");
        let vendor = Actor::Vendor { account, company, name: "Owner".into() };
        Self { app, clock, company, vendor, email }
    }

    /// An order of the vendor.
    pub async fn order(&self, status: Status, total: Option<(i64, &str)>) -> Order {
        let total = total.map(|(amount, currency)| Money::new(amount, currency).expect("a currency"));
        let new = NewOrder { company: self.company, status: Some(status), total, ..NewOrder::default() };
        self.app.parts.orders.create(TESTS, new, None).await.expect("an order").order
    }

    /// One whose commission is calculated.
    pub async fn priced(&self, status: Status, total: (i64, &str)) -> OrderId {
        let order = self.order(status, Some(total)).await.id;
        self.calculate(order).await;
        order
    }

    pub async fn calculate(&self, order: OrderId) {
        self.app.parts.money.commissions.calculate(admin(), &OrderRef::Id(order), None).await.expect("a commission");
    }

    pub async fn set(&self, actor: Actor, order: OrderId, status: Status) -> Result<Advanced, Error> {
        let change = Change { status: Some(status), ..Change::default() };
        self.app.parts.orders.advance(actor, OrderRef::Id(order), change, None).await
    }

    /// Has customers asked from now on before the vendor's orders count as delivered.
    pub async fn ask_customers(&self) {
        let (owner, _) = signed_in(&self.app, self.email).await;
        let edge = json!({"from": "shipped", "to": "delivered", "confirmation": true});
        let steps = json!({"initial": "shipped", "edges": [edge]});
        let set = owner.send(reqwest::Method::PUT, "/api/v1/workflows", &steps).await;
        assert_eq!(set.status, 200, "{set:?}");
    }

    /// The balance of an account: `held`, `available`, `payout`.
    pub async fn balance(&self, which: &str, currency: &str) -> i64 {
        balance(&self.app, &format!("{}/{currency}/{which}", self.company)).await
    }

    /// Moves the clock.
    pub fn wait_days(&self, days: u64) {
        self.clock.advance(Duration::from_secs(86_400 * days));
    }
}

/// The balance of an account of the ledger; nothing when it was never used.
pub async fn balance(app: &TestApp, account: &str) -> i64 {
    let sql =
        format!("SELECT CAST(coalesce(sum(balance), 0) AS bigint) AS n FROM ledger_accounts WHERE id = '{account}'");
    number(&app.parts.db, &sql).await
}

/// How many transactions of a kind there are.
pub async fn transactions(app: &TestApp, kind: &str) -> i64 {
    number(&app.parts.db, &format!("SELECT count(*) AS n FROM ledger_transactions WHERE kind = '{kind}'")).await
}

fn money(amount: i64, currency: &str) -> Money {
    Money::new(amount, currency).expect("a currency")
}

#[tokio::test]
async fn a_delivered_order_is_credited_once_and_the_sums_are_right() {
    let market = Market::open(&[]).await;
    let order = market.priced(Status::Shipped, (99_999, "USD")).await;
    let done = market.set(market.vendor.clone(), order, Status::Delivered).await.expect("delivered");
    // Ten percent of 999.99 is 99.999, which is 100.00.
    let credited = Credited { vendor_amount: money(89_999, "USD"), balance: money(89_999, "USD") };
    assert_eq!(done.credited, Some(credited));
    let again = market.set(market.vendor.clone(), order, Status::Delivered).await.expect("the same");
    assert_eq!((again.event, again.credited), (None, None));
    assert_eq!(market.balance("held", "USD").await, 89_999);
    assert_eq!(balance(&market.app, "commission/USD").await, 10_000);
    assert_eq!(balance(&market.app, "world/USD").await, -99_999);
    assert_eq!(transactions(&market.app, "credit").await, 1);
}

#[tokio::test]
async fn currencies_have_wallets_of_their_own() {
    let market = Market::open(&[]).await;
    for (total, currency, vendor) in [(1005, "JPY", 905), (1005, "USD", 905), (1015, "KWD", 913)] {
        let order = market.priced(Status::Shipped, (total, currency)).await;
        let done = market.set(admin(), order, Status::Delivered).await.expect("delivered");
        // 100.5 goes down to the even 100, 101.5 up to the even 102.
        assert_eq!(done.credited.expect("credited").vendor_amount, money(vendor, currency));
        assert_eq!(market.balance("held", currency).await, vendor);
    }
}

#[tokio::test]
async fn without_a_commission_of_its_total_no_vendors_order_is_delivered_by_anybody() {
    let market = Market::open(&[]).await;
    let order = market.order(Status::Shipped, Some((5000, "USD"))).await.id;
    for actor in [market.vendor.clone(), admin(), Actor::Courier("steadfast".into()), TESTS] {
        let refused = market.set(actor, order, Status::Delivered).await.expect_err("refused");
        let Error::Invalid(invalid) = refused else { panic!("{refused}") };
        assert_eq!(invalid.code, "commission_not_calculated");
    }
    assert_eq!(market.balance("held", "USD").await, 0);
    let made = market.app.parts.orders.create(
        TESTS,
        NewOrder {
            company: market.company,
            status: Some(Status::Delivered),
            total: Some(money(100, "USD")),
            ..NewOrder::default()
        },
        None,
    );
    assert!(made.await.is_err(), "nor is one made as delivered");
    // What has no total, and the shop of the platform itself, need none.
    let free = market.order(Status::Shipped, None).await.id;
    assert_eq!(market.set(market.vendor.clone(), free, Status::Delivered).await.expect("delivered").credited, None);
    let (own, _) = market
        .app
        .order(NewOrder { status: Some(Status::Shipped), total: Some(money(100, "USD")), ..NewOrder::default() })
        .await;
    assert_eq!(market.set(admin(), own.id, Status::Delivered).await.expect("delivered").credited, None);
    assert_eq!(number(&market.app.parts.db, "SELECT count(*) AS n FROM ledger_transactions").await, 0);
}

#[tokio::test]
async fn what_is_moved_back_is_taken_back_and_may_be_credited_anew() {
    let market = Market::open(&[]).await;
    let order = market.priced(Status::Shipped, (1000, "USD")).await;
    for round in 1..=3 {
        let done = market.set(admin(), order, Status::Delivered).await.expect("delivered");
        assert_eq!(done.credited.expect("credited").balance, money(900, "USD"));
        let back = [Status::Shipped, Status::Returned, Status::Cancelled][round - 1];
        market.set(admin(), order, back).await.expect("moved back");
        assert_eq!(market.balance("held", "USD").await, 0);
        assert_eq!(balance(&market.app, "commission/USD").await, 0);
        assert_eq!(balance(&market.app, "world/USD").await, 0);
    }
    assert_eq!((transactions(&market.app, "credit").await, transactions(&market.app, "reversal").await), (3, 3));
}

#[tokio::test]
async fn a_commission_is_calculated_anew_only_before_the_delivery() {
    let market = Market::open(&[]).await;
    let order = market.priced(Status::Shipped, (1000, "USD")).await;
    market.calculate(order).await;
    market.set(admin(), order, Status::Delivered).await.expect("delivered");
    let again = market.app.parts.money.commissions.calculate(admin(), &OrderRef::Id(order), None).await;
    let Err(Error::Conflict(conflict)) = again else { panic!("{again:?}") };
    assert_eq!(conflict.code, "commission_settled");
}

#[tokio::test]
async fn on_confirmation_a_commission_is_calculated_where_the_setting_says_so() {
    let market = Market::open(&["--commission-on-confirmation"]).await;
    let order = market.order(Status::Pending, Some((1000, "USD"))).await.id;
    let commission = async || {
        let priced = market.app.parts.money.commissions.get(&admin(), &OrderRef::Id(order)).await.expect("an order");
        priced.commission.map(|commission| commission.amount)
    };
    assert_eq!(commission().await, None);
    market.set(admin(), order, Status::Confirmed).await.expect("confirmed");
    assert_eq!(commission().await, Some(100));
    for status in [Status::Packed, Status::Shipped, Status::Delivered] {
        market.set(market.vendor.clone(), order, status).await.expect("moved");
    }
    assert_eq!(market.balance("held", "USD").await, 900);
}

#[tokio::test]
async fn many_at_once_on_one_wallet_lose_nothing() {
    let market = Market::open(&[]).await;
    let orders = join_all((0..40).map(|at| market.priced(Status::Shipped, (1000 + at, "USD")))).await;
    let all = orders.iter().map(|order| market.set(market.vendor.clone(), *order, Status::Delivered));
    let credited: i64 = join_all(all)
        .await
        .into_iter()
        .map(|done| done.expect("delivered").credited.expect("credited").vendor_amount.amount)
        .sum();
    assert_eq!(market.balance("held", "USD").await, credited);
}

#[tokio::test]
async fn a_batch_that_is_undone_moves_no_money() {
    let market = Market::open(&[]).await;
    let good = market.priced(Status::Shipped, (1000, "USD")).await;
    let bad = market.order(Status::Shipped, Some((1000, "USD"))).await.id;
    let change = || Change { status: Some(Status::Delivered), ..Change::default() };
    for is_dry in [false, true] {
        let rows = vec![(OrderRef::Id(good), change()), (OrderRef::Id(bad), change())];
        let outcomes = market.app.parts.orders.advance_all(admin(), rows, is_dry, None).await.expect("outcomes");
        assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
        assert_eq!((market.balance("held", "USD").await, transactions(&market.app, "credit").await), (0, 0));
    }
}

#[tokio::test]
async fn the_ledger_cannot_be_changed_or_emptied() {
    let market = Market::open(&[]).await;
    let order = market.priced(Status::Shipped, (1000, "USD")).await;
    market.set(admin(), order, Status::Delivered).await.expect("delivered");
    for table in ["ledger_postings", "ledger_transactions"] {
        let column = if table == "ledger_postings" { "amount = amount" } else { "kind = kind" };
        for sql in [format!("UPDATE {table} SET {column}"), format!("DELETE FROM {table}")] {
            let db = market.app.parts.db.clone();
            let tried = tokio::spawn(async move { run(&db, &sql).await }).await;
            assert!(tried.is_err(), "{table} was changed");
        }
    }
    assert_eq!(number(&market.app.parts.db, "SELECT count(*) AS n FROM ledger_postings").await, 2);
}

#[tokio::test]
async fn every_movement_of_money_stands_in_the_audit_trail_with_its_request() {
    let market = Market::open(&[]).await;
    let order = market.priced(Status::Shipped, (1000, "USD")).await;
    staff(&market.app, Role::SuperAdmin, "rina@ordercast.example").await;
    let (rina, _): (Caller<'_>, _) = signed_in(&market.app, "rina@ordercast.example").await;
    for status in ["delivered", "shipped"] {
        let answer = rina.post(&format!("/api/v1/orders/{order}/status"), &json!({"status": status})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let credit = json!({"currency": "USD", "vendor_amount": 900, "wallet_balance": 900});
        assert_eq!(answer.body["wallet_credit"], if status == "delivered" { credit } else { json!(null) });
    }
    let entries = ordercast::audit::history(&market.app.parts.db, "wallet", market.company.to_string()).await;
    let entries = entries.expect("the trail");
    let actions: Vec<_> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["wallet.credited", "wallet.reversed"]);
    assert!(entries.iter().all(|entry| entry.request_id.is_some() && entry.actor_name == "Rina"), "{entries:?}");
    assert_eq!(entries[0].detail["moved"][0]["amount"], 900, "{entries:?}");
}

#[tokio::test]
async fn what_is_held_is_released_after_its_days_once_and_not_while_it_is_disputed() {
    let market = Market::open(&["--hold-days=3", "--release-at-once=1"]).await;
    let wallets = &market.app.parts.money.wallets;
    let (calm, disputed) =
        (market.priced(Status::Shipped, (1000, "USD")).await, market.priced(Status::Shipped, (2000, "USD")).await);
    for order in [calm, disputed] {
        market.set(admin(), order, Status::Delivered).await.expect("delivered");
    }
    assert!(wallets.act(by(admin()), disputed, Act::Freeze).await.expect("asked"));
    market.wait_days(2);
    assert_eq!(wallets.release_due().await.expect("a sweep"), 0);
    market.wait_days(1);
    let sweeps = join_all((0..8).map(|_| wallets.release_due())).await;
    assert!(sweeps.iter().all(Result::is_ok), "{sweeps:?}");
    assert_eq!(transactions(&market.app, "release").await, 1);
    assert_eq!((market.balance("held", "USD").await, market.balance("available", "USD").await), (1800, 900));
    assert!(!wallets.act(by(admin()), calm, Act::Freeze).await.expect("asked"), "too late");
    assert!(!wallets.act(by(TESTS), disputed, Act::Release).await.expect("asked"), "disputed");
    assert!(wallets.act(by(admin()), disputed, Act::Unfreeze).await.expect("asked"));
    wallets.release_due().await.expect("a sweep");
    assert_eq!((market.balance("held", "USD").await, market.balance("available", "USD").await), (0, 2700));
    verify(&market.app.parts.db).await.expect("right");
}

#[tokio::test]
async fn a_customers_confirmation_releases_at_once_and_a_company_may_have_days_of_its_own() {
    let market = Market::open(&[]).await;
    let (wallets, sellers) = (&market.app.parts.money.wallets, &market.app.parts.money.sellers);
    let terms = Terms { is_marketplace: None, hold_days: Some(Some(0)) };
    let first = market.priced(Status::Shipped, (1000, "USD")).await;
    market.set(admin(), first, Status::Delivered).await.expect("delivered");
    sellers.set(admin(), market.company, terms, None).await.expect("set");
    let second = market.priced(Status::Shipped, (1000, "USD")).await;
    market.set(admin(), second, Status::Delivered).await.expect("delivered");
    wallets.release_due().await.expect("a sweep");
    assert_eq!(
        market.balance("available", "USD").await,
        900,
        "the second one's days are over, the first one's are not"
    );
    assert!(wallets.act(by(TESTS), first, Act::Release).await.expect("released"));
    assert!(!wallets.act(by(TESTS), first, Act::Release).await.expect("asked again"));
    assert_eq!(market.balance("available", "USD").await, 1800);
}

#[tokio::test]
async fn orders_of_more_than_a_million_millions_are_refused() {
    let market = Market::open(&[]).await;
    let orders = &market.app.parts.orders;
    let most = 1_000_000_000_000;
    let item = |price| {
        let unit_price = Some(money(price, "USD"));
        Item { name: "Gold".into(), qty: 1, unit_price, image_url: None, category: None }
    };
    let new = |total, price| NewOrder {
        company: market.company,
        total: Some(money(total, "USD")),
        items: vec![item(price)],
        ..NewOrder::default()
    };
    for (total, price) in [(most + 1, 1), (1, most + 1), (9_007_199_254_740_000, 1)] {
        let Err(Error::Invalid(invalid)) = orders.create(TESTS, new(total, price), None).await else {
            panic!("{total} {price}")
        };
        assert_eq!(invalid.code, "too_much_money");
        let details =
            Details { total: Some(money(total, "USD")), items: Some(vec![item(price)]), ..Details::default() };
        assert!(details.check().is_err(), "{total} {price}");
    }
    orders.create(TESTS, new(most, most), None).await.expect("the largest order there is");
}

#[tokio::test]
async fn money_that_was_paid_out_is_taken_back_only_with_leave() {
    let market = Market::open(&["--hold-days=0"]).await;
    let order = market.priced(Status::Shipped, (1000, "USD")).await;
    market.set(admin(), order, Status::Delivered).await.expect("delivered");
    market.app.parts.money.wallets.release_due().await.expect("a sweep");
    let payouts = &market.app.parts.money.payouts;
    let payout = payouts.request(market.vendor.clone(), market.company, money(500, "USD"), PayoutId::new(), None).await;
    payout.expect("a payout");
    let staff = Caller::with(&market.app, "admin").await;
    let path = format!("/api/v1/orders/{order}/status");
    let refused = staff.post(&path, &json!({"status": "returned"})).await;
    assert_eq!(refused.problem(), (409, "wallet_too_low"));
    assert_eq!(market.balance("available", "USD").await, 400);
    let allowed = staff.post(&path, &json!({"status": "returned", "allow_negative": true})).await;
    assert_eq!(allowed.status, 200, "{allowed:?}");
    assert_eq!(market.balance("available", "USD").await, -500);
    let marked = "SELECT count(*) AS n FROM ledger_transactions WHERE kind = 'reversal' AND reason LIKE '%below zero'";
    assert_eq!(number(&market.app.parts.db, marked).await, 1);
    verify(&market.app.parts.db).await.expect("right");
}
