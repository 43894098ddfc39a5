//! A shop whose systems send webhooks: a company, a person of it, its secrets, and everything they sign with them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ordercast::accounts::Source;
use ordercast::accounts::tokens::NewToken;
use ordercast::base::id::{AccountId, CompanyId};
use ordercast::base::{Actor, Secret};
use ordercast::webhooks::sign;
use reqwest::Method;
use serde_json::Value;
use sha2::Sha256;

use super::caller::{Answer, Caller, send};
use super::{TestApp, journal};
use crate::rows::run;

const TESTS: Actor = Actor::System("tests");

/// A shop.
pub struct Merchant<'a> {
    pub app: &'a TestApp,
    pub company: CompanyId,
    pub slug: String,
    /// The person's address.
    pub email: String,
    /// The company's own secret.
    pub secret: String,
    /// What its platforms sign with.
    pub platform_secret: &'static str,
    token: String,
}

/// HMAC-SHA256.
pub fn hmac(key: &str, body: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length");
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl<'a> Merchant<'a> {
    /// An active company of this name with a person, and secrets for every kind of system.
    pub async fn new(app: &'a TestApp, slug: &str) -> Self {
        let company = app.parts.companies.ensure(slug, slug).await.expect("a company").id;
        let email = format!("owner@{slug}.example");
        insert_person(app, company, &email).await;
        let secrets = &app.parts.webhook_secrets;
        let (_, secret) = secrets.rotate(TESTS, company).await.expect("a secret");
        let platform_secret = "shpss_0123456789abcdef0123456789abcdef";
        for source in [Source::Shopify, Source::Woocommerce] {
            secrets.set(TESTS, company, source, &Secret::new(platform_secret)).await.expect("set");
        }
        let scopes = "orders:read,orders:write,orders:update_status,webhooks:manage";
        let name = uuid::Uuid::now_v7().to_string();
        let new = NewToken { name, scopes: scopes.parse().expect("scopes"), company: Some(company), expires_at: None };
        let token = app.parts.tokens.generate(TESTS, new).await.expect("a token").1.expose().to_owned();
        let secret = secret.expose().to_owned();
        [&token, &secret, platform_secret].into_iter().for_each(journal::secret);
        Self { app, company, slug: slug.to_owned(), email, secret, platform_secret, token }
    }

    /// The same shop, whose systems call another instance.
    pub fn at<'b>(&self, app: &'b TestApp) -> Merchant<'b> {
        let (slug, email, secret, token) =
            (self.slug.clone(), self.email.clone(), self.secret.clone(), self.token.clone());
        Merchant { app, company: self.company, slug, email, secret, platform_secret: self.platform_secret, token }
    }

    /// The company's own API token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A caller with it.
    pub fn api(&self) -> Caller<'a> {
        Caller::bearing(self.app, Some(&self.token))
    }

    /// Posts bytes with these headers.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let request = self.app.http.request(Method::POST, format!("{}{path}", self.app.url));
        let request = request.header("Content-Type", "application/json").body(body.to_vec());
        send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    /// Sends an order in our own format, with the secret itself.
    pub async fn send(&self, body: &Value) -> Answer {
        self.send_bytes(body.to_string().as_bytes()).await
    }

    /// The same with any bytes.
    pub async fn send_bytes(&self, body: &[u8]) -> Answer {
        let headers = [("X-Webhook-Signature", self.secret.as_str()), ("X-Customer-Email", &self.email)];
        self.post("/api/v1/webhook/", &headers, body).await
    }

    /// Sends an order in our own format by Standard Webhooks.
    pub async fn send_standard(&self, id: &str, timestamp: i64, body: &[u8]) -> Answer {
        let signature = sign::standard(&Secret::new(&self.secret), id, timestamp, body).expect("a signature");
        let at = timestamp.to_string();
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", at.as_str()),
            ("webhook-signature", signature.as_str()),
            ("X-Customer-Email", self.email.as_str()),
        ];
        self.post("/api/v1/webhook", &headers, body).await
    }

    /// Sends a payload as Shopify does.
    pub async fn shopify(&self, topic: &str, event: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let signature = STANDARD.encode(hmac(self.platform_secret, body.as_bytes()));
        let headers = [
            ("X-Shopify-Topic", topic),
            ("X-Shopify-Event-Id", event),
            ("X-Shopify-Hmac-Sha256", signature.as_str()),
            ("X-Shopify-Shop-Domain", "atelier.myshopify.example"),
            ("X-Shopify-Webhook-Id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"),
        ];
        self.post(&format!("/api/v1/webhook/shopify/{}", self.slug), &headers, body.as_bytes()).await
    }

    /// Sends a payload as WooCommerce does.
    pub async fn woocommerce(&self, topic: &str, delivery: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let signature = STANDARD.encode(hmac(self.platform_secret, body.as_bytes()));
        let headers = [
            ("X-WC-Webhook-Topic", topic),
            ("X-WC-Webhook-Delivery-ID", delivery),
            ("X-WC-Webhook-Signature", signature.as_str()),
            ("X-WC-Webhook-Source", "https://shop.example/"),
        ];
        self.post(&format!("/api/v1/webhook/woocommerce/{}", self.slug), &headers, body.as_bytes()).await
    }

    /// The order of this number as the API shows it.
    pub async fn order(&self, number: &str) -> Value {
        let path = format!("/api/v1/orders/{}", number.replace('#', "%23"));
        let answer = self.api().get(&path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// What is kept, the newest first.
    pub async fn inbox(&self) -> Vec<Value> {
        let answer = self.api().get("/api/v1/inbox").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["data"].as_array().expect("a list").clone()
    }
}

/// A person who has proven the address.
async fn insert_person(app: &TestApp, company: CompanyId, email: &str) {
    let (id, company) = match app.parts.db.engine() {
        "sqlite" => (format!("x'{}'", AccountId::new().0.simple()), format!("x'{}'", company.0.simple())),
        _ => (format!("'{}'", AccountId::new()), format!("'{company}'")),
    };
    let at = if app.parts.db.engine() == "sqlite" { "0" } else { "now()" };
    let sql = format!(
        "INSERT INTO accounts (id, email, name, role, company_id, password_hash, created_at, verified_at) \
         VALUES ({id}, '{email}', 'Owner', 'vendor', {company}, '-', {at}, {at})"
    );
    run(&app.parts.db, &sql).await;
}
