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
        ("characters that no text may hold", nulls()),
    ]
}

/// Every name that any of our bodies knows, with a text that PostgreSQL does not keep.
fn nulls() -> Vec<u8> {
    let names = "email password otp company_name name refresh old_password new_password number external_id address notes \
                 item_summary status carrier tracking_number theirs ours reason scopes source secret company id text";
    let mut body: serde_json::Map<_, _> =
        names.split_whitespace().map(|name| (name.into(), json!("a\0b@c.example"))).collect();
    body.insert("customer".into(), json!({"name": "a\0b", "email": "a\0@b.example", "phone": "\0"}));
    serde_json::to_vec(&body).expect("JSON")
}

#[tokio::test]
async fn no_address_does_more_than_be_refused() {
    let app = TestApp::with(&["--rate-api=0", "--rate-public=0", "--rate-guess=0"], Clock::System).await;
    staff(&app, Role::SuperAdmin, "chief@host.example").await;
    let callers = [Caller::with(&app, "admin").await, signed_in(&app, "chief@host.example").await.0];
    let document = callers[0].get("/api/v1/docs/openapi.json").await.body;
    let long = "%F0%9F%98%80".repeat(500);
    let odd = [
        "%00",
        "a%00b",
        "%FF%FE",
        "%ED%A0%80",
        "..%2F..%2Fetc",
        "-1",
        "1e400",
        "99999999999999999999",
        "'\"%25_",
        &long,
    ];
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        // Streams and sockets last; they are asked elsewhere.
        if path.starts_with("/live/") {
            continue;
        }
        for (method, operation) in item.as_object().expect("operations") {
            let all = operation["parameters"].as_array().cloned().unwrap_or_default();
            let names = all.iter().filter(|one| one["in"] == "query").filter_map(|one| one["name"].as_str());
            let queries = names.flat_map(|name| odd.map(|value| format!("{path}?{name}={value}")));
            let paths =
                odd.map(|value| path.replace('{', "\0{").split('\0').map(|part| fill(part, value)).collect::<String>());
            for address in queries.chain(paths) {
                let nil = Uuid::nil().to_string();
                let address = address
                    .split('{')
                    .map(|part| part.split_once('}').map_or(part.into(), |(_, rest)| format!("{nil}{rest}")));
                let address: String = address.collect();
                for caller in &callers {
                    let request = caller.request(method.to_uppercase().parse().expect("a method"), &address);
                    let answer = send(request.json(&json!({}))).await;
                    assert!(answer.status < 500, "{method} {address}: {answer:?}");
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 1000, "{asked}");
}

/// The value in place of the placeholder that a part of a path begins with.
fn fill(part: &str, value: &str) -> String {
    part.split_once('}').filter(|_| part.starts_with('{')).map_or(part.to_owned(), |(_, rest)| format!("{value}{rest}"))
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
