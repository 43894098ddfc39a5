//! What the ledger is made of: accounts, transactions and their postings. Pure.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::base::id::{CompanyId, OrderId, PayoutId, TransactionId};
use crate::base::{Actor, Error, Result};

/// An account of the ledger, by its name: `world/USD`. What is put in is credited, what is taken out is debited.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(pub String);

impl Account {
    /// Everything outside: customers who pay, banks that are paid. All balances of a currency sum to zero with it.
    #[must_use]
    pub fn world(currency: &str) -> Self {
        Self(format!("world/{currency}"))
    }

    /// What the platform has kept.
    #[must_use]
    pub fn commission(currency: &str) -> Self {
        Self(format!("commission/{currency}"))
    }

    /// What a company has earned and may not have yet.
    #[must_use]
    pub fn held(company: CompanyId, currency: &str) -> Self {
        Self(format!("{company}/{currency}/held"))
    }

    /// What a company may ask to be paid out.
    #[must_use]
    pub fn available(company: CompanyId, currency: &str) -> Self {
        Self(format!("{company}/{currency}/available"))
    }

    /// What a company has asked for and is not paid yet.
    #[must_use]
    pub fn payout(company: CompanyId, currency: &str) -> Self {
        Self(format!("{company}/{currency}/payout"))
    }

    /// Whether it is the one account of its currency, whoever's money moves.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.starts_with("world/") || self.0.starts_with("commission/")
    }

    /// Every account that money of a company can be on or pass through.
    #[must_use]
    pub fn all_of(company: CompanyId, currency: &str) -> [Self; 5] {
        [
            Self::held(company, currency),
            Self::available(company, currency),
            Self::payout(company, currency),
            Self::commission(currency),
            Self::world(currency),
        ]
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An order was delivered: its total from the world to the vendor (held) and to the platform.
    Credit,
    /// It was not, after all: all of it back.
    Reversal,
    /// The hold is over: from held to available.
    Release,
    /// The vendor wants its money: from available to payout.
    PayoutRequest,
    /// It was paid: from payout to the world.
    PayoutPaid,
    /// It was refused: from payout back to available.
    PayoutRefused,
    /// Put right by those who run the platform, with a reason.
    Adjustment,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Credit,
        Self::Reversal,
        Self::Release,
        Self::PayoutRequest,
        Self::PayoutPaid,
        Self::PayoutRefused,
        Self::Adjustment,
    ];

    /// As it is stored and told.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Reversal => "reversal",
            Self::Release => "release",
            Self::PayoutRequest => "payout_request",
            Self::PayoutPaid => "payout_paid",
            Self::PayoutRefused => "payout_refused",
            Self::Adjustment => "adjustment",
        }
    }

    /// What the audit trail calls it.
    #[must_use]
    pub fn action(self) -> &'static str {
        match self {
            Self::Credit => "wallet.credited",
            Self::Reversal => "wallet.reversed",
            Self::Release => "wallet.released",
            Self::PayoutRequest => "wallet.payout_requested",
            Self::PayoutPaid => "wallet.payout_paid",
            Self::PayoutRefused => "wallet.payout_refused",
            Self::Adjustment => "wallet.adjusted",
        }
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::code).join(", ");
            Error::invalid_field("kind", "unknown_kind", format!("kind must be one of: {known}"))
        })
    }
}

/// An amount from one account to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Whose balance falls.
    pub debit: Account,
    /// Whose balance rises.
    pub credit: Account,
    /// By how many minor units; more than none.
    pub amount: i64,
}

/// A transaction: postings that are written together or not at all.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Its identifier.
    pub id: TransactionId,
    /// What it does.
    pub kind: Kind,
    /// Whose wallet it concerns.
    pub company: CompanyId,
    /// The currency of all its postings.
    pub currency: String,
    /// The order it is about, and how often that has been credited.
    pub order: Option<(OrderId, i32)>,
    /// The payout it is about.
    pub payout: Option<PayoutId>,
    /// Why, where somebody had to say so.
    pub reason: Option<String>,
    /// Who caused it.
    pub actor: Actor,
    /// By which request.
    pub request_id: Option<String>,
    /// When.
    pub at: Timestamp,
    /// What it moves; amounts of nothing are left out.
    pub postings: Vec<Posting>,
}

impl Transaction {
    /// Moves an amount, unless it is nothing.
    #[must_use]
    pub fn moving(mut self, debit: Account, credit: Account, amount: i64) -> Self {
        if amount > 0 {
            self.postings.push(Posting { debit, credit, amount });
        }
        self
    }
}

/// What has become of a credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditState {
    /// The vendor may not have it yet.
    Held,
    /// The vendor may ask for it.
    Available,
    /// It was taken back.
    Reversed,
}

impl CreditState {
    /// As it is stored and told.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Available => "available",
            Self::Reversed => "reversed",
        }
    }
}

impl FromStr for CreditState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = [Self::Held, Self::Available, Self::Reversed].into_iter().find(|state| state.code() == text);
        known.ok_or_else(|| Error::internal("a credit in a state that is not known"))
    }
}

/// What an order has earned its vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    /// The order.
    pub order: OrderId,
    /// How often the order has been credited, this time counted.
    pub round: i32,
    /// Whose wallet.
    pub company: CompanyId,
    /// ISO 4217.
    pub currency: String,
    /// What the vendor got, in minor units.
    pub vendor_amount: i64,
    /// What the platform kept, in minor units.
    pub commission_amount: i64,
    /// What has become of it.
    pub state: CreditState,
    /// When it was written.
    pub credited_at: Timestamp,
    /// When it is released by itself.
    pub release_at: Timestamp,
    /// Since when the customer disputes the delivery.
    pub disputed_at: Option<Timestamp>,
}

impl Credit {
    /// Whether it counts: an order has at most one that does.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state != CreditState::Reversed
    }

    /// Whether the vendor may have it: it is held, and nobody objects.
    #[must_use]
    pub fn is_releasable(&self) -> bool {
        self.state == CreditState::Held && self.disputed_at.is_none()
    }
}
