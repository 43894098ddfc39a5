//! A system that calls the canonical API with a token, and the answers it gets.

use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::Value;

use super::{TestApp, journal};

/// A caller with a token, or without one.
pub struct Caller<'a> {
    app: &'a TestApp,
    token: Option<String>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as JSON; null when it has none.
    pub body: Value,
}

impl Answer {
    /// A header as text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The status and, of a problem, its code.
    pub fn problem(&self) -> (u16, &str) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.body["status"], self.status, "{self:?}");
        (self.status, self.body["code"].as_str().expect("a code"))
    }
}

impl<'a> Caller<'a> {
    /// A caller whose new token has these scopes, comma-separated.
    pub async fn with(app: &'a TestApp, scopes: &str) -> Self {
        Self { app, token: Some(app.token(scopes).await) }
    }

    /// A caller with a credential of its own, or none.
    pub fn bearing(app: &'a TestApp, token: Option<&str>) -> Self {
        Self { app, token: token.map(str::to_owned) }
    }

    /// Its credential.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The same caller at another instance.
    pub fn at<'b>(&self, app: &'b TestApp) -> Caller<'b> {
        Caller { app, token: self.token.clone() }
    }

    /// A request that is not sent yet.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.app.http.request(method, format!("{}{path}", self.app.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Gets a path.
    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// Sends JSON to a path.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        send(self.request(method, path).json(body)).await
    }

    /// Posts JSON to a path.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body).await
    }

    /// Deletes a path.
    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }
}

/// Sends a request.
pub async fn send(request: RequestBuilder) -> Answer {
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.bytes().await.expect("a body");
    let body = serde_json::from_slice(&body).unwrap_or_default();
    journal::answer(&headers, &body);
    Answer { status, headers, body }
}
