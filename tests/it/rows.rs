//! What stands in an instance's database, counted past the code under test.

use diesel::sql_types::BigInt;
use ordercast::db::Db;
use ordercast::{execute, load};

/// How much has been written about orders. Two of these are equal exactly when nothing was written in between; jobs
/// are not counted, for they come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Orders.
    pub orders: i64,
    /// The sum of their `seq`.
    pub seqs: i64,
    /// Events of all logs.
    pub events: i64,
    /// Audit rows about orders.
    pub audits: i64,
}

/// Counts what has been written about orders.
pub async fn written(db: &Db) -> Written {
    Written {
        orders: number(db, "SELECT count(*) AS n FROM orders").await,
        seqs: number(db, "SELECT CAST(coalesce(sum(seq), 0) AS bigint) AS n FROM orders").await,
        events: number(db, "SELECT count(*) AS n FROM order_events").await,
        audits: number(db, "SELECT count(*) AS n FROM audit_log WHERE subject = 'order'").await,
    }
}

/// The number a statement selects as `n`.
pub async fn number(db: &Db, sql: &str) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    let query = sql.to_owned();
    let rows = db.read(move |conn| Box::pin(async move { Ok(load!(conn, Row, diesel::sql_query(query))?) })).await;
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    assert_eq!(rows.len(), 1, "{sql}");
    rows[0].n
}

/// Runs a statement.
pub async fn run(db: &Db, sql: &str) {
    let query = sql.to_owned();
    let done = db.transact(move |conn| Box::pin(async move { Ok(execute!(conn, diesel::sql_query(query))?) })).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}
