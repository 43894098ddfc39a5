//! A new order: what may be in it, and the order and first event it becomes. Pure; `commit` makes it last.

use jiff::Timestamp;
use rand::Rng as _;

use super::advance::{check_text, event};
use super::model::{Customer, Estimate, Event, EventBody, Item, Order};
use super::status::Status;
use crate::base::id::{CompanyId, OrderId};
use crate::base::{Error, Money, Result};
use crate::wallet::rates::check_category;

/// An order that is not known yet.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields are the order's")]
pub struct NewOrder {
    pub company: CompanyId,
    /// Made by us when the merchant has none.
    pub number: Option<String>,
    pub external_id: Option<String>,
    pub status: Option<Status>,
    pub customer: Customer,
    pub address: Option<String>,
    pub item_summary: Option<String>,
    pub items: Vec<Item>,
    pub category: Option<String>,
    pub total: Option<Money>,
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    pub courier_account: Option<String>,
    pub courier_id: Option<String>,
    pub estimated_delivery: Option<Estimate>,
    pub notes: Option<String>,
    /// What tells this request from all others, when its sender will send it again until it is answered. The order a lost
    /// answer told of is then found again: its number follows from it, unless the merchant has one.
    pub asked: Option<[u8; 32]>,
}

/// Most lines of an order.
const MOST_ITEMS: usize = 500;
/// Largest total or price, in minor units: far above what is sold, and a fraction of what the ledger can add up.
const MOST_MONEY: i64 = 1_000_000_000_000;

impl NewOrder {
    /// Checks every field.
    ///
    /// # Errors
    /// `Invalid` that names the field and its rule.
    pub fn check(&self) -> Result<()> {
        let texts = [
            (self.number.as_deref(), "number", 64),
            (self.external_id.as_deref(), "external_id", 128),
            (self.customer.name.as_deref(), "customer.name", 200),
            (self.customer.phone.as_deref(), "customer.phone", 40),
            (self.customer.email.as_deref(), "customer.email", 254),
            (self.customer.locale.as_deref(), "customer.locale", 35),
            (self.address.as_deref(), "address", 500),
            (self.item_summary.as_deref(), "item_summary", 2000),
            (self.carrier.as_deref(), "carrier", 100),
            (self.tracking_number.as_deref(), "tracking_number", 100),
            (self.courier_account.as_deref(), "courier.account", 100),
            (self.courier_id.as_deref(), "courier.courier_id", 100),
            (self.notes.as_deref(), "notes", 2000),
        ];
        for (text, field, most) in texts {
            check_text(text, field, most)?;
        }
        let is_name = |text: &String| text.parse::<super::OrderRef>().is_ok();
        if !self.number.as_ref().is_none_or(is_name) {
            return Err(Error::invalid_field("number", "bad_number", "number must be 1 to 64 printable characters"));
        }
        if self.number.as_ref().is_some_and(|text| text.parse::<OrderId>().is_ok()) {
            return Err(Error::invalid_field("number", "bad_number", "number must not look like a UUID"));
        }
        let is_address =
            |text: &String| text.split_once('@').is_some_and(|(who, at)| !who.is_empty() && at.contains('.'));
        if !self.customer.email.as_ref().is_none_or(is_address) {
            return Err(Error::invalid_field(
                "customer.email",
                "bad_email",
                "customer.email must be an e-mail address",
            ));
        }
        self.check_items()
    }

    fn check_items(&self) -> Result<()> {
        if self.items.len() > MOST_ITEMS {
            let message = format!("items may have at most {MOST_ITEMS} lines");
            return Err(Error::invalid_field("items", "too_many", message));
        }
        let categories = self.items.iter().filter_map(|item| item.category.as_ref()).chain(&self.category);
        categories.into_iter().try_for_each(|category| check_category(category))?;
        for item in &self.items {
            check_text(Some(&item.name), "items.name", 300)?;
            check_text(item.image_url.as_deref(), "items.image_url", 2000)?;
        }
        let prices = self.items.iter().filter_map(|item| item.unit_price.as_ref());
        for money in self.total.iter().chain(prices) {
            if money.amount < 0 || Money::new(money.amount, &money.currency).is_none() {
                let message = "amounts are minor units >= 0 in an ISO 4217 currency, as {\"amount\": 3350, \"currency\": \"USD\"}";
                return Err(Error::invalid_field("total", "bad_money", message));
            }
            if money.amount > MOST_MONEY {
                let message = format!("totals and prices may be at most {MOST_MONEY} minor units");
                return Err(Error::invalid_field("total", "too_much_money", message));
            }
        }
        Ok(())
    }

    /// The number it has or, when its request may come again, will have.
    pub(super) fn known_number(&self) -> Option<String> {
        self.number.clone().or_else(|| self.asked.map(|asked| in_letters(asked.into_iter())))
    }

    /// Whether this is the order the request once made.
    pub(super) fn has_made(&self, order: &Order) -> bool {
        self.asked.is_some()
            && self.company == order.company
            && self.external_id == order.external_id
            && self.customer == order.customer
            && self.address == order.address
            && self.item_summary == order.item_summary
            && self.items == order.items
            && self.total.as_ref().map(|total| total.amount) == order.total.as_ref().map(|total| total.amount)
    }

    /// The order and its first event.
    pub(super) fn into_order(self, now: Timestamp) -> Result<(Order, Event)> {
        let number = self.known_number().unwrap_or_else(new_number);
        let status = self.status.unwrap_or(Status::Pending);
        let has_shipped = matches!(status, Status::Shipped | Status::OutForDelivery | Status::DeliveryFailed);
        let note = self.notes.clone();
        let mut order = Order {
            id: OrderId::new(),
            company: self.company,
            number,
            external_id: self.external_id,
            status,
            seq: 1,
            customer: self.customer,
            address: self.address,
            item_summary: self.item_summary,
            items: self.items,
            category: self.category,
            total: self.total.and_then(|total| Money::new(total.amount, &total.currency)),
            tracking_url: None,
            carrier: self.carrier,
            tracking_number: self.tracking_number,
            estimated_delivery: self.estimated_delivery,
            original_estimated_delivery: None,
            shipment_status: None,
            shipment_reason: None,
            courier_account: self.courier_account,
            courier_id: self.courier_id,
            notes: self.notes,
            cancellation_reason: None,
            shipped_at: has_shipped.then_some(now),
            delivered_at: (status == Status::Delivered).then_some(now),
            created_at: now,
            updated_at: now,
        };
        order.tracking_url = order.parcel_page();
        let event = first_event(&order, note)?;
        Ok((order, event))
    }
}

fn first_event(order: &Order, note: Option<String>) -> Result<Event> {
    let body = EventBody {
        seq: order.seq,
        kind: "order_created".to_owned(),
        status: order.status,
        previous_status: None,
        carrier: order.carrier.clone(),
        tracking_number: order.tracking_number.clone(),
        tracking_url: order.tracking_url.clone(),
        estimated_delivery: order.estimated_delivery,
        shipment_status: None,
        note,
        occurred_at: order.created_at,
    };
    event(order, &body)
}

fn new_number() -> String {
    let mut bytes = [0; LETTERS];
    rand::rng().fill_bytes(&mut bytes);
    in_letters(bytes.into_iter())
}

const LETTERS: usize = 10;

/// `ORD-` and ten characters of an alphabet without I, L, O and U: 50 random bits, easy to read out on the telephone.
fn in_letters(bytes: impl Iterator<Item = u8>) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let letters = bytes.take(LETTERS).map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
    format!("ORD-{}", letters.collect::<String>())
}
