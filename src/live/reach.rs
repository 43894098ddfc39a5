//! Confirmations: how many watchers an update has reached, added up over the instances it was sent to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::base::id::EventId;
use crate::orders::Reach;

struct Pending {
    /// How many instances will answer; unknown until the bus has said.
    expected: Option<u32>,
    answered: u32,
    sum: Reach,
    done: oneshot::Sender<Reach>,
}

/// The updates whose receipts are still coming.
#[derive(Default)]
pub struct Reaches {
    pending: Mutex<HashMap<EventId, Pending>>,
}

impl Reaches {
    fn lock(&self) -> MutexGuard<'_, HashMap<EventId, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to wait for an event's receipts, before it is published.
    pub fn open(&self, event: EventId) -> oneshot::Receiver<Reach> {
        let (done, answer) = oneshot::channel();
        self.lock().insert(event, Pending { expected: None, answered: 0, sum: Reach::default(), done });
        answer
    }

    /// The event was sent to so many instances.
    pub fn expect(&self, event: EventId, instances: u32) {
        self.change(event, |pending| pending.expected = Some(instances));
    }

    /// One instance has delivered it.
    pub fn receipt(&self, event: EventId, watchers: u32, delivered: u32) {
        self.change(event, |pending| {
            pending.answered += 1;
            pending.sum.watchers += u64::from(watchers);
            pending.sum.delivered += u64::from(delivered);
        });
    }

    fn change(&self, event: EventId, change: impl FnOnce(&mut Pending)) {
        let mut all = self.lock();
        let Some(pending) = all.get_mut(&event) else { return };
        change(pending);
        if pending.expected.is_some_and(|expected| pending.answered >= expected)
            && let Some(pending) = all.remove(&event)
        {
            // Whoever asked may have gone.
            pending.done.send(pending.sum).unwrap_or_default();
        }
    }

    /// Stops waiting and says what is known so far.
    pub fn give_up(&self, event: EventId) -> Reach {
        self.lock().remove(&event).map_or_else(Reach::default, |pending| pending.sum)
    }
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

/// A receipt on its way to the publisher: 16 bytes event, then watchers and delivered, 4 bytes each, big-endian.
#[must_use]
pub fn to_bus(event: EventId, watchers: u32, delivered: u32) -> Bytes {
    let mut out = BytesMut::with_capacity(24);
    out.put_slice(event.bytes());
    out.put_u32(watchers);
    out.put_u32(delivered);
    out.freeze()
}

/// Reads a receipt; `None` when it is none.
#[must_use]
pub fn from_bus(payload: &[u8]) -> Option<(EventId, u32, u32)> {
    let number = |at: usize| Some(u32::from_be_bytes(payload.get(at..at + 4)?.try_into().ok()?));
    let event = Uuid::from_slice(payload.get(..16)?).ok()?;
    Some((event.into(), number(16)?, number(20)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_is_known_when_every_instance_has_answered_in_whatever_order() {
        let (reaches, event) = (Reaches::default(), EventId::new());
        let mut answer = reaches.open(event);
        reaches.receipt(event, 3, 2);
        reaches.expect(event, 2);
        assert!(answer.try_recv().is_err());
        reaches.receipt(event, 1, 1);
        assert_eq!(answer.try_recv(), Ok(Reach { watchers: 4, delivered: 3 }));
        reaches.receipt(event, 9, 9);
        assert_eq!(reaches.give_up(event), Reach::default(), "nothing is kept");
    }

    #[test]
    fn nobody_listening_is_known_at_once_and_a_silent_instance_does_not_hold_the_rest_back() {
        let (reaches, nobody, silent) = (Reaches::default(), EventId::new(), EventId::new());
        let mut answer = reaches.open(nobody);
        reaches.expect(nobody, 0);
        assert_eq!(answer.try_recv(), Ok(Reach::default()));
        let _waiting = reaches.open(silent);
        reaches.expect(silent, 2);
        reaches.receipt(silent, 5, 5);
        assert_eq!(reaches.give_up(silent), Reach { watchers: 5, delivered: 5 });
    }

    #[test]
    fn workers_parts_are_added_up_and_told_once() {
        let tally = Tally::default();
        tally.expect(2);
        assert_eq!(tally.add(2, 1), None);
        assert_eq!(tally.add(3, 3), Some((5, 4)));
        let event = EventId::new();
        assert_eq!(from_bus(&to_bus(event, 7, 6)), Some((event, 7, 6)));
        assert_eq!(from_bus(b"short"), None);
    }
}
