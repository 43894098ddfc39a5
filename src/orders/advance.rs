//! THE ONE DOOR, its thinking half: what a wished change does to an order. Pure; `commit` makes it last.

use jiff::Timestamp;
use serde::Serialize;

use super::commit::Reach;
use super::details::Details;
use super::model::{Estimate, Event, EventBody, Order};
use super::policy;
use super::status::{Move, Rules, Status};
use super::workflow::ways::Ways;
use super::workflow::{Gate, Held, Leave};
use crate::base::id::EventId;
use crate::base::{Actor, Error, Result};
use crate::wallet::Credited;

/// A wished change. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are the order's")]
pub struct Change {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Refuse unless the order's newest event has this number: nobody else changed it meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_seq: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// Made from carrier and number when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_delivery: Option<Estimate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancellation_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipment_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipment_reason: Option<String>,
    /// An admin's leave to take back money that the vendor has had paid out already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_negative: bool,
    /// What else is known of the order. The audit trail names these fields only: most are a person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Details>>,
    /// The word that this very move has waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave: Option<Leave>,
}

/// What became of a change.
#[derive(Clone, Debug)]
pub struct Advanced {
    /// The order as it stands now.
    pub order: Order,
    /// The event that was written; `None` when the order was so already.
    pub event: Option<Event>,
    /// The status before.
    pub previous_status: Status,
    /// Who is watching and got it.
    pub reach: Reach,
    /// Things that look wrong but were accepted, in words.
    pub warnings: Vec<String>,
    /// What the change has brought the vendor, when the order was delivered by it.
    pub credited: Option<Credited>,
    /// The move that waits for somebody's word now, when the step asks for one: nothing else was changed then.
    pub held: Option<Box<Held>>,
}

/// The outcome of thinking a change through.
pub(super) enum Decision {
    /// The order is so already; nothing is written.
    Same,
    /// The move waits for somebody's word.
    Held(Gate),
    /// The order after the change, and its event.
    Changed {
        order: Box<Order>,
        event: Event,
        /// `override` in the audit row.
        is_override: bool,
    },
}

/// Longest accepted texts, in characters.
const LIMITS: [(&str, usize); 7] = [
    ("carrier", 100),
    ("tracking_number", 100),
    ("tracking_url", 2000),
    ("notes", 2000),
    ("cancellation_reason", 1000),
    ("shipment_status", 64),
    ("shipment_reason", 128),
];

/// Thinks a change through.
///
/// # Errors
/// `NotFound` when the actor may not see the order, `Conflict` when it has moved on, `Invalid` when a rule is broken.
pub(super) fn decide(order: &Order, actor: &Actor, change: &Change, ways: &Ways, now: Timestamp) -> Result<Decision> {
    if !policy::may_touch(actor, order) {
        return Err(Error::NotFound("Order"));
    }
    change.check()?;
    check_position(order, change)?;
    let is_override = match judge_status(order, actor, change, ways, now)? {
        Some(Move::Go { is_override }) => is_override,
        Some(Move::Held(gate)) => return Ok(Decision::Held(gate)),
        // The word came again, or the order got there by another door: what was wished for along with it is over.
        Some(Move::Same) if change.leave.is_some() => return Ok(Decision::Same),
        _ => false,
    };
    let mut next = order.clone();
    change.apply_to(&mut next, now);
    if next == *order {
        return Ok(Decision::Same);
    }
    next.seq += 1;
    next.updated_at = now;
    let event = event_of(order, &next, change, now)?;
    Ok(Decision::Changed { order: Box::new(next), event, is_override })
}

fn check_position(order: &Order, change: &Change) -> Result<()> {
    match change.expected_seq {
        Some(expected) if expected != order.seq => {
            let message = format!(
                "The order has moved on: it is at seq {} ({}), not {expected}. Read it again and decide anew.",
                order.seq, order.status
            );
            Err(Error::conflict("seq_mismatch", message))
        }
        _ => Ok(()),
    }
}

fn judge_status(order: &Order, actor: &Actor, change: &Change, ways: &Ways, now: Timestamp) -> Result<Option<Move>> {
    let Some(to) = change.status else { return Ok(None) };
    let rules = Rules::from(actor);
    let verdict = ways.judge(order, actor, change, to, now)?;
    if let Move::Refused { allowed } = &verdict {
        return Err(Error::invalid_field("status", "transition_refused", refusal(order.status, to, allowed)));
    }
    // A webhook tells what has happened in the shop already: there is nobody to fill in what its system does not know.
    // Nor is there for a move that was asked for earlier.
    let is_asked = rules == Rules::Token && !matches!(actor, Actor::Webhook { .. }) && change.leave.is_none();
    if verdict != Move::Same && is_asked {
        required(to == Status::Shipped && change.carrier.is_none() && order.carrier.is_none(), "carrier", to)?;
        required(to == Status::Cancelled && change.cancellation_reason.is_none(), "cancellation_reason", to)?;
    }
    Ok(Some(verdict))
}

/// The sentence of reference/003, word for word.
fn refusal(from: Status, to: Status, allowed: &[Status]) -> String {
    let upper = |status: &Status| status.code().to_ascii_uppercase();
    let allowed =
        if allowed.is_empty() { "none".into() } else { allowed.iter().map(upper).collect::<Vec<_>>().join(", ") };
    let (from, to) = (upper(&from), upper(&to));
    format!("Invalid status transition. Cannot change from {from} to {to}. Allowed transitions: {allowed}")
}

fn required(is_missing: bool, field: &'static str, status: Status) -> Result<()> {
    if is_missing {
        let code = if field == "carrier" { "carrier_required" } else { "cancellation_reason_required" };
        return Err(Error::invalid_field(field, code, format!("{field} is required for status {status}")));
    }
    Ok(())
}

impl Change {
    /// Checks every field by itself, whatever the order.
    ///
    /// # Errors
    /// `Invalid` that names the field and its rule.
    pub fn check(&self) -> Result<()> {
        self.details.as_ref().map_or(Ok(()), |details| details.check())?;
        let texts = [
            &self.carrier,
            &self.tracking_number,
            &self.tracking_url,
            &self.notes,
            &self.cancellation_reason,
            &self.shipment_status,
            &self.shipment_reason,
        ];
        for (text, (field, most)) in texts.into_iter().zip(LIMITS) {
            check_text(text.as_deref(), field, most)?;
        }
        match self.tracking_url.as_deref().map(url::Url::parse) {
            None => Ok(()),
            Some(Ok(url)) if matches!(url.scheme(), "http" | "https") => Ok(()),
            Some(_) => Err(Error::invalid_field(
                "tracking_url",
                "bad_url",
                "tracking_url must be an address that begins with https:// or http://",
            )),
        }
    }

    fn apply_to(&self, order: &mut Order, now: Timestamp) {
        let keep = |slot: &mut Option<String>, wish: &Option<String>| {
            if wish.is_some() {
                slot.clone_from(wish);
            }
        };
        let parcel_before = (order.carrier.clone(), order.tracking_number.clone());
        keep(&mut order.carrier, &self.carrier);
        keep(&mut order.tracking_number, &self.tracking_number);
        keep(&mut order.notes, &self.notes);
        keep(&mut order.cancellation_reason, &self.cancellation_reason);
        keep(&mut order.shipment_status, &self.shipment_status);
        keep(&mut order.shipment_reason, &self.shipment_reason);
        if self.tracking_url.is_some() {
            order.tracking_url.clone_from(&self.tracking_url);
        } else if parcel_before != (order.carrier.clone(), order.tracking_number.clone()) {
            order.tracking_url = order.parcel_page();
        }
        if let Some(details) = &self.details {
            details.apply_to(order);
        }
        if let Some(estimate) = self.estimated_delivery {
            set_estimate(order, estimate);
        }
        if let Some(status) = self.status {
            set_status(order, status, now);
        }
    }
}

/// Refuses control characters (line ends are fine) and texts over their length.
pub(super) fn check_text(text: Option<&str>, field: &'static str, most: usize) -> Result<()> {
    let Some(text) = text else { return Ok(()) };
    if text.chars().count() > most {
        return Err(Error::invalid_field(field, "too_long", format!("{field} may have at most {most} characters")));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Error::invalid_field(
            field,
            "bad_characters",
            format!("{field} must not contain control characters"),
        ));
    }
    Ok(())
}

fn set_estimate(order: &mut Order, estimate: Estimate) {
    if order.estimated_delivery.is_some_and(|before| before != estimate) && order.original_estimated_delivery.is_none()
    {
        order.original_estimated_delivery = order.estimated_delivery;
    }
    order.estimated_delivery = Some(estimate);
}

fn set_status(order: &mut Order, status: Status, now: Timestamp) {
    if status == order.status {
        return;
    }
    order.status = status;
    match status {
        Status::Shipped => order.shipped_at = order.shipped_at.or(Some(now)),
        Status::Delivered => order.delivered_at = Some(now),
        // An admin moved it back: it has not been delivered after all.
        Status::Returned | Status::Cancelled => {}
        _ => order.delivered_at = None,
    }
}

fn event_of(before: &Order, after: &Order, change: &Change, now: Timestamp) -> Result<Event> {
    let has_moved = before.status != after.status;
    let body = EventBody {
        seq: after.seq,
        kind: if has_moved { "status_changed" } else { "details_changed" }.to_owned(),
        status: after.status,
        previous_status: has_moved.then_some(before.status),
        carrier: after.carrier.clone(),
        tracking_number: after.tracking_number.clone(),
        tracking_url: after.tracking_url.clone(),
        estimated_delivery: after.estimated_delivery,
        shipment_status: after.shipment_status.clone(),
        note: change.notes.clone().or_else(|| change.cancellation_reason.clone()),
        occurred_at: now,
    };
    event(after, &body)
}

/// The event of an order as it stands, its body written once for every client.
pub(super) fn event(order: &Order, body: &EventBody) -> Result<Event> {
    Ok(Event {
        order: order.id,
        company: order.company,
        number: order.number.clone(),
        id: EventId::new(),
        seq: order.seq,
        body: serde_json::to_string(body).map_err(Error::internal)?,
    })
}
