//! How moves that wait for somebody's word look in replies.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::orders::view::OrderView;
use crate::base::page::Page;
use crate::orders::workflow::{Gate, Held, State};
use crate::orders::{Advanced, Status};

/// A move that waits for somebody's word, or waited.
#[derive(Serialize, ToSchema)]
#[schema(as = WaitingMove)]
pub struct HeldView {
    id: Uuid,
    order: Uuid,
    company: Uuid,
    /// Whose word it waits for.
    gate: Gate,
    from: Status,
    to: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
    /// The person who asked for it.
    asked_by: Uuid,
    #[schema(example = "Ayesha")]
    asked_by_name: String,
    asked_at: Timestamp,
    /// When an approval expires, or a confirmation counts as given.
    due_at: Timestamp,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<Timestamp>,
    /// In the words of whoever decided or objected; of a confirmation how it came: `link`, `code` or `time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Held> for HeldView {
    fn from(held: Held) -> Self {
        Self {
            id: held.id.0,
            order: held.order.0,
            company: held.company.0,
            gate: held.gate,
            from: held.from,
            to: held.to,
            carrier: held.wish.carrier,
            tracking_number: held.wish.tracking_number,
            notes: held.wish.notes,
            asked_by: held.asked_by.0,
            asked_by_name: held.asked_by_name,
            asked_at: held.asked_at,
            due_at: held.due_at,
            state: held.state,
            decided_by: held.decided_by,
            decided_at: held.decided_at,
            reason: held.reason,
        }
    }
}

/// A page of moves.
#[derive(Serialize, ToSchema)]
#[schema(as = WaitingMovePage)]
pub struct HeldPageView {
    /// The newest first.
    pub data: Vec<HeldView>,
    /// Send it back as `after` for the next page; null at the end.
    pub next: Option<String>,
}

impl From<Page<Held>> for HeldPageView {
    fn from(page: Page<Held>) -> Self {
        let next = page.next.map(|cursor| cursor.encode());
        Self { data: page.data.into_iter().map(HeldView::from).collect(), next }
    }
}

/// What came of the word.
#[derive(Serialize, ToSchema)]
#[schema(as = MoveMade)]
pub struct MadeView {
    /// The order as it stands now.
    order: OrderView,
    previous_status: Status,
    /// Whether it was moved just now; false for a repeat.
    moved: bool,
}

impl From<Advanced> for MadeView {
    fn from(advanced: Advanced) -> Self {
        Self {
            moved: advanced.event.is_some(),
            previous_status: advanced.previous_status,
            order: advanced.order.into(),
        }
    }
}
