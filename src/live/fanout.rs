//! Events of large rooms: gathered where they pile up, joined into one piece, handed out slice by slice.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::event::{Packet, Wire};
use super::member::Delivery;

/// Most bytes joined into one write.
const JOIN_BYTES: usize = 64 * 1024;

/// Some events of a large room on their way to its members.
pub(super) struct Job {
    pub(super) packets: Vec<Arc<Packet>>,
    joined: [Option<Bytes>; 2],
    pub(super) cursor: usize,
    pub(super) done: Vec<Delivery>,
}

impl Job {
    /// Takes what waits and continues each other, up to one write's worth.
    pub(super) fn gather(waiting: &mut VecDeque<Arc<Packet>>, members: usize) -> Self {
        let mut packets: Vec<Arc<Packet>> = Vec::new();
        let mut bytes = 0;
        while let Some(packet) = waiting.front() {
            let follows = packets.last().is_none_or(|last| packet.event.seq == last.event.seq + 1);
            bytes += packet.event.body.len() + 160;
            if !packets.is_empty() && (!follows || bytes > JOIN_BYTES) {
                break;
            }
            packets.extend(waiting.pop_front());
        }
        let done = vec![Delivery { watchers: clamp(members), ..Delivery::default() }; packets.len()];
        Self { packets, joined: [None, None], cursor: members, done }
    }

    /// All of it as one piece in that form.
    pub(super) fn joined(&mut self, wire: Wire) -> Option<Bytes> {
        let slot = match wire {
            Wire::Socket => 0,
            Wire::Stream => 1,
            Wire::Feed | Wire::Nudge => return None,
        };
        let packets = &self.packets;
        let slot = self.joined.get_mut(slot)?;
        Some(slot.get_or_insert_with(|| join(None, packets, wire).0).clone())
    }
}

/// Joins the lead and as many frames as fit into one piece (at least one frame when there is no lead).
pub(super) fn join(lead: Option<&Bytes>, packets: &[Arc<Packet>], wire: Wire) -> (Bytes, usize) {
    if let (None, [only]) = (lead, packets) {
        return (only.frame(wire), 1);
    }
    let mut piece = BytesMut::new();
    piece.extend_from_slice(lead.map_or(&[], |lead| lead));
    let mut taken = 0;
    for packet in packets {
        let full = packet.with_frame(wire, |frame| {
            let full = !piece.is_empty() && piece.len() + frame.len() > JOIN_BYTES;
            if !full {
                piece.extend_from_slice(frame);
            }
            full
        });
        if full {
            break;
        }
        taken += 1;
    }
    (piece.freeze(), taken)
}

/// A count as the receipts carry it.
pub(super) fn clamp(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
