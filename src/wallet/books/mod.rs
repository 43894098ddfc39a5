//! Reading wallets and releasing what is held: balances, the list of movements, statements, the sweep.
//!
//! What is here: everything about a wallet that no order's change of status causes; [`statements`] and CSV. What is not:
//! credits and reversals ([`super::till`]) and payouts ([`super::payouts`]).

mod statements;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub use statements::{LONGEST_STATEMENT, Statement, movements_csv, statement_csv};

use super::Terms;
use super::entries::{Account, Credit, CreditState, Kind, Posting, Transaction};
use super::till::{Cause, Till, begin, freeze};
use crate::base::id::{CompanyId, OrderId, PayoutId, TransactionId};
use crate::base::page::{Cursor, Page};
use crate::base::{Actor, Clock, Error, Money, Result};
use crate::db::{Conn, Db};

/// What is in a wallet, in one currency and in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// ISO 4217.
    pub currency: String,
    /// Earned, and not to be had yet.
    pub held: i64,
    /// What a payout may be asked of. Below zero after money was taken back that had been paid out.
    pub available: i64,
    /// Asked for and not paid yet.
    pub payout: i64,
}

/// One movement of a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The transaction.
    pub id: TransactionId,
    /// What it did.
    pub kind: Kind,
    /// Whose wallet.
    pub company: CompanyId,
    /// ISO 4217.
    pub currency: String,
    /// The order, its number, and how often it has been credited.
    pub order: Option<(OrderId, String, i32)>,
    /// The payout.
    pub payout: Option<PayoutId>,
    /// Why, where somebody had to say so.
    pub reason: Option<String>,
    /// Who caused it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// What it moved.
    pub postings: Vec<Posting>,
}

impl Movement {
    /// By how much an account rose, or fell.
    #[must_use]
    pub fn change_of(&self, account: &Account) -> i64 {
        let one = |posting: &Posting| match account {
            account if posting.credit == *account => posting.amount,
            account if posting.debit == *account => -posting.amount,
            _ => 0,
        };
        self.postings.iter().map(one).sum()
    }

    /// By how much the vendor's money (held, available and asked for) rose, or fell.
    #[must_use]
    pub fn change(&self) -> i64 {
        own_accounts(self.company, &self.currency).iter().map(|account| self.change_of(account)).sum()
    }

    /// How much it moved in all, be it from one account of the vendor to another.
    #[must_use]
    pub fn moved(&self) -> i64 {
        self.postings.iter().map(|posting| posting.amount).sum()
    }

    /// What the platform kept, or gave back.
    #[must_use]
    pub fn commission(&self) -> i64 {
        self.change_of(&Account::commission(&self.currency))
    }
}

/// Which movements a list shows.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this kind.
    pub kind: Option<Kind>,
    /// In this currency.
    pub currency: Option<String>,
    /// About this order.
    pub order: Option<OrderId>,
    /// At or after this moment.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

/// What can be done about a credit that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is not released while the delivery is in dispute.
    Freeze,
    /// The dispute is over: it is released when its time has come.
    Unfreeze,
    /// It is released now.
    Release,
}

/// Who causes something by hand, by which request, and why.
#[derive(Clone, Debug)]
pub struct Caused {
    /// Who.
    pub actor: Actor,
    /// By which request.
    pub request_id: Option<String>,
    /// Why, in one line.
    pub reason: Option<String>,
}

/// Wallets. Cheap to clone.
#[derive(Clone)]
pub struct Wallets {
    db: Db,
    clock: Clock,
    terms: Terms,
}

impl Wallets {
    /// The wallets in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock, terms: Terms) -> Self {
        Self { db, clock, terms }
    }

    /// The rules of the deployment.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// What is in a company's wallet, by currency.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn balances(&self, company: CompanyId) -> Result<Vec<Balance>> {
        let accounts = self.db.read(move |conn| Box::pin(store::list_accounts(conn, company))).await?;
        let mut by_currency: BTreeMap<String, Balance> = BTreeMap::new();
        for (account, currency, amount) in accounts {
            let balance = by_currency.entry(currency.clone()).or_default();
            balance.currency = currency;
            match account.0.rsplit('/').next() {
                Some("held") => balance.held = amount,
                Some("available") => balance.available = amount,
                _ => balance.payout = amount,
            }
        }
        Ok(by_currency.into_values().collect())
    }

    /// A page of a wallet's movements, the newest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list(
        &self,
        company: CompanyId,
        wanted: Wanted,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Movement>> {
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let list = self.db.read(move |conn| Box::pin(store::list_movements(conn, company, wanted, after, one_more)));
        let mut data = list.await?;
        let has_more = data.len() > limit;
        data.truncate(limit);
        let next = data.last().filter(|_| has_more).map(|last| Cursor { at: last.at, id: last.id.0 });
        Ok(Page { data, next })
    }

    /// Does something about an order's credit by hand. Says whether it is so now: what was never credited, or is no
    /// longer held, can neither be frozen nor released, and what is under dispute is not released. Twice is harmless.
    ///
    /// # Errors
    /// `Invalid` when the reason is none; `Unavailable` when the database is out of reach.
    pub async fn act(&self, caused: Caused, order: OrderId, act: Act) -> Result<bool> {
        caused.reason.as_deref().map_or(Ok(()), check_reason)?;
        let now = self.clock.now();
        let work = self.db.transact(move |conn| {
            Box::pin(async move {
                let cause = Cause {
                    actor: &caused.actor,
                    request_id: caused.request_id.as_deref(),
                    reason: caused.reason.as_deref(),
                    at: now,
                };
                if act != Act::Release {
                    return freeze(conn, cause, order, act == Act::Freeze).await;
                }
                let credit = super::store::lock_newest_credits(conn, &[order]).await?.remove(&order);
                let Some(credit) = credit.filter(Credit::is_releasable) else { return Ok(false) };
                release_all(conn, cause, vec![credit]).await?;
                Ok(true)
            })
        });
        work.await
    }

    /// Releases every credit whose time has come; says how many. Several instances may do it at once: each credit is
    /// taken by one of them.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach; what was released stays so.
    pub async fn release_due(&self) -> Result<usize> {
        let (mut released, at_once) = (0, i64::from(self.terms.release_at_once));
        loop {
            let now = self.clock.now();
            let some = self.db.transact(move |conn| {
                Box::pin(async move {
                    let due = store::lock_due_credits(conn, now, at_once).await?;
                    let count = due.len();
                    let cause = Cause { actor: &Actor::System("hold"), request_id: None, reason: None, at: now };
                    release_all(conn, cause, due).await?;
                    Ok(count)
                })
            });
            let some = some.await?;
            released += some;
            if some == 0 {
                return Ok(released);
            }
        }
    }

    /// Puts a wallet right by hand: adds to what is available, or takes from it, against the platform's commission. The
    /// same identifier again is the same adjustment: it is success and moves nothing.
    ///
    /// # Errors
    /// `Invalid` without an amount or reason; `Conflict` when money is taken that is not there.
    pub async fn adjust(
        &self,
        actor: Actor,
        company: CompanyId,
        money: Money,
        reason: String,
        id: TransactionId,
        request_id: Option<String>,
    ) -> Result<()> {
        if money.amount == 0 || Money::new(money.amount, &money.currency).is_none() {
            let message = "amount must be minor units other than 0 in an ISO 4217 currency";
            return Err(Error::invalid_field("amount", "bad_money", message));
        }
        check_reason(&reason)?;
        let now = self.clock.now();
        let currency = money.currency.to_ascii_uppercase();
        let work = self.db.transact(move |conn| {
            Box::pin(async move {
                if !store::is_company(conn, company).await? {
                    return Err(Error::NotFound("Company"));
                }
                let purse = BTreeSet::from([(company, currency.clone())]);
                let mut till = Till::on(super::store::lock_accounts(conn, &purse).await?);
                // Only now: the same adjustment at the same moment has waited for these accounts.
                if store::is_written(conn, id).await? {
                    return Ok(());
                }
                let (own, platform) = (Account::available(company, &currency), Account::commission(&currency));
                // What is added is welcome, also where it does not suffice to come back to zero.
                if money.amount < 0 && till.balance(&own).saturating_add(money.amount) < 0 {
                    return Err(Error::conflict("wallet_too_low", "The wallet would fall below zero."));
                }
                let (debit, credit) = if money.amount > 0 { (platform, own) } else { (own, platform) };
                let amount = money.amount.checked_abs().ok_or_else(|| Error::internal("no such amount"))?;
                let transaction = Transaction {
                    id,
                    kind: Kind::Adjustment,
                    company,
                    currency,
                    order: None,
                    payout: None,
                    reason: Some(reason),
                    actor,
                    request_id,
                    at: now,
                    postings: Vec::new(),
                };
                till.post(transaction.moving(debit, credit, amount))?;
                till.write(conn).await
            })
        });
        work.await
    }
}

/// Refuses what is no reason.
///
/// # Errors
/// `Invalid` when it is empty, too long or has control characters.
pub fn check_reason(text: &str) -> Result<()> {
    let fits = !text.trim().is_empty() && text.chars().count() <= 500 && !text.chars().any(char::is_control);
    if fits {
        return Ok(());
    }
    Err(Error::invalid_field("reason", "bad_reason", "reason must say why, in 1 to 500 characters on one line"))
}

/// Moves locked credits from held to available.
async fn release_all(conn: &mut Conn, cause: Cause<'_>, credits: Vec<Credit>) -> Result<()> {
    if credits.is_empty() {
        return Ok(());
    }
    let purses = credits.iter().map(|credit| (credit.company, credit.currency.clone())).collect();
    let mut till = Till::on(super::store::lock_accounts(conn, &purses).await?);
    for credit in credits {
        let (company, currency) = (credit.company, &credit.currency);
        let (held, available) = (Account::held(company, currency), Account::available(company, currency));
        till.post(begin(Kind::Release, &credit, cause).moving(held, available, credit.vendor_amount))?;
        till.keep(Credit { state: CreditState::Available, ..credit });
    }
    till.write(conn).await
}

/// The accounts on which a vendor's own money lies.
fn own_accounts(company: CompanyId, currency: &str) -> [Account; 3] {
    [Account::held(company, currency), Account::available(company, currency), Account::payout(company, currency)]
}
