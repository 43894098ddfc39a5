//! One live connection of a worker: its link, what it may see, what it watches.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::Instant;

use super::access::{Caller, Credential, Grant};
use super::feed::FeedSub;
use super::frame;
use super::link::Link;
use super::member::Sub;
use super::protocol::Close;
use super::session::Session;
use crate::base::Secret;
use crate::base::id::{CompanyId, OrderId, SessionId};

/// Which transport a connection uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Native WebSocket.
    Socket,
    /// Server-sent events.
    Stream,
    /// Long poll.
    Poll,
}

/// What is watched under one id of the client's choice.
pub struct Entry {
    /// The client's id.
    pub id: u64,
    /// With which credential.
    pub grant: Grant,
    /// What.
    pub watched: Watched,
}

/// Something watched.
pub enum Watched {
    /// An order; its company is known once its snapshot was read.
    Order {
        /// The membership.
        sub: Rc<Sub>,
        /// The order's company.
        company: Option<CompanyId>,
        /// The last `seq` the client said was seen.
        seen: i64,
    },
    /// The feed.
    Feed(Rc<FeedSub>),
}

impl Entry {
    /// The order watched, if it is one.
    #[must_use]
    pub fn order(&self) -> Option<OrderId> {
        match &self.watched {
            Watched::Order { sub, .. } => Some(sub.order),
            Watched::Feed(_) => None,
        }
    }
}

/// A connection.
pub struct Conn {
    /// Its id, told in `welcome`.
    pub id: SessionId,
    /// Its transport.
    pub kind: Kind,
    /// The way out.
    pub link: Rc<Link>,
    /// The judge of what it says.
    pub session: RefCell<Session>,
    /// What it watches.
    pub entries: RefCell<Vec<Entry>>,
    /// Who signed in.
    pub caller: RefCell<Option<Rc<Caller>>>,
    /// The token it came with, to be checked with its first request.
    pub token: RefCell<Option<Secret>>,
    /// The pass in its address.
    pub url_pass: Option<Secret>,
    /// When it began.
    pub opened: Instant,
    /// Whether anything was heard since the last ping.
    pub heard: Cell<bool>,
    /// A request of it is being carried out; meanwhile nothing is read, so its silence means nothing.
    pub busy: Cell<bool>,
    /// Since when its last message waits to be written.
    pub closing: Cell<Option<Instant>>,
    /// Its place in the worker's table.
    pub slot: Cell<usize>,
}

impl Conn {
    /// Sends a JSON text.
    pub fn say(&self, json: &str) {
        self.link.push_control(&frame::text(json));
    }

    /// Ends the connection with a close code; streams and polls simply end.
    pub fn close(&self, why: Close, reason: &str) {
        self.close_with(why.code(), reason);
    }

    /// Ends the connection with any close code.
    pub fn close_with(&self, code: u16, reason: &str) {
        if self.closing.get().is_none() {
            self.closing.set(Some(Instant::now()));
            let last = match self.kind {
                Kind::Socket => frame::close(code, reason),
                Kind::Stream | Kind::Poll => Bytes::new(),
            };
            self.link.close(&last);
        }
    }

    /// Whether one of these credentials opened anything of it.
    #[must_use]
    pub fn uses(&self, revoked: &dyn Fn(Credential) -> bool) -> bool {
        self.caller.borrow().as_ref().is_some_and(|caller| revoked(caller.grant.credential))
            || self.entries.borrow().iter().any(|entry| revoked(entry.grant.credential))
    }

    /// Why it must end now, if one of its credentials has run out: a login can be renewed, a pass cannot.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> Option<Close> {
        let why = |grant: &Grant| {
            let ended = grant.expires_at.is_some_and(|end| end <= now);
            ended.then_some(match grant.credential {
                Credential::Token(_) | Credential::Login(_) => Close::Expired,
                Credential::Pass(_) => Close::Unauthorised,
            })
        };
        let caller = self.caller.borrow().as_ref().and_then(|caller| why(&caller.grant));
        caller.or_else(|| self.entries.borrow().iter().find_map(|entry| why(&entry.grant)))
    }
}
