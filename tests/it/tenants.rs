//! Companies beside each other: every endpoint called with another company's names gives nothing away. What is another's
//! and what does not exist look the same, to the letter.

use std::collections::HashMap;

use ordercast::accounts::Source;
use ordercast::accounts::tokens::NewToken;
use ordercast::base::id::CompanyId;
use ordercast::base::{Actor, Money};
use ordercast::orders::{Customer, NewOrder};
use ordercast::web::api;
use ordercast::webhooks::{Delivery, Proof, Sender};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::TestApp;
use crate::app::caller::{Answer, Caller, send};
use crate::app::people::{merchant, signed_in};

const TESTS: Actor = Actor::System("tests");
const EVERYTHING: &str =
    "orders:read,orders:write,orders:update_status,couriers:check,webhooks:manage,audit:read,admin";

/// A company with one of each thing it can have.
struct Company<'a> {
    /// A system with its token that has every scope, and one of its people.
    callers: [Caller<'a>; 2],
    /// What may stand in a path, by its place: `/api/v1/orders/{id}`.
    names: HashMap<&'static str, Vec<String>>,
    /// Texts that no other company may ever see.
    marks: Vec<String>,
}

async fn company<'a>(app: &'a TestApp, slug: &str) -> Company<'a> {
    let email = format!("owner@{slug}.example");
    let (person, id) = merchant(app, &email).await;
    let (signed_in, login) = signed_in(app, &email).await;
    let name = format!("{slug}-system");
    let scopes = EVERYTHING.parse().expect("scopes");
    let new = NewToken { name: name.clone(), scopes, company: Some(id), expires_at: None };
    let (_, token) = app.parts.tokens.generate(TESTS, new).await.expect("a token");
    let number = format!("{slug}-1");
    let customer = Customer { email: Some(format!("customer@{slug}.example")), ..Customer::default() };
    let total = Money::new(1000, "USD");
    let new = NewOrder { company: id, number: Some(number.clone()), customer, total, ..NewOrder::default() };
    app.parts.money.rates.set(TESTS, None, None, 1000, None, None).await.expect("a rate");
    let order = app.parts.orders.create(TESTS, new, None).await.expect("an order").order;
    let (pass, text) = app.parts.passes.create(order.id, None).await.expect("a pass");
    let (secret, webhook) = webhook(app, id).await;
    let customer = app.parts.webhooks.customers().numbers(std::slice::from_ref(&order)).await.expect("a number")[0];
    let approval = approval(app, &signed_in, id).await;
    let marks = vec![slug.to_owned(), order.id.to_string(), id.to_string(), person.to_string(), text.to_string()];
    let names = HashMap::from([
        ("orders", vec![order.id.to_string(), number]),
        ("passes", vec![pass.id.to_string()]),
        ("tokens", vec![name]),
        ("people", vec![person.to_string()]),
        ("approvals", vec![approval]),
        ("sessions", vec![login.id.to_string()]),
        ("companies", vec![id.to_string()]),
        ("secrets", vec![secret]),
        ("webhooks", vec![webhook]),
        ("customers", vec![customer.to_string()]),
    ]);
    Company { callers: [Caller::bearing(app, Some(token.expose())), signed_in], names, marks }
}

/// A step of one of the company's orders that waits for a second person. The steps are given up again, so that they
/// bind no other order.
async fn approval(app: &TestApp, person: &Caller<'_>, company: CompanyId) -> String {
    let steps = json!({"initial": "pending", "edges": [{"from": "pending", "to": "delivered", "approval": true}]});
    assert_eq!(person.send(Method::PUT, "/api/v1/workflows", &steps).await.status, 200);
    let order = app.parts.orders.create(TESTS, NewOrder { company, ..NewOrder::default() }, None).await;
    let path = format!("/api/v1/vendor/orders/{}/next-step", order.expect("an order").order.id);
    let held = person.post(&path, &json!({})).await;
    assert_eq!(held.status, 202, "{held:?}");
    assert_eq!(person.delete("/api/v1/workflows").await.status, 204);
    held.body["held"]["id"].as_str().expect("an id").to_owned()
}

/// A secret of the company, and a webhook that was sent in with it.
async fn webhook(app: &TestApp, company: CompanyId) -> (String, String) {
    let (known, secret) = app.parts.webhook_secrets.rotate(TESTS, company).await.expect("a secret");
    let delivery = Delivery {
        sender: Sender::Company(company.to_string()),
        proof: Some(Proof::Plain(secret)),
        source: Source::Ordercast,
        topic: None,
        id: None,
        headers: Vec::new(),
        body: r#"{"order_number": "sent-in", "customer_details": {"name": "Jane"}}"#.into(),
    };
    let received = app.parts.webhooks.receive(delivery).await.expect("received");
    (known.id.to_string(), received.id.to_string())
}

/// What the placeholders of a path are names of. A new endpoint is entered here, or this test fails.
fn placeholders(path: &str) -> &'static [(&'static str, &'static str)] {
    match path {
        "/api/v1/orders/{id}/tracking-pass/{pass_id}" => &[("{id}", "orders"), ("{pass_id}", "passes")],
        path if path.starts_with("/api/v1/orders/{id}") => &[("{id}", "orders")],
        path if path.starts_with("/api/v1/vendor/orders/{id}") => &[("{id}", "orders")],
        path if path.starts_with("/api/v1/approvals/{id}") => &[("{id}", "approvals")],
        "/api/v1/orderreceptions/{id}" => &[("{id}", "orders")],
        "/api/v1/company/webhook-secrets/{id}" => &[("{id}", "secrets")],
        "/api/v1/inbox/{id}" | "/api/v1/inbox/{id}/rerun" => &[("{id}", "webhooks")],
        "/api/v1/customers/{id}/personal-data" => &[("{id}", "customers")],
        path if path.starts_with(SIGNED) => &[("{company}", "companies")],
        "/api/v1/tokens/{name}" => &[("{name}", "tokens")],
        "/api/v1/users/me/sessions/{id}" => &[("{id}", "sessions")],
        path if path.starts_with("/api/v1/company/people/{id}") => &[("{id}", "people")],
        path if path.starts_with("/api/v1/admin/") => STAFF_ONLY,
        path => panic!("{path}: say what its placeholders are names of"),
    }
}

/// Endpoints that believe a signature and nothing else: without one there is nothing to tell apart.
const SIGNED: &str = "/api/v1/webhook/";

/// Endpoints of the people who run the platform: a company's credential is refused before anything is looked up.
const STAFF_ONLY: &[(&str, &str)] = &[];

/// A body that would be right if the thing were the caller's own.
fn body(operation: &str) -> Value {
    match operation {
        "change_order" => json!({"notes": "x"}),
        "set_order_status" => json!({"status": "packed"}),
        "confirm_by_code" => json!({"code": "000000"}),
        "refuse_move" => json!({"reason": "x"}),
        "change_colleague" => json!({"name": "x"}),
        _ => json!({}),
    }
}

/// The path with the names of things filled in.
fn addresses(path: &str, names: &HashMap<&'static str, Vec<String>>) -> Vec<String> {
    let mut filled = vec![path.to_owned()];
    for (place, thing) in placeholders(path) {
        let names = &names[thing];
        filled = filled.iter().flat_map(|path| names.iter().map(move |name| path.replace(place, name))).collect();
    }
    filled
}

async fn call(caller: &Caller<'_>, method: &str, path: &str, operation: &str) -> Answer {
    let method: Method = method.to_uppercase().parse().expect("a method");
    let request = caller.request(method.clone(), path);
    send(if method == Method::GET { request } else { request.json(&body(operation)) }).await
}

/// An answer without what differs from request to request, and with the names asked for taken out.
fn told(answer: &Answer, names: &HashMap<&'static str, Vec<String>>) -> (u16, String) {
    let mut body = answer.body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("request_id");
    }
    let text = names.values().flatten().fold(body.to_string(), |text, name| text.replace(name, "…"));
    (answer.status, text)
}

#[tokio::test]
async fn what_belongs_to_another_looks_like_what_does_not_exist() {
    let app =
        TestApp::with(&["--rate-api=0", "--rate-public=0", "--rate-guess=0"], ordercast::base::Clock::System).await;
    let (own, other) = (company(&app, "juniper").await, company(&app, "laurel").await);
    let unknown = |names: &Vec<String>| names.iter().map(|_| Uuid::now_v7().to_string()).collect();
    let nothing: HashMap<_, Vec<String>> = other.names.iter().map(|(thing, names)| (*thing, unknown(names))).collect();
    let mut found_nothing = 0;
    for (method, path, operation) in api::TABLE.iter().filter(|(_, path, _)| path.contains('{')) {
        let mut answers = Vec::new();
        for caller in &own.callers {
            for (theirs, nobodys) in addresses(path, &other.names).iter().zip(addresses(path, &nothing)) {
                let answer = call(caller, method, theirs, operation).await;
                let expected = call(caller, method, &nobodys, operation).await;
                assert_eq!(told(&answer, &other.names), told(&expected, &nothing), "{method} {theirs}");
                answers.push(answer.status);
            }
        }
        assert!(answers.iter().all(|status| [401, 403, 404].contains(status)), "{method} {path}: {answers:?}");
        // Whoever may use the endpoint at all hears that there is no such thing.
        let is_closed = placeholders(path) == STAFF_ONLY || path.starts_with(SIGNED);
        assert!(answers.contains(&404) || is_closed, "{method} {path}: {answers:?}");
        found_nothing += answers.iter().filter(|status| **status == 404).count();
        if path.starts_with("/api/v1/orders/{id}") {
            let mine = call(&own.callers[0], method, &addresses(path, &own.names)[0], operation).await;
            assert!(mine.status < 300, "with a name of its own the same call is right: {method} {path}: {mine:?}");
        }
    }
    assert!(found_nothing > 20, "{found_nothing}");
}

#[tokio::test]
async fn no_list_holds_anything_of_another_company() {
    let app =
        TestApp::with(&["--rate-api=0", "--rate-public=0", "--rate-guess=0"], ordercast::base::Clock::System).await;
    let (own, other) = (company(&app, "juniper").await, company(&app, "laurel").await);
    let mut told_something = 0;
    for (_, path, operation) in api::TABLE.iter().filter(|(method, path, _)| *method == "get" && !path.contains('{')) {
        for caller in &own.callers {
            for query in ["", "?q=laurel", "?company=laurel"] {
                let answer = call(caller, "get", &format!("{path}{query}"), operation).await;
                let text = if answer.status < 400 { answer.body.to_string() } else { String::new() };
                let found = other.marks.iter().find(|mark| text.contains(mark.as_str()));
                assert_eq!(found, None, "{path}{query}: {text}");
                told_something += usize::from(own.marks.iter().any(|mark| text.contains(mark.as_str())));
            }
        }
    }
    assert!(told_something > 5, "{told_something}: its own things are listed");
}
