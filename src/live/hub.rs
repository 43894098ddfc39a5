//! One worker's rooms: who watches which order here, and the delivery of an event to them. Single-threaded, no locks.
//!
//! A member holds its position (`seq`), so whatever arrives — late, twice, with something missing — is judged here: the
//! next one is sent, an older one is dropped, a jump is a *hole* and asks the worker to read the log. A member that
//! catches up (just joined, or too slow) only collects. Rooms of up to [`SLICE`] members are served at once; larger ones
//! as jobs, [`SLICE`] members at a time from the back, so that small rooms and readers get their turn. From the back,
//! because a leaving member's place is taken by the last one, which then has been served already (served twice is harmless,
//! the position guards; skipped would not be).

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::event::{Packet, Wire};
use super::fanout::{Job, clamp, join};
use super::link::{Link, Pushed};
use super::member::{Delivery, Next, Sub};
use super::resume::{Catch, merge};
use crate::base::id::OrderId;
use crate::orders::Event;

/// Deliveries between two looks at everything else.
pub const SLICE: usize = 256;

#[derive(Default)]
struct Room {
    members: Vec<Rc<Sub>>,
    top: i64,
    waiting: VecDeque<Arc<Packet>>,
    job: Option<Job>,
    filling: bool,
}

impl Room {
    /// The lowest position of the members that are given events. One that is closing never moves on: waiting for it would
    /// read the log again and again.
    fn lowest(&self) -> Option<i64> {
        let given = self.members.iter().filter(|sub| sub.link.is_open() && !sub.is_catching_up());
        given.map(|sub| sub.position.get()).min()
    }
}

/// The rooms of one worker.
pub struct Hub {
    slice: usize,
    rooms: RefCell<HashMap<OrderId, Room>>,
    turns: RefCell<VecDeque<OrderId>>,
    holes: RefCell<Vec<OrderId>>,
    behind: Cell<u64>,
}

impl Default for Hub {
    fn default() -> Self {
        Self::with_slice(SLICE)
    }
}

impl Hub {
    /// Rooms whose members are served `slice` at a time.
    #[must_use]
    pub fn with_slice(slice: usize) -> Self {
        Self {
            slice,
            rooms: RefCell::default(),
            turns: RefCell::default(),
            holes: RefCell::default(),
            behind: Cell::new(0),
        }
    }

    /// Puts a connection into an order's room, catching up from `position`: from now on nothing is missed.
    /// With [`Wire::Nudge`] it is live at once and only woken.
    pub fn join(&self, order: OrderId, link: Rc<Link>, wire: Wire, position: i64) -> Rc<Sub> {
        let catch = (wire != Wire::Nudge).then(|| Box::new(Catch::in_reading()));
        let mut rooms = self.rooms.borrow_mut();
        let room = rooms.entry(order).or_default();
        let sub = Rc::new(Sub {
            order,
            link,
            wire,
            position: Cell::new(position),
            catch: RefCell::new(catch),
            slot: Cell::new(room.members.len()),
        });
        room.members.push(Rc::clone(&sub));
        sub
    }

    /// Takes it out again; `true` when it was the room's last here.
    pub fn leave(&self, sub: &Rc<Sub>) -> bool {
        let mut rooms = self.rooms.borrow_mut();
        let Some(room) = rooms.get_mut(&sub.order) else { return false };
        let slot = sub.slot.get();
        if !room.members.get(slot).is_some_and(|member| Rc::ptr_eq(member, sub)) {
            return false;
        }
        room.members.swap_remove(slot);
        if let Some(moved) = room.members.get(slot) {
            moved.slot.set(slot);
        }
        let last = room.members.is_empty();
        if last {
            rooms.remove(&sub.order);
        }
        last
    }

    /// An event came. Small rooms are served now, and the answer is how it went; `None` means that it waits as a job of
    /// a large room, whose outcome [`Hub::work`] tells.
    pub fn publish(&self, packet: &Arc<Packet>) -> Option<Delivery> {
        let mut rooms = self.rooms.borrow_mut();
        let Some(room) = rooms.get_mut(&packet.event.order) else { return Some(Delivery::default()) };
        room.top = room.top.max(packet.event.seq);
        if room.members.len() > self.slice || room.job.is_some() || !room.waiting.is_empty() {
            room.waiting.push_back(Arc::clone(packet));
            if room.job.is_none() && room.waiting.len() == 1 {
                self.turns.borrow_mut().push_back(packet.event.order);
            }
            return None;
        }
        let mut done = Delivery { watchers: clamp(room.members.len()), ..Delivery::default() };
        let mut hole = false;
        for member in &room.members {
            self.offer(member, packet, &mut done, &mut hole);
        }
        self.note_hole(packet.event.order, room, hole);
        Some(done)
    }

    /// Serves up to [`SLICE`] members of the large room whose turn it is; tells each event that is done everywhere.
    /// `false` when no job is left.
    pub fn work(&self, mut done: impl FnMut(&Arc<Packet>, Delivery)) -> bool {
        let Some(order) = self.turns.borrow_mut().pop_front() else { return false };
        let mut rooms = self.rooms.borrow_mut();
        let Some(room) = rooms.get_mut(&order) else { return !self.turns.borrow().is_empty() };
        let mut job = room.job.take().unwrap_or_else(|| Job::gather(&mut room.waiting, room.members.len()));
        let mut hole = false;
        let end = job.cursor.min(room.members.len());
        let start = end.saturating_sub(self.slice);
        for member in room.members.get(start..end).unwrap_or_default().iter().rev() {
            self.offer_all(member, &mut job, &mut hole);
        }
        job.cursor = start;
        if start == 0 {
            for (packet, delivery) in job.packets.iter().zip(&job.done) {
                done(packet, *delivery);
            }
        } else {
            room.job = Some(job);
        }
        if room.job.is_some() || !room.waiting.is_empty() {
            self.turns.borrow_mut().push_back(order);
        }
        self.note_hole(order, room, hole);
        !self.turns.borrow().is_empty()
    }

    fn offer(&self, member: &Rc<Sub>, packet: &Arc<Packet>, done: &mut Delivery, hole: &mut bool) {
        // Who is leaving misses nothing here: it comes back with its position.
        if !member.link.is_open() {
            return;
        }
        let (seq, position) = (packet.event.seq, member.position.get());
        if let Some(catch) = &mut *member.catch.borrow_mut() {
            catch.offer(Arc::clone(packet));
            return;
        }
        if member.wire == Wire::Nudge {
            if seq > position {
                member.position.set(seq);
                member.link.nudge();
                done.delivered += 1;
            }
            return;
        }
        if seq != position + 1 {
            *hole |= seq > position;
            return;
        }
        match packet.with_frame(member.wire, |frame| (member.link.push_event(frame), frame.len())) {
            (Pushed::Taken, bytes) => {
                member.position.set(seq);
                done.delivered += 1;
                done.bytes += bytes as u64;
            }
            (Pushed::Full, _) => self.mark_behind(member),
            (Pushed::Dead, _) => {}
        }
    }

    fn offer_all(&self, member: &Rc<Sub>, job: &mut Job, hole: &mut bool) {
        let joinable = job.packets.len() > 1
            && job.packets.first().is_some_and(|first| member.position.get() + 1 == first.event.seq)
            && !member.is_catching_up();
        let Some(frame) = joinable.then(|| job.joined(member.wire)).flatten() else {
            for (packet, done) in job.packets.iter().zip(&mut job.done) {
                self.offer(member, packet, done, hole);
            }
            return;
        };
        match member.link.push_event(&frame) {
            Pushed::Taken => {
                member.position.set(job.packets.last().map_or(0, |last| last.event.seq));
                for done in &mut job.done {
                    done.delivered += 1;
                }
                if let Some(done) = job.done.first_mut() {
                    done.bytes += frame.len() as u64;
                }
            }
            Pushed::Full => self.mark_behind(member),
            Pushed::Dead => {}
        }
    }

    fn mark_behind(&self, member: &Sub) {
        self.behind.set(self.behind.get() + 1);
        member.fall_behind();
    }

    fn note_hole(&self, order: OrderId, room: &mut Room, hole: bool) {
        if hole && !room.filling {
            room.filling = true;
            self.holes.borrow_mut().push(order);
        }
    }

    /// A piece of a member's history, read after its position; `complete` when the log had no more. `lead` is written
    /// before it (the answer to `subscribe`), in the same piece.
    pub fn history(&self, sub: &Sub, events: Vec<Arc<Packet>>, complete: bool, lead: Option<Bytes>) -> Next {
        let (pending, lost) = match &mut *sub.catch.borrow_mut() {
            Some(catch) => catch.take(),
            None => (Vec::new(), false),
        };
        // What came meanwhile continues the history only when the history was read to its end.
        let pending = if complete { pending } else { Vec::new() };
        let merged = merge(sub.position.get(), events, pending, |packet| packet.event.seq);
        let mut send = merged.send.as_slice();
        let mut lead = lead;
        while lead.is_some() || !send.is_empty() {
            let (piece, taken) = join(lead.as_ref(), send, sub.wire);
            let pushed = match lead.take() {
                Some(_) => sub.link.push_control(&piece),
                None => sub.link.push_event(&piece),
            };
            if pushed != Pushed::Taken {
                sub.fall_behind();
                return Next::Drain;
            }
            let (gone, rest) = send.split_at(taken);
            if let Some(last) = gone.last() {
                sub.position.set(last.event.seq);
            }
            send = rest;
        }
        if merged.hole || lost || !complete {
            return Next::Read;
        }
        *sub.catch.borrow_mut() = None;
        Next::Live
    }

    /// Rooms in which a hole was found since the last call; each must be filled: [`Hub::fill_from`], then [`Hub::fill`].
    #[must_use]
    pub fn take_holes(&self) -> Vec<OrderId> {
        std::mem::take(&mut *self.holes.borrow_mut())
    }

    /// How often a reader fell behind since the last call.
    #[must_use]
    pub fn take_behind(&self) -> u64 {
        self.behind.take()
    }

    /// The lowest position of the room's live members if something after it is known to exist; `None` ends the filling.
    #[must_use]
    pub fn fill_from(&self, order: OrderId) -> Option<i64> {
        let mut rooms = self.rooms.borrow_mut();
        let room = rooms.get_mut(&order)?;
        let from = room.lowest().filter(|low| *low < room.top);
        room.filling = from.is_some();
        from
    }

    /// Gives the room's live members what they miss of these events, read from the log.
    pub fn fill(&self, order: OrderId, events: &[Arc<Packet>]) -> Delivery {
        let mut sum = Delivery::default();
        let mut rooms = self.rooms.borrow_mut();
        let Some(room) = rooms.get_mut(&order) else { return sum };
        let mut ignored = false;
        for packet in events {
            for member in &room.members {
                self.offer(member, packet, &mut sum, &mut ignored);
            }
        }
        // Nothing above what the log holds can be waited for.
        if events.is_empty() {
            room.top = 0;
        }
        sum
    }

    /// Compares rooms with the log's positions; rooms that lag become holes.
    pub fn compare(&self, positions: &[(OrderId, i64)]) {
        let mut rooms = self.rooms.borrow_mut();
        for (order, position) in positions {
            let Some(room) = rooms.get_mut(order) else { continue };
            let mut lags = false;
            for sub in room.members.iter().filter(|sub| sub.link.is_open() && sub.position.get() < *position) {
                match &mut *sub.catch.borrow_mut() {
                    Some(catch) => catch.doubt(),
                    None => lags = true,
                }
            }
            if lags {
                room.top = room.top.max(*position);
                self.note_hole(*order, room, true);
            }
        }
    }

    /// The orders watched here.
    #[must_use]
    pub fn orders(&self) -> Vec<OrderId> {
        self.rooms.borrow().keys().copied().collect()
    }

    /// How many connections watch the order here.
    #[must_use]
    pub fn watchers(&self, order: OrderId) -> usize {
        self.rooms.borrow().get(&order).map_or(0, |room| room.members.len())
    }
}

/// Events as the hub takes them.
#[must_use]
pub fn packets(events: Vec<Event>) -> Vec<Arc<Packet>> {
    events.into_iter().map(|event| Arc::new(Packet::new(event))).collect()
}
