//! What the audit trail tells of people: each row with the request that asked for it, locks, and who reads what customers
//! entrusted to a shop.

use ordercast::accounts::Role;
use reqwest::Method;
use serde_json::json;

use crate::app::TestApp;
use crate::app::caller::{Caller, send};
use crate::app::merchant::Merchant;
use crate::app::people::{JOHN, PASSWORD, merchant, signed_in, staff, users, with_mail};
use crate::rows::number;

async fn rows(app: &TestApp, condition: &str) -> i64 {
    number(&app.parts.db, &format!("SELECT count(*) AS n FROM audit_log WHERE {condition}")).await
}

#[tokio::test]
async fn each_change_of_people_secrets_and_tokens_names_its_request() {
    let (app, _office, _) = with_mail().await;
    merchant(&app, JOHN).await;
    let (chief_id, admin_id) = (
        staff(&app, Role::SuperAdmin, "chief@host.example").await,
        staff(&app, Role::Admin, "rina@host.example").await,
    );
    let (john, login) = signed_in(&app, JOHN).await;
    let (chief, _) = signed_in(&app, "chief@host.example").await;
    let company = login.person.company.expect("a company");
    let invited = john.post("/api/v1/company/people", &json!({"email": "jane@example.com", "name": "Jane"})).await;
    let jane = invited.body["id"].as_str().expect("an id").to_owned();
    let (person, admin) = (format!("/api/v1/company/people/{jane}"), format!("/api/v1/admin/people/{admin_id}"));
    let word = json!({"theirs": "shipped off", "ours": "shipped"});
    let token = json!({"name": "erp", "scopes": ["orders:read"]});
    let password = json!({"old_password": PASSWORD, "new_password": "another good one"});
    let again = (&john, Method::POST, format!("{person}/invitation"), json!({}), "account.invited_again");
    let steps = [
        again,
        (&john, Method::PATCH, "/api/v1/users/me".to_owned(), json!({"name": "J."}), "account.renamed"),
        (&john, Method::PATCH, person.clone(), json!({"suspended": true}), "account.suspended"),
        (&john, Method::PATCH, person.clone(), json!({"suspended": false}), "account.restored"),
        (&john, Method::DELETE, person, json!({}), "account.removed"),
        (&john, Method::POST, "/api/v1/company/webhook-secrets/rotate".into(), json!({}), "webhook_secret.rotated"),
        (&john, Method::PUT, "/api/v1/inbound-statuses".into(), word, "inbound_status.set"),
        (
            &john,
            Method::DELETE,
            "/api/v1/inbound-statuses?theirs=shipped+off".into(),
            json!({}),
            "inbound_status.removed",
        ),
        (&john, Method::POST, "/api/v1/users/auth/password/change".into(), password, "account.password_changed"),
        (&chief, Method::PATCH, admin, json!({"role": "super_admin"}), "account.role_changed"),
        (&chief, Method::POST, "/api/v1/tokens".into(), token, "api_token.created"),
        (&chief, Method::DELETE, "/api/v1/tokens/erp".into(), json!({}), "api_token.revoked"),
        (&chief, Method::POST, format!("/api/v1/admin/companies/{company}/suspend"), json!({}), "company.suspended"),
        (&chief, Method::POST, format!("/api/v1/admin/companies/{company}/restore"), json!({}), "company.restored"),
    ];
    for (nth, (caller, method, path, body, action)) in steps.into_iter().enumerate() {
        let id = format!("asked-{nth}");
        let answer = send(caller.request(method, &path).header("X-Request-Id", &id).json(&body)).await;
        assert!(answer.status < 300, "{path}: {answer:?}");
        let named = answer.header("x-request-id");
        assert_eq!(rows(&app, &format!("action = '{action}' AND request_id = '{named}'")).await, 1, "{action}");
    }
    assert_eq!(rows(&app, "action = 'account.invited' AND request_id IS NOT NULL").await, 1);
    assert!(rows(&app, &format!("actor_id = '{chief_id}'")).await >= 5);
}

#[tokio::test]
async fn the_lock_of_an_account_is_told_with_the_request_that_brought_it_about() {
    let (app, _office, _) = with_mail().await;
    let (account, _) = merchant(&app, JOHN).await;
    let wrong = json!({"email": JOHN, "password": "not the password"});
    for tried in 1..=6 {
        let answer = users(&app, "auth/login", &wrong).await;
        assert_eq!(answer.status, 401);
        // The sixth meets the lock: it counts for nothing, and tells nothing.
        let locks = format!("action = 'account.locked' AND subject_id = '{account}' AND company_id IS NOT NULL");
        assert_eq!(rows(&app, &locks).await, i64::from(tried >= 5), "{tried}");
        if tried == 5 {
            let named = answer.header("x-request-id");
            assert_eq!(rows(&app, &format!("{locks} AND request_id = '{named}'")).await, 1);
        }
    }
}

#[tokio::test]
async fn who_runs_the_platform_reads_a_webhook_not_unseen() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "juniper").await;
    let order = json!({"order_number": "J-1", "customer_details": {"name": "Jane", "email": "jane@example.com"}});
    assert_eq!(shop.send(&order).await.status, 201);
    let entry = shop.inbox().await.remove(0);
    let path = format!("/api/v1/inbox/{}", entry["id"].as_str().expect("an id"));
    assert_eq!(shop.api().get(&path).await.status, 200);
    assert_eq!(rows(&app, "action = 'inbox.read'").await, 0, "its own");
    staff(&app, Role::Admin, "rina@host.example").await;
    let (rina, _) = signed_in(&app, "rina@host.example").await;
    let read = rina.get(&path).await;
    assert_eq!((read.status, &read.body["body"]), (200, &json!(order.to_string())));
    let named = read.header("x-request-id");
    let told = format!("action = 'inbox.read' AND company_id IS NOT NULL AND request_id = '{named}'");
    assert_eq!(rows(&app, &told).await, 1);
    assert_eq!(Caller::with(&app, "admin").await.get(&path).await.status, 200);
    assert_eq!(rows(&app, "action = 'inbox.read'").await, 2, "nor does a system of the platform");
}
