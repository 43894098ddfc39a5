//! Where papers are handed in: by a few at a time, each within a while. A form is held in memory until it is sealed, and
//! without an end to both, a few slow senders would fill it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::sent::{self, Sent};
use crate::accounts::Kyc;
use crate::base::id::CompanyId;
use crate::base::{Error, Result};
use crate::web::body::{Incoming, TOO_SLOW};

/// Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct Desk {
    places: Arc<Semaphore>,
    patience: Duration,
}

/// A form that was read. It keeps its place until it is dropped.
pub struct Received {
    /// What came.
    pub sent: Sent,
    _place: OwnedSemaphorePermit,
}

impl Desk {
    /// For so many forms at once, each of which may take so long to come.
    #[must_use]
    pub fn new(at_once: usize, patience: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS))), patience }
    }

    /// Reads the form of a company that may hand one in now; nothing of any other is read.
    ///
    /// # Errors
    /// `Conflict` as [`Kyc::check_open`], `Unavailable` when all places are taken, `Invalid` as [`sent::read`] and
    /// [`TOO_SLOW`].
    pub async fn receive(&self, kyc: &Kyc, company: CompanyId, incoming: Incoming) -> Result<Received> {
        kyc.check_open(company).await?;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Error::Unavailable("Handing in documents".into(), None))?;
        let (request, payload) = incoming.into_parts();
        let read = tokio::time::timeout(self.patience, sent::read(&request, payload, kyc.limits()));
        let seconds = self.patience.as_secs();
        let slow = |_| Error::invalid(TOO_SLOW, format!("The form must arrive within {seconds} seconds"));
        Ok(Received { sent: read.await.map_err(slow)??, _place: place })
    }
}
