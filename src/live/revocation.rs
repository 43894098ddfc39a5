//! Revoked credentials: looked for again and again, so that their connections end within a second on every instance.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::access::Credential;
use super::instance::Live;
use super::worker::Order;
use crate::base::Result;

/// How far back revocations are looked for: longer than a transaction takes, with room for instances' clocks.
const REVOKED_OVERLAP: SignedDuration = SignedDuration::from_secs(5);

impl Live {
    /// Closes what was opened with a credential revoked since the last look.
    pub(super) async fn look_for_revoked(&self, since: &Mutex<Timestamp>) {
        let now = self.clock().now();
        if self.0.stats.connections() > 0 {
            let from = *since.lock().unwrap_or_else(PoisonError::into_inner);
            match self.find_revoked(from).await {
                Ok(revoked) if revoked.is_empty() => {}
                Ok(revoked) => {
                    let revoked = Arc::new(revoked);
                    self.order(|| Order::Revoked(Arc::clone(&revoked)));
                }
                Err(error) => {
                    tracing::warn!(%error, "revoked credentials could not be read");
                    return;
                }
            }
        }
        *since.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    async fn find_revoked(&self, from: Timestamp) -> Result<HashSet<Credential>> {
        let from = from.saturating_sub(REVOKED_OVERLAP).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(self.0.access.revoked_since(from).await?.into_iter().collect())
    }
}
