//! What became of each row of a request about many orders.

use serde::Serialize;
use utoipa::ToSchema;

use super::view::{OrderView, WalletCreditView};
use crate::base::{Error, Result};
use crate::orders::{Advanced, Status};
use crate::web::error::ProblemView;
use crate::web::held::HeldView;

/// What became of a bulk update.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkStatusResult)]
pub struct BulkStatusView {
    /// In the order of the rows.
    results: Vec<StatusRowView>,
    /// How many rows are so now, or on a dry run would be.
    succeeded: usize,
    /// How many were refused or left undone.
    failed: usize,
    dry_run: bool,
    atomic: bool,
}

/// What became of one row.
#[derive(Serialize, ToSchema)]
#[schema(as = StatusRowResult)]
struct StatusRowView {
    /// The row's `id`, as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    ok: bool,
    /// The order's status now.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_status: Option<Status>,
    /// The order's newest event now.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// What waits for somebody's word now, when the step asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<HeldView>,
    /// What the change has brought the vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet_credit: Option<WalletCreditView>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemView>,
}

/// The outcome of a row with the name its order was given.
pub type Named = (Option<String>, Result<Advanced>);

impl BulkStatusView {
    /// The reply to rows that were carried out, or thought through.
    #[must_use]
    pub fn new(rows: Vec<Named>, dry_run: bool, atomic: bool) -> Self {
        let results: Vec<StatusRowView> = rows.into_iter().map(StatusRowView::from).collect();
        let succeeded = results.iter().filter(|row| row.ok).count();
        Self { succeeded, failed: results.len() - succeeded, results, dry_run, atomic }
    }
}

impl From<Named> for StatusRowView {
    fn from((id, outcome): Named) -> Self {
        let empty = Self {
            id,
            ok: false,
            status: None,
            previous_status: None,
            seq: None,
            warnings: Vec::new(),
            held: None,
            wallet_credit: None,
            problem: None,
        };
        match outcome {
            Ok(advanced) => Self {
                ok: true,
                status: Some(advanced.order.status),
                previous_status: Some(advanced.previous_status),
                seq: Some(advanced.order.seq),
                warnings: advanced.warnings,
                held: advanced.held.map(|held| HeldView::from(*held)),
                wallet_credit: advanced.credited.map(WalletCreditView::from),
                ..empty
            },
            Err(error) => Self { problem: Some(ProblemView::logged(&error)), ..empty },
        }
    }
}

/// The refusal of a row that was right, in a request that is carried out as a whole or not at all.
#[must_use]
pub fn left_undone() -> Error {
    Error::conflict("not_applied", "Another row was refused, so this one was left undone")
}

/// What became of a batch of new orders.
#[derive(Serialize, ToSchema)]
#[schema(as = BatchResult)]
pub struct BatchView {
    /// In the order of the rows.
    results: Vec<OrderRowView>,
    /// How many orders there are now.
    succeeded: usize,
    /// How many were refused.
    failed: usize,
}

/// What became of one new order.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderRowResult)]
struct OrderRowView {
    ok: bool,
    /// False for a repeat.
    created: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderView>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemView>,
}

impl BatchView {
    /// The reply to a batch.
    #[must_use]
    pub fn new(rows: Vec<Result<Advanced>>) -> Self {
        let results: Vec<OrderRowView> = rows.into_iter().map(OrderRowView::from).collect();
        let succeeded = results.iter().filter(|row| row.ok).count();
        Self { succeeded, failed: results.len() - succeeded, results }
    }
}

impl From<Result<Advanced>> for OrderRowView {
    fn from(outcome: Result<Advanced>) -> Self {
        match outcome {
            Ok(made) => Self { ok: true, created: made.event.is_some(), order: Some(made.order.into()), problem: None },
            Err(error) => Self { ok: false, created: false, order: None, problem: Some(ProblemView::logged(&error)) },
        }
    }
}
