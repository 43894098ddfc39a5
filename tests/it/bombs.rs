//! Bodies made to hurt, sent to every endpoint that takes one: deep, huge, ambiguous, endless.

use ordercast::accounts::Role;
use ordercast::base::Clock;
use ordercast::web::api;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::app::TestApp;
use crate::app::caller::{Caller, send};
use crate::app::people::{JOHN, merchant, signed_in, staff};
use crate::rows::written;

/// Every described endpoint that takes a body, its placeholders filled with names of nothing.
fn endpoints() -> Vec<(Method, String)> {
    let takes_a_body = |method: &&str| ["post", "put", "patch"].contains(method);
    let filled = |path: &str| {
        let parts: Vec<String> = path
            .split('/')
            .map(|part| if part.starts_with('{') { Uuid::now_v7().to_string() } else { part.into() })
            .collect();
        parts.join("/")
    };
    let table = api::TABLE.iter().filter(|(method, ..)| takes_a_body(method));
    table.map(|(method, path, _)| (method.to_uppercase().parse().expect("a method"), filled(path))).collect()
}

fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000)).into_bytes();
    vec![
        ("deep arrays", deep("[", "]")),
        ("deep objects", deep("{\"email\":", "}")),
        ("an array never closed", "[".repeat(200_000).into_bytes()),
        ("a huge exponent", b"{\"email\": 1e999999999, \"status\": -1e999999999, \"number\": 1E400}".to_vec()),
        ("a huge number", format!("{{\"email\": {0}, \"limit\": {0}, \"status\": {0}}}", "9".repeat(100_000)).into_bytes()),
        (
            "a name twice",
            br#"{"email": "john@example.com", "email": ["x"], "status": "paid", "status": {}, "password": "a", "password": 1}"#
                .to_vec(),
        ),
        ("half a character", b"{\"email\": \"\xed\xa0\x80\"}".to_vec()),
        ("half a pair", br#"{"email": "\ud800", "password": "\udfff\udfff", "status": "\ud800"}"#.to_vec()),
        ("nothing", Vec::new()),
    ]
}

#[tokio::test]
async fn no_body_does_more_than_be_refused() {
    let flags = ["--rate-api=0", "--rate-public=0", "--rate-guess=0"];
    let app = TestApp::with(&flags, Clock::System).await;
    merchant(&app, JOHN).await;
    staff(&app, Role::SuperAdmin, "chief@host.example").await;
    let callers = [
        Caller::bearing(&app, None),
        signed_in(&app, JOHN).await.0,
        signed_in(&app, "chief@host.example").await.0,
        Caller::with(&app, "admin").await,
    ];
    let (before, endpoints, mut refused) = (written(&app.parts.db).await, endpoints(), 0);
    assert!(endpoints.len() > 20, "{endpoints:?}");
    for (method, path) in endpoints {
        for (name, body) in bombs() {
            for caller in &callers {
                let request = caller.request(method.clone(), &path).header("Content-Type", "application/json");
                let answer = send(request.body(body.clone())).await;
                assert!(answer.status < 500, "{name}: {method} {path}: {answer:?}");
                refused += usize::from(answer.status >= 400);
            }
        }
    }
    assert!(refused > 500, "{refused}");
    assert_eq!(written(&app.parts.db).await, before, "and nothing came of any");
    let me = callers[1].get("/api/v1/users/me").await;
    assert_eq!((me.status, &me.body["email"]), (200, &json!(JOHN)), "the instance and the sign-in are as they were");
}

#[tokio::test]
async fn ten_megabytes_are_refused_before_they_are_read() {
    let flags = ["--rate-api=0", "--rate-public=0", "--rate-guess=0"];
    let app = TestApp::with(&flags, Clock::System).await;
    let token = app.token("admin").await;
    let mut seen = Vec::new();
    for (method, path) in endpoints() {
        for credential in ["", token.as_str()] {
            let address = app.url.trim_start_matches("http://");
            let mut stream = TcpStream::connect(address).await.expect("connected");
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
                 Authorization: Bearer {credential}\r\nContent-Length: {}\r\n\r\n{{\"email\": \"",
                10 << 20
            );
            stream.write_all(head.as_bytes()).await.expect("written");
            // Only the head and a first few bytes are sent: whoever answers has not waited for the rest.
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).await.expect("a status line");
            let status: u16 = line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
            assert!((400..500).contains(&status), "{method} {path}: {line}");
            seen.push(status);
        }
    }
    assert!(seen.iter().filter(|status| **status == 413).count() > 5, "{seen:?}");
}
