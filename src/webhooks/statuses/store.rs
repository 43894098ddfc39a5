//! SQL of companies' own words for statuses.

use diesel::prelude::*;

use super::Mapping;
use crate::accounts::Source;
use crate::base::id::CompanyId;
use crate::base::{Error, Result};
use crate::db::Conn;
use crate::db::schema::inbound_statuses;
use crate::db::types::At;
use crate::orders::Status;
use crate::{execute, load};

type Columns = (String, String, String, At);

/// An empty text stands for a word that means nothing.
fn meaning(ours: &str) -> Result<Option<Status>> {
    let known = (!ours.is_empty()).then(|| ours.parse::<Status>());
    known.transpose().map_err(Error::internal)
}

pub(super) async fn list(conn: &mut Conn, company: CompanyId) -> Result<Vec<Mapping>> {
    let query = inbound_statuses::table
        .filter(inbound_statuses::company_id.eq(company))
        .order((inbound_statuses::source, inbound_statuses::theirs))
        .select((
            inbound_statuses::source,
            inbound_statuses::theirs,
            inbound_statuses::ours,
            inbound_statuses::updated_at,
        ));
    let read = |(source, theirs, ours, at): Columns| {
        Ok(Mapping { source: source.parse()?, theirs, ours: meaning(&ours)?, updated_at: at.0 })
    };
    load!(conn, Columns, query)?.into_iter().map(read).collect()
}

pub(super) async fn find(
    conn: &mut Conn,
    company: CompanyId,
    source: Source,
    words: Vec<String>,
) -> Result<Vec<(String, Option<Status>)>> {
    let query = inbound_statuses::table
        .filter(inbound_statuses::company_id.eq(company))
        .filter(inbound_statuses::source.eq(source.code()))
        .filter(inbound_statuses::theirs.eq_any(words))
        .select((inbound_statuses::theirs, inbound_statuses::ours));
    let rows = load!(conn, (String, String), query)?;
    rows.into_iter().map(|(theirs, ours)| Ok((theirs, meaning(&ours)?))).collect()
}

pub(super) async fn set(conn: &mut Conn, company: CompanyId, mapping: &Mapping) -> Result<()> {
    let ours = mapping.ours.map_or("", Status::code);
    let values = (
        inbound_statuses::company_id.eq(company),
        inbound_statuses::source.eq(mapping.source.code()),
        inbound_statuses::theirs.eq(&mapping.theirs),
        inbound_statuses::ours.eq(ours),
        inbound_statuses::updated_at.eq(At(mapping.updated_at)),
    );
    let query = diesel::insert_into(inbound_statuses::table)
        .values(values)
        .on_conflict((inbound_statuses::company_id, inbound_statuses::source, inbound_statuses::theirs))
        .do_update()
        .set((inbound_statuses::ours.eq(ours), inbound_statuses::updated_at.eq(At(mapping.updated_at))));
    execute!(conn, query)?;
    Ok(())
}

/// Says whether there was one.
pub(super) async fn remove(conn: &mut Conn, company: CompanyId, source: Source, theirs: &str) -> Result<bool> {
    let row = inbound_statuses::table
        .filter(inbound_statuses::company_id.eq(company))
        .filter(inbound_statuses::source.eq(source.code()))
        .filter(inbound_statuses::theirs.eq(theirs));
    Ok(execute!(conn, diesel::delete(row))? > 0)
}
