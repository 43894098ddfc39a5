//! The shapes of reference/003: names in camel case, statuses in upper case, amounts as numbers in major units.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Number;
use utoipa::ToSchema;

use crate::base::Money;
use crate::orders::commissions::Priced;
use crate::orders::timeline::Moved;
use crate::orders::{Advanced, Item, Status};
use crate::wallet::Credit;

/// What became of a status.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FulfilmentStatusUpdated)]
pub struct StatusUpdated {
    success: bool,
    #[schema(example = "Order status updated successfully")]
    message: String,
    #[schema(example = "SHIPPED")]
    current_status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "PACKED")]
    previous_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// With `DELIVERED` only.
    wallet_credit: Option<WalletCredit>,
}

/// Amounts are in major units, as numbers: `899.99`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FulfilmentWalletCredit)]
struct WalletCredit {
    credited: bool,
    #[schema(value_type = f64, example = 899.99)]
    vendor_amount: Number,
    /// Held and available.
    #[schema(value_type = f64, example = 4500.50)]
    wallet_balance: Number,
}

/// The reply to a wished status.
pub(super) fn updated(advanced: Advanced) -> StatusUpdated {
    let current = upper(advanced.order.status);
    if let Some(held) = advanced.held {
        // A step of the company's own workflow, which the reference does not know.
        let message = format!("Order status {} waits for {}", upper(held.to), held.gate.code());
        let (previous_status, wallet_credit) = (None, None);
        return StatusUpdated { success: true, message, current_status: current, previous_status, wallet_credit };
    }
    if advanced.event.is_none() {
        let message = format!("Order status is already {current}");
        let (previous_status, wallet_credit) = (None, None);
        return StatusUpdated { success: true, message, current_status: current, previous_status, wallet_credit };
    }
    let is_delivered = advanced.order.status == Status::Delivered;
    let message = if is_delivered {
        "Order status updated to DELIVERED successfully"
    } else {
        "Order status updated successfully"
    };
    let credit = advanced.credited.map_or_else(
        || WalletCredit { credited: false, vendor_amount: Number::from(0), wallet_balance: Number::from(0) },
        |credited| WalletCredit {
            credited: true,
            vendor_amount: major(&credited.vendor_amount),
            wallet_balance: major(&credited.balance),
        },
    );
    StatusUpdated {
        success: true,
        message: message.to_owned(),
        current_status: current,
        previous_status: Some(upper(advanced.previous_status)),
        wallet_credit: is_delivered.then_some(credit),
    }
}

fn upper(status: Status) -> String {
    status.code().to_ascii_uppercase()
}

/// An amount in major units as a number, as old clients read it: 899.99.
fn major(money: &Money) -> Number {
    let text = money.to_decimal();
    let whole = text.strip_suffix(&format!(".{}", "0".repeat(money.decimals() as usize))).unwrap_or(&text);
    let number = whole.parse::<i64>().ok().map(Number::from);
    number.or_else(|| Number::from_f64(text.parse().ok()?)).unwrap_or_else(|| Number::from(0))
}

/// `2024-01-15T10:30:00.000Z`, as the reference writes times.
fn to_the_millisecond(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// An order with its history.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FulfilmentOrder)]
pub struct OrderView {
    id: String,
    order_number: String,
    vendor_id: String,
    order_status: String,
    status_history: Vec<MovedView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    total_amount: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commission: Option<CommissionView>,
    items: Vec<ItemView>,
    carrier: Option<String>,
    tracking_number: Option<String>,
    shipped_at: Option<String>,
    delivered_at: Option<String>,
    created_at: String,
    updated_at: String,
}

/// One change of an order's status.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FulfilmentMoved)]
struct MovedView {
    status: String,
    /// `vendor`, `admin`, `super-admin`, or another party's kind.
    #[schema(example = "vendor")]
    updated_by: String,
    updated_by_user_id: Option<String>,
    updated_at: String,
}

/// What the platform keeps of an order, and what its vendor gets.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FulfilmentCommission)]
struct CommissionView {
    #[schema(value_type = f64)]
    amount: Number,
    /// In words.
    #[schema(example = "12.5%")]
    rate: String,
    #[schema(value_type = f64)]
    vendor_amount: Number,
    calculated_at: String,
    wallet_credited: bool,
}

/// A line of an order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FulfilmentItem)]
struct ItemView {
    name: String,
    quantity: u32,
    #[schema(value_type = Option<f64>)]
    unit_price: Option<Number>,
}

impl From<Item> for ItemView {
    fn from(item: Item) -> Self {
        Self { name: item.name, quantity: item.qty, unit_price: item.unit_price.as_ref().map(major) }
    }
}

impl From<Moved> for MovedView {
    fn from(moved: Moved) -> Self {
        Self {
            status: upper(moved.status),
            updated_by: moved.by.replace('_', "-"),
            updated_by_user_id: moved.actor_id,
            updated_at: to_the_millisecond(moved.at),
        }
    }
}

impl OrderView {
    /// An order as it stands, and how it came there.
    pub(super) fn new(priced: Priced, history: Vec<Moved>) -> Self {
        let Priced { order, commission, credit } = priced;
        let commission = commission.map(|commission| {
            let money = |amount| major(&Money { amount, currency: commission.currency.clone() });
            CommissionView {
                amount: money(commission.amount),
                vendor_amount: money(commission.vendor_amount()),
                rate: commission.rate.clone(),
                calculated_at: to_the_millisecond(commission.calculated_at),
                wallet_credited: credit.as_ref().is_some_and(Credit::is_open),
            }
        });
        Self {
            id: order.id.to_string(),
            order_number: order.number,
            vendor_id: order.company.to_string(),
            order_status: upper(order.status),
            status_history: history.into_iter().map(MovedView::from).collect(),
            total_amount: order.total.as_ref().map(major),
            currency: order.total.map(|total| total.currency),
            commission,
            items: order.items.into_iter().map(ItemView::from).collect(),
            carrier: order.carrier,
            tracking_number: order.tracking_number,
            shipped_at: order.shipped_at.map(to_the_millisecond),
            delivered_at: order.delivered_at.map(to_the_millisecond),
            created_at: to_the_millisecond(order.created_at),
            updated_at: to_the_millisecond(order.updated_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_numbers_in_major_units() {
        let text = |amount, currency| major(&Money::new(amount, currency).unwrap()).to_string();
        assert_eq!(text(89_999, "USD"), "899.99");
        assert_eq!(text(450_050, "USD"), "4500.5");
        assert_eq!(text(90_000, "USD"), "900");
        assert_eq!(text(-5, "USD"), "-0.05");
        assert_eq!(text(900, "JPY"), "900");
        assert_eq!(text(900_125, "KWD"), "900.125");
        assert_eq!(text((1 << 52) - 1, "USD"), "45035996273704.95");
    }
}
