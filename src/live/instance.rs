//! The instance: publishes to the bus, hears it, and hands what it hears to the workers that have watchers.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::access::Access;
use super::event::Packet;
use super::feed::{OVERLAP_MS, Window, earlier};
use super::presence::{News, Presence};
use super::reach::{self, Reaches};
use super::settings::LiveSettings;
use super::stats::Stats;
use super::topics::{FEED, PRESENCE, Place, Topics, order_topic};
use super::worker::{Mailbox, Order, Push};
use super::{frame, protocol};
use crate::base::id::{CompanyId, EventId, InstanceId};
use crate::base::{Clock, Result};
use crate::bus::{Bus, Listener, Topic};
use crate::orders::{Event, Reach, Timeline};

/// Workers an instance can have: one bit each.
const WORKERS: usize = 64;
/// Messages that may wait for the bus: receipts and presence. More are dropped; they only count.
const OUTGOING: usize = 4096;
/// Feed events remembered to drop repeats.
const REMEMBERED: usize = 64 * 1024;
/// Events of the feed read at once.
const PAGE: usize = 500;
/// How far back revocations are looked for: longer than a transaction takes, with room for instances' clocks.
const REVOKED_OVERLAP: SignedDuration = SignedDuration::from_secs(5);

struct FeedState {
    given: Window,
    position: EventId,
}

struct Shared {
    settings: LiveSettings,
    instance: InstanceId,
    clock: Clock,
    bus: Arc<dyn Bus>,
    timeline: Timeline,
    access: Access,
    topics: Arc<Topics>,
    reaches: Reaches,
    presence: Presence,
    stats: Stats,
    workers: RwLock<Vec<Option<Mailbox>>>,
    feed: Mutex<FeedState>,
    outgoing: mpsc::Sender<(Topic, Bytes)>,
    draining: AtomicBool,
}

/// The live part of one instance. Cheap to clone.
#[derive(Clone)]
pub struct Live(Arc<Shared>);

/// What the bus holds: weak, or bus and instance would keep each other for ever.
struct Ear(Weak<Shared>);

impl Listener for Ear {
    fn message(&self, topic: &str, payload: Bytes) {
        if let Some(shared) = self.0.upgrade() {
            Live(shared).hear(topic, &payload);
        }
    }

    fn resumed(&self) {
        if let Some(shared) = self.0.upgrade() {
            let live = Live(shared);
            live.order(|| Order::Compare);
            live.0.presence.ask();
        }
    }
}

fn reply_topic(instance: InstanceId) -> Topic {
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
        runtime.spawn(async move {
            if let Err(error) = bus.join(vec![reply_topic(instance)]).await {
                tracing::warn!(%error, "this instance's reply topic could not be joined yet");
            }
            send_all(bus, to_send).await;
        });
        let settings = self.settings().clone();
        self.every(runtime, settings.presence_batch, |live| async move { live.tell_presence() }.boxed());
        self.every(runtime, settings.instance_heartbeat, |live| async move { live.beat() }.boxed());
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

    /// Publishes committed events, in this order. Resolves when they are on their way; each inner future when it is
    /// known whom the event has reached. Fits `orders::Announce`.
    pub async fn publish(&self, events: Vec<Event>) -> Vec<BoxFuture<'static, Reach>> {
        let mut messages = Vec::with_capacity(events.len() * 2);
        let mut answers = Vec::with_capacity(events.len());
        for event in &events {
            let payload = Packet::to_bus(event, self.0.instance);
            messages.push((order_topic(event.order), payload.clone()));
            messages.push((FEED.into(), payload));
            answers.push((event.id, self.0.reaches.open(event.id)));
        }
        let sent = self.0.bus.publish(messages).await;
        let instances = sent.unwrap_or_else(|error| {
            tracing::warn!(%error, "events could not be published; watchers get them from the log");
            Vec::new()
        });
        for (event, sent) in events.iter().zip(instances.chunks(2)) {
            self.0.reaches.expect(event.id, sent.first().copied().unwrap_or(0));
        }
        let wait = if instances.is_empty() { Duration::ZERO } else { self.settings().reach_wait };
        let follow = |(event, answer)| {
            let live = self.clone();
            async move {
                match tokio::time::timeout(wait, answer).await {
                    Ok(Ok(reach)) => reach,
                    _ => live.0.reaches.give_up(event),
                }
            }
            .boxed()
        };
        answers.into_iter().map(follow).collect()
    }

    fn hear(&self, topic: &str, payload: &Bytes) {
        if topic == FEED {
            match Packet::from_bus(payload) {
                Some(packet) => self.give_feed(packet),
                None => tracing::warn!("a message of the feed could not be read"),
            }
        } else if topic == PRESENCE {
            match serde_json::from_slice(payload) {
                Ok(told) => self.tell_consoles(self.0.presence.hear(told)),
                Err(error) => tracing::warn!(%error, "a presence message could not be read"),
            }
        } else if topic.starts_with("reply:") {
            if let Some((event, watchers, delivered)) = reach::from_bus(payload) {
                self.0.reaches.receipt(event, watchers, delivered);
            }
        } else if let Some(packet) = Packet::from_bus(payload) {
            self.give_room(packet);
        } else {
            tracing::warn!("a live message could not be read");
        }
    }

    fn give_room(&self, packet: Packet) {
        let workers = self.0.topics.workers(Place::Order(packet.event.order));
        packet.tally.expect(workers.count_ones());
        if workers == 0 {
            self.confirm(&packet, 0, 0);
            return;
        }
        let packet = Arc::new(packet);
        self.push(
            workers,
            || Push::Room(Arc::clone(&packet)),
            || {
                if let Some((watchers, delivered)) = packet.tally.add(0, 0) {
                    self.confirm(&packet, watchers, delivered);
                }
            },
        );
    }

    fn give_feed(&self, packet: Packet) {
        {
            let mut feed = self.feed();
            if !feed.given.insert(packet.event.id) {
                return;
            }
            feed.position = feed.position.max(packet.event.id);
        }
        let packet = Arc::new(packet);
        self.push(self.0.topics.workers(Place::Feed), || Push::Feed(Arc::clone(&packet)), || {});
    }

    fn push(&self, workers: u64, push: impl Fn() -> Push, dropped: impl Fn()) {
        let mailboxes = self.0.workers.read().unwrap_or_else(PoisonError::into_inner);
        for index in (0..WORKERS).filter(|index| workers & (1 << index) != 0) {
            let Some(Some(mailbox)) = mailboxes.get(index) else {
                dropped();
                continue;
            };
            if mailbox.pushes.try_send(push()).is_err() {
                Stats::count(&self.0.stats.overflows);
                mailbox.lost.store(true, Ordering::Release);
                dropped();
            }
        }
    }

    fn order(&self, order: impl Fn() -> Order) {
        let mailboxes = self.0.workers.read().unwrap_or_else(PoisonError::into_inner);
        for mailbox in mailboxes.iter().flatten() {
            // A worker that is gone has nothing left to do.
            mailbox.orders.send(order()).unwrap_or_default();
        }
    }

    /// Every worker of this instance has delivered the event: tell whoever published it, and the consoles.
    pub(super) fn confirm(&self, packet: &Packet, watchers: u32, delivered: u32) {
        let event = &packet.event;
        if delivered > 0 {
            self.0.presence.delivered(event.order, event.company, event.seq, u64::from(delivered));
        }
        if packet.origin == self.0.instance {
            self.0.reaches.receipt(event.id, watchers, delivered);
        } else if !packet.origin.0.is_nil() {
            self.send(reply_topic(packet.origin), reach::to_bus(event.id, watchers, delivered));
        }
    }

    fn send(&self, topic: Topic, payload: Bytes) {
        // Receipts and presence only count: under a flood they may be dropped.
        self.0.outgoing.try_send((topic, payload)).unwrap_or_default();
    }

    fn tell_consoles(&self, news: Vec<News>) {
        let workers = self.0.topics.workers(Place::Feed);
        for news in news {
            let (company, text) = match news {
                News::Watchers(order, company, count) => (company, protocol::watchers(order, count)),
                News::Receipt { order, company, seq, delivered, seen } => {
                    (company, protocol::receipt(order, seq, delivered, seen))
                }
            };
            let frame = frame::text(&text);
            self.push(workers, || Push::Console(company, frame.clone()), || {});
        }
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
        self.tell_consoles(self.0.presence.bury(self.settings().instance_dead));
    }

    fn sweep(&self) {
        if self.0.topics.sweep(self.settings().leave_after) {
            self.0.presence.forget();
        }
    }

    /// A console joined the feed, the instance's `first` or not.
    pub(super) fn feed_joined(&self, first: bool, position: EventId) {
        if first {
            self.feed().position = position;
            self.0.presence.ask();
        }
    }

    /// Reads what the feed may have missed on the bus.
    async fn check_feed(&self) {
        if self.0.topics.workers(Place::Feed) == 0 {
            return;
        }
        let mut from = earlier(self.feed().position, OVERLAP_MS);
        loop {
            match self.timeline().feed_since(None, from, PAGE).await {
                Ok(events) => {
                    let complete = events.len() < PAGE;
                    from = events.last().map_or(from, |last| last.id);
                    events.into_iter().for_each(|event| self.give_feed(Packet::new(event)));
                    if complete {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the feed could not be compared with the log");
                    return;
                }
            }
        }
    }

    async fn look_for_revoked(&self, since: &Mutex<Timestamp>) {
        let now = self.clock().now();
        if self.0.stats.connections() > 0 {
            let from = *since.lock().unwrap_or_else(PoisonError::into_inner);
            match self.find_revoked(from).await {
                Ok(revoked) if revoked.is_empty() => {}
                Ok(revoked) => {
                    let revoked = Arc::new(revoked);
                    self.order(|| Order::Revoked(Arc::clone(&revoked)));
                }
                Err(error) => {
                    tracing::warn!(%error, "revoked credentials could not be read");
                    return;
                }
            }
        }
        *since.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    async fn find_revoked(&self, from: Timestamp) -> Result<HashSet<super::access::Credential>> {
        let from = from.saturating_sub(REVOKED_OVERLAP).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(self.0.access.revoked_since(from).await?.into_iter().collect())
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

    pub(super) fn attach(&self, mailbox: Mailbox) -> u32 {
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
            *place = Some(mailbox);
        }
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    pub(super) fn detach(&self, index: u32) {
        let mut workers = self.0.workers.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = usize::try_from(index).ok().and_then(|index| workers.get_mut(index)) {
            *place = None;
        }
    }

    fn feed(&self) -> MutexGuard<'_, FeedState> {
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

/// Sends what waits, as many as wait at once.
async fn send_all(bus: Arc<dyn Bus>, mut waiting: mpsc::Receiver<(Topic, Bytes)>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, 256).await > 0 {
        if let Err(error) = bus.publish(std::mem::take(&mut batch)).await {
            tracing::debug!(%error, "receipts could not be published");
        }
    }
}
