//! The API's description, against the server that is described.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::{Caller, send};
use crate::app::chromium::Browser;

#[tokio::test]
async fn every_described_operation_is_served() {
    let app = TestApp::start().await;
    let admin = Caller::with(&app, "admin").await;
    let document = admin.get("/api/v1/docs/openapi.json").await.body;
    // What a path that leads nowhere says; an order that is not there says something else.
    let nowhere = admin.get("/api/v1/nowhere").await;
    assert_eq!(nowhere.status, 404);
    let mut served = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            for slash in ["", "/"] {
                // Only the API's own paths promise the second form.
                if slash == "/" && !path.starts_with("/api/") {
                    continue;
                }
                let address = path.replace("{id}", "nope").replace("{pass_id}", "x").replace("{name}", "nope") + slash;
                let answer = send(admin.request(method.clone(), &address).json(&json!({}))).await;
                assert_ne!(answer.status, 405, "{method} {address}");
                let is_routed = answer.status != 404 || answer.body["detail"] != nowhere.body["detail"];
                assert!(is_routed, "{method} {address}: {answer:?}");
                served += 1;
            }
        }
    }
    assert!(served > 40, "{served}");
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answers = &document["paths"][path]["get"]["responses"]["200"]["content"];
        let kind = admin.get(path).await.header("content-type").to_owned();
        assert!(answers[&kind].is_object(), "{path} answers {kind}, the document says {answers}");
    }
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    assert!(tags.contains(&"Order Update API") && !document.to_string().contains("reference/"), "{tags:?}");
    let problem = &document["components"]["schemas"]["Problem"];
    assert!(problem["properties"]["request_id"].is_object(), "{problem}");
    assert!(!problem["required"].to_string().contains("request_id"), "{problem}");
}

#[tokio::test]
async fn the_documents_are_served_in_both_notations() {
    let app = TestApp::start().await;
    let text = async |path: &str| {
        let answer = app.http.get(format!("{}{path}", app.url)).send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    };
    for path in ["/api/v1/docs", "/api/v1/docs/", "/api/v1/docs/openapi.yaml"] {
        let (status, kind, body) = text(path).await;
        assert_eq!(
            (status, kind.as_str(), body.starts_with("openapi: 3.1")),
            (200, "application/yaml", true),
            "{path}"
        );
    }
    let (status, _, body) = text("/api/v1/docs/openapi.json").await;
    let document: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &document["info"]["title"]), (200, &json!("Ordercast API")));
    let (status, kind, body) = text("/api/v1/docs/asyncapi.yaml").await;
    assert_eq!((status, kind.as_str(), body.starts_with("asyncapi: 3.0")), (200, "application/yaml", true));
}

#[tokio::test]
async fn the_readers_load_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    for path in ["/api/v1/docs/swagger", "/docs", "/api/v1/docs/swagger/", "/api/v1/docs/redoc", "/api/v1/docs/redoc/"]
    {
        let answer = app.http.get(format!("{}{path}", app.url)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("http"), "{path}: {policy}");
    }
    let files = ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "swagger-initializer.js"];
    for file in files {
        let answer = app.http.get(format!("{}/api/v1/docs/swagger/{file}", app.url)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{file}");
    }
    let missing = Caller::bearing(&app, None).get("/api/v1/docs/swagger/nope.js").await;
    assert_eq!(missing.problem(), (404, "not_found"));
}

#[tokio::test]
async fn redoc_shows_the_document_and_asks_nobody_else_for_anything() {
    let app = TestApp::start().await;
    let browser = Browser::open().await;
    browser.driver.goto(format!("{}/api/v1/docs/redoc/", app.url)).await.unwrap();
    let shown = "document.body.innerText.includes('Order Update API') && document.querySelector('h1')";
    browser.until("the document is shown", shown).await;
    let foreign = "[...document.images].every(image => image.src.startsWith('data:'))
        && performance.getEntriesByType('resource').every(one => /^(data|blob):/.test(one.name) || one.name.startsWith(location.origin))";
    browser.until("nothing is asked of anybody else", foreign).await;
    browser.until("it fills the page", "getComputedStyle(document.body).margin === '0px'").await;
    browser.shot("redoc").await;
    browser.close().await;
}

/// The names of a list of the AsyncAPI document's operation.
fn described(operation: &str) -> BTreeSet<&'static str> {
    let document = ordercast::web::docs::ASYNCAPI;
    let operations = document.split_once("\noperations:\n").unwrap().1.split_once("\ncomponents:\n").unwrap().0;
    let list = operations.split_once(&format!("  {operation}:\n")).unwrap().1;
    let lines = list.lines().skip_while(|line| line.trim() != "messages:").skip(1);
    let reference = |line: &'static str| line.trim().strip_prefix("- $ref: \"#/channels/live/messages/");
    lines.map_while(|line| reference(line)?.strip_suffix('"')).collect()
}

#[test]
fn the_live_protocols_messages_are_those_that_are_described() {
    let unknown = ordercast::live::protocol::parse(r#"{"type":"dance"}"#).unwrap_err().message;
    let known = unknown.split_once("Known: ").unwrap().1.trim_end_matches('.').split(", ").collect();
    assert_eq!(described("say"), known);
    let source = include_str!("../../src/live/protocol.rs").split_once("#[cfg(test)]").unwrap().0;
    let said: BTreeSet<&str> = source
        .split("\"type\":")
        .skip(1)
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"'))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(described("hear"), said);
}
