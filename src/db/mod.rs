//! The database: SQLite or PostgreSQL, chosen at run time by DATABASE_URL; one set of queries for both.
//!
//! What is here: connections, transactions, the macros that run one query body on either back end, error meaning.
//! What is not: SQL of a feature; that is in the feature's `store.rs`, in functions that take `&mut Conn`.
//!
//! Three rules keep it safe:
//! - A body runs to its end in a task of its own, so a caller who goes away never leaves a transaction half done.
//! - PostgreSQL connections live on the main runtime that opened them, never on a worker's.
//! - SQLite has one writer that begins with `BEGIN IMMEDIATE`, and readers that cannot write; a body on SQLite runs on
//!   a blocking thread and never waits for anything but its connection.

pub mod group;
pub mod last;
pub mod letters;
pub mod migrate;
pub mod postgres;
pub mod query;
pub mod schema;
mod schema_money;
pub mod sqlite;
pub mod types;

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::TransactionManager as _;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use crate::base::{Error, Result};

use last::Held;
pub use last::Last;
pub use query::Fixed;

type Pg = diesel_async::AsyncPgConnection;
type PgTransactions = <Pg as diesel_async::AsyncConnection>::TransactionManager;

/// The database. Cheap to clone.
#[derive(Clone)]
pub enum Db {
    /// PostgreSQL: one pool for everything.
    Postgres {
        /// The runtime that opens and drives the connections.
        runtime: Handle,
        /// All connections.
        pool: postgres::Pool,
    },
    /// SQLite: one writer, several readers.
    Sqlite {
        /// The runtime whose blocking threads run the statements.
        runtime: Handle,
        /// The one connection that may write.
        writer: sqlite::Pool,
        /// Connections that only read.
        readers: sqlite::Pool,
    },
}

/// One connection, borrowed for one body.
#[expect(clippy::large_enum_variant, reason = "one a body, moved once; a box would cost an allocation each")]
pub enum Conn {
    /// PostgreSQL.
    Postgres(Held<postgres::Pooled>),
    /// SQLite.
    Sqlite(Held<sqlite::Pooled>),
}

/// Runs a query that returns no rows; says how many it changed.
#[macro_export]
macro_rules! execute {
    ($conn:expr, $query:expr) => {
        match $conn {
            $crate::db::Conn::Postgres(conn) => diesel_async::RunQueryDsl::execute($query, &mut **conn).await,
            $crate::db::Conn::Sqlite(conn) => diesel::RunQueryDsl::execute($query, &mut **conn),
        }
    };
}

/// Runs a query and reads every row as the given type. A query built in steps (`into_boxed`) names the back end:
/// `load!(conn, Row, DB => { let mut query = table.into_boxed::<DB>(); … query })`.
#[macro_export]
macro_rules! load {
    ($conn:expr, $row:ty, $db:ident => $query:expr) => {
        match $conn {
            $crate::db::Conn::Postgres(conn) => {
                type $db = diesel::pg::Pg;
                diesel_async::RunQueryDsl::load::<$row>($query, &mut **conn).await
            }
            $crate::db::Conn::Sqlite(conn) => {
                type $db = diesel::sqlite::Sqlite;
                diesel::RunQueryDsl::load::<$row>($query, &mut **conn)
            }
        }
    };
    ($conn:expr, $row:ty, $query:expr) => {
        match $conn {
            $crate::db::Conn::Postgres(conn) => diesel_async::RunQueryDsl::load::<$row>($query, &mut **conn).await,
            $crate::db::Conn::Sqlite(conn) => diesel::RunQueryDsl::load::<$row>($query, &mut **conn),
        }
    };
}

/// Runs a query and reads its first row as the given type, or `None`.
#[macro_export]
macro_rules! find {
    ($conn:expr, $row:ty, $query:expr) => {
        diesel::OptionalExtension::optional(match $conn {
            $crate::db::Conn::Postgres(conn) => {
                diesel_async::RunQueryDsl::get_result::<$row>($query, &mut **conn).await
            }
            $crate::db::Conn::Sqlite(conn) => diesel::RunQueryDsl::get_result::<$row>($query, &mut **conn),
        })
    };
}

/// Most rows of one statement: PostgreSQL takes 65,535 values, and our widest table has 30 columns.
pub const ROWS_AT_ONCE: usize = 2000;

/// Inserts many rows: few statements on PostgreSQL, one prepared statement again and again on SQLite.
#[macro_export]
macro_rules! insert_many {
    ($conn:expr, $table:expr, $rows:expr) => {
        match $conn {
            $crate::db::Conn::Postgres(conn) => {
                let mut done = Ok(0);
                for rows in $rows.chunks($crate::db::ROWS_AT_ONCE) {
                    let query = diesel::insert_into($table).values(rows);
                    done = diesel_async::RunQueryDsl::execute(query, &mut **conn).await;
                    if done.is_err() {
                        break;
                    }
                }
                done
            }
            $crate::db::Conn::Sqlite(conn) => $rows.iter().try_fold(0, |done, row| {
                let query = diesel::insert_into($table).values(row);
                Ok(done + diesel::RunQueryDsl::execute(query, &mut **conn)?)
            }),
        }
    };
}

/// On PostgreSQL: one prepared statement, whatever the number of rows, each column travelling as one array. A statement
/// with a value for each field of each row is parsed anew for every number of rows, which costs more than its rows do.
/// `unnest!("INSERT … SELECT * FROM unnest($1, $2)", rows, { id: Id, seq: BigInt })` names a field of the rows for each
/// array, in order, and the SQL type of its elements. Further values may be bound to it; run it as [`Fixed`].
#[macro_export]
macro_rules! unnest {
    ($sql:expr, $rows:expr, { $($field:ident: $of:ty),+ $(,)? }) => {
        diesel::sql_query($sql)
            $(.bind::<diesel::sql_types::Array<$of>, _>($rows.iter().map(|row| &row.$field).collect::<Vec<_>>()))+
    };
}

impl Db {
    /// Runs a body in one transaction: all of it or, when it errs or the process dies, nothing.
    ///
    /// # Errors
    /// What the body says; `Unavailable` when the database is out of reach.
    pub async fn transact<T, F>(&self, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        match self {
            Self::Postgres { runtime, pool } => {
                let pool = pool.clone();
                run(runtime.spawn(async move {
                    let mut conn = Conn::postgres(&pool).await?;
                    conn.begin().await?;
                    let done = body(&mut conn).await;
                    conn.finish(done).await
                }))
                .await
            }
            Self::Sqlite { runtime, writer, .. } => {
                let mut conn = Conn::sqlite(writer).await?;
                run(runtime.spawn_blocking(move || {
                    at_once(async move {
                        conn.begin().await?;
                        let done = body(&mut conn).await;
                        conn.finish(done).await
                    })
                }))
                .await
            }
        }
    }

    /// Runs a body that only reads. Its statements may see different moments; one that must not belongs in `transact`.
    ///
    /// # Errors
    /// What the body says; `Unavailable` when the database is out of reach.
    pub async fn read<T, F>(&self, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        match self {
            Self::Postgres { runtime, pool } => {
                let pool = pool.clone();
                run(runtime.spawn(async move {
                    let mut conn = Conn::postgres(&pool).await?;
                    let done = body(&mut conn).await;
                    conn.only_read(done)
                }))
                .await
            }
            Self::Sqlite { runtime, readers, .. } => {
                let mut conn = Conn::sqlite(readers).await?;
                run(runtime.spawn_blocking(move || {
                    at_once(async move {
                        let done = body(&mut conn).await;
                        conn.only_read(done)
                    })
                }))
                .await
            }
        }
    }

    /// The runtime that drives the database; background tasks of the parts run there too.
    #[must_use]
    pub fn runtime(&self) -> &Handle {
        match self {
            Self::Postgres { runtime, .. } | Self::Sqlite { runtime, .. } => runtime,
        }
    }

    /// `postgresql` or `sqlite`, for logs and `/readyz`.
    #[must_use]
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Postgres { .. } => "postgresql",
            Self::Sqlite { .. } => "sqlite",
        }
    }

    /// Connections in use and in all, for metrics.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        let status = match self {
            Self::Postgres { pool, .. } => pool.status(),
            Self::Sqlite { readers, .. } => readers.status(),
        };
        (status.size.saturating_sub(status.available), status.max_size)
    }
}

impl Conn {
    async fn postgres(pool: &postgres::Pool) -> Result<Self> {
        Ok(Self::Postgres(Held::new(pool.get().await.map_err(postgres::unavailable)?)))
    }

    async fn sqlite(pool: &sqlite::Pool) -> Result<Self> {
        Ok(Self::Sqlite(Held::new(pool.get().await.map_err(sqlite::unavailable)?)))
    }

    async fn begin(&mut self) -> Result<()> {
        match self {
            Self::Postgres(conn) => PgTransactions::begin_transaction(&mut **conn).await?,
            Self::Sqlite(conn) => sqlite::begin_immediate(conn)?,
        }
        Ok(())
    }

    async fn finish<T>(&mut self, done: Result<T>) -> Result<T> {
        let done = match done {
            Ok(value) => self.write_last().await.map(|()| value),
            Err(error) => Err(error),
        };
        match (self, &done) {
            (Self::Postgres(conn), Ok(_)) => PgTransactions::commit_transaction(&mut **conn).await?,
            (Self::Sqlite(conn), Ok(_)) => sqlite::commit(conn)?,
            // A rollback that fails leaves a broken connection, which the pool throws away; the body's own error tells more.
            (Self::Postgres(conn), Err(_)) => {
                PgTransactions::rollback_transaction(&mut **conn).await.unwrap_or_default()
            }
            (Self::Sqlite(conn), Err(_)) => sqlite::rollback(conn),
        }
        done
    }
}

async fn run<T>(task: tokio::task::JoinHandle<Result<T>>) -> Result<T> {
    task.await.map_err(Error::internal)?
}

/// Runs a future that never waits: on SQLite every statement is a plain call.
fn at_once<T>(body: impl Future<Output = Result<T>>) -> Result<T> {
    let waited = || Error::internal("a body on SQLite waited for something other than its connection");
    body.now_or_never().unwrap_or_else(|| Err(waited()))
}

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        use DatabaseErrorKind::{ClosedConnection, ReadOnlyTransaction, SerializationFailure, UnableToSendCommand};
        match error {
            DieselError::DatabaseError(
                ClosedConnection | UnableToSendCommand | SerializationFailure | ReadOnlyTransaction,
                _,
            )
            | DieselError::BrokenTransactionManager => Self::unavailable("The database", error),
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, ref info) if is_passing(info.message()) => {
                Self::unavailable("The database", error)
            }
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, ref info) if is_no_text(info.message()) => {
                Self::invalid("bad_characters", "A text may not hold the character NUL")
            }
            other => Self::internal(other),
        }
    }
}

/// Whether PostgreSQL refused a text for what is in it: it keeps no NUL. Every text of ours is UTF-8 otherwise.
fn is_no_text(message: &str) -> bool {
    message.starts_with("invalid byte sequence for encoding")
}

/// Whether a message of either database tells of a moment, not of a mistake: a restart, a busy file, a full disk.
fn is_passing(message: &str) -> bool {
    const SIGNS: [&str; 6] = [
        "terminating connection",
        "the database system is",
        "connection closed",
        "database is locked",
        "disk is full",
        DEADLOCK,
    ];
    SIGNS.iter().any(|sign| message.contains(sign))
}

/// Whether PostgreSQL gave up a transaction because it and another waited for each other: nothing of it was done, and the
/// same again may well succeed.
#[must_use]
pub fn was_rolled_back(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<DieselError>());
    match cause {
        Some(DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _)) => true,
        Some(DieselError::DatabaseError(DatabaseErrorKind::Unknown, info)) => info.message() == DEADLOCK,
        _ => false,
    }
}

/// What PostgreSQL says of a transaction that waits for one that waits for it.
const DEADLOCK: &str = "deadlock detected";

/// Whether a change was refused because a unique key is taken; the caller knows which.
#[must_use]
pub fn is_taken(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
}
