//! What a client asks for that needs the world: watching, signing in, telling that something was seen.

use std::rc::Rc;

use super::access::{Denied, Grant};
use super::conn::{Conn, Entry, Kind, Watched};
use super::event::Wire;
use super::feed::{OVERLAP_MS, earlier};
use super::frame;
use super::hub::packets;
use super::member::{Next, Sub};
use super::protocol::{self, Close, Inbound, Problem, Since, Wanted};
use super::reading::PAGE;
use super::topics::Place;
use super::worker::Worker;
use crate::base::Secret;
use crate::base::id::{EventId, OrderId};
use crate::orders::{Event, Snapshot};

const TOO_MANY: Problem =
    Problem::lasting("too_many_subscriptions", "This connection watches as many orders as one may. Unsubscribe first.");

impl Worker {
    /// Does what a client asked, and answers.
    pub async fn ask(self: &Rc<Self>, conn: &Rc<Conn>, asked: Inbound) {
        if !self.sign_in_with_address(conn).await {
            return;
        }
        match asked {
            Inbound::Subscribe { id, what, since } => {
                if let Err(problem) = self.subscribe(conn, id, what, since).await {
                    conn.say(&protocol::error(Some(id), &problem));
                }
            }
            Inbound::Unsubscribe { id } => {
                if self.unwatch(conn, |entry| entry.id == id) {
                    conn.say(&protocol::unsubscribed(id));
                } else {
                    let problem = Problem::lasting("unknown_subscription", "There is no subscription of this id.");
                    conn.say(&protocol::error(Some(id), &problem));
                }
            }
            Inbound::Seen { order, seq } => self.seen(conn, order, seq),
            Inbound::Auth { token } => {
                if self.sign_in(conn, &token).await {
                    conn.say(protocol::authenticated());
                }
            }
            Inbound::Ping => conn.say(protocol::pong()),
        }
    }

    /// Checks the token a connection came with, once, before its first request.
    async fn sign_in_with_address(&self, conn: &Conn) -> bool {
        let token = conn.token.borrow_mut().take();
        match token {
            Some(token) => self.sign_in(conn, &token).await,
            None => true,
        }
    }

    async fn sign_in(&self, conn: &Conn, token: &Secret) -> bool {
        match self.live.access().token(token).await {
            Ok(caller) => {
                *conn.caller.borrow_mut() = Some(Rc::new(caller));
                true
            }
            Err(denied) => {
                conn.say(&protocol::error(None, &denied.problem()));
                if denied != Denied::Unavailable {
                    self.end(conn, Close::Unauthorised, "the token is not valid");
                }
                false
            }
        }
    }

    async fn subscribe(self: &Rc<Self>, conn: &Rc<Conn>, id: u64, what: Wanted, since: Since) -> Result<(), Problem> {
        let access = self.live.access();
        let caller = conn.caller.borrow().clone();
        let signed_in = || caller.clone().ok_or(Denied::Forbidden.problem());
        let (order, grant) = match what {
            Wanted::Pass(pass) => access.pass(&pass).await.map_err(Denied::problem)?,
            Wanted::UrlPass => match &conn.url_pass {
                Some(pass) => access.pass(pass).await.map_err(Denied::problem)?,
                None => {
                    let message = "`subscribe` takes exactly one of `pass`, `order`, `feed`.";
                    return Err(Problem::lasting("bad_message", message));
                }
            },
            Wanted::Order(text) => {
                let caller = signed_in()?;
                (access.order(&caller, &text).await.map_err(Denied::problem)?, caller.grant)
            }
            Wanted::Feed => {
                let caller = signed_in()?;
                caller.require_read().map_err(Denied::problem)?;
                return self.subscribe_feed(conn, id, caller.company(), caller.grant, since).await;
            }
        };
        let since = match since {
            Since::Seq(seq) => Some(seq),
            Since::Nothing | Since::Event(_) => None,
        };
        let watch = self.watch(conn, id, order, grant, since).await?;
        let replayed = watch.snapshot.seq - watch.sub.position();
        let lead = frame::text(&protocol::subscribed(id, &watch.snapshot.body, watch.snapshot.seq, replayed));
        let next = self.hub.history(&watch.sub, packets(watch.missed), watch.complete, Some(lead));
        if next == Next::Read {
            self.read_on(watch.sub);
        }
        Ok(())
    }

    /// Puts the connection into the order's room first, then reads where the order stands and what was missed.
    pub(super) async fn watch(
        self: &Rc<Self>,
        conn: &Rc<Conn>,
        id: u64,
        order: OrderId,
        grant: Grant,
        since: Option<i64>,
    ) -> Result<Watch, Problem> {
        self.unwatch(conn, |entry| entry.id == id || entry.order() == Some(order));
        if conn.entries.borrow().len() >= self.live.settings().max_subscriptions {
            return Err(TOO_MANY);
        }
        let wire = match conn.kind {
            Kind::Socket => Wire::Socket,
            Kind::Stream => Wire::Stream,
            Kind::Poll => Wire::Nudge,
        };
        let sub = self.hub.join(order, Rc::clone(&conn.link), wire, since.unwrap_or(0));
        let watched = Watched::Order { sub: Rc::clone(&sub), company: None, seen: 0 };
        {
            let mut entries = conn.entries.borrow_mut();
            // Nearly all connections watch one order: no room for four.
            entries.reserve_exact(1);
            entries.push(Entry { id, grant, watched });
        }
        let read = self.read_start(&sub, since).await;
        match read {
            Ok((snapshot, missed, complete)) => {
                self.note_company(conn, &sub, &snapshot);
                Ok(Watch { sub, snapshot, missed, complete })
            }
            Err(error) => {
                self.unwatch(conn, |entry| entry.id == id);
                Err(Denied::from(error).problem())
            }
        }
    }

    async fn read_start(&self, sub: &Sub, since: Option<i64>) -> crate::base::Result<(Snapshot, Vec<Event>, bool)> {
        self.live.topics().join(Place::Order(sub.order), self.index).await;
        let timeline = self.live.timeline();
        let snapshot = timeline.snapshot(sub.order).await?;
        let position = since.map_or(snapshot.seq, |since| since.min(snapshot.seq));
        sub.skip_to(position);
        if position == snapshot.seq {
            return Ok((snapshot, Vec::new(), true));
        }
        let missed = timeline.events_since(sub.order, position, PAGE).await?;
        let complete = missed.len() < PAGE;
        Ok((snapshot, missed, complete))
    }

    fn note_company(&self, conn: &Conn, joined: &Rc<Sub>, snapshot: &Snapshot) {
        for entry in conn.entries.borrow_mut().iter_mut() {
            if let Watched::Order { sub, company, .. } = &mut entry.watched
                && Rc::ptr_eq(sub, joined)
            {
                *company = Some(snapshot.company);
                self.live.presence().watch(snapshot.order, snapshot.company, true);
            }
        }
    }

    async fn subscribe_feed(
        self: &Rc<Self>,
        conn: &Rc<Conn>,
        id: u64,
        company: Option<crate::base::id::CompanyId>,
        grant: Grant,
        since: Since,
    ) -> Result<(), Problem> {
        self.unwatch(conn, |entry| entry.id == id || entry.order().is_none());
        if conn.entries.borrow().len() >= self.live.settings().max_subscriptions {
            return Err(TOO_MANY);
        }
        // Made before the join: no event published after it can have an id much lower.
        let position = EventId::new();
        let since = match since {
            Since::Event(event) => Some(event),
            Since::Nothing | Since::Seq(_) => None,
        };
        let sub = self.feed.join(company, Rc::clone(&conn.link), since.unwrap_or(position));
        conn.entries.borrow_mut().push(Entry { id, grant, watched: Watched::Feed(Rc::clone(&sub)) });
        let first = self.live.topics().join(Place::Feed, self.index).await;
        self.live.feed_joined(first, position);
        let mut missed = Vec::new();
        if let Some(since) = since {
            let from = earlier(since, OVERLAP_MS);
            match self.live.timeline().feed_since(company, from, PAGE).await {
                Ok(events) => missed = events,
                Err(error) => {
                    self.unwatch(conn, |entry| entry.id == id);
                    return Err(Denied::from(error).problem());
                }
            }
        }
        let complete = missed.len() < PAGE;
        missed.retain(|event| Some(event.id) != since);
        // Until what was missed has come, whoever resumes is where it was.
        conn.say(&protocol::subscribed_feed(id, since.unwrap_or(position), missed.len()));
        if self.feed.history(&sub, &packets(missed), complete) == Next::Read {
            self.read_feed_on(sub);
        }
        for (order, count) in self.live.presence().totals(company) {
            conn.say(&protocol::watchers(order, count));
        }
        Ok(())
    }

    fn seen(&self, conn: &Conn, order: OrderId, seq: i64) {
        for entry in conn.entries.borrow_mut().iter_mut() {
            if let Watched::Order { sub, company: Some(company), seen } = &mut entry.watched
                && sub.order == order
                && seq > *seen
                && seq <= sub.position()
            {
                *seen = seq;
                self.live.presence().seen(order, *company, seq);
            }
        }
    }

    /// Ends the watching of the entries that match; `true` when there was one.
    pub(super) fn unwatch(&self, conn: &Conn, matches: impl Fn(&Entry) -> bool) -> bool {
        let mut found = false;
        loop {
            let entry = {
                let mut entries = conn.entries.borrow_mut();
                let at = entries.iter().position(&matches);
                at.map(|at| entries.remove(at))
            };
            match entry {
                Some(entry) => self.stop_watching(entry),
                None => return found,
            }
            found = true;
        }
    }

    /// Takes what was watched out of its room.
    pub(super) fn stop_watching(&self, entry: Entry) {
        match entry.watched {
            Watched::Order { sub, company, .. } => {
                if let Some(company) = company {
                    self.live.presence().watch(sub.order, company, false);
                }
                if self.hub.leave(&sub) {
                    self.live.topics().leave(Place::Order(sub.order), self.index);
                }
            }
            Watched::Feed(sub) => {
                if self.feed.leave(&sub) {
                    self.live.topics().leave(Place::Feed, self.index);
                }
            }
        }
    }
}

/// A watching that has begun.
pub(super) struct Watch {
    pub(super) sub: Rc<Sub>,
    pub(super) snapshot: Snapshot,
    /// What happened after the position asked for, up to one page.
    pub(super) missed: Vec<Event>,
    /// Whether that is all.
    pub(super) complete: bool,
}
