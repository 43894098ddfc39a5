//! SQL of the audit trail.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};
use jiff::Timestamp;

use super::chain::{EARLIER, Head, Link, Row};
use super::{Entry, Record, Seeking};
use crate::base::id::{AccountId, AuditId, CompanyId, TokenId};
use crate::base::{Actor, Error, Result};
use crate::db::schema::{audit_chains, audit_log};
use crate::db::types::{At, Id, Instant};
use crate::db::{Conn, Fixed};
use crate::{execute, load, unnest};

#[derive(Insertable)]
#[diesel(table_name = audit_log, treat_none_as_default_value = false)]
struct NewRow {
    id: AuditId,
    at: At,
    actor_kind: String,
    actor_id: Option<String>,
    actor_name: String,
    company_id: Option<CompanyId>,
    subject: String,
    subject_id: String,
    action: String,
    request_id: Option<String>,
    detail: String,
    lane: i32,
    n: i64,
    previous: Vec<u8>,
    hash: Vec<u8>,
}

/// Appends the rows and moves the end of their chain on, in one statement.
const APPEND: &str = "WITH moved AS (UPDATE audit_chains SET n = $16, hash = $17 WHERE lane = $18) \
     INSERT INTO audit_log (id, at, actor_kind, actor_id, actor_name, company_id, subject, subject_id, \
     action, request_id, detail, lane, n, previous, hash) \
     SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

/// Appends records to a chain nobody holds. Called last of all in a transaction: the end of the chain stays locked until
/// its commit.
pub(super) async fn append(conn: &mut Conn, records: Vec<Record>) -> Result<()> {
    let mut head = take_end(conn).await?;
    let rows = records.into_iter().map(|record| new_row(record, &mut head)).collect::<Result<Vec<_>>>()?;
    match &mut *conn {
        Conn::Postgres(conn) => {
            let query = unnest!(APPEND, rows, {
                id: Id, at: Instant, actor_kind: Text, actor_id: Nullable<Text>, actor_name: Text,
                company_id: Nullable<Id>, subject: Text, subject_id: Text, action: Text, request_id: Nullable<Text>,
                detail: Text, lane: Integer, n: BigInt, previous: Binary, hash: Binary,
            });
            let end = query.bind::<BigInt, _>(head.n).bind::<Binary, _>(&head.hash).bind::<Integer, _>(head.lane);
            diesel_async::RunQueryDsl::execute(Fixed(end), &mut **conn).await?;
            Ok(())
        }
        Conn::Sqlite(writer) => {
            for row in rows {
                let query = diesel::insert_into(audit_log::table).values(row);
                diesel::RunQueryDsl::execute(query, &mut **writer)?;
            }
            put_end(conn, &head).await
        }
    }
}

/// Locks the end of the first chain that nobody else holds; when all are held, waits for one.
async fn take_end(conn: &mut Conn) -> Result<Head> {
    let ends = audit_chains::table.filter(audit_chains::lane.gt(EARLIER)).order(audit_chains::lane).limit(1);
    let free = match &mut *conn {
        Conn::Postgres(conn) => {
            let free = ends.for_update().skip_locked();
            diesel_async::RunQueryDsl::load::<End>(free, &mut **conn).await?
        }
        Conn::Sqlite(conn) => diesel::RunQueryDsl::load::<End>(ends, &mut **conn)?,
    };
    match free.into_iter().next() {
        Some(end) => Ok(head(end)),
        None => lock_end(conn, 0).await,
    }
}

async fn lock_end(conn: &mut Conn, lane: i32) -> Result<Head> {
    let end = audit_chains::table.find(lane);
    let ends = match conn {
        Conn::Postgres(conn) => diesel_async::RunQueryDsl::load::<End>(end.for_update(), &mut **conn).await?,
        Conn::Sqlite(conn) => diesel::RunQueryDsl::load::<End>(end, &mut **conn)?,
    };
    let gone = || Error::internal("the end of an audit chain is gone");
    ends.into_iter().next().map(head).ok_or_else(gone)
}

async fn put_end(conn: &mut Conn, head: &Head) -> Result<()> {
    let end = diesel::update(audit_chains::table.find(head.lane));
    let end = end.set((audit_chains::n.eq(head.n), audit_chains::hash.eq(&head.hash)));
    execute!(conn, Fixed(end))?;
    Ok(())
}

type End = (i32, i64, Vec<u8>);

fn head((lane, n, hash): End) -> Head {
    Head { hash, lane, n }
}

/// The ends of all chains.
pub(super) async fn ends(conn: &mut Conn) -> Result<Vec<Head>> {
    let query = audit_chains::table.order(audit_chains::lane);
    Ok(load!(conn, End, query)?.into_iter().map(head).collect())
}

fn new_row(record: Record, head: &mut Head) -> Result<NewRow> {
    let (id, at, company) = (AuditId::new(), At(record.at), record.company);
    let link = head.append(Row {
        action: record.action.to_owned(),
        actor_id: actor_id(&record.actor),
        actor_kind: record.actor.kind().to_owned(),
        actor_name: record.actor.name().to_owned(),
        at: written(at)?,
        company_id: company.map(|company| company.to_string()),
        detail: record.detail,
        id: id.to_string(),
        lane: head.lane,
        n: head.n,
        request_id: record.request_id,
        subject: record.subject.to_owned(),
        subject_id: record.subject_id,
    })?;
    let Link { row, previous, hash } = link;
    Ok(NewRow {
        id,
        at,
        actor_kind: row.actor_kind,
        actor_id: row.actor_id,
        actor_name: row.actor_name,
        company_id: company,
        subject: row.subject,
        subject_id: row.subject_id,
        action: row.action,
        request_id: row.request_id,
        detail: row.detail,
        lane: row.lane,
        n: row.n,
        previous,
        hash,
    })
}

/// A time as it is hashed, to the microsecond that is kept of it.
fn written(at: At) -> Result<String> {
    let kept = Timestamp::from_microsecond(at.0.as_microsecond()).map_err(Error::internal)?;
    Ok(format!("{kept:.6}"))
}

fn actor_id(actor: &Actor) -> Option<String> {
    match actor {
        Actor::Admin { account: AccountId(id), .. } | Actor::Vendor { account: AccountId(id), .. } => {
            Some(id.to_string())
        }
        Actor::Token { token: TokenId(id), .. } => Some(id.to_string()),
        Actor::Webhook { .. } | Actor::Courier(_) | Actor::System(_) => None,
    }
}

/// A whole row; what the chains need of it may be missing.
#[derive(Queryable)]
pub(super) struct Kept {
    id: AuditId,
    at: At,
    actor_kind: String,
    actor_id: Option<String>,
    actor_name: String,
    company_id: Option<CompanyId>,
    subject: String,
    subject_id: String,
    action: String,
    request_id: Option<String>,
    detail: String,
    lane: Option<i32>,
    n: Option<i64>,
    previous: Option<Vec<u8>>,
    hash: Option<Vec<u8>>,
}

impl Kept {
    /// The row in its chain; what is missing there is empty, and so is told by its hash.
    pub(super) fn link(self) -> Result<Link> {
        let row = Row {
            action: self.action,
            actor_id: self.actor_id,
            actor_kind: self.actor_kind,
            actor_name: self.actor_name,
            at: written(self.at)?,
            company_id: self.company_id.map(|company| company.to_string()),
            detail: self.detail,
            id: self.id.to_string(),
            lane: self.lane.unwrap_or_default(),
            n: self.n.unwrap_or_default(),
            request_id: self.request_id,
            subject: self.subject,
            subject_id: self.subject_id,
        };
        Ok(Link { row, previous: self.previous.unwrap_or_default(), hash: self.hash.unwrap_or_default() })
    }

    fn entry(self) -> Result<Entry> {
        Ok(Entry {
            id: self.id,
            at: self.at.0,
            actor_kind: self.actor_kind,
            actor_id: self.actor_id,
            actor_name: self.actor_name,
            company: self.company_id,
            subject: self.subject,
            subject_id: self.subject_id,
            action: self.action,
            request_id: self.request_id,
            detail: serde_json::from_str(&self.detail).map_err(Error::internal)?,
        })
    }
}

/// Rows of a chain after a place, in its order.
pub(super) async fn links(conn: &mut Conn, lane: i32, after: i64, limit: i64) -> Result<Vec<Link>> {
    let query = audit_log::table
        .filter(audit_log::lane.eq(lane))
        .filter(audit_log::n.gt(after))
        .order(audit_log::n)
        .limit(limit)
        .select(audit_log::all_columns);
    load!(conn, Kept, query)?.into_iter().map(Kept::link).collect()
}

/// Rows that stand in no chain there is, the oldest first.
pub(super) async fn outside(conn: &mut Conn, lanes: &[i32], limit: i64) -> Result<Vec<Link>> {
    let query = audit_log::table
        .filter(audit_log::lane.is_null().or(audit_log::n.is_null()).or(audit_log::lane.ne_all(lanes)))
        .order((audit_log::at, audit_log::id))
        .limit(limit)
        .select(audit_log::all_columns);
    load!(conn, Kept, query)?.into_iter().map(Kept::link).collect()
}

/// Gives rows from before the chains their places. `false` when that was done before.
pub(super) async fn seal_earlier(conn: &mut Conn) -> Result<bool> {
    /// Rows at a time.
    const SOME: usize = 1000;
    let mut end = lock_end(conn, EARLIER).await?;
    if !end.hash.is_empty() {
        return Ok(false);
    }
    end.hash = super::chain::beginning();
    loop {
        let query = audit_log::table
            .filter(audit_log::lane.is_null())
            .order((audit_log::at, audit_log::id))
            .limit(1000)
            .select(audit_log::all_columns);
        let rows = load!(&mut *conn, Kept, query)?;
        let is_last = rows.len() < SOME;
        for row in rows {
            seal(conn, row, &mut end).await?;
        }
        if is_last {
            break;
        }
    }
    put_end(conn, &end).await?;
    Ok(true)
}

async fn seal(conn: &mut Conn, row: Kept, end: &mut Head) -> Result<()> {
    let id = row.id;
    let link = end.append(row.link()?.row)?;
    let place = (
        audit_log::lane.eq(link.row.lane),
        audit_log::n.eq(link.row.n),
        audit_log::previous.eq(link.previous),
        audit_log::hash.eq(link.hash),
    );
    execute!(conn, Fixed(diesel::update(audit_log::table.find(id)).set(place)))?;
    Ok(())
}

/// Records, the newest first, before that one.
pub(super) async fn list(conn: &mut Conn, wanted: &Seeking, before: Option<AuditId>, limit: i64) -> Result<Vec<Entry>> {
    let rows = load!(conn, Kept, DB => {
        let mut query =
            audit_log::table.order(audit_log::id.desc()).limit(limit).select(audit_log::all_columns).into_boxed::<DB>();
        if let Some(before) = before {
            query = query.filter(audit_log::id.lt(before));
        }
        if let Some(company) = wanted.company {
            query = query.filter(audit_log::company_id.eq(company));
        }
        if let Some(subject) = wanted.subject.clone() {
            query = query.filter(audit_log::subject.eq(subject));
        }
        if let Some(subject_id) = wanted.subject_id.clone() {
            query = query.filter(audit_log::subject_id.eq(subject_id));
        }
        if let Some(kind) = wanted.actor_kind.clone() {
            query = query.filter(audit_log::actor_kind.eq(kind));
        }
        if let Some(name) = wanted.actor.clone() {
            query = query.filter(audit_log::actor_name.eq(name.clone()).or(audit_log::actor_id.eq(name)));
        }
        if let Some(action) = wanted.action.clone() {
            query = query.filter(audit_log::action.eq(action));
        }
        if let Some(since) = wanted.since {
            query = query.filter(audit_log::at.ge(At(since)));
        }
        if let Some(until) = wanted.until {
            query = query.filter(audit_log::at.lt(At(until)));
        }
        query
    })?;
    rows.into_iter().map(Kept::entry).collect()
}

/// The records of one subject, oldest first.
pub(super) async fn list_of(conn: &mut Conn, subject: &str, subject_id: &str) -> Result<Vec<Entry>> {
    let query = audit_log::table
        .filter(audit_log::subject.eq(subject))
        .filter(audit_log::subject_id.eq(subject_id))
        .order((audit_log::at, audit_log::id))
        .limit(1000)
        .select(audit_log::all_columns);
    load!(conn, Kept, query)?.into_iter().map(Kept::entry).collect()
}
