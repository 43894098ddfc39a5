//! API tokens over HTTP: shown once, listed without their text, gone at once when revoked.

use ordercast::accounts::tokens::NewToken;
use ordercast::base::Actor;
use reqwest::Method;
use serde_json::json;

use crate::app::TestApp;
use crate::app::caller::{Caller, send};

#[tokio::test]
async fn a_token_is_shown_once_and_fails_at_once_when_revoked() {
    let app = TestApp::start().await;
    let admin = Caller::with(&app, "admin").await;
    let wish = json!({"name": "ERP sync", "scopes": ["orders:read", "orders:write"]});
    let made = admin.post("/api/v1/tokens", &wish).await;
    assert_eq!((made.status, &made.body["scopes"]), (201, &wish["scopes"]));
    let text = made.body["token"].as_str().unwrap();
    assert!(text.starts_with("oc_live_") && text.ends_with(made.body["last_four"].as_str().unwrap()));
    let list = admin.get("/api/v1/tokens").await;
    assert!(list.body["data"].as_array().unwrap().iter().any(|token| token["name"] == "ERP sync"));
    assert!(!list.body.to_string().contains(text), "the text is in the first reply only");
    let erp = Caller::bearing(&app, Some(text));
    assert_eq!(erp.get("/api/v1/orders").await.status, 200);
    assert_eq!(admin.post("/api/v1/tokens", &wish).await.problem(), (409, "name_taken"));
    assert_eq!(admin.delete("/api/v1/tokens/ERP%20sync").await.status, 204);
    assert_eq!(erp.get("/api/v1/orders").await.problem(), (401, "unauthenticated"));
    assert_eq!(admin.delete("/api/v1/tokens/ERP%20sync").await.problem(), (404, "not_found"));
    assert_eq!(admin.post("/api/v1/tokens", &wish).await.status, 201, "the name is free again");
}

#[tokio::test]
async fn what_cannot_be_a_token_is_refused() {
    let app = TestApp::start().await;
    let admin = Caller::with(&app, "admin").await;
    for (wish, code) in [
        (json!({"name": "x", "scopes": ["orders:reed"]}), "unknown_scope"),
        (json!({"name": "x", "scopes": []}), "no_scope"),
        (json!({"name": " x", "scopes": ["orders:read"]}), "bad_name"),
        (json!({"name": "x", "scopes": ["orders:read"], "expires_at": "2020-01-01T00:00:00Z"}), "in_the_past"),
        (json!({"name": "x", "scopes": ["orders:read"], "company": "nobody"}), "unknown_company"),
        (json!({"name": "x"}), "bad_field"),
    ] {
        assert_eq!(admin.post("/api/v1/tokens", &wish).await.problem(), (400, code), "{wish}");
    }
}

#[tokio::test]
async fn an_admin_of_one_company_manages_its_tokens_only() {
    let app = TestApp::start().await;
    let company = app.parts.companies.ensure("juniper", "Juniper").await.unwrap().id;
    let scopes = "admin".parse().unwrap();
    let new = NewToken { name: "juniper".into(), scopes, company: Some(company), expires_at: None };
    let (_, text) = app.parts.tokens.generate(Actor::System("tests"), new).await.unwrap();
    let (own, all) = (Caller::bearing(&app, Some(text.expose())), Caller::with(&app, "admin").await);
    let made = own.post("/api/v1/tokens", &json!({"name": "j2", "scopes": ["orders:read"]})).await;
    assert_eq!(made.body["company"], json!(company));
    all.post("/api/v1/tokens", &json!({"name": "global", "scopes": ["orders:read"]})).await;
    let seen = own.get("/api/v1/tokens").await;
    let names: Vec<_> = seen.body["data"].as_array().unwrap().iter().map(|token| token["name"].clone()).collect();
    assert_eq!(names, [json!("j2"), json!("juniper")]);
    assert_eq!(own.delete("/api/v1/tokens/global").await.problem(), (404, "not_found"));
    let reach = json!({"name": "x", "scopes": ["orders:read"], "company": "shop"});
    assert_eq!(own.post("/api/v1/tokens", &reach).await.problem(), (403, "forbidden"));
    assert_eq!(own.delete("/api/v1/tokens/j2").await.status, 204);
}

#[tokio::test]
async fn a_token_travels_in_three_ways() {
    let app = TestApp::start().await;
    let token = app.token("orders:read").await;
    let nobody = Caller::bearing(&app, None);
    assert_eq!(nobody.get(&format!("/api/v1/orders?token={token}")).await.status, 200);
    assert_eq!(send(nobody.request(Method::GET, "/api/v1/orders").header("X-API-Key", &token)).await.status, 200);
    assert_eq!(Caller::bearing(&app, Some(&token)).get("/api/v1/orders").await.status, 200);
    assert_eq!(nobody.get("/api/v1/orders").await.header("www-authenticate"), "Bearer");
}
