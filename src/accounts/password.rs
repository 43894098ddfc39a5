//! Passwords: Argon2id, 19 MiB, two passes, one lane (OWASP's first choice), in the PHC text form.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::base::{Error, Result, Secret};

/// Hashing for whoever asks, a few at a time: each takes 19 MiB, and a flood of sign-ins must not eat the memory. Cheap to
/// clone; clones count together.
#[derive(Clone, Debug)]
pub struct Passwords {
    runtime: Handle,
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    done: Arc<AtomicU64>,
}

/// How many may wait for a place; at some thirty milliseconds each, the last one waits a second or two.
const MAY_WAIT: usize = 128;

/// The hash of no password, for addresses nobody has: checking against it takes as long as against any other.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

impl Passwords {
    /// Hashing on threads of this runtime that may block, at most `at_once` at a time.
    #[must_use]
    pub fn new(runtime: Handle, at_once: usize) -> Self {
        let places = Arc::new(Semaphore::new(at_once.max(1)));
        Self { runtime, places, waiting: Arc::default(), done: Arc::default() }
    }

    /// The text that is stored in a password's place.
    ///
    /// # Errors
    /// `Unavailable` when too many wait already.
    pub async fn hash(&self, password: Secret) -> Result<String> {
        self.work(move || hash(&password)).await?
    }

    /// Whether the password is the one of the stored text. The same work when there is none.
    ///
    /// # Errors
    /// `Unavailable` when too many wait already.
    pub async fn verify(&self, password: Secret, stored: Option<String>) -> Result<bool> {
        self.work(move || verify(&password, stored.as_deref().filter(|hash| !hash.is_empty()).unwrap_or(NOBODY))).await
    }

    /// How many were hashed or verified since the start: what a question has cost.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let place = self.place().await?;
        self.done.fetch_add(1, Ordering::Relaxed);
        // The place is given back by the work itself: a caller who goes away does not stop it.
        let work = move || {
            let _place = place;
            work()
        };
        self.runtime.spawn_blocking(work).await.map_err(Error::internal)
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        /// Counts out however the waiting ends.
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::AcqRel);
            }
        }
        let before = self.waiting.fetch_add(1, Ordering::AcqRel);
        let _waiting = Waiting(&self.waiting);
        if before >= MAY_WAIT {
            return Err(Error::Unavailable("Signing in".into(), None));
        }
        Arc::clone(&self.places).acquire_owned().await.map_err(Error::internal)
    }
}

/// Checks length: 8 to 128 characters and no other rule.
///
/// # Errors
/// `Invalid` that says what to choose.
pub fn check(password: &Secret) -> Result<()> {
    let length = password.expose().chars().count();
    if (8..=128).contains(&length) {
        return Ok(());
    }
    Err(Error::invalid_field("password", "bad_password", "Choose a password of 8 to 128 characters."))
}

/// The text that is stored in a password's place. Slow on purpose: run it where blocking is allowed.
///
/// # Errors
/// `Internal` when the machine has no randomness or memory for it.
pub fn hash(password: &Secret) -> Result<String> {
    let hash =
        hasher()?.hash_password(password.expose().as_bytes()).map_err(|error| Error::internal(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether the password is the one of the stored text. As slow as [`hash`].
#[must_use]
pub fn verify(password: &Secret, stored: &str) -> bool {
    let Ok(stored) = PasswordHash::new(stored) else { return false };
    hasher().is_ok_and(|hasher| hasher.verify_password(password.expose().as_bytes(), &stored).is_ok())
}

fn hasher() -> Result<Argon2<'static>> {
    let params = Params::new(19_456, 2, 1, None).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Replies that could tell whether there is an account are given no earlier.
const EARLIEST_REPLY: Duration = Duration::from_millis(100);

/// Waits until [`EARLIEST_REPLY`] after `began`: whether something was written meanwhile, the reply's time does not tell.
pub(super) async fn no_earlier(began: Instant) {
    tokio::time::sleep_until(began + EARLIEST_REPLY).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_opens_and_two_hashes_of_it_differ() {
        let password = Secret::new("correct horse");
        let stored = hash(&password).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify(&password, &stored));
        assert!(!verify(&Secret::new("correct horsf"), &stored));
        assert!(!verify(&password, "nonsense"));
        assert_ne!(stored, hash(&password).unwrap());
    }

    #[tokio::test]
    async fn a_flood_of_passwords_waits_in_line_and_what_is_too_much_is_refused_at_once() {
        let passwords = Passwords::new(Handle::current(), 1);
        let flood = (0..MAY_WAIT + 50).map(|_| passwords.verify(Secret::new("guess"), None));
        let mut outcomes = futures_util::future::join_all(flood).await;
        let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(Error::Unavailable(..)))).count();
        assert_eq!(refused, 49, "one at work, and as many waiting as may");
        outcomes.retain(Result::is_ok);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(false))));
        assert_eq!(passwords.done(), u64::try_from(MAY_WAIT + 1).unwrap());
        assert!(passwords.hash(Secret::new("afterwards")).await.is_ok(), "all places are free again");
        assert_eq!(passwords.waiting.load(Ordering::Acquire), 0);
    }

    #[test]
    fn length_is_the_only_rule() {
        assert!(check(&Secret::new("1234567")).is_err());
        assert!(check(&Secret::new("        ")).is_ok());
        assert!(check(&Secret::new("x".repeat(129))).is_err());
    }
}
