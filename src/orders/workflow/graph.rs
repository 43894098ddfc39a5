//! A company's own way through the statuses: which step may follow which, and who else must agree to it. Pure.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::error::Invalid;
use crate::base::{Error, Result};
use crate::orders::status::{Move, Status};

/// Whose word a step waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// A second person's: of the company, or of those who run the platform.
    Approval,
    /// The customer's.
    Confirmation,
}

impl Gate {
    /// As it is stored and told.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Confirmation => "confirmation",
        }
    }
}

/// One step of the company's people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Where the order stands.
    pub from: Status,
    /// Where the step leads.
    pub to: Status,
    /// Whether a second person must approve it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
    /// Whether the customer must confirm it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirmation: bool,
}

impl Edge {
    /// Whose word it waits for.
    #[must_use]
    pub fn gate(&self) -> Option<Gate> {
        match (self.approval, self.confirmation) {
            (true, _) => Some(Gate::Approval),
            (false, true) => Some(Gate::Confirmation),
            (false, false) => None,
        }
    }
}

/// All steps of a company, in place of the vendor's fixed ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    /// Where an order begins that comes without a status.
    pub initial: Status,
    /// The steps; a status that none of them names is not part of the way.
    #[schema(min_items = 1, max_items = 132)]
    pub edges: Vec<Edge>,
    /// How long a step waits for approval, in hours; the deployment's own setting when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 720)]
    pub approval_hours: Option<u32>,
    /// After how many days without the customer's word a step counts as confirmed; the deployment's own setting when
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 90)]
    pub auto_confirm_days: Option<u32>,
}

/// From each status to each other.
const MOST_STEPS: usize = 132;
/// Longest waits a company may choose.
const MOST_HOURS: u32 = 720;
const MOST_DAYS: u32 = 90;

/// What is wrong with a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// There is no step at all.
    Empty,
    /// There are more steps than the statuses allow.
    TooMany,
    /// The first status is one where orders end.
    StartsAtEnd(Status),
    /// No step leads to it, as to an initial status, and it is not the initial one.
    SecondInitial(Status),
    /// Steps lead to it, and none of them from the initial status.
    Unreachable(Status),
    /// An order stays there for ever, and it is no end.
    DeadEnd(Status),
    /// Steps lead on from it, and none of them to an end.
    NoEnd(Status),
    /// A step leaves a status where orders end.
    LeavesEnd(Status, Status),
    /// A step leads to where it starts.
    Loop(Status),
    /// The step is there more than once.
    Repeated(Status, Status),
    /// The step waits for two words at once.
    TwoGates(Status, Status),
    /// A wait is outside its limits.
    Hours,
    /// A wait is outside its limits.
    Days,
}

impl Violation {
    fn field(self) -> &'static str {
        match self {
            Self::StartsAtEnd(_) => "initial",
            Self::Hours => "approval_hours",
            Self::Days => "auto_confirm_days",
            _ => "edges",
        }
    }

    /// A stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "no_steps",
            Self::TooMany => "too_many_steps",
            Self::StartsAtEnd(_) => "starts_at_end",
            Self::SecondInitial(_) => "second_initial",
            Self::Unreachable(_) => "unreachable",
            Self::DeadEnd(_) => "dead_end",
            Self::NoEnd(_) => "no_end",
            Self::LeavesEnd(..) => "leaves_end",
            Self::Loop(_) => "leads_to_itself",
            Self::Repeated(..) => "repeated_step",
            Self::TwoGates(..) => "two_gates",
            Self::Hours | Self::Days => "out_of_range",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "A workflow needs at least one step."),
            Self::TooMany => write!(f, "A workflow has at most {MOST_STEPS} steps."),
            Self::StartsAtEnd(at) => write!(f, "Orders end at {at}, so they cannot begin there."),
            Self::SecondInitial(at) => {
                write!(f, "No step leads to {at}, which would make it a second initial status; lead one there.")
            }
            Self::Unreachable(at) => write!(f, "No way leads from the initial status to {at}."),
            Self::DeadEnd(at) => write!(f, "An order at {at} could never leave it; add a step that leads on."),
            Self::NoEnd(at) => write!(f, "No way leads from {at} to delivered, cancelled or returned."),
            Self::LeavesEnd(from, to) => write!(f, "Orders end at {from}; take the step to {to} out."),
            Self::Loop(at) => write!(f, "The step from {at} leads to {at} itself."),
            Self::Repeated(from, to) => write!(f, "The step from {from} to {to} is there more than once."),
            Self::TwoGates(from, to) => {
                write!(f, "The step from {from} to {to} may wait for approval or for confirmation, not for both.")
            }
            Self::Hours => write!(f, "approval_hours must be a whole number from 1 to {MOST_HOURS}."),
            Self::Days => write!(f, "auto_confirm_days must be a whole number from 1 to {MOST_DAYS}."),
        }
    }
}

impl Graph {
    /// Names everything that is wrong with the graph; an order that follows one without violations gets somewhere from
    /// wherever it is, and ends.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        if self.edges.len() > MOST_STEPS {
            return vec![Violation::TooMany];
        }
        let mut found = self.broken_steps();
        let all: BTreeSet<Status> =
            self.edges.iter().flat_map(|edge| [edge.from, edge.to]).chain([self.initial]).collect();
        let reached = self.closure(self.initial, |edge| (edge.from, edge.to));
        let ends: Vec<BTreeSet<Status>> = all
            .iter()
            .filter(|status| status.is_terminal())
            .map(|end| self.closure(*end, |edge| (edge.to, edge.from)))
            .collect();
        for at in all {
            let others = || self.edges.iter().filter(|edge| edge.from != edge.to);
            if at != self.initial && !others().any(|edge| edge.to == at) {
                found.push(Violation::SecondInitial(at));
            } else if !reached.contains(&at) {
                found.push(Violation::Unreachable(at));
            }
            if at.is_terminal() {
                continue;
            }
            if !others().any(|edge| edge.from == at) {
                found.push(Violation::DeadEnd(at));
            } else if !ends.iter().any(|before| before.contains(&at)) {
                found.push(Violation::NoEnd(at));
            }
        }
        found
    }

    /// What is wrong with single steps and numbers.
    fn broken_steps(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        if self.edges.is_empty() {
            found.push(Violation::Empty);
        }
        if self.initial.is_terminal() {
            found.push(Violation::StartsAtEnd(self.initial));
        }
        for (at, edge) in self.edges.iter().enumerate() {
            let is_same = |other: &Edge| (other.from, other.to) == (edge.from, edge.to);
            if edge.from == edge.to {
                found.push(Violation::Loop(edge.from));
            }
            if edge.from.is_terminal() {
                found.push(Violation::LeavesEnd(edge.from, edge.to));
            }
            if self.edges[..at].iter().filter(|other| is_same(other)).count() == 1 {
                found.push(Violation::Repeated(edge.from, edge.to));
            }
            if edge.approval && edge.confirmation {
                found.push(Violation::TwoGates(edge.from, edge.to));
            }
        }
        found.extend(self.approval_hours.filter(|hours| !(1..=MOST_HOURS).contains(hours)).map(|_| Violation::Hours));
        found.extend(self.auto_confirm_days.filter(|days| !(1..=MOST_DAYS).contains(days)).map(|_| Violation::Days));
        found
    }

    /// Every status that steps lead to from this one, itself included; `ends` says which way steps are walked.
    fn closure(&self, start: Status, ends: impl Fn(&Edge) -> (Status, Status)) -> BTreeSet<Status> {
        let mut found = BTreeSet::from([start]);
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            let next = self.edges.iter().map(&ends).filter(|(from, _)| *from == at).map(|(_, to)| to);
            open.extend(next.filter(|to| found.insert(*to)));
        }
        found
    }

    /// Checks the graph.
    ///
    /// # Errors
    /// `InvalidFields`, one for each violation.
    pub fn check(&self) -> Result<()> {
        let wrong: Vec<Invalid> = self
            .violations()
            .into_iter()
            .map(|one| Invalid { field: Some(one.field()), code: one.code(), message: one.to_string() })
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(Error::InvalidFields(wrong)) }
    }

    /// The steps that lead on from a status, in the order of the statuses.
    #[must_use]
    pub fn steps(&self, from: Status) -> Vec<Edge> {
        let mut steps: Vec<Edge> = self.edges.iter().filter(|edge| edge.from == from).copied().collect();
        steps.sort_by_key(|edge| edge.to);
        steps
    }

    /// Judges a step of the company's people.
    #[must_use]
    pub fn judge(&self, from: Status, to: Status) -> Move {
        if from == to {
            return Move::Same;
        }
        let steps = self.steps(from);
        match steps.iter().find(|edge| edge.to == to) {
            Some(edge) => edge.gate().map_or(Move::Go { is_override: false }, Move::Held),
            None => Move::Refused { allowed: steps.iter().map(|edge| edge.to).collect() },
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn edge(from: Status, to: Status) -> Edge {
        Edge { from, to, approval: false, confirmation: false }
    }

    fn graph(initial: Status, steps: &[(Status, Status)]) -> Graph {
        let edges = steps.iter().map(|(from, to)| edge(*from, *to)).collect();
        Graph { initial, edges, approval_hours: None, auto_confirm_days: None }
    }

    use Status::{Cancelled, Confirmed, Delivered, DeliveryFailed, OutForDelivery, Packed, Pending, Shipped};

    #[test]
    fn a_sound_graph_has_no_violations_even_with_a_way_back() {
        let steps = [
            (Pending, Packed),
            (Packed, Pending),
            (Packed, Shipped),
            (Shipped, OutForDelivery),
            (OutForDelivery, DeliveryFailed),
            (DeliveryFailed, OutForDelivery),
            (OutForDelivery, Delivered),
            (Pending, Cancelled),
        ];
        assert_eq!(graph(Pending, &steps).violations(), []);
        assert!(graph(Pending, &steps).check().is_ok());
    }

    #[test]
    fn each_violation_is_named() {
        let two = |from, to| Edge { approval: true, confirmation: true, ..edge(from, to) };
        let cases: Vec<(Graph, Vec<Violation>)> = vec![
            (graph(Pending, &[]), vec![Violation::Empty, Violation::DeadEnd(Pending)]),
            (graph(Pending, &[(Pending, Packed)]), vec![Violation::NoEnd(Pending), Violation::DeadEnd(Packed)]),
            (graph(Pending, &[(Pending, Delivered), (Packed, Delivered)]), vec![Violation::SecondInitial(Packed)]),
            (
                graph(Pending, &[(Pending, Delivered), (Packed, Shipped), (Shipped, Packed), (Packed, Delivered)]),
                vec![Violation::Unreachable(Packed), Violation::Unreachable(Shipped)],
            ),
            (
                graph(Pending, &[(Pending, Packed), (Packed, Pending)]),
                vec![Violation::NoEnd(Pending), Violation::NoEnd(Packed)],
            ),
            (
                graph(Pending, &[(Pending, Delivered), (Delivered, Pending)]),
                vec![Violation::LeavesEnd(Delivered, Pending)],
            ),
            (graph(Pending, &[(Pending, Delivered), (Pending, Pending)]), vec![Violation::Loop(Pending)]),
            (
                graph(Pending, &[(Pending, Delivered), (Pending, Delivered), (Pending, Delivered)]),
                vec![Violation::Repeated(Pending, Delivered)],
            ),
            (
                Graph { edges: vec![two(Pending, Delivered)], ..graph(Pending, &[]) },
                vec![Violation::TwoGates(Pending, Delivered)],
            ),
            (
                Graph {
                    approval_hours: Some(721),
                    auto_confirm_days: Some(0),
                    ..graph(Pending, &[(Pending, Delivered)])
                },
                vec![Violation::Hours, Violation::Days],
            ),
        ];
        for (graph, expected) in cases {
            assert_eq!(graph.violations(), expected, "{graph:?}");
            let Err(Error::InvalidFields(told)) = graph.check() else { panic!("{graph:?}") };
            assert_eq!(told.iter().map(|one| one.code).collect::<Vec<_>>(), expected.map_codes());
        }
        let starts = graph(Cancelled, &[(Cancelled, Delivered)]).violations();
        assert_eq!(starts, [Violation::StartsAtEnd(Cancelled), Violation::LeavesEnd(Cancelled, Delivered)]);
    }

    trait Codes {
        fn map_codes(&self) -> Vec<&'static str>;
    }

    impl Codes for Vec<Violation> {
        fn map_codes(&self) -> Vec<&'static str> {
            self.iter().map(|one| one.code()).collect()
        }
    }

    /// Whether some way of steps leads from the one to the other, tried step by step without cleverness: as many rounds
    /// as there are statuses reach whatever can be reached.
    fn leads(graph: &Graph, from: Status, to: Status) -> bool {
        let mut at = vec![from];
        for _ in Status::ALL {
            let next: Vec<Status> =
                graph.edges.iter().filter(|edge| at.contains(&edge.from)).map(|edge| edge.to).collect();
            at.extend(next);
            at.sort_unstable();
            at.dedup();
        }
        at.contains(&to)
    }

    fn is_sound(graph: &Graph) -> bool {
        let is_in = |status: Status| {
            status == graph.initial || graph.edges.iter().any(|edge| edge.from == status || edge.to == status)
        };
        let steps_are_sound = graph.edges.iter().enumerate().all(|(at, edge)| {
            edge.from != edge.to
                && !edge.from.is_terminal()
                && !(edge.approval && edge.confirmation)
                && graph.edges.iter().skip(at + 1).all(|other| (other.from, other.to) != (edge.from, edge.to))
        });
        !graph.edges.is_empty()
            && !graph.initial.is_terminal()
            && steps_are_sound
            && Status::ALL.into_iter().filter(|status| is_in(*status)).all(|status| {
                let ends = || Status::ALL.into_iter().filter(|end| end.is_terminal());
                leads(graph, graph.initial, status) && ends().any(|end| leads(graph, status, end))
            })
    }

    #[test]
    fn the_check_agrees_with_walking_every_way_of_random_graphs() {
        let mut chance = StdRng::seed_from_u64(4);
        let (mut sound, mut broken) = (0, 0);
        for round in 0..20_000 {
            let few = 2 + round % 6;
            let pick = |chance: &mut StdRng| {
                let end = chance.random_range(0..3) == 0;
                Status::ALL[if end { chance.random_range(9..12) } else { chance.random_range(0..few) }]
            };
            let count = chance.random_range(0..9);
            let edges = (0..count)
                .map(|_| {
                    let gate = chance.random_range(0..40);
                    let to = pick(&mut chance);
                    let from = Status::ALL[chance.random_range(0..few)];
                    let from = if chance.random_range(0..30) == 0 { Delivered } else { from };
                    Edge { from, to, approval: gate < 4, confirmation: (3..7).contains(&gate) }
                })
                .collect();
            let initial = if chance.random_range(0..40) == 0 { Confirmed } else { Status::ALL[0] };
            let graph = Graph { initial, edges, approval_hours: None, auto_confirm_days: None };
            assert_eq!(graph.violations().is_empty(), is_sound(&graph), "{graph:?}: {:?}", graph.violations());
            if is_sound(&graph) { sound += 1 } else { broken += 1 }
        }
        assert!(sound > 200 && broken > 200, "both kinds were met: {sound} and {broken}");
    }

    #[test]
    fn steps_are_judged_by_the_graph_and_gates_hold_them() {
        let held = Edge { approval: true, ..edge(Packed, Shipped) };
        let graph = Graph { edges: vec![edge(Pending, Packed), held, edge(Shipped, Delivered)], ..graph(Pending, &[]) };
        assert_eq!(graph.judge(Pending, Packed), Move::Go { is_override: false });
        assert_eq!(graph.judge(Packed, Shipped), Move::Held(Gate::Approval));
        assert_eq!(graph.judge(Packed, Packed), Move::Same);
        assert_eq!(graph.judge(Packed, Delivered), Move::Refused { allowed: vec![Shipped] });
        assert_eq!(graph.judge(Cancelled, Delivered), Move::Refused { allowed: vec![] });
    }
}
