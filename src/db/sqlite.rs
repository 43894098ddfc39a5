//! SQLite: the file, its one writer and its readers.

use std::path::{Path, PathBuf};

use deadpool::managed::{self, Manager, Metrics, RecycleError, RecycleResult};
use diesel::connection::{AnsiTransactionManager, SimpleConnection as _, TransactionManager};
use diesel::{Connection as _, ConnectionError, QueryResult, SqliteConnection};

use super::letters;
use crate::base::{Error, Result};

/// Connections to one file.
pub type Pool = managed::Pool<File>;
/// One connection, returned to its pool when dropped.
pub type Pooled = managed::Object<File>;

/// How connections to one database file are opened.
pub struct File {
    path: PathBuf,
    set_up: &'static str,
}

/// Durable: FULL waits for the disk at every commit, WAL lets readers go on meanwhile.
const WRITER: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;";
const READER: &str = "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON; PRAGMA foreign_keys = ON; \
     PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;";

/// Opens the file (its folder is made where missing): the pool of the one writer, and that of the readers.
///
/// # Errors
/// `Invalid` when the folder cannot be made.
pub fn open(path: &Path, readers: usize) -> Result<(Pool, Pool)> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| {
            Error::invalid("bad_setting", format!("The folder {} cannot be made: {error}", folder.display()))
        })?;
    }
    let pool = |set_up, size| {
        let file = File { path: path.to_owned(), set_up };
        Pool::builder(file).max_size(size).build().map_err(Error::internal)
    };
    Ok((pool(WRITER, 1)?, pool(READER, readers)?))
}

/// The error for a connection that cannot be had.
pub fn unavailable(error: managed::PoolError<ConnectionError>) -> Error {
    Error::unavailable("The database", error)
}

/// Begins a transaction that holds the write lock from its first moment: a later upgrade could fail as "locked".
pub fn begin_immediate(conn: &mut SqliteConnection) -> QueryResult<()> {
    AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE")
}

/// Commits.
pub fn commit(conn: &mut SqliteConnection) -> QueryResult<()> {
    AnsiTransactionManager::commit_transaction(conn)
}

/// Rolls back. A connection on which even that fails is thrown away by its pool.
pub fn rollback(conn: &mut SqliteConnection) {
    if let Err(error) = AnsiTransactionManager::rollback_transaction(conn) {
        tracing::warn!(%error, "a transaction could not be rolled back");
    }
}

impl Manager for File {
    type Type = SqliteConnection;
    type Error = ConnectionError;

    async fn create(&self) -> Result<SqliteConnection, ConnectionError> {
        let mut conn = SqliteConnection::establish(&self.path.to_string_lossy())?;
        let set_up = conn.batch_execute(self.set_up).and_then(|()| letters::teach(&mut conn));
        set_up.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    }

    async fn recycle(&self, conn: &mut SqliteConnection, _: &Metrics) -> RecycleResult<ConnectionError> {
        let open = AnsiTransactionManager::transaction_manager_status_mut(conn).transaction_depth();
        match open {
            Ok(None) => Ok(()),
            _ => Err(RecycleError::message("a body ended inside its transaction")),
        }
    }
}
