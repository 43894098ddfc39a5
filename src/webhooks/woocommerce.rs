//! WooCommerce's payloads: orders as created, updated, deleted. Pure.

use serde::Deserialize;
use serde_json::Value;

use super::news::{
    News, Reading, Text, clip, clip_text, email, joined, money, or_empty, parse, summary, time, unescaped, web_address,
};
use crate::base::{Money, Result};
use crate::orders::{Change, Customer, Details, Item, Status};

#[derive(Deserialize)]
struct Order {
    id: Text,
    number: Option<Text>,
    status: Option<String>,
    currency: Option<String>,
    date_modified_gmt: Option<String>,
    date_created_gmt: Option<String>,
    total: Option<Text>,
    billing: Option<Place>,
    shipping: Option<Place>,
    customer_note: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    line_items: Vec<Line>,
    #[serde(default, deserialize_with = "or_empty")]
    meta_data: Vec<Meta>,
    #[serde(default, deserialize_with = "or_empty")]
    refunds: Vec<Refund>,
}

#[derive(Deserialize)]
struct Place {
    first_name: Option<String>,
    last_name: Option<String>,
    company: Option<String>,
    address_1: Option<String>,
    address_2: Option<String>,
    city: Option<String>,
    state: Option<String>,
    postcode: Option<Text>,
    country: Option<String>,
    email: Option<String>,
    phone: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    name: Option<String>,
    quantity: Option<i64>,
    price: Option<Text>,
    image: Option<Image>,
}

#[derive(Deserialize)]
struct Image {
    src: Option<String>,
}

/// What plug-ins have added: a name and anything.
#[derive(Deserialize)]
struct Meta {
    key: Option<String>,
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize)]
struct Refund {
    reason: Option<String>,
}

/// A parcel as the shipment-tracking plug-in notes it.
#[derive(Deserialize)]
struct Parcel {
    tracking_provider: Option<String>,
    custom_tracking_provider: Option<String>,
    custom_tracking_link: Option<String>,
    tracking_number: Option<Text>,
}

#[derive(Deserialize)]
struct Deleted {
    id: Text,
}

/// WooCommerce's words for our statuses, where the company has none of its own. `completed` is what shops set when a
/// parcel has left; it does not say that it arrived.
#[must_use]
pub fn usual(word: &str) -> Option<Status> {
    Some(match word {
        "failed" | "checkout-draft" | "auto-draft" => Status::Incomplete,
        "pending" | "on-hold" => Status::Pending,
        "processing" => Status::Processing,
        "completed" => Status::Shipped,
        "cancelled" | "trash" | "deleted" => Status::Cancelled,
        "refunded" => Status::Returned,
        _ => return None,
    })
}

/// Reads a body by its topic.
///
/// # Errors
/// `Invalid` that says what is wrong and where.
pub fn read(topic: &str, body: &[u8]) -> Result<Reading> {
    let news = match topic {
        "order.created" | "order.updated" | "order.restored" => parse::<Order>(body)?.news(),
        "order.deleted" => deleted(&parse::<Deleted>(body)?.id),
        _ => return Ok(Reading::Ignored("orders are told of by other topics")),
    };
    Ok(Reading::News(Box::new(news)))
}

/// Of a deleted order the identifier is told, and nothing else.
fn deleted(id: &Text) -> News {
    News {
        subject: Some(format!("{}/deleted", id.0)),
        words: vec!["deleted".into()],
        details: Details { external_id: clip_text(Some(id), 128), ..Details::default() },
        change: Change { cancellation_reason: Some("Deleted in the shop".into()), ..Change::default() },
        ..News::default()
    }
}

impl Order {
    fn news(self) -> News {
        let currency = self.currency.as_deref();
        let items: Vec<Item> = self.line_items.iter().take(500).filter_map(|line| line.item(currency)).collect();
        let said = clip(self.status.as_deref(), 100).map(|status| status.to_lowercase().replacen("wc-", "", 1));
        let ended = said
            .as_deref()
            .and_then(usual)
            .is_some_and(|status| matches!(status, Status::Cancelled | Status::Returned));
        let refunded = self.refunds.iter().rev().find_map(|refund| clip(refund.reason.as_deref(), 1000));
        let fallback = if said.as_deref() == Some("refunded") { "Refunded" } else { "Cancelled by the shop" };
        let change = Change {
            cancellation_reason: ended.then(|| refunded.unwrap_or_else(|| fallback.to_owned())),
            ..self.parcel()
        };
        let place = [&self.shipping, &self.billing].into_iter().flatten().find_map(Place::line);
        let customer = self.customer();
        News {
            subject: Some(self.id.0.clone()),
            occurred_at: time(self.date_modified_gmt.as_deref().or(self.date_created_gmt.as_deref())),
            number: clip_text(self.number.as_ref(), 64),
            own_id: None,
            may_create: true,
            words: said.into_iter().collect(),
            contact: customer.email.clone().or_else(|| customer.phone.clone()),
            details: Details {
                external_id: clip_text(Some(&self.id), 128),
                customer,
                address: place,
                item_summary: summary(&items),
                items: (!items.is_empty()).then_some(items),
                total: money(self.total.as_ref(), currency),
            },
            change,
            first_note: clip(self.customer_note.as_deref(), 2000),
        }
    }

    fn customer(&self) -> Customer {
        let places = [&self.shipping, &self.billing];
        let own = |read: fn(&Place) -> Option<String>| places.into_iter().flatten().find_map(read);
        Customer {
            name: own(|place| joined(&[place.first_name.as_deref(), place.last_name.as_deref()], " ", 200)),
            phone: own(|place| clip(place.phone.as_deref(), 40)),
            email: own(|place| email(place.email.as_deref())),
            locale: self.plug_in("wpml_language").and_then(|language| clip(language.as_str(), 35)),
        }
    }

    /// What the shipment-tracking plug-in knows: the newest parcel.
    fn parcel(&self) -> Change {
        let parcels = self.plug_in("_wc_shipment_tracking_items").and_then(Value::as_array);
        let newest = parcels.and_then(|parcels| parcels.last());
        let Some(parcel) = newest.and_then(|parcel| Parcel::deserialize(parcel).ok()) else { return Change::default() };
        let carrier = clip(parcel.tracking_provider.as_deref(), 100);
        Change {
            carrier: carrier.or_else(|| clip(parcel.custom_tracking_provider.as_deref(), 100)),
            tracking_number: clip_text(parcel.tracking_number.as_ref(), 100),
            tracking_url: web_address(parcel.custom_tracking_link.as_deref()),
            ..Change::default()
        }
    }

    fn plug_in(&self, key: &str) -> Option<&Value> {
        self.meta_data.iter().find(|meta| meta.key.as_deref() == Some(key)).map(|meta| &meta.value)
    }
}

impl Place {
    fn line(&self) -> Option<String> {
        // A country alone is what shops that send nothing leave there.
        self.address_1.as_deref().filter(|street| !street.trim().is_empty())?;
        let postcode = self.postcode.as_ref().map(|postcode| postcode.0.as_str());
        let region = joined(&[self.state.as_deref(), postcode], " ", 200);
        let parts = [&self.company, &self.address_1, &self.address_2, &self.city, &region, &self.country];
        joined(&parts.map(Option::as_deref), ", ", 500)
    }
}

impl Line {
    fn item(&self, currency: Option<&str>) -> Option<Item> {
        let qty = self.quantity.and_then(|qty| u32::try_from(qty).ok()).filter(|qty| *qty > 0)?;
        let unit_price: Option<Money> = money(self.price.as_ref(), currency);
        let image_url = web_address(self.image.as_ref().and_then(|image| image.src.as_deref()));
        let name = clip(self.name.as_deref().map(unescaped).as_deref(), 300)?;
        Some(Item { name, qty, unit_price, image_url, category: None })
    }
}
