//! The in-process bus: what a single instance uses, and what several instances of one process can share.
//!
//! Publishing calls the listeners directly, on the publisher's own task: nothing is queued, so nothing grows. No lock
//! is held meanwhile, so a listener may join and leave from within.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{Bus, Listener, Topic};
use crate::base::Result;

/// What the endpoints share. Cheap to clone.
#[derive(Clone, Default)]
pub struct LocalBus {
    rooms: Arc<RwLock<HashMap<Topic, Room>>>,
}

/// Replaced as a whole when somebody comes or goes, so that a publisher can walk it without a lock.
type Room = Arc<[Arc<Member>]>;

#[derive(Default)]
struct Member {
    listener: OnceLock<Arc<dyn Listener>>,
}

/// One instance's link to a [`LocalBus`]. Dropped, it leaves everything it had joined.
pub struct LocalEndpoint {
    bus: LocalBus,
    member: Arc<Member>,
}

impl LocalBus {
    /// A bus nobody is linked to yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A further link, with a listener of its own.
    #[must_use]
    pub fn endpoint(&self) -> LocalEndpoint {
        LocalEndpoint { bus: self.clone(), member: Arc::default() }
    }

    /// Hands each member its messages in one call; says for each message how many members it was for.
    fn send(&self, messages: &[(Topic, Bytes)]) -> Vec<u32> {
        let rooms: Vec<Option<Room>> = {
            let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner);
            messages.iter().map(|(topic, _)| rooms.get(topic).cloned()).collect()
        };
        let is_in = |room: &Room, member| room.iter().any(|other| Arc::ptr_eq(other, member));
        let mut members: Vec<&Arc<Member>> = Vec::new();
        for member in rooms.iter().flatten().flat_map(|room| room.iter()) {
            if !members.iter().any(|known| Arc::ptr_eq(known, member)) {
                members.push(member);
            }
        }
        for member in members {
            let Some(listener) = member.listener.get() else { continue };
            let theirs =
                messages.iter().zip(&rooms).filter(|(_, room)| room.as_ref().is_some_and(|room| is_in(room, member)));
            listener.messages(&mut theirs.map(|((topic, payload), _)| (&**topic, payload)));
        }
        rooms.iter().map(|room| room.as_ref().map_or(0, |room| u32::try_from(room.len()).unwrap_or(u32::MAX))).collect()
    }

    fn forget(&self, member: &Arc<Member>) {
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        rooms.retain(|_, room| {
            if room.iter().any(|other| Arc::ptr_eq(other, member)) {
                *room = room.iter().filter(|other| !Arc::ptr_eq(other, member)).cloned().collect();
            }
            !room.is_empty()
        });
    }
}

impl Bus for LocalEndpoint {
    fn listen(&self, listener: Arc<dyn Listener>) {
        if self.member.listener.set(listener).is_err() {
            tracing::error!("the bus has a listener already; the second one is ignored");
        }
    }

    fn publish(&self, messages: Vec<(Topic, Bytes)>) -> BoxFuture<'_, Result<Vec<u32>>> {
        Box::pin(async move { Ok(self.bus.send(&messages)) })
    }

    fn join(&self, topics: Vec<Topic>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let mut rooms = self.bus.rooms.write().unwrap_or_else(PoisonError::into_inner);
            for topic in topics {
                let room = rooms.entry(topic).or_default();
                if !room.iter().any(|other| Arc::ptr_eq(other, &self.member)) {
                    *room = room.iter().chain([&self.member]).cloned().collect();
                }
            }
            Ok(())
        })
    }

    fn leave(&self, topics: Vec<Topic>) {
        let mut rooms = self.bus.rooms.write().unwrap_or_else(PoisonError::into_inner);
        for topic in topics {
            let Some(room) = rooms.get_mut(&topic) else { continue };
            *room = room.iter().filter(|other| !Arc::ptr_eq(other, &self.member)).cloned().collect();
            if room.is_empty() {
                rooms.remove(&topic);
            }
        }
    }

    fn is_up(&self) -> bool {
        true
    }
}

impl Drop for LocalEndpoint {
    fn drop(&mut self) {
        self.bus.forget(&self.member);
    }
}
