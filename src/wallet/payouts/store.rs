//! SQL of payouts.

use diesel::prelude::*;
use jiff::Timestamp;

use super::{Payout, State};
use crate::base::id::{CompanyId, PayoutId};
use crate::base::page::Cursor;
use crate::base::{Money, Result};
use crate::db::Conn;
use crate::db::schema::{companies, payouts};
use crate::db::types::At;
use crate::{execute, find, load};

type Columns = (
    (PayoutId, CompanyId, String, i64, String),
    (String, At, Option<String>, Option<At>, Option<At>, Option<String>),
    String,
);

fn to_payout((row, who, company_name): Columns) -> Result<Payout> {
    let (id, company, currency, amount, state) = row;
    let (requested_by, requested_at, decided_by, decided_at, paid_at, note) = who;
    Ok(Payout {
        id,
        company,
        company_name,
        money: Money { amount, currency },
        state: state.parse()?,
        requested_by,
        requested_at: requested_at.0,
        decided_by,
        decided_at: decided_at.map(|at| at.0),
        paid_at: paid_at.map(|at| at.0),
        note,
    })
}

macro_rules! rows {
    () => {
        payouts::table.inner_join(companies::table.on(companies::id.eq(payouts::company_id))).select((
            (payouts::id, payouts::company_id, payouts::currency, payouts::amount, payouts::state),
            (
                payouts::requested_by,
                payouts::requested_at,
                payouts::decided_by,
                payouts::decided_at,
                payouts::paid_at,
                payouts::note,
            ),
            companies::name,
        ))
    };
}

pub(super) async fn find(conn: &mut Conn, id: PayoutId) -> Result<Option<Payout>> {
    find!(conn, Columns, rows!().filter(payouts::id.eq(id)))?.map(to_payout).transpose()
}

/// A payout, held until the transaction ends.
pub(super) async fn lock(conn: &mut Conn, id: PayoutId) -> Result<Option<Payout>> {
    if let Conn::Postgres(conn) = conn {
        let query = payouts::table.filter(payouts::id.eq(id)).select(payouts::id).for_update();
        diesel_async::RunQueryDsl::load::<PayoutId>(query, &mut **conn).await?;
    }
    find(conn, id).await
}

pub(super) async fn insert(
    conn: &mut Conn,
    id: PayoutId,
    company: CompanyId,
    money: &Money,
    by: &str,
    at: Timestamp,
) -> Result<()> {
    let values = (
        payouts::id.eq(id),
        payouts::company_id.eq(company),
        payouts::currency.eq(&money.currency),
        payouts::amount.eq(money.amount),
        payouts::state.eq(State::Requested.code()),
        payouts::requested_by.eq(by),
        payouts::requested_at.eq(At(at)),
    );
    execute!(conn, diesel::insert_into(payouts::table).values(values))?;
    Ok(())
}

/// Writes a decision. Who approved stays known when it is paid.
pub(super) async fn update(
    conn: &mut Conn,
    id: PayoutId,
    state: State,
    by: &str,
    note: Option<String>,
    at: Timestamp,
) -> Result<()> {
    let row = payouts::table.find(id);
    if state == State::Paid {
        let set = (payouts::state.eq(state.code()), payouts::paid_at.eq(Some(At(at))), payouts::note.eq(note));
        execute!(conn, diesel::update(row).set(set))?;
    } else {
        let decided = (payouts::decided_by.eq(Some(by)), payouts::decided_at.eq(Some(At(at))));
        let set = (payouts::state.eq(state.code()), decided, payouts::note.eq(note));
        execute!(conn, diesel::update(row).set(set))?;
    }
    Ok(())
}

pub(super) async fn list(
    conn: &mut Conn,
    company: Option<CompanyId>,
    state: Option<State>,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Payout>> {
    let rows = load!(conn, Columns, DB => {
        let newest_first = (payouts::requested_at.desc(), payouts::id.desc());
        let mut query = rows!().order(newest_first).limit(limit).into_boxed::<DB>();
        if let Some(company) = company {
            query = query.filter(payouts::company_id.eq(company));
        }
        if let Some(state) = state {
            query = query.filter(payouts::state.eq(state.code()));
        }
        if let Some(Cursor { at, id }) = after {
            let same = payouts::requested_at.eq(At(at)).and(payouts::id.lt(PayoutId(id)));
            query = query.filter(payouts::requested_at.lt(At(at)).or(same));
        }
        query
    })?;
    rows.into_iter().map(to_payout).collect()
}

/// What is to be paid, the oldest first.
pub(super) async fn list_approved(conn: &mut Conn, limit: i64) -> Result<Vec<Payout>> {
    let oldest_first = (payouts::requested_at, payouts::id);
    let query = rows!().filter(payouts::state.eq(State::Approved.code())).order(oldest_first).limit(limit);
    load!(conn, Columns, query)?.into_iter().map(to_payout).collect()
}
