//! Requests sent byte for byte, and golden files: a request as a client writes it, and the reply it must get, whole.
//!
//! A golden file holds the request line, headers, an empty line and the body; after a line `---` the reply's status, the
//! headers that matter, an empty line and the body. Bodies that are JSON are compared as JSON, so spacing is free.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::app::{TestApp, journal};

/// A reply as it came.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

impl Reply {
    /// Its body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The sentence of reference/004's errors; the body must hold nothing else.
    pub fn error(&self) -> String {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        let body = self.json();
        let fields = body.as_object().expect("an object");
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["error"], "{self:?}");
        body["error"].as_str().expect("a sentence").to_owned()
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Sends a request exactly as given.
pub async fn send(app: &TestApp, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    let mut request = app.http.request(method, format!("{}{path}", app.url)).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.text().await.expect("a body");
    journal::answer(&headers, &serde_json::from_str(&body).unwrap_or_default());
    Reply { status, headers, body }
}

/// Sends the request of a golden file with `YOUR_TOKEN` replaced, and compares the reply.
pub async fn replay(app: &TestApp, golden: &str, token: &str) {
    let (request, expected) = golden.split_once("\n---\n").expect("a request, ---, a reply");
    let (line, headers, body) = parts(request);
    let (method, path) = line.split_once(' ').expect("a request line");
    let headers: Vec<(&str, String)> =
        headers.iter().map(|(name, value)| (*name, value.replace("YOUR_TOKEN", token))).collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = path.replace("YOUR_TOKEN", token);
    let reply = send(app, method.parse().expect("a method"), &path, &headers, body.into()).await;

    let (status, headers, body) = parts(expected);
    assert_eq!(reply.status.to_string(), status, "{reply:?}");
    for (name, value) in headers {
        assert_eq!(reply.header(name), value, "{name} of {reply:?}");
    }
    let expected: Value = serde_json::from_str(body).expect("JSON in the golden file");
    assert_eq!(reply.json(), expected, "{request}");
}

/// First line, headers, body.
fn parts(text: &str) -> (&str, Vec<(&str, &str)>, &str) {
    let (head, body) = text.split_once("\n\n").expect("an empty line before the body");
    let (first, headers) = head.split_once('\n').unwrap_or((head, ""));
    let headers = headers.lines().map(|line| line.split_once(": ").expect("a header")).collect();
    (first, headers, body)
}
