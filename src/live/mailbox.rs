//! The way to one worker: what waits for it, bounded; its thread is woken once for all that came at once.
//!
//! Waking a thread costs more than a delivery. So a publisher puts everything it has under one lock and rings only where
//! nothing waited before: then the bell has rung already.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A mailbox of `T`.
#[derive(Debug)]
pub struct Mailbox<T> {
    waiting: Mutex<VecDeque<T>>,
    bell: Notify,
    most: usize,
    lost: AtomicBool,
}

impl<T> Mailbox<T> {
    /// An empty mailbox in which at most `most` wait.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { waiting: Mutex::default(), bell: Notify::new(), most, lost: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        // Plain values in a queue: valid after every single step.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts in what fits, in order; the rest comes back.
    pub fn put(&self, items: impl IntoIterator<Item = T>) -> Vec<T> {
        let mut items = items.into_iter();
        let was_empty = {
            let mut waiting = self.lock();
            let was_empty = waiting.is_empty();
            let room = self.most.saturating_sub(waiting.len());
            waiting.extend(items.by_ref().take(room));
            was_empty && !waiting.is_empty()
        };
        if was_empty {
            self.bell.notify_one();
        }
        let refused: Vec<T> = items.collect();
        if !refused.is_empty() {
            self.lost.store(true, Ordering::Release);
        }
        refused
    }

    /// Resolves when something waits. For the one worker that takes it.
    pub async fn filled(&self) {
        while self.lock().is_empty() {
            self.bell.notified().await;
        }
    }

    /// Takes all that waits, in exchange for an empty queue.
    pub fn take(&self, empty: &mut VecDeque<T>) {
        std::mem::swap(&mut *self.lock(), empty);
    }

    /// Whether something was refused since the last call.
    pub fn has_lost(&self) -> bool {
        self.lost.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn what_came_at_once_is_taken_at_once_and_in_order() {
        let mailbox = Mailbox::new(9);
        assert!(mailbox.filled().now_or_never().is_none());
        assert!(mailbox.put([1, 2]).is_empty() && mailbox.put([3]).is_empty());
        mailbox.filled().await;
        let mut taken = VecDeque::new();
        mailbox.take(&mut taken);
        assert_eq!(taken, [1, 2, 3]);
        taken.clear();
        // The bell may have rung for what is gone already; that is no reason to go on.
        assert!(mailbox.filled().now_or_never().is_none());
        let (_, waited) = futures_util::join!(async { mailbox.put([4]) }, mailbox.filled());
        mailbox.take(&mut taken);
        assert_eq!((taken.into_iter().collect::<Vec<_>>(), waited), (vec![4], ()));
    }

    #[test]
    fn what_does_not_fit_comes_back_and_is_known_once() {
        let mailbox = Mailbox::new(2);
        assert_eq!((mailbox.put([1, 2, 3, 4]), mailbox.put([5])), (vec![3, 4], vec![5]));
        assert_eq!((mailbox.has_lost(), mailbox.has_lost()), (true, false));
        let mut taken = VecDeque::new();
        mailbox.take(&mut taken);
        assert_eq!((taken, mailbox.put([6]), mailbox.has_lost()), ([1, 2].into(), vec![], false));
    }
}
