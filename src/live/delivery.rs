//! Events and counts between the bus and the workers: out after a commit, in to whoever watches here.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::event::Packet;
use super::feed::{OVERLAP_MS, earlier};
use super::instance::{Live, WORKERS, reply_topic};
use super::presence::News;
use super::stats::Stats;
use super::topics::{FEED, PRESENCE, Place, order_topic};
use super::worker::{Order, Push};
use super::{frame, protocol, reach};
use crate::base::id::EventId;
use crate::bus::Topic;
use crate::orders::{Event, Reach};

/// Events of the feed read at once.
const PAGE: usize = 500;

impl Live {
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

    /// One message of the bus.
    pub(super) fn hear(&self, topic: &str, payload: &Bytes) {
        if topic == FEED {
            match Packet::from_bus(payload) {
                Some(packet) => self.give_feed(packet),
                None => tracing::warn!("a message of the feed could not be read"),
            }
        } else if topic == PRESENCE {
            match serde_json::from_slice(payload) {
                Ok(told) => self.tell_consoles(self.0.presence.hear(told, Instant::now())),
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

    /// Tells every worker something that must not be lost.
    pub(super) fn order(&self, order: impl Fn() -> Order) {
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

    pub(super) fn send(&self, topic: Topic, payload: Bytes) {
        // Receipts and presence only count: under a flood they may be dropped.
        self.0.outgoing.try_send((topic, payload)).unwrap_or_default();
    }

    pub(super) fn tell_consoles(&self, news: Vec<News>) {
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

    /// A console joined the feed, the instance's `first` or not.
    pub(super) fn feed_joined(&self, first: bool, position: EventId) {
        if first {
            self.feed().position = position;
            self.0.presence.ask();
        }
    }

    /// Reads what the feed may have missed on the bus.
    pub(super) async fn check_feed(&self) {
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
}
