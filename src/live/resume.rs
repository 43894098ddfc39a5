//! History and what came meanwhile, merged: in order, each once, no holes; pure.
//!
//! A reader that joins (or fell behind) is *catching up*: it is in its room already, so new events are collected here,
//! and only then its history is read. [`merge`] puts both together.

use std::collections::VecDeque;

/// What a reader that catches up collects meanwhile. Bounded: what does not fit is read from the log once more.
#[derive(Debug)]
pub struct Catch<T> {
    pending: VecDeque<T>,
    lost: bool,
    /// Whether a reading of the log is under way for this reader.
    reading: bool,
}

impl<T> Default for Catch<T> {
    fn default() -> Self {
        Self { pending: VecDeque::new(), lost: false, reading: false }
    }
}

/// Most events collected beside a reading of the log.
const PENDING: usize = 16;

impl<T> Catch<T> {
    /// One whose log is being read already.
    #[must_use]
    pub fn in_reading() -> Self {
        Self { reading: true, ..Self::default() }
    }

    /// Claims the one reading of the log a reader may have under way; `false` when there is one, or the reader is live.
    #[must_use]
    pub fn claim(slot: Option<&mut Self>) -> bool {
        slot.is_some_and(|catch| !std::mem::replace(&mut catch.reading, true))
    }

    /// Gives the claim back after a reading failed.
    pub fn give_back(slot: Option<&mut Self>) {
        if let Some(catch) = slot {
            catch.reading = false;
        }
    }

    /// Collects an event that came while the history is read.
    pub fn offer(&mut self, event: T) {
        // Without a reading under way nothing needs collecting: the one to come sees the event in the log.
        if self.reading {
            if self.pending.len() < PENDING {
                self.pending.push_back(event);
            } else {
                self.lost = true;
            }
        }
    }

    /// More exists than may have been read: read once more before going live.
    pub fn doubt(&mut self) {
        self.lost = true;
    }

    /// Whether something that came had to be dropped since the last time; what was collected is handed out.
    pub fn take(&mut self) -> (Vec<T>, bool) {
        (std::mem::take(&mut self.pending).into(), std::mem::take(&mut self.lost))
    }
}

/// The outcome of a [`merge`].
#[derive(Debug, PartialEq, Eq)]
pub struct Merged<T> {
    /// What to send, ascending, each `seq` once, all above the position given.
    pub send: Vec<T>,
    /// Something is missing between what was merged and what came: the log must be read again.
    pub hole: bool,
}

/// Merges the log after `position` (ascending) with what was collected meanwhile (in any order, with repeats).
/// The log is the truth: its own order and gaps are taken as they are; collected events are added only where they
/// continue it without a hole.
pub fn merge<T>(position: i64, history: Vec<T>, mut pending: Vec<T>, seq: impl Fn(&T) -> i64) -> Merged<T> {
    let mut merged = Merged { send: history, hole: false };
    merged.send.retain(|event| seq(event) > position);
    let mut top = merged.send.last().map_or(position, &seq);
    pending.sort_by_key(&seq);
    for event in pending {
        let at = seq(&event);
        if at == top + 1 {
            top = at;
            merged.send.push(event);
        } else if at > top {
            merged.hole = true;
            break;
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hole_between_history_and_what_came_is_told_and_not_jumped() {
        assert_eq!(merge(3, vec![4, 5], vec![7, 8], |n| *n), Merged { send: vec![4, 5], hole: true });
        assert_eq!(merge(3, vec![4, 5], vec![6, 5, 6], |n| *n), Merged { send: vec![4, 5, 6], hole: false });
        assert_eq!(merge(3, vec![], vec![], |n| *n), Merged { send: vec![], hole: false });
    }

    #[test]
    fn more_than_can_be_collected_is_told() {
        let mut catch = Catch { reading: true, ..Catch::default() };
        (0..20).for_each(|n| catch.offer(n));
        assert_eq!(catch.take(), ((0..16).collect(), true));
        assert_eq!(catch.take(), (vec![], false));
    }

    proptest! {
        /// The log holds 1..=read at the time of reading and 1..=top at the end; events from `joined` on were collected,
        /// some of them lost by the bus, some repeated, in any order.
        #[test]
        fn merged_events_are_dense_and_nothing_is_jumped(
            position in 0_i64..20,
            read in 0_i64..40,
            more in 0_i64..10,
            joined in 0_i64..40,
            keep in prop::collection::vec(0_usize..3, 50),
            rotate in 0_usize..50,
        ) {
            let top = read + more;
            let history: Vec<i64> = (position + 1..=read).collect();
            let mut came: Vec<i64> = (joined + 1..=top)
                .zip(&keep)
                .flat_map(|(seq, times)| std::iter::repeat_n(seq, *times))
                .collect();
            if !came.is_empty() {
                let n = came.len();
                came.rotate_left(rotate % n);
            }
            let merged = merge(position, history, came.clone(), |n| *n);
            let reached = position + i64::try_from(merged.send.len()).unwrap();
            prop_assert_eq!(&merged.send, &(position + 1..=reached).collect::<Vec<_>>(), "dense and ascending");
            prop_assert!(reached >= read.max(position), "all of the history");
            let missed = came.iter().any(|seq| *seq > reached);
            prop_assert_eq!(merged.hole, missed, "a hole is told exactly when something came beyond it");
        }
    }
}
