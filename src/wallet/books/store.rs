//! SQL of reading wallets, and of the credits whose time has come.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use jiff::Timestamp;

use super::{Movement, Wanted};
use crate::base::Result;
use crate::base::id::{CompanyId, OrderId, PayoutId, TransactionId};
use crate::base::page::Cursor;
use crate::db::Conn;
use crate::db::schema::{companies, ledger_accounts, ledger_postings, ledger_transactions, order_credits, orders};
use crate::db::types::At;
use crate::wallet::entries::{Account, Credit, Posting};
use crate::wallet::store::CreditRow;
use crate::{find, load};

/// The accounts of a company: name, currency, balance.
pub(super) async fn list_accounts(conn: &mut Conn, company: CompanyId) -> Result<Vec<(Account, String, i64)>> {
    let query = ledger_accounts::table
        .filter(ledger_accounts::company_id.eq(company))
        .order(ledger_accounts::id)
        .select((ledger_accounts::id, ledger_accounts::currency, ledger_accounts::balance));
    let rows = load!(conn, (String, String, i64), query)?;
    Ok(rows.into_iter().map(|(id, currency, balance)| (Account(id), currency, balance)).collect())
}

pub(super) async fn is_company(conn: &mut Conn, company: CompanyId) -> Result<bool> {
    let query = companies::table.filter(companies::id.eq(company)).select(companies::id);
    Ok(find!(conn, CompanyId, query)?.is_some())
}

/// Whether there is such a transaction.
pub(super) async fn is_written(conn: &mut Conn, id: TransactionId) -> Result<bool> {
    let query = ledger_transactions::table.filter(ledger_transactions::id.eq(id)).select(ledger_transactions::id);
    Ok(find!(conn, TransactionId, query)?.is_some())
}

type Columns = (
    (TransactionId, String, CompanyId, String, Option<OrderId>, Option<i32>),
    (Option<PayoutId>, Option<String>, String, At),
    Option<String>,
);

/// A wallet's movements with their postings, the newest first.
pub(super) async fn list_movements(
    conn: &mut Conn,
    company: CompanyId,
    wanted: Wanted,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Movement>> {
    use ledger_transactions as t;
    let rows = load!(&mut *conn, Columns, DB => {
        let mut query = t::table
            .left_join(orders::table.on(orders::id.nullable().eq(t::order_id)))
            .filter(t::company_id.eq(company))
            .order((t::at.desc(), t::id.desc()))
            .limit(limit)
            .select((
                (t::id, t::kind, t::company_id, t::currency, t::order_id, t::round),
                (t::payout_id, t::reason, t::actor_name, t::at),
                orders::number.nullable(),
            ))
            .into_boxed::<DB>();
        if let Some(kind) = wanted.kind {
            query = query.filter(t::kind.eq(kind.code()));
        }
        if let Some(currency) = wanted.currency {
            query = query.filter(t::currency.eq(currency));
        }
        if let Some(order) = wanted.order {
            query = query.filter(t::order_id.eq(order));
        }
        if let Some(from) = wanted.from {
            query = query.filter(t::at.ge(At(from)));
        }
        if let Some(until) = wanted.until {
            query = query.filter(t::at.lt(At(until)));
        }
        if let Some(Cursor { at, id }) = after {
            let same = t::at.eq(At(at)).and(t::id.lt(TransactionId(id)));
            query = query.filter(t::at.lt(At(at)).or(same));
        }
        query
    })?;
    let mut postings = HashMap::<TransactionId, Vec<Posting>>::new();
    for some in rows.chunks(500) {
        let ids: Vec<TransactionId> = some.iter().map(|row| row.0.0).collect();
        let query = ledger_postings::table
            .filter(ledger_postings::transaction_id.eq_any(ids))
            .order((ledger_postings::transaction_id, ledger_postings::line))
            .select((
                ledger_postings::transaction_id,
                ledger_postings::debit_account,
                ledger_postings::credit_account,
                ledger_postings::amount,
            ));
        for (id, debit, credit, amount) in load!(&mut *conn, (TransactionId, String, String, i64), query)? {
            let posting = Posting { debit: Account(debit), credit: Account(credit), amount };
            postings.entry(id).or_default().push(posting);
        }
    }
    rows.into_iter().map(|row| movement(row, &mut postings)).collect()
}

/// By how much these accounts of a company rose in all, or fell, at or after a moment.
pub(super) async fn sum_changes(
    conn: &mut Conn,
    company: CompanyId,
    own: [Account; 3],
    from: Timestamp,
) -> Result<i64> {
    use ledger_postings as p;
    let names = own.map(|account| account.0);
    // No posting is of one account to itself: what goes from one of these to another is counted in and out.
    let sum = || diesel::dsl::sql::<BigInt>("CAST(COALESCE(SUM(ledger_postings.amount), 0) AS bigint)");
    let later = || {
        let is_later = ledger_transactions::company_id.eq(company).and(ledger_transactions::at.ge(At(from)));
        p::table
            .inner_join(ledger_transactions::table.on(ledger_transactions::id.eq(p::transaction_id)))
            .filter(is_later)
    };
    let put_in = later().filter(p::credit_account.eq_any(names.clone())).select(sum());
    let taken_out = later().filter(p::debit_account.eq_any(names)).select(sum());
    let put_in = load!(&mut *conn, i64, put_in)?;
    let taken_out = load!(conn, i64, taken_out)?;
    Ok(put_in.iter().sum::<i64>() - taken_out.iter().sum::<i64>())
}

fn movement(row: Columns, postings: &mut HashMap<TransactionId, Vec<Posting>>) -> Result<Movement> {
    let ((id, kind, company, currency, order, round), (payout, reason, actor, at), number) = row;
    Ok(Movement {
        id,
        kind: kind.parse()?,
        company,
        currency,
        order: order.map(|order| (order, number.unwrap_or_default(), round.unwrap_or_default())),
        payout,
        reason,
        actor,
        at: at.0,
        postings: postings.remove(&id).unwrap_or_default(),
    })
}

/// Credits that are due and disputed by nobody, locked; what another instance is at is passed over.
pub(super) async fn lock_due_credits(conn: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<Credit>> {
    let due = order_credits::table
        .filter(order_credits::state.eq("held"))
        .filter(order_credits::release_at.le(At(now)))
        .filter(order_credits::disputed_at.is_null())
        .order((order_credits::order_id, order_credits::round))
        .limit(limit);
    let rows = match conn {
        Conn::Postgres(conn) => {
            diesel_async::RunQueryDsl::load::<CreditRow>(due.for_update().skip_locked(), &mut **conn).await?
        }
        Conn::Sqlite(conn) => diesel::RunQueryDsl::load::<CreditRow>(due, &mut **conn)?,
    };
    rows.into_iter().map(Credit::try_from).collect()
}
