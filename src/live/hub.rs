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
/// Events that may wait for a large room. What comes beyond is left out, and read from the log when those are out.
const WAITING: usize = 1024;

#[derive(Default)]
struct Room {
    members: Vec<Rc<Sub>>,
    top: i64,
    waiting: VecDeque<Arc<Packet>>,
    job: Option<Job>,
    /// The log is read for a hole, or what was read is being handed out.
    filling: bool,
    /// What was read for a hole is at the front of what waits, or in the job.
    handing: bool,
    /// Something may have been left out: look when everything is handed out.
    doubt: bool,
}

impl Room {
    fn is_busy(&self) -> bool {
        self.job.is_some() || !self.waiting.is_empty()
    }

    /// A job is done; `true` when something was left out on the way and nothing to come will tell.
    fn looks_back(&mut self) -> bool {
        if self.handing && self.job.is_none() && self.waiting.front().is_none_or(|next| !next.is_from_log()) {
            (self.handing, self.filling, self.doubt) = (false, false, true);
        }
        let looks = self.doubt && !self.is_busy();
        self.doubt &= !looks;
        looks && self.lags_behind(self.top)
    }

    /// Whether a live member was not given everything up to `seq`; whoever still catches up is told to read once more.
    fn lags_behind(&self, seq: i64) -> bool {
        let mut lags = false;
        for sub in self.members.iter().filter(|sub| sub.link.is_open() && sub.position.get() < seq) {
            match &mut *sub.catch.borrow_mut() {
                Some(catch) => catch.doubt(),
                None => lags = true,
            }
        }
        lags
    }

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
    most_waiting: usize,
    rooms: RefCell<HashMap<OrderId, Room>>,
    turns: RefCell<VecDeque<OrderId>>,
    holes: RefCell<Vec<OrderId>>,
    behind: Cell<u64>,
}

impl Default for Hub {
    fn default() -> Self {
        Self::with_limits(SLICE, WAITING)
    }
}

impl Hub {
    /// Rooms whose members are served `slice` at a time, and for which so many events may wait.
    #[must_use]
    pub fn with_limits(slice: usize, most_waiting: usize) -> Self {
        Self {
            slice,
            most_waiting,
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
        let mut done = Delivery { watchers: clamp(room.members.len()), ..Delivery::default() };
        if room.members.len() > self.slice || room.is_busy() {
            if room.waiting.len() >= self.most_waiting {
                room.doubt = true;
                return Some(done);
            }
            self.take_turn(packet.event.order, room);
            room.waiting.push_back(Arc::clone(packet));
            return None;
        }
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
        if room.is_busy() {
            self.turns.borrow_mut().push_back(order);
        }
        let hole = room.looks_back() || hole;
        self.note_hole(order, room, hole);
        !self.turns.borrow().is_empty()
    }

    /// A room that is about to become busy gets its turn.
    fn take_turn(&self, order: OrderId, room: &Room) {
        if !room.is_busy() {
            self.turns.borrow_mut().push_back(order);
        }
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

    /// The lowest position of the room's live members if something after it is known to exist; `None` ends the reading.
    #[must_use]
    pub fn fill_from(&self, order: OrderId) -> Option<i64> {
        let mut rooms = self.rooms.borrow_mut();
        let room = rooms.get_mut(&order).filter(|room| !room.handing)?;
        let from = room.lowest().filter(|low| *low < room.top);
        room.filling = from.is_some();
        from
    }

    /// Gives the room's live members what they miss of these events, read from the log: now where that is little, else as
    /// the next job, which [`Hub::work`] hands out. The answer is what was given now.
    pub fn fill(&self, order: OrderId, events: &[Arc<Packet>]) -> Delivery {
        let mut sum = Delivery::default();
        let mut rooms = self.rooms.borrow_mut();
        let Some(room) = rooms.get_mut(&order) else { return sum };
        // Nothing above what the log holds can be waited for.
        if events.is_empty() {
            room.top = 0;
        } else if room.is_busy() || room.members.len() * events.len() > self.slice {
            self.take_turn(order, room);
            // In front, for what waits continues it.
            events.iter().rev().for_each(|packet| room.waiting.push_front(Arc::clone(packet)));
            room.handing = true;
            return sum;
        }
        let mut ignored = false;
        for packet in events {
            for member in &room.members {
                self.offer(member, packet, &mut sum, &mut ignored);
            }
        }
        sum
    }

    /// Compares rooms with the log's positions; rooms that lag become holes. One that is still handing out lags rightly.
    pub fn compare(&self, positions: &[(OrderId, i64)]) {
        let mut rooms = self.rooms.borrow_mut();
        for (order, position) in positions {
            let Some(room) = rooms.get_mut(order).filter(|room| !room.is_busy()) else { continue };
            if room.lags_behind(*position) {
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

#[cfg(test)]
mod tests {
    use super::super::link::Bounds;
    use super::super::link::tests::Pipe;
    use super::*;
    use crate::base::id::{CompanyId, EventId, InstanceId};

    fn event(order: OrderId, seq: i64) -> Event {
        Event { order, company: CompanyId::new(), id: EventId::new(), seq, number: String::new(), body: "{}".into() }
    }

    fn live(order: OrderId, seq: i64) -> Arc<Packet> {
        Arc::new(Packet::from(event(order, seq), InstanceId::new()))
    }

    fn log(order: OrderId, seqs: std::ops::RangeInclusive<i64>) -> Vec<Arc<Packet>> {
        packets(seqs.map(|seq| event(order, seq)).collect())
    }

    fn member(hub: &Hub, order: OrderId, wire: Wire, position: i64) -> Rc<Sub> {
        let pipe = Rc::new(Pipe { room: Cell::new(100_000), ..Pipe::default() });
        let sub = hub.join(order, Rc::new(Link::new(pipe, Bounds { frames: 16, bytes: 1 << 20 })), wire, position);
        if wire != Wire::Nudge {
            assert_eq!(hub.history(&sub, Vec::new(), true, None), Next::Live);
        }
        sub
    }

    fn positions(members: &[Rc<Sub>]) -> Vec<i64> {
        members.iter().map(|sub| sub.position()).collect()
    }

    fn crowd(hub: &Hub, order: OrderId) -> Vec<Rc<Sub>> {
        (0..3).map(|_| member(hub, order, Wire::Stream, 0)).collect()
    }

    #[test]
    fn a_room_that_is_still_handing_out_does_not_lag() {
        let (hub, order) = (Hub::with_limits(1, 9), OrderId::new());
        let members = crowd(&hub, order);
        assert_eq!(hub.publish(&live(order, 1)), None);
        for _ in 0..3 {
            hub.compare(&[(order, 1)]);
            assert!(hub.take_holes().is_empty(), "{:?}", positions(&members));
            hub.work(|_, _| {});
        }
        assert_eq!(positions(&members), [1, 1, 1]);
        hub.compare(&[(order, 2)]);
        assert_eq!(hub.take_holes(), [order], "and afterwards it is compared");
    }

    #[test]
    fn what_a_large_room_missed_is_handed_out_in_slices_and_read_on_from_there() {
        let (hub, order) = (Hub::with_limits(1, 9), OrderId::new());
        let members = crowd(&hub, order);
        hub.compare(&[(order, 4)]);
        assert_eq!((hub.take_holes(), hub.fill_from(order)), (vec![order], Some(0)));
        assert_eq!(hub.fill(order, &log(order, 1..=2)).delivered, 0);
        assert_eq!(hub.fill_from(order), None, "not read again before it is handed out");
        hub.work(|_, _| {});
        assert_eq!(positions(&members), [0, 0, 2]);
        while hub.work(|_, _| {}) {}
        assert_eq!(positions(&members), [2, 2, 2]);
        assert_eq!((hub.take_holes(), hub.fill_from(order)), (vec![order], Some(2)), "there is more");
        hub.fill(order, &log(order, 3..=4));
        while hub.work(|_, _| {}) {}
        assert_eq!((positions(&members), hub.take_holes()), (vec![4, 4, 4], vec![]));
    }

    #[test]
    fn what_does_not_fit_before_a_large_room_is_read_from_the_log() {
        let (hub, order) = (Hub::with_limits(1, 2), OrderId::new());
        let members = crowd(&hub, order);
        let told: Vec<bool> = (1..=4).map(|seq| hub.publish(&live(order, seq)).is_some()).collect();
        assert_eq!(told, [false, false, true, true], "what is left out is delivered to nobody, and said so at once");
        while hub.work(|_, _| {}) {}
        assert_eq!((positions(&members), hub.take_holes()), (vec![2, 2, 2], vec![order]));
        assert_eq!(hub.fill_from(order), Some(2));
        hub.fill(order, &log(order, 3..=4));
        while hub.work(|_, _| {}) {}
        assert_eq!((positions(&members), hub.take_holes()), (vec![4, 4, 4], vec![]));
    }

    #[test]
    fn what_came_before_a_poll_knew_its_position_is_not_forgotten() {
        let (hub, order) = (Hub::default(), OrderId::new());
        let poll = member(&hub, order, Wire::Nudge, 1);
        assert_eq!(hub.publish(&live(order, 2)).unwrap().delivered, 1);
        poll.skip_to(1);
        assert_eq!(poll.position(), 2);
        let stream = member(&hub, order, Wire::Stream, 9);
        stream.skip_to(1);
        assert_eq!(stream.position(), 1, "a stream is given nothing before its position is known");
    }
}
