//! The bus contract: bytes on topics, between instances; at most once, in order per topic and publisher.
//!
//! The bus is only the fast copy of the event log. It may lose a message; every reader of it can tell by `seq` and heal
//! itself from the database. Two real back ends: [`LocalBus`] inside the process (the default) and [`RedisBus`].

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::base::Result;

mod address;
pub mod local;
mod redis;
mod remote;
pub mod settings;
mod slots;
mod topics;

pub use local::LocalBus;
pub use remote::RedisBus;
pub use settings::RedisSettings;

/// Where a message goes. Short ASCII text such as `order:<uuid>`; back ends may add a prefix of their own.
pub type Topic = Arc<str>;

/// What an instance does with messages. Called on the bus's own task: it must be quick and must never block.
pub trait Listener: Send + Sync + 'static {
    /// One message of a joined topic.
    fn message(&self, topic: &str, payload: Bytes);

    /// Messages of joined topics that came at once, in their order: whoever passes them on may wake others once for all.
    fn messages(&self, messages: &mut dyn Iterator<Item = (&str, &Bytes)>) {
        messages.for_each(|(topic, payload)| self.message(topic, payload.clone()));
    }

    /// Messages may have been lost until now (the link came up, for the first time or again, and every topic asked for
    /// is joined): compare every local position with the log. As quick as `message`: hand the work to a task.
    fn resumed(&self);
}

/// A link of one instance to all others.
pub trait Bus: Send + Sync + 'static {
    /// Names the one listener of this instance. Called once, before anything is joined.
    fn listen(&self, listener: Arc<dyn Listener>);

    /// Publishes the messages in this order; says for each how many instances (this one included) it was sent to.
    /// At most once: an error means that some may have gone out and some not.
    fn publish(&self, messages: Vec<(Topic, Bytes)>) -> BoxFuture<'_, Result<Vec<u32>>>;

    /// Joins the topics. Resolves when everything published from then on reaches the listener. While the link is down
    /// it resolves at once with an error, and the topics are joined as soon as the link is back.
    fn join(&self, topics: Vec<Topic>) -> BoxFuture<'_, Result<()>>;

    /// Leaves the topics. Messages under way may still arrive.
    fn leave(&self, topics: Vec<Topic>);

    /// Whether messages flow right now; for `/readyz` and metrics.
    fn is_up(&self) -> bool;
}
