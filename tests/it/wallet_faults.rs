//! Wallets when something goes wrong: lost answers, double clicks, debts, and more movements than a statement may have.

use futures_util::future::join_all;
use ordercast::base::Money;
use ordercast::base::id::TransactionId;
use ordercast::wallet::verify::verify;
use reqwest::Method;
use serde_json::json;

use crate::app::caller::{Caller, send};
use crate::rows::run;
use crate::wallet::{Market, admin, transactions};

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
