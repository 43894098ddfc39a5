//! One worker thread's share of the live part: its rooms, its connections, and the tasks that serve them.
//!
//! Everything here stays on its thread. Events come through a bounded mailbox; what does not fit is dropped and the
//! worker compares its rooms with the log instead. One timer serves all connections: pings, comments, the dead, the slow,
//! the expired.

use std::cell::{Cell, RefCell};
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior};

use super::access::{Caller, Credential};
use super::conn::{Conn, Kind};
use super::event::Packet;
use super::feed::Feed;
use super::hub::Hub;
use super::link::{Bounds, Link, Sink};
use super::mailbox::Mailbox;
use super::member::Delivery;
use super::protocol::{self, Close};
use super::reach::Receipt;
use super::session::{Session, Step};
use super::stats::Stats;
use super::{Live, frame};
use crate::base::Secret;
use crate::base::id::{CompanyId, SessionId};

/// What reaches a worker as it happens; may be dropped.
#[derive(Clone)]
pub(super) enum Push {
    Room(Arc<Packet>),
    Feed(Arc<Packet>),
    Console(CompanyId, Bytes),
}

/// What must not be dropped; rare.
pub(super) enum Order {
    Compare,
    /// The other end hears when every worker has done so.
    Revoked(Arc<HashSet<Credential>>, mpsc::Sender<()>),
    Drain(Duration),
}

/// The way to a worker, held by the instance.
pub(super) struct Post {
    /// What is refused here is made up for by a comparison with the log.
    pub(super) pushes: Arc<Mailbox<Push>>,
    pub(super) orders: mpsc::UnboundedSender<Order>,
}

/// An event that every worker it was meant for has dealt with.
pub(super) struct Confirmed {
    pub(super) packet: Arc<Packet>,
    pub(super) watchers: u32,
    pub(super) delivered: u32,
}

impl Confirmed {
    pub(super) fn receipt(&self) -> Receipt {
        Receipt { event: self.packet.event.id, watchers: self.watchers, delivered: self.delivered }
    }
}

/// No room for one more connection, or the server is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded;

/// What a connection comes with.
#[derive(Default)]
pub struct Arrival {
    /// Whoever signed in already.
    pub caller: Option<Rc<Caller>>,
    /// A token that is still to be checked.
    pub token: Option<Secret>,
    /// A pass from the address.
    pub pass: Option<Secret>,
}

/// A worker.
pub struct Worker {
    pub(super) live: Live,
    pub(super) index: u32,
    pub(super) hub: Hub,
    pub(super) feed: Feed,
    conns: RefCell<Vec<Option<Rc<Conn>>>>,
    free: RefCell<Vec<usize>>,
    started: Instant,
    draining: Cell<bool>,
    /// A comparison with the log is going on.
    pub(super) comparing: Cell<bool>,
    /// One more is wanted.
    pub(super) doubts: Cell<bool>,
    /// Rung when a room was given something to hand out that did not come through the mailbox.
    pub(super) bell: Notify,
    /// One buffer for all of the worker's sockets: what is read is dealt with before the next read.
    pub read_buffer: RefCell<Vec<u8>>,
}

/// Parts of a heartbeat: each connection belongs to one, so that pings are spread.
const BEATS: u32 = 25;
/// Pushes taken at once before connections get a turn.
const TURN: usize = 64;
/// Places of an emptied queue that are kept for the next pushes.
const KEPT: usize = 2048;
/// How long a closing connection may take to write its last message and to answer.
const CLOSING: Duration = Duration::from_secs(3);

impl Worker {
    /// Starts a worker of `live` on this thread, which must run a tokio `LocalSet`.
    #[must_use]
    pub fn start(live: &Live) -> Rc<Self> {
        let pushes = Arc::new(Mailbox::new(live.settings().mailbox));
        let (orders, wishes) = mpsc::unbounded_channel();
        let index = live.attach(Post { pushes: Arc::clone(&pushes), orders });
        let worker = Rc::new(Self {
            live: live.clone(),
            index,
            hub: Hub::default(),
            feed: Feed::default(),
            conns: RefCell::default(),
            free: RefCell::default(),
            started: Instant::now(),
            draining: Cell::new(false),
            comparing: Cell::new(false),
            doubts: Cell::new(false),
            bell: Notify::new(),
            read_buffer: RefCell::new(vec![0; 64 * 1024]),
        });
        tokio::task::spawn_local(Rc::clone(&worker).serve(pushes));
        tokio::task::spawn_local(Rc::clone(&worker).obey(wishes));
        tokio::task::spawn_local(Rc::clone(&worker).beat());
        tokio::task::spawn_local(Rc::clone(&worker).compare_now_and_then());
        worker
    }

    /// The instance.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Takes in a connection.
    ///
    /// # Errors
    /// `Crowded` when the instance holds as many as it may, or is stopping.
    pub fn open(&self, kind: Kind, sink: Rc<dyn Sink>, arrival: Arrival) -> Result<Rc<Conn>, Crowded> {
        let settings = self.live.settings();
        if self.draining.get() || self.live.stats().connections() >= clamp(settings.max_connections) {
            return Err(Crowded);
        }
        let bounds = Bounds { frames: narrow(settings.queue_frames), bytes: narrow(settings.queue_bytes) };
        let slot = self.free.borrow_mut().pop().unwrap_or_else(|| {
            self.conns.borrow_mut().push(None);
            self.conns.borrow().len() - 1
        });
        let conn = Rc::new(Conn {
            id: SessionId::new(),
            kind,
            link: Rc::new(Link::new(sink, bounds)),
            session: RefCell::new(Session::new(settings, self.started.elapsed())),
            entries: RefCell::default(),
            caller: RefCell::new(arrival.caller),
            token: RefCell::new(arrival.token),
            url_pass: arrival.pass,
            opened: Instant::now(),
            heard: Cell::new(true),
            busy: Cell::new(false),
            closing: Cell::new(None),
            slot: Cell::new(slot),
        });
        if let Some(place) = self.conns.borrow_mut().get_mut(slot) {
            *place = Some(Rc::clone(&conn));
        }
        self.counter(kind).fetch_add(1, Ordering::Relaxed);
        Ok(conn)
    }

    fn counter(&self, kind: Kind) -> &std::sync::atomic::AtomicI64 {
        let stats = self.live.stats();
        match kind {
            Kind::Socket => &stats.websockets,
            Kind::Stream => &stats.streams,
            Kind::Poll => &stats.polls,
        }
    }

    /// Forgets a connection that has ended.
    pub fn forget(&self, conn: &Rc<Conn>) {
        let slot = conn.slot.get();
        let gone = self.conns.borrow_mut().get_mut(slot).and_then(Option::take);
        if gone.is_none() {
            return;
        }
        self.free.borrow_mut().push(slot);
        self.counter(conn.kind).fetch_sub(1, Ordering::Relaxed);
        for entry in conn.entries.take() {
            self.stop_watching(entry);
        }
    }

    /// Takes one message of a client; the steps are to be done in order.
    pub fn hear(&self, conn: &Conn, text: Option<&str>) -> Vec<Step> {
        conn.session.borrow_mut().hear(text, self.live.settings(), self.started.elapsed())
    }

    /// Greets a client.
    pub fn greet(&self, conn: &Conn) {
        let settings = self.live.settings();
        let (heartbeat, jitter) = (settings.heartbeat.as_millis(), settings.reconnect_jitter_max.as_millis());
        conn.say(&protocol::welcome(&conn.id.to_string(), &self.live.instance().to_string(), heartbeat, jitter));
    }

    async fn serve(self: Rc<Self>, mailbox: Arc<Mailbox<Push>>) {
        let mut pushes = VecDeque::new();
        let mut confirmed = Vec::new();
        let mut busy = false;
        loop {
            if pushes.is_empty() {
                if !busy {
                    tokio::select! {
                        () = mailbox.filled() => {}
                        () = self.bell.notified() => {}
                    }
                }
                if pushes.capacity() > KEPT {
                    pushes = VecDeque::new();
                }
                mailbox.take(&mut pushes);
            }
            for _ in 0..TURN {
                let Some(push) = pushes.pop_front() else { break };
                self.do_push(push, &mut confirmed);
            }
            busy = self.hub.work(|packet, done| self.delivered(packet, done, &mut confirmed));
            self.live.confirm(&confirmed);
            confirmed.clear();
            self.after_deliveries();
            if mailbox.has_lost() {
                tokio::task::spawn_local(Rc::clone(&self).compare());
            }
            tokio::task::yield_now().await;
        }
    }

    fn do_push(&self, push: Push, confirmed: &mut Vec<Confirmed>) {
        match push {
            Push::Room(packet) => {
                if let Some(done) = self.hub.publish(&packet) {
                    self.delivered(&packet, done, confirmed);
                }
            }
            Push::Feed(packet) => {
                self.feed.publish(&packet);
            }
            Push::Console(company, frame) => self.feed.tell(company, &frame),
        }
    }

    fn delivered(&self, packet: &Arc<Packet>, done: Delivery, confirmed: &mut Vec<Confirmed>) {
        self.note(done);
        if let Some((watchers, delivered)) = packet.tally.add(done.watchers, done.delivered) {
            confirmed.push(Confirmed { packet: Arc::clone(packet), watchers, delivered });
        }
    }

    pub(super) fn note(&self, done: Delivery) {
        let stats = self.live.stats();
        stats.deliveries.fetch_add(u64::from(done.delivered), Ordering::Relaxed);
        stats.bytes.fetch_add(done.bytes, Ordering::Relaxed);
    }

    fn after_deliveries(self: &Rc<Self>) {
        let behind = self.hub.take_behind();
        if behind > 0 {
            self.live.stats().behind.fetch_add(behind, Ordering::Relaxed);
        }
        self.fill_holes();
    }

    async fn obey(self: Rc<Self>, mut wishes: mpsc::UnboundedReceiver<Order>) {
        while let Some(order) = wishes.recv().await {
            match order {
                Order::Compare => {
                    tokio::task::spawn_local(Rc::clone(&self).compare());
                }
                Order::Revoked(revoked, _done) => {
                    for conn in self.all().iter().filter(|conn| conn.uses(&|one| revoked.contains(&one))) {
                        self.end(conn, Close::Revoked, "credential revoked");
                    }
                }
                Order::Drain(window) => {
                    self.draining.set(true);
                    tokio::task::spawn_local(Rc::clone(&self).drain(window));
                }
            }
        }
    }

    /// Closes every connection at a uniformly random time inside the window.
    async fn drain(self: Rc<Self>, window: Duration) {
        let mut ends: Vec<_> =
            self.all().into_iter().map(|conn| (window.mul_f64(rand::random::<f64>()), conn)).collect();
        ends.sort_by_key(|(at, _)| *at);
        let begin = Instant::now();
        for (at, conn) in ends {
            tokio::time::sleep_until(begin + at).await;
            self.end(&conn, Close::Restarting, "restarting");
        }
    }

    async fn beat(self: Rc<Self>) {
        let settings = self.live.settings();
        let step = (settings.heartbeat / BEATS).max(Duration::from_millis(1));
        let steps =
            |time: Duration| u32::try_from(time.as_nanos().div_ceil(step.as_nanos())).unwrap_or(u32::MAX).max(1);
        let (late, comment) = (steps(settings.pong_timeout).min(BEATS - 1), steps(settings.sse_comment));
        let mut timer = tokio::time::interval(step);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beat = 0_u32;
        loop {
            timer.tick().await;
            beat = beat.wrapping_add(1);
            let now = self.live.clock().now();
            for conn in self.all() {
                let slot = u32::try_from(conn.slot.get()).unwrap_or(0);
                let is_turn = |of: u32, shift: u32| beat.wrapping_sub(shift) % of == slot % of;
                self.look_after(&conn, now);
                match conn.kind {
                    Kind::Socket if is_turn(BEATS, 0) => {
                        conn.heard.set(false);
                        conn.link.push_control(&frame::ping());
                    }
                    Kind::Socket if is_turn(BEATS, late) && !conn.heard.get() && !conn.busy.get() => {
                        Stats::count(&self.live.stats().closed);
                        conn.link.cut();
                    }
                    Kind::Stream if is_turn(comment, 0) => {
                        conn.link.push_control(&Bytes::from_static(b":\n\n"));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Ends what must not go on: the slow, the silent, the expired, and those that do not finish closing.
    fn look_after(&self, conn: &Conn, now: jiff::Timestamp) {
        let settings = self.live.settings();
        if conn.closing.get().is_some_and(|since| since.elapsed() >= CLOSING) {
            conn.link.cut();
        } else if conn.link.behind_since().is_some_and(|since| since.elapsed() >= settings.slow_close) {
            self.end(conn, Close::Slow, "too slow");
        } else if let Some(why) = conn.expired(now) {
            self.end(conn, why, "credential expired");
        } else if conn.kind == Kind::Socket
            && conn.opened.elapsed() >= settings.first_message
            && !conn.session.borrow().has_spoken()
        {
            self.end(conn, Close::BadRequest, "no message came");
        }
    }

    /// Ends a connection and counts it.
    pub fn end(&self, conn: &Conn, why: Close, reason: &str) {
        if conn.closing.get().is_none() {
            Stats::count(&self.live.stats().closed);
        }
        conn.close(why, reason);
    }

    fn all(&self) -> Vec<Rc<Conn>> {
        self.conns.borrow().iter().flatten().cloned().collect()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.live.detach(self.index);
    }
}

fn clamp(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
