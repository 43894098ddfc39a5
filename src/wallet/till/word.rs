//! What customers say of what was credited: their objection keeps it from being released, and their word releases it at
//! once where the deployment wants it so.

use std::collections::HashSet;

use super::{Cause, Till, begin};
use crate::audit::{self, Record};
use crate::base::Result;
use crate::base::id::OrderId;
use crate::db::Conn;
use crate::wallet::entries::{Account, Credit, CreditState, Kind};
use crate::wallet::store;

impl Till {
    /// The orders whose money may move; none when no vendor of the marketplace is concerned.
    #[must_use]
    pub fn orders(&self) -> &[OrderId] {
        &self.orders
    }

    /// Says whose customers object: what these orders bring now is kept from being released, as [`freeze`] does with
    /// what they have brought before.
    pub fn hold_back(&mut self, disputed: HashSet<OrderId>) {
        self.disputed = disputed;
    }

    /// Ends the hold of an objection that was found not to be one; the credit is released when its time has come.
    ///
    /// # Errors
    /// `Internal` when it cannot be put in words for the audit trail.
    pub fn unfreeze(&mut self, cause: Cause<'_>, order: OrderId) -> Result<()> {
        let frozen = self.credits.get(&order).filter(|credit| credit.disputed_at.is_some() && credit.is_open());
        let Some(credit) = frozen.cloned() else { return Ok(()) };
        self.changed.records.push(record(cause, &credit, false)?);
        self.replace(Credit { disputed_at: None, ..credit });
        Ok(())
    }

    /// Releases what an order has brought now, where the deployment wants it so: whoever has the parcel in hand need not be
    /// waited for. What is under dispute stays held.
    pub fn release(&mut self, cause: Cause<'_>, order: OrderId) {
        if !self.ends_hold_by_word {
            return;
        }
        let Some(credit) = self.credits.get(&order).filter(|credit| credit.is_releasable()).cloned() else { return };
        let (held, available) =
            (Account::held(credit.company, &credit.currency), Account::available(credit.company, &credit.currency));
        match self.post(begin(Kind::Release, &credit, cause).moving(held, available, credit.vendor_amount)) {
            Ok(()) => self.replace(Credit { state: CreditState::Available, ..credit }),
            // A delivery is not refused for it.
            Err(error) => tracing::warn!(%order, %error, "not released at once; it is when its days are over"),
        }
    }
}

/// Keeps an order's credit from being released while its customer objects, or ends that. Says whether it is so now: what
/// was released already, or never credited, cannot be kept. Whoever locks the order before misses no delivery of the same
/// moment.
///
/// # Errors
/// `Unavailable` when the database is out of reach.
pub(crate) async fn freeze(conn: &mut Conn, cause: Cause<'_>, order: OrderId, is_frozen: bool) -> Result<bool> {
    let credit = store::lock_newest_credits(conn, &[order]).await?.remove(&order);
    let Some(mut credit) = credit.filter(|credit| credit.state == CreditState::Held) else { return Ok(false) };
    if credit.disputed_at.is_some() == is_frozen {
        return Ok(true);
    }
    credit.disputed_at = is_frozen.then_some(cause.at);
    store::update_credit(conn, &credit).await?;
    audit::record(conn, vec![record(cause, &credit, is_frozen)?]).await?;
    Ok(true)
}

/// What the audit trail says of it.
pub(super) fn record(cause: Cause<'_>, credit: &Credit, is_frozen: bool) -> Result<Record> {
    let detail = serde_json::json!({"order": credit.order, "round": credit.round, "reason": cause.reason});
    Ok(Record {
        actor: cause.actor.clone(),
        at: cause.at,
        company: Some(credit.company),
        subject: "wallet",
        subject_id: credit.company.to_string(),
        action: if is_frozen { "wallet.frozen" } else { "wallet.unfrozen" },
        request_id: cause.request_id.map(str::to_owned),
        detail: audit::detail(&detail)?,
    })
}
