//! The composition root: every part is built here, once, from the settings.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use socket2::{Domain, Socket, Type};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::accounts::sessions::Terms;
use crate::accounts::{Admins, Codes, Companies, Kyc, Passwords, People, Sessions, Tokens, WebhookSecrets, kyc};
use crate::audit;
use crate::background::{self, Worker};
use crate::base::{Clock, Error, Result};
use crate::bus::{Bus, LocalBus, RedisBus, RedisSettings};
use crate::config::Config;
use crate::db::Db;
use crate::idempotency::Idempotency;
use crate::jobs::Jobs;
use crate::live::{Access, Live, LiveSettings};
use crate::notify::{ApprovalMail, Mailer, Notify, PeopleMail, Preferences, mailer};
use crate::orders::workflow::Patience;
use crate::orders::{Announce, Approvals, Commissions, Confirmations, Orders, Passes, Timeline, Workflows};
use crate::telemetry::Metrics;
use crate::wallet;
use crate::web::auth::renewal;
use crate::web::body::BodyLimit;
use crate::web::client::Proxies;
use crate::web::guard::{self, Guard, Limits};
use crate::web::kyc::desk::Desk;
use crate::web::live::{ServeSettings, serve};
use crate::web::pages::Pages;
use crate::web::{Money, Parts, PublicUrl};
use crate::webhooks::Webhooks;

/// A built instance: its tables are up to date, its address is taken, nothing is served yet.
pub struct App {
    /// The parts, for commands and tests that call verbs directly.
    pub parts: Parts,
    /// Does the queue's work; a running instance does it by itself, tests may ask for it.
    pub worker: Worker,
    origins: Vec<String>,
    listener: TcpListener,
    workers: usize,
}

impl App {
    /// Builds every part. Must be called on a multi-thread runtime, which then drives database, bus and background work.
    ///
    /// # Errors
    /// `Invalid` when a setting cannot be used, `Unavailable` when the database is out of reach.
    pub async fn build(config: Config, clock: Clock) -> Result<Self> {
        let bus = start_bus(&config)?;
        Self::build_on(bus, config, clock).await
    }

    /// Builds every part on a bus that is there already: instances of one process may share one.
    ///
    /// # Errors
    /// As [`App::build`].
    pub async fn build_on(bus: Arc<dyn Bus>, config: Config, clock: Clock) -> Result<Self> {
        let listener = listen(config.bind).map_err(|error| {
            Error::invalid("bad_setting", format!("ORDERCAST_BIND: {} cannot be listened on: {error}", config.bind))
        })?;
        let workers =
            config.workers.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
        let home = PublicUrl(config.public_url(listener.local_addr().map_err(Error::internal)?));
        let mailer = mailer(&config, clock.clone())?;
        let parts = build_parts(&config, clock, home, bus).await?;
        let (timeline, companies, passes) = (parts.timeline.clone(), parts.companies.clone(), parts.passes.clone());
        let who = (parts.people.clone(), parts.companies.clone(), parts.codes.clone());
        let people = PeopleMail::new(parts.kyc.clone(), who, mailer.clone(), &parts.home.0);
        let preferences = parts.preferences.clone();
        let approvals = ApprovalMail::new(
            (parts.approvals.clone(), timeline.clone()),
            (parts.people.clone(), companies.clone()),
            parts.jobs.clone(),
            mailer.clone(),
            &parts.home.0,
        );
        let confirmations = parts.confirmations.clone();
        let customers = (preferences, confirmations);
        let notify = Notify::new(timeline, companies, passes, customers, mailer, &parts.home.0);
        let worker = Worker::new(parts.jobs.clone(), notify, people, approvals);
        Ok(Self { parts, worker, origins: config.allowed_origins, listener, workers })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// `Internal` when the socket does not know it.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(Error::internal)
    }

    /// Serves until the process is told to stop, then lets connections go one by one and requests finish.
    ///
    /// # Errors
    /// `Internal` when the server fails.
    pub async fn run(self) -> Result<()> {
        self.run_until(told_to_stop()).await
    }

    /// Serves until `stop` resolves, then as [`App::run`]: several instances of one process stop one by one.
    ///
    /// # Errors
    /// `Internal` when the server fails.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let (parts, origins) = (self.parts.clone(), self.origins);
        let factory = move || {
            let parts = parts.clone();
            actix_web::App::new()
                .configure(move |cfg| parts.configure(cfg))
                .wrap(actix_web::middleware::from_fn(renewal::renew))
                .wrap(actix_web::middleware::from_fn(guard::watch))
                // Outermost, so that a page elsewhere can also read that it must wait.
                .wrap(guard::cors(&origins))
        };
        let settings = ServeSettings { workers: self.workers, ..ServeSettings::default() };
        let server = serve(factory, self.listener, &settings).map_err(Error::internal)?;
        let handle = server.handle();
        let stopping = CancellationToken::new();
        let work = background::start(
            self.worker,
            self.parts.idempotency.clone(),
            (self.parts.people.clone(), self.parts.sessions.clone()),
            self.parts.webhooks.clone(),
            (self.parts.approvals.clone(), self.parts.confirmations.clone()),
            self.parts.money.wallets.clone(),
            &stopping,
        );
        let live = self.parts.live.clone();
        tokio::spawn(async move {
            stop.await;
            live.drain();
            let longest = live.settings().drain_window + Duration::from_secs(5);
            if tokio::time::timeout(longest, live.drained()).await.is_err() {
                tracing::warn!("live connections that would not close are cut");
            }
            handle.stop(true).await;
        });
        let served = server.await.map_err(Error::internal);
        stopping.cancel();
        // What is not done by then is done by whoever claims it when its lease has run out.
        if tokio::time::timeout(FINISHING, work.wait()).await.is_err() {
            tracing::warn!("work of the background that would not end is left");
        }
        served
    }
}

/// How long work of the background may take to end after the last request was answered.
const FINISHING: Duration = Duration::from_secs(10);

/// Takes the address. Many may wait to be accepted: after a restart everybody comes back in the same moment, and with
/// the usual 128 most of them would have to knock a second time, a second later.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    const WAITING: i32 = 4096;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Or a restart would have to wait for the connections of the last run.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(WAITING)?;
    Ok(socket.into())
}

/// Resolves at SIGTERM or SIGINT.
async fn told_to_stop() {
    let term = async {
        match signal(SignalKind::terminate()) {
            Ok(mut term) => drop(term.recv().await),
            Err(error) => {
                tracing::error!(%error, "SIGTERM cannot be heard");
                std::future::pending().await
            }
        }
    };
    let interrupt = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "SIGINT cannot be heard");
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = term => {}
        () = interrupt => {}
    }
}

fn start_bus(config: &Config) -> Result<Arc<dyn Bus>> {
    let Some(url) = config.redis_url.clone() else { return Ok(Arc::new(LocalBus::new().endpoint())) };
    let ca_pem = config.redis_ca_file.as_deref().map(read_authority).transpose()?;
    let settings = RedisSettings { prefix: config.redis_prefix.clone(), ca_pem, ..RedisSettings::new(url) };
    Ok(Arc::new(RedisBus::start(settings)?))
}

fn read_authority(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|why| {
        let message = format!("ORDERCAST_REDIS_CA_FILE: {} cannot be read: {why}", path.display());
        Error::invalid("bad_setting", message)
    })
}

/// Mail by SMTP where it is set, else kept in the data folder.
fn mailer(config: &Config, clock: Clock) -> Result<Mailer> {
    match &config.smtp_url {
        Some(url) => Mailer::smtp(url, &config.mail_from, clock, mailer::PATIENCE),
        None => Mailer::folder(config.data_dir.join("mail"), &config.mail_from, clock),
    }
}

fn guard(config: &Config, clock: Clock, home: &PublicUrl, metrics: Metrics) -> Result<Guard> {
    let limits =
        Limits { api: config.rate_api, public: config.rate_public, live: config.rate_live, guess: config.rate_guess };
    let proxies = Proxies::parse(&config.trusted_proxies)?;
    Ok(Guard::new(limits, proxies, home.0.starts_with("https://"), clock, metrics))
}

/// What a company may hand in at a time.
fn kyc_limits(config: &Config) -> kyc::Limits {
    kyc::Limits { documents: config.kyc_documents, bytes: config.kyc_document_size }
}

fn live_settings(config: &Config) -> LiveSettings {
    LiveSettings {
        heartbeat: Duration::from_secs(config.heartbeat.max(1)),
        slow_close: Duration::from_secs(config.slow_reader.max(1)),
        check_every: Duration::from_secs(config.log_check.max(1)),
        reach_wait: Duration::from_millis(config.reach_wait),
        drain_window: Duration::from_secs(config.drain),
        max_connections: config.max_connections,
        allowed_origins: config.allowed_origins.clone(),
        ..LiveSettings::default()
    }
}

fn terms(config: &Config) -> Terms {
    let days = |days: u32| SignedDuration::from_hours(24 * i64::from(days));
    Terms {
        access: SignedDuration::from_mins(i64::from(config.access_minutes)),
        refresh: days(config.refresh_days),
        longest: days(config.session_days),
    }
}

fn money(db: &Db, clock: &Clock, timeline: &Timeline, terms: wallet::Terms) -> Money {
    Money {
        wallets: wallet::Wallets::new(db.clone(), clock.clone(), terms),
        payouts: wallet::Payouts::new(db.clone(), clock.clone(), terms),
        sellers: wallet::Sellers::new(db.clone(), clock.clone()),
        rates: wallet::Rates::new(db.clone(), clock.clone()),
        commissions: Commissions::new(db.clone(), clock.clone(), timeline.clone()),
    }
}

fn money_terms(config: &Config) -> wallet::Terms {
    wallet::Terms {
        hold_days: config.hold_days,
        release_every: Duration::from_secs(config.release_seconds.into()),
        release_at_once: config.release_at_once,
        payout_file_rows: config.payout_file_rows,
        commission_on_confirmation: config.commission_on_confirmation,
        release_on_confirmation: config.release_on_confirmation,
    }
}

/// The one door, which tells the live part of what it commits.
fn orders(config: &Config, db: &Db, clock: &Clock, live: &Live, metrics: Metrics) -> Orders {
    let patience = Patience { approval_hours: config.approval_hours, auto_confirm_days: config.auto_confirm_days };
    let terms = (money_terms(config), patience);
    let limits = (config.commit_group, config.commit_queue);
    Orders::start(db.clone(), clock.clone(), announce(live.clone()), metrics, terms, limits)
}

/// Tells the live part of what was committed.
fn announce(live: Live) -> Announce {
    Arc::new(move |tellings| {
        let live = live.clone();
        Box::pin(async move { live.publish(tellings).await })
    })
}

/// The database with all its tables, and its audit trail in chains.
async fn open_database(config: &Config) -> Result<Db> {
    let db = Db::open(config)?;
    db.migrate().await?;
    audit::seal_earlier(&db).await?;
    Ok(db)
}

async fn build_parts(config: &Config, clock: Clock, home: PublicUrl, bus: Arc<dyn Bus>) -> Result<Parts> {
    let keys = config.keys()?;
    let db = open_database(config).await?;
    let companies = Companies::new(db.clone(), clock.clone());
    companies.ensure("shop", &config.shop_name).await?;
    let tokens = Tokens::start(db.clone(), clock.clone());
    let passwords = Passwords::new(db.runtime().clone(), config.passwords_at_once);
    let sessions = Sessions::start(db.clone(), clock.clone(), keys.clone(), passwords.clone(), terms(config));
    let codes = Codes::new(db.clone(), clock.clone(), keys.clone());
    let timeline = Timeline::new(db.clone());
    let passes = Passes::new(db.clone(), clock.clone(), keys.clone(), config.pass_days);
    let access = Access::new(passes.clone(), tokens.clone(), sessions.clone(), timeline.clone());
    let (settings, watched) = (live_settings(config), timeline.clone());
    let live = Live::start(settings, clock.clone(), bus.clone(), watched, access, db.runtime());
    let metrics = Metrics::new();
    let orders = orders(config, &db, &clock, &live, metrics.clone());
    let webhook_secrets = WebhookSecrets::new(db.clone(), clock.clone(), keys.clone());
    Ok(Parts {
        guard: guard(config, clock.clone(), &home, metrics.clone())?,
        body_limit: BodyLimit(config.max_body),
        kyc: Kyc::new(db.clone(), clock.clone(), keys.clone(), webhook_secrets.clone(), kyc_limits(config)),
        desk: Desk::new(config.kyc_uploads, Duration::from_secs(config.kyc_upload_seconds.max(1))),
        workflows: Workflows::new(db.clone(), clock.clone()),
        approvals: Approvals::new(db.clone(), clock.clone(), orders.clone()),
        confirmations: Confirmations::new(db.clone(), clock.clone(), keys.clone(), orders.clone()),
        admins: Admins::new(db.clone(), clock.clone()),
        tokens,
        webhooks: Webhooks::new(
            db.clone(),
            clock.clone(),
            webhook_secrets.clone(),
            orders.clone(),
            timeline.clone(),
            config.inbox_days,
        ),
        webhook_secrets,
        people: People::new(db.clone(), clock.clone(), codes.clone(), passwords.clone(), config.unproven_days),
        codes,
        passwords,
        sessions,
        money: money(&db, &clock, &timeline, money_terms(config)),
        timeline,
        live,
        orders,
        metrics,
        passes,
        jobs: Jobs::new(db.clone(), clock.clone()),
        pages: Pages::new(clock.clone(), config.brand(), config.support_url.clone())?,
        preferences: Preferences::new(db.clone(), clock.clone()),
        companies,
        home,
        idempotency: Idempotency::new(db.clone(), clock.clone(), keys),
        clock,
        bus,
        db,
    })
}
