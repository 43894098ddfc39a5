//! Events and counts between the bus and the workers: out after a commit, in to whoever watches here.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use tokio::time::Instant;

use super::event::Packet;
use super::feed::{OVERLAP_MS, earlier};
use super::instance::{Live, WORKERS, reply_topic};
use super::presence::News;
use super::reach::Receipt;
use super::topics::{ASK, FEED, PRESENCE, Place, order_topic};
use super::worker::{Confirmed, Order, Push};
use super::{frame, protocol, reach};
use crate::base::id::EventId;
use crate::bus::Topic;
use crate::orders::Telling;

/// Events of the feed read at once.
const PAGE: usize = 500;

impl Live {
    /// Publishes committed events, in this order. Resolves when they are on their way. Fits `orders::Announce`.
    pub async fn publish(&self, tellings: Vec<Telling>) {
        let until = Instant::now() + self.settings().reach_wait;
        let mut messages = Vec::new();
        let mut ids = Vec::new();
        for Telling { events, told } in tellings {
            for event in &events {
                let payload = Packet::to_bus(event, self.0.instance);
                messages.push((order_topic(event.order), payload.clone()));
                messages.push((Arc::clone(&self.0.feed_topic), payload));
            }
            let events: Vec<EventId> = events.iter().map(|event| event.id).collect();
            ids.extend_from_slice(&events);
            self.0.reaches.open(events, until, told);
        }
        let instances = self.0.bus.publish(messages).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "events could not be published; watchers get them from the log");
            Vec::new()
        });
        // Of each event's two messages the first one counts; after an error there is nobody to wait for.
        let sent = instances.into_iter().step_by(2).chain(std::iter::repeat(0));
        self.0.reaches.expect(ids.into_iter().zip(sent));
        if self.settings().reach_wait.is_zero() {
            self.0.reaches.expire(until);
        }
    }

    /// Messages of the bus that came at once: each worker that has watchers is told of all of them at once.
    pub(super) fn hear(&self, messages: &mut dyn Iterator<Item = (&str, &Bytes)>) {
        let (mut posts, mut unwatched) = (Vec::new(), Vec::new());
        for (topic, payload) in messages {
            if topic == FEED {
                match Packet::from_bus(payload) {
                    Some(packet) => posts.extend(self.for_feed(packet)),
                    None => tracing::warn!("a message of the feed could not be read"),
                }
            } else if topic == PRESENCE {
                match serde_json::from_slice(payload) {
                    Ok(told) => self.tell_consoles(self.0.presence.hear(told, Instant::now())),
                    Err(error) => tracing::warn!(%error, "a presence message could not be read"),
                }
            } else if topic == ASK {
                self.0.presence.asked();
            } else if topic.starts_with("reply:") {
                self.0.reaches.receipts(reach::from_bus(payload));
            } else if let Some(packet) = Packet::from_bus(payload) {
                let packet = Arc::new(packet);
                let workers = self.0.topics.workers(Place::Order(packet.event.order));
                packet.tally.expect(workers.count_ones());
                match workers {
                    0 => unwatched.push(Confirmed { packet, watchers: 0, delivered: 0 }),
                    _ => posts.push((workers, Push::Room(packet))),
                }
            } else {
                tracing::warn!("a live message could not be read");
            }
        }
        self.post(&posts);
        self.confirm(&unwatched);
    }

    /// An event of the feed, unless it was given to the consoles already.
    fn for_feed(&self, packet: Packet) -> Option<(u64, Push)> {
        {
            let mut feed = self.feed();
            if !feed.given.insert(packet.event.id) {
                return None;
            }
            feed.position = feed.position.max(packet.event.id);
        }
        Some((self.0.topics.workers(Place::Feed), Push::Feed(Arc::new(packet))))
    }

    /// Puts each push into the mailboxes of its workers (one bit each). What does not fit counts as delivered to nobody;
    /// the worker then compares itself with the log.
    fn post(&self, posts: &[(u64, Push)]) {
        let all = posts.iter().fold(0, |all, (workers, _)| all | workers);
        let mut confirmed = Vec::new();
        {
            let mailboxes = self.0.workers.read().unwrap_or_else(PoisonError::into_inner);
            for index in (0..WORKERS).filter(|index| all & (1 << index) != 0) {
                let theirs =
                    posts.iter().filter(|(workers, _)| workers & (1 << index) != 0).map(|(_, push)| push.clone());
                let refused = match mailboxes.get(index) {
                    Some(Some(worker)) => worker.pushes.put(theirs),
                    _ => theirs.collect(),
                };
                self.0.stats.overflows.fetch_add(refused.len() as u64, Ordering::Relaxed);
                for push in refused {
                    if let Push::Room(packet) = push
                        && let Some((watchers, delivered)) = packet.tally.add(0, 0)
                    {
                        confirmed.push(Confirmed { packet, watchers, delivered });
                    }
                }
            }
        }
        self.confirm(&confirmed);
    }

    /// Tells every worker something that must not be lost.
    pub(super) fn order(&self, order: impl Fn() -> Order) {
        let mailboxes = self.0.workers.read().unwrap_or_else(PoisonError::into_inner);
        for mailbox in mailboxes.iter().flatten() {
            // A worker that is gone has nothing left to do.
            mailbox.orders.send(order()).unwrap_or_default();
        }
    }

    /// Every worker of this instance has delivered these: tell whoever published them, and the consoles.
    pub(super) fn confirm(&self, confirmed: &[Confirmed]) {
        if confirmed.is_empty() {
            return;
        }
        let delivered = confirmed.iter().filter(|one| one.delivered > 0);
        let mark = |one: &Confirmed| {
            let event = &one.packet.event;
            (event.order, event.company, event.seq, u64::from(one.delivered))
        };
        self.0.presence.delivered(delivered.map(mark));
        let own = confirmed.iter().filter(|one| one.packet.origin == self.0.instance);
        self.0.reaches.receipts(own.map(Confirmed::receipt));
        let is_others = |one: &&Confirmed| one.packet.origin != self.0.instance && !one.packet.origin.0.is_nil();
        let mut others: Vec<&Confirmed> = confirmed.iter().filter(is_others).collect();
        others.sort_by_key(|one| one.packet.origin);
        for of_one in others.chunk_by(|one, next| one.packet.origin == next.packet.origin) {
            let receipts: Vec<Receipt> = of_one.iter().map(|one| one.receipt()).collect();
            if let Some(first) = of_one.first() {
                self.send(reply_topic(first.packet.origin), reach::to_bus(&receipts));
            }
        }
    }

    pub(super) fn send(&self, topic: Topic, payload: Bytes) {
        // Receipts and presence only count: under a flood they may be dropped.
        self.0.outgoing.try_send((topic, payload)).unwrap_or_default();
    }

    pub(super) fn tell_consoles(&self, news: Vec<News>) {
        let workers = self.0.topics.workers(Place::Feed);
        let mut posts = Vec::with_capacity(news.len());
        for news in news {
            let (company, text) = match news {
                News::Watchers(order, company, count) => (company, protocol::watchers(order, count)),
                News::Receipt { order, company, seq, delivered, seen } => {
                    (company, protocol::receipt(order, seq, delivered, seen))
                }
            };
            posts.push((workers, Push::Console(company, frame::text(&text))));
        }
        self.post(&posts);
    }

    /// A console joined the feed, the instance's `first` or not.
    pub(super) fn feed_joined(&self, first: bool, position: EventId) {
        if first {
            self.feed().position = position;
            self.ask();
        }
    }

    /// Asks all instances who watches what.
    pub(super) fn ask(&self) {
        self.send(ASK.into(), Bytes::new());
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
                    let missed = events.into_iter().filter_map(|event| self.for_feed(Packet::new(event)));
                    self.post(&missed.collect::<Vec<_>>());
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
