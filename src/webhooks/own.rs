//! Our own format: the body of reference/001, and beside its fields everything else an order may have. Pure.

use serde::Deserialize;

use super::news::{News, Reading, Text, parse, time};
use crate::base::id::OrderId;
use crate::base::{Error, Money, Result};
use crate::orders::{Change, Customer, Details, Estimate, Item};

/// A body; fields we do not know are passed over, as the earlier system did.
#[derive(Deserialize)]
struct Body {
    customer_details: Option<Person>,
    address: Option<String>,
    item_summary: Option<String>,
    tracking_status: Option<String>,
    status: Option<String>,
    order_number: Option<Text>,
    number: Option<Text>,
    external_id: Option<Text>,
    /// What the sender calls the order, or what we do: our replies carry it.
    id: Option<Text>,
    items: Option<Vec<Item>>,
    total: Option<Money>,
    carrier: Option<String>,
    tracking_number: Option<Text>,
    tracking_url: Option<String>,
    estimated_delivery: Option<Estimate>,
    notes: Option<String>,
    cancellation_reason: Option<String>,
    updated_at: Option<String>,
}

/// Whom the order is for; the sender's own number of the customer is passed over.
#[derive(Deserialize)]
struct Person {
    name: Option<String>,
    phone: Option<Text>,
    email: Option<String>,
    locale: Option<String>,
}

/// Reads a body.
///
/// # Errors
/// `Invalid` that says what is wrong and where.
pub fn read(body: &[u8]) -> Result<Reading> {
    let body: Body = parse(body)?;
    let filled = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let plain = |text: Option<Text>| filled(text.map(|text| text.0));
    let occurred_at = body.updated_at.as_deref().map(|text| {
        let message = "updated_at must be a time with its zone, as 2026-11-24T18:00:00Z";
        time(Some(text)).ok_or_else(|| Error::invalid_field("updated_at", "bad_time", message))
    });
    let number = plain(body.order_number).or(plain(body.number));
    let id = plain(body.id);
    let own_id: Option<OrderId> = id.as_ref().and_then(|id| id.parse().ok());
    let external_id = plain(body.external_id).or(id);
    let has_customer = body.customer_details.is_some();
    if number.is_none() && external_id.is_none() && !has_customer {
        let message = "customer_details is required, or an order_number or external_id that tells which order is meant";
        return Err(Error::invalid_field("customer_details", "required", message));
    }
    let customer = body.customer_details.map_or_else(Customer::default, |person| Customer {
        name: filled(person.name),
        phone: plain(person.phone),
        email: filled(person.email),
        locale: filled(person.locale),
    });
    let contact = customer.email.clone().or_else(|| customer.phone.clone());
    Ok(Reading::News(Box::new(News {
        subject: external_id.clone().or_else(|| number.clone()),
        occurred_at: occurred_at.transpose()?,
        number,
        own_id,
        may_create: true,
        words: filled(body.tracking_status).or(filled(body.status)).into_iter().collect(),
        contact,
        details: Details {
            external_id,
            customer,
            address: filled(body.address),
            item_summary: filled(body.item_summary),
            items: body.items,
            total: body.total,
        },
        change: Change {
            carrier: filled(body.carrier),
            tracking_number: plain(body.tracking_number),
            tracking_url: filled(body.tracking_url),
            estimated_delivery: body.estimated_delivery,
            notes: filled(body.notes),
            cancellation_reason: filled(body.cancellation_reason),
            ..Change::default()
        },
        first_note: None,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(body: &str) -> News {
        match read(body.as_bytes()) {
            Ok(Reading::News(news)) => *news,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_body_of_reference_001_is_read() {
        let news = news(
            r#"{"customer_details": {"name": "Jane Doe", "phone": "+1234567890", "email": "jane@example.com"},
                "address": "123 Main St, Anytown, USA", "item_summary": "1x Widget, 2x Gadgets", "tracking_status": "PENDING"}"#,
        );
        assert_eq!(news.details.customer.name.as_deref(), Some("Jane Doe"));
        assert_eq!(news.words, ["PENDING"]);
        assert_eq!((news.subject, news.number, news.details.external_id), (None, None, None));
    }

    #[test]
    fn an_order_is_named_in_four_ways_by_text_or_number() {
        for (body, number, external_id) in [
            (r#"{"order_number": "A-1"}"#, Some("A-1"), None),
            (r#"{"number": 7}"#, Some("7"), None),
            (r#"{"external_id": "x"}"#, None, Some("x")),
            (r#"{"id": 99, "number": "A-1"}"#, Some("A-1"), Some("99")),
            (r#"{"id": 99, "external_id": "x"}"#, None, Some("x")),
        ] {
            let news = news(body);
            assert_eq!((news.number.as_deref(), news.details.external_id.as_deref()), (number, external_id), "{body}");
        }
    }

    #[test]
    fn what_names_no_order_and_no_customer_and_wrong_types_are_refused() {
        for body in [
            "{}",
            r#"{"order_number": " "}"#,
            "[]",
            "null",
            r#"{"customer_details": "Jane"}"#,
            r#"{"number": "1", "address": 5}"#,
            r#"{"number": "1", "items": [{"name": "x", "qty": -1}]}"#,
            r#"{"number": "1", "updated_at": "yesterday"}"#,
            r#"{"number": "1", "number": "2"}"#,
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
