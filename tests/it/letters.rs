//! What is looked for is found in any letter case, of any script, on both databases alike.

use ordercast::accounts::Role;
use ordercast::base::{Actor, Secret};
use ordercast::orders::{Customer, NewOrder};
use serde_json::Value;

use crate::app::TestApp;
use crate::app::caller::Caller;
use crate::app::people::{PASSWORD, signed_in};

/// A name, and what is typed to find it.
const NAMES: [(&str, &[&str]); 4] = [
    ("Änne Özil", &["änne", "ÄNNE", "özil", "ÖZ"]),
    ("ΝΙΚΟΣ Παππάς", &["νικοσ", "ΝΙΚΟΣ", "παππ"]),
    ("Иван Петров", &["иван", "ИВАН", "пЕТР"]),
    ("100% _Real_", &["100%", "_real", "% _"]),
];

async fn found(caller: &Caller<'_>, path: &str, typed: &str) -> Vec<Value> {
    let typed: String = url::form_urlencoded::byte_serialize(typed.as_bytes()).collect();
    let answer = caller.get(&format!("{path}?q={typed}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["data"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn people_and_orders_are_found_in_any_letter_case_of_any_script() {
    let app = TestApp::start().await;
    let people = &app.parts.people;
    for (nth, (name, _)) in NAMES.iter().enumerate() {
        let (by, email) = (Actor::System("tests"), format!("person-{nth}@host.example"));
        people.create_staff(by, Role::Admin, &email, name, Secret::new(PASSWORD)).await.expect("a person");
        let customer = Customer { name: Some((*name).to_owned()), ..Customer::default() };
        app.order(NewOrder { customer, ..NewOrder::default() }).await;
    }
    let (staff, _) = signed_in(&app, "person-0@host.example").await;
    for (name, typed) in NAMES {
        for typed in typed {
            let people = found(&staff, "/api/v1/admin/people", typed).await;
            let names: Vec<_> = people.iter().map(|person| person["name"].as_str()).collect();
            assert_eq!(names, [Some(name)], "{typed}");
            let orders = found(&staff, "/api/v1/orders", typed).await;
            let names: Vec<_> = orders.iter().map(|order| order["customer"]["name"].as_str()).collect();
            assert_eq!(names, [Some(name)], "{typed}");
        }
    }
}
