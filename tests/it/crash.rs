//! What crashes take away: nothing. Instances, PostgreSQL and Redis are killed under traffic.
//!
//! Writers move orders through whatever instance answers and remember each success; customers watch over WebSocket. In
//! the end every history is dense and holds every acknowledged update, and every customer has seen exactly that history.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand::RngExt as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::customer::{Seen, watch_order};
use crate::app::instance::Deployment;
use crate::app::postgres::Cluster;
use crate::app::redis;

const ORDERS: usize = 4;
const WATCHERS_EACH: usize = 3;
const CRASHES: usize = 4;

/// Acknowledged updates between two crashes, and after the last one.
const BETWEEN: std::ops::Range<usize> = 10..60;

/// Only a broken server needs this long.
const DEADLINE: Duration = Duration::from_secs(120);

/// Traffic over a deployment: writers and watchers of a few orders.
struct Traffic {
    addresses: Vec<String>,
    token: String,
    acknowledged: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
    orders: Vec<Watched>,
}

/// One order, who writes it and who watches it.
struct Watched {
    id: String,
    writer: JoinHandle<Vec<String>>,
    end: watch::Sender<Option<i64>>,
    watchers: Vec<JoinHandle<Seen>>,
}

impl Traffic {
    async fn start(deployment: &Deployment) -> Self {
        let (addresses, token) = (deployment.addresses(), deployment.token("admin"));
        let (stop, stopped) = watch::channel(false);
        let mut traffic = Self { addresses, token, acknowledged: Arc::default(), stop, orders: Vec::new() };
        for _ in 0..ORDERS {
            let made = traffic.call("POST", "/api/v1/orders", Some(json!({"item_summary": "1x Lamp"}))).await;
            let id = made["id"].as_str().expect("an id").to_owned();
            let pass = traffic.call("POST", &format!("/api/v1/orders/{id}/tracking-pass"), Some(json!({}))).await;
            let pass = pass["pass"].as_str().expect("a pass");
            let (end, ended) = watch::channel(None);
            let watch = |nth| tokio::spawn(watch_order(traffic.addresses.clone(), nth, pass.to_owned(), ended.clone()));
            let watchers = (0..WATCHERS_EACH).map(watch).collect();
            let path = format!("/api/v1/orders/{id}/status");
            let writer = write(
                traffic.addresses.clone(),
                path,
                traffic.token.clone(),
                Arc::clone(&traffic.acknowledged),
                stopped.clone(),
            );
            traffic.orders.push(Watched { id, writer: tokio::spawn(writer), end, watchers });
        }
        traffic
    }

    /// Waits until so many further updates have been acknowledged.
    async fn flow(&self, further: usize) {
        let target = self.acknowledged.load(Ordering::SeqCst) + further;
        let mut look = tokio::time::interval(Duration::from_millis(5));
        let reached = async {
            while self.acknowledged.load(Ordering::SeqCst) < target {
                look.tick().await;
            }
        };
        tokio::time::timeout(DEADLINE, reached).await.expect("updates go on");
    }

    /// A random number of further updates, then the crash is due.
    async fn until_a_random_moment(&self) {
        self.flow(rand::rng().random_range(BETWEEN)).await;
    }

    /// Stops writing and compares what was acknowledged, what is in the log and what was seen; says how often the
    /// watchers had to connect.
    async fn settle(mut self) -> usize {
        self.until_a_random_moment().await;
        self.stop.send(true).expect("writers listen");
        let mut connections = 0;
        for order in std::mem::take(&mut self.orders) {
            let acknowledged = tokio::time::timeout(DEADLINE, order.writer).await.expect("in time").expect("written");
            let history = self.history(&order.id).await;
            let seqs: Vec<_> = history.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
            assert_eq!(seqs, (1..=history.len() as u64).collect::<Vec<_>>(), "the history is dense");
            let notes: Vec<_> = history.iter().filter_map(|event| event["note"].as_str()).collect();
            assert!(acknowledged.len() > CRASHES, "the writer got through");
            for note in acknowledged {
                assert_eq!(notes.iter().filter(|n| **n == note).count(), 1, "acknowledged, so once in the log: {note}");
            }
            order.end.send(Some(history.len() as i64)).expect("watchers listen");
            for watcher in order.watchers {
                let seen =
                    tokio::time::timeout(DEADLINE, watcher).await.expect("all was seen in time").expect("in order");
                assert_eq!(seen.events, history, "the customer saw the history");
                connections += seen.connections;
            }
        }
        connections
    }

    async fn history(&self, id: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let since = events.len();
            let page = self.call("GET", &format!("/api/v1/orders/{id}/events?since={since}"), None).await;
            let page = page["data"].as_array().expect("events");
            if page.is_empty() {
                return events;
            }
            events.extend(page.iter().cloned());
        }
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let url = format!("http://{}{path}", self.addresses[0]);
        let request = reqwest::Client::new().request(method.parse().expect("a method"), url).bearer_auth(&self.token);
        let request = body.iter().fold(request, |request, body| request.json(body));
        let answer = request.send().await.expect("an answer").error_for_status().expect("success");
        answer.json().await.expect("JSON")
    }
}

/// Moves an order to and fro, each time with a note of its own, asking the instances in turn until one says yes.
/// Returns the notes that were acknowledged.
async fn write(
    addresses: Vec<String>,
    path: String,
    token: String,
    count: Arc<AtomicUsize>,
    stop: watch::Receiver<bool>,
) -> Vec<String> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().expect("a client");
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    let (mut acknowledged, mut asked) = (Vec::new(), 0);
    for nth in 0.. {
        if *stop.borrow() {
            break;
        }
        let note = format!("Step {nth}");
        let status = ["out_for_delivery", "delivery_failed"][nth % 2];
        let body = json!({"status": status, "notes": note});
        loop {
            pace.tick().await;
            asked += 1;
            let url = format!("http://{}{path}", addresses[asked % addresses.len()]);
            // No answer and a 5xx both leave open whether it was written: the same update is sent again, which is harmless.
            if let Ok(answer) = http.post(url).bearer_auth(&token).json(&body).send().await {
                let code = answer.status().as_u16();
                assert!(code == 200 || code >= 500, "{code} {}", answer.text().await.unwrap_or_default());
                if code == 200 && answer.bytes().await.is_ok() {
                    break;
                }
            }
        }
        acknowledged.push(note);
        count.fetch_add(1, Ordering::SeqCst);
    }
    acknowledged
}

#[tokio::test]
async fn an_instance_killed_under_traffic_loses_nothing() {
    let mut deployment = Deployment::on_this_stack().await;
    let traffic = Traffic::start(&deployment).await;
    for crash in 0..CRASHES {
        traffic.until_a_random_moment().await;
        let nth = crash % deployment.addresses().len();
        deployment.kill(nth);
        deployment.start_instance(nth);
    }
    let connections = traffic.settle().await;
    assert!(connections > ORDERS * WATCHERS_EACH, "killing an instance broke connections");
    let said = deployment.command(&["audit", "verify"]);
    assert!(said.contains("all as they were written"), "{said}");
}

#[tokio::test]
async fn postgres_killed_under_traffic_loses_nothing() {
    let mut cluster = Cluster::start();
    let deployment = Deployment::pair(&cluster.database().await, redis::shared());
    let traffic = Traffic::start(&deployment).await;
    for _ in 0..CRASHES {
        traffic.until_a_random_moment().await;
        cluster.crash();
        cluster.restart();
    }
    traffic.settle().await;
}

#[tokio::test]
async fn redis_killed_under_traffic_loses_nothing() {
    let mut server = redis::Server::start();
    let deployment = Deployment::pair(&Cluster::shared().database().await, &server.url());
    let traffic = Traffic::start(&deployment).await;
    for _ in 0..CRASHES {
        traffic.until_a_random_moment().await;
        server.kill();
        // Updates go on without it: what is live is only a copy.
        traffic.until_a_random_moment().await;
        server.restart();
    }
    traffic.settle().await;
}
