//! Confirmations: how many watchers an update has reached, added up over the instances it was sent to.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::Instant;
use uuid::Uuid;

use crate::base::id::EventId;
use crate::orders::{Reach, Told};

/// One event whose receipts are still coming.
struct Pending {
    /// How many instances will answer; unknown until the bus has said.
    expected: Option<u32>,
    answered: u32,
    /// Whose it is, and its place there.
    caller: u64,
    place: usize,
}

/// One caller, who is told when all of its events are known, or at the end of the wait.
struct Caller {
    events: Vec<EventId>,
    reaches: Vec<Reach>,
    left: usize,
    until: Instant,
    told: Told,
}

#[derive(Default)]
struct State {
    pending: HashMap<EventId, Pending>,
    /// By number, which is also the order of their ends.
    callers: BTreeMap<u64, Caller>,
    next: u64,
}

/// The updates whose receipts are still coming. Everything comes in batches, so that a batch costs one lock; callers are
/// told outside of it, on the thread that brought the last receipt.
#[derive(Default)]
pub struct Reaches {
    state: Mutex<State>,
}

impl State {
    fn change(&mut self, event: EventId, change: impl FnOnce(&mut Pending, &mut Reach)) -> Option<Caller> {
        let pending = self.pending.get_mut(&event)?;
        let caller = self.callers.get_mut(&pending.caller)?;
        change(pending, caller.reaches.get_mut(pending.place)?);
        if pending.expected.is_none_or(|expected| pending.answered < expected) {
            return None;
        }
        caller.left -= 1;
        let (number, is_last) = (pending.caller, caller.left == 0);
        self.pending.remove(&event);
        is_last.then(|| self.callers.remove(&number)).flatten()
    }
}

impl Reaches {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A table of plain values: valid after every single step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State) -> Vec<Caller>) {
        let done = change(&mut self.lock());
        for caller in done {
            (caller.told)(caller.reaches);
        }
    }

    /// Begins to wait for the receipts of one caller's events, before they are published; at the latest until `until`,
    /// which must not be before that of an earlier caller.
    pub fn open(&self, events: Vec<EventId>, until: Instant, told: Told) {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        for (place, event) in events.iter().enumerate() {
            state.pending.insert(*event, Pending { expected: None, answered: 0, caller: number, place });
        }
        let reaches = vec![Reach::default(); events.len()];
        let left = events.len();
        state.callers.insert(number, Caller { events, reaches, left, until, told });
    }

    /// Each event was sent to so many instances.
    pub fn expect(&self, sent: impl Iterator<Item = (EventId, u32)>) {
        self.change(|state| {
            sent.filter_map(|(event, instances)| state.change(event, |pending, _| pending.expected = Some(instances)))
                .collect()
        });
    }

    /// Instances have delivered these.
    pub fn receipts(&self, receipts: impl Iterator<Item = Receipt>) {
        self.change(|state| {
            let add = |receipt: Receipt| {
                state.change(receipt.event, |pending, sum| {
                    pending.answered += 1;
                    sum.watchers += u64::from(receipt.watchers);
                    sum.delivered += u64::from(receipt.delivered);
                })
            };
            receipts.filter_map(add).collect()
        });
    }

    /// Stops waiting for those whose time is over; they are told what is known so far.
    pub fn expire(&self, now: Instant) {
        self.change(|state| {
            let mut over = Vec::new();
            while let Some(first) = state.callers.first_entry().filter(|first| first.get().until <= now) {
                let caller = first.remove();
                for event in &caller.events {
                    state.pending.remove(event);
                }
                over.push(caller);
            }
            over
        });
    }
}

/// What one instance made of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The event.
    pub event: EventId,
    /// Members of its room there.
    pub watchers: u32,
    /// Those it was handed to.
    pub delivered: u32,
}

/// One instance's delivery of one event, added up over its workers.
#[derive(Debug, Default)]
pub struct Tally {
    left: AtomicU32,
    watchers: AtomicU32,
    delivered: AtomicU32,
}

impl Tally {
    /// So many workers will add to it.
    pub fn expect(&self, workers: u32) {
        self.left.store(workers, Ordering::Release);
    }

    /// Adds one worker's part; the sum (watchers, delivered) when it was the last.
    pub fn add(&self, watchers: u32, delivered: u32) -> Option<(u32, u32)> {
        self.watchers.fetch_add(watchers, Ordering::Relaxed);
        self.delivered.fetch_add(delivered, Ordering::Relaxed);
        let last = self.left.fetch_sub(1, Ordering::AcqRel) == 1;
        last.then(|| (self.watchers.load(Ordering::Relaxed), self.delivered.load(Ordering::Relaxed)))
    }
}

/// Bytes of a receipt on the bus.
const RECEIPT: usize = 24;

/// Receipts on their way to the publisher, one after the other: 16 bytes event, then watchers and delivered, 4 bytes
/// each, big-endian.
#[must_use]
pub fn to_bus(receipts: &[Receipt]) -> Bytes {
    let mut out = BytesMut::with_capacity(RECEIPT * receipts.len());
    for receipt in receipts {
        out.put_slice(receipt.event.bytes());
        out.put_u32(receipt.watchers);
        out.put_u32(receipt.delivered);
    }
    out.freeze()
}

/// Reads receipts; what is none is passed over.
pub fn from_bus(payload: &[u8]) -> impl Iterator<Item = Receipt> {
    payload.chunks_exact(RECEIPT).filter_map(|part| {
        let number = |at: usize| Some(u32::from_be_bytes(part.get(at..at + 4)?.try_into().ok()?));
        let event = Uuid::from_slice(part.get(..16)?).ok()?.into();
        Some(Receipt { event, watchers: number(16)?, delivered: number(20)? })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    /// What the callers were told so far, in their order of being told.
    type Heard = Arc<Mutex<Vec<(char, Vec<Reach>)>>>;

    fn open(reaches: &Reaches, heard: &Heard, name: char, events: &[EventId], until: Instant) {
        let heard = Arc::clone(heard);
        reaches.open(events.to_vec(), until, Box::new(move |reach| heard.lock().unwrap().push((name, reach))));
    }

    fn take(heard: &Heard) -> Vec<(char, Vec<Reach>)> {
        std::mem::take(&mut *heard.lock().unwrap())
    }

    fn receipt(event: EventId, watchers: u32, delivered: u32) -> Receipt {
        Receipt { event, watchers, delivered }
    }

    fn reach(watchers: u64, delivered: u64) -> Reach {
        Reach { watchers, delivered }
    }

    #[test]
    fn a_reach_is_known_when_every_instance_has_answered_for_every_event_in_whatever_order() {
        let (reaches, heard, first, second) = (Reaches::default(), Heard::default(), EventId::new(), EventId::new());
        open(&reaches, &heard, 'a', &[first, second], Instant::now());
        reaches.receipts([receipt(first, 3, 2), receipt(second, 1, 1)].into_iter());
        reaches.expect([(first, 2), (second, 1)].into_iter());
        assert_eq!(take(&heard), []);
        reaches.receipts([receipt(first, 1, 1)].into_iter());
        assert_eq!(take(&heard), [('a', vec![reach(4, 3), reach(1, 1)])]);
        reaches.receipts([receipt(first, 9, 9)].into_iter());
        reaches.expire(Instant::now());
        assert_eq!((take(&heard), reaches.lock().pending.len()), (vec![], 0), "nothing is kept, nobody told twice");
    }

    #[test]
    fn nobody_listening_is_known_at_once_and_a_silent_instance_does_not_hold_the_rest_back() {
        let (reaches, heard, nobody, silent) = (Reaches::default(), Heard::default(), EventId::new(), EventId::new());
        let now = Instant::now();
        open(&reaches, &heard, 'n', &[nobody], now + Duration::from_millis(300));
        open(&reaches, &heard, 's', &[silent], now + Duration::from_millis(301));
        reaches.expect([(silent, 2), (nobody, 0)].into_iter());
        assert_eq!(take(&heard), [('n', vec![reach(0, 0)])]);
        reaches.receipts([receipt(silent, 5, 5)].into_iter());
        reaches.expire(now + Duration::from_millis(300));
        assert_eq!(take(&heard), []);
        reaches.expire(now + Duration::from_millis(301));
        assert_eq!((take(&heard), reaches.lock().pending.len()), (vec![('s', vec![reach(5, 5)])], 0));
    }

    #[test]
    fn workers_parts_are_added_up_and_told_once() {
        let tally = Tally::default();
        tally.expect(2);
        assert_eq!(tally.add(2, 1), None);
        assert_eq!(tally.add(3, 3), Some((5, 4)));
        let both = [receipt(EventId::new(), 7, 6), receipt(EventId::new(), 2, 0)];
        assert_eq!(from_bus(&to_bus(&both)).collect::<Vec<_>>(), both);
        assert_eq!(from_bus(b"short").count(), 0);
    }
}
