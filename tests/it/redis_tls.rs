//! The bus over TLS: only a server whose certificate comes from the right authority is spoken to.

use ordercast::bus::{Bus as _, RedisBus, RedisSettings, Topic};

use crate::app::certificates;
use crate::app::guarded::free_port;
use crate::app::redis::Server;
use crate::bus::{linked, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_runs_over_tls_and_trusts_the_right_authority_only() {
    let folder = certificates::make(None);
    let file = |name: &str| folder.join(name).display().to_string();
    let (port, certificate, key) = (free_port().to_string(), file("server.pem"), file("server.key"));
    let tls =
        ["--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let _server = Server::start_with(&tls);
    let trusting = |name: &str| RedisSettings {
        ca_pem: Some(std::fs::read(folder.join(name)).expect("an authority")),
        ..settings(&format!("rediss://127.0.0.1:{port}"), "test:")
    };
    let (from, mut to) = (linked(trusting("ca.pem")).await.0, linked(trusting("ca.pem")).await.0);
    to.join(&["a"]).await;
    assert_eq!(from.publish("a", "sealed").await, 1);
    to.hears("a", "sealed").await;
    let stranger = RedisBus::start(trusting("other.pem")).expect("settings that can be read");
    assert!(!stranger.is_up() && stranger.join(vec![Topic::from("a")]).await.is_err());
    std::fs::remove_dir_all(folder).expect("it was ours");
}
