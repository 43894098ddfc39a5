//! SQL of the inbox.

use diesel::prelude::*;
use jiff::Timestamp;

use super::{Booking, Entry, Filter, NewEntry, Sameness, Verdict};
use crate::accounts::Source;
use crate::base::id::{CompanyId, InboxId, OrderId};
use crate::base::page::Cursor;
use crate::base::{Error, Result};
use crate::db::Conn;
use crate::db::schema::inbox;
use crate::db::types::At;
use crate::{execute, find, load};

#[derive(Insertable)]
#[diesel(table_name = inbox, treat_none_as_default_value = false)]
struct NewRow {
    id: InboxId,
    company_id: CompanyId,
    source: &'static str,
    topic: Option<String>,
    delivery_id: String,
    headers: String,
    body: Vec<u8>,
    subject: Option<String>,
    occurred_at: Option<At>,
    customer_contact: Option<String>,
    verdict: &'static str,
    result: &'static str,
    order_id: Option<OrderId>,
    runs: i32,
    received_at: At,
    processed_at: Option<At>,
}

/// An entry without its body, in the order of `columns!`.
#[derive(Queryable)]
struct Row {
    id: InboxId,
    company: CompanyId,
    source: String,
    topic: Option<String>,
    subject: Option<String>,
    occurred_at: Option<At>,
    headers: String,
    verdict: String,
    result: String,
    order: Option<OrderId>,
    runs: i32,
    received_at: At,
    processed_at: Option<At>,
}

macro_rules! columns {
    () => {
        (
            inbox::id,
            inbox::company_id,
            inbox::source,
            inbox::topic,
            inbox::subject,
            inbox::occurred_at,
            inbox::headers,
            inbox::verdict,
            inbox::result,
            inbox::order_id,
            inbox::runs,
            inbox::received_at,
            inbox::processed_at,
        )
    };
}

impl TryFrom<Row> for Entry {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            company: row.company,
            source: row.source.parse()?,
            topic: row.topic,
            subject: row.subject,
            occurred_at: row.occurred_at.map(|at| at.0),
            headers: serde_json::from_str(&row.headers).map_err(Error::internal)?,
            verdict: row.verdict.parse()?,
            result: serde_json::from_str(&row.result).map_err(Error::internal)?,
            order: row.order,
            runs: row.runs,
            received_at: row.received_at.0,
            processed_at: row.processed_at.map(|at| at.0),
        })
    }
}

/// Writes a body unless its key is known; the unique key decides between two that come at once.
pub(super) async fn keep(conn: &mut Conn, new: NewEntry, now: Timestamp) -> Result<(Entry, bool)> {
    let (company, source) = (new.company, new.source);
    let key = match key_of(conn, &new).await? {
        Ok(key) => key,
        Err(known) => return Ok((*known, false)),
    };
    let row = NewRow {
        id: InboxId::new(),
        company_id: company,
        source: source.code(),
        topic: new.topic,
        delivery_id: key.clone(),
        headers: new.headers,
        body: new.body.to_vec(),
        subject: new.subject,
        occurred_at: new.occurred_at.map(At),
        customer_contact: new.contact,
        verdict: Verdict::Received.code(),
        result: "{}",
        order_id: None,
        runs: 0,
        received_at: At(now),
        processed_at: None,
    };
    let written = execute!(&mut *conn, diesel::insert_into(inbox::table).values(&row).on_conflict_do_nothing())?;
    let kept = find_by_key(conn, company, source, &key).await?;
    Ok((kept.ok_or_else(|| Error::internal("a webhook just kept is not there"))?, written > 0))
}

/// The key to keep a body under, or the one it repeats as far as can be seen before writing.
async fn key_of(conn: &mut Conn, new: &NewEntry) -> Result<Result<String, Box<Entry>>> {
    let (company, source) = (new.company, new.source);
    let known = match (&new.sameness, &new.subject) {
        (Sameness::Key(key), _) | (Sameness::Newest(key), None) => return Ok(Ok(key.clone())),
        (Sameness::Lately { key, earlier }, _) => {
            let known = find_by_key(conn, company, source, earlier).await?;
            return Ok(known.map_or_else(|| Ok(key.clone()), |known| Err(Box::new(known))));
        }
        (Sameness::Newest(content), Some(subject)) => (content, find_newest(conn, company, source, subject).await?),
    };
    Ok(match known {
        (content, None) => Ok(content.clone()),
        (content, Some((newest, key))) if key == *content || key.starts_with(&after(content)) => Err(Box::new(newest)),
        // Named by the one before it, so that of the same sent twice at once one is kept.
        (content, Some((newest, _))) => Ok(format!("{}{}", after(content), newest.id)),
    })
}

fn after(content: &str) -> String {
    format!("{content}:after:")
}

/// The newest body about a subject, and its key.
async fn find_newest(
    conn: &mut Conn,
    company: CompanyId,
    source: Source,
    subject: &str,
) -> Result<Option<(Entry, String)>> {
    let query = inbox::table
        .filter(inbox::company_id.eq(company))
        .filter(inbox::source.eq(source.code()))
        .filter(inbox::subject.eq(subject))
        .order((inbox::received_at.desc(), inbox::id.desc()))
        .limit(1)
        .select((columns!(), inbox::delivery_id));
    let found = find!(conn, (Row, Option<String>), query)?;
    found.map(|(row, key)| Ok((Entry::try_from(row)?, key.unwrap_or_default()))).transpose()
}

async fn find_by_key(conn: &mut Conn, company: CompanyId, source: Source, key: &str) -> Result<Option<Entry>> {
    let query = inbox::table
        .filter(inbox::company_id.eq(company))
        .filter(inbox::source.eq(source.code()))
        .filter(inbox::delivery_id.eq(key))
        .select(columns!());
    find!(conn, Row, query)?.map(Entry::try_from).transpose()
}

pub(super) async fn count_run(conn: &mut Conn, id: InboxId) -> Result<()> {
    execute!(conn, diesel::update(inbox::table.find(id)).set(inbox::runs.eq(inbox::runs + 1)))?;
    Ok(())
}

pub(super) async fn book(conn: &mut Conn, id: InboxId, booking: &Booking, now: Timestamp) -> Result<()> {
    let row = inbox::table.filter(inbox::id.eq(id)).filter(inbox::verdict.ne(Verdict::Purged.code()));
    let result = serde_json::to_string(&booking.result).map_err(Error::internal)?;
    let query = diesel::update(row).set((
        inbox::verdict.eq(booking.verdict.code()),
        inbox::result.eq(result),
        inbox::order_id.eq(booking.order),
        inbox::processed_at.eq(Some(At(now))),
    ));
    execute!(conn, query)?;
    Ok(())
}

pub(super) async fn find(conn: &mut Conn, company: Option<CompanyId>, id: InboxId) -> Result<Option<(Entry, Vec<u8>)>> {
    let found = find!(conn, (Row, Vec<u8>), inbox::table.find(id).select((columns!(), inbox::body)))?;
    let found = found.map(|(row, body)| Ok::<_, Error>((Entry::try_from(row)?, body))).transpose()?;
    Ok(found.filter(|(entry, _)| company.is_none_or(|company| company == entry.company)))
}

macro_rules! filtered {
    ($filter:expr, $query:ident) => {
        if let Some(company) = $filter.company {
            $query = $query.filter(inbox::company_id.eq(company));
        }
        if let Some(source) = $filter.source {
            $query = $query.filter(inbox::source.eq(source.code()));
        }
        if let Some(verdict) = $filter.verdict {
            $query = $query.filter(inbox::verdict.eq(verdict.code()));
        }
        if let Some(topic) = $filter.topic.clone() {
            $query = $query.filter(inbox::topic.eq(topic));
        }
        if let Some(order) = $filter.order {
            $query = $query.filter(inbox::order_id.eq(order));
        }
        if let Some(from) = $filter.from {
            $query = $query.filter(inbox::received_at.ge(At(from)));
        }
        if let Some(to) = $filter.to {
            $query = $query.filter(inbox::received_at.lt(At(to)));
        }
    };
}

pub(super) async fn list(conn: &mut Conn, filter: &Filter, after: Option<Cursor>, limit: i64) -> Result<Vec<Entry>> {
    let rows = load!(conn, Row, DB => {
        let mut query = inbox::table.select(columns!()).into_boxed::<DB>();
        filtered!(filter, query);
        if let Some(Cursor { at, id }) = after {
            let earlier = inbox::received_at.lt(At(at));
            query = query.filter(earlier.or(inbox::received_at.eq(At(at)).and(inbox::id.lt(InboxId(id)))));
        }
        query.order((inbox::received_at.desc(), inbox::id.desc())).limit(limit)
    })?;
    rows.into_iter().map(Entry::try_from).collect()
}

pub(super) async fn list_ascending(
    conn: &mut Conn,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<(InboxId, Timestamp)>> {
    let rows = load!(conn, (InboxId, At), DB => {
        let mut query = inbox::table.select((inbox::id, inbox::received_at)).into_boxed::<DB>();
        filtered!(filter, query);
        if let Some(Cursor { at, id }) = after {
            let later = inbox::received_at.gt(At(at));
            query = query.filter(later.or(inbox::received_at.eq(At(at)).and(inbox::id.gt(InboxId(id)))));
        }
        query.order((inbox::received_at, inbox::id)).limit(limit)
    })?;
    Ok(rows.into_iter().map(|(id, at)| (id, at.0)).collect())
}

type Sibling = (InboxId, Option<At>, At, String);

/// Identifier, sender's time, arrival and verdict of the latest hundred bodies about a subject.
pub(super) async fn list_of_subject(
    conn: &mut Conn,
    company: CompanyId,
    source: Source,
    subject: &str,
) -> Result<Vec<(InboxId, Option<Timestamp>, Timestamp, Verdict)>> {
    let query = inbox::table
        .filter(inbox::company_id.eq(company))
        .filter(inbox::source.eq(source.code()))
        .filter(inbox::subject.eq(subject))
        .order(inbox::received_at.desc())
        .limit(100)
        .select((inbox::id, inbox::occurred_at, inbox::received_at, inbox::verdict));
    let rows = load!(conn, Sibling, query)?;
    rows.into_iter()
        .map(|(id, occurred, at, verdict)| Ok((id, occurred.map(|at| at.0), at.0, verdict.parse()?)))
        .collect()
}

/// Their subjects are the order's with something behind a slash: the texts between `order/` and `order0`.
pub(super) async fn list_waiting(
    conn: &mut Conn,
    company: CompanyId,
    source: Source,
    order: &str,
) -> Result<Vec<InboxId>> {
    let query = inbox::table
        .filter(inbox::company_id.eq(company))
        .filter(inbox::source.eq(source.code()))
        .filter(inbox::subject.ge(format!("{order}/")))
        .filter(inbox::subject.lt(format!("{order}0")))
        .filter(inbox::verdict.eq(Verdict::Waiting.code()))
        .order((inbox::received_at, inbox::id))
        .limit(100)
        .select(inbox::id);
    Ok(load!(conn, InboxId, query)?)
}

pub(super) async fn list_forgotten(conn: &mut Conn, before: Timestamp, limit: i64) -> Result<Vec<InboxId>> {
    let query = inbox::table
        .filter(inbox::verdict.eq(Verdict::Received.code()))
        .filter(inbox::received_at.le(At(before)))
        .order((inbox::received_at, inbox::id))
        .limit(limit)
        .select(inbox::id);
    Ok(load!(conn, InboxId, query)?)
}

pub(super) async fn delete_before(conn: &mut Conn, moment: Timestamp) -> Result<usize> {
    Ok(execute!(conn, diesel::delete(inbox::table.filter(inbox::received_at.lt(At(moment)))))?)
}

/// Empties what was kept of a customer; what is empty already is not counted.
pub(super) async fn purge(conn: &mut Conn, company: CompanyId, contact: &str, orders: &[OrderId]) -> Result<usize> {
    let theirs = inbox::customer_contact.eq(contact).or(inbox::order_id.eq_any(orders.iter().copied().map(Some)));
    let rows = inbox::table
        .filter(inbox::company_id.eq(company))
        .filter(inbox::verdict.ne(Verdict::Purged.code()))
        .filter(theirs.assume_not_null());
    let query = diesel::update(rows).set((
        inbox::headers.eq("{}"),
        inbox::body.eq(Vec::<u8>::new()),
        inbox::customer_contact.eq(None::<String>),
        inbox::verdict.eq(Verdict::Purged.code()),
        inbox::result.eq("{}"),
    ));
    Ok(execute!(conn, query)?)
}
