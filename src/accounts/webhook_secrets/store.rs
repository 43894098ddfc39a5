//! SQL of webhook secrets.

use diesel::prelude::*;
use jiff::Timestamp;

use super::{Source, WebhookSecret};
use crate::accounts::companies::Named;
use crate::base::Result;
use crate::base::id::{CompanyId, WebhookSecretId};
use crate::db::Conn;
use crate::db::schema::{accounts, companies, webhook_secrets};
use crate::db::types::At;
use crate::{execute, find, load};

/// A secret as stored.
#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = webhook_secrets, treat_none_as_default_value = false)]
pub(super) struct Row {
    pub id: WebhookSecretId,
    pub company_id: CompanyId,
    pub source: String,
    pub sealed: Vec<u8>,
    pub last_four: String,
    pub created_at: At,
    pub expires_at: Option<At>,
    pub last_used_at: Option<At>,
    pub shown_at: Option<At>,
}

impl Row {
    /// What people may know of it.
    pub fn known(&self) -> Result<WebhookSecret> {
        Ok(WebhookSecret {
            id: self.id,
            company: self.company_id,
            source: self.source.parse()?,
            last_four: self.last_four.clone(),
            created_at: self.created_at.0,
            expires_at: self.expires_at.map(|at| at.0),
            last_used_at: self.last_used_at.map(|at| at.0),
            shown_at: self.shown_at.map(|at| at.0),
        })
    }
}

/// Writes a new secret.
pub(super) async fn insert(conn: &mut Conn, row: &Row) -> Result<()> {
    execute!(conn, diesel::insert_into(webhook_secrets::table).values(row))?;
    Ok(())
}

/// Holds the company until the transaction ends, so that two who replace a secret at once take turns. On SQLite the
/// transaction already has the only write lock.
pub(super) async fn lock_company(conn: &mut Conn, company: CompanyId) -> Result<()> {
    if let Conn::Postgres(conn) = conn {
        let query = companies::table.find(company).select(companies::id).for_update();
        diesel_async::RunQueryDsl::load::<CompanyId>(query, &mut **conn).await?;
    }
    Ok(())
}

/// The company's secrets that have not ended, newest first.
pub(super) async fn list_live(
    conn: &mut Conn,
    company: CompanyId,
    source: Option<Source>,
    now: Timestamp,
) -> Result<Vec<Row>> {
    Ok(load!(conn, Row, DB => {
        let mut query = webhook_secrets::table
            .filter(webhook_secrets::company_id.eq(company))
            .filter(webhook_secrets::expires_at.is_null().or(webhook_secrets::expires_at.gt(At(now))))
            .order((webhook_secrets::created_at.desc(), webhook_secrets::id.desc()))
            .into_boxed::<DB>();
        if let Some(source) = source {
            query = query.filter(webhook_secrets::source.eq(source.code()));
        }
        query
    })?)
}

/// Our own secrets of the active company a proven, active person belongs to.
pub(super) async fn list_of_account(conn: &mut Conn, email: &str, now: Timestamp) -> Result<Vec<Row>> {
    let query = webhook_secrets::table
        .inner_join(companies::table.on(companies::id.eq(webhook_secrets::company_id)))
        .inner_join(accounts::table.on(accounts::company_id.eq(companies::id.nullable())))
        .filter(accounts::email.eq(email))
        .filter(accounts::verified_at.is_not_null())
        .filter(accounts::suspended_at.is_null())
        .filter(companies::state.eq("active"))
        .filter(webhook_secrets::source.eq(Source::Ordercast.code()))
        .filter(webhook_secrets::expires_at.is_null().or(webhook_secrets::expires_at.gt(At(now))))
        .order((webhook_secrets::created_at.desc(), webhook_secrets::id.desc()))
        .select(webhook_secrets::all_columns);
    Ok(load!(conn, Row, query)?)
}

/// The secrets of an active company and a source.
pub(super) async fn list_of_company(conn: &mut Conn, named: Named, source: Source, now: Timestamp) -> Result<Vec<Row>> {
    let (id, slug) = match named {
        Named::Id(id) => (Some(id), None),
        Named::Slug(slug) => (None, Some(slug)),
    };
    let named = companies::slug.nullable().eq(slug).or(companies::id.nullable().eq(id));
    let query = webhook_secrets::table
        .inner_join(companies::table.on(companies::id.eq(webhook_secrets::company_id)))
        .filter(named)
        .filter(companies::state.eq("active"))
        .filter(webhook_secrets::source.eq(source.code()))
        .filter(webhook_secrets::expires_at.is_null().or(webhook_secrets::expires_at.gt(At(now))))
        .order((webhook_secrets::created_at.desc(), webhook_secrets::id.desc()))
        .select(webhook_secrets::all_columns);
    Ok(load!(conn, Row, query)?)
}

/// Ends secrets at a moment.
pub(super) async fn expire(conn: &mut Conn, ids: Vec<WebhookSecretId>, at: Timestamp) -> Result<()> {
    let rows = webhook_secrets::table.filter(webhook_secrets::id.eq_any(ids));
    execute!(conn, diesel::update(rows).set(webhook_secrets::expires_at.eq(Some(At(at)))))?;
    Ok(())
}

/// Notes when a secret was last used.
pub(super) async fn mark_used(conn: &mut Conn, id: WebhookSecretId, now: Timestamp) -> Result<()> {
    let query = diesel::update(webhook_secrets::table.find(id)).set(webhook_secrets::last_used_at.eq(Some(At(now))));
    execute!(conn, query)?;
    Ok(())
}

/// The company's secret that was never shown, from now on shown. One statement decides, so that only one asker gets it.
pub(super) async fn show_unseen(conn: &mut Conn, company: CompanyId, now: Timestamp) -> Result<Option<Row>> {
    let unseen = webhook_secrets::table
        .filter(webhook_secrets::company_id.eq(company))
        .filter(webhook_secrets::shown_at.is_null())
        .filter(webhook_secrets::expires_at.is_null().or(webhook_secrets::expires_at.gt(At(now))))
        .order(webhook_secrets::created_at.desc())
        .limit(1);
    let Some(row) = find!(&mut *conn, Row, unseen)? else { return Ok(None) };
    let still =
        webhook_secrets::table.filter(webhook_secrets::id.eq(row.id)).filter(webhook_secrets::shown_at.is_null());
    let taken = execute!(conn, diesel::update(still).set(webhook_secrets::shown_at.eq(Some(At(now)))))?;
    Ok((taken == 1).then_some(row))
}
