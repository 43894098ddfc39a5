//! What the platform keeps of a sale: which rate holds, and the arithmetic. Pure.
//!
//! The rounding rule: a total is split over its items in proportion to their price (largest remainder, so that no minor
//! unit is lost), the parts of one category are taken together, and the commission of each is rounded half to even. The
//! commission is the sum of the rounded parts, and the vendor gets the rest of the total.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::Money;
use crate::base::id::{CompanyId, OrderId};

/// One hundred percent in basis points.
pub const WHOLE: i32 = 10_000;

/// What there is to know of an order where money is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// The order.
    pub order: OrderId,
    /// Who sold it.
    pub company: CompanyId,
    /// What was paid.
    pub total: Option<Money>,
    /// The category of items that have none.
    pub category: Option<String>,
    /// What was sold.
    pub items: Vec<Sold>,
    /// When the order was made: the rates of that time hold.
    pub at: Timestamp,
}

/// One line of a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sold {
    /// What kind of thing it is.
    pub category: Option<String>,
    /// How many.
    pub qty: u32,
    /// What one costs.
    pub unit_price: Option<Money>,
}

/// A commission rate and where it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Only sales of this company; all when `None`.
    pub company: Option<CompanyId>,
    /// Only this category; all when `None`.
    pub category: Option<String>,
    /// Hundredths of a percent, 0 to 10,000.
    pub basis_points: i32,
    /// From when on.
    pub holds_from: Timestamp,
}

/// The commission of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commission {
    /// ISO 4217.
    pub currency: String,
    /// The total it was calculated on, in minor units.
    pub total: i64,
    /// What the platform keeps, in minor units.
    pub amount: i64,
    /// The rate in words: `12.5%`, or several.
    pub rate: String,
    /// The arithmetic: one line for each category.
    pub lines: Vec<Line>,
    /// When.
    pub calculated_at: Timestamp,
}

/// One step of the arithmetic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CommissionLine)]
pub struct Line {
    /// Of which category; absent for items without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "lamps")]
    pub category: Option<String>,
    /// The part of the total that falls to it, in minor units.
    #[schema(example = 99_999)]
    pub base: i64,
    /// The rate, in hundredths of a percent.
    #[schema(example = 1000)]
    pub basis_points: i32,
    /// Whose rate it is: `platform`, `category`, `company` or `company and category`.
    #[schema(example = "platform")]
    pub rate_of: String,
    /// The commission on it: `base × basis_points ÷ 10,000`, rounded half to even, in minor units.
    #[schema(example = 10_000)]
    pub amount: i64,
}

/// Why there is no commission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uncalculable {
    /// The order has no total.
    NoTotal,
    /// No rate holds for a category, or for what has none.
    NoRate(Option<String>),
}

impl fmt::Display for Uncalculable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTotal => f.write_str("The order has no total to calculate a commission on."),
            Self::NoRate(None) => f.write_str("No commission rate held when the order was made; set one first."),
            Self::NoRate(Some(category)) => {
                write!(f, "No commission rate for {category} held when the order was made; set one first.")
            }
        }
    }
}

impl Commission {
    /// What is left for the vendor, in minor units.
    #[must_use]
    pub fn vendor_amount(&self) -> i64 {
        self.total - self.amount
    }

    /// Whether it is that of this total.
    #[must_use]
    pub fn fits(&self, total: &Money) -> bool {
        self.total == total.amount && self.currency == total.currency
    }
}

/// Calculates the commission of a sale.
///
/// # Errors
/// When the order has no total, or no rate holds for a part of it.
pub fn calculate(sale: &Sale, rates: &[Rate], now: Timestamp) -> Result<Commission, Uncalculable> {
    let total = sale.total.as_ref().filter(|total| total.amount >= 0).ok_or(Uncalculable::NoTotal)?;
    let mut lines = Vec::new();
    for (category, base) in parts(sale, total) {
        let rate = rate_for(rates, sale.company, category.as_deref(), sale.at);
        let rate = rate.ok_or_else(|| Uncalculable::NoRate(category.clone()))?;
        let amount = half_even(base, rate.basis_points);
        lines.push(Line { category, base, basis_points: rate.basis_points, rate_of: rate.of().to_owned(), amount });
    }
    Ok(Commission {
        currency: total.currency.clone(),
        total: total.amount,
        amount: lines.iter().map(|line| line.amount).sum(),
        rate: words(&lines),
        lines,
        calculated_at: now,
    })
}

impl Rate {
    /// Whose rate it is, in words.
    #[must_use]
    pub fn of(&self) -> &'static str {
        match (self.company.is_some(), self.category.is_some()) {
            (false, false) => "platform",
            (false, true) => "category",
            (true, false) => "company",
            (true, true) => "company and category",
        }
    }
}

/// The rate for a part of a sale: the most specific that holds at a time, and of those the newest. Of two that hold from
/// the same moment the later in the list wins.
#[must_use]
pub fn rate_for<'a>(rates: &'a [Rate], company: CompanyId, category: Option<&str>, at: Timestamp) -> Option<&'a Rate> {
    let holds = |rate: &&Rate| {
        rate.holds_from <= at
            && rate.company.is_none_or(|only| only == company)
            && rate.category.as_deref().is_none_or(|only| Some(only) == category)
    };
    rates.iter().filter(holds).max_by_key(|rate| (rate.company.is_some(), rate.category.is_some(), rate.holds_from))
}

/// The total by category, in the order in which they first appear.
fn parts(sale: &Sale, total: &Money) -> Vec<(Option<String>, i64)> {
    let price = |sold: &Sold| match &sold.unit_price {
        Some(price) if price.currency == total.currency => i128::from(sold.qty) * i128::from(price.amount.max(0)),
        _ => 0,
    };
    let mut weights: Vec<i128> = sale.items.iter().map(price).collect();
    if weights.iter().sum::<i128>() == 0 {
        weights = sale.items.iter().map(|sold| i128::from(sold.qty)).collect();
    }
    if weights.iter().sum::<i128>() == 0 {
        return vec![(sale.category.clone(), total.amount)];
    }
    let mut parts: Vec<(Option<String>, i64)> = Vec::new();
    for (sold, share) in sale.items.iter().zip(split(total.amount, &weights)) {
        let category = sold.category.clone().or_else(|| sale.category.clone());
        match parts.iter_mut().find(|(known, _)| *known == category) {
            Some((_, base)) => *base += share,
            None => parts.push((category, share)),
        }
    }
    parts
}

/// Splits an amount (not negative) in proportion to weights (not negative, not all zero): everybody gets the whole units
/// of the share, and those with the largest remainders one more each, until nothing is left.
fn split(amount: i64, weights: &[i128]) -> Vec<i64> {
    let whole: i128 = weights.iter().sum();
    // Weights are prices times quantities: shrunk where the product with the amount would not fit.
    let shift = (whole.ilog2() + 64).saturating_sub(126);
    let weights: Vec<i128> = weights.iter().map(|weight| weight >> shift).collect();
    let whole: i128 = weights.iter().sum::<i128>().max(1);
    let product = |weight: &i128| i128::from(amount) * weight;
    let share = |weight: &i128| i64::try_from(product(weight) / whole).unwrap_or(amount);
    let mut shares: Vec<i64> = weights.iter().map(share).collect();
    let mut left = amount - shares.iter().sum::<i64>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(product(&weights[*at]) % whole), *at));
    for at in order.into_iter().cycle() {
        if left <= 0 {
            break;
        }
        shares[at] += 1;
        left -= 1;
    }
    shares
}

/// `base × basis points ÷ 10,000`, rounded to the nearest unit, and to the even one in the middle.
#[must_use]
pub fn half_even(base: i64, basis_points: i32) -> i64 {
    let product = i128::from(base) * i128::from(basis_points);
    let whole = i128::from(WHOLE);
    let (floor, rest) = (product.div_euclid(whole), product.rem_euclid(whole));
    let up = rest * 2 > whole || (rest * 2 == whole && floor % 2 != 0);
    i64::try_from(floor + i128::from(up)).unwrap_or(base)
}

/// A rate as people write it: `12.5%`.
#[must_use]
pub fn percent(basis_points: i32) -> String {
    let text = format!("{}.{:02}", basis_points / 100, basis_points % 100);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

fn words(lines: &[Line]) -> String {
    let mut rates: Vec<String> = Vec::new();
    for line in lines {
        let text = percent(line.basis_points);
        if !rates.contains(&text) {
            rates.push(text);
        }
    }
    rates.join(", ")
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn sale(total: i64, currency: &str, items: &[(Option<&str>, u32, Option<i64>)]) -> Sale {
        let price = |amount: i64| Money::new(amount, currency).unwrap();
        let item = |(category, qty, amount): &(Option<&str>, u32, Option<i64>)| Sold {
            category: category.map(str::to_owned),
            qty: *qty,
            unit_price: amount.map(price),
        };
        Sale {
            order: OrderId::new(),
            company: CompanyId::new(),
            total: Some(price(total)),
            category: None,
            items: items.iter().map(item).collect(),
            at: time("2026-11-21T09:00:00Z"),
        }
    }

    fn rate(company: Option<CompanyId>, category: Option<&str>, basis_points: i32, from: &str) -> Rate {
        Rate { company, category: category.map(str::to_owned), basis_points, holds_from: time(from) }
    }

    const EVER: &str = "2000-01-01T00:00:00Z";

    #[test]
    fn halves_go_to_the_even_unit() {
        for (base, basis_points, amount) in
            [(5, 1000, 0), (15, 1000, 2), (25, 1000, 2), (35, 1000, 4), (26, 1000, 3), (24, 1000, 2), (7, 0, 0)]
        {
            assert_eq!(half_even(base, basis_points), amount, "{base} at {basis_points}");
        }
        assert_eq!(half_even(i64::MAX, WHOLE), i64::MAX);
    }

    #[test]
    fn the_rate_is_the_most_specific_that_holds_at_the_time() {
        let (own, other) = (CompanyId::new(), CompanyId::new());
        let rates = [
            rate(None, None, 1000, EVER),
            rate(None, None, 1100, "2026-01-01T00:00:00Z"),
            rate(None, Some("lamps"), 800, EVER),
            rate(Some(own), None, 700, EVER),
            rate(Some(own), Some("lamps"), 600, "2026-06-01T00:00:00Z"),
        ];
        let chosen =
            |company, category, at| rate_for(&rates, company, category, time(at)).map(|rate| rate.basis_points);
        assert_eq!(chosen(other, None, "2025-12-31T23:59:59Z"), Some(1000));
        assert_eq!(chosen(other, None, "2026-01-01T00:00:00Z"), Some(1100));
        assert_eq!(chosen(other, Some("lamps"), "2026-07-01T00:00:00Z"), Some(800));
        assert_eq!(chosen(other, Some("books"), "2026-07-01T00:00:00Z"), Some(1100));
        assert_eq!(chosen(own, Some("books"), "2026-07-01T00:00:00Z"), Some(700));
        assert_eq!(chosen(own, Some("lamps"), "2026-05-01T00:00:00Z"), Some(700));
        assert_eq!(chosen(own, Some("lamps"), "2026-07-01T00:00:00Z"), Some(600));
        assert_eq!(chosen(own, None, "1999-01-01T00:00:00Z"), None);
    }

    #[test]
    fn the_arithmetic_is_shown_by_category_and_its_parts_sum_to_the_whole() {
        let sale = sale(10_000, "USD", &[(Some("lamps"), 1, Some(3333)), (None, 2, Some(3333))]);
        let rates = [rate(None, None, 1250, EVER), rate(None, Some("lamps"), 1000, EVER)];
        let done = calculate(&sale, &rates, sale.at).unwrap();
        let lines: Vec<_> = done.lines.iter().map(|line| (line.category.as_deref(), line.base, line.amount)).collect();
        // 3333⅓ and 6666⅔: the unit that is left goes to the larger rest. 10% are 333.3, 12.5% are 833.375.
        assert_eq!(lines, [(Some("lamps"), 3333, 333), (None, 6667, 833)]);
        assert_eq!((done.amount, done.vendor_amount(), done.rate.as_str()), (1166, 8834, "10%, 12.5%"));
    }

    #[test]
    fn items_without_prices_weigh_by_their_number_and_none_at_all_leave_the_total_whole() {
        let rates = [rate(None, None, 1000, EVER)];
        let free = sale(100, "JPY", &[(Some("a"), 1, None), (Some("b"), 3, None)]);
        let bases = |sale: &Sale| -> Vec<i64> {
            calculate(sale, &rates, sale.at).unwrap().lines.iter().map(|line| line.base).collect()
        };
        assert_eq!(bases(&free), [25, 75]);
        assert_eq!(bases(&sale(100, "JPY", &[])), [100]);
        assert_eq!(calculate(&sale(1, "USD", &[]), &[], EVER.parse().unwrap()), Err(Uncalculable::NoRate(None)));
        let nothing = Sale { total: None, ..sale(1, "USD", &[]) };
        assert_eq!(calculate(&nothing, &rates, nothing.at), Err(Uncalculable::NoTotal));
    }

    #[test]
    fn no_unit_is_lost_over_a_hundred_thousand_random_orders() {
        let mut random = StdRng::seed_from_u64(20_261_121);
        let categories = [None, Some("lamps"), Some("books"), Some("tea")];
        let currencies = [("JPY", 0), ("USD", 2), ("KWD", 3)];
        for _ in 0..100_000 {
            let (currency, decimals) = currencies[random.random_range(0..currencies.len())];
            assert_eq!(Money::new(0, currency).unwrap().decimals(), decimals);
            let most = [10, 1_000, 1_000_000, i64::MAX][random.random_range(0..4)];
            let items: Vec<_> = (0..random.random_range(0..8))
                .map(|_| {
                    let price = random.random_bool(0.8).then(|| random.random_range(0..=most));
                    (categories[random.random_range(0..4)], random.random_range(0..5), price)
                })
                .collect();
            let sale = sale(random.random_range(0..=most), currency, &items);
            let mut rates = vec![rate(None, None, random.random_range(0..=WHOLE), EVER)];
            for category in categories {
                if random.random_bool(0.5) {
                    rates.push(rate(Some(sale.company), category, random.random_range(0..=WHOLE), EVER));
                }
            }
            let done = calculate(&sale, &rates, sale.at).unwrap();
            let total = sale.total.as_ref().unwrap().amount;
            assert_eq!(
                done.lines.iter().map(|line| i128::from(line.base)).sum::<i128>(),
                i128::from(total),
                "{sale:?}"
            );
            assert_eq!(done.lines.iter().map(|line| line.amount).sum::<i64>(), done.amount, "{sale:?}");
            assert_eq!(done.amount + done.vendor_amount(), total, "{sale:?}");
            assert!((0..=total).contains(&done.amount), "{sale:?}");
            for line in &done.lines {
                let exact = i128::from(line.base) * i128::from(line.basis_points);
                let off = (i128::from(line.amount) * 10_000 - exact).abs();
                assert!(off <= 5_000 && (off < 5_000 || line.amount % 2 == 0), "{line:?}");
            }
        }
    }

    #[test]
    fn rates_are_written_as_people_do() {
        assert_eq!([0, 5, 50, 100, 1250, 10_000].map(percent), ["0%", "0.05%", "0.5%", "1%", "12.5%", "100%"]);
    }
}
