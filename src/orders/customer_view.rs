//! An order as its customer may see it: names shortened, address and e-mail masked. Pure.

use jiff::Timestamp;
use serde::Serialize;

use super::model::{Estimate, Item, Order};
use super::status::Status;
use crate::base::id::OrderId;
use crate::base::{Error, Money, Result};

#[derive(Serialize)]
struct View<'a> {
    id: OrderId,
    number: &'a str,
    shop: Shop<'a>,
    status: Status,
    seq: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_delivery: Option<Estimate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_estimated_delivery: Option<Estimate>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    delayed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipment_status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipment_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation_reason: Option<&'a str>,
    customer: MaskedCustomer,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_summary: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Item]>::is_empty")]
    items: &'a [Item],
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<&'a Money>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipped_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<Timestamp>,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<&'a str>,
}

#[derive(Serialize)]
struct Shop<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct MaskedCustomer {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

/// The snapshot JSON of an order of the shop.
///
/// # Errors
/// `Internal` when it cannot be written as JSON.
pub(super) fn render(order: &Order, shop: &str) -> Result<String> {
    let view = View {
        id: order.id,
        number: &order.number,
        shop: Shop { name: shop },
        status: order.status,
        seq: order.seq,
        carrier: order.carrier.as_deref(),
        tracking_number: order.tracking_number.as_deref(),
        tracking_url: order.tracking_url.as_deref(),
        estimated_delivery: order.estimated_delivery,
        original_estimated_delivery: order.original_estimated_delivery,
        delayed: order.is_delayed(),
        shipment_status: order.shipment_status.as_deref(),
        shipment_reason: order.shipment_reason.as_deref(),
        cancellation_reason: order.cancellation_reason.as_deref(),
        customer: MaskedCustomer {
            name: order.customer.name.as_deref().map(short_name),
            address: order.address.as_deref().map(mask_address),
            email: order.customer.email.as_deref().map(mask_email),
        },
        item_summary: order.item_summary.as_deref(),
        items: &order.items,
        total: order.total.as_ref(),
        created_at: order.created_at,
        shipped_at: order.shipped_at,
        delivered_at: order.delivered_at,
        updated_at: order.updated_at,
        locale: order.customer.locale.as_deref(),
    };
    serde_json::to_string(&view).map_err(Error::internal)
}

/// `Ayesha Rahman` → `Ayesha R.`
fn short_name(name: &str) -> String {
    let mut words = name.split_whitespace();
    let first = words.next().unwrap_or_default();
    match words.next_back().and_then(|last| last.chars().next()) {
        Some(initial) => format!("{first} {}.", initial.to_uppercase()),
        None => first.to_owned(),
    }
}

/// `Road 1234, Dhanmondi` → `Road 12••, Dhanmondi`: the last two digits of every number of two digits or more, and a
/// number of one digit whole, so that no house is named.
fn mask_address(address: &str) -> String {
    let letters: Vec<char> = address.chars().collect();
    let is_digit = |at: usize| letters.get(at).is_some_and(char::is_ascii_digit);
    let hides = |at: usize| is_digit(at) && (!is_digit(at + 1) || !is_digit(at + 2));
    letters.iter().enumerate().map(|(at, letter)| if hides(at) { '•' } else { *letter }).collect()
}

/// `ayesha@mail.com` → `a•••@mail.com`
fn mask_email(email: &str) -> String {
    let (who, at) = email.split_once('@').unwrap_or((email, ""));
    let first: String = who.chars().take(1).collect();
    format!("{first}•••@{at}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_is_cut_to_what_the_customer_recognises() {
        assert_eq!(short_name("Ayesha  Binte Rahman"), "Ayesha R.");
        assert_eq!(short_name("Ayesha"), "Ayesha");
        assert_eq!(short_name(""), "");
        assert_eq!(mask_address("Road 1234, Dhanmondi"), "Road 12••, Dhanmondi");
        assert_eq!(mask_address("Flat 7, 12 Main St"), "Flat •, •• Main St");
        assert_eq!(mask_email("ayesha@mail.com"), "a•••@mail.com");
        assert_eq!(mask_email("nonsense"), "n•••@");
    }
}
