//! The API's description held against the server by schemathesis: it makes requests that fit the description and
//! requests that break it, and every answer must be one the description tells of. Each kind of credential is tried on
//! every operation that takes it, and none of them may be refused there.

use std::process::Command;

use ordercast::accounts::Role;
use ordercast::base::Clock;
use ordercast::orders::{Customer, NewOrder, Status};
use serde_json::Value;

use crate::app::applicants;
use crate::app::caller::Caller;
use crate::app::people::{self, log_in, merchant};
use crate::app::post_office::PostOffice;
use crate::app::{TestApp, journal, tools};

/// An instance whose sign-ins outlive the run, with the order that the examples of the description name.
async fn instance(office: &PostOffice) -> (TestApp, String) {
    let flags = [&office.flag(), "--rate-api=0", "--rate-public=0", "--rate-guess=0", "--access-minutes=600"];
    let app = TestApp::with(&flags, Clock::System).await;
    let customer = Customer { email: Some("customer@shop.example".into()), ..Customer::default() };
    let new = NewOrder { number: Some("MB1031".into()), status: Some(Status::Paid), customer, ..NewOrder::default() };
    let pass = app.order(new).await.1;
    (app, pass)
}

/// Whether the operation takes this kind of credential; `open` are those that take none.
fn takes(operation: &Value, scheme: &str) -> bool {
    let ways = operation["security"].as_array().expect("who may");
    ways.iter().any(|way| match scheme {
        "open" => way.as_object().expect("an object").is_empty(),
        scheme => way.get(scheme).is_some(),
    })
}

/// Tries a credential on the operations that take one of these kinds.
async fn hold(app: &TestApp, schemes: &[&str], credential: &str) {
    let document = Caller::bearing(app, None).get("/api/v1/docs/openapi.json").await.body;
    let items = document["paths"].as_object().expect("paths").values();
    let operations = items.flat_map(|item| item.as_object().expect("operations").values());
    let meant = operations.filter(|operation| schemes.iter().any(|scheme| takes(operation, scheme)));
    let names = meant.map(|operation| operation["operationId"].as_str().expect("a name"));
    let (last, names): (Vec<&str>, Vec<&str>) = names.partition(|name| LAST.contains(name));
    assert!(!names.is_empty(), "no operation takes {schemes:?}");
    run(app, &names, credential).await;
    if !last.is_empty() {
        run(app, &last, credential).await;
    }
}

/// End the very credential they are tried with, once they have found its name in a list.
const LAST: [&str; 2] = ["end_session", "revoke_token"];

async fn run(app: &TestApp, operations: &[&str], credential: &str) {
    let folder = tools().join("schemathesis");
    let program = folder.join("bin/schemathesis");
    assert!(program.exists(), "{} is missing: run tests/run, which fetches it", program.display());
    let scratch = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("python3");
    command.arg(program).arg("--config-file").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemathesis.toml"));
    command.args(["run", "--no-color"]).arg(format!("{}/api/v1/docs/openapi.json", app.url));
    command.args(operations.iter().flat_map(|name| ["--include-operation-id", name]));
    command.env("PYTHONPATH", folder).env("ORDERCAST_URL", &app.url).env("ORDERCAST_TOKEN", credential);
    command.current_dir(scratch.path());
    let done = tokio::task::spawn_blocking(move || command.output()).await.expect("a thread").expect("schemathesis");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("Fuzzing"), "it tested nothing:\n{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_holds_for_systems_and_for_who_shows_nothing_that_is_asked_for() {
    let office = PostOffice::open();
    let (app, _) = instance(&office).await;
    let token = app.token("admin,orders:read,orders:write,orders:update_status,audit:read,webhooks:manage").await;
    hold(&app, &["bearer", "open"], &token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_holds_for_who_runs_the_platform() {
    let office = PostOffice::open();
    let (app, _) = instance(&office).await;
    people::staff(&app, Role::SuperAdmin, "rina@host.example").await;
    let access = log_in(&app, "rina@host.example").await.pair.access;
    hold(&app, &["person"], access.expose()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_holds_for_people_of_a_company() {
    let office = PostOffice::open();
    let (app, _) = instance(&office).await;
    merchant(&app, people::JOHN).await;
    let access = log_in(&app, people::JOHN).await.pair.access;
    hold(&app, &["person"], access.expose()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_holds_for_a_company_that_waits_for_approval() {
    let mut office = PostOffice::open();
    let (app, _) = instance(&office).await;
    applicants::sign_up(&app, &mut office, people::JOHN, "johndoe").await;
    let shop = applicants::onboarding(&app, people::JOHN).await;
    hold(&app, &["onboarding"], shop.token().expect("a token")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_holds_for_customers() {
    let office = PostOffice::open();
    let (app, pass) = instance(&office).await;
    journal::secret(&pass);
    hold(&app, &["pass"], &pass).await;
}
