//! The statuses of an order: one table of what they are, and one of who may go from which to which. Pure; start here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::workflow::Gate;
use crate::base::Actor;

/// Where an order stands. The union of what all five earlier systems knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
#[expect(missing_docs, reason = "the table below says what each one means")]
pub enum Status {
    Incomplete,
    Pending,
    Paid,
    Confirmed,
    Processing,
    Packed,
    Shipped,
    OutForDelivery,
    DeliveryFailed,
    Delivered,
    Cancelled,
    Returned,
}

/// What a status is, for rules, pages and mail alike.
#[derive(Debug, PartialEq, Eq)]
pub struct Facts {
    /// The canonical code, as the API writes it.
    pub code: &'static str,
    /// Forward is towards a higher rank; equal ranks may follow one another.
    pub rank: u8,
    /// Nothing follows unless an admin says so.
    pub terminal: bool,
    /// The colour family of pages and mail: neutral, info, violet, transit, success, warning, danger.
    pub tone: &'static str,
    /// The symbol of `icons.svg`.
    pub icon: &'static str,
    /// The step of the progress bar it has reached: 1 Confirmed, 2 Packed, 3 Shipped, 4 Out for delivery, 5 Delivered.
    pub step: Option<u8>,
    /// The label customers see.
    pub label: &'static str,
    /// The headline customers see when there is nothing more exact to say.
    pub headline: &'static str,
}

impl Status {
    /// Every status, in the order of the table.
    pub const ALL: [Self; 12] = [
        Self::Incomplete,
        Self::Pending,
        Self::Paid,
        Self::Confirmed,
        Self::Processing,
        Self::Packed,
        Self::Shipped,
        Self::OutForDelivery,
        Self::DeliveryFailed,
        Self::Delivered,
        Self::Cancelled,
        Self::Returned,
    ];

    /// What this status is.
    #[must_use]
    #[rustfmt::skip]
    pub const fn facts(self) -> &'static Facts {
        const fn row(
            (code, rank, terminal): (&'static str, u8, bool),
            (tone, icon, step): (&'static str, &'static str, Option<u8>),
            (label, headline): (&'static str, &'static str),
        ) -> Facts {
            Facts { code, rank, terminal, tone, icon, step, label, headline }
        }
        const TABLE: [Facts; 12] = [
            row(("incomplete", 0, false),       ("neutral", "clock", None),      ("Incomplete", "This order is not complete yet")),
            row(("pending", 1, false),          ("neutral", "clock", None),      ("Order received", "We have your order")),
            row(("paid", 2, false),             ("info", "receipt", Some(1)),    ("Payment received", "Payment received, thank you")),
            row(("confirmed", 3, false),        ("info", "receipt", Some(1)),    ("Confirmed", "Your order is confirmed")),
            row(("processing", 4, false),       ("info", "gear", Some(1)),       ("Being prepared", "We are preparing your order")),
            row(("packed", 5, false),           ("violet", "box", Some(2)),      ("Packed", "Packed and ready to go")),
            row(("shipped", 6, false),          ("transit", "truck", Some(3)),   ("Shipped", "On its way")),
            row(("out_for_delivery", 7, false), ("transit", "scooter", Some(4)), ("Out for delivery", "Arriving today")),
            row(("delivery_failed", 7, false),  ("warning", "alert", Some(4)),   ("Delivery failed", "We missed you")),
            row(("delivered", 8, true),         ("success", "check", Some(5)),   ("Delivered", "Delivered")),
            row(("cancelled", 9, true),         ("danger", "x", None),           ("Cancelled", "This order was cancelled")),
            row(("returned", 9, true),          ("neutral", "left", None),       ("Returned", "This order was returned")),
        ];
        &TABLE[self as usize]
    }

    /// The canonical code: `out_for_delivery`.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.facts().code
    }

    /// Whether nothing follows unless an admin says so.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        self.facts().terminal
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The text is no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownStatus;

impl fmt::Display for UnknownStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("status must be one of: ")?;
        for (at, status) in Status::ALL.iter().enumerate() {
            write!(f, "{}{status}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownStatus {}

impl FromStr for Status {
    type Err = UnknownStatus;

    /// Any letter case; spaces and dashes stand for underscores.
    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        let same = |code: &str| {
            text.len() == code.len()
                && text.bytes().zip(code.bytes()).all(|(a, b)| match a {
                    b' ' | b'-' => b == b'_',
                    a => a.to_ascii_lowercase() == b,
                })
        };
        Self::ALL.into_iter().find(|status| same(status.code())).ok_or(UnknownStatus)
    }
}

impl TryFrom<String> for Status {
    type Error = UnknownStatus;

    fn try_from(text: String) -> Result<Self, UnknownStatus> {
        text.parse()
    }
}

/// By which of the rules an actor is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Anything goes; a skip or a move back is marked as an override.
    Admin,
    /// The vendor's fixed steps (reference/003).
    Vendor,
    /// Forward by rank, cancelled from anything that has not ended.
    Token,
    /// From shipped onwards, as the parcel moves.
    Courier,
}

impl From<&Actor> for Rules {
    fn from(actor: &Actor) -> Self {
        match actor {
            actor if actor.is_admin() => Self::Admin,
            Actor::Admin { .. } => Self::Admin,
            Actor::Vendor { .. } => Self::Vendor,
            Actor::Token { .. } | Actor::Webhook { .. } | Actor::System(_) => Self::Token,
            Actor::Courier(_) => Self::Courier,
        }
    }
}

/// The verdict on a wish to change a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// It has that status already: success, and nothing is written.
    Same,
    /// Allowed. `is_override`: outside the usual order, allowed because the actor is an admin.
    Go {
        /// Marked in the audit trail.
        is_override: bool,
    },
    /// Allowed as soon as somebody else has agreed: a step of a company's own workflow.
    Held(Gate),
    /// Not allowed; these are.
    Refused {
        /// Where this actor may go from here.
        allowed: Vec<Status>,
    },
}

/// Judges a change of status.
#[must_use]
pub fn judge(rules: Rules, from: Status, to: Status) -> Move {
    if from == to {
        return Move::Same;
    }
    match rules {
        Rules::Admin => Move::Go { is_override: !is_forward(from, to) || (skips(from, to) && !is_usual(from, to)) },
        other if may_go(other, from, to) => Move::Go { is_override: false },
        other => Move::Refused { allowed: allowed(other, from) },
    }
}

/// Where an actor may go from a status.
#[must_use]
pub fn allowed(rules: Rules, from: Status) -> Vec<Status> {
    Status::ALL.into_iter().filter(|to| *to != from && may_go(rules, from, *to)).collect()
}

fn may_go(rules: Rules, from: Status, to: Status) -> bool {
    use Status::{
        Confirmed, Delivered, DeliveryFailed, OutForDelivery, Packed, Paid, Pending, Processing, Returned, Shipped,
    };
    match rules {
        Rules::Admin => true,
        Rules::Vendor => matches!(
            (from, to),
            (Pending | Paid | Confirmed, Packed) | (Packed | Processing, Shipped) | (Shipped, Delivered)
        ),
        Rules::Token => is_forward(from, to),
        Rules::Courier => {
            matches!(from, Shipped | OutForDelivery | DeliveryFailed)
                && matches!(to, OutForDelivery | DeliveryFailed | Delivered | Returned)
        }
    }
}

/// Whether some party reaches the one from the other in its ordinary work.
fn is_usual(from: Status, to: Status) -> bool {
    may_go(Rules::Vendor, from, to) || may_go(Rules::Courier, from, to)
}

/// Towards the end of an order that has not ended: a rank that is not lower.
fn is_forward(from: Status, to: Status) -> bool {
    !from.is_terminal() && to.facts().rank >= from.facts().rank
}

/// Whether a forward move leaves out a step of the progress bar that customers would have seen.
fn skips(from: Status, to: Status) -> bool {
    match (from.facts().step.unwrap_or(0), to.facts().step) {
        (from, Some(to)) => to > from + 1,
        (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_letter_case_and_separator_is_read_and_one_form_is_written() {
        for text in ["out_for_delivery", "OUT_FOR_DELIVERY", "Out for delivery", "out-for-delivery"] {
            assert_eq!(text.parse(), Ok(Status::OutForDelivery), "{text}");
        }
        for text in ["", "shippe", "shipped ", "delayed", "out__for_delivery", "ſhipped"] {
            assert_eq!(text.parse::<Status>(), Err(UnknownStatus), "{text}");
        }
        for status in Status::ALL {
            assert_eq!(status.code().parse(), Ok(status));
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{}\"", status.code()));
        }
    }

    /// Every actor from every status to every status: the whole table, written out.
    #[test]
    fn every_actor_may_go_exactly_where_the_table_says() {
        #[rustfmt::skip]
        let table: [(Status, &str, &str, &str); 12] = [
            // from                   vendor       token                                                                                                            courier
            (Status::Incomplete,      "",          "pending paid confirmed processing packed shipped out_for_delivery delivery_failed delivered cancelled returned", ""),
            (Status::Pending,         "packed",    "paid confirmed processing packed shipped out_for_delivery delivery_failed delivered cancelled returned",         ""),
            (Status::Paid,            "packed",    "confirmed processing packed shipped out_for_delivery delivery_failed delivered cancelled returned",              ""),
            (Status::Confirmed,       "packed",    "processing packed shipped out_for_delivery delivery_failed delivered cancelled returned",                        ""),
            (Status::Processing,      "shipped",   "packed shipped out_for_delivery delivery_failed delivered cancelled returned",                                   ""),
            (Status::Packed,          "shipped",   "shipped out_for_delivery delivery_failed delivered cancelled returned",                                          ""),
            (Status::Shipped,         "delivered", "out_for_delivery delivery_failed delivered cancelled returned",                                                  "out_for_delivery delivery_failed delivered returned"),
            (Status::OutForDelivery,  "",          "delivery_failed delivered cancelled returned",                                                                   "delivery_failed delivered returned"),
            (Status::DeliveryFailed,  "",          "out_for_delivery delivered cancelled returned",                                                                  "out_for_delivery delivered returned"),
            (Status::Delivered,       "",          "",                                                                                                               ""),
            (Status::Cancelled,       "",          "",                                                                                                               ""),
            (Status::Returned,        "",          "",                                                                                                               ""),
        ];
        for (from, vendor, token, courier) in table {
            for (rules, expected) in [(Rules::Vendor, vendor), (Rules::Token, token), (Rules::Courier, courier)] {
                let expected: Vec<Status> = expected.split_whitespace().map(|code| code.parse().unwrap()).collect();
                assert_eq!(allowed(rules, from), expected, "{rules:?} from {from}");
                for to in Status::ALL {
                    let verdict = match (from == to, expected.contains(&to)) {
                        (true, _) => Move::Same,
                        (_, true) => Move::Go { is_override: false },
                        (_, false) => Move::Refused { allowed: expected.clone() },
                    };
                    assert_eq!(judge(rules, from, to), verdict, "{rules:?} {from} -> {to}");
                }
            }
            for to in Status::ALL {
                let verdict = judge(Rules::Admin, from, to);
                assert_eq!(verdict == Move::Same, from == to);
                assert!(!matches!(verdict, Move::Refused { .. }), "an admin may do anything: {from} -> {to}");
            }
        }
    }

    #[test]
    fn an_admins_skip_or_step_back_is_an_override_and_the_usual_order_is_not() {
        let is_override = |from, to| judge(Rules::Admin, from, to) == Move::Go { is_override: true };
        assert!(is_override(Status::Pending, Status::Delivered));
        assert!(is_override(Status::Shipped, Status::Packed));
        assert!(is_override(Status::Delivered, Status::Shipped));
        assert!(!is_override(Status::Packed, Status::Shipped));
        assert!(!is_override(Status::Shipped, Status::Delivered), "out for delivery is optional");
        assert!(!is_override(Status::Shipped, Status::Cancelled));
    }
}
