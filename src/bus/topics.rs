//! Which topics an instance wants to be joined, and which of them the server does not know of yet; pure.
//!
//! Joins and leaves only note the wish. One task carries out whatever has gathered in one round trip, so a thousand
//! joins cost little more than one; memory is bounded by the topics themselves, however often they flap.

use std::collections::HashSet;

use tokio::sync::oneshot;

use super::Topic;

/// The wishes of one instance.
#[derive(Default)]
pub(super) struct Topics {
    up: bool,
    wanted: HashSet<Topic>,
    dirty: HashSet<Topic>,
    leaving: HashSet<Topic>,
    waiters: Vec<oneshot::Sender<()>>,
}

/// What to tell the server next. The waiters are answered once it has confirmed; dropped, they learn of a failure.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) join: Vec<Topic>,
    pub(super) leave: Vec<Topic>,
    pub(super) waiters: Vec<oneshot::Sender<()>>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.join.is_empty() && self.leave.is_empty() && self.waiters.is_empty()
    }
}

impl Topics {
    /// Notes topics to join. `None` while the link is down: they are remembered, but nobody waits for them.
    pub(super) fn join(&mut self, topics: Vec<Topic>) -> Option<oneshot::Receiver<()>> {
        for topic in topics {
            self.dirty.insert(topic.clone());
            self.wanted.insert(topic);
        }
        self.up.then(|| {
            let (sender, receiver) = oneshot::channel();
            self.waiters.push(sender);
            receiver
        })
    }

    /// Notes topics to leave.
    pub(super) fn leave(&mut self, topics: Vec<Topic>) {
        for topic in topics {
            if self.wanted.remove(&topic) {
                self.dirty.insert(topic);
            }
        }
    }

    /// Everything that changed since the last call. The leaves in it count as expected until the next call.
    pub(super) fn take(&mut self) -> Batch {
        let (join, leave) = self.dirty.drain().partition::<Vec<_>, _>(|topic| self.wanted.contains(topic));
        self.leaving = leave.iter().cloned().collect();
        Batch { join, leave, waiters: std::mem::take(&mut self.waiters) }
    }

    /// A new link knows nothing: every wanted topic has to be joined once more.
    pub(super) fn restart(&mut self) {
        self.leaving.clear();
        self.dirty = self.wanted.clone();
    }

    /// Says that the link is up, unless something was asked for meanwhile that has to be done first.
    pub(super) fn rise(&mut self) -> bool {
        self.up = self.dirty.is_empty();
        self.up
    }

    /// Says that the link is down; whoever waits for a join learns that it failed.
    pub(super) fn fall(&mut self) {
        self.up = false;
        self.waiters.clear();
    }

    /// Whether the server ended this subscription though nobody asked it to: its slot has moved to another node.
    pub(super) fn was_taken_away(&self, topic: &str) -> bool {
        !self.leaving.contains(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(names: &[&str]) -> Vec<Topic> {
        names.iter().map(|&name| Topic::from(name)).collect()
    }

    #[test]
    fn what_gathers_is_done_once_and_the_last_wish_counts() {
        let mut state = Topics::default();
        assert!(state.rise());
        let mut waiter = state.join(topics(&["a", "b"])).expect("the link is up");
        state.leave(topics(&["b", "unknown"]));
        let batch = state.take();
        assert_eq!((batch.join, batch.leave), (topics(&["a"]), topics(&["b"])));
        assert!(waiter.try_recv().is_err());
        for waiter in batch.waiters {
            waiter.send(()).unwrap();
        }
        assert!(waiter.try_recv().is_ok());
        assert!(state.take().is_empty());
    }

    #[test]
    fn a_join_while_down_is_remembered_and_holds_the_rise_back() {
        let mut state = Topics::default();
        assert!(state.join(topics(&["a"])).is_none());
        assert!(!state.rise());
        assert_eq!(state.take().join, topics(&["a"]));
        assert!(state.rise());
        let mut waiter = state.join(topics(&["b"])).expect("the link is up");
        state.fall();
        assert!(matches!(waiter.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        state.restart();
        assert_eq!(state.take().join.len(), 2);
    }

    #[test]
    fn only_an_unasked_end_of_a_subscription_counts_as_taken_away() {
        let mut state = Topics::default();
        state.join(topics(&["a", "b"]));
        state.take();
        state.leave(topics(&["b"]));
        state.take();
        assert!(state.was_taken_away("a") && !state.was_taken_away("b"));
    }
}
