//! SQL of commission rates.

use diesel::prelude::*;

use super::SetRate;
use crate::base::Result;
use crate::base::id::{CompanyId, RateId};
use crate::base::page::Cursor;
use crate::db::Conn;
use crate::db::schema::commission_rates;
use crate::db::types::At;
use crate::wallet::commission::Rate;
use crate::{execute, load};

#[derive(Queryable, Insertable)]
#[diesel(table_name = commission_rates, treat_none_as_default_value = false)]
struct Row {
    id: RateId,
    company_id: Option<CompanyId>,
    category: Option<String>,
    basis_points: i32,
    holds_from: At,
    created_at: At,
    created_by: String,
}

impl From<Row> for SetRate {
    fn from(row: Row) -> Self {
        let rate = Rate {
            company: row.company_id,
            category: row.category,
            basis_points: row.basis_points,
            holds_from: row.holds_from.0,
        };
        Self { id: row.id, rate, created_at: row.created_at.0, created_by: row.created_by }
    }
}

/// Every rate, in the order in which they were set.
pub async fn all(conn: &mut Conn) -> Result<Vec<Rate>> {
    let query = commission_rates::table.order((commission_rates::created_at, commission_rates::id));
    Ok(load!(conn, Row, query)?.into_iter().map(|row| SetRate::from(row).rate).collect())
}

pub(super) async fn insert(conn: &mut Conn, new: &SetRate) -> Result<()> {
    let row = Row {
        id: new.id,
        company_id: new.rate.company,
        category: new.rate.category.clone(),
        basis_points: new.rate.basis_points,
        holds_from: At(new.rate.holds_from),
        created_at: At(new.created_at),
        created_by: new.created_by.clone(),
    };
    execute!(conn, diesel::insert_into(commission_rates::table).values(&row))?;
    Ok(())
}

pub(super) async fn list(
    conn: &mut Conn,
    company: Option<CompanyId>,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<SetRate>> {
    let rows = load!(conn, Row, DB => {
        let newest_first = (commission_rates::created_at.desc(), commission_rates::id.desc());
        let mut query = commission_rates::table.order(newest_first).limit(limit).into_boxed::<DB>();
        if let Some(company) = company {
            query = query.filter(commission_rates::company_id.eq(company));
        }
        if let Some(Cursor { at, id }) = after {
            let same = commission_rates::created_at.eq(At(at)).and(commission_rates::id.lt(RateId(id)));
            query = query.filter(commission_rates::created_at.lt(At(at)).or(same));
        }
        query
    })?;
    Ok(rows.into_iter().map(SetRate::from).collect())
}
