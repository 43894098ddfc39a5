//! Group commit: callers queue, one task takes whatever waits and answers each; no delay is ever added.
//!
//! While one group is at the database the next one gathers, so the busier it is the larger the groups become, and a
//! lone caller waits for nobody.

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::base::{Error, Result};

/// A question and where its answer goes.
pub struct Waiting<Q, A> {
    /// What was asked.
    pub ask: Q,
    /// Where the answer goes; dropped without one, the caller gets `Unavailable`.
    pub answer: oneshot::Sender<Result<A>>,
}

/// A queue of questions answered in groups. Cheap to clone; the task ends with its last clone.
pub struct Grouped<Q, A> {
    queue: mpsc::Sender<Waiting<Q, A>>,
}

impl<Q, A> Clone for Grouped<Q, A> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<Q: Send + 'static, A: Send + 'static> Grouped<Q, A> {
    /// Starts the task. At most `room` callers wait; at most `most` are answered together, by `serve`, one group at a time.
    pub fn start<F>(runtime: &Handle, room: usize, most: usize, mut serve: F) -> Self
    where
        F: FnMut(Vec<Waiting<Q, A>>) -> BoxFuture<'static, ()> + Send + 'static,
    {
        let (queue, mut waiting) = mpsc::channel(room);
        runtime.spawn(async move {
            loop {
                let mut group = Vec::with_capacity(most.min(64));
                if waiting.recv_many(&mut group, most).await == 0 {
                    return;
                }
                serve(group).await;
            }
        });
        Self { queue }
    }

    /// Asks, and waits for the answer. What was asked is done even when the caller goes away meanwhile.
    ///
    /// # Errors
    /// `Unavailable` at once when too many wait already; else what the group's task says.
    pub async fn ask(&self, ask: Q) -> Result<A> {
        let (answer, answered) = oneshot::channel();
        let full = |_| Error::Unavailable("The database is too busy; it".into(), None);
        self.queue.try_send(Waiting { ask, answer }).map_err(full)?;
        answered.await.map_err(|_| Error::Unavailable("The database".into(), None))?
    }
}
