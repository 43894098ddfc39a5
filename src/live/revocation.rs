//! Revoked credentials: looked for again and again, so that their connections end within a second on every instance.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

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
        let from = *since.lock().unwrap_or_else(PoisonError::into_inner);
        match self.close_revoked(from).await {
            Ok(()) => *since.lock().unwrap_or_else(PoisonError::into_inner) = now,
            Err(error) => tracing::warn!(%error, "revoked credentials could not be read"),
        }
    }

    /// Closes what was opened with a credential revoked since then; done when all of it is closed here, so that nothing
    /// which happens afterwards reaches it.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn close_revoked(&self, since: Timestamp) -> Result<()> {
        if self.0.stats.connections() == 0 {
            return Ok(());
        }
        let revoked = Arc::new(self.find_revoked(since).await?);
        if revoked.is_empty() {
            return Ok(());
        }
        let (done, mut closed) = mpsc::channel::<()>(1);
        self.order(|| Order::Revoked(Arc::clone(&revoked), done.clone()));
        drop(done);
        // Nothing is ever sent: it ends when the last worker has let go of its end.
        while closed.recv().await.is_some() {}
        Ok(())
    }

    async fn find_revoked(&self, from: Timestamp) -> Result<HashSet<Credential>> {
        let from = from.saturating_sub(REVOKED_OVERLAP).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(self.0.access.revoked_since(from).await?.into_iter().collect())
    }
}
