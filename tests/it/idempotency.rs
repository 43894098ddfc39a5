//! Requests with an Idempotency-Key: sent twice, carried out once.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use ordercast::base::{Actor, Clock};
use ordercast::idempotency::{Claim, Key, Reply};
use ordercast::orders::NewOrder;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::caller::{Answer, Caller, send};
use crate::app::merchant::Merchant;
use crate::app::people::{merchant, signed_in};
use crate::app::{TestApp, journal};
use crate::rows::{number, run};

const ALL: &str = "orders:read,orders:write,orders:update_status";

async fn post(api: &Caller<'_>, path: &str, key: &str, body: &Value) -> Answer {
    send(api.request(Method::POST, path).header("Idempotency-Key", key).json(body)).await
}

async fn count(api: &Caller<'_>) -> usize {
    api.get("/api/v1/orders").await.body["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn the_same_request_gets_the_first_reply_again() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    let first = post(&api, "/api/v1/orders", "k", &json!({"notes": "a"})).await;
    assert_eq!((first.status, first.header("idempotency-hit")), (201, ""));
    let again = post(&api, "/api/v1/orders", "k", &json!({"notes": "a"})).await;
    assert_eq!((again.status, again.header("idempotency-hit")), (201, "true"));
    assert_eq!((&again.body, again.header("location")), (&first.body, first.header("location")));
    assert_eq!(again.header("content-type"), first.header("content-type"));
    assert_eq!(count(&api).await, 1);
    let other_body = post(&api, "/api/v1/orders", "k", &json!({"notes": "b"})).await;
    assert_eq!(other_body.problem(), (422, "unprocessable"));
    let other_path = post(&api, "/api/v1/orders/batch", "k", &json!({"notes": "a"})).await;
    assert_eq!(other_path.problem(), (422, "unprocessable"));
    for bad in [String::new(), "x".repeat(256)] {
        assert_eq!(post(&api, "/api/v1/orders", &bad, &json!({})).await.problem(), (400, "bad_idempotency_key"));
    }
    assert_eq!(count(&api).await, 1);
}

#[tokio::test]
async fn no_secret_of_a_kept_reply_stands_in_the_database() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "seals").await;
    let (api, admin) = (shop.api(), Caller::with(&app, "admin").await);
    assert_eq!(
        shop.send(&json!({"order_number": "M-1", "customer_details": {"email": "jane@example.com"}})).await.status,
        201
    );
    let rotate = ("/api/v1/company/webhook-secrets/rotate", json!({}), "secret");
    let token = ("/api/v1/tokens", json!({"name": "till", "scopes": ["orders:read"]}), "token");
    let pass = ("/api/v1/orders/M-1/tracking-pass", json!({}), "pass");
    for (caller, (path, body, field)) in [(&api, rotate), (&admin, token), (&api, pass)] {
        let first = post(caller, path, field, &body).await;
        assert_eq!(first.status, 201, "{first:?}");
        let secret = first.body[field].as_str().expect("a secret").to_owned();
        let holds = |text: &str| format!("SELECT count(*) AS n FROM idempotency_keys WHERE reply LIKE '%{text}%'");
        for text in [secret.as_str(), &secret[secret.len() - 8..], "content-type", "{"] {
            assert_eq!(number(&app.parts.db, &holds(text)).await, 0, "{path}");
        }
        let again = post(caller, path, field, &body).await;
        assert_eq!((again.header("idempotency-hit"), &again.body[field]), ("true", &json!(secret)));
        journal::secret(&secret);
    }
    assert_eq!(number(&app.parts.db, "SELECT count(*) AS n FROM idempotency_keys WHERE reply IS NOT NULL").await, 3);
    // A reply opens under its own key only.
    run(&app.parts.db, "UPDATE idempotency_keys SET reply = (SELECT min(reply) FROM idempotency_keys)").await;
    let till = json!({"name": "till", "scopes": ["orders:read"]});
    let statuses = [
        post(&api, "/api/v1/company/webhook-secrets/rotate", "secret", &json!({})).await.status,
        post(&admin, "/api/v1/tokens", "token", &till).await.status,
    ];
    assert!(statuses.contains(&410), "{statuses:?}");
}

#[tokio::test]
async fn a_secret_that_is_shown_once_is_not_kept_for_a_second_time() {
    let app = TestApp::start().await;
    let (_, company) = merchant(&app, "owner@shop.example").await;
    let secrets = app.parts.webhook_secrets.clone();
    let minted = app.parts.db.transact(move |conn| Box::pin(async move { secrets.mint(conn, company).await })).await;
    minted.expect("minted");
    let (owner, _) = signed_in(&app, "owner@shop.example").await;
    let first = post(&owner, "/api/v1/users/kyc/secret", "k", &json!({})).await;
    assert_eq!((first.status, first.header("idempotency-hit")), (200, ""), "{first:?}");
    journal::secret(first.body["secret"].as_str().expect("a secret"));
    let again = post(&owner, "/api/v1/users/kyc/secret", "k", &json!({})).await;
    assert_eq!(again.problem(), (410, "already_shown"));
    assert_eq!(number(&app.parts.db, "SELECT count(*) AS n FROM idempotency_keys").await, 0);
}

#[tokio::test]
async fn keys_of_two_callers_have_nothing_to_do_with_each_other() {
    let app = TestApp::start().await;
    let (one, two) = (Caller::with(&app, ALL).await, Caller::with(&app, ALL).await);
    let first = post(&one, "/api/v1/orders", "k", &json!({})).await;
    let second = post(&two, "/api/v1/orders", "k", &json!({})).await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_ne!(first.body["id"], second.body["id"]);
}

#[tokio::test]
async fn a_revoked_token_opens_no_kept_reply() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    assert_eq!(post(&api, "/api/v1/orders", "k", &json!({})).await.status, 201);
    let name = app.parts.tokens.list().await.unwrap().pop().unwrap().name;
    app.parts.tokens.revoke(Actor::System("tests"), &name).await.unwrap();
    assert_eq!(post(&api, "/api/v1/orders", "k", &json!({})).await.problem(), (401, "unauthenticated"));
}

#[tokio::test]
async fn of_many_at_once_one_is_carried_out() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    let body = json!({"notes": "once"});
    let answers = join_all((0..20).map(|_| post(&api, "/api/v1/orders", "k", &body))).await;
    assert_eq!(count(&api).await, 1);
    let fresh = answers.iter().filter(|answer| answer.status == 201 && answer.header("idempotency-hit").is_empty());
    assert_eq!(fresh.count(), 1);
    for answer in &answers {
        match answer.status {
            201 => {}
            _ => {
                assert_eq!(answer.problem(), (409, "idempotency_under_way"));
                assert_eq!(answer.header("retry-after"), "1");
            }
        }
    }
    assert_eq!(post(&api, "/api/v1/orders", "k", &body).await.status, 201);
}

#[tokio::test]
async fn a_refusal_is_kept_and_what_may_pass_is_not() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    let refused = post(&api, "/api/v1/orders/M-1/status", "k", &json!({"status": "paid"})).await;
    assert_eq!(refused.problem(), (404, "not_found"));
    app.order(NewOrder { number: Some("M-1".into()), ..NewOrder::default() }).await;
    let again = post(&api, "/api/v1/orders/M-1/status", "k", &json!({"status": "paid"})).await;
    assert_eq!((again.problem(), again.header("idempotency-hit")), ((404, "not_found"), "true"));
    let powerless = Caller::with(&app, "orders:read").await;
    for _ in 0..2 {
        let forbidden = post(&powerless, "/api/v1/orders", "k", &json!({})).await;
        assert_eq!((forbidden.problem(), forbidden.header("idempotency-hit")), ((403, "forbidden"), ""));
    }
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse::<Timestamp>().unwrap());
    let app = TestApp::with(&[], clock.clone()).await;
    let api = Caller::with(&app, ALL).await;
    let first = post(&api, "/api/v1/orders", "k", &json!({})).await;
    clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert_eq!(post(&api, "/api/v1/orders", "k", &json!({})).await.header("idempotency-hit"), "true");
    clock.advance(Duration::from_secs(1));
    let later = post(&api, "/api/v1/orders", "k", &json!({"notes": "new"})).await;
    assert_eq!((later.status, later.header("idempotency-hit")), (201, ""));
    assert_ne!(later.body["id"], first.body["id"]);
    clock.advance(Duration::from_secs(24 * 3600 + 1));
    assert_eq!(app.parts.idempotency.sweep().await.unwrap(), 1);
    assert_eq!(app.parts.idempotency.sweep().await.unwrap(), 0);
}

#[tokio::test]
async fn the_endpoint_of_the_earlier_system_knows_keys_too() {
    let app = TestApp::start().await;
    let api = Caller::with(&app, ALL).await;
    let (order, _) = app.order(NewOrder::default()).await;
    let body = json!({"orderId": order.number, "status": "paid"});
    let first = post(&api, "/api/update-order", "k", &body).await;
    let again = post(&api, "/api/update-order", "k", &body).await;
    assert_eq!((again.status, again.header("idempotency-hit"), &again.body), (200, "true", &first.body));
    let other = post(&api, "/api/update-order", "k", &json!({"orderId": order.number, "status": "packed"})).await;
    assert_eq!((other.status, other.body["error"].is_string()), (422, true));
}

#[tokio::test]
async fn a_key_under_way_is_free_again_when_nobody_comes_back_with_a_reply() {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse::<Timestamp>().unwrap());
    let app = TestApp::with(&[], clock.clone()).await;
    let keys = &app.parts.idempotency;
    let key = || Key { caller: "c".into(), text: "k".into() };
    let reply = Reply { status: 200, headers: Vec::new(), body: "{}".into() };
    let claim = async |mark: u8| keys.claim(key(), [mark; 32]).await.unwrap();
    assert_eq!(claim(1).await, Claim::Fresh);
    assert_eq!((claim(1).await, claim(2).await), (Claim::UnderWay, Claim::Other));
    keys.release(key()).await.unwrap();
    assert_eq!(claim(2).await, Claim::Fresh);
    clock.advance(Duration::from_secs(59));
    assert_eq!(claim(2).await, Claim::UnderWay);
    clock.advance(Duration::from_secs(1));
    assert_eq!((claim(1).await, claim(1).await), (Claim::Fresh, Claim::UnderWay));
    keys.keep(key(), reply.clone()).await.unwrap();
    keys.release(key()).await.unwrap();
    assert_eq!(claim(1).await, Claim::Done(reply));
}
