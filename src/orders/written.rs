//! An event that is about to be written: its row in the order's log, and its record in the audit trail.

use jiff::Timestamp;
use serde::Serialize;

use super::advance::Change;
use super::model::Event;
use super::status::Status;
use super::store::Entry;
use super::wish::{What, Wish};
use crate::audit::{self, Record};
use crate::base::Result;

/// An event to be written, and what its rows need beside it.
#[derive(Clone)]
pub(super) struct Written {
    /// Which row of which wish.
    pub cause: (usize, usize),
    pub event: Event,
    pub from: Option<Status>,
    pub to: Status,
    pub is_override: bool,
}

/// What the audit trail says of an event.
#[derive(Serialize)]
struct Detail<'a> {
    seq: i64,
    from: Option<Status>,
    to: Status,
    #[serde(rename = "override")]
    is_override: bool,
    fields: Fields<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Fields<'a> {
    Change(&'a Change),
    Create { number: &'a Option<String>, external_id: &'a Option<String> },
}

impl Written {
    /// The kind of event.
    pub fn kind(&self) -> &'static str {
        match self.from {
            None => "order_created",
            Some(from) if from != self.to => "status_changed",
            Some(_) => "details_changed",
        }
    }

    /// Its row in the order's log.
    pub fn entry<'a>(&'a self, wishes: &'a [Wish], at: Timestamp) -> Entry<'a> {
        let previous_status = self.from.filter(|from| *from != self.to);
        let actor = &wishes[self.cause.0].actor;
        Entry { event: &self.event, kind: self.kind(), status: self.to, previous_status, actor, at }
    }

    /// Its record in the audit trail.
    pub fn record(&self, wishes: &[Wish], at: Timestamp) -> Result<Record> {
        let wish = &wishes[self.cause.0];
        let fields = match &wish.rows[self.cause.1] {
            What::Change(_, change) => Fields::Change(change),
            What::Create(new) => Fields::Create { number: &new.number, external_id: &new.external_id },
        };
        let detail =
            Detail { seq: self.event.seq, from: self.from, to: self.to, is_override: self.is_override, fields };
        Ok(Record {
            actor: wish.actor.clone(),
            at,
            company: Some(self.event.company),
            subject: "order",
            subject_id: self.event.order.to_string(),
            action: match self.kind() {
                "order_created" => "order.created",
                "status_changed" => "order.status_changed",
                _ => "order.details_changed",
            },
            request_id: wish.request_id.clone(),
            detail: audit::detail(&detail)?,
        })
    }
}
