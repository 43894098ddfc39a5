//! One connection in one room: its position, and whether it reads the log before it is live.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::event::{Packet, Wire};
use super::link::Link;
use super::resume::Catch;
use crate::base::id::OrderId;

/// One connection in one room.
pub struct Sub {
    /// The order watched.
    pub order: OrderId,
    /// The way to the connection.
    pub link: Rc<Link>,
    pub(super) wire: Wire,
    pub(super) position: Cell<i64>,
    pub(super) catch: RefCell<Option<Box<Catch<Arc<Packet>>>>>,
    pub(super) slot: Cell<usize>,
}

impl Sub {
    /// The last `seq` this connection was given (or knew when it came).
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position.get()
    }

    /// Moves on to `seq` without sending: the connection got everything up to it in another form. One that is only woken
    /// was so from the moment it joined, and never goes back behind what woke it.
    pub fn skip_to(&self, seq: i64) {
        let least = if self.wire == Wire::Nudge { self.position.get() } else { seq };
        self.position.set(seq.max(least));
    }

    /// Whether it reads the log, or must, before it is live.
    #[must_use]
    pub fn is_catching_up(&self) -> bool {
        self.catch.borrow().is_some()
    }

    /// Claims the one reading of the log this member may have under way; `false` when there is one, or it is live.
    #[must_use]
    pub fn start_reading(&self) -> bool {
        Catch::claim(self.catch.borrow_mut().as_deref_mut())
    }

    /// Gives the claim back after a reading failed.
    pub fn stop_reading(&self) {
        Catch::give_back(self.catch.borrow_mut().as_deref_mut());
    }

    /// Too slow: it will read the log when its connection has drained.
    pub(super) fn fall_behind(&self) {
        *self.catch.borrow_mut() = Some(Box::default());
    }
}

/// What a member must do after a piece of its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is live.
    Live,
    /// Read the log again, from its position.
    Read,
    /// Wait until the connection has drained, then read again.
    Drain,
}

/// How many connections a room had and how many of them were given an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Members of the room.
    pub watchers: u32,
    /// Members that were given the event now, not counting those that read it from the log later.
    pub delivered: u32,
    /// Bytes handed over.
    pub bytes: u64,
}
