//! The API's description held against the server by schemathesis: it makes requests that fit the description and
//! requests that break it, and every answer must be one the description tells of.

use std::process::Command;

use serde_json::json;

use crate::app::caller::{Caller, send};
use crate::app::{TestApp, tools};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_does_is_what_its_description_says() {
    let app =
        TestApp::with(&["--rate-api=0", "--rate-public=0", "--rate-guess=0"], ordercast::base::Clock::System).await;
    let token = app.token("admin,orders:read,orders:write,orders:update_status,audit:read").await;
    let caller = Caller::bearing(&app, Some(&token));
    // The order that the examples of the description name.
    let order = json!({"number": "MB1031", "status": "paid", "customer": {"email": "customer@shop.example"}});
    assert_eq!(send(caller.request(reqwest::Method::POST, "/api/v1/orders").json(&order)).await.status, 201);

    let folder = tools().join("schemathesis");
    let program = folder.join("bin/schemathesis");
    assert!(program.exists(), "{} is missing: run tests/run, which fetches it", program.display());
    let scratch = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("python3");
    command.arg(program).arg("--config-file").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemathesis.toml"));
    command.args(["run", "--no-color"]).arg(format!("{}/api/v1/docs/openapi.json", app.url));
    command.env("PYTHONPATH", folder).env("ORDERCAST_URL", &app.url).env("ORDERCAST_TOKEN", &token);
    command.current_dir(scratch.path());
    let done = tokio::task::spawn_blocking(move || command.output()).await.expect("a thread").expect("schemathesis");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("Fuzzing"), "it tested nothing:\n{said}");
}
