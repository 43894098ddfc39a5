//! Which party may touch which order. Pure. What it may not see does not exist for it.

use super::model::Order;
use crate::base::Actor;
use crate::base::id::CompanyId;

/// Whether the party may see and change orders of the company.
#[must_use]
pub fn reaches(actor: &Actor, company: CompanyId) -> bool {
    actor.company().is_none_or(|own| own == company)
}

/// Whether the party may see and change the order.
#[must_use]
pub fn may_touch(actor: &Actor, order: &Order) -> bool {
    reaches(actor, order.company)
}
