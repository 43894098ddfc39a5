//! A move that waits for somebody's word, and the leave to make it once the word is given. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::graph::Gate;
use crate::base::id::{AccountId, CompanyId, HeldId, OrderId};
use crate::base::{Actor, Error, Result};
use crate::orders::advance::Change;
use crate::orders::model::{Estimate, Order};
use crate::orders::status::{Move, Status};

/// What became of a move that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits.
    Waiting,
    /// A second person approved it, and it was made.
    Approved,
    /// A second person refused it.
    Refused,
    /// Nobody decided in time.
    Expired,
    /// The order went another way meanwhile.
    Superseded,
    /// The customer confirmed it, or did not object in time, and it was made.
    Confirmed,
    /// The customer says that something is wrong; whoever runs the platform decides.
    Disputed,
    /// The customer was right: the move was not made.
    Upheld,
    /// The customer was not: the move was made.
    Dismissed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Waiting,
        Self::Approved,
        Self::Refused,
        Self::Expired,
        Self::Superseded,
        Self::Confirmed,
        Self::Disputed,
        Self::Upheld,
        Self::Dismissed,
    ];

    /// As it is stored and told.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Confirmed => "confirmed",
            Self::Disputed => "disputed",
            Self::Upheld => "upheld",
            Self::Dismissed => "dismissed",
        }
    }
}

impl std::str::FromStr for State {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|state| state.code() == text);
        let codes = || Self::ALL.map(Self::code).join(", ");
        known
            .ok_or_else(|| Error::invalid_field("state", "unknown_state", format!("state must be one of: {}", codes())))
    }
}

/// What was wished for along with the status; it is done when the move is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the change's")]
pub struct Wished {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_delivery: Option<Estimate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancellation_reason: Option<String>,
}

impl From<&Change> for Wished {
    fn from(change: &Change) -> Self {
        let change = change.clone();
        Self {
            carrier: change.carrier,
            tracking_number: change.tracking_number,
            tracking_url: change.tracking_url,
            estimated_delivery: change.estimated_delivery,
            notes: change.notes,
            cancellation_reason: change.cancellation_reason,
        }
    }
}

/// A move that waits, or waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its identifier.
    pub id: HeldId,
    /// The order.
    pub order: OrderId,
    /// The order's company.
    pub company: CompanyId,
    /// Whose word it waits for.
    pub gate: Gate,
    /// Where the order stood.
    pub from: Status,
    /// Where it is to go.
    pub to: Status,
    /// What goes with it.
    pub wish: Wished,
    /// The order's newest event when it was asked for.
    pub seq: i64,
    /// Who asked for it.
    pub asked_by: AccountId,
    /// The same in words.
    pub asked_by_name: String,
    /// When.
    pub asked_at: Timestamp,
    /// When an approval expires, or a confirmation is taken as given.
    pub due_at: Timestamp,
    /// What became of it.
    pub state: State,
    /// How often a code was tried, the right one included.
    pub tries: i32,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// Why: the second person's words, the customer's, or how a confirmation came.
    pub reason: Option<String>,
}

/// How a customer's confirmation came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By the link of the letter or on the tracking page.
    Link,
    /// By the code the customer told whoever brought the parcel.
    Code,
    /// By not objecting in time.
    Time,
}

impl How {
    fn code(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Code => "code",
            Self::Time => "time",
        }
    }
}

/// The word a waiting move was waiting for: whoever has it may make that one move, whatever the rules of steps say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "word")]
pub enum Leave {
    /// The actor approves it.
    Approved {
        /// The waiting move.
        held: HeldId,
        /// In the approver's words.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The customer confirms it.
    Confirmed {
        /// The waiting move.
        held: HeldId,
        /// How the word came.
        how: How,
    },
    /// Whoever runs the platform finds that the customer's objection does not hold.
    Dismissed {
        /// The waiting move.
        held: HeldId,
        /// Why.
        reason: String,
    },
}

impl Leave {
    /// The move it is for.
    #[must_use]
    pub fn held(&self) -> HeldId {
        match self {
            Self::Approved { held, .. } | Self::Confirmed { held, .. } | Self::Dismissed { held, .. } => *held,
        }
    }

    /// What becomes of the move by it.
    #[must_use]
    pub fn state(&self) -> State {
        match self {
            Self::Approved { .. } => State::Approved,
            Self::Confirmed { .. } => State::Confirmed,
            Self::Dismissed { .. } => State::Dismissed,
        }
    }

    /// What is kept with the decision.
    pub(super) fn reason(&self) -> Option<String> {
        match self {
            Self::Approved { reason, .. } => reason.clone(),
            Self::Confirmed { how, .. } => Some(how.code().to_owned()),
            Self::Dismissed { reason, .. } => Some(reason.clone()),
        }
    }
}

impl Held {
    /// The change that makes the move.
    #[must_use]
    pub fn change(&self, leave: Leave) -> Change {
        let wish = self.wish.clone();
        Change {
            status: Some(self.to),
            carrier: wish.carrier,
            tracking_number: wish.tracking_number,
            tracking_url: wish.tracking_url,
            estimated_delivery: wish.estimated_delivery,
            notes: wish.notes,
            cancellation_reason: wish.cancellation_reason,
            leave: Some(leave),
            ..Change::default()
        }
    }

    /// Judges the move once the word is given. `has_moved`: the order has changed its status since it was asked for.
    ///
    /// # Errors
    /// `Forbidden` when the actor may not give the word, `Conflict` when it comes too late.
    pub(super) fn judge(
        &self,
        order: &Order,
        actor: &Actor,
        leave: &Leave,
        has_moved: bool,
        now: Timestamp,
    ) -> Result<Move> {
        self.check_person(actor, leave)?;
        if self.state == leave.state() && self.decided_by.as_deref() == Some(actor.name()) {
            return Ok(Move::Same);
        }
        let open = if matches!(leave, Leave::Dismissed { .. }) { State::Disputed } else { State::Waiting };
        let gate = if matches!(leave, Leave::Approved { .. }) { Gate::Approval } else { Gate::Confirmation };
        if self.state != open || self.gate != gate {
            return Err(self.decided());
        }
        if self.gate == Gate::Approval && self.due_at <= now {
            return Err(Error::conflict("expired", "Nobody decided in time; the move must be asked for again."));
        }
        match (has_moved || order.status != self.from, order.status == self.to) {
            (_, true) => Ok(Move::Same),
            (true, false) => {
                let message = format!("The order has moved on meanwhile: it is {} now.", order.status);
                Err(Error::conflict("moved_on", message))
            }
            (false, false) => Ok(Move::Go { is_override: false }),
        }
    }

    fn check_person(&self, actor: &Actor, leave: &Leave) -> Result<()> {
        if !matches!(leave, Leave::Approved { .. }) {
            return Ok(());
        }
        match actor {
            Actor::Vendor { account, .. } | Actor::Admin { account, .. } if *account == self.asked_by => {
                Err(Error::Forbidden("Somebody else must decide about what you have asked for.".into()))
            }
            Actor::Vendor { .. } | Actor::Admin { .. } => Ok(()),
            _ => Err(Error::Forbidden("Only a person can decide about this.".into())),
        }
    }

    /// The refusal of a word that comes after another.
    #[must_use]
    pub fn decided(&self) -> Error {
        match self.state {
            State::Disputed => Error::conflict("disputed", "The customer says that something is wrong with the order."),
            state => Error::conflict("already_decided", format!("This was decided already: it is {}.", state.code())),
        }
    }
}
