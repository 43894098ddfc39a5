//! SQL of the queue.

use diesel::prelude::*;
use jiff::Timestamp;

use super::{Counts, Job};
use crate::base::id::JobId;
use crate::base::{Error, Result};
use crate::db::schema::jobs;
use crate::db::types::At;
use crate::db::{Conn, ROWS_AT_ONCE};
use crate::{execute, load};

#[derive(Insertable)]
#[diesel(table_name = jobs, treat_none_as_default_value = false)]
struct Row {
    id: JobId,
    kind: &'static str,
    payload: String,
    dedupe_key: Option<String>,
    state: &'static str,
    attempts: i32,
    run_at: At,
    leased_until: Option<At>,
    last_error: Option<String>,
    created_at: At,
}

/// A claimed job as it is stored: its identifier, what to do, and how often it was tried before.
pub(super) type Taken = (JobId, String, i32);

pub(super) async fn insert(conn: &mut Conn, new: &[Job], now: Timestamp) -> Result<()> {
    let rows = new.iter().map(|job| row(job, now)).collect::<Result<Vec<_>>>()?;
    // A job that waits already is enough.
    match conn {
        Conn::Postgres(conn) => {
            for rows in rows.chunks(ROWS_AT_ONCE) {
                let query = diesel::insert_into(jobs::table).values(rows).on_conflict_do_nothing();
                diesel_async::RunQueryDsl::execute(query, &mut **conn).await?;
            }
        }
        Conn::Sqlite(conn) => {
            for row in &rows {
                let query = diesel::insert_into(jobs::table).values(row).on_conflict_do_nothing();
                diesel::RunQueryDsl::execute(query, &mut **conn)?;
            }
        }
    }
    Ok(())
}

fn row(job: &Job, now: Timestamp) -> Result<Row> {
    Ok(Row {
        id: JobId::new(),
        kind: job.kind(),
        payload: serde_json::to_string(job).map_err(Error::internal)?,
        dedupe_key: job.dedupe_key(),
        state: "queued",
        attempts: 0,
        run_at: At(now),
        leased_until: None,
        last_error: None,
        created_at: At(now),
    })
}

/// Moves the lease of due jobs on, which is the lock: two instances that claim at once never get the same job.
pub(super) async fn claim(conn: &mut Conn, now: Timestamp, until: Timestamp, limit: i64) -> Result<Vec<Taken>> {
    let due = jobs::table
        .filter(jobs::state.eq("queued"))
        .filter(jobs::run_at.le(At(now)))
        .filter(jobs::leased_until.is_null().or(jobs::leased_until.le(At(now))))
        .order((jobs::run_at, jobs::id))
        .limit(limit)
        .select(jobs::id);
    let ids = match &mut *conn {
        Conn::Postgres(conn) => {
            diesel_async::RunQueryDsl::load::<JobId>(due.for_update().skip_locked(), &mut **conn).await?
        }
        Conn::Sqlite(conn) => diesel::RunQueryDsl::load::<JobId>(due, &mut **conn)?,
    };
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    execute!(
        &mut *conn,
        diesel::update(jobs::table.filter(jobs::id.eq_any(&ids))).set(jobs::leased_until.eq(Some(At(until))))
    )?;
    let columns = (jobs::id, jobs::payload, jobs::attempts);
    let query = jobs::table.filter(jobs::id.eq_any(&ids)).order((jobs::run_at, jobs::id)).select(columns);
    Ok(load!(conn, Taken, query)?)
}

pub(super) async fn delete(conn: &mut Conn, id: JobId) -> Result<()> {
    execute!(conn, diesel::delete(jobs::table.find(id)))?;
    Ok(())
}

pub(super) async fn fail(
    conn: &mut Conn,
    id: JobId,
    attempts: i32,
    run_at: Option<Timestamp>,
    error: &str,
) -> Result<()> {
    let state = if run_at.is_some() { "queued" } else { "dead" };
    let query = diesel::update(jobs::table.find(id)).set((
        jobs::state.eq(state),
        jobs::attempts.eq(attempts),
        jobs::leased_until.eq(None::<At>),
        jobs::last_error.eq(Some(error)),
    ));
    execute!(&mut *conn, query)?;
    if let Some(run_at) = run_at {
        execute!(conn, diesel::update(jobs::table.find(id)).set(jobs::run_at.eq(At(run_at))))?;
    }
    Ok(())
}

pub(super) async fn counts(conn: &mut Conn) -> Result<Counts> {
    let query = jobs::table.group_by(jobs::state).select((jobs::state, diesel::dsl::count_star()));
    let rows = load!(conn, (String, i64), query)?;
    let of = |state: &str| rows.iter().find(|(known, _)| known == state).map_or(0, |(_, count)| *count);
    Ok(Counts { queued: of("queued"), dead: of("dead") })
}
