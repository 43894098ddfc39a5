//! SQL of kept replies.

use diesel::prelude::*;
use jiff::Timestamp;

use super::Key;
use crate::base::Result;
use crate::db::Conn;
use crate::db::schema::idempotency_keys;
use crate::db::types::At;
use crate::{execute, find};

/// A key as stored.
pub(super) struct Row {
    pub fingerprint: Vec<u8>,
    /// Sealed.
    pub reply: Option<String>,
    pub created_at: Timestamp,
}

/// Writes a new key; says whether it was new.
pub(super) async fn insert(conn: &mut Conn, key: &Key, fingerprint: &[u8], now: Timestamp) -> Result<bool> {
    let values = (
        idempotency_keys::caller.eq(&key.caller),
        idempotency_keys::key.eq(&key.text),
        idempotency_keys::fingerprint.eq(fingerprint),
        idempotency_keys::created_at.eq(At(now)),
    );
    Ok(execute!(conn, diesel::insert_into(idempotency_keys::table).values(values).on_conflict_do_nothing())? > 0)
}

/// The key, if it is taken.
pub(super) async fn find(conn: &mut Conn, key: &Key) -> Result<Option<Row>> {
    let query = idempotency_keys::table.find((&key.caller, &key.text)).select((
        idempotency_keys::fingerprint,
        idempotency_keys::reply,
        idempotency_keys::created_at,
    ));
    let row = find!(conn, (Vec<u8>, Option<String>, At), query)?;
    Ok(row.map(|(fingerprint, reply, At(created_at))| Row { fingerprint, reply, created_at }))
}

/// Takes over a key that was last taken at `old`; says whether nobody else did meanwhile.
pub(super) async fn renew(
    conn: &mut Conn,
    key: &Key,
    fingerprint: &[u8],
    old: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let unchanged =
        idempotency_keys::table.find((&key.caller, &key.text)).filter(idempotency_keys::created_at.eq(At(old)));
    let query = diesel::update(unchanged).set((
        idempotency_keys::fingerprint.eq(fingerprint),
        idempotency_keys::status.eq(None::<i32>),
        idempotency_keys::reply.eq(None::<String>),
        idempotency_keys::created_at.eq(At(now)),
    ));
    Ok(execute!(conn, query)? > 0)
}

/// Writes the sealed reply of a key.
pub(super) async fn keep(conn: &mut Conn, key: &Key, status: i32, reply: &str) -> Result<()> {
    let query = diesel::update(idempotency_keys::table.find((&key.caller, &key.text)))
        .set((idempotency_keys::status.eq(Some(status)), idempotency_keys::reply.eq(Some(reply))));
    execute!(conn, query)?;
    Ok(())
}

/// Deletes a key whose request has no reply.
pub(super) async fn delete(conn: &mut Conn, key: &Key) -> Result<()> {
    let row = idempotency_keys::table.find((&key.caller, &key.text)).filter(idempotency_keys::reply.is_null());
    execute!(conn, diesel::delete(row))?;
    Ok(())
}

/// Deletes keys taken before a moment; says how many.
pub(super) async fn delete_before(conn: &mut Conn, end: Timestamp) -> Result<usize> {
    let old = idempotency_keys::table.filter(idempotency_keys::created_at.lt(At(end)));
    Ok(execute!(conn, diesel::delete(old))?)
}
