//! Everything that happens unasked: the work of the queue, and clearing away what is spent.
//!
//! What is here: when things are done. What is not: what is done (`notify`, `jobs`), and the live part's own timers
//! (`live`), which belong to its connections.

pub mod jobs;

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::Sessions;
use crate::idempotency::Idempotency;
pub use jobs::Worker;

/// How often the queue is looked at when nothing wakes it.
const LOOK: Duration = Duration::from_secs(1);
/// How often kept replies and sign-ins whose time is over are cleared away.
const SWEEP: Duration = Duration::from_secs(600);

/// Starts the tasks; they end soon after `stop`, each after the piece of work it is at.
pub fn start(worker: Worker, replies: Idempotency, sessions: Sessions, stop: &CancellationToken) -> TaskTracker {
    let tasks = TaskTracker::new();
    tasks.spawn(every(LOOK, stop.clone(), move || {
        let worker = worker.clone();
        async move { worker.run_due().await.map(drop) }
    }));
    tasks.spawn(every(SWEEP, stop.clone(), move || {
        let (replies, sessions) = (replies.clone(), sessions.clone());
        async move {
            replies.sweep().await?;
            sessions.sweep().await.map(drop)
        }
    }));
    tasks.close();
    tasks
}

/// Does a thing again and again. A failure is logged and tried again at the next turn: the database may be away.
async fn every<F, W>(pause: Duration, stop: CancellationToken, mut work: W)
where
    F: Future<Output = crate::base::Result<()>>,
    W: FnMut() -> F,
{
    let mut turns = tokio::time::interval(pause);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = turns.tick() => {}
        }
        if let Err(error) = work().await {
            tracing::warn!(%error, "background work failed; it is tried again");
        }
    }
}
