//! Brings the tables up to date at start; instances that start together take turns.

use diesel::migration::MigrationSource;
use diesel_async::AsyncMigrationHarness;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio::runtime::Handle;

use super::{Conn, Db, postgres, sqlite};
use crate::base::{Error, Result, Secret};
use crate::config::Config;

const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// Any number that no other program on the same database takes: "ordercst" in ASCII.
const LOCK: i64 = 0x6f72_6465_7263_7374;

impl Db {
    /// Opens the database DATABASE_URL names, without touching its tables. Must be called on a multi-thread runtime.
    ///
    /// # Errors
    /// `Invalid` with the accepted forms when the address is of another kind.
    pub fn open(config: &Config) -> Result<Self> {
        let runtime = Handle::current();
        let url = config.database_url();
        if ["postgres://", "postgresql://"].iter().any(|scheme| url.expose().starts_with(scheme)) {
            let pool = postgres::open(&url, config.database_pool, config.database_ca_file.as_deref())?;
            return Ok(Self::Postgres { runtime, pool });
        }
        let path = sqlite_path(&url).ok_or_else(|| {
            let forms = "DATABASE_URL must be sqlite:<path> or postgres://user:password@host/name";
            Error::invalid("bad_setting", forms)
        })?;
        let (writer, readers) = sqlite::open(path.as_ref(), config.database_pool)?;
        Ok(Self::Sqlite { runtime, writer, readers })
    }

    /// Runs the migrations that are missing, under a lock.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach, `Internal` when a migration fails (nothing of it stays).
    pub async fn migrate(&self) -> Result<()> {
        match self {
            Self::Sqlite { .. } => self.transact(|conn| Box::pin(async move { migrate_sqlite(conn) })).await,
            Self::Postgres { pool, .. } => {
                let mut conn = pool.get().await.map_err(postgres::unavailable)?;
                lock_postgres(&mut conn).await?;
                // The lock belongs to the session: it ends when this connection is closed below, whatever happens.
                let mut harness = AsyncMigrationHarness::new(deadpool::managed::Object::take(conn));
                run_pending(&mut harness, POSTGRES)
            }
        }
    }
}

fn sqlite_path(url: &Secret) -> Option<&str> {
    let path = url.expose().strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    (!path.is_empty()).then_some(path)
}

fn migrate_sqlite(conn: &mut Conn) -> Result<()> {
    match conn {
        // BEGIN IMMEDIATE of the surrounding transaction is the lock: a second process waits here, then finds nothing to do.
        Conn::Sqlite(conn) => run_pending(&mut **conn, SQLITE),
        Conn::Postgres(_) => Err(Error::internal("PostgreSQL migrates on a connection of its own")),
    }
}

fn run_pending<DB: diesel::backend::Backend>(
    harness: &mut impl MigrationHarness<DB>,
    migrations: impl MigrationSource<DB>,
) -> Result<()> {
    for version in harness.run_pending_migrations(migrations).map_err(Error::Internal)? {
        tracing::info!(db.migration = %version, "migrated");
    }
    Ok(())
}

async fn lock_postgres(conn: &mut postgres::Pooled) -> Result<()> {
    let query = diesel::sql_query("SELECT pg_advisory_lock($1)").bind::<diesel::sql_types::BigInt, _>(LOCK);
    diesel_async::RunQueryDsl::execute(query, &mut **conn).await?;
    Ok(())
}
