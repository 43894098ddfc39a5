//! SQL of the ledger: accounts, transactions, postings, and where the credits of orders stand.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use diesel::prelude::*;

use super::commission::{Commission, Line};
use super::entries::{Account, Credit, Transaction};
use super::till::{Changed, Seller};
use crate::base::id::{CompanyId, OrderId, PayoutId, TransactionId};
use crate::base::{Error, Result};
use crate::db::schema::{
    companies, ledger_accounts, ledger_postings, ledger_transactions, order_commissions, order_credits,
};
use crate::db::types::At;
use crate::db::{Conn, Fixed};
use crate::{execute, insert_many, load};

#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = order_credits, treat_none_as_default_value = false)]
pub(super) struct CreditRow {
    order_id: OrderId,
    round: i32,
    company_id: CompanyId,
    currency: String,
    vendor_amount: i64,
    commission_amount: i64,
    state: String,
    credited_at: At,
    release_at: At,
    disputed_at: Option<At>,
}

impl TryFrom<CreditRow> for Credit {
    type Error = Error;

    fn try_from(row: CreditRow) -> Result<Self> {
        Ok(Self {
            order: row.order_id,
            round: row.round,
            company: row.company_id,
            currency: row.currency,
            vendor_amount: row.vendor_amount,
            commission_amount: row.commission_amount,
            state: row.state.parse()?,
            credited_at: row.credited_at.0,
            release_at: row.release_at.0,
            disputed_at: row.disputed_at.map(|at| at.0),
        })
    }
}

impl From<&Credit> for CreditRow {
    fn from(credit: &Credit) -> Self {
        Self {
            order_id: credit.order,
            round: credit.round,
            company_id: credit.company,
            currency: credit.currency.clone(),
            vendor_amount: credit.vendor_amount,
            commission_amount: credit.commission_amount,
            state: credit.state.code().to_owned(),
            credited_at: At(credit.credited_at),
            release_at: At(credit.release_at),
            disputed_at: credit.disputed_at.map(At),
        }
    }
}

/// The newest credit of each order, held until the transaction ends.
pub(super) async fn lock_newest_credits(conn: &mut Conn, orders: &[OrderId]) -> Result<HashMap<OrderId, Credit>> {
    if orders.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted = order_credits::table.filter(order_credits::order_id.eq_any(orders));
    let rows = match conn {
        Conn::Postgres(conn) => {
            let query = wanted.order((order_credits::order_id, order_credits::round)).for_update();
            diesel_async::RunQueryDsl::load::<CreditRow>(query, &mut **conn).await?
        }
        Conn::Sqlite(conn) => {
            let query = wanted.order((order_credits::order_id, order_credits::round));
            diesel::RunQueryDsl::load::<CreditRow>(query, &mut **conn)?
        }
    };
    // Ascending rounds: the newest is the last that is put in.
    rows.into_iter().map(|row| Ok((row.order_id, Credit::try_from(row)?))).collect()
}

/// The newest credit of each order.
pub(super) async fn find_newest_credits(conn: &mut Conn, orders: &[OrderId]) -> Result<HashMap<OrderId, Credit>> {
    let query = order_credits::table
        .filter(order_credits::order_id.eq_any(orders))
        .order((order_credits::order_id, order_credits::round));
    load!(conn, CreditRow, query)?.into_iter().map(|row| Ok((row.order_id, Credit::try_from(row)?))).collect()
}

type SellerColumns = (CompanyId, Option<At>, Option<i32>, bool);

/// What companies are where money is concerned.
pub(super) async fn find_sellers(conn: &mut Conn, ids: Vec<CompanyId>) -> Result<HashMap<CompanyId, Seller>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let own = ledger_accounts::table.filter(ledger_accounts::company_id.eq(companies::id.nullable()));
    let has_wallet = diesel::dsl::exists(own.select(ledger_accounts::id));
    let columns = (companies::id, companies::marketplace_since, companies::hold_days, has_wallet);
    let query = companies::table.filter(companies::id.eq_any(ids)).order(companies::id).select(columns);
    let rows = match conn {
        Conn::Postgres(conn) => {
            // Shared by all who deliver; whoever changes the terms waits, or an order would slip through in between.
            diesel_async::RunQueryDsl::load::<SellerColumns>(query.for_share(), &mut **conn).await?
        }
        Conn::Sqlite(conn) => diesel::RunQueryDsl::load::<SellerColumns>(query, &mut **conn)?,
    };
    let seller = |(id, since, hold_days, has_wallet): SellerColumns| {
        (id, Seller { marketplace_since: since.map(|at| at.0), hold_days, has_wallet })
    };
    Ok(rows.into_iter().map(seller).collect())
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = order_commissions)]
struct CommissionRow {
    order_id: OrderId,
    currency: String,
    total: i64,
    amount: i64,
    rate: String,
    lines: String,
    calculated_at: At,
}

/// The commissions that were calculated for orders.
pub(super) async fn find_commissions(conn: &mut Conn, orders: &[OrderId]) -> Result<HashMap<OrderId, Commission>> {
    if orders.is_empty() {
        return Ok(HashMap::new());
    }
    let query = order_commissions::table.filter(order_commissions::order_id.eq_any(orders));
    let commission = |row: CommissionRow| {
        let lines: Vec<Line> = serde_json::from_str(&row.lines).map_err(Error::internal)?;
        let commission = Commission {
            currency: row.currency,
            total: row.total,
            amount: row.amount,
            rate: row.rate,
            lines,
            calculated_at: row.calculated_at.0,
        };
        Ok((row.order_id, commission))
    };
    load!(conn, CommissionRow, query)?.into_iter().map(commission).collect()
}

/// Writes the commission of an order in place of an earlier one.
pub(super) async fn put_commission(conn: &mut Conn, order: OrderId, commission: &Commission) -> Result<()> {
    let row = CommissionRow {
        order_id: order,
        currency: commission.currency.clone(),
        total: commission.total,
        amount: commission.amount,
        rate: commission.rate.clone(),
        lines: serde_json::to_string(&commission.lines).map_err(Error::internal)?,
        calculated_at: At(commission.calculated_at),
    };
    execute!(&mut *conn, diesel::delete(order_commissions::table.find(order)))?;
    execute!(conn, diesel::insert_into(order_commissions::table).values(&row))?;
    Ok(())
}

#[derive(Insertable)]
#[diesel(table_name = ledger_accounts, treat_none_as_default_value = false)]
struct AccountRow {
    id: String,
    company_id: Option<CompanyId>,
    currency: String,
    balance: i64,
}

/// The balances of all accounts that money of these wallets can touch, locked; made where they are missing. Both in the
/// order of their names, or two transactions could wait for each other.
pub(super) async fn lock_accounts(
    conn: &mut Conn,
    purses: &BTreeSet<(CompanyId, String)>,
) -> Result<BTreeMap<Account, i64>> {
    let mut rows: BTreeMap<Account, AccountRow> = BTreeMap::new();
    for (company, currency) in purses {
        let own = format!("{company}/");
        for account in Account::all_of(*company, currency) {
            let company_id = account.0.starts_with(&own).then_some(*company);
            let row = AccountRow { id: account.0.clone(), company_id, currency: currency.clone(), balance: 0 };
            rows.insert(account, row);
        }
    }
    let names: Vec<String> = rows.keys().map(|account| account.0.clone()).collect();
    let query = ledger_accounts::table.filter(ledger_accounts::id.eq_any(names.clone()));
    let known = load!(&mut *conn, String, query.select(ledger_accounts::id))?;
    for row in rows.into_values().filter(|row| !known.contains(&row.id)) {
        let query = diesel::insert_into(ledger_accounts::table).values(&row).on_conflict_do_nothing();
        execute!(&mut *conn, query)?;
    }
    let wanted = ledger_accounts::table
        .filter(ledger_accounts::id.eq_any(names))
        .order(ledger_accounts::id)
        .select((ledger_accounts::id, ledger_accounts::balance));
    let rows = match conn {
        Conn::Postgres(conn) => {
            diesel_async::RunQueryDsl::load::<(String, i64)>(wanted.for_update(), &mut **conn).await?
        }
        Conn::Sqlite(conn) => diesel::RunQueryDsl::load::<(String, i64)>(wanted, &mut **conn)?,
    };
    Ok(rows.into_iter().map(|(id, balance)| (Account(id), balance)).collect())
}

#[derive(Insertable)]
#[diesel(table_name = ledger_transactions, treat_none_as_default_value = false)]
struct TransactionRow {
    id: TransactionId,
    kind: &'static str,
    company_id: CompanyId,
    currency: String,
    order_id: Option<OrderId>,
    round: Option<i32>,
    payout_id: Option<PayoutId>,
    reason: Option<String>,
    actor_kind: &'static str,
    actor_name: String,
    at: At,
}

#[derive(Insertable)]
#[diesel(table_name = ledger_postings)]
struct PostingRow {
    transaction_id: TransactionId,
    line: i32,
    debit_account: String,
    credit_account: String,
    amount: i64,
}

impl From<&Transaction> for TransactionRow {
    fn from(transaction: &Transaction) -> Self {
        let (order_id, round) = transaction.order.unzip();
        Self {
            id: transaction.id,
            kind: transaction.kind.code(),
            company_id: transaction.company,
            currency: transaction.currency.clone(),
            order_id,
            round,
            payout_id: transaction.payout,
            reason: transaction.reason.clone(),
            actor_kind: transaction.actor.kind(),
            actor_name: transaction.actor.name().to_owned(),
            at: At(transaction.at),
        }
    }
}

/// Writes what a till has changed, and the new balances of the accounts it has touched.
pub(super) async fn write(conn: &mut Conn, changed: &Changed, accounts: &[(Account, i64)]) -> Result<()> {
    for (order, commission) in &changed.calculated {
        put_commission(conn, *order, commission).await?;
    }
    let transactions: Vec<TransactionRow> = changed.transactions.iter().map(TransactionRow::from).collect();
    insert_many!(&mut *conn, ledger_transactions::table, &transactions)?;
    let mut postings = Vec::new();
    for transaction in &changed.transactions {
        for (line, posting) in (1..).zip(&transaction.postings) {
            postings.push(PostingRow {
                transaction_id: transaction.id,
                line,
                debit_account: posting.debit.0.clone(),
                credit_account: posting.credit.0.clone(),
                amount: posting.amount,
            });
        }
    }
    insert_many!(&mut *conn, ledger_postings::table, &postings)?;
    for (account, balance) in accounts {
        let row = ledger_accounts::table.find(account.0.clone());
        let query = Fixed(diesel::update(row).set(ledger_accounts::balance.eq(*balance)));
        execute!(&mut *conn, query)?;
    }
    for credit in &changed.updated {
        update_credit(conn, credit).await?;
    }
    let credits: Vec<CreditRow> = changed.inserted.iter().map(CreditRow::from).collect();
    insert_many!(conn, order_credits::table, &credits)?;
    Ok(())
}

/// Sees the database as of one moment from here on. On SQLite every transaction does.
pub(super) async fn hold_moment(conn: &mut Conn) -> Result<()> {
    if matches!(conn, Conn::Postgres(_)) {
        execute!(conn, diesel::sql_query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))?;
    }
    Ok(())
}

/// Writes where a credit stands.
pub(super) async fn update_credit(conn: &mut Conn, credit: &Credit) -> Result<()> {
    let query = diesel::update(order_credits::table.find((credit.order, credit.round))).set((
        order_credits::state.eq(credit.state.code()),
        order_credits::release_at.eq(At(credit.release_at)),
        order_credits::disputed_at.eq(credit.disputed_at.map(At)),
    ));
    execute!(conn, Fixed(query))?;
    Ok(())
}
