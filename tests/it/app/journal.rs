//! What the instances of this run log, kept whole, and the secrets that the tests make meanwhile: `tests/logs.rs` holds
//! one against the other when all tests are over.
//!
//! Instances inside the test program log into one file, those in processes of their own into one each.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, Once};

use ordercast::telemetry::{self, Format};
use reqwest::header::{HeaderMap, SET_COOKIE};
use serde_json::Value;

use super::folder;

/// More than an operator would ask for, so that no line goes unseen.
const FILTER: &str = "ordercast=trace,info";

/// The secrets that stand in the list already, and the list.
static MADE: LazyLock<Mutex<(HashSet<String>, File)>> =
    LazyLock::new(|| Mutex::new((HashSet::new(), open(folder::tree().join("secrets")))));

fn open(path: PathBuf) -> File {
    File::options().create(true).append(true).open(path).expect("a file")
}

fn folder() -> PathBuf {
    let folder = folder::tree().join("logs");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The log of the instances inside this process.
pub fn own() -> PathBuf {
    folder().join("own.log")
}

/// Lets the instances inside this process log from now on.
pub fn start() {
    static STARTED: Once = Once::new();
    let file = || Mutex::new(open(own()));
    STARTED.call_once(|| telemetry::start_to(Format::Json, FILTER, false, file()).expect("nobody else logs"));
}

/// A new log for a process of its own.
pub fn another() -> PathBuf {
    folder().join(format!("{}.log", uuid::Uuid::now_v7()))
}

/// Notes a secret: from now on no log may hold it.
pub fn secret(text: &str) {
    // What a test sends in a secret's place, to see it refused, may stand anywhere.
    if text.len() < 6 || text.contains('\n') {
        return;
    }
    let mut made = MADE.lock().expect("the list");
    if made.0.insert(text.to_owned()) {
        writeln!(made.1, "{text}").expect("written");
    }
}

/// Notes the secrets in an answer: what its fields of secret names hold, and its cookies.
pub fn answer(headers: &HeaderMap, body: &Value) {
    for cookie in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
        let (_, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).unwrap_or_default();
        secret(if value.len() >= 16 { value } else { "" });
    }
    fields(body);
}

fn fields(body: &Value) {
    match body {
        Value::Array(items) => items.iter().for_each(fields),
        Value::Object(items) => {
            for (name, value) in items {
                match value.as_str() {
                    // Shorter texts under these names say what may be done with a thing, or how it is called.
                    Some(text) if ["access", "refresh", "secret", "token"].contains(&name.as_str()) => {
                        secret(if text.len() >= 24 { text } else { "" });
                    }
                    // A pass has this length; the identifier of one is no secret.
                    Some(text) if name == "pass" && text.len() == 43 => secret(text),
                    _ => fields(value),
                }
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn what_instances_log_is_kept_and_hides_what_they_were_called_with() {
    let app = super::TestApp::start().await;
    let token = app.token("orders:read").await;
    let mark = uuid::Uuid::now_v7().to_string();
    let (order, pass) = app.order(ordercast::orders::NewOrder::default()).await;
    let request = app.http.get(format!("{}/track/{pass}?token={token}", app.url)).header("X-Request-Id", &mark);
    assert_eq!(request.send().await.expect("an answer").status().as_u16(), 200);
    // Another of the very lines is written by the test itself, so that there is one whatever the server finds worth it.
    telemetry::request_span(&mark, "GET", &format!("/track/{pass}")).in_scope(|| {
        tracing::warn!(order.id = %order.id, "asked with {token} and pass={pass}");
    });
    let log = std::fs::read_to_string(own()).expect("a log");
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(&mark)).collect();
    assert!(lines.iter().any(|line| line.contains("/track/[hidden]")), "{lines:?}");
    assert!(!log.contains(&token), "{lines:?}");
}
