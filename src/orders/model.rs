//! What an order and an event of its log are.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shipping;
use super::status::Status;
use crate::base::id::{CompanyId, EventId, OrderId};
use crate::base::{Error, Money, Result};
use crate::wallet::{Sale, Sold};

/// An order as it stands after event `seq` of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its identifier.
    pub id: OrderId,
    /// The company it belongs to.
    pub company: CompanyId,
    /// What people call it; unique within the company.
    pub number: String,
    /// What the merchant's own system calls it; unique within the company.
    pub external_id: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// The number of its newest event; the first is 1 and none is left out.
    pub seq: i64,
    /// Who gets it.
    pub customer: Customer,
    /// Where it goes.
    pub address: Option<String>,
    /// Its content in one line.
    pub item_summary: Option<String>,
    /// Its content line by line.
    pub items: Vec<Item>,
    /// What kind of thing it is, as far as its items do not say.
    pub category: Option<String>,
    /// What was paid.
    pub total: Option<Money>,
    /// The carrier as the merchant named it.
    pub carrier: Option<String>,
    /// The carrier's number.
    pub tracking_number: Option<String>,
    /// The carrier's page.
    pub tracking_url: Option<String>,
    /// When it should arrive.
    pub estimated_delivery: Option<Estimate>,
    /// The first estimate, once there has been another.
    pub original_estimated_delivery: Option<Estimate>,
    /// What the carrier says, in the checkpoint vocabulary.
    pub shipment_status: Option<String>,
    /// Why the carrier says it.
    pub shipment_reason: Option<String>,
    /// The courier account that knows it.
    pub courier_account: Option<String>,
    /// The courier's own id: the consignment.
    pub courier_id: Option<String>,
    /// The newest note to the customer.
    pub notes: Option<String>,
    /// Why it was cancelled.
    pub cancellation_reason: Option<String>,
    /// When it was first shipped.
    pub shipped_at: Option<Timestamp>,
    /// When it was delivered.
    pub delivered_at: Option<Timestamp>,
    /// When it became known here.
    pub created_at: Timestamp,
    /// When its newest event was written.
    pub updated_at: Timestamp,
}

impl Order {
    /// Whether the estimate has moved since it was first given.
    #[must_use]
    pub fn is_delayed(&self) -> bool {
        self.original_estimated_delivery.is_some() && !self.status.is_terminal()
    }

    /// The carrier's page for the parcel; a general one when the carrier is not said or not known. `None` without a number.
    #[must_use]
    pub fn parcel_page(&self) -> Option<String> {
        shipping::tracking_url(self.carrier.as_deref().unwrap_or_default(), self.tracking_number.as_deref()?)
    }

    /// The order where money is concerned.
    #[must_use]
    pub fn sale(&self) -> Sale {
        let sold =
            |item: &Item| Sold { category: item.category.clone(), qty: item.qty, unit_price: item.unit_price.clone() };
        Sale {
            order: self.id,
            company: self.company,
            total: self.total.clone(),
            category: self.category.clone(),
            items: self.items.iter().map(sold).collect(),
            at: self.created_at,
        }
    }

    /// What looks mistyped about carrier and number, in words.
    #[must_use]
    pub fn parcel_warnings(&self) -> Vec<String> {
        let parcel = self.carrier.as_deref().zip(self.tracking_number.as_deref());
        let warning = parcel.and_then(|(carrier, number)| shipping::verdict(carrier, number));
        warning.map(|warning| warning.message()).into_iter().collect()
    }
}

/// Who gets an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Customer {
    /// Full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Telephone number as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Language tag (BCP 47) for pages and mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What it is.
    pub name: String,
    /// How many.
    pub qty: u32,
    /// Price of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Money>,
    /// Picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// What kind of thing it is: commission rates may differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "lamps", max_length = 64)]
    pub category: Option<String>,
}

/// When something should arrive: on a day, or by a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Estimate {
    /// Some time that day, where the customer lives.
    Day(Date),
    /// By this time.
    By(Timestamp),
}

impl FromStr for Estimate {
    type Err = Error;

    /// `2026-11-24`, or an RFC 3339 time with its zone.
    fn from_str(text: &str) -> Result<Self> {
        let by = || text.parse::<Timestamp>().map(Self::By);
        let day = || text.parse::<Date>().map(Self::Day);
        let plain_day = text.len() == 10;
        let read = if plain_day { day() } else { by() };
        read.map_err(|_| {
            let message =
                "estimated_delivery must be a day (2026-11-24) or a time with its zone (2026-11-24T18:00:00Z)";
            Error::invalid_field("estimated_delivery", "bad_estimate", message)
        })
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::By(time) => time.fmt(f),
        }
    }
}

impl TryFrom<String> for Estimate {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Estimate> for String {
    fn from(estimate: Estimate) -> Self {
        estimate.to_string()
    }
}

/// How a caller names an order: by identifier, or by number within what it may see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OrderRef {
    /// The identifier.
    Id(OrderId),
    /// The number.
    Number(String),
}

impl FromStr for OrderRef {
    type Err = Error;

    /// A UUID, or 1 to 64 printable characters without spaces at either end.
    fn from_str(text: &str) -> Result<Self> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let fits =
            (1..=64).contains(&text.chars().count()) && text.trim() == text && !text.chars().any(char::is_control);
        if fits {
            return Ok(Self::Number(text.to_owned()));
        }
        Err(Error::invalid_field("id", "bad_order_id", "Invalid order ID format"))
    }
}

/// One entry of an order's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The order.
    pub order: OrderId,
    /// Its company, for feeds.
    pub company: CompanyId,
    /// Its number, for feeds.
    pub number: String,
    /// Unique over all orders; ordered by time.
    pub id: EventId,
    /// The order's own count: 1, 2, 3 …
    pub seq: i64,
    /// The event as every client gets it: an [`EventBody`] as JSON, written once.
    pub body: String,
}

/// The part of an event that a customer may see; the same object on every transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Event)]
#[expect(missing_docs, reason = "the fields are the order's, at the moment of the event")]
pub struct EventBody {
    pub seq: i64,
    /// `order_created`, `status_changed`, `details_changed`; clients pass over kinds they do not know.
    #[serde(rename = "type")]
    pub kind: String,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_url: Option<String>,
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_delivery: Option<Estimate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipment_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub occurred_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_a_day_or_a_time_and_nothing_else() {
        for text in ["2026-11-24", "2026-11-24T18:00:00Z"] {
            assert_eq!(text.parse::<Estimate>().unwrap().to_string(), text);
        }
        assert_eq!("2026-11-24T18:00:00+06:00".parse::<Estimate>().unwrap().to_string(), "2026-11-24T12:00:00Z");
        for text in ["", "tomorrow", "2026-13-01", "24/11/2026", "2026-11-24T18:00:00", "2026-11-2\u{e9}"] {
            assert!(text.parse::<Estimate>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_order_is_named_by_uuid_or_number_and_other_text_is_refused() {
        assert!(matches!("019a0000-0000-7000-8000-000000000000".parse(), Ok(OrderRef::Id(_))));
        assert!(matches!("ORD-12345678".parse(), Ok(OrderRef::Number(_))));
        for text in ["", " x", "x\n", "a\0b", &"9".repeat(65)] {
            let refused = text.parse::<OrderRef>().unwrap_err();
            assert_eq!(refused.to_string(), "Invalid order ID format", "{text:?}");
        }
    }
}
