//! Group commit: callers queue, one task takes whatever waits and answers each; no delay is ever added.
//!
//! While as many groups as may be are at the database the next one gathers, so the busier it is the larger the groups
//! become, and a lone caller waits for nobody.

use std::future::ready;

use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesOrdered, StreamExt as _};
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

/// How much a queue takes.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Most callers that wait; further ones are refused.
    pub room: usize,
    /// Most callers that are answered together.
    pub most: usize,
    /// Groups under way at once.
    pub lanes: usize,
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
    pub fn start<F>(runtime: &Handle, room: usize, most: usize, serve: F) -> Self
    where
        F: FnMut(Vec<Waiting<Q, A>>) -> BoxFuture<'static, ()> + Send + 'static,
    {
        Self::start_lanes(runtime, Size { room, most, lanes: 1 }, serve, |()| ready(()).boxed())
    }

    /// The same with several groups under way at once. What `serve` makes of them is handed to `then` in the order in
    /// which the groups began, whichever ends first.
    pub fn start_lanes<R, F, T>(runtime: &Handle, size: Size, mut serve: F, mut then: T) -> Self
    where
        R: Send + 'static,
        F: FnMut(Vec<Waiting<Q, A>>) -> BoxFuture<'static, R> + Send + 'static,
        T: FnMut(R) -> BoxFuture<'static, ()> + Send + 'static,
    {
        let (queue, mut waiting) = mpsc::channel(size.room);
        let lanes = runtime.clone();
        runtime.spawn(async move {
            let mut under_way = FuturesOrdered::new();
            loop {
                let mut group = Vec::with_capacity(size.most.min(64));
                tokio::select! {
                    biased;
                    // A group that fell over has dropped its answers, which tells its callers.
                    Some(done) = under_way.next() => if let Ok(done) = done { then(done).await },
                    taken = waiting.recv_many(&mut group, size.most), if under_way.len() < size.lanes => {
                        if taken == 0 {
                            break;
                        }
                        under_way.push_back(lanes.spawn(serve(group)));
                    }
                }
            }
            while let Some(done) = under_way.next().await {
                if let Ok(done) = done {
                    then(done).await;
                }
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn groups_under_way_at_once_are_told_of_in_the_order_in_which_they_began() {
        let (ends, began) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (keep, note) = (Arc::clone(&ends), Arc::clone(&began));
        let serve = move |group: Vec<Waiting<u32, u32>>| {
            let (end, ended) = oneshot::channel::<()>();
            note.lock().unwrap().push(group.iter().map(|waiting| waiting.ask).collect::<Vec<_>>());
            keep.lock().unwrap().push(Some(end));
            async move {
                ended.await.unwrap();
                group
            }
            .boxed()
        };
        let then = |group: Vec<Waiting<u32, u32>>| {
            async move {
                for waiting in group {
                    waiting.answer.send(Ok(waiting.ask)).unwrap();
                }
            }
            .boxed()
        };
        let size = Size { room: 8, most: 8, lanes: 2 };
        let queue = Grouped::start_lanes(&Handle::current(), size, serve, then);
        let mut asked: Vec<_> = Vec::new();
        for ask in 0..4 {
            let one = queue.clone();
            asked.push(tokio::spawn(async move { one.ask(ask).await.unwrap() }));
            // One thread runs everything: whatever can begin has begun when it is our turn again.
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(*began.lock().unwrap(), [[0], [1]], "two at once; the others wait");
        let end = |at: usize| ends.lock().unwrap()[at].take().unwrap().send(()).unwrap();
        end(1);
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        assert!(asked.iter().all(|one| !one.is_finished()), "the second waits for the first to be told of");
        end(0);
        assert_eq!((asked.remove(0).await.unwrap(), asked.remove(0).await.unwrap()), (0, 1));
        assert_eq!(began.lock().unwrap()[2..], [[2, 3]], "what gathered meanwhile goes together");
        end(2);
        assert_eq!((asked.remove(0).await.unwrap(), asked.remove(0).await.unwrap()), (2, 3));
    }
}
