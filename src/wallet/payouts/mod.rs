//! Payouts: a vendor asks for what is available, those who run the platform approve, refuse, and mark as paid.
//!
//! Asking moves the amount from available to payout, so that nothing is asked for twice; a refusal moves it back, and the
//! payment out to the world.

mod store;

use std::collections::BTreeSet;
use std::str::FromStr;

use jiff::Timestamp;

use super::Terms;
use super::books::check_reason;
use super::csv::{self, Cell};
use super::entries::{Account, Kind, Transaction};
use super::till::Till;
use crate::audit::{self, Record};
use crate::base::id::{CompanyId, PayoutId, TransactionId};
use crate::base::page::{Cursor, Page};
use crate::base::{Actor, Clock, Error, Money, Result};
use crate::db::{Conn, Db};

/// Where a payout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Asked for.
    Requested,
    /// To be paid: it stands in the payout file.
    Approved,
    /// Not to be paid; the money is available again.
    Refused,
    /// Paid.
    Paid,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Requested, Self::Approved, Self::Refused, Self::Paid];

    /// As it is stored and told.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Paid => "paid",
        }
    }
}

impl FromStr for State {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|state| state.code() == text);
        known.ok_or_else(|| {
            let message = "state must be requested, approved, refused or paid";
            Error::invalid_field("state", "unknown_state", message)
        })
    }
}

/// What a vendor asked to be paid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    /// Its identifier.
    pub id: PayoutId,
    /// Whose wallet.
    pub company: CompanyId,
    /// What the company is called.
    pub company_name: String,
    /// How much, in minor units.
    pub money: Money,
    /// Where it stands.
    pub state: State,
    /// Who asked.
    pub requested_by: String,
    /// When.
    pub requested_at: Timestamp,
    /// Who approved or refused it.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// Why it was refused, or what the bank calls the transfer.
    pub note: Option<String>,
}

/// What is decided about a payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes into the payout file.
    Approve,
    /// It does not, and why.
    Refuse(String),
    /// It was paid, and what the bank calls the transfer.
    Paid(Option<String>),
}

/// Payouts. Cheap to clone.
#[derive(Clone)]
pub struct Payouts {
    db: Db,
    clock: Clock,
    terms: Terms,
}

impl Payouts {
    /// The payouts in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock, terms: Terms) -> Self {
        Self { db, clock, terms }
    }

    /// Asks for a payout. The same identifier again is the same payout.
    ///
    /// # Errors
    /// `Invalid` when the amount is none; `Conflict` when that much is not available.
    pub async fn request(
        &self,
        actor: Actor,
        company: CompanyId,
        money: Money,
        id: PayoutId,
        request_id: Option<String>,
    ) -> Result<Payout> {
        let money = Money::new(money.amount, &money.currency).filter(|money| money.amount > 0).ok_or_else(|| {
            let message = "amount must be minor units above 0 in an ISO 4217 currency, as 90000 of USD for $900";
            Error::invalid_field("amount", "bad_money", message)
        })?;
        let now = self.clock.now();
        let work = self.db.transact(move |conn| {
            Box::pin(async move {
                let currency = money.currency.clone();
                let purse = BTreeSet::from([(company, currency.clone())]);
                let mut till = Till::on(super::store::lock_accounts(conn, &purse).await?);
                // Only now: the same request at the same moment has waited for these accounts.
                if let Some(known) = store::find(conn, id).await? {
                    let is_same = known.company == company && known.money == money;
                    return if is_same {
                        Ok(known)
                    } else {
                        Err(Error::conflict("id_taken", "There is another payout."))
                    };
                }
                let available = till.balance(&Account::available(company, &currency));
                if available < money.amount {
                    return Err(too_little(available, &money));
                }
                store::insert(conn, id, company, &money, actor.name(), now).await?;
                let (from, to) = (Account::available(company, &currency), Account::payout(company, &currency));
                let transaction = transaction(Kind::PayoutRequest, id, company, &currency, &actor, request_id, now);
                till.post(transaction.moving(from, to, money.amount))?;
                till.write(conn).await?;
                store::find(conn, id).await?.ok_or_else(|| Error::internal("a payout just made is not there"))
            })
        });
        work.await
    }

    /// Decides about a payout. The decision it already has is success and changes nothing.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when it stands where this cannot be decided any more; `Invalid` when a refusal gives no reason.
    pub async fn decide(
        &self,
        actor: Actor,
        id: PayoutId,
        decision: Decision,
        request_id: Option<String>,
    ) -> Result<Payout> {
        match &decision {
            Decision::Refuse(reason) => check_reason(reason)?,
            Decision::Paid(Some(note)) => check_reason(note)?,
            Decision::Approve | Decision::Paid(None) => {}
        }
        let now = self.clock.now();
        let work = self.db.transact(move |conn| {
            Box::pin(async move {
                let before = store::lock(conn, id).await?.ok_or(Error::NotFound("Payout"))?;
                let to = match (&decision, before.state) {
                    (Decision::Approve, State::Requested | State::Approved) => State::Approved,
                    (Decision::Refuse(_), State::Requested | State::Approved | State::Refused) => State::Refused,
                    (Decision::Paid(_), State::Approved | State::Paid) => State::Paid,
                    _ => return Err(wrong_state(before.state)),
                };
                if to == before.state {
                    return Ok(before);
                }
                carry_out(conn, &actor, before, to, decision, request_id, now).await
            })
        });
        work.await
    }

    /// A payout; of this company only, when one is named.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, company: Option<CompanyId>, id: PayoutId) -> Result<Payout> {
        let found = self.db.read(move |conn| Box::pin(store::find(conn, id))).await?;
        let own = found.filter(|payout| company.is_none_or(|own| own == payout.company));
        own.ok_or(Error::NotFound("Payout"))
    }

    /// A page of payouts, the newest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list(
        &self,
        company: Option<CompanyId>,
        state: Option<State>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Payout>> {
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let list = self.db.read(move |conn| Box::pin(store::list(conn, company, state, after, one_more)));
        let mut data = list.await?;
        let has_more = data.len() > limit;
        data.truncate(limit);
        let next = data.last().filter(|_| has_more).map(|last| Cursor { at: last.requested_at, id: last.id.0 });
        Ok(Page { data, next })
    }

    /// The payout file: what is approved and not paid, as CSV with amounts in major units. The oldest come first; what the
    /// file has no room for comes into it once these are paid.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn file(&self) -> Result<String> {
        let most = i64::from(self.terms.payout_file_rows);
        let approved = self.db.read(move |conn| Box::pin(store::list_approved(conn, most))).await?;
        let header = [
            "payout",
            "company",
            "company_id",
            "amount",
            "currency",
            "requested_by",
            "requested_at",
            "approved_by",
            "approved_at",
        ];
        let line = |payout: &Payout| {
            vec![
                Cell::plain(payout.id),
                Cell::text(Some(&payout.company_name)),
                Cell::plain(payout.company),
                Cell::plain(payout.money.to_decimal()),
                Cell::plain(&payout.money.currency),
                Cell::text(Some(&payout.requested_by)),
                Cell::plain(payout.requested_at),
                Cell::text(payout.decided_by.as_deref()),
                Cell::plain(payout.decided_at.map_or(String::new(), |at| at.to_string())),
            ]
        };
        Ok(csv::write(&header, &approved.iter().map(line).collect::<Vec<_>>()))
    }
}

async fn carry_out(
    conn: &mut Conn,
    actor: &Actor,
    before: Payout,
    to: State,
    decision: Decision,
    request_id: Option<String>,
    now: Timestamp,
) -> Result<Payout> {
    let (id, company, currency) = (before.id, before.company, before.money.currency.clone());
    let note = match decision {
        Decision::Refuse(reason) => Some(reason),
        Decision::Paid(note) => note,
        Decision::Approve => None,
    };
    let payout = Account::payout(company, &currency);
    let moved = match to {
        State::Refused => Some((Kind::PayoutRefused, Account::available(company, &currency))),
        State::Paid => Some((Kind::PayoutPaid, Account::world(&currency))),
        State::Requested | State::Approved => None,
    };
    if let Some((kind, target)) = moved {
        let purse = BTreeSet::from([(company, currency.clone())]);
        let mut till = Till::on(super::store::lock_accounts(conn, &purse).await?);
        let mut transaction = transaction(kind, id, company, &currency, actor, request_id.clone(), now);
        transaction.reason.clone_from(&note);
        till.post(transaction.moving(payout, target, before.money.amount))?;
        till.write(conn).await?;
    } else {
        let record = Record {
            actor: actor.clone(),
            at: now,
            company: Some(company),
            subject: "wallet",
            subject_id: company.to_string(),
            action: "wallet.payout_approved",
            request_id,
            detail: audit::detail(&serde_json::json!({"payout": id}))?,
        };
        audit::record(conn, vec![record]).await?;
    }
    store::update(conn, id, to, actor.name(), note, now).await?;
    store::find(conn, id).await?.ok_or_else(|| Error::internal("a payout just decided is not there"))
}

fn transaction(
    kind: Kind,
    payout: PayoutId,
    company: CompanyId,
    currency: &str,
    actor: &Actor,
    request_id: Option<String>,
    at: Timestamp,
) -> Transaction {
    Transaction {
        id: TransactionId::new(),
        kind,
        company,
        currency: currency.to_owned(),
        order: None,
        payout: Some(payout),
        reason: None,
        actor: actor.clone(),
        request_id,
        at,
        postings: Vec::new(),
    }
}

fn too_little(available: i64, wanted: &Money) -> Error {
    let money = |amount| Money { amount, currency: wanted.currency.clone() }.to_decimal();
    let (has, currency) = (money(available), &wanted.currency);
    let message = format!("{} {currency} cannot be paid out: {has} {currency} are available.", wanted.to_decimal());
    Error::conflict("not_enough_available", message)
}

fn wrong_state(state: State) -> Error {
    Error::conflict("payout_decided", format!("The payout is {} already.", state.code()))
}
