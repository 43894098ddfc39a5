//! Time as a parameter: the system's clock, or one that tests wind by hand. Nobody else asks for the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Where the time comes from. Cheap to clone; clones of a hand-wound clock move together.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that stands still until it is moved. Microseconds since the epoch.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A hand-wound clock that stands at `start`.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.as_microsecond())))
    }

    /// The time now, cut to whole microseconds: what both databases keep, so that a value read back equals the one written.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let micros = match self {
            Self::System => system_now().as_microsecond(),
            Self::Manual(micros) => micros.load(Ordering::SeqCst),
        };
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Moves a hand-wound clock forward; the system's clock is left alone.
    pub fn advance(&self, by: std::time::Duration) {
        if let Self::Manual(micros) = self {
            micros.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX / 2), Ordering::SeqCst);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
fn system_now() -> Timestamp {
    Timestamp::now()
}
