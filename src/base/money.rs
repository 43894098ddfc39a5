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

    /// An amount people wrote in major units, as `33.50` or `-1234`; digits beyond the currency's are rounded, half away
    /// from zero. `None` when it is no such number, too large, or the currency is not known.
    #[must_use]
    pub fn from_decimal(text: &str, currency: &str) -> Option<Self> {
        let zero = Self::new(0, currency)?;
        let (is_negative, digits) = text.trim().strip_prefix('-').map_or((false, text.trim()), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let decimals = zero.decimals() as usize;
        let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(decimals).collect();
        let amount: i64 = format!("0{whole}{kept}").parse().ok()?;
        let is_up = fraction.as_bytes().get(decimals).is_some_and(|digit| *digit >= b'5');
        let amount = amount.checked_add(i64::from(is_up))?;
        Some(Self { amount: if is_negative { -amount } else { amount }, ..zero })
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

    #[test]
    fn what_people_write_is_read_to_the_minor_unit() {
        let read = |text, currency| Money::from_decimal(text, currency).map(|money| money.amount);
        for (text, currency, amount) in [
            ("33.50", "USD", 3350),
            ("33.5", "usd", 3350),
            ("33", "USD", 3300),
            (".5", "USD", 50),
            ("-10.00", "USD", -1000),
            ("3350", "JPY", 3350),
            ("3350.00", "JPY", 3350),
            ("3.350", "KWD", 3350),
            ("3.35", "KWD", 3350),
            ("2.995", "USD", 300),
            ("2.9949", "USD", 299),
            ("99.5", "JPY", 100),
        ] {
            assert_eq!(read(text, currency), Some(amount), "{text} {currency}");
        }
        for text in ["", ".", "-", "1,5", "1e3", "NaN", "+1", "1.2.3", "99999999999999999999", "\u{661}"] {
            assert_eq!(read(text, "USD"), None, "{text}");
        }
        assert_eq!(read("1", "XXQ"), None);
    }
}
