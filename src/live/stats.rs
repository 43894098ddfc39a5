//! Counters of the live part, read by the metrics endpoint and by the benchmarks.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Plain counters; written by the workers without ordering between them.
#[derive(Debug, Default)]
pub struct Stats {
    /// Open native WebSockets.
    pub websockets: AtomicI64,
    /// Open SSE streams.
    pub streams: AtomicI64,
    /// Long polls that wait right now.
    pub polls: AtomicI64,
    /// Events handed to a connection (written or queued).
    pub deliveries: AtomicU64,
    /// Bytes handed to connections.
    pub bytes: AtomicU64,
    /// Times a reader fell behind and skipped to the log.
    pub behind: AtomicU64,
    /// Connections the server closed or cut: slow, silent, revoked, expired, over a limit, draining.
    pub closed: AtomicU64,
    /// Holes found in a room and filled from the log.
    pub holes: AtomicU64,
    /// Pushes dropped because a worker's mailbox was full; each is followed by a comparison with the log.
    pub overflows: AtomicU64,
}

impl Stats {
    /// Adds one to a counter.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// All open live connections.
    #[must_use]
    pub fn connections(&self) -> i64 {
        self.websockets.load(Ordering::Relaxed)
            + self.streams.load(Ordering::Relaxed)
            + self.polls.load(Ordering::Relaxed)
    }
}
