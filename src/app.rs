//! The composition root: every part is built here, once, from the settings.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use crate::accounts::{Companies, Tokens};
use crate::base::{Clock, Error, Result};
use crate::config::Config;
use crate::db::Db;
use crate::jobs::Jobs;
use crate::orders::{Announce, Orders, Passes, Timeline};
use crate::web::Parts;
use crate::web::pages::Pages;

/// A built instance: its tables are up to date, its address is taken, nothing is served yet.
pub struct App {
    /// The parts, for commands and tests that call verbs directly.
    pub parts: Parts,
    listener: TcpListener,
    workers: usize,
}

impl App {
    /// Builds every part. Must be called on a multi-thread runtime, which then drives database, bus and background work.
    ///
    /// # Errors
    /// `Invalid` when a setting cannot be used, `Unavailable` when the database is out of reach.
    pub async fn build(config: Config, clock: Clock) -> Result<Self> {
        let listener = TcpListener::bind(config.bind).map_err(|error| {
            Error::invalid("bad_setting", format!("ORDERCAST_BIND: {} cannot be listened on: {error}", config.bind))
        })?;
        let workers =
            config.workers.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
        let parts = build_parts(&config, clock).await?;
        Ok(Self { parts, listener, workers })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// `Internal` when the socket does not know it.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(Error::internal)
    }

    /// Serves until told to stop.
    ///
    /// # Errors
    /// `Internal` when the server fails.
    pub async fn run(self) -> Result<()> {
        let parts = self.parts;
        let server = actix_web::HttpServer::new(move || {
            let parts = parts.clone();
            actix_web::App::new().configure(move |cfg| parts.configure(cfg))
        });
        let server = server.workers(self.workers).listen(self.listener).map_err(Error::internal)?;
        server.run().await.map_err(Error::internal)
    }
}

async fn build_parts(config: &Config, clock: Clock) -> Result<Parts> {
    let keys = config.keys()?;
    let db = Db::open(config)?;
    db.migrate().await?;
    let companies = Companies::new(db.clone(), clock.clone());
    companies.ensure("shop", &config.shop_name).await?;
    let announce: Announce = Arc::new(|events| {
        Box::pin(async move { events.iter().map(|_| Box::pin(std::future::ready(Default::default())) as _).collect() })
    });
    Ok(Parts {
        tokens: Tokens::start(db.clone(), clock.clone()),
        timeline: Timeline::new(db.clone()),
        orders: Orders::start(db.clone(), clock.clone(), announce, config.commit_group, config.commit_queue),
        passes: Passes::new(db.clone(), clock.clone(), keys, config.pass_days),
        jobs: Jobs::new(db.clone(), clock.clone()),
        pages: Pages::new(clock.clone())?,
        companies,
        clock,
        db,
    })
}
