//! The way in as a line of four steps, in the form the tracking page gives an order: account, address, papers, approval.

use maud::{Markup, html};

use crate::web::pages::Frame;

/// The steps in their order: the key of their name, and the symbol each has until it is done.
const STEPS: [(&str, &str); 4] = [
    ("account.step_account", "store"),
    ("account.step_email", "mail"),
    ("account.step_papers", "receipt"),
    ("account.step_approval", "shield"),
];

/// Where somebody stands on the way in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Account,
    Email,
    Papers,
    Approval,
    /// All four are done.
    Done,
}

/// The line of steps with this one as the current.
pub(super) fn line(frame: &Frame, current: Step) -> Markup {
    let current = current as usize;
    html! {
        ol.steps.four aria-label=(frame.t("account.progress")) {
            @for (i, (name, icon)) in STEPS.into_iter().enumerate() {
                @let class = if i < current { "done" } else if i == current { "now" } else { "" };
                @let state = if i < current { frame.t("step.done") } else if i == current { "" } else { frame.t("step.todo") };
                li class=(class) aria-current=[(i == current).then_some("step")] {
                    i aria-hidden="true" {}
                    span.dot { (frame.icon(if i < current { "check" } else { icon })) }
                    b { (frame.t(name)) span.vh { (state) } }
                }
            }
        }
    }
}
