//! SQL of what customers want to hear of.

use diesel::prelude::*;

use crate::base::Result;
use crate::base::id::{CompanyId, OrderId};
use crate::db::Conn;
use crate::db::schema::{mail_stops, orders};
use crate::db::types::At;
use crate::{execute, find};

/// The company of an order, if there is such an order.
pub(super) async fn find_company(conn: &mut Conn, order: OrderId) -> Result<Option<CompanyId>> {
    Ok(find!(conn, CompanyId, orders::table.find(order).select(orders::company_id))?)
}

/// Whether mail about an order was stopped.
pub(super) async fn is_stopped(conn: &mut Conn, order: OrderId) -> Result<bool> {
    Ok(find!(conn, OrderId, mail_stops::table.find(order).select(mail_stops::order_id))?.is_some())
}

/// Stops mail about an order; says whether it was on.
pub(super) async fn stop(conn: &mut Conn, order: OrderId, at: At) -> Result<bool> {
    let values = (mail_stops::order_id.eq(order), mail_stops::stopped_at.eq(at));
    Ok(execute!(conn, diesel::insert_into(mail_stops::table).values(values).on_conflict_do_nothing())? > 0)
}

/// Lets mail about an order go out again; says whether it was stopped.
pub(super) async fn resume(conn: &mut Conn, order: OrderId) -> Result<bool> {
    Ok(execute!(conn, diesel::delete(mail_stops::table.find(order)))? > 0)
}
