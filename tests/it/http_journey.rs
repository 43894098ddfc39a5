//! A shop's whole way in over plain HTTP, without a browser: sign-up, the code from a real mail, papers, approval, secret,
//! an order that is live on a socket, sign-out. Everything people did stands in the audit trail with its request.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::applicants::{admin, hand_in_one, text};
use crate::app::caller::{Answer, Caller, send};
use crate::app::journal;
use crate::app::people::{JOHN, PASSWORD, code, users};
use crate::app::post_office::PostOffice;
use crate::app::watcher::Watcher;
use crate::rows::number;

fn pair() -> Value {
    json!({"email": JOHN, "password": PASSWORD})
}

/// Signs up, proves the address and hands in papers; the submission's identifier.
async fn come_in(app: &TestApp, office: &mut PostOffice) -> String {
    let new = json!({"company_name": "Juniper & Co.", "email": JOHN, "password": PASSWORD});
    assert_eq!(users(app, "auth/register", &new).await.status, 201);
    let mail = office.next().await;
    assert_eq!(mail.to, JOHN);
    assert_eq!(users(app, "auth/login", &pair()).await.problem(), (403, "account_not_verified"));
    let otp = json!({"email": JOHN, "otp": code(&mail)});
    assert_eq!(users(app, "verify-otp", &otp).await.body, json!({"detail": "OTP verified successfully."}));
    assert_eq!(users(app, "verify-otp", &otp).await.problem(), (400, "bad_otp"), "a code works once");
    assert_eq!(users(app, "auth/login", &pair()).await.problem(), (403, "account_not_active"));
    let onboarding = users(app, "kyc/token", &pair()).await;
    assert_eq!(onboarding.status, 200, "{onboarding:?}");
    let onboarding = Caller::bearing(app, onboarding.body["access"].as_str());
    assert_eq!(onboarding.get("/api/v1/orders").await.status, 401, "good for papers and nothing else");
    let submission = hand_in_one(&onboarding).await;
    assert_eq!(office.next().await.header("Subject"), Some("We have your business details"));
    submission
}

/// An admin finds the papers in the queue and approves them.
async fn approve(app: &TestApp, office: &mut PostOffice, submission: &str) {
    let staff = admin(app, "rina@host.example").await;
    let queue = staff.get("/api/v1/admin/kyc").await;
    assert_eq!(queue.body["data"][0]["id"], submission, "{queue:?}");
    assert_eq!(staff.post(&format!("/api/v1/admin/kyc/{submission}/approve"), &json!({})).await.status, 200);
    assert_eq!(office.next().await.header("Subject"), Some("Juniper & Co. is approved"));
}

async fn deliver(app: &TestApp, secret: &str, body: &Value) -> Answer {
    let request = Caller::bearing(app, None).request(Method::POST, "/api/v1/webhook/").json(body);
    send(request.header("X-Webhook-Signature", secret).header("X-Customer-Email", JOHN)).await
}

/// A webhook makes an order and another one moves it, before the eyes of the customer and of the shop.
async fn see_it_live(app: &TestApp, shop: &Caller<'_>, secret: &str) -> Watcher {
    let mut feed = Watcher::connect(&app.url, "").await;
    feed.say(&json!({"type": "auth", "token": shop.token()})).await;
    feed.say(&json!({"type": "subscribe", "id": 1, "feed": "orders"})).await;
    feed.next_of("subscribed").await;
    let order = json!({
        "order_number": "J-1", "tracking_status": "PENDING", "address": "123 Main St", "item_summary": "1x Widget",
        "customer_details": {"name": "Jane Doe", "phone": "+1234567890", "email": "jane@example.com"},
    });
    assert_eq!(deliver(app, "whsec_bm90IHRoZSBzZWNyZXQgb2YgdGhpcyBjb21wYW55", &order).await.status, 401);
    assert_eq!(deliver(app, secret, &order).await.status, 201);
    let came = feed.next_of("event").await;
    assert_eq!((&came["number"], &came["seq"]), (&json!("J-1"), &json!(1)));

    let listed = shop.get("/api/v1/orderreceptions/").await;
    assert_eq!(listed.body.as_array().map(Vec::len), Some(1), "{listed:?}");
    let pass = shop.post("/api/v1/orders/J-1/tracking-pass", &json!({})).await;
    let pass = text(&pass.body["pass"]);
    journal::secret(&pass);
    let (mut customer, snapshot) = Watcher::subscribe(&app.url, "", &json!({"pass": pass})).await;
    assert_eq!((&snapshot["type"], &snapshot["seq"]), (&json!("subscribed"), &json!(1)));
    let moved =
        json!({"order_number": "J-1", "tracking_status": "CONFIRMED", "customer_details": {"name": "Jane Doe"}});
    assert!(deliver(app, secret, &moved).await.status < 300);
    let event = customer.next_of("event").await;
    assert_eq!((&event["seq"], &event["event"]["status"]), (&json!(2), &json!("confirmed")));
    assert_eq!(feed.next_of("event").await["seq"], 2);
    feed
}

#[tokio::test]
async fn a_shop_comes_in_over_http_and_its_first_order_is_live() {
    let mut office = PostOffice::open();
    let flags = [&office.flag(), "--rate-guess=0", "--rate-public=0"];
    let app = TestApp::with(&flags, ordercast::base::Clock::System).await;
    let submission = come_in(&app, &mut office).await;
    approve(&app, &mut office, &submission).await;

    let login = users(&app, "auth/login", &pair()).await;
    assert_eq!((login.status, &login.body["email"]), (200, &json!(JOHN)));
    let (access, refresh) = (text(&login.body["access"]), text(&login.body["refresh"]));
    let shop = Caller::bearing(&app, Some(&access));
    let shown = shop.post("/api/v1/users/kyc/secret", &json!({})).await;
    let secret = text(&shown.body["secret"]);
    journal::secret(&secret);
    assert_eq!(shop.post("/api/v1/users/kyc/secret", &json!({})).await.problem(), (410, "already_shown"));
    let mut feed = see_it_live(&app, &shop, &secret).await;

    assert_eq!(shop.post("/api/v1/users/auth/logout", &json!({"refresh": refresh})).await.status, 204);
    let again = users(&app, "auth/refresh", &json!({"refresh": refresh})).await;
    assert_eq!(again.problem(), (401, "unauthenticated"));
    assert_eq!(shop.get("/api/v1/users/me").await.status, 401);
    assert_eq!(feed.closed().await, 4001);
    audited(&app).await;
}

/// What was done by a request names it.
async fn audited(app: &TestApp) {
    for action in [
        "account.registered",
        "account.verified",
        "session.opened",
        "session.ended",
        "kyc.submitted",
        "kyc.approved",
        "webhook_secret.shown",
    ] {
        let told = format!("SELECT count(*) AS n FROM audit_log WHERE action = '{action}'");
        assert!(number(&app.parts.db, &told).await > 0, "{action}");
        // The admin was put there, and signed in, past HTTP.
        let without = format!("{told} AND request_id IS NULL AND actor_name <> 'Rina'");
        assert_eq!(number(&app.parts.db, &without).await, 0, "{action}");
    }
}
