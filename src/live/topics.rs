//! Which worker watches which order, and which topics this instance has joined on the bus.
//!
//! The only table the workers share, cut into shards. A topic is joined with its first watcher and left some time after
//! its last; leaving happens under the shard's lock, so that a watcher who comes at that moment joins after it.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::base::id::OrderId;
use crate::bus::{Bus, Topic};

/// Something that can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// One order.
    Order(OrderId),
    /// All of them, and who watches what: for consoles.
    Feed,
}

/// The topic every event goes to.
pub const FEED: &str = "feed";
/// The topic on which instances tell each other who watches.
pub const PRESENCE: &str = "presence";
/// The topic on which an instance with its first console asks all others for what they have to tell.
pub const ASK: &str = "ask";

impl Place {
    fn topics(self) -> Vec<Topic> {
        match self {
            Self::Order(order) => vec![order_topic(order)],
            Self::Feed => vec![FEED.into(), PRESENCE.into()],
        }
    }
}

/// The topic of an order's events.
#[must_use]
pub fn order_topic(order: OrderId) -> Topic {
    format!("order:{order}").into()
}

/// Workers beyond the 64 bits are not pushed to.
fn worker_bit(worker: u32) -> u64 {
    1_u64.checked_shl(worker).unwrap_or(0)
}

struct Entry {
    workers: u64,
    joining: Option<watch::Receiver<()>>,
}

type Shard = HashMap<Place, Entry>;

const SHARDS: usize = 64;

/// The table.
pub struct Topics {
    bus: Arc<dyn Bus>,
    runtime: Handle,
    shards: Vec<Mutex<Shard>>,
    hasher: BuildHasherDefault<DefaultHasher>,
    leaving: Mutex<VecDeque<(Instant, Place)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The data is a table of plain values: valid after every single step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Topics {
    /// An empty table over `bus`; joins run on `runtime`.
    #[must_use]
    pub fn new(bus: Arc<dyn Bus>, runtime: Handle) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { bus, runtime, shards, hasher: BuildHasherDefault::default(), leaving: Mutex::default() }
    }

    fn shard(&self, place: Place) -> MutexGuard<'_, Shard> {
        let index = usize::try_from(self.hasher.hash_one(place) % SHARDS as u64).unwrap_or(0);
        lock(&self.shards[index])
    }

    /// Notes that a worker watches the place; resolves when everything published from then on arrives. `true` when the
    /// instance did not watch it before.
    pub async fn join(self: &Arc<Self>, place: Place, worker: u32) -> bool {
        let (waiting, first) = {
            let mut shard = self.shard(place);
            let mut first = false;
            let entry = shard.entry(place).or_insert_with(|| {
                first = true;
                Entry { workers: 0, joining: Some(self.start_joining(place)) }
            });
            entry.workers |= worker_bit(worker);
            (entry.joining.clone(), first)
        };
        if let Some(mut joining) = waiting {
            // The sender sends nothing: it goes away when the topic is joined.
            joining.changed().await.unwrap_or_default();
        }
        first
    }

    fn start_joining(self: &Arc<Self>, place: Place) -> watch::Receiver<()> {
        let (joined, waiting) = watch::channel(());
        let this = Arc::clone(self);
        self.runtime.spawn(async move {
            // While the link is down the bus remembers the topic; what is missed is found by comparing with the log.
            if let Err(error) = this.bus.join(place.topics()).await {
                tracing::warn!(%error, "a live topic could not be joined yet");
            }
            if let Some(entry) = this.shard(place).get_mut(&place) {
                entry.joining = None;
            }
            drop(joined);
        });
        waiting
    }

    /// Notes that a worker has no watcher of the place any more.
    pub fn leave(&self, place: Place, worker: u32) {
        let mut shard = self.shard(place);
        let Some(entry) = shard.get_mut(&place) else { return };
        entry.workers &= !(worker_bit(worker));
        if entry.workers == 0 {
            lock(&self.leaving).push_back((Instant::now(), place));
        }
    }

    /// Leaves the topics nobody has watched for `after`. Says whether the feed was among them.
    pub fn sweep(&self, after: Duration) -> bool {
        let mut feed = false;
        loop {
            let place = {
                let mut leaving = lock(&self.leaving);
                match leaving.front() {
                    Some((since, place)) if since.elapsed() >= after => {
                        let place = *place;
                        leaving.pop_front();
                        place
                    }
                    _ => return feed,
                }
            };
            let mut shard = self.shard(place);
            match shard.get(&place) {
                // Joining still: leaving now could overtake it.
                Some(entry) if entry.workers == 0 && entry.joining.is_some() => {
                    lock(&self.leaving).push_back((Instant::now(), place));
                    return feed;
                }
                Some(entry) if entry.workers == 0 => {
                    shard.remove(&place);
                    self.bus.leave(place.topics());
                    feed |= place == Place::Feed;
                }
                _ => {}
            }
        }
    }

    /// The workers that watch the place, one bit each.
    #[must_use]
    pub fn workers(&self, place: Place) -> u64 {
        self.shard(place).get(&place).map_or(0, |entry| entry.workers)
    }

    /// How many topics of orders this instance has joined.
    #[must_use]
    pub fn orders(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).keys().filter(|place| **place != Place::Feed).count()).sum()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::base::Result;
    use crate::bus::Listener;

    /// Keeps what it is asked for; joins resolve when the test opens the gate.
    struct Recorder {
        log: Mutex<Vec<String>>,
        gate: tokio::sync::Semaphore,
    }

    impl Bus for Recorder {
        fn listen(&self, _: Arc<dyn Listener>) {}
        fn publish(&self, messages: Vec<(Topic, Bytes)>) -> BoxFuture<'_, Result<Vec<u32>>> {
            async move { Ok(vec![0; messages.len()]) }.boxed()
        }
        fn join(&self, topics: Vec<Topic>) -> BoxFuture<'_, Result<()>> {
            async move {
                self.gate.acquire().await.unwrap().forget();
                lock(&self.log).push(format!("join {}", topics.len()));
                Ok(())
            }
            .boxed()
        }
        fn leave(&self, topics: Vec<Topic>) {
            lock(&self.log).push(format!("leave {}", topics.len()));
        }
        fn is_up(&self) -> bool {
            true
        }
    }

    fn table() -> (Arc<Recorder>, Arc<Topics>) {
        let bus = Arc::new(Recorder { log: Mutex::default(), gate: tokio::sync::Semaphore::new(0) });
        (Arc::clone(&bus), Arc::new(Topics::new(bus, Handle::current())))
    }

    #[tokio::test]
    async fn every_watcher_waits_for_the_one_join_of_its_topic() {
        let (bus, topics) = table();
        let place = Place::Order(OrderId::new());
        let mut first = Box::pin(topics.join(place, 0));
        let mut second = Box::pin(topics.join(place, 3));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        bus.gate.add_permits(1);
        assert_eq!((first.await, second.await), (true, false));
        assert_eq!((topics.workers(place), topics.orders()), (0b1001, 1));
        assert!(!topics.join(place, 1).await, "joined already: nothing to wait for");
        assert_eq!(*lock(&bus.log), ["join 1"]);
    }

    #[tokio::test]
    async fn a_topic_is_left_only_after_its_time_and_only_if_nobody_came_back() {
        let (bus, topics) = table();
        bus.gate.add_permits(9);
        let (order, feed) = (Place::Order(OrderId::new()), Place::Feed);
        for place in [order, feed] {
            topics.join(place, 0).await;
            topics.leave(place, 0);
        }
        assert!(!topics.sweep(Duration::from_secs(3600)));
        topics.join(order, 1).await;
        assert!(topics.sweep(Duration::ZERO), "the feed was left");
        assert_eq!(*lock(&bus.log), ["join 1", "join 2", "leave 2"]);
        topics.leave(order, 1);
        topics.sweep(Duration::ZERO);
        assert_eq!((topics.orders(), lock(&bus.log).len()), (0, 4));
    }
}
