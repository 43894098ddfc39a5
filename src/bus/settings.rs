//! What the Redis bus can be told: where the servers are, how long to wait for them.

use std::time::Duration;

use crate::base::Secret;

/// How to reach Redis. Every time has a default that suits production.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// `REDIS_URL`: `redis://`, `rediss://`, `unix://`, `redis+sentinel://`, `redis+cluster://` (and `rediss+…`).
    /// Forms: `redis://[user:password@]host[:6379][/db]` · `unix:///path?db=0&user=…&password=…` ·
    /// `redis+sentinel://[user:password@]host[:26379],…/master_name[?db=0&sentinel_user=…&sentinel_password=…]` ·
    /// `redis+cluster://[user:password@]host[:6379],…`.
    pub url: Secret,
    /// Set before every topic, so that deployments can share one Redis.
    pub prefix: String,
    /// PEM of the authority that signed the servers' certificates, in place of the system's own.
    pub ca_pem: Option<Vec<u8>>,
    /// How long a publish may take before it counts as failed.
    pub publish_timeout: Duration,
    /// How long making a link, a join or a sign of life may take.
    pub link_timeout: Duration,
    /// How often every connection is asked for a sign of life.
    pub health_every: Duration,
    /// The pause before a new link is uniformly random between zero and a ceiling that doubles from the first of
    /// these to the second.
    pub backoff: (Duration, Duration),
}

impl RedisSettings {
    /// The defaults, for the given `REDIS_URL`.
    #[must_use]
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            prefix: "ordercast:".to_owned(),
            ca_pem: None,
            publish_timeout: Duration::from_secs(1),
            link_timeout: Duration::from_secs(5),
            health_every: Duration::from_secs(5),
            backoff: (Duration::from_millis(100), Duration::from_secs(5)),
        }
    }

    /// How long to wait before making a link for the `attempt`th time in a row.
    pub(super) fn pause(&self, attempt: u32) -> Duration {
        let (least, most) = self.backoff;
        rand::random_range(Duration::ZERO..=least.saturating_mul(1 << attempt.min(16)).min(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_below_a_ceiling_that_doubles_up_to_the_limit() {
        let settings = RedisSettings::new(Secret::new("redis://cache"));
        for (attempt, ceiling_ms) in [(0, 100), (1, 200), (5, 3200), (6, 5000), (u32::MAX, 5000)] {
            for _ in 0..50 {
                assert!(settings.pause(attempt) <= Duration::from_millis(ceiling_ms), "{attempt}");
            }
        }
    }
}
