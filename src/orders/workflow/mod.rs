//! Companies' own ways through the statuses: versions of a graph in place of the vendor's fixed steps, and moves that wait
//! for a second person's approval or the customer's confirmation.
//!
//! The cast: [`graph`] is a way and what makes it sound, [`held`] a move that waits, [`ways`] what the one door knows of
//! both, [`Workflows`] the versions of each company. A version never changes, and an order keeps the one it began with.
//! Who decides about what waits: `orders::approvals` and `orders::confirmation`. A workflow binds the company's people
//! only: what tokens, couriers and those who run the platform may do is not touched by it.

pub mod graph;
pub mod held;
pub(super) mod store;
pub(super) mod ways;

use jiff::Timestamp;

pub use graph::{Edge, Gate, Graph};
pub use held::{Held, How, Leave, State};
pub use store::Seeking;

use super::model::Order;
use super::status::{Rules, Status, allowed};
use crate::audit::{self, Record};
use crate::base::id::CompanyId;
use crate::base::{Actor, Clock, Error, Result};
use crate::db::{Db, is_taken};

/// The number of a company's workflow: 1, 2, 3 …
pub type Version = i32;

/// How long moves wait where a company does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Hours until an approval nobody decided about expires.
    pub approval_hours: u32,
    /// Days until a confirmation the customer did not give counts as given.
    pub auto_confirm_days: u32,
}

impl Default for Patience {
    /// As the settings' own defaults.
    fn default() -> Self {
        Self { approval_hours: 72, auto_confirm_days: 7 }
    }
}

/// One version of a company's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    /// Whose.
    pub company: CompanyId,
    /// Its number.
    pub version: Version,
    /// The steps.
    pub graph: Graph,
    /// Who set it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Since when new orders do not begin with it any more.
    pub retired_at: Option<Timestamp>,
}

/// A status the company's people may move an order to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The status.
    pub to: Status,
    /// Whose word it waits for.
    pub gate: Option<Gate>,
}

/// The workflows of all companies. Cheap to clone.
#[derive(Clone)]
pub struct Workflows {
    db: Db,
    clock: Clock,
}

/// Most versions of a company.
const MOST_VERSIONS: Version = 1000;

impl Workflows {
    /// The workflows in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// All versions of a company, the newest first; the one that is not retired is what new orders begin with.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list(&self, company: CompanyId) -> Result<Vec<Workflow>> {
        self.db.read(move |conn| Box::pin(store::list_workflows(conn, company))).await
    }

    /// Sets what new orders begin with. What is so already makes no new version.
    ///
    /// # Errors
    /// `InvalidFields` that names each violation; `Conflict` when there are too many versions or another was set at the
    /// same moment.
    pub async fn set(
        &self,
        by: Actor,
        company: CompanyId,
        graph: Graph,
        request_id: Option<String>,
    ) -> Result<Workflow> {
        graph.check()?;
        let now = self.clock.now();
        let write = self.db.transact(move |conn| {
            Box::pin(async move {
                let known = store::list_workflows(conn, company).await?;
                if let Some(same) = known.iter().find(|one| one.retired_at.is_none() && one.graph == graph) {
                    return Ok(same.clone());
                }
                let version = known.first().map_or(0, |newest| newest.version) + 1;
                if version > MOST_VERSIONS {
                    return Err(Error::conflict("too_many_versions", "No more versions can be kept."));
                }
                store::retire(conn, company, now).await?;
                let created_by = by.name().to_owned();
                let new = Workflow { company, version, graph, created_by, created_at: now, retired_at: None };
                store::insert_workflow(conn, &new).await.map_err(|error| match error {
                    error if is_taken(&error) => {
                        Error::conflict("set_meanwhile", "Another workflow was set at this moment; look at it first.")
                    }
                    error => error.into(),
                })?;
                let detail = audit::detail(&serde_json::json!({"version": version, "graph": new.graph}))?;
                audit::record(conn, vec![change(by, company, "workflow.set", request_id, (now, detail))]).await?;
                Ok(new)
            })
        });
        write.await
    }

    /// Lets new orders begin with the fixed steps again. Orders that have begun go on as they do.
    ///
    /// # Errors
    /// `NotFound` when none is set.
    pub async fn retire(&self, by: Actor, company: CompanyId, request_id: Option<String>) -> Result<()> {
        let now = self.clock.now();
        let write = self.db.transact(move |conn| {
            Box::pin(async move {
                if !store::retire(conn, company, now).await? {
                    return Err(Error::NotFound("Workflow"));
                }
                let record = change(by, company, "workflow.retired", request_id, (now, "{}".to_owned()));
                audit::record(conn, vec![record]).await
            })
        });
        write.await
    }

    /// What the order waits for.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn waiting(&self, order: &Order) -> Result<Option<Held>> {
        let id = order.id;
        let find = self.db.read(move |conn| {
            Box::pin(async move {
                for held in store::find_open(conn, vec![id], Vec::new()).await? {
                    if held.state == State::Disputed || !store::has_moved(conn, id, held.seq).await? {
                        return Ok(Some(held));
                    }
                }
                Ok(None)
            })
        });
        find.await
    }

    /// Where the company's people may move the order next, and what they would wait for.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn steps(&self, orders: &[Order]) -> Result<Vec<Vec<Step>>> {
        let ids = orders.iter().map(|order| order.id).collect();
        let followed = self.db.read(move |conn| Box::pin(store::find_followed(conn, ids))).await?;
        let fixed = |order: &Order| {
            allowed(Rules::Vendor, order.status).into_iter().map(|to| Step { to, gate: None }).collect()
        };
        let own = |order: &Order, workflow: &Workflow| {
            let steps = workflow.graph.steps(order.status);
            steps.iter().map(|edge| Step { to: edge.to, gate: edge.gate() }).collect()
        };
        let steps = orders.iter().map(|order| match followed.get(&order.id) {
            Some(workflow) => own(order, workflow),
            None => fixed(order),
        });
        Ok(steps.collect())
    }
}

fn change(
    actor: Actor,
    company: CompanyId,
    action: &'static str,
    request_id: Option<String>,
    (at, detail): (Timestamp, String),
) -> Record {
    Record {
        actor,
        at,
        company: Some(company),
        subject: "workflow",
        subject_id: company.to_string(),
        action,
        request_id,
        detail,
    }
}

/// The audit row of what became of a move that waits. What a customer said is not repeated there.
pub(super) fn record(actor: Actor, held: &Held, request_id: Option<String>, at: Timestamp) -> Result<Record> {
    let detail = serde_json::json!({
        "move": held.id, "gate": held.gate, "from": held.from, "to": held.to, "due_at": held.due_at,
        "asked_by": held.asked_by,
    });
    Ok(Record {
        actor,
        at,
        company: Some(held.company),
        subject: "order",
        subject_id: held.order.to_string(),
        action: match held.state {
            State::Waiting => "order.move_held",
            State::Approved => "order.move_approved",
            State::Refused => "order.move_refused",
            State::Expired => "order.move_expired",
            State::Superseded => "order.move_superseded",
            State::Confirmed => "order.move_confirmed",
            State::Disputed => "order.move_disputed",
            State::Upheld => "order.dispute_upheld",
            State::Dismissed => "order.dispute_dismissed",
        },
        request_id,
        detail: audit::detail(&detail)?,
    })
}
