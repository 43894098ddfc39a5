//! SQL of finding orders whose commission is to be calculated.

use diesel::prelude::*;

use crate::base::Result;
use crate::base::id::{CompanyId, OrderId};
use crate::db::Conn;
use crate::db::schema::{order_commissions, orders};
use crate::load;
use crate::orders::status::Status;

/// Orders with a total that are not at their end and have no commission of it, the oldest first.
pub(super) async fn list_lacking(
    conn: &mut Conn,
    company: Option<CompanyId>,
    statuses: Vec<Status>,
    limit: i64,
) -> Result<Vec<OrderId>> {
    let open = Status::ALL.into_iter().filter(|status| !status.is_terminal());
    let wanted = open.filter(|status| statuses.is_empty() || statuses.contains(status));
    let codes: Vec<&'static str> = wanted.map(Status::code).collect();
    Ok(load!(conn, OrderId, DB => {
        let other_total = order_commissions::total.nullable().ne(orders::total_amount);
        let mut query = orders::table
            .left_join(order_commissions::table.on(order_commissions::order_id.eq(orders::id)))
            .filter(orders::total_amount.gt(0))
            .filter(orders::status.eq_any(codes))
            .filter(order_commissions::total.nullable().is_null().or(other_total))
            .order(orders::id)
            .limit(limit)
            .select(orders::id)
            .into_boxed::<DB>();
        if let Some(company) = company {
            query = query.filter(orders::company_id.eq(company));
        }
        query
    })?)
}
