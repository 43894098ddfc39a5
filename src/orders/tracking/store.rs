//! SQL of tracking passes.

use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};

use crate::base::Result;
use crate::base::id::{OrderId, PassId};
use crate::db::Conn;
use crate::db::schema::{orders, tracking_passes};
use crate::db::types::At;
use crate::{execute, find, load};

#[diesel::declare_sql_function]
extern "SQL" {
    /// Lower case; on SQLite of ASCII letters only, which is what mail addresses need.
    fn lower(text: Nullable<Text>) -> Nullable<Text>;
}

/// A tracking pass as stored.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = tracking_passes, treat_none_as_default_value = false)]
pub(super) struct PassRow {
    pub id: PassId,
    pub order_id: OrderId,
    pub created_at: At,
    pub expires_at: Option<At>,
    pub revoked_at: Option<At>,
}

/// Writes a pass; says whether it is new.
pub(super) async fn insert_pass(conn: &mut Conn, pass: &PassRow) -> Result<bool> {
    let query = diesel::insert_into(tracking_passes::table).values(pass).on_conflict_do_nothing();
    Ok(execute!(conn, query)? > 0)
}

/// A pass with the status of its order and when the order was last changed.
pub(super) async fn find_pass(conn: &mut Conn, id: PassId) -> Result<Option<(PassRow, String, At)>> {
    let query = tracking_passes::table
        .inner_join(orders::table.on(orders::id.eq(tracking_passes::order_id)))
        .filter(tracking_passes::id.eq(id))
        .select((tracking_passes::all_columns, orders::status, orders::updated_at));
    Ok(find!(conn, (PassRow, String, At), query)?)
}

/// The passes of an order, newest first.
pub(super) async fn list_passes(conn: &mut Conn, order: OrderId) -> Result<Vec<PassRow>> {
    let query = tracking_passes::table
        .filter(tracking_passes::order_id.eq(order))
        .order((tracking_passes::created_at.desc(), tracking_passes::id.desc()))
        .select(tracking_passes::all_columns);
    Ok(load!(conn, PassRow, query)?)
}

/// Revokes a pass of an order; says whether there was one that still worked.
pub(super) async fn revoke_pass(conn: &mut Conn, order: OrderId, id: PassId, at: At) -> Result<bool> {
    let live = tracking_passes::table
        .filter(tracking_passes::id.eq(id))
        .filter(tracking_passes::order_id.eq(order))
        .filter(tracking_passes::revoked_at.is_null());
    Ok(execute!(conn, diesel::update(live).set(tracking_passes::revoked_at.eq(Some(at))))? > 0)
}

/// Passes revoked at or after a moment.
pub(super) async fn list_revoked_passes(conn: &mut Conn, since: At) -> Result<Vec<PassId>> {
    let query = tracking_passes::table.filter(tracking_passes::revoked_at.ge(since)).select(tracking_passes::id);
    Ok(load!(conn, PassId, query)?)
}

/// Orders with this number whose customer has this e-mail address (any letter case): at most ten.
pub(super) async fn find_by_contact(conn: &mut Conn, number: &str, email: &str) -> Result<Vec<OrderId>> {
    let query = orders::table
        .filter(orders::number.eq(number))
        .filter(lower(orders::customer_email).eq(email.to_lowercase()))
        .order(orders::id)
        .limit(10)
        .select(orders::id);
    Ok(load!(conn, OrderId, query)?)
}
