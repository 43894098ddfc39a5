//! SQL of the proof. Each check selects rows that are wrong: which, what is there, what would be right.

use diesel::sql_types::{BigInt, Text};

use super::Report;
use crate::base::Result;
use crate::db::Conn;
use crate::load;

/// A row that is wrong.
#[derive(diesel::QueryableByName)]
pub(super) struct Wrong {
    /// Which.
    #[diesel(sql_type = Text)]
    pub which: String,
    /// What is there.
    #[diesel(sql_type = Text)]
    pub found: String,
    /// What would be right.
    #[diesel(sql_type = Text)]
    pub right: String,
}

/// What is asked, and the rows for which the answer is wrong. `[x]` stands for an identifier as text, which the databases
/// write differently.
pub(super) const CHECKS: [(&str, &str); 13] = [
    (
        "The sum of all balances in",
        "SELECT currency AS which, CAST(CAST(SUM(balance) AS bigint) AS text) AS found, '0' AS \"right\" \
         FROM ledger_accounts GROUP BY currency HAVING SUM(balance) <> 0 ORDER BY 1 LIMIT 1",
    ),
    (
        "The balance of",
        "SELECT a.id AS which, CAST(a.balance AS text) AS found, CAST(COALESCE(p.moved, 0) AS text) AS \"right\" \
         FROM ledger_accounts a LEFT JOIN (SELECT account, CAST(SUM(amount) AS bigint) AS moved FROM \
         (SELECT credit_account AS account, amount FROM ledger_postings UNION ALL \
         SELECT debit_account, -amount FROM ledger_postings) AS x GROUP BY account) AS p ON p.account = a.id \
         WHERE a.balance <> COALESCE(p.moved, 0) ORDER BY a.id LIMIT 1",
    ),
    (
        "The currency of transaction",
        "SELECT [t.id] AS which, t.currency AS found, d.currency || ' and ' || c.currency AS \"right\" \
         FROM ledger_postings p JOIN ledger_transactions t ON t.id = p.transaction_id \
         JOIN ledger_accounts d ON d.id = p.debit_account JOIN ledger_accounts c ON c.id = p.credit_account \
         WHERE d.currency <> t.currency OR c.currency <> t.currency ORDER BY t.id LIMIT 1",
    ),
    (
        "The vendor's part of the credit of order",
        "SELECT [c.order_id] AS which, CAST(moved AS text) AS found, CAST(c.vendor_amount AS text) AS \"right\" FROM \
         (SELECT c.*, (SELECT CAST(COALESCE(SUM(p.amount), 0) AS bigint) FROM ledger_postings p \
         JOIN ledger_transactions t ON t.id = p.transaction_id WHERE t.order_id = c.order_id AND t.round = c.round \
         AND t.kind = 'credit' AND p.credit_account LIKE '%/held') AS moved FROM order_credits c) AS c \
         WHERE moved <> c.vendor_amount ORDER BY c.order_id, c.round LIMIT 1",
    ),
    (
        "The platform's part of the credit of order",
        "SELECT [c.order_id] AS which, CAST(moved AS text) AS found, CAST(c.commission_amount AS text) AS \"right\" \
         FROM (SELECT c.*, (SELECT CAST(COALESCE(SUM(p.amount), 0) AS bigint) FROM ledger_postings p \
         JOIN ledger_transactions t ON t.id = p.transaction_id WHERE t.order_id = c.order_id AND t.round = c.round \
         AND t.kind = 'credit' AND p.credit_account LIKE 'commission/%') AS moved FROM order_credits c) AS c \
         WHERE moved <> c.commission_amount ORDER BY c.order_id, c.round LIMIT 1",
    ),
    (
        "What was taken back of order",
        "SELECT [c.order_id] AS which, CAST(moved AS text) AS found, CAST(due AS text) AS \"right\" FROM \
         (SELECT c.*, CASE c.state WHEN 'reversed' THEN c.vendor_amount + c.commission_amount ELSE 0 END AS due, \
         (SELECT CAST(COALESCE(SUM(p.amount), 0) AS bigint) FROM ledger_postings p \
         JOIN ledger_transactions t ON t.id = p.transaction_id WHERE t.order_id = c.order_id AND t.round = c.round \
         AND t.kind = 'reversal' AND p.credit_account LIKE 'world/%') AS moved FROM order_credits c) AS c \
         WHERE moved <> due ORDER BY c.order_id, c.round LIMIT 1",
    ),
    (
        "The transactions of order",
        "SELECT [c.order_id] AS which, CAST(written AS text) AS found, CAST(due AS text) AS \"right\" FROM \
         (SELECT c.*, CASE c.state WHEN 'held' THEN 1 ELSE 2 END AS due, (SELECT COUNT(*) FROM ledger_transactions t \
         WHERE t.order_id = c.order_id AND t.round = c.round AND (t.kind = 'credit' OR (t.kind = 'release' \
         AND c.state <> 'reversed') OR t.kind = 'reversal')) AS written FROM order_credits c) AS c \
         WHERE written <> due ORDER BY c.order_id, c.round LIMIT 1",
    ),
    (
        "The credit behind transaction",
        "SELECT [t.id] AS which, 'none' AS found, 'one' AS \"right\" FROM ledger_transactions t \
         WHERE t.order_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM order_credits c WHERE c.order_id = t.order_id \
         AND c.round = t.round) ORDER BY t.id LIMIT 1",
    ),
    (
        "The open credits of the delivered order",
        "SELECT [o.id] AS which, CAST(written AS text) AS found, '1' AS \"right\" FROM (SELECT o.id, \
         (SELECT COUNT(*) FROM order_credits c WHERE c.order_id = o.id AND c.state <> 'reversed') AS written \
         FROM orders o JOIN companies m ON m.id = o.company_id WHERE o.status = 'delivered' AND o.total_amount > 0 \
         AND o.delivered_at >= m.marketplace_since) AS o WHERE written <> 1 ORDER BY o.id LIMIT 1",
    ),
    (
        "The status of the credited order",
        "SELECT [o.id] AS which, o.status AS found, 'delivered' AS \"right\" FROM order_credits c \
         JOIN orders o ON o.id = c.order_id WHERE c.state <> 'reversed' AND o.status <> 'delivered' \
         ORDER BY o.id LIMIT 1",
    ),
    (
        "The amounts credited for order",
        "SELECT [c.order_id] AS which, CAST(c.vendor_amount AS text) || ' and ' || CAST(c.commission_amount AS text) \
         AS found, COALESCE(CAST(k.total - k.amount AS text) || ' and ' || CAST(k.amount AS text), 'a commission') \
         AS \"right\" FROM order_credits c LEFT JOIN order_commissions k ON k.order_id = c.order_id \
         AND k.currency = c.currency WHERE c.state <> 'reversed' AND (k.order_id IS NULL \
         OR k.amount <> c.commission_amount OR k.total <> c.vendor_amount + c.commission_amount) \
         ORDER BY c.order_id LIMIT 1",
    ),
    (
        "What is held in",
        "SELECT a.id AS which, CAST(a.balance AS text) AS found, CAST(held AS text) AS \"right\" FROM \
         (SELECT a.*, (SELECT CAST(COALESCE(SUM(c.vendor_amount), 0) AS bigint) FROM order_credits c \
         WHERE c.company_id = a.company_id AND c.currency = a.currency AND c.state = 'held') AS held \
         FROM ledger_accounts a WHERE a.id LIKE '%/held') AS a WHERE a.balance <> held ORDER BY a.id LIMIT 1",
    ),
    (
        "What is asked for in",
        "SELECT a.id AS which, CAST(a.balance AS text) AS found, CAST(asked AS text) AS \"right\" FROM \
         (SELECT a.*, (SELECT CAST(COALESCE(SUM(p.amount), 0) AS bigint) FROM payouts p \
         WHERE p.company_id = a.company_id AND p.currency = a.currency AND p.state IN ('requested', 'approved')) \
         AS asked FROM ledger_accounts a WHERE a.id LIKE '%/payout') AS a WHERE a.balance <> asked \
         ORDER BY a.id LIMIT 1",
    ),
];

/// The first row a check selects.
pub(super) async fn first_wrong(conn: &mut Conn, check: &str) -> Result<Option<Wrong>> {
    let text = match conn {
        Conn::Postgres(_) => check.replace('[', "CAST(").replace(']', " AS text)"),
        Conn::Sqlite(_) => check.replace('[', "lower(hex(").replace(']', "))"),
    };
    let mut rows = load!(conn, Wrong, diesel::sql_query(text))?;
    Ok(rows.pop().map(|wrong| Wrong { which: in_groups(wrong.which), ..wrong }))
}

/// An identifier as people know it, with its dashes.
fn in_groups(which: String) -> String {
    which.parse::<uuid::Uuid>().map_or(which, |id| id.to_string())
}

/// How much there is.
pub(super) async fn count(conn: &mut Conn) -> Result<Report> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        accounts: i64,
        #[diesel(sql_type = BigInt)]
        transactions: i64,
        #[diesel(sql_type = BigInt)]
        credits: i64,
    }
    let query = "SELECT (SELECT COUNT(*) FROM ledger_accounts) AS accounts, \
         (SELECT COUNT(*) FROM ledger_transactions) AS transactions, \
         (SELECT COUNT(*) FROM order_credits WHERE state <> 'reversed') AS credits";
    let counted = load!(conn, Row, diesel::sql_query(query))?.pop();
    let (accounts, transactions, credits) =
        counted.map_or((0, 0, 0), |row| (row.accounts, row.transactions, row.credits));
    Ok(Report { accounts, transactions, credits })
}
