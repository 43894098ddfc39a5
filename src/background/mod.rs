//! Everything that happens unasked: the work of the queue, and clearing away what is spent.
//!
//! What is here: when things are done. What is not: what is done (`notify`, `jobs`), and the live part's own timers
//! (`live`), which belong to its connections.

pub mod jobs;

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::{People, Sessions};
use crate::idempotency::Idempotency;
use crate::orders::{Approvals, Confirmations};
use crate::wallet::Wallets;
use crate::webhooks::Webhooks;
pub use jobs::Worker;

/// How often the queue is looked at when nothing wakes it.
const LOOK: Duration = Duration::from_secs(1);
/// How often webhooks are looked for that a crash left without a verdict.
const HEAL: Duration = Duration::from_secs(10);
/// How often is looked for steps whose time to wait for somebody's word is over.
const DUE: Duration = Duration::from_secs(30);
/// How often is cleared away what is over: kept replies, sign-ins, sign-ups nobody has answered, webhooks.
const SWEEP: Duration = Duration::from_secs(600);

/// Starts the tasks; they end soon after `stop`, each after the piece of work it is at.
pub fn start(
    worker: Worker,
    replies: Idempotency,
    (people, sessions): (People, Sessions),
    webhooks: Webhooks,
    (approvals, confirmations): (Approvals, Confirmations),
    wallets: Wallets,
    stop: &CancellationToken,
) -> TaskTracker {
    let tasks = TaskTracker::new();
    let stopped = stop.clone();
    tasks.spawn(every(LOOK, stop.clone(), move || {
        let (worker, stopped) = (worker.clone(), stopped.clone());
        async move {
            while !stopped.is_cancelled() && worker.run_some().await? > 0 {}
            Ok(())
        }
    }));
    tasks.spawn(every(SWEEP, stop.clone(), move || {
        let (replies, people, sessions) = (replies.clone(), people.clone(), sessions.clone());
        async move {
            replies.sweep().await?;
            sessions.sweep().await?;
            people.sweep().await.map(drop)
        }
    }));
    let kept = webhooks.clone();
    tasks.spawn(every(HEAL, stop.clone(), move || {
        let webhooks = webhooks.clone();
        async move { webhooks.heal().await.map(drop) }
    }));
    tasks.spawn(every(SWEEP, stop.clone(), move || {
        let kept = kept.clone();
        async move { kept.sweep().await.map(drop) }
    }));
    tasks.spawn(every(DUE, stop.clone(), move || {
        let (approvals, confirmations) = (approvals.clone(), confirmations.clone());
        async move {
            approvals.sweep().await?;
            confirmations.sweep().await.map(drop)
        }
    }));
    tasks.spawn(every(wallets.terms().release_every, stop.clone(), move || {
        let wallets = wallets.clone();
        async move { wallets.release_due().await.map(drop) }
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
