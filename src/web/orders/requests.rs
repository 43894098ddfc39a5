//! What callers send about orders, and the verbs' input it becomes.

use serde::Deserialize;
use utoipa::ToSchema;

use super::view::CourierRef;
use crate::base::Money;
use crate::base::id::CompanyId;
use crate::orders::{Change, Customer, Estimate, Item, NewOrder, Status};
use crate::web::idempotency::Asked;

/// A new order. Everything may be left out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateOrder {
    /// Slug or id of the company; the token's own, or the first there is, when left out.
    #[schema(example = "juniper")]
    pub company: Option<String>,
    /// Unique within the company; one like `ORD-7K2M9QX4TB` is made when left out.
    #[schema(example = "MB1031", max_length = 64)]
    number: Option<String>,
    /// What your own system calls it. A second order with the same one is the first one again.
    #[schema(max_length = 128)]
    external_id: Option<String>,
    /// `pending` when left out.
    status: Option<Status>,
    #[serde(default)]
    customer: Customer,
    #[schema(example = "Road 1234, Dhanmondi", max_length = 500)]
    address: Option<String>,
    #[schema(example = "1x Widget")]
    item_summary: Option<String>,
    #[serde(default)]
    items: Vec<Item>,
    /// What kind of thing is sold, for items that do not say: commission rates may differ.
    #[schema(example = "lamps", max_length = 64)]
    category: Option<String>,
    total: Option<Money>,
    /// Any spelling; known carriers get their own tracking page.
    #[schema(example = "FedEx")]
    carrier: Option<String>,
    #[schema(example = "986578788855")]
    tracking_number: Option<String>,
    courier: Option<CourierRef>,
    /// A day, or a time with its zone.
    #[schema(value_type = Option<String>, example = "2026-11-24")]
    estimated_delivery: Option<Estimate>,
    /// Shown to the customer.
    notes: Option<String>,
}

impl CreateOrder {
    /// The order of a company.
    #[must_use]
    pub fn into_order(self, company: CompanyId, asked: Option<Asked>) -> NewOrder {
        let (courier_account, courier_id) =
            self.courier.map_or((None, None), |courier| (courier.account, courier.courier_id));
        NewOrder {
            asked: asked.map(|asked| asked.0),
            company,
            number: self.number,
            external_id: self.external_id,
            status: self.status,
            customer: self.customer,
            address: self.address,
            item_summary: self.item_summary,
            items: self.items,
            category: self.category,
            total: self.total,
            carrier: self.carrier,
            tracking_number: self.tracking_number,
            courier_account,
            courier_id,
            estimated_delivery: self.estimated_delivery,
            notes: self.notes,
        }
    }
}

/// New details of an order. What is left out, or null, stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeOrder {
    /// Refuse unless the order's newest event has this number.
    #[serde(alias = "expectedSeq")]
    #[schema(minimum = 1)]
    expected_seq: Option<i64>,
    #[schema(example = "UPS")]
    carrier: Option<String>,
    #[schema(example = "1Z5R89390357567127")]
    tracking_number: Option<String>,
    /// Made from carrier and number when left out.
    tracking_url: Option<String>,
    /// A day, or a time with its zone. A new one marks the order as delayed and keeps the first.
    #[schema(value_type = Option<String>, example = "2026-11-26")]
    estimated_delivery: Option<Estimate>,
    /// Shown to the customer.
    notes: Option<String>,
}

impl From<ChangeOrder> for Change {
    fn from(body: ChangeOrder) -> Self {
        Self {
            expected_seq: body.expected_seq,
            carrier: body.carrier,
            tracking_number: body.tracking_number,
            tracking_url: body.tracking_url,
            estimated_delivery: body.estimated_delivery,
            notes: body.notes,
            ..Self::default()
        }
    }
}

/// A new status, with what belongs to it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetStatus {
    status: Status,
    /// Refuse unless the order's newest event has this number: nobody else changed it meanwhile.
    #[serde(alias = "expectedSeq")]
    #[schema(minimum = 1)]
    expected_seq: Option<i64>,
    /// Required for `shipped`, unless the order has one.
    #[schema(example = "FedEx")]
    carrier: Option<String>,
    #[schema(example = "986578788855")]
    tracking_number: Option<String>,
    /// Made from carrier and number when left out.
    tracking_url: Option<String>,
    /// Shown to the customer.
    notes: Option<String>,
    /// Required for `cancelled`.
    cancellation_reason: Option<String>,
    /// A day, or a time with its zone.
    #[schema(value_type = Option<String>, example = "2026-11-24")]
    estimated_delivery: Option<Estimate>,
    /// For those who run the platform: take the vendor's money back even if it is paid out already.
    #[serde(default)]
    allow_negative: bool,
}

impl From<SetStatus> for Change {
    fn from(body: SetStatus) -> Self {
        Self {
            status: Some(body.status),
            expected_seq: body.expected_seq,
            carrier: body.carrier,
            tracking_number: body.tracking_number,
            tracking_url: body.tracking_url,
            estimated_delivery: body.estimated_delivery,
            notes: body.notes,
            cancellation_reason: body.cancellation_reason,
            allow_negative: body.allow_negative,
            ..Self::default()
        }
    }
}
