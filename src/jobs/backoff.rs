//! When to try again, and when to give up. Pure but for the jitter.

use std::time::Duration;

use rand::RngExt as _;

/// Waits between attempts in seconds: about two and a half days in all.
const WAITS: [u64; 10] = [5, 30, 120, 600, 1800, 7200, 18_000, 36_000, 57_600, 86_400];

/// How long to wait after this many failed attempts (1 is the first), or `None` to give up. Up to a fifth is added at
/// random, so that what failed together does not come back together.
#[must_use]
pub fn delay(attempts: u32) -> Option<Duration> {
    let at = usize::try_from(attempts).ok()?.checked_sub(1)?;
    let wait = *WAITS.get(at)?;
    Some(Duration::from_millis(wait * 1000 + rand::rng().random_range(0..=wait * 200)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let waits: Vec<_> = (1..=10).map(|attempts| delay(attempts).unwrap()).collect();
        assert!(waits.is_sorted(), "{waits:?}");
        assert!(waits[0] >= Duration::from_secs(5) && waits[0] <= Duration::from_secs(6));
        assert_eq!(delay(11), None);
        assert_eq!(delay(0), None);
    }
}
