//! Reading the log for those who need it: members that catch up, rooms with a hole, and the comparison that finds them.
//!
//! A reading that fails is tried again until it succeeds or nobody needs it any more: silence is never the end.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::conn::{Conn, Watched};
use super::feed::{FeedSub, OVERLAP_MS, earlier};
use super::hub::packets;
use super::member::{Next, Sub};
use super::worker::Worker;
use crate::base::Result;
use crate::base::id::OrderId;

/// Events read at once.
pub(super) const PAGE: usize = 200;
/// Orders whose positions are asked for at once.
const CHUNK: usize = 500;

/// Waits between failed readings: 0.2 s at first, 5 s at most, each a random part of it.
struct Patience(Duration);

impl Patience {
    fn new() -> Self {
        Self(Duration::from_millis(200))
    }

    async fn wait(&mut self, error: &crate::base::Error) {
        tracing::warn!(%error, "the event log could not be read; trying again");
        tokio::time::sleep(self.0.mul_f64(rand::random::<f64>().max(0.1))).await;
        self.0 = (self.0 * 2).min(Duration::from_secs(5));
    }
}

impl Worker {
    /// The connection's queue is empty again: what fell behind reads on.
    pub fn drained(self: &Rc<Self>, conn: &Conn) {
        for entry in conn.entries.borrow().iter() {
            match &entry.watched {
                Watched::Order { sub, .. } if sub.start_reading() => self.read_on(Rc::clone(sub)),
                Watched::Feed(sub) if sub.start_reading() => self.read_feed_on(Rc::clone(sub)),
                _ => {}
            }
        }
    }

    /// Reads the log for a member from its position until it is live or must wait for its connection to drain.
    pub(super) fn read_on(self: &Rc<Self>, sub: Rc<Sub>) {
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let mut patience = Patience::new();
            while sub.link.is_open() {
                match this.live.timeline().events_since(sub.order, sub.position(), PAGE).await {
                    Ok(events) => {
                        let complete = events.len() < PAGE;
                        if this.hub.history(&sub, packets(events), complete, None) != Next::Read {
                            return;
                        }
                    }
                    Err(error) => patience.wait(&error).await,
                }
            }
            sub.stop_reading();
        });
    }

    /// The same for a console.
    pub(super) fn read_feed_on(self: &Rc<Self>, sub: Rc<FeedSub>) {
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let mut patience = Patience::new();
            let mut from = earlier(sub.position(), OVERLAP_MS);
            while sub.is_open() {
                match this.live.timeline().feed_since(sub.company, from, PAGE).await {
                    Ok(events) => {
                        let complete = events.len() < PAGE;
                        from = events.last().map_or(from, |last| last.id);
                        if this.feed.history(&sub, &packets(events), complete) != Next::Read {
                            return;
                        }
                        if complete {
                            from = earlier(sub.position(), OVERLAP_MS);
                        }
                    }
                    Err(error) => patience.wait(&error).await,
                }
            }
            sub.stop_reading();
        });
    }

    pub(super) fn fill_holes(self: &Rc<Self>) {
        for order in self.hub.take_holes() {
            self.live.stats().holes.fetch_add(1, Ordering::Relaxed);
            tokio::task::spawn_local(Rc::clone(self).fill(order));
        }
    }

    async fn fill(self: Rc<Self>, order: OrderId) {
        let mut patience = Patience::new();
        while let Some(from) = self.hub.fill_from(order) {
            match self.live.timeline().events_since(order, from, PAGE).await {
                Ok(events) => {
                    self.note(self.hub.fill(order, &packets(events)));
                    self.bell.notify_one();
                }
                Err(error) => patience.wait(&error).await,
            }
        }
    }

    /// Compares every room with the log. Whoever asks while that is going on gets another round after it.
    pub(super) async fn compare(self: Rc<Self>) {
        self.doubts.set(true);
        if self.comparing.replace(true) {
            return;
        }
        while self.doubts.take() {
            self.compare_all().await;
        }
        self.comparing.set(false);
    }

    async fn compare_all(self: &Rc<Self>) {
        for chunk in self.hub.orders().chunks(CHUNK) {
            match self.compare_some(chunk.to_vec()).await {
                Ok(()) => self.fill_holes(),
                Err(error) => {
                    tracing::warn!(%error, "live rooms could not be compared with the log");
                    return;
                }
            }
        }
    }

    async fn compare_some(&self, orders: Vec<OrderId>) -> Result<()> {
        self.hub.compare(&self.live.timeline().positions(orders).await?);
        Ok(())
    }

    pub(super) async fn compare_now_and_then(self: Rc<Self>) {
        let every = self.live.settings().check_every;
        loop {
            // Workers and instances do not all ask at the same moment.
            tokio::time::sleep(every.mul_f64(0.75 + rand::random::<f64>() / 2.0)).await;
            Rc::clone(&self).compare().await;
        }
    }
}
