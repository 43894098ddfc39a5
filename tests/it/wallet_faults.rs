//! Wallets when something goes wrong: lost answers, double clicks, debts, and more movements than a statement may have.

use futures_util::future::join_all;
use ordercast::base::id::{PayoutId, TransactionId};
use ordercast::base::{Error, Money};
use ordercast::orders::Status;
use ordercast::wallet::books::LONGEST_STATEMENT;
use ordercast::wallet::verify::verify;
use reqwest::Method;
use serde_json::json;

use crate::app::caller::{Caller, send};
use crate::app::people::{merchant, signed_in};
use crate::rows::run;
use crate::wallet::{Market, admin, balance, transactions};

#[tokio::test]
async fn an_adjustment_whose_answer_was_lost_moves_the_money_once() {
    let market = Market::open(&[]).await;
    let staff = Caller::with(&market.app, "admin").await;
    let path = format!("/api/v1/admin/companies/{}/wallet-adjustments", market.company);
    let body = json!({"amount": 500, "currency": "USD", "reason": "Damaged in our depot"});
    let adjust = async |key: &str| {
        send(staff.request(Method::POST, &path).header("Idempotency-Key", key).json(&body)).await.status
    };
    assert_eq!(adjust("a").await, 204);
    // What a failure of ours after the commit leaves: the key is free again.
    run(&market.app.parts.db, "DELETE FROM idempotency_keys").await;
    assert_eq!(adjust("a").await, 204);
    assert_eq!(market.balance("available", "USD").await, 500);
    assert_eq!(adjust("b").await, 204);
    assert_eq!(market.balance("available", "USD").await, 1000, "another key is another adjustment");
    let (wallets, id) = (&market.app.parts.money.wallets, TransactionId::new());
    let money = || Money::new(-1000, "USD").expect("a currency");
    let at_once = (0..8).map(|_| wallets.adjust(admin(), market.company, money(), "Lost".into(), id, None));
    let done = join_all(at_once).await;
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    assert_eq!((market.balance("available", "USD").await, transactions(&market.app, "adjustment").await), (0, 3));
    verify(&market.app.parts.db).await.expect("right");
}

#[tokio::test]
async fn a_wallet_below_zero_is_put_right_in_parts() {
    let market = Market::open(&["--hold-days=0"]).await;
    let order = market.priced(Status::Shipped, (1000, "USD")).await;
    market.set(admin(), order, Status::Delivered).await.expect("delivered");
    market.app.parts.money.wallets.release_due().await.expect("a sweep");
    let staff = Caller::with(&market.app, "admin").await;
    let company = market.company;
    let ask = json!({"amount": 900, "currency": "USD", "company": company});
    assert_eq!(staff.post("/api/v1/wallet/payouts", &ask).await.status, 201);
    let back = json!({"status": "returned", "allow_negative": true});
    assert_eq!(staff.post(&format!("/api/v1/orders/{order}/status"), &back).await.status, 200);
    assert_eq!(market.balance("available", "USD").await, -900);
    let path = format!("/api/v1/admin/companies/{company}/wallet-adjustments");
    let adjust =
        async |amount: i64| staff.post(&path, &json!({"amount": amount, "currency": "USD", "reason": "Repaid"})).await;
    assert_eq!(adjust(400).await.status, 204);
    assert_eq!(adjust(-1).await.problem(), (409, "wallet_too_low"));
    assert_eq!(adjust(600).await.status, 204);
    assert_eq!(market.balance("available", "USD").await, 100);
    verify(&market.app.parts.db).await.expect("right");
}

#[tokio::test]
async fn no_company_can_fill_what_all_companies_share() {
    let market = Market::open(&[]).await;
    let (most, money) = (1_i64 << 53, |amount| Money::new(amount, "USD").expect("a currency"));
    let (wallets, mut filled) = (&market.app.parts.money.wallets, Vec::new());
    for name in ["one@vendor.example", "two@vendor.example"] {
        let (_, company) = merchant(&market.app, name).await;
        let adjust = async |amount| {
            let id = TransactionId::new();
            wallets.adjust(admin(), company, money(amount), "Opening balance".into(), id, None).await
        };
        adjust(most).await.expect("as much as a wallet holds");
        let Err(Error::Invalid(invalid)) = adjust(1).await else { panic!("a wallet holds more than it may") };
        assert_eq!(invalid.code, "too_much_money");
        filled.push(balance(&market.app, &format!("{company}/USD/available")).await);
    }
    assert_eq!((filled, balance(&market.app, "commission/USD").await), (vec![most; 2], -2 * most));
    let order = market.priced(Status::Shipped, (1000, "USD")).await;
    market.set(market.vendor.clone(), order, Status::Delivered).await.expect("delivered all the same");
    verify(&market.app.parts.db).await.expect("right");
}

#[tokio::test]
async fn a_payout_that_is_asked_for_twice_at_once_is_one_payout() {
    let market = Market::open(&["--hold-days=0"]).await;
    let order = market.priced(Status::Shipped, (1000, "USD")).await;
    market.set(admin(), order, Status::Delivered).await.expect("delivered");
    market.app.parts.money.wallets.release_due().await.expect("a sweep");
    let (payouts, id) = (&market.app.parts.money.payouts, PayoutId::new());
    let money = |amount| Money::new(amount, "USD").expect("a currency");
    let ask = |amount, id| payouts.request(market.vendor.clone(), market.company, money(amount), id, None);
    // So much that a second one could not be paid.
    for payout in join_all((0..8).map(|_| ask(500, id))).await {
        assert_eq!(payout.expect("asked for").id, id);
    }
    assert_eq!((market.balance("payout", "USD").await, market.balance("available", "USD").await), (500, 400));
    let Err(Error::Conflict(conflict)) = ask(1, id).await else { panic!("another payout of the same name") };
    assert_eq!(conflict.code, "id_taken");
    verify(&market.app.parts.db).await.expect("right");
}

#[tokio::test]
async fn a_statement_is_as_long_as_its_period_however_much_comes_later() {
    let market = Market::open(&[]).await;
    let adjust = async |amount: i64| {
        let money = Money::new(amount, "USD").expect("a currency");
        let id = TransactionId::new();
        market.app.parts.money.wallets.adjust(admin(), market.company, money, "Put right".into(), id, None).await
    };
    adjust(500).await.expect("put right");
    market.wait_days(1);
    adjust(-200).await.expect("put right");
    // A busy wallet: more movements on the second day than a statement may have.
    let db = &market.app.parts.db;
    let new_id = if db.engine() == "sqlite" { "randomblob(16)" } else { "gen_random_uuid()" };
    let many = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {LONGEST_STATEMENT}) \
         INSERT INTO ledger_transactions (id, kind, company_id, currency, actor_kind, actor_name, at) \
         SELECT {new_id}, kind, company_id, currency, actor_kind, actor_name, at FROM n, \
         (SELECT * FROM ledger_transactions ORDER BY at DESC LIMIT 1) AS t"
    );
    run(db, &many).await;
    let (vendor, _) = signed_in(&market.app, market.email).await;
    let statement = async |from: &str, until: &str| {
        let period = format!("from={from}T00:00:00Z&until={until}T00:00:00Z");
        vendor.get(&format!("/api/v1/wallet/statement?currency=USD&{period}")).await
    };
    let first = statement("2026-11-21", "2026-11-22").await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!((&first.body["opening"], &first.body["closing"]), (&json!(0), &json!(500)));
    assert_eq!(first.body["movements"].as_array().map(Vec::len), Some(1));
    assert_eq!(statement("2026-11-21", "2026-11-23").await.problem(), (400, "too_long"));
    let later = statement("2026-11-23", "2026-11-24").await;
    assert_eq!((&later.body["opening"], &later.body["closing"]), (&json!(300), &json!(300)), "{later:?}");
}
