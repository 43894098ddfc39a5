//! The bus over Redis as the instance sees it: one task that keeps a link up and works it in batches.
//!
//! Whatever breaks (a closed connection, a moved slot, a demoted master, a server that stays silent) ends the link as a
//! whole; a new one is made from scratch, all topics are joined again, and the listener is told to compare itself with
//! the log. What a link is, and every word of Redis, is in [`super::redis`].

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::address::{Address, Node};
use super::redis::{Broken, Dialer, Heard, Link, broken};
use super::settings::RedisSettings;
use super::topics::Topics;
use super::{Bus, Listener, Topic};
use crate::base::{Error, Result};

/// One instance's link to Redis. Dropped, it closes its connections.
pub struct RedisBus {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Publish>,
    task: AbortHandle,
}

struct Shared {
    settings: RedisSettings,
    topics: Mutex<Topics>,
    changed: Notify,
    listener: OnceLock<Arc<dyn Listener>>,
    status: watch::Sender<bool>,
}

/// A publish call under way: its messages and who waits for their reach.
struct Publish {
    messages: Vec<(Topic, Bytes)>,
    reply: oneshot::Sender<Option<Vec<u32>>>,
}

/// As many calls as one round trip carries, and as many as wait for the next.
const CALLS_PER_BATCH: usize = 512;

impl RedisBus {
    /// Begins to link up, in the background and for as long as the bus lives. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// `Invalid` when the address cannot be read. A server out of reach is no error: see [`Bus::is_up`].
    pub fn start(settings: RedisSettings) -> Result<Self> {
        let address = Address::parse(settings.url.expose())?;
        let shared = Arc::new(Shared {
            settings,
            topics: Mutex::default(),
            changed: Notify::new(),
            listener: OnceLock::new(),
            status: watch::Sender::new(false),
        });
        let (requests, waiting) = mpsc::channel(CALLS_PER_BATCH);
        let task = tokio::spawn(supervise(shared.clone(), address, waiting)).abort_handle();
        Ok(Self { shared, requests, task })
    }

    /// Whether messages flow, and every change of it.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<bool> {
        self.shared.status.subscribe()
    }
}

impl Drop for RedisBus {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Bus for RedisBus {
    fn listen(&self, listener: Arc<dyn Listener>) {
        if self.shared.listener.set(listener).is_err() {
            tracing::error!("the bus has a listener already; the second one is ignored");
        } else if self.is_up()
            && let Some(listener) = self.shared.listener.get()
        {
            listener.resumed(); // the link was quicker than the listener
        }
    }

    fn publish(&self, messages: Vec<(Topic, Bytes)>) -> BoxFuture<'_, Result<Vec<u32>>> {
        Box::pin(async move {
            if !self.is_up() {
                return Err(unavailable());
            }
            let (reply, answer) = oneshot::channel();
            let call = async {
                self.requests.send(Publish { messages, reply }).await.ok()?;
                answer.await.ok()?
            };
            timeout(self.shared.settings.publish_timeout, call).await.ok().flatten().ok_or_else(unavailable)
        })
    }

    fn join(&self, topics: Vec<Topic>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let joined = self.shared.topics().join(topics);
            self.shared.changed.notify_one();
            joined.ok_or_else(unavailable)?.await.map_err(|_| unavailable())
        })
    }

    fn leave(&self, topics: Vec<Topic>) {
        self.shared.topics().leave(topics);
        self.shared.changed.notify_one();
    }

    fn is_up(&self) -> bool {
        *self.shared.status.borrow()
    }
}

fn unavailable() -> Error {
    Error::Unavailable("The message bus".to_owned(), None)
}

/// Keeps a link up until the bus is dropped.
async fn supervise(shared: Arc<Shared>, address: Address, mut requests: mpsc::Receiver<Publish>) {
    let place = address.to_string();
    let ear = shared.clone();
    let dialer = Dialer { settings: shared.settings.clone(), address, ear: Arc::new(move |heard| ear.hear(heard)) };
    let mut known = Vec::new();
    let mut attempt = 0;
    loop {
        let begun = Instant::now();
        let linked = timeout(shared.settings.link_timeout, shared.raise(&dialer, &mut known)).await;
        let why = match linked.unwrap_or_else(|_| Err(broken("no link within the time allowed"))) {
            Ok(link) => {
                tracing::info!(bus.address = place, bus.sharded = link.is_sharded(), "the bus is up");
                shared.status.send_replace(true);
                if let Some(listener) = shared.listener.get() {
                    listener.resumed();
                }
                let why = shared.serve(&link, &mut requests).await;
                shared.status.send_replace(false);
                why
            }
            Err(why) => why,
        };
        shared.topics().fall();
        while requests.try_recv().is_ok() {} // dropped, each tells its caller
        // A link that broke soon after it was made is no reason to hurry.
        attempt = if begun.elapsed() > shared.settings.backoff.1 { 0 } else { attempt + 1 };
        let pause = shared.settings.pause(attempt);
        tracing::warn!(bus.address = place, error = %why, pause_ms = pause.as_millis(), "the bus is down");
        tokio::time::sleep(pause).await;
    }
}

impl Shared {
    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, heard: Heard<'_>) -> bool {
        match heard {
            Heard::Message(topic, payload) => {
                if let Some(listener) = self.listener.get() {
                    listener.message(topic, payload);
                }
                false
            }
            Heard::Ended(topic) => self.topics().was_taken_away(topic),
        }
    }

    /// Makes a link on which every wanted topic is joined. `known` are cluster nodes met so far: also worth asking.
    async fn raise(&self, dialer: &Dialer, known: &mut Vec<Node>) -> Result<Link, Broken> {
        let link = dialer.dial(known).await?;
        self.topics().restart();
        loop {
            let batch = self.topics().take();
            link.apply(&batch).await?;
            // What was asked for meanwhile comes first: once up, everything asked for is joined.
            if self.topics().rise() {
                return Ok(link);
            }
        }
    }

    /// Works the link until it breaks; says why it did.
    async fn serve(&self, link: &Link, requests: &mut mpsc::Receiver<Publish>) -> Broken {
        tokio::select! {
            why = link.break_up() => why,
            why = self.carry_out_joins(link) => why,
            why = carry_out_publishes(link, requests) => why,
            why = self.watch_health(link) => why,
        }
    }

    async fn carry_out_joins(&self, link: &Link) -> Broken {
        loop {
            let batch = self.topics().take();
            if batch.is_empty() {
                self.changed.notified().await;
                continue;
            }
            if let Err(why) = link.apply(&batch).await {
                return why;
            }
            for waiter in batch.waiters {
                waiter.send(()).ok(); // nobody waits any longer: the topic stays joined until it is left
            }
        }
    }

    async fn watch_health(&self, link: &Link) -> Broken {
        loop {
            tokio::time::sleep(self.settings.health_every).await;
            if let Err(why) = link.check().await {
                return why;
            }
        }
    }
}

/// Takes whatever waits and publishes it in one round trip, then what has gathered meanwhile, and so on.
async fn carry_out_publishes(link: &Link, requests: &mut mpsc::Receiver<Publish>) -> Broken {
    let mut calls = Vec::with_capacity(CALLS_PER_BATCH);
    while requests.recv_many(&mut calls, CALLS_PER_BATCH).await > 0 {
        calls.retain(|call| !call.reply.is_closed());
        let messages: Vec<_> = calls.iter().flat_map(|call| &call.messages).collect();
        let (reach, failure) = link.publish(&messages).await;
        let mut reach = reach.into_iter();
        for call in calls.drain(..) {
            // All of the call's places are taken, whatever they hold, before one of them can fail it.
            let counts: Vec<_> = reach.by_ref().take(call.messages.len()).collect();
            call.reply.send(counts.into_iter().collect()).ok(); // a caller that no longer waits has been told by its time-out
        }
        if let Some(why) = failure {
            return why;
        }
    }
    broken("the bus is closing")
}
