//! Wallets over HTTP: payouts from both sides, statements, the ledger, adjustments, and who may read what.

use ordercast::base::Money;
use ordercast::orders::{Change, Details, OrderRef, Status};
use ordercast::wallet::verify::verify;
use reqwest::Method;
use serde_json::json;

use crate::app::caller::{Answer, Caller, send};
use crate::app::people::{merchant, signed_in};
use crate::rows::{number, run};
use crate::wallet::{Market, admin};

#[tokio::test]
async fn a_payout_is_asked_for_approved_filed_and_paid_or_refused() {
    let market = Market::open(&["--hold-days=0", "--payout-file-rows=1"]).await;
    run(&market.app.parts.db, &format!("UPDATE companies SET name = '=cmd|x' WHERE name = '{}'", market.email)).await;
    let order = market.priced(Status::Shipped, (100_000, "USD")).await;
    market.set(admin(), order, Status::Delivered).await.expect("delivered");
    market.app.parts.money.wallets.release_due().await.expect("a sweep");
    let (vendor, _) = signed_in(&market.app, market.email).await;
    let staff = Caller::with(&market.app, "admin").await;
    let ask = async |amount: i64, key: &str| {
        let body = json!({"amount": amount, "currency": "USD"});
        send(vendor.request(Method::POST, "/api/v1/wallet/payouts").header("Idempotency-Key", key).json(&body)).await
    };
    assert_eq!(ask(90_001, "a").await.problem(), (409, "not_enough_available"));
    assert_eq!(ask(0, "b").await.problem(), (400, "bad_money"));
    let (first, again) = (ask(60_000, "c").await, ask(60_000, "c").await);
    assert_eq!((first.status, &first.body), (201, &again.body), "a repeat is a repeat");
    let second = ask(30_000, "d").await;
    assert_eq!(ask(1, "e").await.problem(), (409, "not_enough_available"));
    let of = |answer: &Answer| answer.body["id"].as_str().expect("an id").to_owned();
    let path = |id: &str, verb: &str| format!("/api/v1/admin/payouts/{id}/{verb}");
    assert_eq!(vendor.post(&path(&of(&first), "approve"), &json!({})).await.problem(), (403, "forbidden"));
    assert_eq!(staff.post(&path(&of(&first), "paid"), &json!({})).await.problem(), (409, "payout_decided"));
    assert_eq!(staff.post(&path(&of(&first), "approve"), &json!({})).await.body["state"], "approved");
    let file = send_text(staff.request(Method::GET, "/api/v1/admin/payouts.csv")).await;
    assert!(file.contains(&format!("{},'=cmd|x,{},600.00,USD,", of(&first), market.company)), "{file}");
    assert_eq!(file.lines().count(), 2, "only what is approved: {file}");
    assert_eq!(staff.post(&path(&of(&second), "approve"), &json!({})).await.body["state"], "approved");
    let file = send_text(staff.request(Method::GET, "/api/v1/admin/payouts.csv")).await;
    assert_eq!(file.lines().count(), 2, "it has room for one: {file}");
    for _ in 0..2 {
        let paid = staff.post(&path(&of(&first), "paid"), &json!({"note": "SEPA 17"})).await;
        assert_eq!((paid.status, &paid.body["state"], &paid.body["note"]), (200, &json!("paid"), &json!("SEPA 17")));
    }
    let file = send_text(staff.request(Method::GET, "/api/v1/admin/payouts.csv")).await;
    assert!(file.lines().count() == 2 && file.contains(&of(&second)), "what is paid leaves it: {file}");
    assert_eq!(staff.post(&path(&of(&second), "refuse"), &json!({"reason": " "})).await.problem(), (400, "bad_reason"));
    let refused = staff.post(&path(&of(&second), "refuse"), &json!({"reason": "Account not confirmed"})).await;
    assert_eq!(refused.body["state"], "refused", "{refused:?}");
    let wallet = vendor.get("/api/v1/wallet").await;
    let balance = json!([{"currency": "USD", "held": 0, "available": 30_000, "payout": 0}]);
    assert_eq!(wallet.body["balances"], balance, "{wallet:?}");
    let list = vendor.get("/api/v1/wallet/payouts?state=paid").await;
    assert_eq!(list.body["data"].as_array().map(Vec::len), Some(1), "{list:?}");
    verify(&market.app.parts.db).await.expect("right");
}

#[tokio::test]
async fn statements_of_neighbouring_periods_join_and_the_ledger_pages_without_gaps() {
    let market = Market::open(&["--hold-days=1"]).await;
    for day in 0..5 {
        let order = market.priced(Status::Shipped, (1000 + day, "USD")).await;
        market.set(admin(), order, Status::Delivered).await.expect("delivered");
        if day == 2 {
            market.set(admin(), order, Status::Returned).await.expect("returned");
        }
        market.wait_days(1);
        market.app.parts.money.wallets.release_due().await.expect("a sweep");
    }
    let (vendor, _) = signed_in(&market.app, market.email).await;
    let statement = async |from: &str, until: &str| {
        let path = format!("/api/v1/wallet/statement?currency=USD&from={from}T00:00:00Z&until={until}T00:00:00Z");
        let answer = vendor.get(&path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    };
    let (first, second) = (statement("2026-11-01", "2026-11-23").await, statement("2026-11-23", "2026-12-01").await);
    assert_eq!((&first["opening"], &first["closing"]), (&json!(0), &json!(1801)));
    assert_eq!((&second["opening"], &second["closing"]), (&json!(1801), &json!(3608)), "{second}");
    let changes: Vec<_> =
        second["movements"].as_array().expect("a list").iter().map(|row| row["change"].as_i64()).collect();
    assert_eq!(changes, [Some(902), Some(-902), Some(903), Some(904)], "{second}");
    let csv = send_text(vendor.request(
        Method::GET,
        "/api/v1/wallet/statement.csv?currency=USD&from=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00Z",
    ))
    .await;
    let last = csv.lines().last().expect("a line");
    assert_eq!(last, "2026-12-01T00:00:00Z,closing,,,,,36.08,USD,", "{csv}");
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = vendor.get(&format!("/api/v1/wallet/ledger?limit=3{after}")).await;
        let rows = page.body["data"].as_array().expect("a page").clone();
        seen.extend(rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()));
        match page.body["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let all = number(&market.app.parts.db, "SELECT count(*) AS n FROM ledger_transactions").await;
    assert_eq!(seen.len() as i64, all);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len() as i64, all);
    let csv = send_text(vendor.request(Method::GET, "/api/v1/wallet/ledger.csv?kind=reversal")).await;
    assert_eq!(csv.lines().count(), 2, "{csv}");
}

#[tokio::test]
async fn nobody_reads_the_wallet_of_another() {
    let market = Market::open(&[]).await;
    merchant(&market.app, "owner@other.example").await;
    let (other, _) = signed_in(&market.app, "owner@other.example").await;
    let system = Caller::with(&market.app, "orders:read,orders:write,orders:update_status").await;
    let staff = Caller::with(&market.app, "admin").await;
    for path in ["/api/v1/wallet", "/api/v1/wallet/ledger", "/api/v1/wallet/ledger.csv", "/api/v1/wallet/payouts"] {
        let named = format!("{path}?company={}", market.company);
        assert_eq!(other.get(&named).await.problem(), (403, "forbidden"), "{path}");
        let nobodys = format!("{path}?company=nobody");
        assert_eq!(other.get(&nobodys).await.problem(), (403, "forbidden"), "{path}");
        assert_eq!(system.get(&named).await.problem(), (403, "forbidden"), "{path}");
        assert_eq!(Caller::bearing(&market.app, None).get(path).await.status, 401, "{path}");
        assert_eq!(staff.get(path).await.problem(), (400, "unknown_company"), "{path}");
        assert_eq!(staff.get(&named).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn an_adjustment_is_written_with_its_reason_and_never_below_zero() {
    let market = Market::open(&[]).await;
    let staff = Caller::with(&market.app, "admin").await;
    let path = format!("/api/v1/admin/companies/{}/wallet-adjustments", market.company);
    let adjust = async |amount: i64| {
        staff.post(&path, &json!({"amount": amount, "currency": "usd", "reason": "Damaged in our depot"})).await
    };
    assert_eq!(adjust(500).await.status, 204);
    assert_eq!(adjust(-501).await.problem(), (409, "wallet_too_low"));
    assert_eq!(adjust(-200).await.status, 204);
    assert_eq!(market.balance("available", "USD").await, 300);
    verify(&market.app.parts.db).await.expect("right");
}

#[tokio::test]
async fn a_commission_that_is_calculated_by_itself_is_no_reason_not_to_ask_the_customer() {
    let market = Market::open(&["--commission-on-confirmation"]).await;
    market.ask_customers().await;
    let order = market.order(Status::Shipped, Some((1000, "USD"))).await.id;
    let details = Details { total: Money::new(2000, "USD"), ..Details::default() };
    let change = Change { details: Some(Box::new(details)), ..Change::default() };
    let parts = &market.app.parts;
    parts.orders.advance(admin(), OrderRef::Id(order), change, None).await.expect("another total");
    let asked = market.set(market.vendor.clone(), order, Status::Delivered).await.expect("asked");
    assert!(asked.held.is_some(), "{asked:?}");
    parts.confirmations.confirm(order, None).await.expect("confirmed");
    assert_eq!(market.balance("held", "USD").await + market.balance("available", "USD").await, 1800);
    verify(&parts.db).await.expect("right");
}

#[tokio::test]
async fn the_customers_word_releases_the_money_at_once_only_where_the_setting_says_so() {
    for (flags, at_once) in [(&[][..], 0), (&["--release-on-confirmation"][..], 900)] {
        let market = Market::open(flags).await;
        market.ask_customers().await;
        let order = market.priced(Status::Shipped, (1000, "USD")).await;
        let asked = market.set(market.vendor.clone(), order, Status::Delivered).await.expect("asked");
        assert!(asked.held.is_some(), "{asked:?}");
        // The vendor has a link made, and could use it itself.
        let (owner, _) = signed_in(&market.app, market.email).await;
        let link = owner.post(&format!("/api/v1/orders/{order}/tracking-pass"), &json!({})).await;
        assert_eq!(link.status, 201, "{link:?}");
        let customer = Caller::bearing(&market.app, link.body["pass"].as_str());
        for _ in 0..2 {
            assert_eq!(customer.post("/api/v1/track/confirmation", &json!({"received": true})).await.status, 200);
            let purse = (market.balance("held", "USD").await, market.balance("available", "USD").await);
            assert_eq!(purse, (900 - at_once, at_once), "{flags:?}");
        }
        market.wait_days(7);
        market.app.parts.money.wallets.release_due().await.expect("a sweep");
        assert_eq!(market.balance("available", "USD").await, 900, "its days are over");
        verify(&market.app.parts.db).await.expect("right");
    }
}

/// The text of a reply that is no JSON.
async fn send_text(request: reqwest::RequestBuilder) -> String {
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    answer.text().await.expect("a body")
}
