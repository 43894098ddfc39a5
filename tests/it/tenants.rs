//! Companies beside each other: every endpoint called with another company's names gives nothing away. What is another's
//! and what does not exist look the same, to the letter.

use std::collections::HashMap;

use ordercast::accounts::tokens::NewToken;
use ordercast::base::Actor;
use ordercast::orders::{Customer, NewOrder};
use ordercast::web::api;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::TestApp;
use crate::app::caller::{Answer, Caller, send};

const TESTS: Actor = Actor::System("tests");
const EVERYTHING: &str =
    "orders:read,orders:write,orders:update_status,couriers:check,webhooks:manage,audit:read,admin";

/// A company with one of each thing it can have.
struct Company {
    token: String,
    /// What may stand in a path, by its place: `/api/v1/orders/{id}`.
    names: HashMap<&'static str, Vec<String>>,
    /// Texts that no other company may ever see.
    marks: Vec<String>,
}

async fn company(app: &TestApp, slug: &str) -> Company {
    let id = app.parts.companies.ensure(slug, slug).await.expect("a company").id;
    let name = format!("{slug}-system");
    let new = NewToken {
        name: name.clone(),
        scopes: EVERYTHING.parse().expect("scopes"),
        company: Some(id),
        expires_at: None,
    };
    let (_, token) = app.parts.tokens.generate(TESTS, new).await.expect("a token");
    let number = format!("{slug}-1");
    let customer = Customer { email: Some(format!("customer@{slug}.example")), ..Customer::default() };
    let new = NewOrder { company: id, number: Some(number.clone()), customer, ..NewOrder::default() };
    let order = app.parts.orders.create(TESTS, new, None).await.expect("an order").order;
    let (pass, text) = app.parts.passes.create(order.id, None).await.expect("a pass");
    let orders = vec![order.id.to_string(), number.clone()];
    let marks = vec![number, order.id.to_string(), id.to_string(), name.clone(), text.to_string(), slug.to_owned()];
    let names = HashMap::from([("orders", orders), ("passes", vec![pass.id.to_string()]), ("tokens", vec![name])]);
    Company { token: token.expose().to_owned(), names, marks }
}

/// What the placeholders of a path are names of. A new endpoint is entered here, or this test fails.
fn placeholders(path: &str) -> &'static [(&'static str, &'static str)] {
    match path {
        "/api/v1/orders/{id}/tracking-pass/{pass_id}" => &[("{id}", "orders"), ("{pass_id}", "passes")],
        path if path.starts_with("/api/v1/orders/{id}") => &[("{id}", "orders")],
        "/api/v1/tokens/{name}" => &[("{name}", "tokens")],
        path if path.starts_with("/api/v1/admin/") => STAFF_ONLY,
        path => panic!("{path}: say what its placeholders are names of"),
    }
}

/// Endpoints of the people who run the platform: a company's credential is refused before anything is looked up.
const STAFF_ONLY: &[(&str, &str)] = &[];

/// A body that would be right if the thing were the caller's own.
fn body(operation: &str) -> Value {
    match operation {
        "change_order" => json!({"notes": "x"}),
        "set_order_status" => json!({"status": "packed"}),
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
async fn what_is_anothers_looks_like_what_does_not_exist() {
    let app = TestApp::with(&["--rate-api=0"], ordercast::base::Clock::System).await;
    let (own, other) = (company(&app, "juniper").await, company(&app, "laurel").await);
    let caller = Caller::bearing(&app, Some(&own.token));
    let count = |thing: &[String]| thing.len();
    let nothing: HashMap<_, _> = other
        .names
        .iter()
        .map(|(thing, names)| (*thing, (0..count(names)).map(|_| Uuid::now_v7().to_string()).collect::<Vec<_>>()))
        .collect();
    let mut called = 0;
    for (method, path, operation) in api::TABLE.iter().filter(|(_, path, _)| path.contains('{')) {
        let theirs = addresses(path, &other.names);
        for (theirs, nobodys) in theirs.iter().zip(addresses(path, &nothing)) {
            let answer = call(&caller, method, theirs, operation).await;
            let expected = call(&caller, method, &nobodys, operation).await;
            assert_eq!(told(&answer, &other.names), told(&expected, &nothing), "{method} {theirs}");
            let refusals = if placeholders(path) == STAFF_ONLY { [401, 403] } else { [403, 404] };
            assert!(refusals.contains(&answer.status), "{method} {theirs}: {answer:?}");
            called += 1;
        }
        if placeholders(path).iter().any(|(_, thing)| *thing == "orders") {
            let mine = call(&caller, method, &addresses(path, &own.names)[0], operation).await;
            assert!(mine.status < 300, "with a name of its own the same call is right: {method} {path}: {mine:?}");
        }
    }
    assert!(called > 15, "{called}");
}

#[tokio::test]
async fn no_list_holds_anything_of_another_company() {
    let app = TestApp::with(&["--rate-api=0"], ordercast::base::Clock::System).await;
    let (own, other) = (company(&app, "juniper").await, company(&app, "laurel").await);
    let caller = Caller::bearing(&app, Some(&own.token));
    let mut told_something = 0;
    for (_, path, operation) in api::TABLE.iter().filter(|(method, path, _)| *method == "get" && !path.contains('{')) {
        for query in ["", "?q=laurel", "?company=laurel"] {
            let answer = call(&caller, "get", &format!("{path}{query}"), operation).await;
            let text = answer.body.to_string();
            let is_echo = answer.status >= 400;
            let found = other.marks.iter().find(|mark| !is_echo && text.contains(mark.as_str()));
            assert_eq!(found, None, "{path}{query}: {text}");
            told_something += usize::from(own.marks.iter().any(|mark| text.contains(mark.as_str())));
        }
    }
    assert!(told_something >= 2, "its own orders and tokens are listed");
}
