//! One event on its way to the watchers: how it crosses the bus, and how it looks on each wire, encoded once.

use std::sync::OnceLock;

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use super::reach::Tally;
use super::{frame, protocol};
use crate::base::id::InstanceId;
use crate::orders::Event;

/// The forms in which an event leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A native WebSocket frame for watchers of the order.
    Socket,
    /// A native WebSocket frame for the `orders` feed.
    Feed,
    /// A server-sent event.
    Stream,
    /// No bytes: the connection is only woken, and reads the log itself.
    Nudge,
}

/// An event shared by all workers of this instance; each wire form is made at most once, by whoever needs it first.
#[derive(Debug)]
pub struct Packet {
    /// The event.
    pub event: Event,
    /// The instance that published it and waits for a receipt; nil when nobody does.
    pub origin: InstanceId,
    /// How it goes here, added up over the workers.
    pub tally: Tally,
    frames: [OnceLock<Bytes>; 3],
}

impl Packet {
    /// An event nobody waits for a receipt of: read back from the log.
    #[must_use]
    pub fn new(event: Event) -> Self {
        Self::from(event, InstanceId(Uuid::nil()))
    }

    /// An event published by `origin`.
    #[must_use]
    pub fn from(event: Event, origin: InstanceId) -> Self {
        Self { event, origin, tally: Tally::default(), frames: Default::default() }
    }

    /// Whether it was read from the log, and did not come as it happened.
    #[must_use]
    pub fn is_from_log(&self) -> bool {
        self.origin.0.is_nil()
    }

    /// The event in that form; empty for [`Wire::Nudge`].
    #[must_use]
    pub fn frame(&self, wire: Wire) -> Bytes {
        self.with_frame(wire, Bytes::clone)
    }

    /// The same without a new reference, for writing at once.
    pub fn with_frame<T>(&self, wire: Wire, write: impl FnOnce(&Bytes) -> T) -> T {
        let [socket, feed, stream] = &self.frames;
        let slot = match wire {
            Wire::Socket => socket,
            Wire::Feed => feed,
            Wire::Stream => stream,
            Wire::Nudge => return write(&Bytes::new()),
        };
        write(slot.get_or_init(|| encode(&self.event, wire)))
    }

    /// The bus payload: 16 bytes each of order, company, event and origin, 8 bytes `seq` (big-endian), one byte length
    /// of the number and the number, then the customer's event as JSON.
    #[must_use]
    pub fn to_bus(event: &Event, origin: InstanceId) -> Bytes {
        let number = &event.number.as_bytes()[..event.number.floor_char_boundary(255)];
        let mut out = BytesMut::with_capacity(73 + number.len() + event.body.len());
        for id in [event.order.bytes(), event.company.bytes(), event.id.bytes(), origin.bytes()] {
            out.put_slice(id);
        }
        out.put_i64(event.seq);
        out.put_u8(u8::try_from(number.len()).unwrap_or(u8::MAX));
        out.put_slice(number);
        out.put_slice(event.body.as_bytes());
        out.freeze()
    }

    /// Reads a bus payload; `None` when it is not one of ours.
    #[must_use]
    pub fn from_bus(payload: &[u8]) -> Option<Self> {
        let id = |at: usize| Uuid::from_slice(payload.get(at..at + 16)?).ok();
        let seq = i64::from_be_bytes(payload.get(64..72)?.try_into().ok()?);
        let end = 73 + usize::from(*payload.get(72)?);
        let number = std::str::from_utf8(payload.get(73..end)?).ok()?.to_owned();
        let body = std::str::from_utf8(payload.get(end..)?).ok()?.to_owned();
        let event = Event { order: id(0)?.into(), company: id(16)?.into(), id: id(32)?.into(), seq, number, body };
        Some(Self::from(event, id(48)?.into()))
    }
}

fn encode(event: &Event, wire: Wire) -> Bytes {
    match wire {
        Wire::Socket => frame::text(&protocol::event(event.order, event.seq, &event.body)),
        Wire::Feed => frame::text(&protocol::feed_event(event)),
        Wire::Stream => Bytes::from(format!("id: {}\nevent: order\ndata: {}\n\n", event.seq, event.body)),
        Wire::Nudge => Bytes::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{CompanyId, EventId, OrderId};

    fn event() -> Event {
        Event {
            order: OrderId::new(),
            company: CompanyId::new(),
            id: EventId::new(),
            seq: 42,
            number: "MB1031".into(),
            body: r#"{"seq":42,"type":"status_changed"}"#.into(),
        }
    }

    #[test]
    fn an_event_crosses_the_bus_unchanged_and_noise_is_no_event() {
        let (event, origin) = (event(), InstanceId::new());
        let payload = Packet::to_bus(&event, origin);
        let back = Packet::from_bus(&payload).unwrap();
        assert_eq!((&back.event, back.origin), (&event, origin));
        for cut in [0, 15, 63, 72, 75] {
            assert!(Packet::from_bus(&payload[..cut]).is_none(), "{cut} bytes");
        }
    }

    #[test]
    fn each_wire_form_is_made_once() {
        let packet = Packet::new(event());
        for wire in [Wire::Socket, Wire::Feed, Wire::Stream] {
            assert_eq!(packet.frame(wire).as_ptr(), packet.frame(wire).as_ptr(), "{wire:?}");
        }
        assert_eq!(
            &packet.frame(Wire::Stream)[..],
            b"id: 42\nevent: order\ndata: {\"seq\":42,\"type\":\"status_changed\"}\n\n"
        );
        let socket = packet.frame(Wire::Socket);
        let payload = |frame: &Bytes| -> serde_json::Value {
            let at = frame.iter().position(|byte| *byte == b'{').unwrap();
            serde_json::from_slice(&frame[at..]).unwrap()
        };
        let json = payload(&socket);
        assert_eq!((&json["type"], &json["event"]["seq"]), (&"event".into(), &42.into()));
        let feed = payload(&packet.frame(Wire::Feed));
        assert_eq!((&feed["feed"], &feed["number"]), (&"orders".into(), &"MB1031".into()));
    }
}
