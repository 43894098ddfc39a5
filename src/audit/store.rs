//! SQL of the audit trail.

use diesel::prelude::*;

use super::{Entry, Record};
use crate::base::id::{AccountId, AuditId, CompanyId, TokenId};
use crate::base::{Actor, Error, Result};
use crate::db::Conn;
use crate::db::schema::audit_log;
use crate::db::types::At;
use crate::{insert_many, load};

#[derive(Insertable)]
#[diesel(table_name = audit_log, treat_none_as_default_value = false)]
struct Row {
    id: AuditId,
    at: At,
    actor_kind: &'static str,
    actor_id: Option<String>,
    actor_name: String,
    company_id: Option<CompanyId>,
    subject: &'static str,
    subject_id: String,
    action: &'static str,
    request_id: Option<String>,
    detail: String,
}

pub(super) async fn insert(conn: &mut Conn, records: Vec<Record>) -> Result<()> {
    let rows: Vec<Row> = records.into_iter().map(row).collect();
    insert_many!(conn, audit_log::table, &rows)?;
    Ok(())
}

fn row(record: Record) -> Row {
    Row {
        id: AuditId::new(),
        at: At(record.at),
        actor_kind: record.actor.kind(),
        actor_id: actor_id(&record.actor),
        actor_name: record.actor.name().to_owned(),
        company_id: record.company,
        subject: record.subject,
        subject_id: record.subject_id,
        action: record.action,
        request_id: record.request_id,
        detail: record.detail,
    }
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

type Columns = (AuditId, At, String, String, String, Option<String>, String);

pub(super) async fn list(conn: &mut Conn, subject: &str, subject_id: &str) -> Result<Vec<Entry>> {
    let query = audit_log::table
        .filter(audit_log::subject.eq(subject))
        .filter(audit_log::subject_id.eq(subject_id))
        .order((audit_log::at, audit_log::id))
        .limit(1000)
        .select((
            audit_log::id,
            audit_log::at,
            audit_log::actor_kind,
            audit_log::actor_name,
            audit_log::action,
            audit_log::request_id,
            audit_log::detail,
        ));
    load!(conn, Columns, query)?.into_iter().map(entry).collect()
}

fn entry((id, at, actor_kind, actor_name, action, request_id, detail): Columns) -> Result<Entry> {
    let detail = serde_json::from_str(&detail).map_err(Error::internal)?;
    Ok(Entry { id, at: at.0, actor_kind, actor_name, action, request_id, detail })
}
