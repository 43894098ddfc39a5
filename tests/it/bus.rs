//! One list of promises every bus keeps, and what the Redis bus does when Redis fails.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ordercast::base::{Error, Secret};
use ordercast::bus::{Bus, Listener, LocalBus, RedisBus, RedisSettings, Topic};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::app::redis::{Cluster, Server, Watched};

/// Generous, since it only bounds how long a broken test hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// Notes everything it hears.
struct Recorder {
    messages: mpsc::UnboundedSender<(String, Bytes)>,
    resumed: mpsc::UnboundedSender<()>,
}

impl Listener for Recorder {
    fn message(&self, topic: &str, payload: Bytes) {
        self.messages.send((topic.to_owned(), payload)).ok(); // the test may be over
    }

    fn resumed(&self) {
        self.resumed.send(()).ok();
    }
}

/// One instance of a test: its bus and what it heard.
pub struct Instance {
    bus: Arc<dyn Bus>,
    messages: mpsc::UnboundedReceiver<(String, Bytes)>,
    resumed: mpsc::UnboundedReceiver<()>,
}

impl Instance {
    fn on(bus: Arc<dyn Bus>) -> Self {
        let (sender, messages) = mpsc::unbounded_channel();
        let (resumed_sender, resumed) = mpsc::unbounded_channel();
        bus.listen(Arc::new(Recorder { messages: sender, resumed: resumed_sender }));
        Self { bus, messages, resumed }
    }

    /// Forgets what was said about links until now. A join that succeeded came after all of it.
    fn forget_resumed(&mut self) {
        while self.resumed.try_recv().is_ok() {}
    }

    async fn is_resumed(&mut self) {
        timeout(DEADLINE, self.resumed.recv()).await.expect("a word that the link is whole again").unwrap();
    }

    pub async fn join(&self, topics: &[&str]) {
        self.bus.join(topics.iter().map(|&topic| Topic::from(topic)).collect()).await.unwrap();
    }

    pub async fn publish(&self, topic: &str, payload: &str) -> u32 {
        let reach = self.try_publish(topic, payload).await.unwrap();
        assert_eq!(reach.len(), 1);
        reach[0]
    }

    async fn try_publish(&self, topic: &str, payload: &str) -> Result<Vec<u32>, Error> {
        let message = (Topic::from(topic), Bytes::copy_from_slice(payload.as_bytes()));
        timeout(DEADLINE, self.bus.publish(vec![message])).await.expect("a publish that neither ends nor fails")
    }

    async fn next(&mut self) -> (String, String) {
        let (topic, payload) = timeout(DEADLINE, self.messages.recv()).await.expect("a message").unwrap();
        (topic, String::from_utf8(payload.to_vec()).unwrap())
    }

    pub async fn hears(&mut self, topic: &str, payload: &str) {
        assert_eq!(self.next().await, (topic.to_owned(), payload.to_owned()));
    }
}

/// Where a test's instances meet.
enum Stage {
    Local(LocalBus),
    Redis { url: String, prefix: String, _servers: Box<dyn Send + Sync> },
}

impl Stage {
    fn local() -> Self {
        Self::Local(LocalBus::new())
    }

    fn redis(url: String, servers: impl Send + Sync + 'static) -> Self {
        Self::Redis { url, prefix: "test:".to_owned(), _servers: Box::new(servers) }
    }

    async fn instance(&self) -> Instance {
        match self {
            Self::Local(bus) => Instance::on(Arc::new(bus.endpoint())),
            Self::Redis { url, prefix, .. } => linked(settings(url, prefix)).await.0,
        }
    }
}

/// Settings that notice soon what happens to the server.
pub fn settings(url: &str, prefix: &str) -> RedisSettings {
    let mut settings = RedisSettings::new(Secret::new(url));
    settings.prefix = prefix.to_owned();
    settings.health_every = Duration::from_millis(200);
    settings.backoff = (Duration::from_millis(10), Duration::from_millis(200));
    settings.publish_timeout = Duration::from_secs(10);
    settings
}

/// An instance whose link is up, and the bus itself to watch it by.
pub async fn linked(settings: RedisSettings) -> (Instance, Arc<RedisBus>) {
    let bus = Arc::new(RedisBus::start(settings).unwrap());
    let instance = Instance::on(bus.clone());
    until(&bus, true).await;
    (instance, bus)
}

async fn until(bus: &RedisBus, up: bool) {
    timeout(DEADLINE, bus.status().wait_for(|now| *now == up)).await.expect("a change of the link").unwrap();
}

async fn order_is_kept_per_topic(stage: Stage) {
    let (from, mut to) = (stage.instance().await, stage.instance().await);
    to.join(&["a", "b"]).await;
    for round in 0..20 {
        let batch = (0..50).map(|at| (Topic::from(["a", "b"][at % 2]), Bytes::from((round * 50 + at).to_string())));
        from.bus.publish(batch.collect()).await.unwrap();
    }
    let mut heard = [Vec::new(), Vec::new()];
    for _ in 0..1000 {
        let (topic, payload) = to.next().await;
        heard[usize::from(topic == "b")].push(payload.parse::<usize>().unwrap());
    }
    for (at, list) in heard.iter().enumerate() {
        assert_eq!(*list, (0..1000).filter(|n| n % 2 == at).collect::<Vec<_>>());
    }
}

async fn what_is_published_after_a_join_is_received(stage: Stage) {
    let (from, mut to) = (stage.instance().await, stage.instance().await);
    for at in 0..100 {
        let topic = format!("order:{at}");
        to.join(&[&topic]).await;
        assert_eq!(from.publish(&topic, "now").await, 1);
        to.hears(&topic, "now").await;
    }
}

async fn a_topic_that_was_left_is_silent(stage: Stage) {
    let (from, mut to) = (stage.instance().await, stage.instance().await);
    to.join(&["left", "kept"]).await;
    to.bus.leave(vec![Topic::from("left")]);
    to.join(&["kept"]).await; // wishes are carried out in order, so the leave is done when this is
    assert_eq!(from.publish("left", "lost").await, 0);
    assert_eq!(from.publish("kept", "heard").await, 1);
    to.hears("kept", "heard").await;
    to.join(&["left"]).await;
    assert_eq!(from.publish("left", "again").await, 1);
    to.hears("left", "again").await;
}

async fn every_joined_instance_is_counted(stage: Stage) {
    let (a, b, c) = (stage.instance().await, stage.instance().await, stage.instance().await);
    assert_eq!(a.publish("order:1", "x").await, 0);
    a.join(&["order:1"]).await;
    b.join(&["order:1", "order:2"]).await;
    b.join(&["order:1"]).await;
    let messages = ["order:1", "order:2", "order:3"].map(|topic| (Topic::from(topic), Bytes::from("x")));
    assert_eq!(c.bus.publish(messages.to_vec()).await.unwrap(), [2, 1, 0]);
    drop(b);
    let mut last = 2;
    while last != 1 {
        last = c.publish("order:1", "x").await; // a closed connection is noticed by the server, not by us
    }
}

async fn five_thousand_topics_are_joined_at_once(stage: Stage) {
    let (from, mut to) = (stage.instance().await, stage.instance().await);
    let topics: Vec<_> = (0..5000).map(|at| Topic::from(format!("order:{at}"))).collect();
    to.bus.join(topics.clone()).await.unwrap();
    let messages = topics.iter().map(|topic| (topic.clone(), Bytes::from("x"))).collect();
    assert!(from.bus.publish(messages).await.unwrap().into_iter().all(|reach| reach == 1));
    let mut heard = std::collections::HashSet::new();
    for _ in 0..5000 {
        heard.insert(to.next().await.0);
    }
    assert_eq!(heard.len(), 5000);
}

async fn joins_from_many_tasks_are_all_confirmed(stage: Stage) {
    let (from, to) = (stage.instance().await, stage.instance().await);
    let joins = (0..500).map(|at| to.bus.join(vec![Topic::from(format!("order:{at}"))]));
    futures_util::future::try_join_all(joins).await.unwrap();
    let publishes = (0..500).map(async |at| from.publish(&format!("order:{at}"), "x").await);
    assert_eq!(futures_util::future::join_all(publishes).await, vec![1; 500]);
}

async fn a_large_payload_arrives_whole(stage: Stage) {
    let (from, mut to) = (stage.instance().await, stage.instance().await);
    to.join(&["large"]).await;
    let payload = "0123456789abcdef".repeat(256 * 1024);
    assert_eq!(from.publish("large", &payload).await, 1);
    assert!(to.next().await.1 == payload, "4 MiB came back changed");
}

async fn a_slow_listener_loses_no_order(stage: Stage) {
    struct Slow(std::sync::Mutex<std::sync::mpsc::Receiver<()>>, mpsc::UnboundedSender<Bytes>);
    impl Listener for Slow {
        fn message(&self, _topic: &str, payload: Bytes) {
            self.0.lock().unwrap().recv().unwrap();
            self.1.send(payload).unwrap();
        }
        fn resumed(&self) {}
    }
    let (permit, permits) = std::sync::mpsc::channel();
    let (sender, mut heard) = mpsc::unbounded_channel();
    let slow: Arc<dyn Bus> = match &stage {
        Stage::Local(bus) => Arc::new(bus.endpoint()),
        Stage::Redis { url, prefix, .. } => {
            let bus = Arc::new(RedisBus::start(settings(url, prefix)).unwrap());
            until(&bus, true).await;
            bus
        }
    };
    slow.listen(Arc::new(Slow(std::sync::Mutex::new(permits), sender)));
    slow.join(vec![Topic::from("slow")]).await.unwrap();
    let from = stage.instance().await;
    let publishing = tokio::spawn(async move {
        for at in 0..200 {
            assert_eq!(from.publish("slow", &at.to_string()).await, 1);
        }
    });
    for at in 0..200 {
        permit.send(()).unwrap();
        assert_eq!(timeout(DEADLINE, heard.recv()).await.unwrap().unwrap(), at.to_string());
    }
    publishing.await.unwrap();
}

macro_rules! on_every_bus {
    ($($name:ident)*) => {
        on_every_bus!(@ local Stage::local(); $($name)*);
        on_every_bus!(@ redis { let server = Server::start(); Stage::redis(server.url(), std::sync::Mutex::new(server)) }; $($name)*);
        on_every_bus!(@ sentinel { let watched = Watched::start(); Stage::redis(watched.url(), std::sync::Mutex::new(watched)) }; $($name)*);
        on_every_bus!(@ cluster { let cluster = Cluster::start(); Stage::redis(cluster.url(), std::sync::Mutex::new(cluster)) }; $($name)*);
    };
    (@ $kind:ident $stage:expr; $($name:ident)*) => {
        mod $kind {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($stage).await;
            })*
        }
    };
}

on_every_bus! {
    order_is_kept_per_topic
    what_is_published_after_a_join_is_received
    a_topic_that_was_left_is_silent
    every_joined_instance_is_counted
    five_thousand_topics_are_joined_at_once
    joins_from_many_tasks_are_all_confirmed
    a_large_payload_arrives_whole
    a_slow_listener_loses_no_order
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_redis_is_found_again_with_every_topic_joined() {
    let mut server = Server::start();
    let (mut instance, bus) = linked(settings(&server.url(), "test:")).await;
    instance.join(&["before"]).await;
    for round in 0..3 {
        server.kill();
        until(&bus, false).await;
        assert!(matches!(instance.try_publish("before", "x").await, Err(Error::Unavailable(..))));
        let meanwhile = format!("meanwhile:{round}");
        let refused = instance.bus.join(vec![Topic::from(meanwhile.as_str())]).await;
        assert!(matches!(refused, Err(Error::Unavailable(..))));
        instance.forget_resumed();
        server.restart();
        instance.is_resumed().await;
        assert_eq!(instance.publish("before", "x").await, 1);
        instance.hears("before", "x").await;
        assert_eq!(instance.publish(&meanwhile, "y").await, 1);
        instance.hears(&meanwhile, "y").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_no_longer_answers_fails_a_publish_within_its_time_out() {
    let server = Server::start();
    let patience = Duration::from_millis(200);
    let (mut instance, bus) =
        linked(RedisSettings { publish_timeout: patience, link_timeout: patience, ..settings(&server.url(), "t:") })
            .await;
    instance.join(&["a"]).await;
    server.signal("STOP");
    assert!(matches!(instance.try_publish("a", "x").await, Err(Error::Unavailable(..))));
    until(&bus, false).await;
    server.signal("CONT");
    until(&bus, true).await;
    while instance.try_publish("a", "last").await.is_err() {}
    while instance.next().await.1 != "last" {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_without_redis_starts_and_links_up_when_redis_comes() {
    let mut server = Server::start();
    server.kill();
    let bus = Arc::new(RedisBus::start(settings(&server.url(), "test:")).unwrap());
    let mut instance = Instance::on(bus.clone());
    assert!(instance.bus.join(vec![Topic::from("early")]).await.is_err() && !bus.is_up());
    server.restart();
    instance.is_resumed().await;
    assert_eq!(instance.publish("early", "x").await, 1);
    instance.hears("early", "x").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinel_leads_to_the_new_master_when_the_old_one_dies() {
    let mut watched = Watched::start();
    let (mut instance, bus) = linked(settings(&watched.url(), "test:")).await;
    instance.join(&["a"]).await;
    assert_eq!(instance.publish("a", "old").await, 1);
    instance.hears("a", "old").await;
    instance.forget_resumed();
    watched.master.kill();
    until(&bus, false).await;
    instance.is_resumed().await;
    assert_eq!(instance.publish("a", "new").await, 1);
    instance.hears("a", "new").await;
    assert!(watched.replica.command(&["PUBSUB", "CHANNELS"]).contains("test:a"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_node_that_dies_and_returns_is_used_again_with_sharded_channels() {
    let mut cluster = Cluster::start();
    let (mut instance, bus) = linked(settings(&cluster.url(), "test:")).await;
    let topics: Vec<_> = (0..30).map(|at| Topic::from(format!("order:{at}"))).collect();
    instance.bus.join(topics.clone()).await.unwrap();
    let sharded =
        |node: &Server| node.command(&["PUBSUB", "SHARDCHANNELS"]).lines().filter(|line| !line.is_empty()).count();
    assert_eq!(cluster.nodes.iter().map(sharded).sum::<usize>(), 30);
    instance.forget_resumed();
    // The first node is the only one named in the address: it is the others that are asked meanwhile.
    cluster.nodes[0].kill();
    until(&bus, false).await;
    cluster.nodes[0].restart();
    instance.is_resumed().await;
    for topic in &topics {
        while !instance.try_publish(topic, "x").await.is_ok_and(|reach| reach == [1]) {}
    }
    let last = topics.last().unwrap().to_string();
    while instance.next().await.0 != last {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_takes_its_topics_along() {
    let cluster = Cluster::start();
    let (mut instance, _bus) = linked(settings(&cluster.url(), "test:")).await;
    instance.join(&["a"]).await;
    let slot = cluster.nodes[0].command(&["CLUSTER", "KEYSLOT", "test:a"]).trim().to_owned();
    let has_it = |node: &&Server| node.command(&["PUBSUB", "SHARDCHANNELS"]).contains("test:a");
    let old = cluster.nodes.iter().find(has_it).unwrap();
    let new = cluster.nodes.iter().find(|node| node.port() != old.port()).unwrap();
    let name = new.command(&["CLUSTER", "MYID"]).trim().to_owned();
    instance.forget_resumed();
    for node in [new, old] {
        node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &name]);
    }
    instance.is_resumed().await;
    while !instance.try_publish("a", "moved").await.is_ok_and(|reach| reach == [1]) {}
    instance.hears("a", "moved").await;
    assert!(has_it(&new));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_opens_the_server_and_deployments_with_other_prefixes_stay_apart() {
    let server = Server::start_with(&["--requirepass", "sesame"]);
    let url = format!("redis://:sesame@127.0.0.1:{}", server.port());
    let (mut one, two) = (linked(settings(&url, "one:")).await.0, linked(settings(&url, "two:")).await.0);
    one.join(&["a"]).await;
    two.join(&["a"]).await;
    assert_eq!(one.publish("a", "mine").await, 1);
    one.hears("a", "mine").await;
    let refused = settings(&server.url(), "one:");
    let bus = RedisBus::start(refused).unwrap();
    assert!(!bus.is_up() && bus.join(vec![Topic::from("a")]).await.is_err());
}
