//! The customer's word: a step that waits for it is made when the customer confirms by link, when whoever brings the
//! parcel enters the code the customer tells, or when the customer has not objected in time. An objection keeps the step
//! from being made until whoever runs the platform has decided about it.
//!
//! The code stands in no row: it follows from the move's identifier and the deployment's key, so that a letter that is
//! sent again and the tracking page tell the same one. It bears five tries; the link goes on working after them.

use subtle::ConstantTimeEq as _;

use super::commit::Orders;
use super::store::lock_orders;
use super::workflow::held::{Held, How, Leave, State};
use super::workflow::store::{self, Decided};
use super::workflow::{Gate, record};
use super::{Advanced, OrderRef};
use crate::audit;
use crate::base::id::{HeldId, OrderId};
use crate::base::page::Cursor;
use crate::base::{Actor, Clock, Error, Keys, Result, Secret};
use crate::db::Db;
use crate::wallet::till::{Cause, freeze};

/// Asks customers and acts on what they say. Cheap to clone.
#[derive(Clone)]
pub struct Confirmations {
    db: Db,
    clock: Clock,
    keys: Keys,
    orders: Orders,
}

/// How often the code of a move may be tried.
pub const TRIES: i32 = 5;
/// Longest objection, in characters.
const LONGEST_REASON: usize = 1000;
/// Moves a sweep reads at once.
const AT_ONCE: i64 = 200;

/// What the keyed hash that a code is made of is for.
const CODE: &str = "confirmation";

/// Who acts for a customer with a tracking pass.
const CUSTOMER: Actor = Actor::System("customer");

/// What a dispute comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The customer is right: the step is not made. What the order has brought stays held until the order is moved.
    Upheld,
    /// The customer is not: the step is made.
    Dismissed,
}

impl Confirmations {
    /// The confirmations in this database; confirmed steps are made through `orders`.
    #[must_use]
    pub fn new(db: Db, clock: Clock, keys: Keys, orders: Orders) -> Self {
        Self { db, clock, keys, orders }
    }

    /// What an order asks its customer, or the objection that is being looked at.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn open(&self, order: OrderId) -> Result<Option<Held>> {
        let find = self.db.read(move |conn| {
            Box::pin(async move {
                let newest = store::find_newest(conn, order, Gate::Confirmation).await?;
                match newest {
                    Some(held) if held.state == State::Disputed => Ok(Some(held)),
                    Some(held) if held.state == State::Waiting => {
                        let is_over = store::has_moved(conn, order, held.seq).await?;
                        Ok((!is_over).then_some(held))
                    }
                    _ => Ok(None),
                }
            })
        });
        find.await
    }

    /// A move that waits for its customer, or waited.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn get(&self, id: HeldId) -> Result<Held> {
        let found = self.db.read(move |conn| Box::pin(store::find_held(conn, id))).await?;
        found.filter(|held| held.gate == Gate::Confirmation).ok_or(Error::NotFound("Confirmation"))
    }

    /// The code the customer tells whoever brings the parcel: six digits.
    #[must_use]
    pub fn code(&self, held: HeldId) -> Secret {
        digits(self.keys.mac(CODE, held.bytes()))
    }

    /// Whether it is the code that any of the keys makes: the letter may come from an instance with another one.
    fn is_code(&self, held: HeldId, said: &str) -> bool {
        self.keys.macs(CODE, held.bytes()).any(|mac| digits(mac).expose().as_bytes().ct_eq(said.as_bytes()).into())
    }

    async fn newest(&self, order: OrderId) -> Result<Held> {
        let find = self.db.read(move |conn| Box::pin(store::find_newest(conn, order, Gate::Confirmation)));
        find.await?.ok_or(Error::NotFound("Confirmation"))
    }

    /// The customer has the parcel. Said again it is success and writes nothing.
    ///
    /// # Errors
    /// `NotFound` when the order asks nothing, `Conflict` when it is decided otherwise or the order has moved on.
    pub async fn confirm(&self, order: OrderId, request_id: Option<String>) -> Result<Advanced> {
        let held = self.newest(order).await?;
        self.give(CUSTOMER, &held, How::Link, request_id).await
    }

    /// Whoever brings the parcel enters the code the customer tells.
    ///
    /// # Errors
    /// `Invalid` when the code is wrong, `Conflict` when no more may be tried or nothing waits.
    pub async fn confirm_by_code(
        &self,
        actor: Actor,
        order: OrderId,
        code: &str,
        request_id: Option<String>,
    ) -> Result<Advanced> {
        let held = self.newest(order).await?;
        if held.state != State::Waiting {
            return Err(held.decided());
        }
        let id = held.id;
        let may_try = self.db.transact(move |conn| Box::pin(store::take_try(conn, id, TRIES))).await?;
        if !may_try {
            let message = "The code was tried too often; the customer can confirm by the link in the letter.";
            return Err(Error::conflict("code_spent", message));
        }
        let said: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        if !self.is_code(id, &said) {
            return Err(Error::invalid_field("code", "wrong_code", "This is not the customer's code."));
        }
        self.give(actor, &held, How::Code, request_id).await
    }

    async fn give(&self, actor: Actor, held: &Held, how: How, request_id: Option<String>) -> Result<Advanced> {
        let change = held.change(Leave::Confirmed { held: held.id, how });
        let target = OrderRef::Id(held.order);
        self.orders.advance(actor, target, change, request_id).await
    }

    /// The customer says that something is wrong: nothing is confirmed by itself any more, and what the order has brought,
    /// or brings before it is decided, is kept from being released. Said again it is as it was.
    ///
    /// # Errors
    /// `Invalid` without a reason, `NotFound` when the order asks nothing, `Conflict` when it is decided.
    pub async fn dispute(&self, order: OrderId, reason: String, request_id: Option<String>) -> Result<Held> {
        super::advance::check_text(Some(&reason), "reason", LONGEST_REASON)?;
        if reason.trim().is_empty() {
            return Err(Error::invalid_field("reason", "required", "Say what is wrong."));
        }
        let held = self.newest(order).await?;
        if held.state == State::Disputed {
            return Ok(held);
        }
        let decided = Decided {
            state: State::Disputed,
            by: CUSTOMER.name().to_owned(),
            at: self.clock.now(),
            reason: Some(reason.trim().to_owned()),
        };
        self.close((CUSTOMER, request_id), held, State::Waiting, decided).await
    }

    async fn close(
        &self,
        (actor, request_id): (Actor, Option<String>),
        held: Held,
        from: State,
        decided: Decided,
    ) -> Result<Held> {
        let write = self.db.transact(move |conn| {
            Box::pin(async move {
                // As whoever moves the order does, and first of all: a delivery at the same moment sees the objection, or
                // the objection its credit.
                lock_orders(conn, &[held.order]).await?;
                if !store::decide(conn, held.id, from, &decided).await? {
                    let now = store::find_held(conn, held.id).await?.unwrap_or(held);
                    return Err(now.decided());
                }
                let (state, by, at) = (decided.state, Some(decided.by), decided.at);
                let held = Held { state, decided_by: by, decided_at: Some(at), reason: decided.reason, ..held };
                if state == State::Disputed {
                    let (request, reason) = (request_id.as_deref(), None);
                    let cause = Cause { actor: &actor, request_id: request, reason, at };
                    freeze(conn, cause, held.order, true).await?;
                }
                audit::record(conn, vec![record(actor, &held, request_id, at)?]).await?;
                Ok(held)
            })
        });
        write.await
    }

    /// Decides about a customer's objection; when it does not hold, the step is made as whoever decides.
    ///
    /// # Errors
    /// `Invalid` without a reason, `NotFound` when there is none, `Conflict` when none is open.
    pub async fn resolve(
        &self,
        actor: Actor,
        id: HeldId,
        outcome: Outcome,
        reason: String,
        request_id: Option<String>,
    ) -> Result<Held> {
        super::advance::check_text(Some(&reason), "reason", LONGEST_REASON)?;
        if reason.trim().is_empty() {
            return Err(Error::invalid_field("reason", "required", "Say why."));
        }
        let held = self.get(id).await?;
        match outcome {
            Outcome::Upheld => {
                let by = actor.name().to_owned();
                let decided = Decided { state: State::Upheld, by, at: self.clock.now(), reason: Some(reason) };
                self.close((actor, request_id), held, State::Disputed, decided).await
            }
            Outcome::Dismissed => {
                let change = held.change(Leave::Dismissed { held: id, reason });
                self.orders.advance(actor, OrderRef::Id(held.order), change, request_id).await?;
                self.get(id).await
            }
        }
    }

    /// Takes what customers have not objected to in time as confirmed; says how many there were. On many instances at
    /// once each is confirmed once. What cannot be confirmed stays as it is and keeps nothing behind it from being.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn sweep(&self) -> Result<usize> {
        let now = self.clock.now();
        let (mut confirmed, mut after) = (0, None);
        loop {
            let list =
                self.db.read(move |conn| Box::pin(store::list_due(conn, Gate::Confirmation, now, after, AT_ONCE)));
            let due = list.await?;
            let is_last = i64::try_from(due.len()).is_ok_and(|read| read < AT_ONCE);
            after = due.last().map(|held| Cursor { at: held.due_at, id: held.id.0 });
            for held in due {
                confirmed += usize::from(self.confirm_due(held).await?);
            }
            if is_last {
                return Ok(confirmed);
            }
        }
    }

    /// Confirms a move whose time has come; says whether it was made by that.
    async fn confirm_due(&self, held: Held) -> Result<bool> {
        match self.give(Actor::System("auto-confirm"), &held, How::Time, None).await {
            Ok(advanced) => return Ok(advanced.event.is_some()),
            // It is over, however: or it would come up at every turn.
            Err(Error::Conflict(conflict)) if conflict.code == "moved_on" => self.supersede(held).await?,
            Err(Error::Conflict(_)) => {}
            Err(error @ (Error::Unavailable(..) | Error::Internal(_))) => return Err(error),
            Err(error) => tracing::warn!(order.id = %held.order, %error, "a move could not be confirmed by itself"),
        }
        Ok(false)
    }

    async fn supersede(&self, held: Held) -> Result<()> {
        let actor = Actor::System("auto-confirm");
        let by = actor.name().to_owned();
        let decided = Decided { state: State::Superseded, by, at: self.clock.now(), reason: None };
        match self.close((actor, None), held, State::Waiting, decided).await {
            Ok(_) | Err(Error::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn digits(mac: [u8; 32]) -> Secret {
    let number = mac.iter().take(8).fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
    Secret::new(format!("{:06}", number % 1_000_000))
}
