//! A company with two people and somebody who runs the platform: who asks, who decides, and who decides in the end.

use ordercast::accounts::Role;
use ordercast::base::id::{AccountId, CompanyId};
use ordercast::base::{Actor, Clock};
use ordercast::orders::{Customer, NewOrder, Order, Status};
use reqwest::Method;
use serde_json::{Value, json};

use super::TestApp;
use super::caller::{Answer, Caller};
use super::people::{merchant, signed_in, staff};
use super::watcher::Watcher;
use crate::rows::run;

const TESTS: Actor = Actor::System("tests");

/// The company and its people, each as a caller.
pub struct Crew<'a> {
    app: &'a TestApp,
    /// The company.
    pub company: CompanyId,
    /// Who asks.
    pub owner: Caller<'a>,
    /// Who decides.
    pub colleague: Caller<'a>,
    /// Who runs the platform.
    pub staff: Caller<'a>,
}

/// An instance without limits per address whose clock stands still.
pub async fn still() -> (TestApp, Clock) {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse().expect("a time"));
    (TestApp::with(&["--rate-guess=0", "--rate-public=0", "--rate-api=0"], clock.clone()).await, clock)
}

impl<'a> Crew<'a> {
    /// Hires it; `name` is the company's.
    pub async fn hire(app: &'a TestApp, name: &str) -> Self {
        let (owner, colleague, boss) =
            (format!("owner@{name}.example"), format!("colleague@{name}.example"), format!("staff@{name}.example"));
        let (_, company) = merchant(app, &owner).await;
        add_colleague(app, &owner, &colleague).await;
        staff(app, Role::Admin, &boss).await;
        let (owner, _) = signed_in(app, &owner).await;
        let (colleague, _) = signed_in(app, &colleague).await;
        let (staff, _) = signed_in(app, &boss).await;
        Self { app, company, owner, colleague, staff }
    }

    /// The same people, signed in anew.
    pub async fn back(self, app: &'a TestApp, name: &str) -> Self {
        let (owner, _) = signed_in(app, &format!("owner@{name}.example")).await;
        let (colleague, _) = signed_in(app, &format!("colleague@{name}.example")).await;
        let (staff, _) = signed_in(app, &format!("staff@{name}.example")).await;
        Self { owner, colleague, staff, ..self }
    }

    /// Sets the company's steps, each `from to` with `!` for an approval and `?` for a confirmation behind it.
    pub async fn follow(&self, steps: &[&str]) -> Answer {
        let edge = |step: &&str| {
            let (way, gate) = match step.strip_suffix(['!', '?']) {
                Some(way) => (way, step.chars().last()),
                None => (*step, None),
            };
            let (from, to) = way.split_once(' ').expect("from and to");
            json!({"from": from, "to": to, "approval": gate == Some('!'), "confirmation": gate == Some('?')})
        };
        let edges: Vec<Value> = steps.iter().map(edge).collect();
        let body = json!({"initial": edges[0]["from"], "edges": edges});
        self.owner.send(Method::PUT, "/api/v1/workflows", &body).await
    }

    /// A new order of the company, and a tracking pass for it.
    pub async fn order(&self, status: Option<Status>) -> (Order, String) {
        let customer = Customer { email: Some("ayesha@mail.example".into()), ..Customer::default() };
        let new = NewOrder { company: self.company, status, customer, ..NewOrder::default() };
        let order = self.app.parts.orders.create(TESTS, new, None).await.expect("an order").order;
        let (_, pass) = self.app.parts.passes.create(order.id, None).await.expect("a pass");
        (order, pass)
    }

    /// The owner's next step of an order.
    pub async fn step(&self, order: &Order, body: &Value) -> Answer {
        self.owner.post(&format!("/api/v1/vendor/orders/{}/next-step", order.id), body).await
    }

    /// A step that must wait: what waits.
    pub async fn held(&self, order: &Order, body: &Value) -> Value {
        let answer = self.step(order, body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.body["held"].clone()
    }

    /// The owner's live feed of the company's orders.
    pub async fn feed(&self) -> Watcher {
        let mut watcher = Watcher::connect(&self.app.url, "").await;
        watcher.say(&json!({"type": "auth", "token": self.owner.token()})).await;
        watcher.say(&json!({"type": "subscribe", "id": 1, "feed": "orders"})).await;
        assert_eq!(watcher.next_of("subscribed").await["id"], 1);
        watcher
    }

    /// Where the order stands: its status and the number of its newest event.
    pub async fn position(&self, order: &Order) -> (String, i64) {
        let answer = self.owner.get(&format!("/api/v1/orders/{}", order.id)).await;
        let status = answer.body["status"].as_str().expect("a status").to_owned();
        (status, answer.body["seq"].as_i64().expect("a seq"))
    }
}

/// A person of the same company with the same password.
async fn add_colleague(app: &TestApp, owner: &str, email: &str) {
    let id = AccountId::new();
    let id = match app.parts.db.engine() {
        "sqlite" => format!("x'{}'", id.0.simple()),
        _ => format!("'{id}'"),
    };
    let sql = format!(
        "INSERT INTO accounts (id, email, name, role, company_id, password_hash, created_at, verified_at, failed_logins) \
         SELECT {id}, '{email}', 'Colleague', role, company_id, password_hash, created_at, created_at, 0 \
         FROM accounts WHERE email = '{owner}'"
    );
    run(&app.parts.db, &sql).await;
}
