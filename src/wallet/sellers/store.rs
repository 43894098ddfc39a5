//! SQL of companies where money is concerned.

use diesel::prelude::*;

use super::Selling;
use crate::base::Result;
use crate::base::id::CompanyId;
use crate::db::Conn;
use crate::db::schema::companies;
use crate::db::types::At;
use crate::{execute, find};

type Columns = (CompanyId, Option<At>, Option<i32>);

/// A company, held until the transaction ends where that is wanted.
pub(super) async fn find(conn: &mut Conn, company: CompanyId, is_locked: bool) -> Result<Option<Selling>> {
    let columns = (companies::id, companies::marketplace_since, companies::hold_days);
    let query = companies::table.filter(companies::id.eq(company)).select(columns);
    if let (Conn::Postgres(conn), true) = (&mut *conn, is_locked) {
        diesel_async::RunQueryDsl::load::<Columns>(query.for_update(), &mut **conn).await?;
    }
    let found = find!(conn, Columns, query)?;
    Ok(found.map(|(company, since, hold_days)| Selling { company, marketplace_since: since.map(|at| at.0), hold_days }))
}

pub(super) async fn update(conn: &mut Conn, selling: &Selling) -> Result<()> {
    let set = (
        companies::marketplace_since.eq(selling.marketplace_since.map(At)),
        companies::hold_days.eq(selling.hold_days),
    );
    execute!(conn, diesel::update(companies::table.find(selling.company)).set(set))?;
    Ok(())
}
