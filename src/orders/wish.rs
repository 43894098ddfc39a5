//! What callers want of the one door, and what came of it.

use super::advance::{Advanced, Change};
use super::intake::NewOrder;
use super::model::OrderRef;
use crate::base::{Actor, Result};

/// What a caller wants done: all of its rows, or none.
pub(super) struct Wish {
    pub actor: Actor,
    pub request_id: Option<String>,
    pub rows: Vec<What>,
    /// Think it through and write nothing.
    pub is_dry_run: bool,
}

pub(super) enum What {
    Create(Box<NewOrder>),
    Change(OrderRef, Box<Change>),
}

/// What came of one row of a wish, before it is announced.
pub(super) type Outcome = Result<Advanced>;
