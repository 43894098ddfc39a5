//! The `orders` feed of one worker: every event a console may see.
//!
//! The feed has no dense count. Its position is the event's time-ordered id, made a moment before the commit, so that a
//! reader goes back [`OVERLAP_MS`] and passes over what it was given already. A client that resumes may be given events
//! of the last moments again and drops them by their `id`.

use std::cell::{Cell, RefCell};
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::event::{Packet, Wire};
use super::link::{Link, Pushed};
use super::member::{Delivery, Next};
use super::resume::Catch;
use crate::base::id::{CompanyId, EventId};

/// How far a reader of the feed goes back. Longer than a commit takes, with room for instances' clocks.
pub const OVERLAP_MS: u64 = 5_000;

/// The lowest id made this many milliseconds before `id`.
#[must_use]
pub fn earlier(id: EventId, ms: u64) -> EventId {
    let [a, b, c, d, e, f, ..] = *id.bytes();
    let at = u64::from_be_bytes([0, 0, a, b, c, d, e, f]).saturating_sub(ms).to_be_bytes();
    let mut bytes = [0; 16];
    if let (Some(to), Some(from)) = (bytes.get_mut(..6), at.get(2..)) {
        to.copy_from_slice(from);
    }
    EventId(Uuid::from_bytes(bytes))
}

/// The ids seen last, to drop repeats; bounded.
#[derive(Debug)]
pub struct Window {
    ids: HashSet<EventId>,
    order: VecDeque<EventId>,
    most: usize,
}

/// Ids one console remembers. What is repeated beyond that the client drops.
const GIVEN: usize = 8 * 1024;

impl Window {
    /// An empty window of at most `most` ids.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { ids: HashSet::new(), order: VecDeque::new(), most }
    }

    /// Notes an id; `false` when it was seen already.
    pub fn insert(&mut self, id: EventId) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }

    /// Whether it was seen.
    #[must_use]
    pub fn contains(&self, id: EventId) -> bool {
        self.ids.contains(&id)
    }
}

/// One console on the feed.
pub struct FeedSub {
    /// The only company it may see; all when `None`.
    pub company: Option<CompanyId>,
    link: Rc<Link>,
    position: Cell<EventId>,
    given: RefCell<Window>,
    catch: RefCell<Option<Catch<Arc<Packet>>>>,
}

impl FeedSub {
    /// The newest event it was given.
    #[must_use]
    pub fn position(&self) -> EventId {
        self.position.get()
    }

    /// Claims the one reading of the log it may have under way.
    #[must_use]
    pub fn start_reading(&self) -> bool {
        Catch::claim(self.catch.borrow_mut().as_mut())
    }

    /// Gives the claim back after a reading failed.
    pub fn stop_reading(&self) {
        Catch::give_back(self.catch.borrow_mut().as_mut());
    }

    /// Whether its connection still takes messages.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.link.is_open()
    }

    fn may_see(&self, company: CompanyId) -> bool {
        self.company.is_none_or(|mine| mine == company)
    }

    fn give(&self, packet: &Packet) -> Pushed {
        if !self.may_see(packet.event.company) || self.given.borrow().contains(packet.event.id) {
            return Pushed::Taken;
        }
        let pushed = packet.with_frame(Wire::Feed, |frame| self.link.push_event(frame));
        if pushed == Pushed::Taken {
            self.given.borrow_mut().insert(packet.event.id);
            self.position.set(self.position.get().max(packet.event.id));
        }
        pushed
    }

    fn fall_behind(&self) {
        *self.catch.borrow_mut() = Some(Catch::default());
    }
}

/// The consoles of one worker.
#[derive(Default)]
pub struct Feed {
    members: RefCell<Vec<Rc<FeedSub>>>,
}

impl Feed {
    /// Adds a console, catching up from `position`.
    pub fn join(&self, company: Option<CompanyId>, link: Rc<Link>, position: EventId) -> Rc<FeedSub> {
        let sub = Rc::new(FeedSub {
            company,
            link,
            position: Cell::new(position),
            given: RefCell::new(Window::new(GIVEN)),
            catch: RefCell::new(Some(Catch::in_reading())),
        });
        self.members.borrow_mut().push(Rc::clone(&sub));
        sub
    }

    /// Takes it out; `true` when it was the last here.
    pub fn leave(&self, sub: &Rc<FeedSub>) -> bool {
        let mut members = self.members.borrow_mut();
        let before = members.len();
        members.retain(|member| !Rc::ptr_eq(member, sub));
        before > members.len() && members.is_empty()
    }

    /// An event came.
    pub fn publish(&self, packet: &Arc<Packet>) -> Delivery {
        let members = self.members.borrow();
        let mut done = Delivery::default();
        for member in members.iter() {
            if let Some(catch) = &mut *member.catch.borrow_mut() {
                catch.offer(Arc::clone(packet));
                continue;
            }
            match member.give(packet) {
                Pushed::Full => member.fall_behind(),
                Pushed::Taken => done.delivered += 1,
                Pushed::Dead => {}
            }
        }
        done
    }

    /// A message for the consoles of a company that may be lost: a count, a receipt.
    pub fn tell(&self, company: CompanyId, frame: &Bytes) {
        for member in self.members.borrow().iter().filter(|member| member.may_see(company)) {
            // Whoever is behind gets a newer count later.
            if member.link.behind_since().is_none() {
                member.link.push_event(frame);
            }
        }
    }

    /// A piece of a console's history, ascending; `complete` when the log had no more.
    pub fn history(&self, sub: &FeedSub, events: &[Arc<Packet>], complete: bool) -> Next {
        let (pending, lost) = match &mut *sub.catch.borrow_mut() {
            Some(catch) => catch.take(),
            None => (Vec::new(), false),
        };
        let pending = if complete { pending } else { Vec::new() };
        for packet in events.iter().chain(&pending) {
            if sub.give(packet) != Pushed::Taken {
                sub.fall_behind();
                return Next::Drain;
            }
        }
        if lost || !complete {
            return Next::Read;
        }
        *sub.catch.borrow_mut() = None;
        Next::Live
    }
}

#[cfg(test)]
mod tests {
    use super::super::link::Bounds;
    use super::super::link::tests::Pipe;
    use super::*;
    use crate::base::id::OrderId;
    use crate::orders::Event;

    fn packet(company: CompanyId) -> Arc<Packet> {
        let (number, body) = ("N".to_owned(), "{}".to_owned());
        Arc::new(Packet::new(Event { order: OrderId::new(), company, number, id: EventId::new(), seq: 1, body }))
    }

    fn console(feed: &Feed, company: Option<CompanyId>, room: usize) -> (Rc<Pipe>, Rc<FeedSub>) {
        let pipe = Rc::new(Pipe { room: Cell::new(room), ..Pipe::default() });
        let link = Rc::new(Link::new(Rc::clone(&pipe) as _, Bounds { frames: 2, bytes: 10_000 }));
        (pipe, feed.join(company, link, EventId::new()))
    }

    fn ids(pipe: &Pipe) -> usize {
        pipe.written.borrow().windows(4).filter(|bytes| bytes == b"\"id\"").count()
    }

    #[test]
    fn a_console_sees_its_company_only_and_each_event_once() {
        let (feed, mine) = (Feed::default(), CompanyId::new());
        let (pipe, sub) = console(&feed, Some(mine), 100_000);
        let (first, second, foreign) = (packet(mine), packet(mine), packet(CompanyId::new()));
        feed.publish(&second);
        assert_eq!(feed.history(&sub, &[Arc::clone(&first), Arc::clone(&second)], true), Next::Live);
        for again in [&first, &foreign, &second] {
            feed.publish(again);
        }
        assert_eq!((ids(&pipe), sub.position()), (2, second.event.id));
        assert!(feed.leave(&sub) && !feed.leave(&sub));
    }

    #[test]
    fn a_console_that_falls_behind_reads_the_log_when_it_has_drained() {
        let (feed, mine) = (Feed::default(), CompanyId::new());
        let (pipe, sub) = console(&feed, None, 0);
        assert_eq!(feed.history(&sub, &[], true), Next::Live);
        let events: Vec<_> = (0..5).map(|_| packet(mine)).collect();
        events.iter().for_each(|event| {
            feed.publish(event);
        });
        pipe.room.set(100_000);
        assert!(sub.link.flush().unwrap() && sub.start_reading() && !sub.start_reading());
        assert_eq!(feed.history(&sub, &events, true), Next::Live);
        assert_eq!(ids(&pipe), 5);
    }

    #[test]
    fn going_back_keeps_the_order_of_ids() {
        let now = EventId::new();
        let before = earlier(now, OVERLAP_MS);
        assert!(
            before < now && earlier(before, 1) < before && earlier(EventId(Uuid::nil()), 9) == EventId(Uuid::nil())
        );
    }
}
