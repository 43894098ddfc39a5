//! The instance: publishes to the bus, hears it, and hands what it hears to the workers that have watchers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::access::Access;
use super::feed::Window;
use super::presence::Presence;
use super::reach::Reaches;
use super::settings::LiveSettings;
use super::stats::Stats;
use super::topics::{ASK, FEED, PRESENCE, Place, Topics};
use super::worker::{Order, Post};
use crate::base::Clock;
use crate::base::id::{CompanyId, EventId, InstanceId};
use crate::bus::{Bus, Listener, Topic};
use crate::orders::Timeline;

/// Workers an instance can have: one bit each.
pub(super) const WORKERS: usize = 64;
/// Messages that may wait for the bus: receipts and presence. More are dropped; they only count.
const OUTGOING: usize = 4096;
/// Feed events remembered to drop repeats.
const REMEMBERED: usize = 64 * 1024;
/// Waits for receipts are looked through no more often.
const SOON: Duration = Duration::from_millis(20);

pub(super) struct FeedState {
    pub(super) given: Window,
    pub(super) position: EventId,
}

pub(super) struct Shared {
    pub(super) settings: LiveSettings,
    pub(super) instance: InstanceId,
    pub(super) clock: Clock,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) timeline: Timeline,
    pub(super) access: Access,
    pub(super) topics: Arc<Topics>,
    pub(super) reaches: Reaches,
    pub(super) presence: Presence,
    pub(super) stats: Stats,
    pub(super) workers: RwLock<Vec<Option<Post>>>,
    pub(super) feed: Mutex<FeedState>,
    /// The topic of the feed, made once.
    pub(super) feed_topic: Topic,
    pub(super) outgoing: mpsc::Sender<(Topic, Bytes)>,
    pub(super) draining: AtomicBool,
}

/// The live part of one instance. Cheap to clone.
#[derive(Clone)]
pub struct Live(pub(super) Arc<Shared>);

/// What the bus holds: weak, or bus and instance would keep each other for ever.
struct Ear(Weak<Shared>);

impl Listener for Ear {
    fn message(&self, topic: &str, payload: Bytes) {
        self.messages(&mut std::iter::once((topic, &payload)));
    }

    fn messages(&self, messages: &mut dyn Iterator<Item = (&str, &Bytes)>) {
        if let Some(shared) = self.0.upgrade() {
            Live(shared).hear(messages);
        }
    }

    fn resumed(&self) {
        if let Some(shared) = self.0.upgrade() {
            let live = Live(shared);
            live.order(|| Order::Compare);
            if live.0.topics.workers(Place::Feed) != 0 {
                live.ask();
            }
        }
    }
}

/// The topic on which an instance gets receipts.
pub(super) fn reply_topic(instance: InstanceId) -> Topic {
    format!("reply:{instance}").into()
}

impl Live {
    /// Starts the instance's tasks on `runtime` and listens to the bus.
    #[must_use]
    pub fn start(
        settings: LiveSettings,
        clock: Clock,
        bus: Arc<dyn Bus>,
        timeline: Timeline,
        access: Access,
        runtime: &Handle,
    ) -> Self {
        let (outgoing, to_send) = mpsc::channel(OUTGOING);
        let instance = InstanceId::new();
        let live = Self(Arc::new(Shared {
            topics: Arc::new(Topics::new(Arc::clone(&bus), runtime.clone())),
            settings,
            instance,
            clock,
            bus,
            timeline,
            access,
            reaches: Reaches::default(),
            presence: Presence::new(instance),
            stats: Stats::default(),
            workers: RwLock::default(),
            feed: Mutex::new(FeedState { given: Window::new(REMEMBERED), position: EventId::new() }),
            feed_topic: FEED.into(),
            outgoing,
            draining: AtomicBool::new(false),
        }));
        live.0.bus.listen(Arc::new(Ear(Arc::downgrade(&live.0))));
        live.start_tasks(to_send, runtime);
        live
    }

    fn start_tasks(&self, to_send: mpsc::Receiver<(Topic, Bytes)>, runtime: &Handle) {
        let bus = Arc::clone(&self.0.bus);
        let instance = self.0.instance;
        let weak = Arc::downgrade(&self.0);
        runtime.spawn(async move {
            if let Err(error) = bus.join(vec![reply_topic(instance), ASK.into()]).await {
                tracing::warn!(%error, "this instance's reply topic could not be joined yet");
            }
            send_all(bus, to_send, weak).await;
        });
        let settings = self.settings().clone();
        self.every(runtime, settings.presence_batch, |live| async move { live.tell_presence() }.boxed());
        self.every(runtime, settings.instance_heartbeat, |live| async move { live.beat() }.boxed());
        let look = (settings.reach_wait / 8).max(SOON);
        self.every(runtime, look, |live| async move { live.0.reaches.expire(Instant::now()) }.boxed());
        self.every(runtime, settings.leave_after / 4, |live| async move { live.sweep() }.boxed());
        self.every(runtime, settings.check_every, |live| async move { live.check_feed().await }.boxed());
        let since = Arc::new(Mutex::new(self.clock().now()));
        self.every(runtime, settings.revocation_poll, move |live| {
            let since = Arc::clone(&since);
            async move { live.look_for_revoked(&since).await }.boxed()
        });
    }

    /// Runs `work` again and again until the instance is gone.
    fn every(
        &self,
        runtime: &Handle,
        interval: Duration,
        work: impl Fn(Self) -> BoxFuture<'static, ()> + Send + 'static,
    ) {
        let weak = Arc::downgrade(&self.0);
        runtime.spawn(async move {
            let mut timer = tokio::time::interval(interval.max(Duration::from_millis(1)));
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                timer.tick().await;
                let Some(shared) = weak.upgrade() else { return };
                work(Self(shared)).await;
            }
        });
    }

    fn tell_presence(&self) {
        for told in self.0.presence.batch() {
            match serde_json::to_vec(&told) {
                Ok(json) => self.send(PRESENCE.into(), json.into()),
                Err(error) => tracing::error!(%error, "presence could not be written"),
            }
        }
    }

    fn beat(&self) {
        self.0.presence.beat();
        self.tell_consoles(self.0.presence.bury(self.settings().instance_dead, Instant::now()));
    }

    fn sweep(&self) {
        if self.0.topics.sweep(self.settings().leave_after) {
            self.0.presence.forget();
        }
    }

    /// Stops taking connections and closes those there are, each at a random time inside the drain window.
    pub fn drain(&self) {
        if !self.0.draining.swap(true, Ordering::AcqRel) {
            let window = self.settings().drain_window;
            self.order(|| Order::Drain(window));
        }
    }

    /// Whether the instance is stopping.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    /// Resolves when no connection is left.
    pub async fn drained(&self) {
        while self.0.stats.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) fn attach(&self, post: Post) -> u32 {
        let mut workers = self.0.workers.write().unwrap_or_else(PoisonError::into_inner);
        let index = workers.iter().position(Option::is_none).unwrap_or(workers.len());
        if index >= WORKERS {
            // It works, only without pushes: its rooms live on the comparison with the log.
            tracing::error!(limit = WORKERS, "more workers than the live part can push to");
            return u32::MAX;
        }
        if index == workers.len() {
            workers.push(None);
        }
        if let Some(place) = workers.get_mut(index) {
            *place = Some(post);
        }
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    pub(super) fn detach(&self, index: u32) {
        let mut workers = self.0.workers.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = usize::try_from(index).ok().and_then(|index| workers.get_mut(index)) {
            *place = None;
        }
    }

    pub(super) fn feed(&self) -> MutexGuard<'_, FeedState> {
        self.0.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &LiveSettings {
        &self.0.settings
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.0.stats
    }

    /// This instance's id.
    #[must_use]
    pub fn instance(&self) -> InstanceId {
        self.0.instance
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The event log.
    #[must_use]
    pub fn timeline(&self) -> &Timeline {
        &self.0.timeline
    }

    /// Who may watch what.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.0.access
    }

    /// The shared table of rooms and topics.
    #[must_use]
    pub fn topics(&self) -> &Arc<Topics> {
        &self.0.topics
    }

    /// Who watches what, over all instances.
    #[must_use]
    pub fn presence(&self) -> &Presence {
        &self.0.presence
    }

    /// How many watch each order now, for consoles that list orders; of one company, or all.
    #[must_use]
    pub fn watchers(&self, of: Option<CompanyId>) -> Vec<(crate::base::id::OrderId, u64)> {
        self.0.presence.totals(of)
    }
}

/// Sends what waits, as many as wait at once; presence learns whether anybody listens.
async fn send_all(bus: Arc<dyn Bus>, mut waiting: mpsc::Receiver<(Topic, Bytes)>, shared: Weak<Shared>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, 256).await > 0 {
        let is_presence: Vec<bool> = batch.iter().map(|(topic, _)| &**topic == PRESENCE).collect();
        match bus.publish(std::mem::take(&mut batch)).await {
            Ok(instances) => {
                let Some(shared) = shared.upgrade() else { return };
                let told = is_presence.into_iter().zip(instances).filter(|(is_presence, _)| *is_presence);
                told.for_each(|(_, instances)| shared.presence.reached(instances));
            }
            Err(error) => tracing::debug!(%error, "receipts could not be published"),
        }
    }
}
