//! SIGTERM to the running program: everyone is sent away to come back, and the process ends by itself.

use serde_json::{Value, json};

use crate::app::instance::Deployment;
use crate::app::watcher::Watcher;

#[tokio::test(flavor = "multi_thread")]
async fn a_program_told_to_stop_sends_everyone_away_and_ends_well() {
    let mut deployment = Deployment::on_this_stack().await;
    let home = format!("http://{}", deployment.addresses()[0]);
    let token = deployment.token("orders:read,orders:write");
    let http = reqwest::Client::new();
    let made = http.post(format!("{home}/api/v1/orders")).bearer_auth(&token).json(&json!({"number": "S-1"}));
    assert_eq!(made.send().await.expect("an answer").status(), 201);
    let pass = http.post(format!("{home}/api/v1/orders/S-1/tracking-pass")).bearer_auth(&token);
    let pass: Value = pass.send().await.expect("an answer").json().await.expect("JSON");
    let (mut watcher, answer) = Watcher::subscribe(&home, "", &json!({"pass": pass["pass"]})).await;
    assert_eq!(answer["type"], "subscribed");
    let stream = http.get(format!("{home}/live/sse?pass={}", pass["pass"].as_str().expect("a pass")));
    let stream = stream.send().await.expect("a stream");

    let (ended, code, rest) =
        tokio::join!(tokio::task::spawn_blocking(move || deployment.end(0)), watcher.closed(), stream.bytes(),);
    assert_eq!(code, 1012, "come back elsewhere");
    assert!(rest.is_ok_and(|rest| rest.starts_with(b"retry:") || !rest.is_empty()), "the stream ends in order");
    assert!(ended.expect("a thread").success(), "it ended by itself and well");
}
