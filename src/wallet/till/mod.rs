//! Credits and reversals of the orders of one transaction: read and locked first, thought through, then written at once.
//!
//! Thinking does no I/O, so that a wish that is refused can be forgotten by going back to a clone. What customers say of
//! what was credited is in [`word`], what the audit trail says in [`trail`].

mod trail;
mod word;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

pub use trail::calculated;
use trail::record;
pub(crate) use word::freeze;

use super::commission::{Commission, Rate, Sale, calculate};
use super::entries::{Account, Credit, CreditState, Kind, Transaction};
use super::{Terms, rates, store};
use crate::audit;
use crate::base::id::{CompanyId, OrderId, TransactionId};
use crate::base::{Actor, Error, Money, Result};
use crate::db::Conn;

/// The largest balance of a company's account: exact in the numbers of every client. What all companies share may grow as
/// far as the database can hold it, or one of them could fill it for everybody.
const MOST: i64 = 1 << 53;

/// The code of the refusal to deliver an order whose commission is not calculated.
pub const COMMISSION_NOT_CALCULATED: &str = "commission_not_calculated";
/// The code of the refusal to take back what the vendor has had paid out.
pub const WALLET_TOO_LOW: &str = "wallet_too_low";

/// Which money a transaction may move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Orders that may be credited or reversed.
    pub orders: BTreeSet<OrderId>,
    /// Wallets they may be credited to, by company and currency.
    pub purses: BTreeSet<(CompanyId, String)>,
}

/// Who caused a movement, by which request, and when.
#[derive(Clone, Copy, Debug)]
pub struct Cause<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// By which request.
    pub request_id: Option<&'a str>,
    /// Why, where somebody had to say so.
    pub reason: Option<&'a str>,
    /// When.
    pub at: Timestamp,
}

/// What an order's delivery has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credited {
    /// What the vendor got.
    pub vendor_amount: Money,
    /// What is in the wallet now: held and available.
    pub balance: Money,
}

/// A company where money is concerned.
#[derive(Clone, Debug)]
pub(super) struct Seller {
    /// Since when it sells on the marketplace.
    pub marketplace_since: Option<Timestamp>,
    /// Its own days of hold.
    pub hold_days: Option<i32>,
    /// Whether it has ever been credited: only then can there be anything to take back.
    pub has_wallet: bool,
}

/// The money of one transaction.
#[derive(Clone, Default)]
pub struct Till {
    hold_days: u32,
    is_automatic: bool,
    ends_hold_by_word: bool,
    /// The orders whose money it may move; none when no vendor of the marketplace is concerned.
    orders: Vec<OrderId>,
    /// Those of them whose customers object.
    disputed: HashSet<OrderId>,
    sellers: HashMap<CompanyId, Seller>,
    /// The newest credit of each order.
    credits: HashMap<OrderId, Credit>,
    commissions: HashMap<OrderId, Commission>,
    rates: Vec<Rate>,
    balances: BTreeMap<Account, i64>,
    /// What is to be written.
    changed: Changed,
}

/// What a till has to write.
#[derive(Clone, Default)]
pub(super) struct Changed {
    pub transactions: Vec<Transaction>,
    pub accounts: BTreeSet<Account>,
    /// Credits that stood in the table, as they are now.
    pub updated: Vec<Credit>,
    /// Credits that are new.
    pub inserted: Vec<Credit>,
    pub calculated: BTreeMap<OrderId, Commission>,
    /// What the audit trail says beside the transactions.
    pub records: Vec<audit::Record>,
}

impl Till {
    /// Reads what the orders need and locks their credits and accounts. The orders themselves are locked already.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn open(conn: &mut Conn, terms: Terms, scope: Scope) -> Result<Self> {
        let mut till = Self {
            hold_days: terms.hold_days,
            is_automatic: terms.commission_on_confirmation,
            ends_hold_by_word: terms.release_on_confirmation,
            ..Self::default()
        };
        let companies = scope.purses.iter().map(|(company, _)| *company).collect::<BTreeSet<_>>();
        till.sellers = store::find_sellers(conn, companies.into_iter().collect()).await?;
        if !till.sellers.values().any(|seller| seller.marketplace_since.is_some() || seller.has_wallet) {
            // A deployment that is no marketplace pays for this one look and no more.
            return Ok(till);
        }
        till.orders = scope.orders.into_iter().collect();
        till.credits = store::lock_newest_credits(conn, &till.orders).await?;
        till.sellers.retain(|_, seller| seller.marketplace_since.is_some());
        let mut purses = scope.purses;
        purses.retain(|(company, _)| till.sellers.contains_key(company));
        purses.extend(till.credits.values().map(|credit| (credit.company, credit.currency.clone())));
        if purses.is_empty() {
            return Ok(till);
        }
        till.commissions = store::find_commissions(conn, &till.orders).await?;
        if till.is_automatic {
            till.rates = rates::all(conn).await?;
        }
        till.balances = store::lock_accounts(conn, &purses).await?;
        Ok(till)
    }

    /// A till of accounts that are locked, for movements that no order's status causes.
    pub(super) fn on(balances: BTreeMap<Account, i64>) -> Self {
        Self { balances, ..Self::default() }
    }

    /// Has a credit written as it stands now.
    pub(super) fn keep(&mut self, credit: Credit) {
        self.changed.updated.push(credit);
    }

    /// Calculates the commission of an order that is confirmed, where the deployment wants it so and a rate holds.
    ///
    /// # Errors
    /// `Internal` when it cannot be put in words for the audit trail.
    pub fn confirm(&mut self, cause: Cause<'_>, sale: impl FnOnce() -> Sale) -> Result<()> {
        if !self.is_automatic {
            return Ok(());
        }
        let sale = sale();
        if self.is_sold_here(&sale) && self.fitting(&sale).is_none() {
            // Without a rate there is no commission yet; delivering the order will say so.
            if let Ok(commission) = calculate(&sale, &self.rates, cause.at) {
                self.changed.records.push(calculated(cause, sale.company, sale.order, &commission)?);
                self.changed.calculated.insert(sale.order, commission.clone());
                self.commissions.insert(sale.order, commission);
            }
        }
        Ok(())
    }

    /// Credits an order that is delivered, if it is a vendor's and has a total, and is not credited already.
    ///
    /// # Errors
    /// `Invalid` with the code [`COMMISSION_NOT_CALCULATED`].
    pub fn deliver(&mut self, cause: Cause<'_>, sale: &Sale) -> Result<Option<Credited>> {
        if !self.is_sold_here(sale) || self.credits.get(&sale.order).is_some_and(Credit::is_open) {
            return Ok(None);
        }
        let commission = self.fitting(sale).cloned().ok_or_else(not_calculated)?;
        let (company, currency) = (sale.company, commission.currency.clone());
        let round = self.credits.get(&sale.order).map_or(1, |earlier| earlier.round + 1);
        let days = self.sellers.get(&company).and_then(|seller| seller.hold_days).map(i64::from);
        let hold = SignedDuration::from_hours(24 * days.unwrap_or_else(|| i64::from(self.hold_days)));
        let credit = Credit {
            order: sale.order,
            round,
            company,
            vendor_amount: commission.vendor_amount(),
            commission_amount: commission.amount,
            state: CreditState::Held,
            credited_at: cause.at,
            release_at: cause.at.checked_add(hold).map_err(Error::internal)?,
            disputed_at: self.disputed.contains(&sale.order).then_some(cause.at),
            currency: currency.clone(),
        };
        let (world, held) = (Account::world(&currency), Account::held(company, &currency));
        let transaction = begin(Kind::Credit, &credit, cause)
            .moving(world.clone(), held.clone(), credit.vendor_amount)
            .moving(world, Account::commission(&currency), credit.commission_amount);
        self.post(transaction)?;
        if credit.disputed_at.is_some() {
            self.changed.records.push(word::record(cause, &credit, true)?);
        }
        let balance = self.balance(&held) + self.balance(&Account::available(company, &currency));
        let money = |amount| Money { amount, currency: currency.clone() };
        let credited = Credited { vendor_amount: money(credit.vendor_amount), balance: money(balance) };
        self.changed.inserted.push(credit.clone());
        self.credits.insert(sale.order, credit);
        Ok(Some(credited))
    }

    /// Takes an order's credit back, if it has one.
    ///
    /// # Errors
    /// `Conflict` with the code [`WALLET_TOO_LOW`] when the vendor has had the money paid out, unless the wallet may go
    /// below zero.
    pub fn take_back(&mut self, cause: Cause<'_>, order: OrderId, may_go_below_zero: bool) -> Result<()> {
        let Some(credit) = self.credits.get(&order).filter(|credit| credit.is_open()).cloned() else { return Ok(()) };
        let (company, currency) = (credit.company, &credit.currency);
        let from = match credit.state {
            CreditState::Available => Account::available(company, currency),
            CreditState::Held | CreditState::Reversed => Account::held(company, currency),
        };
        let lacks = self.balance(&from) < credit.vendor_amount;
        if lacks && !may_go_below_zero {
            return Err(too_low());
        }
        let world = Account::world(currency);
        let mut transaction = begin(Kind::Reversal, &credit, cause)
            .moving(from, world.clone(), credit.vendor_amount)
            .moving(Account::commission(currency), world, credit.commission_amount);
        if lacks {
            transaction.reason = Some("the wallet was allowed to go below zero".to_owned());
        }
        self.post(transaction)?;
        self.replace(Credit { state: CreditState::Reversed, ..credit });
        Ok(())
    }

    /// Has a credit written as it is now, whether it stands in the table already or is new itself.
    fn replace(&mut self, credit: Credit) {
        let is_same = |known: &&mut Credit| known.order == credit.order && known.round == credit.round;
        match self.changed.inserted.iter_mut().chain(&mut self.changed.updated).find(is_same) {
            Some(known) => *known = credit.clone(),
            None => self.changed.updated.push(credit.clone()),
        }
        self.credits.insert(credit.order, credit);
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        let Changed { transactions, updated, calculated, .. } = &self.changed;
        transactions.is_empty() && updated.is_empty() && calculated.is_empty()
    }

    /// Writes what was thought through. The orders it is about are written already.
    ///
    /// # Errors
    /// `Unavailable` or `Internal`; nothing must be committed then.
    pub async fn write(self, conn: &mut Conn) -> Result<()> {
        let Self { changed, balances, .. } = self;
        let accounts: Vec<_> = balances.into_iter().filter(|(account, _)| changed.accounts.contains(account)).collect();
        let mut records = changed.transactions.iter().map(record).collect::<Result<Vec<_>>>()?;
        records.extend(changed.records.iter().cloned());
        store::write(conn, &changed, &accounts).await?;
        audit::record(conn, records).await
    }

    fn is_sold_here(&self, sale: &Sale) -> bool {
        let is_vendor = self.sellers.get(&sale.company).is_some_and(|seller| seller.marketplace_since.is_some());
        is_vendor && sale.total.as_ref().is_some_and(|total| total.amount > 0)
    }

    /// The commission of a sale, if it was calculated on the total of now.
    fn fitting(&self, sale: &Sale) -> Option<&Commission> {
        let total = sale.total.as_ref()?;
        self.commissions.get(&sale.order).filter(|commission| commission.fits(total))
    }

    pub(super) fn balance(&self, account: &Account) -> i64 {
        self.balances.get(account).copied().unwrap_or_default()
    }

    /// Books a transaction on the balances; its accounts are locked.
    pub(super) fn post(&mut self, transaction: Transaction) -> Result<()> {
        // All of it or nothing: a refusal must leave no half behind.
        let mut after = BTreeMap::new();
        for posting in &transaction.postings {
            for (account, change) in [(&posting.debit, -posting.amount), (&posting.credit, posting.amount)] {
                let before = after.get(account).or_else(|| self.balances.get(account)).copied();
                let before: i64 = before.ok_or_else(|| Error::internal(format!("{account} was not locked")))?;
                let fits = |sum: &i64| account.is_shared() || (-MOST..=MOST).contains(sum);
                let sum = before.checked_add(change).filter(fits);
                let sum = sum.ok_or_else(|| Error::invalid("too_much_money", "No balance may become this large."))?;
                after.insert(account.clone(), sum);
            }
        }
        self.changed.accounts.extend(after.keys().cloned());
        self.balances.extend(after);
        self.changed.transactions.push(transaction);
        Ok(())
    }
}

/// A transaction about a credit, with nothing moved yet.
pub(super) fn begin(kind: Kind, credit: &Credit, cause: Cause<'_>) -> Transaction {
    Transaction {
        id: TransactionId::new(),
        kind,
        company: credit.company,
        currency: credit.currency.clone(),
        order: Some((credit.order, credit.round)),
        payout: None,
        reason: cause.reason.map(str::to_owned),
        actor: cause.actor.clone(),
        request_id: cause.request_id.map(str::to_owned),
        at: cause.at,
        postings: Vec::new(),
    }
}

/// The commissions that were calculated for orders.
///
/// # Errors
/// `Unavailable` when the database is out of reach.
pub async fn find_commissions(conn: &mut Conn, orders: &[OrderId]) -> Result<HashMap<OrderId, Commission>> {
    store::find_commissions(conn, orders).await
}

/// The newest credit of each order.
///
/// # Errors
/// `Unavailable` when the database is out of reach.
pub async fn find_credits(conn: &mut Conn, orders: &[OrderId]) -> Result<HashMap<OrderId, Credit>> {
    store::find_newest_credits(conn, orders).await
}

/// Writes the commission of an order in place of an earlier one. The order is locked.
///
/// # Errors
/// `Unavailable` when the database is out of reach.
pub async fn put_commission(conn: &mut Conn, order: OrderId, commission: &Commission) -> Result<()> {
    store::put_commission(conn, order, commission).await
}

fn not_calculated() -> Error {
    let message =
        "Commission not calculated for this order. Commission must be calculated before marking as delivered.";
    Error::invalid(COMMISSION_NOT_CALCULATED, message)
}

fn too_low() -> Error {
    let message = "The vendor has had the money of this order paid out; taking it back would leave the wallet below \
                   zero. Those who run the platform may allow it.";
    Error::conflict(WALLET_TOO_LOW, message)
}
