//! What is known of an order besides its way: whom it is for, where it goes, what is in it. Pure.

use serde::{Serialize, Serializer};

use super::intake::NewOrder;
use super::model::{Customer, Item, Order};
use super::status::Status;
use crate::base::{Money, Result};

/// New details of an order. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the order's")]
pub struct Details {
    /// Taken only by an order that has none: what it is called elsewhere does not change.
    pub external_id: Option<String>,
    pub customer: Customer,
    pub address: Option<String>,
    pub item_summary: Option<String>,
    pub items: Option<Vec<Item>>,
    pub total: Option<Money>,
}

impl Details {
    /// Checks every field by the rules of a new order.
    ///
    /// # Errors
    /// `Invalid` that names the field and its rule.
    pub fn check(&self) -> Result<()> {
        let new = NewOrder {
            external_id: self.external_id.clone(),
            customer: self.customer.clone(),
            address: self.address.clone(),
            item_summary: self.item_summary.clone(),
            items: self.items.clone().unwrap_or_default(),
            total: self.total.clone(),
            ..NewOrder::default()
        };
        new.check()
    }

    pub(super) fn apply_to(&self, order: &mut Order) {
        fn keep<T: Clone>(slot: &mut Option<T>, wish: &Option<T>) {
            if wish.is_some() {
                slot.clone_from(wish);
            }
        }
        if order.external_id.is_none() {
            order.external_id.clone_from(&self.external_id);
        }
        keep(&mut order.customer.name, &self.customer.name);
        keep(&mut order.customer.phone, &self.customer.phone);
        keep(&mut order.customer.email, &self.customer.email);
        keep(&mut order.customer.locale, &self.customer.locale);
        keep(&mut order.address, &self.address);
        keep(&mut order.item_summary, &self.item_summary);
        // What a delivered order has cost is settled: its vendor was credited by it.
        if order.status != Status::Delivered {
            keep(&mut order.total, &self.total);
        }
        if let Some(items) = &self.items {
            order.items.clone_from(items);
        }
    }

    /// The fields that are given.
    fn names(&self) -> Vec<&'static str> {
        let given = [
            ("external_id", self.external_id.is_some()),
            ("customer.name", self.customer.name.is_some()),
            ("customer.phone", self.customer.phone.is_some()),
            ("customer.email", self.customer.email.is_some()),
            ("customer.locale", self.customer.locale.is_some()),
            ("address", self.address.is_some()),
            ("item_summary", self.item_summary.is_some()),
            ("items", self.items.is_some()),
            ("total", self.total.is_some()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name).collect()
    }
}

/// Written as the names of its fields: the audit trail outlives a customer's wish to be forgotten.
impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.names().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_trail_learns_which_details_changed_and_not_to_what() {
        let customer = Customer { email: Some("jane@mail.example".into()), ..Customer::default() };
        let details = Details { customer, address: Some("Road 1".into()), ..Details::default() };
        assert_eq!(serde_json::to_string(&details).unwrap(), r#"["customer.email","address"]"#);
    }

    #[test]
    fn details_keep_the_rules_of_a_new_order() {
        let customer = Customer { email: Some("nobody".into()), ..Customer::default() };
        assert!(Details { customer, ..Details::default() }.check().is_err());
        assert!(Details { address: Some("x".repeat(501)), ..Details::default() }.check().is_err());
        assert!(Details::default().check().is_ok());
    }
}
