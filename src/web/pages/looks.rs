//! How each status looks on a page: the tone, icon and step of the one status table, and the flag `delayed` beside them.
//!
//! The words are in the language files; a test holds the English ones to the table.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::orders::Status;

/// How one status looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Look {
    /// Colour family: a `tone-…` class.
    pub tone: &'static str,
    /// Symbol of `icons.svg`.
    pub icon: &'static str,
    /// Step of the progress line it stands on, 1 to 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u8>,
    /// Whether the progress line is left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bare: bool,
    /// Whether the order is at its end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

/// The five steps of the progress line: the status that names each, and the icon it has while it lies ahead.
pub const STEPS: [(&str, &str); 5] = [
    ("confirmed", "receipt"),
    ("packed", "box"),
    ("shipped", "truck"),
    ("out_for_delivery", "scooter"),
    ("delivered", "home"),
];

/// A late order: a flag with a new estimate, shown as if it were a status. The step stays that of the status.
const DELAYED: (&str, Look) =
    ("delayed", Look { tone: "warning", icon: "clock", step: None, bare: false, ended: false });

/// What a custom workflow's status looks like.
const UNKNOWN: Look = Look { tone: "neutral", icon: "clock", step: None, bare: false, ended: false };

/// Every status we know, by its code.
pub fn all() -> impl Iterator<Item = (&'static str, Look)> {
    Status::ALL.into_iter().map(|status| (status.code(), of_status(status))).chain([DELAYED])
}

fn of_status(status: Status) -> Look {
    let facts = status.facts();
    let bare = matches!(status, Status::Incomplete | Status::Cancelled | Status::Returned);
    Look { tone: facts.tone, icon: facts.icon, step: facts.step, bare, ended: facts.terminal }
}

/// The look of a status, when we know it.
#[must_use]
pub fn find(status: &str) -> Option<Look> {
    all().find(|(code, _)| *code == status).map(|(_, look)| look)
}

/// The look of a status; one we do not know (a custom workflow's) is neutral.
#[must_use]
pub fn of(status: &str) -> Look {
    find(status).unwrap_or(UNKNOWN)
}

/// The table as scripts get it: `{"statuses": {"shipped": {…}}, "steps": [["confirmed", "receipt"], …]}`.
#[must_use]
pub fn table() -> serde_json::Value {
    let statuses: BTreeMap<&str, Look> = all().collect();
    serde_json::json!({ "statuses": statuses, "steps": STEPS })
}
