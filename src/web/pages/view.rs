//! What the tracking page is given: the customer's snapshot and events, as every live transport sends them.
//!
//! Unknown fields and types are kept out of the way, so an older page can meet a newer log.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::base::Money;

/// One order as its customer may see it, with its history.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct TrackView {
    /// The snapshot.
    pub order: OrderView,
    /// The position the snapshot was read at.
    pub seq: i64,
    /// All events, ascending by `seq`.
    pub events: Vec<EventView>,
}

/// The customer's snapshot; personal details are masked before they get here.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct OrderView {
    /// UUID.
    pub id: String,
    /// What the shop calls the order.
    pub number: String,
    /// Whose order it is.
    pub shop: ShopView,
    /// `snake_case` status code, perhaps of a custom workflow.
    pub status: String,
    /// Position of the last event.
    pub seq: i64,
    /// Who carries the parcel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The carrier's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// The carrier's own page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_url: Option<String>,
    /// A day (`2026-11-24`) or an instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_delivery: Option<String>,
    /// The estimate before it was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_estimated_delivery: Option<String>,
    /// Later than first promised.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub delayed: bool,
    /// Checkpoint vocabulary: `in_transit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipment_status: Option<String>,
    /// Why the order was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancellation_reason: Option<String>,
    /// Who gets it, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerView>,
    /// One line that names the goods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_summary: Option<String>,
    /// The goods, when the shop shows them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemView>,
    /// What they cost together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// When the order came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipped_at: Option<Timestamp>,
    /// When it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// When it last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// The customer's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

/// The shop as a customer knows it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct ShopView {
    /// Its name.
    pub name: String,
}

/// The customer, masked.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct CustomerView {
    /// First name and an initial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Street and place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// First letter and domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// One kind of goods in the order.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct ItemView {
    /// What it is.
    pub name: String,
    /// How many.
    pub qty: u64,
    /// Price of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Money>,
}

/// One entry of the order's log.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct EventView {
    /// Position, dense per order.
    pub seq: i64,
    /// `order_created`, `status_changed`, `details_changed`, `checkpoint`, or one of the future.
    #[serde(rename = "type")]
    pub kind: String,
    /// Status after the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Status before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_status: Option<String>,
    /// Carrier, when told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The carrier's number, when told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// The carrier's page, when told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_url: Option<String>,
    /// The estimate, when told: a day or an instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_delivery: Option<String>,
    /// Checkpoint vocabulary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipment_status: Option<String>,
    /// What the shop or the courier said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
}

/// A promised day, perhaps with a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The day.
    pub day: Date,
    /// The time, when one was promised.
    pub time: Option<Time>,
}

impl Estimate {
    /// Reads `2026-11-24` or an RFC 3339 instant (shown in `zone`); anything else is no estimate.
    #[must_use]
    pub fn parse(text: &str, zone: &TimeZone) -> Option<Self> {
        if let Ok(instant) = text.parse::<Timestamp>() {
            let local = instant.to_zoned(zone.clone());
            return Some(Self { day: local.date(), time: Some(local.time()) });
        }
        // Without a zone the digits are taken as the customer's own wall clock.
        if text.len() > 10 {
            return text.parse::<DateTime>().ok().map(|at| Self { day: at.date(), time: Some(at.time()) });
        }
        text.parse::<Date>().ok().map(|day| Self { day, time: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_a_day_or_an_instant_and_nothing_else() {
        let parse = |text| Estimate::parse(text, &TimeZone::UTC);
        let day = jiff::civil::date(2026, 11, 24);
        assert_eq!(parse("2026-11-24"), Some(Estimate { day, time: None }));
        let six = Some(jiff::civil::time(18, 0, 0, 0));
        assert_eq!(parse("2026-11-24T18:00:00Z"), Some(Estimate { day, time: six }));
        assert_eq!(parse("2026-11-24T18:00:00"), Some(Estimate { day, time: six }));
        assert_eq!(parse("soon"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn events_and_fields_of_the_future_are_tolerated() {
        let view: TrackView = serde_json::from_str(
            r#"{"order":{"number":"A","status":"gift_wrapped","novel":1},"seq":1,
                "events":[{"seq":1,"type":"signature_requested","occurred_at":"2026-11-21T09:12:00Z","what":{}}]}"#,
        )
        .unwrap();
        assert_eq!(view.order.status, "gift_wrapped");
        assert_eq!(view.events[0].kind, "signature_requested");
    }
}
