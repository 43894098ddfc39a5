//! Shopify's payloads: orders, fulfilments (parcels) and what carriers say of them. Pure.
//!
//! An order's payload is a whole snapshot, whatever the topic. A fulfilment's belongs to an order that may not be known
//! yet: it waits for it.

use serde::Deserialize;

use super::news::{
    News, Reading, Text, clip, clip_text, email, joined, money, or_empty, parse, summary, time, web_address,
};
use crate::base::{Error, Result};
use crate::orders::{Change, Customer, Details, Estimate, Item, Status};

#[derive(Deserialize)]
struct Order {
    id: Text,
    name: Option<String>,
    email: Option<String>,
    contact_email: Option<String>,
    phone: Option<String>,
    updated_at: Option<String>,
    cancelled_at: Option<String>,
    cancel_reason: Option<String>,
    financial_status: Option<String>,
    fulfillment_status: Option<String>,
    currency: Option<String>,
    total_price: Option<Text>,
    current_total_price: Option<Text>,
    customer_locale: Option<String>,
    note: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    line_items: Vec<Line>,
    shipping_address: Option<Address>,
    billing_address: Option<Address>,
    customer: Option<Buyer>,
    #[serde(default, deserialize_with = "or_empty")]
    fulfillments: Vec<Fulfillment>,
    #[serde(default, deserialize_with = "or_empty")]
    refunds: Vec<Refund>,
}

#[derive(Deserialize)]
struct Line {
    name: Option<String>,
    title: Option<String>,
    quantity: Option<i64>,
    current_quantity: Option<i64>,
    price: Option<Text>,
}

#[derive(Deserialize)]
struct Address {
    name: Option<String>,
    company: Option<String>,
    address1: Option<String>,
    address2: Option<String>,
    city: Option<String>,
    province: Option<String>,
    zip: Option<Text>,
    country: Option<String>,
    phone: Option<String>,
}

#[derive(Deserialize)]
struct Buyer {
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
}

#[derive(Deserialize)]
struct Fulfillment {
    id: Option<Text>,
    order_id: Option<Text>,
    status: Option<String>,
    shipment_status: Option<String>,
    tracking_company: Option<String>,
    tracking_number: Option<Text>,
    #[serde(default, deserialize_with = "or_empty")]
    tracking_numbers: Vec<Text>,
    tracking_url: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    tracking_urls: Vec<String>,
    estimated_delivery_at: Option<String>,
    updated_at: Option<String>,
    email: Option<String>,
}

#[derive(Deserialize)]
struct FulfillmentEvent {
    order_id: Text,
    fulfillment_id: Option<Text>,
    status: Option<String>,
    message: Option<String>,
    happened_at: Option<String>,
    estimated_delivery_at: Option<String>,
}

#[derive(Deserialize)]
struct Refund {
    #[serde(default, deserialize_with = "or_empty")]
    refund_line_items: Vec<RefundLine>,
}

#[derive(Deserialize)]
struct RefundLine {
    restock_type: Option<String>,
}

/// Shopify's words for our statuses, where the company has none of its own: of payments, fulfilments and parcels.
#[must_use]
pub fn usual(word: &str) -> Option<Status> {
    Some(match word {
        "authorized" | "pending" | "partially_paid" | "expired" => Status::Pending,
        "paid" | "partially_refunded" => Status::Paid,
        "partial" | "in_progress" => Status::Processing,
        "label_purchased" | "label_printed" | "confirmed" => Status::Packed,
        "fulfilled" | "carrier_picked_up" | "in_transit" | "delayed" | "ready_for_pickup" => Status::Shipped,
        "out_for_delivery" => Status::OutForDelivery,
        "attempted_delivery" | "failure" => Status::DeliveryFailed,
        "delivered" | "picked_up" => Status::Delivered,
        "cancelled" | "voided" | "refunded" => Status::Cancelled,
        "returned" => Status::Returned,
        _ => return None,
    })
}

/// Shopify's words for parcels in the checkpoint vocabulary.
fn checkpoint(word: &str) -> Option<&'static str> {
    Some(match word {
        "label_purchased" | "label_printed" | "confirmed" => "pending",
        "carrier_picked_up" => "picked_up",
        "in_transit" => "in_transit",
        "delayed" => "delivery_delayed",
        "out_for_delivery" => "out_for_delivery",
        "attempted_delivery" | "failure" => "delivery_failed",
        "ready_for_pickup" => "ready_for_pickup",
        "delivered" | "picked_up" => "delivered",
        _ => return None,
    })
}

/// Reads a body by its topic.
///
/// # Errors
/// `Invalid` that says what is wrong and where.
pub fn read(topic: &str, body: &[u8]) -> Result<Reading> {
    let news = match topic {
        "orders/create" => parse::<Order>(body)?.news(true),
        "orders/updated" | "orders/cancelled" => parse::<Order>(body)?.news(false),
        "fulfillments/create" | "fulfillments/update" => parse::<Fulfillment>(body)?.news()?,
        "fulfillment_events/create" => parse::<FulfillmentEvent>(body)?.news(),
        _ => return Ok(Reading::Ignored("orders are told of by other topics")),
    };
    Ok(Reading::News(Box::new(news)))
}

/// A word as the tables have it; empty ones are none.
fn word(text: Option<&str>) -> Option<String> {
    clip(text, 100).map(|text| text.to_lowercase())
}

impl Order {
    /// The buyer's note comes with the order; what stands there later may be the shop's own and is not shown.
    fn news(self, is_new: bool) -> News {
        let currency = self.currency.as_deref();
        let items: Vec<Item> = self.line_items.iter().take(500).filter_map(|line| line.item(currency)).collect();
        let parcel = self.parcel();
        let words = self.words(parcel);
        let cancellation_reason =
            words.first().filter(|word| usual(word) == Some(Status::Cancelled)).map(|_| self.reason());
        let change = parcel.map_or_else(Change::default, Fulfillment::change);
        let customer = self.customer();
        News {
            subject: Some(self.id.0.clone()),
            occurred_at: time(self.updated_at.as_deref()),
            number: clip(self.name.as_deref(), 64),
            own_id: None,
            may_create: true,
            contact: customer.email.clone().or_else(|| customer.phone.clone()),
            details: Details {
                external_id: clip(Some(&self.id.0), 128),
                customer,
                address: self.shipping_address.as_ref().or(self.billing_address.as_ref()).and_then(Address::line),
                item_summary: summary(&items),
                items: (!items.is_empty()).then_some(items),
                total: money(self.current_total_price.as_ref().or(self.total_price.as_ref()), currency),
            },
            change: Change { cancellation_reason, ..change },
            words,
            first_note: clip(self.note.as_deref(), 2000).filter(|_| is_new),
        }
    }

    /// The parcel that is told of: the one that changed last and was not called back.
    fn parcel(&self) -> Option<&Fulfillment> {
        let live = self.fulfillments.iter().filter(|parcel| parcel.status.as_deref() != Some("cancelled"));
        live.max_by_key(|parcel| time(parcel.updated_at.as_deref()))
    }

    /// Cancelled outweighs everything, then what was given back, what the carrier says, what was sent, what was paid.
    fn words(&self, parcel: Option<&Fulfillment>) -> Vec<String> {
        let (paid, sent) = (word(self.financial_status.as_deref()), word(self.fulfillment_status.as_deref()));
        let mut words = Vec::new();
        if self.cancelled_at.is_some() {
            words.push("cancelled".to_owned());
        }
        if paid.as_deref() == Some("refunded") {
            let restocked = self.refunds.iter().flat_map(|refund| &refund.refund_line_items);
            let came_back = restocked.clone().any(|line| line.restock_type.as_deref() == Some("return"));
            match (came_back, &sent) {
                (true, _) => words.push("returned".to_owned()),
                (false, None) => words.push("refunded".to_owned()),
                // Money was given back for what has been sent: the parcel goes its way.
                (false, Some(_)) => {}
            }
        }
        if sent.as_deref() == Some("fulfilled") {
            words.extend(parcel.and_then(|parcel| word(parcel.shipment_status.as_deref())));
        }
        // "restocked" says that a fulfilment was called back, which leaves the order where its payment put it.
        words.extend(sent.filter(|sent| sent != "restocked"));
        words.extend(paid.filter(|paid| paid != "refunded"));
        words
    }

    fn reason(&self) -> String {
        let reason = match self.cancel_reason.as_deref() {
            Some("customer") => "Cancelled by the customer",
            Some("inventory") => "Not in stock",
            Some("declined") => "The payment was declined",
            _ if self.financial_status.as_deref() == Some("refunded") => "Refunded",
            _ => "Cancelled by the shop",
        };
        reason.to_owned()
    }

    fn customer(&self) -> Customer {
        let place = self.shipping_address.as_ref().or(self.billing_address.as_ref());
        let buyer = self.customer.as_ref();
        let own_name = || joined(&[buyer?.first_name.as_deref(), buyer?.last_name.as_deref()], " ", 200);
        let mails = [self.email.as_deref(), self.contact_email.as_deref(), buyer.and_then(|b| b.email.as_deref())];
        let phones = [
            self.phone.as_deref(),
            place.and_then(|place| place.phone.as_deref()),
            buyer.and_then(|buyer| buyer.phone.as_deref()),
        ];
        Customer {
            name: clip(place.and_then(|place| place.name.as_deref()), 200).or_else(own_name),
            phone: phones.into_iter().find_map(|phone| clip(phone, 40)),
            email: mails.into_iter().find_map(email),
            locale: clip(self.customer_locale.as_deref(), 35),
        }
    }
}

impl Line {
    fn item(&self, currency: Option<&str>) -> Option<Item> {
        let qty = self.current_quantity.or(self.quantity).and_then(|qty| u32::try_from(qty).ok())?;
        let name = clip(self.name.as_deref().or(self.title.as_deref()), 300)?;
        (qty > 0).then(|| Item {
            name,
            qty,
            unit_price: money(self.price.as_ref(), currency),
            image_url: None,
            category: None,
        })
    }
}

impl Address {
    fn line(&self) -> Option<String> {
        let zip = self.zip.as_ref().map(|zip| zip.0.as_str());
        let region = joined(&[self.province.as_deref(), zip], " ", 200);
        let parts = [&self.company, &self.address1, &self.address2, &self.city, &region, &self.country];
        joined(&parts.map(Option::as_deref), ", ", 500)
    }
}

impl Fulfillment {
    fn news(self) -> Result<News> {
        let missing = || Error::invalid_field("order_id", "required", "order_id is missing");
        let order = self.order_id.clone().ok_or_else(missing)?.0;
        let parcel = self.id.as_ref().map_or("", |id| id.0.as_str());
        let sent = match self.status.as_deref() {
            Some("success") => Some("fulfilled".to_owned()),
            Some("pending" | "open") => Some("in_progress".to_owned()),
            // One that failed or was called back leaves the order where it is.
            Some("cancelled" | "error" | "failure") | None => None,
            Some(other) => word(Some(other)),
        };
        let said = word(self.shipment_status.as_deref()).filter(|_| sent.is_some());
        Ok(News {
            subject: Some(format!("{order}/{parcel}")),
            occurred_at: time(self.updated_at.as_deref()),
            words: said.into_iter().chain(sent).collect(),
            contact: email(self.email.as_deref()),
            change: self.change(),
            details: Details { external_id: clip(Some(&order), 128), ..Details::default() },
            ..News::default()
        })
    }

    /// Carrier, number, page, estimate. One that was called back says nothing any more.
    fn change(&self) -> Change {
        if self.status.as_deref() == Some("cancelled") {
            return Change::default();
        }
        let number = clip_text(self.tracking_number.as_ref().or(self.tracking_numbers.first()), 100);
        let page = self.tracking_url.as_ref().or(self.tracking_urls.first());
        Change {
            carrier: clip(self.tracking_company.as_deref(), 100),
            tracking_number: number,
            tracking_url: web_address(page.map(String::as_str)),
            estimated_delivery: time(self.estimated_delivery_at.as_deref()).map(Estimate::By),
            shipment_status: word(self.shipment_status.as_deref())
                .and_then(|word| checkpoint(&word))
                .map(str::to_owned),
            ..Change::default()
        }
    }
}

impl FulfillmentEvent {
    fn news(self) -> News {
        let parcel = self.fulfillment_id.as_ref().map_or("", |id| id.0.as_str());
        let said = word(self.status.as_deref());
        News {
            subject: Some(format!("{}/{parcel}/events", self.order_id.0)),
            occurred_at: time(self.happened_at.as_deref()),
            details: Details { external_id: clip(Some(&self.order_id.0), 128), ..Details::default() },
            change: Change {
                shipment_status: said.as_deref().and_then(checkpoint).map(str::to_owned),
                estimated_delivery: time(self.estimated_delivery_at.as_deref()).map(Estimate::By),
                notes: clip(self.message.as_deref(), 2000),
                ..Change::default()
            },
            words: said.into_iter().collect(),
            ..News::default()
        }
    }
}
