//! A NUL, which PostgreSQL keeps in no text: wherever one may be sent it is refused or nobody's, and never our failure.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::{Caller, send};
use crate::app::merchant::Merchant;
use crate::app::people::{JOHN, PASSWORD, merchant, users};
use crate::rows::{number, written};

async fn open_app() -> TestApp {
    TestApp::with(&["--rate-guess=0", "--rate-public=0"], ordercast::base::Clock::System).await
}

#[tokio::test]
async fn an_address_with_a_nul_is_nobodys() {
    let app = open_app().await;
    merchant(&app, JOHN).await;
    for email in
        [format!("{JOHN}\u{0}"), format!("\u{0}{JOHN}"), "jo\u{0}hn@example.com".to_owned(), "\u{0}".to_owned()]
    {
        let otp = json!({"email": email, "otp": "000000"});
        let reset = json!({"email": email, "otp": "000000", "password": PASSWORD});
        let pair = json!({"email": email, "password": PASSWORD});
        let asked = json!({"email": email});
        let sign_up = json!({"company_name": "johndoe", "email": email, "password": PASSWORD});
        for (path, body, status) in [
            ("auth/login", &pair, 401),
            ("kyc/token", &pair, 401),
            ("verify-otp", &otp, 400),
            ("request-otp", &asked, 200),
            ("auth/password/forgot", &asked, 202),
            ("auth/password/reset", &reset, 400),
            ("auth/register", &sign_up, 400),
        ] {
            let answer = users(&app, path, body).await;
            assert_eq!(answer.status, status, "{path} {email:?}: {answer:?}");
        }
    }
    for (order, email) in [("A\u{0}1", JOHN), ("A1", "\u{0}")] {
        let found =
            Caller::bearing(&app, None).post("/api/v1/track/lookup", &json!({"number": order, "email": email})).await;
        assert_eq!(found.status, 202, "{found:?}");
    }
    let form = app.http.post(format!("{}/login", app.url)).header("Origin", &app.url);
    let form = form.header("Content-Type", "application/x-www-form-urlencoded").body("email=jo%00hn&password=%00");
    assert_eq!(send(form).await.status, 401);
}

#[tokio::test]
async fn a_signed_webhook_with_a_nul_is_refused_and_kept() {
    let app = open_app().await;
    let shop = Merchant::new(&app, "nul").await;
    let customer = json!({"name": "Jane", "email": "jane@example.com"});
    let before = written(&app.parts.db).await;
    let bodies: [(Value, &str); 6] = [
        (json!({"external_id": "x\u{0}1", "customer_details": customer}), "external_id"),
        (
            json!({"order_number": "A-1", "tracking_status": "PA\u{0}ID", "customer_details": customer}),
            "tracking_status",
        ),
        (json!({"order_number": "A-1", "status": "x".repeat(101), "customer_details": customer}), "tracking_status"),
        (json!({"order_number": "A\u{0}1", "customer_details": customer}), "number"),
        (json!({"order_number": "A-1", "customer_details": {"email": "a\u{0}@b.example"}}), "customer.email"),
        (json!({"order_number": "A-1", "address": "Road \u{0}", "customer_details": customer}), "address"),
    ];
    for (body, field) in &bodies {
        let answer = shop.send(body).await;
        assert_eq!((answer.status, &answer.body["field"]), (400, &json!(field)), "{answer:?}");
    }
    assert_eq!(written(&app.parts.db).await, before);
    assert_eq!(number(&app.parts.db, "SELECT count(*) AS n FROM inbox WHERE verdict = 'refused'").await, 6);
    // A platform's texts are made to fit.
    let sent =
        json!({"id": "5\u{0}5", "name": "#1\u{0}", "financial_status": "pa\u{0}id", "email": "jane@example.com"});
    assert_eq!(shop.shopify("orders/create", "e1", &sent).await.status, 200);
    let sent = json!({"id": "6\u{0}", "number": "W\u{0}", "status": "on\u{0}hold"});
    assert_eq!(shop.woocommerce("order.created", "d1", &sent).await.status, 200);
    let answer = send(shop.api().request(Method::GET, "/api/v1/inbox")).await;
    assert_eq!((answer.status, answer.body["data"].as_array().map(Vec::len)), (200, Some(8)));
}

#[tokio::test]
async fn a_name_with_a_nul_belongs_to_no_company() {
    let app = open_app().await;
    let admin = Caller::with(&app, "admin").await;
    let token = json!({"name": "till", "scopes": ["orders:read"], "company": "sh\u{0}op"});
    assert_eq!(admin.post("/api/v1/tokens", &token).await.problem(), (400, "unknown_company"));
    let named = json!({"name": "ti\u{0}ll", "scopes": ["orders:read"]});
    assert_eq!(admin.post("/api/v1/tokens", &named).await.problem(), (400, "bad_name"));
}
