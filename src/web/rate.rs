//! Token buckets by caller, eight bytes each, with bounded memory. Pure but for the lock; the time is passed in.
//!
//! A bucket is kept as one moment: when it will be full again (the generic cell rate algorithm). It holds as many
//! requests as a minute allows and fills evenly. Buckets belong to one instance: several instances allow as many times
//! more.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// The window all limits are counted in.
pub const WINDOW_SECONDS: u64 = 60;
/// The same in nanoseconds.
const WINDOW: i64 = WINDOW_SECONDS as i64 * 1_000_000_000;

const SHARDS: usize = 16;
/// Buckets a shard may hold: about a million in all, in some forty megabytes at worst.
const MAX_PER_SHARD: usize = 65_536;

/// What a bucket says about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Whether the request may go on.
    pub allowed: bool,
    /// Requests a full bucket holds.
    pub limit: u32,
    /// Requests left now.
    pub remaining: u32,
    /// Seconds until the bucket is full.
    pub reset: u64,
    /// Seconds until one more request is allowed; 0 when it is already.
    pub retry_after: u64,
}

/// The buckets of all callers.
pub struct Buckets {
    hasher: RandomState,
    shards: [Mutex<HashMap<u64, i64>>; SHARDS],
    max_per_shard: usize,
}

impl Default for Buckets {
    fn default() -> Self {
        Self::with_room(MAX_PER_SHARD)
    }
}

impl Buckets {
    fn with_room(max_per_shard: usize) -> Self {
        Self { hasher: RandomState::new(), shards: Default::default(), max_per_shard }
    }

    /// Takes one request out of the bucket of `key`, which holds `limit`. `limit` 0 stands for no limit: `None`, but the
    /// key is known from then on.
    pub fn take(&self, key: &impl Hash, limit: u32, now: Timestamp) -> Option<Allowance> {
        self.weigh(key, limit, now, true)
    }

    /// What [`Buckets::take`] would say, without taking.
    pub fn peek(&self, key: &impl Hash, limit: u32, now: Timestamp) -> Option<Allowance> {
        self.weigh(key, limit, now, false)
    }

    /// Whether there is a bucket for `key`. One may be dropped when memory is short, so an unknown key can be a known one
    /// that was not used for a while.
    pub fn knows(&self, key: &impl Hash) -> bool {
        let (shard, key) = self.place(key);
        shard.contains_key(&key)
    }

    /// Drops the bucket of `key`.
    pub fn forget(&self, key: &impl Hash) {
        let (mut shard, key) = self.place(key);
        shard.remove(&key);
    }

    fn place(&self, key: &impl Hash) -> (MutexGuard<'_, HashMap<u64, i64>>, u64) {
        let hash = self.hasher.hash_one(key);
        let shard = &self.shards[(hash % SHARDS as u64) as usize];
        (shard.lock().unwrap_or_else(PoisonError::into_inner), hash)
    }

    fn weigh(&self, key: &impl Hash, limit: u32, now: Timestamp, take: bool) -> Option<Allowance> {
        let now = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX / 2);
        let interval = WINDOW.checked_div(limit.into()).unwrap_or(0);
        let (mut shard, key) = self.place(key);
        let full_at = shard.get(&key).copied().unwrap_or(now).max(now);
        let wait = full_at + interval - WINDOW - now;
        let allowed = wait <= 0;
        let full_at = if allowed && take { full_at + interval } else { full_at };
        if allowed && take {
            if shard.len() >= self.max_per_shard && !shard.contains_key(&key) {
                make_room(&mut shard, now);
            }
            shard.insert(key, full_at);
        }
        (interval > 0).then(|| Allowance {
            allowed,
            limit,
            remaining: u32::try_from((WINDOW - (full_at - now)) / interval).unwrap_or(0),
            reset: whole_seconds(full_at - now),
            retry_after: if allowed { 0 } else { whole_seconds(wait).max(1) },
        })
    }
}

fn whole_seconds(nanos: i64) -> u64 {
    u64::try_from((nanos.max(0) + 999_999_999) / 1_000_000_000).unwrap_or(WINDOW_SECONDS)
}

/// Drops the buckets that are full, which loses nothing. When all are in use, drops the fuller half: who is near the
/// limit stays limited.
fn make_room(shard: &mut HashMap<u64, i64>, now: i64) {
    let before = shard.len();
    shard.retain(|_, full_at| *full_at > now);
    if shard.len() * 2 > before {
        let mut moments: Vec<i64> = shard.values().copied().collect();
        let middle = moments.len() / 2;
        let (_, median, _) = moments.select_nth_unstable(middle);
        let median = *median;
        // Of buckets that are equally full an even half goes, so that equal moments cannot keep the map full.
        let mut spare = middle.max(1);
        shard.retain(|_, full_at| {
            let goes = spare > 0 && *full_at <= median;
            spare -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::Clock;

    fn clock() -> Clock {
        Clock::manual("2026-11-21T09:12:00Z".parse().unwrap())
    }

    #[test]
    fn a_minute_allows_the_limit_and_fills_evenly() {
        let (buckets, clock) = (Buckets::default(), clock());
        for left in (0..6).rev() {
            let got = buckets.take(&"a", 6, clock.now()).unwrap();
            assert!(got.allowed);
            assert_eq!((got.limit, got.remaining, got.reset, got.retry_after), (6, left, 60 - u64::from(left) * 10, 0));
        }
        let refused = buckets.take(&"a", 6, clock.now()).unwrap();
        assert_eq!(refused, Allowance { allowed: false, limit: 6, remaining: 0, reset: 60, retry_after: 10 });
        clock.advance(Duration::from_millis(9_500));
        assert_eq!(buckets.take(&"a", 6, clock.now()).unwrap().retry_after, 1);
        clock.advance(Duration::from_millis(500));
        assert!(buckets.take(&"a", 6, clock.now()).unwrap().allowed);
        assert!(!buckets.take(&"a", 6, clock.now()).unwrap().allowed);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(buckets.take(&"a", 6, clock.now()).unwrap().remaining, 5);
    }

    #[test]
    fn callers_do_not_share_and_looking_takes_nothing() {
        let (buckets, clock) = (Buckets::default(), clock());
        assert!(buckets.take(&("a", 1), 1, clock.now()).unwrap().allowed);
        assert!(!buckets.take(&("a", 1), 1, clock.now()).unwrap().allowed);
        assert!(buckets.peek(&("a", 2), 1, clock.now()).unwrap().allowed);
        assert!(!buckets.knows(&("a", 2)));
        assert!(buckets.take(&("a", 2), 1, clock.now()).unwrap().allowed);
        assert!(buckets.knows(&("a", 2)));
        buckets.forget(&("a", 2));
        assert!(!buckets.knows(&("a", 2)));
    }

    #[test]
    fn no_limit_is_no_limit() {
        let buckets = Buckets::default();
        assert_eq!(buckets.take(&"a", 0, clock().now()), None);
        assert!(buckets.knows(&"a"));
        assert!(buckets.take(&"a", u32::MAX, clock().now()).unwrap().allowed);
    }

    #[test]
    fn memory_is_bounded_and_the_busiest_stay_limited() {
        let (buckets, clock) = (Buckets::with_room(64), clock());
        while buckets.take(&"busy", 10, clock.now()).unwrap().allowed {}
        for caller in 0..100_000 {
            assert!(buckets.take(&caller, 10, clock.now()).unwrap().allowed);
        }
        let held: usize = buckets.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(held <= 64 * SHARDS, "{held}");
        assert!(!buckets.take(&"busy", 10, clock.now()).unwrap().allowed);
        clock.advance(Duration::from_secs(61));
        for caller in 0..1_000 {
            assert!(buckets.take(&caller, 10, clock.now()).unwrap().allowed);
        }
    }
}
