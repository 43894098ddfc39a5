//! Money: integer minor units and an ISO 4217 currency; decimals exist only where a person or an old client reads them.

use iso_currency::Currency;
use serde::{Deserialize, Serialize};

/// An amount in minor units: 3350 USD is $33.50, 3350 JPY is ¥3350, 3350 KWD is 3.350.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units of the currency.
    #[schema(example = 3350)]
    pub amount: i64,
    /// ISO 4217 code, three capitals.
    #[schema(example = "USD")]
    pub currency: String,
}

impl Money {
    /// An amount in a currency known to ISO 4217, or `None` when it is not. Letter case does not matter.
    #[must_use]
    pub fn new(amount: i64, currency: &str) -> Option<Self> {
        let currency = currency.to_ascii_uppercase();
        Currency::from_code(&currency)?;
        Some(Self { amount, currency })
    }

    /// How many decimals people write in this currency (ISO 4217): 2 for USD, 0 for JPY, 3 for KWD.
    #[must_use]
    pub fn decimals(&self) -> u32 {
        Currency::from_code(&self.currency).and_then(Currency::exponent).unwrap_or(2).into()
    }

    /// The amount in major units as text, exact: `33.50`.
    #[must_use]
    pub fn to_decimal(&self) -> String {
        let decimals = self.decimals();
        let unit = 10_u64.pow(decimals);
        let sign = if self.amount < 0 { "-" } else { "" };
        let amount = self.amount.unsigned_abs();
        if decimals == 0 {
            return format!("{sign}{amount}");
        }
        format!("{sign}{}.{:0width$}", amount / unit, amount % unit, width = decimals as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_follow_the_currency() {
        let text = |amount, currency| Money::new(amount, currency).unwrap().to_decimal();
        assert_eq!(text(3350, "usd"), "33.50");
        assert_eq!(text(-5, "USD"), "-0.05");
        assert_eq!(text(3350, "JPY"), "3350");
        assert_eq!(text(3350, "KWD"), "3.350");
        assert!(Money::new(1, "XXQ").is_none());
    }
}
