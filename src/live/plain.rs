//! Watching over plain HTTP: what an SSE stream begins with, and what a long poll answers.

use std::fmt::Write as _;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;

use super::access::Grant;
use super::conn::Conn;
use super::hub::packets;
use super::member::Next;
use super::protocol::Problem;
use super::requests::Watch;
use super::worker::Worker;
use crate::base::id::OrderId;
use crate::orders::{Event, Snapshot};

/// The body of a poll's answer and of the first frame of a stream: `{"order":{snapshot},"seq":n,"events":[…]}`. `seq` is
/// where to go on from: that of the last event told, which is behind the snapshot when not all of them were.
#[must_use]
pub fn snapshot_json(snapshot: &Snapshot, events: &[Event]) -> String {
    let seq = events.last().map_or(snapshot.seq, |last| last.seq);
    let mut text = format!(r#"{{"order":{},"seq":{seq},"events":["#, snapshot.body);
    for (n, event) in events.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        write!(text, "{comma}{}", event.body).unwrap_or_default();
    }
    text.push_str("]}");
    text
}

impl Worker {
    /// Begins a stream: joins the room, then sends the snapshot with what was missed, then live events.
    ///
    /// # Errors
    /// Why the order cannot be watched; nothing was sent.
    pub async fn start_stream(
        self: &Rc<Self>,
        conn: &Rc<Conn>,
        order: OrderId,
        grant: Grant,
        since: Option<i64>,
    ) -> Result<(), Problem> {
        let Watch { sub, snapshot, mut missed, complete } = self.watch(conn, 0, order, grant, since).await?;
        let rest = missed.split_off(missed.partition_point(|event| event.seq <= snapshot.seq));
        if let Some(last) = missed.last() {
            sub.skip_to(last.seq);
        }
        let body = snapshot_json(&snapshot, &missed);
        let lead = Bytes::from(format!("event: snapshot\nid: {}\ndata: {body}\n\n", sub.position()));
        if self.hub.history(&sub, packets(rest), complete, Some(lead)) == Next::Read {
            self.read_on(sub);
        }
        Ok(())
    }

    /// Answers a long poll: at once when something happened after `since`, else with the next event, or with nothing
    /// new after `wait`. Of much that happened it tells the first page; the rest is asked for from there. `bell` is where the connection's sink keeps whom to wake.
    ///
    /// # Errors
    /// Why the order cannot be watched.
    pub async fn answer_poll(
        self: &Rc<Self>,
        conn: &Rc<Conn>,
        order: OrderId,
        grant: Grant,
        since: Option<i64>,
        wait: Duration,
        bell: impl Fn(&Waker),
    ) -> Result<String, Problem> {
        let Watch { sub, mut snapshot, mut missed, .. } = self.watch(conn, 0, order, grant, since).await?;
        if since == Some(snapshot.seq) && missed.is_empty() {
            let rung = std::future::poll_fn(|context| {
                bell(context.waker());
                let is_over = sub.position() > snapshot.seq || !conn.link.is_open();
                if is_over { Poll::Ready(()) } else { Poll::Pending }
            });
            if tokio::time::timeout(wait, rung).await.is_ok() {
                let position = snapshot.seq;
                (snapshot, missed) = self.read_again(order, position).await?;
            }
        }
        missed.retain(|event| event.seq <= snapshot.seq);
        Ok(snapshot_json(&snapshot, &missed))
    }

    async fn read_again(&self, order: OrderId, since: i64) -> Result<(Snapshot, Vec<Event>), Problem> {
        let timeline = self.live.timeline();
        let read = async {
            let snapshot = timeline.snapshot(order).await?;
            Ok((snapshot, timeline.events_since(order, since, super::reading::PAGE).await?))
        };
        read.await.map_err(|error: crate::base::Error| super::access::Denied::from(error).problem())
    }
}
