//! The promise of the hub, tried on random interleavings: nothing lost, nothing doubled, nothing out of order.
//!
//! The hub, its links and the catching up are the real ones; around them a model of everything that goes wrong: the log
//! commits, the bus delays, loses, repeats and shuffles, sockets stall and open, clients are closed and stay for a while,
//! drop and resume from what they saw, the hub is restarted with everybody in it. Readings of the log are started by the
//! hub's own rules and answered at random moments. At the end the weather clears, what is still under way arrives, the log
//! is left alone although some are still closing, and every client must have every event of its order, each once,
//! ascending. Half of the worlds lose messages: only those may need the comparison with the log, and one must be enough.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use proptest::prelude::*;

use super::event::{Packet, Wire};
use super::hub::{Hub, packets};
use super::link::tests::Pipe;
use super::link::{Bounds, Link};
use super::member::{Next, Sub};
use crate::base::id::{CompanyId, EventId, InstanceId, OrderId};
use crate::orders::Event;

const ORDERS: usize = 2;
const CLIENTS: usize = 4;

#[derive(Clone, Debug)]
enum Act {
    Commit(usize),
    /// The bus hands over a message that is under way; some are taken from the middle, some stay to come again.
    Arrive(usize, bool),
    Lose(usize),
    Connect(usize),
    /// The server closes it; it stays in its room until it has said goodbye.
    Close(usize),
    Drop(usize),
    Unsubscribe(usize),
    /// The client's reading goes one step on.
    Answer(usize),
    /// The log answers the filling of a hole.
    Fill,
    Work,
    /// So many bytes fit into the client's socket; zero stalls it.
    Room(usize, usize),
    Compare,
    Restart,
}

fn acts() -> impl Strategy<Value = Act> {
    let client = 0..CLIENTS;
    prop_oneof![
        6 => (0..ORDERS).prop_map(Act::Commit),
        8 => (any::<prop::sample::Index>(), prop::bool::weighted(0.1)).prop_map(|(n, again)| Act::Arrive(n.index(64), again)),
        1 => any::<prop::sample::Index>().prop_map(|n| Act::Lose(n.index(64))),
        3 => client.clone().prop_map(Act::Connect),
        1 => client.clone().prop_map(Act::Close),
        1 => client.clone().prop_map(Act::Drop),
        1 => client.clone().prop_map(Act::Unsubscribe),
        5 => client.clone().prop_map(Act::Answer),
        2 => Just(Act::Fill),
        3 => Just(Act::Work),
        4 => (client, prop_oneof![Just(0_usize), 1..400_usize, Just(100_000)]).prop_map(|(c, room)| Act::Room(c, room)),
        1 => Just(Act::Compare),
        1 => Just(Act::Restart),
    ]
}

/// What a client does with what it is sent: nothing but check.
struct Client {
    order: usize,
    /// The last `seq` seen; what it resumes from.
    seen: i64,
    line: Option<Line>,
}

impl Client {
    fn is_closing(&self) -> bool {
        self.line.as_ref().is_some_and(|line| !line.sub.link.is_open())
    }
}

/// A reading of the log: asked for, then the log is looked at, then the answer arrives; anything may happen between.
enum Reading {
    None,
    Asked,
    Seen(Vec<Event>),
}

struct Line {
    pipe: Rc<Pipe>,
    sub: Rc<Sub>,
    reading: Reading,
    parsed: usize,
}

struct World {
    orders: [OrderId; ORDERS],
    logs: [Vec<Event>; ORDERS],
    bus: Vec<Arc<Packet>>,
    hub: Hub,
    clients: Vec<Client>,
    holes: Vec<(OrderId, Option<Vec<Event>>)>,
    page: usize,
    frames: u32,
    slice: usize,
    waiting: usize,
    lossy: bool,
}

impl World {
    fn new(page: usize, frames: u32, (slice, waiting): (usize, usize), lossy: bool) -> Self {
        let client = |n: usize| Client { order: n % ORDERS, seen: 0, line: None };
        Self {
            orders: [(); ORDERS].map(|()| OrderId::new()),
            logs: Default::default(),
            bus: Vec::new(),
            hub: Hub::with_limits(slice, waiting),
            slice,
            waiting,
            lossy,
            clients: (0..CLIENTS).map(client).collect(),
            holes: Vec::new(),
            page,
            frames,
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Commit(order) => self.commit(order),
            Act::Arrive(at, again) if !self.bus.is_empty() => {
                let at = at % self.bus.len();
                let packet = if again { Arc::clone(&self.bus[at]) } else { self.bus.remove(at) };
                self.hub.publish(&packet);
            }
            Act::Lose(at) if self.lossy && !self.bus.is_empty() => {
                let at = at % self.bus.len();
                self.bus.remove(at);
            }
            Act::Arrive(..) | Act::Lose(_) => {}
            Act::Connect(client) => self.connect(client),
            Act::Close(client) => {
                if let Some(line) = &self.clients[client].line {
                    line.sub.link.close(&bytes::Bytes::new());
                }
            }
            Act::Drop(client) => self.disconnect(client),
            Act::Unsubscribe(client) => {
                if let Some(line) = &self.clients[client].line {
                    self.hub.leave(&line.sub);
                }
                self.disconnect(client);
            }
            Act::Answer(client) => self.answer(client),
            Act::Fill => self.fill(),
            Act::Work => {
                self.hub.work(|_, _| {});
            }
            Act::Room(client, room) => self.open(client, room),
            Act::Compare if self.lossy => self.compare(),
            Act::Compare => {}
            Act::Restart => {
                (0..CLIENTS).for_each(|client| self.disconnect(client));
                self.hub = Hub::with_limits(self.slice, self.waiting);
                self.holes.clear();
            }
        }
        self.holes.extend(self.hub.take_holes().into_iter().map(|order| (order, None)));
        (0..CLIENTS).for_each(|client| self.listen(client));
    }

    fn commit(&mut self, order: usize) {
        let seq = i64::try_from(self.logs[order].len()).unwrap() + 1;
        let event = Event {
            order: self.orders[order],
            company: CompanyId(uuid::Uuid::nil()),
            number: String::new(),
            id: EventId(uuid::Uuid::nil()),
            seq,
            body: "{}".into(),
        };
        self.logs[order].push(event.clone());
        self.bus.push(Arc::new(Packet::from(event, InstanceId::new())));
    }

    /// Joins first, then reads.
    fn connect(&mut self, client: usize) {
        self.disconnect(client);
        let me = &mut self.clients[client];
        let pipe = Rc::new(Pipe { room: Cell::new(100_000), ..Pipe::default() });
        let link = Rc::new(Link::new(Rc::clone(&pipe) as _, Bounds { frames: self.frames, bytes: 1 << 20 }));
        let sub = self.hub.join(self.orders[me.order], link, Wire::Stream, me.seen);
        me.line = Some(Line { pipe, sub, reading: Reading::Asked, parsed: 0 });
    }

    /// The connection is gone: what was written but not read yet is lost with it.
    fn disconnect(&mut self, client: usize) {
        if let Some(line) = self.clients[client].line.take() {
            line.sub.link.cut();
            self.hub.leave(&line.sub);
        }
    }

    fn since(&self, order: OrderId, position: i64) -> Vec<Event> {
        let at = self.orders.iter().position(|one| *one == order).unwrap();
        let after = self.logs[at].iter().filter(|event| event.seq > position);
        after.take(self.page).cloned().collect()
    }

    fn answer(&mut self, client: usize) {
        let Some(line) = &self.clients[client].line else { return };
        let sub = Rc::clone(&line.sub);
        let reading = match &line.reading {
            Reading::None => return,
            Reading::Asked => Reading::Seen(self.since(sub.order, sub.position())),
            Reading::Seen(events) => {
                let complete = events.len() < self.page;
                match self.hub.history(&sub, packets(events.clone()), complete, None) {
                    Next::Read => Reading::Asked,
                    Next::Live | Next::Drain => Reading::None,
                }
            }
        };
        if let Some(line) = &mut self.clients[client].line {
            line.reading = reading;
        }
        self.read_if_drained(client);
    }

    fn open(&mut self, client: usize, room: usize) {
        if let Some(line) = &self.clients[client].line {
            line.pipe.room.set(room);
            line.sub.link.flush().unwrap();
        }
        self.read_if_drained(client);
    }

    /// What the connection's task does when its queue is empty.
    fn read_if_drained(&mut self, client: usize) {
        if let Some(line) = &mut self.clients[client].line
            && line.sub.link.is_drained()
            && line.sub.start_reading()
        {
            line.reading = Reading::Asked;
        }
    }

    fn fill(&mut self) {
        let Some((order, read)) = self.holes.pop() else { return };
        if let Some(events) = read {
            self.hub.fill(order, &packets(events));
        }
        if let Some(from) = self.hub.fill_from(order) {
            self.holes.push((order, Some(self.since(order, from))));
        }
    }

    fn compare(&mut self) {
        let positions: Vec<_> = self
            .orders
            .iter()
            .zip(&self.logs)
            .map(|(order, log)| (*order, i64::try_from(log.len()).unwrap()))
            .collect();
        self.hub.compare(&positions);
    }

    /// The client reads its socket: whole frames only, each must be the next.
    fn listen(&mut self, client: usize) {
        let me = &mut self.clients[client];
        let Some(line) = &mut me.line else { return };
        let written = line.pipe.written.borrow();
        while let Some(end) = find(&written[line.parsed..], b"\n\n") {
            let frame = std::str::from_utf8(&written[line.parsed..line.parsed + end]).unwrap();
            let seq: i64 = frame.strip_prefix("id: ").unwrap().lines().next().unwrap().parse().unwrap();
            assert_eq!(seq, me.seen + 1, "client {client}: lost, doubled or out of order");
            me.seen = seq;
            line.parsed += end + 2;
        }
    }

    fn is_settled(&self) -> bool {
        let whole = |client: &Client| client.seen == i64::try_from(self.logs[client.order].len()).unwrap();
        let live = |client: &Client| client.line.as_ref().is_some_and(|line| !line.sub.is_catching_up());
        let mut staying = self.clients.iter().filter(|client| !client.is_closing());
        staying.all(|client| whole(client) && live(client)) && self.holes.is_empty()
    }

    /// Connects those that are gone; whoever is closing stays so.
    fn clear_up(&mut self) {
        for client in 0..CLIENTS {
            if self.clients[client].line.is_none() {
                self.connect(client);
            }
        }
        while !self.bus.is_empty() {
            self.act(Act::Arrive(0, false));
        }
        // A room whose events are still being handed out is not compared.
        while self.hub.work(|_, _| {}) {}
        self.act(Act::Compare);
        self.settle();
    }

    fn come_back(&mut self) {
        for client in 0..CLIENTS {
            if self.clients[client].is_closing() {
                self.connect(client);
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        for _ in 0..2000 {
            if self.is_settled() {
                return;
            }
            for client in 0..CLIENTS {
                self.act(Act::Room(client, 1_000_000));
                self.act(Act::Answer(client));
            }
            self.act(Act::Work);
            self.act(Act::Fill);
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_client_ends_with_every_event_once_and_in_order(
        script in prop::collection::vec(acts(), 1..60),
        page in 1_usize..6,
        frames in 1_u32..5,
        limits in (1_usize..4, 1_usize..4),
        lossy in any::<bool>(),
    ) {
        let mut world = World::new(page, frames, limits, lossy);
        for act in script {
            world.act(act);
        }
        world.clear_up();
        prop_assert!(world.is_settled(), "whoever closes keeps nobody busy");
        world.come_back();
        for client in &world.clients {
            let top = i64::try_from(world.logs[client.order].len()).unwrap();
            prop_assert_eq!(client.seen, top, "the whole history");
            let line = client.line.as_ref().unwrap();
            prop_assert!(!line.sub.is_catching_up(), "and live again");
        }
        prop_assert!(world.is_settled());
    }
}
