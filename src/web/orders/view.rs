//! How orders and events look in replies.

use actix_web::HttpResponse;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::base::{Error, Money, Result};
use crate::orders::{Advanced, Customer, Event, EventBody, Item, Order, Reach, Status};
use crate::wallet::Credited;
use crate::web::error::Answer;
use crate::web::held::HeldView;

/// An order as its merchant sees it. What is not known is absent.
#[derive(Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderView {
    id: Uuid,
    /// What people call it; unique within the company.
    #[schema(example = "MB1031")]
    number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    /// The company it belongs to.
    company: Uuid,
    status: Status,
    /// The number of its newest event: 1, 2, 3 …
    #[schema(example = 4)]
    seq: i64,
    customer: Customer,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_summary: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<Item>,
    /// What kind of thing is sold, for items that do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<Money>,
    #[schema(example = "FedEx")]
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    courier: Option<CourierRef>,
    /// A day, or a time with its zone.
    #[schema(example = "2026-11-24")]
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_delivery: Option<String>,
    /// The first estimate, once there has been another.
    #[serde(skip_serializing_if = "Option::is_none")]
    original_estimated_delivery: Option<String>,
    /// Whether the estimate has moved.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    delayed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipment_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipment_reason: Option<String>,
    /// The newest note to the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipped_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// Things that look mistyped but were accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// The courier account that carries an order, and the courier's own id of it.
#[derive(Clone, Debug, Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CourierRef {
    /// The account's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The consignment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub courier_id: Option<String>,
}

impl From<Order> for OrderView {
    fn from(order: Order) -> Self {
        let (account, courier_id) = (order.courier_account.clone(), order.courier_id.clone());
        let has_courier = account.is_some() || courier_id.is_some();
        Self {
            delayed: order.is_delayed(),
            warnings: order.parcel_warnings(),
            id: order.id.0,
            number: order.number,
            external_id: order.external_id,
            company: order.company.0,
            status: order.status,
            seq: order.seq,
            customer: order.customer,
            address: order.address,
            item_summary: order.item_summary,
            items: order.items,
            category: order.category,
            total: order.total,
            carrier: order.carrier,
            tracking_number: order.tracking_number,
            tracking_url: order.tracking_url,
            courier: has_courier.then_some(CourierRef { account, courier_id }),
            estimated_delivery: order.estimated_delivery.map(String::from),
            original_estimated_delivery: order.original_estimated_delivery.map(String::from),
            shipment_status: order.shipment_status,
            shipment_reason: order.shipment_reason,
            notes: order.notes,
            cancellation_reason: order.cancellation_reason,
            shipped_at: order.shipped_at,
            delivered_at: order.delivered_at,
            created_at: order.created_at,
            updated_at: order.updated_at,
        }
    }
}

/// Whom a change has reached, over all instances.
#[derive(Serialize, ToSchema)]
#[schema(as = Live)]
pub struct LiveView {
    /// Customers who were watching.
    watchers: u64,
    /// Those the event was handed to.
    delivered: u64,
}

impl From<Reach> for LiveView {
    fn from(reach: Reach) -> Self {
        Self { watchers: reach.watchers, delivered: reach.delivered }
    }
}

/// What became of a change of status.
#[derive(Serialize, ToSchema)]
#[schema(as = StatusSet)]
pub struct StatusSetView {
    order: OrderView,
    /// What was written to the order's log; absent when it had that status already.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventBody>,
    previous_status: Status,
    /// What waits for somebody's word now, when the step asks for one: nothing was changed then.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<HeldView>,
    /// What the change has brought the vendor, when the order was delivered by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet_credit: Option<WalletCreditView>,
    live: LiveView,
}

/// What a delivery has brought its vendor.
#[derive(Serialize, ToSchema)]
#[schema(as = WalletCredit)]
pub struct WalletCreditView {
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: String,
    /// The vendor's part of the order's total, in minor units.
    #[schema(example = 89999)]
    vendor_amount: i64,
    /// What is in the wallet now, held and available, in minor units.
    #[schema(example = 450_050)]
    wallet_balance: i64,
}

impl From<Credited> for WalletCreditView {
    fn from(credited: Credited) -> Self {
        let Credited { vendor_amount, balance } = credited;
        Self { currency: balance.currency, vendor_amount: vendor_amount.amount, wallet_balance: balance.amount }
    }
}

impl StatusSetView {
    /// The reply to a change of status: 200, or 202 when it waits for somebody's word.
    pub(in crate::web) fn reply(advanced: Advanced) -> Answer {
        let mut reply = if advanced.held.is_some() { HttpResponse::Accepted() } else { HttpResponse::Ok() };
        Ok(reply.json(Self::try_from(advanced)?))
    }
}

impl TryFrom<Advanced> for StatusSetView {
    type Error = Error;

    fn try_from(advanced: Advanced) -> Result<Self> {
        Ok(Self {
            event: advanced.event.as_ref().map(event_body).transpose()?,
            held: advanced.held.map(|held| HeldView::from(*held)),
            wallet_credit: advanced.credited.map(WalletCreditView::from),
            order: advanced.order.into(),
            previous_status: advanced.previous_status,
            live: advanced.reach.into(),
        })
    }
}

/// The part of an event that clients see.
///
/// # Errors
/// `Internal` when the stored text is none of ours.
pub fn event_body(event: &Event) -> Result<EventBody> {
    serde_json::from_str(&event.body).map_err(Error::internal)
}

/// A page of orders.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderPage)]
pub struct OrderPageView {
    /// Newest change first.
    pub data: Vec<OrderView>,
    /// Send it back as `after` for the next page; null at the end.
    pub next: Option<String>,
}

/// A page of an order's history.
#[derive(Serialize, ToSchema)]
#[schema(as = EventPage)]
pub struct EventPageView {
    /// Ascending, none left out.
    pub data: Vec<EventBody>,
    /// Send it back as `since` for the next page; null at the end.
    pub next: Option<i64>,
}
