//! SQL of workflows and of moves that wait.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use jiff::Timestamp;

use super::graph::{Gate, Graph};
use super::held::{Held, State};
use super::{Version, Workflow};
use crate::base::id::{AccountId, CompanyId, HeldId, OrderId};
use crate::base::page::Cursor;
use crate::base::{Error, Result};
use crate::db::Conn;
use crate::db::schema::{held_moves, order_events, order_workflows, workflows};
use crate::db::types::At;
use crate::{execute, find, insert_many, load};

type WorkflowColumns = (CompanyId, i32, String, String, At, Option<At>);

fn to_workflow((company, version, graph, by, at, retired): WorkflowColumns) -> Result<Workflow> {
    let graph: Graph = serde_json::from_str(&graph).map_err(Error::internal)?;
    Ok(Workflow { company, version, graph, created_by: by, created_at: at.0, retired_at: retired.map(|at| at.0) })
}

/// All versions of a company, the newest first.
pub(super) async fn list_workflows(conn: &mut Conn, company: CompanyId) -> Result<Vec<Workflow>> {
    let query = workflows::table.filter(workflows::company_id.eq(company)).order(workflows::version.desc()).limit(1000);
    load!(conn, WorkflowColumns, query.select(workflows::all_columns))?.into_iter().map(to_workflow).collect()
}

/// The version that new orders of each company begin with.
pub(super) async fn find_current(conn: &mut Conn, companies: Vec<CompanyId>) -> Result<HashMap<CompanyId, Workflow>> {
    let query = workflows::table
        .filter(workflows::company_id.eq_any(companies))
        .filter(workflows::retired_at.is_null())
        .order(workflows::version)
        .select(workflows::all_columns);
    let rows = load!(conn, WorkflowColumns, query)?;
    rows.into_iter().map(|row| Ok((row.0, to_workflow(row)?))).collect()
}

/// The workflows that these orders began with, as far as they have one of their own.
pub(super) async fn find_followed(conn: &mut Conn, orders: Vec<OrderId>) -> Result<HashMap<OrderId, Workflow>> {
    let is_same =
        workflows::company_id.eq(order_workflows::company_id).and(workflows::version.eq(order_workflows::version));
    let query = order_workflows::table
        .inner_join(workflows::table.on(is_same))
        .filter(order_workflows::order_id.eq_any(orders))
        .select((order_workflows::order_id, workflows::all_columns));
    let rows = load!(conn, (OrderId, WorkflowColumns), query)?;
    rows.into_iter().map(|(order, row)| Ok((order, to_workflow(row)?))).collect()
}

/// Retires whatever version is current.
pub(super) async fn retire(conn: &mut Conn, company: CompanyId, now: Timestamp) -> Result<bool> {
    let current = workflows::table.filter(workflows::company_id.eq(company)).filter(workflows::retired_at.is_null());
    Ok(execute!(conn, diesel::update(current).set(workflows::retired_at.eq(Some(At(now)))))? > 0)
}

/// Writes a version.
pub(super) async fn insert_workflow(conn: &mut Conn, new: &Workflow) -> Result<(), diesel::result::Error> {
    let graph = serde_json::to_string(&new.graph);
    let graph = graph.map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))?;
    let values = (
        workflows::company_id.eq(new.company),
        workflows::version.eq(new.version),
        workflows::graph.eq(graph),
        workflows::created_by.eq(&new.created_by),
        workflows::created_at.eq(At(new.created_at)),
    );
    execute!(conn, diesel::insert_into(workflows::table).values(values))?;
    Ok(())
}

/// Writes down which version orders begin with.
pub(super) async fn insert_begun(conn: &mut Conn, begun: &[(OrderId, CompanyId, Version)]) -> Result<()> {
    let row = |(order, company, version): &(OrderId, CompanyId, Version)| {
        (
            order_workflows::order_id.eq(*order),
            order_workflows::company_id.eq(*company),
            order_workflows::version.eq(*version),
        )
    };
    let rows: Vec<_> = begun.iter().map(row).collect();
    for row in rows {
        execute!(&mut *conn, diesel::insert_into(order_workflows::table).values(row))?;
    }
    Ok(())
}

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = held_moves, treat_none_as_default_value = false)]
struct HeldRow {
    id: HeldId,
    order_id: OrderId,
    company_id: CompanyId,
    gate: String,
    from_status: String,
    to_status: String,
    wish: String,
    seq: i64,
    asked_by: AccountId,
    asked_by_name: String,
    asked_at: At,
    due_at: At,
    state: String,
    tries: i32,
    decided_by: Option<String>,
    decided_at: Option<At>,
    reason: Option<String>,
}

impl TryFrom<HeldRow> for Held {
    type Error = Error;

    fn try_from(row: HeldRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            order: row.order_id,
            company: row.company_id,
            gate: if row.gate == Gate::Approval.code() { Gate::Approval } else { Gate::Confirmation },
            from: row.from_status.parse().map_err(Error::internal)?,
            to: row.to_status.parse().map_err(Error::internal)?,
            wish: serde_json::from_str(&row.wish).map_err(Error::internal)?,
            seq: row.seq,
            asked_by: row.asked_by,
            asked_by_name: row.asked_by_name,
            asked_at: row.asked_at.0,
            due_at: row.due_at.0,
            state: row.state.parse()?,
            tries: row.tries,
            decided_by: row.decided_by,
            decided_at: row.decided_at.map(|at| at.0),
            reason: row.reason,
        })
    }
}

impl TryFrom<&Held> for HeldRow {
    type Error = Error;

    fn try_from(held: &Held) -> Result<Self> {
        let held = held.clone();
        Ok(Self {
            id: held.id,
            order_id: held.order,
            company_id: held.company,
            gate: held.gate.code().to_owned(),
            from_status: held.from.code().to_owned(),
            to_status: held.to.code().to_owned(),
            wish: serde_json::to_string(&held.wish).map_err(Error::internal)?,
            seq: held.seq,
            asked_by: held.asked_by,
            asked_by_name: held.asked_by_name,
            asked_at: At(held.asked_at),
            due_at: At(held.due_at),
            state: held.state.code().to_owned(),
            tries: held.tries,
            decided_by: held.decided_by,
            decided_at: held.decided_at.map(At),
            reason: held.reason,
        })
    }
}

/// States in which an order waits.
const OPEN: [&str; 2] = ["waiting", "disputed"];

/// Writes moves that wait.
pub(super) async fn insert_held(conn: &mut Conn, held: &[Held]) -> Result<()> {
    let rows = held.iter().map(HeldRow::try_from).collect::<Result<Vec<_>>>()?;
    insert_many!(conn, held_moves::table, &rows)?;
    Ok(())
}

/// One move.
pub(in crate::orders) async fn find_held(conn: &mut Conn, id: HeldId) -> Result<Option<Held>> {
    find!(conn, HeldRow, held_moves::table.find(id))?.map(Held::try_from).transpose()
}

/// What each of these orders waits for, and whatever became of these moves.
pub(super) async fn find_open(conn: &mut Conn, orders: Vec<OrderId>, ids: Vec<HeldId>) -> Result<Vec<Held>> {
    let open = held_moves::order_id.eq_any(orders).and(held_moves::state.eq_any(OPEN));
    let query = held_moves::table.filter(open.or(held_moves::id.eq_any(ids)));
    load!(conn, HeldRow, query.select(held_moves::all_columns))?.into_iter().map(Held::try_from).collect()
}

/// Those of the orders whose customers object.
pub(super) async fn find_disputed(conn: &mut Conn, orders: &[OrderId]) -> Result<HashSet<OrderId>> {
    let query = held_moves::table
        .filter(held_moves::order_id.eq_any(orders))
        .filter(held_moves::state.eq(State::Disputed.code()))
        .select(held_moves::order_id);
    Ok(load!(conn, OrderId, query)?.into_iter().collect())
}

/// The newest move of an order that waits for this word, or waited.
pub(in crate::orders) async fn find_newest(conn: &mut Conn, order: OrderId, gate: Gate) -> Result<Option<Held>> {
    let query = held_moves::table
        .filter(held_moves::order_id.eq(order))
        .filter(held_moves::gate.eq(gate.code()))
        .order(held_moves::id.desc())
        .limit(1);
    find!(conn, HeldRow, query.select(held_moves::all_columns))?.map(Held::try_from).transpose()
}

/// Whether the order has changed its status after this event.
pub(in crate::orders) async fn has_moved(conn: &mut Conn, order: OrderId, since: i64) -> Result<bool> {
    let query = order_events::table
        .filter(order_events::order_id.eq(order))
        .filter(order_events::seq.gt(since))
        .filter(order_events::previous_status.is_not_null())
        .select(order_events::seq)
        .limit(1);
    Ok(find!(conn, i64, query)?.is_some())
}

/// What is written with a decision.
pub(in crate::orders) struct Decided {
    pub state: State,
    pub by: String,
    pub at: Timestamp,
    pub reason: Option<String>,
}

/// Decides about a move that is in this state; says whether it was. One statement, so that of two who decide at
/// once one does.
pub(in crate::orders) async fn decide(conn: &mut Conn, id: HeldId, from: State, to: &Decided) -> Result<bool> {
    let row = held_moves::table.filter(held_moves::id.eq(id)).filter(held_moves::state.eq(from.code()));
    let set = (
        held_moves::state.eq(to.state.code()),
        held_moves::decided_by.eq(Some(&to.by)),
        held_moves::decided_at.eq(Some(At(to.at))),
        held_moves::reason.eq(&to.reason),
    );
    Ok(execute!(conn, diesel::update(row).set(set))? == 1)
}

/// Counts a try of the code, right or wrong, while the move waits; says whether it may be made.
pub(in crate::orders) async fn take_try(conn: &mut Conn, id: HeldId, most: i32) -> Result<bool> {
    let row = held_moves::table
        .filter(held_moves::id.eq(id))
        .filter(held_moves::state.eq(State::Waiting.code()))
        .filter(held_moves::tries.lt(most));
    Ok(execute!(conn, diesel::update(row).set(held_moves::tries.eq(held_moves::tries + 1)))? == 1)
}

/// Moves that wait for a word of this kind and are due, the oldest first; `after` is the last one of those before.
pub(in crate::orders) async fn list_due(
    conn: &mut Conn,
    gate: Gate,
    now: Timestamp,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Held>> {
    let rows = load!(conn, HeldRow, DB => {
        let mut query = held_moves::table
            .filter(held_moves::state.eq(State::Waiting.code()))
            .filter(held_moves::gate.eq(gate.code()))
            .filter(held_moves::due_at.le(At(now)))
            .select(held_moves::all_columns)
            .into_boxed::<DB>();
        if let Some(Cursor { at, id }) = after {
            let is_same = held_moves::due_at.eq(At(at)).and(held_moves::id.gt(HeldId(id)));
            query = query.filter(held_moves::due_at.gt(At(at)).or(is_same));
        }
        query.order((held_moves::due_at, held_moves::id)).limit(limit)
    })?;
    rows.into_iter().map(Held::try_from).collect()
}

/// Which moves a list shows.
#[derive(Clone, Debug, Default)]
pub struct Seeking {
    /// Of this company; of all when none.
    pub company: Option<CompanyId>,
    /// Waiting for this word.
    pub gate: Option<Gate>,
    /// In one of these states; all when empty.
    pub states: Vec<State>,
}

/// A page of moves, the newest first.
pub(in crate::orders) async fn list_held(
    conn: &mut Conn,
    seeking: Seeking,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Held>> {
    let rows = load!(conn, HeldRow, DB => {
        let mut query = held_moves::table.select(held_moves::all_columns).into_boxed::<DB>();
        if let Some(company) = seeking.company {
            query = query.filter(held_moves::company_id.eq(company));
        }
        if let Some(gate) = seeking.gate {
            query = query.filter(held_moves::gate.eq(gate.code()));
        }
        if !seeking.states.is_empty() {
            let codes: Vec<&'static str> = seeking.states.iter().map(|state| state.code()).collect();
            query = query.filter(held_moves::state.eq_any(codes));
        }
        if let Some(after) = after {
            query = query.filter(held_moves::id.lt(HeldId(after.id)));
        }
        query.order(held_moves::id.desc()).limit(limit)
    })?;
    rows.into_iter().map(Held::try_from).collect()
}
